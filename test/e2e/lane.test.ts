// The ways to the vendors in trouble, as an operator sees them: credentials that are refused, tokens that are dead, a vendor that is
// down while the others go on.
import t, { type Test } from "tap";
import { createVapidKey } from "../../src/vendors/webpush.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { cli } from "../support/cli.ts";
import {
  absent,
  argument,
  counted,
  deliveriesOf,
  type Fields,
  jobIn,
  notis,
  phone,
  tokenOf,
} from "../support/devices.ts";
import { metricsOf } from "../support/metrics.ts";
import { eventually } from "../support/until.ts";
import { PACKAGE, startVendors, type TestVendors, type VendorName } from "../support/vendors.ts";

const notification = { android: { title: "T", message: "hello you" }, apn: { alert: "T" } };

async function stage(t: Test, names: readonly VendorName[]): Promise<{ server: TestApp; vendors: TestVendors }> {
  const vendors = await startVendors(t, names);
  return { vendors, server: await startTestApp(t, { vendors: vendors.config() }) };
}

async function lane(server: TestApp, vendor: string): Promise<Fields> {
  const { lanes } = await server.ok("lane/list", {});
  const own = (lanes as Fields[]).filter((one) => one["provider"] === vendor);
  // Browsers' is one lane for each push host, and one for those of all others.
  return own.find(({ host }) => host !== undefined) ?? own[0] ?? {};
}

const laneIn = (server: TestApp, vendor: string, wanted: (status: Fields) => boolean) =>
  eventually(() => lane(server, vendor), wanted);

const send = async (server: TestApp, pushId: string | readonly string[], more: object = {}) =>
  String((await server.ok("notification", { pushId, timeToLive: 600_000, notification, ...more }))["id"]);

for (const name of ["apns", "fcm", "xiaomi"] as const) {
  t.test(
    `${name} refuses our credentials: the lane stops and says so; the right ones by a reload send what waited`,
    async (t) => {
      const vendors = await startVendors(t, [name, "oppo"]);
      const vendor = vendors.get(name);
      const wrong = {
        apns: { key_id: "WRONGKEY01" },
        fcm: {},
        xiaomi: { app_secret: "wrong" },
      }[name];
      // Google's own key is what it is: it is the project that refuses.
      if (name === "fcm") vendor.fake.fail("denied", 1000);
      const server = await startTestApp(t, {
        vendors: vendors.config({ [name]: [{ ...vendor.entry, ...wrong }] }),
      });
      const one = await phone(t, server, vendor);
      const other = await phone(t, server, vendors.get("oppo"));
      const id = await send(server, [one.id, other.id]);
      const status = await laneIn(server, name, ({ state }) => state === "stopped");
      t.match(status, {
        app: PACKAGE,
        depth: 1,
        accepted: 0,
        holdsDeletions: false,
        reason: /./,
        lastError: { reason: /./ },
      });
      t.match(
        server.log.join("\n"),
        new RegExp(`^error: ${name} ${PACKAGE}: stopped: .*SIGHUP.*/api/lane/resume`, "m"),
      );
      t.match(await vendors.get("oppo").shown(id), [{ token: other.token }], "the other vendor goes on");
      const running = await eventually(
        () => jobIn(server, id, "running"),
        (job) => (job["progress"] as Fields)["accepted"] === 1,
      );
      t.match(running, { progress: { waiting: 1, accepted: 1 } });
      const shown = await metricsOf(server);
      t.match(shown, `pushbox_lane_state{provider="${name}",app="${PACKAGE}",state="stopped"} 1`);
      t.match(shown, `pushbox_lane_depth{provider="${name}",app="${PACKAGE}"} 1`);
      t.match(await deliveriesOf(server, id), [{ state: "queued", reason: /./ }, { state: "accepted" }]);

      // By hand, without a change: it is tried once more and stops again.
      const asked = vendor.asked();
      t.same((await server.ok("lane/resume", { provider: name }))["resumed"], [{ provider: name, app: PACKAGE }]);
      await asked;
      await laneIn(server, name, ({ state }) => state === "stopped");
      t.equal(vendor.fake.shown.length, 0);

      if (name === "fcm") vendor.fake.fail("denied", 0);
      await server.app.reload({ ...server.config, vendors: vendors.config() });
      t.match(await vendor.shown(id), [{ token: one.token }]);
      t.match(await jobIn(server, id), { progress: { accepted: 2, failed: 0, waiting: 0 } });
      t.match(await lane(server, name), { state: "running", depth: 0, accepted: 1 });
      t.match(server.log.join("\n"), `info: ${name} ${PACKAGE}: sending again`);
      t.match(await metricsOf(server), `pushbox_lane_state{provider="${name}",app="${PACKAGE}",state="stopped"} 0`);
    },
  );
}

