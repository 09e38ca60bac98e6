// Every metric, named in one list. The parts count in plain numbers wherever they work; this reads them when somebody asks, so
// that counting costs the paths of messages nothing.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { wallClock } from "../core/clock.ts";
import { laneName } from "../core/delivery.ts";
import { HOOK_RESULTS, type HookStatus } from "../core/hooks.ts";
import type { LaneStatus } from "../core/lane.ts";

/** Totals since the start, by the value of their label. */
type Totals = Readonly<Record<string, number>>;

/** What the parts tell when they are asked. Totals are since the start; labels take few values, never an id or a topic. */
export interface Figures {
  readonly connections: { readonly open: number; readonly opened: number; readonly upgraded: number };
  readonly refused: Totals;
  readonly closed: Totals;
  readonly sessions: { readonly total: number; readonly byPlatform: ReadonlyMap<string, number> };
  readonly packetsSent: number;
  readonly packetsLeftOut: Totals;
  readonly eventsRefused: Totals;
  readonly logins: Totals;
  readonly keyFetches: Totals;
  /** By the question, then by what came of it. */
  readonly asked: Readonly<Record<string, Totals>>;
  readonly apiCalls: Totals;
  readonly apiErrors: Totals;
  readonly console: { readonly logins: Totals; readonly pages: number };
  /** By route, in seconds. */
  readonly apiDurations: Readonly<Record<string, Durations>>;
  readonly store: {
    readonly queued: number;
    readonly calls: number;
    readonly databaseBytes: number;
    readonly logBytes: number;
  };
  /** When the certificate of a port expires, epoch milliseconds; undefined where it has none. */
  readonly expiries: Readonly<Record<string, number | undefined>>;
  /** What came of asking for certificates. */
  readonly orders: readonly { readonly domain: string; readonly issued: number; readonly failed: number }[];
}

interface Durations {
  /** What took at most so long. */
  readonly buckets: readonly (readonly [bound: number, count: number])[];
  readonly sum: number;
  readonly count: number;
}

export interface Metrics {
  /** One transaction of the storage thread, in milliseconds, commit included. */
  transaction(milliseconds: number): void;
  readonly contentType: string;
  /** In Prometheus' text format. */
  text(): Promise<string>;
}

/** Clients name their platform themselves: a label may not become what they like. */
const platforms = ["android", "ios", "browser"];
const fast = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

const hookStates = ["running", "failing", "off"] as const;
const laneStates = ["running", "paused", "stopped"] as const;

/** What the metrics show, asked at each scrape. Lanes are as many as there are apps in the configuration. */
interface MetricSources {
  figures(): Figures;
  lanes(): Promise<readonly LaneStatus[]>;
  hooks(): Promise<readonly HookStatus[]>;
  devices(): Promise<number>;
  /** Where there may be several processes. */
  readonly node?: {
    readonly name: string;
    /** Whether this one tells what is of all. */
    leads(): boolean;
    /** What this process itself knows of lanes, without what is stored. */
    lanes(): Promise<readonly LaneStatus[]>;
  };
}

/** The label of what is not of one node. */
const ALL = "all";

/** Who tells what: what is stored is of all nodes, each would tell the same, so one does. */
interface Sharing {
  readonly registers: Registry[];
  /** Labels of what is stored. */
  readonly shared: Readonly<Record<string, string>>;
  /** Whether this process tells what is stored. */
  tells(): boolean;
  /** The help of a metric of what is stored. */
  once(help: string): string;
  sharedLabels(...names: readonly string[]): string[];
}

const sharingOf = (registry: Registry, node: MetricSources["node"]): Sharing => ({
  registers: [registry],
  shared: node === undefined ? {} : { node: ALL },
  tells: () => node?.leads() ?? true,
  once: (help) => (node === undefined ? help : `${help}, of all nodes: told by one of them as node="${ALL}"`),
  sharedLabels: (...names) => (node === undefined ? [...names] : [...names, "node"]),
});

