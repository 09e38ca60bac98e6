// Accepted notifications become packets, page by page: one page of each in turn, so a call to a million devices does not hold
// up the one behind it. The cursor is stored with each page, so a restart goes on where it was.
import type { Engine, ExpandedPage, Unexpanded } from "../core/engine.ts";
import { NOTI_TOPIC, split, splitForAll } from "../core/notify.ts";

/** Devices per page: a few milliseconds of the storage thread. */
const PAGE = 1000;
/** Notifications worked on side by side. */
const ABREAST = 16;
const RETRY_AFTER = 1000;

export interface ExpanderOptions {
  readonly engine: Pick<Engine, "devices" | "outbox">;
  /** Connections subscribed to a topic now. */
  readonly count: (topic: string) => number;
  readonly now: () => number;
  /** Told when the store failed; the work is taken up again after a second. */
  readonly failed: (error: unknown) => void;
}

export interface Expander {
  /** There is something new to expand. */
  nudge(): void;
  /** Resolves when the page in hand is done. What is left is taken up at the next start. */
  stop(): Promise<void>;
}

export function createExpander(options: ExpanderOptions): Expander {
  const { engine, now } = options;
  let running: Promise<void> | undefined;
  let nudged = false;
  let stopped = false;
  let retry: NodeJS.Timeout | undefined;

  function nudge(): void {
    nudged = true;
    if (stopped || running !== undefined || retry !== undefined) return;
    running = run().finally(() => {
      running = undefined;
      if (nudged) nudge();
    });
  }

  async function run(): Promise<void> {
    try {
      while (nudged && !stopped) {
        nudged = false;
        const work = await engine.outbox.unexpanded(ABREAST);
        await Promise.all(work.map(expandPage));
        if (work.length > 0) nudged = true;
      }
    } catch (error) {
      options.failed(error);
      nudged = false;
      retry = setTimeout(() => {
        retry = undefined;
        nudge();
      }, RETRY_AFTER);
    }
  }

  async function expandPage(item: Unexpanded): Promise<void> {
    const page = await nextPage(item);
    await engine.outbox.expand(item.job, page, now());
  }

  async function nextPage({ notification, cursor }: Unexpanded): Promise<ExpandedPage> {
    const { target } = notification;
    if (target.kind === "all") return splitForAll(notification, options.count(NOTI_TOPIC));
    const page = await engine.devices.page(target, cursor, PAGE, now());
    return split(notification, page.devices, page.next);
  }

  return {
    nudge,
    async stop() {
      stopped = true;
      nudged = false;
      clearTimeout(retry);
      await running;
    },
  };
}
