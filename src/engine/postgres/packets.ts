// The log of kept packets. What is kept, and for how long, is as in sqlite/packets.ts; here a turn's packets are written, and notified,
// by one statement at its end (`append` in schema.ts).
import type { SentMark } from "../../core/engine.ts";
import {
  type Channel,
  channelKind,
  channelName,
  type From,
  type KeptPacket,
  type Page,
  type Parcel,
  type Standing,
} from "../../core/packet.ts";
import { pageOf } from "../../core/page.ts";
import { MINUTE } from "../../core/time.ts";
import { isKept } from "../broker.ts";
import { bucketOf, type Keep, keeper } from "../keep.ts";
import { type Packed, type ParcelRow, unpackParcels } from "../rows.ts";
import { Column, Statement } from "./database.ts";
import { type Hands, toTexts } from "./parcels.ts";
import { PER_TURN } from "./schema.ts";
import type { Turn, TurnParts } from "./turns.ts";

/** What a turn has gathered. */
interface Gathered {
  parcels: Parcel[];
  kept: number;
  /** Something was read that must have been handed over before it is answered. */
  fence: boolean;
  /** Numbers of what was notified, in their order. */
  readonly numbers: number[];
  /** So many of them are of calls that succeeded. */
  sure: number;
  counts: readonly number[];
}

interface Swept {
  readonly seq: number;
  readonly channel: string;
  readonly id: string;
}

type List<Item> = readonly Item[];
type Appended = [
  List<string>,
  List<number>,
  List<number>,
  List<number>,
  List<number>,
  List<number>,
  List<number>,
  List<number>,
  List<number>,
  List<string>,
  List<string>,
  List<string>,
  List<number>,
  List<number>,
  string,
  List<string>,
  List<string>,
];
const APPEND = "SELECT append(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const append = new Column<Appended, number>(APPEND);
const appendNoted = new Column<[...Appended, number, number, number], number>(`${APPEND} FROM note_turn(?, ?, ?)`);

const lastSeq = new Column<[], number>(`SELECT (last_value + 1) * ${PER_TURN} - 1 FROM turns`);
const newestSeq = new Column<[string, number], number>(`
  SELECT greatest((SELECT seq FROM channels WHERE channel = ?), (SELECT seq FROM swept WHERE bucket = ?), 0)`);
const positionOf = new Statement<[string, string], { place: number; seq: number }>(
  "SELECT place, seq FROM packets WHERE channel = ? AND id = ? ORDER BY place DESC LIMIT 1",
);
const placeUpTo = new Column<[string, number], number>(
  "SELECT place FROM packets WHERE channel = ? AND seq <= ? ORDER BY place DESC LIMIT 1",
);
const placeOf = new Column<[number], number>("SELECT place FROM packets WHERE seq = ?");
const previousOfNext = new Column<[string, number, number], number>(
  "SELECT previous FROM packets WHERE channel = ? AND place >= ? AND seq > ? ORDER BY place LIMIT 1",
);
const expiredAfter = new Column<[string, number, number, number], number>(
  "SELECT 1 FROM packets WHERE channel = ? AND place >= ? AND seq > ? AND expires <= ? LIMIT 1",
);
const sweptOf = new Statement<[number], Swept>("SELECT seq, channel, id FROM swept WHERE bucket = ?");
const noteSwept = new Statement<[number, number, string, string]>(`
  INSERT INTO swept AS s (bucket, seq, channel, id) VALUES (?, ?, ?, ?)
  ON CONFLICT (bucket) DO UPDATE SET seq = excluded.seq, channel = excluded.channel, id = excluded.id WHERE excluded.seq > s.seq`);
// As many as come to the size, and one more: whether there is a further page.
const read = new Statement<[number, string, number, number, number, number], KeptPacket>(`
  SELECT seq, id, event, body, expires FROM (
    SELECT seq, id, event, body, expires, place,
           coalesce(sum(octet_length(body) + ?::bigint) OVER (ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING), 0) AS before
    FROM packets WHERE channel = ? AND place >= ? AND seq > ? AND expires > ?) p
  WHERE before <= ?::bigint ORDER BY place`);
