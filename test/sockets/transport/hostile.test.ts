// Published faults of neighbours, each sent on purpose. After every one the server is up, another client notices
// nothing, nothing of the offender is left, and the offender has been answered or closed within its deadline.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { socketio } from "../../../src/sockets/transport/socketio.ts";
import type { GatewayOptions } from "../../../src/sockets/transport/types.ts";
import { decode, MAX_ATTACHMENTS } from "../../../src/sockets/wire/socketio.ts";
import { echo, ended, Poller, quick, raw, type Served, serve, talk, type Ws } from "./harness.ts";

const FOUR = "EIO=4&transport=websocket";
const THREE = "EIO=3&transport=websocket";
const POLL = "EIO=4&transport=polling";

interface Attacked extends Served<undefined> {
  /** Opens a connected client. */
  client(query?: string): Promise<Ws>;
  /** The witness is served, and it is the only one left. */
  calm(what: string): Promise<void>;
}

async function attacked(t: Test, options: Partial<GatewayOptions> = {}): Promise<Attacked> {
  const served = await serve(t, talk(), options);
  const client = async (query = FOUR) => {
    const ws = served.ws(query);
    await ws.sid();
    if (query.startsWith("EIO=4")) ws.send("40");
    await ws.said();
    await ws.said();
    return ws;
  };
  const witness = await client(THREE);
  const alive = setInterval(() => witness.send("2"), 100);
  t.teardown(() => clearInterval(alive));
  let round = 0;
  const calm = async (what: string) => {
    const text = `42["message","round ${++round}"]`;
    witness.send(text);
    let frame = await witness.next();
    while (frame === "3") frame = await witness.next();
    t.equal(frame, text.replace("message", "message-back"), what);
    t.equal(served.gateway.size, 1, `${what}: nothing is left`);
  };
  return { ...served, client, calm };
}

// ---- by hand

/** A client frame of a websocket. */
function frame(opcode: number, payload: Uint8Array | string, { fin = true, rsv1 = false, masked = true } = {}): Buffer {
  const data = Buffer.from(payload);
  const length =
    data.length < 126 ? [data.length] : data.length < 65_536 ? [126, data.length >> 8, data.length & 255] : undefined;
  if (length === undefined) throw new RangeError("too long for a test frame");
  const head = [(fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode, (masked ? 0x80 : 0) | length[0]!, ...length.slice(1)];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(masked ? 4 : 0), data]); // a mask of zeros changes nothing
}

const upgradeRequest = (query: string, headers = "") =>
  `GET /socket.io/?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${headers}\r\n`;

const post = (path: string, headers: string, body = "") => `POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`;

const pathOf = (poller: Poller) => poller.url.slice(poller.url.indexOf("/socket.io"));

/** Sends and waits for the server to close. */
async function sendRaw(port: number, ...chunks: readonly (string | Uint8Array)[]): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  for (const chunk of chunks) socket.write(chunk);
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  await ended(socket);
}

// ---- Engine.IO and Socket.IO

t.test("CVE-2026-102599: a session cannot be driven with two revisions", async (t) => {
  const { calm, ...served } = await attacked(t);
  for (const [own, other] of [
    [3, 4],
    [4, 3],
  ] as const) {
    const poller = await Poller.open(served, own);
    const query = `EIO=${other}&transport=polling&sid=${poller.sid}`;
    for (const method of ["GET", "POST"]) {
      const answer = await fetch(served.url(query), { method, ...(method === "POST" ? { body: "\x1e2:40b4" } : {}) });
      t.equal(answer.status, 400);
      t.same(await answer.json(), { code: 3, message: "Bad request" });
    }
    t.match(
      await raw(served.port, upgradeRequest(query.replace("polling", "websocket"))),
      /^HTTP\/1\.1 400 .*Bad request$/s,
    );
    t.equal(await poller.post(own === 3 ? "1:1" : "1"), "200 ok");
    await calm(`revision ${own}`);
  }
});

