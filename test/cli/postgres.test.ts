// check and doctor with engine = "postgres", beside a real PostgreSQL.
import { join } from "node:path";
import { Client } from "pg";
import t from "tap";
import { runHere } from "../support/cli.ts";
import { postgres } from "../support/postgres.ts";
import { run } from "../support/process.ts";

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
    t.match(wrong.err, /postgres.url: PostgreSQL cannot be used: .*ENOENT/);
    t.notMatch(wrong.err + wrong.out, /hidden/);
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
}
