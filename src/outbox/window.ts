// How much of what a lane could have in flight it dares to: less with each request that only brought trouble, more with each
// that was answered. A vendor that is down is asked seldom, and one by one.

export interface Window {
  /** Of what the provider can do in parallel, 0 to 1; whatever it is, one request always may go. */
  readonly share: number;
  /** Requests in a row that brought nothing; those that were under way together count as one. */
  readonly failures: number;
  /** When the last of these was known, epoch milliseconds. */
  readonly failedAt: number;
  /** Nothing is sent before then, epoch milliseconds. */
  readonly until: number;
}

export const FULL_WINDOW: Window = { share: 1, failures: 0, failedAt: 0, until: 0 };

const SMALLEST = 0.0001;
/** After so many failures in a row the lane rests between two tries. */
const PATIENCE = 20;
const FIRST_REST = 1000;
const LONGEST_REST = 60_000;

export const wider = ({ share, failedAt }: Window): Window =>
  share === 1 ? FULL_WINDOW : { share: Math.min(1, share * 1.25), failures: 0, failedAt, until: 0 };

/**
 * A thousand requests lost with one connection are asked again one by one at first, but they are no reason to rest: only what was
 * begun after a failure tells that it goes on.
 * @param begun when the request was sent
 * @param after milliseconds the vendor asked for, 0: it did not say
 */
export function narrower(window: Window, begun: number, now: number, after: number): Window {
  const { failures, failedAt, until } = window;
  const share = Math.max(SMALLEST, window.share * 0.9);
  if (begun < failedAt) return { ...window, share };
  const next = { share, failures: failures + 1, failedAt: now, until };
  if (next.failures < PATIENCE) return next;
  const rest = Math.min(FIRST_REST * 2 ** Math.min(Math.floor(next.failures / PATIENCE) - 1, 10), LONGEST_REST);
  return { ...next, until: Math.max(until, now + Math.min(Math.max(rest, after), 5 * LONGEST_REST)) };
}
