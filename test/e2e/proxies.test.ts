// Whose address a request counts as, behind the proxies that people use.
import { request } from "node:http";
import { type Test, test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { haproxy, installed, nginx } from "../support/proxies.ts";

/** The proxy reaches the server from 127.0.0.1. Callers come from 127.0.0.2, which is not the proxy's. */
const PROXY = "127.0.0.1";
const CALLER = "127.0.0.2";
/** What a caller would like to be. */
const FORGED = "10.1.1.1";

const behind = (t: Test): Promise<TestApp> =>
  startTestApp(t, {
    api: { trustedProxies: [PROXY], broadcastAddresses: [FORGED, PROXY] },
    client: { trustedProxies: [PROXY], maxConnectionsPerAddress: 1 },
  });

type Headers = Readonly<Record<string, string | string[]>>;

/** Resolves with the status; the body is read away. */
function get(port: number, path: string, headers: Headers = {}, localAddress = CALLER): Promise<number> {
  return new Promise((done, fail) => {
    const call = request({ host: PROXY, port, path, localAddress, agent: false, headers }, (answer) => {
      answer.resume().on("end", () => done(answer.statusCode ?? 0));
    });
    call.on("error", fail).end();
  });
}

const broadcast = `/api/notification?pushAll=true&notification=${encodeURIComponent('{"android":{"title":"t"}}')}`;
const handshake = "/socket.io/?EIO=4&transport=polling";
const forgeries: readonly Headers[] = [
  {},
  { "X-Forwarded-For": FORGED },
  { "X-Forwarded-For": [FORGED, FORGED] },
  { "X-Forwarded-For": "", "X-Real-IP": FORGED },
  { "X-Forwarded-For": `${FORGED}, ${PROXY}` },
  { "X-Forwarded-For": "nonsense" },
];

async function check(t: Test, app: TestApp, apiPort: number, clientPort: number): Promise<void> {
  for (const headers of forgeries)
    t.equal(await get(apiPort, broadcast, headers), 401, `notifies nobody: ${JSON.stringify(headers)}`);
  t.equal(await get(apiPort, broadcast, {}, PROXY), 200, "a listed address notifies everybody");
  t.equal(await get(clientPort, handshake), 200);
  for (const headers of forgeries)
    t.equal(await get(clientPort, handshake, headers), 429, `is one address: ${JSON.stringify(headers)}`);
  t.equal(await get(clientPort, handshake, {}, "127.0.0.3"), 200, "another address has places of its own");
  t.equal(await get(Number(new URL(app.apiUrl).port), broadcast, {}, CALLER), 401, "past the proxy");
}

test("A5: haproxy adds a line behind a forged one, and its own counts", async (t) => {
  if (!installed(t, "haproxy")) return;
  const app = await behind(t);
  const front = (target: number) => haproxy(t, target, "option forwardfor");
  await check(t, app, await front(Number(new URL(app.apiUrl).port)), await front(app.clientPort));
});

test("A5: haproxy names the port too", async (t) => {
  if (!installed(t, "haproxy")) return;
  const app = await behind(t);
  const front = (target: number) => haproxy(t, target, "http-request add-header X-Forwarded-For %[src]:%[src_port]");
  await check(t, app, await front(Number(new URL(app.apiUrl).port)), await front(app.clientPort));
});

test("A5: nginx adds to the line that it got", async (t) => {
  if (!installed(t, "nginx")) return;
  const app = await behind(t);
  const front = (target: number) => nginx(t, target, "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;");
  await check(t, app, await front(Number(new URL(app.apiUrl).port)), await front(app.clientPort));
});

test("A5: nginx names the port too", async (t) => {
  if (!installed(t, "nginx")) return;
  const app = await behind(t);
  const front = (target: number) =>
    nginx(t, target, 'proxy_set_header X-Forwarded-For "$http_x_forwarded_for, $remote_addr:$remote_port";');
  await check(t, app, await front(Number(new URL(app.apiUrl).port)), await front(app.clientPort));
});

test("A5: behind a proxy that names nobody in a readable way a caller has no rights by address", async (t) => {
  if (!installed(t, "haproxy")) return;
  const app = await startTestApp(t, { api: { trustedProxies: [PROXY], broadcastAddresses: ["0.0.0.0/0", "::/0"] } });
  const port = await haproxy(t, Number(new URL(app.apiUrl).port), "http-request add-header X-Forwarded-For unix:");
  for (const headers of forgeries) t.equal(await get(port, broadcast, headers), 401, JSON.stringify(headers));
});
