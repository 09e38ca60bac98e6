// Calls to many, or for later, that have come to their end: told once.
import { notificationKey } from "../../core/events.ts";
import { type FinishedRow, finishedData } from "../finished.ts";
import { Statement } from "./database.ts";
import type { EventLog } from "./events.ts";
import type { Turn } from "./turns.ts";

const find = new Statement<[readonly number[]], FinishedRow>(`
  SELECT job, id, target_kind, cancelled, accepted_at, send_at, finished_at, seen, skipped, queued, connected, accepted
  FROM jobs WHERE job = ANY (?) AND finished_at IS NOT NULL AND (listed = 1 OR bulk = 1) AND dry_run = 0 ORDER BY job`);
const failures = new Statement<[readonly number[]], { job: number; reason: string; total: number }>(
  "SELECT job, reason, total FROM job_failures WHERE job = ANY (?) ORDER BY job, total DESC, reason",
);

export type Finished = ReturnType<typeof finished>;

export function finished(log: Pick<EventLog, "wants" | "write">) {
  return {
    /** Whether anybody wants to know. */
    wanted: (): boolean => log.wants("job.finished"),

    /** The jobs were open until now: those that have ended are told of. */
    async tell(turn: Turn, jobs: readonly number[], now: number): Promise<void> {
      if (jobs.length === 0 || !log.wants("job.finished")) return;
      const [rows, failed] = await Promise.all([find.all(turn, jobs), failures.all(turn, jobs)]);
      for (const row of rows) {
        const reasons = failed
          .filter(({ job }) => job === row.job)
          .map(({ reason, total }) => [reason, total] as const);
        await log.write(turn, "job.finished", notificationKey(row.id), finishedData(row, reasons), now);
      }
    },
  };
}
