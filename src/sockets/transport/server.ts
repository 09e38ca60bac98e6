// The uWS routes, the limits, and the one timer that serves every deadline.
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t } from "uWebSockets.js";
import { type Debug, NO_DEBUG } from "../../core/debug.ts";
import { LargeMap } from "../../core/large-map.ts";
import { inTurn, Pace } from "../../core/pace.ts";
import { Tally } from "../../core/tally.ts";
import { type BodyFault, type BodyOwner, Intake } from "../../http/body.ts";
import { askedHeaders, originList } from "../../http/origins.ts";
import { addressText, limitedAs } from "../../http/uws/address.ts";
import { framing } from "../../http/uws/framing.ts";
import { Listeners } from "../../http/uws/listeners.ts";
import { sparing } from "../../http/uws/sparing.ts";
import { type EnginePacket, openPacket, type Revision } from "../wire/engineio.ts";
import { pageSize } from "./backlog.ts";
import { checkOptions } from "./check.ts";
import { Clock, tickFor } from "./clock.ts";
import { Client, type Host } from "./connection.ts";
import { Door } from "./door.ts";
import { guard } from "./guard.ts";
import { type Route, routeFiles, routeLibrary } from "./library.ts";
import type { Peer } from "./peers.ts";
import { answerPoll, decodePost, type Form, formOf, type Polling } from "./polling.ts";
import { Reply } from "./reply.ts";
import {
  AMBIGUOUS,
  BAD_METHOD,
  BAD_REQUEST,
  type EngineRequest,
  FORBIDDEN,
  isRefusal,
  originOf,
  type Refusal,
  readRequest,
  SID_UNKNOWN,
} from "./request.ts";
import { Rooms } from "./rooms.ts";
import { Roster } from "./roster.ts";
import { newSid } from "./sid.ts";
import { Probe, type Receiver, type SocketData, turnedAway } from "./socket.ts";
import type { CloseReason, Connection, EngineApplication, Gateway, GatewayCounters, GatewayOptions } from "./types.ts";

/** For answers and close frames to leave before what is left is cut off, milliseconds. */
const FAREWELL = 100;
/** For a client between two polls to come back for its farewell, milliseconds. */
const FAREWELL_WAITS = 10_000;
/** For a client to answer our closing of its websocket, and the last resort against one that vanished; seconds. */
const IDLE_MIN = 8;
const IDLE_MAX = 960;

/** So many clients may be pinged in one tick. */
const PINGS_TOGETHER = 100;

/** The unfinished bodies of POSTs, all together and those of one address, may take so many times `maxPayload`. */
const BODIES_IN_ALL = 64;
const BODIES_PER_ADDRESS = 8;

/** What a client that was between two polls when its session ended finds with the next one. */
interface Farewell {
  readonly revision: Revision;
  readonly form: Form;
  readonly packets: readonly EnginePacket[];
  readonly dueAt: number;
}

/** Nothing is heard before its `listen`. @param app gets every connection, message and end, on the main thread */
export const createGateway = <T>(options: GatewayOptions, app: EngineApplication<T>): Gateway<T> =>
  new Server(options, app);

