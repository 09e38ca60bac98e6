// The log of events of a single process, made of the calls of the storage thread; and what is known here without asking it.
import {
  type Events,
  type EventType,
  NOTHING_WANTED,
  tracksDevices,
  tracksTopics,
  type Wanted,
  wantedTypes,
} from "../core/events.ts";
import type { Calls } from "./calls.ts";
import { seqOfId } from "./log.ts";
import type { Walk } from "./sqlite/online.ts";

/** A longer list goes in pieces, so that other callers get in between. */
const PIECE = 100;
/** Pieces of the log that are looked through for one page. */
const LOOKED_AT = 100;
/** Rows per piece of sweeping: about a millisecond. */
const SWEEP_ROWS = 100;

const FROM_THE_FIRST: Walk = { pushId: "" };

export interface LocalEvents extends Events {
  /** Milliseconds for which events are kept. */
  readonly keep: number;
  /** None is wanted, and there is none. */
  readonly idle: boolean;
  /** A process that shares the store is gone: whoever of its devices is not back in time is told of. */
  lookAgain(): void;
  /** The thread has answered a message. */
  committed(reply: { readonly events?: number; readonly trouble?: string }): void;
  /** Tells of those who did not come back after a restart, of bindings that have ended, and forgets what is old. */
  sweep(stopped: () => boolean): Promise<void>;
}

/** @param elapsed milliseconds by a clock that is never set */
export function localEvents(queue: Calls, now: () => number, elapsed: () => number): LocalEvents {
  let wanted = NOTHING_WANTED;
  let types: ReadonlySet<EventType> = new Set();
  let devices = false;
  let topics = false;
  let epoch = "";
  /** The thread does not know yet what is wanted. */
  let untold = false;
  let topicsChanged = false;
  /** From when (`elapsed`) whoever is not back will not come, and how far the look for them is. */
  let settled: number | undefined;
  let walk: Walk | undefined = FROM_THE_FIRST;
  /** The store could not be written: what it was told meanwhile it does not know. */
  let troubled = false;
  /** There are none in the log. */
  let empty = false;
  const writtenListeners: ((newest: number) => void)[] = [];
  const gapListeners: ((otherTopics: boolean) => void)[] = [];

  const gap = (otherTopics: boolean): void => {
    for (const listener of gapListeners) listener(otherTopics);
  };

  async function tell(): Promise<void> {
    epoch = await queue.call("want", [wanted, topicsChanged]);
    untold = false;
    topicsChanged = false;
  }

  return {
    async want(next: Wanted) {
      const before = { devices, topics, prefixes: JSON.stringify(wanted.topics) };
      wanted = next;
      types = wantedTypes(next);
      devices = tracksDevices(types);
      topics = tracksTopics(types);
      settled ??= elapsed() + next.grace;
      untold = true;
      const changed = topics && before.topics && before.prefixes !== JSON.stringify(next.topics);
      topicsChanged ||= changed;
      const told = tell();
      const otherTopics = changed || (topics && !before.topics);
      if (otherTopics || (devices && !before.devices)) gap(otherTopics);
      await told;
    },
    wants: (type) => types.has(type),
    get keep() {
      return wanted.keep;
    },
    get idle() {
      return types.size === 0 && empty;
    },
    get tracks() {
      return devices || topics;
    },
    watches: (topic) => topics && wanted.topics.some((prefix) => topic.startsWith(prefix)),
    async note(happenings) {
      for (let i = 0; i < happenings.length; i += PIECE) {
        const piece = happenings.slice(i, i + PIECE);
        await queue.call("noteEvents", [piece, now()], 4 * piece.length);
      }
    },
    async present(list, at) {
      for (let i = 0; i < list.length; i += PIECE) {
        const piece = list.slice(i, i + PIECE);
        await queue.call("presentDevices", [piece, at], 4 * piece.length);
      }
    },
    onWritten: (listener) => void writtenListeners.push(listener),
    onGap: (listener) => void gapListeners.push(listener),
    async list(query, limit) {
      let page = await queue.call("listEvents", [query, limit], 100);
      // What is sought may lie far apart in a long log.
      for (let i = 0; i < LOOKED_AT && page.events.length === 0 && page.next !== undefined; i++)
        page = await queue.call("listEvents", [{ ...query, after: page.next }, limit], 100);
      return page;
    },
    newest: () => queue.call("newestEvent", []),
    seqOf: (id) => seqOfId(epoch, id),
    lookAgain() {
      if (settled === undefined) return; // it looks when it has begun
      settled = elapsed() + wanted.grace;
      walk = FROM_THE_FIRST;
    },
    committed({ events, trouble }) {
      if (events !== undefined) empty = false;
      if (events !== undefined) for (const listener of writtenListeners) listener(events);
      if (trouble !== undefined) troubled = true;
      else if (troubled) {
        troubled = false;
        if (devices || topics) gap(false);
      }
    },
    async sweep(stopped) {
      if (untold && settled !== undefined) await tell();
      if (settled !== undefined && elapsed() >= settled && types.size > 0)
        while (walk !== undefined && !stopped()) walk = await queue.call("tellAbsent", [walk, SWEEP_ROWS, now()]);
      if (types.size === 0 && empty) return;
      while (!stopped() && (await queue.call("sweepEvents", [now(), wanted.keep, SWEEP_ROWS], SWEEP_ROWS)));
      if (types.size === 0) empty = (await queue.call("newestEvent", [])) === 0;
    },
  };
}
