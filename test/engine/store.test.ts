// The database file and its directory: what is refused and how that is said, upgrades, faults while running, expiry.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import type { Delivery, Settlement } from "../../src/core/delivery.ts";
import type { PushId, Uid } from "../../src/core/device.ts";
import { PushError } from "../../src/core/errors.ts";
import { deviceChannel, type Page } from "../../src/core/packet.ts";
import { lockDirectory } from "../../src/engine/directory.ts";
import { type LocalEngine, type LocalEngineOptions, openLocalEngine } from "../../src/engine/local.ts";
import { type AddressedRow, packAddressed, packSettlements, unpackClaimed } from "../../src/engine/rows.ts";
import type { Claimed } from "../../src/engine/sqlite/deliveries.ts";
import { renewEpoch } from "../../src/engine/sqlite/epoch.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { MIGRATIONS } from "../../src/engine/sqlite/schema.ts";
import { State } from "../../src/engine/sqlite/state.ts";
import { type Call, type Store, store } from "../../src/engine/sqlite/thread.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { missed } from "../support/engine.ts";
import { kill, nodeArguments } from "../support/process.ts";
import { packet, pushId } from "./steps.ts";

const T = 1_800_000_000_000;
const DAY = 86_400_000;

const options = (dataDir: string, more?: Partial<LocalEngineOptions>): LocalEngineOptions => ({
  dataDir,
  synchronous: "NORMAL",
  keep: { default: 10, prefixes: [] },
  arrivalDays: 30,
  vendors: TRAITS,
  onFatal() {},
  ...more,
});

/** Opens, and is expected to be refused with a message that has these words. */
async function refused(t: Test, dataDir: string, ...words: (string | RegExp)[]): Promise<void> {
  try {
    await (await openLocalEngine(options(dataDir))).close();
    t.fail("it opened");
  } catch (error) {
    if (!(error instanceof PushError)) throw error;
    t.equal(error.code, "unavailable");
    for (const word of words) t.match(error.message, word);
    t.notMatch(error.message, "undefined");
  }
}

t.test("a new data directory is for its owner alone", async (t) => {
  const dataDir = join(t.testdir(), "a", "data");
  const engine = await openLocalEngine(options(dataDir));
  await engine.devices.connect({ pushId: pushId("a") }, T);
  t.equal(statSync(dataDir).mode & 0o777, 0o700);
  for (const file of ["pushbox.db", "pushbox.db-wal", "lock"])
    t.equal(statSync(join(dataDir, file)).mode & 0o777, 0o600, file);
  await engine.close();
  t.notOk(existsSync(join(dataDir, "pushbox.db-wal")), "one file remains after a clean end");
});

/** The `nice` of each of this process's threads, by its id. One that ends meanwhile is left out. */
const priorities = (): ReadonlyMap<string, number> =>
  new Map(
    readdirSync("/proc/self/task").flatMap((thread) => {
      const file = `/proc/self/task/${thread}/stat`;
      if (!existsSync(file)) return [];
      const [, fields = ""] = readFileSync(file, "utf8").split(") ");
      return [[thread, Number(fields.split(" ")[16])] as const];
    }),
  );

if (process.platform === "linux")
  t.test("on a core they share, the storage thread gives way to the sockets' thread", async (t) => {
    const own = getPriority();
    const before = priorities(); // an earlier test's storage thread may be among them, about to end
    const engine = await openLocalEngine(options(":memory:"));
    const started = [...priorities()].filter(([thread]) => !before.has(thread));
    const given = Math.min(19, own + 10);
    t.same(
      started
        .map(([, priority]) => priority)
        .filter((priority) => priority !== own || own === given)
        .slice(0, 1),
      [given],
      "one of those that the engine started",
    );
    t.equal(getPriority(), own, "the sockets' thread keeps its own");
    await engine.close();
  });

t.test("a data directory is used by one process at a time", async (t) => {
  const dataDir = t.testdir();
  const child = spawn(process.execPath, [
    ...nodeArguments,
    "--input-type=module",
    "-e",
    `
    const { openLocalEngine } = await import(${JSON.stringify(new URL("../../src/engine/local.ts", import.meta.url).href)});
    await openLocalEngine({ dataDir: ${JSON.stringify(dataDir)}, synchronous: "FULL", keep: { default: 10, prefixes: [] },
      arrivalDays: 30, onFatal() {} });
    console.log("open");`,
  ]);
  t.teardown(() => kill(child));
  child.stderr.pipe(process.stderr);
  await once(child.stdout, "data");
  await refused(t, dataDir, "in use by another pushbox", `process ${child.pid} `, dataDir);
  await kill(child);
  const engine = await openLocalEngine(options(dataDir));
  t.pass("a killed process leaves nothing locked");
  await refused(t, dataDir, "in use", `process ${process.pid} `);
  await engine.close();
  lockDirectory(dataDir).release();
});

