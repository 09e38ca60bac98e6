// What waits to be sent to endpoints. Events written lately are in memory (fresh.ts), and the store says up to where in the log an
// endpoint needs none of them; the others, which wait longer, failed or are queued once more, are rows, one per endpoint and event.
// Of a key only the oldest can be claimed, rows before fresh ones: the other rows stand behind it, and the settling of one brings up the
// next, so that a claim looks at no row it cannot take.
import type Database from "better-sqlite3";
import { type HookPatterns, subjectOf, takes } from "../../core/events.ts";
import { type HookEvent, type HookSettlement, wireSize } from "../../core/hooks.ts";
import { eventId, type LogRow } from "../log.ts";
import { readEpoch } from "./epoch.ts";
import { type Enqueued, type Fresh, type Journal, Window } from "./fresh.ts";
import { LOG } from "./logsums.ts";

/** What the column `state` means. */
export const WAITING = 0;
const LEASED = 1;
/** `due` of a row that stands behind another one of its key. */
const BEHIND = 9e15;
/** What an event takes on the wire besides key and data, about. */
const OVERHEAD = 150;

/** An event as the log has it, and tries that failed. */
export interface Row extends LogRow {
  readonly attempts: number;
}

interface Standing {
  readonly key: string;
  readonly subject: string | null;
}

/** An endpoint that is configured, or was until the end of this transaction. */
interface Hook {
  readonly window: Window;
  /** What is written for it, as JSON: as it is wanted (undefined: no more), and as the store knows it. */
  wanted: string | undefined;
  stored: string | undefined;
  /** Up to here in the log nothing is its but rows. */
  cursor: number;
  /** It may have rows. */
  rows: boolean;
}

export type HookTable = ReturnType<typeof hookTable>;

