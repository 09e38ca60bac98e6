// The push layer as clients see it; numbers are those of the protocol's checklist.
import { once } from "node:events";
import t, { type Test } from "tap";
import { startTestApp } from "../support/app.ts";
import { nextOf, pushClient, RawClient } from "../support/clients.ts";
import { moveElapsed, takeClock } from "../support/clock.ts";

const server = await startTestApp(t, { client: { disconnectDelay: 200 } });
const TTL = 60_000;
let serial = 0;
/** A name that no other test uses. */
const fresh = (what: string) => `${what}-${++serial}-0123456789`;
const open = async (t: Test, query?: string) => {
  const client = await RawClient.open(server.clientPort, query);
  t.teardown(() => client.close());
  return client;
};
const payload = (frame: string) => (JSON.parse(frame.slice(2)) as unknown[])[1];
const position = (frame: string) => (JSON.parse(frame.slice(2)) as [string, unknown, [string, string, number]])[2];
const packets = (frames: readonly string[]) => frames.filter((frame) => frame.startsWith('42["p"'));

t.test(
  "SIO 23: a pushId of 9 characters, numeric, array or missing gets no reply, and the connection stays",
  async (t) => {
    const client = await open(t);
    for (const id of ["123456789", 1234567890, ["0123456789"], null]) client.emit("pushId", { id });
    client.send('42["pushId"]', '42["pushId",{}]');
    t.same(
      (await client.settle()).filter((frame) => frame.startsWith('42["pushId"')),
      [],
    );
    t.match(await client.hello({ id: fresh("ok") }), { id: /^ok/ });
  },
);

t.test("SIO 24: the reply shows what this very request stored", async (t) => {
  const client = await open(t);
  const id = fresh("device");
  t.same(await client.hello({ id, tags: ["t1", "t2"] }), { id, tags: ["t1", "t2"] });
  t.same(await client.hello({ id, tags: [] }), { id }, "no tags key when empty");
  await server.ok("uid/bind", { pushId: id, uid: 7 });
  t.same(await client.hello({ id }), { id, uid: "7" }, "uid as a string");
  client.emit("token", { token: "tok", type: "huawei", package_name: "com.x" });
  t.same(await client.hello({ id }), { id, uid: "7", token: "tok" });
});

t.test("SIO 21, 22, 25: hostile and unknown frames do no harm", async (t) => {
  const other = await open(t);
  const id = fresh("bystander");
  await other.hello({ id });
  const client = await open(t);
  const mine = fresh("hostile");
  await client.hello({ id: mine });
  client.send(
    '42["pushId"]',
    '42["subscribeTopic",{}]',
    '42["token",{"type":"apn"}]',
    '42["token",{"token":{},"type":"apn"}]',
    '42["packetProxy",null]',
    '42["stats"]',
    '42["stats",{"requestStats":[null,{"path":"x"}]}]',
    '42["nonsense",1,2,3]',
    '4217["unsubscribeTopic",{"topic":"x"}]',
    '42["error","x"]',
    '42["disconnect"]',
    "44",
  );
  t.match(await client.hello({ id: mine, platform: 5 }), { id: mine });
  t.match(await server.ok("device/get", { pushId: mine }), { connected: true });
  await server.ok("push", { pushId: id, json: "still here" });
  t.equal(payload(await other.next('42["p"')), "still here");
});

t.test("SIO 26: a topic that looks like a uid's room is not joined, and disturbs nothing else", async (t) => {
  const client = await open(t);
  const id = fresh("device");
  await client.hello({ id, topics: ["uid:7", fresh("topic")] });
  client.emit("subscribeTopic", { topic: "uid:7" });
  await server.ok("push", { topic: "uid:7", json: "no" });
  await server.ok("push", { pushId: id, json: "yes" });
  t.equal(payload(await client.next('42["p"')), "yes");
});

