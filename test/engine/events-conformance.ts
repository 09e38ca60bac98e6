// What every engine must do with events (core/events.ts): written with what causes them, in order per key, only when wanted.
import { readFileSync } from "node:fs";
import type { Engine } from "../../src/core/engine.ts";
import { type Event, type EventQuery, eventJson, type Happening, type Wanted } from "../../src/core/events.ts";
import { until } from "../support/until.ts";
import { ALL, accepted, claimed, jobOf, lastPage, notification, send, toList, via, XIAOMI } from "./outbox-steps.ts";
import { type Define, HOUR, pushId, T, toDevice, uid } from "./steps.ts";

const wanted = (more: Partial<Wanted> = {}): Wanted => ({
  hooks: [],
  log: ["*"],
  topics: ["room:"],
  grace: 40_000,
  keep: 72 * HOUR,
  ...more,
});

type Data = Readonly<Record<string, unknown>>;

/** All events, or those of the query. */
/** By type: what the data of those that these tests read has held. */
const sent = new Map<string, Set<string>>();

/** What only some events of a type hold, and none of those here may. */
const SOMETIMES: ReadonlySet<string> = new Set(["host", "until", "online"]);

/** By type: what the table of hooks/README.md says of its data. */
function promised(): ReadonlyMap<string, ReadonlySet<string>> {
  const readme = readFileSync(new URL("../../src/hooks/README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^\| (`\w+\.\w+`[^|]*) \| `\w+:[^|]*\| (.*) \|$/gm)];
  return new Map(
    rows.flatMap(([, types = "", data = ""]) =>
      [...types.matchAll(/`(\w+\.(\w+))`/g)].map(([, type = "", last = ""]) => {
        // "`a`, `b` (why); left: `c`": c is of those only whose name ends so.
        const parts = data.replace(/\([^)]*\)/g, "").split("; ");
        const own = parts.filter((part, at) => at === 0 || part.startsWith(`${last}: `));
        return [
          type,
          new Set(own.flatMap((part) => [...part.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name))),
        ] as const;
      }),
    ),
  );
}

async function log(engine: Engine, query: EventQuery = {}): Promise<Event[]> {
  const found: Event[] = [];
  for (let after: number | undefined = query.after ?? 0; after !== undefined; ) {
    const page: Awaited<ReturnType<typeof engine.events.list>> = await engine.events.list({ ...query, after }, 100);
    found.push(...page.events);
    after = page.next;
    for (const event of page.events) {
      const names = sent.get(event.type) ?? new Set();
      for (const name of Object.keys(dataOf(event))) names.add(name);
      sent.set(event.type, names);
    }
  }
  return found;
}

const dataOf = ({ data }: Event): Data => JSON.parse(data) as Data;

/** `type key` and what of the data tells one from another. */
const told = (events: readonly Event[]): string[] =>
  events.map((event) => {
    const { by, reason, count, uid, devices } = dataOf(event);
    const more = [uid, by, reason, count, devices].filter((value) => value !== undefined);
    return `${event.type} ${event.key.replace("-0123456789", "")}${more.length > 0 ? ` (${more.join(", ")})` : ""}`;
  });

const gone = (reason: string, time: number) => ({ reasons: [reason], times: [time] });
const a = pushId("a");
const b = pushId("b");
const bind = (engine: Engine, device: typeof a, name: string, now: number, platformLimit = 0, timeToLive = 0) =>
  engine.devices.bind({ pushId: device, uid: uid(name), platformLimit, timeToLive }, now);

export async function eventTests(test: Define): Promise<void> {
  sent.clear();
  await test("events: nothing wanted, nothing is written", async (t, { engine }) => {
    for (const wants of [undefined, wanted({ log: [] })]) {
      if (wants !== undefined) await engine.events.want(wants);
      t.notOk(engine.events.wants("device.online"));
      t.notOk(engine.events.watches("room:1"));
      await bind(engine, a, "ann", T);
      await engine.devices.connect({ pushId: a }, T);
      await engine.events.note([{ kind: "joined", topic: "room:1", pushId: a, at: T }]);
      await engine.devices.disconnect([a], T + 1);
      await engine.devices.delete([a], T + 2);
      t.equal(await engine.events.newest(), 0);
    }
  });

  await test("events: first and last device of a user, with uid, platform, since and stayed", async (t, { engine }) => {
    await engine.events.want(wanted());
    await bind(engine, a, "ann", T);
    await bind(engine, b, "ann", T);
    const after = await engine.events.newest();
    await engine.devices.connect({ pushId: a, platform: "ios" }, T + 1000);
    await engine.devices.connect({ pushId: a, platform: "ios" }, T + 1500);
    await engine.devices.connect({ pushId: b }, T + 2000);
    await engine.devices.disconnect([a], T + 5000, gone("ping timeout", T + 4000));
    await engine.devices.disconnect([b], T + 6000, gone("transport close", T + 5500));
    await engine.devices.disconnect([b], T + 7000, gone("transport close", T + 7000));
    const events = await log(engine, { after });
    t.same(told(events), [
      "device.online device:a (ann)",
      "user.online user:ann (ann, 1)",
      "device.online device:b (ann)",
      "device.offline device:a (ann, ping timeout)",
      "device.offline device:b (ann, transport close)",
      "user.offline user:ann (ann, transport close, 0)",
    ]);
    t.same(JSON.parse(eventJson(events[3]!)), {
      id: events[3]!.id,
      type: "device.offline",
      timestamp: new Date(T + 5000).toISOString(),
      key: `device:${a}`,
      seq: events[3]!.seq,
      data: {
        pushId: a,
        uid: "ann",
        platform: "ios",
        online: false,
        since: new Date(T + 4000).toISOString(),
        stayed: 3000,
        reason: "ping timeout",
        at: new Date(T + 4000).toISOString(),
      },
    });
    t.match(dataOf(events[5]!), { stayed: 4500, since: new Date(T + 5500).toISOString(), online: false });
    t.equal(new Set(events.map(({ id }) => id)).size, events.length);
    t.equal(engine.events.seqOf(events[3]!.id), events[3]!.seq);
    t.equal(engine.events.seqOf(`evt_0000000000000000_${events[3]!.seq}`), undefined, "of another life of the store");
  });

  await test("events: whoever gives a device its uid or takes it is named", async (t, { engine }) => {
    await engine.events.want(wanted({ log: ["uid.*"] }));
    await bind(engine, a, "ann", T);
    await bind(engine, a, "ann", T + 1);
    await bind(engine, b, "ann", T + 2, 1);
    await bind(engine, b, "bob", T + 3);
    await engine.devices.bind({ pushId: a, uid: uid("cat"), platformLimit: 0, timeToLive: 0, by: "client" }, T + 4);
    await engine.devices.unbind({ pushIds: [a] }, T + 5, "client");
    await engine.devices.unbind({ pushIds: [a] }, T + 6);
    await engine.devices.unbind({ uids: [uid("bob")] }, T + 7);
    await bind(engine, a, "ann", T + 8);
    await engine.devices.delete([a], T + 9);
    const token = { type: "fcm", token: "one" };
    await engine.devices.connect({ pushId: a, token }, T + 10);
    await bind(engine, a, "ann", T + 11);
    await engine.devices.connect({ pushId: b, token }, T + 12);
    t.same(told(await log(engine)), [
      "uid.bound device:a (ann, api)",
      "uid.bound device:b (ann, api)",
      "uid.unbound device:a (ann, platform_limit)",
      "uid.unbound device:b (ann, api)",
      "uid.bound device:b (bob, api)",
      "uid.bound device:a (cat, client)",
      "uid.unbound device:a (cat, client)",
      "uid.unbound device:b (bob, api)",
      "uid.bound device:a (ann, api)",
      "uid.unbound device:a (ann, deleted)",
      "uid.bound device:a (ann, api)",
      "uid.unbound device:a (ann, token_claimed)",
    ]);
  });

  await test("events: a user goes offline with the last device that is taken from him", async (t, { engine }) => {
    await engine.events.want(wanted({ log: ["user.*"] }));
    await engine.devices.connect({ pushId: a }, T);
    await engine.devices.connect({ pushId: b }, T);
    await bind(engine, a, "ann", T + 1);
    await bind(engine, b, "ann", T + 2);
    await bind(engine, a, "bob", T + 3);
    await engine.devices.unbind({ pushIds: [b] }, T + 4);
    await engine.devices.delete([a], T + 5);
    await engine.devices.disconnect([a, b], T + 6);
    t.same(told(await log(engine)), [
      "user.online user:ann (ann, 1)",
      "user.online user:bob (bob, 1)",
      "user.offline user:ann (ann, unbound, 0)",
      "user.offline user:bob (bob, deleted, 0)",
    ]);
  });

  await test("events: a binding that ends while its device is away is told of, whoever finds it ended", async (t, {
    engine,
    clock,
  }) => {
    clock.now = T;
    await engine.events.want(wanted({ log: ["uid.*"] }));
    await bind(engine, a, "ann", T, 0, 1000);
    await bind(engine, b, "bob", T, 0, 1000);
    await engine.devices.connect({ pushId: a }, T + 1000);
    const after = (await log(engine, { types: ["uid.bound"] })).at(-1)!.seq;
    clock.now = T + 1000;
    await until(async () => (await log(engine, { after })).length === 2);
    t.same(told(await log(engine, { after })).sort(), [
      "uid.unbound device:a (ann, binding_ttl)",
      "uid.unbound device:b (bob, binding_ttl)",
    ]);
    t.notOk("uid" in (await engine.devices.get([b], T + 2000))[0]!);
  });

  await test("events: topics of the configured prefixes are occupied, joined, left and vacated", async (t, {
    engine,
  }) => {
    await engine.events.want(wanted({ log: ["topic.*"] }));
    t.ok(engine.events.watches("room:1"));
    t.notOk(engine.events.watches("news"));
    await bind(engine, a, "ann", T);
    await engine.devices.connect({ pushId: a, platform: "ios" }, T);
    const joined = (pushId?: typeof a): Happening => ({
      kind: "joined",
      topic: "room:1",
      ...(pushId === undefined ? {} : { pushId, platform: "ios" }),
      at: T,
    });
    const room2: Happening = { kind: "joined", topic: "room:2", pushId: a, uid: uid("ben"), at: T };
    await engine.events.note([joined(), joined(a), joined(a), joined(b), room2]);
    await engine.events.note([{ kind: "left", topic: "room:1", reason: "transport close", at: T + 10 }]);
    await engine.events.note([{ kind: "left", topic: "room:1", pushId: b, reason: "unsubscribed", at: T + 500 }]);
    await engine.devices.disconnect([a], T + 9000, gone("ping timeout", T + 1000));
    const events = await log(engine);
    t.same(told(events), [
      "topic.occupied topic:room:1 (1)",
      "topic.joined topic:room:1 (ann, 2)",
      "topic.joined topic:room:1 (3)",
      "topic.occupied topic:room:2 (1)",
      "topic.joined topic:room:2 (ben, 1)", // he has logged in, and the record will say so
      "topic.left topic:room:1 (unsubscribed, 1)",
      "topic.left topic:room:1 (ann, ping timeout, 0)",
      "topic.vacated topic:room:1 (ping timeout, 0)",
      "topic.left topic:room:2 (ann, ping timeout, 0)",
      "topic.vacated topic:room:2 (ping timeout, 0)",
    ]);
    const at = (time: number): string => new Date(time).toISOString();
    t.same(dataOf(events[1]!), {
      ...{ topic: "room:1", pushId: a, uid: "ann", platform: "ios", count: 2 },
      ...{ since: at(T), at: at(T) },
    });
    t.same(dataOf(events[6]!), {
      ...{ topic: "room:1", pushId: a, uid: "ann", count: 0, reason: "ping timeout" },
      ...{ since: at(T + 1000), stayed: 1000, at: at(T + 1000) },
    });
  });

  await test("events: other topics are told of: those that stay among them keep their members", async (t, {
    engine,
  }) => {
    const inTopics = (kind: "joined" | "left", at: number): Happening[] =>
      ["room:1", "live%", 'live"2'].map((topic) => ({ kind, topic, pushId: a, reason: "unsubscribed", at }));
    await engine.events.want(wanted({ log: ["topic.*"], topics: ["room:", "live"] }));
    await engine.events.note(inTopics("joined", T));
    const after = await engine.events.newest();
    await engine.events.want(wanted({ log: ["topic.*"], topics: ["live%", "ROOM:", "new:"] }));
    await engine.events.note(inTopics("left", T + 1000));
    const events = await log(engine, { after });
    t.same(told(events), ["topic.left topic:live% (unsubscribed, 0)", "topic.vacated topic:live% (unsubscribed, 0)"]);
    t.match(dataOf(events[0]!), { stayed: 1000 });
  });

  await test("events: the log is read by key, type and time, a page at a time", async (t, { engine }) => {
    await engine.events.want(wanted({ log: ["device.*"] }));
    for (let i = 0; i < 1500; i += 100)
      await Promise.all(
        Array.from({ length: 100 }, (_, k) => engine.devices.connect({ pushId: pushId(`d${i + k}`) }, T + i + k)),
      );
    await engine.devices.disconnect([pushId("d7")], T + 2000);
    const all = await log(engine);
    t.equal(all.length, 1501);
    t.same(
      all.map(({ seq }) => seq),
      all.map(({ seq }) => seq).toSorted((x, y) => x - y),
    );
    const key = `device:${pushId("d7")}`;
    t.same(told(await log(engine, { key })), ["device.online device:d7", "device.offline device:d7 (transport close)"]);
    t.same(told(await log(engine, { types: ["device.offline"] })), ["device.offline device:d7 (transport close)"]);
    t.equal((await log(engine, { from: T + 100, to: T + 200 })).length, 100);
    t.equal((await log(engine, { after: all[1400]!.seq })).length, 100);
    t.equal((await engine.events.list({}, 10)).events.length, 10);
    t.equal(await engine.events.newest(), all.at(-1)!.seq);
  });

  await test("events: readers are told after the commit", async (t, { engine }) => {
    const heard: number[] = [];
    engine.events.onWritten((newest) => heard.push(newest));
    await engine.events.want(wanted({ log: ["user.*"] }));
    await engine.devices.connect({ pushId: a }, T);
    t.same(heard, []);
    await bind(engine, a, "ann", T);
    t.same(heard, [await engine.events.newest()]);
  });

  await test("events: what is older than it is kept goes", async (t, { engine, clock }) => {
    clock.now = T;
    await engine.events.want(wanted({ keep: HOUR }));
    await engine.devices.connect({ pushId: a }, T);
    await engine.devices.connect({ pushId: b }, T + HOUR);
    clock.now = T + HOUR + 1;
    await until(async () => (await log(engine)).length === 1);
    t.same(told(await log(engine)), ["device.online device:b"]);
  });

  await test("events: devices and members that do not come back after a restart are told of", async (t, subject) => {
    if (subject.reopen === undefined) {
      t.pass("nothing lasts");
      return;
    }
    const { clock } = subject;
    clock.now = T;
    await subject.engine.events.want(wanted());
    for (const [device, name] of [
      [a, "ann"],
      [b, "bob"],
    ] as const) {
      await bind(subject.engine, device, name, T);
      await subject.engine.devices.connect({ pushId: device }, T);
      await subject.engine.events.note([
        { kind: "joined", topic: "room:1", pushId: device, at: T },
        { kind: "joined", topic: "room:2", pushId: device, at: T },
      ]);
    }
    await subject.engine.broker.publish([toDevice("a", "p1")]);
    const after = await subject.engine.events.newest();
    const engine = await subject.reopen(T + 60_000);
    await engine.events.want(wanted());
    await engine.devices.connect({ pushId: a }, T + 61_000);
    await engine.events.note([{ kind: "joined", topic: "room:1", pushId: a, at: T + 61_000 }]);
    t.same(await log(engine, { after }), [], "not before the time is over");
    clock.now = T + 100_000;
    await until(async () => (await log(engine, { after, key: "topic:room:2" })).length === 3);
    const events = await log(engine, { after });
    t.ok(events[0]!.seq > after, "seq goes on rising");
    t.same(told(events), [
      "device.offline device:b (bob, server_restart)",
      "user.offline user:bob (bob, server_restart, 0)",
      "topic.left topic:room:1 (bob, server_restart, 1)",
      "topic.left topic:room:2 (bob, server_restart, 1)",
      "topic.left topic:room:2 (ann, server_restart, 0)",
      "topic.vacated topic:room:2 (server_restart, 0)",
    ]);
    t.match(dataOf(events[0]!), { stayed: 60_000 });
  });

  await test("events: who was sent away by a server that stops, and is back in time, was never gone", async (t, subject) => {
    if (subject.reopen === undefined) {
      t.pass("nothing lasts");
      return;
    }
    const { clock } = subject;
    clock.now = T;
    await subject.engine.events.want(wanted());
    await subject.engine.devices.connect({ pushId: a }, T);
    await subject.engine.devices.connect({ pushId: b }, T);
    await subject.engine.devices.disconnect([a, b], T + 1, null);
    const engine = await subject.reopen(T + 1000);
    await engine.events.want(wanted());
    await engine.devices.connect({ pushId: a }, T + 2000);
    clock.now = T + 50_000;
    await until(async () => (await log(engine)).length === 3);
    t.same(told(await log(engine)), [
      "device.online device:a",
      "device.online device:b",
      "device.offline device:b (server_restart)",
    ]);
  });

  await test("events: wanted no more, forgotten; wanted again, whoever is present is told of", async (t, {
    engine,
  }) => {
    await engine.events.want(wanted({ log: ["device.*"] }));
    let gaps = 0;
    engine.events.onGap(() => gaps++);
    await engine.devices.connect({ pushId: a }, T);
    await engine.events.want(wanted({ log: [] }));
    await engine.devices.connect({ pushId: b }, T + 1);
    t.equal(gaps, 0);
    await engine.events.want(wanted({ log: ["device.*"] }));
    t.equal(gaps, 1, "live code is asked");
    await engine.events.present([{ pushId: b, since: T + 1 }], T + 2);
    await engine.events.present([{ pushId: b, since: T + 1 }], T + 3);
    t.same(told(await log(engine)), ["device.online device:a", "device.online device:b"]);
  });

  await test("events: packets of clients and the standing of lanes", async (t, { engine }) => {
    await engine.events.want(wanted({ log: ["client.packet", "lane.*"] }));
    const lane = { vendor: "fcm", app: "com.x" };
    await engine.events.note([
      { kind: "packet", pushId: a, uid: uid("ann"), path: "/p", sequenceId: "7", data: '{"x":"\u2028"}', at: T },
      { kind: "packet", pushId: a, path: "/p", sequenceId: "8", at: T },
      { kind: "lane", change: "paused", lane, reason: "quota", until: T + 5, at: T },
    ]);
    const [packet, bare, paused] = await log(engine);
    t.same(dataOf(packet!), {
      pushId: a,
      uid: "ann",
      path: "/p",
      sequenceId: "7",
      at: new Date(T).toISOString(),
      data: { x: "\u2028" },
    });
    t.notOk("data" in dataOf(bare!));
    t.match(paused, { type: "lane.paused", key: "lane:fcm/com.x" });
    t.match(dataOf(paused!), { provider: "fcm", app: "com.x", until: new Date(T + 5).toISOString() });
  });

  await test("events: that a notification has arrived or was clicked is told once per device", async (t, {
    engine,
  }) => {
    await engine.events.want(wanted({ log: ["notification.*"] }));
    await bind(engine, a, "ann", T);
    await engine.devices.connect({ pushId: a, token: { type: "xiaomi", token: "a-token" } }, T);
    await send(engine, "n1", [via("a", XIAOMI), { pushId: b }], { target: toList(["a", "b"]) });
    const deliveries = await claimed(engine, 100, T, XIAOMI);
    await engine.outbox.settle(
      deliveries.map((delivery) => accepted(delivery, "r1")),
      T + 1,
    );
    const reported = { vendor: "xiaomi", receipt: "r1", token: "a-token" };
    await engine.outbox.received([{ ...reported, event: "arrived", at: T + 2 }], T + 3);
    await engine.outbox.received([{ ...reported, event: "arrived" }], T + 4);
    const evidence = (pushId: typeof a, counter: "arrive_android" | "click_android" | "click_xiaomi") =>
      engine.counters.arrived([{ id: "n1", pushId, counter }], T + 5);
    await evidence(a, "arrive_android");
    await evidence(b, "arrive_android");
    await evidence(b, "arrive_android");
    await evidence(b, "click_android");
    await evidence(a, "click_xiaomi");
    await engine.outbox.received([{ ...reported, event: "clicked" }], T + 6);
    await engine.counters.arrived([{ id: "unknown", pushId: a, counter: "arrive_android" }], T + 7);
    const events = await log(engine);
    t.same(
      events.map((event) => [event.type, event.key, dataOf(event)["pushId"], dataOf(event)["provider"]]),
      [
        ["notification.arrived", "notification:n1", a, "xiaomi"],
        ["notification.arrived", "notification:n1", b, "connection"],
        ["notification.clicked", "notification:n1", b, "connection"],
        ["notification.clicked", "notification:n1", a, "xiaomi"],
      ],
    );
    t.match(dataOf(events[0]!), { id: "n1", uid: "ann", at: new Date(T + 2).toISOString() });
  });

  await test("events: a token is dead when a vendor's word made us forget it", async (t, { engine }) => {
    await engine.events.want(wanted({ log: ["token.dead"] }));
    await bind(engine, a, "ann", T);
    for (const device of [a, b])
      await engine.devices.connect(
        { pushId: device, token: { type: "fcm", token: `${device === a ? "a" : "b"}-token` } },
        T,
      );
    await send(engine, "n1", [via("a"), via("b")], { target: toList(["a", "b"]) });
    const deliveries = await claimed(engine);
    await engine.devices.setToken(b, { type: "fcm", token: "newer" }, T + 1);
    await engine.outbox.settle(
      deliveries.map((delivery) => ({ delivery, kind: "gone", reason: "UNREGISTERED", forget: {}, counters: [] })),
      T + 2,
    );
    const events = await log(engine);
    t.same(told(events), ["token.dead device:a (ann, UNREGISTERED)"]);
    t.match(dataOf(events[0]!), { pushId: a, type: "fcm", app: "com.x" });
  });

  await test("events: a call to many, or for later, is told of when it has ended", async (t, { engine }) => {
    await engine.events.want(wanted({ log: ["job.finished"] }));
    await send(engine, "few", [], { target: toList(["a"]) });
    await send(engine, "dry", [], { target: ALL, accept: { dryRun: true } });
    await send(engine, "all", [via("a"), via("b"), { pushId: pushId("c") }], { target: ALL });
    t.same(await log(engine), [], "two of them wait");
    const [first, second] = await claimed(engine);
    await engine.outbox.settle([accepted(first!, "r1")], T + 1);
    t.same(await log(engine), []);
    await engine.outbox.settle(
      [{ delivery: second!, kind: "refused", reason: "too large", counters: ["failed_fcm"] }],
      T + 2,
    );
    await engine.outbox.accept(notification("later", { sendAt: T + HOUR }), toList(["a"]));
    await engine.outbox.order("later", "cancel", T + 3);
    await engine.outbox.accept(notification("empty"), ALL);
    await engine.outbox.expand(await jobOf(engine, "empty"), undefined, lastPage(), T + 4);
    const events = await log(engine);
    t.same(
      events.map((event) => [event.key, dataOf(event)["state"]]),
      [
        ["notification:all", "finished"],
        ["notification:later", "cancelled"],
        ["notification:empty", "finished"],
      ],
    );
    t.match(dataOf(events[0]!), {
      id: "all",
      target: "all",
      counts: { seen: 3, queued: 2, connected: 0, accepted: 1, failed: 1 },
      failures: { "too large": 1 },
      at: new Date(T + 2).toISOString(),
    });
  });

  await test("events: a lane that rested before a restart is told of as resumed", async (t, subject) => {
    if (subject.reopen === undefined) {
      t.pass("nothing lasts");
      return;
    }
    const { clock } = subject;
    clock.now = T;
    await subject.engine.events.want(wanted({ log: ["lane.*"] }));
    for (const [app, change] of [
      ["one", "stopped"],
      ["two", "stopped"],
      ["two", "resumed"],
      ["three", "paused"],
    ] as const)
      await subject.engine.events.note([{ kind: "lane", change, lane: { vendor: "fcm", app }, reason: "r", at: T }]);
    const after = await subject.engine.events.newest();
    const engine = await subject.reopen(T + 1000);
    await engine.events.want(wanted({ log: ["lane.*"] }));
    clock.now = T + 2000;
    await engine.events.note([
      { kind: "lane", change: "paused", lane: { vendor: "fcm", app: "three" }, reason: "again", at: T + 2000 },
    ]);
    clock.now = T + 60_000;
    await until(async () => (await log(engine, { after })).length === 2);
    t.same(told(await log(engine, { after })), [
      "lane.paused lane:fcm/three (again)",
      "lane.resumed lane:fcm/one (server_restart)",
    ]);
  });

  await test("events: what each tells is what the table of hooks/README.md names", async (t) => {
    const rows = promised();
    for (const [type, told] of sent) {
      const row = rows.get(type) ?? new Set();
      t.same(
        [...told].filter((name) => name !== "at" && !row.has(name)),
        [],
        `${type}: what the table lacks`,
      );
      t.same(
        [...row].filter((name) => !told.has(name) && !SOMETIMES.has(name)),
        [],
        `${type}: what is not told`,
      );
    }
  });
}
