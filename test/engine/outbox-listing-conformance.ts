// What every engine must know of notifications afterwards: jobs, deliveries, failures, receipts.
import type { Notification } from "../../src/core/notification.ts";
import type { AcceptOptions, Addressed, Job, NotificationTarget } from "../../src/core/outbox.ts";
import {
  ALL,
  accepted,
  claimed,
  FCM,
  jobOf,
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
import { type Define, pushId, recorder, T, toDevice } from "./steps.ts";

export async function lookingBackTests(test: Define): Promise<void> {
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
