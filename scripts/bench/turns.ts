// npm run bench -- --turns: how long one turn of the main loop takes at most while each API route and each timer does its work, with
// 1,000,000 sessions whose sockets are simulated. Everything but the sockets is real; the store is in memory, in its thread.

import { openSync, readSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { createApi } from "../../src/api/routes.ts";
import { createMetrics } from "../../src/app/metrics.ts";
import { boundYoungGeneration, collectSooner, optimiseLater } from "../../src/app/v8.ts";
import { bind, forget, unbind } from "../../src/core/connect.ts";
import type { PushId, Uid } from "../../src/core/device.ts";
import { type Revocation, TOLD_BEFORE } from "../../src/core/login.ts";
import { accept } from "../../src/core/notify.ts";
import { push, pushOnce } from "../../src/core/push.ts";
import { createReport } from "../../src/core/report.ts";
import { PLAIN } from "../../src/core/traits.ts";
import { createExpander } from "../../src/delivery/expand.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { inflate } from "../../src/http/inflate.ts";
import type { Head } from "../../src/http/message.ts";
import { Conversation } from "../../src/sockets/sessions/conversation.ts";
import { Hub } from "../../src/sockets/sessions/hub.ts";
import type { Session } from "../../src/sockets/sessions/session.ts";
import { Client } from "../../src/sockets/transport/connection.ts";
import type { EngineRequest } from "../../src/sockets/transport/request.ts";
import { Server } from "../../src/sockets/transport/server.ts";
import type { Receiver, Socket } from "../../src/sockets/transport/socket.ts";
import { socketio } from "../../src/sockets/transport/socketio.ts";
import { idleActions } from "../../test/support/actions.ts";
import { median, short } from "./table.ts";

const SESSIONS = Number(process.env["SESSIONS"] ?? 1_000_000);
const ROUNDS = Number(process.env["ROUNDS"] ?? 5);
/** Only rows whose name has it. */
const ONLY = process.env["ONLY"] ?? "";
/** Ids of one call. */
const MANY = 100_000;

/** Clients that were asked for proof: so many answer in one turn, as with one look at the kernel. */
const asked: (() => void)[] = [];
const ANSWERED_AT_ONCE = 64;
function answer(): void {
  for (const pong of asked.splice(0, ANSWERED_AT_ONCE)) pong();
  if (asked.length > 0) setImmediate(answer);
}

/** A websocket of which nothing leaves the process. One topic at most. */
class Simulated {
  receiver: Receiver | undefined = undefined;
  #topic = "";
  ping(stamp: string): number {
    const data = new Uint8Array(Buffer.from(stamp)).buffer;
    if (asked.push(() => this.receiver?.ponged(this as unknown as Socket, data)) === 1) setImmediate(answer);
    return 1;
  }
  send(): number {
    return 1;
  }
  isSubscribed(topic: string): boolean {
    return this.#topic === topic;
  }
  subscribe(topic: string): boolean {
    this.#topic = topic;
    return true;
  }
  unsubscribe(): boolean {
    this.#topic = "";
    return true;
  }
  getTopics(): string[] {
    return this.#topic === "" ? [] : [this.#topic];
  }
  cork(run: () => void): this {
    run();
    return this;
  }
  getBufferedAmount(): number {
    return 0;
  }
  end(): void {}
  close(): void {}
}

// ---- the watch

/** Linux tells for how long the thread was ready and others had the processor: that is not the server's time. */
const waited = ((): (() => number) => {
  try {
    const file = openSync("/proc/thread-self/schedstat", "r");
    const read = Buffer.alloc(64);
    return () => Number(read.toString("latin1", 0, readSync(file, read, 0, 64, 0)).split(" ")[1]) / 1e6;
  } catch {
    return () => 0;
  }
})();

/** Turns so long are looked at for collections of garbage in them, milliseconds. */
const WORTH_NOTING = 1;
const long: { readonly from: number; readonly to: number; readonly took: number }[] = [];
let longest = 0;
let last = performance.now();
let lastWaited = waited();
function look(): void {
  const now = performance.now();
  const waitedNow = waited();
  const took = now - last - (waitedNow - lastWaited);
  if (took > longest) longest = took;
  if (took > WORTH_NOTING) long.push({ from: last, to: now, took });
  last = performance.now();
  lastWaited = waitedNow;
  setImmediate(look);
}

/** The longest pause of the garbage collector, which may be in another turn than the longest one. */
let collected = 0;
const collections: { readonly from: number; readonly to: number }[] = [];
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) {
    collected = Math.max(collected, duration);
    collections.push({ from: startTime, to: startTime + duration });
  }
}).observe({ entryTypes: ["gc"] });

