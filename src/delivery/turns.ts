// All lanes write their requests in common turns: a millisecond of them, one request of each lane in rotation, and then sockets
// and callers are served. What comes back is watched here too: answers that all arrive in one turn are handled in one, and
// sockets wait for that.

/** Milliseconds of writing requests in a turn. */
const SLICE = 1;
/** Answers that one turn may bring: about two milliseconds. */
const ENOUGH = 32;

export class Turns {
  readonly #steps = new Set<() => boolean>();
  #scheduled = false;
  #answers = 0;

  /** @param step writes one request, and returns whether it could write another */
  add(step: () => boolean): void {
    this.#steps.add(step);
    this.#schedule();
  }

  /** It is not called any more. */
  remove(step: () => boolean): void {
    this.#steps.delete(step);
  }

  /** Counts an answer. Returns whether this turn has brought more than enough of them. */
  answered(): boolean {
    if (this.#answers++ === 0)
      setImmediate(() => {
        this.#answers = 0;
      });
    return this.#answers > ENOUGH;
  }

  #schedule(): void {
    if (this.#scheduled || this.#steps.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    const begun = performance.now();
    const over = (): boolean => performance.now() - begun > SLICE;
    // A step that is added again comes up again, after those of the other lanes.
    for (const step of this.#steps) {
      this.#steps.delete(step);
      let more = step();
      while (more && this.#steps.size === 0 && !over()) more = step();
      if (more) this.#steps.add(step);
      if (over()) break;
    }
    this.#schedule();
  }
}

/** So many requests may be in flight from the beginning. */
export const INITIAL_CONCURRENCY = 32;
/** To a host that devices chose; it shows what it can do by answering. */
export const INITIAL_CONCURRENCY_OF_HOST = 4;
/** Of the lane that hosts share: those that give no answer leave half of it free. */
export const INITIAL_CONCURRENCY_OF_CROWD = 128;

/**
 * How many requests of a lane may be in flight. Over a long way to the vendor it takes many to keep it busy, and their answers come
 * spread out; over a short one, many only come back together. So there are more while all of them are needed, by a quarter
 * for each time round, and fewer when a turn was crowded with answers.
 */
export function concurrency(now: number, crowded: boolean, full: boolean, most: number): number {
  if (crowded) return Math.max(Math.min(INITIAL_CONCURRENCY, most), now - 1);
  return full ? Math.min(most, now + 0.25) : now;
}
