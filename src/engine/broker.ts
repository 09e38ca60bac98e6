// The broker of a single process: a packet is added to the log, then handed to the hubs of this very process.
//
// The order rests on one thing: the answers of the storage thread are worked through one by one, in the order of its commits,
// and `committed` is run right there. So packets are handed over in the order of seq, and a backlog is answered after every
// packet it contains has been.
import type { PushId } from "../core/device.ts";
import type { Broker, Hub } from "../core/engine.ts";
import type { Once } from "../core/outbox.ts";
import { channelKind, type Parcel } from "../core/packet.ts";
import type { Queue } from "./calls.ts";
import { flatten } from "./sqlite/packets.ts";

/** A long list goes in pieces, each a commit of its own, so that other callers get in between. */
const PIECE = 1000;
/** Calls whose figure is at hand until the store has it. */
const MOST_REACHED = 1000;

export interface LocalBroker extends Broker {
  /** Hands over the parcels of one commit; `first` is the seq of its first kept one. @returns connections */
  deliver(parcels: readonly Parcel[], first: number): number;
  /** Whether the device has a connection. */
  has(pushId: PushId): boolean;
}

/** Nobody reads the log of a uid: who has the uid may change at any time. */
export const isKept = ({ channel, packet }: Parcel): boolean => packet.expires > 0 && channelKind(channel) !== "uid";

export function localBroker(queue: Queue): LocalBroker {
  const hubs: Hub[] = [];

  function deliver(parcels: readonly Parcel[], first: number): number {
    let seq = first;
    let online = 0;
    for (const parcel of parcels) {
      const packet = isKept(parcel) ? { ...parcel.packet, seq: seq++ } : parcel.packet;
      for (const hub of hubs) online += hub.deliver(parcel.channel, packet);
    }
    return online;
  }

  /** Connections that repeatable calls were handed to so far. */
  const reached = new Map<string, number>();

  function noteReached(once: Once, piece: number, last: boolean, online: number): void {
    const before = piece === 0 ? 0 : reached.get(once.key);
    if (before === undefined) return; // the earlier pieces were made before a restart
    reached.delete(once.key);
    reached.set(once.key, before + online);
    if (reached.size > MOST_REACHED) reached.delete(reached.keys().next().value!); // not empty
    // Nobody waits for it. A store that fails says so to its callers.
    if (last) queue.call("handed", [once, before + online]).catch(() => {});
  }

  async function append(parcels: readonly Parcel[]): Promise<number> {
    let online = 0;
    await queue.call("append", flatten(parcels), parcels.length, (first) => {
      online = deliver(parcels, first); // holds 2, 3
    });
    return online;
  }

  async function publishKept(parcels: readonly Parcel[], kept: readonly Parcel[]): Promise<number> {
    let online = 0;
    if (kept.length < parcels.length)
      online += deliver(
        parcels.filter((parcel) => !isKept(parcel)),
        0,
      );
    for (let i = 0; i < kept.length; i += PIECE) online += await append(kept.slice(i, i + PIECE));
    return online;
  }

  return {
    deliver,
    has: (pushId) => hubs.some((hub) => hub.has(pushId)),
    attach(hub) {
      hubs.push(hub);
    },
    publish(parcels) {
      const only = parcels.length === 1 ? parcels[0] : undefined;
      if (only !== undefined) return isKept(only) ? append(parcels) : deliver(parcels, 0);
      const kept = parcels.filter(isKept);
      return kept.length === 0 ? deliver(parcels, 0) : publishKept(parcels, kept);
    },
    async publishOnce(once, { number, last }, id, parcels, now) {
      const flat = flatten(parcels.filter(isKept));
      const made = await queue.call(
        "appendOnce",
        [once, number, last, id, flat, now],
        parcels.length + 1,
        ({ first }) => {
          if (first !== undefined) noteReached(once, number, last, deliver(parcels, first)); // holds 2, 3
        },
      );
      if (made.next !== undefined) return { id: made.id, next: made.next };
      const online = made.online ?? reached.get(once.key);
      return { id: made.id, ...(online === undefined ? {} : { online }) };
    },
    backlog: (channel, position, now) => queue.call("backlog", [channel, position, now]),
    sent: (marks) => queue.call("sent", [marks], marks.length),
    async tell(pushIds, order) {
      for (const hub of hubs) for (const pushId of pushIds) hub.carryOut(pushId, order);
    },
  };
}
