// A client says which device it is: the session is named, its record read or made, and the answer goes with the backlog behind it.
import { bind } from "../../core/connect.ts";
import type { Debug } from "../../core/debug.ts";
import type { Device, PushId, Uid } from "../../core/device.ts";
import type { Engine, Hello } from "../../core/engine.ts";
import { PushError } from "../../core/errors.ts";
import { deviceChannel } from "../../core/packet.ts";
import { bindingOf } from "./changes.ts";
import type { Departures } from "./departures.ts";
import type { Command } from "./events.ts";
import type { Hub } from "./hub.ts";
import { OTHER_DEVICE } from "./logins.ts";
import type { Marks } from "./marks.ts";
import type { Members } from "./members.ts";
import { Newcomers, placesOf } from "./newcomers.ts";
import { NOT_ALLOWED } from "./questions.ts";
import type { Refuser } from "./refuser.ts";
import { positionOf, type Replay } from "./replay.ts";
import type { Session } from "./session.ts";
import type { Topics } from "./topics.ts";
import { rowsOf, type Writes } from "./writes.ts";

type Hi = Extract<Command, { kind: "hello" }>;

interface GreetingsOptions {
  readonly hub: Hub;
  readonly engine: Pick<Engine, "devices" | "broker">;
  readonly departures: Departures;
  readonly marks: Marks;
  readonly members: Members;
  readonly refuser: Refuser;
  readonly replay: Replay;
  readonly topics: Topics;
  readonly writes: Writes;
  /** Devices that were not known before, per address and minute. */
  readonly newDevices: number;
  /** How much of a backlog is read and sent at once, see `sizeOf`. */
  readonly pageSize: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
  readonly error: (fields: object, message: string) => void;
  readonly debug: Debug;
}

export class Greetings {
  readonly #options: GreetingsOptions;
  readonly #newcomers: Newcomers;

  constructor(options: GreetingsOptions) {
    this.#options = options;
    this.#newcomers = new Newcomers(options.newDevices, options.elapsed);
  }

  /** The session is this device's from now on; the answer follows once the store has its record. */
  hello(session: Session, event: string, hi: Hi): void {
    const { departures, hub, members, refuser, topics, writes } = this.#options;
    if (!writes.allows(session, event, rowsOf(hi))) return;
    const { onlyPushId } = session;
    if (onlyPushId !== undefined && onlyPushId !== hi.pushId) {
      const byToken = session.seat?.login.pushId !== undefined;
      const fault = byToken
        ? { reason: OTHER_DEVICE }
        : { reason: "it was let in as another pushId", message: NOT_ALLOWED };
      refuser.refuseLogin(session, event, { code: "not_allowed", ...fault });
      return;
    }
    const own = deviceChannel(hi.pushId);
    session.greetings++;
    session.acks = hi.acks === true;
    session.background = hi.background === true;
    if (session.pushId !== hi.pushId) {
      const before = session.pushId;
      if (before !== undefined) departures.left(session, "transport close"); // another device on the same socket (D21)
      hub.name(session, hi.pushId, hi.platform);
      members.renamed(session, before);
      session.epoch = hi.epoch;
      hub.hold(session, own, positionOf(session, hi.own ?? {}) ?? "unsent");
    }
    topics.enter(session, event, hi.subscriptions);
    session.writing += rowsOf(hi);
    void this.#greet(session, hi);
  }

