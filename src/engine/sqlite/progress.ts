// How far jobs and lanes are. What a call changes in many deliveries is summed up and written once per job, lane and counter at
// its end.
import type Database from "better-sqlite3";
import type { Traits } from "../../core/traits.ts";
import { CONNECTION, nameOf } from "../reasons.ts";
import type { Counts } from "./counts.ts";
import type { Finished } from "./finished.ts";

/** What the handling of a delivery depends on. */
export interface JobRow {
  readonly job: number;
  readonly arrival: number | null;
  readonly paused: number;
  readonly cancelled: number;
  readonly expires: number;
  /** 1: each of its users is to be reached once. */
  readonly reach: number;
}

interface Sums {
  settled: number;
  /** Of these, those that were not needed. */
  spared: number;
  accepted: number;
  held: boolean;
  /** By the statistics' name of the way, then by reason. */
  readonly failures: Map<string, Map<string, number>>;
  readonly counters: Map<string, number>;
}

/** The way of a delivery. */
export interface Way {
  readonly lane: number;
  readonly vendor: string;
}

/** The sums of one call. */
export interface Tally {
  /** As it was when the call first asked for it; undefined: it is forgotten. */
  job(job: number): JobRow | undefined;
  /** A delivery is settled; without a reason it was accepted. */
  settled(job: number, way: Way, counters: readonly string[], reason?: string): void;
  /** A delivery came to its end without having been sent. No way: it was meant for the long connection. */
  unsent(job: number, way: Way | undefined, reason: string): void;
  /** A delivery is not needed: as if it had never been queued. */
  spared(job: number, way: Way): void;
  /** Deliveries of the job are held back, because it is paused: resuming it has to look for them. */
  held(job: number): void;
  /** Writes the sums. */
  close(): void;
}

export type Progress = ReturnType<typeof progress>;

export function progress(db: Database, counts: Counts, traits: Traits, ends: Finished) {
  const find = db.prepare<[number], JobRow>(
    "SELECT job, arrival, paused, cancelled, expires, reach FROM jobs WHERE job = ?",
  );
  const advance = db.prepare<[number, number, number, number, number, number]>(`
    UPDATE jobs SET waiting = waiting - ?, accepted = accepted + ?, holding = max(holding, ?),
      finished_at = iif(finished_at IS NULL AND (expanded = 1 OR cancelled = 1) AND waiting = ?, ?, finished_at)
    WHERE job = ?`);
  const unqueue = db.prepare<[number, number]>("UPDATE jobs SET queued = queued - ? WHERE job = ?");
  const close = db.prepare<[number, number]>("UPDATE lanes SET open = open - ? WHERE lane = ?");
  const failAgain = db.prepare<[number, number, string]>(`
    UPDATE job_failures SET total = total + ? WHERE job = ? AND reason = ?`);
  const reasons = db.prepare<[number], number>("SELECT count(*) FROM job_failures WHERE job = ?").pluck<number>();
  const fail = db.prepare<[number, string, number]>(`
    INSERT INTO job_failures (job, reason, total) VALUES (?, ?, ?)
    ON CONFLICT (job, reason) DO UPDATE SET total = total + excluded.total`);
  const failArrivalAgain = db.prepare<[number, number, string, string]>(`
    UPDATE arrival_failures SET total = total + ? WHERE arrival = ? AND name = ? AND reason = ?`);
  const arrivalReasons = db
    .prepare<[number, string], number>("SELECT count(*) FROM arrival_failures WHERE arrival = ? AND name = ?")
    .pluck<number>();
  const failArrival = db.prepare<[number, string, string, number]>(`
    INSERT INTO arrival_failures (arrival, name, reason, total) VALUES (?, ?, ?, ?)
    ON CONFLICT (arrival, name, reason) DO UPDATE SET total = total + excluded.total`);

  function addFailure(job: number, reason: string, n: number): void {
    if (failAgain.run(n, job, reason).changes > 0) return;
    fail.run(job, nameOf(reason, reasons.get(job) ?? 0), n);
  }

  function addArrivalFailure(arrival: number, name: string, reason: string, n: number): void {
    if (failArrivalAgain.run(n, arrival, name, reason).changes > 0) return;
    failArrival.run(arrival, name, nameOf(reason, arrivalReasons.get(arrival, name) ?? 0), n);
  }

  /** Deliveries of each lane that came to their end unsent since the store was opened; and those of this transaction. */
  const unsent = new Map<number, number>();
  const unsaved = new Map<number, number>();

  return {
    /** The transaction is committed. */
    saved(): void {
      for (const [lane, total] of unsaved) add(unsent, lane, total);
      unsaved.clear();
    },
    /** It was rolled back, in part or whole. */
    forget: (): void => unsaved.clear(),

    unsent: (): readonly (readonly [lane: number, total: number])[] => [...unsent],

    tally(now: number): Tally {
      const rows = new Map<number, JobRow | undefined>();
      const jobs = new Map<number, Sums>();
      const lanes = new Map<number, number>();
      const ended = new Map<number, number>();

      function job(number: number): JobRow | undefined {
        if (!rows.has(number)) rows.set(number, find.get(number));
        return rows.get(number);
      }

      function sumsOf(number: number): Sums {
        let sums = jobs.get(number);
        if (sums === undefined) {
          sums = { settled: 0, spared: 0, accepted: 0, held: false, failures: new Map(), counters: new Map() };
          jobs.set(number, sums);
        }
        return sums;
      }

      function failed(sums: Sums, name: string, reason: string): void {
        let failures = sums.failures.get(name);
        if (failures === undefined) {
          failures = new Map();
          sums.failures.set(name, failures);
        }
        add(failures, reason, 1);
      }

      return {
        job,
        settled(number, way, counters, reason) {
          const sums = sumsOf(number);
          sums.settled++;
          if (reason === undefined) sums.accepted++;
          else failed(sums, traits.statisticsName(way.vendor), reason);
          for (const counter of counters) add(sums.counters, counter, 1);
          add(lanes, way.lane, 1);
        },
        unsent(number, way, reason) {
          const sums = sumsOf(number);
          const name = way === undefined ? CONNECTION : traits.statisticsName(way.vendor);
          sums.settled++;
          failed(sums, name, reason);
          add(sums.counters, `failed_${name}`, 1);
          if (way === undefined) return;
          add(lanes, way.lane, 1);
          add(ended, way.lane, 1);
        },
        spared(number, way) {
          const sums = sumsOf(number);
          sums.settled++;
          sums.spared++;
          add(sums.counters, `target_${traits.statisticsName(way.vendor)}`, -1);
          add(lanes, way.lane, 1);
        },
        held(number) {
          sumsOf(number).held = true;
        },
        close() {
          for (const [number, { settled, spared, accepted, held, failures, counters }] of jobs) {
            const arrival = job(number)?.arrival;
            ends.around(number, now, () => {
              if (spared > 0) unqueue.run(spared, number);
              advance.run(settled, accepted, held ? 1 : 0, settled, now, number);
              for (const [name, byReason] of failures)
                for (const [reason, n] of byReason) {
                  addFailure(number, reason, n);
                  if (typeof arrival === "number") addArrivalFailure(arrival, name, reason, n);
                }
            });
            if (typeof arrival === "number") for (const [counter, n] of counters) counts.add(arrival, counter, n);
          }
          for (const [lane, n] of lanes) close.run(n, lane);
          for (const [lane, n] of ended) add(unsaved, lane, n);
        },
      };
    },
  };
}

function add<Key>(sums: Map<Key, number>, key: Key, n: number): void {
  sums.set(key, (sums.get(key) ?? 0) + n);
}
