// Rising numbers that are never given twice. Counted in memory, written once per transaction instead of once per number.
import type Database from "better-sqlite3";

export interface Sequences {
  /** The newest packet. */
  seq(): number;
  /** The newest binding. */
  bound(): number;
  /** Within the transaction that stores what the numbers were given to. */
  save(): void;
  /** After that transaction's commit. A failed one leaves a gap, which is harmless. */
  saved(): void;
}

export function sequences(db: Database): Sequences {
  const read = db.prepare<[string], number>("SELECT value FROM sequences WHERE name = ?").pluck<number>();
  const write = db.prepare<[number, string]>("UPDATE sequences SET value = ? WHERE name = ?");
  const now = { seq: read.get("seq") ?? 0, bound: read.get("bound") ?? 0 };
  const stored = { ...now };
  return {
    seq: () => ++now.seq,
    bound: () => ++now.bound,
    save() {
      if (now.seq !== stored.seq) write.run(now.seq, "seq");
      if (now.bound !== stored.bound) write.run(now.bound, "bound");
    },
    saved() {
      stored.seq = now.seq;
      stored.bound = now.bound;
    },
  };
}
