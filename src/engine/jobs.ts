// The outbox of a single process, made of the calls of the storage thread: what crosses to it is flattened, what comes back made
// into the values of core/outbox.ts.
import { tracedCounters } from "../core/arrival.ts";
import { type Delivery, type Lane, type Lease, laneName } from "../core/delivery.ts";
import type { PushId, Uid } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import { parseExact } from "../core/exact.ts";
import { expiry, messageText, type Notification, type NotificationId } from "../core/notification.ts";
import type {
  Addressed,
  DeliveryRecord,
  DeliveryState,
  ExpandedPage,
  FailedDelivery,
  FailedFilter,
  FailedGroup,
  FailedState,
  Job,
  JobState,
  NotificationTarget,
  Outbox,
} from "../core/outbox.ts";
import { EXPIRED, NO_ALERT, NO_TITLE, NOT_BACK, NOT_KEPT, PUSHED_OUT, QUIET } from "../core/reasons.ts";
import { HOUR } from "../core/time.ts";
import type { Traits } from "../core/traits.ts";
import { isKept, type LocalBroker } from "./broker.ts";
import type { Calls } from "./calls.ts";
import { type AddressedRow, packAddressed, packParcels, packSettlements, unpackClaimed } from "./rows.ts";
import type { LaneName } from "./sqlite/deliveries.ts";
import type { FailureFilter, FailurePlace, FailureView } from "./sqlite/failures.ts";
import { type Contents, NO_JOB, type PackedPage } from "./sqlite/jobs.ts";
import type { DeliveriesView, DeliveryView, JobView, Place } from "./sqlite/listing.ts";
import { type ConnectionState, State } from "./sqlite/state.ts";

/** A longer list goes in pieces, so that other callers get in between. */
const PIECE = 1000;
/** A call for at most so many is small. */
const SMALL = 1000;
/** Jobs whose contents are kept at hand while they are expanded. */
const IN_HAND = 16;
/** Jobs whose notification is kept at hand while their deliveries are claimed. */
const NOTES_IN_HAND = 64;
/** Deliveries per piece of an order: a few milliseconds. */
const WALKED = 500;
/** Pieces that the caller of an order waits for, about 100 ms: most jobs are done by then. */
const AWAITED = 16;
/** Deliveries or jobs listed at a time: a few milliseconds. */
const LISTED = 100;
/** Deliveries looked through at a time for vendors' ids. */
const LOOKED_THROUGH = 2000;

/** Failed deliveries looked through at a time: a few milliseconds. */
const FAILED_AT_ONCE = 500;
/** Groups of failed deliveries told apart. */
const MOST_GROUPS = 1000;
/** Devices of a job that failed ones are made of. */
const RETRIED_TOGETHER = 5000;

interface Parts {
  readonly notification: Notification;
  readonly target: NotificationTarget;
}

const parse = ({ notification, target }: Contents): Parts => ({
  notification: parseExact(notification) as Notification, // both written by `accept`
  target: JSON.parse(target) as NotificationTarget,
});

function keepAtHand<Value>(all: Map<number, Value>, job: number, value: Value, most: number): void {
  all.delete(job);
  all.set(job, value);
  if (all.size > most) all.delete(all.keys().next().value!); // not empty
}

