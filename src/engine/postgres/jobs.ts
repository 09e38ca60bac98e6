// Jobs: accepted notifications, and their expansion page by page. A page is a handful of statements, however many devices it has.
import type { SentMark } from "../../core/engine.ts";
import type { Once } from "../../core/outbox.ts";
import type { Channel, From, Page } from "../../core/packet.ts";
import { unpackAddressed } from "../rows.ts";
import type { LaneName } from "../sqlite/deliveries.ts";
import {
  type Contents,
  type DueJob,
  type Heading,
  MOST_HOSTS,
  mergeRoutes,
  NO_JOB,
  type PackedPage,
} from "../sqlite/jobs.ts";
import { State } from "../sqlite/state.ts";
import type { Addressees } from "./addressees.ts";
import { counts, Sums } from "./counts.ts";
import { Column, Statement } from "./database.ts";
import type { Finished } from "./finished.ts";
import type { Repeatable } from "./once.ts";
import type { Packets } from "./packets.ts";
import { moveLanes, type Progress, type Tally } from "./progress.ts";
import { CAPPED, type Reach } from "./reach.ts";
import type { Turn } from "./turns.ts";

interface Expandable {
  readonly arrival: number | null;
  readonly bulk: number;
  readonly target_kind: string;
  readonly dry_run: number;
  readonly routes: string;
}

type Numbers = readonly number[];
type Texts = readonly string[];
type MaybeNumbers = readonly (number | null)[];
type MaybeTexts = readonly (string | null)[];

// A second notification with the same id adds to the statistics of the first, which then last as long as its own.
const add = new Statement<(string | number | boolean | null)[]>(`
  WITH given AS (
    SELECT ?::text AS id, ?::text AS type, ?::text AS text, ?::bigint AS ttl, ?::bigint AS accepted_at, ?::bigint AS send_at,
           ?::text AS caller, ?::bigint AS drop_at, ?::text AS target_kind, ?::int AS bulk, ?::int AS listed, ?::bigint AS rate,
           ?::int AS dry_run, ?::bigint AS expires, ?::int AS reach),
  arrival AS (
    INSERT INTO arrivals AS a (id, type, text, ttl, time_start, caller_address, drop_at)
    SELECT id, type, text, ttl, coalesce(send_at, accepted_at), caller, drop_at FROM given WHERE dry_run = 0
    ON CONFLICT (id) DO UPDATE SET drop_at = greatest(a.drop_at, excluded.drop_at)
    RETURNING arrival),
  job AS (
    INSERT INTO jobs (arrival, id, type, text, target_kind, bulk, listed, rate, dry_run, accepted_at, send_at, expires, due, drop_at,
      reach)
    SELECT (SELECT arrival FROM arrival), id, type, text, target_kind, bulk, listed, rate, dry_run, accepted_at, send_at, expires,
           coalesce(send_at, accepted_at), CASE dry_run WHEN 1 THEN drop_at END, reach FROM given
    RETURNING job)
  INSERT INTO job_contents (job, notification, target) SELECT job, ?, ? FROM job`);
const due = new Statement<
  [number, number, Numbers],
  DueJob & { readonly notification: string | null; readonly target: string | null }
>(`
  SELECT j.job, j.cursor, j.rate, j.dry_run, c.notification, c.target FROM (
    SELECT job, due, cursor, rate, dry_run FROM jobs
    WHERE expanded = 0 AND paused = 0 AND cancelled = 0 AND due <= ? ORDER BY due, job LIMIT ?) j
  LEFT JOIN job_contents c ON c.job = j.job AND NOT c.job = ANY (?) ORDER BY j.due, j.job`);
const nextDue = new Column<[number], number>(`
  SELECT due FROM jobs WHERE expanded = 0 AND paused = 0 AND cancelled = 0 AND due > ? ORDER BY due LIMIT 1`);
// A sum, so that the job is found by its number: the index of those to expand has all of them.
const expandable = new Statement<[number, string | null], Expandable>(`
  SELECT arrival, bulk, target_kind, dry_run, routes FROM jobs
  WHERE job = ? AND cursor IS NOT DISTINCT FROM ? AND expanded + paused + cancelled = 0 FOR UPDATE`);
