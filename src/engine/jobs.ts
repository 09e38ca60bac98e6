// The outbox of either engine, made of the calls of its store: what crosses to it is flattened, what comes back made into the values
// of core/outbox.ts (values.ts).
import { tracedCounters } from "../core/arrival.ts";
import type { Delivery, Lease } from "../core/delivery.ts";
import type { PushId, Uid } from "../core/device.ts";
import { parseExact } from "../core/exact.ts";
import type { Notification } from "../core/notification.ts";
import type { DeliveryRecord, Job, NotificationTarget, Outbox } from "../core/outbox.ts";
import type { Traits } from "../core/traits.ts";
import type { LocalBroker } from "./broker.ts";
import type { Calls } from "./calls.ts";
import { localFailures } from "./failures.ts";
import { packSettlements, unpackClaimed } from "./rows.ts";
import { type Contents, NO_JOB } from "./sqlite/jobs.ts";
import type { DeliveriesView, DeliveryView, Place } from "./sqlite/listing.ts";
import { headingOf, packPage, readPlace, SMALL, toJob, toLane, toName, toRecord } from "./values.ts";

/** A longer list goes in pieces, so that other callers get in between. */
const PIECE = 1000;
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
/** Calls to many among which the last one to the same audience is looked for. */
const LOOKED_BACK = 1000;

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

    ...localFailures(queue, clock),

    async last(tag, now) {
      const job = await queue.call("lastJobTo", [tag ?? null, LOOKED_BACK], LOOKED_BACK);
      if (job === undefined) return undefined;
      const [found] = await queue.call("jobsByNumber", [[job], now]);
      return found === undefined ? undefined : toJob(found);
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
      const deliveries = unpackClaimed(claimed.deliveries).map((row): Delivery => {
        const { delivery, job, pushId: id, type, token, attempts, detour } = row;
        const note = notes.has(job) ? undefined : known.get(job);
        if (note !== undefined) notes.set(job, note);
        const pushId = id as PushId;
        // Written out: taking the rest of a row and spreading it takes as long as the unpacking.
        if (detour === null) return { delivery, job, lane, pushId, type, token, attempts, lease };
        return { delivery, job, lane, pushId, type, token, detour, attempts, lease };
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
