// The store's statements are compiled when they are first used; here all of them are, so that none is wrong unnoticed.
import { join } from "node:path";
import t from "tap";
import { openDatabase, openFile } from "../../src/engine/sqlite/file.ts";
import { store } from "../../src/engine/sqlite/thread.ts";
import { TRAITS } from "../../src/vendors/index.ts";

t.test("every statement of the store fits its tables", async (t) => {
  const file = join(t.testdir(), "store.db");
  openDatabase(file, "NORMAL").close();
  const db = openFile(file);
  t.teardown(() => void db.close());
  let compiled = 0;
  const prepare = db.prepare.bind(db);
  db.prepare = (sql: string) => {
    compiled++;
    return prepare(sql);
  };
  const keep = { default: 10, prefixes: [] };
  store(db, { task: "store", dataDir: "", synchronous: "NORMAL", keep, arrivalDays: 30, vendors: TRAITS, started: 1 });
  t.ok(compiled > 300, `${compiled} statements`);
});

t.test("a statement is compiled when it is first used, once", async (t) => {
  const db = openDatabase(":memory:", "NORMAL");
  t.teardown(() => void db.close());
  const early = db.prepare<[number], number>("SELECT ? + count(*) FROM later").pluck<number>();
  t.throws(() => early.get(1), /no such table: later/);
  db.exec("CREATE TABLE later (a)");
  db.prepare<[string]>("INSERT INTO later VALUES (?)").run("x");
  t.equal(early.get(1), 2);
  t.same(early.all(2), [3]);
  t.same([...early.iterate(3)], [4]);
  t.same(db.prepare<[], { a: string }>("SELECT a FROM later").all(), [{ a: "x" }]);
});
