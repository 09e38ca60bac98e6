// Tokens of clients that were revoked before they expired.
import type Database from "better-sqlite3";
import type { Revocation } from "../../core/login.ts";

export function revocations(db: Database) {
  // One that is there says no less than before.
  const add = db.prepare<[string, string, number, number]>(`
    INSERT INTO revocations (kind, name, before, drop_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (kind, name) DO UPDATE SET before = max(before, excluded.before), drop_at = max(drop_at, excluded.drop_at)`);
  const page = db.prepare<[string, string, number, number], Revocation>(`
    SELECT kind, name, before, drop_at AS until FROM revocations
    WHERE (kind, name) > (?, ?) AND drop_at > ? ORDER BY kind, name LIMIT ?`);
  const sweep = db.prepare<[number, number]>(`
    DELETE FROM revocations WHERE (kind, name) IN
      (SELECT kind, name FROM revocations WHERE drop_at <= ? ORDER BY drop_at LIMIT ?)`);
  return {
    addRevocations(list: readonly Revocation[]): void {
      for (const { kind, name, before, until } of list) add.run(kind, name, before, until);
    },
    /** In no order that means anything. @param after the last of the page before */
    revocations: (after: Pick<Revocation, "kind" | "name"> | undefined, limit: number, now: number): Revocation[] =>
      page.all(after?.kind ?? "", after?.name ?? "", now, limit),
    /** Forgets up to `limit` whose tokens have expired. Returns whether there may be more. */
    sweepRevocations: (now: number, limit: number): boolean => sweep.run(now, limit).changes === limit,
  };
}
