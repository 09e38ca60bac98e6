// How far jobs and lanes are. What a call changes in many deliveries is summed up and written once per job, lane and counter at
// its end.
import type Database from "better-sqlite3";
import type { Counts } from "./counters.ts";

/** What the column `state` of a delivery means. */
export const State = {
  sent: 0,
  queued: 1,
  leased: 2,
  held: 3,
  accepted: 4,
  gone: 5,
  refused: 6,
  expired: 7,
  cancelled: 8,
  /** In the log of the connection, for a device that was away. */
  kept: 9,
} as const;

export const EXPIRED = "its time to live passed in the queue";
export const CANCELLED = "cancelled";
/** Reasons a job tells apart. Vendors' texts may hold anything. */
const REASONS = 20;
const OTHER = "other reasons";

/** What the handling of a delivery depends on. */
export interface JobRow {
  readonly job: number;
  readonly arrival: number | null;
  readonly paused: number;
  readonly cancelled: number;
  readonly expires: number;
}

interface Sums {
  settled: number;
  accepted: number;
  held: boolean;
  readonly failures: Map<string, number>;
  readonly counters: Map<string, number>;
}

/** The sums of one call. */
export interface Tally {
  job(job: number): JobRow | undefined;
  /** A delivery is settled; without a reason it was accepted. */
  settled(job: number, lane: number | null, counters: readonly string[], reason?: string): void;
  held(job: number): void;
  /** Writes the sums. */
  close(): void;
}

export type Progress = ReturnType<typeof progress>;

export function progress(db: Database, counts: Counts) {
  const find = db.prepare<[number], JobRow>("SELECT job, arrival, paused, cancelled, expires FROM jobs WHERE job = ?");
  const advance = db.prepare<[number, number, number, number, number, number]>(`
    UPDATE jobs SET waiting = waiting - ?, accepted = accepted + ?, holding = max(holding, ?),
      finished_at = iif(finished_at IS NULL AND (expanded = 1 OR cancelled = 1) AND waiting = ?, ?, finished_at)
    WHERE job = ?`);
  const close = db.prepare<[number, number]>("UPDATE lanes SET open = open - ? WHERE lane = ?");
  const failAgain = db.prepare<[number, number, string]>(`
    UPDATE job_failures SET total = total + ? WHERE job = ? AND reason = ?`);
  const reasons = db.prepare<[number], number>("SELECT count(*) FROM job_failures WHERE job = ?").pluck<number>();
  const fail = db.prepare<[number, string, number]>(`
    INSERT INTO job_failures (job, reason, total) VALUES (?, ?, ?)
    ON CONFLICT (job, reason) DO UPDATE SET total = total + excluded.total`);

  function addFailure(job: number, reason: string, n: number): void {
    if (failAgain.run(n, job, reason).changes > 0) return;
    const full = reason !== CANCELLED && (reasons.get(job) ?? 0) >= REASONS;
    fail.run(job, full ? OTHER : reason, n);
  }

  return {
    tally(now: number): Tally {
      const rows = new Map<number, JobRow | undefined>();
      const jobs = new Map<number, Sums>();
      const lanes = new Map<number, number>();

      function job(number: number): JobRow | undefined {
        if (!rows.has(number)) rows.set(number, find.get(number));
        return rows.get(number);
      }

      function sumsOf(number: number): Sums {
        let sums = jobs.get(number);
        if (sums === undefined) {
          sums = { settled: 0, accepted: 0, held: false, failures: new Map(), counters: new Map() };
          jobs.set(number, sums);
        }
        return sums;
      }

      return {
        job,
        settled(number, lane, counters, reason) {
          const sums = sumsOf(number);
          sums.settled++;
          if (reason === undefined) sums.accepted++;
          else add(sums.failures, reason, 1);
          for (const counter of counters) add(sums.counters, counter, 1);
          if (lane !== null) add(lanes, lane, 1);
        },
        held(number) {
          sumsOf(number).held = true;
        },
        close() {
          for (const [number, { settled, accepted, held, failures, counters }] of jobs) {
            const arrival = job(number)?.arrival;
            advance.run(settled, accepted, held ? 1 : 0, settled, now, number);
            for (const [reason, n] of failures) addFailure(number, reason, n);
            if (typeof arrival === "number") for (const [counter, n] of counters) counts.add(arrival, counter, n);
          }
          for (const [lane, n] of lanes) close.run(n, lane);
        },
      };
    },
  };
}

function add<Key>(sums: Map<Key, number>, key: Key, n: number): void {
  sums.set(key, (sums.get(key) ?? 0) + n);
}
