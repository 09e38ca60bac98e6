// One lane over a real store, at the moments that a whole run meets only by bad luck: the store, the clock and the vendor do as
// the test says.
import { EventEmitter, on, once } from "node:events";
import { mock } from "node:test";
import t from "tap";
import type { Lane } from "../../src/core/delivery.ts";
import type { PushId } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { NotificationTarget } from "../../src/core/outbox.ts";
import { HOUR } from "../../src/core/time.ts";
import { Traits } from "../../src/core/traits.ts";
import type { Outcome, Vendor } from "../../src/core/vendor.ts";
import { type LaneOptions, LaneRunner } from "../../src/delivery/lane.ts";
import { Turns } from "../../src/delivery/turns.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { openTestEngine } from "../support/engine.ts";

const traits = new Traits(TRAITS);

const LANE: Lane = { vendor: "fcm", app: "com.example" };

/** Accepts a notification and makes its deliveries, one per device. */
async function queue({ outbox }: Engine, count: number, id = "note", timeToLive = 3_600_000): Promise<void> {
  const devices = Array.from({ length: count }, (_, i) => ({
    pushId: `device-${i}` as PushId,
    via: { lane: LANE, type: "fcm", token: `token-${i}` },
  }));
  const now = Date.now();
  const content = { id, android: { title: "T", payload: {} } };
  const target: NotificationTarget = { kind: "pushIds", pushIds: devices.map(({ pushId }) => pushId) };
  const note = { id, content, timeToLive, type: "pushMany", acceptedAt: now, callerAddress: "" };
  await outbox.accept(note, target);
  const [job] = await outbox.jobs({ id }, 1, now);
  await outbox.expand(
    job?.job ?? 0,
    undefined,
    { parcels: [], devices, counts: {}, seen: count, skipped: 0, routes: { fcm: count } },
    now,
  );
}

/** A vendor that gets `answer` from the test, and tells it of each request. */
class ScriptedVendor extends EventEmitter implements Vendor {
  readonly name = LANE.vendor;
  readonly batch: number;
  readonly parallel: () => number;
  readonly apps = [LANE.app];
  readonly tokens: string[] = [];
  readonly #answer: (token: string) => Outcome | Promise<Outcome>;

  constructor(answer: (token: string) => Outcome | Promise<Outcome>, batch = 1, parallel = 10) {
    super();
    this.batch = batch;
    this.parallel = () => parallel;
    this.#answer = answer;
  }

  async send(_app: string, _note: unknown, to: readonly { readonly token: string }[]): Promise<readonly Outcome[]> {
    const tokens = to.map(({ token }) => token);
    this.tokens.push(...tokens);
    this.emit("request");
    return await Promise.all(tokens.map(this.#answer));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const accepted = (): Outcome => ({ kind: "accepted" });

/** Tells of each settlement once it is stored and the lane has seen it. */
const telling = (outbox: LaneOptions["outbox"], events: EventEmitter): LaneOptions["outbox"] => ({
  ...outbox,
  async settle(...args) {
    await outbox.settle(...args);
    setImmediate(() => events.emit("settled"));
  },
});

const options = (outbox: LaneOptions["outbox"], events = new EventEmitter()): LaneOptions => ({
  outbox,
  traits,
  turns: new Turns(),
  now: Date.now,
  elapsed: () => performance.now(),
  count: () => {},
  changed: (_lane, what) => void events.emit(what),
  failed: (error) => void events.emit("failed", error),
});

t.test("what is claimed while the lane is closed is not sent, and costs no try", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 3);
  const claimed = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const outbox: LaneOptions["outbox"] = {
    ...engine.outbox,
    async claim(...args) {
      const claim = await engine.outbox.claim(...args);
      claimed.resolve();
      await go.promise;
      return claim;
    },
  };
  const fcm = new ScriptedVendor(accepted);
  const runner = new LaneRunner(LANE, fcm, options(outbox));
  await claimed.promise;
  await runner.close(); // nothing is at the vendor
  go.resolve();
  await new Promise(setImmediate);
  t.same(fcm.tokens, []);
  const page = await engine.outbox.deliveries("note", undefined, 10);
  t.same(
    page?.deliveries.map(({ state, retries }) => `${state} ${retries}`),
    ["queued 0", "queued 0", "queued 0"],
  );
});

t.test("a lane that another node owns sends nothing here until it is ours", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 3);
  const events = new EventEmitter();
  let ours = false;
  const outbox: LaneOptions["outbox"] = {
    ...telling(engine.outbox, events),
    async own() {
      setImmediate(() => events.emit("asked"));
      return ours;
    },
  };
  const fcm = new ScriptedVendor(accepted);
  const asked = once(events, "asked");
  const runner = new LaneRunner(LANE, fcm, options(outbox, events));
  await asked;
  t.same(fcm.tokens, []);
  ours = true;
  const settled = once(events, "settled");
  runner.nudge();
  await settled;
  t.ok(fcm.tokens.length > 0);
  await runner.close();
});

