// What parameters look like in the table of endpoints.
import type { Paged } from "../bounds.ts";
import { type Members, type Schema, text } from "./schema.ts";

/** Every array form of api 1.1. */
export const ids = (why: string, most?: number): Schema => ({
  anyOf: [
    { type: ["string", "integer"] },
    { type: "array", items: { type: ["string", "integer"] }, ...(most === undefined ? {} : { maxItems: most }) },
  ],
  description: `${why}; one, or many in any array form`,
});
export const flag = (why: string): Schema => ({
  type: ["boolean", "string"],
  enum: [true, false, "true", "false"],
  description: why,
});
export const bounded = (least: number, most: number, why: string, usual?: number): Schema => ({
  type: "integer",
  minimum: least,
  maximum: most,
  ...(usual === undefined ? {} : { default: usual }),
  description: why,
});
/** `limit` of a list. */
export const atMost = ({ usual, most }: Paged): Schema => bounded(1, most, "how many at most", usual);
/** `limit` and `after` of a list. */
export const pages = (paged: Paged): Members => ({
  limit: atMost(paged),
  after: text("the `next` of the page before"),
});
export const time = (why: string): Schema => ({
  type: ["integer", "string"],
  description: `${why}: milliseconds since 1970, or ISO text with its zone`,
});
export const duration = (why: string, most?: number): Schema => ({
  type: ["number", "string"],
  ...(most === undefined ? {} : { maximum: most }),
  description: `${why}: milliseconds, or a duration like 90s, 15m, 1h, 7d`,
});
