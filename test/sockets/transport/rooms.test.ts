// Rooms, publishing and its order, over both transports and the move between them.
import t from "tap";
import type { Client } from "../../../src/sockets/transport/connection.ts";
import { Roster } from "../../../src/sockets/transport/roster.ts";
import type { Connection, EngineApplication } from "../../../src/sockets/transport/types.ts";
import { Poller, serve, Ws } from "./harness.ts";

interface Known {
  readonly connections: Connection<string>[];
  readonly app: EngineApplication<string>;
}

/** Keeps the connections in the order they came; a message `+room` joins, `-room` leaves. */
function known(): Known {
  const connections: Connection<string>[] = [];
  return {
    connections,
    app: {
      open: (c) => connections.push(c),
      message(c, data) {
        const room = String(data).slice(1);
        if (String(data)[0] === "+") c.send(`4${c.join(room)}`);
        else c.send(`4${c.leave(room)}`);
      },
      close() {},
    },
  };
}

t.test("joining and leaving is exact, on both transports", async (t) => {
  const { app, connections } = known();
  const served = await serve(t, app);
  const ws = served.ws("EIO=4&transport=websocket");
  await ws.sid();
  await Poller.open(served, 3);
  const { gateway } = served;
  for (const [i, connection] of connections.entries()) {
    t.equal(connection.in("a"), false);
    t.equal(connection.leave("a"), false);
    t.equal(connection.join("a"), true);
    t.equal(connection.join("a"), false);
    t.equal(connection.in("a"), true);
    t.equal(gateway.count("a"), i + 1);
  }
  const sids = (some: Iterable<Connection<string>>) => [...some].map(({ sid }) => sid).sort();
  t.same(sids(await gateway.members("a")), sids(connections));
  t.same(sids(gateway.connections()), sids(connections));
  t.equal(gateway.size, 2);
  for (const connection of connections) {
    t.equal(connection.leave("a"), true);
    t.equal(connection.leave("a"), false);
  }
  t.equal(gateway.count("a"), 0);
  t.same([...(await gateway.members("a"))], []);
});

t.test("a connection has left its rooms when its end is told, and the end is told once", async (t) => {
  const counts: number[] = [];
  let told: () => void = () => {};
  const app: EngineApplication<undefined> = {
    open: (c) => void c.join("a"),
    message() {},
    close(c) {
      counts.push(served.gateway.count("a"), served.gateway.size);
      c.close();
      told();
    },
  };
  const served = await serve(t, app);
  const next = () =>
    new Promise<void>((resolve) => {
      told = resolve;
    });
  let end = next();
  const ws = served.ws("EIO=4&transport=websocket");
  await ws.sid();
  t.equal(served.gateway.count("a"), 1);
  ws.close();
  await end;
  end = next();
  const poller = await Poller.open(served, 4);
  t.equal(served.gateway.count("a"), 1);
  await poller.post("1");
  await end;
  for (const transport of ["websocket", "polling"]) {
    if (transport === "polling") await Poller.open(served, 3);
    else await served.ws("EIO=4&transport=websocket").sid();
    for (const connection of served.gateway.connections()) connection.close();
  }
  t.same(counts, [0, 0, 0, 0, 0, 0, 0, 0]);
});

t.test("publish and send keep their order, and what was published before a join is not received", async (t) => {
  const { app, connections } = known();
  const { gateway, ...served } = await serve(t, app);
  const ws = served.ws("EIO=4&transport=websocket");
  await ws.sid();
  const poller = await Poller.open({ gateway, ...served }, 4);
  const expected: string[] = [];
  for (let turn = 0; turn < 4; turn++) {
    for (const connection of connections) {
      gateway.publish("r", "4before");
      connection.join("r");
    }
    const names = ["a", "b", "c", "d", "e"].map((name) => `4${name}${turn}`);
    gateway.publish("r", names[0]!);
    gateway.publish("r", names[1]!);
    for (const connection of connections) connection.send(names[2]!);
    gateway.publish("r", names[3]!);
    for (const connection of connections) {
      connection.leave("r");
      gateway.publish("r", "4after");
      connection.join("r");
    }
    gateway.publish("r", names[4]!);
    for (const connection of connections) connection.leave("r");
    expected.push(...names);
    await new Promise(setImmediate);
  }
  // The second connection was a member while the first published its "after", and the reverse at the join.
  const strip = (packets: string[]) => packets.filter((packet) => packet !== "4after" && packet !== "4before");
  connections[0]!.send("4end");
  connections[1]!.send("4end");
  const received: string[] = [];
  for (let frame = ""; frame !== "4end"; received.push(frame)) frame = String(await ws.next());
  t.same(strip(received), [...expected, "4end"]);
  t.equal(received.filter((packet) => packet === "4after").length, 0 + 4, "only while the other one left");
  t.same(strip((await poller.get()).split("\x1e")), [...expected, "4end"]);
});

t.test("packets published before the close are received", async (t) => {
  const { app, connections } = known();
  const served = await serve(t, app);
  const ws = served.ws("EIO=4&transport=websocket");
  await ws.sid();
  connections[0]!.join("r");
  for (const n of [1, 2, 3]) served.gateway.publish("r", `4${n}`);
  connections[0]!.close();
  t.same([await ws.next(), await ws.next(), await ws.next()], ["41", "42", "43"]);
  await ws.closed;
});

