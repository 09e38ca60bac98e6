// /api/stats/series and /api/stats/types: figures of the last days for charts, and as CSV (api 6.6).
import type { ArrivalDay } from "../core/arrival.ts";
import { rate } from "../core/arrival.ts";
import { wallClock } from "../core/clock.ts";
import type { HourlySum } from "../core/engine.ts";
import { PushError } from "../core/errors.ts";
import { DAY, HOUR } from "../core/time.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json, jsonMembers, shown } from "./answer.ts";
import { DAYS, MOST_KEYS, MOST_OF_TYPE, MOST_TYPES, USUAL_DAYS } from "./bounds.ts";
import type { Params } from "./params.ts";
import { block, keysOf } from "./stats.ts";

/** Written in one piece. */
const LONG_LINES = 2;
/** Looked up together. */
const KEYS_AT_ONCE = 8;

type Step = "hour" | "day";

interface Line {
  readonly key: string;
  readonly count: readonly number[];
  readonly success: readonly number[];
  readonly error: readonly number[];
  /** Per second. */
  readonly rate: readonly number[];
  /** Milliseconds, 0 where there is none. */
  readonly latency: readonly number[];
}

/** Columns from `from` on, each `step` milliseconds. @throws PushError("too_large") for too many keys */
export async function statsSeries(params: Params, actions: Actions): Promise<Response> {
  const days = params.whole("days", 1, DAYS) ?? USUAL_DAYS;
  const by = stepOf(params);
  const asked = params.ids("key");
  const known = asked ?? (await keysOf(actions));
  if (asked !== undefined && asked.length > MOST_KEYS)
    throw new PushError("too_large", `key names ${asked.length} keys: ask for at most ${MOST_KEYS} in one call`);
  const keys = known.slice(0, MOST_KEYS);
  const step = by === "hour" ? HOUR : DAY;
  const now = wallClock();
  const columns = by === "hour" ? days * 24 : days;
  const from = (Math.floor(now / step) - columns + 1) * step;
  const series: Line[] = [];
  // A few at a time, so that other callers get in between.
  for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
    const some = keys.slice(at, at + KEYS_AT_ONCE);
    const hours = await Promise.all(some.map((key) => actions.counters.chart(key, from)));
    series.push(...some.map((key, i) => lineOf(key, hours[i]!, from, step, columns, now)));
  }
  if (wantsCsv(params)) return csv(seriesCsv(series, from, step));
  const more = known.length > keys.length ? { more: known.length - keys.length } : {};
  return jsonMembers({ code: "success", by, step, from, ...more }, "series", series, LONG_LINES);
}

function stepOf(params: Params): Step {
  const by = params.text("by") ?? "hour";
  if (by !== "hour" && by !== "day") throw new PushError("invalid", "by must be hour or day");
  return by;
}

function lineOf(
  key: string,
  hours: readonly HourlySum[],
  from: number,
  step: number,
  columns: number,
  now: number,
): Line {
  const sums = Array.from({ length: columns }, () => ({ count: 0, success: 0, error: 0, latency: 0 }));
  for (const { timestamp, total, success, error, latency } of hours) {
    const sum = sums[Math.floor((timestamp - from) / step)];
    if (sum === undefined) continue;
    // Some keys count only how it ended.
    sum.count += total === 0 ? success + error : total;
    sum.success += success;
    sum.error += error;
    sum.latency += latency;
  }
  return {
    key,
    count: sums.map(({ count }) => count),
    success: sums.map(({ success }) => success),
    error: sums.map(({ error }) => error),
    rate: sums.map(({ count }, at) => {
      const seconds = Math.min(step, Math.max(1000, now - from - at * step)) / 1000;
      return Math.round((1000 * count) / seconds) / 1000;
    }),
    latency: sums.map(({ count, success, latency }) => {
      const samples = success || count;
      return samples === 0 ? 0 : Math.round(latency / samples);
    }),
  };
}

