// The way to one host: connections, timeouts, and a bound on what is in flight. undici is at home here.
import { isIPv6 } from "node:net";
import { createSecureContext, rootCertificates } from "node:tls";
import type { Dispatcher } from "undici";
import { Pool, ProxyAgent } from "undici";
import { type Debug, NO_DEBUG } from "../core/debug.ts";
import { HOUR } from "../core/time.ts";
import type { AppId } from "../core/vendor.ts";
import { publicAddress, publicLookup } from "../http/public.ts";
import { trusting } from "../http/trust.ts";
import type { CommonApp, HttpReply, HttpRequest, Transport } from "./dialect.ts";
import type { Signatures } from "./signatures.ts";

export interface Network {
  /** JWTs that are made seldom: shared by the vendors of a process, one after the other as it is reloaded. */
  readonly signatures?: Signatures;
  /** PEM certificates to trust besides the usual ones. */
  readonly ca?: string;
  /** URL of an HTTP proxy for vendor traffic. */
  readonly proxy?: string;
  readonly debug?: Debug;
}

const BODY_LIMIT = 1_000_000;
/** So many requests in a row without an answer, for longer than one may take: the connections may be beyond repair. */
const HOPELESS = 20;

/** Opens no connection before it is used. `lost` is called when its last connection is gone. */
function dispatcher(
  origin: string,
  transport: Transport,
  app: CommonApp,
  network: Network,
  lost: () => void,
): Dispatcher {
  const { ca, proxy } = network;
  // One context for all connections: parsing the list of authorities takes milliseconds.
  const secureContext =
    app.tls === undefined
      ? trusting(ca)
      : createSecureContext({ ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }), ...app.tls });
  const tls = {
    secureContext,
    allowH2: transport.http2,
    preferH2: transport.http2,
    timeout: Math.min(10_000, transport.timeout),
    ...(app.publicOnly === true ? { lookup: publicLookup } : {}),
  };
  const options = {
    connections: transport.connections,
    allowH2: transport.http2,
    pipelining: 1,
    headersTimeout: transport.timeout,
    bodyTimeout: transport.timeout,
    // An idle connection closed after seconds means a TLS handshake per push, which Apple takes for an attack.
    keepAliveTimeout: transport.http2 ? HOUR : 30_000,
    keepAliveMaxTimeout: transport.http2 ? HOUR : 60_000,
    ...(transport.http2 ? { h2Options: { maxConcurrentStreams: transport.streams, pingInterval: 60_000 } } : {}),
  };
  const pool = (to: string | URL, own: Pool.Options): Pool => {
    const made = new Pool(to, own);
    return made.on("disconnect", () => {
      if (made.stats.connected === 0) lost();
    });
  };
  if (proxy === undefined) return pool(origin, { ...options, connect: tls });
  const Tunnels = app.publicOnly === true && app.vouched !== true ? PublicTunnels : Pool;
  return new ProxyAgent({
    ...options,
    uri: proxy,
    requestTls: tls,
    connectTimeout: tls.timeout,
    factory: (to, own) => pool(to, own),
    clientFactory: (to, own) => new Tunnels(to, own),
  });
}

/** A proxy would resolve the name by itself, to an address of our own network perhaps: it is told the address that was checked. */
class PublicTunnels extends Pool {
  override async connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> {
    const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(options.path) ?? [];
    const address = await publicAddress(host);
    const path = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
    return await super.connect({ ...options, path, headers: { ...options.headers, host: path } });
  }
}

interface Sharer {
  flying: number;
  readonly waiting: Set<() => void>;
}

/** The way to one host under one account: its connections, and a bound on what is in flight, shared fairly by the apps. */
export class Line {
  readonly #origin: string;
  readonly #transport: Transport;
  readonly #debug: Debug;
  readonly #dispatcher: Dispatcher;
  readonly #sharers = new Map<AppId, Sharer>();
  readonly #limit: number;
  #flying = 0;
  /** Requests since the last answer, and when the first of them failed. */
  #unanswered = 0;
  #since = 0;
  #open: boolean;

