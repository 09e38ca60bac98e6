// Tokens in one text with commas. They came from clients, so one could hold a comma and name somebody else's device.
import type { Outcome, Recipient } from "../core/vendor.ts";
import { Unsendable } from "./dialect.ts";

const MALFORMED = { kind: "gone", reason: "not a token: it has a comma or a space" } as const satisfies Outcome;

/** @throws Unsendable when no token can be listed */
export function listed(vendor: string, to: readonly Recipient[]): string {
  const tokens = to.map((recipient) => recipient.token).filter(listable);
  if (tokens.length === 0) throw new Unsendable(`${vendor}: ${MALFORMED.reason}`);
  return tokens.join(",");
}

/** One outcome per recipient; those that were not listed never were tokens. */
export function each(to: readonly Recipient[], outcome: (token: string) => Outcome): readonly Outcome[] {
  return to.map(({ token }) => (listable(token) ? outcome(token) : MALFORMED));
}

/** One token that no vendor could have issued must not have a whole request refused: such are not asked about. */
export const issuable = ({ token }: Recipient): boolean => /^[ -~]+$/.test(token);

export const NOT_ISSUED = { kind: "refused", reason: "not a token: it has other characters than ASCII's" } as const;

function listable(token: string): boolean {
  return /^[^\s,]+$/.test(token);
}
