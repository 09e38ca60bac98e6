import t from "tap";
import { Traits } from "../../../src/core/traits.ts";
import { parseEvent } from "../../../src/sockets/sessions/events.ts";
import { TRAITS, VENDORS } from "../../../src/vendors/index.ts";

const limits = { topicLength: 20, tagLength: 20, tags: 3, idLength: 40, topics: 3, topicBytes: 9999 };
const traits = new Traits(TRAITS);
const parse = (name: string, ...args: unknown[]) => parseEvent(name, args, limits, [], traits);
const ID = "abcdefghij0123456";

t.test("SIO 23, 25: malformed events are no commands", async (t) => {
  const frames: readonly [string, ...unknown[]][] = [
    ["pushId"],
    ["pushId", null],
    ["pushId", [ID]],
    ["pushId", { id: "123456789" }],
    ["pushId", { id: 1234567890 }],
    ["pushId", { id: ["0123456789"] }],
    ["pushId", { id: "x".repeat(41) }],
    ["subscribeTopic"],
    ["subscribeTopic", {}],
    ["subscribeTopic", { topic: 5 }],
    ["subscribeTopic", { topic: "" }],
    ["subscribeTopic", { topic: "uid:1" }],
    ["subscribeTopic", { topic: "x".repeat(21) }],
    ["unsubscribeTopic", { topic: null }],
    ["setTags", null],
    ["setTags", [1]],
    ["addTag", {}],
    ["token", { type: "apn" }],
    ["token", {}],
    ["token", { token: { $ne: 1 }, type: "apn" }],
    ["notificationReply", { id: 5 }],
    ["stats"],
    ["packetProxy", null],
    ["nonsense", 1],
    ["__proto__", {}],
  ];
  for (const [name, ...args] of frames) t.equal(parse(name, ...args), undefined, JSON.stringify([name, ...args]));
  t.match(parse("pushId", { id: "0123456789", platform: 5 }), { kind: "hello", pushId: "0123456789" });
});

t.test("a hello keeps what fits of everything that it may have", async (t) => {
  const hello = parse("pushId", {
    id: ID,
    platform: "iOS",
    version: 1,
    topics: ["a", "b", "a", "uid:x", 7, "c", "d"],
    lastPacketIds: { b: "p1", c: null, unknown: "p2" },
    lastUnicastId: "u1",
    tags: ["t1", "t1", "t2"],
    token: { token: "tok", type: "huawei", package_name: "com.x" },
  });
  t.same(hello, {
    kind: "hello",
    pushId: ID,
    platform: "ios",
    subscriptions: [{ topic: "a" }, { topic: "b", after: "p1" }, { topic: "c", fresh: true }],
    own: { after: "u1" },
    tags: ["t1", "t2"],
    token: { type: "huawei", token: "tok", packageName: "com.x" },
  });
  t.same(parse("pushId", { id: ID, topics: [], lastPacketIds: {}, lastUnicastId: null }), {
    kind: "hello",
    pushId: ID,
    subscriptions: [],
  });
});

t.test("a topic named like a property of every object takes no position from it", async (t) => {
  t.match(parse("pushId", { id: ID, topics: ["constructor"], lastPacketIds: {} }), {
    subscriptions: [{ topic: "constructor" }],
  });
});

t.test("F13: a Web Push subscription is taken as an object and as JSON text alike", async (t) => {
  const keys = { p256dh: "p".repeat(87), auth: "a".repeat(22) };
  const object = { endpoint: "https://push.example.com/x", expirationTime: null, keys };
  const stored = JSON.stringify({ endpoint: object.endpoint, keys });
  t.same(parse("token", { type: "webpush", token: object, package_name: "a" }), {
    kind: "token",
    token: { type: "webpush", token: stored, packageName: "a" },
  });
  t.match(parse("pushId", { id: "device-0001", token: { type: "webpush", token: object } }), {
    token: { type: "webpush", token: stored },
  });
  t.match(parse("token", { type: "webpush", token: stored }), { token: { token: stored } });
  const endless = { endpoint: `https://push.example.com/${"x".repeat(5000)}`, keys };
  t.equal(parse("token", { type: "webpush", token: endless }), undefined);
});

t.test("tokens in the form of 2015 and of today", async (t) => {
  t.same(parse("apnToken", { apnToken: "<ab>", bundleId: "com.x", pushId: "other" }), {
    kind: "token",
    token: { type: "apn", token: "<ab>", packageName: "com.x" },
  });
  t.same(parse("token", { token: "x", type: "fcm" }), { kind: "token", token: { type: "fcm", token: "x" } });
});

t.test("SIO 43: clicks and replies name their counter", async (t) => {
  const counter = (name: string, value: object) => {
    const command = parse(name, value);
    return command?.kind === "arrival" ? command.counter : undefined;
  };
  t.equal(counter("notificationReply", { id: "n", timestamp: 5 }), "arrive_android");
  t.equal(counter("umengReply", { id: "n" }), "arrive_umeng");
  t.equal(counter("notificationClick", { id: "n" }), "click_android");
  t.equal(counter("notificationClick", { id: "n", type: "umeng" }), "click_android");
  t.equal(counter("notificationClick", { id: "n", type: "apn" }), "click_apn");
  t.equal(counter("notificationClick", { id: "n", type: "xiaomi" }), "click_xiaomi");
  for (const { name, tokenTypes } of VENDORS)
    for (const type of tokenTypes) {
      const expected = name === "umeng" ? "click_android" : `click_${traits.statisticsName(name)}`;
      t.equal(counter("notificationClick", { id: "n", type }), expected);
    }
  for (const type of ["../x", "aaa", "android", "__proto__", "", null, 5, ["xiaomi"]])
    t.equal(counter("notificationClick", { id: "n", type }), "click_android", "no counter that a client invents");
});

t.test("D24: a statistic with a missing or impossible number is left out", async (t) => {
  const command = parse("stats", {
    requestStats: [
      { path: "Connectivity", totalCount: 2, successCount: 1 },
      { path: "x", totalCount: "2", successCount: 1 },
      { path: "y", totalCount: 2 },
      { path: "z", totalCount: Number.POSITIVE_INFINITY, successCount: 0, totalLatency: 1 },
      null,
    ],
  });
  t.same(command, { kind: "stats", entries: [{ path: "Connectivity", total: 2, success: 1, latency: 0 }] });
});