function begin(): void {
  longest = 0;
  collected = 0;
  long.length = 0;
  collections.length = 0;
}

/** Milliseconds: the longest turn while the work goes on and just after, and the longest without its collections of garbage. */
interface Turn {
  readonly all: number;
  readonly own: number;
}

async function longestTurn(work: () => unknown): Promise<Turn> {
  await pause(20);
  begin();
  await work();
  await pause(20);
  const own = long.map(({ from, to, took }) =>
    collections.reduce((rest, one) => rest - Math.max(0, Math.min(to, one.to) - Math.max(from, one.from)), took),
  );
  return { all: longest, own: Math.max(Math.min(longest, WORTH_NOTING), ...own) };
}

// ---- the server, joined as in app.ts

const now = Date.now;
const engine = await openLocalEngine({
  dataDir: ":memory:",
  synchronous: "NORMAL",
  keep: { default: 10, prefixes: [] },
  arrivalDays: 30,
  onFatal: fail,
});
const hub: Hub = new Hub(() => gateway, 1_000_000, now);
engine.broker.attach(hub);
/** With EVENTS=1 all is told of, topics too. */
if (process.env["EVENTS"] === "1")
  await engine.events.want({ hooks: [], log: ["*"], topics: ["room"], grace: 40_000, keep: 3_600_000 });
const report = createReport(engine.counters, now, fail);
const conversation = new Conversation({
  hub,
  engine,
  report,
  limits: { topics: 1000, topicLength: 256, idLength: 128 },
  newDevices: 1e9,
  pageSize: 262_144,
  disconnectDelay: 10_000,
  trustClientUid: false,
  now,
  elapsed: () => performance.now(),
  log: { warn() {}, error: (fields: object) => fail(fields) },
} as unknown as ConstructorParameters<typeof Conversation>[0]);
const gateway = new Server<Session>(
  {
    path: "/socket.io/",
    host: "127.0.0.1",
    port: 0,
    heartbeat: {
      3: { pingInterval: 90_000, pingTimeout: 25_000 },
      4: { pingInterval: 25_000, pingTimeout: 1_000_000 },
    },
    maxPayload: 1_000_000,
    maxBackpressure: 1_000_000,
    upgradeTimeout: 10_000,
    requestTimeout: 30_000,
    maxConnections: 10_000_000,
    maxConnectionsPerAddress: 10_000_000,
    maxEventsPerSecond: 1000,
    origins: ["*"],
    trustedProxies: [],
    maxFreshPerAddress: 1e9,
    firstPollTimeout: 10_000,
    maxBytesPerSecond: 1e9,
    strictEio: false,
    onFull() {},
    onError: fail,
  } as unknown as ConstructorParameters<typeof Server<Session>>[0],
  socketio(conversation, { connectTimeout: 1_000_000_000 }),
);
const expander = createExpander({
  traits: PLAIN,
  engine,
  count: (topic) => hub.count(topic),
  reached: async () => [],
  awake: async () => [],
  route: () => undefined,
  filled() {},
  addressed() {},
  now,
  failed: fail,
});
const metrics = createMetrics("bench", {
  figures: () => ({
    connections: { open: gateway.size, opened: 0, upgraded: 0 },
    refused: {},
    closed: {},
    sessions: hub.sessions(),
    packetsSent: hub.written,
    packetsLeftOut: {},
    eventsRefused: {},
    logins: {},
    keyFetches: {},
    asked: {},
    apiCalls: api.counters.calls,
    apiErrors: api.counters.errors,
    apiDurations: api.counters.durations,
    store: engine.statistics(),
    expiries: {},
    orders: [],
    console: { logins: {}, pages: 0 },
  }),
  lanes: async () => [],
  hooks: async () => [],
  devices: async () => 0,
});
const api = createApi(
  {
    keys: [],
    hosts: [],
    origins: [],
    insecure: true,
    broadcast: { keys: [], addresses: [] },
    limits: { id: 128, topic: 256 },
    serverId: "bench:1",
    report: fail,
    warn() {},
  },
  {
    ...idleActions(),
    push: (target, draft, once) =>
      once === undefined ? push(engine, target, draft, now()) : pushOnce(engine, target, draft, once, now()),
    async notify(content, request) {
      const id = await accept(engine.outbox, { content, ...request }, now());
      expander.nudge();
      return id;
    },
    outbox: engine.outbox,
    reached: engine.outbox.reached,
    failures: {
      failed: engine.outbox.failed,
      failedGroups: engine.outbox.failedGroups,
      retry: (filter, options) => engine.outbox.retry(filter, options, now()),
    },
    bind: (binding) => bind(engine, binding, now()),
    unbind: (who) => unbind(engine, who, now()),
    deleteDevices: (pushIds) => forget(engine, pushIds),
    devices: engine.devices,
    live: engine.live,
    counters: engine.counters,
    count: (key) => report.count(key, { success: 1 }),
    metrics,
  },
);