t.test("a data directory that cannot be used is named, with the reason", async (t) => {
  const dir = t.testdir({ file: "text", other: { "pushbox.db": {} } });
  await refused(t, join(dir, "file"), join(dir, "file"), "not a directory");
  await refused(t, join(dir, "file", "data"), "not a directory");
  await refused(t, join(dir, "other"), join(dir, "other", "pushbox.db"), "is a directory");
  if (process.platform === "linux") await refused(t, "/proc/pushbox-data", "/proc/pushbox-data");
});

t.test("a file that is no pushbox database is refused and left as it is", async (t) => {
  const text = "this is not a database, but a text of some length\n".repeat(100);
  const dir = t.testdir({ text: { "pushbox.db": text }, other: {} });
  await refused(t, join(dir, "text"), join(dir, "text", "pushbox.db"), "pushbox restore");
  t.equal(readFileSync(join(dir, "text", "pushbox.db"), "utf8"), text);
  const other = new Database(join(dir, "other", "pushbox.db"));
  other.exec("CREATE TABLE theirs (x)");
  other.close();
  await refused(t, join(dir, "other"), "not a pushbox database", "pushbox restore");
});

t.test("a damaged database is refused, with the way back", async (t) => {
  const dataDir = t.testdir();
  const engine = await openLocalEngine(options(dataDir));
  await engine.broker.publish([{ channel: "t:room" as never, packet: packet("x") }]);
  await engine.close();
  const file = join(dataDir, "pushbox.db");
  const fd = openSync(file, "r+");
  writeSync(fd, Buffer.alloc(statSync(file).size - 4096, 0xa5), 0, undefined, 100);
  closeSync(fd);
  await refused(t, dataDir, file, "damaged", "pushbox restore");
});

t.test("a database of a newer pushbox is refused", async (t) => {
  const dataDir = t.testdir();
  await (await openLocalEngine(options(dataDir))).close();
  const db = new Database(join(dataDir, "pushbox.db"));
  db.pragma(`user_version = ${MIGRATIONS.length + 1}`);
  db.close();
  await refused(t, dataDir, join(dataDir, "pushbox.db"), "newer pushbox", `format is ${MIGRATIONS.length + 1}`);
});

t.test("an older database is brought up to date in one step, and kept beside as it was", async (t) => {
  const file = join(t.testdir(), "pushbox.db");
  const one = ["CREATE TABLE a (x); INSERT INTO a VALUES (1)"];
  openDatabase(file, "FULL", one).close();
  t.throws(() => openDatabase(file, "FULL", [...one, "INSERT INTO a VALUES (2)", "this is wrong"]), /syntax error/);
  let db = openDatabase(file, "FULL", one);
  t.same(db.prepare("SELECT x FROM a").all(), [{ x: 1 }], "a step that fails leaves everything as it was");
  db.close();
  db = openDatabase(file, "FULL", [...one, "INSERT INTO a VALUES (2)", "INSERT INTO a VALUES (3)"]);
  t.same(db.prepare("SELECT x FROM a").all(), [{ x: 1 }, { x: 2 }, { x: 3 }]);
  t.equal(db.pragma("user_version", { simple: true }), 3);
  db.close();
  const copy = openDatabase(`${file}.v1`, "FULL", one);
  t.same(copy.prepare("SELECT x FROM a").all(), [{ x: 1 }], "the older pushbox can open the copy");
  copy.close();
  t.equal(statSync(`${file}.v1`).mode & 0o777, 0o600);
});

