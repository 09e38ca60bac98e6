// Whatever happens, in whatever order and how often its events arrive: who goes by the highest seq of a key knows what is.
import t from "tap";
import type { PushId } from "../../src/core/device.ts";
import type { Event, EventPage } from "../../src/core/events.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import type { Walk } from "../../src/engine/sqlite/online.ts";
import { type Call, type Store, store } from "../../src/engine/sqlite/thread.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { choices } from "../support/choices.ts";
import { HOUR, pushId, T } from "./steps.ts";

const SEEDS = 1000;
const STEPS = 25;
const DEVICES = Array.from({ length: 8 }, (_, i) => pushId(`d${i}`));
const UIDS = ["ann", "bob", "cat", "dan"];
const TOPICS = ["room:1", "room:2", "room:3"];
const WANTED = { hooks: [], log: ["*"], topics: ["room:"], grace: 0, keep: HOUR };

type Data = Readonly<Record<string, unknown>>;

/** A business server that keeps of each key what came with the highest seq; of members of topics, of each device there. */
function consumer() {
  const latest = new Map<string, Event & { readonly says: Data }>();
  return {
    hear(event: Event): void {
      const says = JSON.parse(event.data) as Data;
      const member = /^topic\.(joined|left)$/.test(event.type) ? ` ${String(says["pushId"])}` : "";
      const key = event.key + member;
      const before = latest.get(key);
      if (before === undefined || before.seq < event.seq) latest.set(key, { ...event, says });
    },
    of: (key: string) => latest.get(key),
  };
}

