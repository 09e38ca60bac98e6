// What the store keeps, and that it does not grow for ever: the table of src/engine/README.md holds, and so do its log and file.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import Database from "better-sqlite3";
import t from "tap";
import type { PushId, Uid } from "../../src/core/device.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { type Call, store } from "../../src/engine/sqlite/thread.ts";

const T = 1_800_000_000_000;
const DAY = 86_400_000;
const data = {
  task: "store",
  dataDir: "",
  synchronous: "NORMAL",
  keep: { default: 10, prefixes: [] },
  arrivalDays: 30,
} as const;

t.test("each table is named with what bounds it, and no other", async (t) => {
  const db = openDatabase(":memory:", "NORMAL");
  const tables = db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck<string>().all();
  db.close();
  const readme = readFileSync(resolve(import.meta.dirname, "../../src/engine/README.md"), "utf8");
  const [, section = ""] = /## What is kept[\s\S]*?\n\n(\| tables \|[\s\S]*?)\n\n/.exec(readme) ?? [];
  const named = [...section.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
  );
  t.same(named.sort(), tables.sort());
});

t.test("of all starts only those are remembered that a binding may still depend on", async (t) => {
  const file = join(t.testdir(), "pushbox.db");
  const start = (started: number, ...calls: Call[]): number => {
    const db = openDatabase(file, "NORMAL");
    const opened = store(db, { ...data, started });
    t.same(opened.run(calls).failures, []);
    const runs = db.prepare<[], number>("SELECT count(*) FROM runs").pluck<number>().get();
    opened.close();
    return runs ?? 0;
  };
  const pushId = "kept-device-1" as PushId;
  for (let n = 0; n < 20; n++) t.equal(start(T + n), 1);
  // It is online with a binding that ends after a day offline: a crash, and later starts have to know when it went.
  const binding = { pushId, uid: "ann" as Uid, platformLimit: 0, timeToLive: DAY };
  start(T + 100, ["connect", [{ pushId }, T + 100]], ["bind", [binding, T + 100]]);
  for (let n = 1; n <= 5; n++) t.equal(start(T + 200 + n), n + 1);
  const db = openDatabase(file, "NORMAL");
  const later = store(db, { ...data, started: T + 300 });
  const uid = (now: number): unknown =>
    (later.run([["getDevices", [[pushId], undefined, now]]]).results[0] as { uid?: string }[])[0]?.uid;
  t.equal(uid(T + 201 + DAY - 1), "ann");
  t.equal(uid(T + 201 + DAY), undefined, "a day after the start that followed the one it was online in");
  later.close();
});

t.test("the file does not grow with what comes and goes, and its log is carried over at a clean end", async (t) => {
  const dataDir = t.testdir();
  const file = join(dataDir, "pushbox.db");
  const sizes: number[] = [];
  for (let round = 0; round < 4; round++) {
    const engine = await openLocalEngine({
      ...data,
      dataDir,
      deviceDays: 1,
      now: () => T + 10 * round * DAY,
      onFatal: (error) => t.fail(error.message),
    });
    // Those of the round before are past their time: they go before these come.
    while ((await engine.devices.count()) > 0) await new Promise((done) => setImmediate(done));
    for (let n = 0; n < 3000; n += 100)
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          engine.devices.connect({ pushId: `kept-${round}-${n + i}-device` as PushId }, T + 10 * round * DAY),
        ),
      );
    await engine.close();
    t.notOk(existsSync(`${file}-wal`));
    sizes.push(statSync(file).size);
  }
  const db = new Database(file);
  t.equal(db.pragma("integrity_check", { simple: true }), "ok");
  db.close();
  const [, second = 0, , last = 0] = sizes;
  t.ok(last <= second * 1.1, `${sizes.join(", ")} bytes`);
});
