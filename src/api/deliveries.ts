// /api/notification/get: one notification, its figures, and what became of it device by device.
import type { DeliveryRecord } from "../core/outbox.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { describeJob, requiredId, unknownNotification } from "./job.ts";
import type { Params } from "./params.ts";
import { arrivalFigures } from "./stats.ts";
import { told } from "./time.ts";

const USUAL = 100;
const MOST = 1000;

export async function getNotification(params: Params, actions: Actions): Promise<Response> {
  const id = requiredId(params);
  const after = params.text("after");
  const limit = params.whole("limit", 1, MOST) ?? USUAL;
  const [page, note, jobs, [record]] = await Promise.all([
    actions.outbox.deliveries(id, after, limit),
    // It may be large: once is enough.
    after === undefined ? actions.outbox.notification(id) : undefined,
    actions.outbox.jobs({ id }, MOST, Date.now()),
    actions.counters.arrivals({ id }, 1),
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
    counts: { ...arrivalFigures(record?.counts ?? {}), failures: record?.failures },
    deliveries: page.deliveries.map(describe),
    next: page.next,
  });
}

const describe = ({ lane, ...delivery }: DeliveryRecord): object => ({
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
