// Deliveries that came to nothing: listed, counted by what went wrong, and made jobs of again. Newest first, and a part at a time: a
// filter may fit few of very many.
import type Database from "better-sqlite3";
import type { Heading } from "./jobs.ts";
import { State } from "./state.ts";

/** Which of them. NULL: any. */
export interface FailureFilter {
  readonly state: number | null;
  readonly vendor: string | null;
  readonly app: string | null;
  readonly reason: string | null;
  readonly from: number;
  readonly to: number;
}

/** A place in the list: behind this one. */
export interface FailurePlace {
  readonly at: number;
  readonly delivery: number;
}

export interface FailureView {
  readonly delivery: number;
  readonly job: number;
  readonly id: string;
  /** When the notification's time ends. */
  readonly expires: number;
  readonly push_id: string;
  readonly uid: string | null;
  readonly vendor: string | null;
  readonly app: string | null;
  readonly state: number;
  readonly reason: string | null;
  readonly attempts: number;
  readonly queued_at: number;
  readonly settled_at: number;
  /** 1: its device has a token now. */
  readonly alive: number;
}

export interface Failures {
  readonly rows: readonly FailureView[];
  readonly next: FailurePlace | undefined;
}

/** null takes any; both times are part of the span. */
export const fits = (row: FailureView, { state, vendor, app, reason, from, to }: FailureFilter): boolean =>
  (state === null || row.state === state) &&
  (vendor === null || row.vendor === vendor) &&
  (app === null || row.app === app) &&
  (reason === null || row.reason === reason) &&
  row.settled_at >= from &&
  row.settled_at <= to;

export function failures(db: Database, accept: (heading: Heading, notification: string, target: string) => number) {
  // The words of the index deliveries_failed.
  const failed = `state IN (${State.gone}, ${State.refused}, ${State.expired}) AND settled_at IS NOT NULL AND retried IS NULL`;
  const numbers = db.prepare<[number, number, number, number, number], { delivery: number; settled_at: number }>(`
    SELECT delivery, settled_at FROM deliveries
    WHERE ${failed} AND settled_at >= ? AND settled_at <= ? AND NOT (settled_at = ? AND delivery >= ?)
    ORDER BY settled_at DESC, delivery DESC LIMIT ?`);
  const one = db.prepare<[number], FailureView>(`
    SELECT d.delivery, d.job, j.id, j.expires, d.push_id, u.uid, l.vendor, l.app, d.state, d.reason, d.attempts, d.queued_at,
           d.settled_at, v.token IS NOT NULL AS alive
    FROM deliveries d JOIN jobs j ON j.job = d.job LEFT JOIN users u ON u.user = d.user LEFT JOIN lanes l ON l.lane = d.lane
      LEFT JOIN devices v ON v.device = d.device
    WHERE d.delivery = ? AND ${failed} AND j.arrival IS NOT NULL`);
  const mark = db
    .prepare<[number], string>(`UPDATE deliveries SET retried = 1 WHERE delivery = ? AND ${failed} RETURNING push_id`)
    .pluck<string>();
  const contents = db.prepare<[number], string>("SELECT notification FROM job_contents WHERE job = ?").pluck<string>();

  return {
    /** Of `limit` failed deliveries those that fit. */
    failures(filter: FailureFilter, place: FailurePlace | null, limit: number): Failures {
      const { at, delivery } = place ?? { at: filter.to, delivery: Number.MAX_SAFE_INTEGER };
      const looked = numbers.all(filter.from, Math.min(filter.to, at), at, delivery, limit);
      const last = looked.length === limit ? looked.at(-1) : undefined;
      const rows = looked.map((row) => one.get(row.delivery)).filter((row) => row !== undefined && fits(row, filter));
      return {
        rows: rows as FailureView[],
        next: last === undefined ? undefined : { at: last.settled_at, delivery: last.delivery },
      };
    },

    /** Of these numbers those that failed and fit. */
    failuresOf: (deliveries: readonly number[], filter: FailureFilter): readonly FailureView[] =>
      deliveries
        .map((number) => one.get(number))
        .filter((row): row is FailureView => row !== undefined && fits(row, filter)),

    /** The notification of a job, as JSON. */
    contentOf: (job: number): string | undefined => contents.get(job),

    /** Makes a job of them, once: those that were retried meanwhile are left out. Returns how many went into it. */
    retryAs(heading: Heading, notification: string, deliveries: readonly number[]): number {
      const pushIds = new Set<string>();
      for (const delivery of deliveries) {
        const pushId = mark.get(delivery);
        if (pushId !== undefined) pushIds.add(pushId);
      }
      if (pushIds.size > 0) accept(heading, notification, JSON.stringify({ kind: "pushIds", pushIds: [...pushIds] }));
      return pushIds.size;
    },
  };
}
