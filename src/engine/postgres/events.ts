// The log of events. Whatever causes one writes it in the same transaction: a turn's events are written at its end, and stand in the
// queues of their endpoints with it.
import { type EventPage, type EventQuery, type EventType, subjectOf } from "../../core/events.ts";
import { LOOKED_THROUGH, type LogRow, pageOfLog } from "../log.ts";
import type { EventData, Wants } from "../wants.ts";
import { Column, Statement } from "./database.ts";
import type { HookTable } from "./hooks.ts";
import type { Turn, TurnParts } from "./turns.ts";

interface Written extends Omit<LogRow, "seq"> {
  readonly subject: string | undefined;
}

const insert = new Column<[readonly string[], readonly string[], readonly number[], readonly string[]], number>(`
  INSERT INTO events (seq, type, key, time, data)
  SELECT nextval('events_seq'), type, key, time, data
  FROM (SELECT * FROM unnest(?::text[], ?::text[], ?::bigint[], ?::text[]) WITH ORDINALITY AS e(type, key, time, data, at) ORDER BY at) e
  RETURNING seq`);
const after = new Statement<[number, number], LogRow>(
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

    async list(turn: Turn, query: EventQuery, limit: number): Promise<EventPage> {
      const first = query.from === undefined ? 0 : await firstSince.get(turn, query.from);
      if (first === undefined) return { events: [] };
      const start = Math.max(query.after ?? 0, first - 1);
      return pageOfLog(await after.all(turn, start, LOOKED_THROUGH), query, limit, start, epoch);
    },

    newest: async (turn: Turn): Promise<number> => (await newest.get(turn)) ?? 0,

    /** Forgets up to `limit` events that were written before then and that no endpoint waits for. Whether there may be more. */
    sweepLog: async (turn: Turn, before: number, limit: number): Promise<boolean> =>
      (await old.run(turn, before, limit)) === limit,
  };
}
