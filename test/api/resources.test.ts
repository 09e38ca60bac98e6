import { test } from "tap";
import type { ArrivalRecord } from "../../src/core/arrival.ts";
import type { Device, PushId, Uid } from "../../src/core/device.ts";
import type { HourlySum } from "../../src/core/engine.ts";
import { localLive } from "../../src/engine/live.ts";
import { idleActions } from "../support/actions.ts";
import { nobody } from "../support/presence.ts";
import { error, start, success } from "./harness.ts";

const device = (pushId: string, more: Partial<Device> = {}): Device => ({
  pushId: pushId as PushId,
  tags: ["t1"],
  createTime: Date.UTC(2018, 0, 1),
  updateTime: Date.UTC(2018, 0, 2),
  ...more,
});
const full = device("abcdefghij0123456", {
  uid: "1" as Uid,
  platform: "ios",
  type: "apn",
  token: "ab",
  packageName: "com.x",
});

test("API 19: bind and remove reach the core; missing parameters are refused", async (t) => {
  const api = await start(t);
  t.strictSame((await api.get("/api/uid/bind?pushId=a&uid=1")).json, success);
  await api.post("/api/uid/bind", { pushId: "a", uid: 1, platform: "ios", platformLimit: "2x", timeToLive: 1000.7 });
  await api.post("/api/uid/bind", { pushId: "a", uid: 1, platformLimit: { toString: 1 } });
  await api.post("/api/uid/bind", { pushId: "a", uid: 1, platformLimit: ["3", { toString: 1 }] });
  await api.form("/api/uid/remove", "pushId[]=a&pushId[]=b&uid=1");
  await api.get("/api/uid/remove?uid=1&uid=2");
  t.strictSame(api.take(), [
    { action: "bind", args: [{ pushId: "a", uid: "1", platformLimit: 0, timeToLive: 0 }] },
    { action: "bind", args: [{ pushId: "a", uid: "1", platform: "ios", platformLimit: 2, timeToLive: 1000 }] },
    { action: "bind", args: [{ pushId: "a", uid: "1", platformLimit: 0, timeToLive: 0 }] },
    { action: "bind", args: [{ pushId: "a", uid: "1", platformLimit: 3, timeToLive: 0 }] },
    { action: "unbind", args: [{ pushIds: ["a", "b"] }] },
    { action: "unbind", args: [{ uids: ["1", "2"] }] },
  ]);
  for (const [path, message] of [
    ["/api/uid/bind?uid=1", "pushId and uid are required"],
    ["/api/uid/bind?pushId=a&uid=", "pushId and uid are required"],
    ["/api/uid/bind", "pushId and uid are required"],
    ["/api/uid/bind?pushId=a&pushId=b&uid=1", "pushId must be a single id"],
    [`/api/uid/bind?pushId=a&uid=1&platform=${"x".repeat(257)}`, "platform is longer than 256 characters"],
    ["/api/uid/remove", "pushId or uid is required"],
  ] as const) {
    const answer = await api.get(path);
    t.strictSame([answer.status, answer.json], [400, error(message)], path);
  }
  t.strictSame(api.take(), []);
});

