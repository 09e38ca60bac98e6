// What waits to be sent to endpoints: one row per endpoint and event, written with the event itself. Of a key only the oldest row can be
// claimed: the others stand behind it, and the settling of one brings up the next, so that a claim looks at nothing it cannot take.
import type Database from "better-sqlite3";
import type { EventQuery, EventType, HookPatterns } from "../../core/events.ts";
import type { DeadLetter, HookBounds, HookDepth, HookEvent, HookSettlement } from "../../core/hooks.ts";
import { DAY } from "../../core/time.ts";
import { readEpoch } from "./epoch.ts";

/** What the column `state` means. */
const WAITING = 0;
const LEASED = 1;
/** `due` of a row that stands behind another one of its key. */
const BEHIND = 9e15;
/** What an event takes on the wire besides key and data, about. */
const OVERHEAD = 150;
/** How long a dead letter is kept. */
const DEAD_KEPT = 30 * DAY;
/** The row of `hook_sums` that counts the log. */
const LOG = "";
/** The whole log is looked through for what nobody waits for so often, milliseconds. */
const LAP = 60_000;

interface Row {
  readonly seq: number;
  readonly type: EventType;
  readonly key: string;
  readonly time: number;
  readonly data: string;
  readonly attempts: number;
}

interface Standing {
  readonly key: string;
  readonly subject: string | null;
}

export type HookTable = ReturnType<typeof hookTable>;

