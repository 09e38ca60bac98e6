// Nodes of a cluster under stress: nothing that was acknowledged is lost, out of order or told twice, whatever becomes of connections and
// processes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import t, { type Test } from "tap";
import type { Engine } from "../../src/core/engine.ts";
import { NOTHING_WANTED } from "../../src/core/events.ts";
import { type KeptPacket, topicChannel } from "../../src/core/packet.ts";
import type { LocalEngine } from "../../src/engine/local.ts";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";
import { missed } from "../support/engine.ts";
import { postgres } from "../support/postgres.ts";
import { until } from "../support/until.ts";
import { HOUR, pushId, type Recorder, recorder, toDevice, toTopic, uid } from "./steps.ts";

const server = await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const url = await server.database();
  const KEEP = { default: 5000, prefixes: [] };
  const database = { url, schema: "pushbox" };
  const later = (): number => Date.now() + HOUR;
  async function node(t: Test, name: string): Promise<{ engine: LocalEngine; hub: Recorder; lost: () => number }> {
    const engine = await openPostgresEngine({ database, node: name, keep: KEEP, arrivalDays: 1, patience: 60_000 });
    t.teardown(() => engine.close());
    let lost = 0;
    const hub = recorder();
    engine.broker.attach({ ...hub, lost: () => void lost++ });
    return { engine, hub, lost: () => lost };
  }
  async function sql<Row>(text: string, ...values: unknown[]): Promise<Row[]> {
    const client = new Client({ connectionString: `${url}&application_name=test` });
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Row[];
    } finally {
      await client.end();
    }
  }

  await t.test(
    "cluster: three nodes push to shared topics: each hub sees each packet once, in one order (holds 3)",
    async (t) => {
      const nodes = [await node(t, "a"), await node(t, "b"), await node(t, "c")];
      const topics = Array.from({ length: 20 }, (_, i) => `room${i}`);
      const caller = async (engine: Engine, name: string): Promise<void> => {
        for (let i = 0; i < 10; i++)
          await engine.broker.publish([toTopic(topics[(i * 7 + name.length) % 20]!, `${name}-${i}`, later())]);
      };
      await Promise.all(
        nodes.flatMap(({ engine }, n) => Array.from({ length: 30 }, (_, c) => caller(engine, `${n}-${c}`))),
      );
      await until(() => nodes.every(({ hub }) => hub.delivered.length >= 900));
      const seen = nodes.map(({ hub }) =>
        topics.map((topic) => {
          const packets = hub.delivered.filter(({ channel }) => channel === topicChannel(topic));
          const seqs = packets.map(({ packet }) => (packet as KeptPacket).seq);
          t.same(
            seqs,
            [...new Set(seqs)].sort((a, b) => a - b),
          );
          return seqs;
        }),
      );
      t.equal(seen[0]!.flat().length, 900);
      t.same(seen[1], seen[0]);
      t.same(seen[2], seen[0]);
      const { engine } = nodes[0]!;
      for (const [i, topic] of topics.entries()) {
        const kept = await missed(engine, topicChannel(topic), { after: "0" }, Date.now());
        t.same(
          kept.map(({ seq }) => seq),
          seen[0]![i],
        );
      }
    },
  );

  await t.test("cluster: connections that end while it is pushed lose nothing that was acknowledged", async (t) => {
    const [a, b] = [await node(t, "a"), await node(t, "b")];
    const channel = topicChannel("cut");
    const acknowledged: string[] = [];
    const caller = async (engine: Engine, name: string): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        const id = `${name}-${i}`;
        try {
          await engine.broker.publish([toTopic("cut", id, later())]);
          acknowledged.push(id);
        } catch (error) {
          t.match(error, { code: "unavailable" });
        }
      }
    };
    const done = Promise.all(
      [a, b].flatMap(({ engine }, n) => Array.from({ length: 10 }, (_, c) => caller(engine, `${n}-${c}`))),
    );
    for (let i = 0; i < 3; i++)
      await sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pushbox %'");
    await done;
    await until(() => a.lost() > 0 && b.lost() > 0);
    const works = async ({ engine, hub }: typeof a): Promise<boolean> => {
      const before = hub.delivered.length;
      await Promise.resolve(engine.broker.publish([toTopic("again", "x", later())])).catch(() => {});
      return hub.delivered.length > before;
    };
    for (const one of [a, b]) await until(() => works(one));
    const kept = new Set((await missed(a.engine, channel, { after: "0" }, Date.now())).map(({ id }) => id));
    t.same(
      acknowledged.filter((id) => !kept.has(id)),
      [],
    );
    t.ok(acknowledged.length > 0);
  });

  await t.test("cluster: a body that is too long to be notified reaches other nodes whole", async (t) => {
    const [a, b] = [await node(t, "a"), await node(t, "b")];
    const body = JSON.stringify("ü".repeat(20_000));
    for (const expires of [later(), 0])
      await a.engine.broker.publish([
        { channel: topicChannel("long"), packet: { event: "p", id: `l${expires}`, body, expires } },
      ]);
    await until(() => b.hub.delivered.length === 2);
    for (const { packet } of b.hub.delivered) t.equal(packet.body, body);
  });

  await t.test("cluster: orders reach the sessions of every node, in one order", async (t) => {
    const [a, b] = [await node(t, "a"), await node(t, "b")];
    const ids = Array.from({ length: 500 }, (_, i) => pushId(`d${i}`));
    await Promise.all([
      a.engine.broker.tell(ids, { kind: "bind", uid: uid("u") }),
      b.engine.broker.tell(ids.slice(0, 10), { kind: "unbind" }),
    ]);
    await until(() => a.hub.orders.length === 510 && b.hub.orders.length === 510);
    t.same(a.hub.orders, b.hub.orders);
  });

  await t.test("cluster: a lane has one owner, and another one when that is gone", async (t) => {
    const [a, b] = [await node(t, "a"), await node(t, "b")];
    const lane = { vendor: "fcm", app: "com.x" };
    t.equal(await a.engine.outbox.own(lane), true);
    t.equal(await b.engine.outbox.own(lane), false);
    await a.engine.outbox.disown();
    await until(async () => b.engine.outbox.own(lane));
    t.equal(await a.engine.outbox.own(lane), false);
  });

  await t.test(
    "cluster: the devices of a process that was killed are told of as gone, those of others stay",
    async (t) => {
      const [b, c] = [await node(t, "b"), await node(t, "c")];
      const heard = { b: 0, c: 0 };
      b.engine.cluster?.hear("work", () => void heard.b++);
      c.engine.cluster?.hear("work", () => void heard.c++);
      const wanted = { ...NOTHING_WANTED, log: ["device.*"], grace: 0 };
      for (const { engine } of [b, c]) await engine.events.want(wanted);
      await b.engine.devices.connect({ pushId: pushId("stays") }, Date.now());
      const file = fileURLToPath(new URL("./postgres-child.ts", import.meta.url));
      const child = spawn(process.execPath, [...process.execArgv, file, url, pushId("goes")], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      t.teardown(() => child.kill("SIGKILL"));
      await once(child.stdout, "data");
      child.kill("SIGKILL");
      await once(child, "exit");
      // What ten seconds of silence would come to.
      await sql("UPDATE pushbox.nodes SET beat = 'epoch' WHERE name = 'child'");
      const told = async (): Promise<readonly string[]> =>
        (await b.engine.events.list({ types: ["device.offline"] }, 10)).events.map(({ key }) => key);
      await until(async () => (await told()).length > 0);
      t.same(await told(), [`device:${pushId("goes")}`]);
      t.same(await sql("SELECT push_id FROM pushbox.sessions"), [{ push_id: pushId("stays") }]);
      t.same((await b.engine.broker.publish([toDevice("goes", "x", later())])) > 0, true, "it goes on");
      // Whichever has swept, any of them may do from here on what that one did.
      await until(() => heard.b > 0 && heard.c > 0);
    },
  );
}
