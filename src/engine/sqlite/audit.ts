// The log of what callers have done.
import type Database from "better-sqlite3";
import type { AuditEntry, AuditQuery } from "../../core/audit.ts";

export interface AuditRow {
  readonly entry: number;
  readonly time: number;
  readonly who: string | null;
  readonly address: string;
  readonly action: string;
  readonly what: string;
  readonly status: number;
  readonly message: string | null;
  readonly request: string;
}

export function auditTable(db: Database) {
  const add = db.prepare<[number, string | null, string, string, string, number, string | null, string]>(`
    INSERT INTO audit (time, who, address, action, what, status, message, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  // An index for each of the two, so that a page of few among many is found as fast.
  const list = (where: string) =>
    db.prepare<[string | null, string | null, number, number, number, number], AuditRow>(`
      SELECT entry, time, who, address, action, what, status, message, request FROM audit
      WHERE ${where} AND time >= ? AND time <= ? AND entry < ? ORDER BY entry DESC LIMIT ?`);
  const byBoth = list("who = ? AND action = ?");
  const byWho = list("who = ? AND ? IS NULL");
  const byAction = list("? IS NULL AND action = ?");
  const all = list("? IS NULL AND ? IS NULL");
  const sweep = db.prepare<[number, number]>(
    "DELETE FROM audit WHERE entry IN (SELECT entry FROM audit WHERE time < ? ORDER BY time LIMIT ?)",
  );
  return {
    addAudit(entries: readonly AuditEntry[]): void {
      for (const { time, who, address, action, what, status, message, requestId } of entries)
        add.run(time, who ?? null, address, action, what, status, message ?? null, requestId);
    },
    listAudit({ who, action, from, to, before }: AuditQuery, limit: number): readonly AuditRow[] {
      const most = Number.MAX_SAFE_INTEGER;
      const found = who === undefined ? (action === undefined ? all : byAction) : action === undefined ? byWho : byBoth;
      return found.all(who ?? null, action ?? null, from ?? 0, to ?? most, before ?? most, limit);
    },
    /** Forgets what was done before then. Returns whether there may be more. */
    sweepAudit: (before: number, limit: number): boolean => sweep.run(before, limit).changes === limit,
  };
}
