// Looking back: jobs and how far they are, deliveries device by device, and the way to them from a device or a user.
import type Database from "better-sqlite3";
import { DEFERRED } from "../../core/outbox.ts";
import type { Addressees } from "./addressees.ts";
import { State } from "./state.ts";

export interface JobView {
  readonly job: number;
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly target_kind: string;
  readonly state: string;
  readonly accepted_at: number;
  readonly send_at: number | null;
  /** When its next page is wanted. */
  readonly due: number;
  readonly finished_at: number | null;
  readonly rate: number | null;
  readonly dry_run: number;
  readonly seen: number;
  readonly skipped: number;
  readonly routes: string;
  readonly queued: number;
  readonly waiting: number;
  readonly accepted: number;
  readonly connected: number;
  readonly failed: Readonly<Record<string, number>>;
}

/** In the list of a notification's deliveries: after this delivery of this job. */
export interface Place {
  readonly job: number;
  readonly delivery: number;
}

export interface DeliveriesView {
  readonly rows: readonly DeliveryView[];
  readonly next: Place | undefined;
}

export interface DeliveryView {
  readonly delivery: number;
  readonly push_id: string;
  readonly uid: string | null;
  readonly vendor: string | null;
  readonly app: string | null;
  readonly state: number;
  readonly attempts: number;
  readonly reason: string | null;
  readonly receipt: string | null;
  readonly queued_at: number;
  readonly sent_at: number | null;
  readonly settled_at: number | null;
  readonly due: number | null;
  /** When the notification's time ends. */
  readonly expires: number;
  /** 1: kept for its device on the connection's log. */
  readonly in_log: number;
  arrived_at: number | null;
  clicked_at: number | null;
}

/**
 * Of a device's or a user's newest notifications as they were accepted, so many are put into the order in which they began: a few
 * milliseconds.
 */
export const LOOKED_AT = 500;

/** Calls with one id that are looked through at a time: about a millisecond. */
export const JOBS_LOOKED_AT = 200;

/** What there is of one notification at one device. */
export interface AtDevice {
  /** The newest call first. */
  readonly rows: readonly (DeliveryView & { readonly job: number })[];
  /** Of the newest call: JSON; null: it was too long to be kept. */
  readonly target: string | null;
  readonly arrived_at: number | null;
  readonly clicked_at: number | null;
}

export type Listing = ReturnType<typeof listing>;

