// Statistics: sums by the hour, and what became of each notification.
import type Database from "better-sqlite3";
import type { ArrivalRecord } from "../../core/arrival.ts";
import type { ArrivalQuery, Evidence, HourlySum, Sample } from "../../core/engine.ts";
import type { Heading } from "./outbox.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const HOURS_KEPT = 30 * DAY;
/** A record lists so many of its devices and users; it is found by all of them. */
const LISTED = 1000;

interface ArrivalRow {
  readonly arrival: number;
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly ttl: number;
  readonly time_start: number;
  readonly caller_address: string;
}

interface PageRow {
  readonly page: number;
  readonly push_ids: string;
  readonly uids: string;
}

export type Counts = ReturnType<typeof counts>;

/** The statistics of notifications, written along with the outbox. */
export function counts(db: Database, arrivalDays: number) {
  // A second notification with the same id adds to the statistics of the first, which then last as long as its own.
  const open = db
    .prepare<[string, string, string, number, number, string, number], number>(`
    INSERT INTO arrivals (id, type, text, ttl, time_start, caller_address, drop_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET drop_at = max(drop_at, excluded.drop_at)
    RETURNING arrival`)
    .pluck<number>();
  const known = db.prepare<[number], number>("SELECT 1 FROM arrivals WHERE arrival = ?").pluck<number>();
  const add = db.prepare<[number, string, number]>(`
    INSERT INTO arrival_counts (arrival, counter, total) VALUES (?, ?, ?)
    ON CONFLICT (arrival, counter) DO UPDATE SET total = total + excluded.total`);
  const addPage = db.prepare<[number, string, string]>(
    "INSERT INTO arrival_pages (arrival, push_ids, uids) VALUES (?, ?, ?)",
  );
  const addPushId = db.prepare<[string, number]>(
    "INSERT OR IGNORE INTO arrival_push_ids (push_id, arrival) VALUES (?, ?)",
  );
  const addUid = db.prepare<[string, number]>("INSERT OR IGNORE INTO arrival_uids (uid, arrival) VALUES (?, ?)");

  return {
    open({ id, type, text, timeToLive, acceptedAt, callerAddress }: Heading): number {
      const dropAt = acceptedAt + arrivalDays * DAY;
      const arrival = open.get(id, type, text, timeToLive, acceptedAt, callerAddress, dropAt);
      if (arrival === undefined) throw new Error(`no statistics could be opened for notification ${id}`);
      return arrival;
    },

    page(
      arrival: number,
      added: Readonly<Record<string, number>>,
      pushIds: readonly string[],
      uids: readonly string[],
    ): void {
      if (known.get(arrival) === undefined) return; // swept: its time had passed
      for (const [counter, n] of Object.entries(added)) if (n !== 0) add.run(arrival, counter, n);
      if (pushIds.length === 0 && uids.length === 0) return;
      addPage.run(arrival, JSON.stringify(pushIds), JSON.stringify(uids));
      for (const pushId of pushIds) addPushId.run(pushId, arrival);
      for (const uid of uids) addUid.run(uid, arrival);
    },
  };
}

