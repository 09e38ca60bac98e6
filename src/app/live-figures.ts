// What a chart of the last minutes shows: counters are read once a second, which costs the paths of messages nothing.
import type { Counters } from "../core/engine.ts";
import type { SessionCounts } from "../core/live.ts";
import { hourlySamples, hourlySeries, Rings, type Series } from "../core/rings.ts";

const KINDS = {
  connections: "level",
  sessions: "level",
  android: "level",
  ios: "level",
  browser: "level",
  other: "level",
  opened: "rise",
  packets: "rise",
  apiCalls: "rise",
  apiErrors: "rise",
} as const;

export type LiveFigures = Readonly<Record<keyof typeof KINDS, number>>;

/** Seconds that a rate is of. */
export const RATED = 10;

/** Per second, on the average. */
export function ratesOf({ values }: Series): Readonly<Record<"opened" | "packets" | "apiCalls" | "apiErrors", number>> {
  const mean = (name: keyof LiveFigures): number => {
    const known = (values[name] ?? []).filter((value) => value !== null);
    const all = known.reduce((sum, value) => sum + value, 0);
    return Math.round((10 * all) / Math.max(1, known.length)) / 10;
  };
  return { opened: mean("opened"), packets: mean("packets"), apiCalls: mean("apiCalls"), apiErrors: mean("apiErrors") };
}

interface Watching {
  readonly rings: Rings;
  hours(count: number): Promise<Series>;
  stop(): void;
}

/** Sessions by platform, as figures: what is none of the three is another. */
export function platformFigures({
  total,
  byPlatform,
}: Pick<SessionCounts, "total" | "byPlatform">): Pick<LiveFigures, "android" | "ios" | "browser" | "other"> {
  const [android = 0, ios = 0, browser = 0] = ["android", "ios", "browser"].map((name) => byPlatform.get(name) ?? 0);
  return { android, ios, browser, other: Math.max(0, total - android - ios - browser) };
}

/** @param read what the counters say now */
export function watchFigures(
  read: () => LiveFigures,
  now: () => number,
  counters: Pick<Counters, "add" | "chart">,
): Watching {
  // A minute that cannot be stored is missing from its hour: whoever cannot store says so elsewhere.
  const rings = new Rings(KINDS, (minute, at) => void counters.add(hourlySamples(KINDS, minute), at).catch(() => {}));
  rings.add(now(), read());
  const timer = setInterval(() => rings.add(now(), read()), 1000).unref();
  return {
    rings,
    hours: (count) => hourlySeries(KINDS, counters.chart, count, now()),
    stop: () => clearInterval(timer),
  };
}