export function listing(db: Database, addressees: Addressees) {
  const columns = `
    job, id, type, text, target_kind, accepted_at, send_at, due, finished_at, rate, dry_run, seen, skipped, routes, queued, waiting,
    accepted, connected,
    CASE WHEN cancelled = 1 THEN 'cancelled' WHEN finished_at IS NOT NULL THEN 'finished' WHEN paused = 1 THEN 'paused'
         WHEN send_at > ? THEN 'scheduled' WHEN cursor LIKE '${DEFERRED}%' THEN 'deferred' ELSE 'running' END AS state`;
  const byId = db.prepare<[number, string, number, string | null, string | null, number], JobView>(`
    SELECT ${columns} FROM jobs WHERE id = ? AND job < ? AND (? IS NULL OR state = ?) ORDER BY job DESC LIMIT ?`);
  const listed = db.prepare<[number, number, string | null, string | null, number], JobView>(`
    SELECT ${columns} FROM jobs WHERE listed = 1 AND job < ? AND (? IS NULL OR state = ?) ORDER BY job DESC LIMIT ?`);
  const byNumber = db.prepare<[number, number], JobView>(`SELECT ${columns} FROM jobs WHERE job = ?`);
  // Of the latest calls to many: who sends to everybody twice does so within them.
  const lastTo = db
    .prepare<[number, string, string | null, string | null], number>(`
    SELECT j.job FROM (SELECT job, target_kind, dry_run FROM jobs WHERE listed = 1 ORDER BY job DESC LIMIT ?) j
      JOIN job_contents c ON c.job = j.job
    WHERE j.dry_run = 0 AND j.target_kind = ? AND (? IS NULL OR c.target ->> '$.tag' = ?) ORDER BY j.job DESC LIMIT 1`)
    .pluck<number>();
  const failures = db.prepare<[number], { readonly reason: string; readonly total: number }>(`
    SELECT reason, total FROM job_failures WHERE job = ? ORDER BY total DESC, reason`);

  const known = db.prepare<[string], number>("SELECT 1 FROM jobs WHERE id = ? LIMIT 1").pluck<number>();
  const jobsFrom = db
    .prepare<[string, number, number], number>("SELECT job FROM jobs WHERE id = ? AND job >= ? ORDER BY job LIMIT ?")
    .pluck<number>();
  const jobsOfId = db.prepare<[string], number>("SELECT job FROM jobs WHERE id = ? ORDER BY job").pluck<number>();
  const notification = db
    .prepare<[string], string>(`
    SELECT c.notification FROM jobs j JOIN job_contents c ON c.job = j.job WHERE j.id = ? ORDER BY j.job DESC LIMIT 1`)
    .pluck<string>();
  const devicesOfArrival = db.prepare<[number, number], { readonly push_id: string; readonly uid: string | null }>(`
    SELECT push_id, uid FROM (
      SELECT d.delivery, d.push_id, u.uid
      FROM jobs j CROSS JOIN deliveries d ON d.job = j.job LEFT JOIN users u ON u.user = d.user
      WHERE j.arrival = ? ORDER BY j.job, d.delivery LIMIT ?)
    ORDER BY delivery`);
  const numbers = db
    .prepare<[number, number, number], number>(`
    SELECT delivery FROM deliveries WHERE job = ? AND delivery > ? ORDER BY delivery LIMIT ?`)
    .pluck<number>();
  const delivery = db.prepare<[number], DeliveryView>(`
    SELECT d.delivery, d.push_id, u.uid, l.vendor, l.app, d.state, d.attempts, d.reason, d.receipt, d.queued_at, d.sent_at,
           d.settled_at, d.due, d.arrived_at, d.clicked_at, j.expires,
           iif(d.state = ${State.kept}, EXISTS (SELECT 1 FROM packets p
             WHERE p.channel = 'd:' || d.push_id AND p.id = j.id AND p.expires = j.expires), 0) AS in_log
    FROM deliveries d JOIN jobs j ON j.job = d.job LEFT JOIN users u ON u.user = d.user LEFT JOIN lanes l ON l.lane = d.lane
    WHERE d.delivery = ?`);
  const evidenceCounts = db.prepare<[string], { readonly count: number; readonly counter: string }>(`
    SELECT c.count, c.counter FROM arrivals a JOIN arrival_counts c ON c.arrival = a.arrival
    WHERE a.id = ? AND (c.counter LIKE 'arrive#_%' ESCAPE '#' OR c.counter LIKE 'click#_%' ESCAPE '#')`);
  const evidence = db
    .prepare<[number, string], number | null>("SELECT at FROM arrival_evidence WHERE count = ? AND push_id = ?")
    .pluck<number | null>();
  const arrivalOf = db
    .prepare<[number], number | null>("SELECT arrival FROM jobs WHERE job = ?")
    .pluck<number | null>();
  const began = db.prepare<[number], number>("SELECT time_start FROM arrivals WHERE arrival = ?").pluck<number>();
  const jobBeforeOfDevice = db
    .prepare<[number, number], number>("SELECT max(job) FROM deliveries WHERE device = ? AND job < ?")
    .pluck<number | null>();
  const jobBeforeOfUser = db
    .prepare<[number, number], number>("SELECT max(job) FROM deliveries WHERE user = ? AND job < ?")
    .pluck<number | null>();
  const vendorIds = db.prepare<
    [number, number, number],
    { delivery: number; vendor: string | null; receipt: string | null }
  >(`
    SELECT d.delivery, l.vendor, iif(d.state = ${State.accepted}, d.receipt, NULL) AS receipt
    FROM deliveries d LEFT JOIN lanes l ON l.lane = d.lane
    WHERE d.job = ? AND d.delivery < ? ORDER BY d.delivery DESC LIMIT ?`);

  const newestJobs = db
    .prepare<[string, number], number>("SELECT job FROM jobs WHERE id = ? ORDER BY job DESC LIMIT ?")
    .pluck<number>();
  const atDevice = db
    .prepare<[number, number], number>(
      "SELECT delivery FROM deliveries WHERE device = ? AND job = ? ORDER BY delivery DESC",
    )
    .pluck<number>();
  const targetOf = db
    .prepare<[number], string | null>("SELECT target FROM job_contents WHERE job = ?")
    .pluck<string | null>();

  const begun = "coalesce(send_at, accepted_at)";
  const traceable = db.prepare<
    [string, number, number, number, number, number],
    { job: number; id: string; at: number; accepted: number }
  >(`
    SELECT job, id, ${begun} AS at,
           EXISTS (SELECT 1 FROM arrival_counts c WHERE c.arrival = jobs.arrival AND c.counter = ? AND c.total > 0) AS accepted
    FROM jobs WHERE arrival IS NOT NULL AND ${begun} >= ? AND (${begun} > ? OR job > ?) AND ${begun} <= ?
    ORDER BY ${begun}, job LIMIT ?`);

  const view = (row: Omit<JobView, "failed">): JobView => ({
    ...row,
    failed: Object.fromEntries(failures.all(row.job).map(({ reason, total }) => [reason, total])),
  });

  /** The notifications of the newest jobs that `before` leads to, one by one. */
  function arrivals(before: (job: number) => number | null | undefined): number[] {
    const found = new Set<number>();
    let job = before(Number.MAX_SAFE_INTEGER);
    while (typeof job === "number" && found.size < LOOKED_AT) {
      const arrival = arrivalOf.get(job);
      if (typeof arrival === "number") found.add(arrival);
      job = before(job);
    }
    return [...found];
  }

  /** In the order they began. */
  function newestFirst(arrivals: readonly number[], limit: number): readonly number[] {
    return [...new Set(arrivals)]
      .map((arrival) => ({ arrival, at: began.get(arrival) ?? 0 }))
      .sort((a, b) => b.at - a.at || b.arrival - a.arrival)
      .slice(0, limit)
      .map(({ arrival }) => arrival);
  }

  /** What the devices themselves have told. */
  function addEvidence(id: string, rows: readonly Pick<DeliveryView, "push_id" | "arrived_at" | "clicked_at">[]): void {
    const counts = evidenceCounts.all(id);
    for (const row of rows) {
      for (const { count, counter } of counts) {
        const at = evidence.get(count, row.push_id);
        if (typeof at !== "number") continue;
        if (counter.startsWith("arrive_")) row.arrived_at = Math.min(at, row.arrived_at ?? at);
        else row.clicked_at = Math.min(at, row.clicked_at ?? at);
      }
    }
  }

  return {
    /** Whom a notification was for, in the order they were expanded; where they are more, those of its first calls. */
    devicesOfArrival: (arrival: number, limit: number) => devicesOfArrival.all(arrival, limit),

    /** Numbers of notifications, the newest first. */
    arrivalsOfDevice(pushId: string, limit: number): readonly number[] {
      const devices = addressees.devicesOf(pushId);
      const newest = devices.flatMap((device) => arrivals((job) => jobBeforeOfDevice.get(device, job)));
      return newestFirst(newest, limit);
    },

    /** As of a device; none when nothing is known of the user. */
    arrivalsOfUser(uid: string, limit: number): readonly number[] {
      const user = addressees.userOf(uid);
      if (user === undefined) return [];
      const newest = arrivals((job) => jobBeforeOfUser.get(user, job));
      return newestFirst(newest, limit);
    },

    jobs(
      id: string | null,
      state: string | null,
      before: number | null,
      limit: number,
      now: number,
    ): readonly JobView[] {
      const first = before ?? Number.MAX_SAFE_INTEGER;
      const rows =
        id === null ? listed.all(now, first, state, state, limit) : byId.all(now, id, first, state, state, limit);
      return rows.map(view);
    },

    /** The newest call to everybody, or to this tag, among the last `limit` calls to many. */
    lastJobTo: (tag: string | null, limit: number): number | undefined =>
      lastTo.get(limit, tag === null ? "all" : "tag", tag, tag),

    /** In the order of `jobs`, without those that are forgotten. */
    jobsByNumber(jobs: readonly number[], now: number): readonly JobView[] {
      return jobs
        .map((job) => byNumber.get(now, job))
        .filter((row) => row !== undefined)
        .map(view);
    },

    /** As JSON, by the newest call. Undefined: the id is unknown. */
    notification: (id: string): string | undefined => notification.get(id),

    /**
     * Up to `limit` deliveries that come after `place`, call by call; and where to go on, undefined at the end. Calls without any
     * are many, perhaps: so many are looked at. Undefined: the id is unknown.
     */
    deliveries(id: string, place: Place, limit: number): DeliveriesView | undefined {
      if (known.get(id) === undefined) return undefined;
      const found: DeliveryView[] = [];
      const jobs = jobsFrom.all(id, place.job, JOBS_LOOKED_AT);
      let next: Place | undefined;
      for (const job of jobs) {
        const after = job === place.job ? place.delivery : 0;
        const more = numbers.all(job, after, limit - found.length);
        for (const number of more) {
          const row = delivery.get(number);
          if (row !== undefined) found.push(row);
        }
        next = { job, delivery: more.at(-1) ?? after };
        if (found.length >= limit) break;
      }
      const more = found.length >= limit || jobs.length === JOBS_LOOKED_AT;
      addEvidence(id, found);
      return { rows: found, next: more ? next : undefined };
    },

    /** Of the newest calls with this id. Undefined: the id is unknown. */
    deliveriesAt(id: string, pushId: string): AtDevice | undefined {
      const jobs = newestJobs.all(id, JOBS_LOOKED_AT);
      const [newest] = jobs;
      if (newest === undefined) return undefined;
      const devices = addressees.devicesOf(pushId);
      const rows = jobs.flatMap((job) =>
        devices
          .flatMap((device) => atDevice.all(device, job))
          .map((number) => delivery.get(number))
          .filter((row) => row !== undefined)
          .map((row) => ({ ...row, job })),
      );
      const self: Pick<DeliveryView, "push_id" | "arrived_at" | "clicked_at"> = {
        push_id: pushId,
        arrived_at: null,
        clicked_at: null,
      };
      addEvidence(id, [...rows, self]);
      const { arrived_at, clicked_at } = self;
      return { rows, target: targetOf.get(rows[0]?.job ?? newest) ?? null, arrived_at, clicked_at };
    },

    jobsOfId: (id: string): readonly number[] => jobsOfId.all(id),

    /** Ids of notifications with this counter, among `limit` calls that began after that one; and where to go on. */
    traceable(
      counter: string,
      at: number,
      job: number,
      to: number,
      limit: number,
    ): { readonly ids: readonly string[]; readonly next?: { readonly at: number; readonly job: number } } {
      const rows = traceable.all(counter, at, at, job, to, limit);
      const ids = [...new Set(rows.filter(({ accepted }) => accepted === 1).map(({ id }) => id))];
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return { ids, ...(last === undefined ? undefined : { next: { at: last.at, job: last.job } }) };
    },

    /** The vendor's ids among `limit` deliveries of a job, newest first; and where to go on. */
    vendorIds(
      job: number,
      before: number | null,
      vendor: string,
      limit: number,
    ): { readonly ids: readonly string[]; readonly next: number | undefined } {
      const rows = vendorIds.all(job, before ?? Number.MAX_SAFE_INTEGER, limit);
      const ids = rows.filter((row) => row.vendor === vendor).map(({ receipt }) => receipt);
      return {
        ids: [...new Set(ids.filter((id) => id !== null))],
        next: rows.length === limit ? rows.at(-1)?.delivery : undefined,
      };
    },
  };
}
