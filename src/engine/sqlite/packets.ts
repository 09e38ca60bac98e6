// The log of kept packets: one sequence for all channels, the newest few of each. `pageOf` in core/packet.ts says who is
// sent what; here is what is kept for it.
import type Database from "better-sqlite3";
import type { SentMark } from "../../core/engine.ts";
import {
  type Channel,
  channelKind,
  channelName,
  type From,
  type KeptPacket,
  type Page,
  pageOf,
} from "../../core/packet.ts";
import { type Packed, type ParcelRow, unpackParcels } from "../rows.ts";
import { readEpoch } from "./epoch.ts";

/** How many packets a channel keeps. Prefixes are of topic names; the longest that fits decides. */
export interface Keep {
  readonly default: number;
  readonly prefixes: readonly (readonly [prefix: string, count: number])[];
}

export type Packets = ReturnType<typeof packets>;

/** The newest end of a channel's log: what this transaction has added to it and not written yet. */
interface Tail {
  readonly kept: number;
  place: number;
  dropAt: number;
  readonly rows: Row[];
}

type Row = readonly [
  seq: number,
  channel: string,
  place: number,
  id: string,
  event: string,
  body: string,
  expires: number,
  dropAt: number,
];

export function packets(db: Database, keep: Keep, nextSeq: () => number) {
  // `= +?` beside ORDER BY or a join, `LIMIT ? + 0`: with the bare `?` SQLite plans the statement anew each time a value is bound,
  // which takes ten times as long as running it.
  const newest = db.prepare<[string], { place: number; drop_at: number }>(`
    SELECT place, drop_at FROM packets WHERE channel = +? ORDER BY place DESC LIMIT 1`);
  const insert = db.prepare<Row>(`
    INSERT INTO packets (seq, channel, place, id, event, body, expires, drop_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  const trim = db.prepare<[string, number]>("DELETE FROM packets WHERE channel = ? AND place <= ?");
  // Walks back from the newest, where nearly every cursor is found at once.
  const positionOf = db.prepare<[string, string], { place: number; seq: number }>(
    "SELECT place, seq FROM packets WHERE channel = +? AND id = +? ORDER BY place DESC LIMIT 1",
  );
  const placeOf = db.prepare<[number], number>("SELECT place FROM packets WHERE seq = ?").pluck<number>();
  const readFrom = db.prepare<[string, number], KeptPacket>(`
    SELECT seq, id, event, body, expires FROM packets WHERE channel = +? AND place >= ? ORDER BY place`);
  const sentSeq = db.prepare<[string], number>("SELECT sent_seq FROM devices WHERE push_id = ?").pluck<number>();
  const mark = db.prepare<[number, string, number]>(`
    UPDATE devices SET sent_seq = ? WHERE push_id = ? AND sent_seq < ?`);
  const namedUpTo = db.prepare<[string, number], { id: string; expires: number }>(
    "SELECT id, expires FROM packets WHERE channel = ? AND place <= ? AND event = 'noti'",
  );
  const drop = db.prepare<[string]>("DELETE FROM packets WHERE channel = ?");
  const sweep = db.prepare<[number, number]>(`
    DELETE FROM packets WHERE seq IN (SELECT seq FROM packets WHERE drop_at <= ? ORDER BY drop_at, seq LIMIT ?)`);

  const epoch = readEpoch(db);
  const longestFirst = [...keep.prefixes].sort((a, b) => b[0].length - a[0].length);
  function keptOn(channel: Channel): number {
    if (longestFirst.length === 0 || channelKind(channel) !== "topic") return keep.default;
    const topic = channelName(channel);
    return longestFirst.find(([prefix]) => topic.startsWith(prefix))?.[1] ?? keep.default;
  }

  // A channel that gets many packets in one transaction is written once, at its end, and only what it keeps.
  const tails = new Map<Channel, Tail>();

  function tailOf(channel: Channel): Tail {
    let tail = tails.get(channel);
    if (tail === undefined) {
      const before = newest.get(channel);
      tail = { kept: keptOn(channel), place: before?.place ?? 0, dropAt: before?.drop_at ?? 0, rows: [] };
      tails.set(channel, tail);
    }
    return tail;
  }

  function write(channel: Channel): void {
    const tail = tails.get(channel);
    if (tail === undefined) return;
    const { kept, place, rows } = tail;
    for (let i = Math.max(0, rows.length - kept); i < rows.length; i++) insert.run(...rows[i]!);
    if (place > kept) trim.run(channel, place - kept);
    tails.delete(channel);
  }

  function writeAll(): void {
    if (tails.size > 0) for (const channel of tails.keys()) write(channel);
  }

  return {
    /**
     * Adds the parcels to the log; their seqs are the returned one and those that follow it. 0 when there are none.
     * They are in the store after `writeAll`, which the transaction ends with; what reads them here writes them first.
     */
    append(parcels: Packed<ParcelRow>): number {
      let first = 0;
      for (const { channel, id, event, body, expires } of unpackParcels(parcels)) {
        // Checked here: one that is pushed out by newer ones is never written, so the store would not notice.
        if (!Number.isSafeInteger(expires)) throw new TypeError(`a packet that expires at ${expires} cannot be kept`);
        const tail = tailOf(channel);
        const seq = nextSeq();
        if (first === 0) first = seq;
        tail.place++;
        tail.dropAt = Math.max(expires, tail.dropAt);
        tail.rows.push([seq, channel, tail.place, id, event, body, expires, tail.dropAt]);
      }
      return first;
    },

    writeAll,

    /** The transaction is undone, or the call of it that was not yet written. */
    forget: () => tails.clear(),

    /** @param onConfirmed told of each notification that the position confirms */
    backlog(
      channel: Channel,
      from: From,
      size: number,
      now: number,
      onConfirmed: (pushId: string, id: string, expires: number) => void,
    ): Page {
      write(channel);
      if (from === "unsent") {
        const sent = sentSeq.get(channelName(channel)) ?? 0;
        return pageOf(readFrom.iterate(channel, 0), sent, size, now, epoch);
      }
      // The packet that the page before ended with may have gone: then it is looked for from the channel's oldest one.
      if (typeof from === "number")
        return pageOf(readFrom.iterate(channel, placeOf.get(from) ?? 0), from, size, now, epoch);
      const at = positionOf.get(channel, from.after);
      const page = pageOf(readFrom.iterate(channel, at?.place ?? 0), at?.seq ?? 0, size, now, epoch);
      // The device names the packet, so it has it and everything before. Other channels have many readers.
      if (at === undefined || channelKind(channel) !== "device") return page;
      for (const { id, expires } of namedUpTo.all(channel, at.place)) onConfirmed(channelName(channel), id, expires);
      trim.run(channel, at.place);
      return page;
    },

    sent(marks: readonly SentMark[]): void {
      for (const { pushId, seq } of marks) mark.run(seq, pushId, seq);
    },

    drop(channel: Channel): void {
      tails.delete(channel);
      drop.run(channel);
    },

    /** Drops up to `limit` packets whose time has passed. Returns whether there may be more. */
    sweepPackets(now: number, limit: number): boolean {
      writeAll();
      return sweep.run(now, limit).changes === limit;
    },
  };
}
