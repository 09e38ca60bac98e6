import type { HttpResponse } from "uWebSockets.js";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, Server as Net, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import type { Test } from "tap";
import { test } from "tap";
import { Intake } from "../../src/http/body.ts";
import type { Handler, Site } from "../../src/http/message.ts";
import { HttpError } from "../../src/http/message.ts";
import type { HttpOptions, HttpServer } from "../../src/http/server.ts";
import { createServer } from "../../src/http/server.ts";
import { freePort } from "../support/ports.ts";

/** So long `close` waits for running requests, milliseconds. */
const LAST_ANSWERS = 4000;

const text = (status: number, body: string) => ({ status, headers: [], body });

/** Answers with the size of the body it got. */
const sizes: Handler = (head, body) => text(200, `${head.method} ${head.path} ${body.length}`);

const site = (handler: Handler): Site => ({
  open: () => handler,
  failure: (error) => (error instanceof HttpError ? text(error.status, error.message) : text(500, "bug")),
});

async function start(t: Test, handler: Handler, options: Partial<HttpOptions> = {}): Promise<[HttpServer, number]> {
  const server = createServer(
    { host: "127.0.0.1", port: 0, maxBody: 10_000, bodyTimeout: 60_000, trustedProxies: [], ...options },
    site(handler),
  );
  t.teardown(() => server.close());
  return [server, await server.listen()];
}

/** A connection that remembers what came, and lets one wait for it. */
function open(port: number, socket: Socket = connect(port, "127.0.0.1")) {
  let received = "";
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(received)));
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString();
  });
  const until = async (pattern: RegExp): Promise<string> => {
    while (!pattern.test(received)) {
      await new Promise((resolve) => {
        socket.once("data", resolve);
        socket.once("close", resolve);
      });
      if (socket.destroyed && !pattern.test(received)) throw new Error(`closed after: ${received}`);
    }
    return received;
  };
  return { socket, closed, until, write: (bytes: string) => socket.write(bytes) };
}