test("API 22, C6: device/get and isConnected, known, unknown, by uid, several", async (t) => {
  const known = new Map([full, device("second")].map((entry) => [entry.pushId, entry]));
  const api = await start(
    t,
    {},
    {
      devices: {
        ...idleActions().devices,
        get: async (ids) => ids.flatMap((id) => known.get(id) ?? []),
        byUid: async (uids) => (uids.includes("1" as Uid) ? [full] : []),
        past: async (ids) =>
          ids.map((pushId) => ({
            pushId,
            lastSeen: 5,
            tokenHistory: [{ type: "apn", token: "cd", packageName: "com.x", at: 7, reason: "apns: Unregistered" }],
          })),
      },
      live: localLive([
        {
          ...nobody,
          isConnected: (id) => id === full.pushId,
          count: () => 0,
          members: async () => [],
          sessions: () => ({ total: 0, byPlatform: new Map(), packetsIn10s: 0 }),
          connectionsOf: (id) =>
            id === full.pushId
              ? [
                  {
                    transport: "websocket",
                    revision: 4,
                    address: "192.0.2.1",
                    since: 0,
                    platform: "ios",
                    topics: ["news"],
                  },
                ]
              : [],
          reached: () => false,
        },
      ]),
    },
  );
  const tokenHistory = [
    {
      type: "apn",
      token: "cd",
      reason: "apns: Unregistered",
      package_name: "com.x",
      at: 7,
      atIso: "1970-01-01T00:00:00.007Z",
    },
  ];
  // Of one that is there now, it is the moment of asking.
  const timeless = (text: string): unknown =>
    JSON.parse(text.replace(/"lastSeen":\d{4,},"lastSeenIso":"[^"]+"/g, '"lastSeen":0,"lastSeenIso":""'));
  const shown = {
    _id: "abcdefghij0123456",
    uid: "1",
    platform: "ios",
    socketId: "10.0.0.5:1:abcdefghij0123456",
    tags: ["t1"],
    createTime: "2018-01-01T00:00:00.000Z",
    updateTime: "2018-01-02T00:00:00.000Z",
    type: "apn",
    token: "ab",
    package_name: "com.x",
    connected: true,
    connections: [
      {
        transport: "websocket",
        revision: 4,
        address: "192.0.2.1",
        topics: ["news"],
        since: 0,
        sinceIso: "1970-01-01T00:00:00.000Z",
      },
    ],
    lastSeen: 0,
    lastSeenIso: "",
    tokenHistory,
  };
  const second = {
    _id: "second",
    tags: ["t1"],
    createTime: "2018-01-01T00:00:00.000Z",
    updateTime: "2018-01-02T00:00:00.000Z",
    connected: false,
    connections: [],
    lastSeen: 5,
    lastSeenIso: "1970-01-01T00:00:00.005Z",
    tokenHistory,
  };
  for (const [query, expected] of [
    ["pushId=abcdefghij0123456", shown],
    ["pushId=abcdefghij0123456&uid=9", shown],
    ["pushId=nobody", {}],
    ["pushId=abcdefghij0123456&pushId=second", [shown, second]],
    ['pushId=["abcdefghij0123456"]', shown],
    ["uid=1", [shown]],
    ['uid=["1","2"]', [shown]],
    ["uid=2", []],
  ] as const) {
    t.strictSame(timeless((await api.get(`/api/device/get?${query}`)).text), expected, query);
    t.strictSame(timeless((await api.get(`/api/isconnected?${query}`)).text), expected, query);
  }
  const answer = await api.get("/api/device/get");
  t.strictSame([answer.status, answer.json], [400, error("pushId is required")]);

  t.strictSame((await api.get("/api/redis/get?key=pushIdSocketId%23abcdefghij0123456")).json, { value: 1 });
  t.strictSame((await api.get("/api/redis/get?key=pushIdSocketId%23nobody")).json, {});
  for (const key of ["", "nohash", "pushIdSocketId%23"])
    t.equal((await api.get(`/api/redis/get?key=${key}`)).status, 400);
});

test("API 23: device/delete takes ids in every form and needs one", async (t) => {
  const api = await start(t);
  t.strictSame((await api.form("/api/device/delete", "pushId[0]=a&pushId[1]=b")).json, success);
  t.strictSame(api.take(), [{ action: "delete", args: [["a", "b"]] }]);
  const answer = await api.get("/api/device/delete");
  t.strictSame([answer.status, answer.json], [400, error("pushId is required")]);
});

test("API 24: topicOnline and topicDevices under every kind of filter", async (t) => {
  const live = localLive([
    {
      ...nobody,
      isConnected: () => false,
      count: () => 2,
      members: async () => [{ pushId: "a" as PushId, uid: "1" as Uid, platform: "android" }, { pushId: "b" as PushId }],
      sessions: () => ({ total: 0, byPlatform: new Map(), packetsIn10s: 0 }),
      connectionsOf: () => [],
      reached: () => false,
    },
  ]);
  const devices = [
    { pushId: "a", uid: "1", platform: "android", connections: 1 },
    { pushId: "b", connections: 1 },
  ];
  const map = { chatRoom: "devices", draw: "count", chat: "count" } as const;
  for (const [filter, topic, count, members] of [
    [undefined, "any", 2, devices],
    [map, "chatRoom7", 2, devices],
    [map, "chatter", 2, []],
    [map, "drawTopic", 2, []],
    [map, "noti", 2, []],
    [map, "other", 0, []],
    [{ "": "devices" }, "noti", 2, devices],
    [["chat"], "chatRoom7", 2, []],
    [["chat"], "noti", 2, []],
    [["chat"], "other", 0, []],
    [{}, "other", 0, []],
  ] as const) {
    const api = await start(t, filter === undefined ? {} : { topicOnlineFilter: filter }, { live });
    t.strictSame((await api.get(`/api/topicOnline?topic=${topic}`)).json, {
      count,
      devices: count,
      users: count / 2,
      topic,
    });
    t.strictSame((await api.get(`/api/topicDevices?topic=${topic}`)).json, {
      topic,
      devices: members,
      total: members.length,
    });
    t.strictSame((await api.get("/api/topicOnline")).json, error("topic is required"));
    t.strictSame((await api.get("/api/topicDevices?topic=")).json, error("topic is required"));
  }
});

test("C4: a topic tells connections, devices and users apart, and lists each device once, in pages", async (t) => {
  const members = [
    { pushId: "tab" as PushId, uid: "ann" as Uid, platform: "browser" },
    { pushId: "tab" as PushId, uid: "ann" as Uid, platform: "browser" },
    { pushId: "phone" as PushId, uid: "ann" as Uid, platform: "ios" },
    {},
    ...Array.from({ length: 700 }, (_, i) => ({ pushId: `device-${i}` as PushId })),
  ];
  const live = localLive([
    {
      ...nobody,
      isConnected: () => true,
      count: () => members.length,
      members: async () => members,
      sessions: () => ({ total: 0, byPlatform: new Map(), packetsIn10s: 0 }),
      connectionsOf: () => [],
      reached: () => false,
    },
  ]);
  const api = await start(t, {}, { live });
  t.strictSame((await api.get("/api/topicOnline?topic=a")).json, { count: 704, devices: 702, users: 1, topic: "a" });
  const all = (await api.get("/api/topicDevices?topic=a")).json as { devices: { pushId: string }[] };
  t.match(all, {
    topic: "a",
    devices: [
      { pushId: "tab", uid: "ann", platform: "browser", connections: 2 },
      { pushId: "phone", uid: "ann", platform: "ios", connections: 1 },
    ],
    total: 702,
    next: undefined,
  });
  for (const limit of [1, 100, 701, 702]) {
    const seen: string[] = [];
    let after = "";
    do {
      const answer = await api.get(`/api/topicDevices?topic=a&limit=${limit}&after=${after}`);
      const page = answer.json as { devices: { pushId: string }[]; total: number; next?: string };
      t.ok(page.devices.length <= limit);
      seen.push(...page.devices.map(({ pushId }) => pushId));
      // Whoever leaves or comes between pages makes no other one missing.
      if (limit === 100 && seen.length === 100) members.push({ pushId: `new-${limit}` as PushId });
      if (limit === 100 && seen.length > 100) members.splice(704);
      after = page.next ?? "";
      if (limit === 1 && seen.length === 5) break;
    } while (after !== "");
    t.equal(new Set(seen).size, seen.length, "none twice");
    if (limit > 1)
      t.same(
        all.devices.map(({ pushId }) => pushId).filter((pushId) => !seen.includes(pushId)),
        [],
        `in pages of ${limit}`,
      );
  }
  t.match(
    (await api.get("/api/topicDevices?topic=a&limit=0")).json,
    error("limit must be a whole number from 1 to 10000"),
  );
});

test("API 25: stats/base without clients and with three platforms", async (t) => {
  let sessions = { total: 0, byPlatform: new Map<string, number>(), packetsIn10s: 0 };
  const api = await start(
    t,
    {},
    {
      live: localLive([
        {
          ...nobody,
          isConnected: () => false,
          count: () => 0,
          members: async () => [],
          sessions: () => sessions,
          connectionsOf: () => [],
          reached: () => false,
        },
      ]),
    },
  );
  t.strictSame((await api.get("/api/stats/base")).json, {
    packetAverage10s: 0,
    packetDrop: 0,
    processCount: [{ id: "10.0.0.5:1", count: {}, packetAverage10s: 0, packetDrop: 0, packetDropThreshold: 0 }],
  });
  sessions = {
    total: 5,
    byPlatform: new Map([
      ["ios", 1],
      ["android", 2],
      ["browser", 1],
      ["other", 1],
    ]),
    packetsIn10s: 12,
  };
  const count = { total: 5, ios: 1, android: 2, browser: 1 };
  t.strictSame((await api.get("/api/stats/base")).json, {
    ...count,
    packetAverage10s: 12,
    packetDrop: 0,
    processCount: [{ id: "10.0.0.5:1", count, packetAverage10s: 12, packetDrop: 0, packetDropThreshold: 0 }],
  });
});

test("C7: of a key that counts only how it ended, as many were asked for", async (t) => {
  const api = await start(
    t,
    {},
    {
      counters: {
        ...idleActions().counters,
        add: async () => {},
        chart: async (key) => [{ key, timestamp: Date.now() - 1000, total: 0, success: 15, error: 5, latency: 0 }],
        keys: async () => [],
        arrived: async () => {},
        arrivals: async () => [],
      },
    },
  );
  t.match((await api.get("/api/stats/chart?key=call:/push")).json, {
    totalCount: 20,
    totalSuccess: 15,
    successRate: 0.75,
    chartData: { total: [20], successRate: [0.75] },
    stats: [{ totalCount: 20, successCount: 15, errorCount: 5 }],
  });
});

test("API 26: stats/chart of an unknown key is zeros, of a known one sums and curves; keys are listed", async (t) => {
  const HOUR = 3_600_000;
  const start0 = Math.floor(Date.now() / HOUR) * HOUR - 30 * HOUR;
  const hour = (n: number, total: number, success: number, latency: number): HourlySum => ({
    key: "noti",
    timestamp: start0 + n * HOUR,
    total,
    success,
    error: 1,
    latency,
  });
  let from = 0;
  const api = await start(
    t,
    {},
    {
      counters: {
        ...idleActions().counters,
        add: async () => {},
        chart: async (key, since) => {
          from = since;
          return key === "noti" ? [hour(0, 4, 2, 200), hour(30, 6, 3, 150)] : [];
        },
        keys: async () => ["noti", "call:/push"],
        arrived: async () => {},
        arrivals: async () => [],
      },
    },
  );
  t.strictSame((await api.get("/api/stats/chart?key=unknown")).json, {
    totalCount: 0,
    totalSuccess: 0,
    avgLatency: 0,
    successRate: 0,
    countPerSecond: 0,
    countPerMinute: 0,
    chartData: [],
    stats: [],
  });
  const chart = (await api.get("/api/stats/chart?key=noti")).json as Record<string, unknown>;
  t.ok(Math.abs(Date.now() - 7 * 24 * HOUR - from) < 60_000, "the latest 7 days are asked for");
  t.match(chart, { totalCount: 10, totalSuccess: 5, avgLatency: 70, successRate: 0.5 });
  t.ok((chart["countPerMinute"] as number) > 0.005 && (chart["countPerMinute"] as number) < 0.0056);
  t.strictSame(chart["chartData"], {
    timestamps: [start0, start0 + 30 * HOUR],
    total: [4, 6],
    latency: [100, 50],
    latencyDay: [100, 50],
    successRate: [0.5, 0.5],
    successRateDay: [0.5, 0.5],
  });
  t.match((chart["stats"] as unknown[])[0], {
    _id: { timestamp: new Date(start0).toISOString(), key: "noti" },
    totalCount: 4,
    successCount: 2,
    totalLatency: 200,
    errorCount: 1,
    time: String,
  });
  t.strictSame((await api.get("/api/stats/getquerydatakeys")).json, { result: ["noti", "call:/push"] });
  t.equal((await api.get("/api/stats/chart")).status, 400);
});

test("API 27: arrivals by id, uid, pushId and type, with rates", async (t) => {
  const record: ArrivalRecord = {
    id: "n1",
    type: "pushAll",
    text: "m",
    timeToLive: 1000,
    timeStart: Date.UTC(2020, 0, 1),
    callerAddress: "127.0.0.1",
    pushIds: ["a"],
    uids: ["1"],
    counts: {
      target_android: 100,
      arrive_android: 99,
      arrive_umeng: 3,
      target_apn: 72,
      arrive_apn: 71,
      accepted_apn: 71,
      failed_apn: 1,
      target_xiaomi: 4,
      traced_xiaomi: 3,
      traced_click_xiaomi: 1,
      target_huawei: 5,
      arrive_huawei: 4,
      traced_huawei: 2,
      click_huawei: 1,
    },
    failures: { apn: { "apns: BadDeviceToken": 1 } },
  };
  const asked: unknown[] = [];
  const api = await start(
    t,
    {},
    {
      counters: {
        ...idleActions().counters,
        add: async () => {},
        chart: async () => [],
        keys: async () => [],
        arrived: async () => {},
        arrivals: async (query, limit) => {
          asked.push([query, limit]);
          return "id" in query && query.id === "unknown" ? [] : [record];
        },
      },
    },
  );
  const answer = (await api.get("/api/stats/arrival/info?id=n1")).json;
  t.match(answer, {
    id: "n1",
    type: "pushAll",
    notification: "m",
    ttl: 1000,
    timeStart: String,
    timeValid: String,
    timeStartIso: "2020-01-01T00:00:00.000Z",
    timeValidIso: "2020-01-01T00:00:01.000Z",
    callerIp: "127.0.0.1",
    apiIp: "10.0.0.5",
    devices: ["a"],
    uids: ["1"],
    target_android: 100,
    click_huawei: 1,
    failures: { apn: { "apns: BadDeviceToken": 1 } },
  });
  const { android, apn, huawei, xiaomi, umeng } = answer as Record<string, unknown>;
  t.strictSame(android, {
    target: 100,
    arrive: 99,
    arrive_umeng: 3,
    click: 0,
    arrivalRate: "99.00%",
    clickRate: "0.00%",
  });
  t.strictSame(apn, {
    target: 72,
    arrive: 71,
    accepted: 71,
    failed: 1,
    click: 0,
    arrivalRate: "98.61%",
    clickRate: "0.00%",
  });
  t.match(xiaomi, { target: 4, arrive: 3, arrivalRate: "75.00%", vendor: { delivered: 3, clicked: 1 } });
  t.match(answer, { arrive_xiaomi: 3 }, "without receipts the vendor's own figure is what is known");
  t.match(huawei, { arrive: 4, vendor: { delivered: 2, clicked: 0 } }, "with receipts the two are not added up");
  t.equal(umeng, undefined, "no block without a target");
  t.strictSame((await api.get("/api/stats/arrival/info?id=unknown")).json, {});
  for (const query of ["pushAll?uid=1", "pushAll?pushId=a", "My%20Type/", "pushAll"]) {
    t.ok(Array.isArray((await api.get(`/api/stats/arrival/${query}`)).json));
  }
  t.strictSame(asked, [
    [{ id: "n1" }, 1],
    [{ id: "unknown" }, 1],
    [{ uid: "1" }, 50],
    [{ pushId: "a" }, 50],
    [{ type: "My Type" }, 50],
    [{ type: "pushAll" }, 50],
  ]);
  for (const path of ["/api/stats/arrival", "/api/stats/arrival/"]) t.equal((await api.get(path)).status, 404);
});

test("API 29: config is what the core gives, heap answers", async (t) => {
  const api = await start(t, {}, { config: () => ({ http_port: 11001, apns: [{ key: "***" }] }) });
  t.strictSame((await api.get("/api/config")).json, { http_port: 11001, apns: [{ key: "***" }] });
  t.match((await api.get("/api/heap")).json, {
    code: "success",
    heapStatistics: { total_heap_size: Number },
    heapSpaceStatistics: Array,
  });
});

test("every call is counted under its path", async (t) => {
  const api = await start(t);
  await api.get("/api/push?topic=a&json=1");
  await api.get("/API/PUSH/?topic=a&json=1");
  await api.get("/api/uid/bind");
  await api.get("/api/stats/arrival/some");
  await api.get("/api/nope");
  t.strictSame(api.counted, ["call:/push", "call:/push", "call:/uid/bind", "call:/stats/arrival"]);
});