t.test("a database of the first version goes on: what waited is sent, what was sent is found", async (t) => {
  const dataDir = t.testdir();
  const file = join(dataDir, "pushbox.db");
  const old = openDatabase(file, "FULL", MIGRATIONS.slice(0, 1));
  const note = (id: string, target: object): string =>
    JSON.stringify({
      id,
      content: { android: { title: "T", payload: { a: 1 } } },
      target,
      timeToLive: 1000,
      type: "pushMany",
      acceptedAt: T,
      callerAddress: "::1",
    });
  old.exec(`
    INSERT INTO devices (device, push_id, uid, type, token, create_time, update_time) VALUES
      (3, '${pushId("a")}', 'ua', 'apn', 'tok', ${T}, ${T}), (7, '${pushId("b")}', 'other', NULL, NULL, ${T}, ${T});
    INSERT INTO arrivals (arrival, id, type, text, ttl, time_start, caller_address, drop_at) VALUES
      (1, 'sent', 'pushMany', 'hello', 1000, ${T}, '::1', ${T + 30 * DAY}),
      (2, 'half', 'pushMany', '', 1000, ${T + 1}, '::1', ${T + 30 * DAY}),
      (3, 'all', 'pushAll', '', 0, ${T + 2}, '::1', ${T + 30 * DAY});
    INSERT INTO arrival_counts (count, arrival, counter, total) VALUES (1, 1, 'target_android', 3), (2, 1, 'arrive_android', 1);
    INSERT INTO arrival_evidence (count, push_id) VALUES (2, '${pushId("a")}');
    INSERT INTO arrival_pages (arrival, push_ids, uids) VALUES
      (1, '${JSON.stringify(["b", "gone"].map(pushId))}', '["ub"]'), (1, '${JSON.stringify([pushId("a")])}', '["ua"]'),
      (2, '${JSON.stringify([pushId("a")])}', '["ua"]');
    INSERT INTO arrival_push_ids VALUES ('${pushId("a")}', 1), ('${pushId("b")}', 1), ('${pushId("gone")}', 1), ('${pushId("a")}', 2);
    INSERT INTO arrival_uids VALUES ('ua', 1), ('ub', 1), ('ua', 2);`);
  const wait = old.prepare<[number, string, string | null]>(
    "INSERT INTO notifications (arrival, notification, cursor) VALUES (?, ?, ?)",
  );
  wait.run(2, note("half", { kind: "pushIds", pushIds: ["a", "b"] }), "1");
  wait.run(3, note("all", { kind: "all" }), null);
  old.close();

  const engine = await openLocalEngine(options(dataDir));
  const { work } = await engine.outbox.unexpanded(9, T);
  t.match(work, [
    { notification: { id: "half" }, target: { kind: "pushIds", pushIds: ["a", "b"] }, cursor: "1", dryRun: false },
    { notification: { id: "all" }, target: { kind: "all" } },
  ]);
  t.notOk("target" in (work[0]?.notification ?? {}));
  t.notOk("cursor" in (work[1] ?? {}));
  const [record] = await engine.counters.arrivals({ id: "sent" }, 1);
  t.match(record, { text: "hello", counts: { target_android: 3, arrive_android: 1 }, uids: ["ua"] });
  t.same(record?.pushIds, ["b", "gone", "a"].map(pushId));
  const found = async (query: { readonly pushId: string } | { readonly uid: string }): Promise<string[]> =>
    (await engine.counters.arrivals(query, 9)).map(({ id }) => id);
  t.same(await found({ pushId: pushId("a") }), ["half", "sent"]);
  t.same(await found({ pushId: pushId("gone") }), ["sent"]);
  t.same(await found({ uid: "ua" }), ["half", "sent"]);
  t.match(await engine.outbox.jobs({ id: "sent" }, 9, T + 5), [{ state: "finished", target: "pushIds" }]);
  t.same(
    (await engine.outbox.jobs({}, 9, T)).map(({ id }) => id),
    ["all"],
  );
  t.match((await engine.outbox.deliveries("sent", undefined, 9))?.deliveries, [
    { state: "sent" },
    {},
    { state: "sent" },
  ]);

  const lane = { vendor: "apns", app: "com.x" };
  const via = { lane, type: "apn", token: "tok" };
  const page = { parcels: [], devices: [{ pushId: pushId("a"), via }], counts: {}, seen: 1, skipped: 0, routes: {} };
  for (const { job, cursor } of work) await engine.outbox.expand(job, cursor, page, T);
  t.equal((await engine.outbox.claim(lane, 9, T + 999, 1)).deliveries.length, 2);
  const { deliveries } = await engine.outbox.claim(lane, 9, T + 1000, 1);
  t.equal(deliveries.length, 1, "the time to live is known; without one it is ten minutes");
  await engine.devices.connect({ pushId: pushId("new") }, T);
  t.same(await found({ pushId: pushId("new") }), []);
  await engine.close();
});

// ---- the thread's loop, here without its thread

