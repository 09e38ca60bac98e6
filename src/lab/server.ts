// Gives a fake vendor an endpoint: TLS with ALPN, HTTP/2 or HTTP/1.1, a record of every request, and on demand the misbehaviour
// of servers and networks.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Certified } from "./authority.ts";
import type { FakeReply, FakeRequest, FakeVendor } from "./fake.ts";

/** What a server or the network does instead of what the vendor would. */
export type Fault =
  | { readonly kind: "reply"; readonly reply: FakeReply }
  /** The vendor's own answer, later. */
  | { readonly kind: "slow"; readonly milliseconds: number }
  /** No answer. */
  | { readonly kind: "never" }
  /** Headers, and then a body that never ends. */
  | { readonly kind: "unfinished" }
  /** A body of so many bytes. */
  | { readonly kind: "endless"; readonly bytes: number }
  /** HTTP/2: RST_STREAM with this code. HTTP/1.1: the connection is cut. */
  | { readonly kind: "reset"; readonly code: number }
  /** The vendor accepts, but its answer is lost with the connection. */
  | { readonly kind: "cut" }
  /**
   * HTTP/2: GOAWAY after this stream, with the vendor's reason; requests up to this one are answered, later ones are not.
   * `graceful`: all that are on their way are answered. HTTP/1.1: answered with `connection: close`.
   */
  | { readonly kind: "goaway"; readonly code: number; readonly reason?: string; readonly graceful?: true };

export interface Rule {
  /** Which requests; all of them without it. */
  readonly match?: (request: FakeRequest) => boolean;
  /** So many of these pass first. */
  readonly skip?: number;
  /** Then so many are hit; 1 without it. */
  readonly times?: number;
  readonly fault: Fault;
}

export interface ServeOptions {
  readonly certificate: Certified;
  /** PEM of the authority whose client certificates are looked at. */
  readonly ca?: string;
  readonly host?: string;
  readonly port?: number;
  readonly now: () => number;
  /** Concurrent streams: as APNs has it, few until a first request succeeded on the connection. */
  readonly streams?: { readonly first: number; readonly full: number };
  /** How many requests are kept for inspection; all of them without it. */
  readonly keep?: number;
  readonly onRequest?: (request: FakeRequest, reply: FakeReply | undefined) => void;
}

export interface LabServer {
  readonly vendor: FakeVendor;
  readonly url: string;
  /** Every request, or the newest `keep`, in order of arrival. */
  readonly requests: FakeRequest[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** The most requests that were in progress together. */
  readonly peak: number;
  misbehave(rule: Rule): void;
  close(): Promise<void>;
}

const BODY_LIMIT = 10_000_000;

export async function serve(vendor: FakeVendor, options: ServeOptions): Promise<LabServer> {
  const standing = new Standing(vendor, options);
  await standing.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  return standing;
}

/** Answers one request, over whichever protocol it came. */
interface Answerer {
  reply(reply: FakeReply): void;
  unfinished(): void;
  endless(bytes: number): void;
  reset(code: number): void;
  cut(): void;
  goaway(fault: Extract<Fault, { kind: "goaway" }>, reply: FakeReply): void;
}

interface ActiveRule {
  readonly rule: Rule;
  skip: number;
  left: number;
}

class Standing implements LabServer {
  readonly vendor: FakeVendor;
  readonly requests: FakeRequest[] = [];
  url = "";
  connections = 0;
  peak = 0;
  readonly #options: ServeOptions;
  readonly #server: Http2SecureServer | Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #rules: ActiveRule[] = [];
  /** The last stream that is answered, on connections that said GOAWAY. */
  readonly #last = new WeakMap<Http2Session, number>();
  /** Connections that have had a success. */
  readonly #welcomed = new WeakSet<Http2Session>();
  #current = 0;

