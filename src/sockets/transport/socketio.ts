// The Socket.IO conversation on an Engine.IO connection: who is in which namespace, whole events out of packets and their
// attachments, and what each revision forgives (protocol 3).
import {
  ACK,
  BINARY_ACK,
  BINARY_EVENT,
  CONNECT,
  CONNECT_ERROR,
  DISCONNECT,
  decode,
  EVENT,
  encodeConnect,
  encodeConnectError,
  putBack,
  RESERVED,
  type SocketPacket,
} from "../wire/socketio.ts";
import { newSid } from "./sid.ts";
import type { CloseReason, Connection, EngineApplication } from "./types.ts";

/** Handlers run inside the transport's, so they return soon. */
export interface SocketApplication<T> {
  /** Those a client may connect to; others are answered "Invalid namespace". */
  readonly namespaces: readonly string[];
  /**
   * The reply has been sent. `payload` is JSON text, an object's. A revision 3 client is in "/" from the start and without
   * payload.
   */
  connect(connection: Connection<T>, namespace: string, payload: string | undefined): void;
  /** `name` is no reserved one. `args` are parsed, attachments in place. `ackId` is digits when the client wants an answer. */
  event(
    connection: Connection<T>,
    namespace: string,
    name: string,
    args: readonly unknown[],
    ackId: string | undefined,
  ): void;
  /** Left the namespace; the connection stays. Not called when the connection ends. */
  disconnect(connection: Connection<T>, namespace: string): void;
  /** As in `EngineApplication`; only for one that is in "/". */
  flooded?(connection: Connection<T>): void;
  close(connection: Connection<T>, reason: CloseReason): void;
  /** As in `EngineApplication`. */
  drained?(connection: Connection<T>): void;
  proven?(connection: Connection<T>, stamp: number): void;
  heard?(connection: Connection<T>): void;
}

export interface SocketOptions {
  /** For a revision 4 client to connect to its first namespace, milliseconds. */
  readonly connectTimeout: number;
  /** For the attachments of a binary packet to arrive, milliseconds. */
  readonly attachmentTimeout?: number;
  /** Bytes of all attachments of one packet. */
  readonly maxAttachments?: number;
}

/** A packet whose attachments are arriving. */
interface Incomplete {
  readonly packet: SocketPacket;
  readonly attachments: Buffer[];
  bytes: number;
}

/** Bits of `connection.conversation`. */
const IN_ROOT = 1;
const INCOMPLETE = 2;
const IN_OTHERS = 4;

