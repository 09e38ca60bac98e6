// What waits to be sent to endpoints: one row per endpoint and event. Of a key only the oldest row can be claimed: the others stand
// behind it, and the settling of one brings up the next. An endpoint has one owner, the node that claims for it.
import type { EventQuery, HookPatterns } from "../../core/events.ts";
import {
  type DeadLetter,
  type HookBounds,
  type HookDepth,
  type HookEvent,
  type HookSettlement,
  wireSize,
} from "../../core/hooks.ts";
import { MINUTE } from "../../core/time.ts";
import { eventId, type LogRow } from "../log.ts";
import { Column, Statement } from "./database.ts";
import type { Owning } from "./nodes.ts";
import type { Turn } from "./turns.ts";

/** What the column `state` means. */
const WAITING = 0;
const LEASED = 1;
/** `due` of a row that stands behind another one of its key. */
const BEHIND = 9e15;
/** What an event takes on the wire besides key and data, about. */
const OVERHEAD = 150;
/** The row of `hook_sums` that counts the log. */
const LOG = "";
/** The whole log is looked through for what nobody waits for so often, milliseconds. */
const LAP = MINUTE;
/** Whoever does not own an endpoint asks again after so many. */
const ASK_AGAIN = 2000;

interface Row extends LogRow {
  readonly attempts: number;
}

interface Enqueued {
  readonly hook: HookPatterns;
  readonly seq: number;
  readonly key: string;
  readonly subject: string | undefined;
  readonly size: number;
}

interface Place {
  readonly hook: string;
  readonly seq: number;
  readonly key: string;
}

type Texts = readonly string[];
type Numbers = readonly number[];

const replace = new Statement<[Texts, Texts]>(`
  DELETE FROM hook_events h USING (SELECT DISTINCT hook, subject FROM unnest(?::text[], ?::text[]) AS u(hook, subject)) u
  WHERE h.hook = u.hook AND h.subject = u.subject AND h.subject IS NOT NULL AND h.state = ${WAITING}`);
const add = new Column<[Texts, Numbers, Texts, readonly (string | null)[], Numbers], number>(`
  INSERT INTO hook_events (hook, seq, key, subject, size, due)
  SELECT hook, seq, key, subject, size, ${BEHIND} FROM unnest(?::text[], ?::bigint[], ?::text[], ?::text[], ?::bigint[])
    AS u(hook, seq, key, subject, size)
  ON CONFLICT DO NOTHING RETURNING seq`);
const bringUp = new Statement<[Texts, Texts]>(`
  UPDATE hook_events h SET due = 0
  FROM (SELECT DISTINCT hook, key FROM unnest(?::text[], ?::text[]) AS u(hook, key)) u
  WHERE h.hook = u.hook AND h.state = ${WAITING} AND h.due = ${BEHIND}
    AND h.seq = (SELECT x.seq FROM hook_events x WHERE x.hook = u.hook AND x.key = u.key ORDER BY x.seq LIMIT 1)
    AND NOT EXISTS (SELECT 1 FROM hook_events x WHERE x.hook = u.hook AND x.key = u.key AND x.state = ${LEASED})`);
/** Of keys of which none is under way: the oldest is to come first again. */
const sendBehind = new Statement<[string, Texts]>(`
  UPDATE hook_events h SET due = ${BEHIND}
  WHERE hook = ? AND key = ANY (?) AND state = ${WAITING} AND due <> ${BEHIND}
    AND NOT EXISTS (SELECT 1 FROM hook_events x WHERE x.hook = h.hook AND x.key = h.key AND x.state = ${LEASED})`);
const due = new Statement<[string, number, number], Row>(`
  SELECT h.seq, e.type, e.key, e.time, e.data, h.attempts FROM hook_events h JOIN events e ON e.seq = h.seq
  WHERE h.hook = ? AND h.state = ${WAITING} AND h.due <= ? ORDER BY h.due, h.seq LIMIT ?`);
