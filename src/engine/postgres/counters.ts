// Statistics: sums by the hour, a row for each node that are added up when they are read; and what became of each notification.

import type { ArrivalRecord, FailureCounts } from "../../core/arrival.ts";
import type { ArrivalQuery, Evidence, HourlySum, Sample } from "../../core/engine.ts";
import { LIVE_KEY } from "../../core/rings.ts";
import { DAY, HOUR } from "../../core/time.ts";
import { type ArrivalDays, type ArrivalPlace, type ArrivalRow, HOURS_KEPT, LISTED } from "../sqlite/counters.ts";
import { counts } from "./counts.ts";
import { Column, Statement } from "./database.ts";
import type { Listing } from "./listing.ts";
import type { Receipts, Witnessed } from "./receipts.ts";
import type { Turn } from "./turns.ts";

type Numbers = readonly number[];
type Texts = readonly string[];

const addHours = new Statement<[Texts, Numbers, Numbers, Numbers, Numbers, number, number]>(`
  INSERT INTO hours AS h (key, hour, node, total, success, error, latency)
  SELECT u.key, n.hour, n.node, sum(u.total), sum(u.success), sum(u.error), sum(u.latency)
  FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[]) AS u(key, total, success, error, latency),
    (SELECT ?::bigint AS hour, ?::bigint AS node) n
  GROUP BY u.key, n.hour, n.node ORDER BY u.key
  ON CONFLICT (key, hour, node) DO UPDATE SET total = h.total + excluded.total, success = h.success + excluded.success,
    error = h.error + excluded.error, latency = h.latency + excluded.latency`);
// A level (core/rings.ts) is the sum of what the nodes had in the minutes of the hour so far, not of a minute of each.
const chart = new Statement<[string, number], HourlySum>(`
  SELECT key, hour AS timestamp, sum(success) AS success, sum(error) AS error, sum(latency) AS latency,
    CASE WHEN starts_with(key, '${LIVE_KEY}') AND sum(latency) > 0
      THEN least(sum(total), greatest(max(total), least(60, ((extract(epoch FROM clock_timestamp()) * 1000)::bigint - hour) / 60000)))
      ELSE sum(total) END AS total
  FROM hours WHERE key = ? AND hour >= ? GROUP BY key, hour ORDER BY hour`);
// From each key to the next by the primary key: as many steps as there are keys, not rows.
const keys = new Column<[], string>(`
  WITH RECURSIVE found (key) AS (
    SELECT min(key) FROM hours
    UNION ALL
    SELECT (SELECT min(hours.key) FROM hours WHERE hours.key > found.key) FROM found WHERE found.key IS NOT NULL
  )
  SELECT key FROM found WHERE key IS NOT NULL`);
const sweepHours = new Statement<[number, number]>(
  "DELETE FROM hours WHERE (key, hour, node) IN (SELECT key, hour, node FROM hours WHERE hour < ? ORDER BY hour LIMIT ?)",
);
const arrivalOf = new Column<[string], number>("SELECT arrival FROM arrivals WHERE id = ?");
// What is told for the first time, counted.
const addEvidence = new Statement<[Texts, Texts, Texts, number], Witnessed & { readonly count: number }>(`
  WITH told AS (
    SELECT DISTINCT a.arrival, a.id, u.counter, u.push_id
    FROM unnest(?::text[], ?::text[], ?::text[]) AS u(id, counter, push_id) JOIN arrivals a ON a.id = u.id),
  made AS (
    INSERT INTO arrival_counts AS c (arrival, counter, total) SELECT DISTINCT arrival, counter, 0 FROM told ORDER BY arrival, counter
    ON CONFLICT (arrival, counter) DO UPDATE SET total = c.total RETURNING count, arrival, counter),
  added AS (
    INSERT INTO arrival_evidence (count, push_id, at)
    SELECT m.count, t.push_id, n.now FROM told t JOIN made m ON m.arrival = t.arrival AND m.counter = t.counter, (SELECT ?::bigint AS now) n
    ORDER BY m.count, t.push_id
    ON CONFLICT DO NOTHING RETURNING count, push_id)
  SELECT t.id, t.counter, t.push_id, m.count FROM added e JOIN made m ON m.count = e.count
    JOIN told t ON t.arrival = m.arrival AND t.counter = m.counter AND t.push_id = e.push_id`);
const countMore = new Statement<[Numbers]>(`
  UPDATE arrival_counts c SET total = c.total + u.n
  FROM (SELECT count, count(*) AS n FROM unnest(?::bigint[]) AS u(count) GROUP BY count) u WHERE c.count = u.count`);
const byType = new Column<[string, number], number>(
  "SELECT arrival FROM arrivals WHERE type = ? ORDER BY time_start DESC, arrival DESC LIMIT ?",
);
const byNumber = new Statement<[number], ArrivalRow>(
  "SELECT arrival, id, type, text, ttl, time_start, caller_address FROM arrivals WHERE arrival = ?",
);
// From each type to the next by the index, as with the keys above.
const types = new Column<[number], string>(`
  WITH RECURSIVE found (type) AS (
    SELECT min(type) FROM arrivals
    UNION ALL
    SELECT (SELECT min(arrivals.type) FROM arrivals WHERE arrivals.type > found.type) FROM found WHERE found.type IS NOT NULL
  )
  SELECT type FROM found WHERE type IS NOT NULL LIMIT ?`);
const begun = new Statement<[string, number, number, number, number], { arrival: number; time_start: number }>(`
  SELECT arrival, time_start FROM arrivals
  WHERE type = ? AND time_start >= ? AND (time_start, arrival) < (?, ?) ORDER BY time_start DESC, arrival DESC LIMIT ?`);
