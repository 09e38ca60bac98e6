import t from "tap";
import type { Device, PushId, Uid } from "../../src/core/device.ts";
import type { Notification } from "../../src/core/notification.ts";
import { accept, type Routing, split, splitForAll, splitForTopic } from "../../src/core/notify.ts";
import type { NotificationTarget, Outbox } from "../../src/core/outbox.ts";
import { Traits } from "../../src/core/traits.ts";
import { TRAITS } from "../../src/vendors/index.ts";

const traits = new Traits(TRAITS);

const note: Notification = {
  id: "n1",
  content: {
    id: "n1",
    timestamp: 5,
    ttl: 0,
    topic: "x",
    unicast: null,
    vendors: { xiaomi: { channel: "c" } },
    android: { title: "T", payload: {} },
    apn: { alert: "T" },
    extra: 1,
  },
  timeToLive: 500,
  type: "pushMany",
  acceptedAt: 1000,
  callerAddress: "127.0.0.1",
};
const device = (pushId: string, more: Partial<Device> = {}): Device => ({
  pushId: pushId as PushId,
  tags: [],
  createTime: 0,
  updateTime: 0,
  ...more,
});
const token = (type: string, packageName?: string) => ({
  type,
  token: `${type}-token`,
  ...(packageName === undefined ? {} : { packageName }),
});

/** apns, xiaomi and umeng are configured, each for com.x, which is also the app of tokens that name none. */
const route: Routing = (type, packageName = "com.x") => {
  const vendor = { apn: "apns", xiaomi: "xiaomi", umeng: "umeng" }[type];
  return vendor === undefined || packageName !== "com.x" ? undefined : { vendor, app: packageName };
};

t.test("a page of devices becomes one packet each, kept while the notification lives", async (t) => {
  const page = split(
    note,
    [device("device-one", { uid: "u" as Uid }), device("device-two")],
    route,
    "cursor",
    1100,
    traits,
  );
  t.same(
    page.parcels.map((parcel) => parcel.channel),
    ["d:device-one", "d:device-two"],
  );
  const [parcel] = page.parcels;
  t.match(parcel?.packet, { event: "noti", id: "n1", expires: 1500 });
  t.same(
    JSON.parse(parcel!.packet.body),
    { android: { title: "T", payload: {} }, apn: { alert: "T" }, extra: 1 },
    "R5: no ttl, topic or unicast; and nothing meant for one vendor",
  );
  t.same(page.counts, { target_android: 2 });
  t.same(page.devices, [{ pushId: "device-one", uid: "u" }, { pushId: "device-two" }]);
  t.match(page, { cursor: "cursor", seen: 2, skipped: 0, routes: { connection: 2 } });
  t.equal(
    split({ ...note, timeToLive: 0 }, [device("device-one")], route, undefined, 1100, traits).parcels[0]?.packet
      .expires,
    0,
  );
  const later = split({ ...note, sendAt: 9000 }, [device("device-one")], route, undefined, 1100, traits);
  t.equal(later.parcels[0]?.packet.expires, 9500, "the life of a scheduled one begins when it goes out");
});

t.test("API 15: a vendor's token is served by that vendor alone, Umeng's also by the connection", async (t) => {
  const ways: readonly (readonly [string, Device, string[], boolean])[] = [
    ["apn", device("d", token("apn", "com.x")), ["apns com.x"], false],
    ["umeng", device("d", token("umeng")), ["umeng com.x"], true],
    ["no token", device("d", { type: "androidNoToken" }), [], true],
    ["a token without a package takes the first app", device("d", token("xiaomi")), ["xiaomi com.x"], false],
    ["a package that is not configured", device("d", token("xiaomi", "com.other")), [], true],
    ["a vendor that is not configured", device("d", token("huawei", "com.x")), [], true],
  ];
  for (const [name, one, lanes, noti] of ways) {
    const page = split(note, [one], route, undefined, 1100, traits);
    t.same(
      page.devices.flatMap(({ via }) => (via === undefined ? [] : [`${via.lane.vendor} ${via.lane.app}`])),
      lanes,
      name,
    );
    t.equal(page.parcels.length === 1, noti, `${name}: noti`);
    t.equal(page.skipped, 0);
  }
  const counts = split(
    note,
    [device("a", token("apn")), device("b", token("umeng"))],
    route,
    undefined,
    1100,
    traits,
  ).counts;
  t.same(counts, { target_apn: 1, target_umeng: 1, target_android: 1 });
});

