// What a client and pushbox say to each other: events in, the hub and the store moved, the reply and the replay out.

import type { Asker } from "../../core/ask.ts";
import { bind, unbind } from "../../core/connect.ts";
import { type Debug, NO_DEBUG } from "../../core/debug.ts";
import type { Device, PushId, Uid } from "../../core/device.ts";
import type { Engine, Hello } from "../../core/engine.ts";
import { PushError } from "../../core/errors.ts";
import type { Happening } from "../../core/events.ts";
import type { LoginFault } from "../../core/login.ts";
import { NOTI_TOPIC } from "../../core/notify.ts";
import type { Channel, From, KeptPacket, PacketId } from "../../core/packet.ts";
import { deviceChannel, topicChannel } from "../../core/packet.ts";
import type { Report } from "../../core/report.ts";
import type { Traits } from "../../core/traits.ts";
import type { ConnectRefusal, SocketApplication } from "../transport/socketio.ts";
import type { CloseReason, Connection } from "../transport/types.ts";
import { Acks } from "./acks.ts";
import { Asking } from "./asking.ts";
import { Background } from "./background.ts";
import { ClientPackets } from "./client-packets.ts";
import { Departures, SHUTDOWN } from "./departures.ts";
import { bindingOf, type Desk, type RefusedEvent, whenSo } from "./desk.ts";
import {
  type Command,
  type EventLimits,
  type Given,
  parseEvent,
  type StatsEntry,
  type Subscription,
  tagsLimit,
  topicBytesLimit,
  topicCost,
  topicsLimit,
} from "./events.ts";
import { Gate } from "./gate.ts";
import type { Hub } from "./hub.ts";
import { Logins, OTHER_DEVICE } from "./logins.ts";
import { Marks } from "./marks.ts";
import { Members } from "./members.ts";
import { Newcomers, placesOf } from "./newcomers.ts";
import { encodeRefusal, type Refusal, RefusalLog } from "./refusals.ts";
import { Replay } from "./replay.ts";
import { RollCall } from "./roll-call.ts";
import { Session } from "./session.ts";

export interface ConversationOptions {
  readonly hub: Hub;
  readonly engine: Pick<Engine, "devices" | "broker" | "outbox" | "events">;
  readonly report: Report;
  readonly limits: EventLimits;
  readonly traits?: Traits;
  /** Devices that were not known before, per address and minute. */
  readonly newDevices: number;
  /** How much of a backlog is read and sent at once, see `sizeOf`. */
  readonly pageSize: number;
  /** Milliseconds for which a device whose last session went still counts as connected. */
  readonly disconnectDelay: number;
  /** Whether a client's own `bindUid` is believed. */
  readonly trustClientUid: boolean;
  /** Whom to ask about clients; absent: nobody. */
  readonly asker?: Asker;
  /** Answers what visitors of the page of examples say; undefined: it is no path of theirs. Absent: there is no such page. */
  readonly examples?: (pushId: PushId, path: string, data: unknown) => Promise<object> | undefined;
  /** For a revision 3 client that needs a token and came without one to bring it, milliseconds. */
  readonly loginTimeout?: number;
  readonly now: () => number;
  /** Milliseconds by a clock that is never set: durations are measured by it (B13). */
  readonly elapsed: () => number;
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
  readonly debug?: Debug;
}

/** The latency of a notification's reply is a sample only within so many milliseconds. */
const REPLY_WINDOW = 10_000;
const TICK = 1000;
/** For a client that is told to stay away. */
const HANGS_UP_WITHIN = 5000;
type Hi = Extract<Command, { kind: "hello" }>;

/** Rows that a connection may have on their way to the store: more than any app asks for in one go. */
const MOST_WRITING = 300;

const heldOut = (topic: string): Refusal => ({
  code: "topic_held",
  message: `the backend keeps this client out of the topic ${topic} for a while`,
});

/** What an order writes: the record, and its tags. */
const rowsOf = (command: Command): number => 1 + ("tags" in command ? (command.tags?.length ?? 0) : 0);