/** By the type of notifications, in days of UTC; `partial` of a type of which not all were looked at (api 6.6). */
export async function statsTypes(params: Params, actions: Actions): Promise<Response> {
  const days = params.whole("days", 1, DAYS) ?? USUAL_DAYS;
  const from = (Math.floor(wallClock() / DAY) - days + 1) * DAY;
  const names = await actions.counters.arrivalTypes(MOST_TYPES);
  const types = [];
  for (const type of names) {
    const { days: found, complete } = await actions.counters.arrivalDays(type, from, MOST_OF_TYPE);
    if (found.length > 0) types.push(typeOf(type, found, complete));
  }
  if (wantsCsv(params)) return csv(typesCsv(types));
  return json({ code: "success", from, types });
}

interface Figures {
  readonly notifications: number;
  readonly target: number;
  readonly accepted: number;
  readonly arrive: number;
  readonly click: number;
  readonly failed: number;
}

interface OfType extends Figures {
  readonly type: string;
  readonly arrivalRate: string;
  readonly clickRate: string;
  readonly partial?: true;
  readonly days: readonly (Figures & { readonly day: number })[];
}

function typeOf(type: string, days: readonly ArrivalDay[], complete: boolean): OfType {
  const each = days.map((day) => ({ day: day.day, ...figuresOf(day) })).sort((a, b) => a.day - b.day);
  const sum = (name: keyof Figures): number => each.reduce((all, one) => all + one[name], 0);
  const [target, arrive, click] = [sum("target"), sum("arrive"), sum("click")];
  return {
    type,
    notifications: sum("notifications"),
    ...{ target, accepted: sum("accepted"), arrive, click, failed: sum("failed") },
    arrivalRate: rate(arrive, target),
    clickRate: rate(click, arrive),
    ...(complete ? {} : { partial: true as const }),
    days: each,
  };
}

/** Of all ways together. */
function figuresOf({ notifications, counts }: ArrivalDay): Figures {
  const ways = Object.keys(counts)
    .filter((name) => name.startsWith("target_"))
    .map((name) => block(counts, name.slice("target_".length)));
  const sum = (name: string): number => ways.reduce((all, way) => all + Number(way[name] ?? 0), 0);
  return {
    notifications,
    target: sum("target"),
    accepted: sum("accepted"),
    arrive: sum("arrive"),
    click: sum("click"),
    failed: sum("failed"),
  };
}

// ---- CSV

function wantsCsv(params: Params): boolean {
  const format = params.text("format") ?? "json";
  if (format !== "json" && format !== "csv") throw new PushError("invalid", "format must be json or csv");
  return format === "csv";
}

const csv = (rows: readonly (readonly (string | number)[])[]): Response =>
  shown("text/csv; charset=utf-8", `${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`);

/** RFC 4180. A name that a spreadsheet would take for a formula is no formula: clients choose the names of keys. */
function cell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function seriesCsv(series: readonly Line[], from: number, step: number): (string | number)[][] {
  const rows: (string | number)[][] = [
    ["time", "key", "count", "success", "error", "rate_per_second", "latency_ms", "success_rate"],
  ];
  for (const { key, count, success, error, rate: speed, latency } of series)
    for (const [at, total] of count.entries()) {
      if (total === 0) continue;
      const time = new Date(from + at * step).toISOString();
      rows.push([
        time,
        key,
        total,
        success[at]!,
        error[at]!,
        speed[at]!,
        latency[at]!,
        Math.round((1e4 * success[at]!) / total) / 1e4,
      ]);
    }
  return rows;
}

const typesCsv = (types: readonly OfType[]): (string | number)[][] => [
  ["day", "type", "notifications", "target", "accepted", "arrived", "clicked", "failed"],
  ...types.flatMap(({ type, days }) =>
    days.map(({ day, notifications, target, accepted, arrive, click, failed }) => [
      new Date(day).toISOString().slice(0, 10),
      type,
      notifications,
      target,
      accepted,
      arrive,
      click,
      failed,
    ]),
  ),
];
