// What every engine must do with notifications, method by method (core/outbox.ts). Run with the rest of the conformance suite.
import type { ArrivalEvidence } from "../../src/core/arrival.ts";
import type { Delivery, Settlement } from "../../src/core/delivery.ts";
import type { Device } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { Notification } from "../../src/core/notification.ts";
import type {
  AcceptOptions,
  Addressed,
  ExpandedPage,
  Job,
  NotificationTarget,
  VendorReceipt,
} from "../../src/core/outbox.ts";
import { deviceChannel, type Parcel } from "../../src/core/packet.ts";
import { missed } from "../support/engine.ts";
import {
  ALL,
  accepted,
  addsUp,
  again,
  claimed,
  counts,
  FCM,
  failures,
  jobOf,
  LEASE,
  lastPage,
  named,
  notification,
  over,
  records,
  refused,
  send,
  toList,
  via,
  view,
  XIAOMI,
} from "./outbox-steps.ts";
import { type Define, HOUR, pushId, recorder, T, toDevice, toTopic, uid } from "./steps.ts";

export async function outboxConformance(test: Define): Promise<void> {
  await expansionTests(test);
  await lateTests(test);
  await queueTests(test);
  await orderTests(test);
  await settlementTests(test);
  await lookingBackTests(test);
  await scheduledListTests(test);
  await callTests(test);
  await reachTests(test);
}

async function reachTests(test: Define): Promise<void> {
  const users = (due: number, ...names: readonly string[]) => ({
    users: names.map((name) => ({ uid: uid(name), due, planned: true })),
  });
  const phone = (name: string, user: string): Addressed => ({ ...via(name), uid: uid(user) });
  const order = { json: "1", fallbackAfter: 5000 };
  async function bound(engine: Engine, ...pairs: readonly (readonly [device: string, user: string])[]): Promise<void> {
    for (const [device, user] of pairs)
      await engine.devices.bind({ pushId: pushId(device), uid: uid(user), platformLimit: 0, timeToLive: 0 }, T);
  }
  const sums = async (engine: Engine, id: string, now = T) =>
    (await engine.outbox.reached(id, undefined, 10, now))?.counts;

  await test("integration 15: an acknowledgement takes what waits for its user out of the queue", async (t, subject) => {
    let { engine } = subject;
    await bound(engine, ["a1", "a"], ["a2", "a"], ["b1", "b"], ["page", "a"]);
    const devices = [phone("a1", "a"), phone("a2", "a"), phone("b1", "b")];
    const page = { reach: users(T + 5000, "a", "b"), counts: { target_fcm: 3 } };
    await send(engine, "r1", devices, { note: { reach: order }, page });
    t.same(named(await claimed(engine, 10, T + 4999)), [], "vendors wait");
    t.same(await sums(engine, "r1"), { socket: 0, vendor: 0, waiting: 2, nobody: 0 });
    const acks = [
      { id: "r1", pushId: pushId("page") },
      { id: "r1", pushId: pushId("page") },
      { id: "other", pushId: pushId("b1") },
      { id: "r1", pushId: pushId("unknown") },
    ];
    await engine.outbox.acknowledged(acks, T + 100);
    if (subject.reopen !== undefined) engine = await subject.reopen(T + 200);
    const [left] = await claimed(engine, 10, T + 5000);
    t.same(left?.pushId, pushId("b1"));
    await engine.outbox.settle([accepted(left!)], T + 5001);
    const job = await view(engine, "r1", T + 6000);
    t.match(job, { state: "finished", queued: 1, accepted: 1, failed: {} });
    addsUp(t, job);
    t.match(await counts(engine, "r1"), { target_fcm: 1, accepted_fcm: 1 });
    t.same(await sums(engine, "r1"), { socket: 1, vendor: 1, waiting: 0, nobody: 0 });
    await engine.outbox.acknowledged([{ id: "r1", pushId: pushId("b1") }], T + 7000);
    const reached = await engine.outbox.reached("r1", undefined, 1, T + 8000);
    const rest = await engine.outbox.reached("r1", reached?.next, 5, T + 8000);
    t.same(
      [...(reached?.users ?? []), ...(rest?.users ?? [])],
      [
        { uid: uid("a"), by: "socket", at: T + 100 },
        { uid: uid("b"), by: "vendor", at: T + 5001 },
      ],
    );
    t.equal(await engine.outbox.reached("unknown", undefined, 1, T), undefined);
  });

  await test("integration 15: what comes back from a vendor is not tried again for a user who acknowledged meanwhile", async (t, {
    engine,
  }) => {
    await bound(engine, ["a1", "a"], ["b1", "b"]);
    await send(engine, "r1", [phone("a1", "a"), phone("b1", "b")], {
      note: { reach: order },
      page: { reach: users(T, "a", "b") },
    });
    const both = await claimed(engine);
    await engine.outbox.acknowledged([{ id: "r1", pushId: pushId("a1") }], T + 1);
    await engine.outbox.settle(
      both.map((one) => again(one, T + 10)),
      T + 2,
    );
    t.same(named(await claimed(engine, 10, T + 10)), ["b1"]);
    addsUp(t, await view(engine, "r1"));
    t.same(await sums(engine, "r1"), { socket: 1, vendor: 0, waiting: 1, nobody: 0 });
  });

  await test("integration 15: a job that is paused holds the fallback, one that is cancelled has none", async (t, {
    engine,
  }) => {
    await bound(engine, ["a1", "a"], ["b1", "b"]);
    await send(engine, "r1", [phone("a1", "a"), phone("b1", "b")], {
      note: { reach: order },
      page: { reach: users(T + 10, "a", "b") },
    });
    await engine.outbox.order("r1", "pause", T);
    t.same(await claimed(engine, 10, T + 20), []);
    await engine.outbox.acknowledged([{ id: "r1", pushId: pushId("a1") }], T + 21);
    await engine.outbox.order("r1", "resume", T + 22);
    t.same(named(await claimed(engine, 10, T + 30)), ["b1"]);
    await engine.outbox.order("r1", "cancel", T + 40);
    addsUp(t, await view(engine, "r1"));
  });

  await test("integration 15: a user who was sent so many in a day is spared the next one", async (t, { engine }) => {
    const day = 24 * HOUR;
    for (const [i, at] of [T, T + 1000, T + 2000, T + day + 500].entries())
      await send(engine, `r${i}`, [phone("a1", "a")], {
        at,
        note: { reach: order },
        page: { reach: { ...users(at, "a"), capPerDay: 2 } },
      });
    t.same((await claimed(engine, 10, T + 3000)).length, 2);
    t.same((await claimed(engine, 10, T + day + 600)).length, 1, "the first two are a day ago by then");
    t.match(await records(engine, "r2"), [{ state: "cancelled", reason: /^capPerDay/ }]);
    t.match(await view(engine, "r2"), { queued: 0, waiting: 0, failed: {} });
    t.same(await sums(engine, "r2"), { socket: 0, vendor: 0, waiting: 0, nobody: 1 });
  });
}

async function expansionTests(test: Define): Promise<void> {
  await test("an accepted notification waits, page after page, until its last is expanded (holds 1)", async (t, subject) => {
    let { engine } = subject;
    const target = toList(["a", "b"]);
    t.equal(await engine.outbox.accept(notification("n1"), target), "n1");
    await engine.outbox.accept(notification("n2"), ALL);
    const [first, second] = (await engine.outbox.unexpanded(10, T)).work;
    t.same(first, { job: first?.job, notification: notification("n1"), target, dryRun: false });
    t.match(second, { notification: { id: "n2" }, target: ALL });
    t.equal((await engine.outbox.unexpanded(1, T)).work.length, 1);
    await engine.outbox.expand(first?.job ?? 0, undefined, lastPage({ cursor: "c1" }), T);
    engine = (await subject.reopen?.(T)) ?? engine;
    t.match((await engine.outbox.unexpanded(1, T)).work, [{ job: first?.job, cursor: "c1" }]);
    await engine.outbox.expand(first?.job ?? 0, "c1", lastPage(), T);
    t.same(
      (await engine.outbox.unexpanded(10, T)).work.map(({ notification }) => notification.id),
      ["n2"],
    );
  });

  await test("a page's packets, counts and cursor are stored together, then handed over", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    await engine.outbox.accept(notification("n1", { type: "pushAll" }), ALL);
    const job = await jobOf(engine, "n1");
    const page = lastPage({
      parcels: [toDevice("a", "n1"), toDevice("b", "n1", 0), toTopic("noti", "n1")],
      counts: { target_android: 2, target_apn: 0 },
      devices: [over("a", "u"), over("b")],
      routes: { connection: 2 },
    });
    await engine.outbox.expand(job, undefined, page, T);
    t.same(
      hub.delivered.map(({ channel }) => channel),
      page.parcels.map(({ channel }) => channel),
    );
    t.ok("seq" in (hub.delivered[0]?.packet ?? {}));
    t.notOk("seq" in (hub.delivered[1]?.packet ?? {}));
    t.equal((await missed(engine, deviceChannel(pushId("a")), "unsent", T)).length, 1);
    await engine.outbox.expand(job, undefined, page, T);
    t.equal(hub.delivered.length, 3, "a page of a finished job does nothing");
    const [record] = await engine.counters.arrivals({ id: "n1" }, 1);
    t.same(record, {
      id: "n1",
      type: "pushAll",
      text: "M",
      timeToLive: HOUR,
      timeStart: T,
      callerAddress: "127.0.0.1",
      pushIds: [pushId("a"), pushId("b")],
      uids: ["u"],
      counts: { target_android: 2 },
    });
  });

  await test("of two pages read from the same place only one is taken", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    await engine.outbox.accept(notification("n1"), ALL);
    const job = await jobOf(engine, "n1");
    const page = (name: string, cursor?: string): ExpandedPage =>
      lastPage({
        parcels: [toDevice(name, "n1")],
        devices: [via(name)],
        counts: { target_fcm: 1 },
        ...(cursor === undefined ? {} : { cursor }),
      });
    const expand = (from: string | undefined, page: ExpandedPage): Promise<boolean> =>
      engine.outbox.expand(job, from, page, T);
    t.same(await Promise.all([expand(undefined, page("a", "c1")), expand(undefined, page("b", "c1"))]), [true, false]);
    t.equal(await expand("c0", page("b")), false);
    t.same(await Promise.all([expand("c1", page("c")), expand("c1", page("d"))]), [true, false]);
    t.equal(await expand("c1", page("d")), false, "a page of a finished job");
    t.same(named(await claimed(engine)), ["a", "c"]);
    t.equal(hub.delivered.length, 2);
    t.same(await counts(engine, "n1"), { target_fcm: 2 });
  });

  await test("an id that is used twice adds up, and both notifications are expanded", async (t, { engine }) => {
    await engine.outbox.accept(notification("same"), toList(["a"]));
    await engine.outbox.accept(notification("same"), toList(["b"]));
    const { work } = await engine.outbox.unexpanded(10, T);
    t.equal(work.length, 2);
    for (const { job, target } of work) {
      const devices = target.kind === "pushIds" ? target.pushIds.map((pushId) => ({ pushId })) : [];
      await engine.outbox.expand(job, undefined, lastPage({ counts: { target_android: 1 }, devices }), T);
    }
    const [record] = await engine.counters.arrivals({ id: "same" }, 10);
    t.same(record?.counts, { target_android: 2 });
    t.same(record?.pushIds, [pushId("a"), pushId("b")]);
    t.same((await engine.outbox.unexpanded(10, T)).work, []);
  });
}

