// Calls to many, as an operator handles them: counted, paced, put off, held up, ended, across restarts.
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { takeClock } from "../support/clock.ts";
import { absent, argument, counted, device, type Fields, fresh, jobIn } from "../support/devices.ts";
import { eventually } from "../support/until.ts";
import { startVendors, type TestVendor } from "../support/vendors.ts";

const MANY = 3000;
const notification = (id: string) => ({ id, android: { title: "T", message: "hello you" } });
const progress = (job: Fields) => job["progress"] as Readonly<Record<string, number>>;
const job = (server: TestApp, id: string) => server.ok("job/get", { id });

/** An app with so many phones of one vendor, which are away; `again` starts another one on the same data. */
async function stage(t: Test, count = MANY) {
  const vendors = await startVendors(t, ["xiaomi"]);
  const vendor = vendors.get("xiaomi");
  const data = t.testdir({});
  // One socket speaks for all the phones.
  const client = { maxEventsPerSecond: 100_000 };
  const again = () => startTestApp(t, { vendors: vendors.config(), data, client });
  const server = await again();
  const phones = await absent(server, vendor, count);
  return { vendor, server, again, phones };
}

/** Nobody was shown it twice, and everybody once. */
function shownOnce(t: Test, vendor: TestVendor, id: string, count: number) {
  const tokens = vendor.fake.shown.filter((one) => one.id === id).map(({ token }) => token);
  t.equal(tokens.length, count);
  t.equal(new Set(tokens).size, count);
}

/** How many tokens the vendor was asked for, repetitions included. */
const asked = (vendor: TestVendor) =>
  vendor.requests.flatMap(({ body }) => (new URLSearchParams(body.toString()).get("registration_id") ?? "").split(","));

const all = { pushAll: true, timeToLive: 3_600_000 };

t.test("pushAll to 3,000: counted first, then sent, each once, and the statistics agree", async (t) => {
  const { vendor, server } = await stage(t);
  const dry = await server.ok("notification", { ...all, dryRun: true, notification: notification("dry") });
  const inTime = { id: "dry", count: MANY, routes: { xiaomi: MANY } };
  const later = { id: "dry", ask: "/api/job/get?id=dry" };
  t.match(dry, "ask" in dry ? later : inTime, "E: the count is in the answer, when it is known in a second");
  t.match(await jobIn(server, "dry"), {
    dryRun: true,
    routes: { xiaomi: MANY },
    progress: { seen: MANY, queued: 0, waiting: 0, accepted: 0 },
  });
  t.same(await server.ok("stats/arrival/info", { id: "dry" }), {}, "a dry run leaves no trace");
  t.equal(vendor.requests.length, 0);
  const from = Date.now();
  await server.ok("notification", { ...all, notification: notification("all") });
  const done = await jobIn(server, "all");
  t.comment(`${MANY} devices in ${Date.now() - from} ms and ${vendor.requests.length} requests`);
  t.match(done, { target: "all", routes: { xiaomi: MANY }, progress: { seen: MANY, queued: MANY, accepted: MANY } });
  t.ok(Number(done["finishedAt"]) >= Number(done["acceptedAt"]));
  shownOnce(t, vendor, "all", MANY);
  t.match(await counted(server, "all", "xiaomi"), { target: MANY, accepted: MANY, failed: 0 });
  t.match(await server.ok("job/list", {}), { jobs: [{ id: "all" }, { id: "dry" }] });
  let next: unknown = "";
  const seen = new Set<string>();
  for (let page: Fields; next !== undefined; next = page["next"]) {
    page = await server.ok("notification/get", { id: "all", limit: 1000, ...(next === "" ? {} : { after: next }) });
    for (const { pushId } of page["deliveries"] as Fields[]) seen.add(String(pushId));
  }
  t.equal(seen.size, MANY, "every device, page by page");
});

