// The table of clients (sockets/README.md 1), a row each: how such a client opens, says who it is, gets a push and beats its heart.
//   real:     the library itself, in this process
//   recorded: what the library sent when it was tried by hand against this server, in a stand-in of its mini program
//   written:  from its documentation and source; the client itself was not tried
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import t, { type Test } from "tap";
import { open } from "../client/support.ts";
import { startTestApp } from "../support/app.ts";
import { type Generation, nextOf, pushClient, RawClient, SocketClient } from "../support/clients.ts";

const server = await startTestApp(t);
const table = readFileSync(resolve(import.meta.dirname, "../../src/sockets/README.md"), "utf8");

interface Row {
  /** The first cell of its row in the table. */
  readonly client: string;
  readonly how: "real" | "recorded" | "written";
  readonly play: (t: Test, id: string) => Promise<void>;
}

const push = (id: string) => server.ok("push", { pushId: id, json: { text: "é你😀" }, timeToLive: 60_000 });
const received = (frame: string, id: string): boolean => {
  const [event, body, position] = JSON.parse(frame.slice(2)) as [string, { text: string }, [string, string, number]];
  return event === "p" && body.text === "é你😀" && position[0] === id && position[2] === 1;
};

/** A websocket, and every frame that such a client says. @param greets when it says who it is */
const websocket =
  (query: string, greets: "at once" | "after 40" | "after its own 40") =>
  async (t: Test, id: string): Promise<void> => {
    const client = await RawClient.open(server.clientPort, query);
    t.teardown(() => client.close());
    const hello = `42${JSON.stringify(["pushId", { id, version: 1, platform: "test", topics: [] }])}`;
    if (greets === "at once") client.send(hello);
    t.match(JSON.parse((await client.next("0{")).slice(1)), {
      sid: String,
      upgrades: [],
      pingInterval: Number,
      pingTimeout: Number,
    });
    if (greets === "after its own 40") client.send("40");
    if (greets !== "at once") {
      await client.next("40");
      client.send(hello);
    }
    t.match(await client.next('42["pushId"'), `{"id":"${id}"}`);
    await push(id);
    t.ok(received(await client.next('42["p"'), id));
    // Revision 3: it pings. Revision 4: the server does, so it has nothing to say.
    if (greets !== "after its own 40") t.same(await client.settle(), []);
  };

/** By polling, in the form that revision 3 gets without `b64`, then the upgrade with a probe. */
async function pollingFirst(t: Test, id: string): Promise<void> {
  let url = `${server.clientUrl}/socket.io/?EIO=3&transport=polling`;
  const poll = async (): Promise<string[]> => packets(Buffer.from(await (await fetch(url)).arrayBuffer()));
  const [opening = ""] = await poll();
  const { sid, upgrades } = JSON.parse(opening.slice(1)) as { sid: string; upgrades: string[] };
  t.same(upgrades, ["websocket"]);
  url += `&sid=${sid}`;
  t.same(await poll(), ["40"]);
  const hello = `42${JSON.stringify(["pushId", { id, topics: [] }])}`;
  await (
    await fetch(url, { method: "POST", body: `${hello.length}:${hello}`, headers: { "content-type": "text/plain" } })
  ).text();
  t.match(await poll(), [`42["pushId",{"id":"${id}"}]`]);
  const socket = new WebSocket(url.replace("http", "ws").replace("=polling", "=websocket"));
  t.teardown(() => socket.close());
  await once(socket, "open");
  const pending = poll();
  socket.send("2probe");
  const [probed] = (await once(socket, "message")) as [MessageEvent];
  t.equal(probed.data, "3probe");
  t.same(await pending, ["6"]);
  socket.send("5");
  const coming = once(socket, "message") as Promise<[MessageEvent]>;
  await push(id);
  const [pushed] = await coming;
  t.ok(received(String(pushed.data), id));
}