export function counters(db: Database) {
  const addHour = db.prepare<[string, number, number, number, number, number]>(`
    INSERT INTO hours (key, hour, total, success, error, latency) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (key, hour) DO UPDATE SET total = total + excluded.total, success = success + excluded.success,
      error = error + excluded.error, latency = latency + excluded.latency`);
  const chart = db.prepare<[string, number], HourlySum>(`
    SELECT key, hour AS timestamp, total, success, error, latency FROM hours WHERE key = ? AND hour >= ? ORDER BY hour`);
  // From each key to the next by the primary key: as many steps as there are keys, not rows.
  const keys = db
    .prepare<[], string>(`
    WITH RECURSIVE found (key) AS (
      SELECT min(key) FROM hours
      UNION ALL
      SELECT (SELECT min(hours.key) FROM hours WHERE hours.key > found.key) FROM found WHERE found.key IS NOT NULL
    )
    SELECT key FROM found WHERE key IS NOT NULL`)
    .pluck<string>();
  const sweepHours = db.prepare<[number, number]>(
    "DELETE FROM hours WHERE (key, hour) IN (SELECT key, hour FROM hours WHERE hour < ? ORDER BY hour LIMIT ?)",
  );

  const arrivalOf = db.prepare<[string], number>("SELECT arrival FROM arrivals WHERE id = ?").pluck<number>();
  const countFor = db
    .prepare<[number, string], number>(`
    INSERT INTO arrival_counts (arrival, counter, total) VALUES (?, ?, 0)
    ON CONFLICT (arrival, counter) DO UPDATE SET total = total
    RETURNING count`)
    .pluck<number>();
  const findCount = db
    .prepare<[number, string], number>("SELECT count FROM arrival_counts WHERE arrival = ? AND counter = ?")
    .pluck<number>();
  const addEvidence = db.prepare<[number, string]>(
    "INSERT OR IGNORE INTO arrival_evidence (count, push_id) VALUES (?, ?)",
  );
  const countOne = db.prepare<[number]>("UPDATE arrival_counts SET total = total + 1 WHERE count = ?");

  const byId = db.prepare<[string, number], ArrivalRow>(`
    SELECT arrival, id, type, text, ttl, time_start, caller_address FROM arrivals WHERE id = ? LIMIT ?`);
  const byType = db.prepare<[string, number], ArrivalRow>(`
    SELECT arrival, id, type, text, ttl, time_start, caller_address
    FROM arrivals WHERE type = ? ORDER BY arrival DESC LIMIT ?`);
  const byPushId = db.prepare<[string, number], ArrivalRow>(`
    SELECT a.arrival, a.id, a.type, a.text, a.ttl, a.time_start, a.caller_address
    FROM arrival_push_ids s JOIN arrivals a ON a.arrival = s.arrival
    WHERE s.push_id = ? ORDER BY s.arrival DESC LIMIT ?`);
  const byUid = db.prepare<[string, number], ArrivalRow>(`
    SELECT a.arrival, a.id, a.type, a.text, a.ttl, a.time_start, a.caller_address
    FROM arrival_uids s JOIN arrivals a ON a.arrival = s.arrival
    WHERE s.uid = ? ORDER BY s.arrival DESC LIMIT ?`);
  const countsOf = db.prepare<[number], { count: number; counter: string; total: number }>(`
    SELECT count, counter, total FROM arrival_counts WHERE arrival = ?`);
  const pagesOf = db.prepare<[number], PageRow>(`
    SELECT page, push_ids, uids FROM arrival_pages WHERE arrival = ? ORDER BY page`);

  const overdue = db
    .prepare<[number], number>("SELECT arrival FROM arrivals WHERE drop_at <= ? ORDER BY drop_at LIMIT 1")
    .pluck<number>();
  const dropEvidence = db.prepare<[number, number]>(`
    DELETE FROM arrival_evidence WHERE (count, push_id) IN
      (SELECT count, push_id FROM arrival_evidence WHERE count = ? LIMIT ?)`);
  const firstPageOf = db.prepare<[number], PageRow>(`
    SELECT page, push_ids, uids FROM arrival_pages WHERE arrival = ? ORDER BY page LIMIT 1`);
  const dropPushId = db.prepare<[string, number]>("DELETE FROM arrival_push_ids WHERE push_id = ? AND arrival = ?");
  const dropUid = db.prepare<[string, number]>("DELETE FROM arrival_uids WHERE uid = ? AND arrival = ?");
  const dropPage = db.prepare<[number]>("DELETE FROM arrival_pages WHERE page = ?");
  const dropCounts = db.prepare<[number]>("DELETE FROM arrival_counts WHERE arrival = ?");
  const dropArrival = db.prepare<[number]>("DELETE FROM arrivals WHERE arrival = ?");

  function record(row: ArrivalRow): ArrivalRecord {
    const pushIds = new Set<string>();
    const uids = new Set<string>();
    for (const page of pagesOf.iterate(row.arrival)) {
      gather(pushIds, page.push_ids);
      gather(uids, page.uids);
      if (pushIds.size >= LISTED && (uids.size >= LISTED || uids.size === 0)) break;
    }
    return {
      id: row.id,
      type: row.type,
      text: row.text,
      timeToLive: row.ttl,
      timeStart: row.time_start,
      callerAddress: row.caller_address,
      pushIds: [...pushIds],
      uids: [...uids],
      counts: Object.fromEntries(
        countsOf
          .all(row.arrival)
          .filter(({ total }) => total > 0)
          .map(({ counter, total }) => [counter, total]),
      ),
    };
  }

  return {
    addSamples(samples: readonly Sample[], now: number): void {
      const hour = Math.floor(now / HOUR) * HOUR;
      for (const { key, total, success, error, latency } of samples)
        addHour.run(key, hour, total, success, error, latency);
    },

    chart: (key: string, from: number): readonly HourlySum[] => chart.all(key, from),

    keys: (): readonly string[] => keys.all(),

    arrived(evidence: readonly Evidence[]): void {
      for (const { id, pushId, counter } of evidence) {
        const arrival = arrivalOf.get(id);
        if (arrival === undefined) continue;
        const count = findCount.get(arrival, counter) ?? countFor.get(arrival, counter);
        if (count !== undefined && addEvidence.run(count, pushId).changes === 1) countOne.run(count);
      }
    },

    arrivals(query: ArrivalQuery, limit: number): readonly ArrivalRecord[] {
      if ("id" in query) return byId.all(query.id, limit).map(record);
      if ("uid" in query) return byUid.all(query.uid, limit).map(record);
      if ("pushId" in query) return byPushId.all(query.pushId, limit).map(record);
      return byType.all(query.type, limit).map(record);
    },

    /** Forgets a piece of what is past its time, about `limit` rows. Returns whether there may be more. */
    sweepCounters(now: number, limit: number): boolean {
      if (sweepHours.run(now - HOURS_KEPT, limit).changes === limit) return true;
      const arrival = overdue.get(now);
      if (arrival === undefined) return false;
      let left = limit;
      for (const { count } of countsOf.all(arrival)) {
        left -= dropEvidence.run(count, left).changes;
        if (left === 0) return true;
      }
      const page = firstPageOf.get(arrival);
      if (page !== undefined) {
        for (const pushId of JSON.parse(page.push_ids) as readonly string[]) dropPushId.run(pushId, arrival);
        for (const uid of JSON.parse(page.uids) as readonly string[]) dropUid.run(uid, arrival);
        dropPage.run(page.page);
        return true;
      }
      dropCounts.run(arrival);
      dropArrival.run(arrival);
      return true;
    },
  };
}

function gather(into: Set<string>, json: string): void {
  for (const id of JSON.parse(json) as readonly string[]) {
    if (into.size >= LISTED) return;
    into.add(id);
  }
}
