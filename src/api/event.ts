// /api/event/*: the log of events, and sending what is in it once more.
import { PushError } from "../core/errors.ts";
import { EVENT_TYPES, type Event, type EventQuery, type EventType, isPattern, takes } from "../core/events.ts";
import { HttpError, type Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { EVENTS } from "./bounds.ts";
import type { Params } from "./params.ts";

/** Oldest first; `next`, given back as `after`, goes on where the list ends. */
export async function eventList(params: Params, actions: Actions): Promise<Response> {
  const limit = params.whole("limit", 1, EVENTS.most) ?? EVENTS.usual;
  const query = readQuery(params, actions);
  const { events, next } = await actions.events.list(query, limit);
  return json({ code: "success", events: events.map(shownEvent), next });
}

/** Queues events of the log, or dead letters, for an endpoint once more. Answers how many. */
export async function eventReplay(params: Params, actions: Actions): Promise<Response> {
  const name = params.label("hook");
  if (name === undefined) throw new PushError("invalid", "hook is required: the name of one of [[hooks.tell]]");
  const from = params.strictFlag("dead") ? "dead" : "log";
  const query = readQuery(params, actions);
  if (query.from === undefined && query.after === undefined && from === "log")
    throw new PushError("invalid", "from is required: replay what was written from this time on");
  const hook = (await actions.hooks.list()).find((one) => one.name === name);
  if (hook === undefined) throw unknownHook(name);
  // The log has events of others as well, and of readers; dead letters are its own.
  const own = from === "log" ? { types: typesOf(hook.events), ...query } : query;
  return json({ code: "success", replayed: await actions.events.replay(name, from, own) });
}

/** As endpoints get it. */
export const shownEvent = ({ id, type, time, key, seq, data }: Event): object => ({
  id,
  type,
  timestamp: new Date(time).toISOString(),
  key,
  seq,
  data: JSON.parse(data) as unknown,
});

function readQuery(params: Params, actions: Actions): EventQuery {
  const patterns = eventPatterns(params);
  const after = eventAfter(params.text("after"), actions);
  const key = params.text("key");
  const from = params.time("from");
  const to = params.time("to");
  if (from !== undefined && to !== undefined && from >= to) throw new PushError("invalid", "from must be before to");
  return {
    ...(patterns === undefined ? {} : { types: typesOf(patterns) }),
    ...(after === undefined ? {} : { after }),
    ...(key === undefined ? {} : { key }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

/** `types`: a list, or separated by commas. Undefined: absent, which is all of them. */
export function eventPatterns(params: Params): readonly string[] | undefined {
  const patterns = params.ids("types")?.flatMap((text) => text.split(",").map((part) => part.trim()));
  if (patterns === undefined || patterns.length === 0) return undefined;
  const wrong = patterns.find((pattern) => !isPattern(pattern));
  if (wrong === undefined) return patterns;
  throw new PushError(
    "invalid",
    `types has no ${JSON.stringify(wrong)}: it takes ${EVENT_TYPES.join(", ")}, and families like user.*`,
  );
}

/** The types that any of the patterns takes. */
export const typesOf = (patterns: readonly string[]): readonly EventType[] =>
  EVENT_TYPES.filter((type) => patterns.some((pattern) => takes(pattern, type)));

/** The seq of an event, or its id. @throws HttpError for the id of an event that is not of this log */
export function eventAfter(text: string | undefined, actions: Actions): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const seq = actions.events.seqOf(text);
  if (seq !== undefined) return seq;
  if (/^evt_\w+$/.test(text))
    throw new HttpError(
      404,
      "after is the id of an event of another log: leave it out, or give 0 for all that is kept",
    );
  throw new PushError("invalid", "after must be the id or the seq of an event");
}

/** The name. @throws HttpError 404 when no endpoint is called so */
export async function knownHook(name: string, actions: Actions): Promise<string> {
  if (!(await actions.hooks.list()).some((hook) => hook.name === name)) throw unknownHook(name);
  return name;
}

export const unknownHook = (name: string): HttpError =>
  new HttpError(404, `no hook is called ${JSON.stringify(name)}: hook/list tells which there are`);
