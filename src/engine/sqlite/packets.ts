// The log of kept packets: one sequence for all channels, the newest few of each. `pageOf` in core/page.ts says who is
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
  type Standing,
} from "../../core/packet.ts";
import { pageOf } from "../../core/page.ts";
import { bucketOf, type Keep, keeper } from "../keep.ts";
import { type Packed, type ParcelRow, unpackParcels } from "../rows.ts";
import { readEpoch } from "./epoch.ts";
import type { Sequences } from "./sequences.ts";

export type Packets = ReturnType<typeof packets>;

/** The newest end of a channel's log: what this transaction has added to it and not written yet. */
interface Tail {
  readonly kept: number;
  /** Seq and place of the newest. */
  seq: number;
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
  previous: number,
];

interface Swept {
  readonly seq: number;
  readonly channel: string;
  readonly id: string;
}

export function packets(db: Database, keep: Keep, numbers: Pick<Sequences, "seq" | "lastSeq">) {
  // `= +?` beside ORDER BY or a join, `LIMIT ? + 0`: with the bare `?` SQLite plans the statement anew each time a value is bound,
  // which takes ten times as long as running it.
  const newest = db.prepare<[string], { seq: number; place: number; drop_at: number }>(`
    SELECT seq, place, drop_at FROM packets WHERE channel = +? ORDER BY place DESC LIMIT 1`);
  const insert = db.prepare<Row>(`
    INSERT INTO packets (seq, channel, place, id, event, body, expires, drop_at, previous)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const trim = db.prepare<[string, number]>("DELETE FROM packets WHERE channel = ? AND place <= ?");
  // Walks back from the newest, where nearly every cursor is found at once.
  const positionOf = db.prepare<[string, string], { place: number; seq: number }>(
    "SELECT place, seq FROM packets WHERE channel = +? AND id = +? ORDER BY place DESC LIMIT 1",
  );
  const placeUpTo = db
    .prepare<[string, number], number>(
      "SELECT place FROM packets WHERE channel = +? AND seq <= +? ORDER BY place DESC LIMIT 1",
    )
    .pluck<number>();
  const previousOfNext = db
    .prepare<[string, number, number], number>(
      "SELECT previous FROM packets WHERE channel = +? AND place >= ? AND seq > +? ORDER BY place LIMIT 1",
    )
    .pluck<number>();
  const expiredAfter = db
    .prepare<[string, number, number, number], number>(
      "SELECT 1 FROM packets WHERE channel = +? AND place >= ? AND seq > +? AND expires <= +? LIMIT 1",
    )
    .pluck<number>();
  const sweptOf = db.prepare<[number], Swept>("SELECT seq, channel, id FROM swept WHERE bucket = ?");
  const noteSwept = db.prepare<[number, number, string, string]>(`
    INSERT INTO swept (bucket, seq, channel, id) VALUES (?, ?, ?, ?)
    ON CONFLICT (bucket) DO UPDATE SET seq = excluded.seq, channel = excluded.channel, id = excluded.id
      WHERE excluded.seq > seq`);
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
  const sweep = db.prepare<[number, number], Swept>(`
    DELETE FROM packets WHERE seq IN (SELECT seq FROM packets WHERE drop_at <= ? ORDER BY drop_at, seq LIMIT ?)
    RETURNING seq, channel, id`);

  const epoch = readEpoch(db);
  const keptOn = keeper(keep);

  // A channel that gets many packets in one transaction is written once, at its end, and only what it keeps.
  const tails = new Map<Channel, Tail>();

  function tailOf(channel: Channel): Tail {
    let tail = tails.get(channel);
    if (tail === undefined) {
      const before = newest.get(channel);
      const { seq = 0, place = 0, drop_at: dropAt = 0 } = before ?? {};
      tail = { kept: keptOn(channel), seq, place, dropAt, rows: [] };
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

  /** Up to which place and seq the client has everything. Not known: it may have been anywhere. */
  function positionIn(
    channel: Channel,
    from: Exclude<From, number | "newest">,
    clientEpoch: string | undefined,
  ): { readonly known: boolean; readonly place: number; readonly after: number } {
    if (from === "unsent") return { known: true, place: 0, after: sentSeq.get(channelName(channel)) ?? 0 };
    if ("since" in from) {
      const known = clientEpoch === epoch && from.since <= numbers.lastSeq();
      if (!known) return { known, place: 0, after: 0 };
      return { known, place: placeUpTo.get(channel, from.since) ?? 0, after: from.since };
    }
    // A restored log may hold the packet though what came after it was lost with the old one.
    const at = positionOf.get(channel, from.after);
    if (at !== undefined) return { known: clientEpoch === epoch, place: at.place, after: at.seq };
    // The last one that the client got may have expired since, with nothing behind it.
    const last = clientEpoch === epoch ? sweptOf.get(bucketOf(channel)) : undefined;
    const known = last?.channel === channel && last.id === from.after;
    return { known, place: 0, after: known ? last.seq : 0 };
  }

  function standing(
    channel: Channel,
    known: boolean,
    place: number,
    after: number,
    { packets }: Page,
    now: number,
  ): Standing {
    const next = packets[0];
    const at = next === undefined ? numbers.lastSeq() : Math.max(after, next.seq - 1);
    const recovered =
      known &&
      (previousOfNext.get(channel, place, after) ?? 0) <= after && // nothing was pushed out by newer ones
      expiredAfter.get(channel, place, after, now) === undefined &&
      (sweptOf.get(bucketOf(channel))?.seq ?? 0) <= after;
    return { at, recovered };
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
        const seq = numbers.seq();
        if (first === 0) first = seq;
        tail.place++;
        tail.dropAt = Math.max(expires, tail.dropAt);
        tail.rows.push([seq, channel, tail.place, id, event, body, expires, tail.dropAt, tail.seq]);
        tail.seq = seq;
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
      clientEpoch: string | undefined,
      onConfirmed: (pushId: string, id: string, expires: number) => void,
    ): Page {
      write(channel);
      // The packet that the page before ended with may have gone: then it is looked for from the channel's oldest one.
      if (typeof from === "number")
        return pageOf(readFrom.iterate(channel, placeOf.get(from) ?? 0), from, size, now, epoch);
      if (from === "newest") return { packets: [], epoch, standing: { at: numbers.lastSeq(), recovered: true } };
      // Of most devices nothing is kept.
      if (from === "unsent" && clientEpoch === undefined && newest.get(channel) === undefined)
        return { packets: [], epoch };
      const { known, place, after } = positionIn(channel, from, clientEpoch);
      const page = pageOf(readFrom.iterate(channel, place), after, size, now, epoch);
      const told =
        clientEpoch === undefined ? page : { ...page, standing: standing(channel, known, place, after, page, now) };
      // The device names what it has: it has everything up to there. Other channels have many readers.
      if (from === "unsent" || place === 0 || channelKind(channel) !== "device") return told;
      for (const { id, expires } of namedUpTo.all(channel, place)) onConfirmed(channelName(channel), id, expires);
      if (clientEpoch === undefined) trim.run(channel, place);
      else {
        // The packet itself stays: should the client not hear where it stands, it says the same again.
        trim.run(channel, place - 1);
        mark.run(after, channelName(channel), after);
      }
      return told;
    },

    /** Up to there the devices have proven to have received their own packets (holds 9); it never goes back. */
    sent(marks: readonly SentMark[]): void {
      for (const { pushId, seq } of marks) mark.run(seq, pushId, seq);
    },

    /** Forgets all that the channel keeps. */
    drop(channel: Channel): void {
      tails.delete(channel);
      drop.run(channel);
    },

    /** Drops up to `limit` packets whose time has passed. Returns whether there may be more. */
    sweepPackets(now: number, limit: number): boolean {
      writeAll();
      const dropped = sweep.all(now, limit);
      const swept = new Map<number, Swept>();
      for (const packet of dropped) {
        const bucket = bucketOf(packet.channel);
        if (packet.seq > (swept.get(bucket)?.seq ?? 0)) swept.set(bucket, packet);
      }
      for (const [bucket, { seq, channel, id }] of swept) noteSwept.run(bucket, seq, channel, id);
      return dropped.length === limit;
    },
  };
}
