// How many of something an answer lists, or a call may name: checked where the parameters are read, told in the description of the API.
import { DAY } from "../core/time.ts";

export interface Paged {
  /** Without `limit`. */
  readonly usual: number;
  readonly most: number;
}

export const DELIVERIES: Paged = { usual: 100, most: 1000 };
export const DEVICES: Paged = { usual: 100, most: 1000 };
export const JOBS: Paged = { usual: 50, most: 1000 };
export const AUDIT: Paged = { usual: 100, most: 1000 };
export const EVENTS: Paged = { usual: 100, most: 1000 };
export const TOPICS: Paged = { usual: 100, most: 10_000 };
export const TOPIC_DEVICES: Paged = { usual: 10_000, most: 10_000 };
/** Failed deliveries that one call retries. */
export const RETRIED: Paged = { usual: 100_000, most: 100_000 };

/** Without `seconds`. */
export const USUAL_SECONDS = 60;
export { HOURS, MINUTES, SECONDS } from "../core/rings.ts";

/** Of statistics: the hourly sums are kept for 30 days. */
export const DAYS = 30;
export const USUAL_DAYS = 7;
/** Keys in one answer. */
export const MOST_KEYS = 100;
/** Types in one answer, and the latest notifications of each that are looked at. */
export const MOST_TYPES = 50;
export const MOST_OF_TYPE = 1000;

/** Connections in one answer, and those that are looked at for it. */
export const CONNECTIONS: Paged = { usual: 100, most: 1000 };
export const MOST_LOOKED = 100_000;
/** Bytes. */
export const MOST_WAITING = 1_000_000_000;
/** Milliseconds. */
export const LONGEST_AGE = 30 * DAY;
export const TRACE_LINES: Paged = { usual: 200, most: 1000 };
/** Without `minutes`. */
export const USUAL_MINUTES = 10;
export { MOST_MINUTES } from "../core/trace.ts";

/** Devices per second; nothing sends faster. */
export const HIGHEST_RATE = 1_000_000;
/** Milliseconds for which vendors may wait for an acknowledgement. */
export const LONGEST_FALLBACK = DAY;
/** Notifications that a user may be limited to in a day. */
export const HIGHEST_CAP = 10_000;
/** Devices or users in one question about their presence. */
export const MOST_ASKED = 10_000;
/** Tokens or users revoked in one call. */
export const MOST_REVOKED = 10_000;
/** Milliseconds for which somebody may be kept out of a topic. */
export const LONGEST_HOLD = 7 * DAY;