const nextDue = new Column<[string], number>(
  `SELECT due FROM hook_events WHERE hook = ? AND state = ${WAITING} ORDER BY due LIMIT 1`,
);
const lease = new Statement<[number, string, Numbers]>(
  `UPDATE hook_events SET state = ${LEASED}, holder = ? WHERE hook = ? AND seq = ANY (?)`,
);
const leased = new Statement<[string, Numbers], { seq: number; key: string; subject: string | null; holder: number }>(
  `SELECT seq, key, subject, holder FROM hook_events WHERE hook = ? AND seq = ANY (?) AND state = ${LEASED}`,
);
/** Those that a newer one of their subject has made superfluous. */
const superseded = new Column<[string, Numbers], number>(`
  SELECT h.seq FROM hook_events h WHERE h.hook = ? AND h.seq = ANY (?) AND h.subject IS NOT NULL AND EXISTS (
    SELECT 1 FROM hook_events x WHERE x.hook = h.hook AND x.subject = h.subject AND x.state = ${WAITING} AND x.seq > h.seq)`);
const remove = new Statement<[string, Numbers]>("DELETE FROM hook_events WHERE hook = ? AND seq = ANY (?)");
const putBack = new Statement<[string, Numbers]>(
  `UPDATE hook_events SET state = ${WAITING}, holder = NULL, due = 0 WHERE hook = ? AND seq = ANY (?)`,
);
const putOff = new Statement<[Numbers, Numbers, Texts, string]>(`
  UPDATE hook_events h SET state = ${WAITING}, holder = NULL, due = u.due, attempts = attempts + 1, reason = u.reason
  FROM unnest(?::bigint[], ?::bigint[], ?::text[]) AS u(seq, due, reason) WHERE h.hook = ? AND h.seq = u.seq`);
const hasten = new Statement<[string]>(
  `UPDATE hook_events SET due = 0 WHERE hook = ? AND state = ${WAITING} AND due > 0 AND due < ${BEHIND}`,
);
const sums = new Statement<[], { hook: string; waiting: number; dead: number; size: number; dropped: number }>(
  "SELECT hook, waiting, dead, size, dropped FROM hook_sums ORDER BY hook",
);
const oldest = new Column<[string], number>(`
  SELECT e.time FROM hook_events h JOIN events e ON e.seq = h.seq WHERE h.hook = ? ORDER BY h.seq LIMIT 1`);
const deadOf = new Statement<[string, number, number], Row & { reason: string | null; at: number }>(`
  SELECT seq, type, key, time, data, attempts, reason, at FROM hook_dead WHERE hook = ? AND seq > ? ORDER BY seq LIMIT ?`);
const revive = new Statement<[string, Numbers]>(`
  INSERT INTO events (seq, type, key, time, data) SELECT seq, type, key, time, data FROM hook_dead WHERE hook = ? AND seq = ANY (?)
  ON CONFLICT DO NOTHING`);
const bury = new Statement<[number, Texts, Numbers]>(`
  INSERT INTO hook_dead (hook, seq, type, key, subject, time, data, attempts, reason, at)
  SELECT h.hook, h.seq, e.type, e.key, h.subject, e.time, e.data, h.attempts, h.reason, ?
  FROM unnest(?::text[], ?::bigint[]) AS u(hook, seq) JOIN hook_events h ON h.hook = u.hook AND h.seq = u.seq
    JOIN events e ON e.seq = h.seq
  ON CONFLICT DO NOTHING`);
const removeAll = new Statement<[Texts, Numbers]>(`
  DELETE FROM hook_events h USING unnest(?::text[], ?::bigint[]) AS u(hook, seq) WHERE h.hook = u.hook AND h.seq = u.seq`);
const removeDead = new Statement<[string, Numbers]>("DELETE FROM hook_dead WHERE hook = ? AND seq = ANY (?)");
const removeAllDead = new Statement<[Texts, Numbers]>(`
  DELETE FROM hook_dead h USING unnest(?::text[], ?::bigint[]) AS u(hook, seq) WHERE h.hook = u.hook AND h.seq = u.seq`);