/** @param lastSeq the newest of an event that was given */
export function hookTable(db: Database, lastSeq: () => number, journal: Journal) {
  const epoch = readEpoch(db);
  const hooks = new Map<string, Hook>();
  const cursors = db.prepare<[], { hook: string; seq: number; wanted: string }>(
    `SELECT hook, seq, wanted FROM hook_cursors WHERE hook <> '${LOG}'`,
  );
  const setCursor = db.prepare<[string, number, string]>(
    "INSERT OR REPLACE INTO hook_cursors (hook, seq, wanted) VALUES (?, ?, ?)",
  );
  const moveCursor = db.prepare<[number, string]>("UPDATE hook_cursors SET seq = ? WHERE hook = ?");
  const removeCursor = db.prepare<[string]>("DELETE FROM hook_cursors WHERE hook = ?");
  const addSums = db.prepare<[string]>("INSERT OR IGNORE INTO hook_sums (hook) VALUES (?)");
  const logged = db.prepare<[number], Omit<Row, "attempts">>(
    "SELECT seq, type, key, time, data FROM events WHERE seq > ? ORDER BY seq",
  );
  const rowsOf = db.prepare<[string], number>("SELECT waiting FROM hook_sums WHERE hook = ?").pluck<number>();
  const replace = db.prepare<[string, string]>(`
    DELETE FROM hook_events INDEXED BY hook_events_by_subject
    WHERE hook = ? AND subject = ? AND subject IS NOT NULL AND state = ${WAITING}`);
  const insert = db.prepare<[string, number, string, string | null, number, number, number, number, string | null]>(`
    INSERT OR IGNORE INTO hook_events (hook, seq, key, subject, size, state, due, attempts, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
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
  const releaseAll = db.prepare<[], { hook: string; key: string }>(`
    UPDATE hook_events SET state = ${WAITING}, due = ${BEHIND} WHERE state = ${LEASED} RETURNING hook, key`);
  const leased = db.prepare<[string, number], Standing>(`
    SELECT key, subject FROM hook_events WHERE hook = ? AND seq = ? AND state = ${LEASED}`);
  const newer = db
    .prepare<[string, string, number], number>(`
    SELECT 1 FROM hook_events WHERE hook = ? AND subject = ? AND state = ${WAITING} AND seq > +? LIMIT 1`)
    .pluck<number>();
  const remove = db.prepare<[string, number]>("DELETE FROM hook_events WHERE hook = ? AND seq = ?");
  const putBack = db.prepare<[number, string, number]>(`
    UPDATE hook_events SET state = ${WAITING}, due = ? WHERE hook = ? AND seq = ?`);
  const putOff = db.prepare<[number, string, string, number]>(`
    UPDATE hook_events SET state = ${WAITING}, due = ?, attempts = attempts + 1, reason = ? WHERE hook = ? AND seq = ?`);
  const hasten = db.prepare<[string]>(`
    UPDATE hook_events SET due = 0 WHERE hook = ? AND state = ${WAITING} AND due > 0 AND due < ${BEHIND}`);
  const recall = db.prepare<[], { name: string; text: string }>("SELECT name, text FROM hook_memory");
  const remember = db.prepare<[string, string]>("INSERT OR REPLACE INTO hook_memory (name, text) VALUES (?, ?)");
  const coalescing = new Map<string, boolean>();

  const asEvent = ({ seq, type, key, time, data, attempts }: Row): HookEvent => ({
    seq,
    id: eventId(epoch, seq),
    type,
    key,
    time,
    data,
    attempts,
  });

  /** A row. False: it has one. */
  function add(
    hook: string,
    { seq, key, subject, size }: Pick<Enqueued, "seq" | "key" | "subject" | "size">,
    due: number,
    state = WAITING,
    reason?: string,
  ): boolean {
    const known = hooks.get(hook);
    if (known !== undefined) known.rows = true;
    const attempts = reason === undefined ? 0 : 1;
    return insert.run(hook, seq, key, subject ?? null, size, state, due, attempts, reason ?? null).changes > 0;
  }

  const isUnderWay = (hook: string, key: string): boolean =>
    hooks.get(hook)?.window.isUnderWay(key) === true || leasedOf.get(hook, key) !== undefined;

  function next(hook: string, key: string): void {
    const first = firstOf.get(hook, key);
    if (first === undefined || first.state !== WAITING || first.due !== BEHIND) return;
    if (!isUnderWay(hook, key)) bringUp.run(hook, first.seq);
  }

  /** A row that is done with. */
  function discard(name: string, seq: number, key: string): void {
    remove.run(name, seq);
    next(name, key);
  }

  /** Up to where in the log nothing of it is fresh. Fails where the store cannot be written, as whatever claims and settles has to. */
  function move(name: string, hook: Hook): void {
    const before = hook.cursor;
    hook.cursor = (hook.window.first()?.seq ?? lastSeq() + 1) - 1;
    journal.add(() => {
      hook.cursor = before;
    });
    moveCursor.run(hook.cursor, name);
  }

  /** The oldest of its key becomes a row. */
  function spill(name: string, { window }: Hook, event: Fresh): void {
    const isLeased = event.state === "leased";
    const due = isLeased || firstOf.get(name, event.key) === undefined ? 0 : BEHIND;
    add(name, event, due, isLeased ? LEASED : WAITING);
    window.put(event, "gone");
  }

  /** @param since those written before, epoch ms. @returns how many */
  function spillOld(since: number, limit: number): number {
    let count = 0;
    for (const [name, hook] of hooks) {
      for (let first = hook.window.first(); first !== undefined && first.time < since; first = hook.window.first()) {
        if (count === limit) return count;
        spill(name, hook, first);
        count++;
      }
      if (hook.cursor < lastSeq()) move(name, hook);
    }
    return count;
  }

  /** A newer one says all that it did. */
  const superseded = (hook: string, seq: number, subject: string | null): boolean =>
    subject !== null &&
    coalescing.get(hook) !== false &&
    (hooks.get(hook)?.window.replaces(subject, seq) === true || newer.get(hook, subject, seq) !== undefined);

  function settled(name: string, seq: number): void {
    const hook = hooks.get(name);
    const event = hook?.window.get(seq);
    if (hook === undefined || event === undefined) {
      const row = leased.get(name, seq);
      if (row !== undefined) discard(name, seq, row.key);
    } else if (event.state === "leased") {
      hook.window.put(event, "gone");
      if (hook.rows) next(name, event.key);
    }
  }

  /** To wait behind what is older of its key, else until then. @param later when and why, if it failed by itself */
  function takeBack(name: string, seq: number, later?: { readonly due: number; readonly reason: string }): void {
    const hook = hooks.get(name);
    const event = hook?.window.get(seq);
    if (hook === undefined || event === undefined) {
      const row = leased.get(name, seq);
      if (row === undefined) return;
      if (superseded(name, seq, row.subject)) return discard(name, seq, row.key);
      const isBehind = firstOf.get(name, row.key)?.seq !== seq;
      const due = isBehind ? BEHIND : (later?.due ?? 0);
      if (later === undefined) putBack.run(due, name, seq);
      else putOff.run(due, later.reason, name, seq);
      if (isBehind) next(name, row.key);
      return;
    }
    if (event.state !== "leased") return;
    const isGone = superseded(name, seq, event.subject ?? null);
    const first = hook.rows ? firstOf.get(name, event.key)?.seq : undefined;
    const isRow = !isGone && (first !== undefined || later !== undefined);
    if (isRow) {
      const isBehind = first !== undefined && first < seq;
      add(name, event, isBehind ? BEHIND : (later?.due ?? 0), WAITING, later?.reason);
    }
    hook.window.put(event, isGone || isRow ? "gone" : "waiting");
    if (first !== undefined) next(name, event.key);
  }

  /** From here on the log has what is fresh. */
  function firstFresh(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { window } of hooks.values()) first = Math.min(first, window.first()?.seq ?? first);
    return first;
  }

  /** What was fresh when an earlier process ended becomes rows. */
  function recover(name: string, after: number, wanted: string): void {
    const { events, coalesce } = JSON.parse(wanted) as HookPatterns; // as `use` wrote it
    const keys = new Set<string>();
    for (const { seq, type, key, data } of logged.all(after)) {
      if (!events.some((pattern) => takes(pattern, type))) continue;
      const { pushId } = type.startsWith("topic.") ? (JSON.parse(data) as { readonly pushId?: string }) : {};
      const subject = subjectOf(type, key, pushId);
      if (coalesce && subject !== undefined && replace.run(name, subject).changes > 0) next(name, key);
      add(name, { seq, key, subject, size: wireSize({ key, data }) }, BEHIND);
      keys.add(key);
    }
    for (const key of keys) {
      if (firstOf.get(name, key)?.due !== BEHIND) continue;
      sendBehind.run(name, key); // a newer one, which was put off
      next(name, key);
    }
  }

  return {
    /** What an earlier process had claimed waits again, and what was fresh then. */
    release(): void {
      db.exec("BEGIN IMMEDIATE");
      for (const { hook, key } of releaseAll.all()) next(hook, key);
      for (const { hook, seq, wanted } of cursors.all()) {
        recover(hook, seq, wanted);
        removeCursor.run(hook); // whoever is still wanted begins anew
      }
      db.exec("COMMIT");
    },

    /** From the end of this transaction on. An endpoint that is new gets what is written from then on. */
    use(wanted: readonly HookPatterns[]): void {
      for (const hook of hooks.values()) hook.wanted = undefined;
      for (const { name, events, coalesce } of wanted) {
        coalescing.set(name, coalesce);
        const text = JSON.stringify({ events, coalesce });
        const hook = hooks.get(name);
        if (hook !== undefined) hook.wanted = text;
        else {
          const window = new Window(journal);
          hooks.set(name, { window, wanted: text, stored: undefined, cursor: 0, rows: true });
        }
      }
    },

    /** Before the commit. */
    save(): void {
      for (const [name, hook] of hooks) {
        const { wanted, stored, window } = hook;
        if (wanted === stored) continue;
        for (let first = window.first(); first !== undefined; first = window.first()) spill(name, hook, first);
        if (wanted === undefined) removeCursor.run(name);
        else {
          addSums.run(name);
          hook.cursor = lastSeq();
          setCursor.run(name, hook.cursor, wanted);
        }
        hook.stored = wanted;
        journal.add(() => {
          hook.stored = stored;
        });
      }
    },

    /** After it. */
    saved(): void {
      journal.forget();
      for (const [name, { window, wanted }] of hooks) {
        window.committed();
        if (wanted === undefined) hooks.delete(name);
      }
    },

    /** Where `undo` goes back to. */
    mark: (): number => journal.length,

    /** Takes back what was changed in memory since then; whether there are rows is looked up anew. */
    undo(mark: number): void {
      journal.undo(mark);
      for (const hook of hooks.values()) hook.rows = true;
    },

    firstFresh,
    spillOld,
    discard,
    asEvent,

    /** Events of an endpoint that are fresh, their bytes, and when the oldest was written. */
    freshOf(name: string): { readonly count: number; readonly bytes: number; readonly since?: number } {
      const window = hooks.get(name)?.window;
      const first = window?.first();
      const { count = 0, bytes = 0 } = window ?? {};
      return { count, bytes, ...(first === undefined ? {} : { since: first.time }) };
    },

    /** One of the log, which may be older than what waits of its key already. False: it waits. @param size of key and data */
    addAgain(name: string, seq: number, key: string, size: number): boolean {
      const hook = hooks.get(name);
      if (hook?.window.get(seq) !== undefined) return false;
      if (!add(name, { seq, key, subject: undefined, size: size + OVERHEAD }, BEHIND)) return false;
      if (hook !== undefined)
        for (const event of hook.window.waiting(key)) {
          add(name, event, BEHIND);
          hook.window.put(event, "gone");
        }
      if (isUnderWay(name, key)) return true;
      sendBehind.run(name, key);
      next(name, key);
      return true;
    },

    /** An event of this transaction, for an endpoint whose patterns take it. What is too much becomes rows. */
    enqueue({ name, coalesce }: HookPatterns, event: Omit<Enqueued, "size">): void {
      const hook = hooks.get(name);
      if (hook === undefined) return;
      const { key, subject } = event;
      if (hook.rows && coalesce && subject !== undefined && replace.run(name, subject).changes > 0) next(name, key);
      const { window } = hook;
      window.add({ ...event, size: wireSize(event) }, coalesce);
      while (window.isFull) spill(name, hook, window.first()!); // what is too much is not empty
    },

    claimEvents(name: string, limit: number, size: number, now: number) {
      const events: HookEvent[] = [];
      const hook = hooks.get(name);
      if (hook !== undefined) hook.rows &&= (rowsOf.get(name) ?? 0) > 0;
      let bytes = 0;
      let at: number | undefined;
      if (hook?.rows !== false) {
        for (const row of due.all(name, now, limit)) {
          bytes += wireSize(row);
          if (events.length > 0 && bytes > size) break;
          lease.run(name, row.seq);
          events.push(asEvent(row));
        }
        at = nextDue.get(name);
      }
      if (hook !== undefined && hook.window.count > 0) {
        const before = events.length;
        for (const event of hook.window.heads()) {
          if (event.state === "leased") continue;
          if (hook.rows && firstOf.get(name, event.key) !== undefined) {
            spill(name, hook, event);
            continue;
          }
          bytes += event.size;
          if (events.length === limit || (events.length > 0 && bytes > size)) {
            at = 0;
            break;
          }
          hook.window.put(event, "leased");
          events.push(asEvent({ ...event, attempts: 0 }));
        }
        if (events.length > before) move(name, hook);
      }
      return at === undefined || at >= BEHIND ? { events } : { events, next: at };
    },

    settleEvents(name: string, { delivered, retry, back }: HookSettlement): void {
      for (const seq of delivered) settled(name, seq);
      for (const { seq, due: at, reason } of retry) takeBack(name, seq, { due: at, reason });
      for (const seq of back) takeBack(name, seq);
      const hook = hooks.get(name);
      if (hook !== undefined) move(name, hook);
    },

    hurryEvents: (hook: string): void => void hasten.run(hook),

    hookMemory: (): readonly { readonly name: string; readonly text: string }[] => recall.all(),
    memorize: (name: string, text: string): void => void remember.run(name, text),
  };
}
