// The API as a backend uses it and what devices then get; numbers are those of the API's checklist.
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { nextOf, pushClient, RawClient } from "../support/clients.ts";
import { moveElapsed, takeClock } from "../support/clock.ts";
import { jobIn } from "../support/devices.ts";
import { eventually } from "../support/until.ts";

const DELAY = 1000;
const TTL = 60_000;
const clock = takeClock(t);
const server = await startTestApp(t, { client: { disconnectDelay: DELAY } });
let serial = 0;
/** A name that no other test uses. */
const fresh = (what: string) => `${what}-${++serial}-0123456789`;
const open = async (t: Test, at: TestApp = server) => {
  const client = await RawClient.open(at.clientPort);
  t.teardown(() => client.close());
  return client;
};
const device = async (t: Test, fields: object = {}, at: TestApp = server) => {
  const client = await open(t, at);
  const id = fresh("device");
  await client.hello({ id, ...fields });
  return { client, id };
};
const payload = (frame: string) => (JSON.parse(frame.slice(2)) as unknown[])[1];
const noti = (frame: string) => payload(frame) as { id: string; timestamp: number };
const named = (frames: readonly string[], event: string) => frames.filter((frame) => frame.startsWith(`42["${event}"`));
/** Payloads that came up to now. */
const received = async (client: RawClient) => named(await client.settle(), "p").map(payload);

