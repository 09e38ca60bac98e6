// Tokens of clients that were revoked before they expired.
import type { Revocation } from "../../core/login.ts";
import { Statement, type Tx } from "./database.ts";
import type { Turn } from "./turns.ts";

// One that is there says no less than before.
const add = new Statement<[readonly string[], readonly string[], readonly number[], readonly number[]]>(`
  INSERT INTO revocations AS r (kind, name, before, drop_at)
  SELECT kind, name, max(before), max(drop_at)
  FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[]) AS u(kind, name, before, drop_at) GROUP BY kind, name
  ON CONFLICT (kind, name) DO UPDATE SET before = greatest(r.before, excluded.before),
    drop_at = greatest(r.drop_at, excluded.drop_at)`);
const page = new Statement<[string, string, number, number], Revocation>(`
  SELECT kind, name, before, drop_at AS until FROM revocations
  WHERE (kind, name) > (?, ?) AND drop_at > ? ORDER BY kind, name LIMIT ?`);
const sweep = new Statement<[number, number]>(`
  DELETE FROM revocations WHERE (kind, name) IN
    (SELECT kind, name FROM revocations WHERE drop_at <= ? ORDER BY drop_at LIMIT ?)`);

export const revocations = {
  addRevocations: (turn: Turn, list: readonly Revocation[]): void =>
    add.put(
      turn,
      list.map(({ kind }) => kind),
      list.map(({ name }) => name),
      list.map(({ before }) => before),
      list.map(({ until }) => until),
    ),
  revocations: (turn: Tx, after: Pick<Revocation, "kind" | "name"> | undefined, limit: number, now: number) =>
    page.all(turn, after?.kind ?? "", after?.name ?? "", now, limit),
  sweepRevocations: async (turn: Turn, now: number, limit: number): Promise<boolean> =>
    (await sweep.run(turn, now, limit)) === limit,
};
