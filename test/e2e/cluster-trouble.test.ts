// Nodes over one PostgreSQL that is in trouble, and nodes that die: what their clients and the backend notice.
import { Client } from "pg";
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";
import { postgres } from "../support/postgres.ts";
import { serve } from "../support/process.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { eventually } from "../support/until.ts";

const server = await postgres(t, { max_connections: "100" });
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else {
  const SCHEMA = "pushbox";

  async function sql(t: Test, url: string): Promise<Client> {
    const client = new Client({ connectionString: url });
    await client.connect();
    t.teardown(() => client.end());
    return client;
  }

  await t.test(
    "cluster: a hello that PostgreSQL has no room for closes its own connection, and the process goes on",
    async (t) => {
      const url = await server.database();
      const node = await serve(t, t.testdir({}), ["--engine", "postgres", "--postgres-url", url]);
      const port = Number(new URL(node.clientUrl).port);
      const push = async (json: string): Promise<void> => {
        const { status } = await node.call("push", { pushId: "device-in-trouble", json, timeToLive: "600000" });
        t.equal(status, 200);
      };
      const [device, other] = [await RawClient.open(port), await RawClient.open(port)];
      await other.hello({ id: "device-beside-it" });
      await device.hello({ id: "device-in-trouble" });
      await push("1");
      await device.next('42["p",1');
      const trouble = await sql(t, url);
      await trouble.query(`
        CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON ${SCHEMA}.devices EXECUTE FUNCTION public.full()`);
      await push("2");
      await device.next('42["p",2');
      await device.settle(); // by now the server has proof that it arrived, and cannot store it
      // Its tags are to be stored in any case: the proof may be on its way just now, in a call of its own.
      const hello = { version: 1, platform: "android", id: "device-in-trouble", tags: ["another"] };
      device.emit("pushId", hello);
      await device.closed;
      await other.settle();
      t.match(await node.call("push", { pushId: "device-beside-it", json: "3" }), { status: 200 });
      await other.next('42["p",3');
      await node.printed(/No space left on device/);

      await trouble.query("DROP FUNCTION public.full CASCADE");
      await push("4");
      const again = await RawClient.open(port);
      again.emit("pushId", hello);
      t.match(await again.next('42["p"'), /^42\["p",4[,\]]/, "what had arrived does not come again");
      for (const client of [again, other]) await client.close();
    },
  );

  /** An endpoint that is told every event, one by one. */
  const endpoint = ({ url, secret }: Receiver) => ({ name: "backend", url, secret, events: ["uid.*"] });
  const node = (t: Test, url: string, name: string, receiver: Receiver): Promise<TestApp> =>
    startTestApp(t, {
      ...{ engine: "postgres", node: name, data: t.testdir({}), postgres: { url, schema: SCHEMA } },
      hooks: { tell: [endpoint(receiver)], coalesce: false },
    });
  const bind = (app: Pick<TestApp, "ok">, device: string, uid: string) =>
    app.ok("uid/bind", { pushId: `device-${device}`, uid });

  await t.test(
    "cluster: an endpoint whose node was killed is told by the other one, what was under way too, each key in order",
    async (t) => {
      const receiver = await startReceiver(t, () => "hang");
      const url = await server.database();
      const a = await serve(t, t.testdir({}), [
        ...["--engine", "postgres", "--postgres-url", url, "--node", "a"],
        ...["--hooks-tell", JSON.stringify(endpoint(receiver)), "--hooks-coalesce", "false"],
      ]);
      await a.call("uid/bind", { pushId: "device-one", uid: "u1" });
      await receiver.messagesAre(1);
      const b = await node(t, url, "b", receiver);
      await eventually(
        () => b.ok("hook/list", {}),
        ({ hooks }) => (hooks as { node?: string }[])[0]?.node === "a",
      );
      await bind(b, "one", "u2"); // behind the one that is under way
      await bind(b, "two", "u3");
      await receiver.messagesAre(2);
      receiver.say = () => 200;
      t.same(receiver.taken, []);
      a.child.kill("SIGKILL");
      await a.ended;
      // What ten seconds of silence would come to.
      await (await sql(t, url)).query(`UPDATE ${SCHEMA}.nodes SET beat = 'epoch' WHERE name = 'a'`);
      await receiver.takenAre(4);
      const of = (key: string) => receiver.taken.filter((one) => one.key === key).map(({ type, data }) => [type, data]);
      t.match(of("device:device-one"), [
        ["uid.bound", { uid: "u1" }],
        ["uid.unbound", { uid: "u1" }],
        ["uid.bound", { uid: "u2" }],
      ]);
      t.match(of("device:device-two"), [["uid.bound", { uid: "u3" }]]);
      t.match(
        await eventually(
          () => b.ok("hook/list", {}),
          ({ hooks }) => (hooks as { waiting: number }[])[0]?.waiting === 0,
        ),
        { hooks: [{ name: "backend", node: "b", state: "running", dead: 0 }] },
      );
    },
  );

  await t.test(
    "cluster: an endpoint that was switched off at a node that dies is left alone by the next one, until it is resumed",
    async (t) => {
      const receiver = await startReceiver(t, () => 410);
      const url = await server.database();
      const a = await serve(t, t.testdir({}), [
        ...["--engine", "postgres", "--postgres-url", url, "--node", "a"],
        ...["--hooks-tell", JSON.stringify(endpoint(receiver)), "--hooks-coalesce", "false"],
      ]);
      const b = await node(t, url, "b", receiver);
      const isSo = (node: string, state: string) =>
        eventually(
          () => b.ok("hook/list", {}),
          ({ hooks }) => {
            const [hook] = hooks as { node?: string; state: string }[];
            return hook?.node === node && hook.state === state;
          },
        );
      await isSo("a", "running");
      await a.call("uid/bind", { pushId: "device-one", uid: "u1" });
      await isSo("a", "off");
      const store = await sql(t, url);
      await eventually(
        () => store.query(`SELECT 1 FROM ${SCHEMA}.hook_memory WHERE text LIKE '%410%'`),
        ({ rowCount }) => rowCount === 1,
      );
      a.child.kill("SIGKILL");
      await a.ended;
      await store.query(`UPDATE ${SCHEMA}.nodes SET beat = 'epoch' WHERE name = 'a'`);
      await bind(b, "two", "u2");
      await isSo("b", "off");
      t.equal(receiver.messages.length, 1, "only the node that is gone has tried it");
      receiver.say = () => 200;
      t.match(await b.ok("hook/resume", { name: "backend" }), { code: "success" });
      await receiver.takenAre(2);
      t.same(receiver.taken.map(({ data }) => data["uid"]).sort(), ["u1", "u2"]);
    },
  );

  await t.test("cluster: an endpoint whose node was stopped is told by the other one", async (t) => {
    const receiver = await startReceiver(t);
    const url = await server.database();
    const a = await node(t, url, "a", receiver);
    await bind(a, "one", "u1");
    await receiver.takenAre(1);
    const b = await node(t, url, "b", receiver);
    await a.stop();
    await bind(b, "one", "u2");
    await receiver.takenAre(3);
    t.same(
      receiver.taken.map(({ data }) => data["uid"]),
      ["u1", "u1", "u2"],
    );
    t.match(await b.ok("hook/list", {}), { hooks: [{ name: "backend", node: "b", state: "running" }] });
  });
}