/** Lets the clock move on: two things in a row are not in one millisecond. */
const tick = (server: TestApp) => {
  const from = Date.now();
  return eventually(
    () => server.ok("heap", {}),
    () => Date.now() > from,
  );
};

t.test(
  "Apple's 410 forgets a token, unless the device has registered it again since the time in the answer",
  async (t) => {
    const { server, vendors } = await stage(t, ["apns"]);
    const apns = vendors.get("apns");
    const unregistered = (timestamp: number) =>
      apns.server.misbehave({
        fault: { kind: "reply", reply: { status: 410, body: JSON.stringify({ reason: "Unregistered", timestamp }) } },
      });
    const [gone, back, late] = [
      await phone(t, server, apns),
      await phone(t, server, apns),
      await phone(t, server, apns),
    ];
    await tick(server);
    const since = Date.now();
    await tick(server);
    await back.client.hello({ id: back.id, platform: "ios", ...tokenOf(apns, back.token) });
    late.client.emit("token", { type: "apn", token: late.token, package_name: PACKAGE });
    await late.client.settle();
    for (const one of [gone, back, late]) {
      unregistered(since);
      const id = await send(server, one.id);
      t.match(await jobIn(server, id), { progress: { accepted: 0, failed: 1 } });
      t.match(await deliveriesOf(server, id), [{ state: "gone", reason: /Unregistered/ }]);
      t.match(await counted(server, id, "apn"), { target: 1, arrive: 0, failed: 1 });
    }
    t.match(await server.ok("device/get", { pushId: gone.id }), { type: "apnNoToken" });
    t.equal((await server.ok("device/get", { pushId: gone.id }))["token"], undefined);
    t.match(await server.ok("device/get", { pushId: back.id }), { type: "apn", token: back.token });
    t.match(await server.ok("device/get", { pushId: late.id }), { type: "apn", token: late.token });
    const id = await send(server, [gone.id, back.id, late.id]);
    t.match(await jobIn(server, id), { routes: { apns: 2, connection: 1 }, progress: { accepted: 2 } });
    t.match(argument(await gone.client.next('42["noti"')), { id });
    // The fake's own dead tokens died an hour ago, before they were registered here.
    apns.fake.tokens.set(back.token, "dead");
    await jobIn(server, await send(server, back.id));
    t.match(await server.ok("device/get", { pushId: back.id }), { token: back.token });
    await gone.client.hello({ id: gone.id, platform: "ios", ...tokenOf(apns, gone.token) });
    t.match(await vendors.get("apns").shown(await send(server, gone.id)), [{ token: gone.token }], "it comes back");
  },
);

