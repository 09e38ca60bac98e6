// Real clients of every generation, and a raw one for frames that no client would send. Everything is awaited, nothing slept.
import { type EventEmitter, once } from "node:events";
import { createRequire } from "node:module";
import type { Test } from "tap";

const require = createRequire(import.meta.url);

export const GENERATIONS = [1, 2, 3, 4] as const;
export type Generation = (typeof GENERATIONS)[number];
export const TRANSPORTS = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
} as const;
export type TransportName = keyof typeof TRANSPORTS;

/** What all generations of socket.io-client have in common. */
interface Socket {
  on(event: string, listener: (...args: never[]) => void): void;
  emit(event: string, ...args: unknown[]): void;
  disconnect(): void;
  io: {
    skipReconnect?: boolean;
    engine: { transport: { name: string }; once(event: string, listener: () => void): void };
  };
}
type Io = (url: string, options: object) => Socket;

/** What tests wait for. */
const EVENTS = [
  ...["connect", "disconnect", "connect_error", "pushId", "p", "noti", "push"],
  ...["refused", "authorized", "tokenExpires", "packetProxy"],
];

/** A queue of what arrived, with promises for what is yet to come. */
class Inbox {
  readonly #arrived: unknown[][] = [];
  #waiting: ((args: unknown[]) => void)[] = [];

  put(args: unknown[]): void {
    const next = this.#waiting.shift();
    if (next) next(args);
    else this.#arrived.push(args);
  }

  next(what: string): Promise<unknown[]> {
    const args = this.#arrived.shift();
    if (args) return Promise.resolve(args);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((waiting) => waiting !== settle);
        reject(new Error(`no ${what} within 60 s`));
      }, 60_000);
      timer.unref(); // a test that has ended may have waited for it in vain
      const settle = (args: unknown[]) => {
        clearTimeout(timer);
        resolve(args);
      };
      this.#waiting.push(settle);
    });
  }

  /** What arrived and was not asked for. */
  rest(): unknown[][] {
    return this.#arrived.splice(0);
  }
}

export interface HelloFields {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** socket.io-client, any generation. */
export class SocketClient {
  readonly socket: Socket;
  readonly #inboxes = new Map<string, Inbox>();

  /** @param options further ones of the library's own */
  constructor(generation: Generation, url: string, transports: readonly string[], options: object = {}) {
    const io = require(`socket.io-client${generation}`) as Io;
    this.socket = io(url, { transports: [...transports], forceNew: true, reconnection: false, ...options });
    for (const event of EVENTS) {
      const inbox = new Inbox();
      this.#inboxes.set(event, inbox);
      this.socket.on(event, (...args: unknown[]) => inbox.put(args));
    }
  }

  /** Arguments of the next event of that name, whether it came already or not. */
  next(event: string): Promise<unknown[]> {
    return this.#inboxes.get(event)!.next(`event "${event}"`);
  }

  rest(event: string): unknown[][] {
    return this.#inboxes.get(event)!.rest();
  }

  /** Says who it is and waits for the answer. */
  async hello(fields: HelloFields): Promise<Record<string, unknown>> {
    this.socket.emit("pushId", { version: 1, platform: "android", ...fields });
    const [reply] = await this.next("pushId");
    return reply as Record<string, unknown>;
  }

  close(): void {
    this.socket.disconnect();
  }
}

/** A websocket that sends and gets frames as text. */
export class RawClient {
  readonly socket: WebSocket;
  readonly #frames = new Inbox();
  readonly closed: Promise<unknown>;

  private constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.addEventListener("message", ({ data }) => this.#frames.put([String(data)]));
    this.closed = once(this.socket, "close");
    this.closed.catch(() => {});
  }

  /** @param query e.g. "EIO=3&transport=websocket"; iOS says no EIO at all */
  static async open(port: number, query = "transport=websocket"): Promise<RawClient> {
    const client = new RawClient(`ws://127.0.0.1:${port}/socket.io/?${query}`);
    const refused = Promise.race([client.closed, once(client.socket, "error")]).then(() => {
      throw new Error("it was closed before it was open");
    });
    await Promise.race([once(client.socket, "open"), refused]);
    refused.catch(() => {});
    return client;
  }

  send(...frames: string[]): void {
    for (const frame of frames) this.socket.send(frame);
  }

  emit(event: string, ...args: unknown[]): void {
    this.send(`42${JSON.stringify([event, ...args])}`);
  }

  /** The next frame that starts so; others before it are passed over. */
  async next(prefix: string): Promise<string> {
    for (;;) {
      const [frame] = await this.#frames.next(`frame ${prefix}`);
      if (String(frame).startsWith(prefix)) return String(frame);
    }
  }

  /** Every frame up to and including the next one that starts so. */
  async until(prefix: string): Promise<string[]> {
    const frames: string[] = [];
    for (;;) {
      const [frame] = await this.#frames.next(`frame ${prefix}`);
      frames.push(String(frame));
      if (String(frame).startsWith(prefix)) return frames;
    }
  }

  /** A ping and its answer: everything that the server sent before is here, and everything sent before was processed. */
  async settle(): Promise<string[]> {
    this.send("2");
    return (await this.until("3")).slice(0, -1);
  }

  async hello(fields: HelloFields): Promise<Record<string, unknown>> {
    this.emit("pushId", { version: 1, platform: "android", ...fields });
    const frame = await this.next('42["pushId"');
    return (JSON.parse(frame.slice(2)) as [string, Record<string, unknown>])[1];
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** The JavaScript SDK of socket.io-push, version 0.8.2. */
export interface PushClient extends EventEmitter {
  pushId: string;
  socket: Socket;
  connect(): void;
  disconnect(): void;
  subscribeTopic(topic: string): void;
  subscribeTopicAndReceiveTTL(topic: string): void;
  unsubscribeTopic(topic: string): void;
  addTag(tag: string): void;
  removeTag(tag: string): void;
  setTags(tags: readonly string[]): void;
  bindUid(data: object): void;
  unbindUid(): void;
}

export function pushClient(url: string, options: object = {}): PushClient {
  const create = require("socket.io-push-client") as (url: string, options: object) => PushClient;
  return create(url, options);
}

/** The next value of one of the SDK's own events; it keeps a single listener per event. */
export function nextOf(client: PushClient, event: string): Promise<Record<string, unknown>> {
  return new Promise((resolve) => client.on(event, resolve));
}

/** One that is closed when the test ends. @param options further ones of the library's own */
export function client(
  t: Test,
  { clientUrl }: { readonly clientUrl: string },
  generation: Generation,
  options: object = {},
  transport: keyof typeof TRANSPORTS = "websocket",
): SocketClient {
  const made = new SocketClient(generation, clientUrl, TRANSPORTS[transport], options);
  t.teardown(() => made.close());
  return made;
}
