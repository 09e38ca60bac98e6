// Who is held out of which topic, until when. In memory: a restart ends it.
import type { PushId, Uid } from "../../core/device.ts";

/** Entries that may be held at once, some 15 MB of them. */
const MOST = 100_000;
/** Entries looked at in a tick, for those that are over. */
const LOOKED_AT = 1000;

const ofDevice = (topic: string, pushId: PushId): string => `d${pushId}\n${topic}`;
const ofUser = (topic: string, uid: Uid): string => `u${uid}\n${topic}`;

export class Holds {
  /** The end of each, by the clock that is never set. */
  readonly #until = new Map<string, number>();
  readonly #elapsed: () => number;

  /** @param elapsed milliseconds by a clock that is never set */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  get isEmpty(): boolean {
    return this.#until.size === 0;
  }

  /** Whether there is room for so many more. */
  takes(more: number): boolean {
    return this.#until.size + more <= MOST;
  }

  /** @param time milliseconds from now; 0 ends it */
  holdDevice = (topic: string, pushId: PushId, time: number): void => this.#hold(ofDevice(topic, pushId), time);
  /** @param time milliseconds from now; 0 ends it */
  holdUser = (topic: string, uid: Uid, time: number): void => this.#hold(ofUser(topic, uid), time);

  #hold(key: string, time: number): void {
    if (time > 0) this.#until.set(key, this.#elapsed() + time);
    else this.#until.delete(key);
  }

  /** Whether one of the two is held out of the topic now. */
  has(topic: string, pushId: PushId | undefined, uid: Uid | undefined): boolean {
    if (this.#until.size === 0) return false;
    return (
      (pushId !== undefined && this.#lasts(ofDevice(topic, pushId))) ||
      (uid !== undefined && this.#lasts(ofUser(topic, uid)))
    );
  }

  #lasts(key: string): boolean {
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (until > this.#elapsed()) return true;
    this.#until.delete(key);
    return false;
  }

  /** Forgets what is over, a part of it each time. */
  tick(): void {
    const now = this.#elapsed();
    let left = Math.min(LOOKED_AT, this.#until.size);
    for (const [key, until] of this.#until) {
      if (left-- === 0) return;
      this.#until.delete(key);
      if (until > now) this.#until.set(key, until); // behind the others
    }
  }
}
