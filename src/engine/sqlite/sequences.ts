// Rising numbers that are never given twice. Counted in memory; the store holds a number they stay below, so that most
// transactions need not write it. What lies between is skipped by the next start, which is harmless.
import type Database from "better-sqlite3";

export interface Sequences {
  /** The next of each: for a kept packet. */
  seq(): number;
  /** The last one given, or one that no packet before the start has exceeded. */
  lastSeq(): number;
  /** For a binding of a uid. */
  bound(): number;
  /** For a device. */
  device(): number;
  /** For a delivery. */
  delivery(): number;
  /** For an event. */
  event(): number;
  /** The last one given, or one that no event before the start has exceeded. */
  lastEvent(): number;
  /** Within the transaction that stores what the numbers were given to. */
  save(): void;
  /** After that transaction's commit. A failed one leaves a gap, which is harmless. */
  saved(): void;
}

const NAMES = ["seq", "bound", "device", "delivery", "event"] as const;

/** So many numbers are taken from the store at once. */
const BLOCK = 10_000;

export function sequences(db: Database): Sequences {
  const read = db.prepare<[string], number>("SELECT value FROM sequences WHERE name = ?").pluck<number>();
  const write = db.prepare<[number, string]>("UPDATE sequences SET value = ? WHERE name = ?");
  const now = { seq: 0, bound: 0, device: 0, delivery: 0, event: 0 };
  for (const name of NAMES) now[name] = read.get(name) ?? 0;
  const stored = { ...now };
  const written = { ...now };
  function reserve(name: (typeof NAMES)[number]): void {
    written[name] = stored[name];
    if (now[name] <= stored[name]) return;
    written[name] = now[name] + BLOCK;
    write.run(written[name], name);
  }
  return {
    seq: () => ++now.seq,
    lastSeq: () => now.seq,
    bound: () => ++now.bound,
    device: () => ++now.device,
    delivery: () => ++now.delivery,
    event: () => ++now.event,
    lastEvent: () => now.event,
    save() {
      for (const name of NAMES) reserve(name);
    },
    saved() {
      for (const name of NAMES) stored[name] = written[name];
    },
  };
}
