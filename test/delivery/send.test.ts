// Lanes over a real store, with vendors that do as the test says: what the port `Vendor` allows, at the moment it is wanted.
import { EventEmitter, once } from "node:events";
import { mock } from "node:test";
import t, { type Test } from "tap";
import type { Lane } from "../../src/core/delivery.ts";
import type { Device, PushId } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { LaneStatus } from "../../src/core/lane.ts";
import { accept, type Routing } from "../../src/core/notify.ts";
import type { Job } from "../../src/core/outbox.ts";
import { Traits } from "../../src/core/traits.ts";
import type { Host, Outcome, Vendor } from "../../src/core/vendor.ts";
import { createExpander, type Expander } from "../../src/delivery/expand.ts";
import { createSender, type Sender } from "../../src/delivery/send.ts";
import { INITIAL_CONCURRENCY } from "../../src/delivery/turns.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { openTestEngine } from "../support/engine.ts";

const traits = new Traits(TRAITS);

const APP = "com.example";

interface Request {
  readonly vendor: string;
  readonly note: string;
  readonly tokens: readonly string[];
  readonly refs: readonly string[];
}

type Answer = (token: string, request: Request) => Outcome | Promise<Outcome>;

/** A vendor that answers as `answer` says, now. */
class ScriptedVendor implements Vendor {
  readonly name: string;
  readonly batch: number;
  readonly parallel: () => number;
  readonly apps = [APP];
  readonly requests: Request[] = [];
  readonly events = new EventEmitter();
  answer: Answer;
  host?: (app: string, token: string) => Host;

  constructor(name: string, answer: Answer, batch = 1, parallel = 100) {
    this.name = name;
    this.answer = answer;
    this.batch = batch;
    this.parallel = () => parallel;
  }

  async send(_app: string, note: { readonly id: string }, to: readonly { token: string; ref: string }[]) {
    const tokens = to.map(({ token }) => token);
    const request = { vendor: this.name, note: note.id, tokens, refs: to.map(({ ref }) => ref) };
    this.requests.push(request);
    this.events.emit("request", request);
    return await Promise.all(tokens.map((token) => this.answer(token, request)));
  }

