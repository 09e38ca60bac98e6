// What every engine must do with notifications, method by method (core/outbox.ts). Run with the rest of the conformance suite.
import type { Test } from "tap";
import type { Delivery, Lane, Settlement } from "../../src/core/delivery.ts";
import type { PushId } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { Notification } from "../../src/core/notification.ts";
import type {
  AcceptOptions,
  Addressed,
  DeliveryRecord,
  ExpandedPage,
  Job,
  NotificationTarget,
} from "../../src/core/outbox.ts";
import { deviceChannel } from "../../src/core/packet.ts";
import { type Define, HOUR, pushId, recorder, type Subject, T, toDevice, toTopic, uid } from "./conformance.ts";

export const notification = (id: string, more?: Partial<Notification>): Notification => ({
  id,
  content: { android: { title: "T", message: "M", payload: {} } },
  timeToLive: HOUR,
  type: "pushMany",
  acceptedAt: T,
  callerAddress: "127.0.0.1",
  ...more,
});

export const lastPage = (more?: Partial<ExpandedPage>): ExpandedPage => ({
  parcels: [],
  devices: [],
  counts: {},
  seen: more?.devices?.length ?? 0,
  skipped: 0,
  routes: {},
  ...more,
});

/** A device that is reached over its long connection. */
export const over = (name: string, user?: string): Addressed => ({
  pushId: pushId(name),
  ...(user === undefined ? {} : { uid: uid(user) }),
});

const FCM: Lane = { provider: "fcm", app: "com.x" };
const XIAOMI: Lane = { provider: "xiaomi", app: "com.x" };
const LEASE = 60_000;

/** A device that has a token: its name with "-token". */
const via = (name: string, lane = FCM): Addressed => ({
  pushId: pushId(name),
  via: { lane, type: lane.provider, token: `${name}-token` },
});

const toList = (names: readonly string[]): NotificationTarget => ({ kind: "pushIds", pushIds: names.map(pushId) });
const ALL: NotificationTarget = { kind: "all" };

/** Accepts a notification and expands it at once; returns its job. */
async function send(
  engine: Engine,
  id: string,
  devices: readonly Addressed[],
  options: {
    readonly target?: NotificationTarget;
    readonly note?: Partial<Notification>;
    readonly accept?: AcceptOptions;
    readonly at?: number;
    readonly page?: Partial<ExpandedPage>;
  } = {},
): Promise<number> {
  const { target = toList([id]), note, accept, at = T, page } = options;
  await engine.outbox.accept(notification(id, { acceptedAt: at, ...note }), target, accept);
  const job = await jobOf(engine, id, at);
  await engine.outbox.expand(job, lastPage({ devices, ...page }), at);
  return job;
}

async function jobOf(engine: Engine, id: string, now = T): Promise<number> {
  const [job] = await engine.outbox.jobs({ id }, 1, now);
  if (job === undefined) throw new Error(`no job for ${id}`);
  return job.job;
}

async function claimed(engine: Engine, limit = 100, now = T, lane = FCM): Promise<readonly Delivery[]> {
  return (await engine.outbox.claim(lane, limit, now, LEASE)).deliveries;
}

const named = (deliveries: readonly { readonly pushId: PushId }[]): string[] =>
  deliveries.map((one) => one.pushId.replace("-0123456789", ""));

const accepted = (delivery: Delivery, receipt?: string): Settlement => ({
  delivery,
  kind: "accepted",
  counters: [`accepted_${delivery.lane.provider}`],
  ...(receipt === undefined ? {} : { receipt }),
});
const refused = (delivery: Delivery, reason = "no"): Settlement => ({
  delivery,
  kind: "refused",
  reason,
  counters: [`failed_${delivery.lane.provider}`],
});
const again = (delivery: Delivery, at: number, tried = true, reason = "busy"): Settlement => ({
  delivery,
  kind: "again",
  at,
  reason,
  tried,
});

async function view(engine: Engine, id: string, now = T): Promise<Job | undefined> {
  return (await engine.outbox.jobs({ id }, 1, now))[0];
}

