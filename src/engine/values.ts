// The values of core/outbox.ts as the calls of the storage thread take them, and what those answer made into such values again.
import { type Lane, laneName } from "../core/delivery.ts";
import type { PushId, Uid } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import { expiry, messageText, type Notification } from "../core/notification.ts";
import type { Addressed, DeliveryRecord, DeliveryState, ExpandedPage, Job, JobState } from "../core/outbox.ts";
import { EXPIRED, NO_ALERT, NO_TITLE, NOT_BACK, NOT_KEPT, PUSHED_OUT, QUIET } from "../core/reasons.ts";
import { isKept, type LocalBroker } from "./broker.ts";
import { type AddressedRow, packAddressed, packParcels } from "./rows.ts";
import type { LaneName } from "./sqlite/deliveries.ts";
import type { PackedPage } from "./sqlite/jobs.ts";
import type { DeliveryView, JobView, Place } from "./sqlite/listing.ts";
import { type ConnectionState, State } from "./sqlite/state.ts";

/** A call for at most so many is small. */
export const SMALL = 1000;

/** Of a job, as `accept` takes it. */
export const headingOf = (notification: Notification) => {
  const { id, type, timeToLive, acceptedAt, sendAt, callerAddress, content } = notification;
  return {
    id,
    type,
    text: messageText(content),
    timeToLive,
    acceptedAt,
    ...(sendAt === undefined ? {} : { sendAt }),
    expires: expiry(notification),
    callerAddress,
    reach: notification.reach !== undefined,
  };
};

/** A page for the store: parcels that go through it, each lane once, and what becomes of a device without a lane, which is known here. */
export function packPage(page: ExpandedPage, broker: LocalBroker): PackedPage {
  const { cursor, notBefore, parcels, devices, late, counts, seen, skipped, routes, reach } = page;
  const kept = parcels.filter(isKept);
  /** What becomes of it at a device that has no lane. What is kept is sent when it is proven to have arrived (holds 9). */
  const connected = (pushId: PushId): ConnectionState => {
    if (kept.length > 0) return State.kept;
    return parcels.length > 0 && broker.has(pushId) ? State.sent : State.expired;
  };
  const lanes: LaneName[] = [];
  const places = new Map<string, number>();
  function placeOf(lane: Lane): number {
    const name = laneName(lane);
    let place = places.get(name);
    if (place === undefined) {
      place = lanes.push(toName(lane)) - 1;
      places.set(name, place);
    }
    return place;
  }
  function row({ pushId, via, lacking, ...rest }: Addressed): AddressedRow {
    const uid = rest.uid ?? null;
    if (lacking !== undefined) return { pushId, uid, state: lacking === "apn" ? State.lacksApn : State.lacksTitle };
    if (via === undefined) return { pushId, uid, state: connected(pushId) };
    return { pushId, uid, lane: placeOf(via.lane), type: via.type, token: via.token };
  }
  return {
    cursor: cursor ?? null,
    notBefore: notBefore ?? null,
    parcels: packParcels(broker.stored(parcels)),
    devices: packAddressed(devices.map(row)),
    lanes,
    late: late === undefined ? null : late === "quiet" ? QUIET : EXPIRED,
    counts,
    seen,
    skipped,
    routes,
    reach:
      reach === undefined
        ? null
        : {
            capPerDay: reach.capPerDay ?? null,
            users: reach.users.map(({ uid, due, planned }) => [uid, due, planned ? 1 : 0] as const),
          },
  };
}