/** Nothing is counted here: figures are read at each scrape. */
export function createMetrics(version: string, { figures, lanes, hooks, devices, node }: MetricSources): Metrics {
  const registry = new Registry();
  if (node !== undefined) registry.setDefaultLabels({ node: node.name });
  const sharing = sharingOf(registry, node);
  const { registers, shared, tells, once, sharedLabels } = sharing;
  /** Each puts one metric to what the figures say. */
  const readers: ((now: Figures) => void)[] = [];

  function gauge(name: string, help: string, read: (now: Figures) => number): void {
    const metric = new Gauge({ name: `pushbox_${name}`, help, registers });
    readers.push((now) => metric.set(read(now)));
  }

  function total(name: string, help: string, read: (now: Figures) => number): void {
    const metric = new Counter({ name: `pushbox_${name}`, help, registers });
    readers.push((now) => {
      metric.reset();
      metric.inc(read(now));
    });
  }

  function totals(name: string, help: string, label: string, read: (now: Figures) => Totals): void {
    const metric = new Counter({ name: `pushbox_${name}`, help, labelNames: [label], registers });
    readers.push((now) => {
      metric.reset();
      for (const [value, count] of Object.entries(read(now))) metric.inc({ [label]: value }, count);
    });
  }

  gauge("connections", "Open client connections", (now) => now.connections.open);
  total("connections_opened_total", "Client connections opened", (now) => now.connections.opened);
  total(
    "connections_upgraded_total",
    "Client connections that went from polling to websocket",
    (now) => now.connections.upgraded,
  );
  totals("connections_refused_total", "Handshakes and requests of clients refused", "reason", (now) => now.refused);
  totals("connections_closed_total", "Client connections closed", "reason", (now) => now.closed);
  gauge("sessions", "Connections that have said which device they are", (now) => now.sessions.total);
  const sessions = new Gauge({
    name: "pushbox_platform_sessions",
    help: "The same, by the platform that they named",
    labelNames: ["platform"],
    registers,
  });
  readers.push(({ sessions: { byPlatform } }) => {
    let other = 0;
    for (const count of byPlatform.values()) other += count;
    for (const platform of platforms) {
      const count = byPlatform.get(platform) ?? 0;
      sessions.set({ platform }, count);
      other -= count;
    }
    sessions.set({ platform: "other" }, other);
  });
  total("packets_sent_total", "Packets written to clients, once for each client", (now) => now.packetsSent);
  totals(
    "packets_left_out_total",
    "Packets to topics that went to nobody because there was too much",
    "reason",
    (now) => now.packetsLeftOut,
  );
  totals("events_refused_total", "What clients asked for and were refused", "code", (now) => now.eventsRefused);
  totals("logins_total", "Tokens of clients that were taken, and what was refused", "result", (now) => now.logins);
  const asked = new Counter({
    name: "pushbox_questions_total",
    help: "What the business server was asked before something was done for a client",
    labelNames: ["question", "result"],
    registers,
  });
  readers.push((now) => {
    asked.reset();
    for (const [question, results] of Object.entries(now.asked))
      for (const [result, count] of Object.entries(results)) asked.inc({ question, result }, count);
  });
  totals("login_key_fetches_total", "Fetches of the issuer's keys", "result", (now) => now.keyFetches);

  totals("api_calls_total", "API calls let in", "route", (now) => now.apiCalls);
  totals("api_errors_total", "API calls answered with an error", "status", (now) => now.apiErrors);
  totals("console_logins_total", "Passwords given at the console", "result", (now) => now.console.logins);
  gauge("console_pages", "Pages of the console that are shown what happens", (now) => now.console.pages);

  const readLanes = laneMetrics(sharing);
  const readHooks = hookMetrics(sharing);

  const expiry = new Gauge({
    name: "pushbox_certificate_expiry_timestamp_seconds",
    help: "When the certificate in use expires, in seconds since 1970",
    labelNames: ["port"],
    registers,
  });
  const orders = new Counter({
    name: "pushbox_certificate_orders_total",
    help: "What came of asking for certificates",
    labelNames: ["domain", "result"],
    registers,
  });
  readers.push((now) => {
    expiry.reset();
    orders.reset();
    for (const [port, at] of Object.entries(now.expiries)) if (at !== undefined) expiry.set({ port }, at / 1000);
    for (const { domain, issued, failed } of now.orders) {
      orders.inc({ domain, result: "issued" }, issued);
      orders.inc({ domain, result: "failed" }, failed);
    }
  });

  const known = new Gauge({
    name: "pushbox_devices",
    help: once("Devices stored"),
    labelNames: sharedLabels(),
    registers,
  });
  gauge("store_waiting", "Calls that wait for the storage thread", (now) => now.store.queued);
  total("store_calls_total", "Calls the storage thread has answered", (now) => now.store.calls);
  gauge("store_bytes", "Size of the database", (now) => now.store.databaseBytes);
  gauge("store_log_bytes", "Size of its write-ahead log", (now) => now.store.logBytes);
  const transactions = new Histogram({
    name: "pushbox_store_transaction_seconds",
    help: "Time of one transaction of the storage thread, commit included",
    buckets: fast,
    registers,
  });

  const build = new Gauge({
    name: "pushbox_build_info",
    help: "Always 1; the label says what runs",
    labelNames: ["version"],
    registers,
  });
  build.set({ version }, 1);
  // Memory, processor time, open files, delays of the event loop; without those of them that are gauges called a total.
  collectDefaultMetrics({ register: registry });
  for (const kind of ["handles", "requests", "resources"]) registry.removeSingleMetric(`nodejs_active_${kind}_total`);

  return {
    transaction: (milliseconds) => transactions.observe(milliseconds / 1000),
    contentType: registry.contentType,
    async text() {
      readLanes(await lanes().catch(() => []), await node?.lanes()); // a store that fails says so elsewhere
      readHooks(await hooks().catch(() => []));
      known.reset();
      if (tells())
        await devices().then(
          (count) => known.set(shared, count),
          () => {},
        );
      const now = figures();
      for (const read of readers) read(now);
      return `${await registry.metrics()}${durationsText(now.apiDurations, node?.name)}`;
    },
  };
}

