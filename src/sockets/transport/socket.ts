// A websocket before it belongs to a connection: one that probes for an upgrade, and one that is turned away.
import type { WebSocket } from "uWebSockets.js";
import type { CloseReason } from "./types.ts";

/** Who takes what arrives on a websocket. */
export interface Receiver {
  opened(ws: Socket): void;
  /** `data` dies with the call. */
  message(ws: Socket, data: ArrayBuffer, isBinary: boolean): void;
  /** A ping, which uWS has answered. `bytes` of its payload. */
  controlled(ws: Socket, bytes: number): void;
  /** A frame was dropped: too much waits for the client. */
  dropped(): void;
  /** Less waits for the client than before. */
  drained(): void;
  /** `data` dies with the call. */
  ponged(ws: Socket, data: ArrayBuffer): void;
  /** @param reason uWS may have cut it, for a message of more than twice what is allowed, or a silence of twice as long */
  closed(ws: Socket, reason: CloseReason): void;
}

/** uWS copies the fields of this object to the websocket's own, so there is but one. */
export interface SocketData {
  receiver: Receiver;
}

export type Socket = WebSocket<SocketData>;

/** Closes what may not stay: a second websocket for a session, or one that says it is a poll. */
export const turnedAway: Receiver = {
  opened: (ws) => ws.end(),
  message: () => {},
  controlled: (ws) => ws.close(),
  dropped: () => {},
  drained: () => {},
  ponged: (ws) => ws.close(),
  closed: () => {},
};

/** The connection that a websocket probes for. */
interface Probed {
  readonly polling: { probe: Probe | undefined; flush(): void } | undefined;
  /** Counts so many bytes against its limits. */
  count(bytes: number): unknown;
  upgrade(ws: Socket): void;
}

/**
 * `2probe`, answered at once, then `5`; PHP and Arduino clients send `5` alone. Anything else ends the probe and leaves the session
 * on polling (protocol 2.6).
 */
export class Probe implements Receiver {
  readonly #client: Probed;
  /** The tick by which it has to have moved its client. */
  readonly dueAt: number;
  #ws: Socket | undefined = undefined;
  #left = false;
  probed = false;

  constructor(client: Probed, dueAt: number) {
    this.#client = client;
    this.dueAt = dueAt;
  }

  opened(ws: Socket): void {
    this.#ws = ws;
  }

  message(ws: Socket, data: ArrayBuffer, isBinary: boolean): void {
    const text = isBinary || data.byteLength > 6 ? "" : Buffer.from(data).toString("latin1");
    if (text === "2probe" && !this.probed) {
      this.probed = true;
      ws.send("3probe");
      this.#client.polling?.flush();
    } else if (text === "5" && !this.#left) {
      this.#client.upgrade(ws);
    } else {
      this.end();
    }
  }

  controlled(_ws: Socket, bytes: number): void {
    this.#client.count(bytes);
  }

  dropped(): void {
    this.end();
  }

  drained(): void {}

  ponged(ws: Socket, data: ArrayBuffer): void {
    this.controlled(ws, data.byteLength);
  }

  closed(): void {
    this.#ws = undefined;
    if (this.#client.polling?.probe === this) this.#client.polling.probe = undefined;
  }

  /**
   * The session is over, but its client is moving and polls no more: it would not hear of that before its heartbeat fails. So the
   * websocket stays until it has moved. False: there is nothing to wait for.
   */
  leave(): boolean {
    this.#left = this.probed && this.#ws !== undefined;
    return this.#left;
  }

  get open(): boolean {
    return this.#ws !== undefined;
  }

  end(): void {
    this.#ws?.end();
  }

  /** Without waiting for the client's part. */
  cut(): void {
    this.#ws?.close();
  }
}
