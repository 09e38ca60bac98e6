// What the console and those who look after a server ask of it.
import t from "tap";
import type { Config } from "../../src/config/index.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { client, RawClient } from "../support/clients.ts";
import { takeNoon } from "../support/clock.ts";
import { device, type Fields, jobIn, phone } from "../support/devices.ts";
import { eventually } from "../support/until.ts";
import { startVendors, VENDORS } from "../support/vendors.ts";

const notification = { android: { title: "T" } };

t.test("console: curves of every key by hour and day, arrivals by type, both as CSV", async (t) => {
  takeNoon(t);
  const server = await startTestApp(t);
  const { client, id: pushId } = await device(t, server, { platform: "android" });
  client.emit("stats", { requestStats: [{ path: "=HYPERLINK(1)", totalCount: 4, successCount: 3, totalLatency: 60 }] });
  for (const id of ["n1", "n2"]) {
    await server.ok("notification", { notification: { ...notification, id }, pushId, type: "news" });
    await jobIn(server, id);
  }
  client.emit("notificationReply", { id: "n1" });
  const { types } = await eventually(
    async () => {
      await server.app.settled();
      return server.ok("stats/types", { days: 2 });
    },
    ({ types }) => (types as Fields[]).some(({ arrive }) => arrive === 1),
  );
  t.match(types, [
    {
      type: "news",
      notifications: 2,
      target: 2,
      arrive: 1,
      click: 0,
      arrivalRate: "50.00%",
      days: [{ notifications: 2 }],
    },
  ]);

  const { series, step, from } = await server.ok("stats/series", { days: 1 });
  const line = (series as Fields[]).find(({ key }) => key === "=HYPERLINK(1)") as Record<string, number[]>;
  t.equal(step, 3_600_000);
  t.equal(line["count"]?.length, 24);
  t.match(
    { ...line, rate: undefined },
    { count: { 23: 4 }, success: { 23: 3 }, error: { 23: 0 }, latency: { 23: 20 } },
    "the current hour is the last",
  );
  t.ok(Number(from) + 23 * Number(step) <= Date.now());
  t.notMatch(await server.ok("stats/getQueryDataKeys", {}), /live:/);
  const day = await server.ok("stats/series", { key: "call:/notification", days: 30, by: "day" });
  t.equal(((day["series"] as Fields[])[0] as Record<string, number[]>)["count"]?.at(-1), 2);

  const text = async (path: string) => (await fetch(`${server.apiUrl}/api/${path}`)).text();
  const rows = (await text("stats/series?days=1&format=csv")).split("\r\n");
  t.equal(rows[0], "time,key,count,success,error,rate_per_second,latency_ms,success_rate");
  t.ok(
    rows.some((row) => /^\d{4}-\d\d-\d\dT\d\d:00:00.000Z,'=HYPERLINK\(1\),4,3,0,[\d.]+,20,0.75$/.test(row)),
    "what a spreadsheet would take for a formula is text",
  );
  t.match(await text("stats/types?format=csv"), /^day,type,.*\r\n\d{4}-\d\d-\d\d,news,2,2,0,1,0,0\r\n$/);
  for (const [fields, message] of [
    [{ by: "week" }, "by must be hour or day"],
    [{ format: "xls" }, "format must be json or csv"],
    [{ days: 31 }, "days must be a whole number from 1 to 30"],
  ] as const)
    t.match(await server.post("stats/series", fields), { status: 400, body: { message } });
});

t.test("console 13: connections by what they are, and the end of one", async (t) => {
  const server = await startTestApp(t);
  const { client: old, id } = await device(t, server, { topics: ["a", "b"] });
  await server.ok("uid/bind", { pushId: id, uid: "ann" });
  const polling = client(t, server, 4, {}, "polling");
  await polling.hello({ id: "polling-device-1", platform: "ios" });
  const silent = await RawClient.open(server.clientPort);
  t.teardown(() => silent.close());
  const list = async (filter: Fields = {}) =>
    (await server.ok("connection/list", filter))["connections"] as Record<string, unknown>[];
  const all = await server.ok("connection/list", {});
  t.match(all, { looked: 3, open: 3, partial: undefined });
  t.equal((all["connections"] as unknown[]).length, 3);
  const [ios] = await list({ platform: "ios" });
  t.match(ios, { pushId: "polling-device-1", transport: "polling", revision: 4, address: "127.0.0.1", topics: 0 });
  t.match(await list({ transport: "polling" }), [{ pushId: "polling-device-1" }]);
  t.match(await list({ revision: 3, platform: "android" }), [{ pushId: id, uid: "ann", topics: 2, waiting: 0 }]);
  t.equal((await list({ address: "127.0.0.1", olderThan: 0, limit: 2 })).length, 2);
  t.same(await list({ address: "192.0.2.7" }), []);
  t.same(await list({ olderThan: "1h" }), []);
  t.equal((await list({ youngerThan: "1h" })).length, 3);
  t.same(await list({ waiting: 1 }), [], "nobody is slow");
  const [view] = await list({ revision: 3, platform: "android" });
  t.notMatch(JSON.stringify(all), /"sid"|socketId/, "what a session could be taken over by is not told");
  t.same(await server.ok("connection/close", { connection: view?.["connection"] }), { code: "success" });
  await old.closed;
  t.match(await server.post("connection/close", { connection: view?.["connection"] }), { status: 404 });
  t.match(await server.post("connection/close", { connection: "nonsense" }), { status: 404 });
  t.match(await server.post("connection/list", { transport: "carrier pigeon" }), { status: 400 });
});

const linesOf = async (server: TestApp, trace: unknown): Promise<readonly string[]> =>
  ((await server.ok("trace/get", { trace, limit: 1000 }))["lines"] as Fields[]).map(
    ({ what, text }) => `${what}: ${text}`,
  );

t.test("console 11: a trace follows a device from its hello to its end, and no token is in it", async (t) => {
  const vendors = await startVendors(t, ["xiaomi"]);
  const server = await startTestApp(t, { vendors: vendors.config() });
  const pushId = "traced-device-1";
  const { trace } = (await server.ok("trace/start", { pushId })) as { trace: Fields };
  t.match(trace, { pushId, running: true, lines: 0 });
  const other = await device(t, server);
  const raw = await RawClient.open(server.clientPort);
  const token = vendors.get("xiaomi").token(1);
  await raw.hello({
    id: pushId,
    topics: ["news"],
    token: { type: "xiaomi", token, package_name: vendors.get("xiaomi").app },
  });
  raw.emit("authorize", "a-secret-of-any-form");
  await server.ok("push", { pushId, json: "to the device" });
  await server.ok("push", { topic: "news", json: "to the topic" });
  await server.ok("push", { pushId: other.id, json: "to another" });
  await server.ok("notification", { pushId, notification: { ...notification, id: "n1" } });
  await jobIn(server, "n1");
  raw.emit("unsubscribeTopic", { topic: "news" });
  await raw.settle();
  await raw.close();
  const lines = await eventually(
    () => linesOf(server, trace["trace"]),
    (found) => found.some((line) => line.includes("the connection is closed")),
  );
  const order = [
    /^in: 42\["pushId",.*"token":"\*\*\*"/,
    /^decision: followed: websocket, revision 3, 127\.0\.0\.1/,
    /^decision: joined news/,
    /^out: 42\["pushId",\{"id":"traced-device-1"/,
    /^in: 42\["authorize","\*\*\*"\]/,
    /^out: 42\["p","to the device"/,
    /^out: 42\["p","to the topic"/,
    /^decision: prepared .*"id":"n1","way":"xiaomi /,
    /^decision: vendor answered .*"kind":"accepted"/,
    /^in: 42\["unsubscribeTopic"/,
    /^decision: left news/,
    /^decision: the connection is closed: transport close/,
  ];
  let at = -1;
  for (const wanted of order) {
    const found = lines.findIndex((line, i) => i > at && wanted.test(line));
    t.ok(found > at, `${wanted} in\n${lines.join("\n")}`);
    at = found;
  }
  t.notMatch(lines.join("\n"), /to another|a-secret-of-any-form/);
  t.notOk(lines.join("\n").includes(token), "nor is a vendor's token");

  t.match(await server.ok("trace/stop", { trace: trace["trace"] }), { trace: { running: false } });
  const { next } = await server.ok("trace/get", { trace: trace["trace"] });
  await server.ok("push", { pushId, json: "later" });
  t.match(await server.ok("trace/get", { trace: trace["trace"], after: next }), { lines: [], next });
});

t.test("console 11: a topic, an address and who is there already; ten traces, and no eleventh", async (t) => {
  const server = await startTestApp(t);
  const { client: there, id } = await device(t, server, { topics: ["room"] });
  await server.ok("uid/bind", { pushId: id, uid: "ann" });
  const start = async (target: Fields) =>
    ((await server.ok("trace/start", target))["trace"] as Fields)["trace"] as string;
  const topic = await start({ topic: "room", minutes: 1 });
  const user = await start({ uid: "ann" });
  const address = await start({ address: "127.0.0.1" });
  const late = await device(t, server, { topics: ["room"] });
  await server.ok("push", { topic: "room", json: "hi" });
  there.emit("unsubscribeTopic", { topic: "room" });
  await there.settle();
  t.match(
    (await linesOf(server, topic)).join("\n"),
    new RegExp(`joined room[\\s\\S]*out: to 2 connections: 42\\["p","hi"[\\s\\S]*left room: ${id}`),
  );
  t.match(
    (await linesOf(server, user)).join("\n"),
    /followed[\s\S]*out: 42\["p","hi"[\s\S]*in: 42\["unsubscribeTopic"/,
  );
  const everything = (await linesOf(server, address)).join("\n");
  t.match(everything, new RegExp(`in: 42\\["pushId",.*${late.id}`), "who comes later is followed from its first word");

  for (let i = 0; i < 7; i++) await server.ok("trace/start", { topic: `t${i}` });
  t.match(await server.post("trace/start", { topic: "one more" }), {
    status: 409,
    body: { message: /10 traces are running/ },
  });
  await server.ok("trace/stop", { trace: topic });
  await server.ok("trace/start", { topic: "one more" });
  t.match(await server.post("trace/get", { trace: topic }), { status: 404 }, "the one that had ended made room");
  t.equal(((await server.ok("trace/list", {}))["traces"] as unknown[]).length, 10);
  for (const [fields, message] of [
    [{}, "exactly one of pushId, uid, address, topic is required: whom or what to follow"],
    [{ pushId: "a", topic: "b" }, "exactly one of pushId, uid, address, topic is required: whom or what to follow"],
    [{ topic: "a", minutes: 61 }, "minutes must be a whole number from 1 to 60"],
  ] as const)
    t.match(await server.post("trace/start", fields), { status: 400, body: { message } });
  await server.app.settled();
  t.match(await server.ok("audit/list", { action: "trace/start", limit: 1 }), {
    entries: [{ action: "/trace/start" }],
  });
});

t.test("console 15: every setting with its origin, what a reload would change, and the reload", async (t) => {
  const key = "a-key-that-nobody-may-see-1";
  let problems: readonly string[] = [];
  let next: Partial<Config["client"]> = {};
  const server: TestApp = await startTestApp(t, { api: { keys: [{ name: "shop", key }] } }, async () => {
    const config: Config = { ...server.config, logLevel: "warn", client: { ...server.config.client, ...next } };
    return problems.length > 0
      ? { problems, warnings: [], vendors: config.vendors }
      : { config, origins: new Map([["log_level", "pushbox.toml:7"]]), warnings: ["a warning"] };
  });
  const ask = async (path: string) => {
    const answer = await fetch(`${server.apiUrl}/api/${path}`, { headers: { "x-api-key": key } });
    return { status: answer.status, body: (await answer.json()) as Fields };
  };
  const setting = async (name: string) =>
    ((await ask("config/get")).body["settings"] as Fields[]).find((one) => one["name"] === name);
  t.match(await setting("log_level"), { value: "info", origin: "default", live: true, why: /logged/ });
  const all = JSON.stringify((await ask("config/get")).body);
  t.match(all, /"name":"shop"/);
  t.notOk(all.includes(key), "a key is masked");

  next = { maxTopics: 7 };
  const changes = [
    { name: "log_level", before: "info", after: "warn", takes: "reload" },
    { name: "client.max_topics", before: server.config.client.maxTopics, after: 7, takes: "restart" },
  ];
  t.match(await ask("config/diff"), { status: 200, body: { changes, warnings: ["a warning"] } });
  t.match(await setting("log_level"), { value: "info" }, "asking changes nothing");

  problems = ["pushbox.toml:9: api.port: 99999 does not fit; write a whole number from 0 to 65_535"];
  t.match(await ask("config/diff"), { status: 200, body: { changes: [], problems } });
  t.match((await ask("config/diff?lang=zh")).body, {
    problems: ["pushbox.toml:9：api.port：99999 不符合要求；请写 0 到 65_535 之间的整数"],
  });
  t.match(await ask("config/reload"), { status: 409, body: { message: `nothing was changed: ${problems}` } });
  t.match(await setting("log_level"), { value: "info" });

  problems = [];
  t.match(await ask("config/reload"), { status: 200, body: { changes, warnings: ["a warning"] } });
  t.match(await setting("log_level"), { value: "warn", origin: "pushbox.toml:7" });
  t.match(await setting("client.max_topics"), { value: server.config.client.maxTopics, origin: "default" });
  t.match((await ask("config/diff")).body, { changes: [{ name: "client.max_topics" }] }, "still waits for a restart");
});

t.test(
  "console 10: every vendor can be asked without sending anything to anybody, and says what it thinks of us",
  async (t) => {
    const vendors = await startVendors(t, VENDORS);
    const server = await startTestApp(t, { vendors: vendors.config() });
    for (const name of VENDORS) {
      const { app, fake, server: there } = vendors.get(name);
      const host = name === "webpush" ? new URL(there.url).host : undefined;
      const lane = { provider: name, app, ...(host === undefined ? {} : { host }) };
      const test = await server.ok("lane/test", lane);
      t.match(
        test,
        { verdict: "well", text: "the vendor takes our credentials", tried: /nobody has/ },
        `${name} ${JSON.stringify(test)}`,
      );
      t.ok(there.requests.length > 0, `${name} was asked`);
      t.same(
        fake.shown.filter(({ id }) => id === "Test"),
        [],
      );
      t.match(await server.post("lane/test", lane), { status: 409 }, "not as often as one likes");
    }
    t.match(await server.post("lane/test", { provider: "fcm", app: "unknown" }), { status: 404 });
    t.match(await server.post("lane/test", { provider: "fcm" }), { status: 400 });
    t.same((await server.ok("job/list", {}))["jobs"], [], "no job came of it");
  },
);

t.test(
  "console 10: a lane test tells wrong credentials from a vendor that cannot be reached; lanes say how they are",
  async (t) => {
    const vendors = await startVendors(t, ["xiaomi", "fcm"]);
    const wrong = { xiaomi: [{ ...vendors.get("xiaomi").entry, app_secret: "wrong" }] };
    const server = await startTestApp(t, { vendors: vendors.config(wrong) });
    const { app } = vendors.get("xiaomi");
    t.match(await server.ok("lane/test", { provider: "xiaomi", app }), {
      verdict: "denied",
      text: /refuses our credentials/,
      reason: /./,
    });
    await vendors.get("fcm").server.close();
    t.match(await server.ok("lane/test", { provider: "fcm", app: vendors.get("fcm").app }), { verdict: "trouble" });
    const { id } = await phone(t, server, vendors.get("xiaomi"));
    await server.ok("notification", { pushId: id, notification });
    const lanes = await eventually(
      async () => (await server.ok("lane/list", {}))["lanes"] as Fields[],
      (all) => all.some(({ state }) => state === "stopped"),
    );
    t.match(lanes.map(({ text }) => text).sort(), [
      /^running, nothing waits$/,
      /^stopped: .*; correct the credentials and reload; one delivery is tried at \d{4}-/,
    ]);
  },
);

t.test("console 1: one box finds a device, a user, a token, a notification, a job and a topic", async (t) => {
  const vendors = await startVendors(t, ["xiaomi"]);
  const server = await startTestApp(t, { vendors: vendors.config() });
  const { id: pushId, token } = await phone(t, server, vendors.get("xiaomi"), { topics: ["room:1", "room:2"] });
  await server.ok("uid/bind", { pushId, uid: "ann" });
  const later = { sendAt: Date.now() + 3_600_000, tag: "beta" };
  await server.ok("notification", { ...later, notification: { ...notification, id: "campaign" } });
  const { job } = await server.ok("job/get", { id: "campaign" });
  const find = async (text: unknown) => (await server.ok("search", { text }))["found"];
  t.match(await find(pushId), [{ kind: "device", name: pushId, uid: "ann" }]);
  t.match(await find(pushId.slice(0, -2)), [{ kind: "device", name: pushId }], "a beginning is enough");
  t.match(await find(" ann "), [{ kind: "user", name: "ann", devices: 1 }]);
  t.match(await find(token), [{ kind: "token", name: pushId, type: "xiaomi" }]);
  t.match(await find("campaign"), [{ kind: "notification", name: "campaign", text: "T", state: "scheduled", job }]);
  t.match(await find(`#${String(job)}`), [{ kind: "notification", name: "campaign", job }]);
  t.match(await find("room:"), [
    { kind: "topic", name: "room:1", count: 1 },
    { kind: "topic", name: "room:2", count: 1 },
  ]);
  t.same(await find("nothing of that name"), []);
  t.match(await server.post("search", {}), { status: 400, body: { message: "text is required: what to look for" } });
});

t.test("console 3 and 4: test devices, and when the same audience was last sent something", async (t) => {
  const server = await startTestApp(t, { api: { keys: [{ name: "shop", key: "a-key-that-is-long-enough-1" }] } });
  const ask = async (path: string, fields: Fields) => {
    const headers = { "x-api-key": "a-key-that-is-long-enough-1", "content-type": "application/json" };
    const answer = await fetch(`${server.apiUrl}/api/${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(fields),
    });
    return { status: answer.status, body: (await answer.json()) as Fields };
  };
  const { id: pushId } = await device(t, server);
  await ask("device/test/add", { pushId, note: "Ann's phone" });
  await ask("device/test/add", { pushId: "not-there-yet-1" });
  const { body } = await ask("device/test/list", {});
  t.match(body["devices"], [
    { pushId, note: "Ann's phone", who: "shop", known: true, connected: true },
    { pushId: "not-there-yet-1", note: "", known: false, connected: false },
  ]);
  t.match((await ask("device/test/list", { who: "others" })).body, { devices: [] });
  await ask("device/test/add", { pushId, note: "Ann's old phone" });
  await ask("device/test/remove", { pushId: "not-there-yet-1" });
  t.match((await ask("device/test/list", {})).body["devices"], [{ note: "Ann's old phone" }]);
  t.match(await ask("device/test/remove", { pushId: "never-was-1" }), { status: 404 });
  t.match(await ask("device/test/add", {}), { status: 400 });

  t.notOk("job" in (await ask("job/last", { pushAll: true })).body, "never yet");
  const later = { sendAt: Date.now() + 3_600_000 };
  for (const [id, target] of [
    ["all", { pushAll: true }],
    ["beta", { tag: "beta" }],
    ["gamma", { tag: "gamma" }],
    ["counted", { pushAll: true, dryRun: true }],
  ] as const)
    await ask("notification", {
      ...target,
      ...("dryRun" in target ? {} : later),
      notification: { ...notification, id },
    });
  t.match((await ask("job/last", { pushAll: true })).body, { job: { id: "all" } }, "one that only counts is none");
  t.match((await ask("job/last", { tag: "beta" })).body, { job: { id: "beta" } });
  t.notOk("job" in (await ask("job/last", { tag: "delta" })).body);
  t.match(await ask("job/last", {}), { status: 400 });
});

t.test(
  "console 8 and 14: what failed alike, by the hour and with a remedy; a topic's rates and what is kept for it",
  async (t) => {
    const vendors = await startVendors(t, ["fcm"]);
    const server = await startTestApp(t, { vendors: vendors.config() });
    const lost = await Promise.all([1, 2].map(() => phone(t, server, vendors.get("fcm"))));
    for (const { token } of lost) vendors.get("fcm").fake.tokens.set(token, "dead");
    const { id } = await server.ok("notification", { pushId: lost.map(({ id: one }) => one), notification });
    await jobIn(server, id);
    const { groups } = await server.ok("delivery/list", {});
    const [group] = groups as Fields[];
    t.match(group, { provider: "fcm", state: "gone", count: 2, text: /./, remedy: /./ });
    t.same(new Set(group?.["pushIds"] as string[]), new Set(lost.map(({ id: one }) => one)));
    const trend = group?.["trend"] as number[];
    t.same([trend.length, trend.reduce((sum, one) => sum + one, 0)], [24, 2]);

    await device(t, server, { topics: ["news"] });
    await server.ok("topic/get", { topic: "news" });
    await server.ok("push", { topic: "news", json: { a: "kept" }, timeToLive: "1h" });
    await server.ok("push", { topic: "news", json: "not kept" });
    const topic = await eventually(
      () => server.ok("topic/get", { topic: "news" }),
      ({ rates }) => (rates as Record<string, number>)["kept"]! > 0,
    );
    const { in: came = 0, out = 0, kept = 0 } = topic["rates"] as Record<string, number>;
    t.same([came >= kept, out >= kept, kept > 0], [true, true, true]);
    t.match(topic, { topic: "news", count: 1, kept: [{ event: "p", text: '{"a":"kept"}', size: 12 }] });
    t.match(await server.ok("topic/get", { topic: "nobody" }), { count: 0, kept: [], rates: { seconds: 0 } });
  },
);