/** @returns puts the metrics of lanes to what is; `own`: the same, without what is stored; absent: this is the only process */
function laneMetrics({ registers, shared, tells, once, sharedLabels }: Sharing) {
  const lane = { labelNames: ["provider", "app"], registers };
  const stored = { labelNames: sharedLabels("provider", "app"), registers };
  const depth = new Gauge({ name: "pushbox_lane_depth", help: once("Deliveries not yet settled"), ...stored });
  const oldest = new Gauge({
    name: "pushbox_lane_oldest_seconds",
    help: once("For how long the first of them has waited, also at the vendor or for its next try"),
    ...stored,
  });
  const inFlight = new Gauge({ name: "pushbox_lane_in_flight", help: "Deliveries at the vendor now", ...lane });
  const held = new Gauge({
    name: "pushbox_lane_holds_deletions",
    help: "1 or more: so many tokens are said to be dead that none is forgotten",
    ...lane,
  });
  const stoppedWays = new Gauge({
    name: "pushbox_lane_stopped_ways",
    help: "Ways to some of its tokens that the vendor has closed",
    ...lane,
  });
  const setAside = new Counter({
    name: "pushbox_tokens_set_aside_total",
    help: "Tokens set aside because they are of other credentials than ours",
    ...lane,
  });
  const state = new Gauge({
    name: "pushbox_lane_state",
    help: "1 for the state the lane is in; where it has one for each push host, how many of them are in that state",
    labelNames: ["provider", "app", "state"],
    registers,
  });
  const settled = new Counter({
    name: "pushbox_deliveries_total",
    help: "Outcomes of deliveries; a retried one has more to come",
    labelNames: sharedLabels("provider", "app", "outcome"),
    registers,
  });

  return function readLanes(all: readonly LaneStatus[], own: readonly LaneStatus[] = all): void {
    for (const metric of [depth, oldest, inFlight, held, stoppedWays, setAside, state, settled]) metric.reset();
    const longest = new Map<string, number>();
    for (const one of all) {
      // Hosts are no labels: devices choose them, and each label stays for ever where the metrics are kept.
      const labels = { provider: one.vendor, app: one.app };
      const name = laneName({ vendor: one.vendor, app: one.app });
      if (tells()) {
        longest.set(name, Math.max(longest.get(name) ?? 0, one.oldest ?? 0));
        depth.inc({ ...labels, ...shared }, one.depth);
        oldest.set({ ...labels, ...shared }, longest.get(name)! / 1000);
        // Those that ended without being sent are counted in the store.
        if (own !== all) {
          const here = own.find((each) => laneName(each) === laneName(one))?.failed ?? 0;
          settled.inc({ ...labels, ...shared, outcome: "failed" }, Math.max(0, one.failed - here));
        }
      }
    }
    for (const one of own) {
      const labels = { provider: one.vendor, app: one.app };
      inFlight.inc(labels, one.inFlight);
      held.inc(labels, one.holdsDeletions ? 1 : 0);
      stoppedWays.inc(labels, one.stoppedWays?.length ?? 0);
      setAside.inc(labels, one.setAside ?? 0);
      for (const each of laneStates) state.inc({ ...labels, state: each }, one.state === each ? 1 : 0);
      for (const outcome of ["accepted", "failed", "retried"] as const)
        settled.inc({ ...labels, outcome }, one[outcome]);
    }
  };
}

