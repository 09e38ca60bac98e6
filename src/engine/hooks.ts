// The queues of the endpoints of a single process, made of the calls of the storage thread.
import type { EventQuery } from "../core/events.ts";
import type { HookBounds, HookQueue } from "../core/hooks.ts";
import type { Calls } from "./calls.ts";
import type { LocalEvents } from "./events.ts";

/** Rows per piece: about a millisecond. */
const PIECE = 100;
const UNBOUNDED: HookBounds = {
  events: Number.MAX_SAFE_INTEGER,
  bytes: Number.MAX_SAFE_INTEGER,
  dead: Number.MAX_SAFE_INTEGER,
};

export interface LocalHooks extends HookQueue {
  /** Gives up what is too old, forgets what is too much. */
  sweep(stopped: () => boolean): Promise<void>;
}

export function localHooks(
  queue: Calls,
  events: Pick<LocalEvents, "list" | "keep" | "idle">,
  now: () => number,
): LocalHooks {
  let bounds = UNBOUNDED;

  async function replayDead(hook: string, query: EventQuery): Promise<number> {
    let count = 0;
    for (let after: number | undefined = query.after ?? 0; after !== undefined; ) {
      const piece: { count: number; next?: number } = await queue.call(
        "replayDead",
        [hook, { ...query, after }, PIECE],
        PIECE,
      );
      count += piece.count;
      after = piece.next;
    }
    return count;
  }

  async function replayLog(hook: string, query: EventQuery): Promise<number> {
    let count = 0;
    for (let after: number | undefined = query.after ?? 0; after !== undefined; ) {
      const page: Awaited<ReturnType<LocalEvents["list"]>> = await events.list({ ...query, after }, PIECE);
      const rows = page.events.map(({ seq, key, data }) => ({ seq, key, size: key.length + data.length }));
      count += await queue.call("replayEvents", [hook, rows], 4 * rows.length);
      after = page.next;
    }
    return count;
  }

  return {
    claim: (hook, limit, size, at) => queue.call("claimEvents", [hook, limit, size, at], limit),
    settle: (hook, settlement) => queue.call("settleEvents", [hook, settlement], PIECE),
    hurry: (hook) => queue.call("hurryEvents", [hook]),
    depths: () => queue.call("hookDepths", []),
    dead: (hook, after, limit) => queue.call("deadLetters", [hook, after, limit], limit),
    replay: (hook, from, query) => (from === "dead" ? replayDead(hook, query) : replayLog(hook, query)),
    bound(next) {
      bounds = next;
    },
    async memory() {
      return new Map((await queue.call("hookMemory", [])).map(({ name, text }) => [name, text]));
    },
    memorize: (name, text) => queue.call("memorize", [name, text]),
    async sweep(stopped) {
      if (events.idle) return;
      while (!stopped() && (await queue.call("sweepHooks", [now() - events.keep, bounds, now(), PIECE], PIECE)));
    },
  };
}