export class Server<T> implements Gateway<T>, Host<T> {
  readonly options: GatewayOptions;
  readonly app: EngineApplication<T>;
  readonly clock: Clock;
  readonly rooms: Rooms<T>;
  readonly counters: GatewayCounters = {
    opened: 0,
    upgraded: 0,
    refusedAtAccept: 0,
    refusedTotal: 0,
    refusedPerAddress: 0,
    refusedOrigin: 0,
    refusedRequest: 0,
    closedTransport: 0,
    closedPingTimeout: 0,
    closedParse: 0,
    closedTimeout: 0,
    closedSlow: 0,
    closedFlood: 0,
    closedTooBig: 0,
    closedForced: 0,
    closedShutdown: 0,
  };
  second = 0;
  readonly #sessions = new LargeMap<string, Client<T>>();
  readonly roster = new Roster<T>(() => this.#sessions.values());
  readonly #door: Door;
  readonly #rules: Parameters<typeof readRequest>[2];
  readonly #silence: Readonly<Record<Revision, number>>;
  readonly #pingEvery: number;
  readonly #listeners: Listeners;
  /** Those that have websockets: more than one only after a certificate was renewed. */
  readonly #apps = new Set<TemplatedApp>();
  #sweeping: NodeJS.Timeout | undefined = undefined;
  /** The part of the sessions that this round of the sweep is at, and who of it was not looked at; undefined between two rounds. */
  #part: number | undefined = undefined;
  #unchecked: Iterable<Client<T>> | undefined = undefined;
  readonly #pace = new Pace();
  #turnEnds = false;
  readonly #toAnswer = new Set<Client<T>>();
  /** The other end of the connection that becomes a websocket: `open` is called within `upgrade`. */
  #upgrading = "";
  /** At the end of this turn, and why. */
  readonly #toClose = new Map<Client<T>, CloseReason>();
  readonly #intake: Intake;
  readonly #toLookAt = new Set<Client<T>>();
  #stamps = 0;
  readonly #farewells = new Map<string, Farewell>();
  readonly #leaving = new Set<Probe>();
  readonly #debug: Debug;
  /** Those closed because of a limit; the text, and the last one's address. */
  readonly #cut: Tally<string, string>;

  /** With so few bytes waiting a client is ready for more of a backlog: not none, for something live may always wait. */
  readonly lowWater: number;

  constructor(options: GatewayOptions, app: EngineApplication<T>) {
    checkOptions(options);
    this.options = options;
    this.lowWater = pageSize(options.maxBackpressure) / 2;
    this.#debug = options.debug ?? NO_DEBUG;
    this.#cut = new Tally((limit, count, last) =>
      options.warn?.(`closed ${count === 1 ? "a client" : `${count} clients`}, the last of ${last}: ${limit}`),
    );
    this.app = guard(app, options.onError);
    this.#door = new Door(options, this.counters, options.onFull);
    this.#rules = { strictEio: options.strictEio, origins: originList(options.origins), wish: options.wish };
    this.#intake = new Intake({
      inAll: BODIES_IN_ALL * options.maxPayload,
      perAddress: BODIES_PER_ADDRESS * options.maxPayload,
      readsOnTo: 1,
      patience: options.requestTimeout,
      onError: options.onError,
    });
    const { 3: three, 4: four } = options.heartbeat;
    const shortest = Math.min(three.pingTimeout, four.pingTimeout, options.upgradeTimeout, options.requestTimeout);
    this.clock = new Clock(tickFor(shortest), shortest / 2);
    this.#silence = {
      3: this.clock.ticks(three.pingInterval + three.pingTimeout),
      4: this.clock.ticks(four.pingInterval + four.pingTimeout),
    };
    this.#pingEvery = this.clock.ticks(four.pingInterval);
    this.#listeners = new Listeners(options, this.#door.gate, (app) => this.#route(app));
    this.rooms = new Rooms(this.#apps, () => this.#atTurnEnd());
  }

  // ---- life

  async listen(): Promise<number> {
    const port = await this.#listeners.listen();
    this.#sweeping = setInterval(() => this.#sweep(), this.clock.tickLength);
    return port;
  }

  reloadTls(): Promise<void> {
    return this.#listeners.reloadTls();
  }

  get certificateExpires(): number | undefined {
    return this.#listeners.expires;
  }

  accept(on: boolean): boolean {
    return this.#listeners.accept(on);
  }

  async close(): Promise<void> {
    if (this.#door.closed) return;
    this.#door.closed = true;
    clearInterval(this.#sweeping);
    this.#listeners.stop();
    this.#part = undefined;
    const pace = new Pace();
    for (const client of this.#sessions.values()) {
      client.shut("server shutting down");
      if (pace.over()) await pace.turn();
    }
    await new Promise((resolve) => setTimeout(resolve, FAREWELL));
    this.#listeners.close();
  }

  #route(app: TemplatedApp): void {
    let websockets = 0;
    const { path, onError } = this.options;
    const spared = sparing(onError);
    const { 3: three, 4: four } = this.options.heartbeat;
    const silence = Math.max(three.pingInterval + three.pingTimeout, four.pingInterval + four.pingTimeout);
    app.ws<SocketData>(`${path}*`, {
      // Twice what is allowed: uWS cuts the connection without a word, a message in between is answered with 1009.
      maxPayloadLength: 2 * this.options.maxPayload,
      // What is live may wait beside a page of a backlog.
      maxBackpressure: this.options.maxBackpressure + pageSize(this.options.maxBackpressure),
      closeOnBackpressureLimit: true,
      idleTimeout: Math.min(IDLE_MAX, Math.max(IDLE_MIN, 2 * Math.ceil(silence / 1000))),
      sendPingsAutomatically: false,
      upgrade: spared((res, req, context) => this.#upgrade(res, req, context)),
      open: spared((ws) => {
        if (websockets++ === 0) this.#apps.add(app);
        this.#door.gate.upgraded(limitedAs(this.#upgrading));
        ws.getUserData().receiver.opened(ws);
      }),
      message: spared((ws, data, isBinary) => ws.getUserData().receiver.message(ws, data, isBinary)),
      ping: spared((ws, data) => ws.getUserData().receiver.controlled(ws, data.byteLength)),
      dropped: spared((ws) => ws.getUserData().receiver.dropped()),
      drain: spared((ws) => ws.getUserData().receiver.drained()),
      pong: spared((ws, data) => ws.getUserData().receiver.ponged(ws, data)),
      close: spared((ws, code, message) => {
        if (--websockets === 0) this.#apps.delete(app);
        this.#door.gate.websocketClosed();
        const why = code === BY_ITSELF ? closedByUws.get(Buffer.from(message).toString("latin1")) : undefined;
        ws.getUserData().receiver.closed(ws, why ?? "transport close");
      }),
    });
    const route: Route = (at, answer) => app.any(at, spared(answer));
    routeLibrary(route, path, this.options.library, this.#door);
    routeFiles(route, this.options.files ?? [], this.#door);
    route(`${path}*`, (res, req) => this.#request(res, req));
    route("/*", (res, req) => this.#elsewhere(res, req));
  }

  // ---- what an application sees

  publish(room: string, packet: string): void {
    this.rooms.publish(room, packet);
  }

  count(room: string): number {
    return this.rooms.count(room);
  }

  members(room: string): Promise<Iterable<Connection<T>>> {
    return this.roster.members(room, performance.now());
  }

  connections(): Iterable<Connection<T>> {
    return this.#sessions.values();
  }

  get size(): number {
    return this.#sessions.size;
  }

  // ---- what a client needs

  /**
   * The tick that counts as its last ping: with many clients somewhat in the past, so that those that came together are pinged apart.
   * A few are pinged when they were told they would be.
   */
  firstPing(): number {
    const apart = Math.min(this.#pingEvery / 4, this.#sessions.size / PINGS_TOGETHER);
    return this.clock.now - Math.floor(Math.random() * apart);
  }

  /** The client is open: says so to it and to the application. A poll that brought it here is answered by this. */
  welcome(client: Client<T>, upgrades: readonly string[], answer?: (packet: string) => void): void {
    this.#sessions.set(client.sid, client);
    this.#door.enter(client.peer);
    this.counters.opened++;
    if (this.#debug.on) {
      const { address, transport, revision } = client;
      this.#debug.line({ address, transport, revision }, "client connected");
    }
    const { pingInterval, pingTimeout } = this.options.heartbeat[client.revision];
    const { sid } = client;
    const packet = openPacket({ sid, upgrades, pingInterval, pingTimeout, maxPayload: this.options.maxPayload });
    if (answer === undefined) client.post(packet);
    else answer(packet);
    this.app.open(client);
  }

  gone(client: Client<T>, reason: CloseReason, post: Reply | undefined): void {
    this.#sessions.delete(client.sid);
    this.roster.gone(client);
    this.#door.leave(client.peer);
    this.#toClose.delete(client);
    this.counters[closedCounter[reason]]++;
    if (reason in cuts) this.#cut.add(cuts[reason as keyof typeof cuts], client.peer.counted.name);
    if (this.#debug.on) {
      const seconds = Math.floor(performance.now() / 1000) - client.since;
      this.#debug.line({ address: client.address, reason, seconds }, "client gone");
    }
    if (post !== undefined) {
      post.onGone = undefined;
      this.#door.refuse(post, BAD_REQUEST);
    }
    this.app.close(client, reason);
  }

  sayLater(client: Client<T>, form: Form, packets: readonly EnginePacket[]): void {
    if (packets.length === 0) return;
    const dueAt = this.clock.now + this.clock.ticks(FAREWELL_WAITS);
    this.#farewells.set(client.sid, { revision: client.revision, form, packets, dueAt });
  }

  endLater(probe: Probe): void {
    this.#leaving.add(probe);
  }

  answerLater(client: Client<T>): void {
    this.#toAnswer.add(client);
    this.#atTurnEnd();
  }

  closeLater(client: Client<T>, reason: CloseReason): void {
    if (!this.#toClose.has(client)) this.#toClose.set(client, reason);
    this.#atTurnEnd();
  }

  /** Whether its backlog has gone: uWS says `drained` only when it had to wait. */
  lookLater(client: Client<T>): void {
    this.#toLookAt.add(client);
    this.#atTurnEnd();
  }

  /** See `Connection`. */
  readonly stamp = (): number => ++this.#stamps;

  /** A stamp later than everything that has been posted, when everything sent has been. */
  readonly stampPosted = (): number => {
    this.rooms.flush();
    return ++this.#stamps;
  };

  /** Why it is about to be closed. */
  closing(client: Client<T>): CloseReason | undefined {
    return this.#toClose.get(client);
  }

  flooded(client: Client<T>): void {
    if (this.#toClose.has(client)) return;
    this.closeLater(client, "flood");
    this.app.flooded?.(client);
  }

  /** The tick by which a client that shakes hands now has to come back. */
  firstDueAt(): number {
    return this.clock.now + this.clock.ticks(this.options.firstPollTimeout);
  }

  /** A client on polling has shown that it is one, or is gone. */
  cameBack(client: Client<T>, polling: Polling): void {
    if (polling.firstDueAt === 0) return;
    polling.firstDueAt = 0;
    client.peer.counted.fresh--;
  }

  #atTurnEnd(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    setImmediate(() => {
      this.#turnEnds = false;
      this.rooms.endTurn();
      for (const [client, reason] of this.#toClose) client.shut(reason);
      this.#toClose.clear();
      this.#answerSome();
      const toLookAt = [...this.#toLookAt];
      this.#toLookAt.clear();
      for (const client of toLookAt) client.drained();
    });
  }

  /** Polls of a large room are answered in several turns. */
  #answerSome(): void {
    this.#pace.begin();
    for (const client of this.#toAnswer) {
      this.#toAnswer.delete(client);
      client.polling?.flush();
      if (this.#toAnswer.size > 0 && this.#pace.over()) {
        this.#atTurnEnd();
        return;
      }
    }
  }

  #sweep(): void {
    const now = this.clock.advance();
    this.second = this.clock.second;
    this.#intake.sweep();
    this.#pace.begin();
    for (const [sid, { dueAt }] of this.#farewells) {
      if (now < dueAt || this.#pace.over()) break; // oldest first
      this.#farewells.delete(sid);
    }
    for (const probe of this.#leaving) {
      if ((now < probe.dueAt && probe.open) || this.#pace.over()) break; // oldest first, or nearly
      this.#leaving.delete(probe);
      probe.end();
    }
    this.roster.sweep(performance.now());
    // A round of many connections takes several turns; the next one begins when it is done.
    if (this.#part !== undefined) return;
    this.#part = 0;
    this.#checkSome();
  }

  #checkSome(): void {
    this.#pace.begin();
    const { parts } = this.#sessions;
    let count = 0;
    for (; this.#part !== undefined && this.#part < parts.length; this.#part++) {
      this.#unchecked ??= parts[this.#part]!.values();
      // A map's own iterator goes on where a loop has left it.
      for (const client of this.#unchecked) {
        client.check(this.clock.now, this.#silence[client.revision], this.#pingEvery);
        if (++count % 32 === 0 && this.#pace.over()) return inTurn(() => this.#checkSome());
      }
      this.#unchecked = undefined;
    }
    this.#part = undefined;
  }

  // ---- requests

  #elsewhere(res: HttpResponse, req: HttpRequest): void {
    const framed = framing(req);
    const reply = new Reply(res, this.#door, req.getMethod(), framed, "");
    if (framed.kind === "wrong") this.#door.refuse(reply, AMBIGUOUS);
    else reply.send("404 Not Found", "application/json", '{"message":"Not found"}', !reply.hasBody);
  }

  #request(res: HttpResponse, req: HttpRequest): void {
    const framed = framing(req);
    const request = readRequest(req, framed, this.#rules);
    const reply = new Reply(res, this.#door, req.getMethod(), framed, request === FORBIDDEN ? "" : originOf(req));
    if (request === FORBIDDEN || request === AMBIGUOUS) return this.#door.refuse(reply, request);
    if (req.getMethod() === "options")
      return reply.sendAllowed(askedHeaders(req.getHeader("access-control-request-headers")));
    if (isRefusal(request)) return this.#door.refuse(reply, request);
    if (request.sid === undefined) return this.#handshake(reply, request, () => this.#door.peer(reply.address, req));
    const client = this.#find(request.sid);
    if (client === undefined) return this.#leave(reply, request);
    if (request.transport !== "polling" || client.polling === undefined || client.revision !== request.revision) {
      return this.#door.refuse(reply, BAD_REQUEST);
    }
    if (!client.count()) return this.#door.refuse(reply, BAD_REQUEST);
    this.cameBack(client, client.polling);
    if (request.method === "get") this.#poll(client, reply, request);
    else if (request.method === "post") this.#post(client, reply, request);
    else this.#door.refuse(reply, BAD_REQUEST);
  }

  #handshake(reply: Reply, request: EngineRequest, peerOf: () => Peer): void {
    if (request.method !== "get") return this.#door.refuse(reply, BAD_METHOD);
    if (request.transport !== "polling") return this.#door.refuse(reply, BAD_REQUEST); // a websocket without Upgrade
    const peer = peerOf();
    const full = this.#door.full(peer, true);
    if (full !== undefined) return this.#door.refuse(reply, full);
    const client = new Client(this, newSid(), request, peer);
    peer.counted.fresh++;
    this.welcome(client, ["websocket"], (packet) => answerPoll(reply, request.jsonp, formOf(request), [packet]));
  }

  /** The session is over, or never was. */
  #leave(reply: Reply, request: EngineRequest): void {
    const farewell = this.#farewells.get(request.sid!);
    if (farewell === undefined || farewell.revision !== request.revision || request.method !== "get") {
      return this.#door.refuse(reply, SID_UNKNOWN);
    }
    this.#farewells.delete(request.sid!);
    answerPoll(reply, request.jsonp, farewell.form, farewell.packets);
  }

  #poll(client: Client<T>, reply: Reply, request: EngineRequest): void {
    if (client.polling!.isPolled) {
      this.#door.refuse(reply, BAD_REQUEST);
      return client.shut("transport close");
    }
    reply.onGone = () => client.shut("transport close");
    client.polled();
    if (client.polling === undefined) this.#door.refuse(reply, BAD_REQUEST);
    else client.polling.poll(reply, request);
  }

  #post(client: Client<T>, reply: Reply, request: EngineRequest): void {
    const polling = client.polling!;
    if (polling.post !== undefined) {
      this.#door.refuse(reply, BAD_REQUEST);
      return client.shut("transport close");
    }
    const { maxPayload } = this.options;
    const end = (fault: BodyFault) => {
      polling.post = undefined;
      const { status, message, reason } = BODY_FAULTS[fault];
      const text = JSON.stringify({ code: 3, message });
      if (fault === "splinters") reply.shut(status, "application/json", text);
      else reply.send(status, "application/json", text, true);
      client.shut(reason);
    };
    if (request.contentLength > maxPayload) return end("too large");
    polling.post = reply;
    reply.onGone = () => client.shut("transport close");
    const owner: BodyOwner = {
      bodyAddress: client.peer.counted.name,
      progress: () => client.heard(),
      fault: end,
      body: (body) => {
        if (reply.gone) return;
        polling.post = undefined;
        reply.onGone = undefined;
        if (!client.countBytes(body.length)) return this.#door.refuse(reply, BAD_REQUEST);
        const packets = decodePost(client.revision, request, body);
        if (packets === undefined) {
          this.#door.refuse(reply, BAD_REQUEST);
          return client.shut("parse error");
        }
        // In order, and all that comes before the end of the connection acts.
        for (const packet of packets) if (!client.receive(packet)) break;
        reply.send("200 OK", "text/html", "ok");
      },
    };
    reply.read(this.#intake, owner, maxPayload);
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const framed = framing(req);
    const refuse = (refusal: Refusal) => this.#door.refuseUpgrade(res, refusal, framed.closes);
    const request = readRequest(req, framed, this.#rules);
    if (isRefusal(request)) return refuse(request);
    this.#upgrading = addressText(res.getRemoteAddress());
    let receiver: Receiver;
    if (request.sid !== undefined) {
      const client = this.#find(request.sid);
      if (client === undefined) return refuse(SID_UNKNOWN);
      if (client.revision !== request.revision) return refuse(BAD_REQUEST);
      receiver = request.transport === "websocket" ? this.#probe(client) : turnedAway;
    } else if (request.transport === "websocket") {
      const peer = this.#door.peer(this.#upgrading, req);
      const full = this.#door.full(peer, false);
      if (full !== undefined) return refuse(full);
      receiver = new Client(this, newSid(), request, peer);
    } else {
      receiver = turnedAway;
    }
    res.upgrade<SocketData>(
      { receiver },
      req.getHeader("sec-websocket-key"),
      req.getHeader("sec-websocket-protocol").split(",", 1)[0]!.trim(),
      req.getHeader("sec-websocket-extensions"),
      context,
    );
  }

  #probe(client: Client<T>): Receiver {
    if (client.polling === undefined || client.polling.probe !== undefined) return turnedAway;
    client.polling.probe = new Probe(client, this.clock.now + this.clock.ticks(this.options.upgradeTimeout));
    return client.polling.probe;
  }

  #find(sid: string): Client<T> | undefined {
    const client = this.#sessions.get(sid);
    // The sweep may be about to come: a session that is over is not found a moment longer.
    client?.check(this.clock.advance(), this.#silence[client.revision], this.#pingEvery);
    return client?.open ? client : undefined;
  }
}

/** What a POST is told whose body did not come as it should, and why its session ends. */
const BODY_FAULTS: Readonly<
  Record<BodyFault, { readonly status: string; readonly message: string; readonly reason: CloseReason }>
> = {
  "too large": { status: "413 Payload Too Large", message: "Payload too large", reason: "too big" },
  busy: { status: "503 Service Unavailable", message: "Too many unfinished requests", reason: "too big" },
  slow: { status: "408 Request Timeout", message: "The body did not arrive in time", reason: "timeout" },
  splinters: { status: "400 Bad Request", message: "Too many small chunks", reason: "parse error" },
  extensions: { status: "400 Bad Request", message: "Chunk extensions are not supported", reason: "parse error" },
};

/** Who is closed because of a limit, whose setting is named. Too many events are told by the application, which knows more. */
const cuts = {
  slow: "more than client.max_backpressure waited for it",
  "too big": "it sent more than client.max_payload at once",
} as const satisfies Partial<Record<CloseReason, string>>;

/** The code with which uWS ends a websocket, and its words for why. Its clock, unlike ours, counts pauses: it may see a silence first. */
const BY_ITSELF = 1006;
const closedByUws: ReadonlyMap<string, CloseReason> = new Map([
  ["Received too big message", "too big"],
  ["WebSocket timed out from inactivity", "ping timeout"],
]);

const closedCounter: Readonly<Record<CloseReason, keyof GatewayCounters>> = {
  "transport close": "closedTransport",
  "ping timeout": "closedPingTimeout",
  "parse error": "closedParse",
  timeout: "closedTimeout",
  slow: "closedSlow",
  flood: "closedFlood",
  "too big": "closedTooBig",
  "forced close": "closedForced",
  "server shutting down": "closedShutdown",
};
