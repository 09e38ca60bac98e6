// What is due at which second, found without looking at what is not. Adding, moving and removing cost the same however much there is.
import { LargeMap } from "./large-map.ts";

/** A place in a ring of those that are due at the same second. */
export class Entry<T> {
  readonly item: T | undefined;
  next: Entry<T> = this;
  before: Entry<T> = this;
  /** Of the ring that it is in; undefined: in none, or due already. */
  second: number | undefined = undefined;

  /** @param item undefined: the head of a ring */
  constructor(item: T | undefined) {
    this.item = item;
  }

  unlink(): void {
    this.before.next = this.next;
    this.next.before = this.before;
    this.next = this;
    this.before = this;
  }
}

export class Agenda<T> {
  /** By the second, as text. */
  readonly #rings = new LargeMap<string, Entry<T>>();
  readonly #due = new Entry<T>(undefined);
  #now: number;

  /** @param now whole seconds of any clock that only goes on */
  constructor(now: number) {
    this.#now = now;
  }

  /** Due at that second, and no more at the one before. What is past is due with the next `advance`. */
  put(entry: Entry<T>, second: number): void {
    this.remove(entry);
    const at = Math.max(second, this.#now + 1);
    const key = String(at);
    let head = this.#rings.get(key);
    if (head === undefined) {
      head = new Entry<T>(undefined);
      this.#rings.set(key, head);
    }
    entry.second = at;
    append(head, entry);
  }

  remove(entry: Entry<T>): void {
    const { second, next, before } = entry;
    entry.unlink();
    entry.second = undefined;
    if (second !== undefined && next === before && next.item === undefined) this.#rings.delete(String(second));
  }

  /** Goes on by a second, no further than `to`. @returns whether there is further to go */
  advance(to: number): boolean {
    if (this.#now >= to) return false;
    // Nothing waits: no second has to be looked at.
    this.#now = this.#rings.size === 0 ? to : this.#now + 1;
    const key = String(this.#now);
    const head = this.#rings.get(key);
    if (head !== undefined) {
      this.#rings.delete(key);
      adopt(this.#due, head);
    }
    return this.#now < to;
  }

  /** The next one that is due; it is on no list from here. */
  take(): T | undefined {
    const entry = this.#due.next;
    if (entry.item === undefined) return undefined;
    entry.unlink();
    entry.second = undefined;
    return entry.item;
  }
}

function append<T>(head: Entry<T>, entry: Entry<T>): void {
  entry.before = head.before;
  entry.next = head;
  head.before.next = entry;
  head.before = entry;
}

/** All of one ring go behind those of another. */
function adopt<T>(head: Entry<T>, from: Entry<T>): void {
  if (from.next === from) return;
  from.next.before = head.before;
  from.before.next = head;
  head.before.next = from.next;
  head.before = from.before;
  from.next = from;
  from.before = from;
}
