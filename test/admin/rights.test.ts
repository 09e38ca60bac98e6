// What a login at the console may do: roles, the password again for what reaches far, and nothing for pages elsewhere.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ENDPOINTS } from "../../src/api/endpoints/index.ts";
import { createAuthority } from "../../src/lab/authority.ts";
import { startTestApp } from "../support/app.ts";
import { choices } from "../support/choices.ts";
import { takeClock } from "../support/clock.ts";
import { addUsers, Browser, type Headers, PASSWORD, startConsole } from "../support/console.ts";

const paths = Object.entries(ENDPOINTS).map(([path, { access }]) => ({
  path: `/api${path.replace("/:type", "/info")}`,
  access,
}));
const notification = { android: { title: "hi" } };
/** Calls whose reach depends on what they ask for. */
const calls: readonly (readonly [path: string, fields: object, access: "read" | "change" | "grave"])[] = [
  ["/api/notification", { pushAll: true, notification, dryRun: true }, "read"],
  ["/api/notification", { pushId: "a-device-1234", notification }, "change"],
  ["/api/notification", { pushAll: true, notification }, "grave"],
  ["/api/notification", { tag: "beta", notification }, "grave"],
  ["/api/delivery/retry", { state: "expired", dryRun: true }, "read"],
  ["/api/delivery/retry", { delivery: [1] }, "change"],
  ["/api/delivery/retry", { delivery: [1, 2] }, "grave"],
  ["/api/delivery/retry", {}, "grave"],
  ["/api/disconnect", { pushId: "a-device-1234" }, "change"],
  ["/api/disconnect", { topic: "news" }, "grave"],
];

t.test("console: a viewer reads everything and changes nothing", async (t) => {
  const { vic } = await startConsole(t);
  for (const { path, access } of paths) {
    if (path === "/api/events" || typeof access === "function") continue;
    const { status, body } = await vic.post(path);
    if (access === "read") t.ok(status !== 401 && status !== 403, `${path}: ${status}`);
    else
      t.match(
        { status, body },
        { status: 403, body: { message: "vic is a viewer, who may look and change nothing" } },
        path,
      );
  }
  for (const [path, fields, access] of calls)
    t.equal((await vic.post(path, fields)).status === 403, access !== "read", `${path} ${JSON.stringify(fields)}`);
  t.match(await vic.post("/admin/confirm", { password: PASSWORD }), { status: 200 });
  t.match(await vic.post("/api/device/delete", { pushId: "a-device-1234" }), { status: 403 });
});

t.test("console: what reaches far needs the password again, for five minutes", async (t) => {
  const clock = takeClock(t);
  const { ann } = await startConsole(t);
  const confirm = { status: 403, body: { code: "error", confirm: true, message: /password/ } };
  const asks = async (path: string, fields: object = {}) => (await ann.post(path, fields)).body["confirm"] === true;
  for (const { path, access } of paths)
    if (path !== "/api/events" && typeof access !== "function") t.equal(await asks(path), access === "grave", path);
  for (const [path, fields, access] of calls)
    t.equal(await asks(path, fields), access === "grave", `${path} ${JSON.stringify(fields)}`);
  const all = { pushAll: true, notification };
  t.match(await ann.post("/admin/confirm", { password: "not this one" }), { status: 401 });
  t.match(await ann.post("/api/notification", all), confirm);
  const { body } = await ann.post("/admin/confirm", { password: PASSWORD });
  t.match(body, { name: "ann", confirmedUntil: Number });
  t.match(await ann.get("/admin/session"), { body: { confirmedUntil: body["confirmedUntil"] } });
  t.match(await ann.post("/api/notification", all), { status: 200 });
  clock.move(5 * 60_000);
  t.match(await ann.post("/api/notification", all), confirm);
  t.notOk("confirmedUntil" in (await ann.get("/admin/session")).body);
});

t.test(
  "console: an operator needs no key of the API, and its rule of who may reach everybody is not asked",
  async (t) => {
    const keys = [{ name: "shop", key: "0123456789abcdef-shop-key" }];
    const { ann, apiUrl } = await startConsole(t, { api: { keys, broadcastKeys: ["shop"] } });
    await ann.post("/admin/confirm", { password: PASSWORD });
    t.match(await ann.post("/api/notification", { pushAll: true, notification }), { status: 200 });
    const { status } = await fetch(`${apiUrl}/api/stats/base`, { headers: { cookie: ann.cookie } });
    t.equal(status, 401, "a login is no key of the API's port");
    const bearer = { authorization: `Bearer ${keys[0]?.key}` };
    t.match(await new Browser(ann.url).get("/api/stats/base", bearer), { status: 401 }, "nor a key a login");
  },
);

