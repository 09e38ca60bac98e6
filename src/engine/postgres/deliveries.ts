// The queue: deliveries claimed by their lane, settled, held back, expired. A claim is a lease with a name and an end by the database's
// clock; whoever settles names it. Many are claimed, or settled, by a handful of statements.
import { EXPIRED } from "../../core/reasons.ts";
import type { Traits } from "../../core/traits.ts";
import { CANCELLED } from "../reasons.ts";
import { type ClaimedRow, type PackedSettlements, packClaimed, unpackSettlements } from "../rows.ts";
import {
  type Claimed,
  FIRST,
  fateOf,
  type LaneName,
  LOOK_EVERY,
  LOOKED_AT,
  PASSED_OVER,
} from "../sqlite/deliveries.ts";
import { State } from "../sqlite/state.ts";
import { Changes } from "./changes.ts";
import { Column, Statement } from "./database.ts";
import type { DeviceTable } from "./devices.ts";
import { JOB_COLUMNS, type Progress, type Tally, type Way, type WithJob } from "./progress.ts";
import type { Reach } from "./reach.ts";
import type { Turn } from "./turns.ts";

interface Waiting extends WithJob {
  readonly delivery: number;
  readonly push_id: string;
  readonly type: string;
  readonly token: string;
  readonly attempts: number;
  readonly reason: string | null;
}

interface Lane extends Way {
  readonly open: number;
  /** The time, and the name of a lease that begins now. */
  readonly clock: number;
  readonly lease: number;
}

type Numbers = readonly number[];

const CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const waiting = `d.delivery, d.job, d.push_id, d.type, d.token, d.attempts, d.reason, ${JOB_COLUMNS}`;
const oldestOf = (state: number, bulk: number): string => `
  SELECT min(queued_at) AS at FROM (
    SELECT queued_at FROM deliveries d WHERE d.lane = l.lane AND state = ${state} AND bulk = ${bulk} AND due IS NOT NULL
    ORDER BY due LIMIT ${FIRST}) f`;
const lanes = new Statement<[], LaneName & { readonly depth: number; readonly oldest: number | null }>(`
  SELECT vendor, app, host, open AS depth, (SELECT min(at) FROM (
    ${[State.queued, State.leased].flatMap((state) => [oldestOf(state, 0), oldestOf(state, 1)]).join(" UNION ALL ")}) o) AS oldest
  FROM lanes l WHERE open > 0 ORDER BY lane`);
const findLane = new Statement<[string, string, string], Lane>(`
  SELECT lane, vendor, open, ${CLOCK} AS clock, nextval('leases_seq') AS lease FROM lanes
  WHERE vendor = ? AND app = ? AND host = ? AND open > 0`);
const lanesBy = new Statement<[Numbers], LaneName & { readonly lane: number }>(
  "SELECT lane, vendor, app, host FROM lanes WHERE lane = ANY (?)",
);
const due = new Statement<[number, number, number, number], Waiting>(`
  SELECT ${waiting} FROM deliveries d LEFT JOIN jobs j ON j.job = d.job
  WHERE d.lane = ? AND d.state = ${State.queued} AND d.bulk = ? AND d.due <= ?
  ORDER BY d.due, d.delivery LIMIT ? FOR UPDATE OF d SKIP LOCKED`);
const after = new Statement<[number, number, number, number, number, number], Waiting>(`
  SELECT ${waiting} FROM deliveries d LEFT JOIN jobs j ON j.job = d.job
  WHERE d.lane = ? AND d.state = ${State.queued} AND d.bulk = ? AND d.due >= ? AND NOT (d.due = ? AND d.delivery <= ?)
  ORDER BY d.due, d.delivery LIMIT ? FOR UPDATE OF d SKIP LOCKED`);
const position = new Statement<[number, number], { readonly bulk: number; readonly due: number }>(`
  SELECT bulk, due FROM deliveries WHERE delivery = ? AND lane = ? AND state = ${State.queued}`);
const nextOf = (state: number, bulk: number): string => `(
  SELECT due FROM deliveries WHERE lane = n.lane AND state = ${state} AND bulk = ${bulk} AND due IS NOT NULL ORDER BY due LIMIT 1)`;
const next = new Statement<
  [number],
  { readonly queued: number | null; readonly leased: number | null; readonly resuming: boolean }
