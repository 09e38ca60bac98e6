// What every engine must do with notifications, method by method (core/outbox.ts). Run with the rest of the conformance suite.
import type { ExpandedPage } from "../../src/core/outbox.ts";
import { deviceChannel } from "../../src/core/packet.ts";
import { missed } from "../support/engine.ts";
import { lookingBackTests } from "./outbox-listing-conformance.ts";
import { orderTests, scheduledListTests } from "./outbox-orders-conformance.ts";
import { queueTests } from "./outbox-queue-conformance.ts";
import { reachTests } from "./outbox-reach-conformance.ts";
import { settlementTests } from "./outbox-settlement-conformance.ts";
import {
  ALL,
  addsUp,
  claimed,
  counts,
  FCM,
  failures,
  jobOf,
  lastPage,
  named,
  notification,
  over,
  records,
  toList,
  via,
  view,
} from "./outbox-steps.ts";
import { type Define, HOUR, pushId, recorder, T, toDevice, toTopic } from "./steps.ts";

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
