// The queue and the vendors together, where the whole server would be too slow or too large to see it.
import { EventEmitter, once } from "node:events";
import { mock } from "node:test";
import { pino } from "pino";
import t from "tap";
import { createNotifications } from "../../src/app/notifications.ts";
import type { Cluster, News } from "../../src/core/cluster.ts";
import type { PushId } from "../../src/core/device.ts";
import { NOTHING_WANTED } from "../../src/core/events.ts";
import { accept } from "../../src/core/notify.ts";
import type { Vendor } from "../../src/core/vendor.ts";
import { openVendors } from "../../src/vendors/index.ts";
import { openTestEngine } from "../support/engine.ts";

/** Nobody is connected. */
const NOBODY = { count: async () => 0, reached: async () => [], areAwake: async () => [] };

t.test("a stop waits four seconds for vendors that hang, and no longer", async (t) => {
  const engine = await openTestEngine(t);
  const events = new EventEmitter();
  const hanging: Vendor = {
    name: "fcm",
    batch: 1,
    parallel: () => 1,
    apps: ["com.example"],
    send() {
      setImmediate(() => events.emit("asked"));
      return new Promise(() => {});
    },
    close: () => new Promise(() => {}),
  };
  const notifications = createNotifications({
    engine,
    live: NOBODY,
    report: { count: () => {} },
    vendors: {
      byName: new Map([["fcm", hanging]]),
      receipts: new Map(),
      tokenTypes: new Map([["fcm", "fcm"]]),
      relayed: new Set(),
      problems: [],
    },
    log: pino({ level: "silent" }),
    now: Date.now,
    elapsed: () => performance.now(),
  });
  await notifications.start();
  const pushId = "device" as PushId;
  await engine.devices.connect({ pushId, token: { type: "fcm", token: "token" } }, Date.now());
  const asked = once(events, "asked");
  await notifications.actions.notify(
    { id: "note", android: { title: "T", payload: {} } },
    { target: { kind: "pushIds", pushIds: [pushId] }, timeToLive: 60_000, callerAddress: "" },
    "request",
  );
  await asked;
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  let stopped = false;
  const stopping = notifications.stop().then(() => {
    stopped = true;
  });
  await new Promise(setImmediate);
  mock.timers.tick(3999);
  await new Promise(setImmediate);
  t.equal(stopped, false);
  mock.timers.tick(1);
  for (let turn = 0; turn < 10 && !stopped; turn++) await new Promise(setImmediate);
  t.equal(stopped, true);
  mock.timers.tick(10_000);
  await stopping;
});

t.test("a node that starts ends no calls of others before it knows who wants to be told of their ends", async (t) => {
  const engine = await openTestEngine(t);
  const others = new EventEmitter();
  const cluster = { hear: others.on.bind(others), tell: () => {} } as unknown as Cluster; // all that is asked of it here
  const says = <Kind extends keyof News>(kind: Kind, news: News[Kind]): boolean => others.emit(kind, news);
  const notifications = createNotifications({
    engine,
    cluster,
    live: NOBODY,
    report: { count: () => {} },
    vendors: openVendors([], String, Date.now()),
    log: pino({ level: "silent" }),
    now: Date.now,
    elapsed: () => performance.now(),
  });
  t.teardown(() => notifications.stop());
  const tagged = { kind: "tag", tag: "nobody" } as const;
  const content = { android: { title: "T", payload: {} } };
  await accept(engine.outbox, { content, target: tagged, timeToLive: 60_000, callerAddress: "" }, Date.now());
  t.ok(says("accepted", null) && says("work", null) && says("filled", []), "each is listened to");
  // What an expander would ask for is done long before these.
  for (let turn = 0; turn < 20; turn++) {
    await engine.probe();
    await new Promise(setImmediate);
  }
  const [job] = await engine.outbox.jobs({}, 10, Date.now());
  if (!t.equal(job?.finishedAt, undefined, "it is left alone")) return;

  await engine.events.want({ ...NOTHING_WANTED, log: ["job.finished"] });
  const written = new Promise<void>((resolve) => engine.events.onWritten(() => resolve()));
  await notifications.start();
  await written;
  t.match((await engine.events.list({}, 10)).events, [{ type: "job.finished" }]);
});
