// What of a device's record is the same in every store: its tags, and the tokens that it had before, both as JSON.
import type { FormerToken } from "../core/device.ts";
import { MINUTE } from "../core/time.ts";
import type { TokenColumns } from "./tokens.ts";

/** A device is noted as seen once in so many milliseconds at most: most disconnects write nothing. */
export const SEEN_WITHIN = 10 * MINUTE;
/** Tokens that a device had before, and characters of each. */
const MOST_FORMER = 3;
const LONGEST_FORMER = 200;
/** Why a token is one of the past. */
export const REPLACED = "the device brought another one";

/** @param tags as `tagsText` wrote them */
export const tagsOf = ({ tags }: { readonly tags: string | null }): readonly string[] =>
  tags === null ? [] : (JSON.parse(tags) as readonly string[]);

/** null: there are none. */
export const tagsText = (tags: readonly string[]): string | null => (tags.length > 0 ? JSON.stringify(tags) : null);

export const unique = (tags: readonly string[]): string[] => [...new Set(tags)];

/** In the same order. */
export const sameTags = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((tag, i) => tag === b[i]);

/** The newest first. @param text as `historyText` wrote it; absent: there was none */
export const historyOf = (text: string | null | undefined): readonly FormerToken[] =>
  text == null ? [] : (JSON.parse(text) as readonly FormerToken[]);

/** The record's token as one of the past; undefined: it has none. */
export function formerToken(
  { type, token, package: app }: Pick<TokenColumns, "type" | "token" | "package">,
  reason: string,
  now: number,
): FormerToken | undefined {
  if (type === null || token === null) return undefined;
  return {
    type,
    token: token.slice(0, LONGEST_FORMER),
    ...(app !== null ? { packageName: app } : undefined),
    at: now,
    reason,
  };
}

/** @param before the history until now, as text */
export const historyText = (former: FormerToken, before: string | null | undefined): string =>
  JSON.stringify([former, ...historyOf(before)].slice(0, MOST_FORMER));
