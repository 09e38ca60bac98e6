// Engine.IO frame by frame (protocol 2), EIO 1 to 18. An echo application answers.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import t from "tap";
import { Server } from "../../../src/sockets/transport/server.ts";
import { defaults, echo, Poller, pending, quick, raw, serve, sidOf, talk, Ws } from "./harness.ts";

const decoded3 = (payload: string) => {
  const colon = payload.indexOf(":");
  return { length: Number(payload.slice(0, colon)), packet: payload.slice(colon + 1) };
};

t.test("EIO 1: a revision 3 handshake on polling", async (t) => {
  const served = await serve(t, echo);
  const answer = await fetch(served.url("EIO=3&transport=polling&b64=1"));
  t.equal(answer.status, 200);
  t.equal(answer.headers.get("content-type"), "text/plain; charset=UTF-8");
  t.equal(answer.headers.get("cache-control"), "no-store");
  const { length, packet } = decoded3(await answer.text());
  t.equal(length, packet.length);
  const fields = JSON.parse(packet.slice(1)) as { sid: string };
  t.match(fields.sid, /^[\w-]{20}$/);
  t.same(fields, {
    sid: fields.sid,
    upgrades: ["websocket"],
    pingInterval: 90000,
    pingTimeout: 25000,
    maxPayload: 1000000,
  });
});

t.test("EIO 2: a revision 4 handshake on polling has no length and no CONNECT", async (t) => {
  const served = await serve(t, talk());
  const answer = await fetch(served.url("EIO=4&transport=polling"));
  const packet = await answer.text();
  t.match(packet, /^0\{[^}]*\}$/);
  t.match(JSON.parse(packet.slice(1)), {
    upgrades: ["websocket"],
    pingInterval: 25000,
    pingTimeout: 20000,
    maxPayload: 1000000,
  });
});

