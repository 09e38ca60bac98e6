// What a client and pushbox say to each other. Its parts are built and joined here, and each event goes to the one that it is for:
// `greetings` (who it is), `topics`, `changes` (of the device's record), `arrivals`, `logins`, `asking`, `client-packets`.
import type { Asker } from "../../core/ask.ts";
import { type Debug, NO_DEBUG } from "../../core/debug.ts";
import type { PushId } from "../../core/device.ts";
import type { Engine } from "../../core/engine.ts";
import type { Happening } from "../../core/events.ts";
import type { Report } from "../../core/report.ts";
import type { Traits } from "../../core/traits.ts";
import type { ConnectRefusal, SocketApplication } from "../transport/socketio.ts";
import type { CloseReason, Connection } from "../transport/types.ts";
import { Arrivals } from "./arrivals.ts";
import { Asking } from "./asking.ts";
import { Background } from "./background.ts";
import { Changes } from "./changes.ts";
import { ClientPackets } from "./client-packets.ts";
import { Departures, SHUTDOWN } from "./departures.ts";
import { type Command, type EventLimits, parseEvent, type StatsEntry } from "./events.ts";
import { Gate } from "./gate.ts";
import { Greetings } from "./greetings.ts";
import type { Hub } from "./hub.ts";
import { Logins } from "./logins.ts";
import { Marks } from "./marks.ts";
import { Members } from "./members.ts";
import { whenSo } from "./questions.ts";
import type { Refusal } from "./refusals.ts";
import { Refuser } from "./refuser.ts";
import { Replay } from "./replay.ts";
import { RollCall } from "./roll-call.ts";
import { Session } from "./session.ts";
import { Topics } from "./topics.ts";
import { Writes } from "./writes.ts";

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
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set: durations are measured by it (B13). */
  readonly elapsed: () => number;
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
  readonly debug?: Debug;
}