export const toJob = (row: JobView): Job => ({
  job: row.job,
  id: row.id,
  type: row.type,
  text: row.text,
  target: row.target_kind as Job["target"], // written by `accept`
  state: row.state as JobState, // named by the query
  acceptedAt: row.accepted_at,
  ...(row.send_at !== null ? { sendAt: row.send_at } : undefined),
  ...(row.state === "deferred" ? { deferred: row.due } : undefined),
  ...(row.finished_at !== null ? { finishedAt: row.finished_at } : undefined),
  ...(row.rate !== null ? { rate: row.rate } : undefined),
  dryRun: row.dry_run === 1,
  seen: row.seen,
  skipped: row.skipped,
  routes: JSON.parse(row.routes) as Job["routes"], // written by `expand`
  queued: row.queued,
  waiting: row.waiting,
  accepted: row.accepted,
  connected: row.connected,
  failed: row.failed,
});

/** By the number that the store has. */
export const STATES: Readonly<Record<number, DeliveryState>> = {
  [State.sent]: "sent",
  [State.lacksApn]: "skipped",
  [State.lacksTitle]: "skipped",
  [State.queued]: "queued",
  [State.leased]: "queued",
  [State.held]: "queued",
  [State.accepted]: "accepted",
  [State.gone]: "gone",
  [State.refused]: "refused",
  [State.expired]: "expired",
  [State.cancelled]: "cancelled",
};

/** How it is with a delivery over the connection: of what is kept for an absent device nothing is written when its time ends. */
function overConnection(row: DeliveryView, now: number): Pick<DeliveryRecord, "state" | "reason" | "settledAt"> {
  const { state, queued_at: queuedAt, expires } = row;
  if (state === State.lacksApn || state === State.lacksTitle)
    return { state: "skipped", reason: state === State.lacksApn ? NO_ALERT : NO_TITLE, settledAt: queuedAt };
  if (state === State.expired)
    return { state: "expired", reason: row.reason ?? (expires > queuedAt ? NOT_KEPT : EXPIRED), settledAt: queuedAt };
  if (state !== State.kept || row.arrived_at !== null || row.clicked_at !== null) return { state: "sent" };
  if (expires <= now) return { state: "expired", reason: NOT_BACK, settledAt: expires };
  return row.in_log === 1 ? { state: "queued" } : { state: "expired", reason: PUSHED_OUT };
}

/** In rows a lane without a host has "" there. */
export const toLane = ({ vendor, app, host }: LaneName): Lane =>
  host === "" ? { vendor, app } : { vendor, app, host };

export const toName = ({ vendor, app, host = "" }: Lane): LaneName => ({ vendor, app, host });

/** `now` decides whether what waits for a connection has expired. */
export const toRecord = (row: DeliveryView, now: number): DeliveryRecord => ({
  pushId: row.push_id as PushId, // the brands were given when they were stored
  ...(row.uid !== null ? { uid: row.uid as Uid } : undefined),
  ...(row.vendor !== null && row.app !== null ? { lane: { vendor: row.vendor, app: row.app } } : undefined),
  state: STATES[row.state] ?? "queued",
  retries: row.attempts,
  ...(row.reason !== null ? { reason: row.reason } : undefined),
  ...(row.receipt !== null ? { receipt: row.receipt } : undefined),
  queuedAt: row.queued_at,
  ...(row.sent_at !== null ? { sentAt: row.sent_at } : undefined),
  ...(row.settled_at !== null ? { settledAt: row.settled_at } : undefined),
  ...(row.state === State.queued && row.due !== null ? { nextTryAt: row.due } : undefined),
  ...(row.arrived_at !== null ? { arrivedAt: row.arrived_at } : undefined),
  ...(row.clicked_at !== null ? { clickedAt: row.clicked_at } : undefined),
  ...(row.vendor === null ? overConnection(row, now) : undefined),
});

export const noPlace = (): PushError =>
  new PushError("invalid", "after is no place in this list: give the `next` of an earlier answer");

/** The `next` of an earlier page, read again. */
export function readPlace(after: string | undefined): Place {
  if (after === undefined) return { job: 0, delivery: 0 };
  const [, job, delivery] = /^(\d{1,15})-(\d{1,15})$/.exec(after) ?? [];
  if (job === undefined || delivery === undefined) throw noPlace();
  return { job: Number(job), delivery: Number(delivery) };
}
