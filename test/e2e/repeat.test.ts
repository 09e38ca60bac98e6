// Calls that are repeated with an idempotency key: one frame at the socket, one delivery at the vendor, one answer.
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import type { RawClient } from "../support/clients.ts";
import { argument, counted, device, type Fields, fresh, jobIn, notis, phone } from "../support/devices.ts";
import { startVendors } from "../support/vendors.ts";

const vendors = await startVendors(t, ["fcm"]);
const fcm = vendors.get("fcm");
const data = t.testdir({});
let server = await startTestApp(t, { vendors: vendors.config(), data });

/** Another process's life on the same data, with the devices connected again. */
async function restart(): Promise<void> {
  await server.stop();
  server = await startTestApp(t, { vendors: vendors.config(), data });
}

const pushes = async (client: RawClient) =>
  (await client.settle()).filter((frame) => frame.startsWith('42["p"')).map(argument);

const together = async (call: () => Promise<{ status: number; body: Fields }>) =>
  await Promise.all(Array.from({ length: 20 }, call));

async function back(t: Test, at: TestApp, id: string, last: object = {}): Promise<RawClient> {
  const again = await device(t, at);
  await again.client.hello({ id, lastPacketIds: last });
  return again.client;
}

for (const timeToLive of [0, 60_000]) {
  t.test(`a push with timeToLive ${timeToLive}: 20 at once and one after a restart are one frame`, async (t) => {
    const { client, id } = await device(t, server);
    const idempotencyKey = fresh("order");
    const call = { pushId: id, json: { paid: 7 }, timeToLive, idempotencyKey };
    const answers = await together(() => server.post("push", call));
    const texts = new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`));
    t.equal(texts.size, 1, "C1: every repetition gets the first answer");
    t.match(answers[0], { status: 200, body: { code: "success", id: /^\w{12}$/, online: 1 } });
    t.same(await pushes(client), [{ paid: 7 }], "one frame");
    t.match(await server.post("push", { ...call, json: { paid: 8 } }), {
      status: 409,
      body: { message: /idempotencyKey/ },
    });
    t.match(await server.post("push", { ...call, timeToLive: 5 }), { status: 409 });
    t.match(await server.post("push", { ...call, idempotencyKey: fresh("order"), json: { paid: 9 } }), { status: 200 });
    t.same(await pushes(client), [{ paid: 9 }], "another key is another call");
    await restart();
    const later = await back(t, server, id, { [id]: "unknown" });
    await pushes(later);
    t.same(await server.post("push", call), answers[0], "made before the restart: the same answer");
    t.same(await pushes(later), [], "made before the restart");
    t.match(await server.post("push", { ...call, json: { paid: 8 } }), { status: 409 });
  });
}

t.test(
  "pushes to users and by tag may be repeated too: each device has it once, whoever joins later has not",
  async (t) => {
    for (const timeToLive of [0, 60_000]) {
      const uid = fresh("user");
      const [one, two, old] = [
        await device(t, server, { tags: ["v_2"] }),
        await device(t, server, { tags: ["v_2"] }),
        await device(t, server, { tags: ["v_1"] }),
      ];
      for (const { id } of [one, two, old]) await server.ok("uid/bind", { pushId: id, uid });
      const call = { uid, json: 1, timeToLive, tagStart: "v_", tagGreaterThan: "1", idempotencyKey: fresh("users") };
      await together(() => server.post("push", call));
      for (const { client } of [one, two]) t.same(await pushes(client), [1]);
      t.same(await pushes(old.client), [], "it does not pass the filter");
      const late = await device(t, server, { tags: ["v_2"] });
      await server.ok("uid/bind", { pushId: late.id, uid });
      t.match(await server.post("push", call), { status: 200 });
      for (const { client } of [one, two, late]) t.same(await pushes(client), []);
    }
  },
);

t.test("the header counts as the parameter does; both together must agree", async (t) => {
  const { client, id } = await device(t, server);
  const key = fresh("header");
  const call = (headers: Record<string, string>, fields: Record<string, string> = {}) =>
    fetch(`${server.apiUrl}/api/push`, {
      method: "POST",
      headers,
      body: new URLSearchParams({ pushId: id, json: "1", ...fields }),
    });
  t.equal((await call({ "Idempotency-Key": key })).status, 200);
  t.equal((await call({ "Idempotency-Key": key })).status, 200);
  t.equal((await call({}, { idempotencyKey: key })).status, 200);
  t.same(await pushes(client), [1]);
  t.equal((await call({ "Idempotency-Key": key }, { idempotencyKey: "other" })).status, 400);
  t.equal((await call({ "Idempotency-Key": "aöb" })).status, 400);
});

t.test("a notification: 20 at once and one after a restart are one delivery at the vendor and one noti", async (t) => {
  const mobile = await phone(t, server, fcm);
  const plain = await device(t, server);
  const idempotencyKey = fresh("sale");
  const call = {
    pushId: [mobile.id, plain.id],
    timeToLive: 60_000,
    notification: { android: { title: "Sale", message: "m" } },
    idempotencyKey,
  };
  const answers = await together(() => server.post("notification", call));
  const ids = [...new Set(answers.map(({ status, body }) => (status === 200 ? body["id"] : status)))];
  t.equal(ids.length, 1, "the same generated id for all");
  const id = String(ids[0]);
  t.match(id, /^[a-zA-Z0-9]{12}$/);
  const done = await jobIn(server, id);
  t.match(done, { progress: { seen: 2, accepted: 1 }, routes: { fcm: 1, connection: 1 } });
  t.notOk("jobs" in done, "one job");
  t.equal((await fcm.shown(id)).length, 1);
  t.match(await notis(plain.client), [{ id }]);
  t.match(await server.post("notification", { ...call, timeToLive: 1 }), { status: 409 });
  t.match(await server.post("notification", { ...call, pushId: mobile.id }), { status: 409 });
  t.match(await server.post("push", { pushId: plain.id, json: 1, idempotencyKey }), { status: 409 }, "of another path");
  await restart();
  const asked = fcm.requests.length;
  t.match(await server.post("notification", call), { status: 200, body: { id } });
  const probe = await server.ok("notification", { pushId: mobile.id, notification: { android: { title: "probe" } } });
  await jobIn(server, probe["id"]);
  t.equal((await fcm.shown(id)).length, 1);
  t.ok(fcm.requests.length <= asked + 2, "the probe, and its login");
  t.match(await counted(server, id, "fcm"), { target: 1, accepted: 1 });
  t.match(await server.post("notification", { ...call, notification: { android: { title: "x" } } }), { status: 409 });
});

t.test("a call that was refused leaves its key free", async (t) => {
  const { client, id } = await device(t, server);
  const idempotencyKey = fresh("free");
  t.match(await server.post("notification", { pushId: id, idempotencyKey, notification: "{" }), { status: 400 });
  t.match(await server.post("push", { json: 1, idempotencyKey }), { status: 400 });
  t.match(await server.post("push", { pushId: id, json: 1, idempotencyKey }), { status: 200 });
  t.same(await pushes(client), [1]);
});