export function socketio<T>(app: SocketApplication<T>, options: SocketOptions): EngineApplication<T> {
  const { connectTimeout, attachmentTimeout = 10_000, maxAttachments = 1_000_000 } = options;
  // Only for the few connections that need them.
  const incomplete = new Map<Connection<T>, Incomplete>();
  const others = new Map<Connection<T>, Set<string>>();

  const isIn = (connection: Connection<T>, namespace: string): boolean =>
    namespace === "/"
      ? (connection.conversation & IN_ROOT) !== 0
      : (connection.conversation & IN_OTHERS) !== 0 && others.get(connection)!.has(namespace);

  function enter(connection: Connection<T>, namespace: string): void {
    if (namespace === "/") {
      connection.conversation |= IN_ROOT;
      return;
    }
    connection.conversation |= IN_OTHERS;
    const entered = others.get(connection);
    if (entered === undefined) others.set(connection, new Set([namespace]));
    else entered.add(namespace);
  }

  function exit(connection: Connection<T>, namespace: string): void {
    if (namespace === "/") connection.conversation &= ~IN_ROOT;
    else others.get(connection)!.delete(namespace);
  }

  /** Revision 3 clients may do what they never did by accident; a revision 4 client that breaks the rules is closed. */
  function breach(connection: Connection<T>): void {
    if (connection.revision === 4) connection.close("parse error");
  }

  function connect(connection: Connection<T>, packet: SocketPacket): void {
    const { namespace } = packet;
    if (!app.namespaces.includes(namespace)) {
      connection.send(encodeConnectError(connection.revision, namespace, "Invalid namespace"));
      return;
    }
    if (isIn(connection, namespace)) return breach(connection);
    if (connection.revision === 3 && namespace === "/") return; // left it with 41, which is final
    enter(connection, namespace);
    connection.expect(0);
    connection.send(encodeConnect(namespace, connection.revision === 3 ? undefined : newSid()));
    app.connect(connection, namespace, packet.json === "" ? undefined : packet.json);
  }

  function complete(connection: Connection<T>, packet: SocketPacket, attachments: readonly Buffer[]): void {
    const binary = packet.type === BINARY_EVENT || packet.type === BINARY_ACK;
    const payload = packet.payload as unknown[]; // an array: decode made sure for events and acks
    if (binary && !putBack(payload, attachments)) return connection.close("parse error");
    if (packet.type === ACK || packet.type === BINARY_ACK) return; // nothing was asked
    const [name, ...args] = payload as [string, ...unknown[]];
    // `error` was reserved too for the old clients, and ended the process of a server that passed it on.
    if (RESERVED.has(name) || (connection.revision === 3 && name === "error")) return breach(connection);
    app.event(connection, packet.namespace, name, args, packet.ackId);
  }

  function take(connection: Connection<T>, packet: SocketPacket): void {
    switch (packet.type) {
      case CONNECT:
        return connect(connection, packet);
      case DISCONNECT:
        if (!isIn(connection, packet.namespace)) return breach(connection);
        exit(connection, packet.namespace);
        return app.disconnect(connection, packet.namespace);
      case CONNECT_ERROR:
        return breach(connection); // a server's to send
      case EVENT:
      case ACK:
      case BINARY_EVENT:
      case BINARY_ACK:
        if (connection.revision === 4 && !isIn(connection, packet.namespace)) return breach(connection);
        if (packet.attachments > 0) {
          connection.conversation |= INCOMPLETE;
          incomplete.set(connection, { packet, attachments: [], bytes: 0 });
          return connection.expect(attachmentTimeout);
        }
        if (isIn(connection, packet.namespace)) complete(connection, packet, []);
    }
  }

  function attach(connection: Connection<T>, data: Buffer): void {
    const waiting = incomplete.get(connection);
    if (waiting === undefined) return connection.close("parse error");
    waiting.bytes += data.length;
    if (waiting.bytes > maxAttachments) return connection.close("too big");
    waiting.attachments.push(data);
    if (waiting.attachments.length < waiting.packet.attachments) return;
    incomplete.delete(connection);
    connection.conversation &= ~INCOMPLETE;
    connection.expect(0);
    if (isIn(connection, waiting.packet.namespace)) complete(connection, waiting.packet, waiting.attachments);
  }

  return {
    open(connection) {
      if (connection.revision === 4) return connection.expect(connectTimeout);
      enter(connection, "/");
      connection.send(encodeConnect("/", undefined));
      app.connect(connection, "/", undefined);
    },
    message(connection, data) {
      if (typeof data !== "string") return attach(connection, data);
      const packet = (connection.conversation & INCOMPLETE) === 0 ? decode(data) : undefined;
      if (packet === undefined) connection.close("parse error");
      else take(connection, packet);
    },
    flooded(connection) {
      if (isIn(connection, "/")) app.flooded?.(connection);
    },
    close(connection, reason) {
      if ((connection.conversation & INCOMPLETE) !== 0) incomplete.delete(connection);
      if ((connection.conversation & IN_OTHERS) !== 0) others.delete(connection);
      app.close(connection, reason);
    },
    drained: (connection) => app.drained?.(connection),
    proven: (connection, stamp) => app.proven?.(connection, stamp),
    heard: (connection) => app.heard?.(connection),
  };
}