t.test("publishes of one turn are made together, and a lone one at once", async (t) => {
  const { app, connections } = known();
  const served = await serve(t, app);
  const { gateway } = served;
  await Poller.open(served, 4);
  const posted: string[] = [];
  const client = connections[0]! as Connection<string> & { post(packet: string): void };
  client.join("r");
  client.post = (packet) => posted.push(packet);
  gateway.publish("r", "4lone");
  t.same(posted.splice(0), ["4lone"], "at once");
  gateway.publish("r", "4second");
  t.same(posted.splice(0), [], "not the second of a turn");
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  t.same(posted.splice(0), ["4second"]);
  gateway.publish("r", "4a");
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  t.same(posted.splice(0), ["4a"]);
  gateway.publish("r", "4b");
  t.same(posted, ["4b"], "after a turn with one");
});

t.test("EIO 9: rooms and packets move with an upgrade while publishing goes on", async (t) => {
  const { app, connections } = known();
  const served = await serve(t, app);
  const poller = await Poller.open(served, 4);
  connections[0]!.join("r");
  const received: string[] = [];
  let stop = false;
  let sent = 0;
  const publishing = setInterval(() => {
    for (let i = 0; i < 3; i++) served.gateway.publish("r", `4${sent++}`);
  }, 1);
  t.teardown(() => clearInterval(publishing));
  const polling = (async () => {
    while (!stop) {
      const packets = (await poller.get()).split("\x1e").filter((packet) => packet !== "6");
      received.push(...packets);
    }
  })();
  while (sent < 30) await new Promise(setImmediate);
  const ws = new Ws(poller.url.replace("http", "ws").replace("polling", "websocket"));
  await ws.opened;
  t.equal(await ws.send("2probe").next(), "3probe");
  stop = true;
  await polling;
  ws.send("5");
  while (received.length < 300) received.push(String(await ws.next()));
  t.same(
    received,
    Array.from({ length: received.length }, (_, i) => `4${i}`),
  );
  t.equal(served.gateway.count("r"), 1);
  t.equal(served.gateway.counters.upgraded, 1);
});

t.test(
  "C5: the list of a room that is asked about is right whoever joins, leaves, moves or goes meanwhile",
  async (t) => {
    const { app, connections } = known();
    const served = await serve(t, app);
    const { gateway } = served;
    const check = async (what: string) => {
      const right = connections.filter((c) => c.open && c.in("a")).map(({ sid }) => sid);
      t.same([...(await gateway.members("a"))].map(({ sid }) => sid).sort(), right.sort(), what);
      t.equal(right.length, gateway.count("a"), what);
    };
    const sockets = [1, 2, 3].map(() => served.ws("EIO=4&transport=websocket"));
    for (const socket of sockets) await socket.sid();
    const poller = await Poller.open(served, 4);
    const [one, two, three, four] = connections as [
      Connection<string>,
      Connection<string>,
      Connection<string>,
      Connection<string>,
    ];
    one.join("a");
    one.join("b");
    await check("one, before anybody asked");
    two.join("a");
    four.join("a");
    three.join("b");
    await check("three, one of them on polling");
    const upgraded = new Ws(served.url(`EIO=4&transport=websocket&sid=${poller.sid}`).replace("http", "ws"));
    await upgraded.opened;
    upgraded.send("2probe");
    await upgraded.next();
    upgraded.send("5");
    upgraded.send("4+c");
    t.equal(await upgraded.next(), "4true");
    await check("one has moved to a websocket");
    one.leave("a");
    await check("one has left");
    two.close();
    await check("one is closed from here");
    four.leaveAll();
    one.join("a");
    await check("one left all, one came back");
  },
);

t.test(
  "C5: connections elsewhere cost a room that is asked about nothing, until nobody asks for a minute",
  async (t) => {
    let visited = 0;
    const client = (sid: number, room: string) =>
      ({
        sid: `${sid}`,
        in(asked: string) {
          visited++;
          return asked === room;
        },
      }) as unknown as Client<string>;
    const clients = Array.from({ length: 1000 }, (_, i) => client(i, i % 100 === 0 ? "a" : "b"));
    const roster = new Roster<string>(() => clients);
    const ask = async (room: string, now: number) => {
      visited = 0;
      return [[...(await roster.members(room, now))].length, visited];
    };
    t.same(await ask("a", 0), [10, 1000]);
    t.same(await ask("a", 50_000), [10, 0]);
    t.same(await ask("none", 60_000), [0, 1000]);
    roster.gone(clients[100]!);
    roster.sweep(109_999);
    t.same(await ask("a", 109_999), [9, 0]);
    roster.sweep(130_000);
    t.equal(roster.size, 1);
    t.same(await ask("none", 130_000), [0, 1000]);
    for (let i = 0; i < 200; i++) await ask(`${i}`, 130_000);
    t.equal(roster.size, 64, "not more than so many at once");
    const both = await Promise.all([roster.members("a", 0), roster.members("a", 0)]);
    t.equal([...both[1]].length, 10, "who asks while the first answer is being gathered waits for it");
  },
);
