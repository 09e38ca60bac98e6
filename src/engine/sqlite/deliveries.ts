// The queue: deliveries claimed by their lane, settled, held back, expired. The contract is `Outbox` in core/outbox.ts.
// With 1,000,000 devices and each commit on the disk, two cores: 50,000 deliveries/s claimed and settled by 500; 87,000 made per
// second by pages of 1,000, 48,000 where their users are new; 12,000 calls to one device each go all the way in a second.
import type Database from "better-sqlite3";
import { EXPIRED } from "../../core/reasons.ts";
import type { Traits } from "../../core/traits.ts";
import { CANCELLED } from "../reasons.ts";
import { type ClaimedRow, type Packed, type PackedSettlements, packClaimed, unpackSettlements } from "../rows.ts";
import { detours } from "./detours.ts";
import type { DeviceTable } from "./devices.ts";
import type { JobRow, Progress, Tally, Way } from "./progress.ts";
import type { Reach } from "./reach.ts";
import { State } from "./state.ts";

interface Waiting {
  readonly delivery: number;
  readonly job: number;
  readonly push_id: string;
  readonly type: string;
  readonly token: string;
  readonly attempts: number;
  readonly reason: string | null;
}

export interface LaneName {
  readonly vendor: string;
  readonly app: string;
  /** Empty: none. */
  readonly host: string;
}

interface Lane extends LaneName {
  readonly lane: number;
  readonly open: number;
}

export interface Claimed {
  /** The name of its lease. */
  readonly lease: number;
  readonly deliveries: Packed<ClaimedRow>;
  /** As JSON, of the jobs among them that the caller does not know. */
  readonly notes: readonly { readonly job: number; readonly notification: string }[];
  readonly next: number | undefined;
}

/** Deliveries that a claim may pass over, being paused, cancelled or expired, before it answers. */
export const PASSED_OVER = 1000;
/** Deliveries of which is asked whether they outlive a pause: about 10 ms. */
export const LOOKED_AT = 10_000;
/** While a job is resumed, its lanes look so often for what was let go of, milliseconds. */
export const LOOK_EVERY = 100;
/** Among so many that are due first the oldest of a lane is looked for: what is put off again and again is due with the others. */
export const FIRST = 100;

/** What is to happen with a delivery that waits, apart from being sent. @param job undefined: it is gone */
export function fateOf(
  job: Pick<JobRow, "paused" | "cancelled" | "expires"> | undefined,
  now: number,
): "cancel" | "expire" | "hold" | undefined {
  if (job === undefined || job.cancelled === 1) return "cancel";
  if (job.expires <= now) return "expire";
  return job.paused === 1 ? "hold" : undefined;
}