const findLanes = new Statement<[Texts, Texts, Texts], { place: number; lane: number }>(`
  SELECT u.place - 1 AS place, l.lane FROM unnest(?::text[], ?::text[], ?::text[]) WITH ORDINALITY AS u(vendor, app, host, place)
    JOIN lanes l ON l.vendor = u.vendor AND l.app = u.app AND l.host = u.host`);
const addLane = new Column<[string, string, string], number>(`
  INSERT INTO lanes (vendor, app, host) VALUES (?, ?, ?)
  ON CONFLICT (vendor, app, host) DO UPDATE SET host = excluded.host RETURNING lane`);
const hosts = new Column<[], number>("SELECT count(*) FROM lanes WHERE host <> ''");
const takeOver = new Column<[string, string, string], number>(`
  UPDATE lanes SET host = ?, owner = NULL WHERE lane =
    (SELECT lane FROM lanes WHERE vendor = ? AND app = ? AND host <> '' AND open = 0 LIMIT 1 FOR UPDATE) RETURNING lane`);
const addDeliveries = new Statement<
  [
    Numbers,
    MaybeNumbers,
    MaybeNumbers,
    Numbers,
    MaybeNumbers,
    Numbers,
    MaybeNumbers,
    MaybeNumbers,
    Texts,
    MaybeTexts,
    MaybeTexts,
    MaybeTexts,
    number,
    number,
  ]
>(`
  INSERT INTO deliveries (delivery, job, device, "user", lane, state, bulk, due, queued_at, sent_at, settled_at, push_id, type, token,
    reason)
  SELECT nextval('deliveries_seq'), j.job, r.device, r."user", r.lane, r.state, j.bulk, r.due, r.queued_at, r.sent_at, r.settled_at,
         r.push_id, r.type, r.token, r.reason
  FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::int[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[],
              ?::text[], ?::text[], ?::text[])
         AS r(device, "user", lane, state, due, queued_at, sent_at, settled_at, push_id, type, token, reason),
       (SELECT ?::bigint AS job, ?::int AS bulk) j`);
const advance = new Column<(string | number | boolean | null)[], boolean>(`
  UPDATE jobs j SET cursor = n.cursor, due = n.due, expanded = n.last, seen = j.seen + n.seen, skipped = j.skipped + n.skipped,
    routes = n.routes, queued = j.queued + n.queued, waiting = j.waiting + n.queued, connected = j.connected + n.connected,
    finished_at = CASE WHEN n.last = 1 AND j.waiting + n.queued = 0 THEN n.now END
  FROM (SELECT ?::bigint AS job, ?::text AS cursor, ?::bigint AS due, ?::int AS last, ?::bigint AS seen, ?::bigint AS skipped,
               ?::text AS routes, ?::bigint AS queued, ?::bigint AS connected, ?::bigint AS now) n
  WHERE j.job = n.job RETURNING j.finished_at IS NOT NULL`);
const sentLater = new Statement<[Texts, Texts, Numbers, Numbers]>(`
  WITH told AS (
    UPDATE deliveries d SET state = ${State.sent}, sent_at = u.at
    FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[]) AS u(push_id, id, expires, at)
      JOIN devices v ON v.push_id = u.push_id JOIN jobs j ON j.id = u.id AND j.expires = u.expires
    WHERE d.device = v.device AND d.job = j.job AND d.state = ${State.kept} RETURNING d.job)
  UPDATE jobs j SET connected = j.connected + t.n FROM (SELECT job, count(*) AS n FROM told GROUP BY job) t WHERE j.job = t.job`);
const dropTarget = new Statement<[number]>("UPDATE job_contents SET target = NULL WHERE job = ?");