  get tokens(): string[] {
    return this.requests.flatMap(({ tokens }) => tokens);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const ok: Answer = () => ({ kind: "accepted", receipt: "r" });

interface Stage {
  readonly engine: Engine;
  readonly expander: Expander;
  readonly sender: Sender;
  readonly changes: string[];
  readonly events: EventEmitter;
  /** Devices `<vendor>-<n>` with tokens of that vendor's type. */
  devices(vendor: string, count: number): Promise<PushId[]>;
  notify(pushIds: readonly PushId[], id?: string, more?: { timeToLive?: number }): Promise<void>;
  job(id: string): Promise<Job>;
  /** Resolves when every delivery of the notification is settled. */
  finished(id: string): Promise<Job>;
  lane(vendor: string): Promise<LaneStatus>;
  /** The store has answered whatever the lanes want of it by now. */
  calm(): Promise<void>;
}

async function stage(t: Test, ...vendors: ScriptedVendor[]): Promise<Stage> {
  const engine = await openTestEngine(t);
  const changes: string[] = [];
  const events = new EventEmitter();
  const { outbox } = engine;
  const watched = {
    ...outbox,
    settle: async (...args: Parameters<typeof outbox.settle>) => {
      await outbox.settle(...args);
      events.emit("settled");
    },
    claim: async (...args: Parameters<typeof outbox.claim>) => {
      const claim = await outbox.claim(...args);
      events.emit("settled"); // a claim settles what has expired
      return claim;
    },
  };
  const failed = (error: unknown): void => void t.error(error);
  const sender = createSender({
    traits,
    elapsed: Date.now, // as is `now`: some tests move it
    outbox: watched,
    now: Date.now,
    count: () => undefined,
    changed: ({ vendor, host }: Lane, what, reason) => {
      changes.push(`${host === undefined ? vendor : `${vendor} ${host}`} ${what}: ${reason}`);
      events.emit("changed");
    },
    failed,
  });
  sender.use(new Map(vendors.map((vendor) => [vendor.name, vendor])));
  const route: Routing = (type, _package, token) => {
    const lane = { vendor: type, app: APP };
    const host = vendors.find(({ name }) => name === type)?.host;
    return host === undefined ? lane : sender.laneOf(lane, host(APP, token));
  };
  const expander = createExpander({
    traits,
    engine,
    count: () => 0,
    reached: async () => [],
    awake: async () => [],
    route,
    filled: sender.nudge,
    addressed: () => {},
    now: Date.now,
    failed,
  });
  t.teardown(async () => {
    await expander.stop();
    await sender.stop(1000);
  });
  const self: Stage = {
    engine,
    expander,
    sender,
    changes,
    events,
    async devices(vendor, count) {
      const pushIds = Array.from({ length: count }, (_, i) => `${vendor}-device-${i}` as PushId);
      await Promise.all(
        pushIds.map((pushId, i) =>
          engine.devices.connect({ pushId, token: { type: vendor, token: `${vendor}-${i}` } }, Date.now()),
        ),
      );
      return pushIds;
    },
    async notify(pushIds, id = "note", { timeToLive = 60_000 } = {}) {
      const content = { android: { title: "T", payload: {} }, apn: { alert: "T" } };
      const target = { kind: "pushIds", pushIds } as const;
      await accept(outbox, { id, content, target, timeToLive, callerAddress: "" }, Date.now());
      expander.nudge();
    },
    async job(id) {
      const [job] = await outbox.jobs({ id }, 1, Date.now());
      if (job === undefined) throw new Error(`no job ${id}`);
      return job;
    },
    async finished(id) {
      for (;;) {
        const settled = once(events, "settled");
        const job = await self.job(id);
        if (job.state === "finished") return job;
        await settled;
      }
    },
    async calm() {
      // It answers in order, and a lane asks again after an answer.
      for (let i = 0; i < 20; i++) await self.job("note");
    },
    async lane(vendor) {
      const found = (await sender.list()).find((lane) => lane.vendor === vendor);
      if (found === undefined) throw new Error(`no lane ${vendor}`);
      return found;
    },
  };
  return self;
}

const type = async (engine: Engine, pushId: PushId): Promise<Device["type"]> =>
  (await engine.devices.get([pushId], Date.now()))[0]?.type;

t.test("each token is given to its vendor once, and the job ends with what the vendors said", async (t) => {
  const fcm = new ScriptedVendor("fcm", ok);
  const xiaomi = new ScriptedVendor("xiaomi", (token) =>
    token === "xiaomi-1" ? { kind: "refused", reason: "too long" } : { kind: "accepted" },
  );
  const on = await stage(t, fcm, xiaomi);
  await on.notify([...(await on.devices("fcm", 3)), ...(await on.devices("xiaomi", 2))]);
  const job = await on.finished("note");
  t.same(fcm.tokens.sort(), ["fcm-0", "fcm-1", "fcm-2"]);
  t.match(job, { seen: 5, queued: 5, waiting: 0, accepted: 4, failed: { "too long": 1 } });
  t.equal(new Set(fcm.requests.flatMap(({ refs }) => refs)).size, 3, "each delivery has a name of its own");
  const [record] = await on.engine.counters.arrivals({ id: "note" }, 1);
  t.match(record?.counts, {
    target_fcm: 3,
    accepted_fcm: 3,
    arrive_fcm: 3,
    target_xiaomi: 2,
    accepted_xiaomi: 1,
    failed_xiaomi: 1,
  });
  t.match(await on.lane("fcm"), { state: "running", depth: 0, inFlight: 0, accepted: 3, failed: 0 });
});

t.test("a request carries as many tokens as the vendor takes, of one notification", async (t) => {
  const huawei = new ScriptedVendor("huawei", ok, 3);
  const on = await stage(t, huawei);
  const pushIds = await on.devices("huawei", 7);
  await on.notify(pushIds, "one");
  await on.notify(pushIds.slice(0, 2), "two");
  await Promise.all([on.finished("one"), on.finished("two")]);
  t.ok(huawei.requests.every(({ tokens }) => tokens.length <= 3));
  t.equal(huawei.requests.filter(({ note }) => note === "one").length, 3);
  t.equal(huawei.tokens.length, 9);
});

t.test("a batch that was refused as a whole is tried again one by one", async (t) => {
  const oppo = new ScriptedVendor(
    "oppo",
    (token, { tokens }) => {
      if (!tokens.includes("oppo-1")) return { kind: "accepted" };
      return tokens.length > 1
        ? { kind: "retry", reason: "one of them", alone: true }
        : { kind: "gone", reason: `${token} is unknown` };
    },
    10,
  );
  const on = await stage(t, oppo);
  await on.notify(await on.devices("oppo", 3));
  t.match(await on.finished("note"), { accepted: 2, failed: { "oppo-1 is unknown": 1 } });
  t.same(oppo.requests.map(({ tokens }) => tokens.length).sort(), [1, 1, 1, 3]);
});

t.test("a vendor that hangs delays no other", async (t) => {
  const hanging = new ScriptedVendor("fcm", () => new Promise(() => undefined));
  const xiaomi = new ScriptedVendor("xiaomi", ok);
  const on = await stage(t, hanging, xiaomi);
  const asked = once(hanging.events, "request");
  await on.notify(await on.devices("fcm", 3), "hangs");
  await asked;
  await on.notify(await on.devices("xiaomi", 3), "flows");
  t.match(await on.finished("flows"), { accepted: 3 });
  t.match(await on.job("hangs"), { state: "running", waiting: 3 });
  t.match(await on.lane("fcm"), { depth: 3, inFlight: 3 });
});

/** Web Push with as many push hosts as `hostOf` names; `answers` is asked by host. */
function pushHosts(hostOf: (n: number) => string, answers: (host: string) => ReturnType<Answer>): ScriptedVendor {
  const host = (token: string) => hostOf(Number(token.split("-").at(-1)));
  const webpush = new ScriptedVendor("webpush", (token) => answers(host(token)), 1, 200);
  webpush.host = (_app, token) => ({ name: host(token), known: false });
  return webpush;
}

const lanesOf = async (on: Stage) => new Map((await on.sender.list()).map((lane) => [lane.host ?? "", lane] as const));

for (const [trouble, answer] of [
  ["does not answer", () => new Promise<Outcome>(() => undefined)],
  ["gives no answer in time", () => ({ kind: "retry", reason: "timeout", unanswered: true })],
  ["answers 503", () => ({ kind: "retry", reason: "503" })],
  ["asks for a pause", () => ({ kind: "retry", reason: "429", after: 30_000 })],
] satisfies [string, () => ReturnType<Answer>][]) {
  t.test(`F1: a push host that ${trouble} is felt by its own devices only`, async (t) => {
    const webpush = pushHosts(
      (n) => (n % 2 === 0 ? "down" : "up"),
      (host) => (host === "down" ? answer() : { kind: "accepted" }),
    );
    const on = await stage(t, webpush);
    const pushIds = await on.devices("webpush", 200);
    const down = pushIds.filter((_, n) => n % 2 === 0);
    const up = pushIds.filter((_, n) => n % 2 === 1);
    await on.notify(down, "trouble");
    while (webpush.requests.length < 3) await once(webpush.events, "request");
    await on.notify(up, "flows");
    t.match(await on.finished("flows"), { accepted: 100 });
    t.match(await on.job("trouble"), { state: "running", waiting: 100, accepted: 0 });
    const lanes = await lanesOf(on);
    t.match(lanes.get("up"), { state: "running", depth: 0, accepted: 100, retried: 0 });
    t.match(lanes.get("down"), { depth: 100, accepted: 0 });
    t.match(lanes.get(""), { depth: 0, accepted: 0 }, "the one of all other hosts");
  });
}

t.test(
  "F2: a push host that refuses our credentials stops for its own devices only, until it is resumed",
  async (t) => {
    const suspect = { from: Number.POSITIVE_INFINITY, orDenied: true, spares: true } as const;
    let wrong = true;
    const webpush = pushHosts(
      (n) => (n < 12 ? "wrong" : "right"),
      (host) =>
        wrong && host === "wrong" ? { kind: "retry", reason: "403", after: 60_000, suspect } : { kind: "accepted" },
    );
    const on = await stage(t, webpush);
    const stopped = once(on.events, "changed");
    const pushIds = await on.devices("webpush", 24);
    await on.notify(pushIds.slice(0, 12), "refused");
    await stopped;
    await on.notify(pushIds.slice(12), "flows");
    t.match(await on.finished("flows"), { accepted: 12 });
    t.same(on.changes, ["webpush wrong stopped: 403"]);
    t.match((await lanesOf(on)).get("wrong"), { state: "stopped", reason: "403" });
    t.match((await lanesOf(on)).get("right"), { state: "running" });
    wrong = false;
    t.same(on.sender.resume({ host: "wrong" }), [{ vendor: "webpush", app: APP, host: "wrong" }]);
  },
);

t.test(
  "F1b: 400 push hosts that never answer leave a good one its deliveries, before and after it has a lane",
  async (t) => {
    const webpush = pushHosts(
      (n) => (n < 400 ? `silent-${n}` : "good"),
      (host) => (host === "good" ? { kind: "accepted" } : new Promise(() => undefined)),
    );
    const on = await stage(t, webpush);
    const pushIds = await on.devices("webpush", 440);
    const [silent, good] = [pushIds.slice(0, 400), pushIds.slice(400)];
    for (const id of ["s1", "s2", "s3"]) await on.notify(silent, id);
    while (webpush.requests.length < 256 * 3 + 64) await once(webpush.events, "request");
    await on.notify(good, "flows");
    t.match(await on.finished("flows"), { accepted: 40 });
    t.equal((await lanesOf(on)).size, 257, "of 401 hosts");
    const hanging = webpush.tokens.filter((token) => Number(token.split("-").at(-1)) < 400);
    t.ok(hanging.length <= 256 * 3 + 144, "those with a lane have all theirs in flight, the others one each");
  },
);

t.test("refused credentials stop the lane, and nothing else, until it is resumed", async (t) => {
  const fcm = new ScriptedVendor("fcm", () => ({ kind: "denied", reason: "401 wrong key" }), 1, 2);
  const on = await stage(t, fcm);
  const stopped = once(on.events, "changed");
  await on.notify(await on.devices("fcm", 50));
  await stopped;
  await once(on.events, "settled");
  t.match(await on.lane("fcm"), { state: "stopped", reason: "401 wrong key" });
  t.same(on.changes, ["fcm stopped: 401 wrong key"], "told once");
  t.ok(fcm.requests.length <= 4, `asked ${fcm.requests.length} times, not 50`);
  t.match(await on.job("note"), { waiting: 50, accepted: 0 }, "nothing is lost and nothing has failed");

  fcm.answer = ok;
  t.same(on.sender.resume({ vendor: "xiaomi" }), []);
  t.same(on.sender.resume({ vendor: "fcm" }), [{ vendor: "fcm", app: APP }]);
  t.match(await on.finished("note"), { accepted: 50 });
});

t.test("what was claimed when the credentials are refused is given back, not sent", async (t) => {
  const fcm = new ScriptedVendor("fcm", () => ({ kind: "denied", reason: "401 wrong key" }), 1, 1000);
  const send = fcm.send.bind(fcm);
  // Each request takes a while to be written, as real ones do.
  fcm.send = (...args) => {
    for (const until = performance.now() + 0.5; performance.now() < until; );
    return send(...args);
  };
  const on = await stage(t, fcm);
  const stopped = once(on.events, "changed");
  await on.notify(await on.devices("fcm", 400));
  await stopped;
  while ((await on.lane("fcm")).inFlight > 0);
  t.ok(fcm.requests.length < 50, `asked ${fcm.requests.length} times, not 400`);
  t.match(await on.job("note"), { waiting: 400, accepted: 0 });
  fcm.answer = ok;
  fcm.send = send;
  on.sender.resume({});
  t.match(await on.finished("note"), { accepted: 400 });
  t.equal(new Set(fcm.requests.slice(-400).flatMap(({ refs }) => refs)).size, 400, "each once");
});

t.test("new credentials let a stopped lane begin again by itself", async (t) => {
  const wrong = new ScriptedVendor("fcm", () => ({ kind: "denied", reason: "401" }));
  const on = await stage(t, wrong);
  const stopped = once(on.events, "changed");
  await on.notify(await on.devices("fcm", 5));
  await stopped;
  const right = new ScriptedVendor("fcm", ok);
  on.sender.use(new Map([["fcm", right]]));
  t.match(await on.finished("note"), { accepted: 5 });
  t.equal(right.tokens.length, 5);
});

t.test("a spent quota pauses the lane until it is there again", async (t) => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
  t.teardown(() => mock.timers.reset());
  const until = Date.now() + 30_000;
  const xiaomi = new ScriptedVendor("xiaomi", () =>
    Date.now() < until ? { kind: "paused", until, reason: "quota" } : { kind: "accepted" },
  );
  const on = await stage(t, xiaomi);
  const paused = once(on.events, "changed");
  await on.notify(await on.devices("xiaomi", 20));
  await paused;
  t.match(await on.lane("xiaomi"), { state: "paused", reason: "quota", until });
  const asked = xiaomi.requests.length;
  mock.timers.tick(29_999);
  await on.calm();
  t.equal(xiaomi.requests.length, asked, "not before");
  mock.timers.tick(1);
  t.match(await on.finished("note"), { accepted: 20 });
  t.equal(xiaomi.requests.length, asked + 20, "nobody was asked in between");
});

t.test("what may pass is tried again, and what has passed its time is not", async (t) => {
  const refusals = new Map<string, number>();
  const fcm = new ScriptedVendor("fcm", (token, { note }) => {
    const before = refusals.get(note + token) ?? 0;
    refusals.set(note + token, before + 1);
    if (before > 0) return { kind: "accepted" };
    return { kind: "retry", reason: "503", ...(note === "brief" ? { after: 600_000 } : {}) };
  });
  const on = await stage(t, fcm);
  const pushIds = await on.devices("fcm", 3);
  await on.notify(pushIds, "patient");
  await on.notify(pushIds, "brief");
  t.match(await on.finished("brief"), { accepted: 0, failed: { 503: 3 } }, "the pause is longer than its life");
  t.match(await on.finished("patient"), { accepted: 3 });
  const refs = fcm.requests.filter(({ note }) => note === "patient").flatMap(({ refs }) => refs);
  t.equal(new Set(refs).size, 3, "a try again bears the same name");
  t.equal(refs.length, 6);
});

t.test("a dead token is forgotten, so the next notification goes over the connection", async (t) => {
  const fcm = new ScriptedVendor("fcm", (token) =>
    token === "fcm-1" ? { kind: "gone", reason: "404" } : { kind: "accepted" },
  );
  const on = await stage(t, fcm);
  const pushIds = await on.devices("fcm", 3);
  await on.notify(pushIds, "first");
  t.match(await on.finished("first"), { accepted: 2, failed: { 404: 1 } });
  t.same(await Promise.all(pushIds.map((pushId) => type(on.engine, pushId))), ["fcm", "androidNoToken", "fcm"]);
  await on.notify(pushIds, "second");
  t.match(await on.finished("second"), { routes: { fcm: 2, connection: 1 } });
});

t.test("when nearly every token is said to be dead, no more are forgotten", async (t) => {
  const fcm = new ScriptedVendor("fcm", () => ({ kind: "gone", reason: "404" }), 10, 1);
  const on = await stage(t, fcm);
  const pushIds = await on.devices("fcm", 200);
  await on.notify(pushIds);
  t.match(await on.finished("note"), { failed: { 404: 200 } });
  const kept = (await on.engine.devices.get(pushIds, Date.now())).filter(({ type }) => type === "fcm");
  t.equal(kept.length, 160, "after the first 40 nobody believes it: the 50th is held with its whole batch");
  t.match(await on.lane("fcm"), { holdsDeletions: true });
  t.match(on.changes, [/fcm holds deletions/]);
  on.sender.resume({});
  t.match(await on.lane("fcm"), { holdsDeletions: false });
});

t.test("a vendor that is down is asked less and less", async (t) => {
  const fcm = new ScriptedVendor("fcm", () => ({ kind: "retry", reason: "no connection" }));
  const on = await stage(t, fcm);
  await on.notify(await on.devices("fcm", 500));
  // As many as go out at once have done so by then; all else waits for a sign of life.
  const rests = ({ retried, inFlight }: LaneStatus) => retried >= 20 && inFlight < 5;
  while (!rests(await on.lane("fcm"))) await once(on.events, "settled");
  const { lastError, retried } = await on.lane("fcm");
  t.match(lastError, { reason: "no connection" });
  t.ok(retried >= 20);
  t.ok(fcm.requests.length < 100, `${fcm.requests.length} requests for 500 deliveries`);
});

t.test("a connection lost with all its requests costs its lane a second, not a minute", async (t) => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
  t.teardown(() => mock.timers.reset());
  const lost = Promise.withResolvers<Outcome>();
  const apns = new ScriptedVendor("apns", () => lost.promise, 1, 200);
  const on = await stage(t, apns);
  await on.notify(await on.devices("apns", 200));
  while (apns.requests.length < INITIAL_CONCURRENCY) await once(apns.events, "request");
  apns.answer = ok;
  lost.resolve({ kind: "retry", reason: "ECONNRESET" });
  for (let passed = 0; passed < 10_000; passed += 500) {
    await on.calm();
    mock.timers.tick(500);
  }
  await on.calm();
  t.match(await on.job("note"), { state: "finished", accepted: 200 });
});

