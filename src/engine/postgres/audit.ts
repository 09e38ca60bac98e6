// The log of what callers have done.
import type { AuditEntry, AuditQuery } from "../../core/audit.ts";
import type { AuditRow } from "../sqlite/audit.ts";
import { Statement } from "./database.ts";
import type { Turn } from "./turns.ts";

type Texts = readonly string[];
type MaybeTexts = readonly (string | null)[];
type Numbers = readonly number[];

const add = new Statement<[Numbers, MaybeTexts, Texts, Texts, Texts, Numbers, MaybeTexts, Texts]>(`
  INSERT INTO audit (time, who, address, action, what, status, message, request)
  SELECT * FROM unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::text[])`);
// An index for each of the two, so that a page of few among many is found as fast.
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

export const auditTable = {
  addAudit(turn: Turn, entries: readonly AuditEntry[]): void {
    add.put(
      turn,
      entries.map(({ time }) => time),
      entries.map(({ who }) => who ?? null),
      entries.map(({ address }) => address),
      entries.map(({ action }) => action),
      entries.map(({ what }) => what),
      entries.map(({ status }) => status),
      entries.map(({ message }) => message ?? null),
      entries.map(({ requestId }) => requestId),
    );
  },

  listAudit(turn: Turn, { who, action, from, to, before }: AuditQuery, limit: number): Promise<readonly AuditRow[]> {
    const most = Number.MAX_SAFE_INTEGER;
    const found = who === undefined ? (action === undefined ? all : byAction) : action === undefined ? byWho : byBoth;
    return found.all(turn, who ?? null, action ?? null, from ?? 0, to ?? most, before ?? most, limit);
  },

  /** Forgets what was done before then. Returns whether there may be more. */
  sweepAudit: async (turn: Turn, before: number, limit: number): Promise<boolean> =>
    (await sweep.run(turn, before, limit)) === limit,
};