  /** @param sharers apps that have equal parts of it */
  constructor(origin: string, transport: Transport, app: CommonApp, network: Network, sharers: number) {
    this.#origin = origin;
    this.#transport = transport;
    this.#debug = network.debug ?? NO_DEBUG;
    this.#dispatcher = dispatcher(origin, transport, app, network, () => {
      if (transport.gate) this.#open = false;
    });
    this.#limit = Math.ceil((transport.connections * transport.streams) / sharers);
    this.#open = !transport.gate;
  }

  /** Nothing is in flight, and nobody waits for a turn. */
  get idle(): boolean {
    return this.#flying === 0 && [...this.#sharers.values()].every(({ waiting }) => waiting.size === 0);
  }

  /** Another line should be taken: an HTTP/2 server may refuse each stream of a connection for as long as that lives. */
  get hopeless(): boolean {
    return this.#unanswered >= HOPELESS && performance.now() - this.#since > this.#transport.timeout * 1.5;
  }

  /** A request succeeded: now as many as the transport allows. */
  open(): void {
    if (this.#open) return;
    this.#open = true;
    this.#admit();
  }

  /** Rejects with Trouble. */
  async ask(app: AppId, request: HttpRequest): Promise<HttpReply> {
    let sharer = this.#sharers.get(app);
    if (sharer === undefined) {
      sharer = { flying: 0, waiting: new Set() };
      this.#sharers.set(app, sharer);
    }
    const own = sharer;
    if (sharer.waiting.size > 0 || !this.#admits(sharer)) await this.#turn(sharer);
    else this.#take(sharer);
    const left = () => {
      own.flying--;
      this.#flying--;
      this.#admit();
    };
    const begun = performance.now();
    try {
      const reply = await exchange(this.#dispatcher, this.#origin, request, this.#transport.timeout, left);
      this.#unanswered = 0;
      if (this.#debug.on) this.#show(app, request, begun, { status: reply.status, received: reply.body.length });
      return reply;
    } catch (error) {
      if (this.#debug.on) this.#show(app, request, begun, { error: error instanceof Error ? error.message : "" });
      if (this.#unanswered++ === 0) this.#since = performance.now();
      throw error;
    }
  }

  /** Resolves when what is in flight is answered. */
  close(): Promise<void> {
    return this.#dispatcher.close();
  }

  /** Not the path: it may hold a token. */
  #show(app: AppId, { method, body }: HttpRequest, begun: number, answer: object): void {
    const ms = Math.round(performance.now() - begun);
    this.#debug.line({ app, origin: this.#origin, method, size: body?.length ?? 0, ms, ...answer }, "vendor asked");
  }

  #admits(sharer: Sharer): boolean {
    return this.#open ? sharer.flying < this.#limit : this.#flying === 0;
  }

  #take(sharer: Sharer): void {
    sharer.flying++;
    this.#flying++;
  }

  #admit(): void {
    for (const sharer of this.#sharers.values()) {
      for (const go of sharer.waiting) {
        if (!this.#admits(sharer)) break;
        sharer.waiting.delete(go);
        this.#take(sharer);
        go();
      }
    }
  }

  /** Waits for a place, not longer than for an answer: those ahead may hang. */
  #turn(sharer: Sharer): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        sharer.waiting.delete(go);
        reject(new Trouble("too many requests are waiting for an answer"));
      }, this.#transport.timeout);
      const go = () => {
        clearTimeout(timer);
        resolve();
      };
      sharer.waiting.add(go);
    });
  }
}

/** The vendor could not be asked, or nobody knows what it did. */
export class Trouble extends Error {}

/**
 * One request, one reply. Rejects with Trouble; settles in any case, within one and a half times the timeout. `finished` is
 * called when the request has left undici, which may be later.
 */
function exchange(
  dispatcher: Dispatcher,
  origin: string,
  request: HttpRequest,
  timeout: number,
  finished: () => void,
): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    const headers: Record<string, string> = {};
    let controller: Dispatcher.DispatchController | undefined;
    let over = false;
    const end = (error?: Error) => {
      over = true;
      clearTimeout(timer);
      if (error) reject(error);
      else resolve({ status, headers, body: chunks.length === 0 ? "" : textOf(chunks) });
    };
    // undici bounds the wait for the headers and between two pieces of the body, not the whole.
    const timer = setTimeout(() => {
      const late = new Trouble(`no complete answer within ${timeout * 1.5} ms`);
      end(late);
      controller?.abort(late);
    }, timeout * 1.5);
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started;
        if (over) started.abort(new Trouble("too late"));
      },
      onResponseStart(_, code, fields) {
        status = code;
        for (const name of Object.keys(fields)) {
          const value = fields[name];
          headers[name] = Array.isArray(value) ? value.join(", ") : (value ?? "");
        }
      },
      onResponseData(_, chunk) {
        if (over) return;
        chunks.push(chunk);
        size += chunk.length;
        if (size <= BODY_LIMIT) return;
        end();
        controller?.abort(new Trouble("the answer is too long"));
      },
      onResponseEnd() {
        if (!over) end();
        finished();
      },
      onResponseError(_, error) {
        if (!over) end(new Trouble(codeOf(error), { cause: error }));
        finished();
      },
    };
    const { method, url, body } = request;
    try {
      dispatcher.dispatch(
        { origin, path: url.slice(origin.length) || "/", method, headers: request.headers, body: body ?? null },
        handler,
      );
    } catch (error) {
      end(error as Error);
      finished();
    }
  });
}

const textOf = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).subarray(0, BODY_LIMIT).toString();

/** undici's and Node's codes say what happened; their texts may quote what was sent. */
function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : error.name;
}