const countsOf = new Statement<[Numbers], { arrival: number; counter: string; total: number }>(
  "SELECT arrival, counter, total FROM arrival_counts WHERE arrival = ANY (?) ORDER BY count",
);
const failuresOf = new Statement<[number], { name: string; reason: string; total: number }>(
  "SELECT name, reason, total FROM arrival_failures WHERE arrival = ? ORDER BY name, total DESC, reason",
);

const keyOf = ({ id, counter, push_id }: Witnessed): string => JSON.stringify([id, counter, push_id]);

async function failures(turn: Turn, arrival: number): Promise<FailureCounts | undefined> {
  const found = new Map<string, Map<string, number>>();
  for (const { name, reason, total } of await failuresOf.all(turn, arrival)) {
    const reasons = found.get(name);
    if (reasons === undefined) found.set(name, new Map([[reason, total]]));
    else reasons.set(reason, total);
  }
  if (found.size === 0) return undefined;
  return Object.fromEntries([...found].map(([name, reasons]) => [name, Object.fromEntries(reasons)]));
}

export function counters(listing: Listing, receipts: Pick<Receipts, "reported" | "witnessed">, node: () => number) {
  return {
    addSamples(turn: Turn, samples: readonly Sample[], now: number): void {
      if (samples.length > 0)
        addHours.put(
          turn,
          samples.map(({ key }) => key),
          samples.map(({ total }) => total),
          samples.map(({ success }) => success),
          samples.map(({ error }) => error),
          samples.map(({ latency }) => latency),
          Math.floor(now / HOUR) * HOUR,
          node(),
        );
    },

    chart: (turn: Turn, key: string, from: number): Promise<readonly HourlySum[]> => chart.all(turn, key, from),

    keys: (turn: Turn): Promise<readonly string[]> => keys.all(turn),

    async arrived(turn: Turn, evidence: readonly Evidence[], now: number): Promise<void> {
      const rest = await receipts.reported(turn, evidence, now);
      if (rest.length === 0) return;
      const added = await addEvidence.all(
        turn,
        rest.map(({ id }) => id),
        rest.map(({ counter }) => counter),
        rest.map(({ pushId }) => pushId),
        now,
      );
      if (added.length === 0) return;
      countMore.put(
        turn,
        added.map(({ count }) => count),
      );
      const isNew = new Set(added.map(keyOf));
      const inOrder = rest.map(({ id, counter, pushId }) => ({ id, counter, push_id: pushId }));
      await receipts.witnessed(
        turn,
        inOrder.filter((one) => isNew.delete(keyOf(one))),
        now,
      );
    },

    raise: (turn: Turn, id: string, totals: Readonly<Record<string, number>>): void => counts.raise(turn, id, totals),

    /** The numbers of the notifications, newest first. */
    async arrivalsFound(turn: Turn, query: ArrivalQuery, limit: number): Promise<readonly number[]> {
      if ("id" in query) return arrivalOf.all(turn, query.id);
      if ("uid" in query) return listing.arrivalsOfUser(turn, query.uid, limit);
      if ("pushId" in query) return listing.arrivalsOfDevice(turn, query.pushId, limit);
      return byType.all(turn, query.type, limit);
    },

    arrivalTypes: (turn: Turn, limit: number): Promise<readonly string[]> => types.all(turn, limit),

    /** What `limit` notifications of a type came to that began since `from`, newest first, added up by the day. */
    async arrivalDays(
      turn: Turn,
      type: string,
      from: number,
      before: ArrivalPlace | null,
      limit: number,
    ): Promise<ArrivalDays> {
      const { at, arrival } = before ?? { at: Number.MAX_SAFE_INTEGER, arrival: 0 };
      const rows = await begun.all(turn, type, from, at, arrival, limit);
      const days = new Map<number, { notifications: number; counts: Record<string, number> }>();
      const dayOf = new Map<number, Record<string, number>>();
      for (const row of rows) {
        const day = Math.floor(row.time_start / DAY) * DAY;
        const sums = days.get(day) ?? { notifications: 0, counts: {} };
        days.set(day, sums);
        sums.notifications++;
        dayOf.set(row.arrival, sums.counts);
      }
      for (const { arrival, counter, total } of rows.length === 0 ? [] : await countsOf.all(turn, [...dayOf.keys()])) {
        const sums = dayOf.get(arrival)!; // asked for
        sums[counter] = (sums[counter] ?? 0) + total;
      }
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return {
        days: [...days].map(([day, sums]) => ({ day, ...sums })),
        next: last === undefined ? undefined : { at: last.time_start, arrival: last.arrival },
      };
    },

    /** Undefined: forgotten meanwhile. */
    async arrivalRecord(turn: Turn, arrival: number): Promise<ArrivalRecord | undefined> {
      const [row, failed, listed, counted] = await Promise.all([
        byNumber.get(turn, arrival),
        failures(turn, arrival),
        listing.devicesOfArrival(turn, arrival, LISTED),
        countsOf.all(turn, [arrival]),
      ]);
      if (row === undefined) return undefined;
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
          counted.filter(({ total }) => total > 0).map(({ counter, total }) => [counter, total]),
        ),
        ...(failed === undefined ? undefined : { failures: failed }),
      };
    },

    /** Forgets up to `limit` hours whose time has passed. Returns whether there may be more. */
    sweepHours: async (turn: Turn, now: number, limit: number): Promise<boolean> =>
      (await sweepHours.run(turn, now - HOURS_KEPT, limit)) === limit,
  };
}
