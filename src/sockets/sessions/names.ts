// The topics that there are: uWS knows them and does not list them, so every connection is asked, in pieces. The list is kept for
// those who read on in it.
import { Pace } from "../../core/pace.ts";
import { MINUTE } from "../../core/time.ts";

/** Names that stand together: one more moves no more than so many. */
const TOGETHER = 512;

/** Names in order, each once. */
class Sorted {
  readonly #shelves: string[][] = [[]];

  add(name: string): void {
    const at = last(this.#shelves, (shelf) => shelf[0]! <= name);
    const shelf = this.#shelves[at]!;
    const place = shelf.length === 0 ? -1 : last(shelf, (one) => one <= name, -1);
    if (shelf[place] === name) return;
    shelf.splice(place + 1, 0, name);
    if (shelf.length > TOGETHER) this.#shelves.splice(at + 1, 0, shelf.splice(TOGETHER / 2));
  }

  /** Those behind that name. */
  *after(name: string): Iterable<string> {
    for (let at = last(this.#shelves, (shelf) => shelf[0]! <= name); at < this.#shelves.length; at++)
      for (const one of this.#shelves[at]!) if (one > name) yield one;
  }
}

/** The last place where it is so, of a list where it is so up to some place; `none` when it is nowhere. */
function last<T>(list: readonly T[], isSo: (item: T) => boolean, none = 0): number {
  let low = none;
  for (let high = list.length - 1, from = none + 1; from <= high; ) {
    const middle = (from + high) >> 1;
    if (isSo(list[middle]!)) {
      low = middle;
      from = middle + 1;
    } else high = middle - 1;
  }
  return low;
}

/** Milliseconds for which somebody may read on in a list, and for which one who begins is given it. */
const KEPT = MINUTE;
const FRESH = 1000;
/** Lists, of different prefixes. */
const MOST = 4;

interface List {
  readonly names: Promise<Sorted>;
  readonly madeAt: number;
  askedAt: number;
}

export class Names {
  readonly #lists = new Map<string, List>();
  readonly #all: () => Iterable<Iterable<string>>;
  readonly #elapsed: () => number;

  /** @param all the names that each of many has */
  constructor(all: () => Iterable<Iterable<string>>, elapsed: () => number) {
    this.#all = all;
    this.#elapsed = elapsed;
  }

  /** In order, those that begin with the prefix and come after that one; "" is before all. */
  async list(prefix: string, after: string): Promise<Iterable<string>> {
    const now = this.#elapsed();
    let list = this.#lists.get(prefix);
    this.#lists.delete(prefix);
    if (list === undefined || (after === "" && now - list.madeAt > FRESH))
      list = { names: this.#collect(prefix), madeAt: now, askedAt: now };
    list.askedAt = now;
    this.#lists.set(prefix, list); // the one asked for last is the last to go
    if (this.#lists.size > MOST) this.#lists.delete(this.#lists.keys().next().value!); // not empty
    return (await list.names).after(after);
  }

  async #collect(prefix: string): Promise<Sorted> {
    const pace = new Pace();
    const names = new Sorted();
    let seen = 0;
    for (const some of this.#all()) {
      for (const name of some) {
        if (name.startsWith(prefix)) names.add(name);
        if (++seen % 64 === 0 && pace.over()) await pace.turn();
      }
      if (++seen % 64 === 0 && pace.over()) await pace.turn();
    }
    return names;
  }

  /** Forgets lists that nobody reads. */
  tick(): void {
    const now = this.#elapsed();
    for (const [prefix, { askedAt }] of this.#lists) if (now - askedAt > KEPT) this.#lists.delete(prefix);
  }
}
