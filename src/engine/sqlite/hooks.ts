// What waits to be sent to endpoints: one row per endpoint and event, written with the event itself.
import type Database from "better-sqlite3";
import type { HookPatterns } from "../../core/events.ts";

/** What the column `state` means. */
const WAITING = 0;

export type HookQueue = ReturnType<typeof hookQueue>;

export function hookQueue(db: Database) {
  const replace = db.prepare<[string, string]>(`
    DELETE FROM hook_events WHERE hook = ? AND subject = ? AND state = ${WAITING}`);
  const add = db.prepare<[string, number, string, string | null]>(
    "INSERT INTO hook_events (hook, seq, key, subject) VALUES (?, ?, ?, ?)",
  );
  return {
    /** @param subject of a state event: one of the same that still waits says nothing any more */
    enqueue({ name, coalesce }: HookPatterns, seq: number, key: string, subject: string | undefined): void {
      if (coalesce && subject !== undefined) replace.run(name, subject);
      add.run(name, seq, key, subject ?? null);
    },
  };
}