t.test(
  `integration 6: ${SEEDS} random lives, told in disorder and repeatedly, leave a consumer that follows seq right`,
  (t) => {
    const db = openDatabase(":memory:", "NORMAL");
    t.teardown(() => void db.close());
    let now = T;
    let opened: Store;
    const run = (...calls: Call[]): readonly unknown[] => {
      const { results, failures } = opened.run(calls);
      if (failures.length > 0) throw new Error(failures[0]![1].message);
      return results;
    };
    function start(): void {
      const keep = { default: 10, prefixes: [] };
      const data = { dataDir: ":memory:", synchronous: "NORMAL", keep, arrivalDays: 30, vendors: TRAITS } as const;
      opened = store(db, { task: "store", ...data, started: now });
      run(["want", [WANTED, false]]);
    }
    start();

    const connected = new Set<PushId>();
    const members = new Map<string, Set<string>>(TOPICS.map((topic) => [topic, new Set<string>()]));
    const backend = consumer();
    let heard = 0;

    function leaveAll(device: PushId): void {
      for (const there of members.values()) there.delete(device);
    }
    const join = (topic: string, device: PushId): Call => {
      members.get(topic)!.add(device);
      return ["noteEvents", [[{ kind: "joined", topic, pushId: device, at: now }], now]];
    };

    function step({ one, upTo, chance }: ReturnType<typeof choices>): void {
      now += upTo(1000);
      const device = one(DEVICES);
      const uid = one(UIDS);
      const topic = one(TOPICS);
      const token = { type: "fcm", token: `token${upTo(2)}` };
      switch (upTo(9)) {
        case 0:
        case 1:
          connected.add(device);
          run(["connect", [chance(0.3) ? { pushId: device, token } : { pushId: device }, now]]);
          return;
        case 2: {
          const gone = DEVICES.filter((each) => connected.has(each) && chance(0.4));
          for (const each of gone) {
            connected.delete(each);
            leaveAll(each);
          }
          run(["disconnect", [gone, now, { reasons: gone.map(() => "transport close"), times: gone.map(() => now) }]]);
          return;
        }
        case 3:
        case 4: {
          const timeToLive = chance(0.3) ? 500 : 0;
          run(["bind", [{ pushId: device, uid, platformLimit: upTo(2), timeToLive }, now]]);
          return;
        }
        case 5:
          run(chance(0.5) ? ["unbindDevices", [[device], now]] : ["unbindUids", [[uid], now, "client"]]);
          return;
        case 6:
          run(["deleteDevices", [[device], now]]);
          return;
        case 7:
          if (connected.has(device)) run(join(topic, device));
          return;
        case 8:
          members.get(topic)!.delete(device);
          run(["noteEvents", [[{ kind: "left", topic, pushId: device, reason: "unsubscribed", at: now }], now]]);
          return;
        default: {
          if (!chance(0.15)) return;
          // A crash, or a stop: some come back, some of those to fewer topics.
          if (chance(0.5)) run(["disconnect", [[...connected], now, null]]);
          now += 5000;
          start();
          for (const each of DEVICES) {
            const there = TOPICS.filter((name) => members.get(name)!.has(each));
            const comes = connected.has(each) && chance(0.6);
            connected.delete(each);
            leaveAll(each);
            if (!comes) continue;
            connected.add(each);
            run(["connect", [{ pushId: each }, now]]);
            for (const name of there) if (chance(0.7)) run(join(name, each));
          }
          quiet();
        }
      }
    }

    /** What the server does by itself, to its end. */
    function quiet(): void {
      for (let walk: Walk | undefined = { pushId: "" }; walk !== undefined; )
        walk = run(["tellAbsent", [walk, 3, now]])[0] as Walk | undefined;
      while (run(["sweepEvents", [now, HOUR, 5]])[0] === true);
    }

    function tell({ upTo, some }: ReturnType<typeof choices>): void {
      const events: Event[] = [];
      for (let after: number | undefined = heard; after !== undefined; ) {
        const page = run(["listEvents", [{ after }, 1000]])[0] as EventPage;
        events.push(...page.events);
        after = page.next;
      }
      heard = events.at(-1)?.seq ?? heard;
      const order = [...events, ...some(events)];
      for (let i = order.length - 1; i > 0; i--) {
        const k = upTo(i);
        [order[i], order[k]] = [order[k]!, order[i]!];
      }
      for (const event of order) backend.hear(event);
    }

    function wrong(): string[] {
      const found: string[] = [];
      const expect = (what: string, is: unknown, said: unknown): void => {
        if (is !== said) found.push(`${what} is ${is}, said to be ${said}`);
      };
      const devices = run(["getDevices", [DEVICES, undefined, now]])[0] as readonly { pushId: PushId; uid?: string }[];
      const uidOf = new Map(devices.map((each) => [each.pushId, each.uid]));
      for (const device of DEVICES) {
        const latest = backend.of(`device:${device}`);
        expect(`online of ${device}`, connected.has(device), latest?.says["online"] ?? false);
        const uid = latest?.type === "uid.unbound" ? undefined : latest?.says["uid"];
        expect(`uid of ${device}`, uidOf.get(device), uid);
      }
      for (const uid of UIDS) {
        const online = [...connected].some((device) => uidOf.get(device) === uid);
        expect(`online of ${uid}`, online, backend.of(`user:${uid}`)?.says["online"] ?? false);
      }
      for (const topic of TOPICS) {
        const there = members.get(topic)!;
        for (const device of DEVICES) {
          const latest = backend.of(`topic:${topic} ${device}`);
          expect(`${device} in ${topic}`, there.has(device), latest?.type === "topic.joined");
        }
        const state = backend.of(`topic:${topic}`);
        expect(`${topic} occupied`, there.size > 0, state?.type === "topic.occupied");
      }
      const left = ["online_users", "topics_occupied"].flatMap((table) =>
        db.prepare(`SELECT count(*) FROM ${table}`).pluck<number>().all(),
      );
      const occupied = [...members.values()].filter(({ size }) => size > 0).length;
      const users = new Set([...connected].map((device) => uidOf.get(device)).filter((uid) => uid !== undefined)).size;
      expect("rows", `${users},${occupied}`, left.join());
      return found;
    }

    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = choices(seed);
      for (let i = 0; i < STEPS; i++) step(random);
      quiet();
      tell(random);
      const found = wrong();
      if (found.length > 0) {
        t.same(found, [], `seed ${seed}`);
        break;
      }
    }
    t.ok(heard > SEEDS, `${heard} events`);
    t.end();
  },
);
