// Jobs: accepted notifications, and their expansion page by page. The contract is `Outbox` in core/outbox.ts.
import type Database from "better-sqlite3";
import type { SentMark } from "../../core/engine.ts";
import type { Once } from "../../core/outbox.ts";
import type { Channel, From, Page } from "../../core/packet.ts";
import type { ReachPage } from "../reach.ts";
import { type AddressedRow, type Packed, type ParcelRow, unpackAddressed } from "../rows.ts";
import type { Addressees } from "./addressees.ts";
import type { ArrivalHeading, Counts } from "./counts.ts";
import type { LaneName } from "./deliveries.ts";
import type { Finished } from "./finished.ts";
import type { Repeatable } from "./once.ts";
import type { Packets } from "./packets.ts";
import type { Progress, Tally } from "./progress.ts";
import type { Reach } from "./reach.ts";
import { State } from "./state.ts";

/** What is kept of a notification besides its content. */
export interface Heading extends ArrivalHeading {
  readonly expires: number;
  readonly targetKind: string;
  /** A list of at most 1,000 ids: its deliveries go before those of others. */
  readonly small: boolean;
  readonly rate?: number;
  readonly dryRun: boolean;
  /** Each of its users is to be reached once (`ExpandedPage.reach`). */
  readonly reach: boolean;
}

export interface DueJob {
  readonly job: number;
  readonly cursor: string | null;
  readonly rate: number | null;
  readonly dry_run: number;
}

/** Both are JSON, as they were accepted. */
export interface Contents {
  readonly notification: string;
  readonly target: string;
}

/** `ExpandedPage` on its way to the thread. */
export interface PackedPage {
  readonly cursor: string | null;
  readonly notBefore: number | null;
  readonly parcels: Packed<ParcelRow>;
  readonly lanes: readonly LaneName[];
  readonly devices: Packed<AddressedRow>;
  /** Why its devices are noted as expired. */
  readonly late: string | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly seen: number;
  readonly skipped: number;
  readonly routes: Readonly<Record<string, number>>;
  readonly reach: ReachPage | null;
}

/** Lanes of hosts that devices chose; with more of them, those at rest change hands. */
export const MOST_HOSTS = 1024;

/** A page that was not taken: there is nothing to hand over. */
export const NO_JOB = -1;

interface Expandable {
  readonly arrival: number | null;
  readonly bulk: number;
  readonly target_kind: string;
  readonly dry_run: number;
  readonly routes: string;
}

