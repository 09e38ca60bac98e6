// Makes a Provider of a Dialect: everything about the network that vendors have in common, and nothing of what they mean.
// Connections are per host and account, so that no vendor's trouble is felt by another. Nothing is retried here, save once
// with a new credential: the queue does that.
import { createSecureContext, rootCertificates } from "node:tls";
import type { Dispatcher } from "undici";
import { Pool, ProxyAgent } from "undici";
import type { Notification } from "../core/notification.ts";
import type { AppId, Outcome, Provider, Recipient } from "../core/provider.ts";
import { isPrivateHost, publicLookup } from "./address.ts";
import { Credentials } from "./credentials.ts";
import type { Answer, CommonApp, Dialect, HttpReply, HttpRequest, Transport } from "./dialect.ts";
import { Denied, Unsendable } from "./dialect.ts";

export interface Network {
  /** PEM certificates to trust besides the usual ones. */
  readonly ca?: string;
  /** URL of an HTTP proxy for vendor traffic. */
  readonly proxy?: string;
}

const BODY_LIMIT = 1_000_000;
const HOUR = 3_600_000;
/** Hosts that devices choose are many: so many lines are kept, the longest unused are closed. */
const LINES = 256;
/** Tokens remembered to be reached by another than their first route. */
const DETOURS = 10_000;

export function provider<App extends CommonApp>(
  dialect: Dialect<App>,
  apps: readonly App[],
  network: Network = {},
): Provider {
  const client = new Client(dialect, apps, network);
  return {
    name: dialect.name,
    batch: dialect.batch,
    parallel: dialect.transport.connections * dialect.transport.streams,
    apps: apps.map(({ app }) => app),
    send: (app, note, to, now) => client.send(app, note, to, now),
    close: () => client.close(),
  };
}

class Client<App extends CommonApp> {
  readonly #dialect: Dialect<App>;
  readonly #network: Network;
  readonly #apps: ReadonlyMap<AppId, App>;
  readonly #credentials: Credentials<App>;
  readonly #lines = new Map<string, Line>();
  /** The route that worked for a token, where it was not the first: sandbox tokens cost Apple's patience only once. */
  readonly #detours = new Map<string, number>();
  readonly #sending = new Set<Promise<unknown>>();
  #closed = false;