  constructor(vendor: FakeVendor, options: ServeOptions) {
    this.vendor = vendor;
    this.#options = options;
    const tls = {
      ...options.certificate,
      ...(options.ca === undefined ? {} : { ca: options.ca, requestCert: true, rejectUnauthorized: false }),
    };
    if (vendor.http2) {
      const settings = options.streams === undefined ? {} : { maxConcurrentStreams: options.streams.first };
      // Apple refuses HTTP/1.1; the others take both.
      const server = createSecureServer({ ...tls, allowHTTP1: vendor.name !== "apns", settings });
      server.on("request", (request: Http2ServerRequest | IncomingMessage, response: Http2ServerResponse) => {
        if (request.httpVersionMajor === 2) this.#onStream((request as Http2ServerRequest).stream, request.headers);
        else this.#onRequest(request as IncomingMessage, response as unknown as ServerResponse);
      });
      server.on("sessionError", () => undefined);
      this.#server = server;
    } else {
      this.#server = createServer({ ...tls, ALPNProtocols: ["http/1.1"] }, (request, response) => {
        this.#onRequest(request, response);
      });
    }
    this.#server.on("secureConnection", () => this.connections++);
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("tlsClientError", () => undefined);
  }

  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, resolve);
    });
    this.url = `https://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  misbehave(rule: Rule): void {
    this.#rules.push({ rule, skip: rule.skip ?? 0, left: rule.times ?? 1 });
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on("error", () => undefined);
    const { session } = stream;
    if (session === undefined) return;
    this.#begin(stream);
    readBody(stream, (body) => {
      // The connection may have been cut since the request began.
      if (session.destroyed || (stream.id ?? 0) > (this.#last.get(session) ?? Number.POSITIVE_INFINITY)) return;
      const request = toRequest(
        String(headers[":method"]),
        String(headers[":path"]),
        headers,
        body,
        2,
        session.socket as TLSSocket,
      );
      const respond = (reply: FakeReply) => {
        if (stream.destroyed || stream.closed) return;
        stream.respond({ ":status": reply.status, ...reply.headers }, { endStream: !reply.body });
        if (reply.body) stream.end(reply.body);
        const { streams } = this.#options;
        if (streams !== undefined && reply.status === 200 && !this.#welcomed.has(session)) {
          this.#welcomed.add(session);
          session.settings({ maxConcurrentStreams: streams.full });
        }
      };
      this.#serve(request, {
        reply: respond,
        unfinished: () => {
          stream.respond({ ":status": 200 });
          stream.write("{");
        },
        endless: (bytes) => {
          stream.respond({ ":status": 200 });
          stream.end(Buffer.alloc(bytes, " "));
        },
        reset: (code) => stream.close(code),
        cut: () => this.#cut(session.socket?.remotePort),
        goaway: ({ code, reason, graceful }, reply) => {
          const last = graceful ? 2 ** 31 - 1 : (stream.id ?? 0);
          this.#last.set(session, last);
          session.goaway(code, last, reason === undefined ? undefined : Buffer.from(JSON.stringify({ reason })));
          if (code === 0) respond(reply);
        },
      });
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    response.on("error", () => undefined);
    this.#begin(response);
    const { socket } = request;
    readBody(request, (body) => {
      const { method = "GET", url = "/", headers } = request;
      this.#serve(toRequest(method, url, headers, body, 1, socket as TLSSocket), {
        reply: (reply) => {
          response.writeHead(reply.status, reply.headers);
          response.end(reply.body);
        },
        unfinished: () => {
          response.writeHead(200);
          response.write("{");
        },
        endless: (bytes) => {
          response.writeHead(200);
          response.end(Buffer.alloc(bytes, " "));
        },
        reset: () => socket.destroy(),
        cut: () => this.#cut(socket.remotePort),
        goaway: (_fault, reply) => {
          response.writeHead(reply.status, { ...reply.headers, connection: "close" });
          response.end(reply.body);
        },
      });
    });
  }

  /** Resets the connection below TLS and HTTP. */
  #cut(port: number | undefined): void {
    for (const socket of this.#sockets) if (socket.remotePort === port) socket.resetAndDestroy();
  }

  #begin(source: NodeJS.EventEmitter): void {
    this.#current++;
    this.peak = Math.max(this.peak, this.#current);
    source.once("close", () => this.#current--);
  }

  #serve(request: FakeRequest, answerer: Answerer): void {
    this.requests.push(request);
    if (this.requests.length > (this.#options.keep ?? Number.POSITIVE_INFINITY)) this.requests.shift();
    const fault = this.#fault(request);
    const decide = () => {
      const reply = this.#decide(request);
      this.#options.onRequest?.(request, reply);
      return reply;
    };
    if (fault !== undefined && fault.kind !== "slow" && fault.kind !== "cut" && fault.kind !== "goaway") {
      this.#options.onRequest?.(request, undefined);
    }
    if (fault === undefined) {
      const reply = decide();
      if (reply.ends === undefined) answerer.reply(reply);
      else answerer.goaway({ kind: "goaway", ...reply.ends }, reply);
    } else this.#misbehave(fault, answerer, decide);
  }

  /** A fault of the fake's own shows as one of the server's. */
  #decide(request: FakeRequest): FakeReply {
    try {
      return this.vendor.handle(request, this.#options.now());
    } catch (error) {
      return { status: 500, body: `lab: ${error instanceof Error ? error.message : "?"}` };
    }
  }

  #misbehave(fault: Fault, answerer: Answerer, decide: () => FakeReply): void {
    switch (fault.kind) {
      case "slow": {
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          answerer.reply(decide());
        }, fault.milliseconds);
        this.#timers.add(timer);
        break;
      }
      case "never":
        break;
      case "reply":
        answerer.reply(fault.reply);
        break;
      case "unfinished":
        answerer.unfinished();
        break;
      case "endless":
        answerer.endless(fault.bytes);
        break;
      case "reset":
        answerer.reset(fault.code);
        break;
      case "cut":
        decide();
        answerer.cut();
        break;
      case "goaway":
        answerer.goaway(fault, decide());
        break;
    }
  }

  #fault(request: FakeRequest): Fault | undefined {
    for (const active of this.#rules) {
      if (active.left === 0 || !(active.rule.match?.(request) ?? true)) continue;
      if (active.skip > 0) {
        active.skip--;
        continue;
      }
      active.left--;
      return active.rule.fault;
    }
    return undefined;
  }
}

/** RST_STREAM codes for rules. */
export const REFUSED_STREAM = constants.NGHTTP2_REFUSED_STREAM;
export const INTERNAL_ERROR = constants.NGHTTP2_INTERNAL_ERROR;

function readBody(source: NodeJS.ReadableStream, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  source.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk);
  });
  source.on("end", () => done(Buffer.concat(chunks)));
}

function toRequest(
  method: string,
  target: string,
  fields: IncomingHttpHeaders,
  body: Buffer,
  http: 1 | 2,
  socket: TLSSocket,
): FakeRequest {
  const url = new URL(target, "https://lab");
  const authority = fields[":authority"];
  const headers: Record<string, string> = typeof authority === "string" ? { host: authority } : {};
  for (const [name, value] of Object.entries(fields)) {
    if (!name.startsWith(":") && value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  const request = { method, path: url.pathname, query: url.searchParams, headers, body, http };
  const shown = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  return shown === undefined ? request : { ...request, clientCertificate: shown.toString() };
}
