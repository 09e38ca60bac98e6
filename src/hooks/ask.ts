// Asks the business server, signed like an event. It may be slow, wrong or gone: who waits for its word waits for a bounded time,
// and nobody else does.
import {
  type AskCounts,
  type Asker,
  type AskResult,
  QUESTIONS,
  type Question,
  type Said,
  type Verdict,
} from "../core/ask.ts";
import { type Debug, NO_DEBUG } from "../core/debug.ts";
import { randomId } from "../core/id.ts";
import { inTurn } from "../core/pace.ts";
import { Recent } from "../core/recent.ts";
import { Tally } from "../core/tally.ts";
import type { Post } from "./post.ts";

/** Failures in a row after which nobody is asked for a while. Then one question tries, and the others go on without. */
const MOST_FAILURES = 5;
const REST = 5000;
/** Questions that wait for their turn. */
const MOST_WAITING = 4000;
const MOST_REMEMBERED = 10_000;
/** Answered without a word of the business server, in a turn. */
const ANSWERED_AT_ONCE = 16;
/** Of a queue, what has had its turn is given up in such pieces. */
const SPENT = 1000;
/** Characters of a reason that a client is told. */
const LONGEST_REASON = 200;

export interface AskOptions {
  readonly questions: readonly Question[];
  readonly subscribeTopics: readonly string[];
  readonly headers: readonly string[];
  /** Milliseconds from the question to the answer, the time before its turn included. */
  readonly timeout: number;
  /** Whether it is done without an answer. */
  readonly onFailure: Readonly<Record<Question, boolean>>;
  /** Questions at once. */
  readonly atOnce: number;
  /** Milliseconds for which a yes is remembered. */
  readonly remember: number;
}

export interface AskParts {
  readonly post: Pick<Post, "send" | "close">;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
  readonly warn: (fields: object, message: string) => void;
  readonly info: (message: string) => void;
  readonly debug?: Debug;
  readonly counts: AskCounts;
}

/** For a start: every question with zeros. */
export const noCounts = (): AskCounts =>
  Object.fromEntries(
    QUESTIONS.map((question) => [question, { allowed: 0, refused: 0, failed: 0, remembered: 0, skipped: 0 }]),
  ) as AskCounts;

interface Pending {
  readonly question: Question;
  readonly data: object;
  readonly fits: (said: Said) => boolean;
  readonly key: string;
  readonly until: number;
  readonly resolve: (verdict: Verdict) => void;
}

export class Ask implements Asker {
  readonly #options: AskOptions;
  readonly #parts: AskParts;
  readonly #debug: Debug;
  readonly #yes: Recent<string, { readonly verdict: Verdict; readonly until: number }>;
  readonly #waiting: Pending[] = [];
  /** Of those that wait, how many have had their turn. */
  #taken = 0;
  #inFlight = 0;
  #failures = 0;
  #restUntil = 0;
  #trying = false;
  #draining = false;
  #closed = false;
  #retired = false;
  #timer: NodeJS.Timeout | undefined = undefined;
  readonly #troubles: Tally<string, { readonly question: Question }>;