const sentSeq = new Column<[string], number>("SELECT sent_seq FROM devices WHERE push_id = ?");
const mark = new Statement<[List<string>, List<number>]>(`
  UPDATE devices d SET sent_seq = m.seq
  FROM (SELECT push_id, max(seq) AS seq FROM unnest(?::text[], ?::bigint[]) AS u(push_id, seq) GROUP BY push_id ORDER BY push_id) m
  WHERE d.push_id = m.push_id AND d.sent_seq < m.seq`);
const namedUpTo = new Statement<[string, number], { id: string; expires: number }>(
  "SELECT id, expires FROM packets WHERE channel = ? AND place <= ? AND event = 'noti'",
);
const trim = new Statement<[string, number]>("DELETE FROM packets WHERE channel = ? AND place <= ?");
const drop = new Statement<[string]>("DELETE FROM packets WHERE channel = ?");
const sweep = new Statement<[number, number], Swept>(`
  DELETE FROM packets WHERE seq IN (SELECT seq FROM packets WHERE drop_at <= ? ORDER BY drop_at, seq LIMIT ?)
  RETURNING seq, channel, id`);
const sweepChannels = new Statement<[number, number]>(`
  DELETE FROM channels WHERE drop_at <= ? AND channel IN (
    SELECT c.channel FROM channels c WHERE c.drop_at <= ?
      AND NOT EXISTS (SELECT 1 FROM packets p WHERE p.channel = c.channel) ORDER BY c.drop_at LIMIT 200)`);
const sweepBodies = new Statement<[]>("DELETE FROM large_bodies WHERE at < clock_timestamp() - interval '5 minutes'");

/** A channel's time is rounded up to this, milliseconds: a row of which no index changes costs a busy channel a fifth less. */
const DROPPED_EVERY = MINUTE;
/** What `sizeOf` adds to a body. */
const ENVELOPE = 100;

export type Packets = ReturnType<typeof packets>;

