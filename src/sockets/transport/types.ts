// Port: live sockets. Engine.IO connections of both revisions over polling and websocket, rooms, limits and deadlines.
// Knows nothing of what is said on them: that is an application's part. server.ts makes one.
import type { Debug } from "../../core/debug.ts";
import type { Place } from "../../http/uws/listeners.ts";
import type { Revision } from "../wire/engineio.ts";

interface Heartbeat {
  readonly pingInterval: number;
  readonly pingTimeout: number;
}

/** What an application wants of handshakes, besides what the transport reads itself. */
export interface HandshakeWish {
  /** In lower case. */
  readonly headers: readonly string[];
}

/** Untrusted text. The query may hold a client's token: never to be logged. */
export interface Handshake {
  /** Without its question mark. */
  readonly query: string;
  /** Those that came, of those that were wished for. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Times in milliseconds. */
export interface GatewayOptions extends Place {
  /** Begins and ends with a slash: `/socket.io/`. */
  readonly path: string;
  readonly heartbeat: Readonly<Record<Revision, Heartbeat>>;
  /** Bytes: a larger POST is answered 413, a larger websocket message closed with 1009. */
  readonly maxPayload: number;
  /** Bytes that may wait for one slow client before it is closed; a backlog does not count (`sendBacklog`). */
  readonly maxBackpressure: number;
  /** For a probing websocket to finish its upgrade. */
  readonly upgradeTimeout: number;
  /** The body of a POST that brings less than 1 KB per second for so long is cut. */
  readonly requestTimeout: number;
  readonly maxConnections: number;
  /** Connections of TCP, each an open file, of whatever kind; more are closed within accept. */
  readonly maxSockets?: number;
  /** Told what was refused before it could be answered, and who was closed because of a limit. */
  readonly warn?: (text: string) => void;
  readonly debug?: Debug;
  readonly maxConnectionsPerAddress: number;
  /** Of these, those on polling that did not come back after their handshake yet. */
  readonly maxFreshPerAddress: number;
  /** For a client on polling to come back after its handshake. */
  readonly firstPollTimeout: number;
  /** Packets, heartbeats, control frames and requests included. */
  readonly maxEventsPerSecond: number;
  /** Of all of these together. */
  readonly maxBytesPerSecond: number;
  /** See `originList`. Those allowed, checked on polls, preflights and websocket upgrades; a client without `Origin` is no browser. */
  readonly origins: readonly string[];
  /** Addresses or subnets (`10.0.0.0/8`) whose `X-Forwarded-For` or `X-Real-IP` is believed. */
  readonly trustedProxies: readonly string[];
  /** What `socket.io.js` under the path is: the client library. */
  readonly library?: Uint8Array | undefined;
  /** What else is served to pages, outside `path`. */
  readonly files?: readonly ServedFile[];
  /** Refuses a request without `EIO` instead of taking it for revision 3. */
  readonly strictEio: boolean;
  /** Asked at each handshake; undefined: nothing of it is kept. */
  readonly wish?: () => HandshakeWish | undefined;
  /** Somebody is refused because a limit on connections is reached. Told once a minute for each limit. */
  onFull(full: Full): void;
  /** Gets what a handler of the application threw: a bug. The connection is closed. */
  onError(error: unknown): void;
}

/** A file that pages may load, whatever their origin. */
export interface ServedFile {
  /** From the root: `/client/pushbox.js`. */
  readonly path: string;
  readonly type: string;
  /** Read with each request. */
  readonly body: () => string | Uint8Array;
  /** The same compressed with gzip. */
  readonly gzip?: Uint8Array;
  /** Names this very content: a browser that has it is told so. */
  readonly tag?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

export interface Full {
  /** Connections in all, those of an address, or those of an address that only shook hands. */
  readonly what: "all" | "address" | "handshakes";
  /** The address that is over its limit, or the one that has most. */
  readonly address: string;
  /** How many it has. */
  readonly connections: number;
  readonly limit: number;
  /** Refused for this reason since it was last told, whatever their address. */
  readonly refused: number;
}

/**
 * - `transport close`: the client left, or its connection broke
 * - `ping timeout`: silent for too long
 * - `parse error`: it sent what is no packet, or no packet that fits
 * - `timeout`: it did not say in time what it had to say
 * - `slow`, `flood`, `too big`: a limit
 * - `forced close`: the application's decision
 * - `server shutting down`
 */
export type CloseReason =
  | "transport close"
  | "ping timeout"
  | "parse error"
  | "timeout"
  | "slow"
  | "flood"
  | "too big"
  | "forced close"
  | "server shutting down";

export type Tap = (direction: "in" | "out", packet: string | Uint8Array) => void;

/** One client's Engine.IO connection, whatever transport it uses at the moment. */
export interface Connection<T> {
  readonly sid: string;
  readonly revision: Revision;
  readonly address: string;
  /** What limits count as one address: itself, or the IPv6 network that it is in. */
  readonly countedAs: string;
  readonly transport: "websocket" | "polling";
  /** No other connection of this process has it; unlike the `sid` it gives nobody a right to anything. */
  readonly serial: number;
  /** Bytes that wait for the client, without a backlog on polling. */
  readonly waiting: number;
  /** Is given every packet of Engine.IO that comes or is sent to this client alone; what goes to a room is not among them. */
  tap: Tap | undefined;
  /** Whole seconds of the process's own clock (`performance.now`). */
  readonly since: number;
  /** The application's own. */
  data: T | undefined;
  /** A small number that belongs to the layer right above (the Socket.IO conversation). */
  conversation: number;
  /** What was wished for of its handshake, for the application to take: it may be long. */
  handshake: Handshake | undefined;
  readonly open: boolean;
  /**
   * Sends one Engine.IO message packet already encoded, leading "4" included. Its order with `publish` is kept.
   * @param prove asks in the same write for proof that it arrived, see `prove`
   */
  send(packet: string, prove?: boolean): void;
  /**
   * Sends packets that do not count as what waits for a slow client, however large they are. `drained` is told, later and once,
   * when nearly all have left this process, or on polling when the client came back after it had them; only then may more be sent
   * this way. While very much waits, what else is sent or published waits beside it.
   */
  sendBacklog(packets: readonly string[], prove: boolean): void;
  /** Pings on a websocket, when a large backlog waits there after that: the pong tells `proven`. On polling the next poll does. */
  prove(): void;
  /** A number larger than any before: it stands for this moment in `proven`. */
  stamp(): number;
  /** The application's: while true it is told `proven` and `heard`. */
  inDoubt: boolean;
  /** Sends a binary message. */
  sendBinary(data: Uint8Array): void;
  /** Makes the sends of `run` share writes. For replies after an `await`; inside a handler they do anyway. */
  together(run: () => void): void;
  /** False: was already in, or is closed. */
  join(room: string): boolean;
  /** False: was not in. */
  leave(room: string): boolean;
  in(room: string): boolean;
  rooms(): Iterable<string>;
  leaveAll(): void;
  /** Closes the connection (`timeout`) unless this is called again within so many milliseconds; 0 lifts the deadline. */
  expect(within: number): void;
  /** Closes the transport. */
  close(reason?: CloseReason): void;
}

/** What happens on connections. Handlers run inside the transport's, so they return soon. */
export interface EngineApplication<T> {
  /** Once, when its open packet has been sent. */
  open(connection: Connection<T>): void;
  /** Text comes without its leading 4. Bytes belong to the application. */
  message(connection: Connection<T>, data: string | Buffer): void;
  /** It sends too much, and is closed (`flood`) at the end of this turn: the moment to tell it why. */
  flooded?(connection: Connection<T>): void;
  /** Exactly once, right after the connection left its rooms. */
  close(connection: Connection<T>, reason: CloseReason): void;
  /** See `sendBacklog`. */
  drained?(connection: Connection<T>): void;
  /** The client has shown that everything sent before that moment (`stamp`) has arrived (holds 9). Only when in doubt. */
  proven?(connection: Connection<T>, stamp: number): void;
  /** A websocket's client has spoken, has never answered a ping, and nothing waits for it. Only when in doubt. */
  heard?(connection: Connection<T>): void;
}

/** What the limits did, since the start. */
export interface GatewayCounters {
  opened: number;
  upgraded: number;
  /** Closed within accept, see `Gate`. */
  refusedAtAccept: number;
  refusedTotal: number;
  refusedPerAddress: number;
  refusedOrigin: number;
  /** Handshakes and requests with an error of protocol 2.10. */
  refusedRequest: number;
  closedTransport: number;
  closedPingTimeout: number;
  closedParse: number;
  closedTimeout: number;
  closedSlow: number;
  closedFlood: number;
  closedTooBig: number;
  closedForced: number;
  closedShutdown: number;
}

export interface Gateway<T> {
  /** Resolves with the port. Never shares it with another process: rejects when it is in use. */
  listen(): Promise<number>;
  /** To every member now: websockets by one native call, members on polling one by one. */
  publish(room: string, packet: string): void;
  /** How many members, exactly, now. */
  count(room: string): number;
  /** Visits every connection, unless the room was asked about within the last minute. */
  members(room: string): Promise<Iterable<Connection<T>>>;
  /** What opens or closes while they are looked through may be seen or not. */
  connections(): Iterable<Connection<T>>;
  readonly size: number;
  readonly counters: Readonly<GatewayCounters>;
  /** See `Listeners`. */
  reloadTls(): Promise<void>;
  readonly certificateExpires: number | undefined;
  accept(on: boolean): boolean;
  /** Stops accepting, answers pending polls, closes the transports so that clients come back later; resolves when done. */
  close(): Promise<void>;
}