for (const name of ["fcm", "honor", "huawei", "meizu", "oppo", "vivo", "webpush", "xiaomi"] as const) {
  t.test(
    `${name}: of two tokens the dead one is forgotten, and its device is reached over the connection`,
    async (t) => {
      const { server, vendors } = await stage(t, [name]);
      const vendor = vendors.get(name);
      const [well, dead] = [await phone(t, server, vendor), await phone(t, server, vendor)];
      vendor.fake.tokens.set(dead.token, "dead");
      const id = await send(server, [well.id, dead.id]);
      t.match(await jobIn(server, id), { progress: { accepted: 1, failed: 1 } });
      t.match(await vendor.shown(id), [{ token: well.token }]);
      t.match(await deliveriesOf(server, id), [{ state: "accepted" }, { state: "gone", reason: /./ }]);
      t.match(await server.ok("device/get", { pushId: well.id }), { type: vendor.type, token: well.token });
      const after = await server.ok("device/get", { pushId: dead.id });
      t.equal(after["token"], undefined);
      t.equal(after["type"], name === "webpush" ? undefined : "androidNoToken");
      const next = await send(server, [well.id, dead.id]);
      t.match(argument(await dead.client.next('42["noti"')), { id: next });
      t.match(await jobIn(server, next), {
        routes: { [name]: 1, connection: 1 },
        progress: { accepted: 1, failed: 0 },
      });
      t.same(await notis(well.client), []);
    },
  );
}

t.test(
  "another VAPID key than the browsers subscribed with: the lane stops, and every subscription stays",
  async (t) => {
    const vendors = await startVendors(t, ["webpush"]);
    const vendor = vendors.get("webpush");
    const wrong = { ...vendor.entry, private_key: createVapidKey().privateKey };
    const server = await startTestApp(t, { vendors: vendors.config({ webpush: [wrong] }) });
    const browsers = await absent(server, vendor, 20);
    const pushId = browsers.map(({ id }) => id);
    const id = await send(server, pushId);
    t.match(await laneIn(server, "webpush", ({ state }) => state === "stopped"), { reason: /^403 another key/ });
    t.match(await jobIn(server, id, "running"), { progress: { accepted: 0, failed: 0, waiting: 20 } });
    await server.app.reload({ ...server.config, vendors: vendors.config() });
    await vendor.shown(id, 1);
    const devices = await Promise.all(pushId.map((one) => server.ok("device/get", { pushId: one })));
    t.same(
      devices.map(({ token }) => token),
      browsers.map(({ token }) => token),
    );
  },
);

for (const [name, forgotten] of [
  ["fcm", 49],
  ["huawei", 0],
] as const) {
  t.test(`${name} says that 60 of 60 tokens are dead: nobody believes it, and everybody is told`, async (t) => {
    const { server, vendors } = await stage(t, [name]);
    const vendor = vendors.get(name);
    const phones = await absent(server, vendor, 60);
    for (const { token } of phones) vendor.fake.tokens.set(token, "dead");
    const pushId = phones.map((one) => one.id);
    const id = await send(server, pushId);
    t.match(await jobIn(server, id), { progress: { failed: 60 } });
    const devices = await Promise.all(pushId.map((one) => server.ok("device/get", { pushId: one })));
    t.equal(devices.filter(({ token }) => token === undefined).length, forgotten, "those before the 50th verdict");
    t.match(await lane(server, name), { state: "running", holdsDeletions: true, failed: 60 });
    t.match(await metricsOf(server), `pushbox_lane_holds_deletions{provider="${name}",app="${PACKAGE}"} 1`);
    t.match(server.log.join("\n"), new RegExp(`^error: ${name} .* tokens are said to be dead.*/api/lane/resume`, "m"));
    t.same((await server.ok("lane/resume", {}))["resumed"], [{ provider: name, app: PACKAGE }]);
    t.match(await lane(server, name), { holdsDeletions: false });
    t.match(await metricsOf(server), `pushbox_lane_holds_deletions{provider="${name}",app="${PACKAGE}"} 0`);
    vendor.fake.tokens.clear();
    const next = await send(server, pushId);
    t.match(
      await jobIn(server, next),
      { progress: { accepted: 60 - forgotten, failed: 0 } },
      "what was kept works again",
    );
  });
}

