// Ways to a vendor's tokens that are closed to us while others are open: an environment that our key is not for, a service behind
// the vendor. A closed way is not asked, so what the open ways say of a token does not prove it dead.
import { createHash } from "node:crypto";
import { Recent } from "../core/recent.ts";
import { Term } from "../core/term.ts";
import { HOUR, MINUTE } from "../core/time.ts";
import type { AppId, StoppedWay } from "../core/vendor.ts";
import { nameOf } from "./detour.ts";
import type { Answer, CommonApp } from "./dialect.ts";

/** After that a closed way is tried again. */
const RESTS = 10 * MINUTE;
/** Tokens of which is remembered that the open ways do not know them, so that they are not asked again meanwhile. */
const MOST = 10_000;
/** Nothing was heard of it for so long: nobody knows whether it is still closed. */
const FORGOTTEN = HOUR;
const NONE: readonly StoppedWay[] = [];

export type Elsewhere = Extract<Answer, { readonly kind: "elsewhere" }>;

interface Stopped extends StoppedWay {
  readonly closed: Term;
  readonly remembered: Term;
}

export class Ways {
  /** By app, then by the way's name. */
  readonly #stopped = new Map<AppId, Map<string, Stopped>>();
  /** As `of` shows them. */
  readonly #lists = new Map<AppId, readonly Stopped[]>();
  /** By token and route: what was answered while another way was closed. */
  readonly #answers = new Recent<string, Map<string, Elsewhere>>(MOST);
  /** Routes on which a token was accepted. */
  readonly #proven = new Set<string>();

  /** Ways that are closed, or were when they were last heard of; forgotten an hour after they could be tried again. */
  of(app: AppId, now: number): readonly StoppedWay[] {
    const ways = this.#lists.get(app);
    if (ways === undefined) return NONE;
    for (const { way, remembered } of ways) if (remembered.over(now)) this.open(app, way);
    return this.#lists.get(app) ?? NONE;
  }

  /** The way is closed for ten minutes. @returns as it is known now, unchanged when the vendor said nothing new */
  stop(app: AppId, way: string, reason: string, now: number): StoppedWay {
    let ways = this.#stopped.get(app);
    if (ways === undefined) {
      ways = new Map();
      this.#stopped.set(app, ways);
    }
    const before = ways.get(way);
    if (before !== undefined && !before.closed.over(now) && before.reason === reason) return before;
    const until = now + RESTS;
    const closed = new Term(until, now);
    const remembered = new Term(until + FORGOTTEN, now);
    const stopped = { way, reason, since: before?.since ?? now, until, closed, remembered };
    ways.set(way, stopped);
    this.#lists.set(app, [...ways.values()]);
    return stopped;
  }

  /** What is known of the token on this route without asking. */
  known(route: CommonApp, token: string, now: number): Elsewhere | undefined {
    const stopped = this.#stopped.get(route.app)?.get(wayOf(route));
    if (stopped !== undefined && !stopped.closed.over(now))
      return { kind: "elsewhere", outcome: { kind: "denied", reason: stopped.reason } };
    return this.#answers.get(token)?.get(nameOf(route));
  }

  /** The token waits for a closed way. */
  remember(token: string, answers: readonly (readonly [CommonApp, Elsewhere])[]): void {
    this.#answers.set(token, new Map(answers.map(([route, answer]) => [nameOf(route), answer])));
  }

  /** A token was accepted there: the way is open, and what it says is said to a credential that it knows. */
  accepted(route: CommonApp): void {
    this.#proven.add(nameOf(route));
    if (this.#stopped.size > 0 && this.#stopped.get(route.app)?.has(wayOf(route)) === true)
      this.open(route.app, wayOf(route));
  }

  /** Whether it has ever accepted a token. */
  proven(route: CommonApp): boolean {
    return this.#proven.has(nameOf(route));
  }

  /** @param way without it all of the app's */
  open(app: AppId, way?: string): void {
    const ways = this.#stopped.get(app);
    if (ways === undefined) return;
    if (way === undefined) ways.clear();
    else ways.delete(way);
    if (ways.size === 0) this.#lists.delete(app);
    else this.#lists.set(app, [...ways.values()]);
    this.#answers.clear();
  }
}

/** Its name: the environment, "" where the vendor has but one. */
export const wayOf = ({ environment = "" }: CommonApp): string => environment;

const MARK = "none ";

/** What is kept with a token that none of our credentials reaches: of other ones it says nothing. */
export const asideOf = (routes: readonly CommonApp[]): string => {
  const credentials = routes.map(({ identity, account, app }) => `${app} ${identity ?? account}`).join("\n");
  return MARK + createHash("sha256").update(credentials).digest("base64url").slice(0, 16);
};

/** Whether this is what `asideOf` makes, of these or of other credentials. */
export const isAside = (detour: string | undefined): boolean => detour?.startsWith(MARK) === true;
