// When what failed is tried again, and what an answer means.
import { DAY, HOUR, MINUTE } from "../core/time.ts";

/** Milliseconds before the next try, after the first failure, the second and so on; the last again and again. */
const PLAN = [1000, 5000, 30_000, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR];
/** So much of a pause is left to chance, so that many who failed together do not come back together. */
const JITTER = 0.1;
/** A server may ask for so much patience at most. */
const LONGEST_PATIENCE = DAY;

/** @param failures in a row, 1 or more @param dice 0 to 1 */
export function pause(failures: number, dice: number): number {
  const planned = PLAN[Math.min(failures, PLAN.length) - 1]!;
  return Math.round(planned * (1 + JITTER * dice));
}

/** Milliseconds from the value of `Retry-After`: seconds or an HTTP date. */
export function patience(retryAfter: string | undefined, now: number): number {
  if (retryAfter === undefined) return 0;
  const asked = /^\d+$/.test(retryAfter.trim()) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - now;
  return asked > 0 ? Math.min(asked, LONGEST_PATIENCE) : 0;
}

/**
 * - `delivered`: all but those that it names
 * - `gone`: never again (410)
 * - `down`: the server or the way to it; whatever is sent meets the same
 * - `disliked`: it may be about what was sent
 */
export type Meaning = "delivered" | "gone" | "down" | "disliked";

/** Refused before anybody looked at the events: wrong place or credentials, too much, or a server in trouble. */
const DOWN: ReadonlySet<number> = new Set([401, 402, 403, 404, 405, 407, 408, 421, 425, 426, 429, 501, 502, 503, 504]);

/** A redirect is a failure: whoever is redirected to was not configured. */
export function meaning(status: number): Meaning {
  if (status >= 200 && status < 300) return "delivered";
  if (status === 410) return "gone";
  return status < 400 || DOWN.has(status) ? "down" : "disliked";
}

/** The ids of those that were not taken, in the body of a success. Anything else in it means nothing. */
export function failedIds(body: string): ReadonlySet<string> {
  if (!body.includes('"failed"')) return NONE;
  try {
    const { failed } = JSON.parse(body) as { readonly failed?: unknown };
    return new Set(Array.isArray(failed) ? failed.filter((id) => typeof id === "string") : []);
  } catch {
    return NONE;
  }
}

const NONE: ReadonlySet<string> = new Set();
