// Notifications to devices without a vendor's token: what /api/notification/get says of those that are connected and of those
// that are away.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";
import { deliveriesOf, device, type Fields, fresh, jobIn, notis } from "../support/devices.ts";
import { eventually } from "../support/until.ts";

const data = t.testdir({});
let server = await startTestApp(t, { data });

async function restart(): Promise<void> {
  await server.stop();
  server = await startTestApp(t, { data });
}

/** A device that said who it is and has just gone, so that it still counts as connected (`disconnect_delay`). */
async function gone(): Promise<string> {
  const client = await RawClient.open(server.clientPort);
  const id = fresh("gone");
  await client.hello({ id });
  await client.close();
  return id;
}

async function notify(pushId: string, timeToLive: number): Promise<string> {
  const { id } = await server.ok("notification", { pushId, timeToLive, notification: { android: { title: "T" } } });
  await jobIn(server, id);
  return String(id);
}

const one = async (id: string): Promise<Fields> => (await deliveriesOf(server, id))[0]!;

async function back(id: string): Promise<RawClient> {
  const client = await RawClient.open(server.clientPort);
  t.teardown(() => client.close());
  await client.hello({ id });
  return client;
}

t.test("a device that is connected was sent it, and says when it arrived", async (t) => {
  for (const timeToLive of [0, 60_000]) {
    const { client, id: pushId } = await device(t, server);
    const id = await notify(pushId, timeToLive);
    t.match(await notis(client), [{ id }]);
    const record = await eventually(
      () => one(id),
      ({ state }) => state === "sent",
    );
    t.match(record, { pushId, state: "sent", sentAt: Number, reason: undefined });
    t.notOk("settledAt" in record);
    client.emit("notificationReply", { id });
    await client.settle();
    await server.app.settled();
    t.match(await one(id), { state: "sent", arrivedAt: Number });
  }
});

t.test("without timeToLive a device that is away is never reached: expired at once", async (t) => {
  const pushId = await gone();
  const id = await notify(pushId, 0);
  const record = await one(id);
  t.match(record, { state: "expired", reason: /away.*timeToLive/, settledAt: Number });
  t.match(await server.ok("job/get", { id }), { progress: { seen: 1, sent: 0 } });
  t.notOk("sentAt" in record);
  t.same(await notis(await back(pushId)), []);
  t.strictSame(await one(id), record);
});

t.test("what is kept for a device that is away is queued, sent when it comes back, and then may arrive", async (t) => {
  const pushId = await gone();
  const id = await notify(pushId, 60_000);
  const waiting = await one(id);
  t.match(waiting, { state: "queued", retries: 0, reason: undefined });
  for (const field of ["sentAt", "settledAt", "nextTryAt"]) t.notOk(field in waiting, field);
  t.match(await server.ok("job/get", { id }), { progress: { seen: 1, sent: 0 } });
  await restart();
  t.strictSame(await one(id), waiting, "after a restart too");
  const client = await back(pushId);
  t.match(await notis(client), [{ id }]);
  const sent = await eventually(
    () => one(id),
    ({ state }) => state !== "queued",
  );
  t.match(sent, { state: "sent", sentAt: Number });
  t.ok(Number(sent["sentAt"]) >= Number(sent["queuedAt"]));
  t.match(await server.ok("job/get", { id }), { progress: { seen: 1, sent: 1 } });
  client.emit("notificationReply", { id });
  await client.settle();
  await server.app.settled();
  t.match(await one(id), { state: "sent", arrivedAt: Number });
});

t.test("what a device did not come back for in time is expired", async (t) => {
  const pushId = await gone();
  const id = await notify(pushId, 4000);
  t.match(await one(id), { state: "queued" });
  const record = await eventually(
    () => one(id),
    ({ state }) => state !== "queued",
  );
  t.match(record, { state: "expired", reason: /did not come back/ });
  const { acceptedAt } = await server.ok("job/get", { id });
  t.equal(record["settledAt"], Number(acceptedAt) + 4000);
  t.notOk("sentAt" in record);
  t.same(await notis(await back(pushId)), []);
  t.match(await one(id), { state: "expired" }, "and nothing is sent later");
});

t.test("what newer messages pushed out, or was deleted with its device, is not kept any more", async (t) => {
  const pushId = await gone();
  const id = await notify(pushId, 60_000);
  for (let n = 0; n < 10; n++) await server.ok("push", { pushId, json: n, timeToLive: 60_000 });
  t.match(await one(id), { state: "expired", reason: /no longer kept/ });
  await back(pushId);
  const second = await notify(await gone(), 60_000);
  await server.ok("device/delete", { pushId: String((await one(second))["pushId"]) });
  t.match(await one(second), { state: "expired", reason: /no longer kept/ });
});

t.test("an id that is used twice: each is sent on its own", async (t) => {
  const pushId = await gone();
  const id = fresh("twice");
  const call = (timeToLive: number) =>
    server.ok("notification", { pushId, timeToLive, notification: { id, android: { title: "T" } } });
  await call(400);
  await jobIn(server, id);
  await eventually(
    () => one(id),
    ({ state }) => state === "expired",
  );
  await call(60_000);
  await jobIn(server, id);
  t.match(await deliveriesOf(server, id), [{ state: "expired" }, { state: "queued" }]);
  t.match(await notis(await back(pushId)), [{ id }]);
  t.match(
    await eventually(
      () => deliveriesOf(server, id),
      ([, second]) => second?.["state"] === "sent",
    ),
    [{ state: "expired" }, { state: "sent" }],
  );
});
