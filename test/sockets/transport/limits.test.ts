// Limits, addresses, origins, ports, certificates and shutdown.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, connect as tcpConnect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import t from "tap";
import { addressList, addressText, callerAddress, limitedAs } from "../../../src/http/uws/address.ts";
import { Clock, tickFor } from "../../../src/sockets/transport/clock.ts";
import { createGateway } from "../../../src/sockets/transport/server.ts";
import { freePort } from "../../support/ports.ts";
import { defaults, echo, Poller, pending, serve, talk } from "./harness.ts";

const WS = "EIO=4&transport=websocket";
const POLL = "EIO=4&transport=polling";

t.test("connections are limited in total, on both transports", async (t) => {
  const served = await serve(t, echo, { maxConnections: 2 });
  const first = served.ws(WS);
  await first.sid();
  await Poller.open(served, 4);
  await served.ws(WS).closed;
  const answer = await fetch(served.url(POLL));
  t.equal(answer.status, 503);
  t.same(await answer.json(), { code: 4, message: "Too many connections" });
  t.equal(served.gateway.counters.refusedTotal, 2);
  first.close();
  await first.closed;
  await served.ws(WS).sid();
});

t.test("connections are limited per address, which a trusted proxy may tell", async (t) => {
  const served = await serve(t, echo, { maxConnectionsPerAddress: 1, trustedProxies: ["127.0.0.1"] });
  const from = (address: string) => ({ "X-Forwarded-For": address });
  await served.ws(WS, from("10.0.0.1")).sid();
  await served.ws(WS, from("10.0.0.1")).closed;
  t.equal((await fetch(served.url(POLL), { headers: from("6.6.6.6, 10.0.0.1") })).status, 429);
  t.equal((await fetch(served.url(POLL), { headers: from("10.0.0.2") })).status, 200);
  await served.ws(WS).sid();
  t.equal(served.gateway.counters.refusedPerAddress, 2);
  t.same([...served.gateway.connections()].map(({ address }) => address).sort(), ["10.0.0.1", "10.0.0.2", "127.0.0.1"]);
});

/** The lines of a request as uWS gives them. */
const lines = (...all: [name: string, value: string][]) => ({
  forEach: (visit: (name: string, value: string) => void) => all.forEach(([name, value]) => void visit(name, value)),
});

t.test("A5: a proxy is believed when it is trusted, up to the first address that is not", async (t) => {
  const trusted = addressList(["10.0.0.0/8", "fd00::1"]);
  const caller = (peer: string, forwarded: string, real: string, list = trusted) =>
    callerAddress(peer, lines(["x-forwarded-for", forwarded], ["x-real-ip", real]), list);
  const table: [string, string, string, string][] = [
    ["1.1.1.1", "9.9.9.9", "", "1.1.1.1"],
    ["10.0.0.1", "9.9.9.9", "", "9.9.9.9"],
    ["10.0.0.1", "6.6.6.6, 9.9.9.9, 10.0.0.2", "", "9.9.9.9"],
    ["10.0.0.1", "6.6.6.6,9.9.9.9\t,, 10.0.0.2 ,", "", "9.9.9.9"],
    ["10.0.0.1", "", "9.9.9.9", "9.9.9.9"],
    ["10.0.0.1", "9.9.9.9", "6.6.6.6", "9.9.9.9"],
    ["10.0.0.1", "", "", "10.0.0.1"],
    ["10.0.0.1", " , ", "", "10.0.0.1"],
    ["10.0.0.1", "10.0.0.3, 10.0.0.2", "", "10.0.0.3"],
    ["fd00::1", "2001:db8::5", "", "2001:db8::5"],
    ["10.0.0.1", "9.9.9.9:4711", "", "9.9.9.9"],
    ["10.0.0.1", "6.6.6.6, 9.9.9.9:1, 10.0.0.2:2", "", "9.9.9.9"],
    ["10.0.0.1", "[2001:DB8:0::5]:4711", "", "2001:db8::5"],
    ["10.0.0.1", "[2001:db8::5], [fd00::1]:80", "", "2001:db8::5"],
    ["10.0.0.1", "::ffff:9.9.9.9", "", "9.9.9.9"],
    ["10.0.0.1", "9.9.9.9, ::ffff:10.0.0.2", "", "9.9.9.9"],
    ["10.0.0.1", "[::FFFF:0909:0909]:1", "", "9.9.9.9"],
    ["10.0.0.1", "fe80::1%eth0", "", "fe80::1"],
  ];
  for (const [peer, forwarded, real, client] of table)
    t.equal(caller(peer, forwarded, real), client, `${forwarded} ${real}`);
  t.equal(caller("10.0.0.1", "9.9.9.9", "", addressList([])), "10.0.0.1");
  t.equal(addressText(Uint8Array.of(127, 0, 0, 1).buffer), "127.0.0.1");
  t.equal(addressText(Uint8Array.of(...Array(10).fill(0), 255, 255, 10, 0, 0, 1).buffer), "10.0.0.1");
  t.equal(addressText(Uint8Array.of(...Array(15).fill(0), 1).buffer), "::1");
});

