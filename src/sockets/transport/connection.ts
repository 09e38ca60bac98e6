// One client's Engine.IO connection. There may be a hundred thousand: a few small fields, no closure, timer or promise of its own.
import { base64Packet3, type EnginePacket, isPacket, MESSAGE_TYPE, packet3, type Revision } from "../wire/engineio.ts";
import { Beside } from "./backlog.ts";
import type { Clock } from "./clock.ts";
import type { Peer } from "./peers.ts";
import { type Form, formOf, Polling } from "./polling.ts";
import type { Reply } from "./reply.ts";
import type { EngineRequest } from "./request.ts";
import type { Probe, Receiver, Socket } from "./socket.ts";
import type {
  CloseReason,
  Connection,
  EngineApplication,
  GatewayCounters,
  GatewayOptions,
  Handshake,
  Tap,
} from "./types.ts";

const TOO_BIG = 1009;
/** Why a connection ends whose client is there and has done nothing wrong: one that is moving to a websocket is told once it has. */
const STAY_TOLD: ReadonlySet<CloseReason> = new Set(["forced close", "timeout", "server shutting down"]);

/** What a connection needs of the server it is on. */
export interface Host<T> {
  readonly options: Pick<GatewayOptions, "maxBackpressure" | "maxEventsPerSecond" | "maxBytesPerSecond" | "maxPayload">;
  /** With so few bytes waiting a client is ready for more of a backlog. */
  readonly lowWater: number;
  readonly app: EngineApplication<T>;
  readonly clock: Clock;
  /** The second that limits per second are counted in. */
  readonly second: number;
  readonly counters: Pick<GatewayCounters, "upgraded">;
  /** Those on polling, and whatever of a turn is not sent yet. */
  readonly rooms: {
    send(client: Client<T>, packet: string, stamp: number): void;
    flush(): void;
    add(room: string, client: Client<T>): void;
    remove(room: string, client: Client<T>): void;
  };
  readonly roster: {
    joined(room: string, client: Client<T>): void;
    left(room: string, client: Client<T>): void;
  };
  /** The ticks that count as its last ping, and by which it has to come back after its handshake. */
  firstPing(): number;
  firstDueAt(): number;
  readonly stamp: () => number;
  /** A stamp later than everything that has been posted, when everything sent has been. */
  readonly stampPosted: () => number;
  /** It is open: says so to it and to the application. */
  welcome(client: Client<T>, upgrades: readonly string[]): void;
  /** On polling it has shown that it is a client, or is gone. */
  cameBack(client: Client<T>, polling: Polling): void;
  /** It has sent too much: it is closed at the end of this turn, and the application told first. */
  flooded(client: Client<T>): void;
  /** It has ended. @param post a request of it whose body was still arriving */
  gone(client: Client<T>, reason: CloseReason, post: Reply | undefined): void;
  /** What it finds with its next poll though it is gone. */
  sayLater(client: Client<T>, form: Form, packets: readonly EnginePacket[]): void;
  /** Ends a websocket whose session is over when its time to move is. */
  endLater(probe: Probe): void;
  /** At the end of this turn. */
  answerLater(client: Client<T>): void;
  closeLater(client: Client<T>, reason: CloseReason): void;
  lookLater(client: Client<T>): void;
  /** Why it is about to be closed. */
  closing(client: Client<T>): CloseReason | undefined;
}