const elsewhere: readonly (readonly [string, Headers])[] = [
  ["fetch", { origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
  ["a page on the clients' port", { origin: "http://127.0.0.1:10001", "sec-fetch-site": "same-site" }],
  ["form", { origin: "null", "sec-fetch-site": "cross-site" }],
  ["link", { origin: "", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }],
  ["an older browser", { origin: "https://evil.example", "sec-fetch-site": "" }],
  ["a frame without origin", { origin: "null", "sec-fetch-site": "" }],
];

t.test("console: a page elsewhere does and reads nothing, though the browser is logged in", async (t) => {
  const { ann, vic } = await startConsole(t);
  for (const [what, headers] of elsewhere) {
    for (const path of ["/admin/session", "/admin/live", "/api/stats/base", "/api/openapi.json"])
      t.match(await ann.get(path, headers), { status: 403, body: { message: /web page/ } }, `${what}: GET ${path}`);
    for (const path of ["/admin/login", "/admin/logout", "/admin/setup", "/api/push", "/api/nothing"])
      t.match(await ann.post(path, { topic: "a" }, headers), { status: 403 }, `${what}: POST ${path}`);
    const { status, headers: answered } = await ann.send("OPTIONS", "/api/push", undefined, headers);
    t.equal(status, 403);
    t.notOk(Object.keys(answered).some((name) => name.startsWith("access-control")));
  }
  t.equal((await ann.get("/admin/session")).status, 200, "nobody was logged out");
  t.same((await vic.get("/api/audit/list?action=push")).body["entries"], []);
});

t.test(
  "console: it answers to addresses, localhost and admin.hosts, and to no name that somebody lets point here",
  async (t) => {
    const { ann, app, config } = await startConsole(t, { admin: { hosts: ["push.example.com"] } });
    const { port } = new URL(ann.url);
    const ask = (host: string, path = "/admin/session") =>
      ann.send("GET", path, undefined, { host: `${host}:${port}`, "sec-fetch-site": "same-origin" });
    for (const host of ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "xpush.example.com"])
      for (const path of ["/admin/session", "/", "/api/stats/base"])
        t.match(await ask(host, path), { status: 403, body: { message: /admin\.hosts|no address to call/ } }, host);
    for (const host of ["localhost", "127.0.0.1", "[::1]", "push.example.com", "PUSH.example.com"])
      t.equal((await ask(host)).status, 200, host);
    await app.reload({ ...config, admin: { ...config.admin, hosts: ["other.example.com"] } });
    t.equal((await ask("other.example.com")).status, 200, "a reload is enough");
    t.equal((await ask("push.example.com")).status, 403);
  },
);

t.test("console: what changes something is a POST with JSON", async (t) => {
  const { ann } = await startConsole(t);
  t.match(await ann.get("/api/push?topic=news&json=1"), { status: 405 });
  t.match(await ann.get("/api/uid/remove?uid=ann"), { status: 405 });
  t.match(await ann.get("/admin/logout"), { status: 405 });
  t.match(await ann.post("/admin/session"), { status: 405 });
  for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""])
    for (const path of ["/api/push", "/admin/logout"])
      t.match(
        await ann.send("POST", path, '{"a":"b"}', { "content-type": type, origin: ann.url }),
        { status: 415 },
        type,
      );
  t.match(await ann.get("/admin/constructor"), { status: 404 });
  t.match(await ann.post("/admin/__proto__"), { status: 404 });
  t.match(await ann.post("/metrics"), { status: 404 });
  t.match(await ann.get("/healthz"), { status: 404 });
  t.equal((await ann.get("/admin/session")).status, 200);
});

t.test("console: hostile bodies are refused, and the server goes on", async (t) => {
  const { ann, consoleUrl, log } = await startConsole(t);
  const stranger = new Browser(consoleUrl);
  const { one, upTo } = choices(20_261_126);
  const pieces = [
    ...['{"', '"}', "[", "]", "null", '":', ",", "1e999", "\\u0000", "\u0000", "__proto__", '{"link":', '"name":'],
    ...['"password":"x"', "\ufeff", "\ud800", '{"name":{"$ne":""},"password":{"$ne":""}}', '{"name":["a"]}'],
  ];
  const bodies = [
    "",
    "x".repeat(20_000),
    "[".repeat(16_000),
    `{"a":`.repeat(3000),
    '{"__proto__":{"name":"ann"},"password":"x"}',
    '{"name":"ann","password":12345678901}',
    `{"name":"ann","password":"${"p".repeat(15_000)}"}`,
    ...Array.from({ length: 150 }, () => Array.from({ length: 1 + upTo(7) }, () => one(pieces)).join("")),
  ];
  for (const body of bodies)
    for (const path of ["/admin/setup", "/admin/password"]) {
      const { status } = await (path === "/admin/setup" ? stranger : ann).send("POST", path, body, {
        "content-type": "application/json",
      });
      if (![400, 401, 403, 413, 429].includes(status)) t.fail(`${path} ${body.slice(0, 100)}: ${status}`);
    }
  for (const body of bodies.slice(0, 60)) {
    const { status } = await stranger.send("POST", "/admin/login", body, { "content-type": "application/json" });
    if (![400, 401, 413, 429].includes(status)) t.fail(`login ${body.slice(0, 100)}: ${status}`);
  }
  t.equal((await ann.get("/admin/session")).status, 200);
  t.notOk(log.find((line) => line.startsWith("error")));
});

t.test("console: under https the cookie is bound to this host", async (t) => {
  const data = t.testdir({});
  const { cert, key } = createAuthority(Date.now()).server(["127.0.0.1"]);
  const [tlsCert, tlsKey] = [join(data, "cert.pem"), join(data, "key.pem")];
  writeFileSync(tlsCert, cert);
  writeFileSync(tlsKey, key);
  addUsers(data, { ann: "operator" });
  const app = await startTestApp(t, { data, admin: { enabled: true, tlsCert, tlsKey } });
  t.match(app.consoleUrl, /^https:/);
  const ann = new Browser(app.consoleUrl);
  const { headers } = await ann.login("ann", PASSWORD);
  t.match(headers["set-cookie"], [
    /^__Host-pushbox-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+; Secure$/,
  ]);
  t.equal((await ann.get("/admin/session")).status, 200);
  const plain = new Browser(app.consoleUrl, ann.cookie.replace("__Host-", ""));
  t.equal((await plain.get("/admin/session")).status, 401);
});
