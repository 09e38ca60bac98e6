// Who guesses passwords waits, longer each time: by address, and in all for those who come from many addresses. Memory is bounded.
import { Recent } from "../core/recent.ts";
import { HOUR, MINUTE } from "../core/time.ts";
import { limitedAs } from "../http/uws/address.ts";

interface Rule {
  /** Wrong tries without a wait. */
  readonly free: number;
  /** The first wait, which doubles with each further wrong try up to the longest. Milliseconds. */
  readonly first: number;
  readonly longest: number;
}

const OF_ADDRESS: Rule = { free: 5, first: 5000, longest: 15 * MINUTE };
/** Whoever logged in from an address before does not wait for what others do. */
const IN_ALL: Rule = { free: 50, first: 1000, longest: 30_000 };
/** After so long without a try everything is forgotten. */
const FORGOTTEN = HOUR;
const ADDRESSES = 10_000;
const KNOWN = 1000;

class Wrong {
  #count = 0;
  #last = 0;
  #until = 0;
  #untilBefore = 0;

  wait(now: number): number {
    return Math.max(0, this.#until - now);
  }

  add(now: number, { free, first, longest }: Rule): void {
    if (now - this.#last > FORGOTTEN) this.#count = 0;
    this.#last = now;
    this.#count++;
    this.#untilBefore = this.#until;
    if (this.#count >= free) this.#until = now + Math.min(longest, first * 2 ** (this.#count - free));
  }

  /** The last one was none. */
  takeBack(): void {
    this.#count = Math.max(0, this.#count - 1);
    this.#until = this.#untilBefore;
  }
}

export class Tries {
  readonly #elapsed: () => number;
  readonly #addresses = new Recent<string, Wrong>(ADDRESSES);
  readonly #known = new Recent<string, true>(KNOWN);
  #all = new Wrong();

  /** @param elapsed milliseconds by a clock that is never set */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  /** Counts one that is wrong until `right` says otherwise, so that many at once are no way around. @returns 0, or how long to wait */
  begin(address: string): number {
    const now = this.#elapsed();
    const who = limitedAs(address);
    const own = this.#addresses.get(who) ?? new Wrong();
    const isKnown = this.#known.has(who);
    const wait = Math.max(own.wait(now), isKnown ? 0 : this.#all.wait(now));
    if (wait > 0) return wait;
    own.add(now, OF_ADDRESS);
    this.#addresses.set(who, own);
    if (!isKnown) this.#all.add(now, IN_ALL);
    return 0;
  }

  right(address: string): void {
    const who = limitedAs(address);
    this.#addresses.delete(who);
    if (!this.#known.has(who)) this.#all.takeBack();
    this.#known.set(who, true);
  }

  /** It could not be found out. */
  undone(address: string): void {
    const who = limitedAs(address);
    this.#addresses.get(who)?.takeBack();
    if (!this.#known.has(who)) this.#all.takeBack();
  }

  /** Somebody has shown that this machine is theirs. */
  forget(): void {
    this.#addresses.clear();
    this.#all = new Wrong();
  }
}
