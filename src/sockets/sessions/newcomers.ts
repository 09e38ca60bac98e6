// How many devices that were not known yet an address may bring in a minute: each takes a row for good, so nobody may add them without
// end. A mobile network's gateway brings many.
import { MINUTE } from "../../core/time.ts";

/** A device with so many tags takes one more place: each tag is a row too. Apps in use give a few. */
const TAGS_OF_A_PLACE = 10;

/** Of the minute's places, what a new device takes. */
export const placesOf = (tags: number): number => 1 + Math.floor(tags / TAGS_OF_A_PLACE);

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

  /** Takes some of the minute's places for a device that may be new. False: there are not so many left. */
  take(address: string, places: number): boolean {
    const now = this.#elapsed();
    if (now >= this.#until) {
      this.#brought.clear();
      this.#until = now + MINUTE;
    }
    const brought = this.#brought.get(address) ?? 0;
    if (brought > 0 && brought + places > this.#limit) return false; // the first one fits whatever the setting
    this.#brought.set(address, brought + places);
    return true;
  }

  /** The device was known. */
  giveBack(address: string, places: number): void {
    const brought = this.#brought.get(address);
    if (brought === undefined) return; // the minute is over
    if (brought <= places) this.#brought.delete(address);
    else this.#brought.set(address, brought - places);
  }
}