t.test("A5: several lines are one list: a forged line before the proxy's does not count", async (t) => {
  const trusted = addressList(["10.0.0.0/8"]);
  const forwarded = (...values: string[]) =>
    callerAddress(
      "10.0.0.1",
      lines(["host", "a"], ...values.map((value): [string, string] => ["x-forwarded-for", value]), [
        "x-real-ip",
        "8.8.8.8",
      ]),
      trusted,
    );
  t.equal(forwarded("127.0.0.1", "9.9.9.9"), "9.9.9.9");
  t.equal(forwarded("10.9.9.9", "9.9.9.9, 10.0.0.2", "10.0.0.3"), "9.9.9.9");
  t.equal(forwarded("", "9.9.9.9"), "9.9.9.9");
  t.equal(forwarded("nonsense", "9.9.9.9"), "9.9.9.9");
});

t.test("A5: a hop that cannot be read is an unknown caller, whom no list has", async (t) => {
  const everybody = addressList(["0.0.0.0/0", "::/0"]);
  const hops = [
    ...["nonsense", "unknown", "_hidden", "9.9.9", "09.9.9.9", "9.9.9.9:", "9.9.9.9:x", "9.9.9.9:123456"],
    ...[
      "[9.9.9.9]",
      "[::1",
      "::1]:80",
      "[]",
      "2001:db8::5::",
      "9.9.9.9 10.0.0.1",
      '"9.9.9.9"',
      "9.9.9.9, nonsense, 10.0.0.2",
    ],
  ];
  for (const hop of hops) {
    for (const header of ["x-forwarded-for", "x-real-ip"]) {
      const caller = callerAddress("10.0.0.1", lines([header, hop]), addressList(["10.0.0.0/8"]));
      t.equal(caller, "unknown", `${header}: ${hop}`);
      t.notOk(everybody.has(caller));
    }
  }
});

