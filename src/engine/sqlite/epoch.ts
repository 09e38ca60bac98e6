// The life of the log: a text made with the store, and another one when a backup takes its place.
import type Database from "better-sqlite3";

/** "" where a store has none yet. */
export const readEpoch = (db: Database): string =>
  db.prepare<[], string>("SELECT epoch FROM log").pluck<string>().get() ?? "";

/** Events between a backup and its return; thousands of returns fit. */
const MORE_THAN_EVER = 1e12;

/** What the file had given out after the backup is lost, and its seqs are given again. An older format gets its first on start. */
export function renewEpoch(db: Database): void {
  const known = db.prepare<[], number>("SELECT count(*) FROM sqlite_schema WHERE name = 'log'").pluck<number>().get();
  if (known === 1) db.exec("UPDATE log SET epoch = lower(hex(randomblob(8)))");
  // Who follows the seq of events goes by the highest: those from here on are above all that were given out since the backup.
  db.exec(`UPDATE sequences SET value = value + ${MORE_THAN_EVER} WHERE name = 'event'`);
}
