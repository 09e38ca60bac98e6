// A data directory that becomes a schema of PostgreSQL, serves there, and comes back.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import t, { type Test } from "tap";
import type { Engine } from "../../src/core/engine.ts";
import { NOTHING_WANTED } from "../../src/core/events.ts";
import { deviceChannel, topicChannel } from "../../src/core/packet.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";
import { moveFromPostgres, moveToPostgres } from "../../src/engine/postgres/move.ts";
import { openFile } from "../../src/engine/sqlite/file.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { missed } from "../support/engine.ts";
import { postgres } from "../support/postgres.ts";
import { withoutThread } from "../support/store-thread.ts";
import {
  accepted,
  again,
  claimed,
  lastPage,
  named,
  notification,
  over,
  send,
  toList,
  via,
  view,
} from "./outbox-steps.ts";
import { ARRIVAL_DAYS, HOUR, KEEP, pushId, T, toDevice, toTopic, uid } from "./steps.ts";

const options = { keep: KEEP, arrivalDays: ARRIVAL_DAYS, vendors: TRAITS };

const local = (t: Test, dataDir: string, now = T) =>
  openLocalEngine({
    ...options,
    dataDir,
    synchronous: "NORMAL",
    now: () => now,
    startThread: withoutThread,
    onFatal: (error) => t.error(error),
  });

/** Something of everything that is stored. */
async function fillStore(engine: Engine): Promise<void> {
  await engine.events.want({
    ...NOTHING_WANTED,
    hooks: [{ name: "main", events: ["*"], coalesce: false }],
    topics: ["room"],
  });
  for (let i = 0; i < 300; i++) {
    const token = { type: "fcm", token: `d${i}-token`, packageName: "com.x" };
    await engine.devices.connect(
      { pushId: pushId(`d${i}`), platform: "android", tags: ["all", `t${i % 7}`], token },
      T,
    );
  }
  await engine.devices.connect({ pushId: pushId("zero"), tags: ["nul \u0000 and \u0001", "ä😀"] }, T);
  for (let i = 0; i < 9; i++)
    await engine.devices.bind(
      { pushId: pushId(`d${i}`), uid: uid(`u${i % 3}`), platformLimit: 0, timeToLive: i < 4 ? HOUR : 0 },
      T,
    );
  await engine.devices.delete([pushId("d299")]);
  for (let i = 0; i < 30; i++) await engine.broker.publish([toTopic("room", `p${i}`), toDevice(`d${i % 3}`, `q${i}`)]);
  await send(engine, "sent", [via("d1"), via("d2"), via("d3"), over("d4"), via("d299")]);
  const [a, b] = await claimed(engine, 3);
  await engine.outbox.settle([accepted(a!, "receipt"), again(b!, T + 5000, true, "busy \u0000")], T);
  await engine.outbox.accept(notification("later", { sendAt: T + HOUR }), toList(["d5"]));
  await engine.outbox.accept(notification("keyed"), toList(["d6"]), { once: { key: "k", digest: "d" } });
  await engine.outbox.accept(notification("reach", { reach: { json: "1", fallbackAfter: 5000 } }), toList(["d0"]));
  const [job] = await engine.outbox.jobs({ id: "reach" }, 1, T);
  const users = [{ uid: uid("u0"), due: T + 5000, planned: true }];
  await engine.outbox.expand(
    job!.job,
    undefined,
    lastPage({ devices: [{ ...via("d0"), uid: uid("u0") }], reach: { users } }),
    T,
  );
  await engine.counters.add([{ key: "k", total: 3, success: 2, error: 1, latency: 9 }], T);
  await engine.counters.arrived([{ id: "sent", pushId: pushId("d4"), counter: "arrive_android" }], T + 1);
  await engine.audit.add([
    { time: T, who: "w", address: "::1", action: "push", what: "{}", status: 200, requestId: "r" },
  ] as never);
}

/** All rows of all tables, but for what belongs to a start. */
function dump(dataDir: string): Map<string, readonly string[]> {
  const db = openFile(join(dataDir, "pushbox.db"), { readonly: true });
  const names = db
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .pluck<string>()
    .all();
  const tables = names.filter((name) => !["runs", "sequences", "sqlite_sequence", "hook_cursors"].includes(name));
  const found = new Map(
    tables.map((name) => [
      name,
      db
        .prepare<[], object>(`SELECT * FROM ${name}`)
        .all()
        .map((row) => JSON.stringify(row))
        .sort(),
    ]),
  );
  db.close();
  return found;
}