export class Client<T> implements Connection<T>, Receiver {
  readonly sid: string;
  readonly revision: Revision;
  readonly peer: Peer;
  readonly since = Math.floor(performance.now() / 1000);
  data: T | undefined = undefined;
  conversation = 0;
  handshake: Handshake | undefined;
  readonly serial: number;
  tap: Tap | undefined = undefined;
  /** Exactly one of the two while open, none after. */
  polling: Polling | undefined;
  #ws: Socket | undefined = undefined;
  /** What waits beside a large backlog in the websocket. */
  #beside: Beside | undefined = undefined;
  readonly #server: Host<T>;
  readonly #base64: boolean;
  inDoubt = false;
  /** Whether a backlog is on its way. */
  #pacing = false;
  /** Whether to ask for proof when less waits for it. */
  #askLater = false;
  /** Pings of its websocket that it has not answered, and whether it ever answered one. */
  #asked = 0;
  #answersPings = false;
  /** When the oldest ping of Engine.IO was sent that is not answered, see `stamp`. */
  #pingStamp = 0;
  /** Ticks of the clock. */
  #heardAt: number;
  #pingedAt: number;
  #dueAt = 0;
  /** Packets heard in this second, and their bytes. */
  #second = 0;
  #heard = 0;
  #bytes = 0;

  constructor(server: Host<T>, sid: string, request: EngineRequest, peer: Peer) {
    this.#server = server;
    this.sid = sid;
    this.serial = server.stamp();
    this.revision = request.revision;
    this.peer = peer;
    this.polling =
      request.transport === "polling"
        ? new Polling(formOf(request), server.firstDueAt(), server.stampPosted)
        : undefined;
    this.#base64 = request.base64;
    this.handshake = request.handshake;
    this.#heardAt = server.clock.now;
    this.#pingedAt = server.firstPing();
  }

  get open(): boolean {
    return this.#ws !== undefined || this.polling !== undefined;
  }

  get address(): string {
    return this.peer.address;
  }

  get countedAs(): string {
    return this.peer.counted.name;
  }

  get transport(): "websocket" | "polling" {
    return this.#ws === undefined ? "polling" : "websocket";
  }

