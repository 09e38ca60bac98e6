// What every engine must do when a notification is paused, resumed, paced or cancelled, and with those that are for later.
import type { Engine } from "../../src/core/engine.ts";
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
  records,
  send,
  via,
  view,
} from "./outbox-steps.ts";
import { type Define, pushId, recorder, T, toDevice, uid } from "./steps.ts";

export async function orderTests(test: Define): Promise<void> {
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

export async function scheduledListTests(test: Define): Promise<void> {
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
