// What callers have done is gathered for a moment and stored together: a crash may lose the last second of it.
import { AUDITED_AT_ONCE, type AuditEntry, type AuditLog } from "../core/audit.ts";

export interface Audit {
  /** Stored within a second or so; beyond 10,000 that wait it is lost. */
  add(entry: AuditEntry): void;
  /** Stores what was gathered so far; what could not be stored is tried again with the next. */
  flush(): Promise<void>;
  /** Stores what is left. Nothing is tried after it. */
  stop(): Promise<void>;
}

const FLUSH_EVERY = 1000;
/** While the store takes none; later ones are lost, and that is said. */
const MOST_WAITING = 10_000;

interface Told {
  /** The store has begun to take none; it is tried again. */
  failed(error: unknown): void;
  /** So many are in no log and never will be: told once the store takes others, and at the end. */
  lost(entries: number): void;
}

/** @param told what the operator is to know */
export function createAudit(log: AuditLog, told: Told): Audit {
  const waiting: AuditEntry[] = [];
  let lost = 0;
  let failing = false;
  let timer: NodeJS.Timeout | undefined;
  let storing = Promise.resolve();

  async function store(): Promise<void> {
    try {
      while (waiting.length > 0) {
        const entries = waiting.slice(0, AUDITED_AT_ONCE);
        await log.add(entries);
        waiting.splice(0, entries.length);
        failing = false;
        tellLost();
      }
    } catch (error) {
      if (!failing) told.failed(error);
      failing = true;
      later();
    }
  }

  function tellLost(): void {
    if (lost > 0) told.lost(lost);
    lost = 0;
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    storing = storing.then(store);
    return storing;
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
      await flush();
      clearTimeout(timer);
      lost += waiting.length;
      tellLost();
    },
  };
}
