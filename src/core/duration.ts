// Durations as people write them: a number of milliseconds, or a number and its unit.
import { DAY, HOUR, MINUTE } from "./time.ts";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: MINUTE,
  h: HOUR,
  d: DAY,
  w: 7 * DAY,
};
const SHAPE = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d|w)?$/i;

/** What a duration may look like, for messages. */
export const DURATIONS = "30s, 15m, 1h or 7d";

/** Whole milliseconds, rounded down: of `1500`, `1000.7`, `90s`, `15m`, `1.5h`, `7d`. Undefined: none of these, so nothing below 0. */
export function milliseconds(text: string): number | undefined {
  const [, number, unit = "ms"] = SHAPE.exec(text.trim()) ?? [];
  return number === undefined ? undefined : Math.trunc(Number(number) * UNITS[unit.toLowerCase()]!); // the shape allows no other
}
