// The engine and its thread: its priority, its end, who waits for whom, and what it does by itself.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import t from "tap";
import type { PushId } from "../../src/core/device.ts";
import { deviceChannel } from "../../src/core/packet.ts";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local.ts";
import { missed } from "../support/engine.ts";
import { packet, pushId, T } from "./steps.ts";
import { DAY, options } from "./store-steps.ts";

/** The `nice` of each of this process's threads, by its id. One that ends meanwhile is left out. */
const priorities = (): ReadonlyMap<string, number> =>
  new Map(
    readdirSync("/proc/self/task").flatMap((thread) => {
      const file = `/proc/self/task/${thread}/stat`;
      if (!existsSync(file)) return [];
      const [, fields = ""] = readFileSync(file, "utf8").split(") ");
      return [[thread, Number(fields.split(" ")[16])] as const];
    }),
  );

if (process.platform === "linux")
  t.test("on a core they share, the storage thread gives way to the sockets' thread", async (t) => {
    const own = getPriority();
    const before = priorities(); // none of them is the engine's
    const engine = await openLocalEngine(options(":memory:"));
    const started = [...priorities()].filter(([thread]) => !before.has(thread));
    const given = Math.min(19, own + 10);
    t.same(
      started
        .map(([, priority]) => priority)
        .filter((priority) => priority !== own || own === given)
        .slice(0, 1),
      [given],
      "one of those that the engine started",
    );
    t.equal(getPriority(), own, "the sockets' thread keeps its own");
    await engine.close();
  });

t.test("close waits for what was called before, and refuses what comes after", async (t) => {
  const dataDir = t.testdir();
  const engine = await openLocalEngine(options(dataDir));
  const before = Array.from({ length: 5000 }, (_, i) => engine.devices.connect({ pushId: pushId(`d${i}`) }, T));
  const closed = engine.close();
  await t.rejects(engine.devices.count(), { code: "unavailable" });
  await t.rejects(engine.backup(join(dataDir, "copy")), { code: "unavailable" });
  t.equal((await Promise.all(before)).length, 5000);
  await closed;
  await engine.close();
  const again = await openLocalEngine(options(dataDir));
  t.equal(await again.devices.count(), 5000);
  await again.close();
});

t.test("when the thread dies, everything is refused and the owner is told once", async (t) => {
  const told: Error[] = [];
  const engine: LocalEngine = await openLocalEngine(options(":memory:", { onFatal: (error) => told.push(error) }));
  // Nothing a caller can send ends the thread, so this stands in for a crash inside the database library.
  const dying = await openLocalEngine(
    options(":memory:", {
      onFatal: (error) => told.push(error),
      startThread: (data) => {
        const worker = new Worker(
          `const { parentPort } = require("node:worker_threads");
           parentPort.on("message", () => process.exit(7));
           parentPort.postMessage({ kind: "ready" });`,
          { eval: true, workerData: data },
        );
        return worker;
      },
    }),
  );
  const calls = [dying.devices.count(), dying.devices.count()];
  for (const call of await Promise.allSettled(calls))
    t.match(call, { status: "rejected", reason: { code: "unavailable", message: /storage thread has ended/ } });
  await t.rejects(dying.devices.count(), { code: "unavailable" });
  t.equal(told.length, 1);
  await dying.close();
  t.equal(await engine.devices.count(), 0);
  await engine.close();
});

t.test("a value that cannot be stored fails its own caller only", async (t) => {
  const engine = await openLocalEngine(options(":memory:"));
  const sample = { key: "k", total: 1, success: 0, error: 0, latency: 0 };
  const [wrong, right, broken] = await Promise.allSettled([
    engine.counters.add([{ ...sample, key: (() => {}) as never }], T),
    engine.counters.add([sample], T),
    engine.counters.add([{ ...sample, total: Number.NaN }], T),
  ]);
  t.equal(wrong.status, "rejected");
  t.equal(right.status, "fulfilled");
  t.equal(broken.status, "rejected");
  t.match(await engine.counters.chart("k", 0), [{ total: 1 }]);
  await engine.close();
});

