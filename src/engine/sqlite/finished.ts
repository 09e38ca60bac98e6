// Calls to many, or for later, that have come to their end: told once.
import type Database from "better-sqlite3";
import { notificationKey } from "../../core/events.ts";
import { type FinishedRow, finishedData } from "../finished.ts";
import type { EventLog } from "./events.ts";

export type Finished = ReturnType<typeof finished>;

export function finished(db: Database, log: EventLog) {
  const open = db.prepare<[number], number>("SELECT 1 FROM jobs WHERE job = ? AND finished_at IS NULL").pluck<number>();
  const find = db.prepare<[number], FinishedRow>(`
    SELECT job, id, target_kind, cancelled, accepted_at, send_at, finished_at, seen, skipped, queued, connected, accepted
    FROM jobs WHERE job = ? AND finished_at IS NOT NULL AND (listed = 1 OR bulk = 1) AND dry_run = 0`);
  const failures = db.prepare<[number], { reason: string; total: number }>(
    "SELECT reason, total FROM job_failures WHERE job = ? ORDER BY total DESC, reason",
  );

  /** The job was open until now. */
  function tell(job: number, now: number): void {
    const row = log.wants("job.finished") ? find.get(job) : undefined;
    if (row === undefined) return;
    const failed = failures.all(job).map(({ reason, total }) => [reason, total] as const);
    log.write("job.finished", notificationKey(row.id), finishedData(row, failed), now);
  }

  return {
    tell,
    /** Does what may be the end of the job. */
    around(job: number, now: number, change: () => void): void {
      const wasOpen = log.wants("job.finished") && open.get(job) !== undefined;
      change();
      if (wasOpen && open.get(job) === undefined) tell(job, now);
    },
  };
}