  async #greet(session: Session, hi: Hi): Promise<void> {
    const { departures, engine, error, hub, marks, members, now, pageSize, replay } = this.#options;
    const hello: { -readonly [Key in keyof Hello]: Hello[Key] } = { pushId: hi.pushId };
    if (hi.platform !== undefined) hello.platform = hi.platform;
    if (hi.tags !== undefined) hello.tags = hi.tags;
    if (hi.token !== undefined) hello.token = hi.token;
    const { countedAs } = session.connection;
    const places = placesOf(hi.tags?.length ?? 0);
    const counted = this.#newcomers.take(countedAs, places);
    // From here on its backlogs wait for the reply.
    const own = deviceChannel(hi.pushId);
    const from = session.joins?.channels.get(own)?.from;
    const goOn = replay.claim(session, own);
    try {
      if (!counted && (await engine.devices.get([hi.pushId], now())).length === 0) return this.#turnAway(session);
      const marked = marks.store(); // before the backlog is read: an older socket of the device may just have got some
      marked?.catch(ignore); // told below, if it comes to that
      const at = now();
      const connected = engine.devices.connect(hello, at);
      members.flush();
      // It left while it was looked up: that has been told already.
      if (!counted && !hub.isConnected(hi.pushId)) departures.wentBefore(hi.pushId, at);
      // In the same turn, so in one commit with the record.
      const page =
        goOn === undefined || from === undefined ? undefined : engine.broker.backlog(own, from, pageSize, at, hi.epoch);
      page?.catch(ignore); // told below
      const device = await connected;
      const { sub } = session;
      if (sub !== undefined && device.uid !== sub && !session.gone) await this.#bindLogin(session, hi.pushId, sub);
      if (counted && device.createTime !== at) this.#newcomers.giveBack(countedAs, places);
      if (marked !== undefined) await marked;
      session.greetings--;
      if (session.gone) return;
      if (session.pushId === hi.pushId) this.#reply(session, hi, device);
      if (session.greetings === 0) session.ordered = undefined;
      if (page === undefined) replay.next(session);
      else await goOn?.(page);
    } catch (err) {
      session.greetings--;
      error({ err, pushId: hi.pushId }, "hello failed; the connection is closed so that the client tries again");
      if (!session.gone) session.connection.close(); // (D10)
    } finally {
      session.writing -= rowsOf(hi);
    }
  }

  /** A store that cannot write keeps nobody out: the session has its uid, and the record gets it another time. */
  async #bindLogin(session: Session, pushId: PushId, uid: Uid): Promise<void> {
    const { engine, now } = this.#options;
    try {
      await bind(engine, bindingOf(pushId, uid, session.platform), now());
    } catch (error) {
      if (!(error instanceof PushError && error.code === "unavailable")) throw error;
      session.ordered = { kind: "bind", uid };
    }
  }

  /** Closed after it is told, so that the client comes again: in another minute there is room. */
  #turnAway(session: Session): void {
    session.greetings--;
    if (session.gone) return;
    const message = "too many new devices from this address in this minute (client.max_new_devices_per_minute)";
    this.#options.refuser.refuse(session, "pushId", { code: "devices_limit", message });
    session.connection.close();
  }

  /** Exactly once per hello, and only now: rooms are joined, the record shows what this very request stored (D9, R7). */
  #reply(session: Session, hi: Hi, device: Device): void {
    const { debug, hub } = this.#options;
    const order = session.ordered;
    const uid = order === undefined ? device.uid : order.kind === "bind" ? order.uid : undefined;
    if (uid === undefined) hub.unbindSession(session);
    else hub.bindSession(session, uid);
    let reply = `42["pushId",{"id":${JSON.stringify(hi.pushId)}`;
    if (device.tags.length > 0) reply += `,"tags":${JSON.stringify(device.tags)}`;
    if (device.token !== undefined) reply += `,"token":${JSON.stringify(device.token)}`;
    if (uid !== undefined) reply += `,"uid":${JSON.stringify(uid)}`;
    if (session.epoch !== undefined) reply += `,"positions":${session.joins?.channels.size ?? 0}`;
    session.connection.send(`${reply}}]`);
    if (debug.on) this.#showDevice(session, device);
  }

  #showDevice({ pushId, connection: { address }, platform, topics }: Session, device: Device): void {
    const { uid, type, tags, createTime } = device;
    const created = new Date(createTime).toISOString();
    this.#options.debug.line(
      { pushId, address, platform, uid, type, tags: tags.length, topics, created },
      "device registered",
    );
  }
}

const ignore = (): void => {};