t.test("a paced call goes at its rate, is paused, survives a restart paused, and is resumed", async (t) => {
  const clock = takeClock(t);
  const { vendor, server, again } = await stage(t);
  const RATE = 1000;
  clock.hold();
  await server.ok("notification", { ...all, rate: RATE, notification: notification("paced") });
  for (let due = 100; due <= 300; due += 100) {
    await eventually(
      () => job(server, "paced"),
      (now) => progress(now)["accepted"]! >= due,
    );
    clock.move(100);
  }
  t.match(await server.ok("job/pause", { id: "paced" }), { state: "paused", rate: RATE });
  const held = await eventually(
    () => job(server, "paced"),
    (now) => progress(now)["seen"] === progress(now)["accepted"]! + progress(now)["waiting"]!,
  );
  const { seen = 0 } = progress(held);
  t.ok(seen <= 400, `${seen} devices by its 300th millisecond`);
  t.match(await server.ok("job/list", { state: "paused" }), { jobs: [{ id: "paced" }] });
  await server.stop();

  const second = await again();
  t.match(await job(second, "paced"), { state: "paused", progress: { seen } });
  const { id: other } = await second.ok("notification", { ...all, notification: notification(fresh("other")) });
  await jobIn(second, other);
  t.match(await job(second, "paced"), { state: "paused", progress: { seen } }, "another one overtakes it");
  t.ok(vendor.fake.shown.filter((one) => one.id === "paced").length <= seen);
  t.match(await second.ok("job/rate", { id: "paced", rate: 100_000 }), { state: "paused", rate: 100_000 });
  t.match(await second.ok("job/resume", { id: "paced" }), { state: "running" });
  clock.go();
  t.match(await jobIn(second, "paced"), { progress: { seen: MANY, accepted: MANY, waiting: 0 } });
  shownOnce(t, vendor, "paced", MANY);
  t.match(await second.post("job/pause", { id: "paced" }), { status: 409, body: { message: /has finished/ } });
  t.match(await second.post("job/rate", { id: "paced", rate: 1 }), { status: 409, body: { message: /has finished/ } });
});

t.test("a paused delivery that waits at its vendor's lane is not sent until it is resumed", async (t) => {
  const { vendor, server, again, phones } = await stage(t, 20);
  // Until it is paused, however long that takes.
  const reply = { status: 503, body: "busy" };
  vendor.server.misbehave({ fault: { kind: "reply", reply }, times: Number.POSITIVE_INFINITY });
  const busy = vendor.asked();
  await server.ok("notification", { ...all, notification: notification("held") });
  await busy;
  t.match(await server.ok("job/pause", { id: "held" }), { state: "paused" });
  vendor.server.behave();
  const { id: probe } = await server.ok("notification", {
    pushId: phones[0]!.id,
    notification: notification(fresh("probe")),
  });
  await jobIn(server, probe);
  await server.stop();
  const second = await again();
  const { id: later } = await second.ok("notification", {
    pushId: phones[0]!.id,
    notification: notification(fresh("later")),
  });
  await jobIn(second, later);
  t.match(await job(second, "held"), { state: "paused", progress: { waiting: 20, accepted: 0 } });
  await second.ok("job/resume", { id: "held" });
  t.match(await jobIn(second, "held"), { progress: { accepted: 20 } });
  shownOnce(t, vendor, "held", 20);
});

t.test("a cancelled call sends nothing more, after a restart too", async (t) => {
  const clock = takeClock(t);
  const { vendor, server, again } = await stage(t);
  clock.hold();
  await server.ok("notification", { ...all, rate: 1000, notification: notification("wrong") });
  for (let due = 100; due <= 200; due += 100) {
    await eventually(
      () => job(server, "wrong"),
      (now) => progress(now)["accepted"]! >= due,
    );
    clock.move(100);
  }
  t.match(await server.ok("job/cancel", { id: "wrong" }), { state: "cancelled" });
  clock.go();
  const ended = await eventually(
    () => job(server, "wrong"),
    (now) => progress(now)["waiting"] === 0,
  );
  const { seen = 0, accepted = 0, failed = 0 } = progress(ended);
  t.ok(seen < MANY, `${seen} seen`);
  t.equal(accepted + failed, seen);
  t.match(await counted(server, "wrong", "xiaomi"), { target: seen, accepted, failed }, "the statistics agree");
  const reasons = failed === 0 ? undefined : { xiaomi: { cancelled: failed } };
  t.match(await server.ok("stats/arrival/info", { id: "wrong" }), { failures: reasons });
  t.match(await server.ok("lane/list", {}), { lanes: [{ provider: "xiaomi", accepted, failed }] });
  t.match(await server.post("job/resume", { id: "wrong" }), { status: 409, body: { message: /was cancelled/ } });
  await server.stop();
  const second = await again();
  const { id } = await second.ok("notification", { ...all, notification: notification("right") });
  t.match(await jobIn(second, id), { progress: { accepted: MANY } });
  t.match(await job(second, "wrong"), { state: "cancelled", progress: { seen, accepted } });
  shownOnce(t, vendor, "wrong", accepted);
  shownOnce(t, vendor, "right", MANY);
});

