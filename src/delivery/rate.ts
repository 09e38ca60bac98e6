// How many per second, over the last 10 seconds.

const SECONDS = 10;

/** `now`: milliseconds by a clock that is never set. */
export class Rate {
  readonly #sums = new Array<number>(SECONDS).fill(0);
  #second = 0;

  add(n: number, now: number): void {
    this.#turn(now);
    this.#sums[this.#second % SECONDS]! += n;
  }

  /** A mean of 10 seconds, the current one included. */
  perSecond(now: number): number {
    this.#turn(now);
    return this.#sums.reduce((sum, n) => sum + n, 0) / SECONDS;
  }

  #turn(now: number): void {
    const second = Math.floor(now / 1000);
    for (let past = Math.max(this.#second + 1, second - SECONDS + 1); past <= second; past++)
      this.#sums[past % SECONDS] = 0;
    this.#second = Math.max(this.#second, second);
  }
}