function fail(error: unknown): void {
  console.error(error);
  process.exitCode = 1;
}

// ---- what is driven

const pushIds = Array.from({ length: SESSIONS }, (_, i) => `device${String(i).padStart(9, "0")}` as PushId);
const uids = pushIds.map((_, i) => `user${i}` as Uid);
const many = { pushIds: pushIds.slice(0, MANY), uids: uids.slice(0, MANY) };
const clients: Client<Session>[] = [];

/** A connection comes, says who it is, and is in a room of its hundred. */
function enter(i: number): void {
  const peer = {
    address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    counted: { name: `${i}`, connections: 0, fresh: 0 },
  };
  const client = new Client<Session>(gateway, `sid${String(i).padStart(17, "0")}`, request, peer);
  const socket = new Simulated();
  socket.receiver = client;
  client.opened(socket as unknown as Socket);
  gateway.app.message(client, "0");
  clients[i] = client;
  hub.name(client.data!, pushIds[i]!, "android");
  hub.bindSession(client.data!, uids[i]!);
  client.join(`t:room${Math.floor(i / 100)}`);
}
const request = { revision: 4, transport: "websocket", base64: false } as EngineRequest;

/** Calls a route as the HTTP server does. @throws Error when it is refused and `status` does not say so */
async function call(path: string, body: string | Buffer = "", type = "application/json", status = 200): Promise<void> {
  const head = {
    method: body === "" ? "get" : "post",
    path: path.split("?")[0]!,
    query: path.split("?")[1] ?? "",
    contentType: type,
    contentEncoding: "",
    address: "127.0.0.1",
    maxBody: 1e9,
    header: (name: string) => (name === "host" ? "127.0.0.1" : ""),
    close() {},
  } as unknown as Head;
  let answer = api.site.open(head);
  if (typeof answer === "function") {
    const handler = answer;
    try {
      answer = await handler(head, typeof body === "string" ? Buffer.from(body) : body);
    } catch (error) {
      answer = api.site.failure(error);
    }
  }
  const { status: given, body: text } = await answer;
  if (given !== status) throw new Error(`${path}: ${given} ${String(text).slice(0, 200)}`);
}

const form = "application/x-www-form-urlencoded";
const content = { android: { title: "t", message: "m" } };
const text = (value: object): Buffer => Buffer.from(JSON.stringify(value));
const bodies = {
  wide: Buffer.from(`{"topic":"a","json":[${"{},".repeat(33_000_000)}{}]}`),
  payload: Buffer.from(`{"topic":"a","json":[${"{},".repeat(5_000_000)}{}]}`),
  uids: text({ json: 1, uid: many.uids }),
  pushIds: text({ json: 1, pushId: many.pushIds }),
  kept: text({ json: 1, pushId: many.pushIds, timeToLive: 60_000 }),
  once: text({ json: 1, pushId: many.pushIds, idempotencyKey: "k" }),
  ids: text({ pushId: many.pushIds }),
  form: Buffer.from(`json=1&${many.uids.map((uid, i) => `uid[${i}]=${uid}`).join("&")}`),
  notification: text({ notification: content, pushId: many.pushIds }),
};
const zipped = gzipSync(bodies.wide);