t.test("refused credentials do not stop a lane that has others by then", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 1);
  const answer = Promise.withResolvers<Outcome>();
  const old = new ScriptedVendor(() => answer.promise);
  const events = new EventEmitter();
  const asked = once(old, "request");
  const settled = new EventEmitter();
  const outbox: LaneOptions["outbox"] = {
    ...engine.outbox,
    async settle(...args) {
      await engine.outbox.settle(...args);
      settled.emit("settled");
    },
  };
  const runner = new LaneRunner(LANE, old, options(outbox, events));
  await asked;
  const fresh = new ScriptedVendor(accepted);
  runner.use(fresh);
  const sent = once(settled, "settled").then(() => once(settled, "settled"));
  answer.resolve({ kind: "denied", reason: "403 the key was revoked" });
  const ended = await Promise.race([sent.then(() => "sent"), once(events, "stopped").then(() => "stopped")]);
  t.equal(ended, "sent");
  t.same(fresh.tokens, ["token-0"]);
  await runner.close();
});

t.test(
  "while the store takes no settlements nothing is claimed, so a lease that ran out sends nothing twice",
  async (t) => {
    const engine = await openTestEngine(t);
    await queue(engine, 2);
    let full = true;
    let later = 0;
    const events = new EventEmitter();
    const fcm = new ScriptedVendor(accepted);
    const outbox: LaneOptions["outbox"] = {
      ...engine.outbox,
      async settle(...args) {
        if (full) throw new Error("the disk is full");
        await engine.outbox.settle(...args);
        events.emit("settled");
      },
    };
    const runner = new LaneRunner(LANE, fcm, {
      ...options(outbox, events),
      now: () => Date.now() + later,
      elapsed: () => performance.now() + later,
    });
    await once(events, "failed");
    later = 400_000; // longer than a lease
    runner.nudge();
    await engine.outbox.lanes(); // a claim would have been answered before
    full = false;
    await once(events, "settled");
    await engine.outbox.lanes();
    t.same([...fcm.tokens].sort(), ["token-0", "token-1"]);
    t.match(await engine.outbox.jobs({ id: "note" }, 1, Date.now()), [{ state: "finished", accepted: 2 }]);
    await runner.close();
  },
);

t.test("what a job held is sent after it was resumed, even if nobody tells the lane", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 2);
  await engine.outbox.order("note", "pause", Date.now());
  const events = new EventEmitter();
  const outbox: LaneOptions["outbox"] = {
    ...engine.outbox,
    async claim(...args) {
      const claim = await engine.outbox.claim(...args);
      setImmediate(() => events.emit("claimed")); // after the lane has seen it
      return claim;
    },
    async settle(...args) {
      await engine.outbox.settle(...args);
      events.emit("settled");
    },
  };
  const fcm = new ScriptedVendor(accepted);
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  const looked = once(events, "claimed");
  const runner = new LaneRunner(LANE, fcm, options(outbox));
  await looked;
  t.same(fcm.tokens, []);
  await engine.outbox.order("note", "resume", Date.now()); // as the store does by itself after a restart
  const settled = once(events, "settled");
  mock.timers.tick(60_000);
  await settled;
  t.match(await engine.outbox.jobs({ id: "note" }, 1, Date.now()), [{ state: "finished", accepted: 2 }]);
  await runner.close();
});