t.test("what is left of a quota is told where the vendor tells it, and nothing of the others", async (t) => {
  const { server, vendors } = await stage(t, ["xiaomi", "oppo"]);
  const [one, other] = [await phone(t, server, vendors.get("xiaomi")), await phone(t, server, vendors.get("oppo"))];
  const previewed = async () => (await server.ok("notification/preview", { notification }))["vendors"] as Fields[];
  for (const vendor of await previewed()) t.equal(vendor["quota"], undefined, "nobody was asked yet");
  // Again, should a day end in China just then.
  const told = await eventually(
    async () => {
      await jobIn(server, await send(server, [one.id, other.id]));
      return lane(server, "xiaomi");
    },
    ({ quota }) => quota !== undefined,
  );
  t.match(told["quota"], {
    limit: 10_000_000,
    used: Number,
    left: Number,
    at: Number,
    atIso: String,
    untilIso: /T16:00:00/,
  });
  const { used, left } = told["quota"] as { used: number; left: number };
  t.ok(used > 0 && used + left === 10_000_000, `${used} and ${left}`);
  const oppo = await lane(server, "oppo");
  t.match(oppo, { accepted: /[1-9]/ });
  t.equal(oppo["quota"], undefined);
  t.match(await cli(["lane", "list", "--url", server.apiUrl]), { out: /^xiaomi .* \d+ of 10000000 left/m });
  const vendorsOf = Object.fromEntries((await previewed()).map((vendor) => [vendor["provider"], vendor["quota"]]));
  t.match(vendorsOf, { xiaomi: { left }, oppo: undefined });
});

t.test("a spent quota: the lane rests and says until when, and goes on by hand", async (t) => {
  const { server, vendors } = await stage(t, ["xiaomi"]);
  const vendor = vendors.get("xiaomi");
  const one = await phone(t, server, vendor);
  vendor.fake.fail("quota", 1);
  const id = await send(server, one.id, { timeToLive: 3 * 86_400_000 });
  const status = await laneIn(server, "xiaomi", ({ state }) => state === "paused");
  t.ok(Number(status["until"]) > Date.now(), String(status["untilIso"]));
  t.match(status, { depth: 1, reason: /quota/ });
  t.match(server.log.join("\n"), /^warn: xiaomi .*paused by the vendor/m);
  t.match(await metricsOf(server), 'state="paused"} 1');
  t.match(await deliveriesOf(server, id), [{ state: "queued", reason: /quota/ }]);
  await server.ok("lane/resume", { provider: "xiaomi", app: PACKAGE });
  t.match(await vendor.shown(id), [{ token: one.token }]);
  t.match(await jobIn(server, id), { progress: { accepted: 1 } });
});

t.test(
  "vivo takes no more lists today: every phone gets its notification on its own, and the lane goes on",
  async (t) => {
    const { server, vendors } = await stage(t, ["vivo"]);
    const vivo = vendors.get("vivo");
    const phones = await absent(server, vivo, 60);
    vivo.fake.fail("list-quota", 1);
    const id = await send(
      server,
      phones.map((one) => one.id),
    );
    t.match(await jobIn(server, id), { progress: { accepted: 60, failed: 0, waiting: 0 } });
    t.same(
      (await vivo.shown(id, 60)).map(({ token }) => token).toSorted(),
      phones.map(({ token }) => token).toSorted(),
    );
    t.match(await lane(server, "vivo"), { state: "running" });
    t.equal(vivo.requests.filter(({ path }) => path === "/message/saveListPayload").length, 1);
  },
);

t.test("a vendor that is down: what is for it is tried again, the others notice nothing", async (t) => {
  const { server, vendors } = await stage(t, ["apns", "xiaomi"]);
  const vendor = vendors.get("xiaomi");
  const [here, there] = [await phone(t, server, vendors.get("apns")), await phone(t, server, vendor)];
  vendor.server.misbehave({ times: 2, fault: { kind: "reply", reply: { status: 503, body: "<html>busy</html>" } } });
  const id = await send(server, [here.id, there.id]);
  t.match(await vendors.get("apns").shown(id), [{ token: here.token }]);
  const retried = await eventually(
    () => deliveriesOf(server, id),
    (all) => all[1]?.["retries"] === 2,
  );
  t.match(retried, [{ state: "accepted" }, { state: "queued", reason: /503/, nextTryAt: Number }]);
  t.match(await lane(server, "xiaomi"), { state: "running", retried: 2, lastError: { reason: /503/, atIso: /Z$/ } });
  t.match(await jobIn(server, id), { progress: { accepted: 2, failed: 0 } });
  t.equal((await vendor.shown(id)).length, 1);
  t.match(await metricsOf(server), `pushbox_deliveries_total{provider="xiaomi",app="${PACKAGE}",outcome="retried"} 2`);
});