  get waiting(): number {
    return (this.#ws?.getBufferedAmount() ?? this.polling?.bytes ?? 0) + (this.#beside?.bytes ?? 0);
  }

  // ---- outwards

  send(packet: string, prove = false): void {
    if (this.tap !== undefined) this.tap("out", packet);
    if (this.open) this.#server.rooms.send(this, packet, prove ? this.stamp() : 0);
  }

  sendBinary(data: Uint8Array): void {
    if (this.tap !== undefined) this.tap("out", data);
    this.#server.rooms.flush();
    this.post(Buffer.from(data));
  }

  sendBacklog(packets: readonly string[], prove: boolean): void {
    this.#server.rooms.flush();
    if (!this.open) return;
    if (this.tap !== undefined) for (const packet of packets) this.tap("out", packet);
    this.#pacing = true;
    if (this.polling !== undefined) {
      this.polling.pushBacklog(packets);
      this.#server.answerLater(this);
      return;
    }
    this.together(() => {
      for (const packet of packets) this.post(packet);
      this.#standBeside();
      if (prove) this.ask(this.stamp());
    });
    this.#server.lookLater(this);
  }

  /** Sends, when what was published before has gone. */
  post(packet: EnginePacket): void {
    if (this.#beside !== undefined) {
      if (!this.#beside.push(packet, this.#server.options.maxBackpressure)) this.dropped();
    } else if (this.#ws !== undefined) {
      this.#write(packet);
    } else if (this.polling !== undefined) {
      // What waits decides, not the packet that comes now: a single one may be larger than the limit (B20).
      if (this.polling.bytes > this.#server.options.maxBackpressure) return this.dropped();
      this.polling.push(packet);
      this.#server.answerLater(this);
    }
  }

  #write(packet: EnginePacket): void {
    const ws = this.#ws;
    if (ws === undefined) return;
    if (typeof packet === "string") ws.send(packet, false);
    else if (this.revision === 4) ws.send(packet, true);
    else if (this.#base64) ws.send(base64Packet3(packet), false);
    else ws.send(Buffer.concat([MESSAGE, packet]), true);
  }

  together(run: () => void): void {
    if (this.#ws === undefined) run();
    else this.#ws.cork(run);
  }

  // ---- a backlog on its way

  /** So much waits in the websocket that uWS would take the client for slow with the next packet: they wait here instead. */
  #standBeside(): void {
    const ws = this.#ws;
    if (ws === undefined || this.#beside !== undefined) return;
    if (ws.getBufferedAmount() <= this.#server.options.maxBackpressure / 2) return;
    this.#beside = new Beside(ws.getTopics());
    for (const room of this.#beside.rooms) {
      ws.unsubscribe(room);
      this.#server.rooms.add(room, this);
    }
  }

  /** Whatever waited beside goes, in order. */
  #rejoin(ws: Socket, beside: Beside): void {
    this.#beside = undefined;
    for (const room of beside.rooms) {
      this.#server.rooms.remove(room, this);
      ws.subscribe(room);
    }
    this.together(() => {
      for (const packet of beside.packets) this.#write(packet);
      if (beside.prove > 0) this.ask(beside.prove);
    });
  }

  drained(): void {
    if (this.#askLater) this.prove();
    if (!this.#pacing || this.#ws === undefined || this.#ws.getBufferedAmount() > this.#server.lowWater) return;
    this.#heardAt = this.#server.clock.now; // TCP has acknowledged it: who reads is alive
    this.#server.rooms.flush();
    if (this.#ws === undefined) return;
    if (this.#beside !== undefined) this.#rejoin(this.#ws, this.#beside);
    this.#goOn();
  }

  #goOn(): void {
    this.#pacing = false;
    this.#server.app.drained?.(this);
  }

  // ---- proof that what was sent has arrived (holds 9)

  stamp(): number {
    return this.#server.stamp();
  }

  prove(): void {
    this.ask(this.#server.stampPosted());
  }

  /** Its pong proves what was sent before that stamp: frames are answered in order (RFC 6455, 5.5). */
  ask(stamp: number): void {
    if (this.#beside !== undefined) this.#beside.prove = stamp;
    else if (this.#ws !== undefined) {
      // Behind a packet that is larger than the limit uWS would drop the ping, and the client with it.
      this.#askLater = this.#ws.getBufferedAmount() > this.#server.options.maxBackpressure;
      if (this.#askLater) return;
      this.#asked++;
      this.#ws.ping(String(stamp));
    }
  }

  ponged(ws: Socket, data: ArrayBuffer): void {
    if (this.#asked === 0) return this.controlled(ws, data.byteLength); // nobody asked for it
    this.#asked--;
    this.#answersPings = true;
    const stamp = Number(Buffer.from(data).toString("latin1")); // whoever makes one up deceives only himself
    if (stamp > 0 && this.inDoubt) this.#server.app.proven?.(this, stamp);
  }

  /** The next poll has come. */
  polled(): void {
    const stamp = this.polling?.returned() ?? 0;
    if (stamp > 0 && this.inDoubt) this.#server.app.proven?.(this, stamp);
    if (this.#pacing && this.polling?.hasBacklog === false) this.#goOn();
  }

  #spoke(pong: boolean): void {
    const stamp = this.#pingStamp;
    if (pong) this.#pingStamp = 0;
    if (!this.inDoubt) return;
    if (pong && stamp > 0) this.#server.app.proven?.(this, stamp);
    else if (!this.#answersPings && this.#ws !== undefined && this.#ws.getBufferedAmount() === 0)
      this.#server.app.heard?.(this);
  }

  // ---- rooms

  /** Where its rooms are when they are not uWS's. */
  get #rooms(): Set<string> | undefined {
    return this.#beside?.rooms ?? this.polling?.rooms;
  }

  join(room: string): boolean {
    this.#server.rooms.flush();
    const rooms = this.#rooms;
    if (rooms === undefined) {
      if (this.#ws === undefined || this.#ws.isSubscribed(room) || !this.#ws.subscribe(room)) return false;
    } else {
      if (rooms.has(room)) return false;
      rooms.add(room);
      this.#server.rooms.add(room, this);
    }
    this.#server.roster.joined(room, this);
    return true;
  }

  leave(room: string): boolean {
    this.#server.rooms.flush();
    const rooms = this.#rooms;
    if (rooms === undefined) {
      if (!this.#ws?.isSubscribed(room) || !this.#ws.unsubscribe(room)) return false;
    } else {
      if (!rooms.delete(room)) return false;
      this.#server.rooms.remove(room, this);
    }
    this.#server.roster.left(room, this);
    return true;
  }

  in(room: string): boolean {
    return this.#rooms?.has(room) ?? this.#ws?.isSubscribed(room) ?? false;
  }

  rooms(): Iterable<string> {
    return [...(this.#rooms ?? this.#ws?.getTopics() ?? [])];
  }

  leaveAll(): void {
    for (const room of this.rooms()) this.leave(room);
  }

  // ---- inwards

  /** One packet from the client, whatever brought it. False: it ended the connection. */
  receive(packet: EnginePacket): boolean {
    if (!this.open || !this.count()) return false;
    if (this.tap !== undefined) this.tap("in", packet);
    this.#heardAt = this.#server.clock.now;
    this.#spoke(packet === "3" && this.revision === 4);
    if (typeof packet !== "string") {
      this.#server.app.message(this, packet);
      return this.open;
    }
    switch (packet.charCodeAt(0)) {
      case 0x34: // message
        this.#server.app.message(this, packet.slice(1));
        break;
      case 0x32: // ping, which in revision 4 is the server's to send
        if (this.revision === 4) this.shut("parse error");
        else this.post("3");
        break;
      case 0x33: // pong
      case 0x35: // upgrade, done already
      case 0x36: // noop
        break;
      case 0x31: // close
        this.shut("transport close", "6");
        break;
      default:
        this.shut("parse error");
    }
    return this.open;
  }

  /** It is there, although it has said nothing whole yet. */
  heard(): void {
    this.#heardAt = this.#server.clock.now;
  }

  /** Counts a packet, a control frame or a request. False: that was one too many, the connection is being closed. */
  count(bytes = 0): boolean {
    const second = this.#server.second;
    if (this.#second !== second) {
      this.#second = second;
      this.#heard = 0;
      this.#bytes = 0;
    }
    this.#heard++;
    return this.countBytes(bytes);
  }

  /** Counts what belongs to a packet or request that is counted elsewhere. */
  countBytes(bytes: number): boolean {
    const { maxEventsPerSecond, maxBytesPerSecond } = this.#server.options;
    this.#bytes += bytes;
    if (this.#heard <= maxEventsPerSecond && this.#bytes <= maxBytesPerSecond) return true;
    this.#server.flooded(this);
    return false;
  }

  controlled(_ws: Socket, bytes: number): void {
    if (this.#ws !== undefined) this.count(bytes);
  }

  opened(ws: Socket): void {
    this.#ws = ws;
    this.#server.welcome(this, []);
  }

  message(_ws: Socket, data: ArrayBuffer, isBinary: boolean): void {
    if (this.#ws === undefined) return;
    if (data.byteLength > this.#server.options.maxPayload) return this.shut("too big");
    if (!this.countBytes(data.byteLength)) return;
    const packet = isBinary ? this.#binary(data) : this.#text(Buffer.from(data).toString("utf8"));
    if (packet === undefined) this.shut("parse error");
    else this.receive(packet);
  }

  #text(text: string): EnginePacket | undefined {
    if (this.revision === 3 && text.charCodeAt(0) === 0x62) return packet3(text);
    return isPacket(text) ? text : undefined;
  }

  #binary(data: ArrayBuffer): Buffer | undefined {
    const bytes = Buffer.from(new Uint8Array(data)); // a copy: the data dies with the handler
    if (this.revision === 4) return bytes;
    return bytes[0] === MESSAGE[0] ? bytes.subarray(1) : undefined;
  }

  // ---- from polling to websocket

  /** Rooms and whatever waits move over, in order; from here on only the websocket carries packets (protocol 2.6). */
  upgrade(ws: Socket): void {
    const polling = this.polling;
    if (polling === undefined) return;
    this.#server.rooms.flush();
    polling.probe = undefined;
    this.#server.cameBack(this, polling);
    const packets = polling.take();
    polling.release();
    this.polling = undefined;
    this.#ws = ws;
    ws.getUserData().receiver = this;
    for (const room of polling.rooms) {
      this.#server.rooms.remove(room, this);
      ws.subscribe(room);
    }
    this.#server.counters.upgraded++;
    for (const packet of packets) {
      if (this.#pacing) this.#standBeside(); // before the next one: uWS would drop it behind a large part of a backlog
      this.post(packet);
    }
    if (this.inDoubt) this.ask(this.stamp()); // the last answer, too, which no poll will follow
    if (!this.#pacing) return;
    this.#standBeside();
    this.#server.lookLater(this);
  }

  // ---- time

  expect(within: number): void {
    this.#dueAt = within === 0 ? 0 : this.#server.clock.now + this.#server.clock.ticks(within);
  }

  /** Closes the connection when it is over one of its deadlines; pings it when its time has come. */
  check(now: number, silence: number, pingEvery: number): void {
    if (now - this.#heardAt >= silence) return this.shut("ping timeout");
    if (this.#dueAt !== 0 && now >= this.#dueAt) return this.shut("timeout");
    if (this.revision === 4 && now - this.#pingedAt >= pingEvery) {
      this.#pingedAt = now;
      const stamp = this.#server.stampPosted();
      if (this.#pingStamp === 0) this.#pingStamp = stamp;
      if (this.tap !== undefined) this.tap("out", "2");
      this.post("2");
    }
    const polling = this.polling;
    if (polling === undefined) return;
    if (polling.firstDueAt !== 0 && now >= polling.firstDueAt) return this.shut("timeout");
    if (polling.probe !== undefined && now >= polling.probe.dueAt) polling.probe.end();
  }

  // ---- the end

  close(reason: CloseReason = "forced close"): void {
    this.shut(reason);
  }

  /** Ends the connection from this side. @param farewell what a pending poll is told: `6` when it was the client who closed */
  shut(reason: CloseReason, farewell: "1" | "6" = "1"): void {
    const ws = this.#ws;
    const polling = this.polling;
    if (ws === undefined && polling === undefined) return;
    this.#server.rooms.flush();
    this.#ws = undefined;
    this.polling = undefined;
    this.#leaveBeside();
    // A client that does not read or does not answer gets no close frame: it would only keep the socket waiting.
    if (reason === "slow" || reason === "ping timeout" || reason === "flood") ws?.close();
    else if (reason === "too big") ws?.end(TOO_BIG);
    else ws?.end();
    if (polling !== undefined) {
      this.#server.cameBack(this, polling);
      const { probe } = polling;
      if (reason === "flood") probe?.cut();
      const later = reason === "forced close" || farewell === "6";
      const unsaid = polling.end(farewell, later);
      if (probe !== undefined && STAY_TOLD.has(reason) && probe.leave()) this.#server.endLater(probe);
      else probe?.end();
      if (later) this.#server.sayLater(this, polling.form, unsaid);
      for (const room of polling.rooms) this.#server.rooms.remove(room, this);
    }
    this.#server.gone(this, reason, polling?.post);
  }

  #leaveBeside(): void {
    for (const room of this.#beside?.rooms ?? []) this.#server.rooms.remove(room, this);
    this.#beside = undefined;
  }

  /** Ends it at the end of this turn: a websocket may not be closed while uWS goes through a room. */
  dropped(): void {
    this.#server.closeLater(this, "slow");
  }

  closed(ws: Socket, reason: CloseReason): void {
    if (this.#ws !== ws) return; // closed from this side
    this.#ws = undefined;
    this.#leaveBeside();
    this.#server.gone(this, this.#server.closing(this) ?? reason, undefined);
  }
}

/** What a binary websocket message of revision 3 begins with. */
const MESSAGE = Buffer.of(MESSAGE_TYPE);
