// Everything that can happen to notifications, in random order: the sums that are kept beside the deliveries always agree with
// them, and nothing is sent twice under one lease or after it was settled.
import t from "tap";
import type { Delivery, Settlement } from "../../src/core/delivery.ts";
import { type AddressedRow, packAddressed, packSettlements, unpackClaimed } from "../../src/engine/rows.ts";
import type { Claimed, LaneName } from "../../src/engine/sqlite/deliveries.ts";
import { openDatabase } from "../../src/engine/sqlite/schema.ts";
import { State } from "../../src/engine/sqlite/state.ts";
import { type Call, store } from "../../src/engine/sqlite/thread.ts";
import { unbalanced } from "./balance.ts";
import { pushId } from "./steps.ts";

const STEPS = 6000;
const T = 1_800_000_000_000;
const DAY = 86_400_000;

/** The same numbers for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

for (const seed of [1, 2, 3]) {
  t.test(`after ${STEPS} random steps all sums agree (seed ${seed})`, async (t) => {
    const roll = dice(seed);
    const db = openDatabase(":memory:", "FULL");
    const keep = { default: 10, prefixes: [] };
    const data = { task: "store", dataDir: "", synchronous: "FULL", keep, arrivalDays: 30, started: T } as const;
    let opened = store(db, data);
    let now = T;
    const leases = new Map<number, Delivery>();
    const settled = new Set<number>();
    const done = { claimed: 0, settled: 0, orders: 0, dropped: 0 };

    const call = (...[name, args]: Call): unknown => {
      const { results, failures } = opened.run([[name, args]]);
      if (failures.length > 0) throw new Error(`${name}: ${failures[0]?.[1].message}`);
      return results[0];
    };
    const id = (): string => `n${roll(12)}`;
    const lane = (): LaneName => ({
      vendor: ["fcm", "xiaomi"][roll(2)] ?? "",
      app: "com.x",
      host: ["", "h"][roll(2)] ?? "",
    });
    const someone = (): string => pushId(`d${roll(30)}`);

    const steps: readonly (() => void)[] = [
      () => {
        const heading = {
          ...{ id: id(), type: "x", text: "", timeToLive: 0, acceptedAt: now, callerAddress: "", targetKind: "all" },
          ...{ expires: now + 1 + roll(20_000), small: roll(2) === 0, dryRun: roll(9) === 0 },
        };
        call("accept", [heading, "{}", "{}", null]);
      },
      () => {
        const { work } = call("unexpanded", [9, now, []]) as {
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
        call("expand", [one.job, one.cursor, { ...page, late, cursor: roll(2) === 0 ? "c" : null }, now]);
      },
      () => {
        const { lease, deliveries } = call("claim", [lane(), 1 + roll(20), now, now, 500, []]) as Claimed;
        for (const row of unpackClaimed(deliveries)) {
          if (settled.has(row.delivery)) t.fail("a settled delivery was claimed");
          if ((leases.get(row.delivery)?.lease.until ?? 0) > now) t.fail("a delivery was claimed under a lease");
          const held = { lane: { vendor: "fcm", app: "com.x" }, lease: { name: lease, until: now + 500 } };
          leases.set(row.delivery, { ...row, ...held } as unknown as Delivery);
          done.claimed++;
        }
      },
      () => {
        const some = [...leases].filter(() => roll(2) === 0);
        const results = some.map(([, delivery]): Settlement => {
          const text = `text ${roll(30)}`;
          const kind =
            (["accepted", "accepted", "gone", "refused", "expired", "again"] as const)[roll(6)] ?? "accepted";
          switch (kind) {
            case "again":
              return { delivery, kind, reason: "busy", at: now + roll(500), tried: roll(2) === 1 };
            case "accepted":
              return { delivery, kind, receipt: text, counters: ["x"] };
            default:
              return { delivery, kind, reason: text, counters: ["x"], ...(kind === "gone" ? { forget: {} } : {}) };
          }
        });
        const before =
          db.prepare<[], number>("SELECT count(*) FROM deliveries WHERE due IS NULL").pluck<number>().get() ?? 0;
        call("settle", [packSettlements(results), now]);
        for (const [delivery] of some) {
          leases.delete(delivery);
          const due = db
            .prepare<[number], number | null>("SELECT due FROM deliveries WHERE delivery = ?")
            .pluck<number | null>();
          if (due.get(delivery) === null) settled.add(delivery);
        }
        const after =
          db.prepare<[], number>("SELECT count(*) FROM deliveries WHERE due IS NULL").pluck<number>().get() ?? 0;
        done.settled += after - before;
      },
      () => {
        if (roll(3) !== 0) return;
        const jobs = call("order", [id(), ["pause", "resume", "resume", "cancel"][roll(4)], now]) as readonly number[];
        done.orders += jobs.length;
        // Sometimes cut short.
        for (const job of jobs) for (let i = roll(5); i > 0 && call("walkJob", [job, 3, now]); i--);
      },
      () => {
        const job = call("unwalked", [now]) as number | undefined;
        if (job !== undefined) call("walkJob", [job, 5, now]);
      },
      () => {
        let cursor: unknown;
        do cursor = call("expireLane", [lane(), cursor, 1 + roll(9), now]);
        while (cursor !== undefined);
      },
      () => void call("connect", [{ pushId: someone(), token: { type: "fcm", token: `tok${roll(5)}` } }, now]),
      () => void call("deleteDevices", [[someone()]]),
      () => {
        const event = ["arrived", "clicked", "gone", "suppressed"][roll(4)];
        const receipt = `text ${roll(30)}`;
        call("received", [[{ vendor: "xiaomi", receipt, token: "tok", event }], now]);
      },
      () => {
        const counter = ["arrive_android", "click_xiaomi", "click_fcm"][roll(3)];
        call("arrived", [[{ id: id(), pushId: someone(), counter }], now]);
      },
      () => {
        now += roll(400);
      },
      () => {
        if (roll(20) !== 0) return;
        opened = store(db, data); // a restart
        leases.clear();
      },
      () => {
        if (roll(150) !== 0) return;
        now += 31 * DAY;
        const before = db.prepare<[], number>("SELECT count(*) FROM jobs").pluck<number>().get() ?? 0;
        for (let i = roll(200); i > 0 && call("sweepCounters", [now, 7]); i--);
        done.dropped += before - (db.prepare<[], number>("SELECT count(*) FROM jobs").pluck<number>().get() ?? 0);
      },
    ];

    for (let step = 0; step < STEPS; step++) {
      steps[roll(steps.length)]?.();
      if (step % 40 === 0) {
        const wrong = unbalanced(db);
        if (wrong.length > 0) {
          t.same(wrong, [], `after step ${step}`);
          break;
        }
      }
    }
    t.same(unbalanced(db), []);
    t.comment(done);
    t.ok(done.claimed > 200 && done.settled > 200 && done.orders > 20 && done.dropped > 5, "there was something to do");

    now += 400 * DAY;
    while (call("sweepCounters", [now, 1000]) === true);
    for (const table of ["jobs", "deliveries", "job_failures", "job_contents", "users", "departed", "arrivals"])
      t.equal(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get(), 0, table);
    t.equal(db.prepare("SELECT sum(open) FROM lanes").pluck().get(), 0);
    db.close();
  });
}