t.test("a scheduled call goes out after a restart, not before its time; another is cancelled before it", async (t) => {
  const clock = takeClock(t);
  const { vendor, server, again } = await stage(t, 10);
  clock.hold();
  const sendAt = Date.now() + 1500;
  await server.ok("notification", { ...all, sendAt, notification: notification("soon") });
  const iso = new Date(Date.now() + 86_400_000).toISOString();
  await server.ok("notification", { ...all, sendAt: iso, notification: notification("tomorrow") });
  t.match(await server.ok("job/list", { state: "scheduled" }), {
    jobs: [{ id: "tomorrow", sendAtIso: iso }, { id: "soon" }],
  });
  t.match(await job(server, "soon"), { state: "scheduled", sendAt, progress: { seen: 0 } });
  await server.stop();
  const second = await again();
  t.match(await job(second, "soon"), { state: "scheduled", sendAt });
  t.match(await second.ok("job/cancel", { id: "tomorrow" }), { state: "cancelled", progress: { seen: 0 } });
  clock.move(1499);
  const { id: other } = await second.ok("notification", { ...all, notification: notification(fresh("other")) });
  await jobIn(second, other);
  t.match(await job(second, "soon"), { state: "scheduled" }, "not before");
  clock.move(1);
  await vendor.shown("soon", 10);
  t.match(await jobIn(second, "soon"), { progress: { accepted: 10 } });
  shownOnce(t, vendor, "soon", 10);
  t.equal(vendor.fake.shown.filter(({ id }) => id === "tomorrow").length, 0);
});

t.test("a call that was under way when the server was stopped goes on, and nobody is shown it twice", async (t) => {
  const { vendor, server, again } = await stage(t);
  const reader = await device(t, server, { topics: ["noti"] });
  const from = vendor.requests.length;
  const began = vendor.asked(from + 1);
  await server.ok("notification", { ...all, notification: notification("going") });
  t.match(argument(await reader.client.next('42["noti"')), { id: "going" });
  await began;
  await server.stop();
  const between = vendor.fake.shown.filter(({ id }) => id === "going").length;
  const second = await again();
  t.match(await jobIn(second, "going"), {
    progress: { seen: MANY + 1, skipped: 0, sent: MANY + 1, accepted: MANY, failed: 0 }, // the reader has no token
    routes: { noti: 1 },
  });
  t.comment(`${between} of ${MANY} before the restart`);
  shownOnce(t, vendor, "going", MANY);
  t.equal(asked(vendor).length, MANY, "an orderly stop repeats nothing at the vendor");
  t.match(await counted(second, "going", "xiaomi"), { target: MANY, accepted: MANY });
  t.match(await counted(second, "going", "android"), { target: 1 });
});

t.test("a call is listed by what a person sees of it: its text, or its title where there is no text", async (t) => {
  const server = await startTestApp(t);
  for (const [notification, name] of [
    [{ android: { title: "Title", message: "Text" } }, "Text"],
    [{ android: { title: "Only a title" } }, "Only a title"],
    [{ android: { title: "Title", message: "" }, apn: { alert: { title: "Of Apple" } } }, "Of Apple"],
    [{ payload: { data: "for an app" } }, ""],
  ] as const) {
    const { id } = await server.ok("notification", { pushAll: true, type: "news", notification });
    t.match(await job(server, String(id)), { text: name }, name);
    t.match(await server.ok("stats/arrival/news", { id }), { notification: name }, name);
  }
});
