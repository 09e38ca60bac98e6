// /api/reach: who acknowledges the message gets no notification, whoever does not gets it at his vendors (api 3.23).
import t, { type Test } from "tap";
import { open } from "../client/support.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient, SocketClient } from "../support/clients.ts";
import { takeClock } from "../support/clock.ts";
import { absent, deliveriesOf, type Fields, fresh, jobIn } from "../support/devices.ts";
import { eventually } from "../support/until.ts";
import { startVendors, type TestVendor } from "../support/vendors.ts";

const notification = { android: { title: "T", message: "hello you" } };
/** Long enough for whoever is to acknowledge in time, and short enough to be waited for. */
const LONG = 600_000;

async function stage(t: Test, more: Parameters<typeof startTestApp>[1] = {}) {
  const vendors = await startVendors(t, ["fcm"]);
  const vendor = vendors.get("fcm");
  const data = t.testdir({});
  const again = () => startTestApp(t, { vendors: vendors.config(), data, ...more });
  return { vendor, again, server: await again() };
}

/** A user with a phone of the vendor that is away. */
async function user(
  server: TestApp,
  vendor: TestVendor,
): Promise<{ readonly uid: string; readonly phone: string; readonly token: string }> {
  const uid = fresh("user");
  const [phone] = await absent(server, vendor, 1);
  await server.ok("uid/bind", { pushId: phone!.id, uid });
  // It counts as connected for a while: until then nobody knows that it is away.
  await eventually(
    () => server.ok("presence", { pushId: phone!.id }),
    (answer) => (answer["presence"] as readonly Fields[])[0]!["online"] === false,
  );
  return { uid, phone: phone!.id, token: phone!.token };
}

/** A further device of the user, without a vendor, connected. */
async function online(
  t: Test,
  server: TestApp,
  uid: string,
  hello: Fields = { ack: true },
): Promise<RawClient & { id: string }> {
  const id = fresh("device");
  await server.ok("uid/bind", { pushId: id, uid });
  const client = await RawClient.open(server.clientPort);
  t.teardown(() => client.close());
  await client.hello({ id, ...hello });
  return Object.assign(client, { id });
}

const reach = async (server: TestApp, uid: string | readonly string[], more: Fields = {}): Promise<string> =>
  String(
    (
      await server.ok("reach", {
        uid,
        json: { text: "hi" },
        notification,
        timeToLive: "1h",
        fallbackAfter: LONG,
        ...more,
      })
    )["id"],
  );

const get = (server: TestApp, id: string) => server.ok("notification/get", { id });

const counts = (server: TestApp, id: string, wanted: Fields) =>
  eventually(
    async () => (await get(server, id))["reached"] as Fields,
    (found) => Object.entries(wanted).every(([name, count]) => found[name] === count),
  );

