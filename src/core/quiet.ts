// Hours in which nobody is to be woken: by the wall clock of a time zone, so a night is an hour shorter or longer twice a year.
import { PushError } from "./errors.ts";
import { expiry, type Notification, type QuietHours, startOf } from "./notification.ts";
import { Recent } from "./recent.ts";
import { DAY, HOUR, MINUTE } from "./time.ts";

/** Zones' offsets from UTC, and the changes of them, are multiples of so much. */
const QUARTER = 15 * MINUTE;
/** Zones whose clock is at hand: making one takes a tenth of a millisecond. */
const CLOCKS = 64;

const clocks = new Recent<string, Intl.DateTimeFormat>(CLOCKS);

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    clocks.set(zone, clock);
  }
  return clock;
}

/** Throws `PushError("invalid")`. @param zone absent: that of this process */
export function quietHours(text: string, zone: string | undefined, otherwise: QuietHours["otherwise"]): QuietHours {
  const [, from, to] = /^\s*(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})\s*$/.exec(text) ?? [];
  const [first, last] = [minuteOfDay(from), minuteOfDay(to)];
  if (first === undefined || last === undefined || first === last)
    throw new PushError("invalid", "quietHours must be two different times of the day, like 22:00-08:00");
  try {
    return { from: first, to: last, zone: clockOf(zone ?? clockOfProcess()).resolvedOptions().timeZone, otherwise };
  } catch {
    throw new PushError("invalid", "timeZone must be a name of the IANA time zone database, like Europe/Berlin");
  }
}

const clockOfProcess = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Minutes since midnight, of `08:30`; 24:00 is midnight. */
function minuteOfDay(time: string | undefined): number | undefined {
  const [hours = 99, minutes = 99] = (time ?? "").split(":").map(Number);
  if (minutes > 59 || hours > 24 || (hours === 24 && minutes > 0)) return undefined;
  return (hours % 24) * 60 + minutes;
}

/** Minutes since midnight there. */
function wallClock(zone: string, at: number): number {
  const [hours = 0, minutes = 0] = clockOf(zone).format(at).split(":").map(Number);
  return hours * 60 + minutes;
}

const isQuietAt = ({ from, to }: QuietHours, wall: number): boolean =>
  from < to ? from <= wall && wall < to : from <= wall || wall < to;
const isQuiet = (hours: QuietHours, at: number): boolean => isQuietAt(hours, wallClock(hours.zone, at));

/** The first moment after `at` that is not quiet; undefined: `at` is none of the quiet ones. */
export function quietUntil(hours: QuietHours, at: number): number | undefined {
  if (!isQuiet(hours, at)) return undefined;
  let end = Math.floor(at / QUARTER) * QUARTER;
  while (end - at < 2 * DAY + 2 * HOUR) {
    end += QUARTER;
    const wall = wallClock(hours.zone, end);
    // Those who are awake for less than a quarter of an hour may be so between two of them.
    if (isQuietAt(hours, wall) && (wall - hours.to + DAY / MINUTE) % (DAY / MINUTE) >= QUARTER / MINUTE) continue;
    const first = Math.max(end - QUARTER, Math.floor(at / MINUTE) * MINUTE) + MINUTE;
    for (let minute = first; minute <= end; minute += MINUTE) if (!isQuiet(hours, minute)) return minute;
  }
  return end;
}

/**
 * What a notification's quiet hours mean at a moment: it waits until then, where its life allows, or else goes nowhere, if that is
 * wanted. Undefined: it may go.
 */
export function quietAt(
  note: Pick<Notification, "quiet" | "timeToLive" | "acceptedAt" | "sendAt">,
  at: number,
): number | "drop" | undefined {
  const { quiet } = note;
  const until = quiet === undefined ? undefined : quietUntil(quiet, Math.max(at, startOf(note)));
  if (quiet === undefined || until === undefined) return undefined;
  if (until < expiry(note)) return until;
  return quiet.otherwise === "drop" ? "drop" : undefined;
}