export function outbox(
  db: Database,
  packets: Packets,
  counts: Counts,
  progress: Progress,
  addressees: Addressees,
  calls: Repeatable,
  ends: Finished,
  reaching: Reach,
  nextDelivery: () => number,
) {
  const insert = db.prepare<(string | number | null)[]>(`
    INSERT INTO jobs (arrival, id, type, text, target_kind, bulk, listed, rate, dry_run, accepted_at, send_at, expires, due,
      drop_at, reach)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const addContents = db.prepare<[number, string, string]>(
    "INSERT INTO job_contents (job, notification, target) VALUES (?, ?, ?)",
  );
  const due = db.prepare<[number, number], DueJob>(`
    SELECT job, cursor, rate, dry_run FROM jobs
    WHERE expanded = 0 AND paused = 0 AND cancelled = 0 AND due <= +? ORDER BY due, job LIMIT ? + 0`);
  const contents = db.prepare<[number], Contents>("SELECT notification, target FROM job_contents WHERE job = ?");
  const nextDue = db
    .prepare<[number], number>(`
    SELECT due FROM jobs WHERE expanded = 0 AND paused = 0 AND cancelled = 0 AND due > ? ORDER BY due LIMIT 1`)
    .pluck<number>();
  const expandable = db.prepare<[number, string | null], Expandable>(`
    SELECT arrival, bulk, target_kind, dry_run, routes FROM jobs
    WHERE job = ? AND cursor IS ? AND expanded = 0 AND paused = 0 AND cancelled = 0`);
  const findLane = db
    .prepare<[string, string, string], number>("SELECT lane FROM lanes WHERE vendor = ? AND app = ? AND host = ?")
    .pluck<number>();
  const addLane = db.prepare<[string, string, string]>("INSERT INTO lanes (vendor, app, host) VALUES (?, ?, ?)");
  const hosts = db.prepare<[], number>("SELECT count(*) FROM lanes WHERE host <> ''").pluck<number>();
  const takeOver = db
    .prepare<[string, string, string], number>(`
    UPDATE lanes SET host = ? WHERE lane =
      (SELECT lane FROM lanes WHERE vendor = ? AND app = ? AND host <> '' AND open = 0 LIMIT 1) RETURNING lane`)
    .pluck<number>();
  const open = db.prepare<[number, number]>("UPDATE lanes SET open = open + ? WHERE lane = ?");
  const addDelivery = db.prepare<(string | number | null)[]>(`
    INSERT INTO deliveries (delivery, job, device, user, lane, state, bulk, due, queued_at, sent_at, push_id, type, token)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const advance = db.prepare<(string | number | null)[]>(`
    UPDATE jobs SET cursor = ?, due = ?, expanded = ?, seen = seen + ?, skipped = skipped + ?, routes = ?,
      queued = queued + ?, waiting = waiting + ?, connected = connected + ?, finished_at = iif(? AND waiting + ? = 0, ?, NULL)
    WHERE job = ?`);
  const sentLater = db
    .prepare<[number, string, string, number], number>(`
    UPDATE deliveries SET state = ${State.sent}, sent_at = ?
    WHERE device = (SELECT device FROM devices WHERE push_id = ?) AND state = ${State.kept}
      AND job IN (SELECT job FROM jobs WHERE id = ? AND expires = ?) RETURNING job`)
    .pluck<number>();
  const connect = db.prepare<[number]>("UPDATE jobs SET connected = connected + 1 WHERE job = ?");
  const expire = db.prepare<[number, string, number]>(
    `UPDATE deliveries SET state = ${State.expired}, due = NULL, sent_at = NULL, settled_at = ?, reason = ?, token = NULL
     WHERE delivery = ?`,
  );
  const dropTarget = db.prepare<[number]>("UPDATE job_contents SET target = NULL WHERE job = ?");

  /** Devices may name hosts without end: where there are many, a lane that has nothing to do becomes that of another host. */
  function newLane(vendor: string, app: string, host: string): number {
    const taken = host !== "" && (hosts.get() ?? 0) >= MOST_HOSTS ? takeOver.get(host, vendor, app) : undefined;
    return taken ?? Number(addLane.run(vendor, app, host).lastInsertRowid);
  }

  /**
   * Returns how many of the devices were queued: those that have a lane; all of them when they expire at once. And how many a
   * connection took it for.
   */
  function addDevices(job: number, bulk: number, page: PackedPage, tally: Tally, now: number) {
    const lanes = page.lanes.map(({ vendor, app, host }) => ({
      vendor,
      lane: findLane.get(vendor, app, host) ?? newLane(vendor, app, host),
      added: 0,
    }));
    const plans = page.reach === null ? undefined : reaching.enter(job, page.reach, now);
    let queued = 0;
    let connected = 0;
    for (const row of unpackAddressed(page.devices)) {
      const { pushId, uid } = row;
      const way = "lane" in row ? lanes[row.lane] : undefined;
      const state = "lane" in row ? State.queued : row.state;
      const plan = uid === null ? undefined : plans?.get(uid);
      const due = plan?.due ?? now; // nothing waits in the queue before
      const delivery = nextDelivery();
      if (way !== undefined) way.added++;
      if (way !== undefined || page.late !== null) queued++;
      else if (state === State.sent) connected++;
      addDelivery.run(
        delivery,
        job,
        addressees.device(pushId),
        uid === null ? null : addressees.user(uid),
        way?.lane ?? null,
        state,
        bulk,
        way === undefined ? null : due,
        due,
        state === State.sent ? now : null,
        pushId,
        "lane" in row ? row.type : null,
        "lane" in row ? row.token : null,
      );
      if (plan?.capped === true && way !== undefined) reaching.cap(delivery, job, way, tally, now);
      if (page.late === null) continue;
      expire.run(now, page.late, delivery);
      tally.unsent(job, way, page.late);
    }
    for (const { lane, added } of lanes) if (added > 0) open.run(added, lane);
    return { queued, connected };
  }

  /** A notification that was kept for its device has arrived there. */
  function received(pushId: string, id: string, expires: number, at: number): void {
    for (const job of sentLater.all(at, pushId, id, expires)) connect.run(job);
  }

  /** Returns the job. */
  function add(heading: Heading, notification: string, target: string): number {
    const { id, acceptedAt, sendAt, dryRun } = heading;
    const listed = ["all", "tag"].includes(heading.targetKind) || sendAt !== undefined || dryRun;
    const job = insert.run(
      dryRun ? null : counts.open(heading),
      id,
      heading.type,
      heading.text,
      heading.targetKind,
      heading.small ? 0 : 1,
      listed || heading.rate !== undefined ? 1 : 0,
      heading.rate ?? null,
      dryRun ? 1 : 0,
      acceptedAt,
      sendAt ?? null,
      heading.expires,
      sendAt ?? acceptedAt,
      dryRun ? counts.dropAt(heading) : null,
      heading.reach ? 1 : 0,
    );
    addContents.run(Number(job.lastInsertRowid), notification, target);
    return Number(job.lastInsertRowid);
  }

  return {
    add,

    /** Both parts come as JSON: a list of 100,000 devices then crosses to the thread as one string. */
    accept(heading: Heading, notification: string, target: string, once: Once | null): string {
      const { id, acceptedAt } = heading;
      const earlier = once === null ? undefined : calls.answer(once, acceptedAt);
      if (earlier !== undefined) return earlier;
      add(heading, notification, target);
      if (once !== null) calls.finish(once, id, acceptedAt);
      return id;
    },

    /** `known`: jobs whose contents the caller has. */
    unexpanded(limit: number, now: number, known: readonly number[]) {
      const work = due.all(now, limit).map((row) => ({
        ...row,
        contents: known.includes(row.job) ? undefined : contents.get(row.job),
      }));
      return { work, next: nextDue.get(now) };
    },

    /** How far devices were sent on their own channel, and what had waited there for them. */
    sent(marks: readonly SentMark[]): void {
      packets.sent(marks);
      for (const { pushId, replayed } of marks)
        for (const { id, expires, at } of replayed ?? []) received(pushId, id, expires, at);
    },

    backlog(channel: Channel, from: From, size: number, now: number, epoch?: string): Page {
      return packets.backlog(channel, from, size, now, epoch, (pushId, id, expires) =>
        received(pushId, id, expires, now),
      );
    },

    /** Returns the first seq of the kept packets, or `NO_JOB`. @param from where the job has to stand */
    expand(job: number, from: string | null, page: PackedPage, now: number): number {
      const row = expandable.get(job, from);
      if (row === undefined) return NO_JOB;
      const real = row.dry_run === 0;
      const tally = progress.tally(now);
      const first = real ? packets.append(page.parcels) : NO_JOB;
      const { queued, connected } = real ? addDevices(job, row.bulk, page, tally, now) : { queued: 0, connected: 0 };
      if (real && row.arrival !== null)
        for (const [counter, n] of Object.entries(page.counts)) counts.add(row.arrival, counter, n);
      const last = page.cursor === null ? 1 : 0;
      const next = page.notBefore ?? now;
      const routes = mergeRoutes(row.routes, page.routes);
      const { seen, skipped } = page;
      ends.around(job, now, () => {
        advance.run(page.cursor, next, last, seen, skipped, routes, queued, queued, connected, last, queued, now, job);
        tally.close();
      });
      // A long list was only needed to get here.
      if (last === 1 && row.bulk === 1 && row.target_kind.endsWith("s")) dropTarget.run(job);
      return first;
    },
  };
}

/** Both as they are stored. */
export function mergeRoutes(before: string, added: Readonly<Record<string, number>>): string {
  const routes = JSON.parse(before) as Record<string, number>; // written here
  for (const [name, n] of Object.entries(added)) routes[name] = (routes[name] ?? 0) + n;
  return JSON.stringify(routes);
}