t.test("devices that have had too many notifications slow no other down", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 40);
  const busy = (token: string) => Number(token.split("-")[1]) < 30;
  const fcm = new ScriptedVendor((token) =>
    busy(token) ? { kind: "retry", reason: "429", after: 600_000, scope: "token" } : accepted(),
  );
  const events = new EventEmitter();
  const outbox = telling(engine.outbox, events);
  mock.timers.enable({ apis: ["setTimeout"] }); // a lane that rests is woken by nothing
  t.teardown(() => mock.timers.reset());
  const runner = new LaneRunner(LANE, fcm, options(outbox, events));
  while (fcm.tokens.length < 40) await once(events, "settled");
  await runner.close(); // everything asked is settled then
  t.match(await engine.outbox.jobs({ id: "note" }, 1, Date.now()), [{ accepted: 10, waiting: 30 }]);
});

t.test("a lane that rests because its vendor was down goes on at once when it is resumed", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 40);
  let up = false;
  const fcm = new ScriptedVendor(() => (up ? accepted() : { kind: "retry", reason: "503" }));
  const events = new EventEmitter();
  const outbox = telling(engine.outbox, events);
  mock.timers.enable({ apis: ["setTimeout"] }); // no timer wakes it
  t.teardown(() => mock.timers.reset());
  const runner = new LaneRunner(LANE, fcm, options(outbox, events));
  while (fcm.tokens.length < 20) await once(events, "settled");
  await engine.outbox.jobs({ id: "note" }, 1, Date.now());
  const asked = fcm.tokens.length;
  t.ok(asked < 40, `${asked} of 40 were tried before it rested`);
  up = true;
  t.equal(runner.resume(), true);
  while (fcm.tokens.length < 40) await once(events, "settled");
  await runner.close();
});

const aboutOne: Readonly<Record<string, Partial<Outcome>>> = {
  "wants each recipient alone": { alone: true },
  "failed each recipient for no known reason": { once: true, after: 60_000 },
  "may have been given the wrong token": { suspect: { from: Number.POSITIVE_INFINITY }, after: 60_000 },
};

for (const [what, more] of Object.entries(aboutOne)) {
  t.test(`a vendor that ${what} is there: the lane does not rest`, async (t) => {
    const engine = await openTestEngine(t);
    await queue(engine, 40);
    const fcm = new ScriptedVendor(() => ({ kind: "retry", reason: "one of them", ...more }) as Outcome);
    const events = new EventEmitter();
    const outbox: LaneOptions["outbox"] = {
      ...engine.outbox,
      async settle(...args) {
        await engine.outbox.settle(...args);
        setImmediate(() => events.emit("settled"));
      },
    };
    mock.timers.enable({ apis: ["setTimeout"] }); // no timer wakes it
    t.teardown(() => mock.timers.reset());
    const runner = new LaneRunner(LANE, fcm, options(outbox, events));
    while (fcm.tokens.length < 40) await once(events, "settled");
    t.equal(fcm.tokens.length, 40);
    await runner.close();
  });
}

t.test(
  "a lane at rest is looked through for what has expired every 30 seconds, however often it is nudged",
  async (t) => {
    const engine = await openTestEngine(t);
    await queue(engine, 2);
    const events = new EventEmitter();
    let later = 0;
    let looks = 0;
    const outbox: LaneOptions["outbox"] = {
      ...engine.outbox,
      async expire(...args) {
        looks++;
        const after = await engine.outbox.expire(...args);
        setImmediate(() => events.emit("looked"));
        return after;
      },
    };
    mock.timers.enable({ apis: ["setTimeout"] });
    t.teardown(() => mock.timers.reset());
    const looked = once(events, "looked");
    const runner = new LaneRunner(LANE, undefined, {
      ...options(outbox, events),
      now: () => Date.now() + later,
      elapsed: () => performance.now() + later,
    });
    await looked;
    for (let nudge = 0; nudge < 5; nudge++) {
      runner.nudge();
      await engine.outbox.lanes();
    }
    t.equal(looks, 1);
    later = 3_600_000; // their time is over
    const again = once(events, "looked");
    mock.timers.tick(30_000);
    await again;
    t.match(await engine.outbox.jobs({ id: "note" }, 1, Date.now()), [{ state: "finished", accepted: 0, waiting: 0 }]);
    await runner.close();
  },
);

