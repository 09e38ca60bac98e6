// The way to the storage thread: gathers the calls of a turn into one message, and settles them in order when it is answered.
import type { Worker } from "node:worker_threads";
import { PushError } from "../core/errors.ts";
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

interface Pending {
  readonly call: Call;
  readonly weight: number;
  readonly committed: ((result: never) => void) | undefined;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export interface BatchFigures {
  readonly calls: number;
  /** Milliseconds in the calls, and in the commit. */
  readonly work: number;
  readonly commit: number;
}

export class Queue {
  readonly #worker: Worker;
  readonly #onBatch: ((figures: BatchFigures) => void) | undefined;
  readonly #underWay: Pending[][] = [];
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

  /**
   * One call of the store. `committed` is run with its result after the commit, in the order of the calls and before any of a
   * later one is settled: what must keep that order is done there, not after an `await`.
   */
  call<Name extends MethodName>(
    name: Name,
    args: Parameters<Methods[Name]>,
    weight = 1,
    committed?: (result: ReturnType<Methods[Name]>) => void,
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
    const ready = this.#underWay.length;
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

  answered(reply: BatchReply): void {
    const batch = this.#underWay.shift() ?? [];
    const failures = new Map(reply.failures);
    for (const [index, pending] of batch.entries()) settle(pending, reply.results[index], failures.get(index));
    this.#onBatch?.({ calls: batch.length, work: reply.work, commit: reply.commit });
    this.#schedule();
    if (this.length === 0) this.#whenEmpty?.();
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
    this.#waiting = [];
    this.#weight = 0;
    for (const pending of lost) pending.reject(reason);
    this.#whenEmpty?.();
  }
}

function settle(pending: Pending, result: unknown, failure: Failure | undefined): void {
  if (failure !== undefined) {
    pending.reject(revive(failure));
    return;
  }
  try {
    pending.committed?.(result as never); // of this very call
    pending.resolve(result);
  } catch (error) {
    pending.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

export function revive({ code, message, stack }: Failure): Error {
  if (code !== undefined) return new PushError(code, message);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
