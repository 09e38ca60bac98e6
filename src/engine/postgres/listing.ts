// Looking back: jobs and how far they are, deliveries device by device, and the way to them from a device or a user.
import { DEFERRED } from "../../core/outbox.ts";
import {
  type AtDevice,
  type DeliveriesView,
  type DeliveryView,
  JOBS_LOOKED_AT,
  type JobView,
  LOOKED_AT,
  type Place,
} from "../sqlite/listing.ts";
import { State } from "../sqlite/state.ts";
import type { Addressees } from "./addressees.ts";
import { Column, Statement } from "./database.ts";
import type { Packets } from "./packets.ts";
import type { Turn } from "./turns.ts";

type Numbers = readonly number[];

const columns = `
  job, id, type, text, target_kind, accepted_at, send_at, due, finished_at, rate, dry_run, seen, skipped, routes, queued, waiting,
  accepted, connected,
  CASE WHEN cancelled = 1 THEN 'cancelled' WHEN finished_at IS NOT NULL THEN 'finished' WHEN paused = 1 THEN 'paused'
       WHEN send_at > n.now THEN 'scheduled' WHEN cursor LIKE '${DEFERRED}%' THEN 'deferred' ELSE 'running' END AS state`;
const jobsWhere = (where: string): string => `
  SELECT * FROM (SELECT ${columns} FROM jobs, (SELECT ?::bigint AS now) n WHERE ${where}) j
  WHERE ?::text IS NULL OR state = ? ORDER BY job DESC LIMIT ?`;
const byId = new Statement<[number, string, number, string | null, string | null, number], Omit<JobView, "failed">>(
  jobsWhere("id = ? AND job < ?"),
);
const listed = new Statement<[number, number, string | null, string | null, number], Omit<JobView, "failed">>(
  jobsWhere("listed = 1 AND job < ?"),
);
const byNumber = new Statement<[number, Numbers], Omit<JobView, "failed">>(
  `SELECT ${columns} FROM jobs, (SELECT ?::bigint AS now) n WHERE job = ANY (?)`,
);
// Of the latest calls to many: who sends to everybody twice does so within them.
const lastTo = new Statement<[number, string], { readonly job: number; readonly target: string | null }>(`
  SELECT j.job, c.target FROM (SELECT job, target_kind, dry_run FROM jobs WHERE listed = 1 ORDER BY job DESC LIMIT ?) j
    JOIN job_contents c ON c.job = j.job
  WHERE j.dry_run = 0 AND j.target_kind = ? ORDER BY j.job DESC`);
const failures = new Statement<[Numbers], { readonly job: number; readonly reason: string; readonly total: number }>(
  "SELECT job, reason, total FROM job_failures WHERE job = ANY (?) ORDER BY total DESC, reason",
);
const jobsFrom = new Column<[string, number, number], number>(
  "SELECT job FROM jobs WHERE id = ? AND job >= ? ORDER BY job LIMIT ?",
);
const known = new Column<[string], number>("SELECT 1 FROM jobs WHERE id = ? LIMIT 1");
const jobsOfId = new Column<[string], number>("SELECT job FROM jobs WHERE id = ? ORDER BY job");
const notification = new Column<[string], string>(`
  SELECT c.notification FROM jobs j JOIN job_contents c ON c.job = j.job WHERE j.id = ? ORDER BY j.job DESC LIMIT 1`);
const devicesOfArrival = new Statement<
  [number, number, number],
  { readonly push_id: string; readonly uid: string | null }
>(`
  SELECT d.push_id, u.uid FROM (
    SELECT d.* FROM (SELECT job FROM jobs WHERE arrival = ? ORDER BY job) j
      CROSS JOIN LATERAL (SELECT delivery, push_id, "user" FROM deliveries WHERE job = j.job ORDER BY delivery LIMIT ?) d
    LIMIT ?) d
  LEFT JOIN users u ON u."user" = d."user" ORDER BY d.delivery`);
