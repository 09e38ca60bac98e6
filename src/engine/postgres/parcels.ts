// Packets on their way between nodes: as messages, and back.
import type { Hub } from "../../core/engine.ts";
import { Pace } from "../../core/pace.ts";
import type { Channel, Packet, Parcel } from "../../core/packet.ts";
import { deliverTo, type Handing, isKept, orders, WRITTEN_AT_ONCE } from "../broker.ts";
import type { Carrier, Heard } from "./carrier.ts";
import { MESSAGE } from "./carrier.ts";
import { Column, type Tx } from "./database.ts";
import { PER_TURN } from "./schema.ts";

/** A parcel in a message. `at`: its place among the kept ones of its turn; -1: it is not kept. A body of more than a message is a row. */
type Told = readonly [
  at: number,
  channel: Channel,
  event: Packet["event"],
  id: string,
  expires: number,
  body: string | number,
];

/** What a message has besides its parcels, at most. */
const HEAD = 60;

const keepBodies = new Column<[readonly string[]], number>(
  "INSERT INTO large_bodies (body) SELECT unnest(?::text[]) RETURNING body_id",
);
const bodyOf = new Column<[number], string>("SELECT body FROM large_bodies WHERE body_id = ?");

/** The parcels as texts of messages, in their order; one of them at least. */
export async function toTexts(tx: Tx | (() => Tx), parcels: readonly Parcel[]): Promise<string[]> {
  let kept = 0;
  const texts: string[] = [];
  let items: string[] = [];
  let size = HEAD;
  for (const parcel of parcels) {
    const at = isKept(parcel) ? kept++ : -1;
    let item = toItem(parcel, at, parcel.packet.body);
    let length = Buffer.byteLength(item) + 1;
    if (length > MESSAGE - HEAD) {
      const where = typeof tx === "function" ? tx() : tx;
      const [row = 0] = await keepBodies.all(where, [parcel.packet.body]);
      item = toItem(parcel, at, row);
      length = Buffer.byteLength(item) + 1;
    }
    if (size + length > MESSAGE) {
      texts.push(`[${items.join()}]`);
      items = [];
      size = HEAD;
    }
    items.push(item);
    size += length;
  }
  texts.push(`[${items.join()}]`);
  return texts;
}

const toItem = ({ channel, packet }: Parcel, at: number, body: string | number): string =>
  JSON.stringify([at, channel, packet.event, packet.id, packet.expires, body]);

/** Packets of this node's turns that are to be heard of, and how many connections each was handed to once it was. */
interface Turn {
  readonly parcels: readonly Parcel[];
  readonly counts: number[];
}

export interface Hands extends Handing {
  /** Before a turn with these parcels is committed. @returns its number in messages */
  expect(parcels: readonly Parcel[]): number;
  /** The turn is committed; resolves when its packets were handed over, with the connections of each: fewer when it was not heard. */
  heard(number: number): Promise<readonly number[]>;
  /** The turn was undone, and nothing will be heard of it. */
  forget(number: number): void;
  /** From here `one` and `handOver` take the connections of these. */
  settle(counts: readonly number[]): void;
}

/** @param alone whether there is no other node @param read reads by itself */
export function hands(carrier: Carrier, alone: () => boolean, read: () => Tx): Hands {
  const hubs: Hub[] = carrier.hubs;
  const turns = new Map<number, Turn>();
  const carryOut = orders(hubs);
  let counts: readonly number[] = [];
  let taken = 0;
  /** The newest turn of this node that was handed over. */
  let newest = 0;

  async function deliverAll(parcels: readonly Parcel[], seqs: (i: number) => number): Promise<number[]> {
    const pace = new Pace();
    const online: number[] = [];
    let written = 0;
    for (const [i, parcel] of parcels.entries()) {
      const count = deliverTo(hubs, parcel, seqs(i));
      online.push(count);
      written += count;
      if (i + 1 < parcels.length && (written >= WRITTEN_AT_ONCE || ((i & 15) === 15 && pace.over()))) {
        await pace.turn();
        written = 0;
      }
    }
    return online;
  }

  async function hearTurn({ node, number, part, text }: Heard): Promise<void> {
    const bar = text.indexOf("|");
    const base = Number(text.slice(0, bar)) * PER_TURN;
    if (node === carrier.node) {
      if (part > 0 && number === newest) return; // with the first part
      const turn = turns.get(number);
      if (turn !== undefined) {
        newest = number;
        let seq = base;
        const seqs = turn.parcels.map((parcel) => (isKept(parcel) ? seq++ : 0));
        turn.counts.push(...(await deliverAll(turn.parcels, (i) => seqs[i]!)));
        return;
      }
    }
    await deliverTold(text.slice(bar + 1), base);
  }

  async function deliverTold(text: string, base: number): Promise<void> {
    const told = JSON.parse(text) as readonly Told[]; // as `toItem` wrote it
    const parcels: Parcel[] = [];
    const seqs: number[] = [];
    for (const [at, channel, event, id, expires, body] of told) {
      const whole = typeof body === "string" ? body : await bodyOf.get(read(), body);
      if (whole === undefined) continue; // it took minutes to be heard
      parcels.push({ channel, packet: { event, id, body: whole, expires } });
      seqs.push(base + at);
    }
    await deliverAll(parcels, (i) => seqs[i]!);
  }

  carrier.on("k", hearTurn);
  carrier.on("p", ({ node, text }) => (node === carrier.node ? undefined : deliverTold(text, 0)));
  carrier.on("o", async ({ text }) => {
    const [pushIds, order] = JSON.parse(text) as Parameters<typeof carryOut>; // as `tell` wrote it
    await carryOut(pushIds, order);
  });

  const take = (): number => counts[taken++] ?? 0;

  return {
    stored: (parcels) => parcels,
    now(parcel) {
      if (!alone()) {
        const item = toItem(parcel, -1, parcel.packet.body);
        if (Buffer.byteLength(item) < MESSAGE - HEAD) carrier.send("p", `[${item}]`);
        else
          toTexts(read, [parcel]).then(
            (texts) => {
              for (const text of texts) carrier.send("p", text);
            },
            () => {
              carrier.unsent++;
            },
          );
      }
      return deliverTo(hubs, parcel, 0);
    },
    one: take,
    handOver(parcels, _first, done) {
      return () => {
        let online = 0;
        for (let i = 0; i < parcels.length; i++) online += take();
        done?.(online);
        return true;
      };
    },
    async tell(pushIds, order) {
      if (alone()) return carryOut(pushIds, order);
      const texts: string[] = [];
      let piece: string[] = [];
      let size = 0;
      for (const pushId of pushIds) {
        const length = Buffer.byteLength(JSON.stringify(pushId)) + 1;
        if (size + length > MESSAGE - HEAD - 1000 && piece.length > 0) {
          texts.push(JSON.stringify([piece, order]));
          piece = [];
          size = 0;
        }
        piece.push(pushId);
        size += length;
      }
      if (piece.length > 0) texts.push(JSON.stringify([piece, order]));
      if (!(await carrier.sendHeard("o", texts))) await carryOut(pushIds, order);
    },
    expect(parcels) {
      const number = carrier.expect();
      turns.set(number, { parcels, counts: [] });
      return number;
    },
    async heard(number) {
      await carrier.heard(number);
      const turn = turns.get(number);
      turns.delete(number);
      return turn?.counts ?? [];
    },
    forget(number) {
      carrier.forget(number);
      turns.delete(number);
    },
    settle(next) {
      counts = next;
      taken = 0;
    },
  };
}
