// Devices whose last session went within the disconnect delay: they still count as connected.
import type { PushId, Uid } from "../../core/device.ts";
import { LargeMap } from "../../core/large-map.ts";

interface Gone {
  /** Why its last session went. */
  readonly reason: string;
  /** The end of the delay, by the clock that is never set. */
  readonly until: number;
  readonly uid: Uid | undefined;
  /** As `Seen.since`. */
  readonly since: number;
}

export class Lingering {
  readonly #devices = new LargeMap<PushId, Gone>();
  readonly #users = new LargeMap<Uid, Set<PushId>>();

  /** Each waits equally long, so they are kept in the order of their ends. */
  set(pushId: PushId, gone: Gone): void {
    this.delete(pushId); // to the end
    this.#devices.set(pushId, gone);
    this.#add(pushId, gone.uid);
  }

  delete(pushId: PushId): void {
    const gone = this.#devices.get(pushId);
    if (gone === undefined) return;
    this.#devices.delete(pushId);
    this.#remove(pushId, gone.uid);
  }

  #add(pushId: PushId, uid: Uid | undefined): void {
    if (uid === undefined) return;
    const devices = this.#users.get(uid);
    if (devices === undefined) this.#users.set(uid, new Set([pushId]));
    else devices.add(pushId);
  }

  #remove(pushId: PushId, uid: Uid | undefined): void {
    if (uid === undefined) return;
    const devices = this.#users.get(uid);
    devices?.delete(pushId);
    if (devices?.size === 0) this.#users.delete(uid);
  }

  has(pushId: PushId): boolean {
    return this.#devices.has(pushId);
  }

  get(pushId: PushId): Gone | undefined {
    return this.#devices.get(pushId);
  }

  /** The devices of a user. */
  of(uid: Uid): Iterable<PushId> {
    return this.#users.get(uid) ?? [];
  }

  /** It is bound to another user, or to none. */
  rebind(pushId: PushId, uid: Uid | undefined): void {
    const gone = this.#devices.get(pushId);
    if (gone === undefined || gone.uid === uid) return;
    this.#remove(pushId, gone.uid);
    this.#devices.set(pushId, { ...gone, uid }); // keeps its place
    this.#add(pushId, uid);
  }

  keys(): Iterable<PushId> {
    return this.#devices.keys();
  }

  /** Takes out those whose delay is over, about `most` of them. */
  over(now: number, most: number): [PushId, Gone][] {
    const over: [PushId, Gone][] = [];
    for (const part of this.#devices.parts)
      for (const entry of part) {
        // The first is the next.
        if (entry[1].until > now || over.length === most) break;
        over.push(entry);
      }
    for (const [pushId] of over) this.delete(pushId);
    return over;
  }

  clear(): void {
    this.#devices.clear();
    this.#users.clear();
  }
}