async function lateTests(test: Define): Promise<void> {
  await test("a page that is too late leaves a record of each device, and nothing to send", async (t, { engine }) => {
    await engine.outbox.accept(notification("late"), toList(["a"]));
    const job = await jobOf(engine, "late");
    const counted = { target_fcm: 1, target_android: 1 };
    const first = lastPage({ devices: [via("a"), over("b")], cursor: "c", counts: counted });
    await engine.outbox.expand(job, undefined, { ...first, late: "expired" }, T + HOUR);
    t.match(await view(engine, "late"), { state: "running", queued: 2, waiting: 0, finishedAt: undefined });
    await engine.outbox.expand(job, "c", lastPage({ devices: [over("c")], late: "expired" }), T + HOUR + 1);
    t.same(await engine.outbox.lanes(), []);
    t.same(await claimed(engine, 10, T + HOUR), []);
    const reason = "its time to live passed in the queue";
    const found = await view(engine, "late");
    t.match(found, { state: "finished", finishedAt: T + HOUR + 1, queued: 3, waiting: 0, failed: { [reason]: 3 } });
    addsUp(t, found);
    t.match(await records(engine, "late"), [
      { lane: FCM, state: "expired", reason, settledAt: T + HOUR, sentAt: undefined },
      { lane: undefined, state: "expired", reason, settledAt: T + HOUR, sentAt: undefined },
      { lane: undefined, state: "expired", reason, settledAt: T + HOUR + 1, sentAt: undefined },
    ]);
    t.same(await counts(engine, "late"), { ...counted, failed_fcm: 1, failed_android: 2 });
    t.same(await failures(engine, "late"), { fcm: { [reason]: 1 }, android: { [reason]: 2 } });
  });
}

