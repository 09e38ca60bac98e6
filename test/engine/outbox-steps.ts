// Steps that the tests of the outbox have in common.
import type { Test } from "tap";
import type { FailureCounts } from "../../src/core/arrival.ts";
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
import { HOUR, pushId, T, uid } from "./steps.ts";

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

export const FCM: Lane = { vendor: "fcm", app: "com.x" };
export const XIAOMI: Lane = { vendor: "xiaomi", app: "com.x" };
export const LEASE = 60_000;

/** A device that has a token: its name with "-token". */
export const via = (name: string, lane = FCM): Addressed => ({
  pushId: pushId(name),
  via: { lane, type: lane.vendor, token: `${name}-token` },
});

export const toList = (names: readonly string[]): NotificationTarget => ({
  kind: "pushIds",
  pushIds: names.map(pushId),
});
export const ALL: NotificationTarget = { kind: "all" };

/** Accepts a notification and expands it at once; returns its job. */
export async function send(
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
  await engine.outbox.expand(job, undefined, lastPage({ devices, ...page }), at);
  return job;
}

export async function jobOf(engine: Engine, id: string, now = T): Promise<number> {
  const [job] = await engine.outbox.jobs({ id }, 1, now);
  if (job === undefined) throw new Error(`no job for ${id}`);
  return job.job;
}

export async function claimed(engine: Engine, limit = 100, now = T, lane = FCM): Promise<readonly Delivery[]> {
  return (await engine.outbox.claim(lane, limit, now, LEASE)).deliveries;
}

export const named = (deliveries: readonly { readonly pushId: PushId }[]): string[] =>
  deliveries.map((one) => one.pushId.replace("-0123456789", ""));

export const accepted = (delivery: Delivery, receipt?: string): Settlement => ({
  delivery,
  kind: "accepted",
  counters: [`accepted_${delivery.lane.vendor}`],
  ...(receipt === undefined ? {} : { receipt }),
});
export const refused = (delivery: Delivery, reason = "no"): Settlement => ({
  delivery,
  kind: "refused",
  reason,
  counters: [`failed_${delivery.lane.vendor}`],
});
export const again = (delivery: Delivery, at: number, tried = true, reason = "busy"): Settlement => ({
  delivery,
  kind: "again",
  at,
  reason,
  tried,
});

export async function view(engine: Engine, id: string, now = T): Promise<Job | undefined> {
  return (await engine.outbox.jobs({ id }, 1, now))[0];
}

export async function counts(engine: Engine, id: string): Promise<Readonly<Record<string, number>> | undefined> {
  return (await engine.counters.arrivals({ id }, 1))[0]?.counts;
}

export async function failures(engine: Engine, id: string): Promise<FailureCounts | undefined> {
  return (await engine.counters.arrivals({ id }, 1))[0]?.failures;
}

export async function records(engine: Engine, id: string): Promise<readonly DeliveryRecord[]> {
  return (await engine.outbox.deliveries(id, undefined, 1000))?.deliveries ?? [];
}

/** Nothing is lost and nothing counted twice. */
export function addsUp(t: Test, job: Job | undefined): void {
  const failed = Object.values(job?.failed ?? {}).reduce((sum, n) => sum + n, 0);
  t.equal(job?.queued, (job?.waiting ?? 0) + (job?.accepted ?? 0) + failed, "queued = waiting + accepted + failed");
}
