// /api/stats/*: live sessions, hourly sums, arrival rates (api 3.8 to 3.10).
import type { ArrivalCounts, ArrivalRecord } from "../core/arrival.ts";
import { rate } from "../core/arrival.ts";
import { wallClock } from "../core/clock.ts";
import type { ArrivalQuery, HourlySum } from "../core/engine.ts";
import { PushError } from "../core/errors.ts";
import { LIVE_KEY } from "../core/rings.ts";
import { DAY } from "../core/time.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json, jsonList } from "./answer.ts";
import { HOURS, MINUTES, SECONDS, USUAL_SECONDS } from "./bounds.ts";
import type { Params } from "./params.ts";

const CHART_SPAN = 7 * DAY;
const MOST_ARRIVALS = 50;
const PLATFORMS = ["ios", "android", "browser"];

/** All that run are one entry of the list, so it agrees with the sums. Counters that are zero are left out, as ever. */
export async function statsBase(actions: Actions, serverId: string): Promise<Response> {
  const { total, byPlatform, packetsIn10s } = await actions.live.sessions();
  const counts: Record<string, number> = {};
  if (total > 0) counts["total"] = total;
  for (const platform of PLATFORMS) {
    const count = byPlatform.get(platform) ?? 0;
    if (count > 0) counts[platform] = count;
  }
  const flow = { packetAverage10s: packetsIn10s, packetDrop: 0 };
  return json({
    ...counts,
    ...flow,
    processCount: [{ id: serverId, count: counts, ...flow, packetDropThreshold: 0 }],
  });
}

/** Sums by the hour, of the last seven days. */
export async function statsChart(params: Params, actions: Actions): Promise<Response> {
  const key = params.text("key");
  if (key === undefined) throw new PushError("invalid", "key is required");
  const now = wallClock();
  return json(chart(await actions.counters.chart(key, now - CHART_SPAN), now));
}

/** Charts of what happens now, in one answer. */
export async function statsLive(params: Params, actions: Actions): Promise<Response> {
  const seconds = params.whole("seconds", 0, SECONDS) ?? USUAL_SECONDS;
  const minutes = params.whole("minutes", 0, MINUTES) ?? 0;
  const hours = params.whole("hours", 0, HOURS) ?? 0;
  return json({
    code: "success",
    ...(seconds === 0 ? {} : { seconds: await actions.rings.seconds(seconds) }),
    ...(minutes === 0 ? {} : { minutes: await actions.rings.minutes(minutes) }),
    ...(hours === 0 ? {} : { hours: await actions.rings.hours(hours) }),
  });
}

export const statsKeys = async (actions: Actions): Promise<Response> => json({ result: await keysOf(actions) });

/** Those of `stats/live` are told there. */
export const keysOf = async ({ counters }: Actions): Promise<readonly string[]> =>
  (await counters.keys()).filter((key) => !key.startsWith(LIVE_KEY));

/** @param type of notifications, from the path; `id` asks for one, which is {} when unknown */
export async function statsArrival(
  params: Params,
  actions: Actions,
  type: string,
  serverId: string,
): Promise<Response> {
  const id = params.text("id");
  if (id !== undefined) {
    const [record] = await actions.counters.arrivals({ id }, 1);
    return json(record === undefined ? {} : describe(record, serverId));
  }
  const records = await actions.counters.arrivals(arrivalQuery(params, type), MOST_ARRIVALS);
  // Each lists up to 1,000 devices.
  return jsonList(
    records.map((record) => describe(record, serverId)),
    1,
  );
}

function arrivalQuery(params: Params, type: string): ArrivalQuery {
  const uid = params.text("uid");
  if (uid !== undefined) return { uid };
  const pushId = params.text("pushId");
  return pushId !== undefined ? { pushId } : { type };
}

/** The contract's figures and curves over hourly sums, oldest first. */
function chart(hours: readonly HourlySum[], now: number): object {
  const sum = total(hours);
  const first = hours[0];
  const seconds = first === undefined ? 0 : Math.max(1, (now - first.timestamp) / 1000);
  return {
    totalCount: sum.total,
    totalSuccess: sum.success,
    avgLatency: averageLatency(hours),
    successRate: successRate(hours),
    countPerSecond: seconds === 0 ? 0 : sum.total / seconds,
    countPerMinute: seconds === 0 ? 0 : (60 * sum.total) / seconds,
    chartData: hours.length === 0 ? [] : curves(hours),
    stats: hours.map((hour) => ({
      _id: { timestamp: new Date(hour.timestamp).toISOString(), key: hour.key },
      totalCount: asked(hour),
      successCount: hour.success,
      totalLatency: hour.latency,
      errorCount: hour.error,
      time: new Date(hour.timestamp).toLocaleString(),
    })),
  };
}

