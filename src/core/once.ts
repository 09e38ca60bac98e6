// A call that its caller may repeat acts once: the same key means the same call, and gets the same answer.
import { PushError } from "./errors.ts";
import type { Calls, Once } from "./outbox.ts";

interface Running {
  readonly digest: string;
  readonly answer: Promise<string>;
}

/** What this process is at, per store: two calls with one key at the same moment are one. */
const running = new WeakMap<Calls, Map<string, Running>>();

/**
 * Acts, unless a call with this key has acted before, and resolves with the answer of the one that did. A call that comes
 * while the first one is still at it waits for that, and fails when it fails. A failure frees the key, so that a repetition
 * acts again; so does a crash in the middle, which nobody can tell from one just before the end.
 * @throws PushError("conflict") when the key was used for something else
 */
export function once(calls: Calls, call: Once, now: number, act: () => Promise<string>): Promise<string> {
  let mine = running.get(calls);
  if (mine === undefined) {
    mine = new Map();
    running.set(calls, mine);
  }
  const others = mine;
  const first = others.get(call.key);
  if (first !== undefined) return first.digest === call.digest ? first.answer : Promise.reject(conflict());
  const answer = begun(calls, call, now, act).finally(() => others.delete(call.key));
  others.set(call.key, { digest: call.digest, answer });
  return answer;
}

async function begun(calls: Calls, call: Once, now: number, act: () => Promise<string>): Promise<string> {
  const before = await calls.begin(call, now);
  if (before !== undefined) return before;
  let answer: string;
  try {
    answer = await act();
  } catch (error) {
    // A key that could not be freed is still unfinished, so a repetition acts either way; the caller is told of `error`.
    await calls.abandon(call.key).catch(() => {});
    throw error;
  }
  // It has acted, whether that could be noted or not. To say it failed would be to ask for the repetition.
  await calls.finish(call.key, answer).catch(() => {});
  return answer;
}

/** The same words wherever a key is found to be in use. */
export const conflict = (): PushError =>
  new PushError("conflict", "idempotencyKey was used for a call that asked for something else: take a new key");
