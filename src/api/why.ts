// /api/notification/why: why a notification did not arrive at a device, or how it did (api 6.3).
import { wallClock } from "../core/clock.ts";
import type { Lane } from "../core/delivery.ts";
import type { PushId } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import type { LaneStatus } from "../core/lane.ts";
import { why } from "../core/why.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { JOBS } from "./bounds.ts";
import { describeDelivery } from "./deliveries.ts";
import { describeJob, requiredId, unknownNotification } from "./job.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

/** Of Web Push the record does not say the host: a lane that stands still tells more than one that does not. */
const laneOf = (wanted: Lane, lanes: readonly LaneStatus[]): LaneStatus | undefined => {
  const own = lanes.filter(({ vendor, app }) => vendor === wanted.vendor && app === wanted.app);
  return own.find(({ state }) => state !== "running") ?? own[0];
};

/** @throws HttpError 404 when the notification is unknown */
export async function notificationWhy(params: Params, actions: Actions): Promise<Response> {
  const id = requiredId(params);
  const pushId = params.id("pushId") as PushId | undefined;
  if (pushId === undefined) throw new PushError("invalid", "pushId is required: the device that is asked about");
  const now = wallClock();
  const [found, jobs, note, [device], [past], [online], lanes] = await Promise.all([
    actions.outbox.at(id, pushId),
    actions.outbox.jobs({ id }, JOBS.most, now),
    actions.outbox.notification(id),
    actions.devices.get([pushId], now),
    actions.devices.past([pushId]),
    actions.live.isConnected([pushId]),
    actions.lanes.list(),
  ]);
  const delivery = found?.deliveries[0];
  const job = delivery === undefined ? jobs[0] : jobs.find((one) => one.job === delivery.job);
  if (found === undefined || job === undefined) throw unknownNotification(id);
  const lane = delivery?.lane === undefined ? undefined : laneOf(delivery.lane, lanes);
  const reason = delivery?.reason ?? lane?.reason;
  const { cause, text, remedy, steps } = why(
    {
      pushId,
      job,
      note,
      target: found.target,
      delivery,
      ...(found.arrivedAt === undefined ? {} : { arrivedAt: found.arrivedAt }),
      ...(found.clickedAt === undefined ? {} : { clickedAt: found.clickedAt }),
      device,
      past,
      online: online === true,
      served: device !== undefined && actions.served(device),
      lane,
      words:
        delivery?.lane === undefined || reason === undefined
          ? undefined
          : actions.plainWords(delivery.lane.vendor, reason),
    },
    now,
  );
  return json({
    code: "success",
    id,
    pushId,
    cause,
    text,
    remedy,
    steps: steps.map(({ step, at, text: said }) => ({ step, ...told("at", at), text: said })),
    delivery: delivery === undefined ? undefined : describeDelivery(delivery),
    job: describeJob(job),
    // Calls with this id that came to this device, where there were several.
    deliveries: found.deliveries.length > 1 ? found.deliveries.map(describeDelivery) : undefined,
  });
}
