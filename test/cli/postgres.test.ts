// check and doctor with engine = "postgres", beside a real PostgreSQL.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import t from "tap";
import { runHere } from "../support/cli.ts";
import { postgres } from "../support/postgres.ts";
import { run, serve } from "../support/process.ts";

const server = await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const url = await server.database();
  const flags = (to: string): string[] => [
    "--engine",
    "postgres",
    "--postgres-url",
    to,
    "--api-port",
    "0",
    "--client-port",
    "0",
  ];

  await t.test("cluster: doctor says what matters of PostgreSQL, and changes nothing there", async (t) => {
    const { out } = await runHere(t.testdir({}), "doctor", ...flags(url));
    for (const line of [
      /ok +postgres +PostgreSQL \d+/,
      /warning +postgres +fsync is off/,
      /warning +postgres +synchronous_standby_names is empty: .*lost that were answered with success/,
      /ok +postgres +max_connections is 60: enough for \d+ nodes/,
      /ok +postgres +notifications are heard/,
    ])
      t.match(out, line);
    const client = new Client({ connectionString: url });
    await client.connect();
    t.same((await client.query("SELECT to_regnamespace('pushbox') AS found")).rows, [{ found: null }]);
    await client.end();
  });

  await t.test("cluster: check refuses a PostgreSQL that cannot be used, and never shows the password", async (t) => {
    const right = await runHere(t.testdir({}), "check", ...flags(url));
    t.equal(right.code, 0, right.err);
    t.match(right.err, /warning: postgres.url: synchronous_standby_names is empty/);
    const nowhere = `postgres://push:hidden@/push?host=${join(t.testdir({}), "none")}`;
    const wrong = await runHere(t.testdir({}), "check", ...flags(nowhere));
    t.not(wrong.code, 0);
    t.match(
      wrong.err,
      /postgres.url: PostgreSQL cannot be used: .*ENOENT.*\(postgres\.url names a socket or a file that is not there/,
    );
    t.notMatch(wrong.err + wrong.out, /hidden/);
    const silent = await runHere(t.testdir({}), "check", ...flags("postgres://push:hidden@127.0.0.1:1/push"));
    t.match(
      silent.err,
      /ECONNREFUSED 127\.0\.0\.1:1 \(nothing listens there: start PostgreSQL, or name its host and port/,
    );
    const unknown = await runHere(t.testdir({}), "check", ...flags(url.replace(/@\/\w+/, "@/nothing")));
    t.match(unknown.err, /database "nothing" does not exist \(make the database of postgres\.url first: createdb\)/);
  });

  await t.test("cluster: a schema of a newer pushbox is refused, by serve too", async (t) => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(
      "CREATE SCHEMA newer; CREATE TABLE newer.meta (epoch text, major int, format int); INSERT INTO newer.meta VALUES ('x', 99, 1)",
    );
    await client.end();
    const { code, out, err } = await run(t.testdir({}), "serve", ...flags(url), "--postgres-schema", "newer");
    t.not(code, 0);
    t.match(out + err, /the schema newer was made by a newer pushbox .*start the newer one/);
  });

  const schema = (name: string): string[] => ["--engine", "postgres", "--postgres-url", url, "--postgres-schema", name];
  const document = (n: number, more: object = {}): string =>
    `${JSON.stringify({ _id: `taken-device-${n}`, updateTime: { $date: "2018-01-31T12:00:00.000Z" }, ...more })}\n`;

  await t.test(
    "cluster: import brings devices into PostgreSQL, goes on where it was, and export writes them",
    async (t) => {
      const token = { type: "fcm", token: "a-token", package_name: "com.x" };
      const devices = Array.from({ length: 2500 }, (_, n) =>
        document(n, { uid: `user-${n % 7}`, tags: ["vip", `t${n % 3}`] }),
      );
      const again = document(2500, { ...token, updateTime: { $date: "2019-01-31T12:00:00.000Z" } });
      const directory = t.testdir({ "devices.json": [...devices, document(2501, token), again].join("") });
      const load = (...more: string[]) =>
        runHere(directory, "import", "--devices", "devices.json", ...schema("taken"), ...more);
      const dry = await load("--dry-run");
      t.match(
        dry,
        { code: 0, out: /2,502 +would be added\n.*0 +devices in the schema taken, nothing was written/s },
        dry.err,
      );
      const done = await load();
      t.match(done, { code: 0, out: /2,502 +added\n.*2,501 +devices in the schema taken\n/s }, done.err);
      t.match(await load("--dry-run"), { code: 0, out: /2,50[12] +here already, just so/ });
      const out = await runHere(directory, "export", "--out", "out.json", ...schema("taken"));
      t.match(out, { code: 0, out: "2,501 devices written to out.json\n" }, out.err);
      // What it wrote is the same devices, in a data directory too.
      t.match(await runHere(directory, "import", "--devices", "out.json"), { code: 0, out: /2,501 +added/ });
      const there = await runHere(directory, "export");
      t.equal(there.out, readFileSync(join(directory, "out.json"), "utf8"));
      t.match(JSON.parse(there.out.split("\n")[8] ?? ""), {
        _id: "taken-device-8",
        uid: "user-1",
        tags: ["vip", "t2"],
      });
      t.notMatch(there.out, "taken-device-2501", "its token went to the device that had it later (holds 6)");
      t.match(await runHere(directory, "export", ...schema("nowhere")), {
        code: 1,
        err: /no devices were written: there is no schema nowhere of pushbox: name it with --postgres-schema/,
      });
    },
  );

  await t.test("cluster: import waits for no node: it names the one that runs", async (t) => {
    const directory = t.testdir({ "devices.json": document(1) });
    const server = await serve(t, directory, [...schema("busy"), "--node", "a"]);
    const refused = await runHere(directory, "import", "--devices", "devices.json", ...schema("busy"));
    t.match(refused, { code: 1, err: /the import stopped: a runs on the schema busy: stop all nodes first/ });
    t.equal((await server.stop()).code, 0);
    t.match(await runHere(directory, "import", "--devices", "devices.json", ...schema("busy")), { code: 0 });
  });

  await t.test("cluster: backup and restore say where the data is, and what to use", async (t) => {
    const directory = t.testdir({
      "pushbox.toml": 'engine = "postgres"\n[postgres]\nurl = "postgres://push:hidden@db/push"\n',
    });
    const config = ["--config", "pushbox.toml"];
    const backup = await runHere(directory, "backup", "copy.db", ...config);
    t.match(backup, {
      code: 2,
      err: /no backup was made: .* in PostgreSQL, in the schema pushbox; .*pg_dump --format custom/,
    });
    const restore = await runHere(directory, "restore", "copy.db", ...config);
    t.match(restore, { code: 2, err: /nothing was restored: .*pg_restore, or .*pushbox move --to/ });
    t.notMatch(backup.err + restore.err, /hidden/);
    t.match(await runHere(directory, "backup", "copy.db", ...config, "--engine", "sqlite"), {
      code: 1,
      err: /no backup/,
    });
    t.notOk(existsSync(join(directory, "copy.db")));
  });
}