t.test("a bug in a vendor costs no delivery", async (t) => {
  const fcm = new ScriptedVendor("fcm", ok);
  let broken = true;
  const send = fcm.send.bind(fcm);
  fcm.send = async (...args) => {
    if (!broken) return send(...args);
    broken = false;
    throw new Error("a bug");
  };
  const engine = await openTestEngine(t);
  const told: unknown[] = [];
  const failed = (error: unknown): void => void told.push(error);
  const sender = createSender({
    traits,
    elapsed: Date.now,
    outbox: engine.outbox,
    now: Date.now,
    count: () => undefined,
    changed: () => {},
    failed,
  });
  sender.use(new Map([["fcm", fcm]]));
  const route: Routing = (type) => ({ vendor: type, app: APP });
  const expander = createExpander({
    traits,
    engine,
    count: () => 0,
    reached: async () => [],
    awake: async () => [],
    route,
    filled: sender.nudge,
    addressed: () => {},
    now: Date.now,
    failed,
  });
  const device = "fcm-device-0" as PushId;
  await engine.devices.connect({ pushId: device, token: { type: "fcm", token: "x" } }, Date.now());
  const target = { kind: "pushIds", pushIds: [device] } as const;
  const content = { android: { title: "T", payload: {} } };
  const asked = once(fcm.events, "request");
  await accept(engine.outbox, { id: "n", content, target, timeToLive: 60_000, callerAddress: "" }, Date.now());
  expander.nudge();
  await asked;
  t.match(told, [{ message: "a bug" }]);
  await expander.stop();
  await sender.stop(1000);
  t.match(await engine.outbox.jobs({ id: "n" }, 1, Date.now()), [{ state: "finished", accepted: 1 }]);
});

