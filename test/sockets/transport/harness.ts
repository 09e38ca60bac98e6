// A gateway on a free port, and bare clients whose every frame the test writes and reads itself.
import { connect, type Socket } from "node:net";
import type { Test } from "tap";
import { engineEcho, socketEcho } from "../../../scripts/echo.ts";
import type { Client } from "../../../src/sockets/transport/connection.ts";
import { createGateway } from "../../../src/sockets/transport/server.ts";
import { socketio } from "../../../src/sockets/transport/socketio.ts";
import type { EngineApplication, Gateway, GatewayOptions } from "../../../src/sockets/transport/types.ts";

export const defaults: GatewayOptions = {
  path: "/socket.io/",
  host: "127.0.0.1",
  port: 0,
  heartbeat: {
    3: { pingInterval: 90_000, pingTimeout: 25_000 },
    4: { pingInterval: 25_000, pingTimeout: 20_000 },
  },
  maxPayload: 1_000_000,
  maxBackpressure: 1_000_000,
  upgradeTimeout: 60_000,
  requestTimeout: 10_000,
  maxConnections: 1000,
  maxConnectionsPerAddress: 1000,
  maxEventsPerSecond: 1000,
  maxBytesPerSecond: 100_000_000,
  maxFreshPerAddress: 1000,
  firstPollTimeout: 60_000,
  onFull() {},
  origins: ["*"],
  trustedProxies: [],
  strictEio: false,
  onError(error) {
    throw error;
  },
};

/** Heartbeats that a test can wait for, and keep up with on a busy machine. */
export const quick = {
  heartbeat: { 3: { pingInterval: 300, pingTimeout: 1000 }, 4: { pingInterval: 300, pingTimeout: 1000 } },
} as const;

export const echo = engineEcho;
export const talk = (connectTimeout = 45_000) => socketio(socketEcho, { connectTimeout });

export interface Served<T> {
  readonly gateway: Gateway<T>;
  readonly port: number;
  /** With the path and the given query. */
  url(query: string): string;
  ws(query: string, headers?: Record<string, string>): Ws;
}

export async function serve<T>(
  t: Test,
  app: EngineApplication<T>,
  options: Partial<GatewayOptions> = {},
): Promise<Served<T>> {
  const gateway = createGateway({ ...defaults, ...options }, app);
  const port = await gateway.listen();
  t.teardown(() => gateway.close());
  const url = (query: string) => `http://127.0.0.1:${port}/socket.io/?${query}`;
  return { gateway, port, url, ws: (query, headers) => new Ws(url(query).replace("http", "ws"), headers) };
}

/** A websocket read frame by frame. */
export class Ws {
  readonly #socket: WebSocket;
  readonly #frames: (string | Buffer)[] = [];
  #waiting: ((frame: string | Buffer) => void) | undefined;
  /** The code it was closed with. */
  readonly closed: Promise<number>;
  readonly opened: Promise<unknown>;

  constructor(url: string, headers?: Record<string, string>) {
    // Node's own takes headers; the standard's type does not.
    this.#socket = new WebSocket(url, { headers } as unknown as string[]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => {
      const frame = typeof data === "string" ? data : Buffer.from(data as ArrayBuffer);
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) waiting(frame);
      else this.#frames.push(frame);
    };
    this.opened = new Promise((resolve) => {
      this.#socket.onopen = resolve;
    });
    this.closed = new Promise((resolve) => {
      this.#socket.onclose = ({ code }) => resolve(code);
      // A refused handshake may be told as an error alone.
      this.#socket.onerror = () => this.#socket.readyState !== WebSocket.OPEN && setImmediate(resolve, 1006);
    });
  }

  /** The next frame; fails when the socket closes instead. */
  next(): Promise<string | Buffer> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    return Promise.race([
      new Promise<string | Buffer>((resolve) => {
        this.#waiting = resolve;
      }),
      this.closed.then((code) => Promise.reject(new Error(`closed with ${code}`))),
    ]);
  }

  /** The next frame that is no ping, which is answered: a busy machine may be slower than the heartbeat. */
  async said(): Promise<string | Buffer> {
    for (;;) {
      const frame = await this.next();
      if (frame !== "2") return frame;
      this.send("3");
    }
  }

  send(...frames: readonly (string | Uint8Array)[]): this {
    for (const frame of frames) this.#socket.send(frame as string);
    return this;
  }

  close(): void {
    this.#socket.close();
  }

  /** Reads the open packet. */
  async sid(): Promise<string> {
    return sidOf(String(await this.next()));
  }
}

export const sidOf = (openPacket: string): string =>
  (JSON.parse(openPacket.slice(openPacket.indexOf("{"))) as { sid: string }).sid;

/** A session on polling, request by request. */
export class Poller {
  readonly url: string;
  private constructor(url: string) {
    this.url = url;
  }

  static async open(served: Served<unknown>, revision: 3 | 4): Promise<Poller> {
    // `b64`: the answers come as text.
    const url = served.url(`EIO=${revision}&transport=polling${revision === 3 ? "&b64=1" : ""}`);
    const answer = await fetch(url);
    return new Poller(`${url}&sid=${sidOf(await answer.text())}`);
  }

  get sid(): string {
    return this.url.slice(-20);
  }

  async get(): Promise<string> {
    return (await fetch(this.url)).text();
  }

  async status(): Promise<number> {
    const answer = await fetch(this.url);
    await answer.arrayBuffer();
    return answer.status;
  }

  async post(body: string | Uint8Array, type = "text/plain;charset=UTF-8"): Promise<string> {
    const answer = await fetch(this.url, { method: "POST", body, headers: { "Content-Type": type } });
    return `${answer.status} ${await answer.text()}`;
  }
}

/** Resolves once a poll, or a POST whose body is still coming, of some client is pending at the server: what is sent after it comes after it. */
export async function pending(gateway: Gateway<unknown>, what: "poll" | "post"): Promise<void> {
  const isThere = ({ polling }: Client<unknown>): boolean =>
    what === "poll" ? polling?.isPolled === true : polling?.post !== undefined;
  while (![...gateway.connections()].some((one) => isThere(one as Client<unknown>)))
    await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves once it is closed, by a reset as well: a server that closes before it has read all that came sends one. */
export async function ended(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("close", resolve));
}

/** Sends bytes on a bare TCP connection; resolves with everything that came until the server closed it. */
export async function raw(port: number, text: string | Uint8Array): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  let answer = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  await ended(socket);
  return answer;
}
