// The broker: a packet is added to the log, then handed to the hubs of this very process. How it gets there, and to other
// processes, is the engine's (`Handing`).
//
// Where there is one process the order rests on one thing: the answers of the storage thread are worked through one by one, in the
// order of its commits, and `committed` is run right there. So packets are handed over in the order of seq, and a backlog is
// answered after every packet it contains has been.
import type { PushId } from "../core/device.ts";
import type { Broker, Hub, Order } from "../core/engine.ts";
import type { Live } from "../core/live.ts";
import type { Once } from "../core/outbox.ts";
import { Pace } from "../core/pace.ts";
import { channelKind, type Parcel } from "../core/packet.ts";
import { Recent } from "../core/recent.ts";
import type { Calls, Steps } from "./calls.ts";
import { localLive } from "./live.ts";
import { packParcels } from "./rows.ts";

/** A long list goes in pieces, each a commit of its own, so that other callers get in between. */
const PIECE = 1000;
/** Calls whose figure is at hand until the store has it. */
const MOST_REACHED = 1000;

/** Connections written to in one turn: each is a write to the kernel when the turn ends. */
export const WRITTEN_AT_ONCE = 128;
/** Devices that carry out an order in one turn, about a millisecond. */
const TOLD_AT_ONCE = 2000;

/** How packets and orders reach the hubs. */
export interface Handing {
  /** What of these goes through the store. */
  stored(parcels: readonly Parcel[]): readonly Parcel[];
  /** One that is not kept. @returns connections of this process that it was handed to */
  now(parcel: Parcel): number;
  /** The only parcel of a call that is committed; `first` is its seq. */
  one(parcel: Parcel, first: number): number;
  /** The parcels of one commit, in steps; `first` is the seq of its first kept one. @param done told the connections */
  handOver(parcels: readonly Parcel[], first: number, done?: (online: number) => void): Steps;
  /** Connections of these devices carry out the order, after all earlier orders; resolves when those of this process have. */
  tell(pushIds: readonly PushId[], order: Order): Promise<void>;
}

export interface LocalBroker extends Broker, Pick<Handing, "handOver" | "stored"> {
  /** Of the hubs that are attached. */
  readonly live: Live;
  /** Whether the device has a connection. */
  has(pushId: PushId): boolean;
}

/** Nobody reads the log of a uid: who has the uid may change at any time. */
export const isKept = ({ channel, packet }: Parcel): boolean => packet.expires > 0 && channelKind(channel) !== "uid";

export function localBroker(queue: Calls): LocalBroker {
  const hubs: Hub[] = [];
  return brokerOver(queue, hubs, localLive(hubs), localHanding(hubs));
}

/** The hubs of a process, as far as packets go. */
export function deliverTo(hubs: readonly Hub[], parcel: Parcel, seq: number): number {
  const packet = isKept(parcel) ? { ...parcel.packet, seq } : parcel.packet;
  let online = 0;
  for (const hub of hubs) online += hub.deliver(parcel.channel, packet);
  return online;
}

/** Orders are carried out one after the other, each by pieces. */
export function orders(hubs: readonly Hub[]): Handing["tell"] {
  /** Orders that are still being carried out: later ones wait. */
  let telling: Promise<void> | undefined;
  async function carryOut(pushIds: readonly PushId[], order: Order): Promise<void> {
    const pace = new Pace();
    for (const [i, pushId] of pushIds.entries()) {
      for (const hub of hubs) hub.carryOut(pushId, order);
      if (i % 64 === 63 && pace.over()) await pace.turn();
    }
  }
  return async (pushIds, order) => {
    if (telling === undefined && pushIds.length <= TOLD_AT_ONCE) {
      for (const hub of hubs) for (const pushId of pushIds) hub.carryOut(pushId, order);
      return;
    }
    const told: Promise<void> = (telling ?? Promise.resolve()).then(() => carryOut(pushIds, order));
    telling = told;
    await told;
    if (telling === told) telling = undefined;
  };
}