export class Conversation implements SocketApplication<Session> {
  readonly namespaces = ["/"];
  readonly #options: ConversationOptions;
  readonly #hub: Hub;
  readonly #replay: Replay;
  readonly #ticking: NodeJS.Timeout;
  readonly #refusals: RefusalLog;
  readonly #debug: Debug;
  readonly #newcomers: Newcomers;
  readonly #logins: Logins;
  readonly #asking: Asking;
  readonly #packets: ClientPackets;
  readonly #acks: Acks;
  /** Who clients are by their tokens; off unless it is set. */
  readonly gate: Gate;
  /** How often what was refused to clients, since the start. */
  readonly refused: Readonly<Record<string, number>>;
  readonly #background: Background;
  readonly #marks: Marks;
  readonly #members: Members;
  readonly #departures: Departures;

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#hub = options.hub;
    this.#debug = options.debug ?? NO_DEBUG;
    this.#refusals = new RefusalLog((fields, message) => options.log.warn(fields, message), options.elapsed);
    this.refused = this.#refusals.totals;
    this.#newcomers = new Newcomers(options.newDevices, options.elapsed);
    this.gate = new Gate({
      now: options.now,
      elapsed: options.elapsed,
      onExpiring: (session, within) => session.connection.send(`42["tokenExpires",{"in":${within}}]`),
      onEnd: (session, fault) => {
        this.#logins.refuse(session, "", fault);
        session.connection.close();
      },
    });
    const { disconnectDelay, elapsed, engine, hub, log, now, pageSize } = options;
    this.#background = new Background((fields, message) => log.error(fields, message));
    this.#marks = new Marks({ proofs: hub.proofs, broker: engine.broker, background: this.#background });
    this.#acks = new Acks(async (acks) => {
      const stored = engine.outbox.acknowledged(acks, now());
      this.#background.own(stored, "acknowledged");
      await stored;
    });
    this.#replay = new Replay({
      hub,
      broker: engine.broker,
      pageSize,
      now,
      onSent: (session, channel, packet) => this.#replayed(session, channel, packet),
      onError: (err, channel) =>
        log.error({ err, channel }, "replay failed; the connection is closed so that the client tries again"),
    });
    hub.orders.actor = {
      close: (session, reconnect) => this.#close(session, reconnect),
      join: (session, topic) => this.#join(session, topic),
      leave: (session, topic) => this.#unsubscribe(session, topic),
      held: (session, topic) => {
        if (this.#unsubscribe(session, topic)) this.#refuse(session, "subscribeTopic", heldOut(topic));
      },
    };
    const desk: Desk = {
      refuse: (session, event, refusal) => this.#refuse(session, event, refusal),
      note: (session, refusal, about) => this.#noteRefusal(session, refusal, about),
      obey: (session, event, command) => this.#obey(session, event, command),
      enter: (session, event, subscriptions) => {
        this.#enter(session, event, subscriptions);
        this.#replay.next(session);
      },
      join: (session, topic) => this.#join(session, topic),
      leave: (session, topic) => this.#unsubscribe(session, topic),
      mayWrite: (session, event, rows) => this.#mayWrite(session, event, rows),
      store: (session, command, order) => this.#store(session, command, order),
    };
    const { gate } = this;
    this.#logins = new Logins({
      gate,
      desk,
      engine,
      loginTimeout: options.loginTimeout ?? 0,
      now,
      elapsed,
      warn: (fields, message) => log.warn(fields, message),
    });
    const { asker, examples, limits, report } = options;
    const logins = this.#logins;
    this.#asking = new Asking({ ...(asker && { asker }), desk, gate, logins, engine, limits, report, now });
    this.#packets = new ClientPackets({
      asking: this.#asking,
      background: this.#background,
      desk,
      engine,
      limits,
      ...(examples && { examples }),
      now,
      error: (fields, message) => log.error(fields, message),
    });
    const note = (happenings: readonly Happening[]): void => this.#note(happenings);
    this.#members = new Members({ events: engine.events, note, disconnectDelay, now, elapsed });
    const shared = { hub, members: this.#members, background: this.#background, now };
    this.#departures = new Departures({ ...shared, engine, disconnectDelay, elapsed });
    const rollCall = new RollCall({ ...shared, events: engine.events });
    engine.events.onGap((afresh) => rollCall.hold(afresh));
    this.#ticking = setInterval(() => this.#tick(), TICK);
    this.#ticking.unref();
  }

  /** From now on somebody else is asked. */
  setAsker(asker: Asker): void {
    this.#asking.asker = asker;
  }

  // ---- the gateway's side

  admit(
    connection: Connection<Session>,
    payload: string | undefined,
  ): ConnectRefusal | undefined | Promise<ConnectRefusal | undefined> {
    const asks = this.#asking.asker.asks("connect");
    if (!this.gate.on && !asks) return undefined;
    const { handshake } = connection;
    connection.handshake = undefined;
    const session = connection.data ?? new Session(connection);
    connection.data = session;
    const identified = this.gate.on ? this.#logins.logIn(session, payload, handshake) : undefined;
    const asked = asks
      ? whenSo(identified, (refusal) => refusal ?? this.#asking.connect(session, payload, handshake))
      : identified;
    // A client of revision 4 is welcomed when it has been told that it is in.
    if (connection.revision === 4) return asked;
    return whenSo(asked, () => {
      if (connection.open) this.#logins.welcome(session);
      return undefined;
    });
  }

  opened(connection: Connection<Session>): void {
    if (this.#hub.tracing.on) this.#hub.tracing.look(connection);
  }

  connect(connection: Connection<Session>): void {
    connection.data ??= new Session(connection);
    if (connection.data.seat !== undefined || connection.data.welcome !== undefined)
      this.#logins.welcome(connection.data);
  }

  event(
    connection: Connection<Session>,
    _namespace: string,
    name: string,
    args: readonly unknown[],
  ): undefined | Promise<void> {
    const session = connection.data;
    if (session === undefined) return undefined;
    if (this.#hub.tracing.on) this.#hub.tracing.said(connection, name, args);
    if (this.gate.on) {
      if (name === "authorize") return this.#logins.authorize(session, args[0]);
      if (session.seat === undefined && this.gate.required) {
        this.#logins.turnedAway(session, { code: "token_missing", reason: "an event without a token" });
        connection.close();
        return undefined;
      }
    }
    if (name === "packetProxy") return this.#packets.take(session, args[0]);
    if (name === "bindUid" && this.#asking.asker.asks("bind_uid")) return this.#asking.bind(session, args[0]);
    const refused: Refusal[] = [];
    const command = parseEvent(name, args, this.#options.limits, refused, this.#options.traits);
    for (const refusal of refused) this.#refuse(session, name, refusal);
    if (command === undefined) return undefined;
    if (this.#asking.asker.asks("subscribe") && (command.kind === "hello" || command.kind === "subscribe"))
      return this.#asking.topics(session, name, command);
    this.#obey(session, name, command);
    return undefined;
  }

  disconnect(connection: Connection<Session>): void {
    if (connection.data !== undefined) this.#end(connection, connection.data, "transport close");
  }

  /** The session is over, the connection stays. */
  #end(connection: Connection<Session>, session: Session, reason: CloseReason): void {
    connection.leaveAll();
    this.#leave(session, reason);
    connection.data = undefined;
  }

  flooded({ data: session }: Connection<Session>): void {
    const message =
      "more than client.max_events_per_second or client.max_bytes_per_second, or too much while something is being decided: the connection is closed";
    if (session !== undefined) this.#refuse(session, "", { code: "too_many_events", message });
  }

  close(connection: Connection<Session>, reason: CloseReason): void {
    if (connection.tap !== undefined) this.#hub.tracing.closed(connection, reason);
    if (connection.data !== undefined) this.#leave(connection.data, reason);
  }

  ack({ data: session }: Connection<Session>, ack: number): void {
    const id = session?.acked(ack);
    if (session !== undefined && id !== undefined) this.#acknowledge(session, id);
  }

  drained(connection: Connection<Session>): void {
    if (connection.data !== undefined) this.#replay.drained(connection.data);
  }

  proven(connection: Connection<Session>, stamp: number): void {
    if (connection.data !== undefined) this.#hub.proofs.proven(connection.data, stamp);
    this.#marks.storeSoon();
  }

  heard(connection: Connection<Session>): void {
    if (connection.data !== undefined) this.#hub.proofs.heard(connection.data);
    this.#marks.storeSoon();
  }

  // ---- commands

  /** Tells the client and the log. */
  #refuse(session: Session, event: string, refusal: Refusal): void {
    this.#noteRefusal(session, refusal, { event });
    session.connection.send(encodeRefusal(refusal));
  }

  #noteRefusal({ connection, pushId }: Session, refusal: Refusal, about: RefusedEvent): void {
    const refused = { ...about, address: connection.address, pushId };
    this.#refusals.add(refusal, refused);
    if (this.#debug.on) this.#debug.line({ code: refusal.code, ...refused }, `refused to a client: ${refusal.message}`);
  }

  #obey(session: Session, event: string, command: Command): void {
    const { report } = this.#options;
    switch (command.kind) {
      case "hello":
        if (this.#mayWrite(session, event, rowsOf(command))) this.#hello(session, event, command);
        return;
      case "subscribe":
        this.#subscribe(session, event, command);
        return;
      case "unsubscribe":
        this.#unsubscribe(session, command.topic);
        return;
      case "check":
        session.connection.send('42["check",{}]');
        return;
      case "arrival":
        this.#arrival(session, command);
        return;
      case "ground":
        session.background = command.background;
        return;
      case "stats":
        for (const { path, ...sums } of command.entries)
          report.countForClient(path, sums satisfies Omit<StatsEntry, "path">);
        return;
      default:
        if (session.pushId !== undefined) {
          if (this.#mayWrite(session, event, rowsOf(command))) this.#change(session, session.pushId, command);
        } else
          this.#refuse(session, event, { code: "push_id_needed", message: `${event} needs a pushId event before it` });
    }
  }

  /**
   * The store is everybody's: a connection that asks for more than it writes meanwhile is closed, as one that floods. One order
   * is taken whatever its size.
   */
  #mayWrite(session: Session, event: string, rows: number): boolean {
    if (session.writing > 0 && session.writing + rows > MOST_WRITING) {
      const message = "more changes were asked for than are stored meanwhile: the connection is closed";
      this.#refuse(session, event, { code: "too_many_events", message });
      session.connection.close();
      return false;
    }
    return true;
  }

  /** An order that nobody waits for. */
  #store(session: Session, command: Command, order: Promise<unknown>): void {
    const rows = rowsOf(command);
    session.writing += rows;
    const written = order.finally(() => {
      session.writing -= rows;
    });
    this.#background.own(written, command.kind);
  }

  /** What changes the device's record; its calls keep the order in which the client asked (D20). */
  #change(
    session: Session,
    pushId: PushId,
    command: Exclude<
      Command,
      { kind: "hello" | "subscribe" | "unsubscribe" | "check" | "arrival" | "ground" | "stats" }
    >,
  ): void {
    const { engine, now } = this.#options;
    switch (command.kind) {
      case "setTags":
        this.#store(session, command, engine.devices.setTags(pushId, command.tags, now()));
        return;
      case "changeTag":
        this.#store(session, command, this.#changeTag(session, pushId, command));
        return;
      case "token":
        this.#store(session, command, engine.devices.setToken(pushId, command.token, now()));
        return;
      case "unbindUid":
        this.#hub.unbindSession(session);
        this.#options.report.count("unbindUid", { success: 1 });
        this.#store(session, command, unbind(engine, { pushIds: [pushId] }, now(), "client"));
        return;
      case "bindUid":
        this.#bindUid(session, pushId, command);
        return;
    }
  }

  async #changeTag(
    session: Session,
    pushId: PushId,
    { tag, present }: Extract<Command, { kind: "changeTag" }>,
  ): Promise<void> {
    const { engine, limits, now } = this.#options;
    if (await engine.devices.changeTag(pushId, tag, present, now(), limits.tags)) return;
    this.#refuse(session, present ? "addTag" : "removeTag", { code: "tags_limit", message: tagsLimit(limits) });
  }

  #bindUid(session: Session, pushId: PushId, command: Extract<Command, { kind: "bindUid" }>): void {
    const { engine, now, report, trustClientUid } = this.#options;
    const trusted = trustClientUid || session.sub === command.uid;
    report.count("bindUid", { total: 1, success: trusted ? 1 : 0 });
    if (!trusted) {
      const message = "nobody vouches for a client's own uid: bind with /api/uid/bind, or set trust_client_uid";
      this.#refuse(session, "bindUid", { code: "uid_not_trusted", message });
      return;
    }
    this.#store(session, command, bind(engine, bindingOf(pushId, command.uid, session.platform), now()));
  }

  #arrival(session: Session, { id, counter, sentAt }: Extract<Command, { kind: "arrival" }>): void {
    const { report, now } = this.#options;
    if (counter === "arrive_android" && this.#hub.wasAsked(id)) this.#acknowledge(session, id);
    else if (session.pushId !== undefined) report.evidence({ id, pushId: session.pushId, counter });
    if (counter !== "arrive_android" || sentAt === undefined) return;
    const latency = Math.max(0, now() - sentAt); // a phone's clock may be ahead (D28)
    if (latency < REPLY_WINDOW) report.count("noti", { success: 1, latency });
  }

  /** Somebody has got a message that is to be acknowledged. Who is in the background does not see it. */
  #acknowledge({ pushId, background }: Session, id: PacketId): void {
    if (pushId === undefined || background) return;
    this.#acks.add({ id, pushId });
    this.#options.report.evidence({ id, pushId, counter: "arrive_android" });
  }

  // ---- hello

  #hello(session: Session, event: string, hi: Hi): void {
    const hub = this.#hub;
    const { onlyPushId } = session;
    if (onlyPushId !== undefined && onlyPushId !== hi.pushId) {
      this.#logins.refuse(session, event, { code: "not_allowed", reason: OTHER_DEVICE });
      return;
    }
    const own = deviceChannel(hi.pushId);
    session.acks = hi.acks === true;
    session.background = hi.background === true;
    if (session.pushId !== hi.pushId) {
      const before = session.pushId;
      if (before !== undefined) this.#unname(session, "transport close"); // another device on the same socket (D21)
      hub.name(session, hi.pushId, hi.platform);
      this.#members.renamed(session, before);
      session.epoch = hi.epoch;
      hub.hold(session, own, positionOf(session, hi.own ?? {}) ?? "unsent");
    }
    this.#enter(session, event, hi.subscriptions);
    session.greetings++;
    session.writing += rowsOf(hi);
    void this.#greet(session, hi);
  }

  async #greet(session: Session, hi: Hi): Promise<void> {
    const { engine, now, log, pageSize } = this.#options;
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
    const goOn = this.#replay.claim(session, own);
    try {
      if (!counted && (await engine.devices.get([hi.pushId], now())).length === 0) return this.#turnAway(session);
      const marked = this.#marks.store(); // before the backlog is read: an older socket of the device may just have got some
      marked?.catch(ignore); // told below, if it comes to that
      const at = now();
      const connected = engine.devices.connect(hello, at);
      this.#members.flush();
      // It left while it was looked up: that has been told already.
      if (!counted && !this.#hub.isConnected(hi.pushId)) this.#departures.wentBefore(hi.pushId, at);
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
      if (page === undefined) this.#replay.next(session);
      else await goOn?.(page);
    } catch (error) {
      session.greetings--;
      log.error(
        { err: error, pushId: hi.pushId },
        "hello failed; the connection is closed so that the client tries again",
      );
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
    this.#refuse(session, "pushId", { code: "devices_limit", message });
    session.connection.close();
  }

  /** Exactly once per hello, and only now: rooms are joined, the record shows what this very request stored (D9, R7). */
  #reply(session: Session, hi: Hi, device: Device): void {
    const order = session.ordered;
    const uid = order === undefined ? device.uid : order.kind === "bind" ? order.uid : undefined;
    if (uid === undefined) this.#hub.unbindSession(session);
    else this.#hub.bindSession(session, uid);
    let reply = `42["pushId",{"id":${JSON.stringify(hi.pushId)}`;
    if (device.tags.length > 0) reply += `,"tags":${JSON.stringify(device.tags)}`;
    if (device.token !== undefined) reply += `,"token":${JSON.stringify(device.token)}`;
    if (uid !== undefined) reply += `,"uid":${JSON.stringify(uid)}`;
    if (session.epoch !== undefined) reply += `,"positions":${session.joins?.channels.size ?? 0}`;
    session.connection.send(`${reply}}]`);
    if (this.#debug.on) this.#showDevice(session, device);
  }

  #showDevice({ pushId, connection: { address }, platform, topics }: Session, device: Device): void {
    const { uid, type, tags, createTime } = device;
    const created = new Date(createTime).toISOString();
    this.#debug.line({ pushId, address, platform, uid, type, tags: tags.length, topics, created }, "device registered");
  }

  // ---- topics

  #subscribe(session: Session, event: string, subscription: Subscription): void {
    this.#enter(session, event, [subscription]);
    this.#members.flush();
    this.#replay.next(session);
  }

  /** Joins topics at once, or with a position after what was missed of them. */
  #enter(session: Session, event: string, subscriptions: readonly Subscription[]): void {
    const { limits } = this.#options;
    const guarded = this.gate.guardsTopics;
    let forbidden: LoginFault | undefined;
    let full = false;
    let large = false;
    let held: string | undefined;
    for (const subscription of subscriptions) {
      const { topic, after } = subscription;
      const channel = topicChannel(topic);
      if (session.isJoining(channel)) continue;
      if (guarded) {
        const fault = this.gate.topicFault(session.seat?.login, topic);
        forbidden ??= fault;
        if (fault !== undefined) continue;
      }
      if (session.connection.in(channel)) {
        const unseen = after === undefined ? undefined : session.unseen(channel);
        if (after === undefined || unseen === undefined) continue; // a second replay would repeat what was sent (B14)
        session.joined(channel);
        this.#hub.holdAgain(session, channel, { after }, unseen);
        continue;
      }
      if (this.#hub.orders.holds.has(topic, session.pushId, session.uid)) {
        held = topic;
        continue;
      }
      if (session.topics >= limits.topics) {
        full = true;
        continue;
      }
      const bytes = session.topicBytes + topicCost(topic);
      if (bytes > limits.topicBytes) {
        large = true;
        continue;
      }
      this.#admit(session, topic, positionOf(session, subscription));
    }
    if (held !== undefined) this.#refuse(session, event, heldOut(held));
    if (forbidden !== undefined) this.#logins.refuse(session, event, forbidden);
    if (full) this.#refuse(session, event, { code: "topics_limit", message: topicsLimit(limits) });
    if (large) this.#refuse(session, event, { code: "topic_bytes_limit", message: topicBytesLimit(limits) });
  }

  #admit(session: Session, topic: string, from: From | undefined): void {
    const channel = topicChannel(topic);
    session.topics++;
    session.topicBytes += topicCost(topic);
    if (topic === NOTI_TOPIC) session.notiSince = this.#hub.notiCount;
    if (from === undefined) {
      session.joined(channel, this.#hub.newest);
      session.connection.join(channel);
    } else {
      session.joined(channel);
      this.#hub.hold(session, channel, from);
    }
    this.#members.entered(session, topic);
    if (this.#hub.tracing.on)
      this.#hub.tracing.moved(session, topic, from === undefined ? "joined" : "joins after what it missed:");
  }

  /** Those who were online are counted when it is sent to everybody; those who come later, now. */
  #replayed({ pushId }: Session, channel: Channel, { event, id }: KeptPacket): void {
    if (event === "noti" && channel === topicChannel(NOTI_TOPIC) && pushId !== undefined)
      this.#options.report.evidence({ id, pushId, counter: "target_android" });
  }

  /** @returns whether it was subscribed */
  #unsubscribe(session: Session, topic: string): boolean {
    const channel = topicChannel(topic);
    if (session.isJoining(channel)) this.#hub.release(session, channel);
    else if (!session.connection.leave(channel)) return false;
    session.left(channel);
    this.#members.unsubscribed(session, topic);
    session.topics--;
    session.topicBytes -= topicCost(topic);
    if (topic === NOTI_TOPIC) session.notiSince = -1;
    if (this.#hub.tracing.on) this.#hub.tracing.moved(session, topic, "left");
    return true;
  }

  // ---- orders of the backend

  /** Whoever is told to stay away hangs up by itself: an end of the transport that overtook it would look like any other. */
  #close(session: Session, reconnect: boolean): void {
    const { connection } = session;
    if (reconnect) return connection.close();
    connection.send("41");
    connection.expect(HANGS_UP_WITHIN);
    this.#end(connection, session, "forced close");
  }

  /** Whatever the limits on what clients ask for. */
  #join(session: Session, topic: string): boolean {
    const channel = topicChannel(topic);
    if (!session.isJoining(channel) && !session.connection.in(channel)) this.#admit(session, topic, undefined);
    this.#members.flush();
    return true;
  }

  // ---- goodbye

  #leave(session: Session, reason: CloseReason): void {
    session.gone = true;
    this.gate.leave(session);
    for (const channel of session.joins?.channels.keys() ?? []) this.#hub.release(session, channel);
    if (reason !== SHUTDOWN) this.#members.gone(session, reason, this.#departures.atOnce(reason));
    this.#unname(session, reason);
  }

  /** The record changes after the delay, unless a newer session of the device has come (holds 7). */
  #unname(session: Session, reason: CloseReason): void {
    const { pushId, uid, connection } = session;
    if (pushId === undefined) return;
    this.#hub.release(session, deviceChannel(pushId));
    if (this.#debug.on) this.#debug.line({ pushId, address: session.connection.address, reason }, "device left");
    if (this.#hub.unname(session)) this.#departures.left({ connection, uid }, pushId, reason);
  }

  #tick(): void {
    const { report } = this.#options;
    const sent = this.#hub.tick();
    if (sent > 0) report.count("toClientPacket", { total: sent });
    this.#background.tick();
    void this.#acks.flush();
    this.#marks.storeSoon(); // what could not be stored the last time
    this.#refusals.tick();
    this.#logins.tick();
    this.gate.tick();
    this.#departures.tick();
  }

  #note(happenings: readonly Happening[]): void {
    this.#options.engine.events.note(happenings).catch((error: unknown) => {
      this.#background.failed(error, "events");
      this.#members.again(happenings);
    });
  }

  /** Stores what is only in memory: which devices are offline from now on, and how far they were sent. */
  async stop(): Promise<void> {
    clearInterval(this.#ticking);
    const marked = this.#marks.stop();
    const acknowledged = this.#acks.flush();
    this.#members.flush();
    await this.#departures.stop();
    await marked;
    await acknowledged;
  }
}

const ignore = (): void => {};

/** Undefined: it gave none. What an SDK of old calls a position is an id. */
function positionOf({ epoch }: Session, { after, since, fresh }: Given): From | undefined {
  if (after !== undefined) return { after };
  if (epoch === undefined) return undefined;
  return since === undefined ? (fresh ? "newest" : undefined) : { since };
}