async function queueTests(test: Define): Promise<void> {
  await test("a delivery is claimed once, with its notification, and settled", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    hub.present.add(pushId("b"));
    const job = await send(engine, "n1", [via("a"), over("b"), via("c")], {
      page: { parcels: [toDevice("b", "n1")], routes: { fcm: 2, connection: 1 } },
    });
    t.same(await engine.outbox.lanes(), [{ lane: FCM, depth: 2, oldest: T }]);
    const claim = await engine.outbox.claim(FCM, 10, T, LEASE);
    t.match(claim.deliveries[0], {
      job,
      lane: FCM,
      pushId: pushId("a"),
      type: "fcm",
      token: "a-token",
      attempts: 0,
      lease: { until: T + LEASE },
    });
    t.same(named(claim.deliveries), ["a", "c"]);
    t.same(claim.notes, new Map([[job, notification("n1")]]));
    t.same(await claimed(engine), [], "what is leased is not claimed again");
    const [a, c] = claim.deliveries;
    await engine.outbox.settle([accepted(a!, "r1"), refused(c!, "too long")], T + 5);
    t.same(await engine.outbox.lanes(), []);
    const found = await view(engine, "n1");
    t.match(found, {
      job,
      state: "finished",
      finishedAt: T + 5,
      seen: 3,
      routes: { fcm: 2, connection: 1 },
      queued: 2,
      waiting: 0,
      accepted: 1,
      failed: { "too long": 1 },
    });
    addsUp(t, found);
    t.same(await counts(engine, "n1"), { accepted_fcm: 1, failed_fcm: 1 });
    t.same(await records(engine, "n1"), [
      {
        pushId: pushId("a"),
        lane: FCM,
        state: "accepted",
        retries: 0,
        receipt: "r1",
        queuedAt: T,
        sentAt: T,
        settledAt: T + 5,
      },
      { pushId: pushId("b"), state: "queued", retries: 0, queuedAt: T },
      {
        pushId: pushId("c"),
        lane: FCM,
        state: "refused",
        reason: "too long",
        retries: 0,
        queuedAt: T,
        sentAt: T,
        settledAt: T + 5,
      },
    ]);
  });

  await test("a device without a vendor is sent it while it is connected, later, or never", async (t, subject) => {
    let { engine } = subject;
    const hub = recorder();
    engine.broker.attach(hub);
    hub.present.add(pushId("a"));
    for (const name of ["a", "b", "c"]) await engine.devices.connect({ pushId: pushId(name) }, T);
    const names = ["a", "b", "c"];
    const devices = names.map((name) => over(name));
    const noti = ({ channel, packet }: Parcel): Parcel => ({ channel, packet: { ...packet, event: "noti" } });
    const page = (id: string, expires: number) => ({ parcels: names.map((name) => noti(toDevice(name, id, expires))) });
    const states = async (id: string) => (await records(engine, id)).map(({ state }) => state);
    await send(engine, "kept", devices, { page: page("kept", T + HOUR) });
    await send(engine, "now", devices, { page: page("now", 0), note: { timeToLive: 0 } });
    await send(engine, "late", devices, { page: { parcels: [] } });
    t.same(
      await states("kept"),
      ["queued", "queued", "queued"],
      "kept ones when they are proven to have arrived (holds 9)",
    );
    t.same(await records(engine, "now"), [
      { pushId: pushId("a"), state: "sent", retries: 0, queuedAt: T, sentAt: T },
      ...["b", "c"].map((name) => ({
        pushId: pushId(name),
        state: "expired",
        retries: 0,
        reason: "the device was away, and without timeToLive nothing is kept for it",
        queuedAt: T,
        settledAt: T,
      })),
    ]);
    t.same(await states("late"), ["expired", "expired", "expired"], "nothing was sent, though one is connected");
    const [kept] = await missed(engine, deviceChannel(pushId("b")), "unsent", T);
    const replayed = { id: "kept", expires: T + HOUR, at: T + 5 };
    await engine.broker.sent([
      {
        pushId: pushId("b"),
        seq: kept!.seq,
        replayed: [
          { ...replayed, id: "now" },
          { ...replayed, expires: 1 },
        ],
      },
    ]);
    t.same(await states("kept"), ["queued", "queued", "queued"], "another one was replayed");
    await engine.broker.sent([{ pushId: pushId("b"), seq: kept!.seq, replayed: [replayed] }]);
    const later = { pushId: pushId("b"), state: "sent", retries: 0, queuedAt: T, sentAt: T + 5 };
    t.same((await records(engine, "kept"))[1], later);
    await missed(engine, deviceChannel(pushId("a")), { after: "kept" }, T + 6);
    t.match((await records(engine, "kept"))[0], { state: "sent", sentAt: T + 6 }, "its position names it");
    if (subject.reopen !== undefined) {
      engine = await subject.reopen(T + HOUR);
      t.same((await records(engine, "kept")).slice(1), [
        later,
        {
          pushId: pushId("c"),
          state: "expired",
          retries: 0,
          reason: "the device did not come back within its time to live",
          queuedAt: T,
          settledAt: T + HOUR,
        },
      ]);
    }
    await engine.devices.delete([pushId("c")]);
    t.same(await states("kept"), ["sent", "sent", "expired"]);
    t.same(await engine.outbox.lanes(), [], "no lane knows of them");
  });

  await test("a delivery that failed for now comes back when it is due, and says how often it was tried", async (t, {
    engine,
  }) => {
    await send(engine, "n1", [via("a"), via("b")]);
    const [a, b] = await claimed(engine);
    await engine.outbox.settle([again(a!, T + 1000), again(b!, T + 500, false)], T);
    const early = await engine.outbox.claim(FCM, 10, T + 499, LEASE);
    t.same(early.deliveries, []);
    t.equal(early.next, T + 500);
    t.match(await engine.outbox.claim(FCM, 10, T + 500, LEASE), { deliveries: [{ attempts: 0 }], next: T + 1000 });
    t.match(await engine.outbox.claim(FCM, 10, T + 1000, LEASE), { deliveries: [{ attempts: 1 }] });
  });

  await test("a lease that has ended gives the delivery to the next claim, and its settlement is ignored", async (t, {
    engine,
    clock,
  }) => {
    await send(engine, "n1", [via("a"), via("b")]);
    const [first] = (await engine.outbox.claim(FCM, 1, T, 5000)).deliveries;
    t.equal((await engine.outbox.claim(FCM, 1, T, LEASE)).next, T + 5000, "the end of the nearest lease");
    t.same(await claimed(engine, 10, T + HOUR - 1), [], "whose clock is ahead takes nobody's lease");
    clock.now += 4999;
    t.same(await claimed(engine), []);
    clock.now += 1;
    const [second, another] = await claimed(engine);
    t.equal(another, undefined, "the other's lease is longer");
    t.not(second?.lease.name, first?.lease.name);
    t.equal(second?.delivery, first?.delivery, "the same number");
    t.equal(second?.attempts, 0);
    await engine.outbox.settle([refused(first!)], T + LEASE);
    t.match(await view(engine, "n1"), { waiting: 2, failed: {} });
    await engine.outbox.settle([accepted(second!)], T + LEASE);
    await engine.outbox.settle([accepted(second!), refused(second!)], T + LEASE);
    const job = await view(engine, "n1");
    t.match(job, { waiting: 1, accepted: 1, failed: {} });
    addsUp(t, job);
    t.same(await counts(engine, "n1"), { accepted_fcm: 1 });
  });

  await test("what was leased before a restart is due at once, and waits on with what it was", async (t, subject) => {
    if (subject.reopen === undefined) return void t.pass("nothing lasts here");
    await send(subject.engine, "n1", [via("a"), via("b"), via("c")]);
    const [a, b] = await claimed(subject.engine, 2);
    await subject.engine.outbox.settle([again(a!, T + 500)], T);
    const engine = await subject.reopen(T);
    t.same(await engine.outbox.lanes(), [{ lane: FCM, depth: 3, oldest: T }]);
    const claim = await engine.outbox.claim(FCM, 10, T, LEASE);
    t.same(named(claim.deliveries), ["b", "c"]);
    t.same(claim.deliveries[0], { ...b, lease: claim.deliveries[0]?.lease });
    t.equal(claim.next, T + 500);
    t.match(await claimed(engine, 10, T + 500), [{ attempts: 1 }]);
  });

  await test("small calls go before calls to many, each in the order they are due", async (t, { engine }) => {
    const many = Array.from({ length: 1001 }, (_, i) => `m${i}`);
    await send(engine, "all", [via("a1"), via("a2")], { target: ALL });
    await send(engine, "tag", [via("t1")], { target: { kind: "tag", tag: "x" }, at: T + 1 });
    await send(engine, "list", [via("l1")], { target: toList(many), at: T + 2 });
    await send(engine, "small", [via("s1")], { at: T + 4 });
    await send(engine, "thousand", [via("s2")], { target: toList(many.slice(1)), at: T + 3 });
    const uids = { kind: "uids" as const, uids: [uid("u")] };
    await send(engine, "uids", [via("s3")], { target: uids, at: T + 5 });
    t.same(named(await claimed(engine, 2, T + 9)), ["s2", "s1"]);
    t.same(named(await claimed(engine, 3, T + 9)), ["s3", "a1", "a2"]);
    t.same(named(await claimed(engine, 9, T + 9)), ["t1", "l1"]);
  });

  await test("F1: deliveries of one app to different hosts are lanes of their own", async (t, subject) => {
    let { engine } = subject;
    const at = (host?: string) => ({ ...FCM, ...(host === undefined ? {} : { host }) });
    await send(engine, "n1", [via("a", at("one")), via("b", at("two")), via("c", at("two")), via("d", at())]);
    const depths = async () =>
      Object.fromEntries((await engine.outbox.lanes()).map(({ lane, depth }) => [lane.host ?? "", depth]));
    t.same(await depths(), { one: 1, two: 2, "": 1 });
    const two = await claimed(engine, 9, T + 1, at("two"));
    t.same(
      two.map(({ pushId, lane }) => [pushId, lane]),
      [
        [pushId("b"), at("two")],
        [pushId("c"), at("two")],
      ],
    );
    t.same((await claimed(engine, 9, T + 1, at())).length, 1);
    await engine.outbox.settle([accepted(two[0]!)], T + 2);
    t.same(await depths(), { one: 1, two: 1, "": 1 });
    engine = (await subject.reopen?.(T)) ?? engine;
    t.same(await depths(), { one: 1, two: 1, "": 1 });
    await engine.outbox.expire(at("one"), undefined, 9, T + 30 * HOUR);
    t.same(await depths(), { two: 1, "": 1 });
    t.match(await engine.outbox.unsent(), [{ lane: at("one"), total: 1 }]);
  });

  await test("lanes do not see each other's deliveries", async (t, { engine }) => {
    const other = { vendor: "fcm", app: "com.y" };
    await send(engine, "n1", [via("a"), via("b", XIAOMI), via("c", other)]);
    await send(engine, "n2", [via("d", XIAOMI)], { at: T + 1 });
    const lanes = [...(await engine.outbox.lanes())].sort((x, y) => y.depth - x.depth);
    t.equal(lanes.length, 3);
    t.same(lanes[0], { lane: XIAOMI, depth: 2, oldest: T });
    t.same(named(await claimed(engine, 9, T + 1, XIAOMI)), ["b", "d"]);
    t.same(named(await claimed(engine, 9, T + 1, other)), ["c"]);
    t.same(await claimed(engine, 9, T + 1, { vendor: "xiaomi", app: "com.y" }), []);
    const find = async () => (await engine.outbox.lanes()).find(({ lane }) => lane.app === "com.y");
    t.match(await find(), { depth: 1, oldest: T }, "also what is at the vendor");
  });

  await test("a claim passes over what expired, and counts it as failed", async (t, { engine }) => {
    await send(engine, "n1", [via("a"), via("b")], { note: { timeToLive: 1000 } });
    await send(engine, "n2", [via("c")]);
    const [a] = await claimed(engine, 1);
    await engine.outbox.settle([again(a!, T + 10, true, "vendor is busy")], T);
    t.same(named(await claimed(engine, 9, T + 1000)), ["c"]);
    const job = await view(engine, "n1");
    t.match(job, {
      state: "finished",
      finishedAt: T + 1000,
      waiting: 0,
      failed: { "vendor is busy": 1, "its time to live passed in the queue": 1 },
    });
    addsUp(t, job);
    t.same(await counts(engine, "n1"), { failed_fcm: 2 });
    t.same(await engine.outbox.unsent(), [{ lane: FCM, total: 2 }]);
    t.same(
      (await records(engine, "n1")).map(({ state, retries }) => [state, retries]),
      [
        ["expired", 1],
        ["expired", 0],
      ],
    );
    t.equal((await engine.outbox.lanes())[0]?.depth, 1);
  });

  for (const first of ["lasting", "short"])
    await test(`a stopped lane lets go of what has expired, a piece at a time (${first} first)`, async (t, {
      engine,
    }) => {
      const apns = { vendor: "apns", app: "com.x" };
      const names = Array.from({ length: 10 }, (_, i) => `d${i}`);
      const lasting = ["l1", "l2", "l3", "l4", "l5"];
      if (first === "lasting")
        await send(
          engine,
          "lasting",
          lasting.map((name) => via(name, apns)),
        );
      await send(
        engine,
        "short",
        names.map((name) => via(name, apns)),
        { note: { timeToLive: 1000 } },
      );
      if (first === "short")
        await send(
          engine,
          "lasting",
          lasting.map((name) => via(name, apns)),
        );
      await send(engine, "wide", [via("w1", apns), via("w2", apns)], { target: ALL, note: { timeToLive: 2000 } });
      t.equal(await engine.outbox.expire(apns, undefined, 3, T + 999), undefined, "nothing to do");
      t.equal((await view(engine, "short"))?.waiting, 10);
      const expire = async (now: number): Promise<number> => {
        let pieces = 0;
        let after: number | undefined;
        do {
          after = await engine.outbox.expire(apns, after, 3, now);
          pieces++;
        } while (after !== undefined && pieces < 50);
        return pieces;
      };
      const pieces = await expire(T + 1000);
      t.ok(pieces >= 4 && pieces < 12, `${pieces} pieces`);
      t.match(await view(engine, "short"), { state: "finished", waiting: 0 });
      t.same(await counts(engine, "short"), { failed_apn: 10 });
      t.match(await view(engine, "wide"), { waiting: 2 });
      await expire(T + 2000);
      t.match(await view(engine, "wide"), { waiting: 0 });
      t.match(await view(engine, "lasting"), { waiting: 5 });
      t.same(await engine.outbox.lanes(), [{ lane: apns, depth: 5, oldest: T }]);
      t.same(named(await claimed(engine, 9, T + 2000, apns)), lasting);
    });

  await test("one of many lost leases among 2,000 settlements costs only itself", async (t, { engine, clock }) => {
    const all = Array.from({ length: 2000 }, (_, i) => via(`d${i}`));
    await send(engine, "n1", all, { target: ALL });
    const deliveries = await claimed(engine, 2000);
    t.equal(deliveries.length, 2000);
    const results = deliveries.map((delivery, i) =>
      i === 1500 ? accepted({ ...delivery, lease: { ...delivery.lease, name: -1 } }) : accepted(delivery, `r${i}`),
    );
    await engine.outbox.settle(results, T);
    t.match(await view(engine, "n1"), { waiting: 1, accepted: 1999, state: "running" });
    t.same(await counts(engine, "n1"), { accepted_fcm: 1999 });
    clock.now += LEASE;
    t.same(named(await claimed(engine)), ["d1500"]);
  });

  await test("a number of a delivery is never given twice, also after a restart", async (t, subject) => {
    await send(subject.engine, "n1", [via("a")]);
    const first = (await claimed(subject.engine))[0]?.delivery ?? 0;
    t.ok(first > 0);
    const engine = (await subject.reopen?.(T)) ?? subject.engine;
    await send(engine, "n2", [via("b")]);
    const numbers = (await claimed(engine)).map(({ delivery }) => delivery);
    t.ok(Math.max(...numbers) > first);
  });
}

