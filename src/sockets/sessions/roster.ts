// The sessions of this process that said who they are, by device and by user: lists threaded through the sessions themselves, so
// that one costs no memory of its own and a list of any length is left at once.
import type { PushId, Uid } from "../../core/device.ts";
import { LargeMap } from "../../core/large-map.ts";
import type { Named } from "../../core/live.ts";
import type { Pace } from "../../core/pace.ts";
import type { Session } from "./session.ts";

/** The names of a list's two links. */
interface Links {
  readonly next: "nextOfDevice" | "nextOfUid";
  readonly before: "beforeOfDevice" | "beforeOfUid";
}
const OF_DEVICE: Links = { next: "nextOfDevice", before: "beforeOfDevice" };
const OF_UID: Links = { next: "nextOfUid", before: "beforeOfUid" };

export class Roster {
  readonly #devices = new LargeMap<PushId, Session>();
  readonly #users = new LargeMap<Uid, Session>();
  readonly #platforms = new Map<string, number>();
  #size = 0;

  /** Sessions that have said which device they are. */
  get size(): number {
    return this.#size;
  }

  /** How many of them, by platform; one that has none left is not in it. */
  get byPlatform(): ReadonlyMap<string, number> {
    return this.#platforms;
  }

  /** Devices with a session now, in no order. */
  devices(): Iterable<PushId> {
    return this.#devices.keys();
  }

  has(pushId: PushId): boolean {
    return this.#devices.has(pushId);
  }

  /** The newest session of a device; the others by `nextOfDevice`. */
  newestOfDevice(pushId: PushId): Session | undefined {
    return this.#devices.get(pushId);
  }

  /** The newest session of a user; the others by `nextOfUid`. */
  newestOfUser(uid: Uid): Session | undefined {
    return this.#users.get(uid);
  }

  /** The newest first. The list may not change meanwhile. */
  *ofDevice(pushId: PushId): Iterable<Session> {
    for (let session = this.#devices.get(pushId); session !== undefined; session = session.nextOfDevice) yield session;
  }

  /** The newest first. The list may not change meanwhile. */
  *ofUser(uid: Uid): Iterable<Session> {
    for (let session = this.#users.get(uid); session !== undefined; session = session.nextOfUid) yield session;
  }

  /** The session said which device it is; it must have no name. */
  name(session: Session, pushId: PushId, platform: string | undefined): void {
    session.pushId = pushId;
    session.platform = platform;
    link(this.#devices, pushId, session, OF_DEVICE);
    this.#size++;
    if (platform !== undefined) this.#platforms.set(platform, (this.#platforms.get(platform) ?? 0) + 1);
  }

  /** The session is no device's and no user's any more. */
  unname(session: Session): void {
    const { pushId, platform } = session;
    if (pushId === undefined) return;
    this.unbind(session);
    unlink(this.#devices, pushId, session, OF_DEVICE);
    session.pushId = undefined;
    session.platform = undefined;
    this.#size--;
    if (platform === undefined) return;
    const left = (this.#platforms.get(platform) ?? 1) - 1;
    if (left > 0) this.#platforms.set(platform, left);
    else this.#platforms.delete(platform);
  }

  bind(session: Session, uid: Uid): void {
    this.unbind(session);
    session.uid = uid;
    link(this.#users, uid, session, OF_UID);
  }

  unbind(session: Session): void {
    if (session.uid === undefined) return;
    unlink(this.#users, session.uid, session, OF_UID);
    session.uid = undefined;
  }

  /** All of their sessions, in pieces: one may be visited twice when others leave meanwhile. */
  async visit(who: Named, pace: Pace, visit: (session: Session) => void): Promise<void> {
    if ("uids" in who) for (const uid of who.uids) await visitList(this.#users, uid, "uid", "nextOfUid", pace, visit);
    else for (const id of who.pushIds) await visitList(this.#devices, id, "pushId", "nextOfDevice", pace, visit);
  }
}

async function visitList<K extends string>(
  heads: LargeMap<K, Session>,
  id: K,
  name: "pushId" | "uid",
  next: Links["next"],
  pace: Pace,
  visit: (session: Session) => void,
): Promise<void> {
  let session = heads.get(id);
  while (session !== undefined) {
    visit(session);
    if (pace.over()) {
      await pace.turn();
      const named: string | undefined = session[name];
      if (named !== id) {
        session = heads.get(id);
        continue;
      }
    }
    session = session[next];
  }
  if (pace.over()) await pace.turn();
}

function link<K extends string>(heads: LargeMap<K, Session>, key: K, session: Session, { next, before }: Links): void {
  const head = heads.get(key);
  session[next] = head;
  if (head !== undefined) head[before] = session;
  heads.set(key, session);
}

/** Both ways, so that a list of any length is left at once: all sessions of a user may close together. */
function unlink<K extends string>(
  heads: LargeMap<K, Session>,
  key: K,
  session: Session,
  { next, before }: Links,
): void {
  const later = session[next];
  const earlier = session[before];
  session[next] = undefined;
  session[before] = undefined;
  if (later !== undefined) later[before] = earlier;
  if (earlier !== undefined) earlier[next] = later;
  else if (later === undefined) heads.delete(key);
  else heads.set(key, later);
}
