// What became of events that an endpoint did not take: given up, forgotten for want of room, queued once more; and how many wait.
import type Database from "better-sqlite3";
import type { EventQuery } from "../../core/events.ts";
import type { DeadLetter, HookBounds, HookDepth } from "../../core/hooks.ts";
import { MINUTE } from "../../core/time.ts";
import { type HookTable, type Row, WAITING } from "./hooks.ts";
import { LOG, type LogSums } from "./logsums.ts";

/** What waits longer becomes a row, milliseconds: the bounds of time and room find it there. */
const LINGER = 10_000;
/** The whole log is looked through for what nobody waits for so often, milliseconds. */
const LAP = MINUTE;

type Queue = Pick<HookTable, "addAgain" | "asEvent" | "discard" | "firstFresh" | "freshOf" | "spillOld">;

export function deadLetters(db: Database, queue: Queue, log: LogSums) {
  const sums = db.prepare<[], { hook: string; waiting: number; dead: number; size: number; dropped: number }>(`
    SELECT hook, waiting, dead, size, dropped FROM hook_sums`);
  const oldest = db
    .prepare<[string], number>(`
    SELECT e.time FROM hook_events h JOIN events e ON e.seq = h.seq WHERE h.hook = ? ORDER BY h.seq LIMIT 1`)
    .pluck<number>();
  const deadOf = db.prepare<[string, number, number], Row & { reason: string | null; at: number }>(`
    SELECT seq, type, key, time, data, attempts, reason, at FROM hook_dead WHERE hook = ? AND seq > ? ORDER BY seq LIMIT ? + 0`);
  const revive = db.prepare<[string, number]>(`
    INSERT OR IGNORE INTO events (seq, type, key, time, data)
    SELECT seq, type, key, time, data FROM hook_dead WHERE hook = ? AND seq = ?`);
  const bury = db.prepare<[number, string, number]>(`
    INSERT OR IGNORE INTO hook_dead (hook, seq, type, key, subject, time, data, attempts, reason, at)
    SELECT h.hook, h.seq, e.type, e.key, h.subject, e.time, e.data, h.attempts, h.reason, ?
    FROM hook_events h JOIN events e ON e.seq = h.seq WHERE h.hook = ? AND h.seq = ?`);
  const removeDead = db.prepare<[string, number]>("DELETE FROM hook_dead WHERE hook = ? AND seq = ?");
  const lastBefore = db
    .prepare<[number], number>("SELECT seq FROM events WHERE time < +? ORDER BY time DESC, seq DESC LIMIT 1")
    .pluck<number>();
  const overdue = db.prepare<[number, number, number], { hook: string; seq: number; key: string }>(`
    SELECT h.hook, h.seq, h.key FROM hook_events h INDEXED BY hook_events_by_seq CROSS JOIN events e ON e.seq = h.seq
    WHERE h.seq <= +? AND h.state = ${WAITING} AND e.time < +? ORDER BY h.seq LIMIT ? + 0`);
  const oldDead = db.prepare<[number, number]>(`
    DELETE FROM hook_dead WHERE (hook, seq) IN (
      SELECT hook, seq FROM hook_dead INDEXED BY hook_dead_by_time WHERE at < +? ORDER BY at LIMIT ? + 0)`);
  const firstHappened = db.prepare<[number], { hook: string; seq: number; key: string }>(`
    SELECT hook, seq, key FROM hook_events INDEXED BY hook_events_happened
    WHERE subject IS NULL AND state = ${WAITING} ORDER BY seq LIMIT ? + 0`);
  const firstState = db.prepare<[number], { hook: string; seq: number; key: string }>(`
    SELECT hook, seq, key FROM hook_events INDEXED BY hook_events_by_seq WHERE state = ${WAITING} ORDER BY seq LIMIT ? + 0`);
  const firstDead = db.prepare<[number], { hook: string; seq: number }>(`
    SELECT hook, seq FROM hook_dead INDEXED BY hook_dead_by_time ORDER BY at LIMIT ? + 0`);
  const countDropped = db.prepare<[string]>("UPDATE hook_sums SET dropped = dropped + 1 WHERE hook = ?");
  const logPiece = db.prepare<[number, number], { seq: number; size: number; waited: number }>(`
    SELECT seq, length(key) + length(data) AS size, EXISTS (SELECT 1 FROM hook_events h WHERE h.seq = e.seq) AS waited
    FROM events e WHERE seq > +? ORDER BY seq LIMIT ? + 0`);
  const removeEvent = db.prepare<[number]>("DELETE FROM events WHERE seq = ?");
  /** How far the log was looked through for what there is no room for, and when it may be again. */
  let looked = 0;
  let lookAgain = 0;

  function drop({ hook, seq, key }: { hook: string; seq: number; key: string }): void {
    queue.discard(hook, seq, key);
    countDropped.run(hook);
  }

  function dropDead({ hook, seq }: { hook: string; seq: number }): void {
    removeDead.run(hook, seq);
    countDropped.run(hook);
  }

  /** Whether there may be more. */
  function dropSome(most: HookBounds, limit: number): boolean {
    let [events, bytes] = [0, 0];
    for (const { hook, waiting, dead, size } of sums.all()) {
      if (hook === LOG) continue;
      const fresh = queue.freshOf(hook);
      events += waiting + dead + fresh.count;
      bytes += size + fresh.bytes;
    }
    if (events <= most.events && bytes <= most.bytes) return false;
    if (queue.spillOld(Number.POSITIVE_INFINITY, limit) > 0) return true;
    const piece = bytes > most.bytes ? limit : Math.min(limit, events - most.events);
    const dead = firstDead.all(piece);
    for (const row of dead) dropDead(row);
    if (dead.length > 0) return true;
    const happened = firstHappened.all(piece);
    for (const row of happened) drop(row);
    if (happened.length > 0) return true;
    const states = firstState.all(piece);
    for (const row of states) drop(row);
    return states.length > 0;
  }

  /** What nobody waits for goes first of the log. Whether there may be more. */
  function shortenLog(most: HookBounds, now: number, limit: number): boolean {
    const { events, bytes } = log;
    if ((events <= most.events && bytes <= most.bytes) || now < lookAgain) return false;
    const rows = logPiece.all(looked, bytes > most.bytes ? limit : Math.min(limit, events - most.events));
    const kept = queue.firstFresh();
    for (const { seq, size, waited } of rows) {
      if (waited !== 0 || seq >= kept) continue;
      removeEvent.run(seq);
      log.removed(size);
    }
    log.save();
    looked = rows.at(-1)?.seq ?? 0;
    if (rows.length > 0) return true;
    lookAgain = now + LAP;
    return false;
  }

  return {
    hookDepths: (): readonly HookDepth[] =>
      sums
        .all()
        .filter(({ hook }) => hook !== LOG)
        .map(({ hook, waiting, dead, dropped }) => {
          const fresh = queue.freshOf(hook);
          const since = Math.min(oldest.get(hook) ?? Number.POSITIVE_INFINITY, fresh.since ?? Number.POSITIVE_INFINITY);
          const oldestOf = since === Number.POSITIVE_INFINITY ? {} : { oldest: since };
          return { hook, waiting: waiting + fresh.count, dead, dropped, ...oldestOf };
        }),

    deadLetters: (hook: string, after: number, limit: number): readonly DeadLetter[] =>
      deadOf.all(hook, after, limit).map(({ reason, at, ...row }) => ({
        ...queue.asEvent(row),
        at,
        ...(reason === null ? {} : { reason }),
      })),

    /** A piece of them. @returns how many were queued, and the seq to go on after, if there may be more */
    replayDead(
      hook: string,
      { after = 0, types, key, from = 0, to = Number.POSITIVE_INFINITY }: EventQuery,
      limit: number,
    ) {
      const rows = deadOf.all(hook, after, limit);
      let count = 0;
      for (const row of rows) {
        if (types !== undefined && !types.includes(row.type)) continue;
        if ((key !== undefined && key !== row.key) || row.time < from || row.time >= to) continue;
        if (revive.run(hook, row.seq).changes > 0) log.added(row.seq, row.key.length + row.data.length);
        removeDead.run(hook, row.seq);
        if (queue.addAgain(hook, row.seq, row.key, row.key.length + row.data.length)) count++;
      }
      log.save();
      return rows.length < limit ? { count } : { count, next: rows.at(-1)!.seq };
    },

    /** Queues these events of the log once more. @returns how many did not wait already */
    replayEvents(
      hook: string,
      events: readonly { readonly seq: number; readonly key: string; readonly size: number }[],
    ) {
      let count = 0;
      for (const { seq, key, size } of events) {
        removeDead.run(hook, seq);
        if (queue.addAgain(hook, seq, key, size)) count++;
      }
      return count;
    },

    /** Gives up what was written before then, forgets what is older still or too much. Whether there may be more to do. */
    sweepHooks(before: number, most: HookBounds, now: number, limit: number): boolean {
      if (queue.spillOld(Math.max(before, now - LINGER), limit) === limit) return true;
      const last = lastBefore.get(before);
      const rows = last === undefined ? [] : overdue.all(last, before, limit);
      for (const { hook, seq, key } of rows) {
        bury.run(now, hook, seq);
        queue.discard(hook, seq, key);
      }
      if (rows.length === limit || oldDead.run(now - most.dead, limit).changes === limit) return true;
      return dropSome(most, limit) || shortenLog(most, now, limit);
    },
  };
}