async function orderTests(test: Define): Promise<void> {
  const states = async (engine: Engine, id: string): Promise<string[]> =>
    (await records(engine, id)).map(({ state }) => state);

  await test("a paused job expands nothing and sends nothing until it is resumed", async (t, subject) => {
    let { engine } = subject;
    const job = await send(engine, "n1", [via("a"), via("b"), via("c")], { target: ALL, page: { cursor: "c1" } });
    await send(engine, "n2", [via("d")], { target: ALL });
    const [leased] = await claimed(engine, 1);
    t.match(await engine.outbox.order("n1", "pause", T), [{ job, id: "n1", state: "paused", waiting: 3 }]);
    t.same(await engine.outbox.order("n1", "pause", T), [], "it is paused already");
    t.same((await engine.outbox.unexpanded(9, T)).work, []);
    t.same(named(await claimed(engine)), ["d"]);
    await engine.outbox.settle([again(leased!, T)], T);
    t.same(await claimed(engine), [], "also what was under way");
    const hub = recorder();
    engine.broker.attach(hub);
    await engine.outbox.expand(job, undefined, lastPage({ devices: [via("e")], parcels: [toDevice("e", "n1")] }), T);
    t.same(hub.delivered, [], "a page that was being made is not taken");
    engine = (await subject.reopen?.(T)) ?? engine;
    t.match(await engine.outbox.jobs({ id: "n1" }, 9, T), [{ state: "paused", waiting: 3, queued: 3 }]);
    t.same(await states(engine, "n1"), ["queued", "queued", "queued"]);
    t.match(await engine.outbox.order("n1", "resume", T + 5), [{ job, state: "running" }]);
    t.match((await engine.outbox.unexpanded(9, T + 5)).work, [{ job, cursor: "c1" }]);
    t.same(
      named(await claimed(engine, 9, T + 5)).sort(),
      subject.reopen === undefined ? ["a", "b", "c"] : ["a", "b", "c", "d"],
    );
    t.same(await engine.outbox.order("n1", "resume", T), []);
  });

  await test("a cancelled job sends nothing more, whatever stage it is in", async (t, { engine }) => {
    const job = await send(
      engine,
      "n1",
      ["a", "b", "c", "d"].map((name) => via(name)),
      {
        target: ALL,
        page: { cursor: "c1" },
      },
    );
    const [a, b] = await claimed(engine, 2);
    await engine.outbox.settle([accepted(a!)], T);
    const [found] = await engine.outbox.order("n1", "cancel", T + 1);
    t.match(found, { job, state: "cancelled", waiting: 1, accepted: 1, failed: { cancelled: 2 } });
    addsUp(t, found);
    t.notOk("finishedAt" in (found ?? {}), "one is at the vendor");
    t.same(await states(engine, "n1"), ["accepted", "queued", "cancelled", "cancelled"]);
    t.same(await claimed(engine), []);
    t.same((await engine.outbox.unexpanded(9, T)).work, []);
    await engine.outbox.expand(job, undefined, lastPage({ devices: [via("e")] }), T);
    await engine.outbox.settle([again(b!, T + 9)], T + 2);
    t.match(await view(engine, "n1"), {
      state: "cancelled",
      finishedAt: T + 2,
      waiting: 0,
      queued: 4,
      failed: { cancelled: 3 },
    });
    t.same(await engine.outbox.lanes(), []);
    t.same(await engine.outbox.order("n1", "cancel", T), []);
    t.same(await engine.outbox.order("n1", "resume", T), []);
    t.same(await counts(engine, "n1"), { accepted_fcm: 1, failed_fcm: 3 }, "the statistics add up as well");
    t.same(await failures(engine, "n1"), { fcm: { cancelled: 3 } });
    t.same(await engine.outbox.unsent(), [{ lane: FCM, total: 3 }]);
  });

  await test("a vendor's answer to what was under way counts after a cancel", async (t, { engine }) => {
    await send(engine, "n1", [via("a")]);
    const [a] = await claimed(engine);
    await engine.outbox.order("n1", "cancel", T);
    await engine.outbox.settle([accepted(a!)], T + 1);
    t.match(await view(engine, "n1"), { state: "cancelled", accepted: 1, waiting: 0, finishedAt: T + 1 });
  });

  await test("a paused job can be cancelled, what it holds back included", async (t, { engine }) => {
    await send(engine, "n1", [via("a"), via("b")]);
    await engine.outbox.order("n1", "pause", T);
    t.same(await claimed(engine), []);
    const [job] = await engine.outbox.order("n1", "cancel", T);
    t.match(job, { state: "cancelled", waiting: 0, failed: { cancelled: 2 }, finishedAt: T });
    t.same(await engine.outbox.lanes(), []);
  });

  await test("a job that waits for its time is paused and cancelled like any other", async (t, { engine }) => {
    const note = notification("n1", { sendAt: T + 1000 });
    await engine.outbox.accept(note, ALL);
    await engine.outbox.accept(note, ALL);
    t.match(await engine.outbox.order("n1", "pause", T), [{ state: "paused" }, { state: "paused" }]);
    t.same(await engine.outbox.unexpanded(9, T + 1000), { work: [] });
    t.match(await engine.outbox.order("n1", "resume", T), [{ state: "scheduled" }, { state: "scheduled" }]);
    t.same(await engine.outbox.unexpanded(9, T), { work: [], next: T + 1000 });
    t.match(await engine.outbox.order("n1", "cancel", T), [{ state: "cancelled", finishedAt: T }, {}]);
    t.same(await engine.outbox.unexpanded(9, T + 1000), { work: [] });
    t.same(await engine.outbox.order("unknown", "cancel", T), []);
  });

  await test("A13: an order for jobs to devices alone leaves those to everybody or a tag as they are", async (t, {
    engine,
  }) => {
    const note = notification("n1", { sendAt: T + 1000 });
    await engine.outbox.accept(note, ALL);
    await engine.outbox.accept(note, { kind: "tag", tag: "vip" });
    await engine.outbox.accept(note, { kind: "uids", uids: [uid("ann")] });
    for (const order of ["pause", "resume", "cancel"] as const) {
      const changed = await engine.outbox.order("n1", order, T, { toDevicesOnly: true });
      t.same(
        changed.map(({ target }) => target),
        ["uids"],
      );
    }
    t.match(await engine.outbox.jobs({ id: "n1" }, 9, T), [
      { target: "uids", state: "cancelled" },
      { target: "tag", state: "scheduled" },
      { target: "all", state: "scheduled" },
    ]);
    t.equal((await engine.outbox.order("n1", "cancel", T)).length, 2);
  });

  await test("others get in while a job of 12,000 is resumed or cancelled", async (t, { engine }) => {
    await engine.outbox.accept(notification("n1"), ALL);
    const job = await jobOf(engine, "n1");
    for (let i = 0; i < 12; i++) {
      const devices = Array.from({ length: 1000 }, (_, k) => via(`d${i}-${k}`));
      await engine.outbox.expand(
        job,
        i === 0 ? undefined : `${i - 1}`,
        lastPage({ devices, ...(i < 11 ? { cursor: `${i}` } : {}) }),
        T,
      );
    }
    await engine.outbox.order("n1", "pause", T);
    let claim = await engine.outbox.claim(FCM, 500, T, LEASE);
    t.equal(claim.next, T, "a claim does not pass over all of them at once");
    for (; claim.next !== undefined && claim.next <= T; claim = await engine.outbox.claim(FCM, 500, T, LEASE))
      t.same(claim.deliveries, []);
    for (const order of ["resume", "cancel"] as const) {
      let done = false;
      const ordered = engine.outbox.order("n1", order, T).then(() => {
        done = true;
      });
      await engine.devices.count();
      await engine.devices.count();
      t.notOk(done);
      await ordered;
    }
    let found = await view(engine, "n1");
    while (found?.waiting !== 0) found = await view(engine, "n1");
    t.match(found, { waiting: 0, failed: { cancelled: 12_000 }, state: "cancelled" });
    t.same(await engine.outbox.lanes(), []);
  });

  const many = (count: number) => Array.from({ length: count }, (_, i) => via(`d${i}`));

  await test("a cancel of 11,000 is answered before it is carried out, which goes on at once", async (t, {
    engine,
  }) => {
    await send(engine, "n1", many(11_000), { target: ALL });
    const [answered] = await engine.outbox.order("n1", "cancel", T);
    t.equal(answered?.state, "cancelled");
    const { cancelled = 0 } = answered?.failed ?? {};
    t.ok(cancelled >= 8000 && cancelled < 11_000, `${cancelled}`);
    t.same(await claimed(engine), [], "it holds for all of them");
    let found = await view(engine, "n1");
    while (found?.waiting !== 0) found = await view(engine, "n1");
    t.match(found, { failed: { cancelled: 11_000 } });
  });

  await test("a lane looks again for as long as a job of 3,000 is resumed", async (t, { engine }) => {
    await send(engine, "n1", many(3000), { target: ALL });
    await engine.outbox.order("n1", "pause", T);
    for (let next: number | undefined = T; next === T; ) next = (await engine.outbox.claim(FCM, 500, T, LEASE)).next;
    t.match(await engine.outbox.order("n1", "resume", T), [{ state: "running", waiting: 3000 }]);
    for (let got = 0; got < 3000; ) {
      const { deliveries, next } = await engine.outbox.claim(FCM, 500, T, LEASE);
      got += deliveries.length;
      if (got < 3000 && deliveries.length === 0) t.ok(next !== undefined && next <= T + 100, `after ${got}`);
    }
  });
}

