// Every answer of the API has the same three headers; callers look at `code` rather than at the status.
import type { ErrorCode } from "../core/errors.ts";
import type { Pushed } from "../core/push.ts";
import type { Header, Response } from "../http/message.ts";

const COMMON: readonly Header[] = [
  ["Access-Control-Allow-Origin", "*"],
  ["Cache-Control", "no-store"],
];
const JSON_HEADERS: readonly Header[] = [["Content-Type", "application/json; charset=utf-8"], ...COMMON];

export const json = (value: unknown, status = 200): Response => ({
  status,
  headers: JSON_HEADERS,
  body: JSON.stringify(value),
});

export const SUCCESS: Response = json({ code: "success" });

/** Made by hand: every push has one. Ids are alphanumerics. */
export const pushed = ({ id, online }: Pushed): Response => ({
  status: 200,
  headers: JSON_HEADERS,
  body: `{"code":"success","id":"${id}"${online === undefined ? "" : `,"online":${online}`}}`,
});

export const failed = (status: number, message: string, hint?: string): Response =>
  json({ code: "error", message, hint }, status);

/** The same answer with warnings. One that is a list, or says nothing, stays as it is. */
export function withWarnings(answer: Response, warnings: readonly string[]): Response {
  const { body } = answer;
  if (typeof body !== "string" || !body.startsWith('{"')) return answer;
  return { ...answer, body: `${body.slice(0, -1)},"warnings":${JSON.stringify(warnings)}}` };
}

/** A browser asks this before it sends JSON to another origin. Nothing is executed. */
export const PREFLIGHT: Response = {
  status: 204,
  headers: [
    ...COMMON,
    ["Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"],
    ["Access-Control-Allow-Headers", "Content-Type, Authorization, X-Api-Key, Idempotency-Key"],
    ["Access-Control-Max-Age", "600"],
  ],
  body: "",
};

/** Text that is no JSON. */
export const shown = (type: string, body: string): Response => ({
  status: 200,
  headers: [["Content-Type", type], ...COMMON],
  body,
});

export const HEALTHY: Response = shown("text/plain", "ok");

export const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  denied: 401,
  conflict: 409,
  too_large: 413,
  unavailable: 503,
};
