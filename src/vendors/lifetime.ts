// How long a vendor is to keep trying, and the days by which Chinese vendors count.
import { expiry, type Notification } from "../core/notification.ts";
import { DAY } from "../core/time.ts";

const SECOND = 1000;
const CHINA = 8 * 3600 * SECOND;

/** The milliseconds that are left of the notification's life, within what the vendor takes. */
export function lifetime(note: Notification, now: number, min: number, max: number): number {
  return Math.min(Math.max(expiry(note) - now, min), max);
}

/** Quotas return at midnight UTC+8. */
export function nextDay(now: number): number {
  return (Math.floor((now + CHINA) / DAY) + 1) * DAY - CHINA;
}

/** `yyyy-MM-dd HH:mm:ss` in UTC+8. */
export function chinaTime(at: number): string {
  return new Date(at + CHINA).toISOString().slice(0, 19).replace("T", " ");
}
