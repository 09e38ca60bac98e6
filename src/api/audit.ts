// What is noted of calls that change something (api 6.4), and /api/audit/list.
import { PushError } from "../core/errors.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { AUDIT } from "./bounds.ts";
import { Ids, Payload } from "./large.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

/** What a message says is nobody's business. */
const UNTOLD: ReadonlySet<string> = new Set(["json", "data", "notification", "idempotencyKey"]);
const LONGEST = 100;
/** Of a list so many, and how many there are. */
const LISTED = 5;

/** The parameters that were given, shortened, as JSON of an object. */
export function noted(params: Params, takes: ReadonlySet<string>): string {
  const what: Record<string, unknown> = {};
  for (const name of takes) if (params.has(name) && !UNTOLD.has(name)) what[name] = short(params.raw(name));
  return JSON.stringify(what);
}

function short(value: unknown): unknown {
  if (value instanceof Ids) return listed(value.list);
  if (value instanceof Payload) return "...";
  if (Array.isArray(value)) return listed(value);
  if (typeof value === "string") return value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value;
  return typeof value === "object" ? "..." : value;
}

const listed = (list: readonly unknown[]): unknown =>
  list.length <= LISTED ? list.map(short) : { first: list.slice(0, LISTED).map(short), count: list.length };

/** Newest first; `next`, given back as `before`, goes on where the list ends. */
export async function auditList(params: Params, actions: Actions): Promise<Response> {
  const who = params.label("who");
  const action = params.text("action");
  const from = params.time("from");
  const to = params.time("to");
  const limit = params.whole("limit", 1, AUDIT.most) ?? AUDIT.usual;
  const before = params.whole("before", 1, Number.MAX_SAFE_INTEGER);
  if (from !== undefined && to !== undefined && from > to) throw new PushError("invalid", "from must not be after to");
  const entries = await actions.audit.list(
    {
      ...(who === undefined ? {} : { who }),
      ...(action === undefined ? {} : { action: action.replace(/^\/?(api\/)?/, "/") }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(before === undefined ? {} : { before }),
    },
    limit,
  );
  return json({
    code: "success",
    entries: entries.map(({ time, what, ...entry }) => ({
      ...entry,
      ...told("time", time),
      what: JSON.parse(what) as unknown, // written by `noted`
    })),
    next: entries.length < limit ? undefined : entries.at(-1)?.entry,
  });
}
