// One endpoint: claims what waits for it, sends it, and settles what the answer means. While it fails one request at a time finds out
// whether it is back; an event that it does not like is found by halves and left to its own retries, so that it holds up no other.
import { createHash } from "node:crypto";
import { eventJson } from "../core/events.ts";
import {
  HOOK_RESULTS,
  type HookEvent,
  type HookQueue,
  type HookResult,
  type HookSettlement,
  type HookStatus,
  type HookTrouble,
  wireSize,
} from "../core/hooks.ts";
import { randomId } from "../core/id.ts";
import { Term } from "../core/term.ts";
import { DAY } from "../core/time.ts";
import { failedIds, meaning, patience, pause } from "./plan.ts";
import { type Answer, type Destination, Post, Unanswered } from "./post.ts";

/** Events of a request, and its bytes without the envelope. */
const LARGEST = 100;
const SIZE = 262_144 - 256;
/** Requests at once. */
const REQUESTS = 5;
/** Of so many requests the events are claimed together: a busy store takes its time for each claim. */
const CLAIMED_TOGETHER = 3;
/** So many events in a row that it does not like, each alone, and none that it took: it is not about the events. */
const STRIKES = 3;
/** Failing for so long it is switched off. */
const PATIENCE = 5 * DAY;
/** Between two claims of what was just written: more go together, and the first that comes goes at once. Milliseconds. */
const GATHER = 50;
/** The clock is looked at so often while something is waited for: it may be set. Milliseconds. */
const LOOK_EVERY = 1000;
const SOONEST = 10;

/** What is remembered of an endpoint beyond the life of the process. Times are epoch milliseconds. */
export interface Standing {
  /** Of another URL nothing is known. */
  readonly url: string;
  /** The first of the failures since the last success. */
  readonly failingSince?: number;
  /** Switched off. */
  readonly off?: HookTrouble;
}

export interface EndpointOptions {
  readonly name: string;
  readonly destination: Omit<Destination, "connections">;
  readonly queue: Pick<HookQueue, "claim" | "settle" | "hurry">;
  /** What an earlier run, or the endpoint of this name before, knew. */
  readonly standing: Standing | undefined;
  /** Stores it for the next run; nobody waits for that. */
  remember(standing: Standing): void;
  /** Has `adopt` called with what is stored. */
  recall(): Promise<void>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** 0 to 1 */
  readonly dice: () => number;
  readonly log: EndpointLog;
}

export interface EndpointLog {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  /** The store could not do its part; it is tried again. */
  failed(error: unknown): void;
}

export type EndpointStatus = Omit<HookStatus, "name" | "url" | "events" | "waiting" | "oldest" | "dead" | "dropped">;

