// How many events the log has, and their bytes, for its bounds. Counted in memory; the store has the sums as of one event, so that most
// transactions need not write them: the next start counts what came after.
import type Database from "better-sqlite3";
import type { Journal } from "./fresh.ts";

/** The row of `hook_sums` and of `hook_cursors` that is the log's. */
export const LOG = "";
/** So many events that the stored sums do not have are counted at a start. */
const UNSAVED = 5000;

export interface LogSums {
  readonly events: number;
  readonly bytes: number;
  /** @param size of key and data */
  added(seq: number, size: number): void;
  /** @param size of key and data of one event */
  removed(size: number): void;
  /** Within a transaction that removed some, or added older ones; else from time to time. */
  save(): void;
  /** Whether it is time to. */
  readonly isDue: boolean;
}

export function logSums(db: Database, journal: Journal): LogSums {
  const read = db.prepare<[string], { events: number; bytes: number; seq: number }>(`
    SELECT s.waiting AS events, s.size AS bytes, c.seq FROM hook_sums s JOIN hook_cursors c ON c.hook = s.hook WHERE s.hook = ?`);
  const since = db.prepare<[number], { events: number; bytes: number; seq: number }>(`
    SELECT count(*) AS events, ifnull(sum(length(key) + length(data)), 0) AS bytes, ifnull(max(seq), 0) AS seq
    FROM events WHERE seq > ?`);
  const write = db.prepare<[number, number, string]>("UPDATE hook_sums SET waiting = ?, size = ? WHERE hook = ?");
  const move = db.prepare<[number, string]>("UPDATE hook_cursors SET seq = ? WHERE hook = ?");

  const { events = 0, bytes = 0, seq = 0 } = read.get(LOG) ?? {};
  const more = since.get(seq) ?? { events: 0, bytes: 0, seq: 0 };
  const now = { events: events + more.events, bytes: bytes + more.bytes, seq: Math.max(seq, more.seq) };
  let saved = seq;

  function change(count: number, size: number, newest: number): void {
    const before = now.seq;
    now.events += count;
    now.bytes += size;
    now.seq = newest;
    journal.add(() => {
      now.events -= count;
      now.bytes -= size;
      now.seq = before;
    });
  }

  return {
    get events() {
      return now.events;
    },
    get bytes() {
      return now.bytes;
    },
    added: (added, size) => change(1, size, Math.max(now.seq, added)),
    removed: (size) => change(-1, -size, now.seq),
    get isDue() {
      return now.seq - saved >= UNSAVED;
    },
    save() {
      const before = saved;
      write.run(now.events, now.bytes, LOG);
      move.run(now.seq, LOG);
      saved = now.seq;
      journal.add(() => {
        saved = before;
      });
    },
  };
}
