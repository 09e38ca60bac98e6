// What is told of a call that has come to its end: the same from every store.
import { type EventData, iso } from "./wants.ts";

export interface FinishedRow {
  readonly job: number;
  readonly id: string;
  readonly target_kind: string;
  readonly cancelled: number;
  readonly accepted_at: number;
  readonly send_at: number | null;
  readonly finished_at: number;
  readonly seen: number;
  readonly skipped: number;
  readonly queued: number;
  readonly connected: number;
  readonly accepted: number;
}

/** @param failed the most frequent first */
export function finishedData(row: FinishedRow, failed: readonly (readonly [reason: string, n: number])[]): EventData {
  const { seen, skipped, queued, connected, accepted } = row;
  return {
    id: row.id,
    job: row.job,
    target: row.target_kind,
    state: row.cancelled === 1 ? "cancelled" : "finished",
    counts: { seen, skipped, queued, connected, accepted, failed: failed.reduce((sum, [, n]) => sum + n, 0) },
    failures: Object.fromEntries(failed),
    acceptedAt: iso(row.accepted_at),
    sendAt: row.send_at === null ? undefined : iso(row.send_at),
    at: iso(row.finished_at),
  };
}