t.test("A14: an IPv6 network of 64 bits counts as one address, an IPv4 address alone", async (t) => {
  for (const [address, counted] of [
    ["9.9.9.9", "9.9.9.9"],
    ["2001:db8::5", "2001:db8::/64"],
    ["2001:db8::ffff:1:2:3", "2001:db8::/64"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:3:3:4:5:6", "2001:db8:1:3::/64"],
    ["1::2:3:4:5:6:7", "1:0:2:3::/64"],
    ["::1", "::/64"],
    ["unknown", "unknown"],
  ] as const)
    t.equal(limitedAs(address), counted);
});

t.test("A14: one household has no more connections for having more addresses", async (t) => {
  const served = await serve(t, echo, { maxConnectionsPerAddress: 2, trustedProxies: ["127.0.0.1"] });
  const from = (address: string) => ({ "X-Forwarded-For": address });
  const first = served.ws(WS, from("2001:db8:0:1::1"));
  await first.sid();
  await served.ws(WS, from("2001:db8:0:1:ffff::1")).sid();
  t.equal((await fetch(served.url(POLL), { headers: from("2001:db8:0:1::2") })).status, 429, "the same network");
  await served.ws(WS, from("2001:db8:0:2::1")).sid();
  t.same(
    [...served.gateway.connections()].map(({ address }) => address).sort(),
    ["2001:db8:0:1::1", "2001:db8:0:1:ffff::1", "2001:db8:0:2::1"],
    "each is shown with its own",
  );
  first.close();
  await first.closed;
  while (served.gateway.size > 2) await new Promise(setImmediate);
  await served.ws(WS, from("2001:db8:0:1::2")).sid();
  for (const address of ["9.9.9.9", "::ffff:9.9.9.9"]) await served.ws(WS, from(address)).sid();
  t.equal((await fetch(served.url(POLL), { headers: from("9.9.9.9") })).status, 429, "mapped ones are IPv4");
});

t.test("a flood ends the connection, on both transports", async (t) => {
  const served = await serve(t, echo, { maxEventsPerSecond: 50 });
  const ws = served.ws(WS);
  await ws.sid();
  for (let i = 0; i < 120; i++) ws.send("4x");
  await ws.closed;
  const poller = await Poller.open(served, 4);
  await poller.post(Array(120).fill("4x").join("\x1e"));
  t.equal(await poller.status(), 400);
  t.equal(served.gateway.counters.closedFlood, 2);
});

t.test("B12: a star in an origin stands for one label, on polls, preflights and upgrades", async (t) => {
  const served = await serve(t, echo, { origins: ["https://*.example.com"] });
  for (const [Origin, allowed] of [
    ["https://app.example.com", true],
    ["https://b-2.example.com", true],
    ["https://example.com", false],
    ["https://a.b.example.com", false],
    ["https://app.example.com:8443", false],
    ["http://app.example.com", false],
    ["https://app.example.com.evil.example", false],
    ["https://evil.example/.example.com", false],
    ["https://.example.com", false],
  ] as const) {
    const headers = { Origin };
    t.equal((await fetch(served.url(POLL), { headers })).status, allowed ? 200 : 403, Origin);
    t.equal((await fetch(served.url(POLL), { headers, method: "OPTIONS" })).status, allowed ? 204 : 403);
    const ws = served.ws(WS, headers);
    if (allowed) await ws.sid();
    else t.equal(await ws.closed, 1006);
  }
});

/** A websocket by hand, for control frames. Resolves when it is open. */
async function bare(
  port: number,
  query: string,
): Promise<{ send(frame: number, times: number): void; closed: Promise<unknown> }> {
  const socket = tcpConnect(port, "127.0.0.1");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  socket.write(
    `GET /socket.io/?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  await once(socket, "data");
  socket.resume();
  // An empty frame, masked with zeros.
  return {
    send: (frame, times) =>
      void socket.write(Buffer.from([frame, 0x80, 0, 0, 0, 0]).toString("hex").repeat(times), "hex"),
    closed,
  };
}
const PING = 0x89;
const PONG = 0x8a;

t.test("A10: control frames are a flood like any other, on a websocket that probes too", async (t) => {
  const served = await serve(t, echo, { maxEventsPerSecond: 50 });
  for (const frame of [PING, PONG]) {
    const socket = await bare(served.port, WS);
    socket.send(frame, 120);
    await socket.closed;
  }
  t.equal(served.gateway.counters.closedFlood, 2);
  const poller = await Poller.open(served, 4);
  const probing = await bare(served.port, `${WS}&sid=${poller.sid}`);
  probing.send(PING, 120);
  await probing.closed;
  t.equal(served.gateway.counters.closedFlood, 3);
  const few = await bare(served.port, WS);
  few.send(PING, 10);
  const ws = served.ws(WS);
  await ws.sid();
  t.equal(await ws.send("4alive").next(), "4alive");
  t.equal(served.gateway.size, 2, "a few are none");
});

t.test("A10: so many bytes in a second are a flood, however few the messages", async (t) => {
  const served = await serve(t, echo, { maxBytesPerSecond: 1000 });
  const ws = served.ws(WS);
  await ws.sid();
  const message = `4${"x".repeat(600)}`;
  ws.send(message, message);
  await ws.closed;
  const poller = await Poller.open(served, 4);
  t.match(await poller.post(`${message}\x1e${message}`), /^400 /);
  t.equal(await poller.status(), 400);
  t.equal(served.gateway.counters.closedFlood, 2);
});

t.test("D10: an address has few sessions on polling that did not come back after the handshake", async (t) => {
  const told: object[] = [];
  const served = await serve(t, echo, { maxFreshPerAddress: 3, onFull: (full) => told.push(full) });
  const [first] = [await Poller.open(served, 4), await Poller.open(served, 4), await Poller.open(served, 3)];
  for (let i = 0; i < 2; i++) t.equal((await fetch(served.url(POLL))).status, 429);
  t.same(told, [{ what: "handshakes", address: "127.0.0.1", connections: 3, limit: 3, refused: 1 }], "told once");
  await served.ws(WS).sid(); // a websocket is one that stays
  t.equal(await first!.post("4here"), "200 ok");
  t.equal((await fetch(served.url(POLL))).status, 200, "one that came back makes room");
  t.equal((await fetch(served.url(POLL))).status, 429);
  t.equal(served.gateway.counters.refusedPerAddress, 3);
});

t.test("D10: a session on polling that is not continued ends within seconds, and makes room", async (t) => {
  const served = await serve(t, echo, { maxFreshPerAddress: 3, firstPollTimeout: 2000 });
  const kept = await Poller.open(served, 4);
  const upgraded = await Poller.open(served, 4);
  const ws = served.ws(`${WS}&sid=${upgraded.sid}`);
  await ws.opened;
  ws.send("5", "4x");
  await ws.next();
  await kept.post("4x");
  await Poller.open(served, 4);
  while (served.gateway.counters.closedTimeout < 1) await new Promise(setImmediate);
  t.equal(served.gateway.size, 2, "those that came back stay");
  for (let i = 0; i < 3; i++) await Poller.open(served, 4);
  t.equal((await fetch(served.url(POLL))).status, 429);
});

t.test("D10: when the server is full, it is told which address has most", async (t) => {
  const told: object[] = [];
  const served = await serve(t, echo, {
    maxConnections: 3,
    trustedProxies: ["127.0.0.1"],
    onFull: (full) => told.push(full),
  });
  for (const address of ["10.0.0.1", "10.0.0.2", "10.0.0.2"]) await served.ws(WS, { "X-Forwarded-For": address }).sid();
  await served.ws(WS, { "X-Forwarded-For": "10.0.0.3" }).closed;
  t.same(told, [{ what: "all", address: "10.0.0.2", connections: 2, limit: 3, refused: 1 }]);
});

t.test("only origins on the list are served, on polls, preflights and upgrades; no origin is no browser", async (t) => {
  const served = await serve(t, echo, { origins: ["https://app.example"] });
  const bad = { Origin: "https://evil.example" };
  const good = { Origin: "https://app.example" };
  for (const method of ["GET", "POST", "OPTIONS"]) {
    const answer = await fetch(served.url(POLL), { method, headers: bad });
    t.equal(answer.status, 403);
    t.not(answer.headers.get("access-control-allow-origin"), bad.Origin);
    t.equal(answer.headers.get("access-control-allow-credentials"), null);
    t.same(await answer.json(), { code: 4, message: "Forbidden" });
  }
  await served.ws(WS, bad).closed;
  t.equal(served.gateway.counters.refusedOrigin, 4);
  await served.ws(WS, good).sid();
  await served.ws(WS).sid();
  const answer = await fetch(served.url(POLL), { headers: good });
  t.equal(answer.headers.get("access-control-allow-origin"), good.Origin);
});

t.test("a port in use is refused, whoever has it", async (t) => {
  const served = await serve(t, echo);
  const second = createGateway({ ...defaults, port: served.port }, echo);
  await t.rejects(second.listen(), { code: "EADDRINUSE" });
  const node = createServer();
  await new Promise<void>((resolve) => node.listen(0, "127.0.0.1", resolve));
  t.teardown(() => node.close());
  const { port } = node.address() as { port: number };
  await t.rejects(createGateway({ ...defaults, port }, echo).listen(), { code: "EADDRINUSE" });
  await t.rejects(createGateway({ ...defaults, host: "203.0.113.1" }, echo).listen(), { code: "EADDRNOTAVAIL" });
});

t.test("settings that native code would choke on are refused by name", async (t) => {
  for (const [bad, message] of [
    [{ maxPayload: 0 }, /maxPayload/],
    [{ maxBackpressure: 1e12 }, /maxBackpressure/],
    [{ requestTimeout: Number.NaN }, /requestTimeout/],
    [{ port: 70_000 }, /port/],
    [{ path: "socket.io" }, /path/],
  ] as const) {
    t.throws(() => createGateway({ ...defaults, ...bad }, echo), { name: "RangeError", message });
  }
});

t.test("closing answers pending polls, closes websockets, says no 41 and frees the port", async (t) => {
  const served = await serve(t, talk(), { port: await freePort() });
  const ws = served.ws("EIO=3&transport=websocket");
  await ws.sid();
  await ws.next();
  await ws.next();
  const poller = await Poller.open(served, 4);
  const poll = poller.get();
  await poller.post("40");
  t.match(await poll, /^40/);
  const last = poller.get();
  await pending(served.gateway, "poll");
  const closing = served.gateway.close();
  t.equal(await last, "1");
  await t.rejects(ws.next(), /closed with 1005/);
  await closing;
  await served.gateway.close();
  t.equal(served.gateway.counters.closedShutdown, 2);
  const late = await fetch(served.url(POLL)).then(
    ({ status }) => status,
    () => "refused",
  );
  t.ok(late === 503 || late === "refused", "a connection that was kept alive is told to go");
  const next = createGateway({ ...defaults, port: served.port }, echo);
  t.equal(await next.listen(), served.port);
  await next.close();
});

t.test("a renewed certificate is for new connections; those that exist stay, in their rooms", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "pushbox-tls-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const certFile = join(dir, "cert.pem");
  const keyFile = join(dir, "key.pem");
  const issue = (name: string) =>
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        `/CN=${name}`,
        "-keyout",
        keyFile,
        "-out",
        certFile,
      ],
      { stdio: "ignore" },
    );
  issue("first");
  const served = await serve(t, { ...echo, open: (c) => void c.join("r") }, { tls: { certFile, keyFile } });
  const { gateway, port } = served;
  await t.rejects(createGateway({ ...defaults, port }, echo).listen(), { code: "EADDRINUSE" });
  await t.rejects(
    createGateway({ ...defaults, port, tls: { certFile, keyFile } }, echo).listen(),
    { code: "EADDRINUSE" },
    "nor with TLS",
  );

  const connected = async () => {
    const socket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    return socket;
  };
  /** A websocket by hand: Node's own takes no unknown certificate. */
  const open = async (connecting = connected()) => {
    const socket = await connecting;
    socket.setEncoding("latin1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.write(
      `GET /socket.io/?${WS} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    );
    const until = async (what: string) => {
      while (!text.includes(what)) await new Promise((resolve) => socket.once("data", resolve));
    };
    await until('"sid"');
    return { name: socket.getPeerCertificate().subject.CN, until, end: () => socket.destroy() };
  };

  const old = await open();
  t.equal(old.name, "first");
  const early = await connected();
  const earlier = await connected();
  issue("second");
  await gateway.reloadTls();
  const fresh = await open();
  t.equal(fresh.name, "second");
  const late = await open(Promise.resolve(early));
  t.equal(late.name, "first", "connected before, a websocket after");
  t.equal(gateway.count("r"), 3);
  gateway.publish("r", "4all");
  await Promise.all([old, fresh, late].map((client) => client.until("4all")));
  old.end();
  late.end();
  while (gateway.count("r") > 1) await new Promise(setImmediate);
  await gateway.reloadTls(); // the same files again
  const last = await open(Promise.resolve(earlier));
  gateway.publish("r", "4again");
  await Promise.all([fresh, last].map((client) => client.until("4again")));

  issue("third");
  execFileSync("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", keyFile]);
  await t.rejects(gateway.reloadTls(), /key/i, "a key that does not fit changes nothing");
  const still = await open();
  t.equal(still.name, "second");
  await t.rejects(createGateway({ ...defaults, port }, echo).listen(), { code: "EADDRINUSE" });
  for (const client of [fresh, last, still]) client.end();
});

