// The log of events. Whatever causes one writes it in the same transaction: a turn's events are written at its end, and stand in the
// queues of their endpoints with it.
import { type Event, type EventPage, type EventQuery, type EventType, subjectOf } from "../../core/events.ts";
import type { EventData, Wants } from "../wants.ts";
import { Column, Statement } from "./database.ts";
import type { HookTable } from "./hooks.ts";
import type { Turn, TurnParts } from "./turns.ts";

interface Row {
  readonly seq: number;
  readonly type: EventType;
  readonly key: string;
  readonly time: number;
  readonly data: string;
}

interface Written extends Omit<Row, "seq"> {
  readonly subject: string | undefined;
}

/** Rows that are looked through for one page, and the size of their data that ends one early. */
const LOOKED_THROUGH = 1000;
const PAGE_SIZE = 1_000_000;

const insert = new Column<[readonly string[], readonly string[], readonly number[], readonly string[]], number>(`
  INSERT INTO events (seq, type, key, time, data)
  SELECT nextval('events_seq'), type, key, time, data
  FROM (SELECT * FROM unnest(?::text[], ?::text[], ?::bigint[], ?::text[]) WITH ORDINALITY AS e(type, key, time, data, at) ORDER BY at) e
  RETURNING seq`);
const after = new Statement<[number, number], Row>(
  "SELECT seq, type, key, time, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
);
const firstSince = new Column<[number], number>("SELECT seq FROM events WHERE time >= ? ORDER BY time, seq LIMIT 1");
const newest = new Column<[], number | null>("SELECT max(seq) FROM events");
const old = new Statement<[number, number]>(`
  DELETE FROM events WHERE seq IN (
    SELECT seq FROM events e
    WHERE time < ? AND NOT EXISTS (SELECT 1 FROM hook_events h WHERE h.seq = e.seq) ORDER BY time LIMIT ?)`);
const notify = new Statement<[string, string]>("SELECT pg_notify(?, ?)");

export type EventLog = ReturnType<typeof eventLog>;

/** @param onWritten told of the newest seq after a commit @param message what tells other nodes of it; undefined: there are none */
export function eventLog(
  wants: Wants,
  hooks: HookTable,
  epoch: string,
  topic: string,
  onWritten: (newest: number) => void,
  message: (newest: number) => string | undefined,
) {
  const part = {};
  const gathered = (turn: Turn) => turn.of(part, () => ({ events: [] as Written[], newest: 0 }));

  const parts: TurnParts = {
    async flush(turn) {
      const state = gathered(turn);
      const { events } = state;
      if (events.length === 0) return;
      state.events = [];
      const found = await insert.all(
        turn,
        events.map(({ type }) => type),
        events.map(({ key }) => key),
        events.map(({ time }) => time),
        events.map(({ data }) => data),
      );
      const seqs = found.sort((a, b) => a - b);
      hooks.enqueue(
        turn,
        events.flatMap(({ type, key, data, subject }, i) =>
          wants.hooksOf(type).map((hook) => ({ hook, seq: seqs[i]!, key, subject, size: key.length + data.length })),
        ),
      );
      state.newest = seqs.at(-1) ?? 0;
      const text = message(state.newest);
      if (text !== undefined) notify.put(turn, topic, text);
    },
    forget: (turn) => {
      gathered(turn).events = [];
    },
    undone: () => {},
    async committed() {},
    settling(turn) {
      const { newest } = gathered(turn);
      if (newest > 0) onWritten(newest);
    },
  };

  return {
    parts,
    wants: (type: EventType): boolean => wants.has(type),

    /** @param member of a topic's event: the device */
    async write(turn: Turn, type: EventType, key: string, data: EventData | string, now: number, member?: string) {
      if (!wants.has(type)) return;
      const text = typeof data === "string" ? data : JSON.stringify(data);
      gathered(turn).events.push({ type, key, time: now, data: text, subject: subjectOf(type, key, member) });
    },

    async list(
      turn: Turn,
      { after: from = 0, types, key, from: since, to }: EventQuery,
      limit: number,
    ): Promise<EventPage> {
      const first = since === undefined ? 0 : await firstSince.get(turn, since);
      if (first === undefined) return { events: [] };
      const start = Math.max(from, first - 1);
      const rows = await after.all(turn, start, LOOKED_THROUGH);
      const events: Event[] = [];
      let size = 0;
      let last = start;
      for (const row of rows) {
        if (to !== undefined && row.time >= to) return { events };
        if (events.length >= limit || size > PAGE_SIZE) return { events, next: last };
        last = row.seq;
        if (key !== undefined && row.key !== key) continue;
        if (types !== undefined && !types.includes(row.type)) continue;
        if (since !== undefined && row.time < since) continue;
        events.push({ ...row, id: `evt_${epoch}_${row.seq}` });
        size += row.data.length;
      }
      return rows.length < LOOKED_THROUGH ? { events } : { events, next: last };
    },

    newest: async (turn: Turn): Promise<number> => (await newest.get(turn)) ?? 0,

    /** Forgets up to `limit` events that were written before then and that no endpoint waits for. Whether there may be more. */
    sweepLog: async (turn: Turn, before: number, limit: number): Promise<boolean> =>
      (await old.run(turn, before, limit)) === limit,
  };
}
