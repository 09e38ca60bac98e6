// The log of events as every store has it: rows, the ids of events, and how a page is made of rows.
import type { EventPage, EventQuery, EventType } from "../core/events.ts";

export interface LogRow {
  readonly seq: number;
  readonly type: EventType;
  readonly key: string;
  /** Epoch milliseconds. */
  readonly time: number;
  /** JSON. */
  readonly data: string;
}

/** Rows that are looked through for one page, and the size of their data that ends one early. */
export const LOOKED_THROUGH = 1000;
const PAGE_SIZE = 1_000_000;

/** The epoch names the life of the store, so that no id is given twice. */
const begin = (epoch: string): string => `evt_${epoch}_`;
export const eventId = (epoch: string, seq: number): string => begin(epoch) + seq;

/** Undefined: it is the id of an event of another life of the store, or none. */
export function seqOfId(epoch: string, id: string): number | undefined {
  const start = begin(epoch);
  const seq = id.startsWith(start) ? Number(id.slice(start.length)) : Number.NaN;
  return Number.isSafeInteger(seq) && seq > 0 ? seq : undefined;
}

/** @param rows what follows `start` in the log: `LOOKED_THROUGH` of them, or less at its end */
export function pageOfLog(
  rows: readonly LogRow[],
  { types, key, from, to }: EventQuery,
  limit: number,
  start: number,
  epoch: string,
): EventPage {
  const events: EventPage["events"][number][] = [];
  let size = 0;
  let last = start;
  for (const { seq, type, key: own, time, data } of rows) {
    if (to !== undefined && time >= to) return { events };
    if (events.length >= limit || size > PAGE_SIZE) return { events, next: last };
    last = seq;
    if (key !== undefined && own !== key) continue;
    if (types !== undefined && !types.includes(type)) continue;
    if (from !== undefined && time < from) continue;
    events.push({ seq, id: eventId(epoch, seq), type, key: own, time, data });
    size += data.length;
  }
  return rows.length < LOOKED_THROUGH ? { events } : { events, next: last };
}
