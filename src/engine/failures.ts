// Deliveries that failed, looked through a few milliseconds at a time: listed, counted by what went wrong, and tried again as jobs of
// their own.
import type { PushId, Uid } from "../core/device.ts";
import { parseExact } from "../core/exact.ts";
import type { Notification, NotificationId } from "../core/notification.ts";
import type { FailedDelivery, FailedFilter, FailedGroup, FailedState, Outbox } from "../core/outbox.ts";
import { HOUR } from "../core/time.ts";
import type { Calls } from "./calls.ts";
import type { FailureFilter, FailurePlace, FailureView } from "./sqlite/failures.ts";
import { State } from "./sqlite/state.ts";
import { headingOf, noPlace, SMALL, STATES } from "./values.ts";

/** Failed deliveries looked through at a time: a few milliseconds. */
const FAILED_AT_ONCE = 500;
/** Groups of failed deliveries told apart. */
const MOST_GROUPS = 1000;
/** Devices of a job that failed ones are made of. */
const RETRIED_TOGETHER = 5000;

/** Hours of a group's trend, and devices that it names. */
const TREND = 24;
const SAMPLES = 3;

export function localFailures(queue: Calls, clock: () => number): Pick<Outbox, "failed" | "failedGroups" | "retry"> {
  return {
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
  };
}

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
