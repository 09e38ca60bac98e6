// A consumer that keeps the highest seq per key is right, whatever comes twice, late or in another order: with the real store, and a
// network that does its worst.
import t from "tap";
import type { PushId, Uid } from "../../src/core/device.ts";
import type { HookEvent, HookSettlement } from "../../src/core/hooks.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { type Call, type MethodName, type Methods, store } from "../../src/engine/sqlite/thread.ts";

const SEEDS = 1000;
const STEPS = 60;
const T = 1_800_000_000_000;
const NOTHING: HookSettlement = { delivered: [], retry: [], back: [] };

/** Whom the consumer takes to be there, as `data` of what it was told last says. */
class Consumer {
  readonly online = new Map<string, boolean>();
  readonly uids = new Map<string, string | undefined>();
  readonly users = new Map<string, number>();
  readonly #seen = new Map<string, number>();

  hear({ type, key, seq, data: text }: HookEvent): void {
    if (seq <= (this.#seen.get(key) ?? 0)) return;
    this.#seen.set(key, seq);
    const data = JSON.parse(text) as { pushId: string; uid: string; online: boolean; devices: number };
    if (type === "device.online" || type === "device.offline") this.online.set(data.pushId, data.online);
    if (type === "uid.bound" || type === "uid.unbound")
      this.uids.set(data.pushId, type === "uid.bound" ? data.uid : undefined);
    if (type === "user.online" || type === "user.offline") this.users.set(data.uid, type === "user.online" ? 1 : 0);
  }
}

/** A generator of the same numbers for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed * 2654435761 + 1;
  return (sides) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % sides;
  };
}

t.test(
  `integration 6: who follows seq is right after ${SEEDS} storms of repeated, late and reordered messages`,
  (t) => {
    const db = openDatabase(":memory:", "NORMAL");
    const opened = store(db, {
      task: "store",
      dataDir: ":memory:",
      synchronous: "NORMAL",
      keep: { default: 10, prefixes: [] },
      arrivalDays: 30,
      started: T,
    });
    t.teardown(() => opened.close());
    function call<Name extends MethodName>(name: Name, ...args: Parameters<Methods[Name]>): ReturnType<Methods[Name]> {
      const { results, failures } = opened.run([[name, args] as Call]);
      if (failures.length > 0) throw new Error(failures[0]?.[1].message);
      return results[0] as never;
    }
    const counted = { messages: 0, again: 0, late: 0 };

    for (let seed = 1; seed <= SEEDS; seed++) {
      const roll = dice(seed);
      const hook = { name: `hook${seed}`, events: ["device.*", "user.*", "uid.*"], coalesce: seed % 4 !== 0 };
      call("want", { hooks: [hook], log: [], topics: [], grace: 0, keep: 1e12 }, false);
      const devices = [0, 1, 2].map((i) => `d${i}-seed-${seed}` as PushId);
      const uids = [0, 1].map((i) => `u${i}-${seed}` as Uid);
      const online = new Set<PushId>();
      const bound = new Map<PushId, Uid>();
      const consumer = new Consumer();
      const underWay: (readonly HookEvent[])[] = [];
      const late: HookEvent[] = [];
      let now = T + seed * 1_000_000;

      function change(): void {
        const device = devices[roll(devices.length)]!;
        switch (roll(4)) {
          case 0:
          case 1:
            if (online.delete(device))
              call("disconnect", [device], now, { reasons: ["transport close"], times: [now] });
            else {
              online.add(device);
              call("connect", { pushId: device }, now);
            }
            break;
          case 2: {
            const uid = uids[roll(uids.length)]!;
            bound.set(device, uid);
            call("bind", { pushId: device, uid, platformLimit: 0, timeToLive: 0 }, now);
            break;
          }
          default:
            bound.delete(device);
            call("unbindDevices", [device], now);
        }
      }

      function claim(): void {
        if (underWay.length === 5) return;
        const { events } = call("claimEvents", hook.name, 1 + roll(4), 1e6, now);
        if (events.length > 0) underWay.push(events);
        counted.messages += Math.min(1, events.length);
      }

      function hearAll(events: readonly HookEvent[]): void {
        for (const event of events) consumer.hear(event);
      }

      function answer(): void {
        const [events = []] = underWay.splice(roll(Math.max(1, underWay.length)), 1);
        const seqs = events.map(({ seq }) => seq);
        const fate = roll(5);
        if (fate === 0) {
          hearAll(events); // and the answer is lost
          counted.again++;
          call("settleEvents", hook.name, { ...NOTHING, back: seqs });
        } else if (fate === 1) {
          late.push(...events, ...events); // it hangs somewhere, and is sent again
          counted.late++;
          call("settleEvents", hook.name, { ...NOTHING, back: seqs });
        } else if (fate === 2) {
          const failed = events.filter(() => roll(2) === 0);
          hearAll(events.filter((event) => !failed.includes(event)));
          call("settleEvents", hook.name, {
            ...NOTHING,
            delivered: seqs.filter((seq) => !failed.some((event) => event.seq === seq)),
            retry: failed.map(({ seq }) => ({ seq, due: now + roll(30), reason: "failed" })),
          });
        } else {
          hearAll(events);
          call("settleEvents", hook.name, { ...NOTHING, delivered: seqs });
        }
      }

      function arriveLate(): void {
        const [event] = late.splice(roll(Math.max(1, late.length)), 1);
        if (event !== undefined) consumer.hear(event);
      }

      for (let step = 0; step < STEPS; step++) {
        now += roll(10);
        [change, change, claim, claim, answer, arriveLate][roll(6)]!();
      }
      // In the end the network calms down.
      now += 1000;
      for (const events of underWay.splice(0))
        call("settleEvents", hook.name, { ...NOTHING, back: events.map(({ seq }) => seq) });
      for (;;) {
        const { events } = call("claimEvents", hook.name, 100, 1e6, now);
        if (events.length === 0) break;
        hearAll(events);
        if (roll(2) === 0) arriveLate();
        call("settleEvents", hook.name, { ...NOTHING, delivered: events.map(({ seq }) => seq) });
      }
      while (late.length > 0) arriveLate();

      const wrong = [
        ...devices.filter((device) => (consumer.online.get(device) ?? false) !== online.has(device)),
        ...devices.filter((device) => consumer.uids.get(device) !== bound.get(device)),
        ...uids.filter((uid) => {
          const connected = devices.some((device) => online.has(device) && bound.get(device) === uid);
          return (consumer.users.get(uid) ?? 0) !== (connected ? 1 : 0);
        }),
      ];
      if (wrong.length > 0) t.fail(`seed ${seed}: wrong about ${wrong.join(", ")}`);
      // The next storm begins with nobody connected.
      for (const device of online) call("disconnect", [device], now, { reasons: ["transport close"], times: [now] });
    }
    t.ok(counted.messages > SEEDS && counted.again > SEEDS && counted.late > SEEDS, JSON.stringify(counted));
    t.end();
  },
);