t.test("one bad moment of a vendor costs no notification, and few requests in vain", async (t) => {
  const vendors = await startVendors(t, ["apns"]);
  const apns = vendors.get("apns");
  const server = await startTestApp(t, { vendors: vendors.config(), client: { maxEventsPerSecond: 100_000 } });
  const phones = await absent(server, apns, 2000);
  const busy = { status: 503, body: '{"reason":"ServiceUnavailable"}' };
  let first: number | undefined;
  const moment = (): boolean => {
    first ??= Date.now();
    return Date.now() - first < 300;
  };
  apns.server.misbehave({ match: moment, times: 10_000, fault: { kind: "reply", reply: busy } });
  const id = await send(
    server,
    phones.map((one) => one.id),
  );
  t.match(await jobIn(server, id), { progress: { accepted: 2000, failed: 0 } });
  t.ok(apns.requests.length < 2000 * 1.5, `${apns.requests.length} requests`);
});

t.test("a connection that is cut under many requests: every phone gets its notification", async (t) => {
  const vendors = await startVendors(t, ["apns"]);
  const apns = vendors.get("apns");
  const server = await startTestApp(t, { vendors: vendors.config(), client: { maxEventsPerSecond: 100_000 } });
  const phones = await absent(server, apns, 500);
  apns.server.misbehave({ skip: 200, fault: { kind: "cut" } });
  const id = await send(
    server,
    phones.map((one) => one.id),
  );
  t.match(await jobIn(server, id), { progress: { accepted: 500, failed: 0 } });
  const tokens = new Set((await apns.shown(id, 500)).map(({ token }) => token));
  t.equal(tokens.size, 500);
  const { retried } = await lane(server, "apns");
  t.ok(Number(retried) >= 1, `${retried} retried`);
});

t.test("F4, F6, F7: what concerns some tokens stops no others, is shown, and deletes none", async (t) => {
  const { server, vendors } = await stage(t, ["apns", "fcm"]);
  const apple = vendors.get("apns");
  const google = vendors.get("fcm");
  apple.fake.fail("sandbox-key", 1000);
  const phones = [await phone(t, server, apple), await phone(t, server, apple)] as const;
  const androids = [await phone(t, server, google), await phone(t, server, google)] as const;
  apple.fake.tokens.set(phones[1].token, "sandbox");
  google.fake.tokens.set(androids[0].token, "foreign");
  const all = [...phones, ...androids].map(({ id }) => id);
  const id = await send(server, all);
  await jobIn(server, id, "running");
  const ways = (one: Fields) => (one["stoppedWays"] as readonly Fields[] | undefined) ?? [];
  t.match(await laneIn(server, "apns", (one) => one["accepted"] === 1 && ways(one).length === 1), {
    state: "running",
    stoppedWays: [{ way: "production", reason: /^403 BadEnvironmentKeyIdInToken/, sinceIso: /./ }],
  });
  t.match(await laneIn(server, "fcm", (one) => one["setAside"] === 1 && one["accepted"] === 1), { state: "running" });
  t.match(server.log.join("\n"), new RegExp(`^error: apns ${PACKAGE}: no more by this way: production: 403 `, "m"));
  t.match(await metricsOf(server), `pushbox_lane_stopped_ways{provider="apns",app="${PACKAGE}"} 1`);
  t.match(await server.ok("device/get", { pushId: phones[0].id }), { token: phones[0].token }, "the token is kept");
  const asked = google.requests.length;
  const again = await send(server, [androids[0].id]);
  t.match(await jobIn(server, again), { progress: { failed: 1 } });
  t.equal(google.requests.length, asked, "what is set aside is not asked about");
});