t.test(
  "a vendor that takes batches gets no more requests at once than it can take, however many calls wait",
  async (t) => {
    const engine = await openTestEngine(t);
    const calls = Array.from({ length: 100 }, (_, i) => `note-${i}`);
    for (const id of calls) await queue(engine, 1, id);
    let flying = 0;
    let most = 0;
    const xiaomi = new ScriptedVendor(
      async () => {
        most = Math.max(most, ++flying);
        await new Promise(setImmediate);
        flying--;
        return accepted();
      },
      1000,
      4,
    );
    const events = new EventEmitter();
    const outbox: LaneOptions["outbox"] = {
      ...engine.outbox,
      async settle(...args) {
        await engine.outbox.settle(...args);
        events.emit("settled");
      },
    };
    const runner = new LaneRunner(LANE, xiaomi, options(outbox, events));
    const settled = on(events, "settled");
    while (xiaomi.tokens.length < calls.length) await settled.next();
    t.equal(most, 4);
    await runner.close();
  },
);

t.test("a lane resumed before its quota is there sends all that waits, not only what was never claimed", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 20);
  let spent = true;
  const until = Date.now() + 1_800_000;
  const xiaomi = new ScriptedVendor(() => (spent ? { kind: "paused", until, reason: "quota" } : accepted()));
  const events = new EventEmitter();
  const outbox = telling(engine.outbox, events);
  const runner = new LaneRunner(LANE, xiaomi, options(outbox, events));
  const settled = on(events, "settled");
  const waits = (): boolean => {
    const { state, inFlight } = runner.status(undefined, 0);
    return state === "paused" && inFlight === 0;
  };
  while (!waits()) await settled.next();
  const asked = xiaomi.tokens.length;
  spent = false;
  t.equal(runner.resume(), true);
  while (xiaomi.tokens.length < asked + 20) await settled.next();
  await runner.close();
});

t.test("tokens said to be dead by answers to an earlier configuration are not all believed either", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 100);
  const answer = Promise.withResolvers<Outcome>();
  const events = new EventEmitter();
  const old = new ScriptedVendor(() => answer.promise, 100);
  const asked = once(old, "request");
  const kept: (object | undefined)[] = [];
  const outbox: LaneOptions["outbox"] = {
    ...engine.outbox,
    async settle(settlements, now) {
      for (const settlement of settlements) if (settlement.kind === "gone") kept.push(settlement.forget);
      await engine.outbox.settle(settlements, now);
      events.emit("settled");
    },
  };
  const runner = new LaneRunner(LANE, old, options(outbox, events));
  await asked;
  runner.use(new ScriptedVendor(accepted));
  const settled = once(events, "settled");
  answer.resolve({ kind: "gone", reason: "404" });
  await settled;
  t.ok(kept.length >= 50);
  t.ok(
    kept.every((forget) => forget === undefined),
    "none is forgotten",
  );
  t.equal(runner.holdsDeletions, true);
  runner.use(undefined);
  runner.use(new ScriptedVendor(accepted));
  t.equal(runner.holdsDeletions, true, "until an operator has looked");
  runner.resume();
  t.equal(runner.holdsDeletions, false);
  await runner.close();
});

t.test("claims are of whole deliveries, also when a burst has passed and few are left", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 1000);
  const fcm = new ScriptedVendor(accepted, 1, 20);
  const events = new EventEmitter();
  const limits: number[] = [];
  let later = 0;
  const outbox: LaneOptions["outbox"] = {
    ...engine.outbox,
    claim(lane, limit, ...rest) {
      limits.push(limit);
      return engine.outbox.claim(lane, limit, ...rest);
    },
    async settle(...args) {
      await engine.outbox.settle(...args);
      setImmediate(() => events.emit("settled"));
    },
  };
  const failures: unknown[] = [];
  const runner = new LaneRunner(LANE, fcm, {
    ...options(outbox, events),
    now: () => Date.now() + later,
    elapsed: () => performance.now() + later,
    failed: (error) => void failures.push(error),
  });
  while (fcm.tokens.length < 1000) await once(events, "settled");
  for (let single = 0; single < 6; single++) {
    later += 1000;
    await queue(engine, 1, `single-${single}`);
    const settled = once(events, "settled");
    runner.nudge();
    await settled;
  }
  t.same(failures, []);
  t.same(
    limits.filter((limit) => !Number.isInteger(limit)),
    [],
  );
  t.ok(Math.max(...limits) > 4 * limits.at(-1)!, "they grew, and were small again");
  await runner.close();
});