t.test("CVE-2026-59725: every polling request is answered, also one that is refused or never completed", async (t) => {
  const { calm, ...served } = await attacked(t, { requestTimeout: 300 });
  const unknown = "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA";
  for (const request of [
    post(unknown, "Content-Length: 5\r\n", "4hell"),
    post(unknown, "Content-Length: 500000\r\n"),
    post("/socket.io/?EIO=4&transport=polling", "Content-Length: 5\r\n", "4hell"),
    post("/socket.io/?EIO=4&transport=x", "Content-Length: 5\r\n", "4hell"),
    post("/elsewhere", "Content-Length: 5\r\n", "4hell"),
  ]) {
    const socket = await sendRaw(served.port, request);
    const [answer] = await once(socket, "data");
    t.match(String(answer), /^HTTP\/1\.1 (400|404) /);
    socket.destroy();
  }
  const poller = await Poller.open(served, 4);
  const socket = await sendRaw(served.port, post(pathOf(poller), "Content-Length: 5\r\n", "4h"));
  const [answer] = await once(socket, "data");
  t.match(String(answer), /^HTTP\/1\.1 408 /);
  t.equal(served.gateway.counters.closedTimeout, 1);
  socket.destroy();
  await calm("after all of them");
});

t.test("CVE-2026-59724: an inherited name is no session", async (t) => {
  const { calm, ...served } = await attacked(t);
  for (const sid of [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "",
    "%00",
    "..%2f",
    "x".repeat(3000),
    "[object Object]",
  ]) {
    for (const method of ["GET", "POST"]) {
      const answer = await fetch(served.url(`${POLL}&sid=${sid}`), { method });
      t.same(await answer.json(), { code: 1, message: "Session ID unknown" }, sid.slice(0, 20));
    }
    await served.ws(`${FOUR}&sid=${sid}`).closed;
  }
  await calm("after all of them");
});

t.test("CVE-2026-69185, CVE-2026-33151: binary packets are bounded in number, bytes and time", async (t) => {
  const { calm, client } = await attacked(t);
  const none = await client();
  t.equal(await none.send('450-["message","complete"]').next(), '42["message-back","complete"]');
  none.close();
  await none.closed;
  await calm("zero attachments");
  for (const count of [MAX_ATTACHMENTS + 1, 99, 1_000_000]) await (await client()).send(`45${count}-["e"]`).closed;
  await calm("too many");

  const served = await serve(
    t,
    socketio(
      { namespaces: ["/"], connect() {}, event() {}, disconnect() {}, close() {} },
      { connectTimeout: 500, attachmentTimeout: 100, maxAttachments: 100 },
    ),
    { requestTimeout: 200 },
  );
  for (const attachment of [[], [Buffer.of(4, 1)], [Buffer.alloc(200, 4)]]) {
    const ws = served.ws(THREE);
    await ws.sid();
    await ws.send('452-["e",{"_placeholder":true,"num":0}]', ...attachment).closed;
  }
  t.equal(served.gateway.size, 0);
});

t.test("CVE-2024-38355, the original: frames that ended or confused the process do nothing", async (t) => {
  const { calm, client } = await attacked(t);
  const frames = [
    "44",
    '44"x"',
    '42["error","x"]',
    '42["error",1]',
    '42["pushId"]',
    '42["subscribeTopic",{"topic":"uid:x"}]',
    '42["disconnect"]',
    '42["disconnecting"]',
    '42["connect"]',
    '42["newListener","x"]',
    '42["__proto__"]',
    '42["constructor"]',
    '42["toString"]',
  ];
  const three = await client(THREE);
  t.equal(await three.send(...frames, "2").next(), "3");
  three.close();
  await three.closed;
  await calm("revision 3");
  for (const frame of frames) {
    const four = await client();
    four.send(frame, "41", "41"); // the last closes what the first did not
    await four.closed;
  }
  await calm("revision 4");
});

t.test("CVE-2023-32695: an event is named by a string", async (t) => {
  const { calm, client } = await attacked(t);
  for (const name of ["1", "null", "true", "{}", '{"toString":"x"}', '["x"]', ""]) {
    for (const query of [THREE, FOUR]) await (await client(query)).send(`42[${name}]`).closed;
    await calm(name);
  }
});

t.test("CVE-2023-31125: a transport is one of two words", async (t) => {
  const { calm, ...served } = await attacked(t);
  for (const transport of [
    "",
    "constructor",
    "__proto__",
    "webtransport",
    "Polling",
    "polling%00",
    "websocket,polling",
  ]) {
    const answer = await fetch(served.url(`EIO=4&transport=${transport}`));
    t.same(await answer.json(), { code: 0, message: "Transport unknown" });
    await served.ws(`EIO=4&transport=${transport}`).closed;
  }
  await calm("after all of them");
});

