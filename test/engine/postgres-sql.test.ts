// The SQL functions for a customer's own transactions: beside the API, over one PostgreSQL.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, type QueryResult } from "pg";
import t, { type Test } from "tap";
import { PushError } from "../../src/core/errors.ts";
import { checkShown, messageText, normalise } from "../../src/core/notification.ts";
import { MIGRATIONS } from "../../src/engine/postgres/schema.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";
import { jobIn, phone } from "../support/devices.ts";
import { postgres } from "../support/postgres.ts";
import { eventually } from "../support/until.ts";
import { startVendors } from "../support/vendors.ts";

const server = await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const url = await server.database();
  const app = (t: Test, overrides: Parameters<typeof startTestApp>[1] = {}): Promise<TestApp> =>
    startTestApp(t, { engine: "postgres", data: t.testdir({}), postgres: { url, schema: "pushbox" }, ...overrides });
  async function connect(t: Test, user?: string): Promise<Client> {
    const client = new Client({ connectionString: user === undefined ? url : url.replace("//test@", `//${user}@`) });
    await client.connect();
    t.teardown(() => client.end());
    return client;
  }
  const value = async (client: Client, text: string, ...values: unknown[]): Promise<unknown> =>
    Object.values((await client.query(text, values)).rows[0] as object)[0];
  /** Their codes and messages, as the customer's program gets them. */
  const refusal = (asked: Promise<unknown>): Promise<string> =>
    asked.then(
      () => "it was taken",
      (error: Error & { code?: string }) => `${error.code} ${error.message}`,
    );

  await t.test("cluster: the README's example, as it stands there", async (t) => {
    const vendors = await startVendors(t, ["fcm"]);
    const here = await app(t, { vendors: vendors.config() });
    const readme = readFileSync(join(import.meta.dirname, "../../src/engine/postgres/README.md"), "utf8");
    const [grants = "", transaction = ""] = [...readme.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql]) => sql);
    const client = await RawClient.open(here.clientPort);
    await client.hello({ id: "device-ann", topics: ["order:17"] });
    const ann = await phone(t, here, vendors.get("fcm"));
    for (const pushId of ["device-ann", ann.id]) await here.ok("uid/bind", { pushId, uid: "ann" });
    const owner = await connect(t);
    await owner.query("CREATE TABLE orders (id int PRIMARY KEY, state text); INSERT INTO orders VALUES (17, 'new')");
    await owner.query(grants);
    await owner.query("GRANT SELECT, UPDATE ON orders TO shop");
    const shop = await connect(t, "shop");
    const results = (await shop.query(transaction)) as unknown as QueryResult[];
    const ids = results.flatMap(({ rows }) => rows.flatMap((row) => Object.values(row as object))) as string[];
    t.match(ids, [/^\w{12}$/, /^\w{12}$/, /^\w{12}$/]);
    t.match(await client.next('42["p",{"state'), /"state" : "sent"/);
    t.match(await client.next('42["p",{"orders'), /"orders": 1/);
    t.match(await vendors.get("fcm").shown(ids[2]!), [{ token: ann.token }]);
    t.match(await jobIn(here, ids[2]!), { type: "pushMany", target: "uids" });
    t.match(await here.ok("topic/get", { topic: "order:17" }), { kept: [{ id: ids[0], text: '{"state" : "sent"}' }] });

    for (const forbidden of [
      "SELECT * FROM pushbox.devices",
      "DELETE FROM pushbox.outgoing",
      `SELECT pushbox.notify_all('{"android": {"title": "T"}}', push_all => true)`,
      "SELECT pushbox.sql_commit()",
    ])
      t.match(await refusal(shop.query(forbidden)), /^(42501|0A000) /, forbidden);
    await client.close();
  });

  await t.test(
    "cluster: what is not committed reaches nobody, and order is that of the commits (holds 3)",
    async (t) => {
      const here = await app(t);
      const client = await RawClient.open(here.clientPort);
      await client.hello({ id: "device-order", topics: ["order"] });
      const [one, two] = [await connect(t), await connect(t)];
      const push = (at: Client, json: number): Promise<QueryResult> =>
        at.query("SELECT pushbox.push('order', $1, 60000)", [json]);
      const api = (json: number) => here.ok("push", { topic: "order", json: String(json), timeToLive: 60_000 });
      await one.query("BEGIN");
      await push(one, 2);
      await one.query("SAVEPOINT s");
      await push(one, 99);
      await one.query("ROLLBACK TO s");
      await api(1); // is not held up by who has not committed
      await two.query("BEGIN");
      await push(two, 98);
      await two.query("ROLLBACK");
      await push(one, 3);
      await one.query("COMMIT");
      await api(4);
      await push(two, 5);
      await api(6);
      for (const json of [1, 2, 3, 4, 5, 6])
        t.match(await client.next('42["p"'), new RegExp(`^42\\["p",${json}[,\\]]`));

      // All at once: each channel in the order of its seq, none lost.
      const clients = await Promise.all(Array.from({ length: 4 }, () => connect(t)));
      await Promise.all(
        clients.flatMap((at, n) => [
          (async () => {
            for (let i = 0; i < 10; i++)
              await at.query("SELECT pushbox.push(topic, $1, 60000) FROM unnest(ARRAY['order', 'other']) AS topic", [
                100 * n + i,
              ]);
          })(),
          (async () => {
            for (let i = 0; i < 10; i++) await api(1000 + 100 * n + i);
          })(),
        ]),
      );
      const got: string[] = [];
      while (got.length < 80) got.push(await client.next('42["p"'));
      const numbers = got.map((frame) => Number(/^42\["p",(\d+)/.exec(frame)?.[1]));
      t.equal(new Set(numbers).size, 80);
      const kept = ((await here.ok("topic/get", { topic: "order" })) as { kept: { text: string }[] }).kept;
      t.same(
        kept.map(({ text }) => Number(text)).reverse(),
        numbers.slice(-kept.length),
        "what is kept are the last of what was sent, in that order",
      );
      t.equal(await value(one, "SELECT count(*)::int FROM pushbox.outgoing"), 0);
      await client.close();
    },
  );

  await t.test("cluster: every kind of target and of JSON, long bodies and many in one transaction", async (t) => {
    const here = await app(t);
    const [one, two] = [await RawClient.open(here.clientPort), await RawClient.open(here.clientPort)];
    await one.hello({ id: "device-one", topics: ["kinds"] });
    await two.hello({ id: "device-two", topics: [] });
    await here.ok("uid/bind", { pushId: "device-two", uid: "two" });
    const sql = await connect(t);
    const long = "ü".repeat(20_000);
    for (const [call, expected] of [
      ["push_id => 'device-one', json => '1'", "1"],
      ["push_ids => ARRAY['device-one', '', NULL, 'device-one'], json => to_jsonb(2)", "2"],
      ["'kinds', 'true'::jsonb", "true"],
      ["'kinds', row_to_json(r)", '{"a":1.10}'],
      ["'kinds', r", '{"a":1.10}'],
      ["'kinds', E'[1,\\n2]'", "[1, 2]"],
      ["'kinds', 'null'::json, ttl => 5000", "null"],
      [`'kinds', to_json('${long}'::text), 5000`, JSON.stringify(long)],
    ] as const) {
      await sql.query(`SELECT pushbox.push(${call}) FROM (SELECT 1.10 AS a) r`);
      t.ok((await one.next('42["p"')).startsWith(`42["p",${expected}`), call.slice(0, 80));
    }
    for (const [call, expected] of [
      ["uid => 'two', json => '1'", "1"],
      ["uids => ARRAY['two', 'nobody'], json => '2', ttl => 5000", "2"],
    ] as const) {
      await sql.query(`SELECT pushbox.push(${call})`);
      t.ok((await two.next('42["p"')).startsWith(`42["p",${expected}`), call);
    }
    await sql.query("SELECT count(pushbox.push('kinds', n, 60000)) FROM generate_series(1, 4200) AS n");
    for (let n = 1; n <= 4200; n++) {
      const frame = await one.next('42["p"');
      if (!frame.startsWith(`42["p",${n},`) && !frame.startsWith(`42["p",${n}]`)) t.fail(`${n}: ${frame}`);
    }
    // A name with the character by which the store escapes.
    await sql.query("SELECT pushbox.push(E'odd\\x01', '7', 60000)");
    const odd = await eventually(
      () => here.ok("topic/get", { topic: "odd\u0001" }),
      ({ kept }) => (kept as unknown[]).length > 0,
    );
    t.match(odd, { kept: [{ text: "7" }] });
    await one.close();
    await two.close();
  });

  await t.test(
    "cluster: what is wrong is refused at once, in the API's words and by the argument's name",
    async (t) => {
      await app(t, { api: { maxBody: 10_000 }, client: { maxTopicLength: 20, maxIdLength: 20 } });
      const sql = await connect(t);
      for (const [call, message] of [
        ["push('a')", "push: json is required"],
        ["push('a', NULL)", "push: json is required"],
        ["push('a', 'oops')", "push: json is not JSON: oops"],
        ["push(json => '1')", "push: topic, push_id or uid is required"],
        ["push('', '1')", "push: topic, push_id or uid is required"],
        ["push('a', '1', uid => 'b')", "push: give one of topic, push_id (or push_ids) and uid (or uids)"],
        ["push('a', '1', -1)", "push: ttl must be a number of milliseconds, 0 (not kept) to 1e15"],
        ["push(repeat('x', 21), '1')", "push: topic is longer than 20 characters"],
        ["push(repeat('😀', 11), '1')", "push: topic is longer than 20 characters"],
        ["push(push_id => repeat('x', 21), json => '1')", "push: push_id is longer than 20 characters"],
        ["push(uids => ARRAY[repeat('x', 21)], json => '1')", "push: uid is longer than 20 characters"],
        ["push('a', repeat('[', 1001) || repeat(']', 1001))", "push: json is nested deeper than 1000 levels"],
        ["push('a', to_json(repeat('x', 20000)))", /^push: json has 20002 bytes: at most 10000 \(api\.max_body\)$/],
        ["notify('{}', uid => 'a')", /^notification has nothing to show: give android\.title/],
        ["notify('[]', uid => 'a')", "notification must be a JSON object"],
        [
          `notify('{"android": {"title": "T"}}')`,
          "notify: push_id or uid is required; notify_all reaches a tag, or everybody",
        ],
        [
          `notify('{"android": {"title": "T"}}', uid => 'a', rate => -1)`,
          "notify: rate must be a whole number from 0 to 1000000",
        ],
        [
          `notify('{"android": {"title": "T"}}', uid => 'a', send_at => now() + interval '2 years')`,
          "notify: send_at is more than a year away",
        ],
        [
          `notify('{"android": {"title": "T"}}', uid => 'a', type => repeat('x', 21))`,
          "notify: type is longer than 20 characters",
        ],
        [
          `notify('{"id": "123456789012345678901", "android": {"title": "T"}}', uid => 'a')`,
          "notification.id is longer than 20 characters",
        ],
        [`notify_all('{"android": {"title": "T"}}')`, "notify_all: give tag, or push_all => true"],
        [`notify_all('{"android": {"title": "T"}}', 'x', true)`, "notify_all: give tag, or push_all => true"],
      ] as const)
        t.match(
          await refusal(sql.query(`SELECT pushbox.${call}`)),
          message instanceof RegExp ? new RegExp(`^22023 ${message.source.slice(1)}`) : `22023 ${message}`,
          call.slice(0, 80),
        );
      t.equal(await value(sql, "SELECT count(*)::int FROM pushbox.outgoing"), 0);
    },
  );

  await t.test(
    "cluster: a notification by SQL is in the form that the API gives it, and what it refuses is refused",
    async (t) => {
      const sql = await connect(t);
      const contents: readonly unknown[] = [
        {
          android: { title: "T", message: 5, payload: { a: 1 } },
          payload: { b: { c: [1, "ä"] } },
          apn: { alert: "x", badge: "3", sound: "s", payload: { x: 1 } },
        },
        { android: { title: "T", icon: "i", payload: { a: 1 } }, message: "first", vendors: { huawei: { x: 1 } } },
        {
          android: null,
          payload: null,
          apn: { alert: { title: 7, body: "b", "launch-image": "l", other: [1] }, badge: 0 },
        },
        { apn: { badge: 4 } },
        { apn: { alert: "", badge: 4, sound: null, "content-available": 1 } },
        { apn: { "content-available": 1, x: null } },
        { apn: { alert: { "launch-image": "l" }, badge: 1 } },
        { apn: {}, vendors: { apns: { aps: {} } } },
        { android: { message: "only this" } },
        { android: { title: "only a title" } },
        { payload: { data: true } },
        { apn: { alert: 42 } },
        { android: { title: "" }, apn: { alert: "x" } },
        // refused
        { android: "T" },
        { android: { title: ["T"] } },
        { android: { title: "T", payload: 1 } },
        { payload: [1], android: { title: "T" } },
        { apn: 1 },
        { apn: { alert: 5, badge: 1.5 } },
        { apn: { alert: "x", badge: -1 } },
        { apn: { alert: "x", badge: "many" } },
        { apn: { alert: "x", sound: 1 } },
        { apn: { alert: [] } },
        { apn: { alert: {} } },
        { apn: { alert: { title: {} } } },
        { apn: { alert: "" } },
        { title: "T", body: "B" },
        { android: {} },
        { apn: {} },
      ];
      for (const content of contents) {
        const given = JSON.stringify(content);
        let expected: unknown;
        try {
          const normal = normalise(content);
          checkShown(normal);
          expected = { content: normal, text: messageText(normal) };
        } catch (error) {
          if (!(error instanceof PushError)) throw error;
          expected = error.message;
        }
        await sql.query("BEGIN");
        try {
          await sql.query("SELECT pushbox.notify($1, uid => 'u')", [given]);
          const job = (await value(sql, "SELECT job FROM pushbox.outgoing")) as { note: string; text: string };
          t.same({ content: (JSON.parse(job.note) as { content: unknown }).content, text: job.text }, expected, given);
        } catch (error) {
          t.equal(error instanceof Error ? error.message : "", expected, given);
        }
        await sql.query("ROLLBACK");
      }
    },
  );

  await t.test("cluster: the same key is the same call, once, whether it was made here or by the API", async (t) => {
    const here = await app(t);
    const client = await RawClient.open(here.clientPort);
    await client.hello({ id: "device-once", topics: ["once"] });
    const [one, two] = [await connect(t), await connect(t)];
    const push = (at: Client, key: string, json = "1") =>
      value(at, "SELECT pushbox.push('once', $2, 60000, idempotency_key => $1)", key, json);
    const made = await push(one, "k1");
    t.equal(await push(two, "k1"), made, "the same answer");
    t.match(
      await refusal(push(two, "k1", "2")),
      "22023 push: idempotency_key was used for a call that asked for something else",
    );
    t.match(await here.post("push", { topic: "once", json: "1", timeToLive: 60_000, idempotencyKey: "k1" }), {
      status: 409,
    });
    t.match(await client.next('42["p"'), /^42\["p",1/);

    // Within one transaction, and one that is undone.
    await one.query("BEGIN");
    const inside = await push(one, "k2", "2");
    t.equal(await push(one, "k2", "2"), inside);
    t.match(
      await refusal(one.query("SAVEPOINT s; SELECT pushbox.push('once', '3', idempotency_key => 'k2')")),
      /^22023 push: idempotency_key/,
    );
    await one.query("ROLLBACK");
    t.not(await push(one, "k2", "2"), inside, "what was undone has used no key");
    t.match(await client.next('42["p"'), /^42\["p",2/);

    // At the same time: nobody waits, and the second to commit is told to repeat.
    await one.query("BEGIN");
    await two.query("BEGIN");
    const first = await push(one, "k3", "3");
    await push(two, "k3", "3");
    await one.query("COMMIT");
    t.match(await refusal(two.query("COMMIT")), /^40001 a call with this idempotency_key was made meanwhile/);
    t.equal(await push(two, "k3", "3"), first);
    t.match(await client.next('42["p"'), /^42\["p",3/);

    // The API first, also while a transaction is open.
    await one.query("BEGIN");
    await push(one, "k4", "5");
    await here.ok("push", { topic: "once", json: "4", timeToLive: 60_000, idempotencyKey: "k4" });
    t.match(await refusal(one.query("COMMIT")), /^40001/);
    t.match(await refusal(push(one, "k4", "5")), /^22023 push: idempotency_key was used/);
    t.match(await client.next('42["p"'), /^42\["p",4/);

    const notify = (json: string, more: string) =>
      value(one, `SELECT pushbox.notify($1, uid => 'u', idempotency_key => 'n1'${more})`, json);
    const title = (text: string): string => JSON.stringify({ android: { title: text } });
    const note = await notify(title("T"), "");
    t.equal(await notify(title("T"), ""), note);
    t.match(await refusal(notify(title("U"), "")), /^22023 notify: idempotency_key was used/);
    const all = `SELECT pushbox.notify_all('${title("T")}', tag => 'nobody', idempotency_key => 'a1')`;
    t.equal(await value(one, all), await value(two, all));
    t.equal(await value(one, "SELECT count(*)::int FROM pushbox.jobs WHERE id = $1", note), 1);

    await push(one, "k5", "6");
    const got = [await client.next('42["p"'), ...(await client.settle())];
    t.match(got, [/^42\["p",6/], "nothing came twice");
    t.equal(await value(one, "SELECT count(*)::int FROM pushbox.outgoing_keys"), 0);
    for (const [call, message] of [
      ["push('a', '1', idempotency_key => 'ä')", "push: idempotency_key must be 1 to 255 printable ASCII characters"],
      [
        "push('a', '1', idempotency_key => repeat('x', 256))",
        "push: idempotency_key must be 1 to 255 printable ASCII characters",
      ],
      [
        `notify('${title("T")}', uid => 'u', quiet_hours => '22:00-08:00')`,
        "notify: quiet_hours is the API's alone: call /api/notification with quietHours after your commit",
      ],
      [`notify('${title("T")}', uid => 'u', time_zone => 'Europe/Berlin')`, "notify: time_zone is the API's alone"],
      [
        `notify_all('${title("T")}', 'x', dry_run => true)`,
        "notify_all: dry_run is the API's alone: call /api/notification with dryRun after your commit",
      ],
    ] as const)
      t.match(await refusal(one.query(`SELECT pushbox.${call}`)), `22023 ${message}`, call.slice(0, 80));
    await client.close();
  });

  await t.test(
    "cluster: who might call the functions of an older schema may call the newer ones, and views of them stay",
    async (t) => {
      const owner = await connect(t);
      await owner.query("CREATE DATABASE older TEMPLATE template0");
      const at = url.replace(/\/test\d+\?/, "/older?");
      const client = new Client({ connectionString: at });
      await client.connect();
      t.teardown(() => client.end());
      await client.query("CREATE SCHEMA pushbox; SET search_path = pushbox");
      const before = MIGRATIONS.findIndex((step) => step.includes("CREATE UNLOGGED TABLE outgoing_keys"));
      for (const step of MIGRATIONS.slice(0, before)) await client.query(`BEGIN; ${step}; COMMIT`);
      await client.query(`UPDATE meta SET major = 1, format = ${before}`);
      await client.query(`
      DO $$ BEGIN CREATE ROLE shop LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
      GRANT USAGE ON SCHEMA pushbox TO shop;
      GRANT EXECUTE ON FUNCTION pushbox.push, pushbox.notify TO shop;
      CREATE VIEW public.pushed AS SELECT pushbox.push('old', '1', 60000) AS id`);
      const here = await app(t, { postgres: { url: at, schema: "pushbox" } });
      const shop = new Client({ connectionString: at.replace("//test@", "//shop@") });
      await shop.connect();
      t.teardown(() => shop.end());
      await shop.query("SELECT pushbox.push('new', '1', 60000, idempotency_key => 'k')");
      t.match(await refusal(shop.query(`SELECT pushbox.notify_all('{"android": {"title": "T"}}', 'x')`)), /^42501 /);
      await client.query("SELECT * FROM public.pushed");
      for (const topic of ["old", "new"])
        t.match(await here.ok("topic/get", { topic }), { kept: [{ text: "1" }] }, topic);
    },
  );

  await t.test("cluster: a call to everybody, one for later, and one of an id that there is", async (t) => {
    const here = await app(t);
    const sql = await connect(t);
    const all = String(
      await value(sql, `SELECT pushbox.notify_all('{"android": {"title": "T"}}', push_all => true, rate => 100)`),
    );
    const later = String(
      await value(
        sql,
        `SELECT pushbox.notify('{"id": "later", "android": {"title": "T"}}', push_ids => ARRAY['a', 'b'], send_at => now() + interval '1 hour', type => 'news', tag_start => 'app_', tag_less_than => '2')`,
      ),
    );
    await eventually(
      () => here.post("job/get", { id: all }),
      ({ status }) => status === 200,
    );
    t.match(await jobIn(here, all), { target: "all", rate: 100, type: "pushAll" });
    const { body: second } = await eventually(
      () => here.post("job/get", { id: later }),
      ({ status }) => status === 200,
    );
    t.match(second, { state: "scheduled", type: "news", target: "pushIds" });
    await sql.query(`SELECT pushbox.notify('{"id": "later", "android": {"title": "T"}}', uid => 'c')`);
    t.match(await here.ok("stats/arrival/news", { id: "later" }), { id: "later", type: "news", callerIp: "sql:test" });
    const { jobs } = (await here.ok("job/list", {})) as { jobs: { id: string }[] };
    t.ok(jobs.some(({ id }) => id === "later"));
  });
}
