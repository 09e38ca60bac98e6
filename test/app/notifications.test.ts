// The queue and the vendors together, where the whole server would be too slow or too large to see it.
import { EventEmitter, once } from "node:events";
import { mock } from "node:test";
import { pino } from "pino";
import t from "tap";
import { createNotifications } from "../../src/app/notifications.ts";
import type { PushId } from "../../src/core/device.ts";
import type { Vendor } from "../../src/core/vendor.ts";
import { openTestEngine } from "../support/engine.ts";

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
    live: { count: async () => 0, reached: async () => [], areAwake: async () => [] },
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