async function settlementTests(test: Define): Promise<void> {
  const gone = (delivery: Delivery, forget: { readonly registeredBefore?: number } = {}): Settlement => ({
    delivery,
    kind: "gone",
    reason: "Unregistered",
    counters: ["failed_fcm"],
    forget,
  });
  const device = async (engine: Engine, name: string): Promise<Device | undefined> =>
    (await engine.devices.get([pushId(name)], T))[0];

  await test("a dead token is forgotten, and its device goes on without one", async (t, { engine }) => {
    for (const [name, type, platform] of [
      ["a", "fcm", "android"],
      ["i", "apn", "ios"],
      ["j", "apns", "ios"],
    ] as const) {
      const token = { type, token: `${name}-token`, packageName: "com.x" };
      await engine.devices.connect({ pushId: pushId(name), platform, tags: ["x"], token }, T);
    }
    const apn = (name: string, type: string): Addressed => ({
      pushId: pushId(name),
      via: { lane: FCM, type, token: `${name}-token` },
    });
    await send(engine, "n1", [via("a"), apn("i", "apn"), apn("j", "apns")]);
    await engine.outbox.settle(
      (await claimed(engine)).map((one) => gone(one)),
      T + 5,
    );
    t.same(await device(engine, "a"), {
      pushId: pushId("a"),
      tags: ["x"],
      type: "androidNoToken",
      createTime: T,
      updateTime: T + 5,
    });
    t.equal((await device(engine, "i"))?.type, "apnNoToken");
    t.equal((await device(engine, "j"))?.type, "apnNoToken");
    t.match(await view(engine, "n1"), { failed: { Unregistered: 3 }, state: "finished" });
    await engine.devices.setToken(pushId("a"), { type: "fcm", token: "a-token" }, T + 6);
    t.equal((await device(engine, "a"))?.token, "a-token", "the device may bring it again");
  });

  await test("a token that is not the dead one any more stays", async (t, { engine }) => {
    const token = { type: "fcm", token: "a-token" };
    for (const name of ["a", "b"])
      await engine.devices.connect({ pushId: pushId(name), token: { ...token, token: `${name}-token` } }, T);
    await send(engine, "n1", [via("a"), via("b"), via("none")]);
    const deliveries = await claimed(engine);
    await engine.devices.setToken(pushId("a"), { type: "fcm", token: "newer" }, T + 1);
    await engine.devices.setToken(pushId("b"), { type: "huawei", token: "b-token" }, T + 1);
    await engine.outbox.settle(
      deliveries.map((one) => gone(one)),
      T + 2,
    );
    t.equal((await device(engine, "a"))?.token, "newer");
    t.equal((await device(engine, "b"))?.type, "huawei");
  });

  await test("a token survives the news of an end that came before its registration", async (t, { engine }) => {
    const token = { type: "apn", token: "a-token" };
    const settleGone = async (id: string, registeredBefore: number): Promise<string | undefined> => {
      const addressed = { pushId: pushId("a"), via: { lane: FCM, type: "apn", token: "a-token" } };
      await send(engine, id, [addressed]);
      await engine.outbox.settle(
        (await claimed(engine)).map((one) => gone(one, { registeredBefore })),
        T,
      );
      return (await device(engine, "a"))?.token;
    };
    await engine.devices.connect({ pushId: pushId("a"), token }, T);
    t.equal(await settleGone("n1", T), "a-token");
    await engine.devices.connect({ pushId: pushId("a"), token }, T + HOUR);
    t.equal((await device(engine, "a"))?.updateTime, T);
    await engine.devices.connect({ pushId: pushId("a"), token }, T + 2 * HOUR);
    t.equal(await settleGone("n2", T + 2 * HOUR), "a-token", "brought again more than an hour later");
    await engine.devices.setToken(pushId("a"), token, T + 4 * HOUR);
    t.equal(await settleGone("n3", T + 4 * HOUR), "a-token", "or by itself");
    await engine.devices.changeTag(pushId("a"), "x", true, T + 5 * HOUR);
    t.equal(await settleGone("n4", T + 4 * HOUR + 1), undefined, "a tag says nothing of the token");
  });

  await test("that a token was brought again within the hour is still known after a restart", async (t, subject) => {
    let { engine } = subject;
    const token = { type: "apn", token: "a-token" };
    for (const at of [T, T + 50]) await engine.devices.connect({ pushId: pushId("a"), token }, at);
    engine = (await subject.reopen?.(T + 60)) ?? engine;
    const end = async (id: string, registeredBefore: number) => {
      await send(engine, id, [{ pushId: pushId("a"), via: { lane: FCM, type: "apn", token: "a-token" } }]);
      await engine.outbox.settle(
        (await claimed(engine)).map((one) => gone(one, { registeredBefore })),
        T,
      );
      return (await device(engine, "a"))?.token;
    };
    t.equal(await end("n1", T + 30), "a-token");
    t.equal(await end("n2", T + 51), undefined);
  });

  await test("by which way a token was reached is kept with it, until the device has another", async (t, subject) => {
    let { engine } = subject;
    const connect = (name: string, token: string, now = T) =>
      engine.devices.connect({ pushId: pushId(name), token: { type: "fcm", token } }, now);
    const reach = async (id: string, detours: Readonly<Record<string, string>>): Promise<unknown> => {
      await send(engine, id, [via("a"), via("b")]);
      const deliveries = await claimed(engine);
      const settlements = deliveries.map((one) => {
        const detour = detours[named([one])[0] ?? ""];
        return detour === undefined ? accepted(one) : { ...accepted(one), detour };
      });
      await engine.outbox.settle(settlements, T);
      return Object.fromEntries(named(deliveries).map((name, i) => [name, deliveries[i]?.detour]));
    };
    await connect("a", "a-token");
    await connect("b", "b-token");
    t.same(await reach("n1", { a: "sandbox com.x" }), { a: undefined, b: undefined });
    engine = (await subject.reopen?.(T)) ?? engine;
    t.same(await reach("n2", { b: "sandbox com.x" }), { a: "sandbox com.x", b: undefined });
    await connect("b", "b-token", T + 25 * HOUR);
    t.same(await reach("n3", { a: "" }), { a: "sandbox com.x", b: "sandbox com.x" }, "a reconnect changes nothing");
    t.same(await reach("n4", {}), { a: undefined, b: "sandbox com.x" });
    await connect("b", "newer", T + 26 * HOUR);
    await connect("b", "b-token", T + 27 * HOUR);
    t.same(await reach("n5", { a: "x" }), { a: undefined, b: undefined });
    await connect("a", "newer", T + 27 * HOUR);
    t.same(await reach("n6", { a: "x" }), { a: undefined, b: undefined }, "of another token");
    await connect("a", "a-token", T + 28 * HOUR);
    t.same(await reach("n7", {}), { a: undefined, b: undefined });
  });

  await test("F6: a token that is set aside stays, marked, until the device has another", async (t, subject) => {
    let { engine } = subject;
    const connect = (token: string, now: number) =>
      engine.devices.connect({ pushId: pushId("a"), token: { type: "fcm", token } }, now);
    const detour = async (id: string, outcome: object): Promise<string | undefined> => {
      await send(engine, id, [via("a")]);
      const deliveries = await claimed(engine);
      await engine.outbox.settle(
        deliveries.map((one) => ({ ...refused(one, "another project's"), ...outcome })),
        T,
      );
      return deliveries[0]?.detour;
    };
    await connect("a-token", T);
    t.equal(await detour("n1", { detour: "none x" }), undefined);
    engine = (await subject.reopen?.(T)) ?? engine;
    await connect("a-token", T + 25 * HOUR);
    t.equal(await detour("n2", {}), "none x");
    t.equal((await device(engine, "a"))?.token, "a-token");
    await connect("newer", T + 26 * HOUR);
    await connect("a-token", T + 27 * HOUR);
    t.equal(await detour("n3", {}), undefined);
  });

  await test("other tokens are known to be in use once a day", async (t, { engine }) => {
    const token = { type: "huawei", token: "a-token" };
    await engine.devices.connect({ pushId: pushId("a"), token }, T);
    await engine.devices.connect({ pushId: pushId("a"), token }, T + 25 * HOUR);
    await send(engine, "n1", [{ pushId: pushId("a"), via: { lane: FCM, type: "huawei", token: "a-token" } }]);
    await engine.outbox.settle(
      (await claimed(engine)).map((one) => gone(one, { registeredBefore: T + HOUR })),
      T,
    );
    t.equal((await device(engine, "a"))?.token, "a-token");
  });

  await test("a job tells 20 reasons apart", async (t, { engine }) => {
    await send(
      engine,
      "n1",
      Array.from({ length: 25 }, (_, i) => via(`d${i}`)),
    );
    const deliveries = await claimed(engine);
    await engine.outbox.settle(
      deliveries.slice(0, 24).map((one, i) => refused(one, `reason ${i}`)),
      T,
    );
    await engine.outbox.order("n1", "cancel", T);
    await engine.outbox.settle(
      deliveries.slice(24).map((one) => again(one, T)),
      T,
    );
    const job = await view(engine, "n1");
    t.equal(Object.keys(job?.failed ?? {}).length, 22);
    t.match(job?.failed, { "reason 0": 1, "other reasons": 4, cancelled: 1 });
    addsUp(t, job);
  });

  await test("what a vendor tells later counts once per delivery, by its id or by ours", async (t, { engine }) => {
    for (const name of ["a", "b", "c"]) {
      const token = { type: "xiaomi", token: `${name}-token` };
      await engine.devices.connect({ pushId: pushId(name), token }, T);
    }
    await send(
      engine,
      "n1",
      ["a", "b", "c"].map((name) => via(name, XIAOMI)),
    );
    const [a, b, c] = await claimed(engine, 9, T, XIAOMI);
    await engine.outbox.settle([accepted(a!, "batch"), accepted(b!, "batch")], T);
    const tell = (receipt: Partial<VendorReceipt> & Pick<VendorReceipt, "event">, vendor = "xiaomi"): Promise<void> =>
      engine.outbox.received(
        [
          { vendor, ...receipt },
          { vendor, ...receipt },
        ],
        T + 9,
      );
    await tell({ receipt: "batch", token: "a-token", event: "arrived", at: T + 7 });
    await tell({ receipt: "batch", event: "clicked" }); // of several, it does not say which
    t.notOk("click_xiaomi" in ((await counts(engine, "n1")) ?? {}));
    await tell({ receipt: "batch", token: "a-token", event: "clicked" });
    await tell({ receipt: "batch", token: "b-token", event: "arrived" });
    await tell({ notification: "n1", token: "b-token", event: "clicked" }, "oppo");
    await tell({ receipt: "unknown", token: "a-token", event: "clicked" });
    await tell({ receipt: "batch", token: "b-token", event: "clicked" }, "oppo");
    t.same(await counts(engine, "n1"), { accepted_xiaomi: 2, arrive_xiaomi: 2, click_xiaomi: 1 });
    await tell({ receipt: "not stored yet", notification: "n1", token: "c-token", event: "arrived" });
    await engine.outbox.settle([accepted(c!, "later")], T);
    await tell({ receipt: "later", event: "arrived" });
    t.match(await counts(engine, "n1"), { arrive_xiaomi: 3 });
    t.match(await records(engine, "n1"), [
      { arrivedAt: T + 7, clickedAt: T + 9 },
      { arrivedAt: T + 9, clickedAt: undefined },
      { arrivedAt: T + 9 },
    ]);
    await tell({ receipt: "batch", token: "b-token", event: "suppressed" });
    t.match((await records(engine, "n1"))[1], { state: "accepted", reason: /not shown/ });
    await tell({ receipt: "batch", token: "a-token", event: "gone", at: T });
    t.equal((await device(engine, "a"))?.token, "a-token", "registered no earlier");
    await tell({ receipt: "batch", token: "a-token", event: "gone", keepsToken: true });
    t.equal((await device(engine, "a"))?.token, "a-token", "its lane holds deletions");
    await tell({ receipt: "batch", token: "a-token", event: "gone" });
    t.notOk("token" in ((await device(engine, "a")) ?? {}));
    t.match((await records(engine, "n1"))[0], { state: "accepted", reason: /dead/ });
  });

  await test("a click that the client and the vendor report counts once", async (t, { engine }) => {
    await send(engine, "n1", [via("a", XIAOMI), via("b", XIAOMI), over("c")]);
    const [a, b] = await claimed(engine, 9, T, XIAOMI);
    await engine.outbox.settle([accepted(a!, "r1"), accepted(b!, "r2")], T);
    const click = (name: string, counter: ArrivalEvidence): Promise<void> =>
      engine.counters.arrived([{ id: "n1", pushId: pushId(name), counter }], T + 3);
    await click("a", "click_xiaomi");
    await click("a", "click_xiaomi");
    await engine.outbox.received([{ vendor: "xiaomi", receipt: "r1", token: "a-token", event: "clicked" }], T + 4);
    await engine.outbox.received([{ vendor: "xiaomi", receipt: "r2", token: "b-token", event: "clicked" }], T + 4);
    await click("b", "click_xiaomi");
    await click("c", "click_xiaomi");
    await click("c", "arrive_android");
    await click("c", "click_android");
    t.match(await counts(engine, "n1"), { click_xiaomi: 3, arrive_android: 1, click_android: 1 });
    t.match(await records(engine, "n1"), [
      { clickedAt: T + 3 },
      { clickedAt: T + 4 },
      { arrivedAt: T + 3, clickedAt: T + 3 },
    ]);
  });
}

