// What was written to a connection and may not have arrived comes again with the device's next one; what has arrived does not.
import t, { type Test } from "tap";
import { startTestApp } from "../support/app.ts";
import { deliveriesOf, fresh, jobIn } from "../support/devices.ts";
import { Line } from "../support/line.ts";
import { Phone, REVISIONS, WAYS, type Way } from "../support/phone.ts";
import { serve } from "../support/process.ts";
import { eventually } from "../support/until.ts";

const server = await startTestApp(t);
const TTL = 600_000;

const push = (pushId: string, json: unknown): Promise<unknown> => server.ok("push", { pushId, json, timeToLive: TTL });

async function online(t: Test, way: Way, id: string, port = server.clientPort): Promise<Phone> {
  const phone = await Phone.open(port, way);
  t.teardown(() => phone.close());
  await phone.hello({ id });
  return phone;
}

for (const way of WAYS) {
  const { transport, revision } = way;
  const name = `${transport}, revision ${revision}`;

  t.test(`B5, holds 9: what a dead connection was sent comes again without a position, ${name}`, async (t) => {
    const id = fresh("device");
    const line = await Line.open(t, server.clientPort);
    const dead = await online(t, way, id, line.port);
    await push(id, 1);
    await dead.has(1);
    await dead.hello({ id }); // by now the server has proof
    line.cut("silent");
    for (const n of [2, 3]) await push(id, n);
    const next = await online(t, way, id);
    await push(id, 4);
    await next.has(4);
    t.same(next.got, [2, 3, 4], "not what it had");
    t.same(dead.got, [1]);
    await next.hello({ id });
    const last = await online(t, way, id);
    await push(id, 5);
    await last.has(5);
    t.same(last.got, [5], "received by one is received");
  });
}

for (const revision of REVISIONS) {
  t.test(`B5: an answer to a poll that is lost comes again, revision ${revision}`, async (t) => {
    const id = fresh("device");
    const line = await Line.open(t, server.clientPort);
    const phone = await online(t, { transport: "polling", revision }, id, line.port);
    line.deaf = true;
    await push(id, 1);
    line.cut("reset");
    const next = await online(t, { transport: "websocket", revision }, id);
    await next.has(1);
    t.same(phone.got, []);
  });
}

t.test("B5: with several connections it is received when one of them has it", async (t) => {
  const id = fresh("device");
  const line = await Line.open(t, server.clientPort);
  await online(t, WAYS[0]!, id, line.port);
  line.cut("silent");
  const alive = await online(t, WAYS[0]!, id);
  await push(id, 1);
  await alive.has(1);
  await alive.hello({ id });
  const next = await online(t, WAYS[0]!, id);
  await push(id, 2);
  await next.has(2);
  t.same(next.got, [2]);
});

t.test("B5: a kept notification is sent when it has arrived, not when it was written", async (t) => {
  const id = fresh("device");
  const line = await Line.open(t, server.clientPort);
  await online(t, WAYS[0]!, id, line.port);
  line.cut("silent");
  const call = { pushId: id, timeToLive: TTL, notification: { android: { title: "T" } } };
  const note = await server.ok("notification", call);
  await jobIn(server, note["id"]);
  t.match(await deliveriesOf(server, note["id"]), [{ state: "queued" }]);
  t.match(await server.ok("job/get", { id: note["id"] }), { progress: { sent: 0 } });
  await online(t, WAYS[0]!, id);
  await eventually(
    () => server.ok("job/get", { id: note["id"] }),
    (job) => (job["progress"] as { sent: number }).sent === 1,
  );
  t.match(await deliveriesOf(server, note["id"]), [{ state: "sent", sentAt: Number }]);
});

t.test("D9: a server killed after a replay does not repeat what had arrived", async (t) => {
  const cwd = t.testdir({});
  const args = ["--data", "data"];
  const id = fresh("device");
  const notification = (server: Awaited<ReturnType<typeof serve>>, n: number) =>
    server.call("notification", {
      pushId: id,
      timeToLive: String(TTL),
      notification: JSON.stringify({ id: `n${n}`, android: { title: "T" } }),
    });
  const first = await serve(t, cwd, args);
  const before = await Phone.open(Number(new URL(first.clientUrl).port), WAYS[0]!);
  await before.hello({ id });
  before.close();
  for (let n = 0; n < 5; n++) await notification(first, n);
  const phone = await Phone.open(Number(new URL(first.clientUrl).port), WAYS[0]!);
  await phone.hello({ id });
  await eventually(
    async () => JSON.parse((await first.call("job/get", { id: "n4" })).text) as { progress: { sent: number } },
    ({ progress }) => progress.sent === 1,
  );
  first.child.kill("SIGKILL");
  await first.ended;
  phone.close();
  const second = await serve(t, cwd, args);
  const back = await Phone.open(Number(new URL(second.clientUrl).port), WAYS[0]!);
  t.teardown(() => back.close());
  await back.hello({ id });
  await second.call("push", { pushId: id, json: "1" });
  await back.has(1);
  t.same(back.notifications, []);
});
