// The log of events. Whatever causes one writes it in the same transaction; what nobody wants is not written.
import type Database from "better-sqlite3";
import { type EventPage, type EventQuery, type EventType, subjectOf } from "../../core/events.ts";
import { LOOKED_THROUGH, type LogRow, pageOfLog } from "../log.ts";
import type { EventData, Wants } from "../wants.ts";
import { readEpoch } from "./epoch.ts";
import type { HookTable } from "./hooks.ts";
import type { LogSums } from "./logsums.ts";

export type EventLog = ReturnType<typeof eventLog>;

export function eventLog(db: Database, wants: Wants, hooks: HookTable, sums: LogSums, nextSeq: () => number) {
  const epoch = readEpoch(db);
  const insert = db.prepare<[number, string, string, number, string]>(
    "INSERT INTO events (seq, type, key, time, data) VALUES (?, ?, ?, ?, ?)",
  );
  const after = db.prepare<[number, number], LogRow>(`
    SELECT seq, type, key, time, data FROM events WHERE seq > +? ORDER BY seq LIMIT ? + 0`);
  const firstSince = db
    .prepare<[number], number>("SELECT seq FROM events WHERE time >= +? ORDER BY time, seq LIMIT 1")
    .pluck<number>();
  const newest = db.prepare<[], number | null>("SELECT max(seq) FROM events").pluck<number | null>();
  const old = db.prepare<[number, number, number], { size: number }>(`
    DELETE FROM events WHERE seq IN (
      SELECT seq FROM events e
      WHERE time < +? AND seq < +? AND NOT EXISTS (SELECT 1 FROM hook_events h WHERE h.seq = e.seq) ORDER BY time LIMIT ? + 0)
    RETURNING length(key) + length(data) AS size`);
  /** The newest that this transaction has written; 0: none. */
  let written = 0;

  return {
    wants: (type: EventType): boolean => wants.has(type),

    /** @param member of a topic's event: the device */
    write(type: EventType, key: string, data: EventData | string, now: number, member?: string): void {
      if (!wants.has(type)) return;
      const seq = nextSeq();
      const text = typeof data === "string" ? data : JSON.stringify(data);
      insert.run(seq, type, key, now, text);
      sums.added(seq, key.length + text.length);
      const takers = wants.hooksOf(type);
      if (takers.length > 0) {
        const event = { seq, type, key, subject: subjectOf(type, key, member), time: now, data: text };
        for (const hook of takers) hooks.enqueue(hook, event);
      }
      written = seq;
    },

    /** The newest that was written since the last call; 0: none. */
    takeWritten(): number {
      const taken = written;
      written = 0;
      return taken;
    },

    list(query: EventQuery, limit: number): EventPage {
      const first = query.from === undefined ? 0 : firstSince.get(query.from);
      if (first === undefined) return { events: [] };
      const start = Math.max(query.after ?? 0, first - 1);
      return pageOfLog(after.all(start, LOOKED_THROUGH), query, limit, start, epoch);
    },

    newest: (): number => newest.get() ?? 0,
    epoch,

    /** Forgets up to `limit` events that were written before then and that no endpoint waits for. Whether there may be more. */
    sweepLog: (before: number, limit: number): boolean => old.run(before, hooks.firstFresh(), limit).changes === limit,
  };
}