function localHanding(hubs: readonly Hub[]): Handing {
  const pace = new Pace();
  return {
    stored: (parcels) => parcels.filter(isKept),
    now: (parcel) => deliverTo(hubs, parcel, 0),
    one: (parcel, first) => deliverTo(hubs, parcel, first),
    handOver(parcels, first, done) {
      let seq = first;
      let online = 0;
      let at = 0;
      return () => {
        pace.begin();
        for (const before = online; at < parcels.length; ) {
          const parcel = parcels[at++]!;
          online += deliverTo(hubs, parcel, seq);
          if (isKept(parcel)) seq++;
          if (online - before >= WRITTEN_AT_ONCE || ((at & 15) === 0 && pace.over())) break;
        }
        if (at < parcels.length) return false;
        done?.(online);
        return true;
      };
    },
    tell: orders(hubs),
  };
}

/** @param hubs those that are attached */
export function brokerOver(queue: Calls, hubs: Hub[], live: Live, handing: Handing): LocalBroker {
  const { handOver, stored } = handing;
  /** Connections that repeatable calls were handed to so far. */
  const reached = new Recent<string, number>(MOST_REACHED);

  function noteReached(once: Once, piece: number, last: boolean, online: number): void {
    const before = piece === 0 ? 0 : reached.get(once.key);
    if (before === undefined) return; // the earlier pieces were made before a restart
    reached.set(once.key, before + online);
    // Nobody waits for it. A store that fails says so to its callers.
    if (last) queue.call("handed", [once, before + online]).catch(() => {});
  }

  async function append(parcels: readonly Parcel[]): Promise<number> {
    let online = 0;
    await queue.call("append", packParcels(parcels), parcels.length, (first) => {
      // holds 2, 3
      if (parcels.length > 1)
        return handOver(parcels, first, (connections) => {
          online = connections;
        });
      online = handing.one(parcels[0]!, first);
      return undefined;
    });
    return online;
  }

  async function publishKept(parcels: readonly Parcel[], kept: readonly Parcel[]): Promise<number> {
    let online = 0;
    for (const parcel of parcels) if (!isKept(parcel)) online += handing.now(parcel);
    for (let i = 0; i < kept.length; i += PIECE) online += await append(kept.slice(i, i + PIECE));
    return online;
  }

  return {
    handOver,
    stored,
    live,
    has: (pushId) => hubs.some((hub) => hub.has(pushId)),
    attach(hub) {
      hubs.push(hub);
    },
    publish(parcels) {
      const only = parcels.length === 1 ? parcels[0] : undefined;
      if (only !== undefined) return isKept(only) ? append(parcels) : handing.now(only);
      const kept = parcels.filter(isKept);
      return kept.length > 0
        ? publishKept(parcels, kept)
        : parcels.reduce((online, parcel) => online + handing.now(parcel), 0);
    },
    async publishOnce(once, { number, last }, id, parcels, now) {
      const made = await queue.call(
        "appendOnce",
        [once, number, last, id, packParcels(stored(parcels)), now],
        parcels.length + 1,
        ({ first }) => {
          if (first !== undefined) return handOver(parcels, first, (online) => noteReached(once, number, last, online)); // holds 2, 3
        },
      );
      if (made.next !== undefined) return { id: made.id, next: made.next };
      const online = made.online ?? reached.get(once.key);
      return { id: made.id, ...(online === undefined ? {} : { online }) };
    },
    backlog: (channel, from, size, now, epoch) => queue.call("backlog", [channel, from, size, now, epoch]),
    async sent(marks) {
      for (let i = 0; i < marks.length; i += PIECE) {
        const piece = marks.slice(i, i + PIECE);
        await queue.call("sent", [piece], piece.length);
      }
    },
    tell: handing.tell,
  };
}