const server = await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const url = await server.database();
  const database = { url, schema: "pushbox" };
  const moving = (dataDir: string) => ({ dataDir, database, now: T + 10, onProgress: () => {} });
  const shared = (t: Test, now: number) =>
    openPostgresEngine({ ...options, database, node: "a", now: () => now, onTrouble: (message) => t.fail(message) });

  await t.test("cluster: a data directory goes to PostgreSQL and back, and every row is the same", async (t) => {
    const dataDir = t.testdir();
    const engine = await local(t, dataDir);
    await fillStore(engine);
    await engine.close();
    const moved = new Map((await moveToPostgres(moving(dataDir))).map(({ table, rows }) => [table, rows]));
    t.equal(moved.get("devices"), 300);
    const before = dump(dataDir);
    await moveToPostgres(moving(dataDir));
    const back = join(t.testdirName, "back");
    for (let i = 0; i < 2; i++) {
      await moveFromPostgres(moving(back));
      const after = dump(back);
      for (const [table, rows] of before) {
        if (table === "devices" || table === "online" || table === "topic_members") continue;
        t.same(after.get(table), rows, table);
      }
      t.equal(after.get("devices")?.length, 300);
    }
    const emptied = [...before].filter(([, rows]) => rows.length === 0).map(([table]) => table);
    t.comment(`nothing was in: ${emptied.join(", ")}`);

    const returned = await local(t, back, T + 20);
    t.equal((await claimed(returned, 9, T + 5000)).length, 4);
    await returned.close();
    await t.rejects(moveFromPostgres(moving(back)), { message: /a server has run on .*: name another directory/ });
  });

  await t.test("cluster: what was moved goes on at PostgreSQL: positions, jobs, keys, numbers", async (t) => {
    const dataDir = t.testdir();
    const before = await local(t, dataDir);
    await fillStore(before);
    const place = await before.broker.backlog(topicChannel("room"), { after: "p25" }, 100_000, T, "");
    const device = await before.devices.get([pushId("zero")], T);
    await before.close();
    await moveToPostgres(moving(dataDir));
    const customer = new Client({ connectionString: url });
    await customer.connect();
    t.teardown(() => customer.end());
    const pushed: string[] = [];
    // For years: the tests' time is ahead of PostgreSQL's.
    const pushIn = async (schema: string): Promise<void> => {
      const { rows } = await customer.query(
        `SELECT ${schema}.push('by-sql-${pushed.length}', '1', 157680000000) AS id`,
      );
      pushed.push((rows as { id: string }[])[0]!.id);
    };
    await pushIn("pushbox");
    // A schema that got its name otherwise, or by an earlier version's move.
    await customer.query("ALTER SCHEMA pushbox RENAME TO renamed");
    const first = { node: "first", database: { url, schema: "renamed" }, now: () => T + 10 };
    await (await openPostgresEngine({ ...options, ...first })).close();
    await pushIn("renamed");
    await customer.query("ALTER SCHEMA renamed RENAME TO pushbox");
    const engine = await shared(t, T + 20);
    t.teardown(() => engine.close());
    await pushIn("pushbox");
    t.same(await engine.devices.get([pushId("zero")], T), device);
    const kept = await customer.query("SELECT id FROM pushbox.packets WHERE channel LIKE '%by-sql-%' ORDER BY seq");
    t.match(
      kept.rows.map((row: { id: string }) => row.id),
      pushed,
      "SQL functions too",
    );
    t.equal(await engine.devices.count(), 300);
    const again = await engine.broker.backlog(topicChannel("room"), { after: "p25" }, 100_000, T, place.epoch);
    t.same(
      again.packets.map(({ id }) => id),
      ["p26", "p27", "p28", "p29"],
    );
    t.equal(again.standing?.recovered, true);
    await engine.broker.publish([toDevice("d0", "newest")]);
    t.equal((await missed(engine, deviceChannel(pushId("d0")), "unsent", T)).at(-1)?.id, "newest");
    t.same(named(await claimed(engine, 9, T + 5000)).sort(), ["d0", "d2", "d299", "d3"]);
    t.equal(
      await engine.outbox.accept(notification("other"), toList(["d6"]), { once: { key: "k", digest: "d" } }),
      "keyed",
    );
    t.match(await view(engine, "sent"), { queued: 4, accepted: 1 });
    const job = await send(engine, "new", [via("d1")]);
    t.ok(job > 3, "numbers go on");
    t.match((await engine.counters.arrivals({ id: "sent" }, 1))[0]?.counts, { arrive_android: 1 });
    await t.rejects(moveFromPostgres(moving(join(t.testdirName, "back"))), {
      message: /^a runs on the schema pushbox: stop/,
    });
    await engine.close();
    await t.rejects(moveToPostgres(moving(dataDir)), {
      message: /^a server has run on the schema pushbox: name another/,
    });
  });

  await t.test("cluster: a move that cannot be made says why, and changes nothing", async (t) => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query("DROP SCHEMA IF EXISTS pushbox CASCADE; CREATE SCHEMA pushbox");
    const dataDir = t.testdir();
    rmSync(dataDir, { recursive: true });
    await t.rejects(moveToPostgres(moving(dataDir)), { message: /^there is no .*pushbox.db: name the data directory/ });
    const engine = await local(t, dataDir);
    await t.rejects(moveToPostgres(moving(dataDir)), { message: /is in use by another pushbox/ });
    await engine.close();
    await t.rejects(moveToPostgres(moving(dataDir)), { message: /^there is a schema pushbox that is none of pushbox/ });
    const nowhere = { ...moving(dataDir), database: { url: "postgres://test@/none?host=/nowhere", schema: "pushbox" } };
    await t.rejects(moveToPostgres(nowhere), { code: "unavailable", message: /^PostgreSQL cannot be used/ });
    await t.rejects(moveFromPostgres(moving(join(dataDir, "back"))), {
      message: /^there is no schema pushbox of pushbox/,
    });
    await client.end();
  });
}
