// /api/notification/get: one notification, its figures, and what became of it device by device. /api/delivery/*: deliveries that
// failed (api 3.19).
import { wallClock } from "../core/clock.ts";
import { PushError } from "../core/errors.ts";
import type { DeliveryRecord, FailedDelivery, FailedFilter, FailedGroup, FailedState } from "../core/outbox.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { DELIVERIES, JOBS, RETRIED } from "./bounds.ts";
import { describeJob, requiredId, unknownNotification } from "./job.ts";
import type { Params } from "./params.ts";
import { arrivalFigures } from "./stats.ts";
import { told } from "./time.ts";

/** A page of deliveries; the content and the settings only with the first. @throws HttpError 404 when the id is unknown */
export async function getNotification(params: Params, actions: Actions): Promise<Response> {
  const id = requiredId(params);
  const after = params.text("after");
  const limit = params.whole("limit", 1, DELIVERIES.most) ?? DELIVERIES.usual;
  const now = wallClock();
  const [page, note, jobs, [record], reached] = await Promise.all([
    actions.outbox.deliveries(id, after, limit),
    // It may be large: once is enough.
    after === undefined ? actions.outbox.notification(id) : undefined,
    actions.outbox.jobs({ id }, JOBS.most, now),
    actions.counters.arrivals({ id }, 1),
    actions.reached(id, params.text("afterUser"), limit, now),
  ]);
  const [newest] = jobs;
  if (page === undefined || newest === undefined) throw unknownNotification(id);
  return json({
    code: "success",
    id,
    type: newest.type,
    text: newest.text,
    notification: note === undefined ? undefined : { ...note.content, id },
    timeToLive: note?.timeToLive,
    state: newest.state,
    ...told("acceptedAt", newest.acceptedAt),
    ...told("sendAt", newest.sendAt),
    jobs: jobs.map(describeJob),
    // A dry run leaves no trace in the statistics.
    reached: reached?.counts,
    users: reached?.users.map(({ uid, by, at }) => ({ uid, reached: by, ...told("at", at) })),
    nextUser: reached?.next,
    counts: { ...arrivalFigures(record?.counts ?? {}), failures: record?.failures },
    deliveries: page.deliveries.map(describeDelivery),
    next: page.next,
  });
}

/** Times are epoch milliseconds. */
export const describeDelivery = ({ lane, ...delivery }: DeliveryRecord): object => ({
  pushId: delivery.pushId,
  uid: delivery.uid,
  provider: lane?.vendor,
  app: lane?.app,
  state: delivery.state,
  reason: delivery.reason,
  receipt: delivery.receipt,
  retries: delivery.retries,
  queuedAt: delivery.queuedAt,
  sentAt: delivery.sentAt,
  settledAt: delivery.settledAt,
  nextTryAt: delivery.nextTryAt,
  arrivedAt: delivery.arrivedAt,
  clickedAt: delivery.clickedAt,
});

const FAILED: readonly FailedState[] = ["gone", "refused", "expired"];
/** Of the last so many failed deliveries groups are counted. */
const MOST_COUNTED = 200_000;

/** Failed deliveries, the newest first; `groups` only with the first page, `partial` when not all were counted (api 3.19). */
export async function deliveryList(params: Params, actions: Actions): Promise<Response> {
  const filter = filterOf(params);
  const after = params.text("after");
  const limit = params.whole("limit", 1, DELIVERIES.most) ?? DELIVERIES.usual;
  const [page, counted] = await Promise.all([
    actions.failures.failed(filter, after, limit),
    // They are the same on each page.
    after === undefined ? actions.failures.failedGroups(filter, MOST_COUNTED) : undefined,
  ]);
  return json({
    code: "success",
    groups: counted?.groups.map((group) => describeGroup(group, actions)),
    partial: counted?.complete === false ? true : undefined,
    deliveries: page.deliveries.map(describeFailed),
    next: page.next,
  });
}

/** It may reach everybody whom a broadcast failed to. @param admitBroadcast throws when the caller may not */
export async function deliveryRetry(params: Params, actions: Actions, admitBroadcast: () => void): Promise<Response> {
  admitBroadcast();
  const deliveries = idsOf(params);
  const filter = { ...filterOf(params), ...(deliveries === undefined ? {} : { deliveries }) };
  if (Object.keys(filter).length === 0)
    throw new PushError(
      "invalid",
      "delivery, state, provider, app, reason, from or to is required: which deliveries to retry",
    );
  const timeToLive = params.timeToLive();
  const after = params.text("after");
  const dryRun = params.strictFlag("dryRun");
  const { retried, ids, dead, late, next } = await actions.failures.retry(filter, {
    ...(timeToLive === 0 ? {} : { timeToLive }),
    ...(after === undefined ? {} : { after }),
    dryRun,
    limit: params.whole("limit", 1, RETRIED.most) ?? RETRIED.usual,
  });
  return json({
    code: "success",
    dryRun,
    retried,
    dead,
    late,
    notifications: ids.size,
    ids: [...ids].slice(0, DELIVERIES.usual),
    next,
  });
}

function idsOf(params: Params): readonly number[] | undefined {
  const ids = params.ids("delivery");
  if (ids === undefined) return undefined;
  if (ids.length > RETRIED.most)
    throw new PushError("too_large", `delivery has ${ids.length} ids: name at most ${RETRIED.most} in one call`);
  if (!ids.every((id) => /^\d{1,15}$/.test(id)))
    throw new PushError("invalid", "delivery must be the number of a failed delivery, or a list of them");
  return ids.map(Number);
}

function filterOf(params: Params): FailedFilter {
  const state = params.text("state");
  const failed = FAILED.find((one) => one === state);
  if (state !== undefined && failed === undefined)
    throw new PushError("invalid", `state must be one of ${FAILED.join(", ")}`);
  const vendor = params.label("provider");
  const app = params.label("app");
  const reason = params.text("reason");
  const from = params.time("from");
  const to = params.time("to");
  return {
    ...(failed === undefined ? {} : { state: failed }),
    ...(vendor === undefined ? {} : { vendor }),
    ...(app === undefined ? {} : { app }),
    ...(reason === undefined ? {} : { reason }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

const describeGroup = ({ vendor, samples, ...group }: FailedGroup, { plainWords }: Actions): object => ({
  provider: vendor,
  ...group,
  pushIds: samples,
  ...(vendor === undefined || group.reason === undefined ? {} : plainWords(vendor, group.reason)),
});

const describeFailed = ({ vendor, queuedAt, settledAt, ...delivery }: FailedDelivery): object => ({
  delivery: delivery.delivery,
  id: delivery.id,
  pushId: delivery.pushId,
  uid: delivery.uid,
  provider: vendor,
  app: delivery.app,
  state: delivery.state,
  reason: delivery.reason,
  retries: delivery.retries,
  queuedAt,
  ...told("settledAt", settledAt),
});