>(`
  SELECT least(${nextOf(State.queued, 0)}, ${nextOf(State.queued, 1)}) AS queued,
         least(${nextOf(State.leased, 0)}, ${nextOf(State.leased, 1)}) AS leased,
         EXISTS (SELECT 1 FROM jobs WHERE walk IS NOT NULL AND paused = 0 AND cancelled = 0) AS resuming
  FROM (SELECT ?::bigint AS lane) n`);
const reclaim = new Statement<[number, number, number, number]>(`
  UPDATE deliveries SET state = ${State.queued}, lease = NULL, holder = NULL WHERE delivery IN (
    SELECT delivery FROM deliveries WHERE lane = ? AND state = ${State.leased} AND bulk = ? AND due <= ? ORDER BY due LIMIT ?
    FOR UPDATE SKIP LOCKED)`);
const leaseAll = new Statement<[number, number, number, number, Numbers]>(`
  UPDATE deliveries SET state = ${State.leased}, lease = ?, holder = ?, due = ?, sent_at = ? WHERE delivery = ANY (?)`);
const notesOf = new Statement<[Numbers], { job: number; notification: string }>(
  "SELECT job, notification FROM job_contents WHERE job = ANY (?)",
);
const detoursOf = new Statement<[readonly string[]], { push_id: string; token: string | null; detour: string }>(
  "SELECT push_id, token, detour FROM devices WHERE push_id = ANY (?) AND detour IS NOT NULL",
);
const setDetours = new Statement<[readonly string[], readonly string[], readonly string[]]>(`
  UPDATE devices d SET detour = nullif(u.detour, '') FROM unnest(?::text[], ?::text[], ?::text[]) AS u(push_id, token, detour)
  WHERE d.push_id = u.push_id AND d.token = u.token`);
const leased = new Statement<
  [Numbers, Numbers],
  Waiting & Way & { readonly app: string; readonly user: number | null }
>(`
  SELECT ${waiting}, d."user", d.lane, l.vendor, l.app
  FROM unnest(?::bigint[], ?::bigint[]) AS u(delivery, lease) JOIN deliveries d ON d.delivery = u.delivery AND d.lease = u.lease
    JOIN lanes l ON l.lane = d.lane LEFT JOIN jobs j ON j.job = d.job
  WHERE d.state = ${State.leased} FOR UPDATE OF d`);
const overdue = new Column<[number], number>(
  "SELECT 1 FROM jobs WHERE finished_at IS NULL AND expires <= ? AND waiting > 0 LIMIT 1",
);
const expiring = new Column<[string, string, string, number], number>(`
  SELECT count(*) FROM (
    SELECT d.job FROM lanes l JOIN deliveries d ON d.lane = l.lane
    WHERE l.vendor = ? AND l.app = ? AND l.host = ? AND l.open > 0 AND d.state IN (${State.queued}, ${State.leased})
      AND d.due IS NOT NULL LIMIT ${LOOKED_AT}) d
  JOIN jobs j ON j.job = d.job WHERE j.expires <= ?`);
const walking = new Column<[number], number>("SELECT walk FROM jobs WHERE job = ? AND walk IS NOT NULL FOR UPDATE");
const walked = new Statement<
  [number, number, number],
  Waiting & { readonly lane: number | null; readonly vendor: string | null; readonly state: number }
>(`
  SELECT ${waiting}, d.lane, d.state, l.vendor
  FROM deliveries d LEFT JOIN lanes l ON l.lane = d.lane LEFT JOIN jobs j ON j.job = d.job
  WHERE d.job = ? AND d.delivery > ? ORDER BY d.delivery LIMIT ? FOR UPDATE OF d`);
const walkOn = new Statement<[number | null, number, number]>(`
  UPDATE jobs SET walk = ?, holding = CASE ?::int WHEN 1 THEN 0 ELSE holding END WHERE job = ?`);
