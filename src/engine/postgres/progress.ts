// How far jobs and lanes are. What a call changes in many deliveries is summed up and written at its end, by one statement each for
// jobs, lanes, reasons and counters.
import type { Traits } from "../../core/traits.ts";
import { CONNECTION, nameOf } from "../reasons.ts";
import { counts, Sums } from "./counts.ts";
import { Column, Statement } from "./database.ts";
import type { Finished } from "./finished.ts";
import type { Turn, TurnParts } from "./turns.ts";

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

/** The columns of a `JobRow`, of jobs `j` that rows were joined with. */
export const JOB_COLUMNS = "j.job AS of_job, j.arrival, j.paused, j.cancelled, j.expires, j.reach";

/** A row with `JOB_COLUMNS`; all NULL: there is no such job. */
export interface WithJob extends Omit<JobRow, "job"> {
  readonly job: number;
  readonly of_job: number | null;
}

interface JobSums {
  settled: number;
  /** Of these, those that were not needed. */
  spared: number;
  accepted: number;
  held: boolean;
  /** By the statistics' name of the way, and by reason. */
  readonly failures: Sums<string>;
  readonly counters: Map<string, number>;
}

/** The way of a delivery. */
export interface Way {
  readonly lane: number;
  readonly vendor: string;
}

type Numbers = readonly number[];

const find = new Statement<[Numbers], JobRow>(
  "SELECT job, arrival, paused, cancelled, expires, reach FROM jobs WHERE job = ANY (?)",
);
const advance = new Column<[Numbers, Numbers, Numbers, Numbers, Numbers, number], number>(`
  WITH sums AS (
    SELECT u.*, j.finished_at IS NULL AS open
    FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::int[]) AS u(job, settled, spared, accepted, held)
      JOIN jobs j ON j.job = u.job ORDER BY u.job FOR UPDATE OF j),
  done AS (
    UPDATE jobs j SET queued = j.queued - s.spared, waiting = j.waiting - s.settled, accepted = j.accepted + s.accepted,
      holding = greatest(j.holding, s.held),
      finished_at = CASE WHEN s.open AND (j.expanded = 1 OR j.cancelled = 1) AND j.waiting = s.settled THEN ? ELSE j.finished_at END
    FROM sums s WHERE j.job = s.job RETURNING j.job, s.open AND j.finished_at IS NOT NULL AS ended)
  SELECT job FROM done WHERE ended`);
const openLanes = new Statement<[Numbers, Numbers]>(`
  UPDATE lanes l SET open = l.open + u.n FROM unnest(?::bigint[], ?::bigint[]) AS u(lane, n) WHERE l.lane = u.lane`);
const reasonsOf = new Statement<[Numbers], { job: number; reason: string }>(
  "SELECT job, reason FROM job_failures WHERE job = ANY (?)",
);
const fail = new Statement<[Numbers, readonly string[], Numbers]>(`
  INSERT INTO job_failures AS f (job, reason, total)
  SELECT job, reason, total FROM unnest(?::bigint[], ?::text[], ?::bigint[]) AS u(job, reason, total) ORDER BY job, reason
  ON CONFLICT (job, reason) DO UPDATE SET total = f.total + excluded.total`);
const arrivalReasonsOf = new Statement<[Numbers], { arrival: number; name: string; reason: string }>(
  "SELECT arrival, name, reason FROM arrival_failures WHERE arrival = ANY (?)",
);
const failArrivals = new Statement<[Numbers, readonly string[], readonly string[], Numbers]>(`
  INSERT INTO arrival_failures AS f (arrival, name, reason, total)
  SELECT arrival, name, reason, total FROM unnest(?::bigint[], ?::text[], ?::text[], ?::bigint[]) AS u(arrival, name, reason, total)
  ORDER BY arrival, name, reason
  ON CONFLICT (arrival, name, reason) DO UPDATE SET total = f.total + excluded.total`);