  constructor(dialect: Dialect<App>, apps: readonly App[], network: Network) {
    this.#dialect = dialect;
    this.#network = network;
    this.#apps = new Map(apps.map((app) => [app.app, app]));
    this.#credentials = new Credentials(dialect, (app) => async (request) => {
      const requester: CommonApp = { app: app.app, account: `${app.account} credential`, baseUrl: app.baseUrl };
      return this.#line(requester, request.url, EXCHANGE).ask(app.app, request);
    });
  }

  async send(appId: AppId, note: Notification, to: readonly Recipient[], now: number): Promise<readonly Outcome[]> {
    const { name, batch } = this.#dialect;
    if (this.#closed) return all(to, { kind: "retry", reason: `${name}: the server is stopping` });
    const app = this.#apps.get(appId);
    if (app === undefined) return all(to, { kind: "refused", reason: `${name}: ${appId} is not configured` });
    const requests: Promise<readonly Outcome[]>[] = [];
    for (let from = 0; from < to.length; from += batch) {
      requests.push(this.#deliver(app, note, to.slice(from, from + batch), now));
    }
    const sending = Promise.all(requests);
    this.#sending.add(sending);
    const outcomes = await sending;
    this.#sending.delete(sending);
    return outcomes.length === 1 ? outcomes[0]! : outcomes.flat();
  }

  /** Waits for what is being sent, which timeouts bound. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#sending);
    await Promise.all([...this.#lines.values()].map((line) => line.close()));
    this.#lines.clear();
  }

  /** One request's worth of recipients, by the route that reaches them. */
  async #deliver(app: App, note: Notification, to: readonly Recipient[], now: number): Promise<readonly Outcome[]> {
    try {
      const first = to[0]!.token;
      const routes = this.#dialect.route?.(app, first) ?? [app];
      const start = this.#detours.get(first) ?? 0;
      let outcomes: readonly Outcome[] | undefined;
      for (let tried = 0; tried < routes.length; tried++) {
        const index = (start + tried) % routes.length;
        const answers = await this.#ask(routes[index]!, note, to, now);
        const elsewhere = answers.some(({ kind }) => kind === "elsewhere");
        const here = answers.map((answer) => (answer.kind === "elsewhere" ? answer.outcome : answer));
        if (!elsewhere) {
          if (here[0]?.kind === "accepted") this.#remember(first, index, start);
          return here;
        }
        // A dead token outweighs a credential that does not cover the other route.
        outcomes = outcomes?.map((outcome, i) => (here[i]!.kind === "gone" ? here[i]! : outcome)) ?? here;
      }
      return outcomes!;
    } catch (error) {
      return all(to, failure(this.#dialect.name, error));
    }
  }

  #remember(token: string, index: number, start: number): void {
    if (index === start) return;
    this.#detours.delete(token);
    if (index > 0) this.#detours.set(token, index);
    if (this.#detours.size > DETOURS) this.#detours.delete(this.#detours.keys().next().value!);
  }

  /** Asks with the account's credential, and once more with a new one where that was denied. */
  async #ask(app: App, note: Notification, to: readonly Recipient[], now: number): Promise<readonly Answer[]> {
    const credential = await this.#credentials.get(app, now);
    const answers = await this.#exchange(app, note, to, credential, now);
    if (!answers.some(({ kind }) => kind === "denied")) return answers;
    const renewed = await this.#credentials.renew(app, credential, now);
    if (renewed === undefined) return answers;
    const denied = to.filter((_, i) => answers[i]!.kind === "denied");
    const again = (await this.#exchange(app, note, denied, renewed, now))[Symbol.iterator]();
    return answers.map((answer) => (answer.kind === "denied" ? (again.next().value ?? answer) : answer));
  }

  async #exchange(
    app: App,
    note: Notification,
    to: readonly Recipient[],
    credential: string,
    now: number,
  ): Promise<readonly Answer[]> {
    const request = this.#dialect.encode(app, note, to, credential, now);
    const line = this.#line(app, request.url, this.#dialect.transport);
    const reply = await line.ask(app.app, request);
    const answers = this.#decode(app, reply, to, now);
    if (answers.some(({ kind }) => kind === "accepted")) line.open();
    return answers;
  }

  /** What a vendor answers may be anything: even a fault of ours in reading it must not take the process along. */
  #decode(app: App, reply: HttpReply, to: readonly Recipient[], now: number): readonly Answer[] {
    const odd = { kind: "retry", reason: `${reply.status}, an answer that makes no sense` } as const;
    try {
      const answers = this.#dialect.decode(app, reply, to, now);
      return to.map((_, i) => answers[i] ?? odd);
    } catch {
      return all(to, odd);
    }
  }

  #line(app: CommonApp, url: string, transport: Transport): Line {
    const { origin, hostname } = new URL(url);
    const publicOnly = app.publicOnly === true;
    if (publicOnly && isPrivateHost(hostname))
      throw new Unsendable(`${this.#dialect.name}: ${hostname} is not a public address`);
    const key = `${origin} ${app.account} ${publicOnly}`;
    let line = this.#lines.get(key);
    if (line === undefined)
      line = new Line(origin, transport, dispatcher(origin, transport, app, this.#network), this.#sharers(app));
    else this.#lines.delete(key);
    this.#lines.set(key, line);
    if (this.#lines.size > LINES) this.#closeIdle();
    return line;
  }

  /** How many apps share the line: one whose requests hang takes no more than its part. Routes differ in account, not in app. */
  #sharers({ app }: CommonApp): number {
    const account = this.#apps.get(app)?.account;
    return [...this.#apps.values()].filter((other) => other.account === account).length;
  }

  #closeIdle(): void {
    for (const [key, line] of this.#lines) {
      if (!line.idle) continue;
      this.#lines.delete(key);
      void line.close();
      return;
    }
  }
}

const EXCHANGE: Transport = { http2: true, connections: 1, streams: 10, timeout: 10_000, gate: false };

function dispatcher(origin: string, transport: Transport, app: CommonApp, network: Network): Dispatcher {
  const { ca, proxy } = network;
  // One context for all connections: parsing the list of authorities takes milliseconds.
  const secureContext = createSecureContext({
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
    ...(app.tls === undefined ? {} : app.tls),
  });
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
  return proxy === undefined
    ? new Pool(origin, { ...options, connect: tls })
    : new ProxyAgent({ ...options, uri: proxy, requestTls: tls, connectTimeout: tls.timeout });
}

interface Lane {
  flying: number;
  readonly waiting: Set<() => void>;
}

/** The way to one host under one account: its connections, and a bound on what is in flight, shared fairly by the apps. */
class Line {
  readonly #origin: string;
  readonly #transport: Transport;
  readonly #dispatcher: Dispatcher;
  readonly #lanes = new Map<AppId, Lane>();
  readonly #limit: number;
  #flying = 0;
  #open: boolean;

  constructor(origin: string, transport: Transport, dispatcher: Dispatcher, sharers: number) {
    this.#origin = origin;
    this.#transport = transport;
    this.#dispatcher = dispatcher;
    this.#limit = Math.ceil((transport.connections * transport.streams) / sharers);
    this.#open = !transport.gate;
    if (transport.gate && dispatcher instanceof Pool) {
      dispatcher.on("disconnect", () => {
        if (dispatcher.stats.connected === 0) this.#open = false;
      });
    }
  }

  get idle(): boolean {
    return this.#flying === 0 && [...this.#lanes.values()].every(({ waiting }) => waiting.size === 0);
  }

  /** A request succeeded: now as many as the transport allows. */
  open(): void {
    if (this.#open) return;
    this.#open = true;
    this.#admit();
  }

  /** Rejects with Trouble. */
  async ask(app: AppId, request: HttpRequest): Promise<HttpReply> {
    let lane = this.#lanes.get(app);
    if (lane === undefined) {
      lane = { flying: 0, waiting: new Set() };
      this.#lanes.set(app, lane);
    }
    const own = lane;
    if (lane.waiting.size > 0 || !this.#admits(lane)) await this.#turn(lane);
    else this.#take(lane);
    return exchange(this.#dispatcher, this.#origin, request, this.#transport.timeout, () => {
      own.flying--;
      this.#flying--;
      this.#admit();
    });
  }

  close(): Promise<void> {
    return this.#dispatcher.close();
  }

  #admits(lane: Lane): boolean {
    return this.#open ? lane.flying < this.#limit : this.#flying === 0;
  }

  #take(lane: Lane): void {
    lane.flying++;
    this.#flying++;
  }

  #admit(): void {
    for (const lane of this.#lanes.values()) {
      for (const go of lane.waiting) {
        if (!this.#admits(lane)) break;
        lane.waiting.delete(go);
        this.#take(lane);
        go();
      }
    }
  }

  /** Waits for a place, not longer than for an answer: those ahead may hang. */
  #turn(lane: Lane): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        lane.waiting.delete(go);
        reject(new Trouble("too many requests are waiting for an answer"));
      }, this.#transport.timeout);
      const go = () => {
        clearTimeout(timer);
        resolve();
      };
      lane.waiting.add(go);
    });
  }
}

/** The vendor could not be asked, or nobody knows what it did. */
class Trouble extends Error {}

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
    let headers: Record<string, string> = {};
    let controller: Dispatcher.DispatchController | undefined;
    let over = false;
    const end = (error?: Error) => {
      over = true;
      clearTimeout(timer);
      if (error) reject(error);
      else resolve({ status, headers, body: Buffer.concat(chunks).subarray(0, BODY_LIMIT).toString() });
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
        headers = Object.fromEntries(
          Object.entries(fields).map(([name, value]) => [
            name,
            Array.isArray(value) ? value.join(", ") : (value ?? ""),
          ]),
        );
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

/** undici's and Node's codes say what happened; their texts may quote what was sent. */
function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : error.name;
}

function failure(name: string, error: unknown): Outcome {
  if (error instanceof Unsendable) return { kind: "refused", reason: error.message };
  if (error instanceof Denied) return { kind: "denied", reason: error.message };
  if (error instanceof Trouble) return { kind: "retry", reason: `${name}: unknown: ${error.message}` };
  return { kind: "retry", reason: `${name}: ${error instanceof Error ? error.message : "unknown"}` };
}

function all(to: readonly Recipient[], outcome: Outcome): Outcome[] {
  return to.map(() => outcome);
}