export function packets(keep: Keep, hands: Hands, epoch: string, topic: string, node: () => number) {
  const part = {};
  const gathered = (turn: Turn): Gathered =>
    turn.of(part, () => ({ parcels: [], kept: 0, fence: false, numbers: [], sure: 0, counts: [] }));
  const keptOn = keeper(keep);

  async function flush(turn: Turn): Promise<void> {
    const state = gathered(turn);
    const { parcels, fence } = state;
    if (parcels.length === 0 && !fence) return;
    state.parcels = [];
    state.kept = 0;
    state.fence = false;
    const channels = new Map<Channel, { at: number; n: number; last: number; drop: number; readonly rows: number[] }>();
    const offsets: number[] = [];
    let kept = 0;
    for (const [i, parcel] of parcels.entries()) {
      offsets.push(kept);
      if (!isKept(parcel)) continue;
      const { channel } = parcel;
      let one = channels.get(channel);
      if (one === undefined) {
        one = { at: 0, n: 0, last: 0, drop: 0, rows: [] };
        channels.set(channel, one);
      }
      one.n++;
      one.last = kept++;
      one.rows.push(i);
    }
    const sorted = [...channels].sort(([a], [b]) => (a < b ? -1 : 1));
    const rows: Record<"at" | "nth" | "off" | "prev" | "expires" | "drop", number[]> = {
      at: [],
      nth: [],
      off: [],
      prev: [],
      expires: [],
      drop: [],
    };
    const texts: Record<"id" | "event" | "body", string[]> = { id: [], event: [], body: [] };
    const keeps: number[] = [];
    for (const [at, [channel, one]] of sorted.entries()) {
      const most = keptOn(channel);
      keeps.push(most);
      let previous = 0;
      for (const [nth, i] of one.rows.entries()) {
        const { packet } = parcels[i]!;
        one.drop = Math.max(one.drop, packet.expires);
        // One that is pushed out by newer ones of its own turn is never written.
        if (nth >= one.n - most) {
          rows.at.push(at + 1);
          rows.nth.push(nth + 1);
          rows.off.push(offsets[i]!);
          rows.prev.push(previous);
          rows.expires.push(packet.expires);
          rows.drop.push(one.drop);
          texts.id.push(packet.id);
          texts.event.push(packet.event);
          texts.body.push(packet.body);
        }
        previous = offsets[i]!;
      }
    }
    const told = await toTexts(turn, parcels);
    const number = hands.expect(parcels);
    state.numbers.push(number);
    const added: Appended = [
      sorted.map(([channel]) => channel),
      sorted.map(([, { n }]) => n),
      keeps,
      sorted.map(([, { last }]) => last),
      sorted.map(([, { drop }]) => Math.ceil(drop / DROPPED_EVERY) * DROPPED_EVERY),
      rows.at,
      rows.nth,
      rows.off,
      rows.prev,
      texts.id,
      texts.event,
      texts.body,
      rows.expires,
      rows.drop,
      topic,
      told.map((_, i) => `k${node()}.${number}.${i}|`),
      told.map((text) => `|${text}`),
    ];
    if (turn.noted === undefined) await append.get(turn, ...added);
    else await appendNoted.get(turn, ...added, ...turn.noted);
  }

  const undone = (turn: Turn): void => {
    for (const number of gathered(turn).numbers) hands.forget(number);
  };

  const parts: TurnParts = {
    async begin(turn) {
      const state = gathered(turn);
      state.sure = state.numbers.length;
    },
    flush,
    forget(turn) {
      const state = gathered(turn);
      for (const number of state.numbers.splice(state.sure)) hands.forget(number);
      state.parcels = [];
      state.kept = 0;
      state.fence = false;
    },
    undone,
    async committed(turn) {
      const state = gathered(turn);
      const counts: number[] = [];
      for (const number of state.numbers) counts.push(...(await hands.heard(number)));
      state.counts = counts;
    },
    settling: (turn) => hands.settle(gathered(turn).counts),
  };

  /** Up to which place and seq the client has everything. Not known: it may have been anywhere. */
  async function positionIn(
    turn: Turn,
    channel: Channel,
    from: Exclude<From, number | "newest">,
    clientEpoch: string | undefined,
  ): Promise<{ readonly known: boolean; readonly place: number; readonly after: number }> {
    if (from === "unsent")
      return { known: true, place: 0, after: (await sentSeq.get(turn, channelName(channel))) ?? 0 };
    if ("since" in from) {
      const known = clientEpoch === epoch && from.since <= ((await lastSeq.get(turn)) ?? 0);
      if (!known) return { known, place: 0, after: 0 };
      return { known, place: (await placeUpTo.get(turn, channel, from.since)) ?? 0, after: from.since };
    }
    // A restored log may hold the packet though what came after it was lost with the old one.
    const at = await positionOf.get(turn, channel, from.after);
    if (at !== undefined) return { known: clientEpoch === epoch, place: at.place, after: at.seq };
    // The last one that the client got may have expired since, with nothing behind it.
    const last = clientEpoch === epoch ? await sweptOf.get(turn, bucketOf(channel)) : undefined;
    const known = last?.channel === channel && last.id === from.after;
    return { known, place: 0, after: known ? last.seq : 0 };
  }

  async function standing(
    turn: Turn,
    channel: Channel,
    known: boolean,
    place: number,
    after: number,
    { packets }: Page,
    now: number,
  ): Promise<Standing> {
    const [newest = 0, previous, expired, swept] = await Promise.all([
      newestSeq.get(turn, channel, bucketOf(channel)),
      previousOfNext.get(turn, channel, place, after),
      expiredAfter.get(turn, channel, place, after, now),
      sweptOf.get(turn, bucketOf(channel)),
    ]);
    const next = packets[0];
    const at = next === undefined ? Math.max(after, newest) : Math.max(after, next.seq - 1);
    const recovered =
      known &&
      (previous ?? 0) <= after && // nothing was pushed out by newer ones
      expired === undefined &&
      (swept?.seq ?? 0) <= after;
    return { at, recovered };
  }

  async function pageFrom(turn: Turn, channel: Channel, place: number, after: number, size: number, now: number) {
    const log = await read.all(turn, ENVELOPE, channel, place, after, now, size);
    const page = pageOf(log, after, size, now, epoch);
    if (page.packets.length > 0) gathered(turn).fence = true;
    return page;
  }

  return {
    parts,
    flush,

    async append(turn: Turn, parcels: Packed<ParcelRow>): Promise<number> {
      const state = gathered(turn);
      const rows = unpackParcels(parcels);
      if (state.parcels.length + rows.length > PER_TURN) await flush(turn);
      for (const { channel, ...packet } of rows) {
        if (!Number.isSafeInteger(packet.expires))
          throw new TypeError(`a packet that expires at ${packet.expires} cannot be kept`);
        state.parcels.push({ channel, packet });
      }
      return 0; // its seqs are known when it is heard
    },

    /** @param onConfirmed told of each notification that the position confirms */
    async backlog(
      turn: Turn,
      channel: Channel,
      from: From,
      size: number,
      now: number,
      clientEpoch: string | undefined,
      onConfirmed: (pushId: string, id: string, expires: number) => Promise<void>,
    ): Promise<Page> {
      await flush(turn);
      // The packet that the page before ended with may have gone: then it is looked for from the channel's oldest one.
      if (typeof from === "number")
        return pageFrom(turn, channel, (await placeOf.get(turn, from)) ?? 0, from, size, now);
      if (from === "newest") {
        const at = (await newestSeq.get(turn, channel, bucketOf(channel))) ?? 0;
        return { packets: [], epoch, standing: { at, recovered: true } };
      }
      const { known, place, after } = await positionIn(turn, channel, from, clientEpoch);
      const page = await pageFrom(turn, channel, place, after, size, now);
      const told =
        clientEpoch === undefined
          ? page
          : { ...page, standing: await standing(turn, channel, known, place, after, page, now) };
      // The device names what it has: it has everything up to there. Other channels have many readers.
      if (from === "unsent" || place === 0 || channelKind(channel) !== "device") return told;
      const pushId = channelName(channel);
      for (const { id, expires } of await namedUpTo.all(turn, channel, place)) await onConfirmed(pushId, id, expires);
      if (clientEpoch === undefined) trim.put(turn, channel, place);
      else {
        // The packet itself stays: should the client not hear where it stands, it says the same again.
        trim.put(turn, channel, place - 1);
        mark.put(turn, [pushId], [after]);
      }
      return told;
    },

    sent(turn: Turn, marks: readonly SentMark[]): void {
      mark.put(
        turn,
        marks.map(({ pushId }) => pushId),
        marks.map(({ seq }) => seq),
      );
    },

    async drop(turn: Turn, channel: Channel): Promise<void> {
      await flush(turn);
      drop.put(turn, channel);
    },

    /** Drops up to `limit` packets whose time has passed. Returns whether there may be more. */
    async sweepPackets(turn: Turn, now: number, limit: number): Promise<boolean> {
      await flush(turn);
      const dropped = await sweep.all(turn, now, limit);
      const swept = new Map<number, Swept>();
      for (const packet of dropped) {
        const bucket = bucketOf(packet.channel);
        if (packet.seq > (swept.get(bucket)?.seq ?? 0)) swept.set(bucket, packet);
      }
      for (const [bucket, { seq, channel, id }] of swept) noteSwept.put(turn, bucket, seq, channel, id);
      if (dropped.length === limit) return true;
      sweepChannels.put(turn, now, now);
      sweepBodies.put(turn);
      return false;
    },
  };
}
