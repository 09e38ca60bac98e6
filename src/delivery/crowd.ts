// The hosts that share one lane: whatever one of them does is felt by its own devices only. Devices may name any number of hosts
// that accept and never answer, so a host has a small part of the lane, a smaller one before its first answer, and what hangs
// soon takes no part of it any more.

import { Recent } from "../core/recent.ts";
import type { Outcome, Suspicion } from "../core/vendor.ts";
import { FULL_WINDOW, IMPATIENT, isTrouble, narrower, type Patience, type Window, wider } from "./window.ts";

/** Requests that a host may have in flight which has answered its last one. */
const SHARE = 32;
/** A request in flight for longer, in milliseconds, hangs; and so many may. */
const PROMPT = 2000;
const MOST_HANGING = 512;
/**
 * What cannot go now, because as many are in flight, is looked at again after so many milliseconds, one delivery of a host behind
 * the other: each is claimed twice, not once for each that goes before it.
 */
const LATER = 250;
const SPACING = LATER / SHARE;
/** But not later than that: a host may show that it answers. */
const LATEST = 30_000;
/** Hosts remembered; the longest unused are forgotten. */
const MOST = 10_000;
/** With one that gives no answer: its requests hold connections for as long as they may take. */
const NO_PATIENCE: Patience = { failures: 1, firstRest: 15_000, longestRest: 600_000 };

interface Member {
  flying: number;
  answers: boolean;
  window: Window;
  /** When the last delivery that was put off has its turn. */
  turn: number;
}

/** A request in flight. */
export interface Flight {
  readonly member: Member;
  /** When it began, by the clock that `admit` is given. */
  readonly at: number;
  /** To a host that did not answer its last request, or had none. */
  readonly doubtful: boolean;
}

export class Crowd {
  readonly #members = new Recent<string, Member>(MOST);
  /** Those in flight that do not hang, the oldest first; how many of them are doubtful, and how many others hang. */
  readonly #prompt = new Set<Flight>();
  #doubtful = 0;
  #hanging = 0;

  /** Requests in flight that hang: they take no place of the lane's. */
  hanging(now: number): number {
    for (const flight of this.#prompt) {
      if (now - flight.at < PROMPT) break;
      this.#prompt.delete(flight);
      if (flight.doubtful) this.#doubtful--;
      this.#hanging++;
    }
    return this.#hanging;
  }

  /**
   * Whether a request may go to this host: it is in flight until `told`.
   * @param limit requests of the whole lane that do not hang
   * @param now milliseconds by a clock that is never set, here and below
   * @returns otherwise, when to ask again
   */
  admit(host: string, limit: number, now: number): Flight | number {
    const hanging = this.hanging(now);
    const member = this.#member(host);
    if (member.window.until > now) return member.window.until;
    const doubtful = !member.answers;
    const crowded = doubtful && (this.#doubtful >= Math.max(1, limit / 2) || hanging >= MOST_HANGING);
    if (crowded || member.flying >= (doubtful ? 1 : SHARE)) {
      member.turn = Math.min(Math.max(member.turn + SPACING, now + LATER), now + LATEST);
      return Math.ceil(member.turn);
    }
    member.flying++;
    if (doubtful) this.#doubtful++;
    const flight = { member, at: now, doubtful };
    this.#prompt.add(flight);
    return flight;
  }

  /** What the answer means for the delivery: nothing in it concerns the lane. @param wall epoch ms */
  told(flight: Flight, outcome: Outcome, wall: number, now: number): Outcome {
    const { member } = flight;
    member.flying--;
    if (!this.#prompt.delete(flight)) this.#hanging--;
    else if (flight.doubtful) this.#doubtful--;
    const unanswered = outcome.kind === "retry" && outcome.unanswered === true;
    const denied = outcome.kind === "denied" || (outcome.kind === "retry" && outcome.suspect?.orDenied === true);
    member.answers = !unanswered;
    if (unanswered || denied || isTrouble(outcome)) {
      const after = outcome.kind === "retry" ? (outcome.after ?? 0) : 0;
      member.window = narrower(member.window, now, after, unanswered ? NO_PATIENCE : IMPATIENT);
    } else member.window = wider(member.window);
    if (outcome.kind !== "retry" && outcome.kind !== "denied" && outcome.kind !== "paused") return outcome;
    const left = outcome.kind === "paused" ? outcome.until - wall : member.window.until - now;
    const { reason } = outcome;
    const after = Math.max(left, outcome.kind === "retry" ? (outcome.after ?? 0) : 0);
    if (outcome.kind !== "retry") return { kind: "retry", reason, after, scope: "token" };
    const { suspect, ...rest } = outcome;
    const own = suspect && without(suspect);
    return { ...rest, after, scope: "token", ...(own === undefined ? {} : { suspect: own }) };
  }

  /** Each may be asked at once again. */
  forgive(): void {
    for (const member of this.#members.values()) member.window = FULL_WINDOW;
  }

  #member(host: string): Member {
    const member = this.#members.get(host) ?? { flying: 0, answers: false, window: FULL_WINDOW, turn: 0 };
    this.#members.set(host, member);
    return member;
  }
}

/** Credentials that one host refuses are good for the others. */
const without = ({ orDenied: _, ...suspect }: Suspicion): Suspicion => suspect;