t.test("only android or only apn limits the platforms; what shows nothing is skipped", async (t) => {
  const forAndroid = { ...note, content: { android: { title: "T", payload: {} } } };
  const forApple = { ...note, content: { android: { payload: {} }, apn: { alert: "A" } } };
  const phones = [device("i", token("apn")), device("x", token("xiaomi")), device("u", token("umeng")), device("n")];
  const vendors = (about: Notification) => split(about, phones, route, undefined, 1100, traits).routes;
  t.same(vendors(note), { apns: 1, xiaomi: 1, umeng: 1, connection: 2 });
  t.same(vendors(forAndroid), { xiaomi: 1, umeng: 1, connection: 2 });
  t.same(vendors(forApple), { apns: 1 });
  t.match(split(forApple, phones, route, undefined, 1100, traits), { seen: 4, skipped: 3 });
});

t.test("C3: a device that has nothing to show of it is noted, with what is lacking", async (t) => {
  const forAndroid = { ...note, content: { android: { title: "T", payload: {} } } };
  const forApple = { ...note, content: { android: { payload: {} }, apn: { alert: "A" } } };
  const empty = { ...note, content: { android: { title: "T", payload: {} }, apn: { sound: "x" } } };
  const phones = [device("i", token("apn")), device("x", token("xiaomi")), device("u", token("umeng")), device("n")];
  const lacking = (about: Notification) =>
    split(about, phones, route, undefined, 1100, traits).devices.map(({ pushId, lacking }) => [pushId, lacking]);
  t.same(lacking(note), [
    ["i", undefined],
    ["x", undefined],
    ["u", undefined],
    ["n", undefined],
  ]);
  const withoutApple = [
    ["i", "apn"],
    ["x", undefined],
    ["u", undefined],
    ["n", undefined],
  ];
  t.same(lacking(forAndroid), withoutApple);
  t.same(lacking(empty), withoutApple, "a sound alone is nothing to see");
  t.same(lacking(forApple), [
    ["i", undefined],
    ["x", "title"],
    ["u", "title"],
    ["n", "title"],
  ]);
  t.equal(
    split(forApple, phones, route, undefined, 1100, traits).parcels.length,
    2,
    "apps get the event noti all the same",
  );
  t.same(
    splitForAll(forApple, phones, route, undefined, 1100, traits).devices.length,
    1,
    "to everybody only their number",
  );
});

t.test("C3: what nobody could see is refused when it is accepted", async (t) => {
  const outbox = { accept: async ({ id }: Notification) => id } as unknown as Outbox;
  const give = (content: Notification["content"], target: NotificationTarget) =>
    accept(outbox, { id: "n1", content, target, timeToLive: 0, callerAddress: "" }, 1000);
  const one: NotificationTarget = { kind: "pushIds", pushIds: ["device-one" as PushId] };
  const all: NotificationTarget = { kind: "all" };
  const nothing = /^notification has nothing to show: give android.title for Android and browsers, apn.alert for Apple/;
  const android = { payload: {} };
  for (const [content, target] of [
    [{ android, title: "x", body: "y" }, one],
    [{ android }, one],
    [{ android, apn: {} }, one],
    [{ android, apn: { sound: "x" } }, one],
    [{ android, apn: {} }, all],
  ] as const)
    await t.rejects(give(content, target), { code: "invalid", message: nothing }, JSON.stringify(content));
  await t.rejects(give({ android, title: "x", body: "y" }, all), {
    message: /title and body at its top is read by nobody/,
  });
  for (const [content, target] of [
    [{ android: { title: "T", payload: {} } }, all],
    [{ android, apn: { alert: "A" } }, all],
    [{ android, apn: { badge: 0 } }, all],
    [{ android, apn: { "content-available": 1 } }, all],
    [{ android: { payload: { a: 1 } } }, one],
    [{ android: { message: "m", payload: {} } }, all],
    [{ android: { message: "m", payload: {} } }, one],
  ] as const)
    t.equal(await give(content, target), "n1", JSON.stringify(content));
});