/** `\x00`, the length in bytes as raw digits, `\xff`, the text. */
function packets(body: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(0xff, at);
    const length = Number([...body.subarray(at + 1, end)].join(""));
    found.push(body.subarray(end + 1, end + 1 + length).toString());
    at = end + 1 + length;
  }
  return found;
}

const library =
  (generation: Generation) =>
  async (t: Test, id: string): Promise<void> => {
    const client = new SocketClient(generation, server.clientUrl, ["polling", "websocket"]);
    t.teardown(() => client.close());
    t.same(await client.hello({ id }), { id });
    await push(id);
    const [message, position] = (await client.next("p")) as [{ text: string }, [string]];
    t.same([message.text, position[0]], ["é你😀", id]);
  };

const EIO3 = websocket("EIO=3&transport=websocket", "after 40");
const EIO4 = websocket("EIO=4&transport=websocket", "after its own 40");

const ROWS: readonly Row[] = [
  {
    client: "pushbox's own",
    how: "real",
    async play(t, id) {
      const { client, until, got } = open(t, server.clientUrl, { pushId: id });
      await until(() => client.state === "connected");
      await push(id);
      await until(() => got.length === 1);
    },
  },
  { client: "socket.io-client 1.x", how: "real", play: library(1) },
  { client: "socket.io-client 2.x", how: "real", play: library(2) },
  { client: "socket.io-client 3.x", how: "real", play: library(3) },
  { client: "socket.io-client 4.x", how: "real", play: library(4) },
  {
    client: "socket.io-push-client 0.8.2",
    how: "real",
    async play(t, id) {
      const client = pushClient(server.clientUrl, { pushId: id });
      t.teardown(() => client.disconnect());
      await nextOf(client, "connect");
      const pushed = nextOf(client, "push");
      await push(id);
      t.same(await pushed, { text: "é你😀" });
    },
  },
  { client: "push SDK, Android 1.0.83 to 1.1.28", how: "written", play: EIO3 },
  { client: "push SDK, iOS pod 0.0.5 to 0.0.10", how: "written", play: websocket("transport=websocket", "at once") },
  { client: "push SDK, iOS Swift of 2016", how: "written", play: websocket("transport=websocket", "after 40") },
  { client: "Java 1.x", how: "written", play: EIO3 },
  { client: "Java 2.x", how: "written", play: EIO4 },
  { client: "Swift up to 15", how: "written", play: websocket("transport=websocket&b64=1", "after 40") },
  { client: "Swift 16", how: "written", play: EIO4 },
  { client: "Dart 1.x", how: "written", play: EIO3 },
  { client: "Dart 2.x, 3.x", how: "written", play: EIO4 },
  { client: "Python 4.x", how: "written", play: EIO3 },
  { client: "Python 5.x", how: "written", play: EIO4 },
  { client: "C# (SocketIOClient)", how: "written", play: EIO4 },
  { client: "Unity (Best HTTP 1)", how: "written", play: pollingFirst },
  { client: "weapp.socket.io 3.0.0", how: "recorded", play: EIO4 },
  { client: "wxapp-socket-io 1.0.0", how: "recorded", play: EIO3 },
  { client: "uni-socket.io 1.x", how: "written", play: EIO3 },
  { client: "uni-socket.io 2.x, 3.x", how: "written", play: EIO4 },
];

for (const [at, { client, how, play }] of ROWS.entries())
  t.test(`table of clients: ${client} (${how}) gets in, and gets its push`, async (t) => {
    const row = table.split("\n").find((line) => line.startsWith(`| ${client} `));
    t.match(row, new RegExp(`\\| ${how} +\\|$`), "the table says so");
    await play(t, `table-${at}-0123456789`);
  });

t.test("the table of clients has no row that was not played", async (t) => {
  const [, rows = ""] = /## 1\. Clients\n.*?\n\| -[^\n]*\n(.*?)\n\n/s.exec(table) ?? [];
  const names = rows.split("\n").map((line) => line.split("|")[1]?.trim());
  t.same(
    names,
    ROWS.map(({ client }) => client),
  );
});