t.test("SIO 27: a push right after the reply reaches every topic of the hello", async (t) => {
  for (let i = 0; i < 20; i++) {
    const client = await open(t);
    const topics = [fresh("a"), fresh("b"), fresh("c")];
    await client.hello({ id: fresh("device"), topics });
    await Promise.all(topics.map((topic) => server.ok("push", { topic, json: topic })));
    const got = [await client.next('42["p"'), await client.next('42["p"'), await client.next('42["p"')].map(payload);
    t.same(got.sort(), topics.sort());
  }
});

t.test("SIO 28, 35: p has one argument without TTL, three items with; nobody sees another device's id", async (t) => {
  const [one, two] = [await open(t), await open(t)];
  const ids = [fresh("one"), fresh("two")];
  await one.hello({ id: ids[0]! });
  await two.hello({ id: ids[1]! });
  await server.ok("push", { pushId: ids, json: { m: 1 } });
  t.equal(await one.next('42["p"'), '42["p",{"m":1}]');
  t.equal(await two.next('42["p"'), '42["p",{"m":1}]');
  await server.ok("push", { pushId: ids, json: { m: 2 }, timeToLive: TTL });
  t.match(position(await one.next('42["p"')), [ids[0], /^\w{12}$/, 1]);
  t.match(position(await two.next('42["p"')), [ids[1], /^\w{12}$/, 1]);
});

t.test("SIO 29: a noti to an online device has unicast and ttl only when it is kept for that device", async (t) => {
  const client = await open(t);
  const id = fresh("device");
  await client.hello({ id });
  const away = fresh("away");
  await server.ok("uid/bind", { pushId: away, uid: "x" });
  await server.ok("notification", {
    pushId: [away, id],
    notification: { android: { title: "t" }, apn: { alert: "a" }, own: 1 },
  });
  const live = payload(await client.next('42["noti"')) as Record<string, unknown>;
  t.same(Object.keys(live).sort(), ["android", "apn", "id", "own", "timestamp"]);
  await server.ok("notification", { pushId: [away, id], timeToLive: TTL, notification: { android: { title: "t" } } });
  t.match(payload(await client.next('42["noti"')), { ttl: 1, unicast: 1, topic: id });
});

t.test("SIO 30: positions: found, not found, absent, zero", async (t) => {
  const topic = fresh("topic");
  const watcher = await open(t);
  await watcher.hello({ id: fresh("watcher"), topics: [topic] });
  const ids: string[] = [];
  for (const json of [1, 2, 3]) {
    await server.ok("push", { topic, json, timeToLive: TTL });
    ids.push(position(await watcher.next('42["p"'))[1]);
  }
  const replayed = async (lastPacketIds: object) => {
    const client = await open(t);
    const id = fresh("device");
    await client.hello({ id, topics: [topic], lastPacketIds });
    await server.ok("push", { topic, json: "end" });
    const frames = await client.until('42["p","end"');
    return packets(frames).slice(0, -1).map(payload);
  };
  t.same(await replayed({ [topic]: ids[0] }), [2, 3], "found");
  t.same(await replayed({ [topic]: ids[2] }), [], "the newest");
  t.same(await replayed({ [topic]: "0" }), [1, 2, 3], "not found");
  t.same(await replayed({}), [], "absent");
});

t.test("SIO 30: subscribeTopic with a position replays that topic, before a pushId as well", async (t) => {
  const topic = fresh("topic");
  await server.ok("push", { topic, json: "kept", timeToLive: TTL });
  const client = await open(t);
  client.emit("subscribeTopic", { topic, lastPacketId: "unknown" });
  t.equal(payload(await client.next('42["p"')), "kept");
  await server.ok("push", { topic, json: "live" });
  t.equal(payload(await client.next('42["p"')), "live");
});