const ackIdOf = (frame: string): string => /^42(\d*)\["p",/.exec(frame)?.[1] ?? "";

const quick = { client: { disconnectDelay: 0 } };

t.test("integration 15: online, acknowledged: no vendor is asked, with every kind of client", async (t) => {
  const { server, vendor } = await stage(t, quick);
  const { uid } = await user(server, vendor);
  for (const generation of [2, 4] as const) {
    const id = fresh("device");
    const client = new SocketClient(generation, server.clientUrl, ["websocket"]);
    t.teardown(() => client.close());
    await client.hello({ id, ack: true });
    await server.ok("uid/bind", { pushId: id, uid });
    const note = await reach(server, uid);
    const [message, position, ack] = await client.next("p");
    t.same([message, position], [{ text: "hi" }, [id, note, 1]]);
    (ack as () => void)();
    await counts(server, note, { socket: 1 });
    t.match(await jobIn(server, note), { progress: { queued: 0, waiting: 0, accepted: 0 }, failed: {} });
    t.match(await deliveriesOf(server, note), [{ uid, state: "cancelled", reason: "acknowledged on a connection" }]);
    t.match((await get(server, note))["users"], [{ uid, reached: "socket", at: Number }]);
    client.close();
    await eventually(
      () => server.ok("presence", { uid }),
      (answer) => (answer["presence"] as readonly Fields[])[0]!["online"] === false,
    );
  }
  const old = await online(t, server, uid, {});
  const note = await reach(server, uid);
  const frame = await old.next('42["p"');
  t.same(
    JSON.parse(frame.slice(2)),
    ["p", { text: "hi" }, [old.id, note, 1]],
    "exactly as ever for an old client (R1)",
  );
  old.emit("notificationReply", { id: note });
  await counts(server, note, { socket: 1, waiting: 0 });
  t.equal(vendor.fake.shown.length, 0);
});

t.test(
  "integration 15: a page with our own client acknowledges by itself, and is away in the background",
  async (t) => {
    const { server, vendor } = await stage(t, quick);
    const { uid, token } = await user(server, vendor);
    const page = open(t, server.clientUrl, {});
    await page.next("connect", 0);
    await server.ok("uid/bind", { pushId: page.client.pushId, uid });
    const note = await reach(server, uid);
    await counts(server, note, { socket: 1 });
    page.client.background();
    page.client.subscribe("behind"); // what it said before has been heard once this is
    await eventually(
      () => server.ok("topicOnline", { topic: "behind" }),
      ({ count }) => count === 1,
    );
    const second = await reach(server, uid, { fallbackAfter: 1000 });
    t.match(await vendor.shown(second), [{ token }]);
    await counts(server, second, { vendor: 1, socket: 0 });
  },
);

t.test(
  "integration 15: online and silent: the vendor is asked when the time is over, and not again by a late answer",
  async (t) => {
    const { server, vendor } = await stage(t, quick);
    const { uid, token } = await user(server, vendor);
    const client = await online(t, server, uid);
    const note = await reach(server, uid, { fallbackAfter: 300 });
    const frame = await client.next("42");
    t.match(await vendor.shown(note), [{ token }]);
    t.match(await jobIn(server, note), { progress: { queued: 1, accepted: 1 } });
    client.send(`43${ackIdOf(frame)}[]`);
    await client.settle();
    t.match(await counts(server, note, { vendor: 1 }), { socket: 0, vendor: 1, waiting: 0, nobody: 0 });
    t.match((await get(server, note))["users"], [{ uid, reached: "vendor" }]);
  },
);

t.test(
  "integration 15: offline: the vendor is asked at once; of whom there is nothing, nobody is reached",
  async (t) => {
    const { server, vendor } = await stage(t, quick);
    const { uid, phone, token } = await user(server, vendor);
    const note = await reach(server, [uid, "nobody-knows"]);
    t.match(await vendor.shown(note), [{ token }]);
    t.match(await counts(server, note, { vendor: 1 }), { socket: 0, vendor: 1, nobody: 1 });
    const back = await RawClient.open(server.clientPort);
    t.teardown(() => back.close());
    back.emit("pushId", { id: phone });
    t.match(await back.next('42["p"'), /"text":"hi"/, "the message is there when the app is opened");
  },
);

t.test("who is away and has no vendor is reached by nobody, until a device comes back in time", async (t) => {
  const { server } = await stage(t, quick);
  const [uid, id] = [fresh("user"), fresh("device")];
  await server.ok("uid/bind", { pushId: id, uid });
  const note = await reach(server, uid);
  t.match(await counts(server, note, { nobody: 1 }), { socket: 0, vendor: 0, waiting: 0 });
  t.match(await jobIn(server, note), { state: "finished" }, "nothing more is tried");
  const back = await RawClient.open(server.clientPort);
  t.teardown(() => back.close());
  back.emit("pushId", { id, ack: true });
  const frame = await back.next("42");
  back.send(`43${ackIdOf(frame.startsWith('42["pushId"') ? await back.next("42") : frame)}[]`);
  t.match(await counts(server, note, { socket: 1 }), { nobody: 0 });
  t.match((await get(server, note))["users"], [{ uid, reached: "socket", at: Number }]);
});

t.test("integration 15: two devices: one that acknowledges is enough, and one in the background is away", async (t) => {
  const { server, vendor } = await stage(t, quick);
  const { uid } = await user(server, vendor);
  const [seen, hidden] = [await online(t, server, uid), await online(t, server, uid)];
  hidden.emit("background");
  await hidden.settle();
  const note = await reach(server, uid);
  t.match(await hidden.next("42"), /^42\["p"/, "it is asked for nothing");
  hidden.emit("notificationReply", { id: note });
  await hidden.settle();
  const frame = await seen.next("42");
  t.match(await counts(server, note, { waiting: 1 }), { socket: 0 });
  seen.send(`43${ackIdOf(frame)}[]`);
  await counts(server, note, { socket: 1 });
  seen.emit("background");
  await seen.settle();
  const second = await reach(server, uid);
  await vendor.shown(second);
  await counts(server, second, { vendor: 1 });
  hidden.emit("foreground");
  await hidden.settle();
  const third = await reach(server, uid);
  const asked = await hidden.next("42");
  t.match(asked, /^42\["p"|^42\d+\["p"/);
  const last = asked.includes(third) ? asked : await hidden.next("42");
  hidden.send(`43${ackIdOf(last)}["anything"]`);
  await counts(server, third, { socket: 1 });
  t.equal(vendor.fake.shown.length, 1);
});

t.test(
  "integration 15: a restart in between: who acknowledges after it gets no notification, the others get it",
  async (t) => {
    const clock = takeClock(t);
    const { server, vendor, again } = await stage(t, quick);
    const [ann, bob, cid] = [await user(server, vendor), await user(server, vendor), await user(server, vendor)];
    const a = await online(t, server, ann.uid);
    const b = await online(t, server, bob.uid);
    const c = await online(t, server, cid.uid);
    const note = await reach(server, [ann.uid, bob.uid, cid.uid]);
    await Promise.all([a, b, c].map((client) => client.next("42")));
    await server.stop();
    const next = await again();
    const back = async (id: string, more: Fields): Promise<RawClient> => {
      const client = await RawClient.open(next.clientPort);
      t.teardown(() => client.close());
      await client.hello({ id, ack: true, ...more });
      return client;
    };
    // It had not got so far as to remember its place, so it is sent the message again.
    const asked = await back(a.id, { lastUnicastId: "nothing-yet-1" });
    asked.send(`43${ackIdOf(await asked.next("42"))}[]`);
    // It had it, and its answer was lost.
    (await back(c.id, {})).emit("notificationReply", { id: note });
    await counts(next, note, { socket: 2 });
    clock.move(LONG);
    t.match(await vendor.shown(note), [{ token: bob.token }]);
    await counts(next, note, { socket: 2, vendor: 1, waiting: 0 });
    t.equal(vendor.fake.shown.length, 1);
  },
);

t.test("integration 15: cancelled: nobody is sent a notification any more", async (t) => {
  const { server, vendor } = await stage(t, quick);
  const { uid } = await user(server, vendor);
  const client = await online(t, server, uid);
  const note = await reach(server, uid);
  await client.next("42");
  await counts(server, note, { waiting: 1 });
  t.match(await jobIn(server, note, "running"), { target: "uids", progress: { waiting: 1 } });
  t.match(await server.ok("job/cancel", { id: note }), { state: "cancelled" });
  await counts(server, note, { nobody: 1, waiting: 0 });
  t.equal(vendor.fake.shown.length, 0);
  const scheduled = await reach(server, uid, { sendAt: Date.now() + 3_600_000 });
  await server.ok("job/cancel", { id: scheduled });
  t.same(await client.settle(), []);
});

t.test(
  "integration 15: a user gets no more notifications a day than capPerDay, and may be reached by a connection all the same",
  async (t) => {
    const { server, vendor } = await stage(t, quick);
    const { uid } = await user(server, vendor);
    for (const capped of [false, false, true]) {
      const note = await reach(server, uid, { capPerDay: 2 });
      await counts(server, note, capped ? { nobody: 1 } : { vendor: 1 });
      if (capped) t.match(await deliveriesOf(server, note), [{ state: "cancelled", reason: /^capPerDay/ }]);
    }
    t.equal(vendor.fake.shown.length, 2);
    const client = await online(t, server, uid);
    const note = await reach(server, uid, { capPerDay: 2 });
    const frame = await client.until("421");
    client.send(`43${ackIdOf(frame.at(-1)!)}[]`);
    await counts(server, note, { socket: 1 });
  },
);

t.test("integration 15: in quiet hours the message goes, and the notification waits for their end", async (t) => {
  const clock = takeClock(t);
  const NIGHT = Date.parse("2026-12-01T23:00:00Z");
  clock.move(NIGHT - Date.now());
  const { server, vendor } = await stage(t, quick);
  const { uid } = await user(server, vendor);
  const client = await online(t, server, uid, {});
  const quiet = { quietHours: "22:00-08:00", timeZone: "UTC", timeToLive: "12h", fallbackAfter: 1000 };
  const answer = await server.ok("reach", { uid, json: "hi", notification, ...quiet });
  t.match(answer, { deferredIso: "2026-12-02T08:00:00.000Z" });
  t.match(await client.next("42"), /"hi"/);
  await jobIn(server, answer["id"], "running");
  const lane = await eventually(
    async () => ((await server.ok("lane/list", {}))["lanes"] as readonly Fields[])[0] ?? {},
    ({ depth }) => depth === 1,
  );
  t.match(lane, { oldest: 0 }, "nobody is told that something waits for hours");
  t.match(await deliveriesOf(server, answer["id"]), [
    { state: "queued", nextTryAt: Date.parse("2026-12-02T08:00:00Z") },
  ]);
  t.equal(vendor.fake.shown.length, 0);
});

t.test(
  "integration 15: a repeated call reaches nobody twice; what is wrong is named, and changes nothing",
  async (t) => {
    const { server, vendor } = await stage(t, quick);
    const { uid } = await user(server, vendor);
    const once = { idempotencyKey: "k1" };
    const note = await reach(server, uid, once);
    t.equal(await reach(server, uid, once), note);
    await vendor.shown(note);
    await counts(server, note, { vendor: 1 });
    t.equal(vendor.fake.shown.length, 1);
    const good = { uid, json: 1, notification };
    for (const [fields, message] of [
      [{ json: 1, notification }, /^uid is required/],
      [{ uid, notification }, /^json is required/],
      [{ uid, json: 1 }, "notification is required"],
      [{ ...good, fallbackAfter: "11m" }, /^fallbackAfter must be less than timeToLive/],
      [{ ...good, fallbackAfter: "soon" }, /^fallbackAfter must be a number of milliseconds/],
      [{ ...good, capPerDay: 0 }, "capPerDay must be a whole number from 1 to 10000"],
      [{ ...good, quietHours: "night" }, /^quietHours must be/],
    ] as const)
      t.match(await server.post("reach", fields), { status: 400, body: { message } }, JSON.stringify(fields));
    const plain = await server.ok("notification", { uid, notification });
    t.notOk("reached" in (await get(server, String(plain["id"]))));
  },
);
