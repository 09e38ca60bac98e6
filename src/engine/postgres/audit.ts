// The log of what callers have done.
import type { AuditEntry, AuditQuery } from "../../core/audit.ts";
import { DAY } from "../../core/time.ts";
import type { AuditRow } from "../sqlite/audit.ts";
import { Statement } from "./database.ts";
import type { Turn } from "./turns.ts";

const KEPT = 366 * DAY;

const add = new Statement<[string]>(`
  INSERT INTO audit (time, who, address, action, what, status, message, request)
  SELECT * FROM json_to_recordset(?) AS a(time bigint, who text, address text, action text, what text, status bigint, message text, "requestId" text)`);
const list = (where: string) =>
  new Statement<[string | null, string | null, number, number, number, number], AuditRow>(`
    SELECT entry, time, who, address, action, what, status, message, request FROM audit
    WHERE ${where} AND time >= ? AND time <= ? AND entry < ? ORDER BY entry DESC LIMIT ?`);
const byBoth = list("who = ? AND action = ?");
const byWho = list("who = ? AND ?::text IS NULL");
const byAction = list("?::text IS NULL AND action = ?");
const all = list("?::text IS NULL AND ?::text IS NULL");
const sweep = new Statement<[number, number]>(
  "DELETE FROM audit WHERE entry IN (SELECT entry FROM audit WHERE time < ? ORDER BY time LIMIT ?)",
);

export const audit = {
  addAudit: (turn: Turn, entries: readonly AuditEntry[]): void =>
    // JSON cannot say U+0000 to PostgreSQL; nor does it help who reads it.
    add.put(turn, JSON.stringify(entries).replaceAll("\\u0000", "")),
  listAudit(turn: Turn, { who, action, from, to, before }: AuditQuery, limit: number): Promise<readonly AuditRow[]> {
    const most = Number.MAX_SAFE_INTEGER;
    const found = who === undefined ? (action === undefined ? all : byAction) : action === undefined ? byWho : byBoth;
    return found.all(turn, who ?? null, action ?? null, from ?? 0, to ?? most, before ?? most, limit);
  },
  sweepAudit: async (turn: Turn, now: number, limit: number): Promise<boolean> =>
    (await sweep.run(turn, now - KEPT, limit)) === limit,
};