const post = (headers: string, body: string) => `POST /a HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;

/** The server still answers others. */
async function lives(t: Test, port: number): Promise<void> {
  const other = open(port);
  other.write("GET /alive HTTP/1.1\r\nHost: a\r\n\r\n");
  t.match(await other.until(/get \/alive 0$/), /^HTTP\/1\.1 200 OK/);
  other.socket.destroy();
}

test("a request whose end is in doubt is refused and its connection closed", async (t) => {
  const [, port] = await start(t, sizes);
  for (const [headers, body] of [
    ["Content-Length: 3\r\nContent-Length: 5", "abcde"],
    ["Content-Length: 3\r\nContent-Length: 3", "abc"],
    ["Content-Length: 3\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"],
    ["Transfer-Encoding: chunked\r\nContent-Length: 3", "3\r\nabc\r\n0\r\n\r\n"],
    ["Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"],
    ["Transfer-Encoding: gzip, chunked", "3\r\nabc\r\n0\r\n\r\n"],
    ["Transfer-Encoding: identity", "abc"],
    ["Content-Length: -3", "abc"],
    ["Content-Length: 3, 3", "abc"],
    ["Content-Length: 0x3", "abc"],
    ["Content-Length: 99999999999999999999", "abc"],
    ["Transfer-Encoding: chunked", "zz\r\nabc\r\n0\r\n\r\n"],
    ["Transfer-Encoding: chunked", "-1\r\nabc\r\n0\r\n\r\n"],
  ] as const) {
    const hostile = open(port);
    hostile.write(post(headers, body));
    const answer = await hostile.closed;
    t.match(answer, /^HTTP\/1\.1 400 /, headers);
    t.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, `${headers}: one answer`);
  }
  await lives(t, port);
});

test("A6: nothing that comes behind an ambiguous request runs, in the same packet or later", async (t) => {
  const ran: string[] = [];
  const [, port] = await start(t, (head, body) => {
    ran.push(head.path);
    return sizes(head, body);
  });
  const behind = "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const method of ["GET", "POST", "HEAD", "OPTIONS"]) {
    for (const headers of [
      "Content-Length: 3\r\nContent-Length: 5",
      "Content-Length:\r\nContent-Length: 5",
      "Content-Length:",
      "Content-Length: 5\r\nContent-Length:",
      "Transfer-Encoding: xchunked",
      "Transfer-Encoding: gzip, chunked",
      "Transfer-Encoding:\r\nContent-Length: 5",
      "Transfer-Encoding: chunked\r\nTrailer: X",
      "Content-Length: 3\r\nContent-Length: 5\r\nConnection: close",
    ]) {
      const first = `${method} /a HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`;
      for (const packets of [[`${first}abcde${behind}`], [first, `abcde${behind}`]]) {
        const hostile = open(port);
        hostile.write(packets[0]!);
        if (packets.length > 1) {
          await hostile.until(/400 /);
          hostile.write(packets[1]!);
        }
        const answer = await hostile.closed;
        t.match(answer, /^HTTP\/1\.1 400 /, headers);
        t.equal(answer.match(/\r\nConnection: close\r\n/g)?.length, 1, headers);
        t.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, `${headers}: one answer`);
      }
    }
  }
  t.strictSame(ran, []);
  await lives(t, port);
});

test("B1: whoever asks for the end of the connection is told that it ends", async (t) => {
  const [, port] = await start(t, (head, body) => {
    if (head.path === "/none") return { status: 204, headers: [], body: "" };
    if (head.path === "/large") return text(200, "x".repeat(200_000));
    if (head.path === "/later") return new Promise((resolve) => setImmediate(resolve, sizes(head, body)));
    if (head.path === "/bug") throw new Error("bug");
    return sizes(head, body);
  });
  for (const connection of ["close", "Close", "close, TE", "TE , close"]) {
    for (const method of ["GET", "HEAD", "POST"]) {
      for (const path of ["/now", "/none", "/large", "/later", "/bug"]) {
        const client = open(port);
        client.write(
          `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\nContent-Length: 1\r\n\r\nx`,
        );
        const answer = await client.closed;
        const name = `${method} ${path} with ${connection}`;
        t.equal(answer.match(/\r\nConnection: close\r\n/g)?.length, 1, name);
        t.notMatch(answer, /keep-alive/i, name);
      }
    }
  }
  await lives(t, port);
});

test("B7: HTTP/1.0 is refused in so many words, and the connection ends", async (t) => {
  const [, port] = await start(t, sizes);
  const old = open(port);
  old.write("GET /healthz HTTP/1.0\r\n\r\n");
  t.match(await old.closed, /^HTTP\/1\.1 505 [\s\S]*\r\nConnection: close\r\n[\s\S]*does not support HTTP\/1\.0/);
  await lives(t, port);
});

test("B16: a head that comes in two packets is read on, wherever uWebSockets lets us", async (t) => {
  const [, port] = await start(t, sizes);
  const head = "GET /alive HTTP/1.1\r\nHost: a\r\n\r\n";
  const refused = [4, ...Array.from({ length: 10 }, (_, i) => "GET /alive ".length + i)]; // see the README beside server.ts
  for (let cut = 1; cut < head.length; cut++) {
    if (refused.includes(cut)) continue;
    const client = open(port);
    client.socket.setNoDelay(true);
    client.write(head.slice(0, cut));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    client.write(head.slice(cut));
    t.match(await client.until(/get \/alive 0$/), /200 OK/, JSON.stringify(head.slice(0, cut)));
    client.socket.destroy();
  }
});

test("headers beyond the limit and what is no HTTP at all end only their own connection", async (t) => {
  const [, port] = await start(t, sizes);
  for (const bytes of [
    `GET /a HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
    `GET /a HTTP/1.1\r\nHost: a\r\n${"X: y\r\n".repeat(200)}\r\n`,
    `GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    "GET /a HTTP/9.9\r\nHost: a\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
  ]) {
    const hostile = open(port);
    hostile.write(bytes);
    t.notMatch(await hostile.closed, /200 OK/, bytes.slice(0, 30));
  }
  await lives(t, port);
});

test("who never finishes a head is cut off, however often it sends a byte", async (t) => {
  const [, port] = await start(t, sizes);
  const clients = [
    "",
    "\r\n\r\n",
    "GET /a HTTP/1.1\r\nHo",
    "GET /a HTTP/1.1\r\n\r\n",
    "GET /a HTTP/1.1\r\nX : y\r\n\r\n",
  ].map((bytes) => {
    const client = open(port);
    client.write(bytes);
    return client;
  });
  const trickle = open(port);
  trickle.write("GET /a HTTP/1.1\r\nX: ");
  const timer = setInterval(() => trickle.write("y"), 500);
  await Promise.all([...clients, trickle].map((client) => client.closed));
  clearInterval(timer);
  await lives(t, port);
});

test("a body arrives whole, in one piece, in many, and in chunks", async (t) => {
  const [, port] = await start(t, sizes);
  const client = open(port);
  client.write(post("Content-Length: 3", "abc"));
  t.match(await client.until(/post \/a 3$/), /200 OK[\s\S]*Keep-Alive: timeout=8\r\n/);
  client.write(post("Content-Length: 9000", "x"));
  for (let i = 1; i < 9000; i++) client.write("x");
  await client.until(/post \/a 9000$/);
  client.write(post("Transfer-Encoding: chunked", "1\r\nx\r\n".repeat(9000)));
  client.write("0\r\n\r\n");
  await client.until(/post \/a 9000[\s\S]*post \/a 9000$/);
  client.write("GET /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd");
  await client.until(/get \/b 4$/);
  client.socket.destroy();
});

test("a body above the limit is refused, and the connection goes on when the client keeps to its length", async (t) => {
  const [, port] = await start(t, sizes);
  const client = open(port);
  client.write(post("Content-Length: 15000", "x".repeat(15_000)));
  await client.until(/413 [\s\S]*larger than 10000 bytes$/);
  client.write(post("Content-Length: 10000", "x".repeat(10_000)));
  await client.until(/post \/a 10000$/);
  client.socket.destroy();
  for (const bytes of [
    post("Content-Length: 1000000", "x"),
    post("Transfer-Encoding: chunked", `ffff\r\n${"x".repeat(0xffff)}\r\n`),
  ]) {
    const hostile = open(port);
    hostile.write(bytes);
    t.match(await hostile.closed, /^HTTP\/1\.1 413 /);
  }
  await lives(t, port);
});

test("B14: a body that comes too slowly is answered 408, whatever it is to become", async (t) => {
  const [, port] = await start(t, sizes, { bodyTimeout: 80 });
  for (const begun of [
    post("Content-Length: 100", ""),
    post("Content-Length: 100", "x"),
    post("Content-Length: 20000", "x".repeat(15_000)), // too large, so thrown away
    post("Transfer-Encoding: chunked", ""),
    post("Transfer-Encoding: chunked", "5\r\nab"),
  ]) {
    const slow = open(port);
    slow.write(begun);
    t.match(await slow.closed, /^HTTP\/1\.1 408 [\s\S]*\r\nConnection: close\r\n[\s\S]*did not arrive in time/, begun);
  }
  await lives(t, port);
});

test("A8: a body takes at most twice its bytes, however small the pieces it comes in", async (t) => {
  const intake = new Intake({ inAll: 1e9, perAddress: 1e9, readsOnTo: 2, patience: 1000, onError() {} });
  for (const [piece, total, length] of [
    [1, 9000, undefined],
    [1, 50_000, 50_000],
    [17, 3_000_000, undefined],
    [1000, 3_000_000, 3_000_000],
    [65_536, 3_000_000, undefined],
  ] as const) {
    let arrived: ((chunk: ArrayBuffer, last: boolean) => void) | undefined;
    const response = { onData: (handler: typeof arrived) => (arrived = handler) } as unknown as HttpResponse;
    let whole = 0;
    const owner = {
      bodyAddress: "a",
      body: (body: Buffer) => (whole = body.buffer.byteLength),
      fault() {},
      progress() {},
    };
    intake.read(response, owner, length, 10_000_000);
    for (let sent = 0; sent < total; sent += piece) {
      arrived?.(new ArrayBuffer(piece), false);
      if (intake.bytes > 2 * (sent + piece) + 2048) t.fail(`${intake.bytes} for ${sent + piece}`);
    }
    arrived?.(new ArrayBuffer(0), true);
    await new Promise(setImmediate);
    t.ok(whole >= total && whole <= 2 * total + piece, `${whole} for ${total} in pieces of ${piece}`);
    t.equal(intake.bytes, 0, "given back");
  }
});

test("A8: a body in thousands of tiny chunks is refused before it keeps the loop busy", async (t) => {
  const [, port] = await start(t, sizes, { maxBody: 1_000_000 });
  const hostile = open(port);
  hostile.write(post("Transfer-Encoding: chunked", `${"1\r\nx\r\n".repeat(100_000)}0\r\n\r\n`));
  t.match(await hostile.closed, /^HTTP\/1\.1 400 [\s\S]*too many chunks of a few bytes/);
  await lives(t, port);
});

test("A8: the unfinished bodies of one address leave room for others", async (t) => {
  const [, port] = await start(t, sizes, { maxBody: 100_000, trustedProxies: ["127.0.0.1"] });
  const from = (address: string) => `X-Forwarded-For: ${address}\r\nContent-Length: 100000`;
  const greedy = Array.from({ length: 4 }, () => open(port));
  for (const client of greedy) client.write(post(from("192.0.2.1"), "x".repeat(90_000)));
  t.match(
    await Promise.race(greedy.map((client) => client.closed)),
    /^HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n/,
  );
  const other = open(port);
  other.write(post(from("192.0.2.2"), "x".repeat(90_000)));
  other.write("x".repeat(10_000));
  await other.until(/post \/a 100000$/);
  for (const client of [...greedy, other]) client.socket.destroy();
});

test("B17: chunk extensions and trailers are refused at once, before anything is done", async (t) => {
  const ran: string[] = [];
  const [, port] = await start(t, (head, body) => {
    ran.push(head.path);
    return sizes(head, body);
  });
  for (const chunks of [
    "4;a=b\r\nabcd\r\n0\r\n\r\n",
    "4;abc\r\nabcd\r\n0\r\n\r\n",
    "4;name=value\r\nabcd\r\n0\r\n\r\n",
    '4;a="b c"\r\nabcd\r\n0\r\n\r\n',
    "4\r\nabcd\r\n0;x=y\r\n\r\n",
    "4\r\nabcd\r\n0\r\nX-Checksum: 1\r\n\r\n",
  ]) {
    const client = open(port);
    client.write(post("Transfer-Encoding: chunked", chunks));
    t.match(await client.closed, /^HTTP\/1\.1 (400|505) /, chunks);
    if (chunks.includes("X-Checksum")) continue; // in a packet of its own it comes when the call is made: the answer is its own
    const pieces = open(port);
    pieces.write(post("Transfer-Encoding: chunked", ""));
    for (const line of chunks.split(/(?<=\r\n)/)) {
      pieces.write(line);
      await new Promise(setImmediate);
    }
    t.match(await pieces.closed, /^HTTP\/1\.1 (400|505) /, `${chunks} line by line`);
  }
  const declared = open(port);
  declared.write(post("Transfer-Encoding: chunked\r\nTrailer: X-Checksum", "4\r\nabcd\r\n0\r\n"));
  t.match(await declared.closed, /^HTTP\/1\.1 400 [\s\S]*trailers after a body are not supported/);
  t.strictSame(ran, []);
  const fine = open(port);
  fine.write(post("Transfer-Encoding: chunked", "4 \r\nabcd\r\n0\r\n\r\n"));
  await fine.until(/post \/a 4$/);
  fine.socket.destroy();
});

test("all unfinished bodies together take no more than four times the limit", async (t) => {
  const [, port] = await start(t, sizes, { maxBody: 100_000 });
  const clients = Array.from({ length: 8 }, () => open(port));
  for (const client of clients) client.write(post("Content-Length: 100000", "x".repeat(90_000)));
  const first = await Promise.race(clients.map((client) => client.closed));
  t.match(first, /^HTTP\/1\.1 503 [\s\S]*too many large requests at once/);
  for (const client of clients) client.socket.destroy();
  await Promise.all(clients.map((client) => client.closed));
  await lives(t, port);
  const later = open(port);
  later.write(post("Content-Length: 100000", "x".repeat(90_000)));
  later.write("x".repeat(10_000));
  await later.until(/post \/a 100000$/);
  later.socket.destroy();
});

test("a client that leaves in the middle of its body runs nothing", async (t) => {
  let ran = 0;
  const [, port] = await start(t, (head, body) => {
    if (head.path === "/a") ran++;
    return sizes(head, body);
  });
  const client = open(port);
  client.write(post("Content-Length: 100", "x"));
  client.socket.end();
  await client.closed;
  await lives(t, port);
  t.equal(ran, 0);
});

test("pipelined requests are answered in their order", async (t) => {
  const [, port] = await start(t, sizes);
  const client = open(port);
  client.write(
    `${post("Content-Length: 3", "abc")}GET /b HTTP/1.1\r\nHost: a\r\n\r\n${post("Content-Length: 2", "ab")}`,
  );
  t.match(await client.until(/post \/a 2$/), /post \/a 3[\s\S]*get \/b 0[\s\S]*post \/a 2$/);
  client.socket.destroy();
});

test("a handler's mistake is an answer, whether it throws now or later", async (t) => {
  const [, port] = await start(t, (head, body) => {
    if (head.path === "/now") throw new Error("now");
    if (head.path === "/later") return Promise.reject(new Error("later"));
    return sizes(head, body);
  });
  const client = open(port);
  for (const path of ["/now", "/later"]) client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  t.match(await client.until(/bug[\s\S]*bug$/), /500 Internal Server Error/);
  client.socket.destroy();
  await lives(t, port);
});

test("an answer that is none costs its connection, and no other", async (t) => {
  const failures: unknown[] = [];
  const none = undefined as unknown as ReturnType<typeof text>;
  const server = createServer(
    { host: "127.0.0.1", port: 0, maxBody: 10_000, bodyTimeout: 60_000, trustedProxies: [] },
    {
      open: (head) => (head.path === "/later" ? () => Promise.resolve(none) : head.path === "/a" ? () => none : sizes),
      failure: (error) => {
        failures.push(error);
        return text(500, "bug");
      },
    },
  );
  t.teardown(() => server.close());
  const port = await server.listen();
  const stays = open(port);
  stays.write("GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  await stays.until(/get \/b 0$/);
  const whole = [
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /later HTTP/1.1\r\nHost: a\r\n\r\n",
    post("Content-Length: 3", "abc"),
    post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
  ];
  for (const request of whole) {
    const client = open(port);
    client.write(request);
    t.equal(await client.closed, "", request);
  }
  t.equal(failures.length, whole.length);
  stays.write("GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  t.match(await stays.until(/get[\s\S]*get \/b 0$/), /get \/b 0$/);
  stays.socket.destroy();
});

test("a client that is gone before its answer is written costs nobody anything", async (t) => {
  let leaves: Socket | undefined;
  const answer = (): ReturnType<typeof text> => {
    leaves?.resetAndDestroy();
    return text(200, "x".repeat(length));
  };
  let length = 0;
  const server = createServer(
    { host: "127.0.0.1", port: 0, maxBody: 10_000, bodyTimeout: 60_000, trustedProxies: [] },
    { open: ({ path }) => (path === "/at-once" ? answer() : answer), failure: answer },
  );
  t.teardown(() => server.close());
  const port = await server.listen();
  for (length of [100, 16_300, 20_000, 200_000])
    for (const request of [
      "GET /at-once HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /at-once HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "HEAD /at-once HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      post("Content-Length: 3", "abc"),
      post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
      post("Transfer-Encoding: xchunked", ""), // no request (http 2)
    ]) {
      const client = open(port);
      leaves = client.socket;
      client.write(request);
      t.equal(await client.closed, "", request);
    }
  leaves = undefined;
  length = 1;
  const stays = open(port);
  stays.write("GET /at-once HTTP/1.1\r\nHost: a\r\n\r\n");
  t.match(await stays.until(/x$/), /^HTTP\/1\.1 200 OK/);
  stays.socket.destroy();
});

test("HEAD of a page announces its length and sends nothing", async (t) => {
  const [, port] = await start(t, () => text(200, "ü".repeat(100_000)));
  const client = open(port);
  client.write("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\nHost: a\r\n\r\n");
  t.match(await client.until(/\r\n\r\n[\s\S]*\r\n\r\n$/), /Content-Length: 200000/);
  client.socket.destroy();
});

test("a taken port is a clear error", async (t) => {
  const [, port] = await start(t, sizes);
  const second = createServer(
    { host: "127.0.0.1", port, maxBody: 1, bodyTimeout: 1000, trustedProxies: [] },
    site(sizes),
  );
  await t.rejects(second.listen(), new RegExp(`cannot listen on 127.0.0.1:${port}: the port is in use`));
});

test("a server that takes any free port takes another one when somebody was faster", async (t) => {
  const { close } = Net.prototype;
  const faster = new Net();
  // The port that was found is taken as soon as it is given back.
  Net.prototype.close = function (done) {
    Net.prototype.close = close;
    const { port } = this.address() as AddressInfo;
    return this.close(() => faster.listen(port, "127.0.0.1", () => done?.()));
  };
  t.teardown(() => {
    Net.prototype.close = close;
    faster.close();
  });
  const [, port] = await start(t, sizes);
  t.ok(faster.listening);
  t.not(port, (faster.address() as AddressInfo).port);
  await lives(t, port);
});

test("a restarted server has its port back at once, although the previous one closed its connections", async (t) => {
  const [first, port] = await start(t, sizes, { port: await freePort() }); // which no other test is given meanwhile
  const clients = Array.from({ length: 3 }, () => open(port));
  for (const client of clients) {
    client.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.until(/a 0$/);
  }
  await first.close();
  await Promise.all(clients.map((client) => client.closed));
  const [, again] = await start(t, sizes, { port });
  t.equal(again, port);
  await lives(t, port);
});

test("closing refuses new connections, ends idle ones, and waits for what runs", async (t) => {
  let release: (() => void) | undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let entered: (() => void) | undefined;
  const inside = new Promise<void>((resolve) => (entered = resolve));
  const large = "x".repeat(20_000_000);
  const [server, port] = await start(t, async (head, body) => {
    if (head.path !== "/slow") return sizes(head, body);
    entered?.();
    await gate;
    return text(200, large);
  });
  const idle = open(port);
  idle.write("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n");
  await idle.until(/idle 0$/);
  const slow = open(port);
  slow.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  await inside;
  const begun = performance.now();
  const closed = server.close();
  const late = open(port);
  t.equal(await late.closed, "", "a new connection is refused");
  release?.();
  await closed;
  // A machine so busy that it took longer sees it cut off, as promised.
  const cut = performance.now() - begun >= LAST_ANSWERS;
  t.ok((await slow.closed).length > large.length || cut, "the running answer came whole");
  await idle.closed;
});

test("closing waits only so long for a request whose body does not come", async (t) => {
  const [server, port] = await start(t, sizes);
  const silent = open(port);
  silent.write(post("Content-Length: 10", ""));
  const begun = open(port);
  begun.write(post("Content-Length: 10", "half"));
  await lives(t, port);
  await server.close();
  await Promise.all([silent.closed, begun.closed]);
});

test("closing with nothing to wait for ends at once, and twice is once", async (t) => {
  const [server, port] = await start(t, sizes);
  const client = open(port);
  client.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.until(/a 0$/);
  await Promise.all([server.close(), server.close()]);
  t.match(await client.closed, /a 0$/);
});

test("a reload gives new connections the new certificate and leaves the others alone", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pushbox-tls-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  const issue = (name: string): void => {
    const request = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "1",
    ];
    execFileSync("openssl", [...request, "-subj", `/CN=${name}`, "-keyout", files.keyFile, "-out", files.certFile], {
      stdio: "ignore",
    });
  };
  const secure = async (port: number) => {
    const socket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    return { name: String(socket.getPeerCertificate().subject.CN), client: open(port, socket) };
  };

  issue("first");
  const [server, port] = await start(t, sizes, { tls: files });
  const before = await secure(port);
  t.equal(before.name, "first");

  writeFileSync(files.certFile, "nonsense");
  await t.rejects(server.reloadTls(), /cannot use the certificate/);
  t.equal((await secure(port)).name, "first", "files that do not fit change nothing");

  issue("second");
  await server.reloadTls();
  const after = await secure(port);
  t.equal(after.name, "second");
  for (const { client } of [before, after]) {
    client.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.until(/get \/a 0$/);
  }
  await server.close();
  await Promise.all([before.client.closed, after.client.closed]);

  writeFileSync(files.keyFile, "nonsense");
  const broken = createServer(
    { host: "127.0.0.1", port: 0, tls: files, maxBody: 1, bodyTimeout: 1000, trustedProxies: [] },
    site(sizes),
  );
  await t.rejects(broken.listen(), /cannot use the certificate/);
});