/** One value per hour; the `Day` curves are over the 24 hours that end there. */
function curves(hours: readonly HourlySum[]): object {
  const day = (end: number) => hours.slice(0, end + 1).filter((hour) => hour.timestamp > hours[end]!.timestamp - DAY);
  return {
    timestamps: hours.map((hour) => hour.timestamp),
    total: hours.map(asked),
    latency: hours.map((hour) => averageLatency([hour])),
    latencyDay: hours.map((_, i) => averageLatency(day(i))),
    successRate: hours.map((hour) => successRate([hour])),
    successRateDay: hours.map((_, i) => successRate(day(i))),
  };
}

/** Some keys count only how it ended: API calls, unbinds. Then that is how often it was asked for. */
const asked = ({ total, success, error }: HourlySum): number => (total === 0 ? success + error : total);

const total = (hours: readonly HourlySum[]) =>
  hours.reduce(
    (sum, hour) => ({
      total: sum.total + asked(hour),
      success: sum.success + hour.success,
      latency: sum.latency + hour.latency,
    }),
    { total: 0, success: 0, latency: 0 },
  );

function averageLatency(hours: readonly HourlySum[]): number {
  const sum = total(hours);
  const count = sum.success || sum.total;
  return count === 0 ? 0 : Math.round(sum.latency / count);
}

function successRate(hours: readonly HourlySum[]): number {
  const sum = total(hours);
  return sum.total === 0 ? 0 : sum.success / sum.total;
}

/** Raw counters, and one block with rates for each vendor that has a target. */
export function arrivalFigures(counts: ArrivalCounts): Readonly<Record<string, unknown>> {
  const blocks = Object.keys(counts)
    .filter((name) => name.startsWith("target_") && counts[name]! > 0)
    .map((name) => name.slice("target_".length))
    .map((name) => [name, block(counts, name)] as const);
  // The raw counter is what older callers read.
  const arrived = blocks
    .filter(([, { vendor }]) => vendor !== undefined)
    .map(([name, { arrive }]) => [`arrive_${name}`, arrive]);
  return { ...counts, ...Object.fromEntries(arrived), ...Object.fromEntries(blocks) };
}

/** The contract's spelling of a record. */
function describe(record: ArrivalRecord, serverId: string): Readonly<Record<string, unknown>> {
  const valid = record.timeStart + record.timeToLive;
  return {
    ...arrivalFigures(record.counts),
    failures: record.failures,
    id: record.id,
    type: record.type,
    notification: record.text,
    ttl: record.timeToLive,
    timeStart: new Date(record.timeStart).toLocaleString(),
    timeValid: new Date(valid).toLocaleString(),
    timeStartIso: new Date(record.timeStart).toISOString(),
    timeValidIso: new Date(valid).toISOString(),
    callerIp: record.callerAddress,
    apiIp: serverId.slice(0, serverId.lastIndexOf(":")),
    devices: record.pushIds,
    uids: record.uids,
  };
}

export interface Block {
  readonly [figure: string]: unknown;
  readonly arrive: number;
  /** What the vendor itself said when it was last asked. */
  readonly vendor?: { readonly delivered: number; readonly clicked: number };
}

/** @param vendor as the statistics name it; `android` is the long connection */
export function block(counts: ArrivalCounts, vendor: string): Block {
  const target = counts[`target_${vendor}`] ?? 0;
  const delivered = counts[`traced_${vendor}`];
  // A device may be in both, so they are not added up; what the vendor counts is all there is where it posts no receipts.
  const arrive = Math.max(counts[`arrive_${vendor}`] ?? 0, delivered ?? 0);
  const click = counts[`click_${vendor}`] ?? 0;
  const failed = counts[`failed_${vendor}`] ?? 0;
  // `android` is the long connection, which accepts nothing, and fails only what is too late for it.
  const own =
    vendor === "android"
      ? { arrive_umeng: counts["arrive_umeng"] ?? 0, ...(failed === 0 ? {} : { failed }) }
      : { accepted: counts[`accepted_${vendor}`] ?? 0, failed };
  return {
    target,
    arrive,
    ...own,
    click,
    arrivalRate: rate(arrive, target),
    clickRate: rate(click, arrive),
    ...(delivered === undefined ? {} : { vendor: { delivered, clicked: counts[`traced_click_${vendor}`] ?? 0 } }),
  };
}
