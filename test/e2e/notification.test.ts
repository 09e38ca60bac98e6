// Notifications from the HTTP API to phones, through every vendor's fake over TLS; numbers are those of the API's checklist.
import t, { type Test } from "tap";
import { hostAddress } from "../../src/app/host.ts";
import { extraOf } from "../../src/lab/vendors/huawei.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";
import {
  argument,
  deliveriesOf,
  device,
  type Fields,
  fresh,
  jobIn,
  notis,
  type Phone,
  phone,
} from "../support/devices.ts";
import { PACKAGE, startVendors, VENDORS, type VendorName } from "../support/vendors.ts";

const vendors = await startVendors(t, VENDORS);
const server = await startTestApp(t, { vendors: vendors.config() });
const phoneOf = (t: Test, name: VendorName, more: Fields = {}, at: TestApp = server) =>
  phone(t, at, vendors.get(name), more);

const json = (text: unknown) => JSON.parse(String(text)) as Fields;
const at = (value: unknown, ...path: (string | number)[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Fields | undefined)?.[key], value);

/** Where each vendor's client looks for what the app was sent, in the bytes that the vendor got. */
const locations: Readonly<Record<VendorName, (body: string) => unknown>> = {
  apns: (body) => json(body),
  fcm: (body) => json(at(json(body), "message", "data", "payload")),
  harmony: (body) => at(json(body), "payload", "notification", "clickAction", "data", "customize"),
  honor: (body) => extraOf(String(at(json(body), "android", "notification", "clickAction", "intent"))),
  huawei: (body) => extraOf(String(at(json(body), "message", "android", "notification", "click_action", "intent"))),
  meizu: (body) => at(json(new URLSearchParams(body).get("messageJson")), "clickTypeInfo", "parameters"),
  oppo: (body) => json(at(json(new URLSearchParams(body).get("message")), "notification", "action_parameters")),
  umeng: (body) => at(json(body), "payload", "body", "custom"),
  vivo: (body) => at(json(body), "clientCustomMap"),
  webpush: () => undefined, // encrypted; what the browser makes of it is checked
  xiaomi: (body) => json(new URLSearchParams(body).get("payload")),
};