async function lookingBackTests(test: Define): Promise<void> {
  await test("a job waits for its time", async (t, { engine }) => {
    const note = notification("n1", { sendAt: T + 1000, timeToLive: 500 });
    await engine.outbox.accept(note, toList(["a"]));
    t.match(await view(engine, "n1"), { state: "scheduled", sendAt: T + 1000, acceptedAt: T, target: "pushIds" });
    t.same(await engine.outbox.unexpanded(9, T + 999), { work: [], next: T + 1000 });
    const { work } = await engine.outbox.unexpanded(9, T + 1000);
    t.match(work, [{ notification: note }]);
    t.match(await view(engine, "n1", T + 1000), { state: "running" });
    await engine.outbox.expand(work[0]?.job ?? 0, undefined, lastPage({ devices: [via("a")] }), T + 1000);
    t.equal((await claimed(engine, 9, T + 1499)).length, 1, "its time to live begins then");
    t.equal((await engine.counters.arrivals({ id: "n1" }, 1))[0]?.timeStart, T + 1000);
  });

  await test("the next page of a paced job waits, and others go on", async (t, { engine }) => {
    await engine.outbox.accept(notification("n1"), ALL, { rate: 100 });
    const { work } = await engine.outbox.unexpanded(9, T);
    t.match(work, [{ rate: 100 }]);
    const job = work[0]?.job ?? 0;
    await engine.outbox.expand(job, undefined, lastPage({ cursor: "c", notBefore: T + 100, devices: [via("a")] }), T);
    await engine.outbox.accept(notification("n2", { acceptedAt: T + 1 }), ALL);
    const later = await engine.outbox.unexpanded(9, T + 99);
    t.equal(later.work[0]?.notification.id, "n2");
    t.equal(later.next, T + 100);
    t.match((await engine.outbox.unexpanded(9, T + 100)).work, [{}, { job, cursor: "c" }]);
    t.match(await view(engine, "n1"), { state: "running", rate: 100 });
  });

  await test("the job that has waited longest for its page comes first", async (t, { engine }) => {
    for (const [i, id] of ["n1", "n2", "n3"].entries())
      await engine.outbox.accept(notification(id, { acceptedAt: T + i }), ALL);
    const [first] = (await engine.outbox.unexpanded(1, T + 5)).work;
    await engine.outbox.expand(first?.job ?? 0, undefined, lastPage({ cursor: "c" }), T + 5);
    const order = (await engine.outbox.unexpanded(9, T + 5)).work.map(({ notification }) => notification.id);
    t.same(order, ["n2", "n3", "n1"]);
  });

  await test("a dry run only counts", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    await engine.outbox.accept(notification("n1"), ALL, { dryRun: true });
    const [work] = (await engine.outbox.unexpanded(9, T)).work;
    t.equal(work?.dryRun, true);
    const page = { devices: [via("a"), over("b")], counts: { target_fcm: 1 }, parcels: [toDevice("b", "n1")] };
    const job = work?.job ?? 0;
    const routes = { fcm: 1, connection: 1 };
    await engine.outbox.expand(job, undefined, lastPage({ ...page, cursor: "c", seen: 3, skipped: 1, routes }), T);
    await engine.outbox.expand(job, "c", lastPage({ seen: 2, skipped: 0, routes: { fcm: 2 } }), T + 1);
    t.match(await engine.outbox.jobs({ id: "n1" }, 9, T), [
      {
        state: "finished",
        dryRun: true,
        seen: 5,
        skipped: 1,
        routes: { fcm: 3, connection: 1 },
        queued: 0,
        finishedAt: T + 1,
      },
    ]);
    t.same(hub.delivered, []);
    t.same(await engine.outbox.lanes(), []);
    t.same(await engine.counters.arrivals({ id: "n1" }, 1), []);
    t.same(await engine.outbox.deliveries("n1", undefined, 9), { deliveries: [] });
  });

  await test("jobs that reach many or wait are listed, newest first, and any by its id", async (t, { engine }) => {
    const accept = (id: string, target: NotificationTarget, more?: AcceptOptions, note?: Partial<Notification>) =>
      engine.outbox.accept(notification(id, note), target, more);
    await accept("all", ALL);
    await accept("small", toList(["a"]));
    await accept("tag", { kind: "tag", tag: "x" });
    await accept("later", toList(["a"]), {}, { sendAt: T + 5 });
    await accept("paced", toList(["a"]), { rate: 1 });
    await accept("dry", toList(["a"]), { dryRun: true });
    await accept("all", ALL);
    const listed = await engine.outbox.jobs({}, 9, T);
    t.same(
      listed.map(({ id }) => id),
      ["all", "dry", "paced", "later", "tag", "all"],
    );
    t.same(
      (await engine.outbox.jobs({}, 2, T)).map(({ id }) => id),
      ["all", "dry"],
    );
    const rest = await engine.outbox.jobs({ before: listed[1]?.job ?? 0 }, 9, T);
    t.same(
      rest.map(({ id }) => id),
      ["paced", "later", "tag", "all"],
    );
    t.same(
      (await engine.outbox.jobs({ id: "small" }, 9, T)).map(({ target }) => target),
      ["pushIds"],
    );
    t.equal((await engine.outbox.jobs({ id: "all" }, 9, T)).length, 2);
    t.same(await engine.outbox.jobs({ id: "none" }, 9, T), []);
    await engine.outbox.order("tag", "pause", T);
    await engine.outbox.order("paced", "cancel", T);
    await engine.outbox.expand(listed[1]?.job ?? 0, undefined, lastPage(), T);
    const inState = async (state: Job["state"]): Promise<string[]> =>
      (await engine.outbox.jobs({ state }, 9, T)).map(({ id }) => id);
    t.same(await inState("scheduled"), ["later"]);
    t.same(await inState("running"), ["all", "all"]);
    t.same(await inState("paused"), ["tag"]);
    t.same(await inState("cancelled"), ["paced"]);
    t.same(await inState("finished"), ["dry"]);
  });

  await test("what became of a notification is read device by device, over every call with its id", async (t, {
    engine,
  }) => {
    await engine.outbox.accept(notification("n1"), ALL);
    await engine.outbox.accept(notification("n1"), ALL);
    t.same(await engine.outbox.deliveries("n1", undefined, 9), { deliveries: [] });
    const [second, first] = await engine.outbox.jobs({ id: "n1" }, 9, T);
    for (let i = 0; i < 6; i++) {
      const job = (i % 2 === 0 ? first : second)?.job ?? 0;
      await engine.outbox.expand(
        job,
        i < 2 ? undefined : `${i - 2}`,
        lastPage({ cursor: `${i}`, devices: [over(`${i}a`, "u"), over(`${i}b`)] }),
        T,
      );
    }
    await send(engine, "other", [over("x")]);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await engine.outbox.deliveries("n1", after, 5);
      t.ok((page?.deliveries.length ?? 0) <= 5);
      seen.push(...named(page?.deliveries ?? []));
      after = page?.next;
    } while (after !== undefined);
    const expected = Array.from({ length: 6 }, (_, i) => [`${i}a`, `${i}b`]).flat();
    const callByCall = [0, 2, 4, 1, 3, 5].flatMap((i) => [`${i}a`, `${i}b`]);
    t.same(seen, callByCall);
    t.equal((await records(engine, "n1"))[0]?.uid, "u");
    t.equal(await engine.outbox.deliveries("unknown", undefined, 9), undefined);
    for (const place of ["n1", "1", "1-", "1-2-3", "-1-2", "1.5-2", "9".repeat(16)])
      await t.rejects(engine.outbox.deliveries("n1", place, 9), { code: "invalid" }, place);
    t.same(await engine.outbox.deliveries("n1", "999999-0", 9), { deliveries: [] });
    const [record] = await engine.counters.arrivals({ id: "n1" }, 1);
    t.same(record?.pushIds, expected.map(pushId));
    t.same(record?.uids, ["u"]);
  });

  await test("the deliveries of a thousand calls with one id are read piece by piece, those without any passed over", async (t, {
    engine,
  }) => {
    for (let i = 0; i < 1000; i++) await engine.outbox.accept(notification("n1"), ALL, { dryRun: i % 500 !== 499 });
    const { work } = await engine.outbox.unexpanded(1000, T);
    for (const { job } of work)
      await engine.outbox.expand(job, undefined, lastPage({ devices: [over(`a${job}`), over(`b${job}`)] }), T);
    const first = await engine.outbox.deliveries("n1", undefined, 3);
    t.equal(first?.deliveries.length, 3);
    const second = await engine.outbox.deliveries("n1", first?.next, 3);
    t.equal(second?.deliveries.length, 1);
    t.equal(second?.next, undefined);
    const all = [...(first?.deliveries ?? []), ...(second?.deliveries ?? [])].map(({ pushId }) => pushId);
    t.equal(new Set(all).size, 4);
    t.equal((await records(engine, "n1")).length, 4);
  });

  await test("a record lists at most 1,000 devices, and is found by any of more", async (t, { engine }) => {
    await engine.outbox.accept(notification("n1"), ALL);
    const job = await jobOf(engine, "n1");
    const page = (from: number): Addressed[] =>
      Array.from({ length: 800 }, (_, i) => over(`d${from + i}`, `u${from + i}`));
    await engine.outbox.expand(job, undefined, lastPage({ cursor: "c", devices: page(0) }), T);
    await engine.outbox.expand(job, "c", lastPage({ devices: page(800) }), T);
    const [record] = await engine.counters.arrivals({ pushId: pushId("d1500") }, 9);
    t.equal(record?.pushIds.length, 1000);
    t.equal(record?.uids.at(-1), "u999");
    t.equal((await engine.counters.arrivals({ uid: "u1500" }, 9)).length, 1);
  });

  await test("a device's notifications are found when it is gone, and when it is back", async (t, { engine }) => {
    const found = async (): Promise<string[]> =>
      (await engine.counters.arrivals({ pushId: pushId("a") }, 9)).map(({ id }) => id);
    await engine.devices.connect({ pushId: pushId("a") }, T);
    await send(engine, "n1", [over("a")]);
    await engine.devices.delete([pushId("a")]);
    await send(engine, "n2", [over("a")]);
    await engine.devices.connect({ pushId: pushId("b") }, T);
    t.same(await found(), ["n2", "n1"]);
    t.same(await engine.counters.arrivals({ pushId: pushId("b") }, 9), [], "no other takes its place");
    await engine.devices.connect({ pushId: pushId("a") }, T);
    await send(engine, "n3", [over("a")]);
    t.same(await found(), ["n3", "n2", "n1"]);
    await engine.devices.delete([pushId("a")]);
    t.same(await found(), ["n3", "n2", "n1"]);
  });

  await test("the vendor's ids of a notification come newest first, each once", async (t, { engine }) => {
    await send(
      engine,
      "n1",
      ["a", "b", "c", "d"].map((name) => via(name, XIAOMI)),
    );
    const [a, b, c, d] = await claimed(engine, 9, T, XIAOMI);
    await engine.outbox.settle([accepted(a!, "r1"), accepted(b!, "r2"), accepted(c!, "r2"), refused(d!)], T);
    await send(engine, "n1", [via("e"), via("f", XIAOMI)]);
    await engine.outbox.settle([accepted((await claimed(engine))[0]!, "fcm-id")], T);
    await engine.outbox.settle([accepted((await claimed(engine, 9, T, XIAOMI))[0]!, "r3")], T);
    t.same(await engine.outbox.receipts("n1", "xiaomi", 9), ["r3", "r2", "r1"]);
    t.same(await engine.outbox.receipts("n1", "xiaomi", 2), ["r3", "r2"]);
    t.same(await engine.outbox.receipts("n1", "fcm", 9), ["fcm-id"]);
    t.same(await engine.outbox.receipts("none", "fcm", 9), []);
  });

  await test("what became of a notification at one device: the newest call first, and what the device told", async (t, subject) => {
    let { engine } = subject;
    t.equal(await engine.outbox.at("n1", pushId("a")), undefined, "the id is unknown");
    await send(engine, "n1", [via("a"), via("b")]);
    await engine.outbox.settle([accepted((await claimed(engine))[0]!, "r1")], T);
    await send(engine, "n1", [via("a")]);
    await engine.counters.arrived([{ id: "n1", pushId: pushId("b"), counter: "arrive_android" }], T + 5);
    engine = (await subject.reopen?.(T + 9)) ?? engine;
    const at = await engine.outbox.at("n1", pushId("a"));
    t.match(at?.deliveries, [{ state: "queued" }, { state: "accepted", receipt: "r1" }]);
    t.ok(at!.deliveries[0]!.job > at!.deliveries[1]!.job);
    t.notOk("arrivedAt" in at!);
    t.match(await engine.outbox.at("n1", pushId("b")), { deliveries: [{ state: "queued" }], arrivedAt: T + 5 });
    t.match(await engine.outbox.at("n1", pushId("c")), { deliveries: [] }, "a device that it was not for");
  });

  await test("notifications that a vendor took are found by when they began, a piece at a time", async (t, subject) => {
    let { engine } = subject;
    const first = { at: 0, job: 0 };
    for (const [id, acceptedAt, lane] of [
      ["n1", T, XIAOMI],
      ["n2", T + 1, FCM],
      ["n3", T + 1, XIAOMI],
      ["n4", T + 2, XIAOMI],
    ] as const) {
      await send(engine, id, [via(id, lane)], { note: { acceptedAt } });
      await engine.outbox.settle([accepted((await claimed(engine, 9, T + 9, lane))[0]!, id)], T + 9);
    }
    await send(engine, "n5", [via("n5", XIAOMI)], { note: { acceptedAt: T + 1 } });
    engine = (await subject.reopen?.(T + 9)) ?? engine;
    const found = async (from: { at: number; job: number }, to: number, limit = 9) =>
      engine.outbox.traceable("xiaomi", from, to, limit);
    t.same(await found(first, T + 2), { ids: ["n1", "n3", "n4"] }, "not those of another vendor, or not accepted");
    t.same((await found(first, T + 1)).ids, ["n1", "n3"]);
    t.same((await found({ at: T, job: Number.MAX_SAFE_INTEGER }, T + 1)).ids, ["n3"]);
    t.same(await found({ at: T + 2, job: Number.MAX_SAFE_INTEGER }, T + 9), { ids: [] });
    const ids: string[] = [];
    let pieces = 0;
    for (let next: typeof first | undefined = first; next !== undefined; pieces++) {
      const page: { readonly ids: readonly string[]; readonly next?: typeof first } = await found(next, T + 9, 2);
      ids.push(...page.ids);
      next = page.next;
    }
    t.same(ids, ["n1", "n3", "n4"], "those that began in the same millisecond too");
    t.equal(pieces, 3);
  });

  await test("of what a vendor counts the largest is kept, and only of known notifications", async (t, { engine }) => {
    await send(engine, "n1", [via("a", XIAOMI)]);
    const counts = async () => (await engine.counters.arrivals({ id: "n1" }, 1))[0]?.counts ?? {};
    const before = await counts();
    await engine.outbox.traced("n1", "xiaomi", { delivered: 0, clicked: 0 });
    t.same(await counts(), before);
    await engine.outbox.traced("n1", "xiaomi", { delivered: 5, clicked: 0 });
    await engine.outbox.traced("n1", "xiaomi", { delivered: 3, clicked: 1 });
    t.same(await counts(), { ...before, traced_xiaomi: 5, traced_click_xiaomi: 1 });
    await engine.outbox.traced("unknown", "xiaomi", { delivered: 5, clicked: 0 });
    t.same(await engine.counters.arrivals({ id: "unknown" }, 1), []);
  });
}