t.test("B14: a position for a topic that is joined brings what was missed before, and nothing twice", async (t) => {
  const [topic, other] = [fresh("topic"), fresh("other")];
  let newest = 0;
  const keep = () => server.ok("push", { topic, json: ++newest, timeToLive: TTL });
  const after = (client: RawClient, lastPacketId: string) => client.emit("subscribeTopic", { topic, lastPacketId });
  const upTo = async (client: RawClient, end: number) =>
    packets(await client.until(`42["p",${end},`)).map(payload) as number[];
  await keep();
  for (const topics of [[topic], [other, topic]]) {
    const client = await open(t);
    await client.hello({ id: fresh("device"), topics });
    const missed = newest;
    await keep();
    t.same(await upTo(client, newest), [newest], "live");
    after(client, "0");
    t.same(
      await upTo(client, missed),
      Array.from({ length: missed }, (_, i) => i + 1),
      "what it had not been sent",
    );
    after(client, "0");
    await client.hello({ id: fresh("device"), topics, lastPacketIds: { [topic]: "0" } });
    await keep();
    t.same(await upTo(client, newest), [newest], "only once");
    client.emit("unsubscribeTopic", { topic });
    client.emit("subscribeTopic", { topic });
    await client.settle();
    await keep();
    t.same(await upTo(client, newest), [newest]);
    const [, found] = position((await replayedTo(client, topic, newest - 1)).at(-1)!);
    after(client, found);
    await keep();
    t.same(await upTo(client, newest), [newest], "its position is the newest that it had missed");
  }
});

/** Everything before, for a client that has joined the topic without a position. */
async function replayedTo(client: RawClient, topic: string, end: number): Promise<string[]> {
  client.emit("subscribeTopic", { topic, lastPacketId: "0" });
  return client.until(`42["p",${end},`);
}

t.test("SIO 30: a device without a position gets what was never sent to it, and only once", async (t) => {
  const id = fresh("device");
  const first = await open(t);
  await first.hello({ id });
  await first.close();
  await server.ok("push", { pushId: id, json: "while away", timeToLive: TTL });
  const second = await open(t);
  await second.hello({ id });
  t.equal(payload(await second.next('42["p"')), "while away");
  await server.ok("push", { pushId: id, json: "live", timeToLive: TTL });
  t.equal(payload(await second.next('42["p"')), "live");
  await second.close();
  const third = await open(t);
  await third.hello({ id });
  await server.ok("push", { pushId: id, json: "end" });
  t.same(
    packets(await third.until('42["p","end"')).map(payload),
    ["end"],
    "an app that forgets its position is not sent again what it had",
  );
});

t.test("SIO 30: what has expired is never replayed", async (t) => {
  const topic = fresh("topic");
  await server.ok("push", { topic, json: "short", timeToLive: 1 });
  await server.ok("push", { topic, json: "long", timeToLive: TTL });
  const expired = Date.now() + 2;
  while (Date.now() < expired) await server.ok("heap", {});
  const client = await open(t);
  client.emit("subscribeTopic", { topic, lastPacketId: "0" });
  t.equal(payload(await client.next('42["p"')), "long");
});

