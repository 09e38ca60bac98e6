// What the store manages on this machine's disk: durable packets, connections and deliveries per second, by how many callers wait
// at once. To compare two versions, run it in both by turns: the disk is not the same from one minute to the next.
// node scripts/bench-engine.ts [seconds per line] [data directory] [part of a line's name]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PushId, Uid } from "../src/core/device.ts";
import type { Notification } from "../src/core/notification.ts";
import type { ExpandedPage } from "../src/core/outbox.ts";
import { deviceChannel, topicChannel } from "../src/core/packet.ts";
import { openLocalEngine } from "../src/engine/local.ts";

const seconds = Number(process.argv[2] ?? 3);
const only = process.argv[4] ?? "";
const dataDir = mkdtempSync(join(process.argv[3] ?? tmpdir(), "pushbox-bench-"));
const lines: { readonly what: string; readonly [column: string]: string | number }[] = [];
const body = JSON.stringify({ message: "x".repeat(200) });
const pushId = (n: number): PushId => `device-${String(n).padStart(12, "0")}` as PushId;
const never = Date.now() + 3_600_000;

const LANE = { vendor: "fcm", app: "com.x" };

function notification(id: string, acceptedAt: number): Notification {
  const android = { title: "Title", message: "x".repeat(200), payload: { key: "y".repeat(200) } };
  return { id, content: { android }, timeToLive: 3_600_000, type: "pushMany", acceptedAt, callerAddress: "127.0.0.1" };
}

function page(devices: number): ExpandedPage {
  const addressed = Array.from({ length: devices }, (_, i) => ({
    pushId: pushId(i),
    via: { lane: LANE, type: "fcm", token: `token-${i}-${"z".repeat(100)}` },
  }));
  return { parcels: [], devices: addressed, counts: { target_fcm: devices }, seen: devices, skipped: 0, routes: {} };
}

for (const synchronous of ["FULL", "NORMAL"] as const) {
  const engine = await openLocalEngine({
    dataDir: join(dataDir, synchronous),
    synchronous,
    keep: { default: 10, prefixes: [] },
    arrivalDays: 30,
    onFatal(error) {
      throw error;
    },
  });
  let n = 0;

  /** `callers` loops, each with one call under way. @param each how much of it a call does */
  async function measure(what: string, callers: number, call: () => Promise<unknown>, each = 1): Promise<void> {
    if (!what.includes(only)) return;
    const before = engine.statistics();
    const began = performance.now();
    const end = began + seconds * 1000;
    const times: number[] = [];
    let done = 0;
    const loop = async (): Promise<void> => {
      while (performance.now() < end) {
        const start = performance.now();
        await call();
        done++;
        if (done % 16 === 0 || callers === 1) times.push(performance.now() - start);
      }
    };
    await Promise.all(Array.from({ length: callers }, loop));
    const took = performance.now() - began;
    const after = engine.statistics();
    times.sort((a, b) => a - b);
    const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(2);
    const batches = after.batches - before.batches;
    lines.push({
      what: `${synchronous} ${what}`,
      callers,
      "per second": Math.round((done * each) / (took / 1000)),
      "p50 ms": at(0.5),
      "p99 ms": at(0.99),
      "max ms": (times.at(-1) ?? 0).toFixed(2),
      "calls/commit": ((after.calls - before.calls) / batches).toFixed(1),
      "thread busy %": Math.round((100 * (after.workMs + after.commitMs - before.workMs - before.commitMs)) / took),
    });
  }

  const connect = (i: number): Promise<unknown> =>
    engine.devices.connect({ pushId: pushId(i), tags: ["t1"] }, Date.now());
  const packet = (): { event: "p"; id: string; body: string; expires: number } => ({
    event: "p",
    id: `id${n}`,
    body,
    expires: never,
  });
  /** Calls to so many devices each, all the way. */
  async function deliver(devices: number, calls: number): Promise<void> {
    const now = Date.now();
    const ids = Array.from({ length: calls }, () => `note${n++}`);
    const target = { kind: "pushIds", pushIds: [pushId(0)] } as const;
    await Promise.all(ids.map((id) => engine.outbox.accept(notification(id, now), target)));
    for (let left = calls; left > 0; ) {
      const { work } = await engine.outbox.unexpanded(16, now);
      left -= work.length;
      await Promise.all(work.map(({ job }) => engine.outbox.expand(job, undefined, page(devices), now)));
    }
    let settled = 0;
    while (settled < devices * calls) {
      const { deliveries } = await engine.outbox.claim(LANE, 500, now, 600_000);
      if (deliveries.length === 0) throw new Error(`${settled} of ${devices * calls} deliveries could be claimed`);
      await engine.outbox.settle(
        deliveries.map((delivery) => ({ delivery, kind: "accepted", receipt: `r${n}`, counters: ["accepted_fcm"] })),
        now,
      );
      settled += deliveries.length;
    }
  }

  for (const callers of [1, 50, 500]) {
    await measure("packet to one of 100,000 devices", callers, async () =>
      engine.broker.publish([{ channel: deviceChannel(pushId(n++ % 100_000)), packet: packet() }]),
    );
  }
  await measure("packet to one topic", 500, async () => {
    n++;
    return engine.broker.publish([{ channel: topicChannel("room"), packet: packet() }]);
  });
  n = 0;
  for (const callers of [1, 50, 500]) await measure("new device", callers, () => connect(n++));
  const known = n;
  for (const callers of [1, 50, 500])
    await measure("known device, unchanged", callers, () => connect(Math.floor(Math.random() * known)));
  for (const callers of [50, 500])
    await measure("bind", callers, () =>
      engine.devices.bind(
        { pushId: pushId(Math.floor(Math.random() * known)), uid: `u${n++}` as Uid, platformLimit: 0, timeToLive: 0 },
        Date.now(),
      ),
    );
  await measure("delivery of a call to many: expanded, claimed, settled", 1, () => deliver(500, 10), 5000);
  await measure("delivery of a call to one: accepted to settled", 1, () => deliver(1, 500), 500);
  await engine.close();
}
console.table(lines);
rmSync(dataDir, { recursive: true });
