// Which server is taken of several.
import { join } from "node:path";
import t from "tap";
import { connect } from "../../src/engine/postgres/database.ts";
import { placeOf, serversOf } from "../../src/engine/postgres/hosts.ts";
import { postgres } from "../support/postgres.ts";

const server = await postgres(t);
const url = await server?.database();

await t.test("cluster: a URL of several servers is read as libpq reads it", async (t) => {
  for (const [url, servers] of [
    ["postgres://u:p%40@a/db", ["postgres://u:p%40@a/db"]],
    [
      "postgres://u:p@a:1,b:2,[::1]:3/db?target_session_attrs=read-write&sslmode=require",
      [
        "postgres://u:p@a:1/db?sslmode=require",
        "postgres://u:p@b:2/db?sslmode=require",
        "postgres://u:p@[::1]:3/db?sslmode=require",
      ],
    ],
    [
      "postgresql://u@/db?host=/run/a,/run/b&port=1,2",
      ["postgresql://u@/db?host=%2Frun%2Fa&port=1", "postgresql://u@/db?host=%2Frun%2Fb&port=2"],
    ],
    ["postgres://a,b?port=5433", ["postgres://a?port=5433", "postgres://b?port=5433"]],
  ] as const)
    t.same(serversOf(url), servers);
  t.throws(() => serversOf("postgres://a,b/db?target_session_attrs=standby"), {
    code: "invalid",
    message: /target_session_attrs is standby/,
  });
  t.equal(placeOf("postgres://u:secret@a:1/db"), "a:1");
  t.equal(placeOf("postgres://u:secret@/db?host=%2Frun%2Fa&port=1"), "/run/a:1");
});

if (server === undefined || url === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const nowhere = join(t.testdir({}), "none");
  const among = (hosts: string): string => url.replace(server.directory, hosts);

  await t.test("cluster: of several servers the one that can be written is taken, wherever it stands", async (t) => {
    for (const hosts of [`${nowhere},${server.directory}`, `${server.directory},${nowhere}`]) {
      const client = await connect({ url: among(hosts), schema: "pushbox" });
      t.same((await client.query("SELECT 1 AS one")).rows, [{ one: 1 }]);
      await client.end();
    }
  });

  await t.test("cluster: no server of several can be used: each is named, with what is wrong with it", async (t) => {
    const standby = await connect({ url, schema: "pushbox" });
    await standby.query("ALTER DATABASE test0 SET default_transaction_read_only = on");
    await standby.end();
    await t.rejects(connect({ url: among(`${nowhere},${server.directory}`), schema: "pushbox" }), {
      code: "unavailable",
      message:
        /no server of postgres.url can be used: \S+none: .*ENOENT.*; \S+: .*default_transaction_read_only is on/s,
    });
    await t.rejects(connect({ url, schema: "pushbox" }), {
      code: "unavailable",
      message: /default_transaction_read_only is on/,
    });
  });
}
