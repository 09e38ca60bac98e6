// One notification to one token: what becomes of it, and when it is tried again. Pure: the lane gives the clock and the dice.
import type { PushId } from "./device.ts";
import type { Notification } from "./notification.ts";
import { expiry } from "./notification.ts";
import { PLAIN, type Traits } from "./traits.ts";
import type { AppId, Outcome, VendorName } from "./vendor.ts";

/**
 * The deliveries of one vendor and one app: sent, slowed and stopped together. Where devices choose the host they are reached
 * at, those of one host; the lane without a host is then that of all hosts that have none of their own.
 */
export interface Lane {
  readonly vendor: VendorName;
  readonly app: AppId;
  readonly host?: string;
}

/** For messages, and to tell lanes apart. */
export const laneName = ({ vendor, app, host }: Lane): string =>
  host === undefined ? `${vendor} ${app}` : `${vendor} ${app} ${host}`;

/** A claim's hold on its deliveries: until it ends, nobody else is given them. Only the engine decides whether it has. */
export interface Lease {
  /** Never given twice. */
  readonly name: number;
  /** By the clock of who claimed, epoch milliseconds: counted from before the claim, so the engine ends it no earlier. */
  readonly until: number;
}

/** A delivery that a lane has claimed. */
export interface Delivery {
  /** Unique for ever, and the same at every try. */
  readonly delivery: number;
  readonly job: number;
  readonly lane: Lane;
  readonly pushId: PushId;
  /** The token's type as the device gave it, and the token. */
  readonly type: string;
  readonly token: string;
  /** As `Recipient.detour`. */
  readonly detour?: string;
  /** Tries so far that came to nothing. */
  readonly attempts: number;
  /** Under which it was claimed: a settlement is ignored once the delivery was claimed again. */
  readonly lease: Lease;
}

/**
 * What follows from an outcome. `counters` are those of the arrival statistics that go up by one. `detour`: kept with the token;
 * empty: none.
 */
export type Settlement = { readonly delivery: Delivery } & (
  | {
      readonly kind: "accepted";
      readonly receipt?: string;
      readonly detour?: string;
      readonly counters: readonly string[];
    }
  /** The end of it. `forget`: the token is dead too; where the vendor said since when, one registered later stays. */
  | {
      readonly kind: "gone" | "refused" | "expired";
      readonly reason: string;
      readonly counters: readonly string[];
      readonly forget?: { readonly registeredBefore?: number };
      readonly detour?: string;
    }
  /** Back into the lane, due at `at`. `tried`: it counts as a try. */
  | { readonly kind: "again"; readonly at: number; readonly reason: string; readonly tried: boolean }
);

const FIRST_RETRY = 1000;
const LONGEST_RETRY = 300_000;
/** The longest wait that a vendor's own trouble may ask for: a gateway that says an hour would outlast most of what waits. */
export const LONGEST_ASKED = 300_000;

/**
 * What follows from a vendor's answer.
 * @param dice a number in [0, 1), for the jitter
 */
export function settle(
  delivery: Delivery,
  note: Notification,
  outcome: Outcome,
  now: number,
  dice: number,
  traits: Traits = PLAIN,
): Settlement {
  const { vendor } = delivery.lane;
  switch (outcome.kind) {
    case "accepted": {
      const { receipt, detour } = outcome;
      return {
        delivery,
        kind: "accepted",
        counters: traits.counters(vendor, "accepted"),
        ...(receipt === undefined ? {} : { receipt }),
        ...(detour === undefined ? {} : { detour }),
      };
    }
    case "gone": {
      const forget = outcome.at === undefined ? {} : { registeredBefore: outcome.at };
      const { reason, kept } = outcome;
      const gone = { delivery, kind: "gone", reason, counters: traits.counters(vendor, "failed") } as const;
      return kept === true ? gone : { ...gone, forget };
    }
    case "refused": {
      const { reason, detour } = outcome;
      const kept = detour === undefined ? {} : { detour };
      return { delivery, kind: "refused", reason, counters: traits.counters(vendor, "failed"), ...kept };
    }
    case "retry":
      if (outcome.once === true && delivery.attempts > 0)
        return { delivery, kind: "refused", reason: outcome.reason, counters: traits.counters(vendor, "failed") };
      return again(
        delivery,
        note,
        outcome.reason,
        now + pause(delivery.attempts, Math.min(outcome.after ?? 0, longestAsked(outcome.scope)), dice),
        true,
        traits,
      );
    // The lane's trouble, not this delivery's: it costs no try, and goes when the lane does, by itself or by hand.
    case "denied":
      return again(delivery, note, outcome.reason, now, false, traits);
    // It may live longer than the pause, and an operator may end that.
    case "paused":
      return again(delivery, note, outcome.reason, now, false, traits);
  }
}

function again(
  delivery: Delivery,
  note: Notification,
  reason: string,
  at: number,
  tried: boolean,
  traits: Traits,
): Settlement {
  const failed = { delivery, counters: traits.counters(delivery.lane.vendor, "failed") };
  if (at >= expiry(note)) return { ...failed, kind: "expired", reason };
  return { delivery, kind: "again", at, reason, tried };
}

/** What is said of a token is known of it: one that has had enough for today waits for tomorrow. */
const longestAsked = (scope: "token" | undefined): number =>
  scope === "token" ? Number.POSITIVE_INFINITY : LONGEST_ASKED;

/** 1 s, 2 s, 4 s ... 5 min, each 20 % more or less, so that what failed together does not come back together. */
function pause(attempts: number, asked: number, dice: number): number {
  const own = Math.min(FIRST_RETRY * 2 ** Math.min(attempts, 20), LONGEST_RETRY);
  return Math.round(Math.max(own * (0.8 + 0.4 * dice), asked));
}

// ---- the circuit breaker

/** How many of a lane's latest tokens were dead. A wrong project or environment is likelier than so many deaths. */
export interface Deaths {
  /** Accepted or dead since a window of ten minutes began, how many of them dead, and when that was by a clock that is never set. */
  readonly judged: number;
  readonly dead: number;
  readonly since: number;
}

export const NO_DEATHS: Deaths = { judged: 0, dead: 0, since: 0 };

const WINDOW = 600_000;
const FEWEST = 50;
const MOST_DEAD = 0.3;

/** Adds a batch of verdicts, accepted or gone; a new window begins every 10 minutes. */
export function count(deaths: Deaths, accepted: number, gone: number, now: number): Deaths {
  if (accepted + gone === 0) return deaths;
  const fresh = now - deaths.since >= WINDOW;
  const before = fresh ? { judged: 0, dead: 0, since: now } : deaths;
  return { judged: before.judged + accepted + gone, dead: before.dead + gone, since: before.since };
}

/** Whether deletions are to be held: more than 30 % of at least 50. */
export const suspicious = ({ judged, dead }: Deaths): boolean => judged >= FEWEST && dead / judged > MOST_DEAD;
