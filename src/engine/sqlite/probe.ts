// Whether the store can be written, found out by writing.
import type Database from "better-sqlite3";

/** @returns a function that writes something, and throws SQLite's error when that cannot be done */
export function probe(db: Database): () => void {
  // SQLite leaves a page alone whose bytes stay the same, so the value has to change.
  const write = db.prepare<[]>(`
    INSERT INTO sequences (name, value) VALUES ('probe', 0) ON CONFLICT (name) DO UPDATE SET value = 1 - value`);
  return () => void write.run();
}
