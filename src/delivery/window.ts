// How much of what a lane could have in flight it dares to: less with each request that only brought trouble, more with each
// that was answered. A vendor that is down is asked seldom, and one by one.

import { LONGEST_ASKED } from "../core/delivery.ts";
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
  /** Of what the vendor can do in parallel, 0 to 1; whatever it is, one request always may go. */
  readonly share: number;
  /** Requests in a row that brought nothing, not counting those that were on their way when a rest began. */
  readonly failures: number;
  /** Rests in a row. */
  readonly rests: number;
  /** Nothing is sent before then; milliseconds by a clock that is never set, as is `now` below. */
  readonly until: number;
}

export const FULL_WINDOW: Window = { share: 1, failures: 0, rests: 0, until: 0 };

const SMALLEST = 0.0001;

export interface Patience {
  /** After so many failures in a row there is a rest, and after each further one. */
  readonly failures: number;
  /** Milliseconds; each is twice as long as the one before. */
  readonly firstRest: number;
  readonly longestRest: number;
}

const PATIENT: Patience = { failures: 20, firstRest: 1000, longestRest: 60_000 };
/** With a host that devices chose, once it gave no answer at all. */
export const IMPATIENT: Patience = { failures: 3, firstRest: 1000, longestRest: 60_000 };

/** After a request that was answered. */
export const wider = ({ share }: Window): Window =>
  share === 1 ? FULL_WINDOW : { ...FULL_WINDOW, share: Math.min(1, share * 1.25) };

/** @param after milliseconds the vendor asked for, 0: it did not say */
export function narrower(
  { share, failures, rests, until }: Window,
  now: number,
  after: number,
  patience: Patience = PATIENT,
): Window {
  const next = { share: Math.max(SMALLEST, share * 0.9), failures, rests, until };
  const asked = now + Math.min(after, LONGEST_ASKED);
  // A thousand requests that one moment's trouble met say no more than one of them.
  if (now < until) return { ...next, until: Math.max(until, asked) };
  if (failures + 1 < patience.failures) return { ...next, failures: failures + 1 };
  const rest = Math.min(patience.firstRest * 2 ** Math.min(rests, 10), patience.longestRest);
  return { ...next, failures: failures + 1, rests: rests + 1, until: Math.max(now + rest, asked) };
}
