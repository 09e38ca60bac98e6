// The way to the storage thread: gathers the calls of a turn into one message, and settles them in order when it is answered.
import type { Worker } from "node:worker_threads";
import { PushError } from "../core/errors.ts";
import { inTurn, Pace } from "../core/pace.ts";
import { pack } from "./sqlite/message.ts";
import type { BatchReply, Call, Failure, MethodName, Methods, Request } from "./sqlite/thread.ts";

/** A message takes no more than this much work, so that a call which comes next does not wait long. */
const MESSAGE_WEIGHT = 2000;
/**
 * Each message is a commit, so few large ones: a message goes when the thread is free and a turn has brought no further calls,
 * or after so many turns. 50 callers then share a commit (52,000 durable packets/s; 39,000 with one message worked on while the
 * next, of those that were answered last, lies ready).
 */
const GATHERING_TURNS = 4;
/** So many calls are worth a commit of their own: they lie ready while the thread works. */
const LARGE = 64;
/** Far behind: better to refuse at once than to take calls that are answered minutes later. */
const WAITING_LIMIT = 1_000_000;

/** So many calls are settled in one turn at most: each lets somebody go on in it. */
const SETTLED_AT_ONCE = 128;

/** Does a part of the work, in one turn; true: that was the last. */
export type Steps = () => boolean;

interface Pending {
  readonly call: Call;
  readonly weight: number;
  readonly committed: ((result: never) => Steps | undefined) | undefined;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export interface BatchFigures {
  readonly calls: number;
  /** Milliseconds in the calls, and in the commit. */
  readonly work: number;
  readonly commit: number;
}

/** The calls of a store, whichever it is: what each does is that of the method of this name (`sqlite/thread.ts`). */
export interface Calls {
  /**
   * One call of the store. `committed` is run with its result after the commit, in the order of the calls and before any of a
   * later one is settled: what must keep that order is done there, not after an `await`. When it takes longer than a turn it gives
   * back its further steps: nothing later is settled until they are done.
   */
  call<Name extends MethodName>(
    name: Name,
    args: Parameters<Methods[Name]>,
    weight?: number,
    committed?: (result: ReturnType<Methods[Name]>) => Steps | undefined,
  ): Promise<ReturnType<Methods[Name]>>;
}

/** Calls of the storage thread: a message of them is a commit. Its answers come in the order of the messages. */
export class Queue implements Calls {
  readonly #worker: Worker;
  readonly #onBatch: ((figures: BatchFigures) => void) | undefined;
  readonly #underWay: Pending[][] = [];
  /** Answers to the first of these, of which so many calls are settled. */
  readonly #replies: BatchReply[] = [];
  #settled = 0;
  /** What is left to do after the commit of the call that is being settled. */
  #steps: Steps | undefined;
  readonly #pace = new Pace();
  #waiting: Pending[] = [];
  #weight = 0;
  #scheduled = false;
  #refusal: Error | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(worker: Worker, onBatch: ((figures: BatchFigures) => void) | undefined) {
    this.#worker = worker;
    this.#onBatch = onBatch;
  }

  /** Calls not yet answered. */
  get length(): number {
    return this.#underWay.reduce((sum, batch) => sum + batch.length, this.#waiting.length);
  }

