// Asks the vendors that can be asked how far their messages came: again and again while a notification is young, at growing
// intervals. Which of them are due follows from when they began, so nothing is noted, and after a restart each is asked about once.
import type { Moment, Outbox } from "../core/outbox.ts";
import { HOUR, MINUTE } from "../core/time.ts";
import type { Trace, Vendor, VendorName } from "../core/vendor.ts";

/** How old a notification is when it is asked about. */
const AGES: readonly number[] = [MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 12 * HOUR, 48 * HOUR];
/** Nobody asks about older ones. */
const OLDEST = 72 * HOUR;
const EVERY = 30_000;
/** Notifications looked at in a row: a few milliseconds of the storage thread. */
const PAGE = 500;
/** Messages asked about at a time, and the pause after so many: vendors bound such questions, and this is in no hurry. */
const TOGETHER = 10;
const PAUSE = 500;
/** Of one notification: that is how many a call to millions comes to. */
const MESSAGES = 5000;

export interface TracerOptions {
  readonly outbox: Pick<Outbox, "traceable" | "receipts" | "traced">;
  /** As they are configured now. */
  readonly vendors: () => ReadonlyMap<VendorName, Vendor>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Told when the store failed; it is tried again at the next look. */
  readonly failed: (error: unknown) => void;
  /** Milliseconds from one look to the next. */
  readonly every?: number;
  /** Milliseconds between two lots of questions. */
  readonly pause?: number;
}

export interface Tracer {
  /** The first look is one interval from now. */
  start(): void;
  /** Asks nothing more; an answer on its way is dropped. */
  stop(): void;
}

/** Asks the vendors that have a `trace`; others cost nothing. */
export function createTracer({ outbox, vendors, now, failed, ...times }: TracerOptions): Tracer {
  const { every = EVERY, pause = PAUSE } = times;
  /** How far each vendor was asked about at each age. */
  const reached = new Map<string, Moment>();
  /** Messages since the last pause. */
  let asked = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let rested: (() => void) | undefined;

  async function look(): Promise<void> {
    try {
      // The oldest first: their figures are the final ones. Whoever lags behind is asked at the next age instead.
      for (let i = AGES.length - 1; i >= 0; i--)
        for (const vendor of vendors().values())
          if (vendor.trace !== undefined) await lookAt(vendor, AGES[i]!, AGES[i + 1] ?? OLDEST);
    } catch (error) {
      if (!stopped) failed(error);
    }
    if (!stopped) timer = setTimeout(() => void look(), every).unref();
  }

  /** At those that are older than `age` and were not when this was last called. */
  async function lookAt(vendor: Vendor, age: number, nextAge: number): Promise<void> {
    const name = `${vendor.name} ${age}`;
    for (let more = true; more && !stopped; ) {
      const to = now() - age;
      const earliest = { at: now() - nextAge, job: 0 };
      const known = reached.get(name) ?? earliest;
      const from = known.at < earliest.at ? earliest : known;
      if (from.at > to) return; // the clock was put back
      const { ids, next } = await outbox.traceable(vendor.name, from, to, PAGE);
      for (const id of ids) await ask(vendor, id);
      reached.set(name, next ?? { at: to, job: Number.MAX_SAFE_INTEGER });
      more = next !== undefined;
    }
  }

  async function ask(vendor: Vendor, id: string): Promise<void> {
    if (stopped) return;
    const receipts = await outbox.receipts(id, vendor.name, MESSAGES);
    const sums = { delivered: 0, clicked: 0 };
    for (let n = 0; n < receipts.length; n += TOGETHER) {
      const some = receipts.slice(n, n + TOGETHER);
      for (const { delivered = 0, clicked = 0 } of await traces(vendor, some)) {
        sums.delivered += delivered;
        sums.clicked += clicked;
      }
      await paced(some.length);
      if (stopped) return;
    }
    await outbox.traced(id, vendor.name, sums);
  }

  /** A message is known only to the app that it was sent for. */
  async function traces(vendor: Vendor, receipts: readonly string[]): Promise<readonly Trace[]> {
    const found = new Map<string, Trace>();
    for (const app of vendor.apps) {
      const left = receipts.filter((receipt) => !found.has(receipt));
      if (left.length === 0) break;
      for (const trace of (await vendor.trace?.(app, left, now())) ?? []) found.set(trace.receipt, trace);
    }
    return [...found.values()];
  }

  async function paced(messages: number): Promise<void> {
    asked += messages;
    if (asked < TOGETHER) return;
    asked = 0;
    await rest();
  }

  function rest(): Promise<void> {
    return new Promise((resolve) => {
      rested = resolve;
      timer = setTimeout(resolve, pause).unref();
    });
  }

  return {
    start() {
      timer = setTimeout(() => void look(), every).unref();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      rested?.();
    },
  };
}
