// Numbers, times and sizes as people of the chosen language write them.
import { DAY, HOUR, MINUTE } from "../../core/time.ts";
import { language } from "./language.ts";

const cached = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>();

/** Making a formatter costs more than using it. */
function kept<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(
  name: string,
  make: (locale: string) => T,
): T {
  const locale = language.value === "zh" ? "zh-CN" : "en-GB";
  const key = `${locale} ${name}`;
  let found = cached.get(key) as T | undefined;
  if (found === undefined) {
    found = make(locale);
    cached.set(key, found);
  }
  return found;
}

const numbers = (name: string, options: Intl.NumberFormatOptions) =>
  kept(name, (locale) => new Intl.NumberFormat(locale, options));

/** A whole number. */
export const count = (value: number): string => numbers("count", { maximumFractionDigits: 0 }).format(value);
/** 12.3 k: where there is little room. */
export const compact = (value: number): string =>
  numbers("compact", { notation: "compact", maximumFractionDigits: 1 }).format(value);
/** What is less than one keeps two digits that say something: rates are often so small. */
export const decimal = (value: number): string =>
  (Math.abs(value) < 1
    ? numbers("small", { maximumSignificantDigits: 2 })
    : numbers("decimal", { maximumFractionDigits: 1 })
  ).format(value);
/** @param value 0 to 1 */
export const percent = (value: number): string =>
  numbers("percent", { style: "percent", maximumFractionDigits: 1 }).format(value);

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
/** In units of 1,000. */
export function bytes(value: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  const unit = UNITS[power]!;
  const options = {
    style: "unit",
    unit,
    maximumFractionDigits: 1,
    unitDisplay: power === 0 ? "long" : "short",
  } as const;
  return numbers(unit, options).format(value / 1000 ** power);
}

const SPANS = [
  ["day", DAY],
  ["hour", HOUR],
  ["minute", MINUTE],
  ["second", 1000],
] as const;

/** 2 days; 3 hours; 40 seconds; 12 ms. @param value milliseconds */
export function duration(value: number): string {
  const [unit, length] = SPANS.find(([, one]) => value >= one) ?? (["millisecond", 1] as const);
  return numbers(unit, {
    style: "unit",
    unit,
    unitDisplay: unit === "millisecond" ? "short" : "long",
    maximumFractionDigits: value < 10 * length ? 1 : 0,
  }).format(value / length);
}

const dates = (name: string, options: Intl.DateTimeFormatOptions) =>
  kept(name, (locale) => new Intl.DateTimeFormat(locale, options));

/** With all that is known of it. */
export const exact = (at: number): string => dates("exact", { dateStyle: "full", timeStyle: "long" }).format(at);

const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;

/** The time only if it is of today, the day otherwise too. */
export function moment(at: number): string {
  const now = new Date();
  const then = new Date(at);
  if (then.toDateString() === now.toDateString()) return dates("clock", clock).format(at);
  const day = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  return then.getFullYear() === now.getFullYear()
    ? dates("day", day).format(at)
    : dates("year", { ...day, year: "numeric" }).format(at);
}

/** 24 Nov. */
export const day = (at: number): string => dates("date", { day: "numeric", month: "short" }).format(at);

/** 3 minutes ago. */
export function ago(at: number, now: number): string {
  const past = now - at;
  const [unit, length] = SPANS.find(([, one]) => Math.abs(past) >= one) ?? (["second", 1000] as const);
  return kept("ago", (locale) => new Intl.RelativeTimeFormat(locale, { numeric: "auto" })).format(
    -Math.trunc(past / length),
    unit,
  );
}
