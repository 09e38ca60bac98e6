// What the backend makes live sessions do, and what it asks about them (api 3.13 to 3.16).
import t, { type Test } from "tap";
import { startTestApp } from "../support/app.ts";
import { GENERATIONS, RawClient, SocketClient, TRANSPORTS, type TransportName } from "../support/clients.ts";
import { device, type Fields, fresh } from "../support/devices.ts";
import { eventually } from "../support/until.ts";

const server = await startTestApp(t);

const client = async (t: Test, fields: Fields = {}) => device(t, server, fields);

for (const generation of GENERATIONS)
  for (const transport of Object.keys(TRANSPORTS) as TransportName[])
    t.test(
      `integration 14: socket.io-client ${generation}, ${transport}: disconnected it comes back, told to stay away it does not`,
      async (t) => {
        const options = { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 5, randomizationFactor: 0 };
        const one = new SocketClient(generation, server.clientUrl, TRANSPORTS[transport], options);
        t.teardown(() => one.close());
        const pushId = fresh("device");
        await one.next("connect");
        await one.hello({ id: pushId });
        t.match(await server.ok("disconnect", { pushId, reconnect: true }), { code: "success", disconnected: 1 });
        await one.next("disconnect");
        await one.next("connect");
        await one.hello({ id: pushId });
        t.match(await server.ok("disconnect", { pushId, reconnect: false }), { disconnected: 1 });
        t.same((await one.next("disconnect"))[0], "io server disconnect");
        t.equal(one.socket.io.skipReconnect, true);
      },
    );

t.test("integration 14: every session of a user, or of a topic, is closed, and no other", async (t) => {
  const [a, b, c] = [await client(t, { topics: ["kick"] }), await client(t, { topics: ["kick"] }), await client(t)];
  const uid = fresh("user");
  for (const { id } of [a, c]) await server.ok("uid/bind", { pushId: id, uid });
  t.match(await server.ok("disconnect", { uid: [uid, "unknown"] }), { disconnected: 2 });
  await Promise.all([a.client.closed, c.client.closed]);
  t.same(await b.client.settle(), []);
  t.match(await server.ok("disconnect", { topic: "kick" }), { disconnected: 1 });
  await b.client.closed;
  t.match(await server.ok("disconnect", { topic: "kick" }), { disconnected: 0 });
});

t.test("integration 14: a device is put into a topic and taken out of it by the backend", async (t) => {
  const { client: raw, id } = await client(t);
  const topic = fresh("room");
  t.match(await server.ok("subscribe", { topic, pushId: id }), { subscribed: 1 });
  t.match(await server.ok("push", { topic, json: 1 }), { online: 1 });
  t.same(await raw.settle(), ['42["p",1]']);
  t.match(await server.ok("unsubscribe", { topic, pushId: [id, "unknown-device"] }), { unsubscribed: 1 });
  t.match(await server.ok("push", { topic, json: 2 }), { online: 0 });
  raw.emit("subscribeTopic", { topic });
  t.same(await raw.settle(), [], "nothing was held: it may come back");
  t.match(await server.ok("push", { topic, json: 3 }), { online: 1 });
});

t.test(
  "integration 14: whoever is held out of a room is told so, by whatever way it tries, until the backend lets it in",
  async (t) => {
    const { client: raw, id } = await client(t, { topics: ["arena"] });
    t.match(await server.ok("unsubscribe", { topic: "arena", pushId: id, hold: "1h" }), { unsubscribed: 1 });
    raw.emit("subscribeTopic", { topic: "arena" });
    t.match(await raw.next('42["refused"'), /"code":"topic_held"/);
    const second = await RawClient.open(server.clientPort);
    t.teardown(() => second.close());
    second.emit("pushId", { id, topics: ["arena", "hall"] });
    t.match(await second.next('42["refused"'), /"code":"topic_held"/);
    await second.next('42["pushId"');
    t.match(await server.ok("topicOnline", { topic: "arena" }), { count: 0 });
    t.match(await server.ok("topicOnline", { topic: "hall" }), { count: 1 });
    t.match(await server.ok("subscribe", { topic: "arena", pushId: id }), { subscribed: 2 });
    raw.emit("unsubscribeTopic", { topic: "arena" });
    raw.emit("subscribeTopic", { topic: "arena" });
    t.same(await raw.settle(), []);
    t.match(await server.ok("topicOnline", { topic: "arena" }), { count: 2 });
  },
);

t.test(
  "integration 14: a user who is held out stays out with a device that is bound only after it subscribed",
  async (t) => {
    const uid = fresh("user");
    t.match(await server.ok("unsubscribe", { topic: "stage", uid, hold: 60_000 }), { unsubscribed: 0 });
    const { client: raw, id } = await client(t, { topics: ["stage"] });
    t.match(await server.ok("topicOnline", { topic: "stage" }), { count: 1 });
    await server.ok("uid/bind", { pushId: id, uid });
    t.match(await raw.next('42["refused"'), /"code":"topic_held"/);
    t.match(await server.ok("topicOnline", { topic: "stage" }), { count: 0 });
    const again = await RawClient.open(server.clientPort);
    t.teardown(() => again.close());
    await again.hello({ id, topics: ["stage"] });
    t.match(await server.ok("topicOnline", { topic: "stage" }), { count: 0 });
  },
);

