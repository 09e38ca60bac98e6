// Users of whom each is to be reached once: by a connection that acknowledges the message, or else at a vendor.
import type Database from "better-sqlite3";
import { DAY } from "../../core/time.ts";
import {
  ACKNOWLEDGED,
  Way as By,
  CAPPED,
  MOST_JOBS,
  type Plan,
  type ReachedSums,
  type ReachedView,
  type ReachPage,
  type ReachPlace,
  sumsOf,
  wordFor,
} from "../reach.ts";
import type { Addressees } from "./addressees.ts";
import type { Progress, Tally, Way } from "./progress.ts";
import { State } from "./state.ts";

interface ReachedRow extends Omit<ReachedView, "way"> {
  readonly way: number;
  readonly due: number;
  readonly open: number;
  readonly finished: number;
}

export type Reach = ReturnType<typeof reach>;

export function reach(db: Database, progress: Progress, addressees: Addressees) {
  const enter = db.prepare<[number, number, number, number]>(
    "INSERT OR IGNORE INTO reached (job, user, due, way) VALUES (?, ?, ?, ?)",
  );
  const ofLate = db
    .prepare<[number, number], number>(`
    SELECT count(*) FROM reached WHERE user = ? AND due > ? AND way IN (${By.planned}, ${By.vendor})`)
    .pluck<number>();
  const userOf = db
    .prepare<[string], number>("SELECT u.user FROM devices d JOIN users u ON u.uid = d.uid WHERE d.push_id = ?")
    .pluck<number>();
  const waiting = db
    .prepare<[string, number], number>(`
    SELECT r.job FROM jobs j CROSS JOIN reached r ON r.job = j.job
    WHERE j.id = ? AND j.reach = 1 AND r.user = ? AND r.way IN (${By.nothing}, ${By.planned})`)
    .pluck<number>();
  const settle = db.prepare<[number, number, number, number]>(
    `UPDATE reached SET way = ?, at = ? WHERE job = ? AND user = ? AND way IN (${By.nothing}, ${By.planned})`,
  );
  const queued = db.prepare<[number, number], Way & { readonly delivery: number }>(`
    SELECT d.delivery, d.lane, l.vendor FROM deliveries d JOIN lanes l ON l.lane = d.lane
    WHERE d.user = ? AND d.job = ? AND d.state IN (${State.queued}, ${State.held})`);
  const spare = db.prepare<[number, string, number]>(`
    UPDATE deliveries SET state = ${State.cancelled}, due = NULL, settled_at = ?, reason = ?, token = NULL WHERE delivery = ?`);
  const userOfDelivery = db.prepare<[number], number>("SELECT user FROM deliveries WHERE delivery = ?").pluck<number>();
  const wayOf = db
    .prepare<[number, number], number>("SELECT way FROM reached WHERE job = ? AND user = ?")
    .pluck<number>();
  const jobsOf = db
    .prepare<[string, number], number>("SELECT job FROM jobs WHERE id = ? AND reach = 1 ORDER BY job DESC LIMIT ?")
    .pluck<number>();
  const finished = db
    .prepare<[number], number>("SELECT finished_at IS NOT NULL FROM jobs WHERE job = ?")
    .pluck<number>();
  const sums = db.prepare<[number, number], { way: number; total: number; later: number }>(`
    SELECT way, count(*) AS total, sum(due > ?) AS later FROM reached WHERE job = ? GROUP BY way`);
  const page = db.prepare<[number, number, number], ReachedRow>(`
    SELECT r.job, r.user, u.uid, r.way, r.due, r.at, j.finished_at IS NOT NULL AS finished,
           EXISTS (SELECT 1 FROM deliveries d WHERE d.user = r.user AND d.job = r.job
             AND d.state IN (${State.queued}, ${State.leased}, ${State.held})) AS open
    FROM reached r JOIN users u ON u.user = r.user JOIN jobs j ON j.job = r.job
    WHERE r.job = ? AND r.user > ? ORDER BY r.user LIMIT ?`);
  const someOf = db.prepare<[number, number], number>("SELECT user FROM reached WHERE job = ? LIMIT ?").pluck<number>();
  const drop = db.prepare<[number, number]>("DELETE FROM reached WHERE job = ? AND user = ?");

  /** A delivery that is not needed. It counts neither as queued nor as failed. */
  function spareOne(delivery: number, job: number, way: Way, reason: string, tally: Tally, now: number): void {
    spare.run(now, reason, delivery);
    tally.spared(job, way);
  }

  return {
    /** Notes the users of a page. Returns what is planned for each, by uid. */
    enter(job: number, { users, capPerDay }: ReachPage, now: number): ReadonlyMap<string, Plan> {
      const plans = new Map<string, Plan>();
      for (const [uid, due, planned] of users) {
        const user = addressees.user(uid);
        const capped = planned === 1 && capPerDay !== null && (ofLate.get(user, now - DAY) ?? 0) >= capPerDay;
        enter.run(job, user, due, planned === 1 && !capped ? By.planned : By.nothing);
        plans.set(uid, { due, capped });
      }
      return plans;
    },

    /** The user has had as many as `capPerDay` allows: the vendor is not asked. */
    cap: (delivery: number, job: number, way: Way, tally: Tally, now: number): void =>
      spareOne(delivery, job, way, CAPPED, tally, now),

    /** Devices have acknowledged messages: their users are reached, and no vendor is asked any more. */
    acknowledge(acks: readonly (readonly [id: string, pushId: string])[], now: number): void {
      const tally = progress.tally(now);
      for (const [id, pushId] of acks) {
        const user = userOf.get(pushId);
        if (user === undefined) continue;
        for (const job of waiting.all(id, user)) {
          settle.run(By.socket, now, job, user);
          for (const { delivery, ...way } of queued.all(user, job))
            spareOne(delivery, job, way, ACKNOWLEDGED, tally, now);
        }
      }
      tally.close();
    },

    /** A vendor took the notification for one of a user's devices. */
    taken(delivery: number, job: number, now: number): void {
      const user = userOfDelivery.get(delivery);
      if (typeof user === "number") settle.run(By.vendor, now, job, user);
    },

    /** It comes back from its vendor to be tried again: not if its user has been reached by a connection. */
    spares(delivery: number, job: number, way: Way, tally: Tally, now: number): boolean {
      const user = userOfDelivery.get(delivery);
      if (typeof user !== "number" || wayOf.get(job, user) !== By.socket) return false;
      spareOne(delivery, job, way, ACKNOWLEDGED, tally, now);
      return true;
    },

    /** Of all calls with this id: undefined: none is a reach. */
    reachedSums(id: string, now: number): ReachedSums | undefined {
      const jobs = jobsOf.all(id, MOST_JOBS);
      if (jobs.length === 0) return undefined;
      return sumsOf(
        jobs.flatMap((job) => {
          const over = finished.get(job) ?? 0;
          return sums.all(now, job).map((row) => ({ ...row, finished: over }));
        }),
      );
    },

    reachedUsers(id: string, place: ReachPlace, limit: number, now: number): readonly ReachedView[] {
      const rows: ReachedView[] = [];
      for (const job of jobsOf.all(id, MOST_JOBS).toReversed()) {
        if (job < place.job || rows.length >= limit) continue;
        for (const row of page.all(job, job === place.job ? place.user : 0, limit - rows.length))
          rows.push({ job, user: row.user, uid: row.uid, way: wordFor(row, now), at: row.at });
      }
      return rows;
    },

    /** Forgets about `limit` users of a job. Returns how many. */
    forgetReached(job: number, limit: number): number {
      const users = someOf.all(job, limit);
      for (const user of users) {
        drop.run(job, user);
        addressees.releaseUser(user);
      }
      return users.length;
    },
  };
}