/** @param goOn told of an order that is not carried out to its end yet: `walkOn` is to follow */
export function localOutbox(
  queue: Calls,
  broker: LocalBroker,
  goOn: () => void,
  clock: () => number,
  traits: Traits,
): Outbox {
  // A list of 100,000 ids is read once, not again for each of its pages.
  const inHand = new Map<number, Parts>();
  // A notification is parsed once, not again for each claim of its deliveries.
  const notesInHand = new Map<number, Notification>();
  const record = (row: DeliveryView): DeliveryRecord => toRecord(row, clock());

  return {
    accept(notification, target, { rate, dryRun = false, once } = {}) {
      const heading = {
        ...headingOf(notification),
        targetKind: target.kind,
        small: isSmall(target),
        ...(rate === undefined ? {} : { rate }),
        dryRun,
      };
      return queue.call("accept", [heading, JSON.stringify(notification), JSON.stringify(target), once ?? null]);
    },

    async failed(filter, after, limit) {
      const found: FailedDelivery[] = [];
      let next: FailurePlace | undefined;
      for await (const piece of failuresIn(queue, filter, failurePlace(after))) {
        const taken = piece.rows.slice(0, limit - found.length);
        for (const row of taken) found.push(toFailed(row));
        next = taken.length < piece.rows.length ? placeBehind(taken) : piece.next;
        if (found.length >= limit) break;
      }
      return { deliveries: found, ...(next === undefined ? {} : { next: placeText(next) }) };
    },

    async last(tag, now) {
      const job = await queue.call("lastJobTo", [tag ?? null, LOOKED_BACK], LOOKED_BACK);
      if (job === undefined) return undefined;
      const [found] = await queue.call("jobsByNumber", [[job], now]);
      return found === undefined ? undefined : toJob(found);
    },

    async failedGroups(filter, most) {
      const groups = new Map<string, Counted>();
      const hour = Math.floor(clock() / HOUR);
      let looked = 0;
      let complete = true;
      for await (const { rows, next } of failuresIn(queue, filter, undefined)) {
        for (const row of rows) {
          const { vendor, app, state, reason, pushId, settledAt } = toFailed(row);
          const key = JSON.stringify([vendor, app, state, reason]);
          let group = groups.get(key);
          if (group === undefined) {
            if (groups.size >= MOST_GROUPS) {
              complete = false;
              continue;
            }
            group = { ...alike(vendor, app, state, reason), count: 0, trend: new Array(TREND).fill(0), samples: [] };
            groups.set(key, group);
          }
          group.count++;
          if (group.samples.length < SAMPLES) group.samples.push(pushId);
          const at = TREND - 1 - (hour - Math.floor(settledAt / HOUR));
          if (at >= 0 && at < TREND) group.trend[at]!++;
        }
        looked += FAILED_AT_ONCE;
        if (looked < most || next === undefined) continue;
        complete = false;
        break;
      }
      return { groups: [...groups.values()].sort((a, b) => b.count - a.count), complete };
    },

    async retry(filter, { timeToLive, dryRun = false, after, limit }, now) {
      const ids = new Set<NotificationId>();
      const waiting = new Map<number, number[]>();
      let [retried, dead, late, looked] = [0, 0, 0, 0];
      let place: FailurePlace | undefined;
      async function make(job: number, deliveries: readonly number[]): Promise<void> {
        const text = await queue.call("contentOf", [job]);
        if (text === undefined) return;
        const before = parseExact(text) as Notification; // written by `accept`
        // Whom a message was meant for at that time is another question.
        const { sendAt, reach: _, ...rest } = before;
        const note: Notification =
          timeToLive === undefined
            ? { ...rest, ...(sendAt === undefined ? {} : { sendAt }) }
            : { ...rest, acceptedAt: now, timeToLive };
        const heading = { ...headingOf(note), targetKind: "pushIds", small: deliveries.length <= SMALL, dryRun: false };
        retried += await queue.call("retryAs", [heading, JSON.stringify(note), deliveries], deliveries.length);
        ids.add(note.id);
      }
      for await (const { rows, next } of failuresIn(queue, filter, failurePlace(after))) {
        for (const { delivery, job, id, state, lane, alive, expires } of rows.map(withLane)) {
          looked++;
          if (state === State.gone || (lane && alive === 0)) dead++;
          else if (timeToLive === undefined && expires <= now) late++;
          else if (dryRun) {
            retried++;
            ids.add(id);
          } else {
            const deliveries = waiting.get(job) ?? [];
            waiting.set(job, deliveries);
            if (deliveries.push(delivery) < RETRIED_TOGETHER) continue;
            waiting.delete(job);
            await make(job, deliveries);
          }
        }
        place = next;
        if (looked >= limit) break;
      }
      for (const [job, deliveries] of waiting) await make(job, deliveries);
      return { retried, ids, dead, late, ...(place === undefined ? {} : { next: placeText(place) }) };
    },

    async unexpanded(limit, now) {
      const known = new Map(inHand);
      const { work, next } = await queue.call("unexpanded", [limit, now, [...known.keys()]]);
      const jobs = work.flatMap(({ job, contents, cursor, rate, dry_run }) => {
        const parts = contents === undefined ? known.get(job) : parse(contents);
        if (parts === undefined) return [];
        keepAtHand(inHand, job, parts, IN_HAND);
        return {
          job,
          ...parts,
          ...(cursor !== null ? { cursor } : undefined),
          ...(rate !== null ? { rate } : undefined),
          dryRun: dry_run === 1,
        };
      });
      return { work: jobs, ...(next !== undefined ? { next } : undefined) };
    },

    async expand(job, from, page, now) {
      const { parcels, devices } = page;
      const deliver = (first: number) => (first === NO_JOB ? undefined : broker.handOver(parcels, first)); // holds 2, 3
      const weight = parcels.length + devices.length + 1;
      const first = await queue.call("expand", [job, from ?? null, packPage(page, broker), now], weight, deliver);
      if (page.cursor === undefined) inHand.delete(job);
      return first !== NO_JOB;
    },

    // There is no other process.
    own: () => true,
    disown: async () => {},

    async lanes() {
      const rows = await queue.call("lanes", []);
      return rows.map(({ depth, oldest, ...name }) => ({
        lane: toLane(name),
        depth,
        ...(oldest !== null ? { oldest } : undefined),
      }));
    },

    async unsent() {
      const rows = await queue.call("unsent", []);
      return rows.map(({ total, ...name }) => ({ lane: toLane(name), total }));
    },

    async claim(lane, limit, now, time) {
      const known = new Map(notesInHand);
      const jobs = [...known.keys()];
      const claimed = await queue.call("claim", [toName(lane), limit, now, clock(), time, jobs], limit);
      const lease: Lease = { name: claimed.lease, until: now + time };
      for (const { job, notification } of claimed.notes) {
        const note = parseExact(notification) as Notification; // written by `accept`
        known.set(job, note);
        keepAtHand(notesInHand, job, note, NOTES_IN_HAND);
      }
      const notes = new Map<number, Notification>();
      const deliveries = unpackClaimed(claimed.deliveries).map(({ detour, pushId, ...row }): Delivery => {
        const note = notes.has(row.job) ? undefined : known.get(row.job);
        if (note !== undefined) notes.set(row.job, note);
        return { ...row, pushId: pushId as PushId, lane, lease, ...(detour === null ? undefined : { detour }) };
      });
      return { deliveries, notes, ...(claimed.next !== undefined ? { next: claimed.next } : undefined) };
    },

    async settle(results, now) {
      for (let i = 0; i < results.length; i += PIECE) {
        const piece = results.slice(i, i + PIECE);
        await queue.call("settle", [packSettlements(piece), now], piece.length);
      }
    },

    expire: (lane, after, limit, now) => queue.call("expireLane", [toName(lane), after, limit, now], limit),

    expiring: (lane, until) => queue.call("expiringIn", [toName(lane), until]),

    async received(receipts, now) {
      for (let i = 0; i < receipts.length; i += PIECE) {
        const piece = receipts.slice(i, i + PIECE);
        await queue.call("received", [piece, now], piece.length);
      }
    },

    async acknowledged(acks, now) {
      for (let i = 0; i < acks.length; i += PIECE) {
        const piece = acks.slice(i, i + PIECE).map(({ id, pushId }) => [id, pushId] as const);
        await queue.call("acknowledge", [piece, now], piece.length);
      }
    },

    async reached(id, after, limit, now) {
      const { job, delivery: user } = readPlace(after);
      const users = queue.call("reachedUsers", [id, { job, user }, limit, now], limit);
      const counts = await queue.call("reachedSums", [id, now], PIECE);
      const found = await users;
      const last = found.length < limit ? undefined : found.at(-1);
      if (counts === undefined) return undefined;
      return {
        counts: { ...counts },
        users: found.map(({ uid, way, at }) => ({ uid: uid as Uid, by: way, ...(at === null ? {} : { at }) })),
        ...(last === undefined ? {} : { next: `${last.job}-${last.user}` }),
      };
    },

    async jobs({ id, state, before }, limit, now) {
      const found: Job[] = [];
      let last = before ?? null;
      for (let more = true; more && found.length < limit; ) {
        const asked = Math.min(limit - found.length, LISTED);
        const rows = await queue.call("jobs", [id ?? null, state ?? null, last, asked, now], asked);
        for (const row of rows) found.push(toJob(row));
        last = rows.at(-1)?.job ?? null;
        more = rows.length === asked;
      }
      return found;
    },

    async order(id, order, now, { toDevicesOnly = false } = {}) {
      const jobs = await queue.call("order", [id, order, now, toDevicesOnly]);
      let left = AWAITED;
      for (const job of jobs) while (left-- > 0 && (await queue.call("walkJob", [job, WALKED, now], WALKED)));
      const changed = queue.call("jobsByNumber", [jobs, now], jobs.length);
      if (left < 0) goOn();
      return (await changed).map(toJob);
    },

    async setRate(id, rate, now, { toDevicesOnly = false } = {}) {
      const jobs = await queue.call("setRate", [id, rate, toDevicesOnly]);
      return (await queue.call("jobsByNumber", [jobs, now], jobs.length)).map(toJob);
    },

    async notification(id) {
      const text = await queue.call("notification", [id]);
      return text === undefined ? undefined : (parseExact(text) as Notification); // written by `accept`
    },

    async deliveries(id, after, limit) {
      const found: DeliveryRecord[] = [];
      let place: Place | undefined = readPlace(after);
      while (place !== undefined && found.length < limit) {
        const asked = Math.min(limit - found.length, LISTED);
        const piece: DeliveriesView | undefined = await queue.call("deliveriesOf", [id, place, asked], asked);
        if (piece === undefined) return undefined;
        for (const row of piece.rows) found.push(record(row));
        place = piece.next;
      }
      return { deliveries: found, ...(place === undefined ? {} : { next: `${place.job}-${place.delivery}` }) };
    },

    async at(id, pushId) {
      const found = await queue.call("deliveriesAt", [id, pushId]);
      if (found === undefined) return undefined;
      const { rows, target, arrived_at, clicked_at } = found;
      return {
        deliveries: rows.map((row) => ({ ...record(row), job: row.job })),
        ...(target === null ? undefined : { target: JSON.parse(target) as NotificationTarget }), // written by `accept`
        ...(arrived_at === null ? undefined : { arrivedAt: arrived_at }),
        ...(clicked_at === null ? undefined : { clickedAt: clicked_at }),
      };
    },

    async receipts(id, vendor, limit) {
      const found = new Set<string>();
      for (const job of (await queue.call("jobsOfId", [id])).toReversed()) {
        let before: number | null = null;
        do {
          const { ids, next }: { ids: readonly string[]; next: number | undefined } = await queue.call(
            "vendorIds",
            [job, before, vendor, LOOKED_THROUGH],
            LOOKED_THROUGH,
          );
          for (const one of ids) if (found.size < limit) found.add(one);
          before = next ?? null;
        } while (before !== null && found.size < limit);
        if (found.size >= limit) break;
      }
      return [...found];
    },

    traceable: (vendor, from, to, limit) =>
      queue.call("traceable", [`accepted_${traits.statisticsName(vendor)}`, from.at, from.job, to, limit], limit),

    traced: (id, vendor, counts) => queue.call("raise", [id, tracedCounters(traits.statisticsName(vendor), counts)]),
  };
}