async function counts(engine: Engine, id: string): Promise<Readonly<Record<string, number>> | undefined> {
  return (await engine.counters.arrivals({ id }, 1))[0]?.counts;
}

async function records(engine: Engine, id: string): Promise<readonly DeliveryRecord[]> {
  return (await engine.outbox.deliveries(id, undefined, 1000))?.deliveries ?? [];
}

/** Nothing is lost and nothing counted twice. */
function addsUp(t: Test, job: Job | undefined): void {
  const failed = Object.values(job?.failed ?? {}).reduce((sum, n) => sum + n, 0);
  t.equal(job?.queued, (job?.waiting ?? 0) + (job?.accepted ?? 0) + failed, "queued = waiting + accepted + failed");
}

export async function outboxConformance(test: Define): Promise<void> {
  await expansionTests(test);
  await queueTests(test);
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
    await engine.outbox.expand(first?.job ?? 0, lastPage({ cursor: "c1" }), T);
    engine = (await subject.reopen?.(T)) ?? engine;
    t.match((await engine.outbox.unexpanded(1, T)).work, [{ job: first?.job, cursor: "c1" }]);
    await engine.outbox.expand(first?.job ?? 0, lastPage(), T);
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
    await engine.outbox.expand(job, page, T);
    t.same(
      hub.delivered.map(({ channel }) => channel),
      page.parcels.map(({ channel }) => channel),
    );
    t.ok("seq" in (hub.delivered[0]?.packet ?? {}));
    t.notOk("seq" in (hub.delivered[1]?.packet ?? {}));
    t.equal((await engine.broker.backlog(deviceChannel(pushId("a")), "unsent", T)).length, 1);
    await engine.outbox.expand(job, page, T);
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

  await test("an id that is used twice adds up, and both notifications are expanded", async (t, { engine }) => {
    await engine.outbox.accept(notification("same"), toList(["a"]));
    await engine.outbox.accept(notification("same"), toList(["b"]));
    const { work } = await engine.outbox.unexpanded(10, T);
    t.equal(work.length, 2);
    for (const { job, target } of work) {
      const devices = target.kind === "pushIds" ? target.pushIds.map((pushId) => ({ pushId })) : [];
      await engine.outbox.expand(job, lastPage({ counts: { target_android: 1 }, devices }), T);
    }
    const [record] = await engine.counters.arrivals({ id: "same" }, 10);
    t.same(record?.counts, { target_android: 2 });
    t.same(record?.pushIds, [pushId("a"), pushId("b")]);
    t.same((await engine.outbox.unexpanded(10, T)).work, []);
  });
}

async function queueTests(test: Define): Promise<void> {
  await test("a delivery is claimed once, with its notification, and settled", async (t, { engine }) => {
    const job = await send(engine, "n1", [via("a"), over("b"), via("c")], {
      page: { routes: { fcm: 2, connection: 1 } },
    });
    t.same(await engine.outbox.lanes(T), [{ lane: FCM, depth: 2, oldest: T }]);
    const claim = await engine.outbox.claim(FCM, 10, T, LEASE);
    t.match(claim.deliveries[0], {
      job,
      lane: FCM,
      pushId: pushId("a"),
      type: "fcm",
      token: "a-token",
      attempts: 0,
      leasedUntil: T + LEASE,
    });
    t.same(named(claim.deliveries), ["a", "c"]);
    t.same(claim.notes, new Map([[job, notification("n1")]]));
    t.same(await claimed(engine), [], "what is leased is not claimed again");
    const [a, c] = claim.deliveries;
    await engine.outbox.settle([accepted(a!, "r1"), refused(c!, "too long")], T + 5);
    t.same(await engine.outbox.lanes(T), []);
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
        attempts: 0,
        receipt: "r1",
        queuedAt: T,
        sentAt: T,
        settledAt: T + 5,
      },
      { pushId: pushId("b"), state: "sent", attempts: 0, queuedAt: T, sentAt: T },
      {
        pushId: pushId("c"),
        lane: FCM,
        state: "refused",
        reason: "too long",
        attempts: 0,
        queuedAt: T,
        sentAt: T,
        settledAt: T + 5,
      },
    ]);
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
}
