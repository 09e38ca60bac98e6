// Where a fake vendor listens: TCP, TLS with ALPN, then HTTP/1.1 or HTTP/2, each of which can be made to fail.
import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTls, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls";
import { Interposed } from "./interposed.ts";

/** What a connection meets instead of what was agreed: no TLS at all, or one protocol less to choose from. */
export type ConnectionFault = "no-tls" | "no-h1" | "no-h2";

export interface Connection {
  readonly tls: TLSSocket;
  /** Where connections pass through our hands. */
  readonly interposed?: Interposed;
  /** Resets it below TLS and HTTP. */
  cut(): void;
}

export interface ListenerOptions {
  readonly tls: TlsOptions;
  readonly protocols: readonly Protocol[];
  /** HTTP/2: SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly streams?: number;
  /** Connections can fall silent, which costs them speed. */
  readonly interposed: boolean;
  /** Asked for each connection. */
  readonly fault: () => ConnectionFault | undefined;
  readonly onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: Connection) => void;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse, connection: Connection) => void;
}

type Protocol = "h2" | "http/1.1";

/** TLS 1.2, a fatal alert: handshake_failure. */
const ALERT = Buffer.from([0x15, 3, 3, 0, 2, 2, 40]);

export class Listener {
  /** TCP connections so far, and those among them that got as far as HTTP. */
  attempts = 0;
  connections = 0;
  readonly #options: ListenerOptions;
  readonly #front = createServer((socket) => this.#accept(socket));
  readonly #tls = new Map<string, TlsServer>();
  readonly #http1 = createHttp1();
  readonly #http2: Http2Server;
  readonly #sockets = new Set<Socket>();
  /** Of HTTP/2 sessions and HTTP/1.1 sockets. */
  readonly #connected = new WeakMap<object, Connection>();

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { streams } = options;
    this.#http2 = createHttp2({ settings: streams === undefined ? {} : { maxConcurrentStreams: streams } });
    this.#http2.on("sessionError", () => undefined);
    this.#http2.on("stream", (stream, headers) => {
      stream.on("error", () => undefined); // that of a connection which has just ended too
      const { session } = stream;
      const connection = session && this.#connected.get(session);
      if (connection !== undefined) options.onStream(stream, headers, connection);
    });
    this.#http1.on("request", (request, response) => {
      const connection = this.#connected.get(request.socket);
      if (connection !== undefined) options.onRequest(request, response, connection);
    });
  }

  /** Resolves with the URL. Rejects when the port is taken. */
  async listen(port: number, host: string): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#front.once("error", reject);
      this.#front.listen(port, host, resolve);
    });
    return `https://${host}:${(this.#front.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#front.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    this.attempts++;
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    const fault = this.#options.fault();
    if (fault === "no-tls") {
      socket.once("data", () => socket.end(ALERT));
      return;
    }
    const left = this.#options.protocols.filter((name) => name !== (fault === "no-h2" ? "h2" : fault && "http/1.1"));
    this.#tlsFor(left).emit("connection", socket);
  }

  /** Whoever offers none of these is refused with an alert. */
  #tlsFor(protocols: readonly Protocol[]): TlsServer {
    const key = protocols.join();
    let server = this.#tls.get(key);
    if (server === undefined) {
      // A list without names would be none: everything would be agreed to.
      const names = protocols.length === 0 ? ["none"] : [...protocols];
      server = createTls({ ...this.#options.tls, ALPNProtocols: names }, (tls) => this.#secured(tls, protocols));
      server.on("tlsClientError", () => undefined);
      this.#tls.set(key, server);
    }
    return server;
  }

  #secured(tls: TLSSocket, protocols: readonly Protocol[]): void {
    tls.on("error", () => undefined);
    const http2 = tls.alpnProtocol === "h2";
    if (!http2 && !protocols.includes("http/1.1")) return void tls.destroy();
    this.connections++;
    const { remotePort } = tls;
    const interposed = this.#options.interposed ? new Interposed(tls, http2) : undefined;
    const connection: Connection = {
      tls,
      ...(interposed === undefined ? {} : { interposed }),
      cut: () => {
        for (const socket of this.#sockets) if (socket.remotePort === remotePort) socket.resetAndDestroy();
      },
    };
    const socket = interposed ?? tls;
    if (!http2) {
      this.#connected.set(socket, connection);
      this.#http1.emit("connection", socket);
      return;
    }
    this.#http2.once("session", (session: Http2Session) => this.#connected.set(session, connection));
    this.#http2.emit("connection", socket);
  }
}
