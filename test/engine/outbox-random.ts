// Everything that can happen to notifications, in random order: the sums that are kept beside the deliveries always agree with
// them, and nothing is sent twice under one lease or after it was settled. The same on each store.
import type { Test } from "tap";
import type { Delivery, Settlement } from "../../src/core/delivery.ts";
import { type AddressedRow, packAddressed, packSettlements, unpackClaimed } from "../../src/engine/rows.ts";
import type { Claimed, LaneName } from "../../src/engine/sqlite/deliveries.ts";
import { State } from "../../src/engine/sqlite/state.ts";
import type { Call } from "../../src/engine/sqlite/thread.ts";
import { pushId, T } from "./steps.ts";

export interface Store {
  call(...call: Call): Promise<unknown>;
  /** What does not agree. */
  unbalanced(): Promise<readonly unknown[]>;
  /** Of a query with one cell. */
  cell(query: string): Promise<number>;
  restart(): Promise<void>;
}

const DAY = 86_400_000;

/** The same numbers for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** @param store its leases are timed by `now` */
export async function randomSteps(t: Test, store: Store, seed: number, count: number): Promise<void> {
  const roll = dice(seed);
  let now = T;
  const leases = new Map<number, Delivery>();
  const settled = new Set<number>();
  const done = { claimed: 0, settled: 0, orders: 0, dropped: 0 };

  const { call, unbalanced, cell } = store;
  const settledNow = (): Promise<number> => cell("SELECT count(*) FROM deliveries WHERE due IS NULL");
  const id = (): string => `n${roll(12)}`;
  const lane = (): LaneName => ({
    vendor: ["fcm", "xiaomi"][roll(2)] ?? "",
    app: "com.x",
    host: ["", "h"][roll(2)] ?? "",
  });
  const someone = (): string => pushId(`d${roll(30)}`);

  const steps: readonly (() => unknown)[] = [
    async () => {
      const heading = {
        ...{ id: id(), type: "x", text: "", timeToLive: 0, acceptedAt: now, callerAddress: "", targetKind: "all" },
        ...{ expires: now + 1 + roll(20_000), small: roll(2) === 0, dryRun: roll(9) === 0 },
      };
      await call("accept", [heading, "{}", "{}", null]);
    },
    async () => {
      const { work } = (await call("unexpanded", [9, now, []])) as {
        work: readonly { job: number; cursor: string | null }[];
      };
      const one = work[roll(9)];
      if (one === undefined) return;
      const devices = Array.from({ length: roll(20) }, (): AddressedRow => {
        const lane = roll(5) - 1;
        const who = { pushId: someone(), uid: roll(2) === 0 ? null : `u${roll(9)}` };
        return lane < 0 ? { ...who, state: State.sent } : { ...who, lane, type: "fcm", token: "tok" };
      });
      const lanes = ["fcm", "xiaomi"].flatMap((vendor) => ["", "h"].map((host) => ({ vendor, app: "com.x", host })));
      const page = {
        ...{ notBefore: null, parcels: [], lanes, devices: packAddressed(devices) },
        ...{ counts: {}, seen: 1, skipped: 0, routes: {}, reach: null },
      };
      const late = roll(8) === 0 ? "too late" : null;
      await call("expand", [one.job, one.cursor, { ...page, late, cursor: roll(2) === 0 ? "c" : null }, now]);
    },
    async () => {
      const { lease, deliveries } = (await call("claim", [lane(), 1 + roll(20), now, now, 500, []])) as Claimed;
      for (const row of unpackClaimed(deliveries)) {
        if (settled.has(row.delivery)) t.fail("a settled delivery was claimed");
        if ((leases.get(row.delivery)?.lease.until ?? 0) > now) t.fail("a delivery was claimed under a lease");
        const held = { lane: { vendor: "fcm", app: "com.x" }, lease: { name: lease, until: now + 500 } };
        leases.set(row.delivery, { ...row, ...held } as unknown as Delivery);
        done.claimed++;
      }
    },
    async () => {
      const some = [...leases].filter(() => roll(2) === 0);
      const results = some.map(([, delivery]): Settlement => {
        const text = `text ${roll(30)}`;
        const kind = (["accepted", "accepted", "gone", "refused", "expired", "again"] as const)[roll(6)] ?? "accepted";
        switch (kind) {
          case "again":
            return { delivery, kind, reason: "busy", at: now + roll(500), tried: roll(2) === 1 };
          case "accepted":
            return { delivery, kind, receipt: text, counters: ["x"] };
          default:
            return { delivery, kind, reason: text, counters: ["x"], ...(kind === "gone" ? { forget: {} } : {}) };
        }
      });
      const before = await settledNow();
      await call("settle", [packSettlements(results), now]);
      for (const [delivery] of some) {
        leases.delete(delivery);
        if ((await cell(`SELECT count(*) FROM deliveries WHERE delivery = ${delivery} AND due IS NULL`)) === 1)
          settled.add(delivery);
      }
      done.settled += (await settledNow()) - before;
    },
    async () => {
      if (roll(3) !== 0) return;
      const jobs = (await call("order", [
        id(),
        ["pause", "resume", "resume", "cancel"][roll(4)],
        now,
      ])) as readonly number[];
      done.orders += jobs.length;
      // Sometimes cut short.
      for (const job of jobs) for (let i = roll(5); i > 0 && (await call("walkJob", [job, 3, now])); i--);
    },
    async () => {
      const job = (await call("unwalked", [now])) as number | undefined;
      if (job !== undefined) await call("walkJob", [job, 5, now]);
    },
    async () => {
      let cursor: unknown;
      do cursor = await call("expireLane", [lane(), cursor, 1 + roll(9), now]);
      while (cursor !== undefined);
    },
    () => call("connect", [{ pushId: someone(), token: { type: "fcm", token: `tok${roll(5)}` } }, now]),
    () => call("deleteDevices", [[someone()]]),
    async () => {
      const event = ["arrived", "clicked", "gone", "suppressed"][roll(4)];
      const receipt = `text ${roll(30)}`;
      await call("received", [[{ vendor: "xiaomi", receipt, token: "tok", event }], now]);
    },
    async () => {
      const counter = ["arrive_android", "click_xiaomi", "click_fcm"][roll(3)];
      await call("arrived", [[{ id: id(), pushId: someone(), counter }], now]);
    },
    async () => {
      now += roll(400);
    },
    async () => {
      if (roll(20) !== 0) return;
      await store.restart();
      leases.clear();
    },
    async () => {
      if (roll(150) !== 0) return;
      now += 31 * DAY;
      const before = await cell("SELECT count(*) FROM jobs");
      for (let i = roll(200); i > 0 && (await call("sweepCounters", [now, 7])); i--);
      done.dropped += before - (await cell("SELECT count(*) FROM jobs"));
    },
  ];

  for (let step = 0; step < count; step++) {
    await steps[roll(steps.length)]?.();
    if (step % 40 === 0) {
      const wrong = await unbalanced();
      if (wrong.length > 0) {
        t.same(wrong, [], `after step ${step}`);
        break;
      }
    }
  }
  t.same(await unbalanced(), []);
  t.comment(done);
  const [much, some, few] = [count / 30, count / 300, Math.floor(count / 1200)];
  t.ok(
    done.claimed > much && done.settled > much && done.orders > some && done.dropped >= few,
    "there was something to do",
  );

  now += 400 * DAY;
  while ((await call("sweepCounters", [now, 1000])) === true);
  for (const table of ["jobs", "deliveries", "job_failures", "job_contents", "users", "departed", "arrivals"])
    t.equal(await cell(`SELECT count(*) FROM ${table}`), 0, table);
  t.equal(await cell("SELECT sum(open) FROM lanes"), 0);
}