// One list after the other: so many of each at most, until there are enough.
const places = new Statement<[Numbers, number, number, number, number], Place>(`
  SELECT d.job, d.delivery FROM unnest(?::bigint[]) AS j(job) CROSS JOIN LATERAL (
    SELECT job, delivery FROM deliveries
    WHERE job = j.job AND delivery > CASE j.job WHEN ? THEN ?::bigint ELSE 0 END ORDER BY delivery LIMIT ?) d
  LIMIT ?`);
const deliveryColumns = `d.delivery, d.job, d.push_id, u.uid, l.vendor, l.app, d.state, d.attempts, d.reason, d.receipt, d.queued_at,
  d.sent_at, d.settled_at, d.due, d.arrived_at, d.clicked_at, j.expires,
  (d.state = ${State.kept} AND EXISTS (SELECT 1 FROM packets p
    WHERE p.channel = 'd:' || d.push_id AND p.id = j.id AND p.expires = j.expires))::int AS in_log
  FROM deliveries d JOIN jobs j ON j.job = d.job LEFT JOIN users u ON u."user" = d."user" LEFT JOIN lanes l ON l.lane = d.lane`;
type Row = DeliveryView & { readonly job: number };
const byDelivery = new Statement<[Numbers], Row>(`
  SELECT ${deliveryColumns} WHERE d.delivery = ANY (?) ORDER BY d.job, d.delivery`);
const atDevice = new Statement<[Numbers, Numbers], Row>(`
  SELECT ${deliveryColumns}
    JOIN unnest(?::bigint[]) WITH ORDINALITY AS v(device, place) ON v.device = d.device
  WHERE d.job = ANY (?) ORDER BY d.job DESC, v.place, d.delivery DESC`);
const evidenceOf = new Statement<
  [readonly string[], string],
  { readonly counter: string; readonly push_id: string; readonly at: number }
>(`
  SELECT c.counter, e.push_id, e.at FROM arrivals a JOIN arrival_counts c ON c.arrival = a.arrival
    JOIN arrival_evidence e ON e.count = c.count AND e.push_id = ANY (?)
  WHERE a.id = ? AND (c.counter LIKE 'arrive#_%' ESCAPE '#' OR c.counter LIKE 'click#_%' ESCAPE '#') AND e.at IS NOT NULL`);
const arrivalsBack = (whose: string) =>
  new Column<[Numbers, number], number>(`
  WITH RECURSIVE back (whose, job) AS (
    SELECT w, (SELECT max(job) FROM deliveries WHERE "${whose}" = w) FROM unnest(?::bigint[]) AS w
    UNION ALL
    SELECT whose, (SELECT max(d.job) FROM deliveries d WHERE d."${whose}" = back.whose AND d.job < back.job) FROM back
    WHERE job IS NOT NULL)
  SELECT j.arrival FROM back JOIN jobs j ON j.job = back.job WHERE j.arrival IS NOT NULL LIMIT ?`);
const ofDevices = arrivalsBack("device");
const ofUsers = arrivalsBack("user");
const newestFirst = new Column<[Numbers, number], number>(`
  SELECT arrival FROM arrivals WHERE arrival = ANY (?) ORDER BY time_start DESC, arrival DESC LIMIT ?`);
const vendorIds = new Statement<
  [number, number, number],
  { readonly delivery: number; readonly vendor: string | null; readonly receipt: string | null }
>(`
  SELECT d.delivery, l.vendor, CASE d.state WHEN ${State.accepted} THEN d.receipt END AS receipt FROM (
    SELECT delivery, lane, state, receipt FROM deliveries WHERE job = ? AND delivery < ? ORDER BY delivery DESC LIMIT ?) d
  LEFT JOIN lanes l ON l.lane = d.lane ORDER BY d.delivery DESC`);