const overdue = new Statement<[number, number], Place>(`
  SELECT h.hook, h.seq, h.key FROM hook_events h JOIN events e ON e.seq = h.seq
  WHERE h.state = ${WAITING} AND e.time < ? ORDER BY h.seq LIMIT ?`);
const oldDead = new Statement<[number, number]>(`
  DELETE FROM hook_dead WHERE (hook, seq) IN (SELECT hook, seq FROM hook_dead WHERE at < ? ORDER BY at LIMIT ?)`);
const firstHappened = new Statement<[number], Place>(
  `SELECT hook, seq, key FROM hook_events WHERE subject IS NULL AND state = ${WAITING} ORDER BY seq LIMIT ?`,
);
const firstState = new Statement<[number], Place>(
  `SELECT hook, seq, key FROM hook_events WHERE state = ${WAITING} ORDER BY seq LIMIT ?`,
);
const firstDead = new Statement<[number], Place>("SELECT hook, seq, key FROM hook_dead ORDER BY at LIMIT ?");
const countDropped = new Statement<[Texts]>(`
  UPDATE hook_sums s SET dropped = dropped + u.n
  FROM (SELECT hook, count(*) AS n FROM unnest(?::text[]) AS u(hook) GROUP BY hook) u WHERE s.hook = u.hook`);
const logPiece = new Statement<[number, number], { seq: number; waited: boolean }>(`
  SELECT seq, EXISTS (SELECT 1 FROM hook_events h WHERE h.seq = e.seq) AS waited
  FROM events e WHERE seq > ? ORDER BY seq LIMIT ?`);
const removeEvents = new Statement<[Numbers]>("DELETE FROM events WHERE seq = ANY (?)");
const recall = new Statement<[], { name: string; text: string }>("SELECT name, text FROM hook_memory");
const remember = new Statement<[string, string]>(`
  INSERT INTO hook_memory (name, text) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text`);

export type HookTable = ReturnType<typeof hookTable>;