  /** Rejects at once after `drain` and `fail`, and with `PushError("unavailable")` when the thread is far behind. */
  call<Name extends MethodName>(
    name: Name,
    args: Parameters<Methods[Name]>,
    weight = 1,
    committed?: (result: ReturnType<Methods[Name]>) => Steps | undefined,
  ): Promise<ReturnType<Methods[Name]>> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (this.#weight >= WAITING_LIMIT)
      return Promise.reject(new PushError("unavailable", "the store is far behind: try again later"));
    return new Promise((resolve, reject) => {
      // The thread answers with what the method of this name returns.
      const settle = resolve as (result: unknown) => void;
      this.#waiting.push({ call: [name, args], weight, committed, resolve: settle, reject });
      this.#weight += weight;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    const ready = this.#underWay.length - this.#replies.length;
    if (ready > 1 || (ready === 1 && this.#waiting.length < LARGE)) return;
    this.#scheduled = true;
    this.#gather(0, GATHERING_TURNS);
  }

  /** In `setImmediate`, at the end of the turn: a microtask would come before the other callers of the same turn. */
  #gather(before: number, turns: number): void {
    setImmediate(() => {
      const count = this.#waiting.length;
      if (turns > 1 && count > before && count < LARGE) return this.#gather(count, turns - 1);
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    let count = 0;
    for (let weight = 0; count < this.#waiting.length && weight < MESSAGE_WEIGHT; count++)
      weight += this.#waiting[count]!.weight;
    if (count === 0) return;
    const batch = this.#waiting.splice(0, count);
    for (const { weight } of batch) this.#weight -= weight;
    // A value that cannot be copied to a thread, a function for instance, is a bug of one caller: the others go on.
    if (!this.#post(batch)) for (const pending of batch) this.#post([pending], pending);
    this.#schedule();
  }

  #post(batch: Pending[], culprit?: Pending): boolean {
    const request: Request = { kind: "batch", calls: pack(batch.map(({ call }) => call)) };
    try {
      this.#worker.postMessage(request);
    } catch (error) {
      culprit?.reject(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
    this.#underWay.push(batch);
    return true;
  }

  /** The answer to the oldest message that has none. */
  answered(reply: BatchReply): void {
    this.#replies.push(reply);
    if (this.#replies.length === 1) this.#settleSome();
    this.#schedule();
  }

  /** In the order of the calls, as many as a turn has time for. */
  #settleSome(): void {
    this.#pace.begin();
    let count = 0;
    for (let reply = this.#replies[0]; reply !== undefined; reply = this.#replies[0]) {
      const batch = this.#underWay[0] ?? [];
      const failures = reply.failures.length === 0 ? undefined : new Map(reply.failures);
      while (this.#settled < batch.length) {
        const isDue = count > 0 && (count >= SETTLED_AT_ONCE || ((count & 15) === 0 && this.#pace.over()));
        if (isDue || !this.#settle(batch[this.#settled]!, reply.results[this.#settled], failures?.get(this.#settled)))
          return inTurn(() => this.#settleSome());
        this.#settled++;
        count++;
      }
      this.#underWay.shift();
      this.#replies.shift();
      this.#settled = 0;
      this.#onBatch?.({ calls: batch.length, work: reply.work, commit: reply.commit });
      this.#schedule();
      if (this.length === 0) this.#whenEmpty?.();
    }
  }

  /** False: there are steps left for later turns. */
  #settle(pending: Pending, result: unknown, failure: Failure | undefined): boolean {
    if (failure !== undefined) {
      pending.reject(revive(failure));
      return true;
    }
    try {
      // The result is of this very call.
      if (this.#steps === undefined) this.#steps = pending.committed?.(result as never) ?? undefined;
      if (this.#steps?.() === false) return false;
      pending.resolve(result);
    } catch (error) {
      pending.reject(error instanceof Error ? error : new Error(String(error)));
    }
    this.#steps = undefined;
    return true;
  }

  /** Takes no more calls; resolves when all taken before are answered. */
  drain(reason: Error): Promise<void> {
    this.#refusal ??= reason;
    return new Promise((resolve) => {
      if (this.length === 0) resolve();
      else this.#whenEmpty = resolve;
    });
  }

  /** The thread is gone: nothing will be answered any more. */
  fail(reason: Error): void {
    this.#refusal = reason;
    const lost = [...this.#underWay.flat(), ...this.#waiting];
    this.#underWay.length = 0;
    this.#replies.length = 0;
    this.#settled = 0;
    this.#steps = undefined;
    this.#waiting = [];
    this.#weight = 0;
    for (const pending of lost) pending.reject(reason);
    this.#whenEmpty?.();
  }
}

/** A failure in the thread as an error here; with a code it was a `PushError` there. */
export function revive({ code, message, stack }: Failure): Error {
  if (code !== undefined) return new PushError(code, message);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