t.test("a stop waits for what is at the vendor, and does not wait for ever", async (t) => {
  const answers: (() => void)[] = [];
  const fcm = new ScriptedVendor(
    "fcm",
    () => new Promise((resolve) => answers.push(() => resolve({ kind: "accepted" }))),
  );
  const on = await stage(t, fcm);
  const asked = once(fcm.events, "request");
  await on.notify(await on.devices("fcm", 1));
  await asked;
  const stopped = on.sender.stop(60_000);
  for (const answer of answers) answer();
  await stopped;
  t.match(await on.job("note"), { state: "finished", accepted: 1 });

  const hanging = new ScriptedVendor("apn", () => new Promise(() => undefined));
  const other = await stage(t, hanging);
  const hangs = once(hanging.events, "request");
  await other.notify(await other.devices("apn", 1));
  await hangs;
  await other.sender.stop(10);
  t.match(await other.job("note"), { waiting: 1 }, "it is sent again at the next start");
});

t.test("a stop waits until the answer that has just come is stored", async (t) => {
  const answered = Promise.withResolvers<Outcome>();
  const fcm = new ScriptedVendor("fcm", () => answered.promise);
  const on = await stage(t, fcm);
  await on.notify(await on.devices("fcm", 1));
  await once(fcm.events, "request");
  answered.resolve({ kind: "accepted" });
  await new Promise((resolve) => process.nextTick(resolve)); // the lane knows it, and has not stored it yet
  await on.sender.stop(1000);
  t.match(await on.job("note"), { accepted: 1, waiting: 0 });
});

