// What the database's operator has set for everybody, or taken away, and what nodes make of it.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import t, { type Test } from "tap";
import type { LocalEngine } from "../../src/engine/local.ts";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";
import { lookAt } from "../../src/engine/postgres/look.ts";
import { postgres, somebody } from "../support/postgres.ts";
import { until } from "../support/until.ts";
import { HOUR, pushId, recorder, toTopic } from "./steps.ts";

const server = await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const url = await server.database();
  const admin = new Client({ connectionString: `${url}&application_name=admin` });
  await admin.connect();
  t.teardown(() => admin.end());
  const later = (): number => Date.now() + HOUR;

  async function node(t: Test, at = url, onTrouble = (_: string): void => {}): Promise<LocalEngine> {
    const engine = await openPostgresEngine({
      ...{ database: { url: at, schema: "pushbox" }, node: "a", arrivalDays: 1 },
      ...{ keep: { default: 10, prefixes: [] }, onTrouble },
    });
    t.teardown(() => engine.close());
    engine.broker.attach(recorder());
    return engine;
  }
  /** Asks until there is a row. */
  const row = (text: string): Promise<void> => until(async () => (await admin.query(text)).rowCount !== 0, text);

  await t.test("cluster: timeouts that the operator has set for everybody end no work of a node", async (t) => {
    const limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"];
    await admin.query(`DO $$ BEGIN
      ${limits.map((name) => `EXECUTE format('ALTER DATABASE %I SET ${name} = ''2s''', current_database());`).join("\n")}
      EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database());
    END $$`);
    const engine = await node(t);
    await engine.broker.publish([toTopic("room", "before", later())]);
    const connections = async () =>
      (await admin.query("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pushbox a %' ORDER BY pid"))
        .rows;
    const before = await connections();
    // Somebody holds the lock of the cluster for longer than any of them.
    await admin.query("SELECT pg_advisory_lock(hashtextextended('pushbox', 7))");
    const device = engine.devices.connect({ pushId: pushId("waits") }, Date.now());
    await row(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'pushbox a turns' AND wait_event_type = 'Lock'
      AND query_start < clock_timestamp() - interval '3 seconds'`);
    await admin.query("SELECT pg_advisory_unlock_all()");
    t.match(await device, { pushId: pushId("waits") });
    t.same(await connections(), before, "none of its connections was ended");
  });

  await t.test("cluster: a statement that the operator ends by hand is made again", async (t) => {
    const engine = await node(t);
    await admin.query("SELECT pg_advisory_lock(hashtextextended('pushbox', 7))");
    const device = engine.devices.connect({ pushId: pushId("ended") }, Date.now());
    const cancelled = new Set<string>();
    for (let tries = 0; cancelled.size < 3; tries++) {
      if (tries > 3000) throw new Error("it does not wait again within 60 s");
      const { rows } = await admin.query(`SELECT pid, query_start::text AS began FROM pg_stat_activity
        WHERE application_name = 'pushbox a turns' AND wait_event_type = 'Lock'`);
      const [row] = rows as { pid: number; began: string }[];
      if (row === undefined || cancelled.has(row.began)) await new Promise((resolve) => setTimeout(resolve, 20));
      else {
        await admin.query("SELECT pg_cancel_backend($1)", [row.pid]);
        cancelled.add(row.began);
      }
    }
    await admin.query("SELECT pg_advisory_unlock_all()");
    t.match(await device, { pushId: pushId("ended") });
    await engine.close();
  });

  await t.test(
    "cluster: a table that the role may not write: its calls are refused with words, others go on",
    async (t) => {
      await admin.query("CREATE ROLE worker LOGIN; CREATE ROLE others");
      const name = url.replace(/^.*\/(test\d+)\?.*$/, "$1");
      await admin.query(`GRANT CREATE ON DATABASE ${name} TO worker; DROP SCHEMA pushbox CASCADE`);
      const at = url.replace("//test@", "//worker@");
      const engine = await node(t, at);
      await admin.query("ALTER TABLE pushbox.test_devices OWNER TO others");
      const [refused, kept, device] = await Promise.allSettled([
        engine.testDevices.add({ pushId: pushId("one"), note: "n", at: 1 }),
        engine.broker.publish([toTopic("room", "beside", later())]),
        engine.devices.connect({ pushId: pushId("beside") }, Date.now()),
      ]);
      t.match(refused, {
        status: "rejected",
        reason: {
          code: "unavailable",
          message: /permission denied for table test_devices .*own the schema and what is in it/,
        },
      });
      t.match([kept.status, device.status], ["fulfilled", "fulfilled"]);
      await engine.close();

      const message =
        /^the role worker may not use pushbox\.test_devices, which others owns: ALTER TABLE pushbox\.test_devices OWNER TO worker/;
      await t.rejects(node(t, at), { code: "unavailable", message });
      const looks = await lookAt({ url: at, schema: "pushbox" });
      t.match(
        looks.filter(({ level }) => level === "wrong"),
        [{ text: message }],
      );
      await admin.query("ALTER TABLE pushbox.test_devices OWNER TO worker");
      await node(t, at);
    },
  );

  await t.test(
    "cluster: a full disk: what must be stored is refused and says why, the rest goes on, and room heals it",
    async (t) => {
      const disk = mkdtempSync(join(tmpdir(), "pushbox-test-"));
      t.teardown(() => rmSync(disk, { recursive: true, force: true }));
      if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "pushbox-test", disk], { stdio: "ignore" }).status !== 0)
        return t.pass("left out: this user may not mount a file system");
      t.teardown(() => spawnSync("umount", ["--lazy", disk], { stdio: "ignore" }));
      const { uid = process.getuid?.() ?? 0, gid = process.getgid?.() ?? 0 } = somebody();
      chownSync(disk, uid, gid);
      await admin.query(`CREATE TABLESPACE small LOCATION '${disk}'`);
      await admin.query("CREATE DATABASE small TABLESPACE small TEMPLATE template0");
      const at = url.replace(/\/test\d+\?/, "/small?");
      const said: string[] = [];
      const engine = await node(t, at, (message) => said.push(message));
      await engine.devices.connect({ pushId: pushId("known") }, Date.now());
      const body = (): string => JSON.stringify(randomBytes(100_000).toString("base64"));
      const keep = async (n: number) => {
        const parcel = toTopic(`room-${n}`, `kept-${n}`, later());
        return await engine.broker.publish([{ ...parcel, packet: { ...parcel.packet, body: body() } }]);
      };
      let answered = 0;
      let refusal: unknown;
      while (refusal === undefined && answered < 2000)
        await keep(answered).then(
          () => answered++,
          (error: unknown) => (refusal = error),
        );
      const full =
        /No space left on device.*its disk is full: make room there; until then what has to be stored is refused/;
      t.match(refusal, { code: "unavailable", message: full });
      t.match(said, [full], "the log says so, once");
      await t.rejects(keep(answered), { code: "unavailable", message: full });
      t.match(await engine.devices.get([pushId("known")], Date.now()), [{ pushId: pushId("known") }], "it reads");
      await engine.broker.publish([toTopic("room", "not kept", 0)]);
      spawnSync("mount", ["-o", "remount,size=80m", disk]);
      await keep(answered++);
      const client = new Client({ connectionString: at });
      await client.connect();
      const { rows } = await client.query("SELECT count(*)::int AS count FROM pushbox.packets");
      await client.end();
      t.same(rows, [{ count: answered }], "whatever was answered is there, and nothing else");
      await engine.close();
      await admin.query("DROP DATABASE small WITH (FORCE)");
      await admin.query("DROP TABLESPACE small");
    },
  );
}
