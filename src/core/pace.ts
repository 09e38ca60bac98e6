// Long work in pieces, so that the main loop is never away from everybody else for long.

/** Milliseconds of a piece. A turn may take two: the rest is for what else happens in it. */
const PIECE = 1;

const waiting: (() => void)[] = [];

/** Goes on in a later turn. One piece of all such work is done per turn, in the order of asking: many callers wait longer, not the loop. */
const turn = (): Promise<void> => new Promise(inTurn);

/** The same without a promise. */
export function inTurn(next: () => void): void {
  if (waiting.push(next) === 1) setImmediate(one);
}

function one(): void {
  const next = waiting.shift();
  if (waiting.length > 0) setImmediate(one);
  next?.();
}

/** When a long loop has to let the others in: `if (pace.over()) await pace.turn()`. */
export class Pace {
  #began = performance.now();

  /** Whether the piece has taken its millisecond. */
  over(): boolean {
    return performance.now() - this.#began >= PIECE;
  }

  /** Lets the others in; a new piece begins after them. */
  async turn(): Promise<void> {
    await turn();
    this.begin();
  }

  /** A new piece begins now. */
  begin(): void {
    this.#began = performance.now();
  }
}
