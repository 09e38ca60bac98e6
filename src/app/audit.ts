// What callers have done is gathered for a moment and stored together: a crash may lose the last second of it.
import type { AuditEntry, AuditLog } from "../core/audit.ts";

export interface Audit {
  /** Stored within a second or so; beyond 10,000 that wait it is lost. */
  add(entry: AuditEntry): void;
  /** Stores what was gathered so far; what could not be stored is tried again with the next. */
  flush(): Promise<void>;
  /** Stores what is left. */
  stop(): Promise<void>;
}

const FLUSH_EVERY = 1000;
/** While the store takes none; later ones are lost, and that is said. */
const MOST_WAITING = 10_000;

/** @param failed told when the store begins to take none, and how many are lost at the end */
export function createAudit(log: AuditLog, failed: (error: unknown, lost: number) => void): Audit {
  let waiting: AuditEntry[] = [];
  let lost = 0;
  let failing = false;
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const entries = waiting;
    if (entries.length === 0) return;
    waiting = [];
    try {
      await log.add(entries);
      failing = false;
    } catch (error) {
      waiting = entries.concat(waiting);
      if (!failing) failed(error, lost);
      failing = true;
      later();
    }
  }

  function later(): void {
    timer ??= setTimeout(() => void flush(), FLUSH_EVERY).unref();
  }

  return {
    add(entry) {
      if (waiting.length >= MOST_WAITING) lost++;
      else waiting.push(entry);
      later();
    },
    flush,
    async stop() {
      failing = false;
      await flush();
      clearTimeout(timer);
    },
  };
}