t.test("what expires after it was given back keeps the vendor's reason", async (t) => {
  const engine = await openTestEngine(t);
  await queue(engine, 30);
  let later = 0;
  const events = new EventEmitter();
  const fcm = new ScriptedVendor(() => ({ kind: "retry", reason: "503 UNAVAILABLE" }), 1, 2);
  const outbox = telling(engine.outbox, events);
  const runner = new LaneRunner(LANE, fcm, {
    ...options(outbox, events),
    now: () => Date.now() + later,
    elapsed: () => performance.now() + later,
  });
  while (fcm.tokens.length < 20) await once(events, "settled"); // then the lane rests, and gives back what it had ready
  const [job] = await engine.outbox.jobs({ id: "note" }, 1, Date.now());
  runner.withdraw(job?.job ?? 0);
  later = 3_600_000;
  runner.resume();
  for (;;) {
    const [{ state, failed } = { state: "", failed: {} }] = await engine.outbox.jobs({ id: "note" }, 1, Date.now());
    if (state === "finished") {
      t.notOk("" in failed, JSON.stringify(failed));
      t.ok("503 UNAVAILABLE" in failed);
      break;
    }
    runner.nudge();
    await engine.outbox.lanes();
  }
  await runner.close();
});

t.test(
  "F4, F6: the lane shows which ways are closed and how many tokens were set aside, and says each once",
  async (t) => {
    const engine = await openTestEngine(t);
    await queue(engine, 3);
    const events = new EventEmitter();
    const said: string[] = [];
    const ways = [{ way: "production", reason: "403", since: 1, until: 2 }];
    const vendor = Object.assign(new ScriptedVendor(() => ({ kind: "refused", reason: "foreign", detour: "none x" })), {
      stoppedWays: () => ways,
      reopen: () => void said.push("reopened"),
    });
    const settled = once(events, "settled");
    const runner = new LaneRunner(LANE, vendor, {
      ...options(telling(engine.outbox, events), events),
      changed: (_lane, what, reason) => void said.push(`${what} ${reason}`),
    });
    t.teardown(() => runner.close());
    await settled;
    t.match(runner.status(undefined, 0), { state: "running", stoppedWays: ways, setAside: 3 });
    t.same(said, ["way stopped production: 403"]);
    t.ok(runner.resume(), "an operator may have the way tried again");
    t.match(said, ["way stopped production: 403", "reopened", "resumed "]);
    t.equal(runner.status(undefined, 0).stoppedWays, undefined);
  },
);

t.test(
  "F5: a pause longer than the life of what waits loses nothing at once, and is said with what it will cost",
  async (t) => {
    const engine = await openTestEngine(t);
    await queue(engine, 3);
    const events = new EventEmitter();
    const until = Date.now() + 2 * 3_600_000;
    const answers: Outcome[] = [{ kind: "paused", until, reason: "429" }];
    const vendor = new ScriptedVendor(() => answers.shift() ?? accepted(), 1, 1);
    const paused = once(events, "paused");
    const runner = new LaneRunner(LANE, vendor, {
      ...options(telling(engine.outbox, events), events),
      changed: (_lane, what, reason) => void events.emit(what, reason),
    });
    t.teardown(() => runner.close());
    const [reason] = (await paused) as [string];
    t.equal(
      reason,
      `429, until ${new Date(until).toISOString()}; 3 of what waits will have expired by then, unless it is resumed before`,
    );
    t.match(runner.status(undefined, 0, await runner.expiring()), { state: "paused", until, expiring: 3, failed: 0 });
    const settled = on(events, "settled");
    runner.resume();
    for await (const _ of settled) if (runner.status(undefined, 0).accepted === 3) break;
  },
);

