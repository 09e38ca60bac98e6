// Two versions on one PostgreSQL, as during an upgrade: what the newer one has added is played by a schema that is changed by hand.
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import t, { type Test } from "tap";
import { MIGRATIONS, VERSION } from "../../src/engine/postgres/schema.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { runHere } from "../support/cli.ts";
import { RawClient } from "../support/clients.ts";
import { postgres } from "../support/postgres.ts";
import { run } from "../support/process.ts";

const { major, format } = VERSION;

const server = await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const url = await server.database();
  const flags = (schema: string): string[] => [
    ...["--engine", "postgres", "--postgres-url", url, "--postgres-schema", schema],
    ...["--api-port", "0", "--client-port", "0"],
  ];
  const node = (t: Test, name: string, schema: string): Promise<TestApp> =>
    startTestApp(t, { engine: "postgres", node: name, postgres: { url, schema } });

  async function sql(text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const { rows } = await client.query(text);
      return rows as Readonly<Record<string, unknown>>[];
    } finally {
      await client.end();
    }
  }

  await t.test(
    "cluster: nodes of this version go on, and start, beside one that has added to the schema",
    async (t) => {
      const before = await node(t, "before", "grown");
      const client = await RawClient.open(before.clientPort);
      t.teardown(() => client.close());
      await client.hello({ id: "upgraded-device", topics: ["news"] });
      // The newer version has come: a column with a default, a table, an index, and its number.
      await sql(`SET search_path = grown;
      ALTER TABLE devices ADD COLUMN mood text NOT NULL DEFAULT 'fine';
      CREATE TABLE moods (mood text PRIMARY KEY);
      CREATE INDEX devices_by_mood ON devices (mood);
      UPDATE meta SET format = ${format + 1}`);
      const after = await node(t, "after", "grown");
      await before.ok("uid/bind", { pushId: "upgraded-device", uid: "ann" });
      await after.ok("push", { uid: "ann", json: '"kept"', timeToLive: 60_000 });
      t.match(await client.next('42["p"'), "kept", "pushed at one, heard at the other");
      t.match(await after.ok("device/get", { pushId: "upgraded-device" }), { uid: "ann", connected: true });
      t.match(await runHere(t.testdir({}), "admin", "user", "add", "ann", ...flags("grown").slice(0, 6)), { code: 0 });
      t.match(await runHere(t.testdir({}), "export", ...flags("grown").slice(0, 6)), {
        code: 0,
        out: /upgraded-device/,
      });
      t.same(await sql("SELECT major, format FROM grown.meta"), [{ major, format: format + 1 }], "its number stays");
      await client.close();
      await Promise.all([before.stop(), after.stop()]);
      t.match(await runHere(t.testdir({}), "move", "--from", url, "--to-data", "back", "--postgres-schema", "grown"), {
        code: 1,
        err: new RegExp(
          `the schema grown is of a newer pushbox \\(its format is ${format + 1}, .*: move with the newer one`,
        ),
      });
    },
  );

  await t.test(
    "cluster: a new major version refuses those of before, by each command, and changes nothing",
    async (t) => {
      const before = await node(t, "before", "major");
      await sql(`UPDATE major.meta SET major = ${major + 1}`);
      await before.ok("push", { topic: "news", json: "1", timeToLive: 60_000 });
      const refused =
        /the schema major was made by a newer pushbox \(its major version is \d+, this one knows \d+\): start the newer one/;
      await t.rejects(node(t, "after", "major"), refused);
      const store = flags("major").slice(0, 6);
      t.match(await runHere(t.testdir({}), "export", ...store), { code: 1, err: refused });
      t.match(await runHere(t.testdir({}), "admin", "user", "list", ...store), { code: 1, err: refused });
      t.match(await runHere(t.testdir({ "d.json": "" }), "import", "--devices", "d.json", ...store), {
        code: 1,
        err: refused,
      });
      t.same(await sql("SELECT major, format FROM major.meta"), [{ major: major + 1, format }]);
    },
  );

  await t.test("cluster: upgrade --check says what a release would do to the schema", async (t) => {
    await (await node(t, "a", "compared")).stop();
    /** What a release says of itself; its check is content. */
    async function compare(postgres: object | undefined) {
      const said = JSON.stringify({ version: "9.0.0", format: 1, postgres, settings: [] });
      const directory = t.testdir({
        new: { pushbox: `#!/bin/sh\n[ "$1" = version ] && echo '${said}' || echo the configuration is right\n` },
      });
      chmodSync(join(directory, "new/pushbox"), 0o755);
      return await run(directory, "upgrade", "--check", "new", ...flags("compared"));
    }
    const here = `data      format ${major}.${format} in the schema compared`;
    t.match((await compare({ major, format })).out, `${here}: stays as it is`);
    t.match(
      (await compare({ major, format: format + 1 })).out,
      `${here}: becomes ${major}.${format + 1} at the first start; nodes`,
    );
    t.match((await compare({ major: major + 1, format })).out, /and nodes of before refuse it: stop all of them first/);
    t.match((await compare({ major: major - 1, format })).err, /refuses it; restore a backup that it made/);
    t.match((await compare(undefined)).out, /this release does not say which format it has/);
  });
}

t.test("cluster: migrations within a major version only add", async (t) => {
  const later = MIGRATIONS.slice(1)
    .map((text) => text.replace(/\$(\w*)\$.*?\$\1\$/gs, "")) // without functions' bodies
    // One with further arguments takes its place.
    .map((text) => text.replace(/ALTER FUNCTION (\w+) RENAME TO \1_1;(?=.*CREATE FUNCTION \1\()/gs, ""));
  for (const text of later) {
    t.match(text, /\b(CREATE|ADD|DO)\b/); // a DO changes a function where it is
    t.notMatch(text, /\b(DROP|RENAME|TRUNCATE|ALTER COLUMN|SET NOT NULL)\b/i);
    for (const [column] of text.matchAll(/ADD COLUMN [^,;]*/gi))
      if (/NOT NULL/i.test(column)) t.match(column, /DEFAULT/i, "rows of an older node do not name it");
  }
});
