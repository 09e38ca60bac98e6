// Another way than the first to a token: what it is called, and what an answer there means for the lane.
import type { Outcome } from "../core/vendor.ts";
import type { CommonApp } from "./dialect.ts";

/** What a detour is called where it is kept: not a place in the list, which the configuration changes. */
export const nameOf = ({ app, environment = "" }: CommonApp): string => `${environment} ${app}`;
/** Its place among the routes; the first where the configuration has that route no more. */
export const placeOf = (routes: readonly CommonApp[], detour: string): number =>
  Math.max(
    0,
    routes.findIndex((route) => nameOf(route) === detour),
  );

/** Credentials of another app, which the token might have been of, are no reason to hold the lane of this one. */
export function sparing(outcome: Outcome): Outcome {
  const theirs = outcome.kind === "denied" || outcome.kind === "paused";
  return theirs ? { kind: "retry", reason: outcome.reason, scope: "token" } : outcome;
}
