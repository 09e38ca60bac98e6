// Who was not let in, for the log: one line per address in a minute, so that knocking costs nothing.

import { MINUTE } from "../core/time.ts";
import { limitedAs } from "../http/uws/address.ts";

/** Addresses told of within a minute. */
const MOST = 1000;

/**
 * @param warn gets the text of a line, and the id of the request
 * @param elapsed milliseconds by a clock that is never set
 */
export function createRefusals(warn: (text: string, requestId: string) => void, elapsed: () => number) {
  /** Until when each address is not told of again: the first to end is the first. */
  const quiet = new Map<string, number>();
  return (address: string, what: string, requestId: string): void => {
    const now = elapsed();
    for (const [who, until] of quiet) {
      if (now < until) break;
      quiet.delete(who);
    }
    const who = limitedAs(address);
    if (quiet.has(who) || quiet.size >= MOST) return;
    quiet.set(who, now + MINUTE);
    warn(`refused ${address}: ${what}; further ones of this address are not told for a minute`, requestId);
  };
}
