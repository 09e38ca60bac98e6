// Figures over time, for charts: each second of the last ten minutes and each minute of the last day, in buffers of fixed size; and
// each hour of the last month, which the store keeps with the statistics.
import type { HourlySum, Sample } from "./engine.ts";
import { HOUR, MINUTE } from "./time.ts";

/** Names and how often they change never do, so that a buffer is a row of numbers. */
export type Figures = Readonly<Record<string, number>>;

/** How what is read each second becomes a figure: the value itself, or by how much it has risen. */
export type Kind = "level" | "rise";

export interface Series {
  readonly step: number;
  /** The start of the first column, epoch milliseconds. */
  readonly from: number;
  /** By name, oldest first; null: nothing was measured then. */
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

const SECOND = 1000;
export const SECONDS = 600;
export const MINUTES = 1440;
export const HOURS = 720;

/** What the keys begin with under which the store sums figures by the hour: no key of anybody else's does. */
export const LIVE_KEY = "live:";

/** What a minute adds to its hour: of a level how many minutes there were and their sum, of a rise the rise. */
export function hourlySamples(kinds: Readonly<Record<string, Kind>>, minute: Figures): readonly Sample[] {
  return Object.entries(kinds).map(([name, kind]) => {
    const value = Math.round(minute[name] ?? 0);
    const sums = kind === "level" ? { total: 1, latency: value } : { total: value, latency: 0 };
    return { key: LIVE_KEY + name, success: 0, error: 0, ...sums };
  });
}

/** The last `count` hours, this one too. @param sums of one figure since then */
export async function hourlySeries(
  kinds: Readonly<Record<string, Kind>>,
  sums: (key: string, from: number) => Promise<readonly HourlySum[]>,
  count: number,
  now: number,
): Promise<Series> {
  const from = (Math.floor(now / HOUR) - count + 1) * HOUR;
  const values = await Promise.all(
    Object.entries(kinds).map(async ([name, kind]) => {
      const column: (number | null)[] = new Array<null>(count).fill(null);
      for (const { timestamp, total, latency } of await sums(LIVE_KEY + name, from)) {
        const at = (timestamp - from) / HOUR;
        if (at < count) column[at] = kind === "rise" ? total : total === 0 ? null : Math.round(latency / total);
      }
      return [name, column] as const;
    }),
  );
  return { step: HOUR, from, values: Object.fromEntries(values) };
}

class Ring {
  readonly #step: number;
  readonly #size: number;
  readonly #columns: ReadonlyMap<string, Float64Array>;
  /** The number of the newest column since 1970. */
  #newest = 0;

  constructor(names: readonly string[], step: number, size: number) {
    this.#step = step;
    this.#size = size;
    this.#columns = new Map(names.map((name) => [name, new Float64Array(size).fill(Number.NaN)]));
  }

  /** Skipped columns, and those after the clock was set back, are empty. */
  put(at: number, figures: Figures): void {
    const column = Math.floor(at / this.#step);
    const empty = Math.min(this.#size, Math.abs(column - this.#newest));
    for (const values of this.#columns.values()) {
      if (column < this.#newest) values.fill(Number.NaN);
      else for (let i = 1; i <= empty; i++) values[(this.#newest + i) % this.#size] = Number.NaN;
    }
    this.#newest = column;
    for (const [name, values] of this.#columns) values[column % this.#size] = figures[name] ?? Number.NaN;
  }

  /** The last `count` columns. */
  last(count: number): Series {
    const size = Math.min(count, this.#size);
    const first = this.#newest - size + 1;
    const values = Object.fromEntries(
      [...this.#columns].map(([name, column]) => [
        name,
        Array.from({ length: size }, (_, i) => {
          const value = first + i < 0 ? Number.NaN : column[(first + i) % this.#size]!;
          return Number.isNaN(value) ? null : value;
        }),
      ]),
    );
    return { step: this.#step, from: first * this.#step, values };
  }
}

export class Rings {
  readonly #kinds: Readonly<Record<string, Kind>>;
  readonly #ended: (minute: Figures, at: number) => void;
  readonly #seconds: Ring;
  readonly #minutes: Ring;
  #before: Figures | undefined;
  #minute = 0;
  /** Of the minute that is not over: levels added up, and rises. */
  #sums: Record<string, number> = {};
  #samples = 0;

  /** @param ended told of each minute that is over, and when it began */
  constructor(kinds: Readonly<Record<string, Kind>>, ended: (minute: Figures, at: number) => void = () => {}) {
    this.#kinds = kinds;
    this.#ended = ended;
    const names = Object.keys(kinds);
    this.#seconds = new Ring(names, SECOND, SECONDS);
    this.#minutes = new Ring(names, MINUTE, MINUTES);
  }

  /** Once a second, with what the counters say then. */
  add(at: number, read: Figures): void {
    const figures: Record<string, number> = {};
    for (const [name, kind] of Object.entries(this.#kinds)) {
      const value = read[name] ?? 0;
      figures[name] = kind === "level" ? value : Math.max(0, value - (this.#before?.[name] ?? value));
    }
    this.#before = read;
    this.#seconds.put(at, figures);
    const minute = Math.floor(at / MINUTE);
    if (minute !== this.#minute) this.#endMinute();
    this.#minute = minute;
    this.#samples++;
    for (const name of Object.keys(this.#kinds)) this.#sums[name] = (this.#sums[name] ?? 0) + figures[name]!;
  }

  /** A minute's level is the mean of its seconds, its rise their sum. */
  #endMinute(): void {
    if (this.#samples > 0) {
      const figures = Object.fromEntries(
        Object.entries(this.#kinds).map(([name, kind]) => {
          const sum = this.#sums[name] ?? 0;
          return [name, kind === "level" ? Math.round((sum / this.#samples) * 100) / 100 : sum];
        }),
      );
      this.#minutes.put(this.#minute * MINUTE, figures);
      this.#ended(figures, this.#minute * MINUTE);
    }
    this.#sums = {};
    this.#samples = 0;
  }

  seconds(count: number): Series {
    return this.#seconds.last(count);
  }

  minutes(count: number): Series {
    return this.#minutes.last(count);
  }
}
