// What the store forgets and gives up of the queues of endpoints: by age, by number, by bytes.
import { join } from "node:path";
import t, { type Test } from "tap";
import type { Happening } from "../../src/core/events.ts";
import type { HookBounds } from "../../src/core/hooks.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { MIGRATIONS } from "../../src/engine/sqlite/schema.ts";
import { type Call, type MethodName, type Methods, type Store, store } from "../../src/engine/sqlite/thread.ts";
import { ARRIVAL_DAYS, HOUR, KEEP, pushId, T } from "./steps.ts";

const DAY = 24 * HOUR;
const ROOM: HookBounds = { events: 1e9, bytes: 1e12, dead: 30 * DAY };

interface Opened {
  call<Name extends MethodName>(name: Name, ...args: Parameters<Methods[Name]>): ReturnType<Methods[Name]>;
  /** Until there is nothing more to do. */
  sweep(before: number, bounds?: HookBounds, now?: number): void;
  waiting(): number[];
  /** Seqs of the log. */
  log(): number[];
}

function open(t: Test): Opened {
  const db = openDatabase(":memory:", "NORMAL");
  const opened: Store = store(db, {
    task: "store",
    dataDir: ":memory:",
    synchronous: "NORMAL",
    keep: KEEP,
    arrivalDays: ARRIVAL_DAYS,
    started: T,
  });
  t.teardown(() => opened.close());
  const call: Opened["call"] = (name, ...args) => {
    const { results, failures } = opened.run([[name, args] as Call]);
    if (failures.length > 0) throw new Error(failures[0]?.[1].message);
    return results[0] as never;
  };
  const numbers = (sql: string): number[] => db.prepare<[], number>(sql).pluck<number>().all();
  return {
    call,
    sweep(before, bounds = ROOM, now = before) {
      while (call("sweepHooks", before, bounds, now, 3));
    },
    waiting: () => numbers("SELECT seq FROM hook_events ORDER BY seq"),
    log: () => numbers("SELECT seq FROM events ORDER BY seq"),
  };
}

const want = { log: [], topics: [], grace: 0, keep: 72 * HOUR };
const hook = (coalesce = true) => ({ name: "main", events: ["*"], coalesce });

const packets = (count: number, at: number, name = "a"): Happening[] =>
  Array.from({ length: count }, (_, i) => ({
    kind: "packet",
    pushId: pushId(name),
    path: `${i}`,
    sequenceId: "1",
    at,
  }));

t.test(
  "integration 8: what was not taken in time is a dead letter, with why; it can be sent again after the log forgot it",
  (t) => {
    const { call, sweep, log } = open(t);
    call("want", { ...want, hooks: [hook()] }, false);
    call("noteEvents", packets(5, T), T);
    const { events } = call("claimEvents", "main", 10, 1e6, T);
    t.equal(events.length, 1);
    call("settleEvents", "main", {
      delivered: [],
      back: [],
      retry: [{ seq: events[0]!.seq, due: T + HOUR, reason: "500" }],
    });
    call("noteEvents", packets(1, T + DAY, "b"), T + DAY);

    sweep(T);
    t.strictSame(call("hookDepths"), [{ hook: "main", waiting: 6, dead: 0, dropped: 0, oldest: T }]);
    sweep(T + 1, ROOM, T + 2 * DAY);
    t.strictSame(call("hookDepths"), [{ hook: "main", waiting: 1, dead: 5, dropped: 0, oldest: T + DAY }]);
    const dead = call("deadLetters", "main", 0, 10);
    t.match(dead[0], { id: events[0]?.id, attempts: 1, reason: "500", at: T + 2 * DAY, data: events[0]?.data });
    t.strictSame(
      dead.map(({ data }) => (JSON.parse(data) as { path: string }).path),
      ["0", "1", "2", "3", "4"],
    );
    t.strictSame(call("deadLetters", "main", dead[3]!.seq, 10), [dead[4]]);

    while (call("sweepEvents", T + DAY + 72 * HOUR, 72 * HOUR, 3));
    t.equal(log().length, 1, "the log has forgotten them");
    t.strictSame(call("replayDead", "main", { types: ["device.online"] }, 100), { count: 0 });
    t.strictSame(call("replayDead", "main", { after: dead[3]!.seq }, 100), { count: 1 });
    t.strictSame(call("replayDead", "main", {}, 2), { count: 2, next: dead[1]!.seq });
    t.strictSame(call("replayDead", "main", {}, 100), { count: 2 });
    t.strictSame(call("deadLetters", "main", 0, 10), []);
    const order: string[] = [];
    for (let i = 0; i < 5; i++) {
      const { events: next } = call("claimEvents", "main", 10, 1e6, T + 2 * DAY);
      order.push(
        ...next.filter(({ key }) => key.includes(":a-")).map(({ data }) => (JSON.parse(data) as { path: string }).path),
      );
      call("settleEvents", "main", { delivered: next.map(({ seq }) => seq), back: [], retry: [] });
    }
    t.strictSame(order, ["0", "1", "2", "3", "4"]);
    t.strictSame(call("hookDepths"), [{ hook: "main", waiting: 0, dead: 0, dropped: 0 }]);
    t.end();
  },
);

