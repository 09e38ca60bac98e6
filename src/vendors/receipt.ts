// What callbacks of Chinese vendors have in common: one event of one message, told of several tokens at once.
import { createHash, timingSafeEqual } from "node:crypto";
import type { Receipt } from "../core/vendor.ts";
import { asList, asText } from "./answer.ts";

export interface Told {
  /** The vendor's id of the message. */
  readonly id: unknown;
  /** Tokens, as a list or with commas. */
  readonly targets: unknown;
  /** Our notification's id, where it was short enough to be sent along. */
  readonly param: unknown;
  /** Epoch milliseconds, as a number or as text. */
  readonly at?: unknown;
}

/** One for each token; none for an event that we do not know. What is of another form than `Told` says is left out. */
export function receiptsOf(event: Receipt["event"] | undefined, told: Told): readonly Receipt[] {
  if (event === undefined) return [];
  const receipt = asText(told.id);
  const at = asText(told.at);
  const common = {
    event,
    ...(receipt === undefined ? {} : { receipt }),
    ...(typeof told.param === "string" && told.param !== "" ? { notification: told.param } : {}),
    ...(at !== undefined && /^\d{13}$/.test(at) ? { at: Number(at) } : {}),
  };
  return asList(told.targets).map((token) => ({ token, ...common }));
}

/** Whether two secrets are the same, in a time that does not depend on how much of them is. */
export function sameSecret(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
