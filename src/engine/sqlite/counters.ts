// Statistics: sums by the hour, and what became of each notification.
import type Database from "better-sqlite3";
import type { ArrivalDay, ArrivalRecord, FailureCounts } from "../../core/arrival.ts";
import type { ArrivalQuery, Evidence, HourlySum, Sample } from "../../core/engine.ts";
import { DAY, HOUR } from "../../core/time.ts";
import type { Listing } from "./listing.ts";
import type { Receipts } from "./receipts.ts";

export const HOURS_KEPT = 30 * DAY;
/** A record lists so many of its devices and users; it is found by all of them. */
export const LISTED = 1000;

export interface ArrivalRow {
  readonly arrival: number;
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly ttl: number;
  readonly time_start: number;
  readonly caller_address: string;
}

export interface ArrivalPlace {
  readonly at: number;
  readonly arrival: number;
}

export interface ArrivalDays {
  readonly days: readonly ArrivalDay[];
  readonly next: ArrivalPlace | undefined;
}

export function counters(db: Database, listing: Listing, receipts: Pick<Receipts, "reported" | "witnessed">) {
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
  const addEvidence = db.prepare<[number, string, number]>(
    "INSERT OR IGNORE INTO arrival_evidence (count, push_id, at) VALUES (?, ?, ?)",
  );
  const countOne = db.prepare<[number]>("UPDATE arrival_counts SET total = total + 1 WHERE count = ?");

  const raise = db.prepare<[number, string, number]>(`
    INSERT INTO arrival_counts (arrival, counter, total) VALUES (?, ?, ?)
    ON CONFLICT (arrival, counter) DO UPDATE SET total = excluded.total WHERE excluded.total > total`);

  const byType = db
    .prepare<[string, number], number>(`
    SELECT arrival FROM arrivals WHERE type = ? ORDER BY time_start DESC, arrival DESC LIMIT ?`)
    .pluck<number>();
  const byNumber = db.prepare<[number], ArrivalRow>(`
    SELECT arrival, id, type, text, ttl, time_start, caller_address FROM arrivals WHERE arrival = ?`);
  // From each type to the next by the index, as with the keys above.
  const types = db
    .prepare<[number], string>(`
    WITH RECURSIVE found (type) AS (
      SELECT min(type) FROM arrivals
      UNION ALL
      SELECT (SELECT min(arrivals.type) FROM arrivals WHERE arrivals.type > found.type) FROM found WHERE found.type IS NOT NULL
    )
    SELECT type FROM found WHERE type IS NOT NULL LIMIT ?`)
    .pluck<string>();
  const begun = db.prepare<[string, number, number, number, number], { arrival: number; time_start: number }>(`
    SELECT arrival, time_start FROM arrivals
    WHERE type = ? AND time_start >= ? AND (time_start, arrival) < (?, ?) ORDER BY time_start DESC, arrival DESC LIMIT ?`);
  const countsOf = db.prepare<[number], { count: number; counter: string; total: number }>(`
    SELECT count, counter, total FROM arrival_counts WHERE arrival = ?`);
  const failuresOf = db.prepare<[number], { name: string; reason: string; total: number }>(`
    SELECT name, reason, total FROM arrival_failures WHERE arrival = ? ORDER BY name, total DESC, reason`);

  function failures(arrival: number): FailureCounts | undefined {
    const found = new Map<string, Map<string, number>>();
    for (const { name, reason, total } of failuresOf.all(arrival)) {
      const reasons = found.get(name);
      if (reasons === undefined) found.set(name, new Map([[reason, total]]));
      else reasons.set(reason, total);
    }
    if (found.size === 0) return undefined;
    return Object.fromEntries([...found].map(([name, reasons]) => [name, Object.fromEntries(reasons)]));
  }

  function record(row: ArrivalRow): ArrivalRecord {
    const failed = failures(row.arrival);
    const listed = listing.devicesOfArrival(row.arrival, LISTED);
    const uids = listed.map(({ uid }) => uid).filter((uid) => uid !== null);
    return {
      id: row.id,
      type: row.type,
      text: row.text,
      timeToLive: row.ttl,
      timeStart: row.time_start,
      callerAddress: row.caller_address,
      pushIds: [...new Set(listed.map(({ push_id }) => push_id))],
      uids: [...new Set(uids)],
      counts: Object.fromEntries(
        countsOf
          .all(row.arrival)
          .filter(({ total }) => total > 0)
          .map(({ counter, total }) => [counter, total]),
      ),
      ...(failed === undefined ? undefined : { failures: failed }),
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

    arrived(evidence: readonly Evidence[], now: number): void {
      for (const { id, pushId, counter } of evidence) {
        if (receipts.reported(id, pushId, counter, now)) continue;
        const arrival = arrivalOf.get(id);
        if (arrival === undefined) continue;
        const count = findCount.get(arrival, counter) ?? countFor.get(arrival, counter);
        if (count !== undefined && addEvidence.run(count, pushId, now).changes === 1) {
          countOne.run(count);
          receipts.witnessed(id, pushId, counter, now);
        }
      }
    },

    /** Sets counters of a notification that are below these totals; nothing when its statistics are gone. */
    raise(id: string, counts: Readonly<Record<string, number>>): void {
      const arrival = arrivalOf.get(id);
      if (arrival === undefined) return;
      for (const [counter, total] of Object.entries(counts)) if (total > 0) raise.run(arrival, counter, total);
    },

    /** The numbers of the notifications, newest first. */
    arrivalsFound(query: ArrivalQuery, limit: number): readonly number[] {
      if ("id" in query) return arrivalOf.all(query.id);
      if ("uid" in query) return listing.arrivalsOfUser(query.uid, limit);
      if ("pushId" in query) return listing.arrivalsOfDevice(query.pushId, limit);
      return byType.all(query.type, limit);
    },

    arrivalTypes: (limit: number): readonly string[] => types.all(limit),

    /** What `limit` notifications of a type came to that began since `from`, newest first, added up by the day. */
    arrivalDays(type: string, from: number, before: ArrivalPlace | null, limit: number): ArrivalDays {
      const { at, arrival } = before ?? { at: Number.MAX_SAFE_INTEGER, arrival: 0 };
      const rows = begun.all(type, from, at, arrival, limit);
      const days = new Map<number, { notifications: number; counts: Record<string, number> }>();
      for (const row of rows) {
        const day = Math.floor(row.time_start / DAY) * DAY;
        const sums = days.get(day) ?? { notifications: 0, counts: {} };
        days.set(day, sums);
        sums.notifications++;
        for (const { counter, total } of countsOf.all(row.arrival))
          sums.counts[counter] = (sums.counts[counter] ?? 0) + total;
      }
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return {
        days: [...days].map(([day, sums]) => ({ day, ...sums })),
        next: last === undefined ? undefined : { at: last.time_start, arrival: last.arrival },
      };
    },

    /** Undefined: forgotten meanwhile. */
    arrivalRecord(arrival: number): ArrivalRecord | undefined {
      const row = byNumber.get(arrival);
      return row === undefined ? undefined : record(row);
    },

    /** Forgets up to `limit` hours whose time has passed. Returns whether there may be more. */
    sweepHours: (now: number, limit: number): boolean => sweepHours.run(now - HOURS_KEPT, limit).changes === limit,
  };
}
