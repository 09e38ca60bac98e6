// Statistics, jobs and deliveries are forgotten together when their time has passed, a piece at a time.
import type { Addressees } from "./addressees.ts";
import { Column, Statement } from "./database.ts";
import { moveLanes } from "./progress.ts";
import type { Turn } from "./turns.ts";

interface Dropped {
  readonly device: number;
  readonly user: number | null;
  readonly lane: number | null;
  readonly due: number | null;
}

const overdue = new Column<[number], number>(
  "SELECT arrival FROM arrivals WHERE drop_at <= ? ORDER BY drop_at LIMIT 1 FOR UPDATE",
);
const lastExpiry = new Column<[number], number | null>(
  "SELECT max(expires) FROM jobs WHERE arrival = ? AND finished_at IS NULL",
);
const postpone = new Statement<[number, number]>("UPDATE arrivals SET drop_at = ? WHERE arrival = ?");
// From here on a job is dropped to its end, also when its id is used again meanwhile.
const letGo = new Statement<[number]>("UPDATE jobs SET arrival = NULL, drop_at = 0, cancelled = 1 WHERE arrival = ?");
const overdueJob = new Column<[number], number>(
  "SELECT job FROM jobs WHERE drop_at IS NOT NULL AND drop_at <= ? ORDER BY drop_at LIMIT 1 FOR UPDATE",
);
const dropDeliveries = new Statement<[number, number], Dropped>(`
  DELETE FROM deliveries WHERE delivery IN (SELECT delivery FROM deliveries WHERE job = ? ORDER BY delivery LIMIT ?)
  RETURNING device, "user", lane, due`);
const dropFailures = new Statement<[number]>("DELETE FROM job_failures WHERE job = ?");
const dropContents = new Statement<[number]>("DELETE FROM job_contents WHERE job = ?");
const dropJob = new Statement<[number]>("DELETE FROM jobs WHERE job = ?");
const dropEvidence = new Statement<[number, number]>(`
  DELETE FROM arrival_evidence WHERE (count, push_id) IN (
    SELECT e.count, e.push_id FROM arrival_counts c JOIN arrival_evidence e ON e.count = c.count WHERE c.arrival = ? LIMIT ?)`);
const dropCounts = new Statement<[number]>("DELETE FROM arrival_counts WHERE arrival = ?");
const dropArrivalFailures = new Statement<[number]>("DELETE FROM arrival_failures WHERE arrival = ?");
const dropArrival = new Statement<[number]>("DELETE FROM arrivals WHERE arrival = ?");

export function sweep(
  addressees: Addressees,
  forgetReached: (turn: Turn, job: number, limit: number) => Promise<number>,
  others: readonly ((turn: Turn, now: number, limit: number) => Promise<boolean>)[],
) {
  async function dropPieceOf(turn: Turn, job: number, limit: number): Promise<void> {
    if ((await forgetReached(turn, job, limit)) > 0) return;
    const rows = await dropDeliveries.all(turn, job, limit);
    const lanes = new Map<number, number>();
    for (const { lane, due } of rows) if (lane !== null && due !== null) lanes.set(lane, (lanes.get(lane) ?? 0) - 1);
    moveLanes(turn, lanes);
    addressees.release(
      turn,
      rows.map(({ device }) => device),
      rows.map(({ user }) => user).filter((user) => user !== null),
    );
    if (rows.length === limit) return;
    dropFailures.put(turn, job);
    dropContents.put(turn, job);
    dropJob.put(turn, job);
  }

  async function dropPiece(turn: Turn, arrival: number, now: number, limit: number): Promise<void> {
    const expires = await lastExpiry.get(turn, arrival);
    if (typeof expires === "number" && expires > now) return postpone.put(turn, expires, arrival); // it still may be sent
    if ((await letGo.run(turn, arrival)) > 0) return;
    if ((await dropEvidence.run(turn, arrival, limit)) === limit) return;
    dropCounts.put(turn, arrival);
    dropArrivalFailures.put(turn, arrival);
    dropArrival.put(turn, arrival);
  }

  return {
    /** Forgets a piece of what is past its time, about `limit` rows. Returns whether there may be more. */
    async sweepCounters(turn: Turn, now: number, limit: number): Promise<boolean> {
      for (const more of others) if (await more(turn, now, limit)) return true;
      const job = await overdueJob.get(turn, now);
      if (job !== undefined) {
        await dropPieceOf(turn, job, limit);
        return true;
      }
      const arrival = await overdue.get(turn, now);
      if (arrival === undefined) return false;
      await dropPiece(turn, arrival, now, limit);
      return true;
    },
  };
}
