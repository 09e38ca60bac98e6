// Deliveries that came to nothing: listed, counted by what went wrong, and made jobs of again. Newest first, and a part at a time: a
// filter may fit few of very many.
import { type FailureFilter, type FailurePlace, type Failures, type FailureView, fits } from "../sqlite/failures.ts";
import type { Heading } from "../sqlite/jobs.ts";
import { State } from "../sqlite/state.ts";
import { Column, Statement } from "./database.ts";
import type { Turn } from "./turns.ts";

// The words of the index deliveries_failed.
const failed = `state IN (${State.gone}, ${State.refused}, ${State.expired}) AND settled_at IS NOT NULL AND retried IS NULL`;
const numbers = new Statement<[number, number, number, number, number], { delivery: number; settled_at: number }>(`
  SELECT delivery, settled_at FROM deliveries
  WHERE ${failed} AND settled_at >= ? AND settled_at <= ? AND NOT (settled_at = ? AND delivery >= ?)
  ORDER BY settled_at DESC, delivery DESC LIMIT ?`);
const views = new Statement<[readonly number[]], FailureView>(`
  SELECT d.delivery, d.job, j.id, j.expires, d.push_id, u.uid, l.vendor, l.app, d.state, d.reason, d.attempts, d.queued_at,
         d.settled_at, (v.token IS NOT NULL)::int AS alive
  FROM unnest(?::bigint[]) WITH ORDINALITY AS n(delivery, place) JOIN deliveries d ON d.delivery = n.delivery
    JOIN jobs j ON j.job = d.job LEFT JOIN users u ON u."user" = d."user" LEFT JOIN lanes l ON l.lane = d.lane
    LEFT JOIN devices v ON v.device = d.device
  WHERE ${failed.replaceAll(/\b(state|settled_at|retried)\b/g, "d.$1")} AND j.arrival IS NOT NULL ORDER BY n.place`);
const mark = new Statement<[readonly number[]], { delivery: number; push_id: string }>(`
  UPDATE deliveries SET retried = 1 WHERE delivery = ANY (?) AND ${failed} RETURNING delivery, push_id`);
const contents = new Column<[number], string>("SELECT notification FROM job_contents WHERE job = ?");

export function failures(accept: (turn: Turn, heading: Heading, notification: string, target: string) => void) {
  return {
    /** Of `limit` failed deliveries those that fit. */
    async failures(turn: Turn, filter: FailureFilter, place: FailurePlace | null, limit: number): Promise<Failures> {
      const { at, delivery } = place ?? { at: filter.to, delivery: Number.MAX_SAFE_INTEGER };
      const looked = await numbers.all(turn, filter.from, Math.min(filter.to, at), at, delivery, limit);
      const last = looked.length === limit ? looked.at(-1) : undefined;
      const found = await views.all(
        turn,
        looked.map((row) => row.delivery),
      );
      return {
        rows: found.filter((row) => fits(row, filter)),
        next: last === undefined ? undefined : { at: last.settled_at, delivery: last.delivery },
      };
    },

    /** Of these numbers those that failed and fit. */
    failuresOf: async (
      turn: Turn,
      deliveries: readonly number[],
      filter: FailureFilter,
    ): Promise<readonly FailureView[]> => (await views.all(turn, deliveries)).filter((row) => fits(row, filter)),

    /** The notification of a job, as JSON. */
    contentOf: (turn: Turn, job: number): Promise<string | undefined> => contents.get(turn, job),

    /** Makes a job of them, once: those that were retried meanwhile are left out. Returns how many went into it. */
    async retryAs(turn: Turn, heading: Heading, notification: string, deliveries: readonly number[]): Promise<number> {
      const marked = new Map((await mark.all(turn, deliveries)).map((row) => [row.delivery, row.push_id]));
      const pushIds = new Set(deliveries.map((delivery) => marked.get(delivery)).filter((one) => one !== undefined));
      if (pushIds.size > 0)
        accept(turn, heading, notification, JSON.stringify({ kind: "pushIds", pushIds: [...pushIds] }));
      return pushIds.size;
    },
  };
}