/** @param clock the time by which leases are, of the database's (milliseconds) */
export function deliveries(
  progress: Progress,
  devices: Pick<DeviceTable, "forgetToken">,
  traits: Traits,
  reaching: Reach,
  node: () => number,
  clock: (database: number) => number,
) {
  function expire(row: Waiting, way: Way, tally: Tally, changes: Changes): void {
    const reason = row.reason ?? EXPIRED;
    changes.end(row.delivery, State.expired, reason);
    tally.unsent(row.job, way, reason);
  }

  function cancel(row: Waiting, way: Way, tally: Tally, changes: Changes): void {
    changes.end(row.delivery, State.cancelled, row.reason);
    tally.unsent(row.job, way, CANCELLED);
  }

  /** Settles or holds a delivery that is not to be sent; false: it stays where it is. */
  function passOver(row: Waiting, way: Way, tally: Tally, changes: Changes, now: number): boolean {
    switch (fateOf(tally.job(row.job), now)) {
      case "cancel":
        cancel(row, way, tally, changes);
        return true;
      case "expire":
        expire(row, way, tally, changes);
        return true;
      case "hold":
        changes.held.push(row.delivery);
        tally.held(row.job);
        return true;
      case undefined:
        return false;
    }
  }

  async function nextDue(turn: Turn, lane: number, now: number, time: number): Promise<number | undefined> {
    const { queued = null, leased = null, resuming } = (await next.get(turn, lane)) ?? {};
    const first = Math.min(
      queued ?? Number.POSITIVE_INFINITY,
      leased === null ? Number.POSITIVE_INFINITY : now + leased - time,
      resuming === true ? now + LOOK_EVERY : Number.POSITIVE_INFINITY,
    );
    return first === Number.POSITIVE_INFINITY ? undefined : first;
  }

  /** What is due, leased out: up to `limit`. */
  async function take(
    turn: Turn,
    way: Lane,
    limit: number,
    now: number,
    ends: number,
    tally: Tally,
  ): Promise<Waiting[]> {
    const taken: Waiting[] = [];
    let passed = 0;
    for (const bulk of [0, 1])
      for (let more = true; more && taken.length < limit && passed < PASSED_OVER; ) {
        const asked = limit - taken.length;
        const rows = await due.all(turn, way.lane, bulk, now, asked);
        tally.know(rows);
        const changes = new Changes();
        const leased = rows.filter((row) => !passOver(row, way, tally, changes, now));
        passed += rows.length - leased.length;
        changes.put(turn, now);
        const numbers = leased.map(({ delivery }) => delivery);
        if (numbers.length > 0) leaseAll.put(turn, way.lease, node(), ends, now, numbers);
        taken.push(...leased);
        more = rows.length === asked;
      }
    return taken;
  }

  return {
    lanes: (turn: Turn) => lanes.all(turn),

    /** Deliveries that expired or were cancelled before they were sent, since this node started. */
    async unsent(turn: Turn): Promise<readonly (LaneName & { readonly total: number })[]> {
      const totals = new Map(progress.unsent());
      if (totals.size === 0) return [];
      const found = await lanesBy.all(turn, [...totals.keys()]);
      return found.map(({ lane, vendor, app, host }) => ({ vendor, app, host, total: totals.get(lane) ?? 0 }));
    },

    async claim(
      turn: Turn,
      { vendor, app, host }: LaneName,
      limit: number,
      now: number,
      _: number,
      leaseTime: number,
      known: readonly number[],
    ): Promise<Claimed> {
      const way = await findLane.get(turn, vendor, app, host);
      if (way === undefined) return { lease: 0, deliveries: [], notes: [], next: undefined };
      const time = clock(way.clock);
      for (const bulk of [0, 1]) reclaim.put(turn, way.lane, bulk, time, limit);
      const tally = progress.tally(turn, now);
      const taken = await take(turn, way, limit, now, time + leaseTime, tally);
      await tally.close();
      const told = new Set(known);
      const untold = [...new Set(taken.map(({ job }) => job))].filter((job) => !told.has(job));
      const [notes, detours, first] = await Promise.all([
        untold.length === 0 ? [] : notesOf.all(turn, untold),
        taken.length === 0
          ? []
          : detoursOf.all(
              turn,
              taken.map(({ push_id }) => push_id),
            ),
        nextDue(turn, way.lane, now, time),
      ]);
      const detourOf = new Map(detours.map(({ push_id, token, detour }) => [`${push_id} ${token}`, detour]));
      const rows = taken.map(({ delivery, job, push_id: pushId, type, token, attempts }): ClaimedRow => {
        const detour = detourOf.get(`${pushId} ${token}`) ?? null;
        return { delivery, job, pushId, type, token, attempts, detour };
      });
      return { lease: way.lease, deliveries: packClaimed(rows), notes, next: first };
    },

    async settle(turn: Turn, settlements: PackedSettlements, now: number): Promise<void> {
      const given = unpackSettlements(settlements);
      const found = await leased.all(
        turn,
        given.map(({ delivery }) => delivery),
        given.map(({ lease }) => lease),
      );
      const rows = new Map(found.map((row) => [row.delivery, row]));
      const tally = progress.tally(turn, now);
      tally.know(found);
      const isReached = await reaching.reachedBySocket(
        turn,
        found.flatMap(({ job, user, reach }) => (reach === 1 && user !== null ? { job, user } : [])),
      );
      const changes = new Changes();
      const taken: { job: number; user: number }[] = [];
      const detours: { pushId: string; token: string; detour: string }[] = [];
      const forgotten: Promise<void>[] = [];
      for (const one of given) {
        const row = rows.get(one.delivery);
        if (row === undefined) continue; // it was claimed again since
        rows.delete(one.delivery);
        const { state, text, detour, forget } = one;
        const { delivery, job, user } = row;
        if (state === State.queued) {
          if (row.cancelled === 1) cancel({ ...row, reason: text || row.reason }, row, tally, changes);
          else if (user !== null && isReached(job, user)) reaching.spare(delivery, job, row, tally, changes);
          else changes.queued.push({ delivery, due: one.due, tried: one.tried, reason: text });
          continue;
        }
        const accepted = state === State.accepted;
        const keepsToken = accepted && traits.tellsOfArrival(row.vendor);
        changes.settled.push({
          delivery,
          state,
          receipt: accepted ? text : null,
          reason: accepted ? null : text,
          keepsToken,
        });
        if (accepted && row.reach === 1 && user !== null) taken.push({ job, user });
        tally.settled(job, row, one.counters, accepted ? undefined : (text ?? ""));
        if (detour !== null) detours.push({ pushId: row.push_id, token: row.token, detour });
        if (forget !== null)
          forgotten.push(
            devices.forgetToken(turn, row.push_id, row, forget === 0 ? undefined : forget, text ?? "", now, row.app),
          );
      }
      changes.put(turn, now);
      reaching.taken(turn, taken, now);
      if (detours.length > 0)
        setDetours.put(
          turn,
          detours.map(({ pushId }) => pushId),
          detours.map(({ token }) => token),
          detours.map(({ detour }) => detour),
        );
      await Promise.all(forgotten);
      await tally.close();
    },

    expiringIn: async (turn: Turn, { vendor, app, host }: LaneName, until: number): Promise<number> =>
      (await expiring.get(turn, vendor, app, host, until)) ?? 0,

    /** One piece of a lane; `cursor` is the last delivery that was left as it is. */
    async expireLane(
      turn: Turn,
      { vendor, app, host }: LaneName,
      cursor: number | undefined,
      limit: number,
      now: number,
    ): Promise<number | undefined> {
      const [way, late] = await Promise.all([findLane.get(turn, vendor, app, host), overdue.get(turn, now)]);
      if (way === undefined || late === undefined) return undefined;
      const from =
        cursor === undefined || cursor === 0 ? { bulk: 0, due: -1 } : await position.get(turn, cursor, way.lane);
      if (from === undefined) return undefined; // the lane moves again
      const tally = progress.tally(turn, now);
      const changes = new Changes();
      let left = limit;
      let last = cursor;
      for (let bulk = from.bulk; bulk <= 1 && left > 0; bulk++) {
        const start = bulk === from.bulk ? from.due : -1;
        const rows = await after.all(turn, way.lane, bulk, start, start, cursor ?? 0, left);
        tally.know(rows);
        for (const row of rows) if (!passOver(row, way, tally, changes, now)) last = row.delivery;
        left -= rows.length;
      }
      changes.put(turn, now);
      await tally.close();
      return left > 0 ? undefined : (last ?? 0);
    },

    /**
     * Goes on with what `order` began for a job: lets go of what was held, or settles what is not to be sent any more.
     * Returns whether there is more.
     */
    async walkJob(turn: Turn, job: number, limit: number, now: number): Promise<boolean> {
      const at = await walking.get(turn, job);
      if (at === undefined) return false;
      const rows = await walked.all(turn, job, at, limit);
      const tally = progress.tally(turn, now);
      tally.know(rows);
      const changes = new Changes();
      for (const row of rows) {
        const { lane, vendor } = row;
        if (lane === null || vendor === null) continue; // over the connection
        if (row.state !== State.queued && row.state !== State.held) continue;
        const what = fateOf(tally.job(row.job), now);
        if (what === "cancel") cancel(row, { lane, vendor }, tally, changes);
        else if (what === "expire") expire(row, { lane, vendor }, tally, changes);
        else if (what === undefined && row.state === State.held) changes.released.push(row.delivery);
      }
      changes.put(turn, now);
      await tally.close();
      const more = rows.length === limit;
      walkOn.put(turn, more ? (rows.at(-1)?.delivery ?? null) : null, more ? 0 : 1, job);
      return more;
    },
  };
}
