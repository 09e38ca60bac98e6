// Vendors that come and go by a reload, while notifications wait for them.
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { argument, deliveriesOf, type Fields, jobIn, phone } from "../support/devices.ts";
import { eventually } from "../support/until.ts";
import { startVendors } from "../support/vendors.ts";

const notification = { android: { title: "T", message: "hello you" }, apn: { alert: "T" } };
const TTL = 600_000;

const lanes = async (server: TestApp) => (await server.ok("lane/list", {}))["lanes"] as readonly Fields[];
const send = async (server: TestApp, pushId: string | readonly string[]) =>
  String((await server.ok("notification", { pushId, timeToLive: TTL, notification }))["id"]);

async function stage(t: Test) {
  const vendors = await startVendors(t, ["xiaomi", "fcm"]);
  const data = t.testdir({});
  const again = (config = vendors.config()) => startTestApp(t, { data, vendors: config });
  return { vendors, again, server: await again(), xiaomi: vendors.get("xiaomi"), fcm: vendors.get("fcm") };
}

t.test(
  "a vendor is taken away: what waits stays, what is new goes over the connection; it comes back, and it goes on",
  async (t) => {
    const { vendors, server, again, xiaomi, fcm } = await stage(t);
    const one = await phone(t, server, xiaomi);
    const other = await phone(t, server, fcm);
    xiaomi.fake.fail("denied", 1);
    const waiting = await send(server, one.id);
    await eventually(
      () => lanes(server),
      (all) => all.some(({ state, reason }) => state === "stopped" && reason !== "it is not configured"),
    );
    await server.app.reload({ ...server.config, vendors: vendors.config({ xiaomi: [] }) });
    t.match(
      (await lanes(server)).find(({ provider }) => provider === "xiaomi"),
      { state: "stopped", reason: "it is not configured", depth: 1 },
    );
    const fresh = await send(server, [one.id, other.id]);
    t.match(argument(await one.client.next('42["noti"')), { id: fresh });
    t.match(await jobIn(server, fresh), { routes: { connection: 1, fcm: 1 }, progress: { accepted: 1 } });
    t.same((await server.ok("lane/resume", {}))["resumed"], [], "there is nothing to resume it with");
    await server.stop();

    const second = await again(vendors.config({ xiaomi: [] }));
    t.match(await lanes(second), [{ provider: "fcm" }, { provider: "xiaomi", state: "stopped", depth: 1 }]);
    t.match(await jobIn(second, waiting, "running"), { progress: { waiting: 1 } });
    await second.app.reload(server.config);
    t.match(await xiaomi.shown(waiting), [{ token: one.token }]);
    t.match(await jobIn(second, waiting), { progress: { accepted: 1 } });
  },
);

t.test("a reload while requests are on their way loses none of them and repeats none", async (t) => {
  const { server, fcm } = await stage(t);
  const phones = [];
  for (let n = 0; n < 40; n++) phones.push(await phone(t, server, fcm));
  fcm.server.misbehave({
    match: ({ path }) => path.endsWith("send"),
    times: 20,
    fault: { kind: "slow", milliseconds: 300 },
  });
  const asked = fcm.asked(5);
  const id = await send(
    server,
    phones.map((one) => one.id),
  );
  await asked;
  for (let n = 0; n < 3; n++) await server.app.reload(server.config);
  t.match(await jobIn(server, id), { progress: { accepted: 40, failed: 0 } });
  const tokens = (await fcm.shown(id, 40)).map(({ token }) => token);
  t.same(tokens.sort(), phones.map(({ token }) => token).sort());
  t.match(
    (await lanes(server)).find(({ provider }) => provider === "fcm"),
    { retried: 0 },
  );
});

t.test("a configuration that is not right changes nothing", async (t) => {
  const { vendors, server, xiaomi } = await stage(t);
  const one = await phone(t, server, xiaomi);
  const wrong = vendors.config({ xiaomi: [{ package_name: "com.example.lab" }] });
  await t.rejects(server.app.reload({ ...server.config, vendors: wrong }), /app_secret/);
  const id = await send(server, one.id);
  t.match(await xiaomi.shown(id), [{ token: one.token }]);
  t.match(await deliveriesOf(server, id), [{ provider: "xiaomi" }]);
});

t.test("after a restart and a reload, a token of Apple's sandbox is sent there at once", async (t) => {
  const vendors = await startVendors(t, ["apns"]);
  const data = t.testdir({});
  const apns = vendors.get("apns");
  const start = () => startTestApp(t, { data, vendors: vendors.config() });
  const first = await start();
  const one = await phone(t, first, apns);
  apns.fake.tokens.set(one.token, "sandbox");
  const paths = async (server: TestApp) => {
    const before = apns.requests.length;
    await jobIn(server, await send(server, one.id));
    return apns.requests.slice(before).map(({ path }) => path);
  };
  t.same(await paths(first), [`/3/device/${one.token}`, `/sandbox/3/device/${one.token}`]);
  await first.app.reload(first.config);
  t.same(await paths(first), [`/sandbox/3/device/${one.token}`]);
  await first.stop();
  const second = await start();
  t.same(await paths(second), [`/sandbox/3/device/${one.token}`]);
});