t.test("integration 8: a dead letter is kept for hooks.keep_dead", (t) => {
  const { call, sweep } = open(t);
  call("want", { ...want, hooks: [hook()] }, false);
  call("noteEvents", packets(5, T), T);
  sweep(T + 1);
  sweep(T + 1, ROOM, T + 30 * DAY);
  t.equal(call("hookDepths")[0]?.dead, 5);
  sweep(T + 1, ROOM, T + 2 + 30 * DAY);
  t.equal(call("hookDepths")[0]?.dead, 0);
  t.end();
});

t.test("what is under way is not given up", (t) => {
  const { call, sweep } = open(t);
  call("want", { ...want, hooks: [hook()] }, false);
  call("noteEvents", packets(2, T), T);
  const { events } = call("claimEvents", "main", 10, 1e6, T);
  sweep(T + 1);
  t.match(call("hookDepths"), [{ waiting: 1, dead: 1 }]);
  call("settleEvents", "main", { delivered: events.map(({ seq }) => seq), back: [], retry: [] });
  t.match(call("hookDepths"), [{ waiting: 0, dead: 1 }]);
  t.end();
});

t.test("where there is no room what happened goes before what is, the oldest first, and it is counted", (t) => {
  for (const bounds of [
    { events: 4, bytes: 1e12 },
    { events: 1e9, bytes: 1200 },
  ]) {
    const { call, sweep, waiting, log } = open(t);
    call("want", { ...want, hooks: [hook()] }, false);
    call("connect", { pushId: pushId("a") }, T);
    call("noteEvents", packets(5, T, "b"), T);
    call("connect", { pushId: pushId("c") }, T);
    const before = log();
    t.equal(call("hookDepths")[0]?.waiting, 7);
    sweep(0, { ...ROOM, ...bounds }, T);
    const { waiting: left = 0, dropped = 0 } = call("hookDepths")[0]!;
    t.equal(left + dropped, 7);
    if (bounds.events === 4) t.strictSame(waiting(), [before[0], before[4], before[5], before[6]]);
    t.ok(waiting().includes(before[0]!) && waiting().includes(before[6]!), "both states");
    t.ok(dropped > 0 && left > 1);
    if (bounds.events === 4) t.equal(log().length, left, "nor does the log keep more");
    sweep(0, { ...ROOM, events: 1 }, T + HOUR);
    t.strictSame(waiting(), [before[6]], "of states the newest");
    const { events } = call("claimEvents", "main", 10, 1e6, T);
    t.equal(events.length, 1, "and it can be sent");
  }
  t.end();
});

t.test("a log that only readers want is bounded too", (t) => {
  const { call, sweep, log } = open(t);
  call("want", { ...want, log: ["*"], hooks: [] }, false);
  call("noteEvents", packets(10, T), T);
  const all = log();
  sweep(0, { ...ROOM, events: 4 }, T);
  t.strictSame(log(), all.slice(6));
  t.end();
});

const data = {
  task: "store",
  dataDir: ":memory:",
  synchronous: "NORMAL",
  keep: KEEP,
  arrivalDays: 30,
  started: T,
} as const;

for (const table of ["hook_sums", "hook_cursors"])
  t.test(`events that a store older than ${table} had queued are sent by this one, before newer ones`, (t) => {
    const file = join(t.testdir(), "pushbox.db");
    const at = MIGRATIONS.findIndex((text) => text.includes(`CREATE TABLE ${table}`));
    const old = openDatabase(file, "NORMAL", MIGRATIONS.slice(0, at));
    old.exec(`
      INSERT INTO events VALUES (1, 'user.online', 'user:ann', 5, '{}'), (2, 'token.dead', 'device:a-0123456789', 6, '{"path":"old"}');
      INSERT INTO hook_events (hook, seq, key) VALUES ('main', 1, 'user:ann'), ('main', 2, 'device:a-0123456789');
      UPDATE sequences SET value = 10000 WHERE name = 'event'`);
    old.close();
    const opened = store(openDatabase(file, "NORMAL"), data);
    const { results } = opened.run([
      ["hookDepths", []],
      ["want", [{ ...want, hooks: [hook()] }, false]],
      ["noteEvents", [packets(1, T), T]],
      ["claimEvents", ["main", 10, 1e6, T]],
    ]);
    t.strictSame(results[0], [{ hook: "main", waiting: 2, dead: 0, dropped: 0, oldest: 5 }]);
    const { events } = results[3] as { events: { seq: number }[] };
    t.strictSame(
      events.map(({ seq }) => seq),
      [1, 2],
    );
    const delivered = events.map(({ seq }) => seq);
    opened.run([["settleEvents", ["main", { delivered, retry: [], back: [] }]]]);
    const next = opened.run([["claimEvents", ["main", 10, 1e6, T]]]).results[0] as { events: { data: string }[] };
    t.match(next.events, [{ data: /"path":"0"/ }]);
    opened.close();
    t.end();
  });