function openStore(t: Test): { readonly db: Database; readonly opened: Store } {
  const db = openDatabase(join(t.testdir(), "pushbox.db"), "FULL");
  const keep = { default: 10, prefixes: [] };
  const data = {
    task: "store",
    dataDir: "",
    synchronous: "FULL",
    keep,
    arrivalDays: 30,
    vendors: TRAITS,
    started: T,
  } as const;
  t.teardown(() => db.close());
  return { db, opened: store(db, data) };
}
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

/** A call's arguments as local.ts makes them. */
const acceptCall = (id: string, more?: object, once: object | null = null): Call => [
  "accept",
  [
    {
      id,
      type: "x",
      text: "",
      timeToLive: 0,
      acceptedAt: T,
      expires: T + 600_000,
      callerAddress: "",
      targetKind: "pushIds",
      small: true,
      dryRun: false,
      ...more,
    },
    "{}",
    "{}",
    once,
  ],
];
const FCM = { vendor: "fcm", app: "com.x", host: "" };
const inFcm = (name: string, uid: string | null = null): AddressedRow => ({
  ...{ pushId: pushId(name), uid, lane: 0, type: "fcm", token: name },
});
const pageOf = (lane: typeof FCM, devices: readonly AddressedRow[]) => ({
  ...EMPTY_PAGE,
  lanes: [lane],
  devices: packAddressed(devices),
});
const claimCall = (limit: number, lane = FCM, now = T): Call => ["claim", [lane, limit, now, now, 1000, []]];

/** Settles these of what was claimed: accepted with this receipt, or refused. */
function settleCall(
  claimed: unknown,
  receipt: unknown,
  which: (place: number) => boolean = (place) => place === 0,
): Call {
  const { lease, deliveries } = claimed as Claimed;
  const results = unpackClaimed(deliveries)
    .filter((_, place) => which(place))
    .map((row): Settlement => {
      const delivery = { ...row, lane: FCM, lease: { name: lease, until: 0 } } as unknown as Delivery;
      if (receipt === undefined) return { delivery, kind: "refused", reason: "no", counters: [] };
      return { delivery, kind: "accepted", receipt: receipt as string, counters: ["accepted_fcm"] };
    });
  return ["settle", [packSettlements(results), T]];
}

const EMPTY_PAGE = {
  cursor: null,
  notBefore: null,
  parcels: [],
  lanes: [],
  late: null,
  reach: null,
  devices: [],
  counts: {},
  seen: 0,
  skipped: 0,
  routes: {},
};
const connect = (name: string): Call => ["connect", [{ pushId: pushId(name) }, T]];

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

const append = (channel: string, expires: number, ...ids: string[]): Call => [
  "append",
  ids.flatMap((id) => [channel, id, "p", "{}", expires]),
];
const backlog = (channel: string): Call => ["backlog", [channel, { after: "0" }, 1e9, T]];
const idsOf = (result: unknown): string[] => (result as Page).packets.map(({ id }) => id);
const numbered = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `p${from + i}`);

t.test("of a channel that gets many packets in one transaction only what it keeps is written (holds 3)", async (t) => {
  const { db, opened } = openStore(t);
  const rows = (): unknown =>
    db.prepare("SELECT count(*) AS n, min(place) AS oldest, max(place) AS newest FROM packets").get();
  opened.run([append("t:room", T + 1, ...numbered(0, 5))]);
  opened.run(numbered(5, 30).map((id) => append("t:room", T + 1, id)));
  t.same(rows(), { n: 10, oldest: 21, newest: 30 });
  const [found] = opened.run([backlog("t:room")]).results;
  t.same(idsOf(found), numbered(20, 30));
});

t.test("a reader sees the packets that came before it in the same transaction, and no later ones", async (t) => {
  const { opened } = openStore(t);
  const { results } = opened.run([
    append("t:room", T + 1, ...numbered(0, 15)),
    backlog("t:room"),
    append("t:room", T + 1, "p15"),
    backlog("t:room"),
    append("d:a", T + 1, "x"),
    ["deleteDevices", [["a"]]],
    append("d:a", T + 1, "y"),
    backlog("d:a"),
    append("t:gone", T, "z"),
    ["sweepPackets", [T, 10]],
    backlog("t:gone"),
  ]);
  t.same(idsOf(results[1]), numbered(5, 15));
  t.same(idsOf(results[3]), numbered(6, 16));
  t.same(idsOf(results[7]), ["y"], "what was dropped with its device does not come back");
  t.same(idsOf(results[10]), []);
});

