// Revocations of a single process: stored, then told to those of this very process who let clients in.
import type { Revocations } from "../core/engine.ts";
import type { Revocation } from "../core/login.ts";
import type { Calls } from "./calls.ts";

/** A longer list goes in pieces, so that other callers get in between. */
const PIECE = 500;

export function localRevocations(queue: Calls): Revocations {
  const listeners: ((revocations: readonly Revocation[]) => Promise<number>)[] = [];
  return {
    attach(listener) {
      listeners.push(listener);
    },
    async add(revocations) {
      let closed = 0;
      for (let i = 0; i < revocations.length; i += PIECE) {
        const piece = revocations.slice(i, i + PIECE);
        await queue.call("addRevocations", [piece], piece.length);
        for (const listener of listeners) closed += await listener(piece);
      }
      return closed;
    },
    page: (after, limit, now) => queue.call("revocations", [after, limit, now], limit),
  };
}
