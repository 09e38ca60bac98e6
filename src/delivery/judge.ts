// What the answer to one request means for its deliveries and tokens, and for the lane. Pure: the lane keeps the memory and does
// what the verdict says. What was said of single tokens before is in core/suspects.ts, and is applied first.
import { count, type Deaths, type Delivery, NO_DEATHS, type Settlement, settle, suspicious } from "../core/delivery.ts";
import type { Notification } from "../core/notification.ts";
import type { Traits } from "../core/traits.ts";
import type { Outcome } from "../core/vendor.ts";
import { FULL_WINDOW, IMPATIENT, isOfToken, isTrouble, narrower, type Window, wider } from "./window.ts";

/** What a lane remembers of the answers before. */
export interface Memory {
  readonly window: Window;
  /** The circuit breaker: so many of the latest tokens are said to be dead that none is forgotten until an operator has looked. */
  readonly deaths: Deaths;
  readonly holdsDeletions: boolean;
}

export const NO_MEMORY: Memory = { window: FULL_WINDOW, deaths: NO_DEATHS, holdsDeletions: false };

export interface Asked {
  readonly note: Notification;
  readonly to: readonly Delivery[];
  /** Credentials that were replaced since say nothing of those in use now. */
  readonly outdated: boolean;
  readonly traits: Traits;
}

export type Rest =
  | { readonly state: "paused"; readonly until: number; readonly reason: string }
  | { readonly state: "stopped"; readonly reason: string };

export interface Verdict {
  readonly memory: Memory;
  /** One for each delivery, in order. */
  readonly settlements: readonly Settlement[];
  /** Deliveries that go in a request of their own from now on: it is not known which one was at fault. */
  readonly alone: readonly number[];
  readonly accepted: number;
  /** The latest that was not accepted. */
  readonly lastError?: string;
  /** The lane comes to rest. */
  readonly rest?: Rest;
  /** Why deletions are held from now on. */
  readonly suspicion?: string;
  /** A host that devices choose gave no answer at all. */
  readonly unanswered: boolean;
}

/** Of an answer. */
export interface Moment {
  /** Epoch milliseconds: by it the store tells when a delivery is due. */
  readonly now: number;
  /** Milliseconds by a clock that is never set: what lasts is measured by it. */
  readonly elapsed: number;
}

const NOT_SENT: Outcome = { kind: "retry", reason: "the server could not send it" };

/**
 * @param outcomes one for each delivery; fewer, where sending failed through a fault of ours
 * @param dice numbers in [0, 1), for the jitter
 */
export function judge(
  outcomes: readonly Outcome[],
  { note, to, outdated, traits }: Asked,
  memory: Memory,
  { now, elapsed }: Moment,
  dice: () => number,
): Verdict {
  let accepted = 0;
  let gone = 0;
  let answered = 0;
  let after = 0;
  let trouble = outcomes.length === 0;
  let unanswered = false;
  let lastError: string | undefined;
  let rest: Rest | undefined;
  for (const outcome of outcomes) {
    if (outcome.kind === "accepted") accepted++;
    else lastError = outcome.reason;
    if (outcome.kind === "gone") gone++;
    if (isTrouble(outcome)) {
      trouble = true;
      after = Math.max(after, outcome.after ?? 0);
    } else if (!isOfToken(outcome)) answered++;
    unanswered ||= outcome.kind === "retry" && outcome.unanswered === true;
    if (outdated) continue;
    if (outcome.kind === "denied") rest = { state: "stopped", reason: outcome.reason };
    // `stopped` outranks `paused`.
    else if (outcome.kind === "paused" && rest?.state !== "stopped")
      rest = { state: "paused", until: outcome.until, reason: outcome.reason };
  }
  const deaths = count(memory.deaths, accepted, gone, elapsed);
  const holdsDeletions = memory.holdsDeletions || suspicious(deaths);
  let { window } = memory;
  if (!outdated && answered > 0) window = wider(window);
  else if (!outdated && trouble) window = narrower(window, elapsed, after, unanswered ? IMPATIENT : undefined);
  const alone: number[] = [];
  const settlements = to.map((delivery, i) => {
    const outcome = outcomes[i] ?? NOT_SENT;
    if (outcome.kind === "retry" && outcome.alone === true) alone.push(delivery.delivery);
    const settlement = settle(delivery, note, outcome, now, dice(), traits);
    return holdsDeletions ? keepingToken(settlement) : settlement;
  });
  return {
    memory: { window, deaths, holdsDeletions },
    settlements,
    alone,
    accepted,
    unanswered: unanswered && trouble && !outdated && answered === 0,
    ...(lastError === undefined ? {} : { lastError }),
    ...(rest === undefined ? {} : { rest }),
    ...(holdsDeletions && !memory.holdsDeletions
      ? { suspicion: `${deaths.dead} of the last ${deaths.judged} tokens are said to be dead` }
      : {}),
  };
}

function keepingToken(settlement: Settlement): Settlement {
  if (settlement.kind !== "gone") return settlement;
  const { forget: _kept, ...rest } = settlement;
  return rest;
}

/** Whether the one request that tries a stopped lane shows that our credentials are taken again. */
export const provesCredentials = (outcomes: readonly Outcome[]): boolean =>
  outcomes.some(
    (outcome) =>
      outcome.kind === "accepted" ||
      outcome.kind === "gone" ||
      (outcome.kind === "refused" && outcome.suspect === undefined),
  );
