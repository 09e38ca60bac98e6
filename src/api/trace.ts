// /api/trace/*: what is said to and by a device, user, address or topic, and what is decided about it (api 6.8).
import { PushError } from "../core/errors.ts";
import type { TraceTarget, TraceView } from "../core/trace.ts";
import { HttpError, type Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { MOST_MINUTES, TRACE_LINES, USUAL_MINUTES } from "./bounds.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

const TARGETS = ["pushId", "uid", "address", "topic"] as const;

/** @throws PushError("conflict") while as many run as may */
export async function traceStart(params: Params, { traces }: Actions): Promise<Response> {
  const minutes = params.whole("minutes", 1, MOST_MINUTES) ?? USUAL_MINUTES;
  return json({ code: "success", trace: describe(await traces.start(targetOf(params), minutes)) });
}

function targetOf(params: Params): TraceTarget {
  const given = TARGETS.flatMap((name) => {
    const value = name === "topic" ? params.topic() : params.id(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  if (given.length !== 1)
    throw new PushError("invalid", `exactly one of ${TARGETS.join(", ")} is required: whom or what to follow`);
  return Object.fromEntries(given);
}

/** What it has seen stays. @throws HttpError 404 when no trace is called so */
export async function traceStop(params: Params, { traces }: Actions): Promise<Response> {
  const name = nameOf(params);
  const trace = await traces.stop(name);
  if (trace === undefined) throw unknown(name);
  return json({ code: "success", trace: describe(trace) });
}

export const traceList = async ({ traces }: Actions): Promise<Response> =>
  json({ code: "success", traces: (await traces.list()).map(describe) });

/** Whoever follows a trace asks again with the number of the last line. */
export async function traceGet(params: Params, { traces }: Actions): Promise<Response> {
  const name = nameOf(params);
  const after = params.whole("after", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const limit = params.whole("limit", 1, TRACE_LINES.most) ?? TRACE_LINES.usual;
  const page = await traces.get(name, after, limit);
  if (page === undefined) throw unknown(name);
  return json({
    code: "success",
    trace: describe(page.trace),
    lines: page.lines.map(({ at, ...line }) => ({ ...line, ...told("at", at) })),
    next: page.lines.at(-1)?.line ?? after,
  });
}

function nameOf(params: Params): string {
  const name = params.label("trace");
  if (name === undefined) throw new PushError("invalid", "trace is required: its name, as trace/start told it");
  return name;
}

const unknown = (name: string): HttpError =>
  new HttpError(
    404,
    `no trace is called ${name}: those that have ended make room for new ones, and a restart forgets all`,
  );

const describe = ({ startedAt, until, ...trace }: TraceView): object => ({
  ...trace,
  ...told("startedAt", startedAt),
  ...told("until", until),
});
