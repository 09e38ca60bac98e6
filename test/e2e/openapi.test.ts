// The description of the API, held against real answers of every route: what it does not say is not answered, what it says is.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import t from "tap";
import { ENDPOINTS } from "../../src/api/endpoints/index.ts";
import type { EndpointSpec } from "../../src/api/endpoints/spec.ts";
import { openApi } from "../../src/api/openapi.ts";
import { version } from "../../src/app/version.ts";
import { FIGURES, FIGURES_ZH } from "../../src/core/figures.ts";
import { startTestApp } from "../support/app.ts";
import { absent, deliveriesOf, device, type Fields, jobIn, phone } from "../support/devices.ts";
import { run } from "../support/process.ts";
import { startReceiver } from "../support/receiver.ts";
import { misfits } from "../support/schema.ts";
import { auth } from "../support/tokens.ts";
import { eventually } from "../support/until.ts";
import { startVendors } from "../support/vendors.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly schema: Fields }[];
  readonly responses: Readonly<
    Record<string, { readonly content: { readonly "application/json": { readonly schema: Fields } } }>
  >;
}
interface Described extends Fields {
  readonly paths: Readonly<Record<string, { readonly get: Operation; readonly post: Operation } & Fields>>;
}

/** What a description says to people. */
const textsOf = (value: unknown): readonly string[] =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([name, one]) =>
        typeof one === "string" && (name === "description" || name === "summary") ? [one] : textsOf(one),
      );

const document = openApi(version) as unknown as Described;