t.test("SIO 31: of 11 kept packets the last 10 are replayed, in order", async (t) => {
  const topic = fresh("topic");
  for (let i = 1; i <= 11; i++) await server.ok("push", { topic, json: i, timeToLive: TTL });
  const client = await open(t);
  client.emit("subscribeTopic", { topic, lastPacketId: "0" });
  const got: unknown[] = [];
  while (got.length < 10) got.push(payload(await client.next('42["p"')));
  t.same(got, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

t.test("SIO 32: with the push client 0.8.2: live 1, away 2 and 3, back, live 4; back again, none", async (t) => {
  const topic = fresh("topic");
  const client = pushClient(server.clientUrl, { pushId: fresh("sdk") });
  t.teardown(() => client.disconnect());
  const got: unknown[] = [];
  let arrived = Promise.withResolvers<void>();
  client.subscribeTopicAndReceiveTTL(topic);
  await nextOf(client, "connect");
  client.on("push", (data: unknown) => {
    got.push(data);
    if (data === "end") arrived.resolve();
  });
  const seen = async () => {
    await server.ok("push", { pushId: client.pushId, json: "end" });
    await arrived.promise;
    arrived = Promise.withResolvers();
    return got.splice(0);
  };
  const back = async () => {
    const connected = nextOf(client, "connect");
    client.connect();
    await connected;
  };
  await server.ok("push", { topic, json: "1", timeToLive: TTL });
  t.same(await seen(), [1, "end"]);
  client.disconnect();
  for (const json of [2, 3]) await server.ok("push", { topic, json, timeToLive: TTL });
  await back();
  await server.ok("push", { topic, json: 4, timeToLive: TTL });
  t.same(await seen(), [2, 3, 4, "end"]);
  client.disconnect();
  await back();
  t.same(await seen(), ["end"]);
});

t.test("SIO 33: a connection cut during the replay gets the missing ones at its next connect", async (t) => {
  const id = fresh("device");
  const watcher = await open(t);
  await watcher.hello({ id });
  await server.ok("push", { pushId: id, json: 0, timeToLive: TTL });
  const [, cursor] = position(await watcher.next('42["p"'));
  await watcher.close();
  for (const json of [1, 2, 3]) await server.ok("push", { pushId: id, json, timeToLive: TTL });
  for (let attempt = 0; attempt < 3; attempt++) {
    const cut = await open(t);
    await cut.hello({ id, lastUnicastId: cursor });
    await cut.close();
  }
  const client = await open(t);
  await client.hello({ id, lastUnicastId: cursor });
  const got = [await client.next('42["p"'), await client.next('42["p"'), await client.next('42["p"')];
  t.same(got.map(payload), [1, 2, 3]);
});

t.test(
  "SIO 34, holds 3: a packet pushed at the instant of connect is received exactly once, in order, 1000 times",
  async (t) => {
    const topic = fresh("topic");
    let pushed = 0;
    let going = true;
    const pushing = (async () => {
      while (going) await server.ok("push", { topic, json: ++pushed, timeToLive: TTL });
    })();
    const faults: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const client = await RawClient.open(server.clientPort, "EIO=3&transport=websocket");
      client.emit("pushId", { id: fresh("racer"), topics: [topic], lastPacketIds: { [topic]: "0" } });
      await client.next('42["pushId"');
      const got: number[] = [];
      const enough = pushed + 2;
      while ((got.at(-1) ?? 0) < enough) got.push(payload(await client.next('42["p"')) as number);
      for (let j = 1; j < got.length; j++) if (got[j] !== got[j - 1]! + 1) faults.push(got.join());
      await client.close();
    }
    going = false;
    await pushing;
    t.same(faults, []);
  },
);

t.test("SIO 36: a quick reconnect shows no offline blip", async (t) => {
  const DELAY = 120_000;
  const server = await startTestApp(t, { client: { disconnectDelay: DELAY } });
  const enter = async (id: string) => {
    const client = await RawClient.open(server.clientPort);
    t.teardown(() => client.close());
    await client.hello({ id });
    return client;
  };
  const [id, witness] = [fresh("device"), fresh("witness")];
  const [first, gone] = [await enter(id), await enter(witness)];
  await first.close();
  await gone.close();
  moveElapsed(DELAY - 60_000);
  t.match(await server.ok("device/get", { pushId: id }), { connected: true }, "within the delay");
  const second = await enter(id);
  moveElapsed(DELAY);
  // Another device that left at the same moment is offline by now, so the delay is over.
  while ((await server.ok("device/get", { pushId: witness }))["connected"]);
  t.match(await server.ok("device/get", { pushId: id }), { connected: true }, "holds 7");
  await server.ok("notification", { pushId: id, timeToLive: TTL, notification: { android: { title: "t" } } });
  await server.ok("push", { pushId: id, json: "end" });
  await second.next('42["noti"');
  t.same(
    (await second.settle()).filter((frame) => frame.startsWith('42["noti"')),
    [],
    "no duplicate notification",
  );
});

t.test("B13: the clock is set back an hour: devices that left are offline after the delay all the same", async (t) => {
  const clock = takeClock(t);
  const { clientPort, ok } = await startTestApp(t, { client: { disconnectDelay: 100 } });
  const first = await RawClient.open(clientPort);
  await first.hello({ id: "before-0123456789" });
  await first.close();
  clock.move(-3_600_000);
  const second = await RawClient.open(clientPort);
  await second.hello({ id: "after-0123456789" });
  await second.close();
  for (const pushId of ["before-0123456789", "after-0123456789"])
    while ((await ok("device/get", { pushId }))["connected"]);
  t.match(await ok("device/get", { pushId: "after-0123456789" }), { connected: false });
});

t.test("SIO 37: a notification during the delay window of a vanished device is delivered at its return", async (t) => {
  const id = fresh("device");
  const first = await open(t);
  await first.hello({ id });
  await first.close();
  await server.ok("notification", { pushId: id, timeToLive: TTL, notification: { android: { title: "for you" } } });
  const second = await open(t);
  await second.hello({ id });
  t.match(payload(await second.next('42["noti"')), { android: { title: "for you" } });
});

t.test(
  "SIO 38: bound to A, then B: a push to both arrives once; after unbindUid none, and the reply has no uid",
  async (t) => {
    const client = await open(t);
    const id = fresh("device");
    const [a, b] = [fresh("A"), fresh("B")];
    await client.hello({ id });
    await server.ok("uid/bind", { pushId: id, uid: a });
    await server.ok("uid/bind", { pushId: id, uid: b });
    await server.ok("push", { uid: [a, b], json: "once" });
    await server.ok("push", { pushId: id, json: "end" });
    t.same(packets(await client.until('42["p","end"')).map(payload), ["once", "end"]);
    client.emit("unbindUid");
    t.same(await client.hello({ id }), { id });
    await server.ok("push", { uid: [a, b], json: "none" });
    await server.ok("push", { pushId: id, json: "end" });
    t.same(packets(await client.until('42["p","end"')).map(payload), ["end"]);
  },
);

t.test("an unbindUid just before the connection ends still acts, on polling too", async (t) => {
  const id = fresh("device");
  const client = await RawClient.open(server.clientPort);
  await client.hello({ id });
  await server.ok("uid/bind", { pushId: id, uid: "leaving" });
  client.emit("unbindUid");
  await client.close();
  t.notOk("uid" in (await server.ok("device/get", { pushId: id })));
});

t.test("SIO 39: bound and removed by API while connected, without a reconnect", async (t) => {
  const client = await open(t);
  const id = fresh("device");
  const uid = fresh("user");
  await client.hello({ id });
  await server.ok("uid/bind", { pushId: id, uid });
  await server.ok("push", { uid, json: "bound" });
  t.equal(payload(await client.next('42["p"')), "bound");
  await server.ok("uid/remove", { uid });
  await server.ok("push", { uid, json: "removed" });
  await server.ok("push", { pushId: id, json: "end" });
  t.equal(payload(await client.next('42["p"')), "end");
});

t.test(
  "SIO 40: platformLimit 1: the second device evicts the first, whose live connection no longer receives",
  async (t) => {
    const [one, two] = [await open(t), await open(t)];
    const [first, second, uid] = [fresh("first"), fresh("second"), fresh("user")];
    await one.hello({ id: first });
    await two.hello({ id: second });
    for (const pushId of [first, second])
      await server.ok("uid/bind", { pushId, uid, platform: "ios", platformLimit: 1 });
    await server.ok("push", { uid, json: "to the second" });
    await server.ok("push", { pushId: first, json: "end" });
    t.equal(payload(await two.next('42["p"')), "to the second");
    t.equal(payload(await one.next('42["p"')), "end");
  },
);

t.test("SIO 41: the push client 0.8.2 sets, adds and removes tags", async (t) => {
  const id = fresh("sdk");
  const client = pushClient(server.clientUrl, { pushId: id });
  t.teardown(() => client.disconnect());
  await nextOf(client, "connect");
  /** A client that disconnects at once may take its last words along: what is asked for has to have arrived. */
  const stored = async (tags: readonly string[]) => {
    for (;;) {
      const { tags: now } = await server.ok("device/get", { pushId: id });
      if (JSON.stringify(now ?? []) === JSON.stringify(tags)) return;
    }
  };
  const greeted = async () => {
    const connected = nextOf(client, "connect");
    client.disconnect();
    client.connect();
    return (await connected)["tags"];
  };
  client.setTags(["a", "b"]);
  await stored(["a", "b"]);
  t.same(await greeted(), ["a", "b"]);
  client.addTag("c");
  client.removeTag("a");
  await stored(["b", "c"]);
  t.same(await greeted(), ["b", "c"]);
  client.setTags([]);
  await stored([]);
  t.same(await greeted(), undefined);
});

t.test("SIO 42, holds 6: a token is on the device that claims it last; apn tokens lose their brackets", async (t) => {
  const [old, young] = [await open(t), await open(t)];
  const [before, after] = [fresh("before"), fresh("after")];
  const token = fresh("to ken").replace(" ", "");
  await old.hello({ id: before });
  old.emit("token", { token: `<${token.slice(0, 4)} ${token.slice(4)}>`, type: "apn", package_name: "com.x" });
  t.match(await old.hello({ id: before }), { token });
  await young.hello({ id: after });
  young.emit("token", { token: {}, type: "apn", package_name: "com.x" });
  young.emit("apnToken", { apnToken: token, bundleId: "com.x", pushId: "ignored" });
  t.match(await young.hello({ id: after }), { token });
  t.same(await server.ok("device/get", { pushId: before }), {}, "the app was installed anew");
});

t.test("SIO 43: replies and clicks raise the right counters", async (t) => {
  const client = await open(t);
  const id = fresh("device");
  await client.hello({ id });
  const sent = await server.ok("notification", {
    pushId: id,
    type: fresh("kind"),
    notification: { android: { title: "t" } },
  });
  const noti = payload(await client.next('42["noti"')) as { id: string; timestamp: number };
  t.equal(noti.id, sent["id"]);
  for (let twice = 0; twice < 2; twice++) {
    client.emit("notificationReply", { id: noti.id, timestamp: noti.timestamp });
    client.emit("umengReply", { id: noti.id });
    client.emit("notificationClick", { id: noti.id });
    client.emit("notificationClick", { id: noti.id, type: "xiaomi" });
  }
  await client.settle();
  await server.app.settled();
  const record = await server.ok("stats/arrival/info", { id: noti.id });
  t.match(
    record,
    { target_android: 1, arrive_android: 1, arrive_umeng: 1, click_android: 1, click_xiaomi: 1 },
    "once per device",
  );
  t.match(record["android"], { target: 1, arrive: 1, arrivalRate: "100.00%", clickRate: "100.00%" });
});

t.test("SIO 45, holds 8: a client cannot hear or replay what is another device's", async (t) => {
  const victim = fresh("victim");
  await server.ok("push", { pushId: victim, json: "secret", timeToLive: TTL });
  const thief = await open(t);
  const id = fresh("thief");
  await thief.hello({ id, topics: [victim], lastPacketIds: { [victim]: "0" } });
  thief.emit("subscribeTopic", { topic: victim, lastPacketId: "0" });
  await server.ok("push", { pushId: victim, json: "secret too", timeToLive: TTL });
  await server.ok("push", { pushId: id, json: "end" });
  t.same(packets(await thief.until('42["p","end"')).map(payload), ["end"]);
});

t.test("SIO 46: an iOS client without EIO that speaks before 40 is served", async (t) => {
  const id = fresh("ios");
  const socket = new WebSocket(`ws://127.0.0.1:${server.clientPort}/socket.io/?transport=websocket`);
  t.teardown(() => socket.close());
  const frames: string[] = [];
  const replied = Promise.withResolvers<void>();
  socket.addEventListener("message", ({ data }) => {
    frames.push(String(data));
    if (frames.length === 1)
      socket.send(`42${JSON.stringify(["pushId", { id, platform: "iOS", version: 1, topics: ["x"] }])}`);
    if (String(data).startsWith('42["pushId"')) replied.resolve();
  });
  await once(socket, "open");
  await replied.promise;
  t.match(frames[0], /^0\{"sid":"[\w-]{20}","upgrades":\[\],"pingInterval":90000,"pingTimeout":25000/);
  t.equal(frames.at(-1), `42${JSON.stringify(["pushId", { id }])}`);
  t.match(await server.ok("device/get", { pushId: id }), { type: "apnNoToken", connected: true });
});

t.test("D21: a second pushId on one socket leaves the first one's channel", async (t) => {
  const client = await open(t);
  const [first, second] = [fresh("first"), fresh("second")];
  await client.hello({ id: first });
  await client.hello({ id: second });
  await server.ok("push", { pushId: first, json: "not for you" });
  await server.ok("push", { pushId: second, json: "end" });
  t.equal(payload(await client.next('42["p"')), "end");
});

t.test("D26: overlapping targets and repeated ids reach a connection once", async (t) => {
  const client = await open(t);
  const id = fresh("device");
  await client.hello({ id });
  await server.ok("push", { pushId: [id, id], json: "once" });
  await server.ok("push", { pushId: id, json: "end" });
  t.same(packets(await client.until('42["p","end"')).map(payload), ["once", "end"]);
});

t.test("two connections of one device both get its pushes", async (t) => {
  const id = fresh("device");
  const [one, two] = [await open(t), await open(t)];
  await one.hello({ id });
  await two.hello({ id });
  await server.ok("push", { pushId: id, json: "both" });
  t.equal(payload(await one.next('42["p"')), "both");
  t.equal(payload(await two.next('42["p"')), "both");
});

t.test("a bindUid of a client is refused unless the configuration trusts it", async (t) => {
  const client = await open(t);
  const id = fresh("device");
  await client.hello({ id });
  client.emit("bindUid", { uid: "root" });
  t.same(await client.hello({ id }), { id });

  const trusting = await startTestApp(t, { trustClientUid: true });
  const trusted = await RawClient.open(trusting.clientPort);
  t.teardown(() => trusted.close());
  await trusted.hello({ id });
  trusted.emit("bindUid", { uid: 5 });
  t.same(await trusted.hello({ id }), { id, uid: "5" });
});

t.test("stats/base counts sessions by platform", async (t) => {
  const counting = await startTestApp(t);
  t.match(await counting.ok("stats/base", {}), { processCount: [{ count: {} }] });
  for (const platform of ["iOS", "android", "browser", "toaster"]) {
    const client = await RawClient.open(counting.clientPort);
    t.teardown(() => client.close());
    await client.hello({ id: fresh("device"), platform });
  }
  t.match(await counting.ok("stats/base", {}), { total: 4, ios: 1, android: 1, browser: 1 });
});

t.test("C1: an answer names the push and says how many connections it was handed to", async (t) => {
  const [topic, uid, nobody] = [fresh("topic"), fresh("uid"), fresh("nobody")];
  const [one, two] = [fresh("device"), fresh("device")];
  for (const id of [one, two, two]) await (await open(t)).hello({ id, topics: [topic] });
  await server.ok("uid/bind", { pushId: two, uid });
  for (const timeToLive of [0, TTL])
    for (const [target, online] of [
      [{ topic }, 3],
      [{ topic: nobody }, 0],
      [{ pushId: [one, two] }, 3],
      [{ pushId: nobody }, 0],
      [{ uid }, 2],
      [{ uid: nobody }, 0],
    ] as const) {
      const answer = await server.ok("push", { ...target, json: 1, timeToLive });
      t.match(answer, { code: "success", id: /^\w{12}$/, online }, JSON.stringify({ ...target, timeToLive }));
    }
  const client = await open(t);
  const id = fresh("device");
  await client.hello({ id });
  const { id: packet } = await server.ok("push", { pushId: [id, one], json: 1, timeToLive: TTL });
  const [frame] = packets(await client.settle());
  t.same(position(frame!), [id, packet, 1], "the id is the packet's");
});
