// How much of what a lane could have in flight it dares to: less with each request that only brought trouble, more with each
// that was answered. A vendor that is down is asked seldom, and one by one.

import type { Outcome } from "../core/vendor.ts";

type Retry = Extract<Outcome, { readonly kind: "retry" }>;

/** It concerns this one token and says nothing of the vendor. */
export const isOfToken = (outcome: Outcome): boolean => outcome.kind === "retry" && outcome.scope === "token";

/** The vendor's own trouble: it did not answer, or not for this one token alone. */
export function isTrouble(outcome: Outcome): outcome is Retry {
  if (outcome.kind !== "retry" || isOfToken(outcome)) return false;
  return !outcome.alone && !outcome.once && outcome.suspect === undefined;
}

export interface Window {
  /** Of what the provider can do in parallel, 0 to 1; whatever it is, one request always may go. */
  readonly share: number;
  /** Requests in a row that brought nothing, not counting those that were on their way when a rest began. */
  readonly failures: number;
  /** Rests in a row. */
  readonly rests: number;
  /** Nothing is sent before then, epoch milliseconds. */
  readonly until: number;
}

export const FULL_WINDOW: Window = { share: 1, failures: 0, rests: 0, until: 0 };

const SMALLEST = 0.0001;
/** After so many failures in a row the lane rests, and after each further one. */
const PATIENCE = 20;
const FIRST_REST = 1000;
const LONGEST_REST = 60_000;

export const wider = ({ share }: Window): Window =>
  share === 1 ? FULL_WINDOW : { ...FULL_WINDOW, share: Math.min(1, share * 1.25) };

/** @param after milliseconds the vendor asked for, 0: it did not say */
export function narrower({ share, failures, rests, until }: Window, now: number, after: number): Window {
  const next = { share: Math.max(SMALLEST, share * 0.9), failures, rests, until };
  const asked = now + Math.min(after, 5 * LONGEST_REST);
  // A thousand requests that one moment's trouble met say no more than one of them.
  if (now < until) return { ...next, until: Math.max(until, asked) };
  if (failures + 1 < PATIENCE) return { ...next, failures: failures + 1 };
  const rest = Math.min(FIRST_REST * 2 ** Math.min(rests, 10), LONGEST_REST);
  return { ...next, failures: failures + 1, rests: rests + 1, until: Math.max(now + rest, asked) };
}
