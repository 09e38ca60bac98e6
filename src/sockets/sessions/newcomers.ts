// How many devices that were not known yet an address may bring in a minute: each takes a row for good, so nobody may add them without
// end. A mobile network's gateway brings many.
import { MINUTE } from "../../core/time.ts";

export class Newcomers {
  readonly #limit: number;
  readonly #elapsed: () => number;
  /** In this minute, by address; so many as connected in it. */
  readonly #brought = new Map<string, number>();
  #until = 0;

  /** @param elapsed milliseconds by a clock that is never set */
  constructor(limit: number, elapsed: () => number) {
    this.#limit = limit;
    this.#elapsed = elapsed;
  }

  /** Takes one of the minute's places for a device that may be new. False: there is none left. */
  take(address: string): boolean {
    const now = this.#elapsed();
    if (now >= this.#until) {
      this.#brought.clear();
      this.#until = now + MINUTE;
    }
    const brought = this.#brought.get(address) ?? 0;
    if (brought >= this.#limit) return false;
    this.#brought.set(address, brought + 1);
    return true;
  }

  /** The device was known. */
  giveBack(address: string): void {
    const brought = this.#brought.get(address);
    if (brought === undefined) return; // the minute is over
    if (brought === 1) this.#brought.delete(address);
    else this.#brought.set(address, brought - 1);
  }
}
