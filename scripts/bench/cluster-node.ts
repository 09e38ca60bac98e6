// One process of a cluster that is measured, without HTTP: its engine, or the bare statements. Told by its parent what to do.
// node scripts/bench/cluster-node.ts engine|bare URL NAME
import { setImmediate } from "node:timers/promises";
import type { PushId } from "../../src/core/device.ts";
import type { Engine, Hub } from "../../src/core/engine.ts";
import type { Notification } from "../../src/core/notification.ts";
import { type Channel, type KeptPacket, type Packet, type PacketId, topicChannel } from "../../src/core/packet.ts";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";
import { recorder } from "../../test/engine/steps.ts";
import { bareNode, bodyOf, CLAIM, DEVICES, deviceOf, HOUR, type Load, type Seen, type Work } from "./cluster-bare.ts";

const [kind, url = "", name = ""] = process.argv.slice(2);
const LANE = { vendor: "fcm", app: "com.x" };
const PAGE = 1000;
/** Packets that are not kept go out while the last so many are on their way. */
const WINDOW = 2000;

export interface Did {
  readonly result?: number | Seen;
  readonly error?: string;
  readonly seconds: number;
  /** Processor time, seconds. */
  readonly cpu: number;
}

/** A hub that checks what it is handed. */
function watcher(): { readonly hub: Hub; seen(): Seen } {
  const last = new Map<Channel, number>();
  const ids = new Set<string>();
  const times: number[] = [];
  let [received, disorder, repeats] = [0, 0, 0];
  function deliver(channel: Channel, packet: Packet | KeptPacket): number {
    received++;
    if (!("seq" in packet)) return 1;
    if (packet.seq <= (last.get(channel) ?? 0)) disorder++;
    last.set(channel, packet.seq);
    if (ids.has(packet.id)) repeats++;
    ids.add(packet.id);
    const { at, by } = JSON.parse(packet.body) as { readonly at: number; readonly by: string };
    if (by !== name) times.push(performance.timeOrigin + performance.now() - at);
    return 1;
  }
  return {
    hub: { ...recorder(), deliver },
    seen() {
      times.sort((a, b) => a - b);
      const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
      const all = { received, disorder, repeats, p50: at(0.5), p99: at(0.99) };
      times.length = 0;
      ids.clear();
      [received, disorder, repeats] = [0, 0, 0];
      return all;
    },
  };
}

async function engineNode(): Promise<Work> {
  const engine: Engine = await openPostgresEngine({
    database: { url, schema: "pushbox" },
    node: name,
    keep: { default: 10, prefixes: [] },
    arrivalDays: 1,
    onTrouble: (message) => console.error(message),
  });
  const { hub, seen } = watcher();
  engine.broker.attach(hub);
  let n = 0;
  let notes = 0;
  const next = (expires: number): Packet => ({
    event: "p",
    id: `${name}-${n}` as PacketId,
    body: bodyOf(name),
    expires,
  });
  const publish = ({ topics }: Load, expires: number) => {
    const channel = topicChannel(`room${n % topics}`);
    const packet = next(expires);
    n++;
    return engine.broker.publish([{ channel, packet }]);
  };
  /** `callers` loops, each with one call under way. */
  async function loops({ callers, seconds }: Load, call: () => unknown): Promise<number> {
    const until = performance.now() + seconds * 1000;
    let calls = 0;
    const loop = async (): Promise<void> => {
      for (; performance.now() < until; calls++) await call();
    };
    await Promise.all(Array.from({ length: callers }, loop));
    return calls;
  }
  const hello = (i: number) =>
    engine.devices.connect({ pushId: deviceOf(i) as PushId, platform: "android" }, Date.now());

  return {
    kept: (load) => loops(load, () => publish(load, Date.now() + HOUR)),
    async live(load) {
      // An order comes back behind all packets that were told before it.
      const fence = (): Promise<void> => engine.broker.tell([deviceOf(0) as PushId], { kind: "unbind" });
      const until = performance.now() + load.seconds * 1000;
      let before = Promise.resolve();
      let calls = 0;
      while (performance.now() < until) {
        const heard = fence();
        for (let sent = 0; sent < WINDOW; sent += load.callers) {
          for (let i = 0; i < load.callers; i++) void publish(load, 0);
          await setImmediate();
        }
        calls += WINDOW;
        await before;
        before = heard;
      }
      await fence();
      return calls;
    },
    async meet() {
      for (let i = 0; i < DEVICES; i += CLAIM) await Promise.all(Array.from({ length: CLAIM }, (_, k) => hello(i + k)));
    },
    hellos: (load) => loops(load, () => hello(n++ % DEVICES)),
    async fill({ count }) {
      const now = Date.now();
      const content = { android: { title: "T", message: "M", payload: {} } };
      const id = `note-${name}-${notes++}`;
      const note: Notification = { id, content, timeToLive: HOUR, type: "x", acceptedAt: now, callerAddress: "" };
      await engine.outbox.accept(note, { kind: "all" });
      const [job] = await engine.outbox.jobs({ id }, 1, now);
      for (let page = 0; page < count / PAGE; page++) {
        const devices = Array.from({ length: PAGE }, (_, i) => {
          const token = `token-${id}-${page}-${i}`.padEnd(140, "x");
          return { pushId: deviceOf(page * PAGE + i) as PushId, via: { lane: LANE, type: "fcm", token } };
        });
        const told = { parcels: [], devices, counts: {}, seen: PAGE, skipped: 0, routes: { fcm: PAGE } };
        const more = page + 1 < count / PAGE ? { cursor: String(page + 1) } : {};
        await engine.outbox.expand(job!.job, page > 0 ? String(page) : undefined, { ...told, ...more }, now);
      }
    },
    async claims({ count }) {
      const now = Date.now();
      const counters = ["accepted_fcm"];
      let done = 0;
      while (done < count) {
        const { deliveries } = await engine.outbox.claim(LANE, CLAIM, now, 60_000);
        if (deliveries.length === 0) break;
        const settled = deliveries.map((delivery) => {
          const receipt = `r${delivery.delivery}`;
          return { delivery, kind: "accepted" as const, receipt, counters };
        });
        await engine.outbox.settle(settled, now);
        done += deliveries.length;
      }
      return done;
    },
    seen: async () => seen(),
    stop: () => engine.close(),
  };
}

const work = await (kind === "bare" ? bareNode(url) : engineNode());
process.on("message", async ({ what, load }: { readonly what: keyof Work; readonly load: Load }) => {
  const before = process.cpuUsage();
  const began = performance.now();
  const { result, error }: Pick<Did, "error"> & { result?: number | Seen | undefined } = await work[what](load).then(
    (result) => ({ result: result ?? undefined }),
    (error: unknown) => ({ error: String(error instanceof Error ? error.stack : error) }),
  );
  const { user, system } = process.cpuUsage(before);
  process.send?.({ result, error, seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1e6 });
  if (what === "stop") process.disconnect();
});
process.send?.("ready");
