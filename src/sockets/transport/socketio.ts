// The Socket.IO conversation on an Engine.IO connection: who is in which namespace, whole events out of packets and their
// attachments, and what each revision forgives (protocol 3).
import { inTurn } from "../../core/pace.ts";
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
  /** A connection is open, and has said nothing yet. */
  opened?(connection: Connection<T>): void;
  /**
   * Whether a client may come in. A revision 4 client, which asks with CONNECT, is refused with what this gives back, and may ask
   * again. A revision 3 client is in already, so this is called after `connect`: it is for the application to tell and close it.
   * What the client says until a promise has resolved waits; it never rejects.
   * @param payload see `connect`
   */
  admit?(
    connection: Connection<T>,
    payload: string | undefined,
  ): ConnectRefusal | undefined | Promise<ConnectRefusal | undefined>;
  /**
   * The reply has been sent. `payload` is JSON text, an object's. A revision 3 client is in "/" from the start and without
   * payload.
   */
  connect(connection: Connection<T>, namespace: string, payload: string | undefined): void;
  /**
   * `name` is no reserved one. `args` are parsed, attachments in place. `ackId` is digits when the client wants an answer.
   * @returns a promise, which never rejects, or nothing: what the client says until it has resolved waits
   */
  event(
    connection: Connection<T>,
    namespace: string,
    name: string,
    args: readonly unknown[],
    ackId: string | undefined,
  ): unknown;
  /** It acknowledges a frame of "/" that had this id, if there ever was one. */
  ack?(connection: Connection<T>, id: number): void;
  /** Left the namespace; the connection stays. Not called when the connection ends. */
  disconnect(connection: Connection<T>, namespace: string): void;
  /** As in `EngineApplication`, and when too much waits; only for one that is in "/". */
  flooded?(connection: Connection<T>): void;
  close(connection: Connection<T>, reason: CloseReason): void;
  /** As in `EngineApplication`. */
  drained?(connection: Connection<T>): void;
  proven?(connection: Connection<T>, stamp: number): void;
  heard?(connection: Connection<T>): void;
}

/** Goes into a CONNECT_ERROR. */
export interface ConnectRefusal {
  readonly message: string;
  readonly data: object;
}

export interface SocketOptions {
  /** For a revision 4 client to connect to its first namespace, milliseconds. */
  readonly connectTimeout: number;
  /** For the attachments of a binary packet to arrive, milliseconds. */
  readonly attachmentTimeout?: number;
  /** Bytes of all attachments of one packet. */
  readonly maxAttachments?: number;
  /** As in `GatewayOptions`: of what is handled later than its message came. */
  onError?(error: unknown): void;
}

/** What a client has said while something that it said before is being decided. */
interface Waiting {
  readonly messages: (string | Buffer)[];
  size: number;
}

/** Messages of one client that may wait, and what those before the last may take; and those of all together. */
const MOST_WAITING = 256;
const MOST_WAITING_SIZE = 65_536;
const MOST_WAITING_IN_ALL = 67_108_864;
/** Of those that waited, handled in one turn. */
const AT_ONCE = 16;

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
const WAITING = 8;