const works: readonly (readonly [what: string, most: number, run: (round: number) => unknown])[] = [
  ["an idle loop, for comparison", 0, () => pause(300)],
  ["connections come: 1,000", 2, (round) => comeAndGo(round)],
  ["/api/push to a topic", 2, () => call("/api/push?topic=room1&json=1")],
  ["/api/push to a uid", 2, () => call("/api/push?uid=user5&json=1")],
  ["/api/push to 100,000 uids", 20, () => call("/api/push", bodies.uids)],
  ["/api/push to 100,000 uids, indexed form", 20, () => call("/api/push", bodies.form, form)],
  ["/api/push to 100,000 pushIds", 20, () => call("/api/push", bodies.pushIds)],
  ["/api/push to 100,000 pushIds, kept", 20, () => call("/api/push", bodies.kept)],
  [
    "/api/push to 100,000 pushIds, idempotencyKey",
    20,
    (round) => call(`/api/push?idempotencyKey=${round}`, bodies.once),
  ],
  ["/api/push of 15 MB of {}", 20, () => call("/api/push", bodies.payload)],
  ["/api/push of 99 MB of {}, refused", 20, () => call("/api/push", bodies.wide, "application/json", 413)],
  ["99 MB of gzip inflated", 20, () => inflate(zipped, "gzip", 100_000_000)],
  [
    "/api/notification to 100,000 pushIds",
    20,
    () => call("/api/notification", bodies.notification).then(() => pause(1500)),
  ],
  ["/api/topicOnline", 2, () => call("/api/topicOnline?topic=room7")],
  ["/api/topicDevices of 100, first question", 2, (round) => call(`/api/topicDevices?topic=room${round}`)],
  ["/api/topicDevices of 100, asked before", 2, () => call("/api/topicDevices?topic=room0")],
  ["/api/device/get of one", 2, () => call("/api/device/get?pushId=device000000001")],
  ["/api/device/get of 100,000", 20, () => call("/api/device/get", bodies.ids)],
  ["/api/uid/bind", 2, () => call("/api/uid/bind?pushId=device000000001&uid=user1")],
  ["/api/uid/remove of 100,000", 20, () => call("/api/uid/remove", bodies.ids)],
  ["/api/push to a uid of 20,000 sessions", 2, () => call("/api/push?uid=crowd&json=1")],
  ["the sessions of that uid all close", 2, () => crowdGoes()],
  ["/api/stats/base", 2, () => call("/api/stats/base")],
  ["/api/stats/chart", 2, () => call("/api/stats/chart?key=call:/push")],
  ["/api/stats/arrival/pushMany", 2, () => call("/api/stats/arrival/pushMany")],
  ["/api/job/list", 2, () => call("/api/job/list?limit=1000")],
  ["/metrics", 2, () => call("/metrics")],
  ["20,000 devices go, all at once", 2, () => manyGo()],
  ["20,000 clients are told that their tokens expire", 2, () => tokensEnd("told")],
  ["20,000 tokens expire at once", 2, () => tokensEnd("expired")],
  ["20,000 tokens are revoked by jti", 2, () => tokensEnd("jti")],
  ["a uid with 20,000 sessions is revoked", 2, () => tokensEnd("uid")],
  ["the sweep over all connections", 2, () => pause(1500)],
  ["100,000 arrivals noted and stored", 2, () => arrivals()],
  ["/api/device/delete of 100,000", 20, () => call("/api/device/delete", bodies.ids)],
];

let next = 0;
async function comeAndGo(round: number): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    clients[next]!.close("transport close");
    if (i % 50 === 0) await pause(0);
    enter(next++);
    if (i % 50 === 25) await pause(0);
  }
  if (round > 1e6) next = 0;
}