t.test("integration 14: a hold ends by itself", async (t) => {
  const { client: raw, id } = await client(t);
  await server.ok("unsubscribe", { topic: "brief", pushId: id, hold: 1 });
  await eventually(
    async () => {
      raw.emit("subscribeTopic", { topic: "brief" });
      return (await server.ok("topicOnline", { topic: "brief" }))["count"];
    },
    (count) => count === 1,
  );
  t.equal((await server.ok("push", { topic: "brief", json: 1 }))["online"], 1);
});

t.test("one call tells who of a contact list is online, with how many devices and since when", async (t) => {
  const before = Date.now();
  const [a, b] = [await client(t), await client(t)];
  const uid = fresh("user");
  for (const { id } of [a, b]) await server.ok("uid/bind", { pushId: id, uid });
  const users = await server.ok("presence", { uid: ["nobody", uid] });
  t.match(users, {
    presence: [
      { uid: "nobody", online: false, devices: 0 },
      { uid, online: true, devices: 2 },
    ],
  });
  const { since } = (users["presence"] as readonly Fields[])[1]!;
  t.ok(Number(since) >= before - 2000 && Number(since) <= Date.now());
  await b.client.close();
  t.match(
    await server.ok("presence", { uid }),
    { presence: [{ uid, online: true, devices: 2 }] },
    "within client.disconnect_delay it still counts",
  );
  t.match(await server.ok("presence", { pushId: JSON.stringify([a.id, b.id, "unknown-device"]) }), {
    presence: [
      { pushId: a.id, online: true, since: Number, sinceIso: String },
      { pushId: b.id, online: true },
      { pushId: "unknown-device", online: false },
    ],
  });
  await server.ok("uid/remove", { uid });
  t.match(await server.ok("presence", { uid }), { presence: [{ online: false, devices: 0 }] });
  const many = Array.from({ length: 10_000 }, (_, i) => `contact-${i}`);
  t.equal(((await server.ok("presence", { uid: JSON.stringify(many) }))["presence"] as unknown[]).length, 10_000);
  const refused = await server.post("presence", { uid: JSON.stringify([...many, "one more"]) });
  t.match(refused, { status: 413, body: { message: /uid has 10001 ids: ask for at most 10000/ } });
});

t.test("the topics with somebody in them are listed page by page, the largest of a page first", async (t) => {
  const topics = Array.from({ length: 40 }, (_, i) => `list:${i}`);
  await client(t, { topics });
  await client(t, { topics: topics.slice(0, 10) });
  await client(t, { topics: ["list:7", "other"] });
  const first = await server.ok("topic/list", { prefix: "list:", limit: 25 });
  const names = topics.toSorted();
  t.equal((first["topics"] as unknown[]).length, 25);
  t.equal(first["next"], names[24]);
  t.match((first["topics"] as readonly Fields[])[0], { topic: "list:0", count: 2 });
  const rest = await server.ok("topic/list", { prefix: "list:", limit: 25, after: first["next"] });
  t.notOk("next" in rest);
  t.same((rest["topics"] as readonly Fields[])[0], { topic: "list:7", count: 3 });
  const all = [first, rest].flatMap((page) => (page["topics"] as readonly Fields[]).map(({ topic }) => String(topic)));
  t.same(all.toSorted(), names);
});

t.test("what is wrong with such a call is named", async (t) => {
  for (const [path, fields, message] of [
    ["disconnect", {}, "pushId, uid or topic is required"],
    ["disconnect", { pushId: "a", topic: "b" }, "pushId, uid or topic: give one of them"],
    ["disconnect", { pushId: "a", uid: "b" }, "pushId and uid can't be present at the same time"],
    ["disconnect", { pushId: "a", reconnect: "no" }, "reconnect must be true or false"],
    ["subscribe", { pushId: "a" }, "topic is required"],
    ["subscribe", { topic: "a" }, "pushId or uid is required"],
    ["subscribe", { topic: "uid:7", pushId: "a" }, 'the name of a topic may not begin with "uid:"'],
    [
      "unsubscribe",
      { topic: "a", uid: "b", hold: "long" },
      "hold must be a number of milliseconds, or a duration like 30s, 15m, 1h or 7d",
    ],
    ["unsubscribe", { topic: "a", uid: "b", hold: "8d" }, "hold is larger than 604800000 ms"],
    ["presence", {}, "pushId or uid is required"],
    ["topic/list", { limit: 0 }, "limit must be a whole number from 1 to 10000"],
  ] as const)
    t.match(
      await server.post(path, fields),
      { status: 400, body: { code: "error", message } },
      `${path} ${JSON.stringify(fields)}`,
    );
});
