// Statistics, jobs and deliveries are forgotten together when their time has passed, a piece at a time.
import type Database from "better-sqlite3";
import type { Addressees } from "./addressees.ts";
import type { Repeatable } from "./once.ts";

interface Dropped {
  readonly delivery: number;
  readonly device: number;
  readonly user: number | null;
  readonly lane: number | null;
  readonly due: number | null;
}

export function sweep(
  db: Database,
  addressees: Addressees,
  calls: Repeatable,
  forgetReached: (job: number, limit: number) => number,
  hours: (now: number, limit: number) => boolean,
) {
  const overdue = db
    .prepare<[number], number>("SELECT arrival FROM arrivals WHERE drop_at <= ? ORDER BY drop_at LIMIT 1")
    .pluck<number>();
  const lastExpiry = db
    .prepare<[number], number | null>("SELECT max(expires) FROM jobs WHERE arrival = ? AND finished_at IS NULL")
    .pluck<number | null>();
  const postpone = db.prepare<[number, number]>("UPDATE arrivals SET drop_at = ? WHERE arrival = ?");
  // From here on a job is dropped to its end, also when its id is used again meanwhile.
  const letGo = db.prepare<[number]>("UPDATE jobs SET arrival = NULL, drop_at = 0, cancelled = 1 WHERE arrival = ?");
  const overdueJob = db
    .prepare<[number], number>(`
    SELECT job FROM jobs WHERE drop_at IS NOT NULL AND drop_at <= ? ORDER BY drop_at LIMIT 1`)
    .pluck<number>();
  const deliveriesOf = db.prepare<[number, number], Dropped>(`
    SELECT delivery, device, user, lane, due FROM deliveries WHERE job = ? LIMIT ?`);
  const dropDelivery = db.prepare<[number]>("DELETE FROM deliveries WHERE delivery = ?");
  const closeOne = db.prepare<[number]>("UPDATE lanes SET open = open - 1 WHERE lane = ?");
  const dropFailures = db.prepare<[number]>("DELETE FROM job_failures WHERE job = ?");
  const dropContents = db.prepare<[number]>("DELETE FROM job_contents WHERE job = ?");
  const dropJob = db.prepare<[number]>("DELETE FROM jobs WHERE job = ?");
  const countsOf = db.prepare<[number], number>("SELECT count FROM arrival_counts WHERE arrival = ?").pluck<number>();
  const dropEvidence = db.prepare<[number, number]>(`
    DELETE FROM arrival_evidence WHERE (count, push_id) IN
      (SELECT count, push_id FROM arrival_evidence WHERE count = ? LIMIT ?)`);
  const dropCounts = db.prepare<[number]>("DELETE FROM arrival_counts WHERE arrival = ?");
  const dropArrivalFailures = db.prepare<[number]>("DELETE FROM arrival_failures WHERE arrival = ?");
  const dropArrival = db.prepare<[number]>("DELETE FROM arrivals WHERE arrival = ?");

  function dropPieceOf(job: number, limit: number): void {
    if (forgetReached(job, limit) > 0) return;
    const rows = deliveriesOf.all(job, limit);
    for (const { delivery, device, user, lane, due } of rows) {
      dropDelivery.run(delivery);
      addressees.release(device, user);
      if (lane !== null && due !== null) closeOne.run(lane);
    }
    if (rows.length === limit) return;
    dropFailures.run(job);
    dropContents.run(job);
    dropJob.run(job);
  }

  function dropPiece(arrival: number, now: number, limit: number): void {
    const expires = lastExpiry.get(arrival);
    if (typeof expires === "number" && expires > now) {
      postpone.run(expires, arrival); // it still may be sent
      return;
    }
    if (letGo.run(arrival).changes > 0) return;
    let left = limit;
    for (const count of countsOf.all(arrival)) {
      left -= dropEvidence.run(count, left).changes;
      if (left === 0) return;
    }
    dropCounts.run(arrival);
    dropArrivalFailures.run(arrival);
    dropArrival.run(arrival);
  }

  return {
    /** Forgets a piece of what is past its time, about `limit` rows. Returns whether there may be more. */
    sweepCounters(now: number, limit: number): boolean {
      if (hours(now, limit) || calls.sweep(now, limit)) return true;
      const job = overdueJob.get(now);
      if (job !== undefined) {
        dropPieceOf(job, limit);
        return true;
      }
      const arrival = overdue.get(now);
      if (arrival === undefined) return false;
      dropPiece(arrival, now, limit);
      return true;
    },
  };
}