export function hookTable(epoch: string, owning: Owning, node: () => number) {
  const coalescing = new Map<string, boolean>();
  /** How far the log was looked through for what there is no room for, and when it may be again. */
  let looked = 0;
  let lookAgain = 0;

  const asEvent = ({ seq, type, key, time, data, attempts }: Row): HookEvent => ({
    seq,
    id: eventId(epoch, seq),
    type,
    key,
    time,
    data,
    attempts,
  });

  function next(turn: Turn, places: readonly Pick<Place, "hook" | "key">[]): void {
    if (places.length === 0) return;
    bringUp.put(
      turn,
      places.map(({ hook }) => hook),
      places.map(({ key }) => key),
    );
  }

  /** Those of the places that may be older than what waits of their keys already. @returns how many were added */
  async function addAgain(turn: Turn, hook: string, rows: readonly { seq: number; key: string; size: number }[]) {
    if (rows.length === 0) return 0;
    const keys = rows.map(({ key }) => key);
    const added = await add.all(
      turn,
      rows.map(() => hook),
      rows.map(({ seq }) => seq),
      keys,
      rows.map(() => null),
      rows.map(({ size }) => size),
    );
    sendBehind.put(turn, hook, keys);
    next(
      turn,
      rows.map(({ key }) => ({ hook, key })),
    );
    return added.length;
  }

  function drop(turn: Turn, rows: readonly Place[]): void {
    const hooks = rows.map(({ hook }) => hook);
    removeAll.put(
      turn,
      hooks,
      rows.map(({ seq }) => seq),
    );
    countDropped.put(turn, hooks);
    next(turn, rows);
  }

  /** Whether there may be more. */
  async function dropSome(turn: Turn, most: HookBounds, limit: number): Promise<boolean> {
    let [events, bytes] = [0, 0];
    for (const { hook, waiting, dead, size } of await sums.all(turn)) {
      if (hook === LOG) continue;
      events += waiting + dead;
      bytes += size;
    }
    if (events <= most.events && bytes <= most.bytes) return false;
    const piece = bytes > most.bytes ? limit : Math.min(limit, events - most.events);
    const dead = await firstDead.all(turn, piece);
    if (dead.length > 0) {
      const hooks = dead.map(({ hook }) => hook);
      removeAllDead.put(
        turn,
        hooks,
        dead.map(({ seq }) => seq),
      );
      countDropped.put(turn, hooks);
      return true;
    }
    const happened = await firstHappened.all(turn, piece);
    const rows = happened.length > 0 ? happened : await firstState.all(turn, piece);
    if (rows.length > 0) drop(turn, rows);
    return rows.length > 0;
  }

  /** What nobody waits for goes first of the log. Whether there may be more. */
  async function shortenLog(turn: Turn, most: HookBounds, now: number, limit: number): Promise<boolean> {
    const log = (await sums.all(turn)).find(({ hook }) => hook === LOG);
    if (log === undefined || (log.waiting <= most.events && log.size <= most.bytes) || now < lookAgain) return false;
    const rows = await logPiece.all(
      turn,
      looked,
      log.size > most.bytes ? limit : Math.min(limit, log.waiting - most.events),
    );
    removeEvents.put(
      turn,
      rows.filter(({ waited }) => !waited).map(({ seq }) => seq),
    );
    looked = rows.at(-1)?.seq ?? 0;
    if (rows.length > 0) return true;
    lookAgain = now + LAP;
    return false;
  }

  return {
    use(hooks: readonly HookPatterns[]): void {
      for (const { name, coalesce } of hooks) coalescing.set(name, coalesce);
    },

    /** In the order of their seqs. A state event takes the place of one of its subject that still waits. */
    enqueue(turn: Turn, all: readonly Enqueued[]): void {
      if (all.length === 0) return;
      const newest = new Map<string, number>();
      const nameOf = ({ hook, subject }: Enqueued): string => JSON.stringify([hook.name, subject]);
      const merges = (one: Enqueued): boolean => one.hook.coalesce && one.subject !== undefined;
      for (const one of all) if (merges(one)) newest.set(nameOf(one), one.seq);
      const rows = all.filter((one) => !merges(one) || newest.get(nameOf(one)) === one.seq);
      const merged = rows.filter(merges);
      if (merged.length > 0)
        replace.put(
          turn,
          merged.map(({ hook }) => hook.name),
          merged.map(({ subject }) => subject!),
        );
      const hooks = rows.map(({ hook }) => hook.name);
      const keys = rows.map(({ key }) => key);
      turn.later(
        add.all(
          turn,
          hooks,
          rows.map(({ seq }) => seq),
          keys,
          rows.map(({ subject }) => subject ?? null),
          rows.map(({ size }) => size + OVERHEAD),
        ),
      );
      next(
        turn,
        rows.map(({ hook, key }) => ({ hook: hook.name, key })),
      );
    },

    async claimEvents(turn: Turn, hook: string, limit: number, size: number, now: number) {
      const owned = await owning.own(turn, "hook", hook);
      if (owned === undefined) return { events: [], next: now + ASK_AGAIN };
      const events: HookEvent[] = [];
      let bytes = 0;
      for (const row of await due.all(turn, hook, now, limit)) {
        bytes += wireSize(row);
        if (events.length > 0 && bytes > size) break;
        events.push(asEvent(row));
      }
      if (events.length > 0)
        lease.put(
          turn,
          node(),
          hook,
          events.map(({ seq }) => seq),
        );
      const at = await nextDue.get(turn, hook);
      const claim = owned === "taken" ? { events, taken: true as const } : { events };
      return at === undefined || at >= BEHIND ? claim : { ...claim, next: at };
    },

    async settleEvents(turn: Turn, hook: string, { delivered, retry, back }: HookSettlement): Promise<void> {
      const all = [...delivered, ...retry.map(({ seq }) => seq), ...back];
      if (all.length === 0) return;
      const rows = new Map((await leased.all(turn, hook, all)).map((row) => [row.seq, row]));
      // What another node has taken over meanwhile is its own to return.
      const returned = all.filter((seq) => rows.get(seq)?.holder === node() && !delivered.includes(seq));
      const late =
        coalescing.get(hook) === false || returned.length === 0
          ? new Set<number>()
          : new Set(await superseded.all(turn, hook, returned));
      const gone = all.filter((seq) => rows.has(seq) && (delivered.includes(seq) || late.has(seq)));
      const off = retry.filter(({ seq }) => returned.includes(seq) && !late.has(seq));
      const again = back.filter((seq) => returned.includes(seq) && !late.has(seq));
      if (gone.length > 0) remove.put(turn, hook, gone);
      if (off.length > 0)
        putOff.put(
          turn,
          off.map(({ seq }) => seq),
          off.map(({ due }) => due),
          off.map(({ reason }) => reason),
          hook,
        );
      if (again.length > 0) putBack.put(turn, hook, again);
      next(
        turn,
        gone.map((seq) => ({ hook, key: rows.get(seq)!.key })),
      );
    },

    hurryEvents: (turn: Turn, hook: string): void => hasten.put(turn, hook),

    async hookDepths(turn: Turn): Promise<readonly HookDepth[]> {
      const depths: HookDepth[] = [];
      for (const { hook, waiting, dead, dropped } of await sums.all(turn)) {
        if (hook === LOG) continue;
        const since = waiting === 0 ? undefined : await oldest.get(turn, hook);
        depths.push({ hook, waiting, dead, dropped, ...(since === undefined ? {} : { oldest: since }) });
      }
      return depths;
    },

    deadLetters: async (turn: Turn, hook: string, after: number, limit: number): Promise<readonly DeadLetter[]> =>
      (await deadOf.all(turn, hook, after, limit)).map(({ reason, at, ...row }) => ({
        ...asEvent(row),
        at,
        ...(reason === null ? {} : { reason }),
      })),

    /** A piece of them. @returns how many were queued, and the seq to go on after, if there may be more */
    async replayDead(
      turn: Turn,
      hook: string,
      { after = 0, types, key, from = 0, to = BEHIND }: EventQuery,
      limit: number,
    ): Promise<{ count: number; next?: number }> {
      const rows = await deadOf.all(turn, hook, after, limit);
      const wanted = rows.filter(
        (row) =>
          (types === undefined || types.includes(row.type)) &&
          (key === undefined || key === row.key) &&
          row.time >= from &&
          row.time < to,
      );
      const seqs = wanted.map(({ seq }) => seq);
      if (seqs.length > 0) {
        revive.put(turn, hook, seqs);
        removeDead.put(turn, hook, seqs);
      }
      const count = await addAgain(
        turn,
        hook,
        wanted.map(({ seq, key, data }) => ({ seq, key, size: key.length + data.length + OVERHEAD })),
      );
      return rows.length < limit ? { count } : { count, next: rows.at(-1)!.seq };
    },

    /** Queues these events of the log once more. @returns how many did not wait already */
    async replayEvents(
      turn: Turn,
      hook: string,
      events: readonly { readonly seq: number; readonly key: string; readonly size: number }[],
    ): Promise<number> {
      if (events.length === 0) return 0;
      removeDead.put(
        turn,
        hook,
        events.map(({ seq }) => seq),
      );
      return addAgain(
        turn,
        hook,
        events.map(({ seq, key, size }) => ({ seq, key, size: size + OVERHEAD })),
      );
    },

    /** Gives up what was written before then, forgets what is older still or too much. Whether there may be more to do. */
    async sweepHooks(turn: Turn, before: number, most: HookBounds, now: number, limit: number): Promise<boolean> {
      const rows = await overdue.all(turn, before, limit);
      if (rows.length > 0) {
        const hooks = rows.map(({ hook }) => hook);
        const seqs = rows.map(({ seq }) => seq);
        bury.put(turn, now, hooks, seqs);
        removeAll.put(turn, hooks, seqs);
        next(turn, rows);
      }
      if (rows.length === limit || (await oldDead.run(turn, now - most.dead, limit)) === limit) return true;
      return (await dropSome(turn, most, limit)) || (await shortenLog(turn, most, now, limit));
    },

    hookMemory: (turn: Turn) => recall.all(turn),
    memorize: (turn: Turn, name: string, text: string): void => remember.put(turn, name, text),
  };
}
