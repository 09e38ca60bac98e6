// Two nodes over one PostgreSQL: what is asked or ordered at one of them is asked and ordered at both, and whoever is silent is told of.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { ROWS } from "../../scripts/release/grafana.ts";
import { version } from "../../src/app/version.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";
import { phone } from "../support/devices.ts";
import { postgres } from "../support/postgres.ts";
import { serve } from "../support/process.ts";
import { eventually } from "../support/until.ts";
import { PACKAGE, startVendors } from "../support/vendors.ts";

const server = await postgres(t, { max_connections: "100" });
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  /** Nodes that know of each other. */
  async function nodes(t: Test, overrides: Parameters<typeof startTestApp>[1] = {}): Promise<[TestApp, TestApp]> {
    const url = await server!.database();
    const start = (node: string): Promise<TestApp> =>
      startTestApp(t, {
        ...{ engine: "postgres", node, data: t.testdir({}), postgres: { url, schema: "pushbox" } },
        ...overrides,
      });
    const a = await start("a");
    return [a, await start("b")];
  }

  /** What all nodes say: on a busy machine one may take longer than it is waited for. */
  const whole = (app: TestApp, path: string, fields: Record<string, unknown> = {}): Promise<Record<string, unknown>> =>
    eventually(
      async () => await app.post(path, fields),
      ({ status, body }) => status === 200 && body["partial"] !== true,
    ).then(({ body }) => body);

  await t.test("cluster: connections, topics and figures are those of both nodes, whichever is asked", async (t) => {
    const [a, b] = await nodes(t);
    const [one, two] = [await RawClient.open(a.clientPort), await RawClient.open(b.clientPort)];
    await one.hello({ id: "device-one", platform: "ios", topics: ["room"] });
    await two.hello({ id: "device-two", platform: "android", topics: ["room"] });
    for (const app of [a, b]) {
      t.match(
        await eventually(
          () => app.ok("stats/base", {}),
          ({ total }) => total === 2,
        ),
        { total: 2, ios: 1, android: 1 },
      );
      t.match(await whole(app, "topicOnline", { topic: "room" }), { count: 2, devices: 2 });
      t.match(await whole(app, "presence", { pushId: ["device-one", "device-two"] }), {
        presence: [{ online: true }, { online: true }],
      });
      const { nodes: told } = (await whole(app, "node/list")) as { nodes: Record<string, unknown>[] };
      t.same(
        told.map(({ name }) => name),
        ["a", "b"],
      );
    }
    const { connections } = (await whole(a, "connection/list")) as { connections: Record<string, string>[] };
    t.same(connections.map(({ pushId, node }) => [pushId, node]).sort(), [
      ["device-one", "a"],
      ["device-two", "b"],
    ]);
    t.equal(new Set(connections.map(({ connection }) => connection)).size, 2, "no two have the same name");
    const far = connections.find(({ node }) => node === "b");
    await a.post("connection/close", { connection: far?.["connection"] });
    await two.closed;
    t.match(
      await whole(a, "presence", { pushId: "device-one" }),
      { presence: [{ online: true }] },
      "the other one stays",
    );
    for (const connection of ["1", "999999-1", `${far?.["connection"]}0`])
      t.match(await a.post("connection/close", { connection }), { status: 404 }, connection);
    await one.close();
  });

  await t.test("cluster: a trace started at one node has what the other one's sockets said", async (t) => {
    const [a, b] = await nodes(t);
    const { trace } = (await a.ok("trace/start", { pushId: "device-followed" })) as { trace: { trace: string } };
    const client = await RawClient.open(b.clientPort);
    await client.hello({ id: "device-followed" });
    const name = trace.trace;
    await eventually(
      async () => {
        await b.ok("push", { pushId: "device-followed", json: "1" });
        return a.ok("trace/get", { trace: name });
      },
      ({ lines }) => (lines as { what: string }[]).some(({ what }) => what === "out"),
    );
    t.match(
      await whole(b, "trace/get", { trace: name }),
      { trace: { trace: name, running: true } },
      "it is kept at a, and b asks there",
    );
    t.match(await whole(b, "trace/list"), { traces: [{ trace: name }] });
    const { trace: stopped } = (await whole(b, "trace/stop", { trace: name })) as { trace: Record<string, unknown> };
    t.match(stopped, { running: false });
    t.ok(Number(stopped["lines"]) > 0, "as it is where it is kept");
    t.match(await a.ok("trace/get", { trace: name }), { trace: stopped }, "and at once");
    await client.close();
  });

  await t.test("cluster: a node that starts later follows the traces that run by then", async (t) => {
    const url = await server.database();
    const start = (node: string): Promise<TestApp> =>
      startTestApp(t, { engine: "postgres", node, data: t.testdir({}), postgres: { url, schema: "pushbox" } });
    const a = await start("a");
    const begin = async (pushId: string, minutes: number): Promise<string> =>
      ((await a.ok("trace/start", { pushId, minutes })) as { trace: { trace: string } }).trace.trace;
    const [runs, ended] = [await begin("device-followed", 10), await begin("device-no-more", 10)];
    await a.ok("trace/stop", { trace: ended });
    const b = await start("b");
    const clients = [await RawClient.open(b.clientPort), await RawClient.open(b.clientPort)] as const;
    const ids = ["device-no-more", "device-followed"] as const;
    for (const [i, id] of ids.entries()) await clients[i]!.hello({ id });
    const linesOf = async (trace: string): Promise<{ what: string; text: string }[]> =>
      ((await a.ok("trace/get", { trace })) as { lines: { what: string; text: string }[] }).lines;
    await eventually(
      async () => {
        for (const pushId of ids) await b.ok("push", { pushId, json: "1" });
        return linesOf(runs);
      },
      (lines) => lines.some(({ what, text }) => what === "out" && text.includes('"p",1')),
    );
    t.same(await linesOf(ended), []);
    t.match(await whole(b, "trace/stop", { trace: runs }), { trace: { running: false } });
    for (const client of clients) await client.close();
  });

  await t.test(
    "cluster: a lane is sent by its owner at once, whichever node took the call; orders reach it",
    async (t) => {
      const vendors = await startVendors(t, ["fcm"]);
      const fcm = vendors.get("fcm");
      const [a, b] = await nodes(t, { vendors: vendors.config() });
      const one = await phone(t, a, fcm);
      const notification = { android: { title: "T", message: "hello" } };
      const send = async ({ ok }: TestApp, more: object = {}): Promise<string> =>
        String((await ok("notification", { pushId: one.id, timeToLive: 600_000, notification, ...more }))["id"]);
      const lane = async ({ ok }: TestApp): Promise<Record<string, unknown>> => {
        const { lanes } = await ok("lane/list", {});
        return (lanes as Record<string, unknown>[]).find(({ provider }) => provider === "fcm") ?? {};
      };
      t.match(await fcm.shown(await send(a)), [{ token: one.token }]);
      t.match(
        await eventually(
          () => lane(b),
          ({ accepted }) => accepted === 1,
        ),
        { node: /^[ab]$/, accepted: 1 },
      );
      const owner = String((await lane(b))["node"]);
      t.match(await fcm.shown(await send(b)), [{ token: one.token }], "the owner is told");
      t.match(
        await eventually(
          () => lane(b),
          ({ accepted, depth }) => accepted === 2 && depth === 0,
        ),
        { node: owner },
      );
      const sent = (name: string): object[] => (name === owner ? [{ provider: "fcm" }] : []);
      t.match(await whole(b, "node/list"), {
        nodes: [
          { name: "a", state: "alive", lanes: sent("a") },
          { name: "b", state: "here", lanes: sent("b") },
        ],
      });

      fcm.fake.fail("denied", 1000);
      const waiting = await send(b);
      t.match(
        await eventually(
          () => lane(b),
          ({ state }) => state === "stopped",
        ),
        { node: owner, depth: 1, reason: /./ },
      );
      t.match(await b.ok("job/pause", { id: waiting }), { code: "success" });
      fcm.fake.fail("denied", 0);
      const other = owner === "a" ? b : a;
      await other.ok("lane/resume", { provider: "fcm" });
      await eventually(
        () => lane(owner === "a" ? a : b),
        ({ state }) => state === "running",
      );
      t.match(await fcm.shown(await send(b)), [{ token: one.token }]);
      t.equal(fcm.fake.shown.length, 3, "the one that is paused was not sent");
      await b.ok("job/resume", { id: waiting });
      t.match(await fcm.shown(waiting), [{ token: one.token }]);
    },
  );

  await t.test(
    "cluster: metrics of each node carry its name; what is stored is told once, so that sums are right",
    async (t) => {
      const vendors = await startVendors(t, ["fcm"]);
      const [a, b] = await nodes(t, { vendors: vendors.config() });
      const clients = await Promise.all([a, b].map(({ clientPort }) => RawClient.open(clientPort)));
      for (const [i, client] of clients.entries()) await client.hello({ id: `metrics-device-${i}` });
      const one = await phone(t, a, vendors.get("fcm"));
      vendors.get("fcm").fake.fail("denied", 1000);
      await b.ok("notification", { pushId: one.id, timeToLive: 600_000, notification: { android: { title: "T" } } });
      await eventually(
        () => a.ok("lane/list", {}),
        ({ lanes }) => (lanes as Record<string, unknown>[]).some(({ state }) => state === "stopped"),
      );
      await eventually(
        () => b.ok("node/list", {}),
        (told) => (told["nodes"] as unknown[]).length === 2,
      );
      const texts = await Promise.all([a, b].map(async ({ apiUrl }) => (await fetch(`${apiUrl}/metrics`)).text()));
      const series: { series: string; values: string }[] = [];
      for (const [i, text] of texts.entries()) {
        const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
        if (checked.error === undefined) t.match(checked, { status: 0, stdout: "", stderr: "" });
        const name = "ab"[i]!;
        for (const line of text.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
          const [, metric, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
          const node = /(?:^|,)node="(\w+)"/.exec(labels)?.[1];
          if (node !== name && (node !== "all" || name === "b")) t.fail(line);
          const all = `job="pushbox",instance="${name}",${labels}`;
          series.push({ series: `${metric}{${all}}`, values: `${value} ${value}` });
        }
      }
      t.match(texts[0], /^# HELP pushbox_devices Devices stored, of all nodes: told by one of them as node="all"$/m);
      t.match(texts[0], /^pushbox_devices\{node="all"\} 3$/m);
      t.notMatch(texts[1], /^pushbox_(devices|lane_depth)\{/m);

      // As Prometheus would work out what the dashboard asks.
      const expected: Readonly<Record<string, readonly [labels: string, value: number][]>> = {
        "Connections/open": [["", 3]], // the phone, too
        "Connections of each process/{{node}} {{instance}}": [
          ['instance="a", node="a"', 2],
          ['instance="b", node="b"', 1],
        ],
        "Waiting/{{provider}} {{app}}": [[`app="${PACKAGE}", provider="fcm"`, 1]],
        "Devices/{{job}}": [['job="pushbox"', 3]],
        "Processes/{{job}} {{version}}": [[`job="pushbox", version="${version}"`, 2]],
      };
      const panels = Object.values(ROWS).flat();
      const queries = new Map(
        panels.flatMap(({ title, queries }) =>
          queries.map(([expression, legend]) => [`${title}/${legend}`, expression]),
        ),
      );
      const tests = Object.entries(expected).map(([name, samples]) => ({
        expr: (queries.get(name) ?? name).replaceAll("$job", "pushbox").replaceAll("$instance", ".*"),
        eval_time: "1m",
        exp_samples: samples.map(([labels, value]) => ({ labels: `{${labels}}`, value })),
      }));
      const file = join(t.testdir({}), "tests.yml");
      writeFileSync(
        file,
        JSON.stringify({ tests: [{ interval: "1m", input_series: series, promql_expr_test: tests }] }),
      );
      const tried = spawnSync("promtool", ["test", "rules", file], { encoding: "utf8" });
      if (tried.error === undefined) t.match(tried, { status: 0 }, tried.stdout + tried.stderr);
      for (const client of clients) await client.close();
    },
  );

  await t.test("cluster: reload at one node is a reload at both, and says what the other one could not", async (t) => {
    let wrong = false;
    const url = await server.database();
    const shared = { engine: "postgres", postgres: { url, schema: "pushbox" } } as const;
    const a = await startTestApp(t, { ...shared, node: "a", data: t.testdir({}) });
    let reread = 0;
    await startTestApp(t, { ...shared, node: "b", data: t.testdir({}) }, async () => {
      reread++;
      if (wrong) return { problems: ["client.port: write a number"], warnings: [] } as never;
      return { config: a.config, origins: new Map(), warnings: [] };
    });
    await eventually(
      () => a.ok("node/list", {}),
      ({ nodes }) => (nodes as unknown[]).length === 2,
    );
    t.notMatch(await a.ok("config/reload", {}), { warnings: [] });
    t.equal(reread, 1);
    for (const path of ["config/get", "config/diff", "config/reload"])
      t.match(await a.ok(path, {}), { node: "a" }, `${path} is of the node that is asked`);
    wrong = true;
    t.match(await a.ok("config/reload", {}), {
      warnings: [/^node b: nothing was changed: client\.port: write a number/],
    });
  });

  await t.test(
    "cluster: what a node that is stopped (SIGSTOP) would know is missing, and the answer says so",
    async (t) => {
      const url = await server.database();
      const a = await startTestApp(t, {
        ...{ engine: "postgres", node: "a", data: t.testdir({}), postgres: { url, schema: "pushbox" } },
      });
      const cwd = t.testdir({});
      const b = await serve(t, cwd, ["--engine", "postgres", "--postgres-url", url, "--node", "b"]);
      const client = await RawClient.open(Number(new URL(b.clientUrl).port));
      await client.hello({ id: "device-far", platform: "ios", topics: ["room"] });
      const calls: readonly (readonly [string, Record<string, unknown>])[] = [
        ["presence", { pushId: "device-far" }],
        ["topic/list", {}],
        ["topic/get", { topic: "room" }],
        ["topicOnline", { topic: "room" }],
        ["topicDevices", { topic: "room" }],
        ["stats/base", {}],
        ["stats/live", {}],
        ["connection/list", {}],
        ["device/get", { pushId: "device-far" }],
        ["device/list", {}],
        ["lane/list", {}],
        ["hook/list", {}],
        ["trace/list", {}],
        ["search", { text: "device-far" }],
        ["node/list", {}],
      ];
      await eventually(
        () => a.ok("topicOnline", { topic: "room" }),
        ({ count, partial }) => count === 1 && partial === undefined,
      );
      const { connections } = (await whole(a, "connection/list")) as { connections: { connection: string }[] };
      const [{ connection } = { connection: "" }] = connections;
      b.child.kill("SIGSTOP");
      try {
        const silent = { status: 503, body: { message: /^node b\b.* ask again$/ } };
        t.match(await a.post("connection/close", { connection }), silent);
        for (const path of ["trace/get", "trace/stop"])
          t.match(await a.post(path, { trace: "elsewhere" }), silent, path);
        const answers = await Promise.all(
          calls.map(async ([path, fields]) => [path, await a.ok(path, fields)] as const),
        );
        for (const [path, answer] of answers) t.match(answer, { partial: true, silent: ["b"] }, path);
      } finally {
        b.child.kill("SIGCONT");
      }
      for (const [path, fields] of calls)
        t.notOk(
          (
            await eventually(
              () => a.ok(path, fields),
              ({ partial }) => partial !== true,
            )
          )["partial"],
          path,
        );
      await a.post("connection/close", { connection }); // it may have been done when b went on
      await client.closed;
    },
  );
}