t.test(
  "an event that its endpoint takes soon costs no row, one that it does not is a row after a while, by then under way or not",
  (t) => {
    const { call, sweep, waiting } = open(t);
    call("want", { ...want, hooks: [hook()] }, false);
    call("noteEvents", [...packets(1, T, "a"), ...packets(2, T, "b")], T);
    const { events } = call("claimEvents", "main", 1, 1e6, T);
    sweep(0, ROOM, T + 5000);
    t.strictSame(waiting(), []);
    t.match(call("hookDepths"), [{ waiting: 3, oldest: T }]);
    sweep(0, ROOM, T + 20_000);
    t.equal(waiting().length, 3);
    t.match(call("hookDepths"), [{ waiting: 3, oldest: T }]);
    t.equal(call("claimEvents", "main", 10, 1e6, T).events.length, 1, "b's first");
    call("settleEvents", "main", { delivered: events.map(({ seq }) => seq), retry: [], back: [] });
    t.equal(waiting().length, 2);
    t.end();
  },
);

t.test("what is too much for the memory becomes rows, in the same order", (t) => {
  const { call, waiting } = open(t);
  call("want", { ...want, hooks: [hook()] }, false);
  const paths: string[] = [];
  for (let i = 0; i < 210; i++) call("noteEvents", packets(50, T, `a${i % 21}`), T);
  t.equal(waiting().length, 500);
  t.match(call("hookDepths"), [{ waiting: 10_500 }]);
  for (let next = call("claimEvents", "main", 100, 1e6, T).events; next.length > 0; ) {
    paths.push(
      ...next
        .filter(({ key }) => key.includes("a1-"))
        .map(({ data: text }) => (JSON.parse(text) as { path: string }).path),
    );
    call("settleEvents", "main", { delivered: next.map(({ seq }) => seq), retry: [], back: [] });
    next = call("claimEvents", "main", 100, 1e6, T).events;
  }
  const ten = Array.from({ length: 10 }, () => Array.from({ length: 50 }, (_, i) => `${i}`)).flat();
  t.strictSame(paths, ten);
  t.strictSame(waiting(), []);
  t.end();
});

t.test("an endpoint that is new begins at the end; one whose events change keeps what was written for it", (t) => {
  const { call } = open(t);
  const names = (): string[] => call("claimEvents", "main", 10, 1e6, T).events.map(({ type }) => type);
  call("want", { ...want, log: ["*"], hooks: [] }, false);
  call("noteEvents", packets(1, T), T);
  call("want", { ...want, hooks: [hook()] }, false);
  t.strictSame(names(), []);
  call("noteEvents", packets(1, T), T);
  call("want", { ...want, hooks: [{ ...hook(), events: ["device.*"] }] }, false);
  call("noteEvents", packets(1, T, "b"), T);
  call("connect", { pushId: pushId("c") }, T);
  t.strictSame(names(), ["client.packet", "device.online"]);
  call("want", { ...want, hooks: [] }, false);
  t.match(call("hookDepths"), [{ waiting: 2 }], "nor does it lose them when it is taken out");
  t.end();
});

t.test(
  "what was written for an endpoint before a crash waits for it, though it takes other events since, or is not there",
  (t) => {
    const file = join(t.testdir(), "pushbox.db");
    const first = store(openDatabase(file, "NORMAL"), data);
    first.run([
      ["want", [{ ...want, hooks: [hook()] }, false]],
      ["connect", [{ pushId: pushId("a") }, T]],
      ["noteEvents", [packets(2, T), T]],
      ["disconnect", [[pushId("a")], T, null]],
    ]);
    const copy = `${file}.crashed`;
    return first.backup(copy).then(() => {
      first.close();
      for (const hooks of [[], [{ ...hook(), events: ["user.*"] }]]) {
        const next = store(openDatabase(copy, "NORMAL"), data);
        next.run([["want", [{ ...want, hooks }, false]]]);
        t.match(next.run([["hookDepths", []]]).results[0], [{ waiting: 3, oldest: T }], "a+ gave way to a-");
        next.close();
      }
    });
  },
);
