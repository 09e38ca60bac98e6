// Lines about what can happen a thousand times a second: the first of a kind at once, from there once a minute how many there were.
import { MINUTE } from "./time.ts";

/** Milliseconds for which those of one kind are only counted. */
const PAUSE = MINUTE;

interface Counted<Last> {
  quietUntil: number;
  /** Since the last line. */
  count: number;
  last: Last;
}

export class Tally<Kind, Last> {
  readonly #kinds = new Map<Kind, Counted<Last>>();
  readonly #tell: (kind: Kind, count: number, last: Last) => void;
  readonly #elapsed: () => number;
  #timer: NodeJS.Timeout | undefined = undefined;

  /**
   * @param tell gets how many there were since its last call for this kind, and the last of them
   * @param elapsed milliseconds by a clock that is never set
   */
  constructor(tell: (kind: Kind, count: number, last: Last) => void, elapsed = () => performance.now()) {
    this.#tell = tell;
    this.#elapsed = elapsed;
  }

  add(kind: Kind, last: Last): void {
    const counted = this.#kinds.get(kind);
    if (counted === undefined) {
      this.#kinds.set(kind, { quietUntil: 0, count: 1, last });
      this.tick();
      return;
    }
    counted.count++;
    counted.last = last;
    if (this.#timer === undefined) this.tick();
  }

  /** Tells what was counted in a minute that is over. */
  tick(): void {
    const now = this.#elapsed();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [kind, counted] of this.#kinds) {
      const { quietUntil, count, last } = counted;
      if (now < quietUntil) {
        if (count > 0) this.#timer ??= setTimeout(() => this.tick(), quietUntil - now).unref();
        continue;
      }
      if (count === 0) {
        this.#kinds.delete(kind);
        continue;
      }
      counted.count = 0;
      counted.quietUntil = now + PAUSE;
      this.#tell(kind, count, last);
    }
  }
}
