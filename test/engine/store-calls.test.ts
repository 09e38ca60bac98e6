// The thread's loop, here without its thread: calls that fail, orders, expiry, a full disk.
import t from "tap";
import type { PushId, Uid } from "../../src/core/device.ts";
import { type AddressedRow, unpackClaimed } from "../../src/engine/rows.ts";
import type { Claimed } from "../../src/engine/sqlite/deliveries.ts";
import { State } from "../../src/engine/sqlite/state.ts";
import type { Call } from "../../src/engine/sqlite/thread.ts";
import { pushId, T } from "./steps.ts";
import { acceptCall, claimCall, connect, DAY, FCM, inFcm, openStore, pageOf, settleCall } from "./store-steps.ts";

t.test("A11: a device of which nothing but its pushId is known goes when it was not seen for so long", async (t) => {
  const { opened } = openStore(t);
  const run = (...calls: Call[]): readonly unknown[] => {
    const { results, failures } = opened.run(calls);
    t.same(failures, []);
    return results;
  };
  const names = ["plain", "away", "tagged", "bound", "token", "kept", "online"];
  const hello = (name: string, now: number, more?: object): Call => [
    "connect",
    [{ pushId: pushId(name), ...more }, now],
  ];
  const binding = { pushId: pushId("bound"), uid: "u", platformLimit: 0, timeToLive: 0 };
  run(
    ...names.map((name) =>
      hello(
        name,
        T,
        name === "tagged" ? { tags: ["t"] } : name === "token" ? { token: { type: "apn", token: "x" } } : {},
      ),
    ),
    ["bind", [binding, T]],
    ["disconnect", [names.slice(0, -2).map(pushId), T]],
  );
  const all = (now: number) => run(["pageOfAll", [0, 100, now]])[0] as { devices: { pushId: string }[] };
  const left = (now: number) => all(now).devices.map((device) => device.pushId);
  t.same(run(["countDevices", []]), [7]);
  // It left only now: that it connected long ago says nothing.
  run(["disconnect", [[pushId("kept")], T + 80 * DAY]]);
  run(["connect", [{ pushId: pushId("away") }, T + 80 * DAY]], ["disconnect", [[pushId("away")], T + 80 * DAY]]);
  t.same(run(["sweepDevices", [T, 10, T + 90 * DAY]]), [false]);
  t.equal(left(T).length, 7, "nobody is past that time yet");
  t.same(run(["sweepDevices", [T + 1, 1, T + 90 * DAY]]), [true], "a piece at a time");
  while (run(["sweepDevices", [T + 1, 1, T + 90 * DAY]])[0] === true);
  t.same(left(T), ["away", "tagged", "bound", "token", "kept", "online"].map(pushId));
  t.same(run(["countDevices", []]), [6]);
  while (run(["sweepDevices", [T + 81 * DAY, 1, T + 171 * DAY]])[0] === true);
  t.same(left(T), ["tagged", "bound", "token", "online"].map(pushId), "connected all the time is not away");
  opened.run([hello("new", T), ["noSuchMethod" as "recount", []]]);
  t.same(run(["countDevices", []]), [5]);
});

t.test("a call that throws undoes nothing but itself", async (t) => {
  const { opened } = openStore(t);
  const wrong: Call = ["addSamples", [[{ key: "ok", total: 1, success: 0, error: 0, latency: 0 }, { key: null }], T]];
  const reply = opened.run([connect("a"), wrong, connect("b"), wrong]);
  t.same(
    reply.failures.map(([index]) => index),
    [1, 3],
  );
  t.notOk(reply.failures[0]?.[1].code, "it is a bug, not the store's state");
  const seen = opened.run([
    ["countDevices", []],
    ["keys", []],
  ]);
  t.same(seen.results, [2, []], "half of the call that threw is not stored");
});