async function scheduledListTests(test: Define): Promise<void> {
  const news = (id: string, sendAt?: number) =>
    notification(id, { type: "news", ...(sendAt === undefined ? {} : { sendAt }) });

  await test("statistics are listed by when a notification began, not by when it was accepted", async (t, {
    engine,
  }) => {
    const devices = [{ ...via("a"), uid: uid("u") }];
    const notes = [news("late", T + 100), news("second", T + 50), news("first")];
    for (const note of notes) await engine.outbox.accept(note, ALL);
    for (const { job } of (await engine.outbox.unexpanded(9, T + 100)).work)
      await engine.outbox.expand(job, undefined, lastPage({ devices }), T + 100);
    for (const query of [{ type: "news" }, { uid: "u" }, { pushId: pushId("a") }]) {
      const found = await engine.counters.arrivals(query, 9);
      t.same(
        found.map(({ id }) => id),
        ["late", "second", "first"],
        Object.keys(query)[0] ?? "",
      );
      t.equal((await engine.counters.arrivals(query, 1))[0]?.id, "late");
    }
  });

  await test("what was cancelled before its time is in no list of statistics, and is known all the same", async (t, {
    engine,
  }) => {
    const listed = async () => (await engine.counters.arrivals({ type: "news" }, 9)).map(({ id }) => id);
    await engine.outbox.accept(news("never", T + 100), ALL);
    await engine.outbox.accept(news("never", T + 200), ALL);
    await engine.outbox.accept(news("now"), ALL);
    t.same(await listed(), ["never", "now"]);
    await engine.outbox.order("never", "cancel", T);
    await engine.outbox.order("now", "cancel", T);
    t.same(await listed(), ["now"]);
    t.same(await engine.counters.arrivals({ id: "never" }, 1), []);
    t.match(await view(engine, "never"), { state: "cancelled" });
    t.match(await engine.outbox.notification("never"), { id: "never", sendAt: T + 200 });
    t.same(await records(engine, "never"), []);

    await send(engine, "again", [via("a")], { note: { type: "news" } });
    await engine.outbox.accept(news("again", T + 100), ALL);
    await engine.outbox.order("again", "cancel", T);
    t.same(await listed(), ["again", "now"], "one call under this id has begun");
  });
}