t.test("a paused job sends nothing more until it is resumed; a cancelled one never", async (t) => {
  const release: (() => void)[] = [];
  const fcm = new ScriptedVendor(
    "fcm",
    () => new Promise((resolve) => release.push(() => resolve({ kind: "accepted" }))),
    1,
    2,
  );
  const on = await stage(t, fcm);
  const pushIds = await on.devices("fcm", 6);
  for (const id of ["paused", "cancelled"]) {
    const asked = once(fcm.events, "request");
    await on.notify(pushIds, id);
    await asked;
    const jobs = await on.engine.outbox.order(id, id === "paused" ? "pause" : "cancel", Date.now());
    on.sender.withdraw(jobs.map(({ job }) => job));
    const atVendor = release.length;
    t.ok(atVendor <= 2);
    fcm.answer = ok;
    for (const answer of release.splice(0)) answer();
    for (;;) {
      const settled = once(on.events, "settled");
      if ((await on.job(id)).accepted === atVendor) break;
      await settled;
    }
    const claimed = once(on.events, "settled");
    on.sender.nudge([{ vendor: "fcm", app: APP }]);
    await claimed;
    if (id === "paused") {
      t.match(await on.job(id), { state: "paused", accepted: atVendor }, "only what was at the vendor");
      await on.engine.outbox.order(id, "resume", Date.now());
      on.sender.nudge([{ vendor: "fcm", app: APP }]);
      t.match(await on.finished(id), { accepted: 6 });
      fcm.answer = () => new Promise((resolve) => release.push(() => resolve({ kind: "accepted" })));
    } else {
      const job = await on.job(id);
      t.match(job, { state: "cancelled" });
      t.equal(job.accepted, atVendor);
    }
  }
});
