// Every flow on every transport with every generation of socket.io-client, against one server.
import t, { type Test } from "tap";
import { startTestApp } from "../support/app.ts";
import { GENERATIONS, SocketClient, TRANSPORTS, type TransportName } from "../support/clients.ts";

const server = await startTestApp(t);

for (const generation of GENERATIONS) {
  for (const name of Object.keys(TRANSPORTS) as TransportName[]) {
    const open = (t: Test) => {
      const client = new SocketClient(generation, server.clientUrl, TRANSPORTS[name]);
      t.teardown(() => client.close());
      return client;
    };
    const id = (suffix: string) => `g${generation}-${name}-${suffix}`;

    t.test(
      `socket.io-client ${generation}, ${name}: pushes to its topic, its pushId and its uid arrive in order`,
      async (t) => {
        const client = open(t);
        const pushId = id("device");
        const topic = id("topic");
        t.same(await client.hello({ id: pushId, topics: [topic] }), { id: pushId });
        await server.ok("uid/bind", { pushId, uid: id("uid") });
        await server.ok("push", { topic, json: { text: "é你😀\u2028" } });
        await server.ok("push", { pushId, json: "plain text" });
        await server.ok("push", { uid: id("uid"), json: JSON.stringify([1, "2", null]) });
        await server.ok("notification", {
          pushId,
          notification: { android: { title: "T", message: "M", payload: { a: 1 } } },
        });
        t.same(await client.next("p"), [{ text: "é你😀\u2028" }]);
        t.same(await client.next("p"), ["plain text"]);
        t.same(await client.next("p"), [[1, "2", null]]);
        const [noti] = (await client.next("noti")) as [Record<string, unknown>];
        t.match(noti, {
          id: /^[A-Za-z0-9]{12}$/,
          timestamp: Number,
          android: { title: "T", message: "M", payload: { a: 1 } },
        });
      },
    );

    t.test(
      `socket.io-client ${generation}, ${name}: what was kept while it was away is replayed once, in order`,
      async (t) => {
        const pushId = id("returning");
        const topic = id("kept");
        const first = open(t);
        await first.hello({ id: pushId, topics: [topic] });
        await server.ok("push", { topic, json: 1, timeToLive: 60_000 });
        await server.ok("push", { pushId, json: "a", timeToLive: 60_000 });
        const [, [, topicCursor]] = (await first.next("p")) as [unknown, [string, string, number]];
        const [, position] = (await first.next("p")) as [unknown, [string, string, number]];
        t.match(position, [pushId, /^[A-Za-z0-9]{12}$/, 1]);
        first.close();
        for (const json of [2, 3]) await server.ok("push", { topic, json, timeToLive: 60_000 });
        await server.ok("push", { pushId, json: "b", timeToLive: 60_000 });

        const second = open(t);
        const cursors = { lastPacketIds: { [topic]: topicCursor }, lastUnicastId: position[1] };
        await second.hello({ id: pushId, topics: [topic], ...cursors });
        await server.ok("push", { topic, json: 4, timeToLive: 60_000 });
        await server.ok("push", { pushId, json: "c", timeToLive: 60_000 });
        const byTopic: unknown[] = [];
        const own: unknown[] = [];
        while (byTopic.length + own.length < 5) {
          const [payload, [name]] = (await second.next("p")) as [unknown, [string]];
          (name === topic ? byTopic : own).push(payload);
        }
        t.same(byTopic, [2, 3, 4]);
        t.same(own, ["b", "c"]);
        t.same(second.rest("p"), []);
      },
    );

    t.test(
      `socket.io-client ${generation}, ${name}: after unsubscribing nothing more of the topic arrives`,
      async (t) => {
        const client = open(t);
        const pushId = id("leaving");
        const topic = id("left");
        await client.hello({ id: pushId, topics: [topic] });
        client.socket.emit("unsubscribeTopic", { topic });
        await client.hello({ id: pushId }); // answered after the unsubscribe took effect
        await server.ok("push", { topic, json: "late" });
        await server.ok("push", { pushId, json: "end" });
        t.same(await client.next("p"), ["end"]);
      },
    );
  }
}
