// Makes a Vendor of a Dialect: everything about the network that vendors have in common, and nothing of what they mean.
// Connections are per host and account, so that no vendor's trouble is felt by another. Nothing is retried here, save once
// with a new credential: the queue does that.
import { X509Certificate } from "node:crypto";
import type { Notification } from "../core/notification.ts";
import { Recent } from "../core/recent.ts";
import { MINUTE } from "../core/time.ts";
import type { AppId, Host, Outcome, Quota, Recipient, Trace, Vendor, Weighed, Weight } from "../core/vendor.ts";
import { withoutSecret } from "./answer.ts";
import { Credentials } from "./credentials.ts";
import { nameOf, placeOf, sparing } from "./detour.ts";
import type { Answer, CommonApp, Dialect, HttpReply, HttpRequest, Transport } from "./dialect.ts";
import { Denied, Unsendable } from "./dialect.ts";
import { isFields } from "./fields.ts";
import { nextDay } from "./lifetime.ts";
import { Line, type Network, Trouble } from "./line.ts";
import { issuable, NOT_ISSUED } from "./listed.ts";
import { Places } from "./places.ts";
import { Preparations } from "./preparations.ts";
import { weighing } from "./text.ts";
import { asideOf, type Elsewhere, isAside, Ways, wayOf } from "./ways.ts";

/** A token of nobody. */
const SAMPLE = "0".repeat(64);
/** Hosts that devices choose are many: so many lines are kept, the longest unused are closed. */
const LINES = 256;
/** After so many milliseconds no further peer is asked: the queue's lease on what is being sent must not end meanwhile. */
const PEERS_TAKE = 120_000;
/** A token that waits for a closed way looks whether it is open, milliseconds; nobody is asked for that. */
const LOOKS_AGAIN = MINUTE;
/** Tokens that may be looked for elsewhere at the same time. */
const PROBES = 10;
/** Tokens remembered to be reached by another than their first route: what the store has not told us yet, or has not. */
const DETOURS = 10_000;

/** @param apps each with an id of its own */
export function createVendor<App extends CommonApp>(
  dialect: Dialect<App>,
  apps: readonly App[],
  network: Network = {},
): Vendor {
  const client = new Client(dialect, apps, network);
  return {
    name: dialect.name,
    batch: dialect.batch,
    parallel: (app) => client.parallel(app),
    apps: apps.map(({ app }) => app),
    weigh: (app, note, now) => client.weigh(app, note, now),
    send: (app, note, to, now) => client.send(app, note, to, now),
    ...(dialect.host === undefined ? {} : { host: (app, token) => client.host(app, token) }),
    ...(dialect.trace === undefined ? {} : { trace: (app, receipts, now) => client.trace(app, receipts, now) }),
    ...(dialect.quota === undefined ? {} : { quota: (app, now) => client.quota(app, now) }),
    nobody: (app, host) => client.nobody(app, host),
    expires: (app) => client.expires(app),
    stoppedWays: (app, now) => client.ways.of(app, now),
    reopen: (app) => client.ways.open(app),
    close: () => client.close(),
  };
}

class Client<App extends CommonApp> {
  readonly ways = new Ways();
  readonly #dialect: Dialect<App>;
  readonly #network: Network;
  readonly #apps: ReadonlyMap<AppId, App>;
  readonly #configured: readonly App[];
  readonly #probing: Transport;
  readonly #credentials: Credentials<App>;
  readonly #preparations: Preparations<App> | undefined;
  readonly #lines = new Map<string, Line>();
  readonly #places: Places;
  /** By app: how many share its line. */
  readonly #sharing: ReadonlyMap<AppId, number>;
  /** The route that worked for a token, where it was not the first: sandbox tokens cost Apple's patience only once. */
  readonly #detours = new Recent<string, number>(DETOURS);
  /** By app: what is kept with tokens that its credentials do not reach. */
  readonly #asides: ReadonlyMap<AppId, string>;
  readonly #quotas = new Map<AppId, Quota>();
  #sending = 0;
  /** Called when nothing is being sent any more. */
  readonly #rested: (() => void)[] = [];
  /** Counts the requests that peers take turns in. */
  #turn = 0;
  #closed = false;

