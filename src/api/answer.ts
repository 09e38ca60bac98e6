// Every answer of the API has the same two headers; callers look at `code` rather than at the status.
import type { ErrorCode } from "../core/errors.ts";
import { Pace } from "../core/pace.ts";
import type { Pushed } from "../core/push.ts";
import type { Header, Response } from "../http/message.ts";
import { joined } from "../http/pieces.ts";

const COMMON: readonly Header[] = [["Cache-Control", "no-store"]];
const JSON_HEADERS: readonly Header[] = [["Content-Type", "application/json; charset=utf-8"], ...COMMON];

/** `value` written in this turn: long lists go by `jsonList`. */
export const json = (value: unknown, status = 200): Response => ({
  status,
  headers: JSON_HEADERS,
  body: JSON.stringify(value),
});

/**
 * A long list, written in pieces: others get their turn meanwhile.
 * @param together so many in a piece: fewer of those that are long themselves
 */
export async function jsonList(items: readonly object[], together = LISTED_AT_ONCE): Promise<Response> {
  return { status: 200, headers: JSON_HEADERS, body: await listBody("[", items, "]", together) };
}

/** An object whose last member is a long list, written in pieces. */
export async function jsonMembers(
  head: object,
  name: string,
  items: readonly object[],
  together = LISTED_AT_ONCE,
): Promise<Response> {
  const before = `${JSON.stringify(head).slice(0, -1)},"${name}":[`;
  return { status: 200, headers: JSON_HEADERS, body: await listBody(before, items, "]}", together) };
}

/** Of more than one piece as bytes: 18 MB of text, joined and encoded at once, would keep the loop for 0.1 s. */
async function listBody(
  before: string,
  items: readonly object[],
  after: string,
  together: number,
): Promise<string | Uint8Array> {
  const text = (from: number): string => JSON.stringify(items.slice(from, from + together)).slice(1, -1);
  if (items.length <= together) return `${before}${text(0)}${after}`;
  const pace = new Pace();
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < items.length; from += together) {
    const isLast = from + together >= items.length;
    pieces.push(Buffer.from(`${from === 0 ? before : ","}${text(from)}${isLast ? after : ""}`));
    if (pace.over()) await pace.turn();
  }
  return joined(pieces, pace);
}
const LISTED_AT_ONCE = 64;

export const SUCCESS: Response = json({ code: "success" });

/** Made by hand: every push has one. Ids are alphanumerics. */
export const pushed = ({ id, online }: Pushed): Response => ({
  status: 200,
  headers: JSON_HEADERS,
  body: `{"code":"success","id":"${id}"${online === undefined ? "" : `,"online":${online}`}}`,
});

/**
 * @param hint what a caller can do about it, where the message stays as callers know it
 * @param requestId by which the call is found in the log
 */
export function failed(
  status: number,
  message: string,
  {
    hint,
    requestId,
    members,
  }: { hint?: string | undefined; requestId?: string | undefined; members?: object | undefined },
): Response {
  const answer = json({ code: "error", message, hint, ...members, requestId }, status);
  return status === 401 ? { ...answer, headers: [...answer.headers, CHALLENGE] } : answer;
}

/** RFC 9110 15.5.2 wants one with every 401. */
const CHALLENGE: Header = ["WWW-Authenticate", 'Bearer realm="pushbox"'];

/** The same answer with warnings. One that is a list, or says nothing, stays as it is. */
export function withWarnings(answer: Response, warnings: readonly string[]): Response {
  const { body } = answer;
  if (typeof body !== "string" || !body.startsWith('{"')) return answer;
  return { ...answer, body: `${body.slice(0, -1)},"warnings":${JSON.stringify(warnings)}}` };
}

/**
 * The same answer, of which what only these nodes know is missing. One that is a list says so in its head alone.
 * @param names of nodes that have not answered; none: nothing is missing
 */
export function withSilent(answer: Response, names: readonly string[]): Response {
  if (names.length === 0) return answer;
  const head: readonly Header[] = [
    ["Pushbox-Partial", "true"],
    ["Pushbox-Silent", names.map(encodeURIComponent).join(",")],
  ];
  const told = { ...answer, headers: [...answer.headers, ...head] };
  const { body } = answer;
  if (typeof body !== "string" || !body.startsWith("{")) return told;
  const partial = /"partial":true[,}]/.test(body.slice(-100)) ? "" : '"partial":true,';
  return {
    ...told,
    body: `${body.slice(0, -1)}${body === "{}" ? "" : ","}${partial}"silent":${JSON.stringify(names)}}`,
  };
}

/** To OPTIONS, which executes nothing: a browser asks so before it sends JSON to another origin. */
export const allowing = (headers: readonly Header[]): Response => ({
  status: 204,
  headers: [...COMMON, ...headers],
  body: "",
});

/** Text that is no JSON. */
export const shown = (type: string, body: string): Response => ({
  status: 200,
  headers: [["Content-Type", type], ...COMMON],
  body,
});

/** Of an answer without end: server-sent events. */
export const STREAM_HEADERS: readonly Header[] = [
  ["Content-Type", "text/event-stream; charset=utf-8"],
  ...COMMON,
  ["X-Accel-Buffering", "no"], // nginx would gather what is to go at once
];

export const HEALTHY: Response = shown("text/plain", "ok");

/** Which status of HTTP an error of the core is answered with. */
export const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  denied: 401,
  conflict: 409,
  too_large: 413,
  unavailable: 503,
};
