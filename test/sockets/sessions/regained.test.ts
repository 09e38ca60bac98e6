// A node that did not hear of the others for a while, with real sockets.
import { EventEmitter, once } from "node:events";
import t from "tap";
import { bind } from "../../../src/core/connect.ts";
import type { PushId, Uid } from "../../../src/core/device.ts";
import { deviceChannel, type Packet, topicChannel, uidChannel } from "../../../src/core/packet.ts";
import { distant } from "../../engine/nodes.ts";
import { RawClient } from "../../support/clients.ts";
import { openTestEngine } from "../../support/engine.ts";
import { sockets } from "../../support/sockets.ts";

const CLIENTS = 30;

const packet = (said: string, expires = Date.now() + 600_000): Packet => ({
  event: "p",
  id: said,
  body: JSON.stringify(said),
  expires,
});

/** A device that comes back with its positions whenever it is closed. */
async function device(port: number, id: string) {
  const got: string[] = [];
  const events = new EventEmitter();
  const last: Record<string, string> = {};
  let uid: unknown;
  let connections = 0;
  let client: RawClient;
  let isOver = false;
  async function connect(): Promise<void> {
    connections++;
    client = await RawClient.open(port);
    client.socket.addEventListener("message", ({ data }) => {
      const frame = String(data);
      if (!frame.startsWith('42["p"')) return;
      const [, said, place] = JSON.parse(frame.slice(2)) as [string, string, [string, string]?];
      got.push(said);
      events.emit("change");
      if (place !== undefined) last[place[0]] = place[1];
    });
    const lastUnicastId = last[id] ?? "0";
    ({ uid } = await client.hello({
      id,
      topics: ["room"],
      lastPacketIds: { room: last["room"] ?? "0" },
      lastUnicastId,
    }));
    events.emit("change");
    void client.closed.then(() => (isOver ? undefined : connect()));
  }
  await connect();
  return {
    id: id as PushId,
    got,
    connections: () => connections,
    uid: () => uid,
    /** When it holds, and nothing further has come. */
    async until(holds: () => boolean): Promise<void> {
      while (!holds()) await once(events, "change");
      await client.settle();
    },
    async close() {
      isOver = true;
      await client.close();
    },
  };
}

t.test("a node that missed packets of another has its clients read them: no gap, no repeat, in order", async (t) => {
  const engine = await openTestEngine(t);
  const a = distant(engine, 1);
  const b = distant(engine, 3);
  const { port } = await sockets(t, b);
  const devices = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => device(port, `device-${i}-0123456789`)));
  t.teardown(() => Promise.all(devices.map((each) => each.close())));
  let count = 0;
  async function publish(): Promise<void> {
    const number = ++count;
    const own = devices.map(({ id }) => ({ channel: deviceChannel(id), packet: packet(`d${number}`) }));
    await a.broker.publish([{ channel: topicChannel("room"), packet: packet(`t${number}`) }, ...own]);
  }
  await publish();
  await publish();
  b.cut();
  await Promise.all([publish(), publish(), publish()]);
  await Promise.all(
    devices.map(({ id }) =>
      bind(a, { pushId: id, uid: `u-${id}` as Uid, platformLimit: 0, timeToLive: 0 }, Date.now()),
    ),
  );
  const late = publish();
  b.mend();
  await Promise.all([late, publish(), publish()]);
  const all = (kind: string) => Array.from({ length: count }, (_, i) => `${kind}${i + 1}`);
  for (const each of devices) {
    await each.until(() => each.uid() !== undefined && each.got.length >= 2 * count);
    for (const kind of ["t", "d"])
      t.same(
        each.got.filter((said) => said.startsWith(kind)),
        all(kind),
      );
    t.equal(each.connections(), 2, "closed once");
    t.equal(each.uid(), `u-${each.id}`, "what it was bound to meanwhile is known");
  }
  await a.broker.publish(devices.map(({ id }) => ({ channel: uidChannel(`u-${id}` as Uid), packet: packet("u", 0) })));
  for (const each of devices) await each.until(() => each.got.includes("u"));
});

t.test("a node that says it hears again without having been deaf closes nobody", async (t) => {
  const b = distant(await openTestEngine(t), 1);
  const one = await device((await sockets(t, b)).port, "device-0123456789");
  b.mend();
  await b.devices.count();
  await one.until(() => true);
  t.equal(one.connections(), 1);
  await one.close();
});

t.test(
  "who joins a topic after the node was deaf, and tells its position later, is sent what the node missed",
  async (t) => {
    const engine = await openTestEngine(t);
    const b = distant(engine, 1);
    const { port } = await sockets(t, b);
    const publish = (said: string) => engine.broker.publish([{ channel: topicChannel("room"), packet: packet(said) }]);
    await publish("t1");
    b.cut();
    await publish("t2");
    b.mend();
    await b.devices.count();
    const client = await RawClient.open(port);
    await client.hello({ id: "device-0123456789", topics: ["room"] });
    client.emit("subscribeTopic", { topic: "room", lastPacketId: "t1" });
    t.match(await client.next('42["p"'), /"t2"/);
    await publish("t3");
    t.match(await client.next('42["p"'), /"t3"/);
    await client.close();
  },
);
