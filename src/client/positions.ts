// Up to where this device has handled what is kept, per channel, and which packets those were; in the app's storage.
import type { Storage } from "./api.ts";

/** The id of a packet, or a number that the server told. */
type Position = string | number;

/** The device's own channel; topics have their names, behind a sign. */
export const OWN = "";
export const channelOf = (topic: string): string => `t${topic}`;

/** A position that no log knows: all that is alive comes. */
export const NOWHERE = "0";

/** Handled packets that are remembered, and received ones: as many come again after a restored backup, or from before a break. */
const MOST_HANDLED = 100;
const MOST_RECEIVED = 1000;
/** Channels with a position: those of earlier visits count. */
const MOST_CHANNELS = 1000;

interface Stored {
  /** pushId */
  i?: string;
  /** epoch */
  e?: string;
  /** positions */
  p?: Record<string, Position>;
  /** handled */
  h?: string[];
  /** There is a gap, or a beginning, that `connect` has not told. */
  g?: boolean;
}

/** @param name in the storage @param make a new pushId, where neither the app nor the storage has one */
export function openPositions(storage: Storage, name: string, pushId: string | undefined, make: () => string) {
  /** Somebody else's, or cut off: as if there were none. */
  function read(): Stored {
    try {
      const { i, e, p, h, g } = Object(JSON.parse(storage.getItem(name) ?? "{}")) as Record<keyof Stored, unknown>;
      if (i === undefined) return {};
      // Whether it is one says the server.
      return {
        i: i as string,
        e: typeof e === "string" ? e : "",
        p: Object(p),
        h: Array.isArray(h) ? h : [],
        g: g === true,
      };
    } catch {
      return {};
    }
  }
  let stored = read();
  let id = pushId ?? stored.i ?? make();
  if (id !== stored.i) stored = { i: id };
  const at = new Map(Object.entries(stored.p ?? {}));
  const handled = stored.h ?? [];
  const received = new Set(handled);
  let epoch = stored.e ?? "";
  let gap = epoch === "" || stored.g === true;
  /** Channels of this page. Where the others are, pages beside it say. */
  const own = new Set<string>();
  /** Channels whose position has moved on since it was said. */
  let moved = new Set<string>();

  function store(): void {
    const { i, e = "", p = {} } = read();
    if (i === id)
      for (const [channel, position] of Object.entries(p))
        if (!own.has(channel)) at.set(channel, e === epoch ? position : NOWHERE);
    while (at.size > MOST_CHANNELS) at.delete(first(at.keys()));
    const value: Stored = { i: id, e: epoch, p: Object.fromEntries(at), h: handled, ...(gap ? { g: true } : {}) };
    try {
      storage.setItem(name, JSON.stringify(value));
    } catch {
      // Full, or forbidden: then it lasts as long as the page.
    }
  }
  /** The newest are last. */
  function move(channel: string, position: Position): void {
    own.add(channel);
    at.delete(channel);
    at.set(channel, position);
  }

  store();

  return {
    get pushId() {
      return id;
    },
    get epoch() {
      return epoch;
    },
    get: (channel: string) => at.get(channel),
    /** Whether `connect` has told of every gap there was. */
    get whole() {
      return !gap;
    },
    gap(is: boolean): void {
      if (gap === is) return;
      gap = is;
      store();
    },
    /** They are said to the server now. */
    said() {
      moved = new Set();
    },
    /** Where the server says that the client is. */
    told(channel: string, position: number, its: string): void {
      if (its !== epoch) {
        // Numbers of another epoch mean nothing in this one.
        for (const other of [...at.keys()]) move(other, NOWHERE);
        epoch = its;
      }
      if (!moved.has(channel)) move(channel, position);
      store();
    },
    /** Whether this packet has not come before. */
    fresh(packet: string): boolean {
      if (received.has(packet)) return false;
      received.add(packet);
      if (received.size > MOST_RECEIVED) received.delete(first(received));
      return true;
    },
    /** The app has handled it. @param keep a topic that is left, or has no replay, has no position */
    handled(channel: string, position: string, packet: string, keep: boolean): void {
      if (keep) {
        move(channel, position);
        moved.add(channel);
      }
      if (!handled.includes(packet)) handled.push(packet);
      if (handled.length > MOST_HANDLED) handled.shift();
      store();
    },
    /** What has come and was not handled is to come again, but for this one. */
    forget(handling: string | undefined): void {
      received.clear();
      for (const packet of handled) received.add(packet);
      if (handling !== undefined) received.add(handling);
    },
    /** Another device, which has had nothing. */
    anew(): void {
      id = make();
      epoch = "";
      gap = true;
      at.clear();
      received.clear();
      handled.length = 0;
      store();
    },
    /** It has no position from now on. */
    drop(channel: string): void {
      own.add(channel);
      if (at.delete(channel)) store();
    },
  };
}

/** Of what is not empty. */
function first(items: Iterable<string>): string {
  for (const item of items) return item;
  return "";
}