t.test(
  "F8: a lane whose credentials were refused is tried again by one request, ever more seldom, and goes on",
  async (t) => {
    const engine = await openTestEngine(t);
    await queue(engine, 3, "note", 86_400_000);
    let clock = Date.now();
    let wrong = true;
    const fcm = new ScriptedVendor(() => (wrong ? { kind: "denied", reason: "401" } : { kind: "accepted" }), 1, 1);
    const events = new EventEmitter();
    const told: string[] = [];
    const runner = new LaneRunner(LANE, fcm, {
      ...options(telling(engine.outbox, events), events),
      now: () => clock,
      elapsed: () => clock,
      changed: (_lane, what) => void told.push(what),
    });
    const rests = async () => {
      while (runner.status(undefined, 0).inFlight > 0) await once(events, "settled");
      return runner.status(undefined, 0);
    };
    await once(events, "settled");
    await rests();
    let asked = fcm.tokens.length;
    for (const minutes of [2, 4, 8, 16, 32, 60, 60]) {
      const { state, until } = await rests();
      t.same([state, until], ["stopped", clock + minutes * 60_000]);
      clock += minutes * 60_000;
      if (minutes === 60) break;
      const settled = once(events, "settled");
      runner.nudge();
      await settled;
      t.equal(fcm.tokens.length, ++asked, "one request each time");
    }
    t.same(told, ["stopped"], "said once");
    wrong = false;
    runner.nudge();
    while (runner.status(undefined, 0).accepted < 3) await once(events, "settled");
    t.same(told, ["stopped", "resumed"]);
    await runner.close();
  },
);

t.test(
  "B13: the clock is set back an hour: a lane that rests goes on when its time is over all the same",
  async (t) => {
    const cases: readonly { name: string; state: string; lasts: number; answer(now: number): Outcome }[] = [
      { name: "stopped", state: "stopped", lasts: 120_000, answer: () => ({ kind: "denied", reason: "401" }) },
      {
        name: "paused",
        state: "paused",
        lasts: 60_000,
        answer: (now) => ({ kind: "paused", until: now + 60_000, reason: "quota" }),
      },
      {
        name: "asked to wait",
        state: "running",
        lasts: 60_000,
        answer: () => ({ kind: "retry", reason: "429", after: 60_000 }),
      },
    ];
    for (const { name, state, lasts, answer } of cases)
      await t.test(name, async (t) => {
        const engine = await openTestEngine(t);
        let now = Date.now() + HOUR;
        let elapsed = 1000;
        let trouble = true;
        await queue(engine, 20, "note", 24 * HOUR); // so many failures in a row let it rest
        const fcm = new ScriptedVendor(() => (trouble ? answer(now) : { kind: "accepted" }), 1, 1);
        const events = new EventEmitter();
        const latencies: number[] = [];
        const runner = new LaneRunner(LANE, fcm, {
          ...options(telling(engine.outbox, events), events),
          now: () => now,
          elapsed: () => elapsed,
          count: (_key, { latency }) => void latencies.push(latency),
        });
        const pass = (milliseconds: number): void => {
          now += milliseconds;
          elapsed += milliseconds;
        };
        while (fcm.tokens.length < (state === "running" ? 20 : 1) || runner.status(undefined, 0).inFlight > 0)
          await once(events, "settled");
        t.equal(runner.status(undefined, 0).state, state);
        now -= HOUR;
        trouble = false;
        await queue(engine, 1, "another");
        const asked = fcm.tokens.length;
        pass(lasts - 1);
        runner.nudge();
        await engine.outbox.lanes(); // behind a claim, if there is one
        await new Promise(setImmediate);
        t.equal(fcm.tokens.length, asked, "not before");
        pass(1);
        runner.nudge();
        while (runner.status(undefined, 0).accepted < 1) await once(events, "settled");
        t.ok(runner.status(undefined, 0).rate > 0, "what is sent now counts in the rate");
        t.ok(latencies.every((latency) => latency >= 0));
        await runner.close();
      });
  },
);