/** Sessions of one user, beside those of the others. */
const CROWD = 20_000;
async function crowdComes(): Promise<void> {
  for (let i = 0; i < CROWD; i++) {
    hub.bindSession(clients[SESSIONS - 1 - i]!.data!, "crowd" as Uid);
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
async function crowdGoes(): Promise<void> {
  // In the order in which they came: each is the last of the list.
  for (let i = 0; i < CROWD; i++) {
    hub.unbindSession(clients[SESSIONS - 1 - i]!.data!);
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await crowdComes();
}

/** A break of the network: as with one look at the kernel, so many close in a turn; they stay away. */
let gone = 0;
async function manyGo(): Promise<void> {
  for (let i = 0; i < CROWD; i++) {
    clients[gone++]!.close("transport close");
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await pause(12_500); // the disconnect delay, and the tick after it
}

/** From the middle: other rows take those at both ends. */
const FIRST_WITH_TOKEN = Math.max(0, Math.floor(SESSIONS / 2) - CROWD);

/** All of these tokens end in the same second. Whoever was closed the last time is here again before it is measured. */
async function tokensEnd(how: "told" | "expired" | "jti" | "uid"): Promise<void> {
  const { gate } = conversation;
  const expires = now() + (how === "told" || how === "expired" ? TOLD_BEFORE + 2000 : 3_600_000);
  const rules = { pushId: undefined, allow: undefined, join: [], issuedAt: now() };
  for (let i = FIRST_WITH_TOKEN; i < FIRST_WITH_TOKEN + CROWD; i++) {
    if (clients[i]!.data?.gone !== false) enter(i);
    const session = clients[i]!.data!;
    gate.seat(session, { ...rules, uid: how === "uid" ? ("shared" as Uid) : uids[i]!, expires, jti: `jti${i}` });
    if (how === "expired") session.seat!.told = true;
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const until = now() + 3_600_000;
  const revoked = (kind: Revocation["kind"], name: string): Revocation => ({ kind, name, before: now() + 1, until });
  const all = Array.from({ length: CROWD }, (_, i) => revoked("jti", `jti${FIRST_WITH_TOKEN + i}`));
  await pause(20);
  begin();
  if (how === "uid") await gate.revoke([revoked("uid", "shared")]);
  else if (how === "jti") await gate.revoke(all);
  else await pause(Math.max(0, expires - TOLD_BEFORE - now()) + 3000);
}

async function arrivals(): Promise<void> {
  for (let i = 0; i < MANY; i++) {
    report.evidence({ id: "note", pushId: pushIds[i]!, counter: "arrive_android" });
    if (i % 500 === 0) await pause(0);
  }
  await report.flush();
}

export async function turns(): Promise<void> {
  console.log(
    `${SESSIONS} sessions; the longest turn in ms, median and least of ${ROUNDS} rounds; the least without collections of garbage; the last round's longest of these\n`,
  );
  boundYoungGeneration(); // as the server does
  optimiseLater();
  collectSooner();
  setImmediate(look);
  await gateway.listen();
  const growing = await longestTurn(async () => {
    for (let i = 0; i < SESSIONS; i++) {
      enter(i);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  });
  print("connections come: all of them, once", 2, [growing]);
  for (let i = 0; i < MANY; i += 500)
    await Promise.all(many.pushIds.slice(i, i + 500).map((pushId) => engine.devices.connect({ pushId }, now())));
  await crowdComes();
  for (const [what, most, run] of works) {
    if (!what.includes(ONLY)) continue;
    const figures: Turn[] = [];
    for (let round = 0; round < ROUNDS; round++) figures.push(await longestTurn(() => run(round)));
    print(what, most, figures);
  }
  await expander.stop();
  print("the farewell to all at a shutdown", 2, [await longestTurn(() => gateway.close())]);
  print("what was online is stored as offline", 2, [await longestTurn(() => conversation.stop())]);
  process.exit();
}

function print(what: string, most: number, turns: readonly Turn[]): void {
  const figures = turns.map(({ all }) => all);
  const least = Math.min(...figures);
  const own = Math.min(...turns.map((turn) => turn.own));
  const bound = most === 0 ? "" : `  <= ${most}${least > most ? "  MISSED" : ""}`;
  console.log(
    `${what.padEnd(52)} ${short(median(figures)).padStart(8)} ${short(least).padStart(8)} ${short(own).padStart(8)} ${short(collected).padStart(8)}${bound}`,
  );
}