export function outbox(
  packets: Packets,
  progress: Progress,
  addressees: Addressees,
  calls: Repeatable,
  ends: Finished,
  reaching: Reach,
  dropAt: (heading: Heading) => number,
) {
  async function lanesOf(turn: Turn, names: readonly LaneName[]): Promise<readonly number[]> {
    if (names.length === 0) return [];
    const found = await findLanes.all(
      turn,
      names.map(({ vendor }) => vendor),
      names.map(({ app }) => app),
      names.map(({ host }) => host),
    );
    const lanes = new Map(found.map(({ place, lane }) => [place, lane]));
    for (const [place, name] of names.entries()) if (!lanes.has(place)) lanes.set(place, await newLane(turn, name));
    return names.map((_, place) => lanes.get(place)!); // each was found or made
  }

  /** Devices may name hosts without end: where there are many, a lane that has nothing to do becomes that of another host. */
  async function newLane(turn: Turn, { vendor, app, host }: LaneName): Promise<number> {
    const full = host !== "" && ((await hosts.get(turn)) ?? 0) >= MOST_HOSTS;
    const taken = full ? await takeOver.get(turn, host, vendor, app) : undefined;
    return taken ?? (await addLane.get(turn, vendor, app, host))!; // one row
  }

  /**
   * Returns how many of the devices were queued: those that have a lane; all of them when they expire at once. And how many a
   * connection took it for.
   */
  async function addDevices(turn: Turn, job: number, bulk: number, page: PackedPage, tally: Tally, now: number) {
    const rows = unpackAddressed(page.devices);
    const uids = rows.map(({ uid }) => uid).filter((uid) => uid !== null);
    if (page.reach !== null) for (const [uid] of page.reach.users) uids.push(uid);
    const [lanes, devices, users] = await Promise.all([
      lanesOf(turn, page.lanes),
      addressees.devices(
        turn,
        rows.map(({ pushId }) => pushId),
      ),
      addressees.users(turn, uids),
    ]);
    const plans = page.reach === null ? undefined : await reaching.enter(turn, job, page.reach, users, now);
    const added = new Map<number, number>();
    let queued = 0;
    let connected = 0;
    const made = rows.map((row) => {
      const { pushId, uid } = row;
      const hasLane = "lane" in row;
      const lane = hasLane ? lanes[row.lane]! : null;
      const way = hasLane && lane !== null ? { lane, vendor: page.lanes[row.lane]!.vendor } : undefined;
      const plan = uid === null ? undefined : plans?.get(uid);
      const due = plan?.due ?? now; // nothing waits in the queue before
      if (way !== undefined) added.set(way.lane, (added.get(way.lane) ?? 0) + 1);
      const base = {
        device: devices.get(pushId)!,
        user: uid === null ? null : users.get(uid)!,
        lane,
        pushId,
        queuedAt: due,
      };
      const ended = { due: null, sentAt: null, settledAt: now, type: hasLane ? row.type : null, token: null };
      if (page.late !== null) {
        queued++;
        tally.unsent(job, way, page.late);
        return { ...base, ...ended, state: State.expired, reason: page.late };
      }
      if (way !== undefined) queued++;
      if (plan?.capped === true && way !== undefined) {
        tally.spared(job, way);
        return { ...base, ...ended, state: State.cancelled, reason: CAPPED };
      }
      const state = hasLane ? State.queued : row.state;
      if (way === undefined && state === State.sent) connected++;
      return {
        ...base,
        state,
        due: way === undefined ? null : due,
        sentAt: state === State.sent ? now : null,
        settledAt: null,
        type: hasLane ? row.type : null,
        token: hasLane ? row.token : null,
        reason: null,
      };
    });
    if (made.length > 0)
      addDeliveries.put(
        turn,
        made.map(({ device }) => device),
        made.map(({ user }) => user),
        made.map(({ lane }) => lane),
        made.map(({ state }) => state),
        made.map(({ due }) => due),
        made.map(({ queuedAt }) => queuedAt),
        made.map(({ sentAt }) => sentAt),
        made.map(({ settledAt }) => settledAt),
        made.map(({ pushId }) => pushId),
        made.map(({ type }) => type),
        made.map(({ token }) => token),
        made.map(({ reason }) => reason),
        job,
        bulk,
      );
    moveLanes(turn, added);
    return { queued, connected };
  }

  /** Notifications that were kept for their devices have arrived there. */
  function received(
    turn: Turn,
    list: readonly { readonly pushId: string; readonly id: string; readonly expires: number; readonly at: number }[],
  ): void {
    if (list.length > 0)
      sentLater.put(
        turn,
        list.map(({ pushId }) => pushId),
        list.map(({ id }) => id),
        list.map(({ expires }) => expires),
        list.map(({ at }) => at),
      );
  }

  function addJob(turn: Turn, heading: Heading, notification: string, target: string): void {
    const { id, type, text, timeToLive, acceptedAt, sendAt, callerAddress, targetKind, small, rate, dryRun } = heading;
    const listed = ["all", "tag"].includes(targetKind) || sendAt !== undefined || dryRun || rate !== undefined;
    add.put(
      turn,
      ...[id, type, text, timeToLive, acceptedAt, sendAt ?? null, callerAddress, dropAt(heading), targetKind],
      ...[small ? 0 : 1, listed ? 1 : 0, rate ?? null, dryRun ? 1 : 0, heading.expires, heading.reach ? 1 : 0],
      ...[notification, target],
    );
  }

  return {
    add: addJob,

    async accept(
      turn: Turn,
      heading: Heading,
      notification: string,
      target: string,
      once: Once | null,
    ): Promise<string> {
      const { id, acceptedAt } = heading;
      const earlier = once === null ? undefined : await calls.answer(turn, once, acceptedAt);
      if (earlier !== undefined) return earlier;
      addJob(turn, heading, notification, target);
      if (once !== null) calls.finish(turn, once, id, acceptedAt);
      return id;
    },

    async unexpanded(turn: Turn, limit: number, now: number, known: readonly number[]) {
      const [rows, next] = await Promise.all([due.all(turn, now, limit, known), nextDue.get(turn, now)]);
      const work = rows.map(({ notification, target, ...row }) => {
        // The target goes when its job is expanded.
        const contents =
          notification === null ? undefined : ({ notification, target: target ?? "null" } satisfies Contents);
        return { ...row, contents };
      });
      return { work, next };
    },

    sent(turn: Turn, marks: readonly SentMark[]): void {
      packets.sent(turn, marks);
      received(
        turn,
        marks.flatMap(({ pushId, replayed = [] }) => replayed.map((one) => ({ pushId, ...one }))),
      );
    },

    backlog: (turn: Turn, channel: Channel, from: From, size: number, now: number, epoch?: string): Promise<Page> =>
      packets.backlog(turn, channel, from, size, now, epoch, async (pushId, id, expires) =>
        received(turn, [{ pushId, id, expires, at: now }]),
      ),

    async expand(turn: Turn, job: number, from: string | null, page: PackedPage, now: number): Promise<number> {
      const row = await expandable.get(turn, job, from);
      if (row === undefined) return NO_JOB;
      const real = row.dry_run === 0;
      const tally = progress.tally(turn, now);
      const first = real ? await packets.append(turn, page.parcels) : NO_JOB;
      const { queued, connected } = real
        ? await addDevices(turn, job, row.bulk, page, tally, now)
        : { queued: 0, connected: 0 };
      if (real && row.arrival !== null) {
        const counted = new Sums<number>();
        for (const [counter, n] of Object.entries(page.counts)) counted.add(row.arrival, counter, n);
        counts.put(turn, counted);
      }
      const last = page.cursor === null ? 1 : 0;
      const routes = mergeRoutes(row.routes, page.routes);
      const advanced = advance.get(
        turn,
        ...[job, page.cursor, page.notBefore ?? now, last, page.seen, page.skipped, routes, queued, connected, now],
      );
      if (ends.wanted()) await tally.close((await advanced) === true ? [job] : []);
      else {
        turn.later(advanced);
        await tally.close();
      }
      // A long list was only needed to get here.
      if (last === 1 && row.bulk === 1 && row.target_kind.endsWith("s")) dropTarget.put(turn, job);
      return first;
    },
  };
}