t.test("EIO 3: a websocket without EIO is revision 3: open packet, CONNECT, the client pings", async (t) => {
  const served = await serve(t, talk());
  const ws = served.ws("transport=websocket");
  t.match(await ws.next(), /^0\{"sid":"[\w-]{20}","upgrades":\[\],"pingInterval":90000,/);
  t.equal(await ws.next(), "40");
  t.equal(await ws.next(), '42["auth",{}]');
  t.equal(await ws.send("2").next(), "3");
});

t.test("R9: an event sent before the server's CONNECT is taken", async (t) => {
  const served = await serve(t, talk());
  const ws = served.ws("transport=websocket");
  await ws.opened;
  ws.send('42["message",1]');
  await ws.sid();
  t.equal(await ws.next(), "40");
  await ws.next();
  t.equal(await ws.next(), '42["message-back",1]');
});

t.test("EIO 4: a revision 4 websocket gets the open packet and nothing else until it connects", async (t) => {
  const served = await serve(t, talk());
  const ws = served.ws("EIO=4&transport=websocket");
  t.match(await ws.next(), /^0\{.*"upgrades":\[\],"pingInterval":25000,/);
  t.match(await ws.send("40").next(), /^40\{"sid":"[\w-]{20}"\}$/);
});

t.test("B18: Socket.IO 1.0 and old PHP clients, which say EIO=2, are taken as revision 3", async (t) => {
  const served = await serve(t, talk());
  for (const eio of ["1", "2"]) {
    const ws = served.ws(`EIO=${eio}&transport=websocket`);
    await ws.sid();
    t.equal(await ws.next(), "40", "revision 3 is greeted unasked");
    ws.close();
    const answer = await fetch(served.url(`EIO=${eio}&transport=polling&b64=1`));
    const text = await answer.text();
    t.match(text, /^\d+:0\{/);
    const sid = sidOf(text);
    t.match(await (await fetch(served.url(`EIO=${eio}&transport=polling&sid=${sid}`))).text(), /^2:40/);
  }
});

t.test("EIO 5: errors have their status, code and message", async (t) => {
  const served = await serve(t, echo);
  const poller = await Poller.open(served, 4);
  const table: [string, string, number, string][] = [
    ["GET", "EIO=4", 0, "Transport unknown"],
    ["GET", "EIO=4&transport=abc", 0, "Transport unknown"],
    ["GET", "EIO=4&transport=constructor", 0, "Transport unknown"],
    ["GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", 1, "Session ID unknown"],
    ["GET", "EIO=4&transport=polling&sid=__proto__", 1, "Session ID unknown"],
    ["GET", "EIO=4&transport=polling&sid=", 1, "Session ID unknown"],
    ["POST", "EIO=4&transport=polling", 2, "Bad handshake method"],
    ["PUT", "EIO=4&transport=polling", 2, "Bad handshake method"],
    ["GET", "EIO=4&transport=websocket", 3, "Bad request"],
    ["GET", `EIO=4&transport=websocket&sid=${poller.sid}`, 3, "Bad request"],
    ["DELETE", `EIO=4&transport=polling&sid=${poller.sid}`, 3, "Bad request"],
    ["GET", "EIO=abc&transport=polling", 5, "Unsupported protocol version"],
    ["GET", "EIO=5&transport=polling", 5, "Unsupported protocol version"],
    ["GET", "EIO=&transport=polling", 5, "Unsupported protocol version"],
  ];
  for (const [method, query, code, message] of table) {
    const answer = await fetch(served.url(query), { method });
    t.equal(answer.status, 400, query);
    t.equal(answer.headers.get("content-type"), "application/json");
    t.equal(await answer.text(), JSON.stringify({ code, message }));
  }
});

t.test("EIO 5: a refused upgrade is answered in plain text", async (t) => {
  const served = await serve(t, echo);
  const upgrade = (query: string) =>
    raw(
      served.port,
      `GET /socket.io/?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
    );
  for (const [query, message] of [
    ["EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA", "Session ID unknown"],
    ["EIO=abc&transport=websocket", "Unsupported protocol version"],
    ["EIO=4&transport=abc", "Transport unknown"],
  ] as const) {
    const answer = await upgrade(query);
    t.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
    t.match(answer, /content-type: text\/html\r\n/i);
    t.match(answer, /connection: close\r\n/i);
    t.ok(answer.endsWith(`\r\n\r\n${message}`), answer);
  }
});

t.test("EIO 5: a path without a question mark is answered like one without parameters", async (t) => {
  const served = await serve(t, echo);
  const key = randomBytes(16).toString("base64");
  const wish = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`;
  for (const path of ["/socket.io/", "/socket.io/?", "/socket.io/??", "/socket.io/?&", "/socket.io/?="]) {
    for (const method of ["GET", "POST", "PUT", "HEAD"]) {
      const answer = await fetch(`http://127.0.0.1:${served.port}${path}`, { method });
      t.equal(answer.status, 400, `${method} ${path}`);
      const body = await answer.text();
      if (method !== "HEAD") t.equal(body, '{"code":0,"message":"Transport unknown"}');
    }
    const preflight = await fetch(`http://127.0.0.1:${served.port}${path}`, { method: "OPTIONS" });
    t.equal(preflight.status, 204, `OPTIONS ${path}`);
    const refused = await raw(served.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${wish}\r\n`);
    t.match(refused, /^HTTP\/1\.1 400 .*Transport unknown$/s, `a websocket at ${path}`);
  }
});

t.test("a bug of ours costs the connection it happened on, and no other", async (t) => {
  const errors: unknown[] = [];
  let broken = false;
  const line = () => {
    if (broken) throw new Error("a bug");
  };
  const debug = { on: true, follows: () => false, line };
  const served = await serve(t, echo, { debug, onError: (error) => errors.push(error) });
  const stays = served.ws("EIO=4&transport=websocket");
  await stays.sid();
  broken = true;
  for (const query of ["EIO=4&transport=polling", "EIO=4&transport=none"])
    await t.rejects(fetch(served.url(query)), { message: "fetch failed" }, query);
  await served.ws("EIO=4&transport=websocket").closed;
  await served.ws("EIO=4&transport=none").closed;
  broken = false;
  t.equal(await stays.send("4hello").next(), "4hello");
  t.ok(errors.length >= 4 && errors.every((error) => error instanceof Error && error.message === "a bug"));
});

t.test("a client that is gone before it is refused costs nobody anything", async (t) => {
  let leaves: Socket | undefined;
  const debug = { on: true, follows: () => false, line: () => void leaves?.resetAndDestroy() };
  const served = await serve(t, echo, { debug });
  const key = randomBytes(16).toString("base64");
  const wish = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`;
  for (const transport of ["none", "websocket", "polling"])
    for (const headers of [wish, `${wish}Transfer-Encoding: xchunked\r\n`, "Transfer-Encoding: xchunked\r\n"]) {
      leaves = connect(served.port, "127.0.0.1").on("error", () => {});
      leaves.resume(); // unread, the end of one that the server closes first would never come
      leaves.write(`GET /socket.io/?EIO=4&transport=${transport} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
      await once(leaves, "close");
    }
  leaves = undefined;
  await served.ws("EIO=4&transport=websocket").sid();
});

t.test("a strict gateway refuses a missing EIO", async (t) => {
  const served = await serve(t, echo, { strictEio: true });
  t.equal((await fetch(served.url("transport=polling"))).status, 400);
  t.equal((await fetch(served.url("EIO=3&transport=polling"))).status, 200);
  await served.ws("transport=websocket").closed;
});

t.test("EIO 6: another revision within a session is a bad request, and the session lives", async (t) => {
  const served = await serve(t, echo);
  for (const [revision, other] of [
    [3, "4"],
    [4, "3"],
    [4, undefined],
  ] as const) {
    const poller = await Poller.open(served, revision);
    const query = `${other ? `EIO=${other}&` : ""}transport=polling&sid=${poller.sid}`;
    for (const method of ["GET", "POST"]) {
      const answer = await fetch(served.url(query), { method });
      t.equal(answer.status, 400);
      t.same(await answer.json(), { code: 3, message: "Bad request" });
    }
    await served.ws(query.replace("polling", "websocket")).closed;
    t.equal(await poller.post(revision === 3 ? "6:4hello" : "4hello"), "200 ok");
    t.equal(await poller.get(), revision === 3 ? "6:4hello" : "4hello");
  }
});

t.test("EIO 7: revision 3 pings are answered bare, pongs ignored", async (t) => {
  const served = await serve(t, echo);
  const ws = served.ws("EIO=3&transport=websocket");
  await ws.sid();
  t.equal(await ws.send("2").next(), "3");
  t.equal(await ws.send("3", "2abc").next(), "3");
  t.equal(await ws.send("6", "5", "4hello").next(), "4hello");
  const poller = await Poller.open(served, 3);
  t.equal(await poller.post("1:2"), "200 ok");
  t.equal(await poller.get(), "1:3");
  t.equal(await poller.post("6:2probe"), "200 ok");
  t.equal(await poller.get(), "1:3");
});

t.test("EIO 7: a silent revision 3 client is closed after interval and timeout, a pinging one is not", async (t) => {
  const reasons: string[] = [];
  const served = await serve(t, { ...echo, close: (_, reason) => reasons.push(reason) }, quick);
  const start = performance.now();
  const silent = served.ws("EIO=3&transport=websocket");
  const loud = served.ws("EIO=3&transport=websocket");
  await Promise.all([silent.sid(), loud.sid()]);
  const pinging = setInterval(() => loud.send("2"), 200);
  t.teardown(() => clearInterval(pinging));
  await silent.closed;
  const took = performance.now() - start;
  t.ok(took > 1250, `not before: ${took}`);
  t.same(reasons, ["ping timeout"]);
  t.equal(served.gateway.size, 1);
  t.equal(served.gateway.counters.closedPingTimeout, 1);
  t.equal(await loud.next(), "3");
});

t.test("EIO 7: a silence that uWS sees first, because the process was paused, is a ping timeout too", async (t) => {
  const reasons: string[] = [];
  const served = await serve(t, { ...echo, close: (_, reason) => reasons.push(reason) }, quick);
  const silent = served.ws("EIO=3&transport=websocket");
  await silent.sid();
  // To the gateway's clock all of it is one pause; uWS waits for eight seconds.
  const real = performance.now;
  const stopped = performance.now();
  t.teardown(() => {
    performance.now = real;
  });
  performance.now = () => stopped;
  await silent.closed;
  t.same(reasons, ["ping timeout"]);
  t.equal(served.gateway.counters.closedPingTimeout, 1);
});

t.test("EIO 8: a revision 4 client is pinged, lives while it answers, and is closed when it does not", async (t) => {
  const served = await serve(t, echo, quick);
  const ws = served.ws("EIO=4&transport=websocket");
  await ws.sid();
  for (let i = 0; i < 4; i++) {
    t.equal(await ws.next(), "2");
    t.equal(served.gateway.counters.closedPingTimeout, 0);
    ws.send("3");
  }
  await ws.closed;
  t.equal(served.gateway.counters.closedPingTimeout, 1);
});

t.test("a few clients are pinged when they were told they would be", async (t) => {
  const gateway = new Server(defaults, echo);
  for (let i = 0; i < 100; i++) t.equal(gateway.firstPing(), gateway.clock.now);
});

t.test("EIO 8: the same on polling", async (t) => {
  const served = await serve(t, echo, quick);
  const poller = await Poller.open(served, 4);
  for (let i = 0; i < 3; i++) {
    t.equal(await poller.get(), "2");
    t.equal(await poller.post("3"), "200 ok");
  }
  const left = await Poller.open(served, 4);
  while (served.gateway.size > 0) await new Promise(setImmediate);
  t.equal(await left.status(), 400);
});

t.test("EIO 8: a revision 4 client that pings is closed", async (t) => {
  const served = await serve(t, echo);
  const ws = served.ws("EIO=4&transport=websocket");
  await ws.sid();
  await ws.send("2").closed;
  t.equal(served.gateway.counters.closedParse, 1);
});

t.test("messages go round on polling", async (t) => {
  const served = await serve(t, echo);
  for (const [revision, body] of [
    [3, "6:4hello"],
    [3, "6:4test16:4test26:4test3"],
    [3, "6:4hello6:b4AQID"],
    [4, "4hello"],
    [4, "4test1\x1e4test2\x1e4test3"],
    [4, "4hello\x1ebAQIDBA=="],
    [4, "4é你😀"],
  ] as const) {
    const poller = await Poller.open(served, revision);
    t.equal(await poller.post(body), "200 ok");
    t.equal(await poller.get(), body);
  }
});

t.test("messages go round on websockets, binary in each revision's own form", async (t) => {
  const served = await serve(t, echo);
  const three = served.ws("EIO=3&transport=websocket");
  await three.sid();
  t.equal(await three.send("4é你😀").next(), "4é你😀");
  t.same(await three.send(Buffer.of(4, 1, 2, 3)).next(), Buffer.of(4, 1, 2, 3));
  t.same(await three.send("b4AQID").next(), Buffer.of(4, 1, 2, 3));
  const plain = served.ws("EIO=3&transport=websocket&b64=1");
  await plain.sid();
  t.equal(await plain.send("b4AQID").next(), "b4AQID");
  const four = served.ws("EIO=4&transport=websocket");
  await four.sid();
  t.same(await four.send(Buffer.of(1, 2, 3, 4)).next(), Buffer.of(1, 2, 3, 4));
  t.equal(await four.send("4hello").next(), "4hello");
});

t.test("garbage ends the session, on either transport", async (t) => {
  const served = await serve(t, echo);
  for (const revision of [3, 4] as const) {
    const poller = await Poller.open(served, revision);
    t.equal(await poller.post("abc"), '400 {"code":3,"message":"Bad request"}');
    t.equal(await poller.status(), 400);
    for (const frame of ["abc", "", "9", "0{}"]) {
      const ws = served.ws(`EIO=${revision}&transport=websocket`);
      await ws.sid();
      await ws.send(frame).closed;
    }
  }
  t.equal(served.gateway.counters.closedParse, 10);
  t.equal(served.gateway.size, 0);
});

t.test("a client that says close is let go: its poll gets a noop", async (t) => {
  const served = await serve(t, echo);
  for (const [revision, close, noop] of [
    [3, "1:1", "1:6"],
    [4, "1", "6"],
  ] as const) {
    const poller = await Poller.open(served, revision);
    const pending = poller.get();
    const posted = poller.post(close);
    t.equal(await pending, noop);
    t.equal(await posted, "200 ok");
    t.equal(await poller.status(), 400);
    const overtaken = await Poller.open(served, revision);
    t.equal(await overtaken.post(close), "200 ok");
    t.equal(await overtaken.get(), noop, "also when the poll was overtaken by the close");
    t.equal(await overtaken.status(), 400);
    const ws = served.ws(`EIO=${revision}&transport=websocket`);
    await ws.sid();
    await ws.send("1").closed;
  }
  t.equal(served.gateway.counters.closedTransport, 6);
});

t.test("an event in the same POST as the close still acts", async (t) => {
  const heard: unknown[] = [];
  const served = await serve(t, { ...echo, message: (_, data) => heard.push(data) });
  const poller = await Poller.open(served, 3);
  t.equal(await poller.post("7:4unbind1:17:4closed"), "200 ok");
  t.same(heard, ["unbind"]);
  const ws = served.ws("EIO=3&transport=websocket");
  await ws.sid();
  ws.send("4bye").close();
  await ws.closed;
  t.same(heard, ["unbind", "bye"]);
});

/** Opens a websocket for a session and probes. */
async function probe(poller: Poller): Promise<Ws> {
  const ws = new Ws(poller.url.replace("http", "ws").replace("polling", "websocket"));
  await ws.opened;
  t.equal(await ws.send("2probe").next(), "3probe");
  return ws;
}

t.test("EIO 9: an upgrade loses, repeats and reorders nothing", async (t) => {
  const served = await serve(t, echo);
  for (const revision of [3, 4] as const) {
    const payload = (packet: string) => (revision === 3 ? `${packet.length}:${packet}` : packet);
    const poller = await Poller.open(served, revision);
    const pending = poller.get();
    const ws = await probe(poller);
    t.equal(await pending, payload("6"), "the pending poll is released");
    const [connection] = [...served.gateway.connections()];
    connection!.send("4one");
    t.equal(await poller.get(), payload("4one"), "polling still carries what comes before the upgrade");
    connection!.send("4two");
    connection!.send("4three");
    ws.send("5", "4four");
    t.same([await ws.next(), await ws.next(), await ws.next()], ["4two", "4three", "4four"]);
    const late = await fetch(poller.url);
    t.same(await late.json(), { code: 3, message: "Bad request" }, "EIO 10: no poll after the upgrade");
    t.equal(await poller.post(payload("4x")), '400 {"code":3,"message":"Bad request"}');
    t.equal(await ws.send("4alive").next(), "4alive");
    ws.close();
    await ws.closed;
  }
  t.equal(served.gateway.counters.upgraded, 2);
});

t.test("EIO 9: `5` right behind the probe is enough", async (t) => {
  const served = await serve(t, echo);
  const poller = await Poller.open(served, 4);
  const ws = new Ws(poller.url.replace("http", "ws").replace("polling", "websocket"));
  await ws.opened;
  ws.send("2probe", "5", "4hello");
  t.same([await ws.next(), await ws.next()], ["3probe", "4hello"]);
  t.equal(await poller.status(), 400);
});

t.test("B6: `5` alone, as PHP and Arduino clients send it, moves the session to the websocket", async (t) => {
  const served = await serve(t, echo);
  for (const revision of [3, 4] as const) {
    const poller = await Poller.open(served, revision);
    const pending = poller.get();
    const ws = new Ws(poller.url.replace("http", "ws").replace("polling", "websocket"));
    await ws.opened;
    t.equal(await ws.send("5", "4hello").next(), "4hello");
    t.equal(await pending, revision === 3 ? "1:6" : "6", "the pending poll is released");
    t.equal(await poller.status(), 400);
    ws.close();
    await ws.closed;
  }
});

t.test("a probe that says anything else, or nothing in time, is closed; polling goes on", async (t) => {
  const served = await serve(t, echo, { upgradeTimeout: 1000 });
  for (const frames of [["4hello"], ["5x"], ["2"], ["2probe", "2probe"], ["2probe", "4hello"], ["2probe"], []]) {
    const poller = await Poller.open(served, 4);
    const ws = new Ws(poller.url.replace("http", "ws").replace("polling", "websocket"));
    await ws.opened;
    await ws.send(...frames).closed;
    t.equal(await poller.post("4still"), "200 ok");
    t.equal(await poller.get(), "4still");
    const again = await probe(poller);
    t.equal(await again.send("5", "4here").next(), "4here", "and a second attempt succeeds");
  }
});

t.test("a client that moves to a websocket while its session ends is told when it has moved", async (t) => {
  const served = await serve(t, echo, { upgradeTimeout: 60_000 });
  const poller = await Poller.open(served, 4);
  const ws = await probe(poller); // from here on it polls no more
  for (const connection of served.gateway.connections()) connection.close();
  t.equal(served.gateway.size, 0);
  let closed = false;
  void ws.closed.then(() => {
    closed = true;
  });
  t.equal(await poller.get(), "1", "one that comes back to polling hears it there");
  for (let i = 0; i < 5; i++) t.equal(await poller.status(), 400); // a closing frame had time to come
  t.equal(closed, false);
  t.equal(await ws.send("5", "4hello").closed, 1005);
});

t.test("one that never says that it has moved is not waited for", async (t) => {
  const served = await serve(t, echo, { upgradeTimeout: 3000 });
  const ws = await probe(await Poller.open(served, 4));
  for (const connection of served.gateway.connections()) connection.close();
  t.equal(await ws.closed, 1005);
});

t.test("EIO 10: a second websocket for a sid is closed; the session lives", async (t) => {
  const served = await serve(t, echo);
  const poller = await Poller.open(served, 4);
  const ws = await probe(poller);
  const query = `EIO=4&transport=websocket&sid=${poller.sid}`;
  await served.ws(query).closed;
  t.equal(await ws.send("5", "4a").next(), "4a");
  await served.ws(query).closed;
  t.equal(await ws.send("4b").next(), "4b");
  await served.ws(query.replace("websocket", "polling")).closed;
  t.equal(await ws.send("4c").next(), "4c");
  await served.ws("EIO=4&transport=polling").closed;
  t.equal(served.gateway.size, 1);
});

t.test("EIO 11: a second poll is refused, the first gets the close, the session is over", async (t) => {
  const served = await serve(t, echo);
  for (const [revision, close] of [
    [3, "1:1"],
    [4, "1"],
  ] as const) {
    const poller = await Poller.open(served, revision);
    const first = poller.get();
    await pending(served.gateway, "poll");
    t.equal(await poller.status(), 400);
    t.equal(await first, close);
    t.same(await (await fetch(poller.url)).json(), { code: 1, message: "Session ID unknown" });
  }
});

t.test("EIO 11: a second POST is refused and ends the session", async (t) => {
  const served = await serve(t, echo);
  const poller = await Poller.open(served, 4);
  const slow = connect(served.port, "127.0.0.1");
  slow.write(
    `POST ${new URL(poller.url).pathname}${new URL(poller.url).search} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n4he`,
  );
  slow.setEncoding("utf8");
  await pending(served.gateway, "post");
  t.match(await poller.post("4x"), /^400 /);
  const [answer] = await once(slow, "data");
  t.match(answer, /^HTTP\/1\.1 400 /);
  slow.destroy();
  t.same(await (await fetch(poller.url)).json(), { code: 1, message: "Session ID unknown" });
});

t.test("a client that drops its poll is gone", async (t) => {
  let closed: (reason: string) => void = () => {};
  const reason = new Promise<string>((resolve) => {
    closed = resolve;
  });
  const served = await serve(t, { ...echo, close: (_, why) => closed(why) });
  const poller = await Poller.open(served, 4);
  const abort = new AbortController();
  const poll = fetch(poller.url, { signal: abort.signal });
  await pending(served.gateway, "poll");
  abort.abort();
  await t.rejects(poll);
  t.equal(await reason, "transport close");
  t.equal(served.gateway.size, 0);
});

t.test("EIO 13: revision 3 takes octet-stream, text with base64; revision 4 refuses octet-stream", async (t) => {
  const served = await serve(t, talk());
  const three = await Poller.open(served, 3);
  t.equal(await three.get(), '2:4013:42["auth",{}]');
  const literal =
    '\x00\x04\x05\xff451-["message",{"_placeholder":true,"num":0}]\x01\x04\xff\x04\x01\x02\x03\x00\x01\x08\xff42["message","\xc3\xa9"]';
  t.equal(await three.post(Buffer.from(literal, "latin1"), "application/octet-stream"), "200 ok");
  t.equal(
    await three.get(),
    '50:451-["message-back",{"_placeholder":true,"num":0}]6:b4AQID27:42["message-back","\\u00e9"]',
    "EIO 14: and answers in ASCII to who asked for text",
  );
  const four = await Poller.open(served, 4);
  t.equal(await four.post("4hello", "application/octet-stream"), '400 {"code":3,"message":"Bad request"}');
});

t.test("B8: a revision 3 client that does not ask for text is answered in the binary form, always", async (t) => {
  const served = await serve(t, talk());
  const answer = await fetch(served.url("EIO=3&transport=polling"));
  t.equal(answer.headers.get("content-type"), "application/octet-stream");
  const open = Buffer.from(await answer.arrayBuffer()).toString("latin1");
  const head = open.slice(0, open.indexOf("\xff"));
  const digits = [...head].map((digit) => digit.charCodeAt(0));
  t.equal(open.length - head.length - 1, Number(digits.join("")), "its length, after a 0 for text");
  const url = served.url(`EIO=3&transport=polling&sid=${sidOf(open)}`);
  const poll = async () => Buffer.from(await (await fetch(url)).arrayBuffer()).toString("latin1");
  t.equal(await poll(), '\x00\x02\xff40\x00\x01\x03\xff42["auth",{}]');
  const body = '\x00\x01\x08\xff42["message","\xc3\xa9"]';
  const headers = { "Content-Type": "application/octet-stream" };
  t.equal(await (await fetch(url, { method: "POST", body: Buffer.from(body, "latin1"), headers })).text(), "ok");
  t.equal(await poll(), '\x00\x02\x03\xff42["message-back","\xc3\xa9"]', "UTF-8, counted in bytes");
  for (const connection of served.gateway.connections()) connection.close();
  t.equal(await poll(), "\x00\x01\xff1", "the farewell too");
});

t.test("EIO 15: JSONP carries newlines in both directions", async (t) => {
  const served = await serve(t, talk());
  const query = "EIO=3&transport=polling&b64=1&j=12x";
  const answer = await fetch(served.url(query));
  t.equal(answer.headers.get("content-type"), "text/javascript; charset=UTF-8");
  const run = (script: string) => {
    const match = /^___eio\[12\]\((".*")\);$/.exec(script);
    return JSON.parse(match?.[1] ?? "null") as string;
  };
  const url = served.url(`${query}&sid=${sidOf(run(await answer.text()).slice(4))}`);
  t.equal(run(await (await fetch(url)).text()), '2:4013:42["auth",{}]');
  const packet = '42["message","a\\nb"]';
  const posted = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: `d=${encodeURIComponent(`${packet.length}:${packet}`.replace("\\n", "\\\\n"))}`,
  });
  t.equal(await posted.text(), "ok");
  t.equal(run(await (await fetch(url)).text()), '25:42["message-back","a\\nb"]');
});

t.test(
  "EIO 16: browsers of any origin are answered with credentials, errors included, and may send octets",
  async (t) => {
    const served = await serve(t, echo);
    const headers = { Origin: "http://app.example" };
    for (const query of ["EIO=3&transport=polling", "EIO=3&transport=abc"]) {
      const answer = await fetch(served.url(query), { headers });
      t.equal(answer.headers.get("access-control-allow-origin"), "http://app.example");
      t.equal(answer.headers.get("access-control-allow-credentials"), "true");
      const plain = await fetch(served.url(query));
      t.equal(plain.headers.get("access-control-allow-origin"), "*");
      t.equal(plain.headers.get("access-control-allow-credentials"), null);
    }
    const preflight = await fetch(served.url("EIO=3&transport=polling&sid=x"), { method: "OPTIONS", headers });
    t.equal(preflight.status, 204);
    t.match(preflight.headers.get("access-control-allow-headers"), /content-type/i);
    t.match(preflight.headers.get("access-control-allow-methods"), /GET.*POST/);
    t.equal(preflight.headers.get("access-control-allow-origin"), "http://app.example");
  },
);

t.test("B9: a preflight allows the headers that it asks for", async (t) => {
  const served = await serve(t, echo, { origins: ["https://app.example"] });
  const ask = async (Origin: string, asked: string) => {
    const headers = { Origin, "Access-Control-Request-Headers": asked };
    const answer = await fetch(served.url("EIO=4&transport=polling"), { method: "OPTIONS", headers });
    return [answer.status, answer.headers.get("access-control-allow-headers")];
  };
  t.same(await ask("https://app.example", "authorization,x-own"), [204, "authorization,x-own"]);
  t.same(await ask("https://app.example", "a:b"), [204, "Content-Type"]);
  t.same(await ask("https://evil.example", "authorization"), [403, null]);
});

t.test("EIO 17: too large a POST is 413, too large a message closes with 1009, others notice nothing", async (t) => {
  const served = await serve(t, echo, { maxPayload: 10_000 });
  const other = served.ws("EIO=4&transport=websocket");
  await other.sid();
  const poller = await Poller.open(served, 4);
  t.match(await poller.post(`4${"x".repeat(10_000)}`), /^413 /);
  t.equal(await poller.status(), 400);
  const chunked = await Poller.open(served, 4);
  const { pathname, search } = new URL(chunked.url);
  const answer = await raw(
    served.port,
    `POST ${pathname}${search} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${`1000\r\n${"x".repeat(4096)}\r\n`.repeat(4)}`,
  );
  t.match(answer, /^HTTP\/1\.1 413 /);
  const ws = served.ws("EIO=4&transport=websocket");
  await ws.sid();
  t.equal(await ws.send(`4${"x".repeat(10_000)}`).closed, 1009);
  const huge = served.ws("EIO=4&transport=websocket");
  await huge.sid();
  await huge.send(`4${"x".repeat(1_000_000)}`).closed;
  t.equal(served.gateway.counters.closedTooBig, 4);
  t.equal(await other.send(`4${"x".repeat(9_000)}`).next(), `4${"x".repeat(9_000)}`);
});

t.test("what is not under the path is not found", async (t) => {
  const served = await serve(t, echo);
  for (const path of ["/", "/socket.io", "/engine.io/?EIO=4&transport=polling", "/metrics"]) {
    const answer = await fetch(`http://127.0.0.1:${served.port}${path}`);
    t.equal(answer.status, 404);
    await answer.arrayBuffer();
  }
});

t.test("B19: a page gets the client library from the server, or is told where it is", async (t) => {
  const library = Buffer.from("/*! Socket.IO */");
  const served = await serve(t, echo, { library });
  for (const name of ["socket.io.js", "socket.io.min.js"]) {
    const answer = await fetch(served.url("").replace("?", name));
    t.equal(answer.status, 200);
    t.equal(answer.headers.get("content-type"), "text/javascript; charset=UTF-8");
    t.match(answer.headers.get("cache-control"), /max-age/);
    t.equal(await answer.text(), library.toString());
  }
  const head = await fetch(served.url("").replace("?", "socket.io.js?v=1"), { method: "HEAD" });
  t.match([head.status, head.headers.get("content-length")], [200, String(library.length)]);
  const without = await serve(t, echo);
  const missing = await fetch(without.url("").replace("?", "socket.io.js"));
  t.equal(missing.status, 404);
  t.match(await missing.text(), /socket\.io-client, version 2\.5\.0/);
});