const newestJobs = new Column<[string, number], number>("SELECT job FROM jobs WHERE id = ? ORDER BY job DESC LIMIT ?");
const targetOf = new Column<[number], string | null>("SELECT target FROM job_contents WHERE job = ?");
const begun = "coalesce(send_at, accepted_at)";
const traceable = new Statement<
  [string, number, number, number, number, number],
  { readonly job: number; readonly id: string; readonly at: number; readonly accepted: boolean }
>(`
  SELECT job, id, at, EXISTS (SELECT 1 FROM arrival_counts c WHERE c.arrival = j.arrival AND c.counter = ? AND c.total > 0) AS accepted
  FROM (
    SELECT job, id, arrival, ${begun} AS at FROM jobs
    WHERE arrival IS NOT NULL AND ${begun} >= ? AND (${begun} > ? OR job > ?) AND ${begun} <= ?
    ORDER BY ${begun}, job LIMIT ?) j
  ORDER BY at, job`);

export type Listing = ReturnType<typeof listing>;

export function listing(addressees: Addressees, packets: Pick<Packets, "flush">) {
  async function withFailures(turn: Turn, rows: readonly Omit<JobView, "failed">[]): Promise<JobView[]> {
    if (rows.length === 0) return [];
    const found = await failures.all(
      turn,
      rows.map(({ job }) => job),
    );
    const failed = new Map<number, [string, number][]>();
    for (const { job, reason, total } of found) {
      const reasons = failed.get(job) ?? [];
      failed.set(job, reasons);
      reasons.push([reason, total]);
    }
    return rows.map((row) => ({ ...row, failed: Object.fromEntries(failed.get(row.job) ?? []) }));
  }

  /** What the devices themselves have told. */
  async function addEvidence(
    turn: Turn,
    id: string,
    rows: readonly Pick<DeliveryView, "push_id" | "arrived_at" | "clicked_at">[],
  ): Promise<void> {
    if (rows.length === 0) return;
    const found = await evidenceOf.all(turn, [...new Set(rows.map(({ push_id }) => push_id))], id);
    const byDevice = new Map<string, typeof found>();
    for (const one of found) byDevice.set(one.push_id, [...(byDevice.get(one.push_id) ?? []), one]);
    for (const row of rows)
      for (const { counter, at } of byDevice.get(row.push_id) ?? [])
        if (counter.startsWith("arrive_")) row.arrived_at = Math.min(at, row.arrived_at ?? at);
        else row.clicked_at = Math.min(at, row.clicked_at ?? at);
  }

  return {
    /** Whom a notification was for, in the order they were expanded; where they are more, those of its first calls. */
    devicesOfArrival: (turn: Turn, arrival: number, limit: number) => devicesOfArrival.all(turn, arrival, limit, limit),

    async arrivalsOfDevice(turn: Turn, pushId: string, limit: number): Promise<readonly number[]> {
      const devices = await addressees.devicesOf(turn, pushId);
      return newestFirst.all(turn, await ofDevices.all(turn, devices, LOOKED_AT), limit);
    },

    async arrivalsOfUser(turn: Turn, uid: string, limit: number): Promise<readonly number[]> {
      const user = await addressees.userOf(turn, uid);
      if (user === undefined) return [];
      return newestFirst.all(turn, await ofUsers.all(turn, [user], LOOKED_AT), limit);
    },

    async jobs(
      turn: Turn,
      id: string | null,
      state: string | null,
      before: number | null,
      limit: number,
      now: number,
    ): Promise<readonly JobView[]> {
      const first = before ?? Number.MAX_SAFE_INTEGER;
      const rows =
        id === null
          ? await listed.all(turn, now, first, state, state, limit)
          : await byId.all(turn, now, id, first, state, state, limit);
      return withFailures(turn, rows);
    },

    /** The newest call to everybody, or to this tag, among the last `limit` calls to many. */
    async lastJobTo(turn: Turn, tag: string | null, limit: number): Promise<number | undefined> {
      const rows = await lastTo.all(turn, limit, tag === null ? "all" : "tag");
      const isIt = (target: string | null): boolean =>
        tag === null || (target !== null && (JSON.parse(target) as { readonly tag?: string }).tag === tag); // written by `accept`
      return rows.find(({ target }) => isIt(target))?.job;
    },

    async jobsByNumber(turn: Turn, jobs: readonly number[], now: number): Promise<readonly JobView[]> {
      const rows = new Map((await byNumber.all(turn, now, jobs)).map((row) => [row.job, row]));
      return withFailures(
        turn,
        jobs.map((job) => rows.get(job)).filter((row) => row !== undefined),
      );
    },

    /** As JSON, by the newest call. Undefined: the id is unknown. */
    notification: (turn: Turn, id: string): Promise<string | undefined> => notification.get(turn, id),

    /** As in sqlite/listing.ts. */
    async deliveriesOf(turn: Turn, id: string, place: Place, limit: number): Promise<DeliveriesView | undefined> {
      await packets.flush(turn); // it looks for packets
      const [found, jobs] = await Promise.all([known.get(turn, id), jobsFrom.all(turn, id, place.job, JOBS_LOOKED_AT)]);
      if (found === undefined) return undefined;
      const asked = await places.all(turn, jobs, place.job, place.delivery, limit, limit);
      const rows = await byDelivery.all(
        turn,
        asked.map(({ delivery }) => delivery),
      );
      await addEvidence(turn, id, rows);
      const last = asked.at(-1);
      if (asked.length >= limit) return { rows, next: last };
      const job = jobs.at(-1);
      if (jobs.length < JOBS_LOOKED_AT || job === undefined) return { rows, next: undefined };
      const behind = last?.job === job ? last.delivery : job === place.job ? place.delivery : 0;
      return { rows, next: { job, delivery: behind } };
    },

    /** Of the newest calls with this id. Undefined: the id is unknown. */
    async deliveriesAt(turn: Turn, id: string, pushId: string): Promise<AtDevice | undefined> {
      await packets.flush(turn);
      const [jobs, devices] = await Promise.all([
        newestJobs.all(turn, id, JOBS_LOOKED_AT),
        addressees.devicesOf(turn, pushId),
      ]);
      const [newest] = jobs;
      if (newest === undefined) return undefined;
      const rows = await atDevice.all(turn, devices, jobs);
      const self: Pick<DeliveryView, "push_id" | "arrived_at" | "clicked_at"> = {
        push_id: pushId,
        arrived_at: null,
        clicked_at: null,
      };
      await addEvidence(turn, id, [...rows, self]);
      const target = (await targetOf.get(turn, rows[0]?.job ?? newest)) ?? null;
      const { arrived_at, clicked_at } = self;
      return { rows, target, arrived_at, clicked_at };
    },

    jobsOfId: (turn: Turn, id: string): Promise<readonly number[]> => jobsOfId.all(turn, id),

    /** Ids of notifications with this counter, among `limit` calls that began after that one; and where to go on. */
    async traceable(turn: Turn, counter: string, at: number, job: number, to: number, limit: number) {
      const rows = await traceable.all(turn, counter, at, at, job, to, limit);
      const ids = [...new Set(rows.filter(({ accepted }) => accepted).map(({ id }) => id))];
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return { ids, ...(last === undefined ? undefined : { next: { at: last.at, job: last.job } }) };
    },

    /** The vendor's ids among `limit` deliveries of a job, newest first; and where to go on. */
    async vendorIds(turn: Turn, job: number, before: number | null, vendor: string, limit: number) {
      const rows = await vendorIds.all(turn, job, before ?? Number.MAX_SAFE_INTEGER, limit);
      const ids = rows.filter((row) => row.vendor === vendor).map(({ receipt }) => receipt);
      return {
        ids: [...new Set(ids.filter((id) => id !== null))],
        next: rows.length === limit ? rows.at(-1)?.delivery : undefined,
      };
    },
  };
}
