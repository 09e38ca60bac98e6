// Ids as callers write them: text, or numbers that stand for their digits (api 1.1).
import { LONGEST_TOKEN } from "../core/device.ts";
import { PushError } from "../core/errors.ts";

export interface Limits {
  /** Longest pushId, uid, tag or other label, in characters. */
  readonly id: number;
  readonly topic: number;
}

/** Parameters whose list may be so long that it is read in pieces. The lists of others come whole. */
export const LISTS: ReadonlySet<string> = new Set(["pushId", "uid", "tokens", "delivery"]);

/** Characters of one id in this list. */
export const longestOf = (name: string, limits: Limits): number => (name === "tokens" ? LONGEST_TOKEN : limits.id);

/** @throws PushError("invalid") for what is no text and no number, is too long, or is a number above 2^53 */
export function idText(value: unknown, name: string, longest: number): string {
  const id = typeof value === "number" ? numeral(value, name) : value;
  if (typeof id !== "string") throw new PushError("invalid", `${name} must be a string, a number or an array of these`);
  return limited(id, name, longest);
}

/** @throws PushError("invalid") when it has more than `most` characters, or half a surrogate pair: stored, it would be another text */
export function limited<T extends string | undefined>(text: T, name: string, most: number): T {
  if (text === undefined) return text;
  if (text.length > most) throw new PushError("invalid", `${name} is longer than ${most} characters`);
  if (!text.isWellFormed())
    throw new PushError("invalid", `${name} has half a character: a surrogate without its other`);
  return text;
}

/** Numbers above 2^53 have lost digits already when they get here. */
export function numeral(value: number, name: string): string {
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return String(value);
  throw new PushError("invalid", `${name}: send numbers above ${Number.MAX_SAFE_INTEGER} as strings`);
}