t.test("CVE-2022-21676: frames with the upgrade, or right behind it, find the session ready", async (t) => {
  const { calm, ...served } = await attacked(t, quick);
  const closing: Promise<void>[] = [];
  for (const [bad, query] of [
    [frame(1, "\xff"), FOUR],
    [frame(2, "x"), THREE],
    [frame(1, ""), FOUR],
    [frame(1, "4"), FOUR],
    [frame(3, "x"), FOUR],
    [frame(1, "x", { masked: false }), FOUR],
    [Buffer.of(0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), FOUR],
    [Buffer.from(Array.from({ length: 500 }, (_, i) => (i * 73) % 256)), THREE],
  ] as const) {
    // Not waiting for the answer is against the rules: uWS drops the frame, and the heartbeat finds a silent client.
    const hasty = await sendRaw(served.port, Buffer.concat([Buffer.from(upgradeRequest(query)), bad]));
    const prompt = await sendRaw(served.port, upgradeRequest(query));
    await once(prompt, "data");
    prompt.write(bad);
    closing.push(closed(hasty), closed(prompt));
  }
  await Promise.all(closing);
  await calm("after all of them");
  const socket = await sendRaw(served.port, upgradeRequest(THREE));
  socket.once("data", () => socket.write(frame(1, '42["message",1]')));
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  while (!text.includes('["message-back",1]')) await once(socket, "data");
  socket.destroy();
  await ended(socket);
});

t.test("CVE-2022-2421: a placeholder names an attachment that is there", async (t) => {
  const { calm, client } = await attacked(t);
  for (const num of ["5", "-1", "0.5", '"0"', '"splice"', '"length"', '"__proto__"', "null", "{}", "1e999"]) {
    const ws = await client();
    await ws.send(`451-["message",{"_placeholder":true,"num":${num}}]`, Buffer.of(1)).closed;
    await calm(num);
  }
});

t.test("CVE-2020-36048: a body is refused by its announced length, before it is sent", async (t) => {
  const { calm, ...served } = await attacked(t);
  const poller = await Poller.open(served, 4);
  t.match(await raw(served.port, post(pathOf(poller), "Content-Length: 100000000\r\n")), /^HTTP\/1\.1 413 /);
  await calm("100 MB");
});

t.test("CVE-2020-36049: digits are bounded before they are read", async (t) => {
  const { calm, client, ...served } = await attacked(t);
  const many = "1".repeat(900_000);
  for (const text of [`42${many}["x"]`, `45${many}-["x"]`, `43${many}[]`, `4${many}`])
    await (await client()).send(text).closed;
  const poller = await Poller.open(served, 3);
  t.match(await poller.post(`${many}:4x`), /^400 /);
  const binary = await Poller.open(served, 3);
  t.match(await binary.post(Buffer.alloc(900_000, 1), "application/octet-stream"), /^400 /);
  await calm("after all of them");
});

t.test("CVE-2020-28481: a page of another origin reads no answer and opens no websocket", async (t) => {
  const { calm, ...served } = await attacked(t, { origins: ["https://app.example"] });
  for (const origin of [
    "https://evil.example",
    "https://app.example.evil.example",
    "null",
    "https://app.example:444",
    "http://app.example",
  ]) {
    const answer = await fetch(served.url(POLL), { headers: { Origin: origin } });
    t.equal(answer.status, 403);
    t.not(answer.headers.get("access-control-allow-origin"), origin);
    t.equal(answer.headers.get("access-control-allow-credentials"), null);
    t.match(await raw(served.port, upgradeRequest(FOUR, `Origin: ${origin}\r\n`)), /^HTTP\/1\.1 403 /);
  }
  await calm("after all of them");
});

t.test("an origin cannot write headers of the answer", async (t) => {
  const { calm, ...served } = await attacked(t);
  for (const origin of ["x\ty", "a b", "x".repeat(2000), "x".repeat(8000)]) {
    const socket = await sendRaw(
      served.port,
      Buffer.from(`GET /socket.io/?${POLL} HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\n\r\n`, "latin1"),
    );
    const [answer] = await once(socket, "data");
    t.match(String(answer), /^HTTP\/1\.1 4\d\d /);
    t.notMatch(String(answer), origin);
    socket.destroy();
  }
  await calm("after all of them");
});

t.test("CVE-2017-16031: session ids are 120 random bits", async (t) => {
  const served = await serve(t, echo);
  const sids = new Set<string>();
  const seen = new Uint8Array(15);
  for (let i = 0; i < 300; i++) {
    const { sid } = await Poller.open(served, 4);
    t.match(sid, /^[\w-]{20}$/);
    sids.add(sid);
    for (const [at, byte] of Buffer.from(sid, "base64url").entries()) seen[at]! |= byte;
  }
  t.equal(sids.size, 300);
  t.ok(
    seen.every((bits) => bits === 255),
    "every bit is used",
  );
});