t.test(
  "C3b: a device that the topic has reached is not reached once more for its token that nobody serves",
  async (t) => {
    const phones = [device("h", token("huawei")), device("g", token("huawei")), device("i", token("apn"))];
    const page = splitForAll(note, phones, route, undefined, 1100, traits, (pushId) => pushId !== "g");
    t.same(
      page.devices.map(({ pushId }) => pushId),
      ["g", "i"],
    );
    t.same(
      page.parcels.map(({ channel }) => channel),
      ["d:g"],
    );
  },
);

t.test(
  "API 17: to everybody: one packet for the topic, a delivery for each token, noti for tokens nobody serves",
  async (t) => {
    t.match(splitForTopic(note, 99, 1100), { parcels: [{ channel: "t:noti" }], counts: { target_android: 99 } });
    const untitled = { ...note, content: { android: { payload: {} }, apn: { alert: "A" } } };
    t.same(splitForTopic(untitled, 99, 1100), { parcels: [], counts: {}, routes: {} });

    const phones = [
      device("plain"),
      device("i", token("apn")),
      device("u", token("umeng")),
      device("h", token("huawei")),
    ];
    const page = splitForAll(note, phones, route, undefined, 1100, traits);
    t.match(page, { seen: 4, skipped: 0 }, "the topic has the one without a token");
    t.match(splitForAll(untitled, phones, route, undefined, 1100, traits), {
      seen: 4,
      skipped: 3,
      devices: [{ pushId: "i" }],
    });
    t.same(page.routes, { apns: 1, umeng: 1, connection: 1 });
    t.same(
      page.parcels.map(({ channel }) => channel),
      ["d:h"],
      "Huawei's SDK does not join the topic",
    );
    t.same(
      page.devices.map(({ pushId }) => pushId),
      ["i", "u", "h"],
    );
    t.same(splitForAll(untitled, phones, route, undefined, 1100, traits).routes, { apns: 1 });
  },
);

t.test("once its time has passed, whoever it was for is noted and gets nothing", async (t) => {
  const phones = [device("x", token("xiaomi")), device("u", token("umeng")), device("n")];
  const early = split(note, phones, route, undefined, 1499, traits);
  t.match(early, { late: undefined, parcels: [{}, {}] });
  const late = split(note, phones, route, undefined, 1500, traits);
  t.match(late, { late: "expired", seen: 3, skipped: 0 });
  t.same(late.routes, {}, "they go no way");
  t.same(late.parcels, []);
  t.same(late.counts, { target_xiaomi: 1, target_umeng: 1, target_android: 1 });
  t.same(late.devices, early.devices);
  t.same(splitForTopic(note, 99, 1500), { parcels: [], counts: {}, routes: {} });
  t.match(splitForAll(note, phones, route, undefined, 1500, traits), { late: "expired", parcels: [] });
  const forNow = { ...note, timeToLive: 0 };
  t.notOk("late" in split(forNow, phones, route, undefined, 600_999, traits), "without a time to live: ten minutes");
  t.ok("late" in split(forNow, phones, route, undefined, 601_000, traits));
});

t.test("a notification is accepted for later, and not for a time beyond a year", async (t) => {
  const accepted: Notification[] = [];
  const outbox = {
    async accept(one: Notification) {
      accepted.push(one);
      return one.id;
    },
  } as unknown as Outbox;
  const { id, content } = note;
  const request = { id, content, target: { kind: "all" }, timeToLive: 0, callerAddress: "" } as const;
  t.equal(await accept(outbox, { ...request, sendAt: 5000 }, 1000), "n1");
  t.match(accepted[0], { acceptedAt: 1000, sendAt: 5000, type: "pushAll" });
  await accept(outbox, { ...request, sendAt: 500 }, 1000);
  t.notOk("sendAt" in accepted[1]!, "the past is now");
  await t.rejects(accept(outbox, { ...request, sendAt: 1000 + 367 * 86_400_000 }, 1000), { message: /sendAt/ });
});
