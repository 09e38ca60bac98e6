// PostgreSQL in trouble, as a node sees it: answers that are lost, connections that say nothing, a server that is away.
import { join } from "node:path";
import { Client } from "pg";
import t, { type Test } from "tap";
import { openProxy } from "../../scripts/torture/proxy.ts";
import type { Hub } from "../../src/core/engine.ts";
import { NOTHING_WANTED } from "../../src/core/events.ts";
import type { LocalEngine } from "../../src/engine/local.ts";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";
import { postgres } from "../support/postgres.ts";
import { until } from "../support/until.ts";
import { HOUR, pushId, type Recorder, recorder, toTopic } from "./steps.ts";

const server = await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const url = await server.database();
  const later = (): number => Date.now() + HOUR;

  interface Node {
    readonly engine: LocalEngine;
    readonly hub: Recorder;
    readonly told: Record<"lost" | "abandon" | "regained", number>;
  }

  /** @param silence milliseconds */
  async function node(t: Test, name: string, silence?: number, more: Partial<Hub> = {}, at = url): Promise<Node> {
    const engine = await openPostgresEngine({
      database: { url: at, schema: "pushbox" },
      node: name,
      keep: { default: 100, prefixes: [] },
      arrivalDays: 1,
      ...(silence === undefined ? {} : { silence }),
    });
    t.teardown(() => engine.close());
    const told = { lost: 0, abandon: 0, regained: 0 };
    const hub = recorder();
    engine.broker.attach({
      ...hub,
      lost: () => void told.lost++,
      abandon: async () => void told.abandon++,
      regained: async () => void told.regained++,
      ...more,
    });
    return { engine, hub, told };
  }
  async function sql<Row>(text: string, ...values: unknown[]): Promise<Row[]> {
    const client = new Client({ connectionString: `${url}&application_name=test` });
    await client.connect();
    try {
      await client.query("SET synchronous_commit = off"); // a standby may be waited for that is not there
      return (await client.query(text, values)).rows as Row[];
    } finally {
      await client.end();
    }
  }
  /** The process of PostgreSQL at the other end of a node's connection. */
  const backend = async (name: string, purpose: string): Promise<number> =>
    (
      await sql<{ pid: number }>(
        "SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY backend_start DESC LIMIT 1",
        `pushbox ${name} ${purpose}`,
      )
    )[0]!.pid;
  const kept = async (id: string): Promise<number> =>
    (await sql("SELECT 1 FROM pushbox.packets WHERE id = $1", id)).length;

  await t.test("cluster: what is not kept comes at both nodes, however many statements are on their way", async (t) => {
    const [here, there] = [await node(t, "teller"), await node(t, "hearer")];
    const big = JSON.stringify("x".repeat(4000));
    const rounds = 60;
    const turns = 10;
    const each = 20;
    let sent = 0;
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < turns; turn++) {
        const parcels = Array.from({ length: each }, () => toTopic("room", `${sent++}`));
        for (const parcel of parcels)
          void here.engine.broker.publish([{ ...parcel, packet: { ...parcel.packet, body: big, expires: 0 } }]);
        await new Promise((resolve) => setImmediate(resolve));
      }
      // At most 800 kB wait at once.
      await until(() => there.hub.delivered.length === sent && here.hub.delivered.length === sent);
    }
    const ids = (hub: Recorder): string[] => hub.delivered.map(({ packet }) => packet.id);
    const all = Array.from({ length: sent }, (_, i) => `${i}`);
    t.same([ids(here.hub), ids(there.hub)], [all, all]);
  });

  await t.test("cluster: a commit whose answer is lost is answered, and not made again", async (t) => {
    const { engine } = await node(t, "answer");
    await engine.broker.publish([toTopic("room", "before", later())]);
    const standby = async (names: string): Promise<void> => {
      await sql(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
      await sql("SELECT pg_reload_conf()");
    };
    t.teardown(() => standby(""));
    await standby("nobody");
    await until(
      async () =>
        (await sql<{ names: string }>("SELECT current_setting('synchronous_standby_names') AS names"))[0]!.names !== "",
    );
    // Committed here, and waiting for a standby: then the connection ends.
    const [packet, device] = [
      engine.broker.publish([toTopic("room", "lost", later())]),
      engine.devices.connect({ pushId: pushId("lost") }, Date.now()),
    ];
    const pid = await backend("answer", "turns");
    await until(
      async () =>
        (await sql("SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'", pid)).length > 0,
    );
    await sql("SELECT pg_terminate_backend($1)", pid);
    await standby("");
    await Promise.all([packet, device]);
    t.equal(await kept("lost"), 1);
    await engine.broker.publish([toTopic("room", "after", later())]);
    t.equal(await kept("after"), 1);
  });

  await t.test("cluster: a call whose connection ends before it was committed is made on the next one", async (t) => {
    const { engine } = await node(t, "again");
    const holder = new Client({ connectionString: url });
    await holder.connect();
    t.teardown(() => holder.end());
    await holder.query("SELECT pg_advisory_lock(hashtextextended('pushbox', 7))");
    const device = engine.devices.connect({ pushId: pushId("again") }, Date.now());
    const waits = async (): Promise<number | undefined> =>
      (
        await sql<{ pid: number }>(
          "SELECT pid FROM pg_stat_activity WHERE application_name = 'pushbox again turns' AND wait_event_type = 'Lock'",
        )
      )[0]?.pid;
    await until(async () => (await waits()) !== undefined);
    await sql("SELECT pg_terminate_backend($1)", await waits());
    await holder.query("SELECT pg_advisory_unlock_all()");
    await device;
    t.equal((await sql("SELECT 1 FROM pushbox.devices WHERE push_id = $1", pushId("again"))).length, 1);
  });

  await t.test(
    "cluster: a PostgreSQL that says nothing any more is left; what it does later of that is not done twice",
    async (t) => {
      // Not by stopping PostgreSQL's process: one that holds a lock of its own memory would stop the whole server.
      const way = await openProxy(join(server.directory, ".s.PGSQL.5432"));
      t.teardown(() => way.close());
      const at = `postgres://test@127.0.0.1:${way.port}/${/test\d+/.exec(url)}`;
      const { engine, told } = await node(t, "silent", 2000, {}, at);
      await engine.broker.publish([toTopic("room", "first", later())]);
      const pids = await Promise.all(["turns", "listen", "beat"].map((purpose) => backend("silent", purpose)));
      way.cut(false);
      await engine.broker.publish([toTopic("room", "second", later())]);
      await until(() => told.abandon > 0 && told.regained > 0);
      way.mend();
      await until(async () => (await sql("SELECT 1 FROM pg_stat_activity WHERE pid = ANY ($1)", pids)).length === 0);
      t.equal(await kept("second"), 1);
    },
  );

  await t.test(
    "cluster: who has not heard for a while closes its clients, and is not ready until it hears",
    async (t) => {
      const { engine, told } = await node(t, "deaf", 2000);
      await engine.probe();
      // Connections are still made, and not answered.
      t.teardown(() => server.process.kill("SIGCONT"));
      const listening = await backend("deaf", "listen");
      const client = new Client({ connectionString: url });
      await client.connect();
      t.teardown(() => client.end());
      server.process.kill("SIGSTOP");
      await client.query("SELECT pg_terminate_backend($1)", [listening]);
      await until(() => told.lost > 0 && told.abandon > 0);
      await t.rejects(engine.probe(), { code: "unavailable" });
      server.process.kill("SIGCONT");
      await until(() => told.regained > 0);
      await until(() =>
        engine.probe().then(
          () => true,
          () => false,
        ),
      );
    },
  );

  await t.test("cluster: a push that PostgreSQL refuses fails alone, and holds nobody up", async (t) => {
    const { engine } = await node(t, "refused");
    await sql(`
      CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON pushbox.packets FOR EACH ROW WHEN (NEW.id = 'refused') EXECUTE FUNCTION public.refuse()`);
    t.teardown(() => sql("DROP FUNCTION public.refuse CASCADE"));
    const push = async (id: string): Promise<string> => {
      try {
        await engine.broker.publish([toTopic("room", id, later())]);
        return `${id} pushed`;
      } catch (error) {
        return (error as Error).message;
      }
    };
    t.same(await Promise.all(["p1", "refused", "p2"].map(push)), ["p1 pushed", "not this one", "p2 pushed"]);
    t.equal(await push("p3"), "p3 pushed");
  });

  await t.test("cluster: who waits to be heard is answered, also when it is lost again at once", async (t) => {
    let pushed: Promise<number> | undefined;
    const regained = async (): Promise<void> => {
      if (pushed !== undefined) return;
      pushed = Promise.resolve(engine.broker.publish([toTopic("room", "unheard", later())]));
      await until(async () => (await kept("unheard")) > 0);
      throw new Error("it fails once");
    };
    const { engine } = await node(t, "twice", undefined, { regained });
    await sql("SELECT pg_terminate_backend($1)", await backend("twice", "listen"));
    await until(() => pushed !== undefined);
    await pushed;
    t.equal(await kept("unheard"), 1);
  });

  await t.test("cluster: a device that is in a topic at two nodes leaves it with the second", async (t) => {
    const [a, b] = [await node(t, "here"), await node(t, "there")];
    const wanted = { ...NOTHING_WANTED, log: ["topic.*", "device.*"], topics: ["room"], grace: 0 } as const;
    for (const { engine } of [a, b]) await engine.events.want(wanted);
    const id = pushId("both");
    const at = Date.now();
    const enter = ({ engine }: Node, topic: string) => engine.events.note([{ kind: "joined", topic, pushId: id, at }]);
    const leave = ({ engine }: Node, topic: string) =>
      engine.events.note([{ kind: "left", topic, pushId: id, at, reason: "unsubscribed" }]);
    const types = async (): Promise<readonly string[]> =>
      (await a.engine.events.list({}, 100)).events.map(({ type, key }) => `${type} ${key}`);
    for (const one of [a, b]) {
      await enter(one, "room1");
      await enter(one, "room2");
    }
    const joined = [
      "topic.occupied topic:room1",
      "topic.joined topic:room1",
      "topic.occupied topic:room2",
      "topic.joined topic:room2",
    ];
    await leave(b, "room1");
    await leave(a, "room2");
    t.same(await types(), joined);
    await leave(a, "room1");
    await leave(b, "room2");
    const left = [
      "topic.left topic:room1",
      "topic.vacated topic:room1",
      "topic.left topic:room2",
      "topic.vacated topic:room2",
    ];
    t.same(await types(), [...joined, ...left]);

    // With the node that is left it goes too, though it was at another one last.
    for (const { engine } of [a, b]) await engine.devices.connect({ pushId: id }, Date.now());
    for (const one of [a, b]) await enter(one, "room3");
    await b.engine.devices.disconnect([id], Date.now());
    await leave(b, "room3");
    t.same((await types()).slice(8), [
      `device.online device:${id}`,
      "topic.occupied topic:room3",
      "topic.joined topic:room3",
    ]);
    await a.engine.close();
    await until(
      async () => (await b.engine.events.list({ types: ["topic.vacated", "device.offline"] }, 100)).events.length === 4,
    );
    t.same(await sql("SELECT * FROM pushbox.topic_places"), []);
  });
}