const TICK = 1000;
/** For a client that is told to stay away. */
const HANGS_UP_WITHIN = 5000;
export class Conversation implements SocketApplication<Session> {
  readonly namespaces = ["/"];
  readonly #options: ConversationOptions;
  readonly #hub: Hub;
  readonly #replay: Replay;
  readonly #ticking: NodeJS.Timeout;
  readonly #refuser: Refuser;
  readonly #topics: Topics;
  readonly #greetings: Greetings;
  readonly #changes: Changes;
  readonly #arrivals: Arrivals;
  readonly #logins: Logins;
  readonly #asking: Asking;
  readonly #packets: ClientPackets;
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
    const { asker, examples, hub, engine, report, limits, newDevices, pageSize, disconnectDelay } = options;
    const { trustClientUid, loginTimeout = 0, now, elapsed, log, debug = NO_DEBUG } = options;
    const warn = (fields: object, message: string): void => log.warn(fields, message);
    const error = (fields: object, message: string): void => log.error(fields, message);
    const background = new Background(error);
    const gate = new Gate({
      now,
      elapsed,
      onExpiring: (session, within) => session.connection.send(`42["tokenExpires",{"in":${within}}]`),
      onEnd: (session, fault) => {
        refuser.refuseLogin(session, "", fault);
        session.connection.close();
      },
    });
    const refuser = new Refuser({ gate, debug, elapsed, warn });
    const writes = new Writes(background, refuser);
    const marks = new Marks({ proofs: hub.proofs, broker: engine.broker, background });
    const arrivals = new Arrivals({ hub, outbox: engine.outbox, report, background, now });
    const replay = new Replay({
      ...{ hub, broker: engine.broker, pageSize, now },
      onSent: (session, channel, packet) => arrivals.replayed(session, channel, packet),
      onError: (err, channel) =>
        error({ err, channel }, "replay failed; the connection is closed so that the client tries again"),
    });
    const note = (happenings: readonly Happening[]): void => this.#note(happenings);
    const members = new Members({ events: engine.events, note, disconnectDelay, now, elapsed });
    const departures = new Departures({ hub, engine, members, background, disconnectDelay, now, elapsed, debug });
    const topics = new Topics({ hub, gate, limits, members, refuser, replay });
    const logins = new Logins({ gate, refuser, replay, topics, writes, engine, loginTimeout, now, elapsed, warn });
    const obey = (session: Session, event: string, command: Command): void => this.#obey(session, event, command);
    const shared = { refuser, writes, engine, limits, now };
    const asking = new Asking({ ...shared, ...(asker && { asker }), gate, logins, obey, report });
    const rollCall = new RollCall({ hub, events: engine.events, members, background, now });
    engine.events.onGap((otherTopics) => rollCall.hold(otherTopics));
    hub.orders.actor = {
      close: (session, reconnect) => this.#close(session, reconnect),
      join: (session, topic) => topics.join(session, topic),
      leave: (session, topic) => topics.leave(session, topic),
      held: (session, topic) => topics.throwOut(session, topic),
    };
    this.gate = gate;
    this.refused = refuser.totals;
    this.#hub = hub;
    this.#refuser = refuser;
    this.#background = background;
    this.#marks = marks;
    this.#members = members;
    this.#departures = departures;
    this.#topics = topics;
    this.#arrivals = arrivals;
    this.#replay = replay;
    this.#logins = logins;
    this.#asking = asking;
    this.#changes = new Changes({ ...shared, hub, report, trustClientUid });
    this.#packets = new ClientPackets({ ...shared, asking, ...(examples && { examples }), error });
    this.#greetings = new Greetings({
      ...{ hub, engine, departures, marks, members, refuser, replay, topics, writes },
      ...{ newDevices, pageSize, now, elapsed, error, debug },
    });
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
    for (const refusal of refused) this.#refuser.refuse(session, name, refusal);
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
    if (session !== undefined) this.#refuser.refuse(session, "", { code: "too_many_events", message });
  }

  close(connection: Connection<Session>, reason: CloseReason): void {
    if (connection.tap !== undefined) this.#hub.tracing.closed(connection, reason);
    if (connection.data === undefined) return;
    this.#logins.ended(connection.data, reason);
    this.#leave(connection.data, reason);
  }

  ack({ data: session }: Connection<Session>, ack: number): void {
    if (session !== undefined) this.#arrivals.acked(session, ack);
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

  #obey(session: Session, event: string, command: Command): void {
    switch (command.kind) {
      case "hello":
        this.#greetings.hello(session, event, command);
        return;
      case "subscribe":
        this.#topics.subscribe(session, event, [command]);
        return;
      case "unsubscribe":
        this.#topics.leave(session, command.topic);
        return;
      case "check":
        session.connection.send('42["check",{}]');
        return;
      case "arrival":
        this.#arrivals.replied(session, command);
        return;
      case "ground":
        session.background = command.background;
        return;
      case "stats":
        for (const { path, ...sums } of command.entries)
          this.#options.report.countForClient(path, sums satisfies Omit<StatsEntry, "path">);
        return;
      default:
        this.#changes.make(session, event, command);
    }
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

  // ---- goodbye

  #leave(session: Session, reason: CloseReason): void {
    session.gone = true;
    this.gate.leave(session);
    for (const channel of session.joins?.channels.keys() ?? []) this.#hub.release(session, channel);
    if (reason !== SHUTDOWN) this.#members.gone(session, reason, this.#departures.atOnce(reason));
    this.#departures.left(session, reason);
  }

  #tick(): void {
    const { report } = this.#options;
    const sent = this.#hub.tick();
    if (sent > 0) report.count("toClientPacket", { total: sent });
    this.#background.tick();
    void this.#arrivals.flush();
    this.#marks.storeSoon(); // what could not be stored the last time
    this.#refuser.tick();
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
    const acknowledged = this.#arrivals.flush();
    this.#members.flush();
    await this.#departures.stop();
    await marked;
    await acknowledged;
  }
}
