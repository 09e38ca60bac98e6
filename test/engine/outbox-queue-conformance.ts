// What every engine must do with what waits in lanes: claims, leases, turns and ends.
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
  LEASE,
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
import { type Define, HOUR, pushId, recorder, T, toDevice, uid } from "./steps.ts";

export async function queueTests(test: Define): Promise<void> {
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
