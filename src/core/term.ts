// How long something holds whose time others give as a time of day: a credential, a failure that is not asked about again.

/**
 * It is over by the clock of the day, or by the one that is never set, whichever comes first: a clock that is put back prolongs
 * nothing, one that is put forward ends it early.
 */
export class Term {
  readonly #until: number;
  readonly #elapses: number;

  /** @param until epoch ms, as is `now` */
  constructor(until: number, now: number) {
    this.#until = until;
    this.#elapses = performance.now() + until - now;
  }

  over(now: number): boolean {
    return now >= this.#until || performance.now() >= this.#elapses;
  }
}
