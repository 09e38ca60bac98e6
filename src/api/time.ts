// Moments as callers write them and as they are told.
import { PushError } from "../core/errors.ts";

const ISO = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+ -]\d{2}:\d{2})$/i;
/** March 1973. What is less was meant as seconds, and would be taken for long past. */
const EARLIEST = 100_000_000_000;
const LATEST = 8_640_000_000_000_000;

/** Epoch milliseconds, of a number, digits or ISO text with a zone. Throws `PushError("invalid")` for anything else. */
export function instant(value: unknown, name: string): number {
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  const time = typeof number === "string" ? isoTime(number) : number;
  if (typeof time === "number" && Number.isInteger(time) && time >= EARLIEST && time <= LATEST) return time;
  throw new PushError(
    "invalid",
    `${name} must be milliseconds since 1970, like 1893456000000, or a time with its zone, like 2030-01-01T08:00:00+08:00`,
  );
}

function isoTime(text: string): number | undefined {
  const [, year, month, day] = ISO.exec(text) ?? [];
  // Date.parse takes 30 February for 2 March.
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  // In a form that nobody encoded, the zone's plus has become a space.
  return date.getUTCDate() === Number(day) ? Date.parse(text.replace(" ", "+")) : undefined;
}

/** A moment under its name, and as ISO text beside it; nothing when there is none. */
export const told = (name: string, time: number | undefined): Readonly<Record<string, number | string>> =>
  time === undefined ? {} : { [name]: time, [`${name}Iso`]: new Date(time).toISOString() };
