// Exact positions (sockets 4.16), seen from the wire.
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";

const ID = "exact-device-1";

async function enter(t: Test, server: TestApp, fields: object): Promise<RawClient> {
  const client = await RawClient.open(server.clientPort, "EIO=3&transport=websocket");
  t.teardown(() => client.close());
  client.emit("pushId", { id: ID, ...fields });
  return client;
}

const position = async (client: RawClient): Promise<Record<string, unknown>> =>
  (JSON.parse((await client.next('42["position"')).slice(2)) as [string, Record<string, unknown>])[1];

t.test(
  "integration 17: what was kept since a client came is replayed though it never got a packet, also after a restart",
  async (t) => {
    const data = t.testdir();
    const first = await startTestApp(t, { data });
    await first.ok("push", { topic: "news", json: "old", timeToLive: 60_000 });
    const client = await enter(t, first, { topics: ["news", "live"], lastPacketIds: { news: null }, epoch: "" });
    const own = await position(client);
    const news = await position(client);
    t.match(
      [own, news],
      [
        { recovered: true, at: Number },
        { topic: "news", recovered: true, at: Number },
      ],
    );
    t.notOk("topic" in own);
    t.same(
      (await client.settle()).filter((frame) => frame.includes("old")),
      [],
      "nothing older",
    );
    await client.close();
    await first.ok("push", { topic: "news", json: 1, timeToLive: 60_000 });
    await first.stop();

    const second = await startTestApp(t, { data });
    await second.ok("push", { topic: "news", json: 2, timeToLive: 60_000 });
    await second.ok("push", { pushId: ID, json: "mine", timeToLive: 60_000 });
    const { epoch, at } = news;
    const again = await enter(t, second, {
      topics: ["news"],
      lastPacketIds: { news: at },
      lastUnicastId: own["at"],
      epoch,
    });
    t.match(await position(again), { epoch, recovered: true });
    t.match(await again.next('42["p"'), '"mine"');
    t.match(await position(again), { topic: "news", epoch, recovered: true });
    t.match(await again.next('42["p"'), '42["p",1,');
    t.match(await again.next('42["p"'), '42["p",2,');
  },
);

t.test("integration 17: a client that was away for too long is told so, topic by topic", async (t) => {
  const server = await startTestApp(t);
  const client = await enter(t, server, { topics: ["a", "b"], lastPacketIds: { a: null, b: null }, epoch: "" });
  const [{ epoch, at: own }, a, b] = [await position(client), await position(client), await position(client)];
  await client.close();
  for (let n = 0; n < 11; n++) await server.ok("push", { topic: "a", json: n, timeToLive: 60_000 });
  for (let n = 0; n < 10; n++) await server.ok("push", { topic: "b", json: n, timeToLive: 60_000 });
  const again = await enter(t, server, {
    topics: ["a", "b"],
    lastPacketIds: { a: a["at"], b: b["at"] },
    lastUnicastId: own,
    epoch,
  });
  t.match(await position(again), { recovered: true });
  t.match(await position(again), { topic: "a", recovered: false });
  t.match(await again.next('42["p"'), '42["p",1,', "what is left of it comes");
  t.match(await position(again), { topic: "b", recovered: true });
});

t.test("integration 17: old clients get what they always got, whatever they call a position", async (t) => {
  const server = await startTestApp(t);
  await server.ok("push", { topic: "news", json: "old", timeToLive: 60_000 });
  const client = await enter(t, server, { topics: ["news"], lastPacketIds: { news: null }, lastUnicastId: 17 });
  client.emit("subscribeTopic", { topic: "more", lastPacketId: null });
  await client.next('42["pushId"');
  t.same(await client.settle(), []);
});

t.test("a client may ask whether its connection lives", async (t) => {
  const server = await startTestApp(t);
  const client = await enter(t, server, {});
  client.emit("check");
  t.equal(await client.next('42["check"'), '42["check",{}]');
});
