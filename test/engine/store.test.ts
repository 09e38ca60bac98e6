// The database file and its directory: what is refused and how that is said, upgrades, and a copy that is brought back.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import t, { type Test } from "tap";
import { PushError } from "../../src/core/errors.ts";
import { lockDirectory } from "../../src/engine/directory.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { renewEpoch } from "../../src/engine/sqlite/epoch.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { MIGRATIONS } from "../../src/engine/sqlite/schema.ts";
import { kill, nodeArguments } from "../support/process.ts";
import { packet, pushId, T } from "./steps.ts";
import { DAY, options } from "./store-steps.ts";

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