export function deliveries(
  db: Database,
  progress: Progress,
  devices: Pick<DeviceTable, "forgetToken">,
  traits: Traits,
  reaching: Reach,
) {
  const ways = detours(db);
  const laneColumns = "lane, vendor, app, host, open";
  const waiting = "d.delivery, d.job, d.push_id, d.type, d.token, d.attempts, d.reason";
  const lanes = db.prepare<[], Lane>(`SELECT ${laneColumns} FROM lanes WHERE open > 0`);
  const findLane = db.prepare<[string, string, string], Lane>(`
    SELECT ${laneColumns} FROM lanes WHERE vendor = ? AND app = ? AND host = ? AND open > 0`);
  const laneOf = db.prepare<[number], Lane>(`SELECT ${laneColumns} FROM lanes WHERE lane = ?`);
  const oldest = db
    .prepare<[number, number, number], number | null>(`
    SELECT min(queued_at) FROM (
      SELECT queued_at FROM deliveries WHERE lane = +? AND state = +? AND bulk = +? AND due IS NOT NULL ORDER BY due LIMIT ${FIRST})`)
    .pluck<number | null>();
  const due = db.prepare<[number, number, number, number], Waiting>(`
    SELECT ${waiting} FROM deliveries d
    WHERE lane = +? AND state = ${State.queued} AND bulk = +? AND due <= +? ORDER BY due, delivery LIMIT ? + 0`);
  const after = db.prepare<[number, number, number, number, number, number], Waiting & { readonly due: number }>(`
    SELECT ${waiting}, d.due FROM deliveries d
    WHERE lane = ? AND state = ${State.queued} AND bulk = ? AND due >= ? AND NOT (due = ? AND delivery <= ?) ORDER BY due, delivery LIMIT ?`);
  const position = db.prepare<[number, number], { readonly bulk: number; readonly due: number }>(`
    SELECT bulk, due FROM deliveries WHERE delivery = ? AND lane = ? AND state = ${State.queued}`);
  const nextDue = db
    .prepare<[number, number, number], number>(`
    SELECT due FROM deliveries WHERE lane = +? AND state = +? AND bulk = +? AND due IS NOT NULL ORDER BY due LIMIT 1`)
    .pluck<number>();
  const reclaim = db.prepare<[number, number, number, number]>(`
    UPDATE deliveries SET state = ${State.queued} WHERE delivery IN
      (SELECT delivery FROM deliveries WHERE lane = +? AND state = ${State.leased} AND bulk = +? AND due <= +? ORDER BY due LIMIT ? + 0)`);
  const lease = db.prepare<[number, number, number]>(
    `UPDATE deliveries SET state = ${State.leased}, due = ?, sent_at = ? WHERE delivery = ?`,
  );
  const hold = db.prepare<[number]>(`UPDATE deliveries SET state = ${State.held} WHERE delivery = ?`);
  const release = db.prepare<[number]>(`UPDATE deliveries SET state = ${State.queued} WHERE delivery = ?`);
  const noteOf = db.prepare<[number], string>("SELECT notification FROM job_contents WHERE job = ?").pluck<string>();
  // `= +?` beside a join or an order, and `LIMIT ? + 0`: see packets.ts.
  const leased = db.prepare<[number, number], Waiting & Way & { readonly app: string }>(`
    SELECT ${waiting}, d.lane, l.vendor, l.app
    FROM deliveries d JOIN lanes l ON l.lane = d.lane
    WHERE d.delivery = +? AND d.state = ${State.leased} AND d.due = +?`);
  const requeue = db.prepare<[number, number, string | null, number]>(`
    UPDATE deliveries SET state = ${State.queued}, due = ?, attempts = attempts + ?, reason = ? WHERE delivery = ?`);
  // Claimed for nothing: the vendor was not asked, or took nothing from us.
  const giveBack = db.prepare<[number, string | null, number]>(`
    UPDATE deliveries SET state = ${State.queued}, due = ?, reason = coalesce(nullif(?, ''), reason), sent_at = iif(attempts = 0, NULL, sent_at) WHERE delivery = ?`);
  const settle = db.prepare<[number, string | null, string | null, number, number, number]>(`
    UPDATE deliveries SET state = ?, due = NULL, receipt = ?, reason = ?, settled_at = ?, token = iif(?, token, NULL)
    WHERE delivery = ?`);
  const overdue = db.prepare<[number], number>(`
    SELECT 1 FROM jobs WHERE finished_at IS NULL AND expires <= ? AND waiting > 0 LIMIT 1`);
  const expiring = db
    .prepare<[number, number], number>(`
    SELECT count(*) FROM (
      SELECT job FROM deliveries WHERE lane = ? AND state IN (${State.queued}, ${State.leased}) AND due IS NOT NULL LIMIT ${LOOKED_AT}
    ) d JOIN jobs j ON j.job = d.job WHERE j.expires <= ?`)
    .pluck<number>();
  const walking = db.prepare<[number], { readonly walk: number }>(
    "SELECT walk FROM jobs WHERE job = ? AND walk IS NOT NULL",
  );
  const walked = db.prepare<[number, number, number], Waiting & Way & { readonly state: number }>(`
    SELECT ${waiting}, d.lane, d.state, l.vendor
    FROM deliveries d LEFT JOIN lanes l ON l.lane = d.lane
    WHERE d.job = +? AND d.delivery > +? ORDER BY d.delivery LIMIT ? + 0`);
  const resuming = db
    .prepare<[], number>("SELECT 1 FROM jobs WHERE walk IS NOT NULL AND paused = 0 AND cancelled = 0 LIMIT 1")
    .pluck<number>();
  const walkOn = db.prepare<[number | null, number, number]>(`
    UPDATE jobs SET walk = ?, holding = iif(?, 0, holding) WHERE job = ?`);

  // A lease ends with the run that gave it.
  db.prepare<[]>(
    `UPDATE deliveries SET state = ${State.queued}, due = queued_at
     WHERE lane IN (SELECT lane FROM lanes WHERE open > 0) AND state = ${State.leased} AND due IS NOT NULL`,
  ).run();

  function expire(row: Waiting, way: Way, tally: Tally, now: number): void {
    const reason = row.reason ?? EXPIRED;
    settle.run(State.expired, null, reason, now, 0, row.delivery);
    tally.unsent(row.job, way, reason);
  }

  function cancel(row: Waiting, way: Way, tally: Tally, now: number): void {
    settle.run(State.cancelled, null, row.reason, now, 0, row.delivery);
    tally.unsent(row.job, way, CANCELLED);
  }

  /** Settles or holds a delivery that is not to be sent; false: it stays where it is. */
  function passOver(row: Waiting, way: Way, tally: Tally, now: number): boolean {
    switch (fateOf(tally.job(row.job), now)) {
      case "cancel":
        cancel(row, way, tally, now);
        return true;
      case "expire":
        expire(row, way, tally, now);
        return true;
      case "hold":
        hold.run(row.delivery);
        tally.held(row.job);
        return true;
      case undefined:
        return false;
    }
  }

  function next(lane: number, now: number, clock: number): number | undefined {
    let first = resuming.get() === undefined ? Number.POSITIVE_INFINITY : now + LOOK_EVERY;
    for (const bulk of [0, 1]) {
      first = Math.min(first, nextDue.get(lane, State.queued, bulk) ?? first);
      const ends = nextDue.get(lane, State.leased, bulk);
      if (ends !== undefined) first = Math.min(first, now + ends - clock);
    }
    return first === Number.POSITIVE_INFINITY ? undefined : first;
  }

  /** A lease is named by its end, which therefore is no other's, and later than any before. */
  let latest = 0;
  function endOfLease(clock: number, time: number): number {
    latest = Math.max(clock + time, latest + 1);
    return latest;
  }

  return {
    lanes(): readonly (LaneName & { readonly depth: number; readonly oldest: number | null })[] {
      return lanes.all().map(({ lane, open, ...name }) => {
        const first = [State.queued, State.leased]
          .flatMap((state) => [oldest.get(lane, state, 0), oldest.get(lane, state, 1)])
          .filter((at) => typeof at === "number");
        return { ...name, depth: open, oldest: first.length === 0 ? null : Math.min(...first) };
      });
    },

    /** Deliveries that expired or were cancelled before they were sent, since the store was opened. */
    unsent: (): readonly (LaneName & { readonly total: number })[] =>
      progress.unsent().flatMap(([number, total]) => {
        const { vendor, app, host } = laneOf.get(number) ?? {};
        return vendor === undefined || app === undefined || host === undefined ? [] : [{ vendor, app, host, total }];
      }),

    /**
     * @param now by which deliveries are due and expire
     * @param clock by which the lease is timed
     * @param leaseTime milliseconds
     * @param known jobs whose notification the caller has
     */
    claim(
      { vendor, app, host }: LaneName,
      limit: number,
      now: number,
      clock: number,
      leaseTime: number,
      known: readonly number[],
    ): Claimed {
      const way = findLane.get(vendor, app, host);
      if (way === undefined) return { lease: 0, deliveries: [], notes: [], next: undefined };
      const { lane } = way;
      const tally = progress.tally(now);
      const ends = endOfLease(clock, leaseTime);
      const claimed: ClaimedRow[] = [];
      const hasDetours = ways.any();
      const told = new Set(known);
      const notes: { job: number; notification: string }[] = [];
      let passed = 0;
      for (const bulk of [0, 1]) {
        reclaim.run(lane, bulk, clock, limit);
        for (let more = true; more && claimed.length < limit && passed < PASSED_OVER; ) {
          const asked = limit - claimed.length;
          const rows = due.all(lane, bulk, now, asked);
          for (const row of rows) {
            if (passOver(row, way, tally, now)) {
              passed++;
              continue;
            }
            const { delivery, job, push_id: pushId, type, token, attempts } = row;
            lease.run(ends, now, delivery);
            const detour = (hasDetours ? ways.of(pushId, token) : undefined) ?? null;
            claimed.push({ delivery, job, pushId, type, token, attempts, detour });
            if (told.has(job)) continue;
            told.add(job);
            notes.push({ job, notification: noteOf.get(job) ?? "" });
          }
          more = rows.length === asked;
        }
      }
      tally.close();
      return { lease: ends, deliveries: packClaimed(claimed), notes, next: next(lane, now, clock) };
    },

    settle(settlements: PackedSettlements, now: number): void {
      const tally = progress.tally(now);
      for (const one of unpackSettlements(settlements)) {
        const row = leased.get(one.delivery, one.lease);
        if (row === undefined) continue; // it was claimed again since
        const { state, text, detour, forget } = one;
        if (state === State.queued) {
          if (tally.job(row.job)?.cancelled === 1) cancel({ ...row, reason: text || row.reason }, row, tally, now);
          else if (tally.job(row.job)?.reach === 1 && reaching.spares(row.delivery, row.job, row, tally, now)) continue;
          else if (one.tried) requeue.run(one.due, 1, text, row.delivery);
          else giveBack.run(one.due, text, row.delivery);
          continue;
        }
        const accepted = state === State.accepted;
        const keepsToken = accepted && traits.tellsOfArrival(row.vendor) ? 1 : 0;
        settle.run(state, accepted ? text : null, accepted ? null : text, now, keepsToken, row.delivery);
        if (accepted && tally.job(row.job)?.reach === 1) reaching.taken(row.delivery, row.job, now);
        tally.settled(row.job, row, one.counters, accepted ? undefined : (text ?? ""));
        if (detour !== null) ways.set(row.push_id, row.token, detour);
        if (forget !== null)
          devices.forgetToken(row.push_id, row, forget === 0 ? undefined : forget, text ?? "", now, row.app);
      }
      tally.close();
    },

    expiringIn({ vendor, app, host }: LaneName, until: number): number {
      const way = findLane.get(vendor, app, host);
      return way === undefined ? 0 : (expiring.get(way.lane, until) ?? 0);
    },

    /** One piece of a lane; `cursor` is the last delivery that was left as it is. */
    expireLane(
      { vendor, app, host }: LaneName,
      cursor: number | undefined,
      limit: number,
      now: number,
    ): number | undefined {
      const way = findLane.get(vendor, app, host);
      if (way === undefined || overdue.get(now) === undefined) return undefined;
      const from = cursor === undefined || cursor === 0 ? { bulk: 0, due: -1 } : position.get(cursor, way.lane);
      if (from === undefined) return undefined; // the lane moves again
      const tally = progress.tally(now);
      let left = limit;
      let last = cursor;
      for (let bulk = from.bulk; bulk <= 1 && left > 0; bulk++) {
        const start = bulk === from.bulk ? from.due : -1;
        const rows = after.all(way.lane, bulk, start, start, cursor ?? 0, left);
        for (const row of rows) if (!passOver(row, way, tally, now)) last = row.delivery;
        left -= rows.length;
      }
      tally.close();
      return left > 0 ? undefined : (last ?? 0);
    },

    /**
     * Goes on with what `order` began for a job: lets go of what was held, or settles what is not to be sent any more.
     * Returns whether there is more.
     */
    walkJob(job: number, limit: number, now: number): boolean {
      const at = walking.get(job)?.walk;
      if (at === undefined) return false;
      const tally = progress.tally(now);
      const rows = walked.all(job, at, limit);
      for (const row of rows) {
        if (row.state !== State.queued && row.state !== State.held) continue;
        const what = fateOf(tally.job(row.job), now);
        if (what === "cancel") cancel(row, row, tally, now);
        else if (what === "expire") expire(row, row, tally, now);
        else if (what === undefined && row.state === State.held) release.run(row.delivery);
      }
      tally.close();
      const more = rows.length === limit;
      walkOn.run(more ? (rows.at(-1)?.delivery ?? null) : null, more ? 0 : 1, job);
      return more;
    },
  };
}
