// Deliveries that failed: what went wrong, and how they are sent again (api 3.19).
import t from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { takeClock } from "../support/clock.ts";
import { absent, deliveriesOf, type Fields, jobIn } from "../support/devices.ts";
import { startVendors } from "../support/vendors.ts";

const notification = { android: { title: "T", message: "hello you" } };
const TITLE = JSON.stringify({ android: { title: "T", message: "hello you" } });

const failed = (server: TestApp, fields: Fields = {}) => server.ok("delivery/list", fields);
const list = (answer: Fields, name: string) => answer[name] as readonly Fields[];

t.test("what failed is listed by what went wrong, and sent again once: dead tokens are left out", async (t) => {
  const vendors = await startVendors(t, ["fcm", "apns"]);
  const [fcm, apns] = [vendors.get("fcm"), vendors.get("apns")];
  const server = await startTestApp(t, { vendors: vendors.config(), data: t.testdir({}) });
  const phones = await absent(server, fcm, 5);
  const [ios] = await absent(server, apns, 1);
  const [dead] = phones;
  fcm.fake.tokens.set(dead!.token, "dead");
  for (const { token } of phones.slice(1, 4)) fcm.fake.tokens.set(token, "refused");
  const pushId = [...phones.map(({ id }) => id), ios!.id];
  const { id } = await server.ok("notification", {
    pushId,
    timeToLive: "1h",
    notification: { ...JSON.parse(TITLE), apn: { alert: "x" } },
  });
  const job = await jobIn(server, id);
  t.match(job, { progress: { accepted: 2, failed: 4 } });
  const all = await failed(server);
  const groups = list(all, "groups");
  t.match(groups[0], { provider: "fcm", state: "refused", reason: String, count: 3 });
  t.match(groups[1], { provider: "fcm", state: "gone", count: 1 });
  t.equal(groups.length, 2);
  t.equal(list(all, "deliveries").length, 4);
  t.match(list(all, "deliveries")[0], { id, delivery: Number, pushId: String, provider: "fcm", settledAt: Number });
  t.equal(list(await failed(server, { state: "gone" }), "deliveries").length, 1);
  t.equal(list(await failed(server, { provider: "apns" }), "deliveries").length, 0);
  t.equal(list(await failed(server, { reason: groups[0]!["reason"] }), "deliveries").length, 3);
  t.equal(list(await failed(server, { to: Date.now() - 3_600_000 }), "deliveries").length, 0);
  const first = await failed(server, { limit: 3 });
  const rest = await failed(server, { limit: 3, after: first["next"] });
  t.notOk("groups" in rest);
  t.same([...list(first, "deliveries"), ...list(rest, "deliveries")], list(all, "deliveries"));

  fcm.fake.tokens.clear();
  const counts = { retried: 3, dead: 1, late: 0, notifications: 1, ids: [id] };
  t.match(await server.ok("delivery/retry", { provider: "fcm", dryRun: true }), { dryRun: true, ...counts });
  t.match(await server.ok("delivery/retry", { provider: "fcm" }), { dryRun: false, ...counts });
  await fcm.shown(String(id), 4);
  t.match(await jobIn(server, id), { state: "finished" });
  t.equal((await server.ok("job/list", {}))["code"], "success");
  const states = (await deliveriesOf(server, id)).map(({ state }) => state);
  t.same(states.toSorted(), [...Array(5).fill("accepted"), "gone", ...Array(3).fill("refused")].toSorted());
  t.match(await server.ok("delivery/retry", { provider: "fcm" }), { retried: 0, dead: 1 }, "each is retried once");
  t.match(list(await failed(server), "groups"), [{ state: "gone", count: 1 }]);
  t.equal(fcm.fake.shown.filter((one) => one.id === id).length, 4, "nobody was shown it twice");
});

t.test("what is past its time is left out, unless it is given another one", async (t) => {
  const clock = takeClock(t);
  const vendors = await startVendors(t, ["xiaomi"]);
  const xiaomi = vendors.get("xiaomi");
  const server = await startTestApp(t, { vendors: vendors.config(), data: t.testdir({}) });
  const phones = await absent(server, xiaomi, 3);
  xiaomi.fake.fail("denied", 1000);
  const pushId = phones.map(({ id }) => id);
  clock.hold(); // until it was refused and waits
  const { id } = await server.ok("notification", { pushId, timeToLive: 1000, notification });
  await jobIn(server, id, "running");
  clock.move(3_600_000);
  clock.go();
  await jobIn(server, id);
  xiaomi.fake.fail("denied", 0);
  await server.ok("lane/resume", {});
  const deliveries = list(await failed(server, { state: "expired" }), "deliveries").map(({ delivery }) => delivery);
  t.equal(deliveries.length, 3);
  t.match(await server.ok("delivery/retry", { state: "expired" }), { retried: 0, late: 3 });
  t.match(await server.ok("delivery/retry", { delivery: deliveries.slice(0, 2), timeToLive: "1h" }), {
    retried: 2,
    late: 0,
  });
  t.equal((await xiaomi.shown(String(id), 2)).length, 2);
  const both = await Promise.all(
    [1, 2].map(() => server.ok("delivery/retry", { delivery: deliveries, timeToLive: "1h" })),
  );
  t.same(both.map(({ retried }) => retried).toSorted(), [0, 1], "two who retry at once send it once");
  await xiaomi.shown(String(id), 3);
});

t.test("without the right to push to everybody nothing is retried; what is wrong is named", async (t) => {
  const api = {
    keys: [{ name: "a", key: "0123456789abcdef0123" }],
    broadcastKeys: [],
    broadcastAddresses: ["192.0.2.1"],
  };
  const guarded = await startTestApp(t, { api: { ...api, insecure: true, keys: [] } });
  t.equal((await guarded.post("delivery/retry", { state: "gone" })).status, 401);
  t.equal((await guarded.post("delivery/list", {})).status, 200);
  const server = await startTestApp(t);
  for (const [path, fields, message] of [
    ["delivery/list", { state: "sent" }, "state must be one of gone, refused, expired"],
    ["delivery/list", { after: "x" }, "after is no place in this list: give the `next` of an earlier answer"],
    ["delivery/list", { from: 7 }, /^from must be milliseconds since 1970/],
    ["delivery/retry", {}, /^delivery, state, provider, app, reason, from or to is required/],
    ["delivery/retry", { delivery: "all" }, /^delivery must be the number of a failed delivery/],
    ["delivery/retry", { state: "gone", dryRun: "yes" }, "dryRun must be true or false"],
  ] as const)
    t.match(await server.post(path, fields), { status: 400, body: { message } }, `${path} ${JSON.stringify(fields)}`);
});
