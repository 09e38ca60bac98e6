// What is done again and again: what is past its time is forgotten, orders are carried out to their end, those who stay away are told of.
import { DAY } from "../core/time.ts";
import type { Calls } from "./calls.ts";
import type { LocalEvents } from "./events.ts";
import type { LocalHooks } from "./hooks.ts";
import { walkOn } from "./jobs.ts";

const SWEEP_EVERY = 5_000;
const SWEEP_EVENTS_EVERY = 1_000;
/** Rows per piece of sweeping: about a millisecond. */
const SWEEP_ROWS = 200;

/**
 * Does something at once, an earlier run may have been cut short, and again so long after it has ended. What fails is tried again
 * with the next round: a store that cannot write says so to its callers.
 */
function repeat(
  pause: number,
  work: (stopped: () => boolean) => Promise<void>,
): { stop(): void /** Without waiting for the pause to end. */; now(): void } {
  let stopped = false;
  let running = false;
  let again = false;
  let timer = setTimeout(round, 0).unref();
  function round(): void {
    running = true;
    again = false;
    work(() => stopped)
      .catch(() => {})
      .finally(() => {
        running = false;
        if (!stopped) timer = setTimeout(round, again ? 0 : pause).unref();
      });
  }
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
    now() {
      again = true;
      if (stopped || running) return;
      clearTimeout(timer);
      timer = setTimeout(round, 0).unref();
    },
  };
}

/** How long it is kept; absent: for ever. */
export interface Retention {
  /** A device without uid, token and tags, after it was last seen. */
  readonly deviceDays?: number;
  readonly auditDays?: number;
}

/** Forgets what is past its time, a piece at a time. */
function forget(
  queue: Calls,
  now: () => number,
  { deviceDays, auditDays }: Retention,
): { stop(): void; waiting(): number } {
  let waiting = 0;
  const { stop } = repeat(SWEEP_EVERY, async (stopped) => {
    while (!stopped() && (await queue.call("sweepPackets", [now(), SWEEP_ROWS])));
    while (!stopped() && (await queue.call("sweepCounters", [now(), SWEEP_ROWS])));
    if (auditDays !== undefined)
      while (!stopped() && (await queue.call("sweepAudit", [now() - auditDays * DAY, SWEEP_ROWS])));
    while (!stopped() && (await queue.call("sweepRevocations", [now(), SWEEP_ROWS])));
    if (deviceDays !== undefined)
      while (!stopped() && (await queue.call("sweepDevices", [now() - deviceDays * DAY, SWEEP_ROWS, now()])));
    if (!stopped()) waiting = (await queue.call("lanes", [])).reduce((sum, { depth }) => sum + depth, 0);
  });
  return { stop, waiting: () => waiting };
}

export interface Chores {
  stop(): void;
  /** Goes on with orders at once. */
  walk(): void;
  /** Deliveries not yet settled, as of the last few seconds. */
  waiting(): number;
}

/** Begins at once; each round begins so long after the one before has ended. The timers keep no process alive. */
export function chores(
  calls: Calls,
  events: LocalEvents,
  hooks: LocalHooks,
  now: () => number,
  retention: Retention,
): Chores {
  const forgetting = forget(calls, now, retention);
  const telling = repeat(SWEEP_EVENTS_EVERY, async (stopped) => {
    await events.sweep(stopped);
    await hooks.sweep(stopped);
  });
  const walking = repeat(SWEEP_EVERY, (stopped) => walkOn(calls, now, stopped));
  return {
    stop() {
      forgetting.stop();
      telling.stop();
      walking.stop();
    },
    walk: walking.now,
    waiting: forgetting.waiting,
  };
}