export function hookTable(db: Database) {
  const epoch = readEpoch(db);
  const replace = db.prepare<[string, string]>(`
    DELETE FROM hook_events INDEXED BY hook_events_by_subject
    WHERE hook = ? AND subject = ? AND subject IS NOT NULL AND state = ${WAITING}`);
  const add = db.prepare<[string, number, string, string | null, number, number]>(
    "INSERT OR IGNORE INTO hook_events (hook, seq, key, subject, size, due) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const firstOf = db.prepare<[string, string], { seq: number; state: number; due: number }>(`
    SELECT seq, state, due FROM hook_events INDEXED BY hook_events_by_key
    WHERE hook = ? AND key = ? AND state < 2 ORDER BY seq LIMIT 1`);
  const leasedOf = db
    .prepare<[string, string], number>(`
    SELECT 1 FROM hook_events INDEXED BY hook_events_by_key
    WHERE hook = ? AND key = ? AND state < 2 AND state = ${LEASED} LIMIT 1`)
    .pluck<number>();
  const bringUp = db.prepare<[string, number]>(`
    UPDATE hook_events SET due = 0 WHERE hook = ? AND seq = ? AND state = ${WAITING} AND due = ${BEHIND}`);
  const sendBehind = db.prepare<[string, string]>(`
    UPDATE hook_events INDEXED BY hook_events_by_key SET due = ${BEHIND}
    WHERE hook = ? AND key = ? AND state < 2 AND state = ${WAITING} AND due <> ${BEHIND}`);
  const due = db.prepare<[string, number, number], Row>(`
    SELECT h.seq, e.type, e.key, e.time, e.data, h.attempts
    FROM hook_events h INDEXED BY hook_events_by_due CROSS JOIN events e ON e.seq = h.seq
    WHERE h.hook = ? AND h.state = ${WAITING} AND h.due <= +? ORDER BY h.due, h.seq LIMIT ? + 0`);
  const nextDue = db
    .prepare<[string], number>(`
    SELECT due FROM hook_events INDEXED BY hook_events_by_due WHERE hook = ? AND state = ${WAITING} ORDER BY due LIMIT 1`)
    .pluck<number>();
  const lease = db.prepare<[string, number]>(`UPDATE hook_events SET state = ${LEASED} WHERE hook = ? AND seq = ?`);
  const leased = db.prepare<[string, number], Standing>(`
    SELECT key, subject FROM hook_events WHERE hook = ? AND seq = ? AND state = ${LEASED}`);
  const newer = db
    .prepare<[string, string, number], number>(`
    SELECT 1 FROM hook_events WHERE hook = ? AND subject = ? AND state = ${WAITING} AND seq > +? LIMIT 1`)
    .pluck<number>();
  const remove = db.prepare<[string, number]>("DELETE FROM hook_events WHERE hook = ? AND seq = ?");
  const putBack = db.prepare<[string, number]>(`
    UPDATE hook_events SET state = ${WAITING}, due = 0 WHERE hook = ? AND seq = ?`);
  const putOff = db.prepare<[number, string, string, number]>(`
    UPDATE hook_events SET state = ${WAITING}, due = ?, attempts = attempts + 1, reason = ? WHERE hook = ? AND seq = ?`);
  const hasten = db.prepare<[string]>(`
    UPDATE hook_events SET due = 0 WHERE hook = ? AND state = ${WAITING} AND due > 0 AND due < ${BEHIND}`);
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
  const logPiece = db.prepare<[number, number], { seq: number; waited: number }>(`
    SELECT seq, EXISTS (SELECT 1 FROM hook_events h WHERE h.seq = e.seq) AS waited
    FROM events e WHERE seq > +? ORDER BY seq LIMIT ? + 0`);
  const removeEvent = db.prepare<[number]>("DELETE FROM events WHERE seq = ?");
  const recall = db.prepare<[], { name: string; text: string }>("SELECT name, text FROM hook_memory");
  const remember = db.prepare<[string, string]>("INSERT OR REPLACE INTO hook_memory (name, text) VALUES (?, ?)");
  const coalescing = new Map<string, boolean>();
  /** How far the log was looked through for what there is no room for, and when it may be again. */
  let looked = 0;
  let lookAgain = 0;

  const asEvent = ({ seq, type, key, time, data, attempts }: Row): HookEvent => ({
    seq,
    id: `evt_${epoch}_${seq}`,
    type,
    key,
    time,
    data,
    attempts,
  });

  function next(hook: string, key: string): void {
    const first = firstOf.get(hook, key);
    if (first !== undefined && first.state === WAITING && first.due === BEHIND) bringUp.run(hook, first.seq);
  }

  /** A newer one says all that it did. */
  const superseded = (hook: string, seq: number, subject: string | null): boolean =>
    subject !== null && coalescing.get(hook) !== false && newer.get(hook, subject, seq) !== undefined;

  function takeBack(hook: string, seq: number, put: () => void): void {
    const row = leased.get(hook, seq);
    if (row === undefined) return;
    if (superseded(hook, seq, row.subject)) {
      remove.run(hook, seq);
      next(hook, row.key);
    } else put();
  }

  /** One that may be older than what waits of its key already. */
  function addAgain(hook: string, seq: number, key: string, size: number): boolean {
    if (add.run(hook, seq, key, null, size, BEHIND).changes === 0) return false;
    if (leasedOf.get(hook, key) !== undefined) return true;
    sendBehind.run(hook, key);
    next(hook, key);
    return true;
  }

  function drop({ hook, seq, key }: { hook: string; seq: number; key: string }): void {
    remove.run(hook, seq);
    countDropped.run(hook);
    next(hook, key);
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
      events += waiting + dead;
      bytes += size;
    }
    if (events <= most.events && bytes <= most.bytes) return false;
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
    const log = sums.all().find(({ hook }) => hook === LOG);
    if (log === undefined || (log.waiting <= most.events && log.size <= most.bytes) || now < lookAgain) return false;
    const rows = logPiece.all(looked, log.size > most.bytes ? limit : Math.min(limit, log.waiting - most.events));
    for (const { seq, waited } of rows) if (waited === 0) removeEvent.run(seq);
    looked = rows.at(-1)?.seq ?? 0;
    if (rows.length > 0) return true;
    lookAgain = now + LAP;
    return false;
  }

  return {
    /** What an earlier process had claimed waits again. */
    release(): void {
      db.exec(`UPDATE hook_events SET state = ${WAITING} WHERE state = ${LEASED}`);
    },

    use(hooks: readonly HookPatterns[]): void {
      for (const { name, coalesce } of hooks) coalescing.set(name, coalesce);
    },

    /** @param subject of a state event: one of the same that still waits says nothing any more @param size of key and data */
    enqueue(
      { name, coalesce }: HookPatterns,
      seq: number,
      key: string,
      subject: string | undefined,
      size: number,
    ): void {
      const replaced = coalesce && subject !== undefined && replace.run(name, subject).changes > 0;
      const first = firstOf.get(name, key);
      add.run(name, seq, key, subject ?? null, size + OVERHEAD, first === undefined ? 0 : BEHIND);
      if (replaced && first?.state === WAITING) bringUp.run(name, first.seq);
    },

    claimEvents(hook: string, limit: number, size: number, now: number) {
      const events: HookEvent[] = [];
      let bytes = 0;
      for (const row of due.all(hook, now, limit)) {
        bytes += row.key.length + row.data.length + OVERHEAD;
        if (events.length > 0 && bytes > size) break;
        lease.run(hook, row.seq);
        events.push(asEvent(row));
      }
      const at = nextDue.get(hook);
      return at === undefined || at >= BEHIND ? { events } : { events, next: at };
    },

    settleEvents(hook: string, { delivered, retry, back }: HookSettlement): void {
      for (const seq of delivered) {
        const row = leased.get(hook, seq);
        if (row === undefined) continue;
        remove.run(hook, seq);
        next(hook, row.key);
      }
      for (const { seq, due: at, reason } of retry) takeBack(hook, seq, () => putOff.run(at, reason, hook, seq));
      for (const seq of back) takeBack(hook, seq, () => putBack.run(hook, seq));
    },

    hurryEvents: (hook: string): void => void hasten.run(hook),

    hookDepths: (): readonly HookDepth[] =>
      sums
        .all()
        .filter(({ hook }) => hook !== LOG)
        .map(({ hook, waiting, dead, dropped }) => {
          const since = oldest.get(hook);
          return { hook, waiting, dead, dropped, ...(since === undefined ? {} : { oldest: since }) };
        }),

    deadLetters: (hook: string, after: number, limit: number): readonly DeadLetter[] =>
      deadOf.all(hook, after, limit).map(({ reason, at, ...row }) => ({
        ...asEvent(row),
        at,
        ...(reason === null ? {} : { reason }),
      })),

    /** A piece of them. @returns how many were queued, and the seq to go on after, if there may be more */
    replayDead(hook: string, { after = 0, types, key, from = 0, to = BEHIND }: EventQuery, limit: number) {
      const rows = deadOf.all(hook, after, limit);
      let count = 0;
      for (const row of rows) {
        if (types !== undefined && !types.includes(row.type)) continue;
        if ((key !== undefined && key !== row.key) || row.time < from || row.time >= to) continue;
        revive.run(hook, row.seq);
        removeDead.run(hook, row.seq);
        if (addAgain(hook, row.seq, row.key, row.key.length + row.data.length + OVERHEAD)) count++;
      }
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
        if (addAgain(hook, seq, key, size + OVERHEAD)) count++;
      }
      return count;
    },

    /** Gives up what was written before then, forgets what is older still or too much. Whether there may be more to do. */
    sweepHooks(before: number, most: HookBounds, now: number, limit: number): boolean {
      const last = lastBefore.get(before);
      const rows = last === undefined ? [] : overdue.all(last, before, limit);
      for (const { hook, seq, key } of rows) {
        bury.run(now, hook, seq);
        remove.run(hook, seq);
        next(hook, key);
      }
      if (rows.length === limit || oldDead.run(now - DEAD_KEPT, limit).changes === limit) return true;
      return dropSome(most, limit) || shortenLog(most, now, limit);
    },

    hookMemory: (): readonly { readonly name: string; readonly text: string }[] => recall.all(),
    memorize: (name: string, text: string): void => void remember.run(name, text),
  };
}
