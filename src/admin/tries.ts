// Who guesses passwords waits, longer each time: by address, and in all for those who come from many addresses; wherever
// they try, where several processes show the console. Memory is bounded.
import type { Guess } from "../core/admin.ts";
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

/** Other processes, at whose consoles the same passwords can be tried. */
export interface Others {
  /** To all others; one that is silent misses it. */
  tell(guess: Guess): void;
  hear(heard: (guess: Guess) => void): void;
}

export class Tries {
  readonly #elapsed: () => number;
  readonly #others: Others | undefined;
  readonly #addresses = new Recent<string, Wrong>(ADDRESSES);
  readonly #known = new Recent<string, true>(KNOWN);
  #all = new Wrong();

  /** @param elapsed milliseconds by a clock that is never set @param others whose tries count here too, and ours there; absent: none */
  constructor(elapsed: () => number, others?: Others) {
    this.#elapsed = elapsed;
    this.#others = others;
    others?.hear((guess) => this.#note(guess));
  }

  /** Counts one that is wrong until `right` says otherwise, so that many at once are no way around. @returns 0, or how long to wait */
  begin(address: string): number {
    const now = this.#elapsed();
    const who = limitedAs(address);
    const own = this.#addresses.get(who)?.wait(now) ?? 0;
    const wait = Math.max(own, this.#known.has(who) ? 0 : this.#all.wait(now));
    if (wait === 0) this.#tell("wrong", who);
    return wait;
  }

  /** The one that `begin` counted was right. */
  right(address: string): void {
    this.#tell("right", limitedAs(address));
  }

  /** It could not be found out. */
  undone(address: string): void {
    this.#tell("undone", limitedAs(address));
  }

  /** Somebody has shown that this machine is theirs. */
  forget(): void {
    this.#tell("forget", "");
  }

  #tell(what: Guess["what"], who: string): void {
    this.#note({ what, who });
    this.#others?.tell({ what, who });
  }

  #note({ what, who }: Guess): void {
    const isKnown = this.#known.has(who);
    switch (what) {
      case "wrong": {
        const now = this.#elapsed();
        const own = this.#addresses.get(who) ?? new Wrong();
        own.add(now, OF_ADDRESS);
        this.#addresses.set(who, own);
        if (!isKnown) this.#all.add(now, IN_ALL);
        return;
      }
      case "right":
        this.#addresses.delete(who);
        if (!isKnown) this.#all.takeBack();
        this.#known.set(who, true);
        return;
      case "undone":
        this.#addresses.get(who)?.takeBack();
        if (!isKnown) this.#all.takeBack();
        return;
      case "forget":
        this.#addresses.clear();
        this.#all = new Wrong();
    }
  }
}