t.test("a long scan and a long list let others in between", async (t) => {
  const engine = await openLocalEngine(options(":memory:"));
  const all = Array.from({ length: 20_000 }, (_, i) => pushId(`d${i}`));
  await Promise.all(all.map((id) => engine.devices.connect({ pushId: id }, T)));
  let listDone = false;
  const parcels = all.map((id) => ({ channel: `d:${id}` as never, packet: packet("x") }));
  const list = Promise.resolve(engine.broker.publish(parcels)).then(() => {
    listDone = true;
  });
  await engine.devices.count();
  t.notOk(listDone, "a single call was answered while a list of 20,000 was being kept");
  await list;
  t.same((await engine.devices.get(all, T)).length, 20_000);
  await engine.close();
});

t.test("the figures of the store say how much is waiting", async (t) => {
  const dataDir = t.testdir();
  let engine = await openLocalEngine(options(dataDir));
  const lane = { vendor: "fcm", app: "com.x" };
  const devices = ["a", "b"].map((name) => ({ pushId: pushId(name), via: { lane, type: "fcm", token: name } }));
  await engine.outbox.accept(
    {
      id: "n1",
      content: { android: { payload: {} } },
      timeToLive: DAY,
      type: "x",
      acceptedAt: T,
      callerAddress: "",
    },
    { kind: "all" },
  );
  const [work] = (await engine.outbox.unexpanded(1, T)).work;
  const page = { parcels: [], devices, counts: {}, seen: 2, skipped: 0, routes: {} };
  await engine.outbox.expand(work?.job ?? 0, work?.cursor, page, T);
  await engine.close();
  engine = await openLocalEngine(options(dataDir));
  while (engine.statistics().waiting === 0) await engine.devices.count();
  t.equal(engine.statistics().waiting, 2);
  await engine.close();
});

t.test("a long list does not keep other callers waiting for all of it", async (t) => {
  const engine = await openLocalEngine(options(":memory:"));
  t.teardown(() => engine.close());
  const content = { android: { title: "T", payload: {} } };
  const all = { kind: "all" } as const;
  for (const id of ["n1", "n2"]) {
    const note = { id, content: { ...content, id }, timeToLive: DAY, type: "news", acceptedAt: T, callerAddress: "" };
    await engine.outbox.accept(note, all);
    const [job] = await engine.outbox.jobs({ id }, 1, T);
    const devices = Array.from({ length: 250 }, (_, i) => ({ pushId: pushId(`d${i}`) }));
    await engine.outbox.expand(
      job?.job ?? 0,
      undefined,
      { parcels: [], devices, counts: {}, seen: 250, skipped: 0, routes: {} },
      T,
    );
  }
  const first = (list: Promise<unknown>): Promise<string> =>
    Promise.race([list.then(() => "the list"), engine.devices.count().then(() => "the other")]);
  const records = engine.counters.arrivals({ type: "news" }, 50);
  t.equal(await first(records), "the other");
  t.same(
    (await records).map(({ id, pushIds }) => [id, pushIds.length]),
    [
      ["n2", 250],
      ["n1", 250],
    ],
  );
  const deliveries = engine.outbox.deliveries("n1", undefined, 1000);
  t.equal(await first(deliveries), "the other");
  t.same((await deliveries)?.deliveries.length, 250);
  t.notOk("next" in ((await deliveries) ?? {}));
  const some = await engine.outbox.deliveries("n1", undefined, 240);
  t.equal(some?.deliveries.length, 240);
  t.equal((await engine.outbox.deliveries("n1", some?.next, 240))?.deliveries.length, 10);
});

t.test("A11: the sweep forgets such devices by the setting, when the server starts and on", async (t) => {
  const dataDir = t.testdir();
  const first = await openLocalEngine(options(dataDir, { now: () => T }));
  const channel = deviceChannel(pushId("gone") as PushId);
  await first.devices.connect({ pushId: pushId("gone") }, T);
  await first.devices.connect({ pushId: pushId("tagged"), tags: ["t"] }, T);
  await first.broker.publish([{ channel, packet: packet("kept", T + 1000 * DAY) }]);
  await first.close();
  const later = T + 91 * DAY;
  const second = await openLocalEngine(options(dataDir, { now: () => later, deviceDays: 90 }));
  while ((await second.devices.count()) > 1);
  t.same(await second.devices.get([pushId("gone")], later), []);
  await second.devices.connect({ pushId: pushId("gone") }, later);
  t.match(await missed(second, channel, "unsent", later), [{ id: "kept" }], "what was kept for it is there");
  await second.close();
});