/** Deliveries are added to lanes, or taken off them. */
export function moveLanes(turn: Turn, added: ReadonlyMap<number, number>): void {
  const rows = [...added].filter(([, n]) => n !== 0).sort(([a], [b]) => a - b);
  if (rows.length > 0)
    openLanes.put(
      turn,
      rows.map(([lane]) => lane),
      rows.map(([, n]) => n),
    );
}

export type Progress = ReturnType<typeof progress>;

export function progress(traits: Traits, ends: Finished) {
  /** Deliveries of each lane that came to their end unsent since this node started. */
  const unsent = new Map<number, number>();
  const part = {};
  /** Of a turn: those of the call that is under way, and of all that went well. */
  const gathered = (turn: Turn) =>
    turn.of(part, () => ({ call: new Map<number, number>(), all: new Map<number, number>() }));

  const parts: TurnParts = {
    async flush(turn) {
      const { call, all } = gathered(turn);
      for (const [lane, n] of call) add(all, lane, n);
      call.clear();
    },
    forget: (turn) => gathered(turn).call.clear(),
    undone: () => {},
    async committed(turn) {
      for (const [lane, n] of gathered(turn).all) add(unsent, lane, n);
    },
    settling: () => {},
  };

  /** Past so many reasons they are one: names for those that came up, by what is told apart already. */
  async function writeFailures(
    turn: Turn,
    jobs: ReadonlyMap<number, JobSums>,
    arrivalOf: (job: number) => number | null,
  ) {
    const failing = [...jobs].filter(([, { failures }]) => failures.size > 0);
    if (failing.length === 0) return;
    const arrivals = failing.map(([job]) => arrivalOf(job)).filter((arrival) => arrival !== null);
    const [known, knownOfArrivals] = await Promise.all([
      reasonsOf.all(
        turn,
        failing.map(([job]) => job),
      ),
      arrivals.length === 0 ? [] : arrivalReasonsOf.all(turn, arrivals),
    ]);
    const ofJobs = new Reasons(known.map(({ job, reason }) => [String(job), reason]));
    const ofArrivals = new Reasons(knownOfArrivals.map(({ arrival, name, reason }) => [`${arrival} ${name}`, reason]));
    const sums = new Sums<number>();
    const arrivalSums = new Map<number, Sums<string>>();
    for (const [job, { failures }] of failing)
      for (const [name, reason, n] of failures.list()) {
        sums.add(job, ofJobs.nameFor(String(job), reason), n);
        const arrival = arrivalOf(job);
        if (arrival === null) continue;
        const ways = arrivalSums.get(arrival) ?? new Sums<string>();
        arrivalSums.set(arrival, ways);
        ways.add(name, ofArrivals.nameFor(`${arrival} ${name}`, reason), n);
      }
    const rows = sums.list();
    fail.put(
      turn,
      rows.map(([job]) => job),
      rows.map(([, reason]) => reason),
      rows.map(([, , n]) => n),
    );
    const more = [...arrivalSums].flatMap(([arrival, ways]) => ways.list().map((way) => [arrival, ...way] as const));
    if (more.length === 0) return;
    failArrivals.put(
      turn,
      more.map(([arrival]) => arrival),
      more.map(([, name]) => name),
      more.map(([, , reason]) => reason),
      more.map(([, , , n]) => n),
    );
  }

  return {
    parts,

    unsent: (): readonly (readonly [lane: number, total: number])[] => [...unsent],

    /** The sums of one call. */
    tally(turn: Turn, now: number) {
      const rows = new Map<number, JobRow>();
      const jobs = new Map<number, JobSums>();
      const lanes = new Map<number, number>();
      const { call } = gathered(turn);

      function sumsOf(job: number): JobSums {
        let sums = jobs.get(job);
        if (sums === undefined) {
          sums = { settled: 0, spared: 0, accepted: 0, held: false, failures: new Sums(), counters: new Map() };
          jobs.set(job, sums);
        }
        return sums;
      }

      return {
        /** Deliveries of these follow. */
        async load(numbers: readonly number[]): Promise<void> {
          const missing = [...new Set(numbers)].filter((job) => !rows.has(job));
          if (missing.length > 0) for (const row of await find.all(turn, missing)) rows.set(row.job, row);
        },

        /** The same, of rows that were joined with their jobs. */
        know(joined: readonly WithJob[]): void {
          for (const { of_job: job, arrival, paused, cancelled, expires, reach } of joined)
            if (job !== null && !rows.has(job)) rows.set(job, { job, arrival, paused, cancelled, expires, reach });
        },

        job: (job: number): JobRow | undefined => rows.get(job),

        /** A delivery is settled; without a reason it was accepted. */
        settled(job: number, way: Way, counters: readonly string[], reason?: string): void {
          const sums = sumsOf(job);
          sums.settled++;
          if (reason === undefined) sums.accepted++;
          else sums.failures.add(traits.statisticsName(way.vendor), reason, 1);
          for (const counter of counters) add(sums.counters, counter, 1);
          add(lanes, way.lane, -1);
        },

        /** A delivery came to its end without having been sent. No way: it was meant for the long connection. */
        unsent(job: number, way: Way | undefined, reason: string): void {
          const sums = sumsOf(job);
          const name = way === undefined ? CONNECTION : traits.statisticsName(way.vendor);
          sums.settled++;
          sums.failures.add(name, reason, 1);
          add(sums.counters, `failed_${name}`, 1);
          if (way === undefined) return;
          add(lanes, way.lane, -1);
          add(call, way.lane, 1);
        },

        /** A delivery is not needed: as if it had never been queued. */
        spared(job: number, way: Way): void {
          const sums = sumsOf(job);
          sums.settled++;
          sums.spared++;
          add(sums.counters, `target_${traits.statisticsName(way.vendor)}`, -1);
          add(lanes, way.lane, -1);
        },

        held(job: number): void {
          sumsOf(job).held = true;
        },

        /** Writes the sums. @param ended jobs that came to their end in this call by something else */
        async close(ended: readonly number[] = []): Promise<void> {
          const numbers = [...jobs.keys()];
          await this.load(numbers);
          const arrivalOf = (job: number): number | null => rows.get(job)?.arrival ?? null;
          await writeFailures(turn, jobs, arrivalOf);
          const counted = new Sums<number>();
          for (const [job, { counters }] of jobs) {
            const arrival = arrivalOf(job);
            if (arrival !== null) for (const [counter, n] of counters) counted.add(arrival, counter, n);
          }
          counts.put(turn, counted);
          moveLanes(turn, lanes);
          if (numbers.length === 0) return ends.tell(turn, ended, now);
          const sums = [...jobs.values()];
          const advanced = advance.all(
            turn,
            numbers,
            sums.map(({ settled }) => settled),
            sums.map(({ spared }) => spared),
            sums.map(({ accepted }) => accepted),
            sums.map(({ held }) => (held ? 1 : 0)),
            now,
          );
          if (ends.wanted()) await ends.tell(turn, [...ended, ...(await advanced)], now);
          else turn.later(advanced);
        },
      };
    },
  };
}

export type Tally = ReturnType<Progress["tally"]>;

/** The reasons that each key tells apart. */
class Reasons {
  readonly #known = new Map<string, Set<string>>();

  constructor(known: readonly (readonly [key: string, reason: string])[]) {
    for (const [key, reason] of known) this.#of(key).add(reason);
  }

  #of(key: string): Set<string> {
    let reasons = this.#known.get(key);
    if (reasons === undefined) {
      reasons = new Set();
      this.#known.set(key, reasons);
    }
    return reasons;
  }

  nameFor(key: string, reason: string): string {
    const known = this.#of(key);
    const name = known.has(reason) ? reason : nameOf(reason, known.size);
    known.add(name);
    return name;
  }
}

function add<Key>(sums: Map<Key, number>, key: Key, n: number): void {
  sums.set(key, (sums.get(key) ?? 0) + n);
}
