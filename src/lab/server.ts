// Gives a fake vendor an endpoint: a record of every request, and on demand the misbehaviour of servers and networks.
import type { IncomingHttpHeaders } from "node:http";
import { constants } from "node:http2";
import type { TLSSocket } from "node:tls";
import { type Answerer, answerHttp1, type GoingAway, Http2Answers } from "./answerer.ts";
import type { Certified } from "./authority.ts";
import type { FakeReply, FakeRequest, FakeVendor } from "./fake.ts";
import { type Connection, type ConnectionFault, Listener } from "./listener.ts";

/** What a server or the network does instead of what the vendor would. */
export type Fault =
  | { readonly kind: "reply"; readonly reply: FakeReply }
  /** The vendor refuses its own way: a kind that its fake's `fail` knows. */
  | { readonly kind: "own"; readonly failure: string }
  /** All credentials that the vendor has issued are good no longer, this request's among them. */
  | { readonly kind: "revoked" }
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
  /** The vendor accepts, but its answer is lost with the connection: TCP is reset before it, or (`torn`) in the middle of it. */
  | { readonly kind: "cut" | "torn" }
  /** No byte comes or goes any more, not even for a PING, and the connection stays. Only where connections are `interposed`. */
  | { readonly kind: "black-hole" }
  /** Answered; HTTP/2: this connection's PINGs are not, from then on. Only where connections are `interposed`. */
  | { readonly kind: "no-ping" }
  /** Answered; HTTP/2: SETTINGS allow this connection so many streams from then on. */
  | { readonly kind: "settings"; readonly streams: number }
  /**
   * HTTP/2: GOAWAY after this stream, with the vendor's reason; requests up to this one are answered, later ones are not.
   * `graceful`: all that are on their way are answered; `silent`: none is. HTTP/1.1: answered with `connection: close`.
   */
  | ({ readonly kind: "goaway" } & GoingAway)
  /** Answered; with the so many-th answer on a connection that is a refusal (HTTP 4xx), the server goes away. */
  | { readonly kind: "intolerant"; readonly refusals: number }
  /** Of connections, not of requests: the handshake fails, or one protocol is not spoken. */
  | { readonly kind: ConnectionFault };

export interface Rule {
  /** Which requests; all of them without it. */
  readonly match?: (request: FakeRequest) => boolean;
  /** So many of these pass first. */
  readonly skip?: number;
  /** Then so many are hit; 1 without it. */
  readonly times?: number;
  /** By the server's clock; from then on the rule is void. */
  readonly until?: number;
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
  /** Connections can fall silent (`black-hole`, `no-ping`), which costs them speed. */
  readonly interposed?: boolean;
  /** How many requests are kept for inspection; all of them without it. */
  readonly keep?: number;
  readonly onRequest?: (request: FakeRequest, reply: FakeReply | undefined) => void;
}

export interface LabServer {
  readonly vendor: FakeVendor;
  readonly url: string;
  /** Every request, or the newest `keep`, in order of arrival. */
  readonly requests: FakeRequest[];
  /** TCP connections so far. */
  readonly attempts: number;
  /** Those among them that got as far as HTTP. */
  readonly connections: number;
  /** The most requests that were in progress together. */
  readonly peak: number;
  misbehave(rule: Rule): void;
  /** Forgets all rules. What they have done to connections stays. */
  behave(): void;
  close(): Promise<void>;
}

const BODY_LIMIT = 10_000_000;
const OF_CONNECTIONS: readonly string[] = ["no-tls", "no-h1", "no-h2"] satisfies readonly ConnectionFault[];