t.test("CVE-2026-48802: unsolicited pongs do nothing", async (t) => {
  const { calm, ...served } = await attacked(t, { ...quick, maxEventsPerSecond: 5000 });
  const before = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const ws = await served.client();
  for (let i = 0; i < 2000; i++) ws.send("3");
  ws.send('42["message",1]');
  t.equal(await ws.said(), '42["message-back",1]');
  t.ok(process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length <= before + 1);
  ws.close();
  await ws.closed;
  await calm("2000 pongs");
});

t.test("socket.io's uWS engine: an answer after the client has gone, twice or never", async (t) => {
  const { calm, ...served } = await attacked(t);
  for (let round = 0; round < 30; round++) {
    const poller = await Poller.open(served, round % 2 === 0 ? 3 : 4);
    const get = `GET ${pathOf(poller)} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const sockets = await Promise.all([
      sendRaw(served.port, get),
      sendRaw(served.port, post(pathOf(poller), "Content-Length: 6\r\n", round % 3 === 0 ? "1:1" : "4hello")),
      sendRaw(served.port, `${get}${get}${get}`), // pipelined
      sendRaw(served.port, upgradeRequest(`EIO=${round % 2 === 0 ? 3 : 4}&transport=websocket&sid=${poller.sid}`)),
    ]);
    for (const connection of served.gateway.connections())
      if (round % 4 === 0 && connection.sid === poller.sid) connection.send("4x");
    for (const socket of sockets) socket.destroy();
    await Promise.all(sockets.map(closed));
  }
  while (served.gateway.size > 1) await new Promise(setImmediate); // the kernel tells of the last ones in its own time
  await calm("after all of them");
});

// ---- WebSocket and HTTP

t.test("CVE-2016-10544: compression is not offered, and a compressed frame is refused", async (t) => {
  const { calm, ...served } = await attacked(t);
  const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
  const socket = await sendRaw(served.port, upgradeRequest(FOUR, offer));
  const [answer] = await once(socket, "data");
  t.match(String(answer), /^HTTP\/1\.1 101 /);
  t.notMatch(String(answer), /deflate/i);
  socket.write(frame(1, Buffer.from("4bca000000ffff", "hex"), { rsv1: true }));
  await closed(socket);
  await calm("a compressed frame");
});

t.test("CVE-2026-48779: endless fragments are no heartbeat, and their sum is bounded", async (t) => {
  const { calm, ...served } = await attacked(t, { ...quick, maxPayload: 10_000 });
  const empty = await sendRaw(served.port, upgradeRequest(THREE), frame(1, "4", { fin: false }));
  const feeding = setInterval(() => empty.write(Buffer.concat(Array(50).fill(frame(0, "", { fin: false })))), 5);
  await closed(empty);
  clearInterval(feeding);
  await calm("empty fragments");
  const tiny = await sendRaw(served.port, upgradeRequest(THREE), frame(1, "4", { fin: false }));
  for (let i = 0; i < 30; i++) tiny.write(Buffer.concat(Array(1000).fill(frame(0, "x", { fin: false }))));
  await closed(tiny);
  await calm("30,000 fragments of one byte");
  const interleaved = await sendRaw(served.port, upgradeRequest(THREE), frame(1, "4", { fin: false }), frame(1, "4"));
  await closed(interleaved);
  await calm("a message inside a message");
});

t.test("CVE-2022-21667: a POST with an empty body is answered once", async (t) => {
  const { calm, ...served } = await attacked(t);
  for (const headers of ["Content-Length: 0\r\n", "", "Transfer-Encoding: chunked\r\n"]) {
    for (const revision of [3, 4] as const) {
      const poller = await Poller.open(served, revision);
      const body = headers.startsWith("T") ? "0\r\n\r\n" : "";
      const socket = await sendRaw(served.port, post(pathOf(poller), headers, body));
      const [answer] = await once(socket, "data");
      t.match(String(answer), /^HTTP\/1\.1 400 /);
      socket.destroy();
      await calm(JSON.stringify(headers));
    }
  }
});

t.test("uWS parser: a body whose end is ambiguous is refused", async (t) => {
  const { calm, ...served } = await attacked(t);
  for (const headers of [
    "Content-Length: 6\r\nContent-Length: 7\r\n",
    "Content-Length: 6\r\nContent-Length: 6\r\n",
    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Content-Length: -6\r\n",
    "Content-Length: +6\r\n",
    "Content-Length: 6, 6\r\n",
    "Content-Length: 0x6\r\n",
    "Content-Length: 99999999999999999999\r\n",
  ]) {
    const poller = await Poller.open(served, 4);
    const answer = await raw(served.port, post(pathOf(poller), headers, "4hello"));
    t.match(answer, /^(HTTP\/1\.1 400 |$)/, JSON.stringify(headers));
    await poller.post("1");
    await calm(JSON.stringify(headers));
  }
  t.match(
    await raw(served.port, upgradeRequest(FOUR, "Content-Length: 0\r\nContent-Length: 5\r\n")),
    /^HTTP\/1\.1 400 /,
  );
});

t.test(
  "uWS backpressure: a slow subscriber is closed and counted; it skips nothing silently, others miss nothing",
  async (t) => {
    const served = await serve(t, { ...echo, open: (c) => void c.join("r") }, { maxBackpressure: 100_000 });
    const fast = served.ws(FOUR);
    await fast.sid();
    const slow = await sendRaw(served.port, upgradeRequest(FOUR));
    while (served.gateway.count("r") < 2) await new Promise(setImmediate);
    slow.pause();
    const poller = await Poller.open(served, 4); // never polls
    const packet = (n: number) => `4${String(n).padStart(10, "0")}${"x".repeat(10_000)}`;
    let sent = 0;
    while (served.gateway.counters.closedSlow < 2 && sent < 10_000) {
      for (let i = 0; i < 5; i++) served.gateway.publish("r", packet(sent++));
      t.equal((await fast.next()) as string, packet(sent - 5), "in order");
      for (let i = 4; i > 0; i--) if ((await fast.next()) !== packet(sent - i)) t.fail("out of order");
    }
    t.equal(served.gateway.counters.closedSlow, 2, `after ${sent} packets`);
    t.equal(served.gateway.size, 1);
    t.equal(served.gateway.count("r"), 1);
    t.equal(await poller.status(), 400);
    let received = "";
    slow.setEncoding("latin1");
    slow.on("data", (chunk) => {
      received += chunk;
    });
    await closed(slow);
    const numbers = [...received.matchAll(/4(\d{10})x/g)].map(([, digits]) => Number(digits));
    t.same(
      numbers,
      Array.from({ length: numbers.length }, (_, i) => i),
      "what it got has no gap",
    );
  },
);

t.test("slow header, slow body: a request that trickles in is cut off", { timeout: 180_000 }, async (t) => {
  const { calm, ...served } = await attacked(t, { requestTimeout: 500 });
  const poller = await Poller.open(served, 4);
  const trickle = async (socket: Socket, text: string) => {
    const timer = setInterval(() => socket.write(text), 100);
    await closed(socket);
    clearInterval(timer);
  };
  await Promise.all([
    trickle(await sendRaw(served.port, "GET /socket.io/?"), "x"),
    trickle(await sendRaw(served.port, "GET /socket.io/ HTTP/1.1\r\nHost: x\r\n"), "A: b\r\n"),
    closed(await sendRaw(served.port, "")),
    closed(await sendRaw(served.port, post("/socket.io/", "Content-Length : 6\r\n", "4hello"))),
    (async () => {
      const socket = await sendRaw(served.port, post(pathOf(poller), "Content-Length: 1000\r\n", "4"));
      const timer = setInterval(() => socket.write("x"), 50);
      const [answer] = await once(socket, "data");
      clearInterval(timer);
      t.match(String(answer), /^HTTP\/1\.1 408 /);
      socket.destroy();
    })(),
  ]);
  await calm("after all of them");
});

t.test("a client that does not answer our close does not keep its session", async (t) => {
  const { calm, ...served } = await attacked(t);
  const socket = connect({ port: served.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.write(upgradeRequest(FOUR));
  await once(socket, "data");
  socket.write(frame(1, "abc"));
  socket.resume();
  await once(socket, "end");
  await calm("the session is gone at once");
  socket.destroy();
});

t.test("deep JSON does not exhaust the stack", async (t) => {
  const { calm, client } = await attacked(t);
  t.equal(decode(`2["x",${"[".repeat(400_000)}${"]".repeat(400_000)}]`), undefined);
  const deep = '{"a":['.repeat(30_000) + "]}".repeat(30_000);
  await (await client()).send(`42["message",${deep}]`).closed;
  await (await client()).send(`451-["message",${deep}]`, Buffer.of(1)).closed;
  await calm("after all of them");
});