function hookMetrics({ registers, shared, tells, once, sharedLabels }: Sharing) {
  const hook = { labelNames: ["hook"], registers };
  const queue = { labelNames: sharedLabels("hook"), registers };
  const waiting = new Gauge({
    name: "pushbox_hook_waiting",
    help: once("Events that wait for the endpoint"),
    ...queue,
  });
  const lag = new Gauge({
    name: "pushbox_hook_oldest_seconds",
    help: once("For how long the first of them has waited"),
    ...queue,
  });
  const dead = new Gauge({ name: "pushbox_hook_dead_letters", help: once("Events that were given up"), ...queue });
  const dropped = new Counter({
    name: "pushbox_hook_dropped_total",
    help: once("Events forgotten for want of room, since the store was made"),
    ...queue,
  });
  const delivered = new Counter({ name: "pushbox_hook_events_total", help: "Events that the endpoint took", ...hook });
  const hookState = new Gauge({
    name: "pushbox_hook_state",
    help: "1 for the state the endpoint is in",
    labelNames: ["hook", "state"],
    registers,
  });
  const requests = new Counter({
    name: "pushbox_hook_requests_total",
    help: "Requests to the endpoint, by what became of them",
    labelNames: ["hook", "result"],
    registers,
  });

  return function readHooks(all: readonly HookStatus[]): void {
    for (const metric of [waiting, lag, dead, dropped, delivered, hookState, requests]) metric.reset();
    for (const one of all) {
      const labels = { hook: one.name };
      if (tells()) {
        const of = { ...labels, ...shared };
        waiting.set(of, one.waiting);
        lag.set(of, one.oldest === undefined ? 0 : Math.max(0, (wallClock() - one.oldest) / 1000));
        dead.set(of, one.dead);
        dropped.inc(of, one.dropped);
      }
      delivered.inc(labels, one.delivered);
      for (const each of hookStates) hookState.set({ ...labels, state: each }, one.state === each ? 1 : 0);
      for (const result of HOOK_RESULTS) requests.inc({ ...labels, result }, one.requests[result]);
    }
  };
}

/** The library's histograms cost each call a microsecond; these are counted where the calls are, and only written here. */
function durationsText(byRoute: Readonly<Record<string, Durations>>, node: string | undefined): string {
  const of =
    node === undefined ? "" : `,node="${node.replace(/[\\"\n]/g, (each) => (each === "\n" ? "\\n" : `\\${each}`))}"`;
  const name = "pushbox_api_request_seconds";
  const lines = Object.entries(byRoute).flatMap(([route, { buckets, sum, count }]) => [
    ...buckets.map(([bound, below]) => `${name}_bucket{le="${bound}",route="${route}"${of}} ${below}`),
    `${name}_bucket{le="+Inf",route="${route}"${of}} ${count}`,
    `${name}_sum{route="${route}"${of}} ${sum}`,
    `${name}_count{route="${route}"${of}} ${count}`,
  ]);
  if (lines.length === 0) return "";
  const help = "Time from the end of an API request to its answer";
  return `${[`\n# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...lines].join("\n")}\n`;
}