export async function serve(vendor: FakeVendor, options: ServeOptions): Promise<LabServer> {
  const standing = new Standing(vendor, options);
  await standing.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  return standing;
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
  peak = 0;
  readonly #options: ServeOptions;
  readonly #listener: Listener;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Where that is counted. */
  readonly #refusals = new WeakMap<Connection, number>();
  #rules: ActiveRule[] = [];
  #current = 0;

  constructor(vendor: FakeVendor, options: ServeOptions) {
    this.vendor = vendor;
    this.#options = options;
    const { ca, certificate, streams } = options;
    const http2 = new Http2Answers(streams?.full);
    this.#listener = new Listener({
      tls: { ...certificate, ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: false }) },
      protocols: vendor.http2Only ? ["h2"] : vendor.http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      ...(streams === undefined ? {} : { streams: streams.first }),
      interposed: options.interposed ?? false,
      fault: () =>
        this.#fault(({ kind }) => OF_CONNECTIONS.includes(kind), undefined)?.kind as ConnectionFault | undefined,
      onStream: (stream, headers, connection) => {
        this.#begin(stream);
        readBody(stream, (body) => {
          const answerer = http2.to(stream, connection);
          if (answerer === undefined) return;
          const { ":method": method, ":path": path } = headers;
          this.#serve(toRequest(String(method), String(path), headers, body, 2, connection.tls), answerer, connection);
        });
      },
      onRequest: (request, response, connection) => {
        response.on("error", () => undefined);
        this.#begin(response);
        readBody(request, (body) => {
          const { method = "GET", url = "/", headers } = request;
          const answerer = answerHttp1(request, response, connection);
          this.#serve(toRequest(method, url, headers, body, 1, connection.tls), answerer, connection);
        });
      },
    });
  }

  get attempts(): number {
    return this.#listener.attempts;
  }

  get connections(): number {
    return this.#listener.connections;
  }

  async listen(port: number, host: string): Promise<void> {
    this.url = await this.#listener.listen(port, host);
  }

  misbehave(rule: Rule): void {
    const { kind } = rule.fault;
    if ((kind === "black-hole" || kind === "no-ping") && this.#options.interposed !== true)
      throw new Error(`${kind} needs connections that are interposed`);
    this.#rules.push({ rule, skip: rule.skip ?? 0, left: rule.times ?? 1 });
  }

  behave(): void {
    this.#rules = [];
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#listener.close();
  }

  #begin(source: NodeJS.EventEmitter): void {
    this.#current++;
    this.peak = Math.max(this.peak, this.#current);
    source.once("close", () => this.#current--);
  }

  #serve(request: FakeRequest, answerer: Answerer, connection: Connection): void {
    this.requests.push(request);
    if (this.requests.length > (this.#options.keep ?? Number.POSITIVE_INFINITY)) this.requests.shift();
    const fault = this.#fault(({ kind }) => !OF_CONNECTIONS.includes(kind), request);
    const decide = () => {
      const reply = this.#decide(request);
      this.#options.onRequest?.(request, reply);
      return reply;
    };
    if (fault === undefined) {
      const reply = decide();
      if (reply.ends === undefined) answerer.reply(reply);
      else answerer.goaway(reply.ends, reply);
    } else this.#misbehave(fault, request, answerer, connection, decide);
  }

  /** A fault of the fake's own shows as one of the server's. */
  #decide(request: FakeRequest): FakeReply {
    try {
      return this.vendor.handle(request, this.#options.now());
    } catch (error) {
      return { status: 500, body: `lab: ${error instanceof Error ? error.message : "?"}` };
    }
  }

  #misbehave(
    fault: Fault,
    request: FakeRequest,
    answerer: Answerer,
    connection: Connection,
    decide: () => FakeReply,
  ): void {
    const { cut, interposed } = connection;
    /** The vendor never saw the request. */
    const unseen = () => this.#options.onRequest?.(request, undefined);
    switch (fault.kind) {
      case "slow": {
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          answerer.reply(decide());
        }, fault.milliseconds);
        this.#timers.add(timer);
        return;
      }
      case "own":
        this.vendor.fail(fault.failure, 1);
        return answerer.reply(decide());
      case "revoked":
        if (this.vendor.login === undefined) this.vendor.fail("expired-credential", 1);
        else this.vendor.login.revoke();
        return answerer.reply(decide());
      case "settings":
        answerer.limit(fault.streams);
        return answerer.reply(decide());
      case "no-ping":
        interposed?.losePings();
        return answerer.reply(decide());
      case "torn":
        return answerer.torn(decide());
      case "cut":
        decide();
        return cut();
      case "goaway":
        return answerer.goaway(fault, decide());
      case "intolerant": {
        const reply = decide();
        const refusals = (this.#refusals.get(connection) ?? 0) + (reply.status >= 400 && reply.status < 500 ? 1 : 0);
        this.#refusals.set(connection, refusals);
        return refusals < fault.refusals ? answerer.reply(reply) : answerer.goaway({ code: 0 }, reply);
      }
      case "black-hole":
        interposed?.silence();
        return unseen();
      case "never":
        return unseen();
      case "reply":
        unseen();
        return answerer.reply(fault.reply);
      case "unfinished":
        unseen();
        return answerer.unfinished();
      case "endless":
        unseen();
        return answerer.endless(fault.bytes);
      case "reset":
        unseen();
        return answerer.reset(fault.code);
    }
  }

  /** Of a request, or of a connection. */
  #fault(concerns: (fault: Fault) => boolean, request: FakeRequest | undefined): Fault | undefined {
    const now = this.#options.now();
    for (const active of this.#rules) {
      const { fault, match, until = Number.POSITIVE_INFINITY } = active.rule;
      if (!concerns(fault) || active.left === 0 || now >= until) continue;
      if (request !== undefined && !(match?.(request) ?? true)) continue;
      if (active.skip > 0) {
        active.skip--;
        continue;
      }
      active.left--;
      return fault;
    }
    return undefined;
  }
}

/** RST_STREAM codes for rules. */
export const REFUSED_STREAM = constants.NGHTTP2_REFUSED_STREAM;
export const INTERNAL_ERROR = constants.NGHTTP2_INTERNAL_ERROR;
/** The code of a GOAWAY that APNs sends to whom it wants no more of. */
export const ENHANCE_YOUR_CALM = constants.NGHTTP2_ENHANCE_YOUR_CALM;

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