t.test("every route answers as it is described, and errors too", async (t) => {
  const vendors = await startVendors(t, ["fcm", "xiaomi"]);
  const wrong = { xiaomi: [{ ...vendors.get("xiaomi").entry, app_secret: "wrong" }] };
  const backend = await startReceiver(t);
  const server = await startTestApp(t, {
    vendors: vendors.config(wrong),
    client: { auth: auth() },
    hooks: {
      topics: ["news"],
      tell: [{ name: "backend", url: backend.url, secret: [backend.secret], events: ["*"], allow_private: true }],
    },
  });
  const held = new Set<string>();

  async function call(path: string, fields: Fields, described = `/api/${path}`): Promise<Fields> {
    const answer = await fetch(`${server.apiUrl}/api/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(fields),
    });
    const body: unknown = await answer.json();
    const { responses } = document.paths[described]!.get;
    t.equal(answer.status, 200, `${path} ${JSON.stringify(body)}`);
    const { schema } = responses["200"]!.content["application/json"];
    t.strictSame(misfits(body, schema, document), [], `${path} ${JSON.stringify(fields)}`);
    held.add(described);
    return body as Fields;
  }

  const connected = await device(t, server, { platform: "android", topics: ["news"], tags: ["app_1.2"] });
  const { id: pushId } = connected;
  const fcm = await phone(t, server, vendors.get("fcm"));
  const [away] = await absent(server, vendors.get("xiaomi"), 1);
  const notification = { android: { title: "T", message: "m" }, apn: { alert: "a" } };

  await call("uid/bind", { pushId, uid: "ann", platform: "android", platformLimit: 2, timeToLive: "7d" });
  await call("push", { topic: "news", json: { a: 1 }, timeToLive: "1h" });
  await call("push", { pushId, json: "x", unknown: 1 });
  await call("device/get", { pushId });
  await call("device/get", { pushId: "nobody-of-that-name" });
  await call("device/get", { pushId: [pushId, fcm.id] });
  await call("isConnected", { uid: "ann" });
  for (const which of [{ prefix: pushId }, { uid: "ann" }, { tag: "app_1.2" }, { token: "none" }, { limit: 1 }])
    await call("device/list", which);
  for (const path of ["topicOnline", "topicDevices"]) await call(path, { topic: "news" });
  await call("topicDevices", { topic: "noti", limit: 1 });
  await call("topic/list", { prefix: "n", limit: 1 });
  await call("presence", { uid: ["ann", "bob"] });
  await call("presence", { pushId });
  await call("subscribe", { topic: "room", uid: "ann" });
  await call("unsubscribe", { topic: "room", uid: "ann", hold: "1m" });
  await call("connection/list", { platform: "android" });
  await call("node/list", {});
  const { trace } = (await call("trace/start", { pushId }))["trace"] as Fields;
  await call("push", { pushId, json: 1 });
  await call("trace/get", { trace });
  await call("trace/list", {});
  await call("trace/stop", { trace });
  await call("redis/get", { key: `pushIdSocketId#${pushId}` });

  // A vendor that takes it, one that refuses our credentials, a connection; a job that waits and is then ended.
  const { id } = await call("notification", {
    pushId: [pushId, fcm.id, away!.id],
    notification,
    timeToLive: "1h",
    type: "info",
  });
  await eventually(
    () => deliveriesOf(server, id),
    (all) => all.some(({ state }) => state === "accepted"),
  );
  await call("notification/get", { id });
  await call("notification/preview", { notification });
  const reached = await call("reach", { uid: ["ann", "bob"], json: { a: 1 }, notification, fallbackAfter: 0 });
  await eventually(
    () => call("notification/get", { id: reached["id"], limit: 1 }),
    (found) => (found["users"] as readonly Fields[]).length > 0,
  );
  for (const one of [pushId, fcm.id, away!.id, "nobody-of-that-name"])
    await call("notification/why", { id, pushId: one });
  await call("notification", { pushAll: true, dryRun: true, notification });
  const quiet = { quietHours: "00:00-23:59", timeZone: "UTC" };
  await call("notification", { pushId, notification, timeToLive: "2d", ...quiet });
  const later = await call("notification", { tag: "app_1.2", notification, sendAt: Date.now() + 3_600_000, rate: 5 });
  await call("job/get", { id: later["id"] });
  await call("job/rate", { id: later["id"], rate: 7 });
  for (const order of ["pause", "resume", "cancel"]) await call(`job/${order}`, { id: later["id"] });
  await call("job/list", { limit: 1 });
  await eventually(
    () => call("lane/list", {}),
    ({ lanes }) => (lanes as Fields[]).some(({ state }) => state === "stopped"),
  );
  await call("lane/resume", { provider: "xiaomi" });
  await call("lane/test", { provider: "fcm", app: vendors.get("fcm").app });
  await call("topic/get", { topic: "news" });
  await call("device/test/add", { pushId, note: "mine" });
  await call("device/test/list", {});
  await call("device/test/remove", { pushId });
  for (const text of [pushId, "ann", fcm.token, id, "new"]) await call("search", { text });
  await call("job/last", { pushAll: true });
  await call("job/last", { tag: "app_1.2" });

  vendors.get("fcm").fake.fail("gone", 1);
  const lost = await call("notification", { pushId: fcm.id, notification });
  await jobIn(server, lost["id"]);
  await call("device/get", { pushId: fcm.id });
  await call("delivery/list", {});
  await call("delivery/retry", { state: "gone", dryRun: true });

  await server.app.settled();
  await call("stats/base", {});
  await call("stats/getQueryDataKeys", {});
  for (const key of ["call:/push", "nothing"]) await call("stats/chart", { key });
  const arrival = "/api/stats/arrival/{type}";
  await call("stats/arrival/info", {}, arrival);
  await call("stats/arrival/info", { id }, arrival);
  await call("stats/arrival/info", { id: "unknown" }, arrival);
  await call("apn", { notification, bundleId: "com.a", tokens: ["ab"] });
  await call("stats/live", { minutes: 2, hours: 2 });
  await call("stats/series", { days: 1 });
  await call("stats/series", { key: ["call:/push"], by: "day", days: 30 });
  await call("stats/types", {});
  for (const path of ["config/get", "config/diff", "config/reload"]) await call(path, {});
  await call("audit/list", { limit: 3 });
  for (const path of ["config", "heap"]) await call(path, {});
  t.strictSame(await call("openapi.json", {}), JSON.parse(JSON.stringify(document)));
  const chinese = (await call("openapi.json", { lang: "zh" })) as Described;
  t.same(Object.keys(chinese.paths), Object.keys(document.paths), "nothing but texts differs");
  t.equal(chinese.paths["/api/job/pause"]?.["summary"], "暂停任务：继续之前不再发送。");
  t.same(
    textsOf(chinese).filter((text) => !/[\u4e00-\u9fff]/.test(text) && !text.includes("#<pushId>")),
    [],
  );
  const settings = (await call("config/get", { lang: "zh" }))["settings"] as readonly { name: string; why: string }[];
  t.equal(settings.find(({ name }) => name === "client.max_tags")?.why, "单台设备的标签数上限。");
  t.same(
    settings.filter(({ why }) => !/[\u4e00-\u9fff]/.test(why)),
    [],
  );
  const refused = await fetch(`${server.apiUrl}/api/config/get?lang=fr`);
  t.equal(refused.status, 400);
  const mine = (await call("connection/list", {}))["connections"] as Fields[];
  await call("connection/close", { connection: mine.find((one) => one["pushId"] === fcm.id)?.["connection"] });
  await call("disconnect", { uid: "ann" });
  await call("uid/remove", { uid: "ann" });
  await call("device/delete", { pushId });

  await eventually(
    () => call("event/list", { limit: 2 }),
    ({ events }) => (events as unknown[]).length > 0,
  );
  await call("event/replay", { hook: "backend", from: Date.now() - 60_000 });
  await call("hook/test", { name: "backend" });
  await call("hook/dead", { name: "backend" });
  await call("hook/list", {});
  await call("hook/resume", {});
  const stream = await fetch(`${server.apiUrl}/api/events?after=0`);
  const [[media, { schema }] = ["", { schema: {} }]] = Object.entries(
    document.paths["/api/events"]!.get.responses["200"]!.content,
  );
  t.match(stream.headers.get("content-type"), media);
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!/^data: .*\n\n/m.test(text)) text += (await reader.read()).value ?? "";
  const fields = [...text.matchAll(/^(\w+): /gm)].map(([, name]) => name).filter((name) => name !== "retry");
  const described = [...String(schema["description"]).matchAll(/`(\w+)`/g)].map(([, name]) => name);
  t.strictSame(new Set(fields), new Set(described), "an event of the stream has the fields that are described");
  await reader.cancel();
  held.add("/api/events");

  await call("auth/revoke", { uid: "nobody" });

  t.strictSame(new Set(Object.keys(document.paths)), held, "every route was asked, and every one is described");

  const error = document.paths["/api/push"]!.get.responses["default"]!.content["application/json"].schema;
  for (const path of ["push", "push?topic=a", "job/get?id=unknown", "nope", "push?topic=a&josn=1"]) {
    const answer = await fetch(`${server.apiUrl}/api/${path}`);
    t.ok(answer.status >= 400);
    t.strictSame(misfits(await answer.json(), error, document), [], path);
  }
});

t.test("bounds that are described are those that are checked", async (t) => {
  const server = await startTestApp(t);
  // What else a call needs, so that the bounds are looked at.
  const needed: Readonly<Record<string, Fields>> = {
    "/api/notification": { pushId: "a", notification: { android: { title: "T" } } },
    "/api/reach": { uid: "a", json: 1, notification: { android: { title: "T" } } },
    "/api/notification/get": { id: "unknown" },
    "/api/job/rate": { id: "unknown" },
    "/api/topicDevices": { topic: "a" },
    "/api/hook/dead": { name: "unknown" },
    "/api/trace/start": { topic: "a" },
    "/api/trace/get": { trace: "unknown" },
    "/api/delivery/retry": { state: "gone", dryRun: true },
  };
  let looked = 0;
  for (const [path, { get }] of Object.entries(document.paths)) {
    for (const { name, schema } of get.parameters ?? []) {
      const { minimum, maximum } = schema as { minimum?: number; maximum?: number };
      if (minimum === undefined || maximum === undefined) continue;
      for (const [value, fits] of [
        ...([
          [minimum, true],
          [minimum - 1, false],
          [maximum, true],
        ] as const),
        ...(maximum < Number.MAX_SAFE_INTEGER ? ([[maximum + 1, false]] as const) : []),
      ]) {
        const { body } = await server.postJson(path.slice("/api/".length), { ...needed[path], [name]: value });
        const told = `${name} must be a whole number from ${minimum} to ${maximum}`;
        t.equal(body["message"] === told, !fits, `${path} ${name}=${value}: ${JSON.stringify(body["message"])}`);
        looked++;
      }
    }
  }
  t.ok(looked >= 20);
});

t.test("no name is used for two operations, and each parameter says what it is", (t) => {
  const names = Object.values(document.paths).flatMap(({ get, post }) => [get.operationId, post.operationId]);
  t.equal(new Set(names).size, names.length);
  for (const [path, { takes, about }] of Object.entries(ENDPOINTS)) {
    t.match(about, /\.$/, path);
    for (const [name, schema] of Object.entries(takes))
      t.ok(schema["description"] ?? schema["enum"], `${path} ${name}`);
  }
  t.end();
});

t.test("console: each figure means the same in the console, the description and the README", (t) => {
  const readme = readFileSync(resolve(import.meta.dirname, "../../src/api/README.md"), "utf8");
  const [, table = ""] = /## 7\. What the figures mean[\s\S]*?\| --- \|.*\n([\s\S]*)$/.exec(readme) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)` \| (.*) \| (.*) \|$/gm)];
  t.same(Object.fromEntries(rows.map(([, name, text]) => [name, text])), FIGURES);
  t.same(Object.fromEntries(rows.map(([, name, , chinese]) => [name, chinese])), FIGURES_ZH);
  const description = JSON.stringify(document);
  for (const name of [
    "accepted",
    "sent",
    "queued",
    "waiting",
    "failed",
    "depth",
    "rate",
    "online",
    "everybody",
  ] as const)
    t.ok(description.includes(FIGURES[name]), name);
  for (const [name, chinese] of Object.entries(FIGURES_ZH)) t.match(chinese, /[\u4e00-\u9fff]/, name);
  t.end();
});

t.test("pushbox openapi prints it", async (t) => {
  const { code, out } = await run(t.testdir(), "openapi");
  t.equal(code, 0);
  t.strictSame(JSON.parse(out), JSON.parse(JSON.stringify(document)));
});

t.test("the README names every call that is noted in the audit log", (t) => {
  const readme = readFileSync(resolve(import.meta.dirname, "../../src/api/README.md"), "utf8");
  const [, section = ""] = /^### 6\.4 .*?\n(.*?)^### /ms.exec(readme) ?? [];
  const specs: readonly (readonly [string, EndpointSpec])[] = Object.entries(ENDPOINTS);
  const noted = specs.filter(([, { audited }]) => audited === "always").map(([path]) => path.slice(1));
  const [, named = ""] = /Noted are(.*?)Not what/s.exec(section) ?? [];
  t.strictSame(new Set([...named.matchAll(/`([^`]+)`/g)].map(([, path]) => path)), new Set(noted));
  t.end();
});