/**
 * Goes on with orders whose callers have their answer already, or that a restart cut short, and with what expires while it is held.
 * `stopped` is asked between the pieces.
 */
export async function walkOn(queue: Calls, now: () => number, stopped: () => boolean): Promise<void> {
  while (!stopped()) {
    const job = await queue.call("unwalked", [now()]);
    if (job === undefined) return;
    while (!stopped() && (await queue.call("walkJob", [job, WALKED, now()], WALKED)));
  }
}

const headingOf = (notification: Notification) => {
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

// ---- failed deliveries

const FAILED: Readonly<Record<FailedState, number>> = {
  gone: State.gone,
  refused: State.refused,
  expired: State.expired,
};

interface FailurePiece {
  readonly rows: readonly FailureView[];
  readonly next: FailurePlace | undefined;
}

/** Those that fit, piece by piece, from a place on. */
async function* failuresIn(
  queue: Calls,
  filter: FailedFilter,
  from: FailurePlace | undefined,
): AsyncIterable<FailurePiece> {
  const { state, vendor = null, app = null, reason = null, deliveries, to = Number.MAX_SAFE_INTEGER } = filter;
  const asked = { state: state === undefined ? null : FAILED[state], vendor, app, reason, from: filter.from ?? 0, to };
  if (deliveries !== undefined) {
    for (let at = 0; at < deliveries.length; at += FAILED_AT_ONCE) {
      const piece = deliveries.slice(at, at + FAILED_AT_ONCE);
      yield { rows: await queue.call("failuresOf", [piece, asked], piece.length), next: undefined };
    }
    return;
  }
  let place = from;
  do {
    const args: [FailureFilter, FailurePlace | null, number] = [asked, place ?? null, FAILED_AT_ONCE];
    const piece: FailurePiece = await queue.call("failures", args, FAILED_AT_ONCE);
    yield piece;
    place = piece.next;
  } while (place !== undefined);
}

function failurePlace(after: string | undefined): FailurePlace | undefined {
  if (after === undefined) return undefined;
  const [, at, delivery] = /^(\d{1,16})-(\d{1,15})$/.exec(after) ?? [];
  if (at === undefined || delivery === undefined) throw noPlace();
  return { at: Number(at), delivery: Number(delivery) };
}

const placeText = ({ at, delivery }: FailurePlace): string => `${at}-${delivery}`;

function placeBehind(rows: readonly FailureView[]): FailurePlace | undefined {
  const last = rows.at(-1);
  return last === undefined ? undefined : { at: last.settled_at, delivery: last.delivery };
}

/** Calls to many among which the last one to the same audience is looked for. */
const LOOKED_BACK = 1000;

/** Hours of a group's trend, and devices that it names. */
const TREND = 24;
const SAMPLES = 3;

interface Counted extends Pick<FailedGroup, "vendor" | "app" | "state" | "reason"> {
  count: number;
  readonly trend: number[];
  readonly samples: PushId[];
}

const alike = (
  vendor: string | undefined,
  app: string | undefined,
  state: FailedState,
  reason: string | undefined,
): Pick<FailedGroup, "vendor" | "app" | "state" | "reason"> => ({
  ...(vendor === undefined ? {} : { vendor }),
  ...(app === undefined ? {} : { app }),
  state,
  ...(reason === undefined ? {} : { reason }),
});

const withLane = (row: FailureView) => ({ ...row, lane: row.vendor !== null });

const toFailed = (row: FailureView): FailedDelivery => ({
  delivery: row.delivery,
  id: row.id,
  pushId: row.push_id as PushId, // the brands were given when they were stored
  ...(row.uid !== null ? { uid: row.uid as Uid } : undefined),
  ...(row.vendor !== null ? { vendor: row.vendor } : undefined),
  ...(row.app !== null ? { app: row.app } : undefined),
  state: STATES[row.state] as FailedState, // the query names no other
  ...(row.reason !== null ? { reason: row.reason } : undefined),
  retries: row.attempts,
  queuedAt: row.queued_at,
  settledAt: row.settled_at,
});

const noPlace = (): PushError =>
  new PushError("invalid", "after is no place in this list: give the `next` of an earlier answer");

/** The `next` of an earlier page, read again. */
function readPlace(after: string | undefined): Place {
  if (after === undefined) return { job: 0, delivery: 0 };
  const [, job, delivery] = /^(\d{1,15})-(\d{1,15})$/.exec(after) ?? [];
  if (job === undefined || delivery === undefined) throw noPlace();
  return { job: Number(job), delivery: Number(delivery) };
}

function isSmall(target: NotificationTarget): boolean {
  switch (target.kind) {
    case "pushIds":
      return target.pushIds.length <= SMALL;
    case "uids":
      return target.uids.length <= SMALL;
    default:
      return false;
  }
}

function packPage(page: ExpandedPage, broker: LocalBroker): PackedPage {
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

const toJob = (row: JobView): Job => ({
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

const STATES: Readonly<Record<number, DeliveryState>> = {
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

const toLane = ({ vendor, app, host }: LaneName): Lane => (host === "" ? { vendor, app } : { vendor, app, host });

const toName = ({ vendor, app, host = "" }: Lane): LaneName => ({ vendor, app, host });

const toRecord = (row: DeliveryView, now: number): DeliveryRecord => ({
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
