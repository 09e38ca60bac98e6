// Expansion over a real store, when a part of it fails.
import { EventEmitter, on, once } from "node:events";
import { mock } from "node:test";
import t from "tap";
import type { PushId } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import { accept } from "../../src/core/notify.ts";
import { Traits } from "../../src/core/traits.ts";
import { createExpander, type Expander, type ExpanderOptions } from "../../src/delivery/expand.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { recorder } from "../engine/steps.ts";
import { openTestEngine } from "../support/engine.ts";

const traits = new Traits(TRAITS);

/** Of which nobody hears, and whose devices have a vendor by the type of their token. */
const expanderOf = (options: Pick<ExpanderOptions, "engine" | "now" | "failed">): Expander =>
  createExpander({
    traits,
    count: () => 0,
    reached: async () => [],
    awake: async () => [],
    route: (type) => ({ vendor: type, app: "com.example" }),
    filled: () => {},
    addressed: () => {},
    ...options,
  });

t.test("a page that is still on its way when another fails is not begun again", async (t) => {
  const engine = await openTestEngine(t);
  const pushId = "device" as PushId;
  await engine.devices.connect({ pushId, token: { type: "fcm", token: "token" } }, Date.now());
  const jobs: number[] = [];
  for (const id of ["slow", "broken"]) {
    const content = { android: { title: "T", payload: {} } };
    const target = { kind: "pushIds", pushIds: [pushId] } as const;
    await accept(engine.outbox, { id, content, target, timeToLive: 60_000, callerAddress: "" }, Date.now());
    const [job] = await engine.outbox.jobs({ id }, 1, Date.now());
    jobs.push(job?.job ?? 0);
  }
  const [slow, broken] = jobs;
  const events = new EventEmitter();
  const go = Promise.withResolvers<void>();
  let breaks = true;
  const outbox: Engine["outbox"] = {
    ...engine.outbox,
    async expand(job, ...page) {
      if (job === broken && breaks) {
        breaks = false;
        setImmediate(() => events.emit("broken"));
        throw new Error("a page that cannot be stored");
      }
      if (job === slow) await go.promise;
      const taken = await engine.outbox.expand(job, ...page);
      events.emit("expanded", job);
      return taken;
    },
  };
  const failures: unknown[] = [];
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  const expander = expanderOf({
    engine: { devices: engine.devices, outbox },
    now: Date.now,
    failed: (error) => {
      failures.push(error);
      setImmediate(() => events.emit("failed"));
    },
  });
  const hasBroken = once(events, "broken");
  expander.nudge();
  await hasBroken;
  mock.timers.tick(10_000); // what failed is tried again by now
  await engine.outbox.jobs({ id: "slow" }, 1, Date.now());
  await engine.outbox.jobs({ id: "slow" }, 1, Date.now());
  t.same(failures, []);
  const failed = once(events, "failed");
  go.resolve();
  await failed;
  const again = once(events, "expanded");
  mock.timers.tick(10_000);
  t.same(await again, [broken]);
  await expander.stop();
  for (const id of ["slow", "broken"])
    t.match(await engine.outbox.jobs({ id }, 1, Date.now()), [{ seen: 1, queued: 1 }]);
  t.match(failures, [{ message: "a page that cannot be stored" }]);
});