t.test("a packet that cannot be stored takes none of its transaction's others with it", async (t) => {
  const { opened } = openStore(t);
  const withoutTime = append("t:room", Number.NaN, "wrong");
  const withoutBody: Call = ["append", ["t:room", "wrong", "p", null, T + 1]]; // noticed only when it is written
  for (const [i, wrong] of [withoutTime, withoutBody].entries()) {
    const [a, b] = [`a${i}`, `b${i}`];
    const reply = opened.run([append("t:room", T + 1, a), wrong, append("t:room", T + 1, b), backlog("t:room")]);
    t.same(
      reply.failures.map(([index]) => index),
      [1],
    );
    t.same(idsOf(reply.results[3]).slice(-2), [a, b]);
    t.ok((reply.results[2] as number) > (reply.results[0] as number));
  }
  t.same(idsOf(opened.run([backlog("t:room")]).results[0]), ["a0", "b0", "a1", "b1"]);
});

t.test("packets that found the disk full were refused, and leave nothing behind", async (t) => {
  const { db, opened } = openStore(t);
  opened.run([append("t:room", T + 1, "a")]);
  db.pragma(`max_page_count = ${Number(db.pragma("page_count", { simple: true }))}`);
  const body = "x".repeat(1_000_000);
  const big = (id: string): Call => ["append", ["t:room", id, "p", body, T + 1]];
  const reply = opened.run([big("b"), backlog("t:room"), big("c")]);
  t.same(
    reply.failures.map(([index, { code }]) => [index, code]),
    [
      [0, "unavailable"],
      [2, "unavailable"],
    ],
  );
  t.same(idsOf(reply.results[1]), ["a"], "reading goes on");
  db.pragma("max_page_count = 1000000");
  t.same(opened.run([append("t:room", T + 1, "d")]).failures, []);
  t.same(idsOf(opened.run([backlog("t:room")]).results[0]), ["a", "d"]);
});

t.test(
  "integration 17: a client is told whether all that it missed is still there, whatever was dropped meanwhile",
  async (t) => {
    let state = 4711; // the same in every run
    const random = (n: number): number => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((state / 2 ** 31) * n);
    };
    const { opened } = openStore(t);
    let time = T;
    let made = 0;
    interface Reader {
      readonly channel: string;
      position: { after: string } | { since: number } | "newest";
      /** What came on the channel since it was here. */
      missed: string[];
    }
    const page = (reader: Reader, epoch: string): Page =>
      opened.run([["backlog", [reader.channel, reader.position, 1e9, time, epoch]]]).results[0] as Page;
    const readers: Reader[] = ["t:a", "t:a", "t:b", "t:quiet", "d:c"].map((channel) => ({
      channel,
      position: "newest",
      missed: [],
    }));
    let epoch = "";
    for (const reader of readers) {
      const first = page(reader, "");
      t.same(first.packets, []);
      reader.position = { since: first.standing?.at ?? -1 };
      epoch = first.epoch;
    }
    const outcomes = { recovered: 0, lost: 0, quiet: 0 };
    for (let round = 0; round < 3000; round++) {
      const reader = readers[random(readers.length)]!;
      switch (random(6)) {
        case 0: {
          const { packets, standing } = page(reader, epoch);
          const ids = packets.map(({ id }) => id);
          const whole = ids.join() === reader.missed.join();
          // With exactly as many as are kept the packet of the position itself has gone: it is not sure then.
          const unsure = whole && "after" in Object(reader.position) && ids.length === 10;
          if (standing?.recovered !== whole && !unsure)
            t.fail(`round ${round}: ${standing?.recovered}, missed ${reader.missed}, got ${ids}`);
          t.same(
            ids,
            reader.missed.filter((id) => ids.includes(id)),
            "in order, and nothing else",
          );
          outcomes[reader.missed.length === 0 ? "quiet" : whole ? "recovered" : "lost"]++;
          // It may have been cut off at once, or in the middle, or have got all of it.
          const got = random(ids.length + 1);
          reader.position = got === 0 ? { since: standing?.at ?? -1 } : { after: ids[got - 1]! };
          const from = ids[Math.max(0, got - 1)];
          reader.missed =
            from === undefined ? [] : reader.missed.slice(reader.missed.indexOf(from) + (got === 0 ? 0 : 1));
          break;
        }
        case 1:
          time += random(8);
          opened.run([["sweepPackets", [time, 1 + random(20)]]]);
          break;
        default: {
          const channel = ["t:a", "t:b", "d:c", "t:other"][random(4)]!;
          const ids = Array.from({ length: 1 + random(3) }, () => `p${made++}`);
          opened.run([append(channel, time + 1 + random(30), ...ids)]);
          for (const one of readers) if (one.channel === channel) one.missed.push(...ids);
        }
      }
    }
    for (const [what, count] of Object.entries(outcomes)) t.ok(count > 20, `${what}: ${count}`);
  },
);