t.test("API 2, 32: 100,000 uids in every POST form reach all, once each, and nobody else waits for it", async (t) => {
  const MANY = 100_000;
  /** At least so many others are answered while one such call goes on. */
  const AMONG = 3;
  const prefix = fresh("many");
  const uids = Array.from({ length: MANY }, (_, i) => `${prefix}-${i}`);
  const receivers: RawClient[] = [];
  for (const i of [0, 1, 999, 1000, 49_999, MANY - 2, MANY - 1]) {
    const { client, id } = await device(t);
    await server.ok("uid/bind", { pushId: id, uid: uids[i] });
    receivers.push(client);
  }
  const bystander = await device(t);
  const boundary = "the-boundary";
  const part = (name: string, value: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const forms: Record<string, (fields: Record<string, string>) => { type: string; body: string }> = {
    "urlencoded, repeated keys": (fields) => ({
      type: "application/x-www-form-urlencoded",
      body: `${new URLSearchParams(fields)}&${uids.map((uid) => `uid=${uid}`).join("&")}`,
    }),
    "urlencoded, indexed keys": (fields) => ({
      type: "application/x-www-form-urlencoded",
      body: `${new URLSearchParams(fields)}&${uids.map((uid, i) => `uid[${i}]=${uid}`).join("&")}`,
    }),
    "urlencoded, a JSON array as text": (fields) => ({
      type: "application/x-www-form-urlencoded",
      body: String(new URLSearchParams({ ...fields, uid: JSON.stringify(uids) })),
    }),
    "JSON array": (fields) => ({ type: "application/json", body: JSON.stringify({ ...fields, uid: uids }) }),
    "JSON, the array as text": (fields) => ({
      type: "application/json",
      body: JSON.stringify({ ...fields, uid: JSON.stringify(uids) }),
    }),
    multipart: (fields) => ({
      type: `multipart/form-data; boundary=${boundary}`,
      body: `${Object.entries(fields)
        .map(([name, value]) => part(name, value))
        .join("")}${uids.map((uid) => part("uid", uid)).join("")}--${boundary}--\r\n`,
    }),
  };
  for (const [form, write] of Object.entries(forms)) {
    for (const timeToLive of [0, TTL]) {
      const { type, body } = write({ json: form, timeToLive: String(timeToLive) });
      const bytes = Buffer.from(body);
      let going = true;
      const call = fetch(`${server.apiUrl}/api/push`, {
        method: "POST",
        headers: { "content-type": type },
        body: bytes,
      }).finally(() => {
        going = false;
      });
      let others = 0;
      while (going && others < AMONG) {
        await server.ok("device/get", { pushId: bystander.id });
        await bystander.client.settle();
        others++;
      }
      const answer = await call;
      t.match(await answer.json(), { code: "success", id: /^\w{12}$/, online: receivers.length }, form);
      for (const client of receivers) t.same(await received(client), [form], `${form}, ttl ${timeToLive}`);
      t.ok(others >= AMONG, `${form}, ttl ${timeToLive}: ${others} calls and pings were answered meanwhile`);
    }
  }
  t.same(await received(bystander.client), []);
});

t.test("API 32: a notification to 100,000 uids reaches all who exist, once each", async (t) => {
  const prefix = fresh("many");
  const uids = Array.from({ length: 100_000 }, (_, i) => `${prefix}-${i}`);
  const receivers: RawClient[] = [];
  for (const i of [0, 999, 1000, 99_999]) {
    const { client, id } = await device(t);
    await server.ok("uid/bind", { pushId: id, uid: uids[i] });
    receivers.push(client);
  }
  const { body } = await server.postJson("notification", { uid: uids, notification: { android: { title: "t" } } });
  await jobIn(server, body["id"]);
  for (const client of receivers) t.equal(noti(await client.next('42["noti"')).id, body["id"]);
  for (const client of receivers) t.same(named(await client.settle(), "noti"), []);
  const record = await eventually(
    () => server.ok("stats/arrival/info", { id: body["id"] }),
    (record) => record["target_android"] === 4,
  );
  t.equal((record["uids"] as unknown[]).length, 4);
});

t.test("API 5, 6: every row of the payload table as the push client 0.8.2 gives it to the app", async (t) => {
  const client = pushClient(server.clientUrl, { pushId: fresh("sdk") });
  t.teardown(() => client.disconnect());
  await nextOf(client, "connect");
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64");
  const rows: [how: "form" | "json", sent: Record<string, unknown>, delivered: unknown][] = [
    ["form", { json: '{"message":"ok"}' }, { message: "ok" }],
    ["form", { json: "[0,1,2]" }, [0, 1, 2]],
    ["form", { json: "test string" }, "test string"],
    ["form", { json: "[0, 1, 2, 3]-" }, "[0, 1, 2, 3]-"],
    ["form", { json: "5" }, 5],
    ["form", { json: "true" }, true],
    ["form", { json: "null" }, null],
    ["form", { json: '{"text":"é你😀\u2028"}' }, { text: "é你😀\u2028" }],
    ["form", { json: "line\nbreak\u2028" }, "line\nbreak\u2028"],
    ["json", { json: { a: 1 } }, { a: 1 }],
    ["json", { json: [1, { a: 2 }] }, [1, { a: 2 }]],
    ["json", { json: [5] }, [5]],
    ["json", { json: ["5"] }, ["5"]],
    ["json", { json: '{"a":1}' }, { a: 1 }],
    ["json", { json: "test string" }, "test string"],
    ["json", { json: 0 }, 0],
    ["json", { json: false }, false],
    ["form", { data: base64({ old: "form é" }) }, { old: "form é" }],
    ["json", { data: base64("text") }, "text"],
    ["form", { data: base64(1), json: "2" }, 2],
  ];
  for (const timeToLive of [0, TTL]) {
    for (const [i, [how, sent, delivered]] of rows.entries()) {
      const got = nextOf(client, "push");
      const fields = { ...sent, pushId: client.pushId, timeToLive };
      const { status } = await (how === "form" ? server.post("push", fields) : server.postJson("push", fields));
      t.equal(status, 200);
      t.same(await got, delivered, `row ${i}, ttl ${timeToLive}`);
    }
  }
  for (const json of ["", null]) {
    const answer = await server.postJson("push", { pushId: client.pushId, json });
    t.match(answer, { status: 400, body: { code: "error", message: "data is required" } });
  }
});

t.test(
  "API 16: 7 devices among pages of others: each exactly once, counted, found by each uid and pushId",
  async (t) => {
    const uids = [fresh("user"), fresh("user")];
    const devices: Awaited<ReturnType<typeof device>>[] = [];
    const fill = async (count: number) => {
      const uid = uids[0];
      await Promise.all(Array.from({ length: count }, () => server.ok("uid/bind", { pushId: fresh("filler"), uid })));
    };
    for (let i = 0; i < 7; i++) {
      const one = await device(t);
      await server.ok("uid/bind", { pushId: one.id, uid: uids[i % 2] });
      devices.push(one);
      await fill(300);
    }
    for (const target of [{ pushId: devices.map(({ id }) => id) }, { uid: uids }]) {
      const { id } = await server.ok("notification", { ...target, notification: { android: { title: "t" } } });
      for (const { client } of devices) t.equal(noti(await client.next('42["noti"')).id, id);
      const all = "uid" in target ? 7 + 7 * 300 : 7;
      const record = await eventually(
        () => server.ok("stats/arrival/info", { id }),
        (record) => record["target_android"] === all,
      );
      t.match(record, { id, android: { target: all, arrive: 0, arrivalRate: "0.00%" } });
      for (const { client } of devices) t.same(named(await client.settle(), "noti"), [], "once");
      for (const query of [...uids.map((uid) => ({ uid })), ...devices.map((one) => ({ pushId: one.id }))]) {
        const found = (await server.ok("stats/arrival/info", query)) as unknown as { id: string }[];
        t.equal(found[0]?.id, id, `newest first, for ${JSON.stringify(query)}`);
      }
    }
  },
);

t.test(
  "API 17: pushAll as text and as JSON true; without a title there is no noti; else it is no target",
  async (t) => {
    const { client } = await device(t, { topics: ["noti"] });
    const outside = await device(t);
    const titled = { android: { title: "t", message: "m" } };
    t.match(await server.ok("notification", { pushAll: "true", notification: { android: { message: "no title" } } }), {
      warnings: [/^notification has neither android.title nor apn.alert: .* pushAll sends it to nobody$/],
    });
    const asText = await server.ok("notification", { pushAll: "true", notification: titled });
    const asJson = await server.postJson("notification", { pushAll: true, notification: titled });
    t.equal(noti(await client.next('42["noti"')).id, asText["id"]);
    t.equal(noti(await client.next('42["noti"')).id, asJson.body["id"]);
    t.same(named(await outside.client.settle(), "noti"), [], "only who joined noti");
    for (const pushAll of ["false", "1", "TRUE", false, 1]) {
      t.match(await server.postJson("notification", { pushAll, notification: titled }), {
        status: 400,
        body: { message: "pushId / uid / tag is required" },
      });
    }
  },
);

t.test(
  "API 20: 100 concurrent binds with platformLimit 1 leave one device, the one that live pushes reach",
  async (t) => {
    const devices = await Promise.all(Array.from({ length: 100 }, () => device(t)));
    for (const platform of ["ios", "all"]) {
      const uid = fresh("user");
      await Promise.all(
        devices.map(({ id }) => server.ok("uid/bind", { pushId: id, uid, platform, platformLimit: 1 })),
      );
      const bound = (await server.ok("device/get", { uid })) as unknown as { _id: string }[];
      t.equal(bound.length, 1);
      await server.ok("push", { uid, json: "live" });
      await server.ok("push", { uid, json: "kept", timeToLive: TTL });
      const reachedOnes: unknown[] = [];
      for (const { client, id } of devices) {
        const got = await received(client);
        if (got.length > 0) reachedOnes.push([id, ...got]);
      }
      t.same(reachedOnes, [[bound[0]?._id, "live", "kept"]]);
    }
  },
);

t.test("API 20: a(1) b(1) c(2) d(2) e(4), with binds racing the devices' own hellos", async (t) => {
  const uid = fresh("user");
  const [a, b, c, d, e] = await Promise.all(Array.from({ length: 5 }, () => device(t)));
  const bound = async () =>
    ((await server.ok("device/get", { uid })) as unknown as { _id: string }[]).map((d) => d._id);
  const after: [typeof a, number, (typeof a)[]][] = [
    [a, 1, [a]],
    [b, 1, [b]],
    [c, 2, [b, c]],
    [d, 2, [c, d]],
    [e, 4, [c, d, e]],
  ];
  for (const [one, platformLimit, left] of after) {
    const hello = one!.client.hello({ id: one!.id });
    await server.ok("uid/bind", { pushId: one!.id, uid, platform: "ios", platformLimit });
    await hello;
    t.same((await bound()).sort(), left.map((each) => each!.id).sort());
    await server.ok("push", { uid, json: platformLimit });
    for (const each of [a, b, c, d, e])
      t.same(await received(each!.client), left.includes(each) ? [platformLimit] : []);
  }
});

t.test("API 21: a bind's timeToLive counts from when the device went: bound while here, unbound after", async (t) => {
  const uid = fresh("user");
  const LIFE = 400;
  const { client, id } = await device(t);
  await server.ok("uid/bind", { pushId: id, uid, timeToLive: LIFE });
  clock.move(LIFE + 1);
  t.match(await server.ok("device/get", { pushId: id }), { uid }, "connected for longer than that");
  await server.ok("push", { uid, json: "still", timeToLive: TTL });
  t.same(await received(client), ["still"]);
  clock.hold();
  await client.close();
  clock.move(LIFE - 1);
  t.match(await server.ok("device/get", { pushId: id }), { uid }, "not before its time");
  clock.move(1);
  clock.go();
  await eventually(
    () => server.ok("device/get", { pushId: id }),
    (record) => record["uid"] === undefined,
  );
  t.same(await server.ok("device/get", { uid }), []);
  await server.ok("push", { uid, json: "nobody", timeToLive: TTL });
  const back = await open(t);
  t.same(await back.hello({ id }), { id });
  t.same(await received(back), []);
});

t.test("API 21: who is back in time stays bound", async (t) => {
  const uid = fresh("user");
  const { client, id } = await device(t);
  await server.ok("uid/bind", { pushId: id, uid, timeToLive: TTL });
  await client.close();
  await eventually(
    () => server.ok("device/get", { pushId: id }),
    (record) => record["connected"] === false,
  );
  const back = await open(t);
  t.same(await back.hello({ id }), { id, uid });
});

t.test("API 22: known, unknown, by uid, by several uids", async (t) => {
  const [one, two] = [await device(t), await device(t)];
  const [first, second] = [fresh("user"), fresh("user")];
  await server.ok("uid/bind", { pushId: one.id, uid: first });
  await server.ok("uid/bind", { pushId: two.id, uid: second });
  t.match(await server.ok("device/get", { pushId: one.id }), { _id: one.id, uid: first, connected: true });
  t.match(await server.ok("isConnected", { pushId: one.id }), { connected: true });
  t.same(await server.ok("device/get", { pushId: fresh("nobody") }), {});
  t.match(await server.ok("device/get", { uid: first }), [{ _id: one.id }]);
  const both = (await server.ok("device/get", { uid: [first, second] })) as unknown as { _id: string }[];
  t.same(both.map((each) => each._id).sort(), [one.id, two.id].sort());
  t.same(await server.ok("device/get", { uid: fresh("nobody") }), []);
});

t.test("API 22: connected ends after the delay, and never during a quick reconnect", async (t) => {
  const LONG = 120_000;
  const server = await startTestApp(t, { client: { disconnectDelay: LONG } });
  const [gone, quick] = [await device(t, {}, server), await device(t, {}, server)];
  await quick.client.close();
  await gone.client.close();
  moveElapsed(LONG - 60_000);
  const back = await open(t, server);
  let isBack = false;
  const hello = back.hello({ id: quick.id }).finally(() => {
    isBack = true;
  });
  const blips: unknown[] = [];
  const look = async () => {
    const record = await server.ok("device/get", { pushId: quick.id });
    if (record["connected"] !== true) blips.push(record);
  };
  while (!isBack) await look();
  await hello;
  t.match(await server.ok("device/get", { pushId: gone.id }), { connected: true }, "not before its time");
  moveElapsed(LONG);
  await eventually(
    async () => {
      await look();
      return server.ok("device/get", { pushId: gone.id });
    },
    (record) => record["connected"] === false,
  );
  t.same(blips, []);
  t.match(await server.ok("redis/get", { key: `pushIdSocketId#${quick.id}` }), { value: 1 });
  t.same(await server.ok("redis/get", { key: `pushIdSocketId#${gone.id}` }), {});
});

t.test("API 23: a deleted device has no record, no uid and no kept packets, and comes back as new", async (t) => {
  const { client, id } = await device(t, { tags: ["tag"], topics: ["kept-topic"] });
  const uid = fresh("user");
  await server.ok("uid/bind", { pushId: id, uid });
  await client.close();
  await server.ok("push", { uid, json: "kept", timeToLive: TTL });
  const back = await open(t);
  await server.ok("device/delete", { pushId: id });
  t.same(await server.ok("device/get", { pushId: id }), {});
  t.same(await back.hello({ id, lastUnicastId: "0" }), { id });
  t.same(await received(back), [], "nothing of the former life");
  await server.ok("uid/bind", { pushId: id, uid });
  await server.ok("device/delete", { pushId: id });
  await server.ok("push", { uid, json: "not by uid" });
  await server.ok("push", { pushId: id, json: "by pushId" });
  t.same(await received(back), ["by pushId"], "the live connection stays");
  await back.close();
  const again = await open(t);
  t.same(await again.hello({ id }), { id });
  t.match(await server.ok("device/get", { pushId: id }), { _id: id, connected: true });
});

t.test("C6: a device is told with its connections, when it was last seen, and the tokens it had", async (t) => {
  const topics = [fresh("topic"), fresh("topic")];
  const began = Date.now();
  const one = await device(t, { topics: [topics[0]], platform: "iOS" });
  const two = await RawClient.open(server.clientPort, "EIO=3&transport=websocket");
  t.teardown(() => two.close());
  await two.hello({ id: one.id, platform: "ios", token: { type: "apn", token: "aa01", package_name: "com.x" } });
  two.emit("subscribeTopic", { topic: topics[1], lastPacketId: "0" });
  for (const token of ["aa02", "aa03", "aa04", "aa05"])
    two.emit("token", { type: "apn", token, package_name: "com.x" });
  await two.settle();
  const told = await server.ok("device/get", { pushId: one.id });
  const connection = { transport: "websocket", address: "127.0.0.1", since: Number, sinceIso: String };
  t.match(told, {
    platform: "ios",
    token: "aa05",
    connections: [
      { ...connection, revision: 3, topics: [topics[1]] },
      { ...connection, revision: 3, topics: [topics[0]] },
    ],
    lastSeen: Number,
    tokenHistory: ["aa04", "aa03", "aa02"].map((token) => ({
      type: "apn",
      token,
      package_name: "com.x",
      at: Number,
      reason: "the device brought another one",
    })),
  });
  const [{ since }] = told["connections"] as [{ since: number }];
  t.ok(since > began - 2000 && since <= Date.now(), "since then");
  await one.client.close();
  await two.close();
  const gone = await eventually(
    () => server.ok("device/get", { pushId: one.id }),
    ({ connected }) => connected === false,
  );
  t.same(gone["connections"], []);
  t.ok((gone["lastSeen"] as number) >= began, "it was seen in this test");
});

t.test("API 24: topicOnline and topicDevices are exact at once after each join and leave", async (t) => {
  const topic = fresh("topic");
  const uid = fresh("user");
  const counted = async () => {
    const { count, devices } = await server.ok("topicOnline", { topic });
    const listed = await server.ok("topicDevices", { topic });
    t.equal(listed["total"], devices);
    const connections = (listed["devices"] as { connections: number }[]).map((one) => one.connections);
    t.equal(connections.length, devices, "each device once");
    t.equal(
      connections.reduce((sum, one) => sum + one, 0),
      count,
    );
    return count;
  };
  t.same(await server.ok("topicOnline", { topic }), { count: 0, devices: 0, users: 0, topic });
  t.same(await server.ok("topicDevices", { topic }), { topic, devices: [], total: 0 });
  const one = await device(t, { topics: [topic], platform: "iOS" });
  await server.ok("uid/bind", { pushId: one.id, uid });
  t.same(await server.ok("topicDevices", { topic }), {
    topic,
    devices: [{ pushId: one.id, uid, platform: "ios", connections: 1 }],
    total: 1,
  });
  t.same(await server.ok("topicOnline", { topic }), { count: 1, devices: 1, users: 1, topic });
  const two = await device(t);
  two.client.emit("subscribeTopic", { topic, lastPacketId: "0" });
  two.client.emit("subscribeTopic", { topic });
  await two.client.settle();
  t.equal(await counted(), 2, "one that reads its backlog is there");
  const again = await open(t);
  await again.hello({ id: two.id, topics: [topic] });
  t.equal(await counted(), 3, "connections, not devices");
  two.client.emit("unsubscribeTopic", { topic });
  two.client.emit("unsubscribeTopic", { topic });
  await two.client.settle();
  t.equal(await counted(), 2);
  await again.close();
  t.equal(await counted(), 1);
  await one.client.close();
  t.equal(await counted(), 0);
});

t.test("API 24: the filter says which topics are told, and how much", async (t) => {
  const filtering = await startTestApp(t, { api: { topicOnlineFilter: { chat: "devices", room: "count" } } });
  const topics = ["chat1", "room1", "other", "noti"];
  const { id } = await device(t, { topics }, filtering);
  const told: unknown[] = [];
  for (const topic of topics) {
    const { count } = await filtering.ok("topicOnline", { topic });
    const { devices } = await filtering.ok("topicDevices", { topic });
    told.push([count, devices]);
  }
  const known = [{ pushId: id, platform: "android", connections: 1 }];
  t.same(told, [
    [1, known],
    [1, []],
    [0, []],
    [1, []],
  ]);
});

t.test("API 27: pushAll to 99 online, one more replayed, 98 + 1 replies: 100 targets, 99 arrivals", async (t) => {
  const alone = await startTestApp(t);
  const online = await Promise.all(Array.from({ length: 99 }, () => device(t, { topics: ["noti"] }, alone)));
  const { id } = await alone.ok("notification", {
    pushAll: "true",
    timeToLive: TTL,
    notification: { android: { title: "t", message: "the text" } },
  });
  const reply = async (client: RawClient) => {
    const { timestamp } = noti(await client.next('42["noti"'));
    client.emit("notificationReply", { id, timestamp });
    await client.settle();
  };
  for (const { client } of online.slice(0, 98)) await reply(client);
  const late = pushClient(alone.clientUrl, { pushId: fresh("late"), useNotification: true });
  t.teardown(() => late.disconnect());
  await nextOf(late, "connect");
  await alone.app.settled();
  t.match(
    await alone.ok("stats/arrival/info", { id }),
    { android: { target: 99, arrive: 98 } },
    "no cursor: no replay",
  );
  const more = await open(t, alone);
  await more.hello({ id: fresh("more"), topics: ["noti"], lastPacketIds: { noti: "0" } });
  await reply(more);
  await alone.app.settled();
  const record = await alone.ok("stats/arrival/pushAll", { id });
  t.match(record, {
    id,
    type: "pushAll",
    notification: "the text",
    ttl: TTL,
    android: { target: 100, arrive: 99, click: 0, arrivalRate: "99.00%", clickRate: "0.00%" },
  });
  t.match(await alone.ok("stats/arrival/pushAll", {}), [{ id }]);
  t.same(await alone.ok("stats/arrival/info", { id: "unknown" }), {});

  // The one that comes back with its position is not replayed, nor counted, a second time.
  const { id: next } = await alone.ok("notification", {
    pushAll: "true",
    timeToLive: TTL,
    notification: { android: { title: "next" } },
  });
  await more.next('42["noti"');
  await more.close();
  const back = await open(t, alone);
  await back.hello({ id: fresh("more"), topics: ["noti"], lastPacketIds: { noti: next } });
  t.same(named(await back.settle(), "noti"), []);
  await alone.app.settled();
  t.match(await alone.ok("stats/arrival/info", { id: next }), { android: { target: 101 } }, "99, late and more");
});
