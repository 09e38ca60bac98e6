// The broker of a single process: a packet is added to the log, then handed to the hubs of this very process.
//
// The order rests on one thing: the answers of the storage thread are worked through one by one, in the order of its commits,
// and `committed` is run right there. So packets are handed over in the order of seq, and a backlog is answered after every
// packet it contains has been.
import type { PushId } from "../core/device.ts";
import type { Broker, Hub } from "../core/engine.ts";
import { channelKind, type Parcel } from "../core/packet.ts";
import type { Queue } from "./calls.ts";
import { flatten } from "./sqlite/packets.ts";

/** A long list goes in pieces, each a commit of its own, so that other callers get in between. */
const PIECE = 1000;

export interface LocalBroker extends Broker {
  /** Hands over the parcels of one commit; `first` is the seq of its first kept one. */
  deliver(parcels: readonly Parcel[], first: number): void;
  /** Whether the device has a connection. */
  has(pushId: PushId): boolean;
}

/** Nobody reads the log of a uid: who has the uid may change at any time. */
export const isKept = ({ channel, packet }: Parcel): boolean => packet.expires > 0 && channelKind(channel) !== "uid";

export function localBroker(queue: Queue): LocalBroker {
  const hubs: Hub[] = [];

  function deliver(parcels: readonly Parcel[], first: number): void {
    let seq = first;
    for (const parcel of parcels) {
      const packet = isKept(parcel) ? { ...parcel.packet, seq: seq++ } : parcel.packet;
      for (const hub of hubs) hub.deliver(parcel.channel, packet);
    }
  }

  const append = (parcels: readonly Parcel[]): Promise<number> =>
    queue.call("append", flatten(parcels), parcels.length, (first) => deliver(parcels, first)); // holds 2, 3

  return {
    deliver,
    has: (pushId) => hubs.some((hub) => hub.has(pushId)),
    attach(hub) {
      hubs.push(hub);
    },
    async publish(parcels) {
      const only = parcels.length === 1 ? parcels[0] : undefined;
      if (only !== undefined) return isKept(only) ? void (await append(parcels)) : deliver(parcels, 0);
      const kept = parcels.filter(isKept);
      if (kept.length < parcels.length)
        deliver(
          parcels.filter((parcel) => !isKept(parcel)),
          0,
        );
      for (let i = 0; i < kept.length; i += PIECE) await append(kept.slice(i, i + PIECE));
    },
    async publishOnce(once, { number, last }, parcels, now) {
      const flat = flatten(parcels.filter(isKept));
      const { next } = await queue.call(
        "appendOnce",
        [once, number, last, flat, now],
        parcels.length + 1,
        ({ first }) => {
          if (first !== undefined) deliver(parcels, first); // holds 2, 3
        },
      );
      return next;
    },
    backlog: (channel, position, now) => queue.call("backlog", [channel, position, now]),
    sent: (marks) => queue.call("sent", [marks], marks.length),
    async tell(pushIds, order) {
      for (const hub of hubs) for (const pushId of pushIds) hub.carryOut(pushId, order);
    },
  };
}
