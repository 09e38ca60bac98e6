// Jobs paused, resumed and cancelled. The order takes effect at once; what it means for each delivery follows in pieces.
import { Column, Statement } from "./database.ts";
import type { Finished } from "./finished.ts";
import type { Turn } from "./turns.ts";

const among = "id = ? AND finished_at IS NULL AND cancelled = 0 AND (? OR target_kind NOT IN ('all', 'tag'))";
const pause = new Column<[string, boolean], number>(
  `UPDATE jobs SET paused = 1, walk = NULL WHERE ${among} AND paused = 0 RETURNING job`,
);
const resume = new Column<[string, boolean], number>(`
  UPDATE jobs SET paused = 0, walk = CASE holding WHEN 1 THEN 0 END WHERE ${among} AND paused = 1 RETURNING job`);
const cancel = new Column<[number, string, boolean], number>(`
  UPDATE jobs SET cancelled = 1, paused = 0, walk = CASE WHEN waiting > 0 THEN 0 END,
    finished_at = CASE WHEN waiting > 0 THEN NULL ELSE ?::bigint END
  WHERE ${among} RETURNING job`);
const setRate = new Column<[number | null, string, boolean], number>(
  `UPDATE jobs SET rate = ? WHERE ${among} AND expanded = 0 RETURNING job`,
);
// What was ended before its time went to nobody: the statistics need not list it. It goes when they would have gone.
const withdraw = new Column<[readonly number[], number], number>(`
  WITH early AS (
    SELECT j.job, j.arrival, a.drop_at FROM jobs j JOIN arrivals a ON a.arrival = j.arrival
    WHERE j.job = ANY (?) AND j.send_at > ? AND j.seen = 0),
  left_now AS (
    UPDATE jobs j SET drop_at = e.drop_at, arrival = NULL FROM early e WHERE j.job = e.job)
  SELECT DISTINCT arrival FROM early`);
const dropArrivals = new Statement<[readonly number[]]>(`
  DELETE FROM arrivals a WHERE arrival = ANY (?) AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.arrival = a.arrival)
    AND NOT EXISTS (SELECT 1 FROM arrival_counts c WHERE c.arrival = a.arrival)`);
const dropTargets = new Statement<[readonly number[]]>("UPDATE job_contents SET target = NULL WHERE job = ANY (?)");
const unwalked = new Column<[], number>("SELECT job FROM jobs WHERE walk IS NOT NULL ORDER BY walk LIMIT 1");
// What a paused job holds back expires like anything else.
const expire = new Statement<[number]>(`
  UPDATE jobs SET walk = 0
  WHERE finished_at IS NULL AND expires <= ? AND paused = 1 AND holding = 1 AND walk IS NULL`);

export function orders(ends: Finished) {
  return {
    /** The jobs changed, oldest first. `walkJob` has to follow for each. */
    async order(
      turn: Turn,
      id: string,
      order: "pause" | "resume" | "cancel",
      now: number,
      toDevicesOnly: boolean,
    ): Promise<readonly number[]> {
      if (order === "pause") return rising(await pause.all(turn, id, !toDevicesOnly));
      if (order === "resume") return rising(await resume.all(turn, id, !toDevicesOnly));
      const jobs = rising(await cancel.all(turn, now, id, !toDevicesOnly));
      if (jobs.length === 0) return jobs;
      dropTargets.put(turn, jobs);
      await ends.tell(turn, jobs, now);
      const arrivals = await withdraw.all(turn, jobs, now);
      if (arrivals.length > 0) dropArrivals.put(turn, arrivals);
      return jobs;
    },

    /** The jobs changed, oldest first. @param rate 0: no limit */
    setRate: async (turn: Turn, id: string, rate: number, toDevicesOnly: boolean): Promise<readonly number[]> =>
      rising(await setRate.all(turn, rate === 0 ? null : rate, id, !toDevicesOnly)),

    /** A job for whose deliveries an order, or the end of their time, still has to be carried out. */
    async unwalked(turn: Turn, now: number): Promise<number | undefined> {
      expire.put(turn, now);
      return unwalked.get(turn);
    },
  };
}

const rising = (jobs: readonly number[]): readonly number[] => jobs.toSorted((a, b) => a - b);
