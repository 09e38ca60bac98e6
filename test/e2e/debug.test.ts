// What an operator sees with log_level = "debug", and that nothing secret is in it.
import { readFileSync } from "node:fs";
import { pino } from "pino";
import t, { type Test } from "tap";
import { createDebug } from "../../src/app/debug.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";
import { eventually } from "../support/until.ts";
import { PACKAGE, startVendors } from "../support/vendors.ts";

const KEY = "a-key-that-nobody-may-see";
const CONTENT = "what-only-the-person-may-read";
const DEVICE = "debugged-device-0123456789";

const lines = ({ entries }: TestApp) =>
  entries.filter(({ level }) => level === 20).map(({ level: _, time: _t, pid: _p, hostname: _h, ...rest }) => rest);

/** One of everything that has a line. */
async function exercise(t: Test, logLevel: "debug" | "info") {
  const vendors = await startVendors(t, ["fcm"]);
  const server = await startTestApp(t, {
    logLevel,
    trustClientUid: false,
    client: { origins: ["https://app.example"] },
    api: { keys: [{ name: "shop", key: KEY }] },
    vendors: vendors.config(),
  });
  const call = (path: string, fields: Record<string, string>, key = KEY) =>
    fetch(`${server.apiUrl}/api/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: new URLSearchParams(fields),
    });
  const id = async (answer: Promise<Response>) => ((await (await answer).json()) as { id: string }).id;

  await fetch(`${server.clientUrl}/socket.io/?EIO=4&transport=polling`, {
    headers: { origin: "https://evil.example" },
  });
  const client = await RawClient.open(server.clientPort);
  const token = vendors.get("fcm").token(1);
  client.emit("pushId", { id: DEVICE, platform: "android", tags: ["beta"], topics: ["news"] });
  await client.next('42["pushId"');
  client.emit("token", { token, type: vendors.get("fcm").type, package_name: vendors.get("fcm").app });
  client.emit("bindUid", { uid: "someone" });
  await client.next('42["refused"');
  const many = Array.from({ length: 21 }, (_, i) => `device-${i}-0123456789`);
  const ids = {
    push: await id(call("push", { pushId: DEVICE, json: CONTENT })),
    many: await id(call("push", { pushId: JSON.stringify(many), json: CONTENT, timeToLive: "60000" })),
    topic: await id(call("push", { topic: "news", json: CONTENT })),
  };
  await call("push", { pushId: DEVICE });
  await call("push", { pushId: DEVICE, json: CONTENT }, "another-key-nobody-may-see");
  const notification = JSON.stringify({ android: { title: CONTENT, message: CONTENT } });
  const note = await id(call("notification", { pushId: DEVICE, notification, timeToLive: "60000" }));
  await eventually(
    async () => (await (await call("job/get", { id: note })).json()) as { progress?: { sent: number } },
    ({ progress }) => progress?.sent === 1,
  );
  await client.close();
  await server.stop();
  return { server, ids: { ...ids, note }, token, origin: vendors.get("fcm").server.url };
}

t.test("D1: at debug the log tells what clients, backends and vendors do, and nothing secret", async (t) => {
  const { server, ids, token } = await exercise(t, "debug");
  const said = lines(server);
  const of = (msg: string | RegExp) =>
    said.filter((line) => (msg instanceof RegExp ? msg.test(`${line["msg"]}`) : line["msg"] === msg));
  const address = "127.0.0.1";
  const pushId = DEVICE;
  const size = CONTENT.length + 2;

  t.match(of("client refused"), [{ address, status: 403, error: "Forbidden" }]);
  t.match(of("client connected"), [{ address, transport: "websocket", revision: 3 }]);
  t.match(of("device registered"), [{ pushId, address, platform: "android", tags: 1, topics: 1, created: /Z$/ }]);
  t.match(of(/^refused to a client/), [{ code: "uid_not_trusted", event: "bindUid", address, pushId }]);
  t.match(of("push"), [
    { id: ids.push, event: "p", pushIds: [DEVICE], size, timeToLive: 0, online: 1 },
    { id: ids.many, event: "p", pushIds: 21, size, timeToLive: 60_000, online: 0 },
    { id: ids.topic, event: "p", topic: "news", size, timeToLive: 0, online: 1 },
  ]);
  t.match(of("call refused"), [
    { method: "post", path: "/api/push", address, status: 400, error: /json is required/ },
    { method: "post", path: "/api/push", address, status: 401, error: /none of api.keys/ },
  ]);
  t.match(of("notification"), [{ id: ids.note, pushIds: [DEVICE], size: Number, timeToLive: 60_000 }]);
  const asked = of("vendor asked");
  t.match(asked.at(-1), {
    app: PACKAGE,
    origin: /^https:/,
    method: "POST",
    status: 200,
    size: Number,
    received: Number,
  });
  t.match(of("deliveries sent"), [{ lane: `fcm ${PACKAGE}`, id: ids.note, to: 1, accepted: 1 }]);
  t.match(of("device left"), [{ pushId, address, reason: "transport close" }]);
  t.match(of("client gone"), [{ address, reason: "transport close", seconds: Number }]);

  const all = JSON.stringify(server.entries);
  for (const secret of [KEY, "another-key", CONTENT, token, "Bearer"]) t.notMatch(all, secret);
  const table = readFileSync("src/app/README.md", "utf8");
  for (const { msg } of said) t.ok(table.includes(`| \`${`${msg}`.split(":")[0]}`), `${msg} is in the table`);
});

t.test("D1: at info there is none of these lines", async (t) => {
  const { server } = await exercise(t, "info");
  t.same(lines(server), []);
});

t.test("D1: the level that a reload sets holds for the lines of debug at once", async (t) => {
  const written: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => written.push(line) });
  const { debug } = createDebug(log);
  t.equal(debug.on, false);
  log.level = "debug";
  t.equal(debug.on, true);
  debug.line({ size: 1 }, "shown");
  t.match(written, [/shown/]);
  log.level = "warn";
  t.equal(debug.on, false);
});