  constructor(options: AskOptions, parts: AskParts) {
    this.#options = options;
    this.#parts = parts;
    this.#debug = parts.debug ?? NO_DEBUG;
    this.#yes = new Recent(MOST_REMEMBERED);
    this.#troubles = new Tally(
      (trouble, count, { question }) =>
        parts.warn({ count, question }, `hooks.ask: a question got no answer that could be used: ${trouble}`),
      parts.elapsed,
    );
  }

  get headers(): readonly string[] {
    return this.#options.headers;
  }

  asks(question: Question): boolean {
    return this.#options.questions.includes(question);
  }

  asksAbout(topic: string): boolean {
    return this.asks("subscribe") && this.#options.subscribeTopics.some((prefix) => topic.startsWith(prefix));
  }

  ask(question: Question, data: object, fits: (said: Said) => boolean, key: string): Verdict | Promise<Verdict> {
    const now = this.#parts.elapsed();
    const name = `${question} ${key}`;
    const known = key === "" ? undefined : this.#yes.get(name);
    if (known !== undefined && known.until > now) {
      this.#count(question, "remembered");
      return known.verdict;
    }
    const resting = this.#failures >= MOST_FAILURES && (now < this.#restUntil || this.#trying);
    if (resting || this.#closed || this.#waiting.length - this.#taken >= MOST_WAITING)
      return this.#without(question, "skipped");
    if (this.#failures >= MOST_FAILURES) this.#trying = true;
    return new Promise((resolve) => {
      const pending: Pending = {
        question,
        data,
        fits,
        key: key === "" ? "" : name,
        until: now + this.#options.timeout,
        resolve,
      };
      if (this.#inFlight < this.#options.atOnce) void this.#send(pending);
      else this.#put(pending);
    });
  }

  /** Another one is asked from now on: what was asked is still answered. */
  retire(): void {
    this.#retired = true;
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    if (!this.#retired || this.#inFlight > 0 || this.#waiting.length > this.#taken) return;
    clearTimeout(this.#timer);
    void this.#parts.post.close();
  }

  /** Who waits is answered without; what is at the business server is cut off. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#drain();
    await this.#parts.post.close();
  }

  #count(question: Question, result: AskResult): void {
    this.#parts.counts[question][result]++;
  }

  #without(question: Question, result: "failed" | "skipped"): Verdict {
    this.#count(question, result);
    return { allow: this.#options.onFailure[question], failed: true, said: {} };
  }

  // ---- those that wait for their turn, the first that came first

  #put(pending: Pending): void {
    this.#waiting.push(pending);
    this.#watch();
  }

  /** The first is the one whose time is over first. */
  #watch(): void {
    const first = this.#waiting[this.#taken];
    if (first === undefined || this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#drain();
        this.#watch();
      },
      Math.max(1, first.until - this.#parts.elapsed()),
    );
    this.#timer.unref();
  }

  #next(): Pending | undefined {
    const next = this.#waiting[this.#taken];
    if (next === undefined) return undefined;
    this.#taken++;
    if (this.#taken === this.#waiting.length || this.#taken === SPENT) {
      this.#waiting.splice(0, this.#taken);
      this.#taken = 0;
    }
    return next;
  }

  /** Answers those whose time is over, and all while nobody is asked: some in a turn, for each goes on at once. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    const some = (): void => {
      for (let count = 0; count < ANSWERED_AT_ONCE; count++) {
        const first = this.#waiting[this.#taken];
        const now = this.#parts.elapsed();
        if (first === undefined || !(this.#closed || this.#failures >= MOST_FAILURES || first.until <= now)) {
          this.#draining = false;
          return;
        }
        this.#next();
        first.resolve(this.#without(first.question, "skipped"));
      }
      inTurn(some);
    };
    some();
  }

  // ---- the question

  async #send(pending: Pending): Promise<void> {
    const { question, data, fits, key, until, resolve } = pending;
    const { elapsed, now, post } = this.#parts;
    this.#inFlight++;
    const began = elapsed();
    let verdict: Verdict;
    try {
      const time = now();
      const body = JSON.stringify({ type: `ask.${question}`, timestamp: new Date(time).toISOString(), data });
      const answer = await post.send(`ask_${randomId()}`, body, time, Math.max(1, until - began));
      verdict = verdictOf(answer.status, answer.body, fits);
      if (this.#failures >= MOST_FAILURES) this.#parts.info("hooks.ask: the business server answers again");
      this.#failures = 0;
      this.#count(question, verdict.allow ? "allowed" : "refused");
      if (verdict.allow && key !== "") this.#yes.set(key, { verdict, until: elapsed() + this.#options.remember });
    } catch (error) {
      verdict = this.#failed(question, error instanceof Error ? error.message : String(error));
    }
    if (this.#debug.on) {
      const ms = Math.round(elapsed() - began);
      this.#debug.line({ question, ms, allow: verdict.allow, failed: verdict.failed }, "asked");
    }
    this.#inFlight--;
    this.#trying = false;
    const next = this.#failures >= MOST_FAILURES ? undefined : this.#next();
    if (next !== undefined) void this.#send(next);
    resolve(verdict);
    this.#endWhenDone();
  }

  #failed(question: Question, trouble: string): Verdict {
    if (this.#closed) return this.#without(question, "failed");
    this.#troubles.add(trouble, { question });
    if (++this.#failures >= MOST_FAILURES) {
      if (this.#failures === MOST_FAILURES)
        this.#parts.warn(
          {},
          `hooks.ask: ${MOST_FAILURES} failures in a row: for ${REST / 1000} s nobody is asked, and on_failure holds`,
        );
      this.#restUntil = this.#parts.elapsed() + REST;
      this.#drain();
    }
    return this.#without(question, "failed");
  }
}

/** @throws Error for what is no answer to use; the message is for the operator */
function verdictOf(status: number, body: string, fits: (said: Said) => boolean): Verdict {
  if (status !== 200) throw new Error(`it answered ${status}, not 200`);
  let said: unknown;
  try {
    said = JSON.parse(body);
  } catch {
    throw new Error("its answer is no JSON");
  }
  if (typeof said !== "object" || said === null || Array.isArray(said)) throw new Error("its answer is no JSON object");
  const { allow, reason } = said as Said;
  if (typeof allow !== "boolean") throw new Error("its answer has no allow that is true or false");
  if (allow && !fits(said as Said)) throw new Error("its answer has a field that does not fit");
  return {
    allow,
    failed: false,
    said: said as Said,
    ...(typeof reason === "string" && reason !== "" ? { reason: reason.slice(0, LONGEST_REASON) } : {}),
  };
}
