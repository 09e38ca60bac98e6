// Calls that may be repeated: their keys, and what was answered. The contract is `Calls` in core/outbox.ts.
import type Database from "better-sqlite3";
import { conflict } from "../../core/once.ts";

const KEPT = 86_400_000;

export type Repeatable = ReturnType<typeof calls>;

export function calls(db: Database) {
  const find = db.prepare<[string, number], { digest: string; answer: string | null }>(`
    SELECT digest, answer FROM calls WHERE key = ? AND drop_at > ?`);
  const begin = db.prepare<[string, string, number]>(`
    INSERT OR REPLACE INTO calls (key, digest, answer, drop_at) VALUES (?, ?, NULL, ?)`);
  const finish = db.prepare<[string, string]>("UPDATE calls SET answer = ? WHERE key = ?");
  const abandon = db.prepare<[string]>("DELETE FROM calls WHERE key = ? AND answer IS NULL");
  const sweep = db.prepare<[number, number]>(`
    DELETE FROM calls WHERE key IN (SELECT key FROM calls WHERE drop_at <= ? ORDER BY drop_at LIMIT ?)`);

  return {
    /** The answer of a call that was finished before. */
    begin(key: string, digest: string, now: number): string | undefined {
      const known = find.get(key, now);
      if (known === undefined) begin.run(key, digest, now + KEPT);
      else if (known.digest !== digest) throw conflict();
      return known?.answer ?? undefined;
    },

    finish(key: string, answer: string): void {
      finish.run(answer, key);
    },

    abandon(key: string): void {
      abandon.run(key);
    },

    /** Forgets up to `limit` keys whose time has passed. Returns whether there may be more. */
    sweep: (now: number, limit: number): boolean => sweep.run(now, limit).changes === limit,
  };
}
