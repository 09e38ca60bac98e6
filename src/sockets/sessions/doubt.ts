// What was written to a connection on its device's own channel and has not been proven to have arrived (holds 9).
import type { Replayed } from "../../core/engine.ts";

/** Milliseconds after which a client that answers no pings, and is heard, is taken to have got what was written to it. */
const HEARD_AFTER = 2000;
/** Bytes per millisecond that its line carries at least: 64 kbit/s. */
const SLOWEST = 8;
/** What was written within so many milliseconds is proven together. */
const TOGETHER = 50;
/** Groups that may wait: at eight questions a second, two minutes in which none was answered. */
const MOST = 1000;

/** Packets that are proven together: all of them were written before `stamp`. */
interface Group {
  readonly began: number;
  seq: number;
  stamp: number;
  /** Heard from then on, the client has them. */
  due: number;
  replayed: Replayed[] | undefined;
}

/** The newest packet that is proven, and the notifications up to it. */
export interface Proof {
  readonly seq: number;
  readonly replayed: readonly Replayed[];
}

export class Doubt {
  /** In the order in which they were written, which is that of seq. */
  readonly #groups: Group[] = [];
  /** Whether the next packet begins a group: proof was asked for of those before. */
  #asked = false;
  #lineFree = 0;

  /** Whether all that was written is proven. */
  get isEmpty(): boolean {
    return this.#groups.length === 0;
  }

  /** It has answered nothing for long: whoever it was that answered before does so no more. */
  get isFull(): boolean {
    return this.#groups.length >= MOST;
  }

  /**
   * A packet was written.
   * @param size its bytes, about
   * @param now milliseconds of any clock that only goes forward
   */
  wrote(seq: number, size: number, stamp: number, now: number, replayed: Replayed | undefined): void {
    this.#lineFree = Math.max(now, this.#lineFree) + size / SLOWEST;
    const due = this.#lineFree + HEARD_AFTER;
    let group = this.#groups.at(-1);
    if (group === undefined || this.#asked || now - group.began > TOGETHER) {
      group = { began: now, seq, stamp, due, replayed: undefined };
      this.#groups.push(group);
      this.#asked = false;
    }
    group.seq = seq;
    group.stamp = stamp;
    group.due = due;
    if (replayed === undefined) return;
    if (group.replayed === undefined) group.replayed = [replayed];
    else group.replayed.push(replayed);
  }

  /** Proof was asked for of all that was written: the next packet begins a group. */
  asked(): void {
    this.#asked = true;
  }

  /** What was sent before that moment has arrived. */
  proven(stamp: number): Proof | undefined {
    return this.#take((group) => group.stamp < stamp);
  }

  /** The client has spoken, and answers no pings. */
  heard(now: number): Proof | undefined {
    return this.#take((group) => group.due <= now);
  }

  #take(isProven: (group: Group) => boolean): Proof | undefined {
    let count = 0;
    while (count < this.#groups.length && isProven(this.#groups[count]!)) count++;
    if (count === 0) return undefined;
    const taken = this.#groups.splice(0, count);
    return { seq: taken.at(-1)!.seq, replayed: taken.flatMap(({ replayed }) => replayed ?? []) };
  }
}
