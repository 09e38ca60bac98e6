// A PostgreSQL that cannot serve: the start says why, and what helps; so do `check` and `doctor`.
import { Client } from "pg";
import t from "tap";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";
import { lookAt } from "../../src/engine/postgres/look.ts";
import { postgres } from "../support/postgres.ts";
import { installed, pgbouncer } from "../support/proxies.ts";

const CONNECTIONS = 12;
const server = await postgres(t, { max_connections: `${CONNECTIONS}`, superuser_reserved_connections: "1" });
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const url = await server.database();
  const admin = new Client({ connectionString: url });
  await admin.connect();
  t.teardown(() => admin.end());
  const open = (at: string) =>
    openPostgresEngine({
      ...{ database: { url: at, schema: "pushbox" }, node: "a", arrivalDays: 1 },
      keep: { default: 10, prefixes: [] },
    });
  const at = (database: string, user = "test"): string =>
    url.replace(/\/test\d+\?/, `/${database}?`).replace("//test@", `//${user}@`);
  const wrong = async (target: string): Promise<readonly string[]> =>
    (await lookAt({ url: target, schema: "pushbox" })).filter(({ level }) => level === "wrong").map(({ text }) => text);

  await t.test("cluster: a database of another encoding", async (t) => {
    await admin.query("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    const message = /^this database is in LATIN1, and texts are in UTF8: CREATE DATABASE pushbox ENCODING 'UTF8'/;
    await t.rejects(open(at("latin")), { code: "unavailable", message });
    t.match(await wrong(at("latin")), [message]);
  });

  await t.test("cluster: a role without rights, to the database or to a schema of somebody else", async (t) => {
    await admin.query("CREATE ROLE guest LOGIN");
    await admin.query("CREATE DATABASE others ENCODING 'UTF8' TEMPLATE template0");
    await t.rejects(open(at("others", "guest")), {
      code: "unavailable",
      message: /permission denied for database others \(the role of postgres\.url has to own the schema/,
    });
    t.match(await wrong(at("others", "guest")), [/^the schema pushbox is missing, and this user may not make it/]);
    await (await open(at("others"))).close();
    await t.rejects(open(at("others", "guest")), {
      code: "unavailable",
      message: /permission denied for schema pushbox \(the role of postgres\.url has to own the schema/,
    });
  });

  await t.test("cluster: a server that only reads", async (t) => {
    await admin.query("CREATE DATABASE reading ENCODING 'UTF8' TEMPLATE template0");
    await admin.query("ALTER DATABASE reading SET default_transaction_read_only = on");
    const message = /default_transaction_read_only is on, for this server, database or role/;
    await t.rejects(open(at("reading")), { code: "unavailable", message });
    t.match(await wrong(at("reading")), [message]);
  });

  await t.test("cluster: a pooler of transactions, which gives away the connection that listens", async (t) => {
    if (!installed(t, "pgbouncer")) return;
    await admin.query("CREATE DATABASE pooled ENCODING 'UTF8' TEMPLATE template0");
    const pooled = await pgbouncer(t, server);
    const message = /a pooler of transactions stands in between; name PostgreSQL itself in postgres\.url\)?$/;
    await t.rejects(open(pooled(at("pooled"))), { code: "unavailable", message }, "it would hear of nothing");
    await t.rejects(
      open(pooled(at("pooled"))),
      { code: "unavailable", message },
      "also when statements of others are in its way",
    );
    t.match(await wrong(pooled(at("pooled"))), [message]);
    await (await open(at("pooled"))).close();
  });

  await t.test("cluster: where no connection is left the start says what to raise or close", async (t) => {
    await admin.query("CREATE ROLE pushbox LOGIN");
    await admin.query("CREATE DATABASE ours OWNER pushbox ENCODING 'UTF8' TEMPLATE template0");
    const held: Client[] = [];
    t.teardown(() => Promise.all(held.map((client) => client.end())));
    for (let full = false; !full; ) {
      const client = new Client({ connectionString: at("ours", "guest") });
      client.on("error", () => {});
      await client.connect().then(
        () => void held.push(client),
        () => {
          full = true;
        },
      );
    }
    const message = /\(each node takes five connections: raise max_connections, or close what else is connected\)$/;
    await t.rejects(open(at("ours", "pushbox")), { code: "unavailable", message });
    t.match(await wrong(at("ours", "pushbox")), [message]);
    // Once there is room it starts, with what it takes.
    await Promise.all(held.splice(0).map((client) => client.end()));
    for (let tries = 0; ; tries++) {
      const engine = await open(at("ours", "pushbox")).catch(() => undefined);
      if (engine === undefined && tries > 500) throw new Error("there is still no connection left");
      if (engine === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      else return engine.close();
    }
  });
}