t.test("a call that throws leaves the counts of jobs and lanes as the others made them", async (t) => {
  const { db, opened } = openStore(t);
  const page = pageOf(FCM, [inFcm("a", "ua"), inFcm("b", "ub")]);
  const wrong = { ...page, counts: { target_fcm: null } };
  const conflict = acceptCall("n3", {}, { key: "k", digest: "other" });
  const reply = opened.run([
    acceptCall("n1", {}, { key: "k", digest: "x" }),
    acceptCall("n2"),
    conflict,
    ["expand", [1, null, wrong, T]],
    ["expand", [2, null, page, T]],
    claimCall(1),
  ]);
  t.same(
    reply.failures.map(([index]) => index),
    [2, 3],
  );
  t.equal(reply.failures[0]?.[1].code, "conflict");
  const settle = (receipt: unknown): Call => settleCall(reply.results[5], receipt);
  const settled = opened.run([settle({}), settle("r"), settle("r")]);
  t.same(
    settled.failures.map(([index]) => index),
    [0],
  );
  t.same(db.prepare("SELECT job, queued, waiting, accepted FROM jobs ORDER BY job").all(), [
    { job: 1, queued: 0, waiting: 0, accepted: 0 },
    { job: 2, queued: 2, waiting: 1, accepted: 1 },
  ]);
  t.same(db.prepare("SELECT open FROM lanes").all(), [{ open: 1 }]);
  t.same(db.prepare("SELECT counter, total FROM arrival_counts").all(), [{ counter: "accepted_fcm", total: 1 }]);
  t.equal(db.prepare("SELECT count(*) FROM deliveries").pluck().get(), 2);
});

t.test("what ended unsent is counted once, also when another call of the same message throws", async (t) => {
  const { opened } = openStore(t);
  const page = pageOf(FCM, [inFcm("a")]);
  opened.run([acceptCall("n1", {}, { key: "k", digest: "x" }), ["expand", [1, null, page, T]]]);
  const reply = opened.run([claimCall(1, FCM, T + DAY), acceptCall("n2", {}, { key: "k", digest: "other" })]);
  t.equal(reply.failures.length, 1);
  t.same(opened.run([["unsent", []]]).results, [[{ ...FCM, total: 1 }]]);
});

t.test("an order that was cut short is carried out by the sweeping, and so is the end of what is held", async (t) => {
  const { db, opened } = openStore(t);
  const page = pageOf(
    FCM,
    Array.from({ length: 5 }, (_, i) => inFcm(`d${i}`)),
  );
  const expand = (job: number): Call => ["expand", [job, null, page, T]];
  const order = (id: string, what: string): Call => ["order", [id, what, T]];
  const claim = claimCall(100);
  opened.run([acceptCall("n1"), acceptCall("n2"), acceptCall("n3"), expand(1), expand(2), expand(3)]);
  opened.run([order("n1", "pause"), order("n2", "pause"), order("n3", "pause"), claim]);
  t.equal(db.prepare("SELECT count(*) FROM deliveries WHERE state = 3").pluck().get(), 15);
  opened.run([order("n1", "resume"), order("n2", "cancel")]);
  const finish = (now: number): void => {
    for (;;) {
      const job = opened.run([["unwalked", [now]]]).results[0] as number | undefined;
      if (job === undefined) return;
      while (opened.run([["walkJob", [job, 2, now]]]).results[0] === true);
    }
  };
  const states = (): unknown =>
    db.prepare("SELECT job, state, count(*) AS n FROM deliveries GROUP BY job, state ORDER BY job").all();
  finish(T);
  t.same(states(), [
    { job: 1, state: 1, n: 5 },
    { job: 2, state: 8, n: 5 },
    { job: 3, state: 3, n: 5 },
  ]);
  finish(T + 600_000);
  t.match(states(), [{}, {}, { job: 3, state: 7, n: 5 }], "a paused job's time passes too");
  t.same(db.prepare("SELECT open FROM lanes").all(), [{ open: 5 }]);
  t.match(db.prepare("SELECT job, waiting FROM jobs ORDER BY job").all(), [
    { waiting: 5 },
    { waiting: 0 },
    { waiting: 0 },
  ]);
});

t.test("deliveries are claimed and settled by statements that SQLite plans once, not anew for each", async (t) => {
  const { opened } = openStore(t);
  const page = pageOf(
    FCM,
    Array.from({ length: 40 }, (_, i) => inFcm(`d${i}`)),
  );
  opened.run([acceptCall("n1"), ["expand", [1, null, page, T]]]);
  const some = (): void => {
    const claimed = opened.run([claimCall(10)]).results[0] as Claimed;
    t.equal(unpackClaimed(claimed.deliveries).length, 10);
    t.same(opened.run([settleCall(claimed, "r", () => true)]).failures, []);
  };
  some();
  // better-sqlite3 compiles a function for the rows of a statement whenever SQLite has planned that anew.
  let planned = 0;
  const { Function: original } = globalThis;
  globalThis.Function = new Proxy(original, {
    apply(target, self, args) {
      planned++;
      return Reflect.apply(target, self, args);
    },
  });
  t.teardown(() => {
    globalThis.Function = original;
  });
  some();
  some();
  t.equal(planned, 0);
});

