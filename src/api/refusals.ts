// Who was not let in, for the log: one line per address and minute, so that knocking costs nothing.

import { MINUTE } from "../core/time.ts";
import { limitedAs } from "../http/uws/address.ts";

/** Addresses told of in one minute. */
const MOST = 1000;

/** @param warn gets the text of a line, and the id of the request */
export function createRefusals(warn: (text: string, requestId: string) => void, now: () => number) {
  const told = new Set<string>();
  let minute = 0;
  return (address: string, what: string, requestId: string): void => {
    const current = Math.floor(now() / MINUTE);
    if (current !== minute) told.clear();
    minute = current;
    const who = limitedAs(address);
    if (told.has(who) || told.size >= MOST) return;
    told.add(who);
    warn(`refused ${address}: ${what}; further ones of this address are not told for a minute`, requestId);
  };
}
