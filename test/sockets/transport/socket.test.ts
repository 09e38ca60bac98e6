// The Socket.IO conversation: protocol 3, SIO 19 to 22, and what the official SIO5 suite checks.
import t from "tap";
import { type SocketApplication, socketio } from "../../../src/sockets/transport/socketio.ts";
import type { Connection } from "../../../src/sockets/transport/types.ts";
import { quick, type Served, serve, talk, type Ws } from "./harness.ts";

const FOUR = "EIO=4&transport=websocket";
const THREE = "EIO=3&transport=websocket";

/** Connected to "/", `auth` read. */
async function connected(served: Served<undefined>, query = FOUR): Promise<Ws> {
  const ws = served.ws(query);
  await ws.sid();
  if (query === FOUR) ws.send("40");
  await ws.said();
  await ws.said();
  return ws;
}

t.test("a revision 4 client connects to a namespace, with or without a payload", async (t) => {
  const served = await serve(t, talk());
  const table: [string, RegExp, string][] = [
    ["40", /^40\{"sid":"[\w-]{20}"\}$/, '42["auth",{}]'],
    ['40{"token":"123"}', /^40\{"sid":/, '42["auth",{"token":"123"}]'],
    ["40/custom,", /^40\/custom,\{"sid":"[\w-]{20}"\}$/, '42/custom,["auth",{}]'],
    ["40/custom", /^40\/custom,\{"sid":/, '42/custom,["auth",{}]'],
    ['40/custom,{"token":"abc"}', /^40\/custom,\{"sid":/, '42/custom,["auth",{"token":"abc"}]'],
  ];
  for (const [frame, reply, auth] of table) {
    const ws = served.ws(FOUR);
    const sid = await ws.sid();
    const answer = String(await ws.send(frame).next());
    t.match(answer, reply);
    t.notMatch(answer, sid, "its sid is another one than the transport's");
    t.equal(await ws.next(), auth);
  }
});

t.test(
  "SIO 19: an unknown namespace is refused in each revision's form, and the connection stays usable",
  async (t) => {
    const served = await serve(t, talk());
    const four = await connected(served);
    t.equal(await four.send("40/random").next(), '44/random,{"message":"Invalid namespace"}');
    t.equal(await four.send('42["message",1]').next(), '42["message-back",1]');
    const three = await connected(served, THREE);
    t.equal(await three.send("40/nope?token=1").next(), '44/nope,"Invalid namespace"');
    t.equal(await three.send('42["message",1]').next(), '42["message-back",1]');
    t.equal(await three.send("40/custom?x=1").next(), "40/custom,");
    t.equal(await three.next(), '42/custom,["auth",{}]');
  },
);

t.test("a client that never connects is closed in time; one that does is not", async (t) => {
  const served = await serve(t, talk(1500), {
    heartbeat: { 3: quick.heartbeat[3], 4: { pingInterval: 10_000, pingTimeout: 10_000 } },
  });
  const start = performance.now();
  const there = await connected(served);
  const silent = served.ws(FOUR);
  await silent.sid();
  const lost = served.ws(FOUR);
  await lost.sid();
  t.equal(await lost.send("40/random").next(), '44/random,{"message":"Invalid namespace"}');
  await Promise.all([silent.closed, lost.closed]);
  const took = performance.now() - start;
  t.ok(took > 1400, `not before: ${took}`);
  t.equal(served.gateway.counters.closedTimeout, 2);
  t.equal(await there.send('42["message",1]').next(), '42["message-back",1]');
});

t.test("SIO 20: revision 4: an event before CONNECT closes", async (t) => {
  const served = await serve(t, talk());
  for (const frame of ['42["message",1]', "41", '43["x"]', '451-["message",{"_placeholder":true,"num":0}]', "4abc"]) {
    const ws = served.ws(FOUR);
    await ws.sid();
    await ws.send(frame).closed;
  }
  t.equal(served.gateway.counters.closedParse, 5);
});

t.test("SIO 20: revision 4: 41 keeps the transport and its heartbeat; a further event closes", async (t) => {
  const served = await serve(t, talk(), quick);
  const ws = await connected(served);
  ws.send("41");
  t.equal(await ws.next(), "2");
  t.equal(await ws.send("3").next(), "2");
  await ws.send('42["message",1]').closed;
});

t.test("one namespace is left, the other goes on", async (t) => {
  const served = await serve(t, talk());
  const ws = await connected(served);
  ws.send("40/custom");
  t.match(await ws.next(), /^40\/custom,/);
  await ws.next();
  t.equal(await ws.send('42/custom,["message","x"]').next(), '42/custom,["message-back","x"]');
  ws.send("41/custom", '42["message","message to main namespace"]');
  t.equal(await ws.next(), '42["message-back","message to main namespace"]');
  await ws.send('42/custom,["message","x"]').closed;
});

t.test("revision 3: after 41 events are ignored, the socket stays", async (t) => {
  const left: string[] = [];
  const app = { ...nothing(), disconnect: (_: unknown, namespace: string) => left.push(namespace) };
  const served = await serve(t, socketio(app, { connectTimeout: 1000 }));
  const ws = served.ws(THREE);
  await ws.sid();
  t.equal(await ws.next(), "40");
  ws.send("41", '42["x"]', "41", "40");
  t.equal(await ws.send("2").next(), "3");
  t.same(left, ["/"]);
});

t.test("events, acks and binary go round", async (t) => {
  const served = await serve(t, talk());
  for (const query of [FOUR, THREE]) {
    const bin = (...data: number[]) => (query === FOUR ? Buffer.from(data) : Buffer.from([4, ...data]));
    const ws = await connected(served, query);
    t.equal(await ws.send('42["message",1,"2",{"3":[true]}]').next(), '42["message-back",1,"2",{"3":[true]}]');
    const event = '["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';
    ws.send(`452-${event}`, bin(1, 2, 3), bin(4, 5, 6));
    t.equal(await ws.next(), `452-${event.replace("message", "message-back")}`);
    t.same([await ws.next(), await ws.next()], [bin(1, 2, 3), bin(4, 5, 6)]);
    t.equal(await ws.send('42456["message-with-ack",1,"2",{"3":[false]}]').next(), '43456[1,"2",{"3":[false]}]');
    ws.send('452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', bin(1), bin(4));
    t.equal(await ws.next(), '462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    t.same([await ws.next(), await ws.next()], [bin(1), bin(4)]);
    t.equal(await ws.send('450-["message",1]').next(), '42["message-back",1]', "zero attachments are complete");
  }
});

t.test("SIO 21: a revision 4 client that breaks the rules is closed", async (t) => {
  const served = await serve(t, talk());
  const placeholder = '["message",{"_placeholder":true,"num":5}]';
  const breaches: (string | Uint8Array)[][] = [
    ["40"],
    ["44"],
    ['44{"message":"x"}'],
    ["4hello"],
    ["4"],
    ["42{}"],
    ["42[]"],
    ['42["x'],
    ['42abc["message-with-ack",1]'],
    ["42[1]"],
    ["42[null]"],
    ["47"],
    ['42["connect"]'],
    ['42["disconnect"]'],
    ['42["connect_error"]'],
    ['42["disconnecting"]'],
    ['42["newListener"]'],
    ['42["removeListener"]'],
    ["40null"],
    ['41"x"'],
    [`451-${placeholder}`, Buffer.of(1)],
    [`450-${placeholder}`],
    ["4511-[]"],
    [`45${"9".repeat(1000)}-[]`],
    [Buffer.of(1, 2)],
    [`451-${placeholder}`, '42["message"]'],
  ];
  for (const frames of breaches) {
    const ws = await connected(served);
    await ws.send(...frames).closed;
    t.pass(String(frames[0]));
  }
  t.equal(served.gateway.counters.closedParse, breaches.length);
  t.equal(served.gateway.size, 0);
});

t.test("SIO 21: a revision 3 client is forgiven what old clients could send", async (t) => {
  const heard: string[] = [];
  const app = { ...nothing(), event: (_: unknown, _namespace: string, name: string) => heard.push(name) };
  const served = await serve(t, socketio(app, { connectTimeout: 1000 }));
  const ws = served.ws(THREE);
  await ws.sid();
  await ws.next();
  ws.send(
    "44",
    '44"x"',
    '42["error","x"]',
    '42["disconnect"]',
    '42["connect"]',
    "40",
    '42/none,["x"]',
    "41/none",
    '43["x"]',
  );
  ws.send('461-7[{"_placeholder":true,"num":0}]', Buffer.of(4, 1));
  ws.send('42["unknown"]', '42999["asks",1]');
  t.equal(await ws.send("2").next(), "3", "SIO 22: unknown events and ack ids are harmless");
  t.same(heard, ["unknown", "asks"]);
  for (const frame of ["4hello", "42{}", '42["x', '42[["x"]]']) {
    const other = served.ws(THREE);
    await other.sid();
    await other.send(frame).closed;
  }
  t.equal(await ws.send("2").next(), "3");
});

t.test("attachments that do not come, or are too much, end the connection", async (t) => {
  const app = socketio(nothing(), { connectTimeout: 1000, attachmentTimeout: 100, maxAttachments: 1000 });
  const served = await serve(t, app, { requestTimeout: 200 });
  const frame = '452-["e",{"_placeholder":true,"num":0}]';
  const open = async () => {
    const ws = served.ws(THREE);
    await ws.sid();
    await ws.next();
    return ws;
  };
  await (await open()).send(frame, Buffer.of(4, 1)).closed;
  t.equal(served.gateway.counters.closedTimeout, 1);
  await (await open()).send(frame, Buffer.alloc(1002, 4)).closed;
  t.equal(served.gateway.counters.closedTooBig, 1);
});

t.test("an application sees each conversation whole: connect, events, disconnect, close, in order, once", async (t) => {
  const seen: unknown[] = [];
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const app: SocketApplication<number> = {
    namespaces: ["/"],
    connect: (c, namespace, payload) => seen.push(["connect", namespace, payload, c.revision, c.address, c.open]),
    event: (c, namespace, name, args, ackId) => seen.push(["event", namespace, name, args, ackId, c.open]),
    disconnect: (c, namespace) => seen.push(["disconnect", namespace, c.open]),
    close: (c, reason) => {
      seen.push(["close", reason, c.open]);
      end();
    },
  };
  const served = await serve(t, socketio(app, { connectTimeout: 1000 }));
  const ws = served.ws(FOUR);
  await ws.sid();
  ws.send('40{"a":1}', '4217["e",1,[2]]', "41");
  await ws.next();
  ws.close();
  await ended;
  t.same(seen, [
    ["connect", "/", '{"a":1}', 4, "127.0.0.1", true],
    ["event", "/", "e", [1, [2]], "17", true],
    ["disconnect", "/", true],
    ["close", "transport close", false],
  ]);
});

t.test("R13: closing never says 41; sending to a closed connection does nothing", async (t) => {
  let connection: Connection<undefined> | undefined;
  const app: SocketApplication<undefined> = { ...nothing(), connect: (c) => (connection = c) };
  const served = await serve(t, socketio(app, { connectTimeout: 1000 }));
  const ws = served.ws(THREE);
  await ws.sid();
  t.equal(await ws.next(), "40");
  connection!.close();
  connection!.close();
  await t.rejects(ws.next());
  connection!.send('42["x"]');
  connection!.sendBinary(Buffer.of(1));
  t.equal(connection!.join("room"), false);
  t.equal(connection!.leave("room"), false);
  t.equal(connection!.in("room"), false);
  t.equal(served.gateway.counters.closedForced, 1);
});

function nothing(): SocketApplication<undefined> {
  return { namespaces: ["/"], connect() {}, event() {}, disconnect() {}, close() {} };
}
