// Rising numbers that are never given twice. Counted in memory; the store holds a number they stay below, so that most
// transactions need not write it. What lies between is skipped by the next start, which is harmless.
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

/** So many numbers are taken from the store at once. */
const BLOCK = 10_000;

export function sequences(db: Database): Sequences {
  const read = db.prepare<[string], number>("SELECT value FROM sequences WHERE name = ?").pluck<number>();
  const write = db.prepare<[number, string]>("UPDATE sequences SET value = ? WHERE name = ?");
  const now = { seq: read.get("seq") ?? 0, bound: read.get("bound") ?? 0 };
  const stored = { ...now };
  const written = { ...now };
  function reserve(name: "seq" | "bound"): void {
    written[name] = stored[name];
    if (now[name] <= stored[name]) return;
    written[name] = now[name] + BLOCK;
    write.run(written[name], name);
  }
  return {
    seq: () => ++now.seq,
    bound: () => ++now.bound,
    save() {
      reserve("seq");
      reserve("bound");
    },
    saved() {
      stored.seq = written.seq;
      stored.bound = written.bound;
    },
  };
}