async function callTests(test: Define): Promise<void> {
  const DAY = 24 * HOUR;

  await test("a notification with the key of an earlier call is that call, also after a restart", async (t, subject) => {
    let { engine } = subject;
    const once = { key: "k", digest: "d" };
    t.equal(await engine.outbox.accept(notification("n1"), ALL, { once }), "n1");
    engine = (await subject.reopen?.(T)) ?? engine;
    const twice = await Promise.all([
      engine.outbox.accept(notification("n2"), ALL, { once }),
      engine.outbox.accept(notification("n3"), ALL, { once }),
    ]);
    t.same(twice, ["n1", "n1"]);
    t.equal((await engine.outbox.unexpanded(9, T)).work.length, 1);
    await t.rejects(engine.outbox.accept(notification("n4"), ALL, { once: { key: "k", digest: "e" } }), {
      code: "conflict",
      message: /^idempotencyKey was used for a call that asked for something else/,
    });
    t.same(await engine.outbox.jobs({ id: "n4" }, 9, T), []);
    const next = notification("n5", { acceptedAt: T + DAY });
    t.equal(await engine.outbox.accept(next, ALL, { once }), "n5", "a day later the key is free");
  });

  await test("holds 1: a push with a key is kept, noted and handed over in one step, and never again", async (t, subject) => {
    let { engine } = subject;
    const hub = recorder();
    engine.broker.attach(hub);
    const once = { key: "k", digest: "d" };
    const only = { number: 0, last: true };
    const push = (id: string, at = T) =>
      engine.broker.publishOnce(once, only, id, [toDevice("a", id), toDevice("b", id), toTopic("room", id, 0)], at);
    const kept = async (name: string) =>
      (await missed(engine, deviceChannel(pushId(name)), "unsent", T)).map(({ id }) => id);
    const answers = await Promise.all(["p1", "p2", "p3"].map((id) => push(id)));
    t.same(answers, Array(3).fill({ id: "p1", online: 6 }), "C1: each gets the first call's id and connections");
    t.same(
      hub.delivered.map(({ channel, packet }) => [channel, packet.id, "seq" in packet]),
      [
        [deviceChannel(pushId("a")), "p1", true],
        [deviceChannel(pushId("b")), "p1", true],
        [toTopic("room", "p1").channel, "p1", false],
      ],
    );
    if (subject.reopen !== undefined) {
      engine = await subject.reopen(T);
      engine.broker.attach(hub);
    }
    t.same(await push("p4", T + DAY - 1), { id: "p1", online: 6 });
    t.same(await kept("a"), ["p1"]);
    t.same(await kept("b"), ["p1"]);
    t.equal(hub.delivered.length, 3);
    const other = { key: "k", digest: "e" };
    const another = [toDevice("c", "p5")];
    const conflict = { code: "conflict", message: /^idempotencyKey was used/ };
    await t.rejects(engine.broker.publishOnce(other, only, "p5", another, T), conflict);
    t.same(await kept("c"), []);
    await engine.broker.publishOnce(other, only, "p5", another, T + DAY);
    t.same(await kept("c"), ["p5"], "a day later the key is free");
  });

  await test("a long push with a key goes on with the piece at which it was cut", async (t, subject) => {
    let { engine } = subject;
    const hub = recorder();
    engine.broker.attach(hub);
    const once = { key: "k", digest: "d" };
    const names = ["a", "b", "c"];
    const push = (number: number) =>
      engine.broker.publishOnce(once, { number, last: number === 2 }, `p${number}`, [toDevice(names[number]!, "p")], T);
    const goOn = (next: number) => ({ id: "p0", next });
    t.same(await push(0), goOn(1));
    t.same(await push(0), goOn(1), "of a second caller");
    t.same(await push(2), goOn(1), "no piece is left out");
    if (subject.reopen !== undefined) {
      engine = await subject.reopen(T);
      engine.broker.attach(hub);
    }
    t.same(await push(0), goOn(1));
    t.same(await Promise.all([push(1), push(1)]), [goOn(2), goOn(2)]);
    // A restart in between: how many got the first pieces is not known.
    const made = subject.reopen === undefined ? { id: "p0", online: 6 } : { id: "p0" };
    t.same(await push(2), made);
    t.same(await push(0), made, "it is finished");
    t.same(
      hub.delivered.map(({ channel }) => channel),
      names.map((name) => deviceChannel(pushId(name))),
    );
    for (const name of names) t.equal((await missed(engine, deviceChannel(pushId(name)), "unsent", T)).length, 1, name);
  });
}
