// Users of whom each is to be reached once: by a connection that acknowledges the message, or else at a vendor.
import { DAY } from "../../core/time.ts";
import {
  ACKNOWLEDGED,
  Way as By,
  MOST_JOBS,
  type Plan,
  type ReachedSums,
  type ReachedView,
  type ReachPage,
  type ReachPlace,
  sumsOf,
  wordFor,
} from "../reach.ts";
import { State } from "../sqlite/state.ts";
import type { Addressees } from "./addressees.ts";
import { Changes } from "./changes.ts";
import { Column, Statement } from "./database.ts";
import { JOB_COLUMNS, type Progress, type Tally, type Way, type WithJob } from "./progress.ts";
import type { Turn } from "./turns.ts";

export { CAPPED } from "../reach.ts";

type Numbers = readonly number[];
type Texts = readonly string[];

const OPEN = `(${By.nothing}, ${By.planned})`;

const ofLate = new Statement<[Numbers, number], { user: number; n: number }>(`
  SELECT "user", count(*) AS n FROM reached
  WHERE "user" = ANY (?) AND due > ? AND way IN (${By.planned}, ${By.vendor}) GROUP BY "user"`);
const enterAll = new Statement<[number, Numbers, Numbers, Numbers]>(`
  INSERT INTO reached (job, "user", due, way)
  SELECT j.job, u."user", u.due, u.way FROM (SELECT ?::bigint AS job) j, unnest(?::bigint[], ?::bigint[], ?::int[]) AS u("user", due, way)
  ON CONFLICT DO NOTHING`);
// The calls that wait for whoever acknowledges, and the deliveries that are not needed then.
const reachedAll = new Statement<[Texts, Texts, number], { job: number; user: number }>(`
  UPDATE reached r SET way = ${By.socket}, at = n.now
  FROM unnest(?::text[], ?::text[]) AS a(id, push_id) JOIN devices d ON d.push_id = a.push_id JOIN users u ON u.uid = d.uid
    JOIN jobs j ON j.id = a.id AND j.reach = 1, (SELECT ?::bigint AS now) n
  WHERE r.job = j.job AND r."user" = u."user" AND r.way IN ${OPEN} RETURNING r.job, r."user"`);
const queued = new Statement<[Numbers, Numbers], Way & WithJob & { readonly delivery: number }>(`
  SELECT d.delivery, d.job, d.lane, l.vendor, ${JOB_COLUMNS}
  FROM unnest(?::bigint[], ?::bigint[]) AS u(job, "user") JOIN deliveries d ON d."user" = u."user" AND d.job = u.job
    JOIN lanes l ON l.lane = d.lane JOIN jobs j ON j.job = d.job
  WHERE d.state IN (${State.queued}, ${State.held}) FOR UPDATE OF d`);
const takeAll = new Statement<[number, Numbers, Numbers]>(`
  UPDATE reached r SET way = ${By.vendor}, at = ? FROM unnest(?::bigint[], ?::bigint[]) AS u(job, "user")
  WHERE r.job = u.job AND r."user" = u."user" AND r.way IN ${OPEN}`);
const onSocket = new Statement<[Numbers, Numbers], { job: number; user: number }>(`
  SELECT r.job, r."user" FROM unnest(?::bigint[], ?::bigint[]) AS u(job, "user")
    JOIN reached r ON r.job = u.job AND r."user" = u."user" WHERE r.way = ${By.socket}`);
const jobsOf = new Column<[string, number], number>(
  "SELECT job FROM jobs WHERE id = ? AND reach = 1 ORDER BY job DESC LIMIT ?",
);
const sums = new Statement<
  [number, Numbers],
  { readonly finished: number; readonly way: number; readonly total: number; readonly later: number }
>(`
  SELECT (j.finished_at IS NOT NULL)::int AS finished, r.way, count(*) AS total, count(*) FILTER (WHERE r.due > ?) AS later
  FROM reached r JOIN jobs j ON j.job = r.job WHERE r.job = ANY (?) GROUP BY 1, 2`);
const page = new Statement<
  [Numbers, number, number, number, number],
  Omit<ReachedView, "way"> & {
    readonly way: number;
    readonly due: number;
    readonly open: number;
    readonly finished: number;
  }
>(`
  SELECT r.job, r."user", u.uid, r.way, r.due, r.at, (j.finished_at IS NOT NULL)::int AS finished,
         EXISTS (SELECT 1 FROM deliveries d WHERE d."user" = r."user" AND d.job = r.job
           AND d.state IN (${State.queued}, ${State.leased}, ${State.held}))::int AS open
  FROM unnest(?::bigint[]) AS o(job) CROSS JOIN LATERAL (
      SELECT * FROM reached r WHERE r.job = o.job AND r."user" > CASE o.job WHEN ? THEN ?::bigint ELSE 0 END ORDER BY r."user" LIMIT ?) r
    JOIN users u ON u."user" = r."user" JOIN jobs j ON j.job = r.job
  ORDER BY r.job, r."user" LIMIT ?`);