/** What a gateway is given to speak Socket.IO: it takes the packets apart and gives `app` whole events. */
export function socketio<T>(app: SocketApplication<T>, options: SocketOptions): EngineApplication<T> {
  const { connectTimeout, attachmentTimeout = 10_000, maxAttachments = 1_000_000, onError = () => {} } = options;
  // Only for the few connections that need them.
  const incomplete = new Map<Connection<T>, Incomplete>();
  const others = new Map<Connection<T>, Set<string>>();
  const waiting = new Map<Connection<T>, Waiting>();
  let waitingInAll = 0;

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
    const payload = packet.json === "" ? undefined : packet.json;
    const refusal = app.admit?.(connection, payload);
    if (refusal instanceof Promise)
      wait(
        connection,
        refusal.then((late) => letIn(connection, namespace, payload, late)),
      );
    else letIn(connection, namespace, payload, refusal);
  }

  function letIn(
    connection: Connection<T>,
    namespace: string,
    payload: string | undefined,
    refusal: ConnectRefusal | undefined,
  ): void {
    if (!connection.open) return;
    if (refusal !== undefined) {
      connection.send(encodeConnectError(connection.revision, namespace, refusal.message, refusal.data));
      return;
    }
    enter(connection, namespace);
    connection.expect(0);
    connection.send(encodeConnect(namespace, connection.revision === 3 ? undefined : newSid()));
    app.connect(connection, namespace, payload);
  }

  // ---- what waits for an answer

  /** What the connection says from now on waits until `done`, which is only then gone on from. */
  function wait(connection: Connection<T>, done: Promise<unknown>): void {
    if (!connection.open) return;
    connection.conversation |= WAITING;
    const own: Waiting = { messages: [], size: 0 };
    waiting.set(connection, own);
    done.then(
      () => goOn(connection),
      (error: unknown) => fail(connection, error),
    );
  }

  function keep(connection: Connection<T>, data: string | Buffer): void {
    const own = waiting.get(connection)!;
    if (own.messages.length >= MOST_WAITING || own.size > MOST_WAITING_SIZE || waitingInAll > MOST_WAITING_IN_ALL) {
      if (isIn(connection, "/")) app.flooded?.(connection);
      connection.close("flood");
      return;
    }
    own.messages.push(data);
    own.size += data.length;
    waitingInAll += data.length;
  }

  function forget(connection: Connection<T>): readonly (string | Buffer)[] {
    const { messages, size } = waiting.get(connection)!;
    waiting.delete(connection);
    waitingInAll -= size;
    connection.conversation &= ~WAITING;
    return messages;
  }

  function goOn(connection: Connection<T>): void {
    if ((connection.conversation & WAITING) === 0) return; // it has ended meanwhile
    const messages = forget(connection);
    let done = 0;
    connection.together(() => {
      try {
        while (done < messages.length && done < AT_ONCE && (connection.conversation & WAITING) === 0 && connection.open)
          hear(connection, messages[done++]!);
      } catch (error) {
        fail(connection, error);
      }
    });
    if (done === messages.length || !connection.open) return;
    if ((connection.conversation & WAITING) === 0) wait(connection, new Promise<void>(inTurn));
    // Nothing came in between: these were said before all that comes.
    for (const data of messages.slice(done)) keep(connection, data);
  }

  function fail(connection: Connection<T>, error: unknown): void {
    onError(error);
    connection.close();
  }

  function complete(connection: Connection<T>, packet: SocketPacket, attachments: readonly Buffer[]): void {
    const binary = packet.type === BINARY_EVENT || packet.type === BINARY_ACK;
    const payload = packet.payload as unknown[]; // an array: decode made sure for events and acks
    if (binary && !putBack(payload, attachments)) return connection.close("parse error");
    if (packet.type === ACK || packet.type === BINARY_ACK) {
      if (packet.ackId !== undefined && packet.namespace === "/") app.ack?.(connection, Number(packet.ackId));
      return;
    }
    const [name, ...args] = payload as [string, ...unknown[]];
    // `error` was reserved too for the old clients, and ended the process of a server that passed it on.
    if (RESERVED.has(name) || (connection.revision === 3 && name === "error")) return breach(connection);
    const done = app.event(connection, packet.namespace, name, args, packet.ackId);
    if (done instanceof Promise) wait(connection, done);
  }

  function hear(connection: Connection<T>, data: string | Buffer): void {
    if (typeof data !== "string") return attach(connection, data);
    const packet = (connection.conversation & INCOMPLETE) === 0 ? decode(data) : undefined;
    if (packet === undefined) connection.close("parse error");
    else take(connection, packet);
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
      app.opened?.(connection);
      if (connection.revision === 4) return connection.expect(connectTimeout);
      enter(connection, "/");
      connection.send(encodeConnect("/", undefined));
      app.connect(connection, "/", undefined);
      const admitted = app.admit?.(connection, undefined);
      if (admitted instanceof Promise)
        wait(
          connection,
          admitted.then(() => undefined),
        );
    },
    message(connection, data) {
      if ((connection.conversation & WAITING) === 0) hear(connection, data);
      else keep(connection, data);
    },
    flooded(connection) {
      if (isIn(connection, "/")) app.flooded?.(connection);
    },
    close(connection, reason) {
      if ((connection.conversation & INCOMPLETE) !== 0) incomplete.delete(connection);
      if ((connection.conversation & IN_OTHERS) !== 0) others.delete(connection);
      if ((connection.conversation & WAITING) !== 0) forget(connection);
      app.close(connection, reason);
    },
    drained: (connection) => app.drained?.(connection),
    proven: (connection, stamp) => app.proven?.(connection, stamp),
    heard: (connection) => app.heard?.(connection),
  };
}
