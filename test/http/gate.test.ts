// Connections from accept on.
import { connect, type Socket } from "node:net";
import { type Test, test } from "tap";
import { share, watchFiles } from "../../src/app/files.ts";
import { createServer } from "../../src/http/server.ts";
import { echo, ended, serve } from "../sockets/transport/harness.ts";
import { serve as start } from "../support/process.ts";
import { until } from "../support/until.ts";

const opened = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once("connect", resolve));

/** Opens connections that say nothing; resolves once the system has opened each: the server may have closed it by then. */
async function crowd(t: Test, port: number, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    t.teardown(() => socket.destroy());
    return socket;
  });
  await Promise.all(sockets.map((socket) => Promise.race([opened(socket), ended(socket)])));
  return sockets;
}

const closed = async (sockets: readonly Socket[], count: number): Promise<void> => {
  while (sockets.filter((socket) => socket.destroyed).length < count)
    await Promise.race(sockets.filter((socket) => !socket.destroyed).map(ended));
};

test("A9: connections beyond what the port may have are closed within accept, and it is said", async (t) => {
  const warnings: string[] = [];
  const { port, gateway, url, ws } = await serve(t, echo, { maxSockets: 20, warn: (text) => warnings.push(text) });
  const members = [ws("EIO=4&transport=websocket"), ws("EIO=4&transport=websocket")];
  await Promise.all(members.map((member) => member.sid()));
  // Half of what is possible for one address: the rest is for others.
  const sockets = await crowd(t, port, 30);
  await closed(sockets, 20);
  t.equal(sockets.filter((socket) => !socket.destroyed).length, 10);
  t.match(warnings, [/^closed a connection of 127\.0\.0\.1 at once: it opened more than 10 within seconds$/]);
  t.equal(gateway.counters.refusedAtAccept, 20);
  t.equal(gateway.size, 2, "websockets do not count as opened lately");
  t.equal(await members[0]!.send("4x").next(), "4x");
  for (const socket of sockets) socket.destroy();
  await t.rejects(fetch(url("EIO=4&transport=polling")));
});

test("A9: a port that is nearly full keeps no connection, and a full one takes none", async (t) => {
  const warnings: string[] = [];
  const server = createServer(
    {
      host: "127.0.0.1",
      port: 0,
      maxBody: 1,
      bodyTimeout: 1000,
      trustedProxies: [],
      maxConnections: 10,
      warn: (text) => warnings.push(text),
    },
    { open: () => ({ status: 200, headers: [], body: "ok" }), failure: () => ({ status: 500, headers: [], body: "" }) },
  );
  t.teardown(() => server.close());
  const port = await server.listen();
  const sockets = await crowd(t, port, 8);
  const ask = async () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const said = new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
    return { socket, answer: await Promise.race([said, ended(socket).then(() => "closed")]) };
  };
  const { socket, answer } = await ask();
  t.match(answer, /Connection: close/, "nine of ten are open");
  await ended(socket);
  sockets.push(...(await crowd(t, port, 3)));
  await closed(sockets, 1);
  t.equal((await ask()).answer, "closed");
  t.match(warnings, [/10 are open, and no more files are free/], "said once");
  for (const one of sockets) one.destroy();
  while ((await ask()).answer === "closed") await new Promise(setImmediate);
  t.match((await ask()).answer, /Keep-Alive/, "it takes them again");
});

test("A9: a port that accepts nothing for want of files accepts again, with its connections", async (t) => {
  const { gateway, url, ws } = await serve(t, echo);
  const member = ws("EIO=4&transport=websocket");
  await member.sid();
  let free = true;
  const other: boolean[] = [];
  const warnings: string[] = [];
  const stop = watchFiles(
    [gateway, { accept: (on) => other.push(on) > 0 }],
    (text) => warnings.push(text),
    () => free,
    5,
  );
  t.teardown(stop);
  free = false;
  await until(() => other.length > 0);
  await t.rejects(fetch(url("EIO=4&transport=polling")), "nobody is let in");
  t.equal(await member.send("4x").next(), "4x", "who is in stays");
  free = true;
  await until(() => other.length >= 2);
  while (
    !(await fetch(url("EIO=4&transport=polling")).then(
      () => true,
      () => false,
    ))
  )
    await new Promise(setImmediate);
  t.same(other, [false, true]);
  t.match(warnings, [/^no file is left to open/]);
  t.equal(await member.send("4y").next(), "4y");
});

test("A9: files are shared: an eighth, 128 to 4096, is not for clients", (t) => {
  t.same([500, 1024, 20_000, 1_000_000].map(share), [
    { client: 372, api: 64, admin: 16 },
    { client: 896, api: 64, admin: 16 },
    { client: 17_500, api: 1250, admin: 312 },
    { client: 995_904, api: 2048, admin: 512 },
  ]);
  t.end();
});

test("A9: as many connections as there are files leave the API answering", async (t) => {
  const server = await start(t, t.testdir({}), [], { limit: "-n 300" });
  const sockets = await crowd(t, Number(new URL(server.clientUrl).port), 400);
  await closed(sockets, 400 - 172);
  t.equal((await fetch(`${server.apiUrl}/healthz`)).status, 200);
  t.match(await server.printed(/closed a connection/), /client port: closed a connection of 127\.0\.0\.1 at once/);
});