t.test(
  "integration 17: a position of another epoch, or of nowhere, brings all that is alive and is not called recovered",
  async (t) => {
    const { opened } = openStore(t);
    opened.run([append("t:room", T + 1, "a", "b")]);
    const ask = (position: object, epoch: string): Page =>
      opened.run([["backlog", ["t:room", position, 1e9, T, epoch]]]).results[0] as Page;
    const { epoch, standing } = ask({ after: "a" }, "");
    t.equal(standing?.recovered, false);
    for (const [position, its] of [
      [{ after: "a" }, "another"],
      [{ since: 1 }, "another"],
      [{ since: 1e9 }, epoch],
      [{ after: "x" }, epoch],
    ] as const)
      t.match(ask(position, its).standing, { recovered: false }, JSON.stringify(position));
    t.same(idsOf(ask({ since: 1 }, "another")), ["a", "b"]);
    t.match(ask({ after: "a" }, epoch), { packets: [{ id: "b" }], standing: { recovered: true } });
    t.notOk("standing" in (opened.run([backlog("t:room")]).results[0] as Page), "who has no epoch is told nothing");
  },
);

t.test("calls in one transaction do what they would do each in its own", async (t) => {
  let state = 12345; // the same calls in every run
  const random = (n: number): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * n);
  };
  const together = openStore(t).opened;
  const apart = openStore(t).opened;
  let made = 0;
  const any = (): Call => {
    const channel = ["t:a", "t:b", "d:c"][random(3)] ?? "";
    switch (random(12)) {
      case 0:
        return ["deleteDevices", [["c"]]];
      case 1:
        return ["sweepPackets", [T + random(20), 1 + random(5)]];
      case 2:
        return append(channel, Number.NaN, `wrong${made++}`);
      case 3:
      case 4:
        return ["backlog", [channel, { after: `p${made - random(12)}` }, 1e9, T + random(10)]];
      default:
        return append(channel, T + random(20), ...Array.from({ length: 1 + random(4) }, () => `p${made++}`));
    }
  };
  const shown = (result: unknown): unknown =>
    typeof result === "object" && result !== null && "packets" in result ? idsOf(result) : typeof result;
  for (let round = 0; round < 200; round++) {
    const calls = Array.from({ length: 1 + random(30) }, any);
    const reply = together.run(calls);
    const single = calls.map((call) => apart.run([call]));
    t.same(
      reply.failures.map(([index]) => index),
      single.flatMap(({ failures }, index) => (failures.length > 0 ? [index] : [])),
    );
    const what = (result: unknown, index: number): unknown =>
      calls[index]?.[0] === "sweepPackets" ? result : shown(result);
    t.same(
      calls.map((_, index) => what(reply.results[index], index)),
      single.map(({ results }, index) => what(results[0], index)),
    );
  }
});

t.test("seqs and bindings stay in order over crashes, though not every number is stored", async (t) => {
  const file = join(t.testdir(), "pushbox.db");
  let last = 0;
  for (let run = 0; run < 3; run++) {
    const db = openDatabase(file, "FULL");
    const data = {
      task: "store",
      dataDir: "",
      synchronous: "FULL",
      keep: { default: 10, prefixes: [] },
      arrivalDays: 30,
      vendors: TRAITS,
      started: T,
    } as const;
    const opened = store(db, data);
    for (let i = 0; i < 3; i++) {
      const wrong: Call = ["append", ["t:room", "wrong", "p", "{}", Number.NaN]];
      const { results } = opened.run(
        i === 1 ? [wrong, append("t:room", T + 1, "a")] : [append("t:room", T + 1, "a", "b")],
      );
      const seq = results.at(-1) as number;
      t.ok(seq > last);
      last = i === 1 ? seq : seq + 1;
    }
    db.close(); // without a word to the store: what it had in memory is gone
  }
});

