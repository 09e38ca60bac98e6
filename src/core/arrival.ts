// How many devices a notification addressed, how many got it, how many opened it.
import type { NotificationId } from "./notification.ts";

/** Counter names are the contract's: target_android, arrive_android, arrive_umeng, click_android, target_apn ... */
export type ArrivalCounts = Readonly<Record<string, number>>;

export type FailureCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** One notification's statistics. Times are epoch milliseconds. */
export interface ArrivalRecord {
  readonly id: NotificationId;
  readonly type: string;
  readonly text: string;
  readonly timeToLive: number;
  readonly timeStart: number;
  readonly callerAddress: string;
  readonly pushIds: readonly string[];
  readonly uids: readonly string[];
  readonly counts: ArrivalCounts;
  /** By the name that the counters have for the way, then by reason, the most frequent first. Absent: none failed. */
  readonly failures?: FailureCounts;
}

/** What notifications of one type came to that began on one day (UTC); `day` is its start. */
export interface ArrivalDay {
  readonly day: number;
  readonly notifications: number;
  readonly counts: ArrivalCounts;
}

/** What a device may add to a notification's counts, once each: it was replayed to it, reached it, was opened there. */
export type ArrivalEvidence = "target_android" | "arrive_android" | "arrive_umeng" | `click_${string}`;

/**
 * What a vendor counts itself: kept beside what its receipts and the devices tell, as the largest that was seen. The same
 * devices are in both, so they are never added up.
 */
export const tracedCounters = (
  name: string,
  { delivered, clicked }: { readonly delivered: number; readonly clicked: number },
): ArrivalCounts => ({ [`traced_${name}`]: delivered, [`traced_click_${name}`]: clicked });

/** A rate as the contract shows it: two decimals and a percent sign. */
export const rate = (part: number, whole: number): string =>
  `${whole > 0 ? ((100 * part) / whole).toFixed(2) : "0.00"}%`;
