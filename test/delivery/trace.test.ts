// Asking vendors what became of their messages: over a real store, with a clock that the test moves.
import { EventEmitter, once } from "node:events";
import t, { type Test } from "tap";
import type { Lane } from "../../src/core/delivery.ts";
import type { PushId } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { Trace, Vendor } from "../../src/core/vendor.ts";
import { createTracer } from "../../src/delivery/trace.ts";
import { openTestEngine } from "../support/engine.ts";

const T = Date.UTC(2027, 0, 15);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Has counted what the test says, by receipt. */
class ScriptedVendor implements Vendor {
  readonly name: string;
  readonly batch = 1000;
  readonly parallel = () => 1;
  readonly apps = ["app"];
  readonly counted = new Map<string, Omit<Trace, "receipt">>();
  readonly asked: string[] = [];
  readonly events = new EventEmitter();

  constructor(name: string) {
    this.name = name;
  }

  async send() {
    return [];
  }

  async trace(_app: string, receipts: readonly string[]): Promise<readonly Trace[]> {
    this.asked.push(...receipts);
    setImmediate(() => this.events.emit("asked"));
    return receipts.flatMap((receipt) => {
      const counts = this.counted.get(receipt);
      return counts === undefined ? [] : [{ receipt, ...counts }];
    });
  }

  async close() {}
}

async function stage(t: Test, vendor: ScriptedVendor) {
  const engine = await openTestEngine(t);
  const clock = { now: T };
  const looked = new EventEmitter();
  const run = () => {
    const tracer = createTracer({
      outbox: {
        receipts: (...args) => engine.outbox.receipts(...args),
        traced: (...args) => engine.outbox.traced(...args),
        async traceable(vendor, from, to, limit) {
          // The youngest come last: then a look is over.
          const page = await engine.outbox.traceable(vendor, from, to, limit);
          if (to === clock.now - MINUTE && page.ids.length === 0) setImmediate(() => looked.emit("over"));
          return page;
        },
      },
      vendors: () => new Map([[vendor.name, vendor]]),
      now: () => clock.now,
      failed: (error) => t.error(error),
      every: 1,
      pause: 1,
    });
    tracer.start();
    t.teardown(() => tracer.stop());
    return tracer;
  };
  return {
    engine,
    clock,
    run,
    /** Two whole looks, so that one of them began after this was called. Returns who was asked about meanwhile. */
    async asked(at: number): Promise<readonly string[]> {
      clock.now = at;
      vendor.asked.length = 0;
      for (let n = 0; n < 3; n++) await once(looked, "over");
      return [...vendor.asked].sort();
    },
    counts: async (id: string) => (await engine.counters.arrivals({ id }, 1))[0]?.counts ?? {},
  };
}

/** One notification to these devices, each accepted with a receipt of its own name. */
async function sent(engine: Engine, id: string, lane: Lane, receipts: readonly string[], at: number): Promise<void> {
  const content = { android: { title: "T", payload: {} } };
  await engine.outbox.accept(
    { id, content, timeToLive: HOUR, type: "pushMany", acceptedAt: at, callerAddress: "::1" },
    { kind: "all" },
  );
  const job = (await engine.outbox.unexpanded(1, at)).work[0]!.job;
  const devices = receipts.map((name) => ({ pushId: name as PushId, via: { lane, type: lane.vendor, token: name } }));
  const rest = { parcels: [], counts: {}, seen: devices.length, skipped: 0, routes: {} };
  await engine.outbox.expand(job, undefined, { ...rest, devices }, at);
  const { deliveries } = await engine.outbox.claim(lane, receipts.length, at, MINUTE);
  await engine.outbox.settle(
    deliveries.map((delivery) => ({
      delivery,
      kind: "accepted" as const,
      receipt: delivery.token,
      counters: [`accepted_${lane.vendor}`],
    })),
    at,
  );
}

t.test(
  "a vendor is asked at growing intervals while a notification is young, and the largest sum is kept",
  async (t) => {
    const xiaomi = new ScriptedVendor("xiaomi");
    const on = await stage(t, xiaomi);
    const lane = { vendor: "xiaomi", app: "app" };
    const receipts = Array.from({ length: 25 }, (_, n) => `m${n + 10}`);
    await sent(on.engine, "n1", lane, receipts, T);
    await sent(on.engine, "other", { vendor: "huawei", app: "app" }, ["h"], T);
    on.run();

    t.same(await on.asked(T + MINUTE - 1), [], "too early");
    for (const receipt of receipts) xiaomi.counted.set(receipt, { delivered: 2, clicked: 1 });
    t.same(await on.asked(T + MINUTE), receipts, "each of its messages once");
    t.match(await on.counts("n1"), { traced_xiaomi: 50, traced_click_xiaomi: 25 });
    t.same(await on.asked(T + 2 * MINUTE), [], "not again before its next age");

    xiaomi.counted.set("m10", { delivered: 10 });
    t.same(await on.asked(T + 5 * MINUTE), receipts);
    t.match(await on.counts("n1"), { traced_xiaomi: 58, traced_click_xiaomi: 25 });
    xiaomi.counted.clear();
    t.same(await on.asked(T + 30 * MINUTE), receipts);
    t.match(await on.counts("n1"), { traced_xiaomi: 58 }, "an answer that is not to be had takes nothing away");
    for (const age of [2 * HOUR, 12 * HOUR, 48 * HOUR]) t.same(await on.asked(T + age), receipts);
    t.same(await on.asked(T + 71 * HOUR), []);
  },
);

t.test("after a restart each young notification is asked about once, an old one not", async (t) => {
  const xiaomi = new ScriptedVendor("xiaomi");
  const on = await stage(t, xiaomi);
  const lane = { vendor: "xiaomi", app: "app" };
  await sent(on.engine, "old", lane, ["old"], T - 73 * HOUR);
  await sent(on.engine, "days", lane, ["days"], T - 60 * HOUR);
  await sent(on.engine, "hours", lane, ["hours"], T - 3 * HOUR);
  await sent(on.engine, "fresh", lane, ["fresh"], T - 10_000);
  xiaomi.counted.set("hours", { delivered: 1 });
  const first = on.run();
  t.same(await on.asked(T), ["days", "hours"]);
  first.stop();
  on.run();
  t.same(await on.asked(T), ["days", "hours"]);
  t.match(await on.counts("hours"), { traced_xiaomi: 1 });
  t.same(await on.asked(T + MINUTE), ["fresh"]);
});