export class Endpoint {
  readonly url: string;
  readonly #options: EndpointOptions;
  readonly #post: Post;
  readonly #results = Object.fromEntries(HOOK_RESULTS.map((result) => [result, 0])) as Record<HookResult, number>;
  readonly #underWay = new Set<Promise<void>>();
  #delivered = 0;
  #stopped = false;
  #off: HookTrouble | undefined;
  /** In a row; of those that were under way together one counts. */
  #failures = 0;
  #failingSince: number | undefined;
  #lastError: HookTrouble | undefined;
  /** Nothing is sent before it is over. */
  #rest: Term | undefined;
  #restUntil = 0;
  /** One request at a time, until one is taken. */
  #probing = false;
  /** Events that a request may have: fewer after one that was not liked. */
  #most = LARGEST;
  #strikes = 0;
  /** When something that waits is due. */
  #next: number | undefined;
  #pumping = false;
  #again = false;
  /** When events were claimed the last time, and the keys of those that were settled since. */
  #claimed = Number.NEGATIVE_INFINITY;
  readonly #settled = new Set<string>();
  /** What stood behind a settled one came with the last claim: there may be more of its key. */
  #eager = false;
  /** Another process had it until now, and may have found out something about it. */
  #stale = false;
  #gathering: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EndpointOptions) {
    const { destination, standing } = options;
    this.#options = options;
    this.url = destination.url;
    this.#post = new Post({ ...destination, connections: REQUESTS });
    if (standing?.url !== destination.url) return;
    this.#off = standing.off;
    this.#failingSince = standing.failingSince;
    this.#probing = standing.failingSince !== undefined;
  }

  /** Times are epoch milliseconds; the counts are since this endpoint was made. */
  get status(): EndpointStatus {
    const failing = this.#failures > 0 || this.#failingSince !== undefined;
    return {
      state: this.#off !== undefined ? "off" : failing ? "failing" : "running",
      inFlight: this.#underWay.size,
      failures: this.#failures,
      requests: { ...this.#results },
      delivered: this.#delivered,
      ...(this.#failingSince === undefined ? {} : { failingSince: this.#failingSince }),
      ...(this.#rest === undefined || this.#off !== undefined ? {} : { nextTry: this.#restUntil }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#off === undefined ? {} : { off: this.#off }),
    };
  }

  /** What the next process, or the next one of this name, has to know. */
  get standing(): Standing {
    return {
      url: this.url,
      ...(this.#failingSince === undefined ? {} : { failingSince: this.#failingSince }),
      ...(this.#off === undefined ? {} : { off: this.#off }),
    };
  }

  /** Something may wait for it. */
  wake(): void {
    this.#again = true;
    if (this.#pumping || this.#gathering !== undefined) return;
    const now = this.#options.now();
    const isDue = this.#eager || (this.#next !== undefined && this.#next <= now);
    const since = now - this.#claimed;
    if (isDue || since < 0 || since >= GATHER) return void this.#pump();
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      if (!this.#pumping) void this.#pump();
    }, GATHER - since);
    this.#gathering.unref();
  }

  /** What another process has found out about it meanwhile. */
  adopt(standing: Standing | undefined): void {
    const { off, failingSince } = standing?.url === this.url ? standing : {};
    if (off?.at === this.#off?.at && failingSince === this.#failingSince) return;
    const wasOff = this.#off !== undefined;
    this.#off = off;
    this.#failingSince = failingSince;
    this.#failures = this.#strikes = 0;
    this.#probing = failingSince !== undefined;
    this.#rest = undefined;
    if (off !== undefined) this.#lastError = off;
    else if (wasOff) void this.#hurry();
  }

  /** By a person's word: it is tried at once. @returns whether it was failing or off */
  resume(): boolean {
    const { state } = this.status;
    this.#off = undefined;
    this.#failingSince = undefined;
    this.#failures = this.#strikes = 0;
    this.#rest = undefined;
    this.#remember();
    void this.#hurry();
    return state !== "running";
  }

  /** Sends a message of no event, whatever state it is in. Resolves with the status. Rejects with `Unanswered`. */
  async test(): Promise<number> {
    const now = this.#options.now();
    const hook = JSON.stringify(this.#options.name);
    const body = `{"type":"hook.test","timestamp":"${new Date(now).toISOString()}","data":{"hook":${hook}}}`;
    return (await this.#post.send(`msg_test${randomId()}`, body, now)).status;
  }

  /** Begins nothing more; what is under way has so many milliseconds, then it is cut off, and may come twice. */
  async stop(grace: number): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#gathering);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, grace);
    });
    await Promise.race([Promise.all(this.#underWay), late]);
    clearTimeout(timer);
    await this.#post.close();
    await Promise.all(this.#underWay);
  }

  async #pump(): Promise<void> {
    const { name, queue, now, log } = this.#options;
    this.#pumping = true;
    try {
      while (this.#again && this.#mayBegin()) {
        this.#again = false;
        const free = (this.#probing ? 1 : REQUESTS) - this.#underWay.size;
        const requests = Math.min(free, CLAIMED_TOGETHER);
        const most = this.#most;
        const settled = new Set(this.#settled);
        this.#settled.clear();
        this.#claimed = now();
        const { events, next, taken } = await queue.claim(name, requests * most, requests * SIZE, this.#claimed);
        this.#stale ||= taken === true;
        const known = await this.#known();
        this.#eager = events.some(({ key }) => settled.has(key));
        this.#next = known ? next : now() + LOOK_EVERY;
        this.#again ||= this.#next !== undefined && this.#next <= now();
        // It may have begun to fail meanwhile, or have been switched off elsewhere.
        if (events.length > 0 && !(known && this.#mayBegin())) await this.#settle({ ...NOTHING, back: seqsOf(events) });
        else for (const batch of batches(events, most)) this.#begin(batch);
      }
    } catch (error) {
      log.failed(error);
      this.#next = now() + LOOK_EVERY;
    }
    this.#pumping = false;
    this.#lookLater();
  }

  /** Whether it is known what another process knew of it. */
  async #known(): Promise<boolean> {
    if (!this.#stale) return true;
    try {
      await this.#options.recall();
      this.#stale = false;
      return true;
    } catch (error) {
      this.#options.log.failed(error);
      return false;
    }
  }

  #mayBegin(): boolean {
    if (this.#stopped || this.#off !== undefined) return false;
    if (this.#rest !== undefined && !this.#rest.over(this.#options.now())) return false;
    this.#rest = undefined;
    return this.#underWay.size < (this.#probing ? 1 : REQUESTS);
  }

  /** For what nothing else wakes it up for: the end of a pause. */
  #lookLater(): void {
    clearTimeout(this.#timer);
    const at = this.#rest === undefined ? this.#next : this.#restUntil;
    if (this.#stopped || this.#off !== undefined || at === undefined) return;
    const { now } = this.#options;
    const wait = Math.max(SOONEST, Math.min(LOOK_EVERY, at - now()));
    this.#timer = setTimeout(() => {
      if (this.#rest === undefined ? at <= now() : this.#rest.over(now())) this.wake();
      else this.#lookLater();
    }, wait);
    this.#timer.unref();
  }

  #begin(events: readonly HookEvent[]): void {
    const sending = this.#deliver(events).finally(() => {
      this.#underWay.delete(sending);
      for (const { key } of events) this.#settled.add(key);
      this.wake();
    });
    this.#underWay.add(sending);
  }

  async #deliver(events: readonly HookEvent[]): Promise<void> {
    const { now } = this.#options;
    const round = this.#failures;
    // Where pushbox is stopping, or the queue is another endpoint's by now, it is as if nothing had been sent.
    if (this.#stopped) return this.#settle({ ...NOTHING, back: seqsOf(events) });
    let settlement: HookSettlement;
    try {
      settlement = this.#judge(events, await this.#post.send(messageId(events), bodyOf(events), now()), round);
    } catch (error) {
      settlement = { ...NOTHING, back: seqsOf(events) };
      const { message, late } = error instanceof Unanswered ? error : { message: String(error), late: false };
      if (!this.#stopped) this.#down(late ? "timeout" : "unreachable", round, message, 0);
    }
    await this.#settle(settlement);
  }

  #judge(events: readonly HookEvent[], { status, retryAfter, body }: Answer, round: number): HookSettlement {
    const now = this.#options.now();
    const back: HookSettlement = { ...NOTHING, back: seqsOf(events) };
    const reason = `it answered ${status}`;
    switch (meaning(status)) {
      case "delivered": {
        const failed = failedIds(body);
        const refused = events.filter(({ id }) => failed.has(id));
        const taken = events.filter(({ id }) => !failed.has(id));
        this.#results[refused.length === 0 ? "delivered" : "partly"]++;
        this.#delivered += taken.length;
        this.#answers();
        return {
          ...NOTHING,
          delivered: seqsOf(taken),
          retry: this.#retried(refused, 'it listed the id as "failed"', now),
        };
      }
      case "gone":
        this.#results.gone++;
        this.#switchOff("it answered 410 Gone", now);
        return back;
      case "down": {
        const result = status < 400 ? "redirect" : status === 429 || status === 503 ? "busy" : resultOf(status);
        const hint = result === "redirect" ? ", and redirects are not followed: write the final address into url" : "";
        this.#down(result, round, `${reason}${hint}`, patience(retryAfter, now));
        return back;
      }
      case "disliked":
        this.#probing = true;
        if (events.length > 1) {
          this.#results[resultOf(status)]++;
          this.#lastError = { reason, at: now };
          this.#most = events.length >> 1;
          return back;
        }
        if (++this.#strikes >= STRIKES) this.#down(resultOf(status), round, reason, 0);
        else {
          this.#results[resultOf(status)]++;
          this.#lastError = { reason, at: now };
        }
        return { ...NOTHING, retry: this.#retried(events, reason, now) };
    }
  }

  #retried(events: readonly HookEvent[], reason: string, now: number): HookSettlement["retry"] {
    const { dice } = this.#options;
    return events.map(({ seq, attempts }) => ({ seq, due: now + pause(attempts + 1, dice()), reason }));
  }

  #answers(): void {
    this.#most = Math.min(LARGEST, 2 * this.#most);
    this.#strikes = 0;
    this.#probing = false;
    if (this.#failingSince === undefined || this.#off !== undefined) return;
    const { name, log, now } = this.#options;
    log.info(`hook ${name}: answers again, after ${Math.round((now() - this.#failingSince) / 1000)} s`);
    this.#failures = 0;
    this.#failingSince = undefined;
    this.#rest = undefined;
    this.#remember();
    void this.#hurry();
  }

  /** @param asked milliseconds that it asked for */
  #down(result: HookResult, round: number, reason: string, asked: number): void {
    const { name, log, now, dice } = this.#options;
    this.#results[result]++;
    this.#lastError = { reason, at: now() };
    this.#probing = true;
    if (round !== this.#failures || this.#off !== undefined) return;
    this.#failures++;
    if (this.#failingSince === undefined) {
      this.#failingSince = now();
      this.#remember();
    }
    if (now() - this.#failingSince >= PATIENCE)
      return this.#switchOff(`it failed for five days, at last: ${reason}`, now());
    const wait = Math.max(asked, pause(this.#failures, dice()));
    this.#restUntil = now() + wait;
    this.#rest = new Term(this.#restUntil, now());
    log.warn(`hook ${name}: ${reason}; its events wait, the next try is in ${Math.ceil(wait / 1000)} s`);
  }

  #switchOff(reason: string, at: number): void {
    if (this.#off !== undefined) return;
    const { name, log } = this.#options;
    this.#off = { reason, at };
    this.#lastError = this.#off;
    this.#remember();
    log.error(
      `hook ${name}: switched off: ${reason}. Its events wait until hooks.keep has passed; call /api/hook/resume, or change its url and reload (SIGHUP)`,
    );
  }

  #remember(): void {
    this.#options.remember(this.standing);
  }

  async #hurry(): Promise<void> {
    const { name, queue, log } = this.#options;
    await queue.hurry(name).catch((error: unknown) => log.failed(error));
    this.wake();
  }

  /** Tries until the store takes it: meanwhile the events are still ours. Never rejects. */
  async #settle(settlement: HookSettlement): Promise<void> {
    const { name, queue, log } = this.#options;
    for (;;) {
      try {
        return await queue.settle(name, settlement);
      } catch (error) {
        log.failed(error);
        if (this.#stopped) return; // the next start sends them again
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY).unref());
      }
    }
  }
}

const NOTHING: HookSettlement = { delivered: [], retry: [], back: [] };

/** What goes together: the order stays. */
function batches(events: readonly HookEvent[], most: number): HookEvent[][] {
  const found: HookEvent[][] = [];
  let size = 0;
  for (const event of events) {
    const own = wireSize(event);
    const last = found.at(-1);
    if (last === undefined || last.length === most || size + own > SIZE) {
      found.push([event]);
      size = own;
    } else {
      last.push(event);
      size += own;
    }
  }
  return found;
}

const seqsOf = (events: readonly HookEvent[]): readonly number[] => events.map(({ seq }) => seq);

const resultOf = (status: number): HookResult => (status < 500 ? "refused" : "error");

/** The same events have the same id, whenever they are sent again: after a crash too. */
const messageId = (events: readonly HookEvent[]): string =>
  `msg_${createHash("sha256")
    .update(events.map(({ id }) => id).join(" "))
    .digest("base64url")
    .slice(0, 27)}`;

/** The same events have the same body. */
const bodyOf = (events: readonly HookEvent[]): string =>
  `{"type":"events","timestamp":"${new Date(events.at(-1)?.time ?? 0).toISOString()}","data":{"events":[${events.map(eventJson).join(",")}]}}`;