t.test("expired packets are forgotten a piece at a time, oldest first", async (t) => {
  const { db, opened } = openStore(t);
  const flat = Array.from({ length: 5 }, (_, i) => [
    "t:room",
    `p${i}`,
    "p",
    "{}",
    i === 0 ? T + 50 : T + 10 + i,
  ]).flat();
  opened.run([["append", flat]]);
  const left = (): unknown => db.prepare("SELECT count(*) FROM packets").pluck().get();
  t.same(opened.run([["sweepPackets", [T + 20, 3]]]).results, [false]);
  t.equal(left(), 5, "a cursor stays while an older packet of its channel is alive");
  t.same(opened.run([["sweepPackets", [T + 50, 3]]]).results, [true]);
  t.equal(left(), 2);
  t.same(opened.run([["sweepPackets", [T + 50, 3]]]).results, [false]);
  t.equal(left(), 0);
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

// ---- the engine and its thread

t.test("close waits for what was called before, and refuses what comes after", async (t) => {
  const dataDir = t.testdir();
  const engine = await openLocalEngine(options(dataDir));
  const before = Array.from({ length: 5000 }, (_, i) => engine.devices.connect({ pushId: pushId(`d${i}`) }, T));
  const closed = engine.close();
  await t.rejects(engine.devices.count(), { code: "unavailable" });
  await t.rejects(engine.backup(join(dataDir, "copy")), { code: "unavailable" });
  t.equal((await Promise.all(before)).length, 5000);
  await closed;
  await engine.close();
  const again = await openLocalEngine(options(dataDir));
  t.equal(await again.devices.count(), 5000);
  await again.close();
});

t.test("when the thread dies, everything is refused and the owner is told once", async (t) => {
  const told: Error[] = [];
  const engine: LocalEngine = await openLocalEngine(options(":memory:", { onFatal: (error) => told.push(error) }));
  // Nothing a caller can send ends the thread, so this stands in for a crash inside the database library.
  const dying = await openLocalEngine(
    options(":memory:", {
      onFatal: (error) => told.push(error),
      startThread: (data) => {
        const worker = new Worker(
          `const { parentPort } = require("node:worker_threads");
           parentPort.on("message", () => process.exit(7));
           parentPort.postMessage({ kind: "ready" });`,
          { eval: true, workerData: data },
        );
        return worker;
      },
    }),
  );
  const calls = [dying.devices.count(), dying.devices.count()];
  for (const call of await Promise.allSettled(calls))
    t.match(call, { status: "rejected", reason: { code: "unavailable", message: /storage thread has ended/ } });
  await t.rejects(dying.devices.count(), { code: "unavailable" });
  t.equal(told.length, 1);
  await dying.close();
  t.equal(await engine.devices.count(), 0);
  await engine.close();
});

t.test("a value that cannot be stored fails its own caller only", async (t) => {
  const engine = await openLocalEngine(options(":memory:"));
  const sample = { key: "k", total: 1, success: 0, error: 0, latency: 0 };
  const [wrong, right, broken] = await Promise.allSettled([
    engine.counters.add([{ ...sample, key: (() => {}) as never }], T),
    engine.counters.add([sample], T),
    engine.counters.add([{ ...sample, total: Number.NaN }], T),
  ]);
  t.equal(wrong.status, "rejected");
  t.equal(right.status, "fulfilled");
  t.equal(broken.status, "rejected");
  t.match(await engine.counters.chart("k", 0), [{ total: 1 }]);
  await engine.close();
});

t.test("a long scan and a long list let others in between", async (t) => {
  const engine = await openLocalEngine(options(":memory:"));
  const all = Array.from({ length: 20_000 }, (_, i) => pushId(`d${i}`));
  await Promise.all(all.map((id) => engine.devices.connect({ pushId: id }, T)));
  let listDone = false;
  const parcels = all.map((id) => ({ channel: `d:${id}` as never, packet: packet("x") }));
  const list = Promise.resolve(engine.broker.publish(parcels)).then(() => {
    listDone = true;
  });
  await engine.devices.count();
  t.notOk(listDone, "a single call was answered while a list of 20,000 was being kept");
  await list;
  t.same((await engine.devices.get(all, T)).length, 20_000);
  await engine.close();
});

t.test("the figures of the store say how much is waiting", async (t) => {
  const dataDir = t.testdir();
  let engine = await openLocalEngine(options(dataDir));
  const lane = { vendor: "fcm", app: "com.x" };
  const devices = ["a", "b"].map((name) => ({ pushId: pushId(name), via: { lane, type: "fcm", token: name } }));
  await engine.outbox.accept(
    {
      id: "n1",
      content: { android: { payload: {} } },
      timeToLive: DAY,
      type: "x",
      acceptedAt: T,
      callerAddress: "",
    },
    { kind: "all" },
  );
  const [work] = (await engine.outbox.unexpanded(1, T)).work;
  const page = { parcels: [], devices, counts: {}, seen: 2, skipped: 0, routes: {} };
  await engine.outbox.expand(work?.job ?? 0, work?.cursor, page, T);
  await engine.close();
  engine = await openLocalEngine(options(dataDir));
  while (engine.statistics().waiting === 0) await engine.devices.count();
  t.equal(engine.statistics().waiting, 2);
  await engine.close();
});

t.test("a long list does not keep other callers waiting for all of it", async (t) => {
  const engine = await openLocalEngine(options(":memory:"));
  t.teardown(() => engine.close());
  const content = { android: { title: "T", payload: {} } };
  const all = { kind: "all" } as const;
  for (const id of ["n1", "n2"]) {
    const note = { id, content: { ...content, id }, timeToLive: DAY, type: "news", acceptedAt: T, callerAddress: "" };
    await engine.outbox.accept(note, all);
    const [job] = await engine.outbox.jobs({ id }, 1, T);
    const devices = Array.from({ length: 250 }, (_, i) => ({ pushId: pushId(`d${i}`) }));
    await engine.outbox.expand(
      job?.job ?? 0,
      undefined,
      { parcels: [], devices, counts: {}, seen: 250, skipped: 0, routes: {} },
      T,
    );
  }
  const first = (list: Promise<unknown>): Promise<string> =>
    Promise.race([list.then(() => "the list"), engine.devices.count().then(() => "the other")]);
  const records = engine.counters.arrivals({ type: "news" }, 50);
  t.equal(await first(records), "the other");
  t.same(
    (await records).map(({ id, pushIds }) => [id, pushIds.length]),
    [
      ["n2", 250],
      ["n1", 250],
    ],
  );
  const deliveries = engine.outbox.deliveries("n1", undefined, 1000);
  t.equal(await first(deliveries), "the other");
  t.same((await deliveries)?.deliveries.length, 250);
  t.notOk("next" in ((await deliveries) ?? {}));
  const some = await engine.outbox.deliveries("n1", undefined, 240);
  t.equal(some?.deliveries.length, 240);
  t.equal((await engine.outbox.deliveries("n1", some?.next, 240))?.deliveries.length, 10);
});

t.test("A11: the sweep forgets such devices by the setting, when the server starts and on", async (t) => {
  const dataDir = t.testdir();
  const first = await openLocalEngine(options(dataDir, { now: () => T }));
  const channel = deviceChannel(pushId("gone") as PushId);
  await first.devices.connect({ pushId: pushId("gone") }, T);
  await first.devices.connect({ pushId: pushId("tagged"), tags: ["t"] }, T);
  await first.broker.publish([{ channel, packet: packet("kept", T + 1000 * DAY) }]);
  await first.close();
  const later = T + 91 * DAY;
  const second = await openLocalEngine(options(dataDir, { now: () => later, deviceDays: 90 }));
  while ((await second.devices.count()) > 1);
  t.same(await second.devices.get([pushId("gone")], later), []);
  await second.devices.connect({ pushId: pushId("gone") }, later);
  t.match(await missed(second, channel, "unsent", later), [{ id: "kept" }], "what was kept for it is there");
  await second.close();
});

t.test("a copy that is brought back gives events other ids, and a higher seq than any before it had", async (t) => {
  const dataDir = t.testdir();
  const wanted = { hooks: [], log: ["device.*"], topics: [], grace: 0, keep: DAY };
  async function connect(name: string) {
    const engine = await openLocalEngine(options(dataDir));
    await engine.events.want(wanted);
    await engine.devices.connect({ pushId: pushId(name) }, Date.now());
    const { events } = await engine.events.list({}, 10);
    await engine.close();
    return events.at(-1)!;
  }
  const before = await connect("a");
  const db = new Database(join(dataDir, "pushbox.db"));
  renewEpoch(db);
  db.close();
  const after = await connect("b");
  t.ok(after.seq > before.seq + 1e9, "more than were ever given out meanwhile");
  t.ok(Number.isSafeInteger(after.seq));
  t.not(after.id.split("_")[1], before.id.split("_")[1]);
});
