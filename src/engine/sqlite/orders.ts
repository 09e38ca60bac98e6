// Jobs paused, resumed and cancelled. The order takes effect at once; what it means for each delivery follows in pieces.
import type Database from "better-sqlite3";
import type { Finished } from "./finished.ts";

/** Jobs of a notification. `all` 0: only those to named devices and users. */
interface Which {
  readonly id: string;
  readonly now: number;
  readonly all: 0 | 1;
}

export function orders(db: Database, ends: Finished) {
  const pause = db
    .prepare<[Which], number>(`
    UPDATE jobs SET paused = 1, walk = NULL
    WHERE id = @id AND finished_at IS NULL AND cancelled = 0 AND paused = 0
      AND (@all = 1 OR target_kind NOT IN ('all', 'tag')) RETURNING job`)
    .pluck<number>();
  const resume = db
    .prepare<[Which], number>(`
    UPDATE jobs SET paused = 0, walk = iif(holding = 1, 0, NULL)
    WHERE id = @id AND finished_at IS NULL AND cancelled = 0 AND paused = 1
      AND (@all = 1 OR target_kind NOT IN ('all', 'tag')) RETURNING job`)
    .pluck<number>();
  const cancel = db
    .prepare<[Which], number>(`
    UPDATE jobs SET cancelled = 1, paused = 0, walk = iif(waiting > 0, 0, NULL), finished_at = iif(waiting > 0, NULL, @now)
    WHERE id = @id AND finished_at IS NULL AND cancelled = 0
      AND (@all = 1 OR target_kind NOT IN ('all', 'tag')) RETURNING job`)
    .pluck<number>();
  const setRate = db
    .prepare<[Omit<Which, "now"> & { readonly rate: number | null }], number>(`
    UPDATE jobs SET rate = @rate
    WHERE id = @id AND finished_at IS NULL AND cancelled = 0 AND expanded = 0
      AND (@all = 1 OR target_kind NOT IN ('all', 'tag')) RETURNING job`)
    .pluck<number>();
  // What was ended before its time went to nobody: the statistics need not list it. It goes when they would have gone.
  const withdraw = db
    .prepare<[number, number], number>(`
    UPDATE jobs AS j SET drop_at = (SELECT a.drop_at FROM arrivals a WHERE a.arrival = j.arrival)
    WHERE job = ? AND send_at > ? AND seen = 0 AND arrival IS NOT NULL RETURNING arrival`)
    .pluck<number>();
  const leaveArrival = db.prepare<[number]>("UPDATE jobs SET arrival = NULL WHERE job = ?");
  const dropArrival = db.prepare<[number]>(`
    DELETE FROM arrivals WHERE arrival = ? AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.arrival = arrivals.arrival)
      AND NOT EXISTS (SELECT 1 FROM arrival_counts c WHERE c.arrival = arrivals.arrival)`);
  const dropTarget = db.prepare<[number]>("UPDATE job_contents SET target = NULL WHERE job = ?");
  const unwalked = db.prepare<[], number>("SELECT job FROM jobs WHERE walk IS NOT NULL LIMIT 1").pluck<number>();
  // What a paused job holds back expires like anything else.
  const expire = db.prepare<[number]>(`
    UPDATE jobs SET walk = 0
    WHERE finished_at IS NULL AND expires <= ? AND paused = 1 AND holding = 1 AND walk IS NULL`);

  return {
    /** The jobs changed, oldest first. `walkJob` has to follow for each. */
    order(id: string, order: "pause" | "resume" | "cancel", now: number, toDevicesOnly: boolean): readonly number[] {
      const which: Which = { id, now, all: toDevicesOnly ? 0 : 1 };
      switch (order) {
        case "pause":
          return pause.all(which).sort((a, b) => a - b);
        case "resume":
          return resume.all(which).sort((a, b) => a - b);
        case "cancel": {
          const jobs = cancel.all(which).sort((a, b) => a - b);
          for (const job of jobs) {
            dropTarget.run(job);
            ends.tell(job, now);
            const arrival = withdraw.get(job, now);
            if (arrival === undefined) continue;
            leaveArrival.run(job);
            dropArrival.run(arrival);
          }
          return jobs;
        }
      }
    },

    /** The jobs changed, oldest first. @param rate 0: no limit */
    setRate(id: string, rate: number, toDevicesOnly: boolean): readonly number[] {
      return setRate.all({ id, rate: rate === 0 ? null : rate, all: toDevicesOnly ? 0 : 1 }).sort((a, b) => a - b);
    },

    /** A job for whose deliveries an order, or the end of their time, still has to be carried out. */
    unwalked(now: number): number | undefined {
      expire.run(now);
      return unwalked.get();
    },
  };
}