const forget = new Column<[number, number], number>(`
  DELETE FROM reached WHERE (job, "user") IN (SELECT job, "user" FROM reached WHERE job = ? LIMIT ?) RETURNING "user"`);

export type Reach = ReturnType<typeof reach>;

export function reach(progress: Progress, addressees: Addressees) {
  return {
    /** Notes the users of a page. Returns what is planned for each, by uid. */
    async enter(
      turn: Turn,
      job: number,
      { users, capPerDay }: ReachPage,
      numbers: ReadonlyMap<string, number>,
      now: number,
    ): Promise<ReadonlyMap<string, Plan>> {
      const list = users.map(([uid, due, planned]) => ({ uid, due, planned: planned === 1, user: numbers.get(uid)! }));
      const asked = capPerDay === null ? [] : list.filter(({ planned }) => planned).map(({ user }) => user);
      const found = asked.length === 0 ? [] : await ofLate.all(turn, asked, now - DAY);
      const late = new Map(found.map(({ user, n }) => [user, n]));
      const plans = new Map<string, Plan>();
      for (const { uid, due, planned, user } of list)
        plans.set(uid, { due, capped: planned && capPerDay !== null && (late.get(user) ?? 0) >= capPerDay });
      if (list.length > 0)
        enterAll.put(
          turn,
          job,
          list.map(({ user }) => user),
          list.map(({ due }) => due),
          list.map(({ uid, planned }) => (planned && plans.get(uid)?.capped === false ? By.planned : By.nothing)),
        );
      return plans;
    },

    /** Devices have acknowledged messages: their users are reached, and no vendor is asked any more. */
    async acknowledge(
      turn: Turn,
      acks: readonly (readonly [id: string, pushId: string])[],
      now: number,
    ): Promise<void> {
      if (acks.length === 0) return;
      const reached = await reachedAll.all(
        turn,
        acks.map(([id]) => id),
        acks.map(([, pushId]) => pushId),
        now,
      );
      if (reached.length === 0) return;
      const rows = await queued.all(
        turn,
        reached.map(({ job }) => job),
        reached.map(({ user }) => user),
      );
      const tally = progress.tally(turn, now);
      tally.know(rows);
      const changes = new Changes();
      for (const { delivery, job, lane, vendor } of rows) {
        changes.end(delivery, State.cancelled, ACKNOWLEDGED);
        tally.spared(job, { lane, vendor });
      }
      changes.put(turn, now);
      await tally.close();
    },

    /** A vendor took the notification for a device of each of these. */
    taken(turn: Turn, list: readonly { readonly job: number; readonly user: number }[], now: number): void {
      if (list.length > 0)
        takeAll.put(
          turn,
          now,
          list.map(({ job }) => job),
          list.map(({ user }) => user),
        );
    },

    /** Those of them who have been reached by a connection: nothing is tried again for them. */
    async reachedBySocket(
      turn: Turn,
      list: readonly { readonly job: number; readonly user: number }[],
    ): Promise<(job: number, user: number) => boolean> {
      if (list.length === 0) return () => false;
      const rows = await onSocket.all(
        turn,
        list.map(({ job }) => job),
        list.map(({ user }) => user),
      );
      const found = new Set(rows.map(({ job, user }) => `${job} ${user}`));
      return (job, user) => found.has(`${job} ${user}`);
    },

    spare(delivery: number, job: number, way: Way, tally: Tally, changes: Changes): void {
      changes.end(delivery, State.cancelled, ACKNOWLEDGED);
      tally.spared(job, way);
    },

    /** Of all calls with this id: undefined: none is a reach. */
    async reachedSums(turn: Turn, id: string, now: number): Promise<ReachedSums | undefined> {
      const jobs = await jobsOf.all(turn, id, MOST_JOBS);
      return jobs.length === 0 ? undefined : sumsOf(await sums.all(turn, now, jobs));
    },

    async reachedUsers(
      turn: Turn,
      id: string,
      place: ReachPlace,
      limit: number,
      now: number,
    ): Promise<readonly ReachedView[]> {
      const jobs = (await jobsOf.all(turn, id, MOST_JOBS)).filter((job) => job >= place.job).reverse();
      if (jobs.length === 0) return [];
      const rows = await page.all(turn, jobs, place.job, place.user, limit, limit);
      return rows.map((row) => ({ job: row.job, user: row.user, uid: row.uid, way: wordFor(row, now), at: row.at }));
    },

    /** Forgets about `limit` users of a job. Returns how many. */
    async forgetReached(turn: Turn, job: number, limit: number): Promise<number> {
      const users = await forget.all(turn, job, limit);
      addressees.release(turn, [], users);
      return users.length;
    },
  };
}
