// What vendors answer is not trusted: it may be no JSON, another vendor's, endless, or quote our secrets back at us.
import type { Outcome } from "../core/vendor.ts";
import type { HttpReply } from "./dialect.ts";
import { type Fields, isFields } from "./fields.ts";
import { nextDay } from "./lifetime.ts";

/** What a vendor's code means for a token. */
export type Verdict = Exclude<Outcome["kind"], "accepted">;

const EXCERPT = 160;

/** The object the vendor answered; or, when there is none to be understood, what that means for every token. */
export function understand(reply: HttpReply, now: number): { readonly said: Fields } | { readonly outcome: Outcome } {
  const said = reply.status < 500 && reply.status !== 429 ? parseObject(reply.body) : undefined;
  if (said !== undefined) return { said };
  const after = retryAfter(reply.headers["retry-after"], now);
  const reason = `HTTP ${reply.status}`;
  return { outcome: { kind: "retry", reason, ...(after === undefined ? {} : { after }) } };
}

/** The reply without what authorised its request: a vendor that quotes it would have it in the log and in the API's answers. */
export function withoutSecret(reply: HttpReply, secret: string): HttpReply {
  if (secret === "" || reply.body === "") return reply;
  const escaped = secret.replaceAll("/", "\\/"); // some write it so in JSON
  if (!reply.body.includes(secret) && !reply.body.includes(escaped)) return reply;
  return { ...reply, body: reply.body.replaceAll(secret, "***").replaceAll(escaped, "***") };
}

/** Undefined: it is no JSON, or no object. */
export function parseObject(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Milliseconds, from seconds or an HTTP date. */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const after = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isSafeInteger(after) && after >= 0 ? after : undefined;
}

/** `after`: milliseconds, for the verdict `retry`. A spent quota returns at midnight UTC+8. */
export function judge(verdict: Verdict, reason: string, now: number, after?: number): Outcome {
  if (verdict === "paused") return { kind: verdict, reason, until: nextDay(now) };
  return verdict === "retry" && after !== undefined ? { kind: verdict, reason, after } : { kind: verdict, reason };
}

/** The vendor's code and the beginning of its text on one line, without our secrets. */
export function excerpt(code: string, text: unknown, secrets: readonly string[]): string {
  let line = typeof text === "string" && text !== "" ? `${code} ${text}` : code;
  for (const secret of secrets) line = line.replaceAll(secret, "***");
  return line.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, EXCERPT);
}

/** A code or id, which vendors write as a number or as text. */
export function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
}

/** Tokens, which vendors write as a list or as text with commas. */
export function asList(value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : typeof value === "string" ? value.split(",") : [];
  return items.flatMap((item) => (typeof item === "string" && item.trim() !== "" ? [item.trim()] : []));
}