t.test("the clock does not count a pause of the process", async (t) => {
  t.equal(tickFor(200), 10);
  t.equal(tickFor(10_000), 500);
  t.equal(tickFor(60_000), 500);
  const clock = new Clock(10, 50);
  const before = clock.now;
  const until = performance.now() + 300;
  while (performance.now() < until);
  t.ok(clock.advance() - before <= 6);
  t.equal(clock.ticks(205), 21);
});

t.test("what a handler throws is told once and ends that connection; the others notice nothing", async (t) => {
  const errors: unknown[] = [];
  const throws = (where: string) => {
    throw new Error(where);
  };
  const app: typeof echo = {
    open: (connection) => (connection.address === "10.0.0.1" ? throws("open") : echo.open(connection)),
    message: (connection, data) => (data === "fail" ? throws("message") : echo.message(connection, data)),
    close: (connection) => (connection.address === "10.0.0.2" ? throws("close") : undefined),
  };
  const served = await serve(t, app, { trustedProxies: ["127.0.0.1"], onError: (error) => void errors.push(error) });
  const from = (address: string) => ({ "X-Forwarded-For": address });
  const bystander = served.ws(WS);
  await bystander.sid();

  t.equal(await served.ws(WS, from("10.0.0.1")).closed, 1005);
  const poll = await fetch(served.url(POLL), { headers: from("10.0.0.1") });
  const sid = /"sid":"([^"]+)"/.exec(await poll.text())?.[1];
  t.equal(await (await fetch(`${served.url(POLL)}&sid=${sid}`)).text(), "1", "on polling too");

  const talker = served.ws(WS);
  await talker.sid();
  t.equal(await talker.send("4fail").closed, 1005);
  const poller = await Poller.open(served, 4);
  await poller.post("4fail");
  t.equal(await poller.get(), "1");

  const leaver = served.ws(WS, from("10.0.0.2"));
  await leaver.sid();
  leaver.close();
  await leaver.closed;
  while (served.gateway.size > 1) await new Promise(setImmediate);

  t.same(
    errors.map((error) => (error as Error).message),
    ["open", "open", "message", "message", "close"],
  );
  bystander.send("4alive");
  t.equal(await bystander.next(), "4alive");
});