t.test("a scheduled job begins at its time also when the clock was set or the machine slept", async (t) => {
  const engine = await openTestEngine(t);
  const begun = Date.now();
  let slept = 0;
  const content = { android: { title: "T", payload: {} } };
  const target = { kind: "pushIds", pushIds: ["device" as PushId] } as const;
  const sendAt = begun + 3_600_000;
  const request = { id: "later", content, target, timeToLive: 60_000, sendAt, callerAddress: "" };
  await accept(engine.outbox, request, begun);
  const events = new EventEmitter();
  const outbox: Engine["outbox"] = {
    ...engine.outbox,
    async unexpanded(...args) {
      const found = await engine.outbox.unexpanded(...args);
      setImmediate(() => events.emit("looked"));
      return found;
    },
    async expand(...args) {
      const taken = await engine.outbox.expand(...args);
      events.emit("expanded");
      return taken;
    },
  };
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  const expander = expanderOf({
    engine: { devices: engine.devices, outbox },
    now: () => begun + slept,
    failed: (error) => t.error(error),
  });
  const looked = once(events, "looked");
  expander.nudge();
  await looked;
  t.match(await engine.outbox.jobs({ id: "later" }, 1, begun), [{ state: "scheduled" }]);
  slept = 3_600_000;
  const expanded = once(events, "expanded");
  mock.timers.tick(60_000);
  await expanded;
  t.match(await engine.outbox.jobs({ id: "later" }, 1, sendAt), [{ state: "finished" }]);
  await expander.stop();
});

t.test("a rate does not slow a dry run down: it only counts", async (t) => {
  const engine = await openTestEngine(t);
  const pushIds = Array.from({ length: 1500 }, (_, i) => `device-${i}` as PushId);
  await Promise.all(pushIds.map((pushId) => engine.devices.connect({ pushId }, Date.now())));
  const content = { android: { title: "T", payload: {} } };
  const call = {
    id: "dry",
    content,
    target: { kind: "pushIds", pushIds },
    timeToLive: 60_000,
    callerAddress: "",
  } as const;
  await accept(engine.outbox, { ...call, rate: 1, dryRun: true }, Date.now());
  const events = new EventEmitter();
  const outbox: Engine["outbox"] = {
    ...engine.outbox,
    async expand(...page) {
      const taken = await engine.outbox.expand(...page);
      events.emit("expanded");
      return taken;
    },
  };
  mock.timers.enable({ apis: ["setTimeout"] }); // what has to wait does so for ever
  t.teardown(() => mock.timers.reset());
  const expander = expanderOf({
    engine: { devices: engine.devices, outbox },
    now: Date.now,
    failed: t.error,
  });
  expander.nudge();
  const expanded = on(events, "expanded");
  for (;;) {
    await expanded.next();
    const [job] = await engine.outbox.jobs({ id: "dry" }, 1, Date.now());
    if (job?.state !== "finished") continue;
    t.match(job, { seen: 1500, queued: 0 });
    break;
  }
  await expander.stop();
});

t.test("what a pace or a pause has held beyond its time goes to no socket, and at once", async (t) => {
  const engine = await openTestEngine(t);
  const delivered: string[] = [];
  engine.broker.attach({ ...recorder(), deliver: (channel) => delivered.push(channel), has: () => true });
  const begun = Date.now();
  let passed = 0;
  for (const name of ["device-a", "device-b", "device-c"])
    await engine.devices.connect({ pushId: name as PushId, tags: ["t"] }, begun);
  const content = { android: { title: "T", payload: {} } };
  const target = { kind: "tag", tag: "t" } as const;
  const request = { id: "paced", content, target, timeToLive: 1000, rate: 1, callerAddress: "" };
  await accept(engine.outbox, request, begun);
  const events = new EventEmitter();
  const expander = expanderOf({
    engine: {
      devices: engine.devices,
      outbox: {
        ...engine.outbox,
        async expand(...args) {
          const taken = await engine.outbox.expand(...args);
          setImmediate(() => events.emit("expanded"));
          return taken;
        },
      },
    },
    now: () => begun + passed,
    failed: (error) => t.error(error),
  });
  const first = once(events, "expanded");
  expander.nudge();
  await first;
  t.same(delivered, ["d:device-a"]);
  t.match(await engine.outbox.jobs({ id: "paced" }, 1, begun), [{ seen: 1, queued: 0 }]);
  passed = 1000;
  const second = once(events, "expanded");
  expander.nudge();
  await second;
  t.same(delivered, ["d:device-a"], "the others are too late");
  t.match(await engine.outbox.jobs({ id: "paced" }, 1, begun + passed), [
    { state: "finished", seen: 3, queued: 2, failed: { "its time to live passed in the queue": 2 } },
  ]);
  await expander.stop();
});