  constructor(dialect: Dialect<App>, apps: readonly App[], network: Network) {
    this.#dialect = dialect;
    this.#network = network;
    this.#places = new Places(dialect.name);
    this.#apps = new Map(apps.map((app) => [app.app, app]));
    this.#configured = apps;
    this.#asides = new Map(apps.map((app) => [app.app, asideOf([app])]));
    const sharers = (account: string) => [...this.#apps.values()].filter((other) => other.account === account).length;
    this.#sharing = new Map([...this.#apps].map(([name, { account }]) => [name, sharers(account)]));
    this.#probing = { ...dialect.transport, connections: 1, streams: Math.min(dialect.transport.streams, PROBES) };
    this.#preparations = dialect.preparing && new Preparations(dialect.preparing);
    const exchange = (app: App) => async (request: HttpRequest) => {
      const requester: CommonApp = { app: app.app, account: `${app.account} credential`, baseUrl: app.baseUrl };
      const transport = { ...EXCHANGE, timeout: Math.min(EXCHANGE.timeout, dialect.transport.timeout) };
      return this.#line(requester, request.url, transport).ask(app.app, request);
    };
    this.#credentials = new Credentials(dialect, exchange, network.signatures);
  }

  async send(appId: AppId, note: Notification, to: readonly Recipient[], now: number): Promise<readonly Outcome[]> {
    const { name, batch } = this.#dialect;
    if (this.#closed) return all(to, { kind: "retry", reason: `${name}: the server is stopping` });
    const app = this.#apps.get(appId);
    if (app === undefined) return all(to, { kind: "refused", reason: `${name}: ${appId} is not configured` });
    if (to.some(({ detour }) => isAside(detour))) return this.#sparingAside(app, note, to, now);
    if (to.length > 1 && !to.every(issuable)) {
      const tokens = to.filter(issuable);
      const answers = (tokens.length === 0 ? [] : await this.send(appId, note, tokens, now))[Symbol.iterator]();
      return to.map((one) => (issuable(one) ? answers.next().value! : NOT_ISSUED));
    }
    if (this.#dialect.home !== undefined) return this.#toHomes(app, note, to, now);
    if (to.length <= batch) return await this.#awaited(this.#deliver(app, note, to, now));
    return (await this.#all(batches(to, batch).map((some) => this.#deliver(app, note, some, now)))).flat();
  }

  weigh(appId: AppId, note: Notification, now: number): Weighed {
    const weights: Weight[] = [];
    const app = this.#apps.get(appId);
    if (app === undefined) return { weights, problem: `${appId} is not configured` };
    const to = [{ token: this.#dialect.sample ?? SAMPLE, ref: note.id }];
    try {
      weighing(weights, () => this.#encode(app, note, to, "", now, undefined));
      return { weights };
    } catch (error) {
      return { weights, problem: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Those that were set aside are asked about only with other credentials than then, and taken back once these reach them. */
  async #sparingAside(
    app: App,
    note: Notification,
    to: readonly Recipient[],
    now: number,
  ): Promise<readonly Outcome[]> {
    const mark = this.#asides.get(app.app);
    const asked = to.filter(({ detour }) => detour !== mark);
    const plain = asked.map(({ token, ref, detour }) =>
      detour === undefined || isAside(detour) ? { token, ref } : { token, ref, detour },
    );
    const answers = (plain.length === 0 ? [] : await this.send(app.app, note, plain, now))[Symbol.iterator]();
    return to.map(({ detour }): Outcome => {
      if (detour === mark) return { kind: "refused", reason: `${this.#dialect.name}: ${ASIDE}` };
      const outcome = answers.next().value!; // one for each that was asked
      return outcome.kind === "accepted" && isAside(detour) ? { detour: "", ...outcome } : outcome;
    });
  }

  async #toHomes(app: App, note: Notification, to: readonly Recipient[], now: number): Promise<readonly Outcome[]> {
    const homes = new Map<string, { readonly app: App; readonly places: number[] }>();
    for (const [place, { token }] of to.entries()) {
      const home = this.#dialect.home?.(app, token) ?? app;
      const same = homes.get(home.account);
      if (same === undefined) homes.set(home.account, { app: home, places: [place] });
      else same.places.push(place);
    }
    const outcomes = new Map<number, Outcome>();
    const requests = [...homes.values()].flatMap(({ app: home, places }) =>
      batches(places, this.#dialect.batch).map(async (some) => {
        const recipients = some.map((place) => to[place]!);
        const answers = await this.#deliver(home, note, recipients, now);
        for (const [i, place] of some.entries()) outcomes.set(place, answers[i]!);
      }),
    );
    await this.#all(requests);
    return to.map((_, place) => outcomes.get(place)!);
  }

  nobody(_appId: AppId, host?: string): string {
    return this.#dialect.nobody?.(host) ?? "nobody-has-this-token-of-pushbox";
  }

  expires(appId: AppId): number | undefined {
    const cert = this.#apps.get(appId)?.tls?.cert;
    return cert === undefined ? undefined : Date.parse(new X509Certificate(cert).validTo);
  }

  quota(appId: AppId, now: number): Quota | undefined {
    const quota = this.#quotas.get(appId);
    return quota !== undefined && now < quota.until ? quota : undefined;
  }

  host(appId: AppId, token: string): Host | undefined {
    const app = this.#apps.get(appId);
    return app === undefined ? undefined : this.#dialect.host?.(app, token);
  }

  async trace(appId: AppId, receipts: readonly string[], now: number): Promise<readonly Trace[]> {
    const tracing = this.#dialect.trace;
    const app = this.#apps.get(appId);
    if (tracing === undefined || app === undefined || this.#closed) return [];
    const counted = batches(receipts, tracing.batch).map(async (some) => {
      try {
        const request = tracing.encode(app, some, await this.#credentials.get(app, now), now);
        return tracing.decode(
          app,
          await this.#line(app, request.url, this.#dialect.transport).ask(appId, request),
          some,
        );
      } catch {
        return [];
      }
    });
    return (await this.#all(counted)).flat();
  }

  #all<T>(requests: readonly Promise<T>[]): Promise<readonly T[]> {
    return this.#awaited(Promise.all(requests));
  }

  /** Closing waits for it. */
  async #awaited<T>(request: Promise<T>): Promise<T> {
    this.#sending++;
    try {
      return await request;
    } finally {
      if (--this.#sending === 0) for (const rested of this.#rested.splice(0)) rested();
    }
  }

  /** Waits for what is being sent, which timeouts bound. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#sending > 0) await new Promise<void>((resolve) => this.#rested.push(resolve));
    await Promise.all([...this.#lines.values()].map((line) => line.close()));
    this.#lines.clear();
  }

  /** One request's worth of recipients, by the route that reaches them. */
  async #deliver(app: App, note: Notification, to: readonly Recipient[], now: number): Promise<readonly Outcome[]> {
    try {
      const peers = this.#dialect.peers?.(app);
      if (peers !== undefined) return await this.#inTurn(peers, note, to, now);
      const routes = this.#dialect.route?.(app, to[0]!.token, this.#configured);
      return routes === undefined
        ? this.#doubted(
            app,
            (await this.#ask(app, note, to, now)).map((answer) => this.#outcome(app, answer, now)),
          )
        : [await this.#along(routes, note, to, now)];
    } catch (error) {
      if (error instanceof Unwritable && to.length > 1)
        return all(to, { kind: "retry", reason: error.message, alone: true, scope: "token" });
      const outcome = failure(this.#dialect.name, error);
      // A host that a device chose and that is none says nothing of the others.
      if (outcome.kind !== "retry" || !(error instanceof Trouble)) return all(to, outcome);
      const nowhere = app.publicOnly === true && NOWHERE.has(error.message);
      return all(to, {
        ...outcome,
        ...(nowhere ? { scope: "token" } : {}),
        ...(this.#dialect.host === undefined ? {} : { unanswered: true }),
      });
    }
  }

  /**
   * For one recipient: by the route that reached its token the last time, then by those that the answers leave. A token is dead
   * only when routes that our credentials cover leave nowhere for it to live.
   */
  async #along(
    routes: readonly [App, ...App[]],
    note: Notification,
    to: readonly Recipient[],
    now: number,
  ): Promise<Outcome> {
    const { token, detour = "" } = to[0]!;
    const start = this.#detours.get(token) ?? (detour === "" ? 0 : placeOf(routes, detour));
    const first = routes[start]!;
    const said: (readonly [App, Elsewhere])[] = [];
    let left: readonly App[] = routes;
    /** Where it may live: not asked yet, or closed to us. */
    let possible: readonly App[] = routes;
    for (let route = first; ; route = left[0]!) {
      const answer =
        this.ways.known(route, token, now) ??
        closing(
          route === first ? (await this.#ask(route, note, to, now))[0]! : await this.#probe(route, note, to, now),
          route !== routes[0] && route.app === routes[0].app && this.ways.proven(routes[0]),
        );
      if (answer.kind !== "elsewhere") {
        if (answer.kind !== "accepted") {
          const outcome = this.#outcome(route, answer, now);
          return route.app === routes[0].app ? outcome : sparing(outcome);
        }
        this.ways.accepted(route);
        const place = routes.indexOf(route);
        this.#remember(token, place, start);
        const reached = place === 0 ? "" : nameOf(route);
        return reached === detour ? answer : { ...answer, detour: reached };
      }
      const closed = answer.outcome.kind === "denied";
      if (closed) this.ways.stop(route.app, wayOf(route), answer.outcome.reason, now);
      said.push([route, answer]);
      const asked = route;
      const { environment } = answer;
      const stays = (other: App) =>
        environment === undefined || (environment === "same") === (other.environment === asked.environment);
      left = left.filter((other) => other !== asked && stays(other));
      possible = possible.filter((other) => (other === asked ? closed : stays(other)));
      if (left[0] === undefined) return this.#nowhere(routes, token, said, possible, now);
    }
  }

  /** No route has reached the token. */
  #nowhere(
    routes: readonly [App, ...App[]],
    token: string,
    said: readonly (readonly [App, Elsewhere])[],
    closed: readonly App[],
    now: number,
  ): Outcome {
    const own = routes.filter(({ app }) => app === routes[0].app);
    const denial = said.find(([route, { outcome }]) => outcome.kind === "denied" && own.includes(route))?.[1].outcome;
    // Our credential fits nowhere: that is the lane's trouble, and whoever lets it go on wants to be asked again.
    if (denial !== undefined && own.every((route) => closed.includes(route))) {
      this.ways.open(routes[0].app);
      return denial;
    }
    const absent = said.filter(([, { outcome }]) => outcome.kind !== "denied");
    const verdict = (absent[0] ?? said[0]!)[1].outcome;
    const [stopped] = closed.flatMap((route) => this.ways.of(route.app, now).filter(({ way }) => way === wayOf(route)));
    if (stopped !== undefined) {
      this.ways.remember(token, absent);
      const reason = `${verdict.kind === "accepted" ? "" : verdict.reason}; ${stopped.way} is closed to us: ${stopped.reason}`;
      return { kind: "retry", reason, after: LOOKS_AGAIN, scope: "token" };
    }
    // Where the answers rest on our own settings, a topic or the only environment, something must have been accepted with these.
    const environments = new Set(routes.map(({ environment }) => environment));
    const excluded = new Set(
      absent.flatMap(([route, { environment }]) => (environment === "other" ? [route.environment] : [])),
    );
    const believed =
      absent.some(([route]) => this.ways.proven(route)) || (excluded.size > 1 && excluded.size === environments.size);
    return believed || verdict.kind !== "gone" ? verdict : unbelieved(verdict.reason);
  }

  /** Apple punishes connections on which many tokens are unknown: those are asked about on one of their own, a few at a time. */
  async #probe(route: App, note: Notification, to: readonly Recipient[], now: number): Promise<Told> {
    try {
      const answer = (await this.#ask(route, note, to, now, true))[0]!;
      const { kind } = answer;
      const outcome = kind === "leave" || kind === "apart" ? answer.outcome : answer;
      return outcome.kind === "retry" ? { ...outcome, scope: "token" } : answer;
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      return { kind: "retry", reason: `${this.#dialect.name}: unknown: ${error.message}`, scope: "token" };
    }
  }

  /** By one of several servers: the next in turn that answers. */
  async #inTurn(
    peers: readonly [App, ...App[]],
    note: Notification,
    to: readonly Recipient[],
    now: number,
  ): Promise<readonly Outcome[]> {
    const begun = performance.now();
    const first = this.#turn++;
    let outcomes: readonly Outcome[] | undefined;
    const add = (others: readonly Outcome[]) => {
      outcomes = outcomes?.map((before, i) => (others[i]!.kind === "denied" ? before : others[i]!)) ?? others;
    };
    for (let tried = 0; tried < peers.length; tried++) {
      if (performance.now() - begun > PEERS_TAKE) break;
      const peer = peers[(first + tried) % peers.length]!;
      try {
        const answers = await this.#ask(peer, note, to, now);
        add(answers.map((answer) => this.#outcome(peer, answer, now)));
        if (!answers.some(({ kind }) => kind === "elsewhere")) break;
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        const { host } = new URL(peer.baseUrl);
        add(all(to, failure(this.#dialect.name, new Trouble(`${host}: ${error.message}`, { cause: error }))));
      }
    }
    return outcomes ?? [];
  }

  #remember(token: string, index: number, start: number): void {
    if (index === start) return;
    if (index > 0) this.#detours.set(token, index);
    else this.#detours.delete(token);
  }

  /** Before anything was accepted, a token that is said to be dead may as well be one of many that our settings are wrong for. */
  #doubted(app: App, outcomes: readonly Outcome[]): readonly Outcome[] {
    if (this.#dialect.doubtful !== true) return outcomes;
    if (outcomes.some(({ kind }) => kind === "accepted")) this.ways.accepted(app);
    if (this.ways.proven(app)) return outcomes;
    return outcomes.map((outcome) => (outcome.kind === "gone" ? unbelieved(outcome.reason) : outcome));
  }

  #outcome(app: App, answer: Told, now: number): Outcome {
    switch (answer.kind) {
      case "apart":
        this.ways.stop(app.app, answer.way, `${"reason" in answer.outcome ? answer.outcome.reason : ""}`, now);
        return answer.outcome;
      case "aside":
        return { kind: "refused", reason: answer.reason, detour: this.#asides.get(app.app) ?? "" };
      case "elsewhere":
      case "leave":
        return answer.outcome;
      default:
        return answer;
    }
  }

  /** Asks with the account's credential, and once more with a new one, or whatever else was out of date, where that was denied. */
  async #ask(
    app: App,
    note: Notification,
    to: readonly Recipient[],
    now: number,
    probing = false,
  ): Promise<readonly Told[]> {
    const begun = performance.now();
    // Known at once, it is not waited for: each wait of a request holds memory that thousands in flight hold together.
    const held = this.#credentials.get(app, now);
    const credential = typeof held === "string" ? held : await held;
    const answers = await this.#exchange(app, note, to, credential, now, probing);
    const first = answers.find(unsettled);
    if (first === undefined) return answers as readonly Told[];
    const later = now + Math.ceil(performance.now() - begun);
    const renewed =
      first.kind === "anew" && first.with !== "credential"
        ? credential
        : await this.#credentials.renew(app, credential, later, first.kind === "anew");
    if (renewed === undefined) return answers.map(told);
    const denied = to.filter((_, i) => unsettled(answers[i]!));
    const again = (await this.#exchange(app, note, denied, renewed, later, probing))[Symbol.iterator]();
    return answers.map((answer) => told(unsettled(answer) ? (again.next().value ?? answer) : answer));
  }

  async #exchange(
    app: App,
    note: Notification,
    to: readonly Recipient[],
    credential: string,
    now: number,
    probing: boolean,
  ): Promise<readonly Answer[]> {
    const transport = probing ? this.#probing : this.#dialect.transport;
    const preparing = this.#preparations?.get(app, note, to, credential, now, async (request) =>
      withoutSecret(await this.#line(app, request.url, transport, probing).ask(app.app, request), credential),
    );
    const prepared = preparing === undefined ? undefined : await preparing;
    if (typeof prepared === "object") return all(to, prepared);
    const request = this.#encode(app, note, to, credential, now, prepared);
    const line = this.#line(app, request.url, transport, probing);
    const reply = withoutSecret(await line.ask(app.app, request), credential);
    const given = this.#decode(app, reply, to, now, prepared);
    this.#noteQuota(app.app, reply, now);
    // Only a message that sets nothing of its own says something of our settings.
    const answers = setsOwn(note, this.#dialect.name) ? given.map(ofMessage) : given;
    if (answers.some(({ kind }) => kind === "accepted")) line.open();
    if (answers.some(leaves)) this.#leave(line);
    return answers;
  }

  /** @param now when it was asked: an answer from before midnight is of the day before */
  #noteQuota(app: AppId, reply: HttpReply, now: number): void {
    try {
      const told = this.#dialect.quota?.(reply);
      if (told !== undefined) this.#quotas.set(app, { ...told, at: now, until: nextDay(now) });
    } catch {
      // An answer may be anything; the quota that was told before stands.
    }
  }

  /** What a token or a notification holds may be anything: where a dialect did not foresee it, asking again would not help. */
  #encode(
    app: App,
    note: Notification,
    to: readonly Recipient[],
    credential: string,
    now: number,
    prepared: string | undefined,
  ): HttpRequest {
    try {
      return this.#dialect.encode(app, note, to, credential, now, prepared);
    } catch (error) {
      if (error instanceof Unsendable) throw error;
      throw new Unwritable(`${this.#dialect.name}: ${error instanceof Error ? error.message : "it cannot be sent"}`);
    }
  }

  /** What a vendor answers may be anything: even a fault of ours in reading it must not take the process along. */
  #decode(app: App, reply: HttpReply, to: readonly Recipient[], now: number, prepared?: string): readonly Answer[] {
    const odd = { kind: "retry", reason: `${reply.status}, an answer that makes no sense` } as const;
    try {
      const answers = this.#dialect.decode(app, reply, to, now, prepared);
      return to.map((_, i) => answers[i] ?? odd);
    } catch {
      return all(to, odd);
    }
  }

  #line(app: CommonApp, url: string, transport: Transport, probing = false): Line {
    const { origin, key } = this.#places.of(app, url, probing);
    let line = this.#lines.get(key);
    const hopeless = line?.hopeless === true;
    // The order is that of the latest use, which matters only when there are many.
    if (line !== undefined && !hopeless && this.#lines.size < LINES / 2) return line;
    this.#lines.delete(key);
    if (hopeless) void line?.close();
    if (line === undefined || hopeless) line = new Line(origin, transport, app, this.#network, this.#sharers(app));
    this.#lines.set(key, line);
    if (this.#lines.size > LINES) this.#closeIdle();
    return line;
  }

  /** What the line lets through. */
  parallel(app: AppId): number {
    const { connections, streams } = this.#dialect.transport;
    const configured = this.#apps.get(app);
    return configured === undefined ? 1 : Math.ceil((connections * streams) / this.#sharers(configured));
  }

  /** How many apps share the line: one whose requests hang takes no more than its part. Routes differ in account, not in app. */
  #sharers({ app }: CommonApp): number {
    return this.#sharing.get(app) ?? 0;
  }

  /** The next request goes by new connections; what is under way on these is waited for. */
  #leave(left: Line): void {
    for (const [key, line] of this.#lines) {
      if (line !== left) continue;
      this.#lines.delete(key);
      void line.close();
    }
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

const unbelieved = (reason: string): Outcome => ({
  kind: "gone",
  reason: `${reason}: not believed before this app has been accepted there`,
  kept: true,
});

const ASIDE = "the token is set aside, for it is none of these credentials'";
const NOWHERE: ReadonlySet<string> = new Set(["ENOTFOUND", "ENOTPUBLIC"]);

/** The request could not be made for one of its recipients, it is not known which. */
class Unwritable extends Error {}

const EXCHANGE: Transport = { http2: true, connections: 1, streams: 10, timeout: 10_000, gate: false };

function failure(name: string, error: unknown): Outcome {
  if (error instanceof Unsendable || error instanceof Unwritable) return { kind: "refused", reason: error.message };
  if (error instanceof Denied) return { kind: "denied", reason: error.message };
  if (error instanceof Trouble) return { kind: "retry", reason: `${name}: unknown: ${error.message}` };
  return { kind: "retry", reason: `${name}: ${error instanceof Error ? error.message : "unknown"}` };
}

/** What an answer says when nothing is left to be made anew. */
type Told = Exclude<Answer, { readonly kind: "anew" }>;

const unsettled = ({ kind }: Answer): boolean => kind === "denied" || kind === "anew";
const told = (answer: Answer): Told => (answer.kind === "anew" ? answer.outcome : answer);
const setsOwn = ({ content: { vendors } }: Notification, name: string): boolean =>
  isFields(vendors) && Object.hasOwn(vendors, name);

function ofMessage(answer: Answer): Answer {
  if (answer.kind === "denied" && answer.settings === true) return { kind: "refused", reason: answer.reason };
  if (answer.kind !== "elsewhere" || answer.settings !== true) return answer;
  const { outcome } = answer;
  return { kind: "refused", reason: "reason" in outcome ? (outcome.reason ?? "") : "" };
}

const leaves = (answer: Answer): boolean =>
  answer.kind === "leave" || (answer.kind === "anew" && answer.with === "connection");

/** Denied where the same credential is known to be good elsewhere: that closes the route and no more. */
const closing = (answer: Told, good: boolean): Told =>
  good && answer.kind === "denied" ? { kind: "elsewhere", outcome: answer } : answer;

function batches<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}

function all(to: readonly Recipient[], outcome: Outcome): Outcome[] {
  return to.map(() => outcome);
}
