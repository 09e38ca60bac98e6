// /api/hook/*: the endpoints that events are sent to, how they do, and letting those go on that have failed.
import { wallClock } from "../core/clock.ts";
import { PushError } from "../core/errors.ts";
import type { HookStatus, HookTrouble } from "../core/hooks.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { EVENTS } from "./bounds.ts";
import { knownHook, shownEvent, unknownHook } from "./event.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

/** Each as configured, with what waits; `lag` is how old the oldest is, in milliseconds. */
export const hookList = async (actions: Actions): Promise<Response> =>
  json({ code: "success", hooks: (await actions.hooks.list()).map((hook) => describe(hook, wallClock())) });

/** All of them, or the one of this name: they are tried at once. Answers with those that had failed or were off. */
export async function hookResume(params: Params, actions: Actions): Promise<Response> {
  const name = params.label("name");
  const resumed = await actions.hooks.resume(name);
  if (resumed === undefined) throw unknownHook(name ?? "");
  return json({ code: "success", resumed });
}

/** Sends a message of no event, and tells what became of it. */
export async function hookTest(params: Params, actions: Actions): Promise<Response> {
  const name = required(params);
  const test = await actions.hooks.test(name);
  if (test === undefined) throw unknownHook(name);
  return json({ code: "success", node: actions.node, ...test });
}

/** Events that an endpoint did not take while they were kept, oldest first; `next`, given back as `after`, goes on. */
export async function hookDead(params: Params, actions: Actions): Promise<Response> {
  const asked = required(params);
  const limit = params.whole("limit", 1, EVENTS.most) ?? EVENTS.usual;
  const after = params.whole("after", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const name = await knownHook(asked, actions);
  const letters = await actions.events.dead(name, after, limit);
  return json({
    code: "success",
    events: letters.map((letter) => ({
      ...shownEvent(letter),
      attempts: letter.attempts,
      reason: letter.reason,
      ...told("diedAt", letter.at),
    })),
    next: letters.length < limit ? undefined : letters.at(-1)?.seq,
  });
}

function required(params: Params): string {
  const name = params.label("name");
  if (name === undefined) throw new PushError("invalid", "name is required: that of one of [[hooks.tell]]");
  return name;
}

const describe = ({ oldest, failingSince, nextTry, lastError, off, ...hook }: HookStatus, now: number): object => ({
  ...hook,
  /** How far behind it is. */
  lag: oldest === undefined ? 0 : Math.max(0, now - oldest),
  ...told("failingSince", failingSince),
  ...told("nextTry", nextTry),
  lastError: trouble(lastError),
  off: trouble(off),
});

const trouble = (one: HookTrouble | undefined): object | undefined =>
  one === undefined ? undefined : { reason: one.reason, ...told("at", one.at) };