t.test("a full disk refuses what writes, answers what reads, and is over when there is room", async (t) => {
  const { db, opened } = openStore(t);
  opened.run([connect("a")]);
  const pages = Number(db.pragma("page_count", { simple: true }));
  db.pragma(`max_page_count = ${pages}`);
  const bind = (i: number): Call => [
    "bind",
    [{ pushId: pushId(`d${i}`), uid: "u" as Uid, platformLimit: 0, timeToLive: 0 }, T],
  ];
  const many = Array.from({ length: 2000 }, (_, i) => bind(i));
  const reply = opened.run([connect("a"), ...many, ["countDevices", []]]);
  t.equal(reply.failures.length, 2000);
  t.match(reply.failures[0]?.[1], {
    code: "unavailable",
    message: /no room left to write .*pushbox\.db: free some disk space; until then/,
  });
  t.match(reply.results[0], { pushId: pushId("a") }, "a known device can still connect");
  t.equal(reply.results.at(-1), 1, "nothing of the failed step is stored");
  db.pragma("max_page_count = 1000000");
  t.same(opened.run(many).failures, []);
  t.same(opened.run([["countDevices", []]]).results, [2001]);
});

/** Tables that keep what is not bound to a notification: numbers, starts of the server, lanes. */
const LASTING = ["sequences", "log", "runs", "lanes", "hook_sums", "hook_cursors", "sqlite_sequence"];

t.test("whatever belongs to a notification is forgotten after 30 days", async (t) => {
  const { db, opened } = openStore(t);
  const ids = Array.from({ length: 10 }, (_, i) => pushId(`d${i}`));
  const HUAWEI = { vendor: "huawei", app: "com.x", host: "" };
  const devices = ids.map((id, i): AddressedRow => {
    const who = { pushId: id, uid: `u${i}` };
    return i % 2 === 0 ? { ...who, lane: 0, type: "huawei", token: `t${i}` } : { ...who, state: State.sent };
  });
  const page = { ...pageOf(HUAWEI, devices), counts: { target_android: 10 } };
  const evidence = ids.map((id: PushId) => ({ id: "n1", pushId: id, counter: "arrive_android" }));
  const sample = { key: "k", total: 1, success: 0, error: 0, latency: 0 };
  const reply = opened.run([
    connect("d0"),
    acceptCall("n1", {}, { key: "k1", digest: "x" }),
    acceptCall("n2", { dryRun: true }),
    ["expand", [1, null, page, T]],
    ["expand", [2, null, page, T]],
    acceptCall("n3", { reach: true }),
    [
      "expand",
      [
        3,
        null,
        {
          ...page,
          reach: {
            capPerDay: 1,
            users: [
              ["u0", T, 1],
              ["u1", T + 9, 0],
              ["nobody", T, 0],
            ],
          },
        },
        T,
      ],
    ],
    ["arrived", [evidence, T]],
    ["addSamples", [[sample], T]],
    claimCall(2, HUAWEI),
    ["deleteDevices", [[pushId("d0")]]],
  ]);
  t.same(reply.failures, []);
  t.same(opened.run([settleCall(reply.results[9], undefined)]).failures, []);
  t.same(opened.run([["sweepCounters", [T + DAY - 1, 4]]]).results, [false]);
  t.same(opened.run([["sweepCounters", [T + DAY, 4]]]).results, [false], "the key of a call that may be repeated");
  t.equal(db.prepare("SELECT count(*) FROM calls").pluck().get(), 0);
  t.same(opened.run([["sweepCounters", [T + 30 * DAY - 3_600_001, 4]]]).results, [false]);
  let rounds = 0;
  while (opened.run([["sweepCounters", [T + 31 * DAY, 4]]]).results[0] === true) rounds++;
  t.ok(rounds >= 3, "in pieces");
  const tables = db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck<string>().all();
  t.ok(tables.length > 15);
  for (const table of tables)
    if (!LASTING.includes(table)) t.equal(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get(), 0, table);
  t.equal(db.prepare("SELECT sum(open) FROM lanes").pluck().get(), 0, "what was waiting is no longer counted");
});

t.test("what still may be sent is not forgotten", async (t) => {
  const { db, opened } = openStore(t);
  opened.run([acceptCall("n1", { expires: T + 90 * DAY })]);
  while (opened.run([["sweepCounters", [T + 31 * DAY, 100]]]).results[0] === true);
  t.equal(db.prepare("SELECT count(*) FROM jobs").pluck().get(), 1);
  while (opened.run([["sweepCounters", [T + 90 * DAY, 100]]]).results[0] === true);
  t.equal(db.prepare("SELECT count(*) FROM jobs").pluck().get(), 0);
});
