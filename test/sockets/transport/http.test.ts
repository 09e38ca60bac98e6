// The client port as an HTTP server, byte by byte.
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import t from "tap";
import { echo, ended, Poller, pending, raw, serve } from "./harness.ts";

const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
const UPGRADE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

const pathOf = (poller: Poller) => poller.url.slice(poller.url.indexOf("/socket.io"));

/** Headers that a proxy may read in another way than we do. */
const AMBIGUOUS = [
  "Content-Length: 4\r\nContent-Length: 6\r\n",
  "Content-Length: 6\r\nContent-Length: 6\r\n",
  "Content-Length:\r\nContent-Length: 6\r\n",
  "Content-Length: \r\n",
  "Content-Length: 6\r\nContent-Length:\r\n",
  "Transfer-Encoding: xchunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Transfer-Encoding:\r\nContent-Length: 6\r\n",
  "Transfer-Encoding: chunked\r\nTrailer: X\r\n",
];

t.test("A6: an ambiguous request is refused on every route, and nothing that comes behind it runs", async (t) => {
  const served = await serve(t, echo);
  const { port, gateway } = served;
  const poller = await Poller.open(served, 4);
  for (const path of [HANDSHAKE, pathOf(poller), "/socket.io/?EIO=9", "/nope", "/"]) {
    for (const method of ["GET", "POST", "OPTIONS"]) {
      for (const headers of AMBIGUOUS) {
        const first = `${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
        const answer = await raw(port, `${first}4hello${`GET ${HANDSHAKE} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(2)}`);
        const name = `${method} ${path} ${JSON.stringify(headers)}`;
        t.match(answer, /^HTTP\/1\.1 400 [\s\S]*\r\nConnection: close\r\n/, name);
        t.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, `${name}: one answer`);
      }
    }
  }
  for (const headers of AMBIGUOUS) {
    const upgrade = `GET ${HANDSHAKE.replace("polling", "websocket")} HTTP/1.1\r\nHost: x\r\n${UPGRADE}${headers}\r\n`;
    t.match(await raw(port, upgrade), /^HTTP\/1\.1 400 [\s\S]*\r\nConnection: close\r\n/, `an upgrade with ${headers}`);
  }
  t.equal(gateway.counters.opened, 1, "no handshake ran");
});

t.test("A6: the same in separate packets: the connection is closed before the second comes", async (t) => {
  const { port, gateway } = await serve(t, echo);
  for (const path of [HANDSHAKE, "/nope"]) {
    const socket = connect(port, "127.0.0.1");
    const closed = ended(socket);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length:\r\nContent-Length: 5\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    t.match(answer.toString(), /^HTTP\/1\.1 400 /);
    socket.write(`4helloGET ${HANDSHAKE} HTTP/1.1\r\nHost: x\r\n\r\n`);
    socket.resume();
    await closed;
  }
  t.equal(gateway.counters.opened, 0);
});

t.test("B1: whoever asks for the end of the connection is told that it ends", async (t) => {
  const served = await serve(t, echo);
  const poller = await Poller.open(served, 4);
  const ask = (method: string, path: string, connection: string, body = "") =>
    raw(
      served.port,
      `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  for (const connection of ["close", "Close", "close, TE", "TE,close"]) {
    for (const [method, path, body] of [
      ["GET", HANDSHAKE],
      ["POST", pathOf(poller), "4hello"],
      ["GET", pathOf(poller)],
      ["OPTIONS", HANDSHAKE],
      ["HEAD", "/nope"],
      ["GET", "/nope"],
      ["GET", "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA"],
      ["GET", "/socket.io/?transport=x"],
    ] as const) {
      const answer = await ask(method, path, connection, body);
      const name = `${method} ${path} with ${connection}`;
      t.equal(answer.match(/\r\nConnection: close\r\n/g)?.length, 1, name);
      t.notMatch(answer, /keep-alive/i, name);
    }
  }
});

t.test("B1: a client that pools connections by the answer gets every answer", async (t) => {
  const served = await serve(t, echo);
  const poller = await Poller.open(served, 4);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  // As node-fetch 3.0 to 3.2 do: they ask for the end of the connection, and look for it in the answer alone.
  const ask = async (method: string, url: string, body?: string): Promise<number | undefined> => {
    const sent = request(url, { agent, method, headers: { Connection: "close" } });
    sent.end(body);
    const [answer] = await once(sent, "response");
    answer.resume();
    await once(answer, "end");
    return answer.statusCode;
  };
  for (let round = 0; round < 10; round++) {
    t.equal(await ask("GET", served.url("EIO=4&transport=polling")), 200);
    t.equal(await ask("POST", poller.url, "4hello"), 200);
    t.equal(await ask("GET", poller.url), 200);
    t.equal(await ask("GET", served.url("EIO=4&transport=x")), 400);
  }
});

t.test("B1: a connection that stays says for how long, one that is refused does not stay", async (t) => {
  const { port } = await serve(t, echo);
  const socket = connect(port, "127.0.0.1");
  socket.write(`GET ${HANDSHAKE} HTTP/1.1\r\nHost: x\r\n\r\n`);
  t.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 200 [\s\S]*\r\nKeep-Alive: timeout=8\r\n/);
  socket.destroy();
  for (const path of [
    "/nope",
    "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA",
    "/socket.io/?transport=x",
  ])
    t.match(await raw(port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`), /\r\nConnection: close\r\n/, path);
});