for (const name of VENDORS) {
  t.test(`B15: ${name} gets the payload's numbers as the caller wrote them`, async (t) => {
    const vendor = vendors.get(name);
    const { id: pushId } = await phoneOf(t, name);
    const id = fresh("exact");
    const numbers = '{"orderId":1234567890123456789,"price":1.10,"tiny":1e-9}';
    const content = `{"id":"${id}","android":{"title":"T"},"apn":{"alert":"A"},"payload":${numbers}}`;
    const response = await fetch(`${server.apiUrl}/api/notification`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"pushId":"${pushId}","timeToLive":60000,"notification":${content}}`,
    });
    t.equal(response.status, 200);
    const [shown] = await vendor.shown(id);
    t.ok(shown);
    if (name === "webpush") return; // encrypted, and the browser parses it
    const { body } = vendor.requests.findLast((request) => request.body.includes(id))!;
    const sent = decodeURIComponent(String(body));
    for (const number of ["1234567890123456789", "1.10", "1e-9"]) t.ok(sent.includes(number), `${number} in ${sent}`);
  });
}

t.test("B15: so does a connection, at once and when it comes back, and who looks it up", async (t) => {
  const { client, id: pushId } = await device(t, server);
  const numbers = '{"orderId":1234567890123456789,"price":1.10}';
  for (const away of [false, true]) {
    const id = fresh("exact");
    if (away) await client.close();
    await server.ok("notification", {
      pushId,
      timeToLive: 60_000,
      notification: `{"id":"${id}","android":{"title":"T","payload":${numbers}}}`,
    });
    await jobIn(server, id);
    let receiver = client;
    if (away) {
      receiver = await RawClient.open(server.clientPort);
      t.teardown(() => receiver.close());
      await receiver.hello({ id: pushId });
    }
    const frames = (await receiver.settle()).filter((frame) => frame.includes(id));
    t.equal(frames.length, 1);
    t.match(frames[0], `"payload":${numbers}`);
    const answer = await fetch(`${server.apiUrl}/api/notification/get?id=${id}`);
    t.ok((await answer.text()).includes(numbers));
  }
});

t.test("C3: a device that has nothing to show of it is listed as skipped, with the reason", async (t) => {
  const { client, id: browser } = await device(t, server, { platform: "browser" });
  const apple = await phoneOf(t, "apns");
  const fcm = await phoneOf(t, "fcm");
  const pushId = [browser, apple.id, fcm.id];
  const { id } = await server.ok("notification", { pushId, notification: { apn: { alert: "A" } } });
  await jobIn(server, id);
  await vendors.get("apns").shown(String(id));
  const rows = (await deliveriesOf(server, id)).map((row) => [row["pushId"], row["state"], row["reason"]]);
  const reason = "nothing to show there: android.title is missing";
  t.match(rows, [
    [browser, "skipped", reason],
    [apple.id, "accepted", undefined],
    [fcm.id, "skipped", reason],
  ]);
  t.match(await server.ok("job/get", { id }), { progress: { seen: 3, skipped: 2 }, routes: { apns: 1 } });
  t.equal((await notis(client)).length, 1, "its app gets the event noti all the same");

  const other = await server.ok("notification", { pushId, notification: { android: { title: "T" } } });
  await jobIn(server, other["id"]);
  t.match(
    (await deliveriesOf(server, other["id"])).map((row) => [row["state"], row["reason"]]),
    [
      ["sent", undefined],
      ["skipped", "nothing to show on Apple's devices: apn.alert is missing"],
      ["accepted", undefined],
    ],
  );
  const refused = await server.post("notification", { pushId, notification: { title: "x", body: "y" } });
  t.match(refused, { status: 400, body: { message: /^notification has nothing to show: / } });
});

t.test(
  "C3b: a device with a token nobody serves that is in the topic noti gets what goes to everybody once",
  async (t) => {
    const token = { type: "nobody", token: fresh("token") };
    const inside = await device(t, server, { token, topics: ["noti"] });
    const outside = await device(t, server, { token: { ...token, token: fresh("token") } });
    for (const timeToLive of [0, 60_000]) {
      const { id } = await server.ok("notification", {
        pushAll: true,
        timeToLive,
        notification: { android: { title: "T" } },
      });
      await jobIn(server, id);
      for (const { client } of [inside, outside])
        t.equal((await notis(client)).filter((noti) => noti["id"] === id).length, 1);
    }
  },
);

for (const name of VENDORS) {
  t.test(`API 14, 15: ${name} gets the notification with its payload where its client looks for it`, async (t) => {
    const vendor = vendors.get(name);
    const { client, id: pushId, token } = await phoneOf(t, name);
    const { id } = await server.ok("notification", {
      pushId,
      timeToLive: 3_600_000,
      notification: {
        android: { title: "Ann", message: "hello you" },
        apn: { alert: { title: "Ann", body: "hello you" }, badge: 0, payload: { ignored: true } },
        payload: { abc: 123 },
      },
    });
    const [shown] = await vendor.shown(String(id));
    t.match(shown, { token, title: "Ann", message: "hello you", payload: { abc: 123 } });
    const body = String(vendor.requests.findLast((request) => request.body.includes(String(id)))?.body ?? "");
    const android = { title: "Ann", message: "hello you", payload: { abc: 123 } };
    const expected: Readonly<Record<string, unknown>> = {
      apns: {
        abc: 123,
        noti: { id },
        aps: { alert: { title: "Ann", body: "hello you" }, sound: "default", badge: 0 },
      },
      fcm: { ...android, id },
      umeng: { ...android, id },
      harmony: [id, android],
      honor: [id, android],
      huawei: [id, android],
      xiaomi: { android, id },
      webpush: undefined,
    };
    const found = locations[name](body);
    if (name in expected) t.same(found, expected[name]);
    else t.match(found, { id, payload: '{"abc":123}' });
    t.notMatch(body, "ignored", "apn.payload goes nowhere");

    const job = await jobIn(server, String(id));
    t.match(job, { routes: { [name]: 1 }, progress: { seen: 1, accepted: 1, failed: 0, waiting: 0 } });
    const { deliveries, counts } = await server.ok("notification/get", { id });
    const [delivery] = deliveries as Fields[];
    t.match(delivery, { pushId, provider: name, app: vendor.app, state: "accepted", retries: 0 });
    t.type(delivery?.["receipt"], "string", "the vendor's id");
    const [queued, sent, settled] = ["queuedAt", "sentAt", "settledAt"].map((field) => Number(delivery?.[field]));
    t.ok(queued! <= sent! && sent! <= settled! && settled! <= Date.now(), `${queued} ${sent} ${settled}`);
    t.equal(delivery?.["arrivedAt"], undefined);
    const block = name === "apns" ? "apn" : name;
    const told = ["apns", "fcm", "webpush"].includes(name); // what they accepted counts as arrived
    const figures = {
      target: 1,
      accepted: 1,
      failed: 0,
      arrive: told ? 1 : 0,
      click: 0,
      arrivalRate: told ? "100.00%" : "0.00%",
      clickRate: "0.00%",
    };
    t.match(counts, { [block]: figures });
    const record = await server.ok("stats/arrival/info", { id });
    t.match(record, { id, type: "pushMany", devices: [pushId], [block]: figures });
    const came = await notis(client);
    if (name === "umeng") t.match(came, [{ id, android: { title: "Ann", payload: { abc: 123 } } }], "both ways");
    else t.same(came, [], "not over the connection");
  });
}

t.test("API 13: the same notification as JSON text, as an object and as nested form keys", async (t) => {
  const { id: pushId } = await phoneOf(t, "fcm");
  const send: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    text: (id) =>
      server.ok("notification", {
        pushId,
        notification: { id, android: { title: "T", message: "m" }, payload: { n: "7" } },
      }),
    object: (id) =>
      server.postJson("notification", {
        pushId,
        notification: { id, android: { title: "T", message: "m" }, payload: { n: "7" } },
      }),
    "form keys": (id) =>
      server.ok("notification", {
        pushId,
        "notification[id]": id,
        "notification[android][title]": "T",
        "notification[android][message]": "m",
        "notification[payload][n]": "7",
      }),
  };
  for (const [form, call] of Object.entries(send)) {
    const id = fresh("same");
    await call(id);
    const [shown] = await vendors.get("fcm").shown(id);
    t.match(shown, { id, title: "T", message: "m", payload: { n: "7" } }, form);
  }
  const numeric = Date.now();
  const answer = await server.ok("notification", { pushId, notification: { id: numeric, android: { title: "T" } } });
  t.equal(answer["id"], String(numeric), "a number is its digits");
  t.match(await vendors.get("fcm").shown(String(numeric)), [{ id: String(numeric) }]);
  const { id } = await server.ok("notification", { pushId, notification: { android: { title: "T" } } });
  t.match(id, /^[a-zA-Z0-9]{12}$/);
  t.equal((await vendors.get("fcm").shown(String(id))).length, 1);
});

t.test("API 14: only android, or only apn: the others have nothing to show and are counted as skipped", async (t) => {
  const ios = await phoneOf(t, "apns");
  const android = await phoneOf(t, "fcm");
  const pushId = [ios.id, android.id];
  const one = await server.ok("notification", { pushId, notification: { android: { title: "T" } } });
  t.match(await jobIn(server, String(one["id"])), {
    routes: { fcm: 1 },
    progress: { seen: 2, skipped: 1, accepted: 1 },
  });
  const two = await server.ok("notification", { pushId, notification: { apn: { alert: "A" } } });
  t.match(await jobIn(server, String(two["id"])), {
    routes: { apns: 1 },
    progress: { seen: 2, skipped: 1, accepted: 1 },
  });
  t.match(await vendors.get("apns").shown(String(two["id"])), [{ message: "A", token: ios.token }]);
});

t.test("API 15: a device without a token gets a noti, and so does one whose vendor is not configured", async (t) => {
  const alone = await startTestApp(t, { vendors: vendors.config({ xiaomi: [] }), data: t.testdir() });
  const without = await device(t, alone, {});
  const unserved = await phoneOf(t, "xiaomi", {}, alone);
  const foreign = await phoneOf(
    t,
    "huawei",
    { token: { type: "huawei", token: "h", package_name: "another.app" } },
    alone,
  );
  const all = [without, unserved, foreign];
  const { id } = await alone.ok("notification", {
    pushId: all.map((device) => device.id),
    notification: { android: { title: "T" } },
  });
  for (const { client } of all) t.match(argument(await client.next('42["noti"')), { id });
  t.match(await jobIn(alone, String(id)), { routes: { connection: 3 }, progress: { seen: 3, queued: 0 } });
  t.match(await alone.ok("stats/arrival/info", { id }), { android: { target: 3 } });
});

t.test("a device that names no package is served by the vendor's first app", async (t) => {
  const vendor = vendors.get("xiaomi");
  const token = vendor.token(9999);
  const { client, id: pushId } = await phoneOf(t, "xiaomi", { token: { type: "xiaomi", token } });
  const { id } = await server.ok("notification", { pushId, notification: { android: { title: "T", message: "m" } } });
  t.match(await vendor.shown(String(id)), [{ token }]);
  t.match(await server.ok("notification/get", { id }), { deliveries: [{ provider: "xiaomi", app: PACKAGE }] });
  t.same(await notis(client), []);
});

t.test("API 16: seven devices of seven vendors and users: each once, searchable by each", async (t) => {
  const names: VendorName[] = ["apns", "fcm", "huawei", "oppo", "umeng", "vivo", "xiaomi"];
  const phones = await Promise.all(names.map((name) => phoneOf(t, name)));
  const uids = phones.map((_, i) => fresh(`user${i}`));
  for (const [i, { id: pushId }] of phones.entries()) await server.ok("uid/bind", { pushId, uid: uids[i] });
  const notification = { android: { title: "T", message: "hello you" }, apn: { alert: "T" } };
  const targets = [{ pushId: [...phones, ...phones].map(({ id }) => id) }, { uid: uids }];
  for (const target of targets) {
    const { id } = await server.ok("notification", { ...target, notification });
    t.match(await jobIn(server, String(id)), { progress: { seen: 7, accepted: 7 } });
    for (const [i, name] of names.entries()) {
      const shown = await vendors.get(name).shown(String(id));
      t.same(
        shown.map(({ token }) => token),
        [phones[i]!.token],
        name,
      );
    }
    for (const query of [...phones.map(({ id }) => ({ pushId: id })), ...uids.map((uid) => ({ uid }))]) {
      const found = (await server.ok("stats/arrival/info", query)) as unknown as Fields[];
      t.ok(
        found.some((record) => record["id"] === id),
        JSON.stringify(query),
      );
    }
  }
});

t.test(
  "API 17: pushAll reaches every vendor's devices and topic noti once each, and nobody without a title",
  async (t) => {
    const own = await startTestApp(t, { vendors: vendors.config(), data: t.testdir() });
    const phones = new Map<VendorName, Phone>();
    for (const name of VENDORS) phones.set(name, await phoneOf(t, name, {}, own));
    const subscribed = await device(t, own, { topics: ["noti"] });
    const foreign = await phoneOf(t, "fcm", { token: { type: "fcm", token: "f", package_name: "another.app" } }, own);
    const notification = { android: { title: "All", message: "hello you" }, apn: { alert: "All" } };
    for (const answer of [
      await own.post("notification", { pushAll: "true", notification }),
      await own.postJson("notification", { pushAll: true, notification }),
    ]) {
      const id = String(answer.body["id"]);
      for (const [name, { token }] of phones) {
        const shown = await vendors.get(name).shown(id);
        t.same(
          shown.map((one) => one.token),
          [token],
          name,
        );
      }
      t.match(await jobIn(own, id), { progress: { accepted: VENDORS.length, failed: 0 }, routes: { noti: 1 } });
      t.match(argument(await subscribed.client.next('42["noti"')), { id });
      t.match(argument(await foreign.client.next('42["noti"')), { id }, "a token that nobody serves");
      t.match(await own.ok("stats/arrival/pushAll", { id }), { type: "pushAll", android: { target: 2 } });
      for (const { client } of phones.values()) t.same(await notis(client), []);
    }
    const untitled = await own.ok("notification", {
      pushAll: "true",
      notification: { android: { message: "m" }, apn: { alert: "A" } },
    });
    t.match(await jobIn(own, String(untitled["id"])), { routes: { apns: 1 }, progress: { accepted: 1 } });
    t.same(await notis(subscribed.client), []);
    t.same(await notis(foreign.client), []);
  },
);

t.test("API 18: the tag filter's table decides which tokens are given to a vendor", async (t) => {
  const tag = fresh("group");
  const tagged = async (...tags: string[]) => {
    const { id: pushId, client } = await phoneOf(t, "fcm", { tags: [tag, ...tags] });
    await client.settle();
    const uid = fresh("user");
    await server.ok("uid/bind", { pushId, uid });
    return { pushId, uid };
  };
  const [two, three, other, first, last] = [
    await tagged("version_2.3.1"),
    await tagged("version_2.10"),
    await tagged("version_2.x"),
    await tagged("version_1", "version_3"),
    await tagged("version_3", "version_1"),
  ];
  const all = [two, three, other, first, last];
  const rows: [filter: object, reached: readonly { pushId: string }[]][] = [
    [{ tagGreaterThan: "2.5" }, [three, last]],
    [{ tagGreaterThan: "2.3" }, [two, three, last]],
    [{ tagLessThan: "2.5" }, [two, first]],
    [{ tagLessThan: "2.1" }, [first]],
    [{ tagLessThan: "2.3.1" }, [first]],
    [{ tagGreaterThan: "2.3", tagLessThan: "2.5" }, [two]],
    [{ tagGreaterThan: "2" }, [two, three, last]],
  ];
  for (const [filter, reached] of rows)
    for (const target of [{ tag }, { pushId: all.map(({ pushId }) => pushId) }, { uid: all.map(({ uid }) => uid) }]) {
      const { id } = await server.ok("notification", {
        ...target,
        tagStart: "version_",
        ...filter,
        notification: { android: { title: "T" } },
      });
      await jobIn(server, String(id));
      const { deliveries } = await server.ok("notification/get", { id });
      t.same(
        (deliveries as Fields[]).map(({ pushId }) => String(pushId)).sort(),
        reached.map(({ pushId }) => pushId).sort(),
        `${JSON.stringify(filter)} of ${Object.keys(target)}`,
      );
      t.equal((await vendors.get("fcm").shown(String(id), reached.length)).length, reached.length);
    }
});

t.test("devices of calls that name them are summed up by the hour, and the statistics name the machine", async (t) => {
  const total = async () => {
    await server.app.settled();
    return Number((await server.ok("stats/chart", { key: "notificationByDevices" }))["totalSuccess"]);
  };
  const phones = [await phoneOf(t, "fcm"), await phoneOf(t, "apns"), await device(t, server)];
  const before = await total();
  const pushId = phones.map(({ id }) => id);
  const { id } = await server.ok("notification", { pushId, notification: { android: { title: "T" } } });
  t.match(await jobIn(server, id), { progress: { seen: 3, skipped: 1 } });
  t.equal(await total(), before + 2);
  const { id: all } = await server.ok("notification", { pushAll: true, notification: { android: { title: "T" } } });
  await jobIn(server, all);
  const { id: dry } = await server.ok("notification", {
    pushId,
    dryRun: true,
    notification: { android: { title: "T" } },
  });
  await jobIn(server, dry);
  t.equal(await total(), before + 2, "neither to everybody nor a dry run");
  t.match(await server.ok("stats/arrival/info", { id }), { apiIp: hostAddress() });
});

t.test("nothing of all this was logged as a fault", (t) => {
  t.same(
    server.log.filter((line) => !line.startsWith("info")),
    [],
  );
  t.end();
});