t.test("B1: polls that are pending when the server stops are told", async (t) => {
  const served = await serve(t, echo);
  const poller = await Poller.open(served, 4);
  const poll = raw(served.port, `GET ${pathOf(poller)} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await pending(served.gateway, "poll");
  await served.gateway.close();
  t.match(await poll, /^HTTP\/1\.1 200 [\s\S]*\r\nConnection: close\r\n[\s\S]*\r\n\r\n1$/);
});

t.test("B10: the answer to HEAD has no body, so the next answer is read right", async (t) => {
  const { port, url } = await serve(t, echo);
  for (const path of ["/nope", HANDSHAKE, "/socket.io/?transport=x"]) {
    const answer = await raw(port, `HEAD ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    t.match(answer, /^HTTP\/1\.1 4\d\d [\s\S]*\r\nContent-Length: [1-9]\d*\r\n[\s\S]*\r\n\r\n$/, path);
  }
  t.equal((await fetch(url("EIO=4&transport=polling"), { method: "HEAD" })).status, 400);
});

t.test(
  "A8: a POST in tiny chunks costs its bytes, and too many unfinished ones of an address are told to wait",
  async (t) => {
    const served = await serve(t, echo, { maxPayload: 100_000 });
    const chunked = (poller: Poller, chunks: string) =>
      `POST ${pathOf(poller)} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
    const poller = await Poller.open(served, 4);
    const socket = connect(served.port, "127.0.0.1");
    socket.write(chunked(poller, `1\r\n4\r\n${"1\r\nx\r\n".repeat(5000)}0\r\n\r\n`));
    t.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 200 /);
    t.equal(await poller.get(), `4${"x".repeat(5000)}`, "the echo");
    socket.destroy();

    const hostile = await Poller.open(served, 4);
    const answer = await raw(served.port, chunked(hostile, `${"1\r\nx\r\n".repeat(50_000)}0\r\n\r\n`));
    t.match(answer, /^HTTP\/1\.1 400 [\s\S]*Too many small chunks/);
    t.equal(await hostile.status(), 400, "its session is over");

    // Each holds almost its 100 KB: eight times the limit is what one address may.
    const pollers = await Promise.all(Array.from({ length: 12 }, () => Poller.open(served, 4)));
    const answers = pollers.map((one) => {
      const begun = connect(served.port, "127.0.0.1");
      t.teardown(() => begun.destroy());
      begun.write(`POST ${pathOf(one)} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${"x".repeat(99_000)}`);
      return once(begun, "data").then(([data]) => String(data));
    });
    t.match(
      await Promise.race(answers),
      /^HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n[\s\S]*Too many unfinished requests/,
    );
  },
);

t.test("B17: a POST with chunk extensions or trailers does nothing", async (t) => {
  const got: unknown[] = [];
  const served = await serve(t, { ...echo, message: (_, data) => void got.push(data) });
  for (const chunks of [
    "6;a=b\r\n4hello\r\n0\r\n\r\n",
    "6;name\r\n4hello\r\n0\r\n\r\n",
    "6\r\n4hello\r\n0\r\nX-Sum: 1\r\n\r\n",
  ]) {
    const poller = await Poller.open(served, 4);
    const head = `POST ${pathOf(poller)} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
    t.match(await raw(served.port, head + chunks), /^HTTP\/1\.1 (400|505) /, chunks);
  }
  t.same(got, []);
});

t.test(
  "B14: an upload that brings 1 KB per second keeps its session, one that stands still is answered 408",
  async (t) => {
    const heartbeat = { pingInterval: 300, pingTimeout: 200 };
    const served = await serve(t, echo, { requestTimeout: 200, heartbeat: { 3: heartbeat, 4: heartbeat } });
    const poller = await Poller.open(served, 4);
    const socket = connect(served.port, "127.0.0.1");
    socket.write(`POST ${pathOf(poller)} HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n4`);
    const answered = once(socket, "data");
    // Three times as long as a client may be silent.
    for (let sent = 1; sent < 30_000; sent += 1000) {
      socket.write("x".repeat(Math.min(1000, 30_000 - sent)));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    t.match(String((await answered)[0]), /^HTTP\/1\.1 200 /);
    socket.destroy();
    const still = await Poller.open(served, 4);
    t.match(
      await raw(served.port, `POST ${pathOf(still)} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n4`),
      /^HTTP\/1\.1 408 [\s\S]*\r\nConnection: close\r\n/,
    );
  },
);

t.test("B20: a message over max_backpressure reaches a client on polling, and the connection goes on", async (t) => {
  const served = await serve(t, echo, { maxBackpressure: 100_000 });
  const poller = await Poller.open(served, 4);
  for (const large of ["x", "y"]) {
    const [client] = [...served.gateway.connections()];
    const poll = poller.get();
    client!.send(`4${large.repeat(300_000)}`);
    t.equal(await poll, `4${large.repeat(300_000)}`);
  }
  t.equal(await poller.post("4more"), "200 ok");
  t.equal(await poller.get(), "4more");
  t.equal(served.gateway.counters.closedSlow, 0);
});

t.test("what waits for a client on polling counts in bytes, whatever the language", async (t) => {
  const served = await serve(t, echo, { maxBackpressure: 100_000 });
  await Poller.open(served, 4); // and never polls again
  const [client] = [...served.gateway.connections()];
  client!.send(`4${"好".repeat(40_000)}`);
  t.equal(client!.waiting, 120_001);
  client!.send("4more");
  await new Promise(setImmediate);
  t.equal(served.gateway.counters.closedSlow, 1);
});
