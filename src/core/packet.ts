// What travels to live sockets, what it is addressed to, and what a client that comes back still has to see.
import type { PushId, Uid } from "./device.ts";

declare const brand: unique symbol;
/**
 * What a packet is addressed to: a topic, a pushId or a uid. The kind is part of the string ("t:room1", "d:<pushId>",
 * "u:<uid>"), so no topic is ever read as a uid (holds 8), and the string serves as a key in maps and in the store.
 */
export type Channel = string & { readonly [brand]: "Channel" };
export type ChannelKind = "topic" | "device" | "uid";

export const topicChannel = (topic: string): Channel => `t:${topic}` as Channel;
export const deviceChannel = (pushId: PushId): Channel => `d:${pushId}` as Channel;
export const uidChannel = (uid: Uid): Channel => `u:${uid}` as Channel;

/** The topic, pushId or uid that a channel stands for. */
export const channelName = (channel: Channel): string => channel.slice(2);

export function channelKind(channel: Channel): ChannelKind {
  switch (channel.charCodeAt(0)) {
    case 0x74:
      return "topic";
    case 0x64:
      return "device";
    default:
      return "uid";
  }
}

/** A packet's name and the client's cursor: 12 random alphanumerics, or what the caller of a notification chose. */
export type PacketId = string;

/**
 * `p`: the current push form. `noti`: a notification. `push`: the form of 2015 for `data` alone.
 * The body is JSON text, checked once on entry and never parsed again; for `noti` and `push` it is an object's.
 */
export interface Packet {
  readonly event: "p" | "noti" | "push";
  readonly id: PacketId;
  readonly body: string;
  /** Kept until then for those who are away, epoch milliseconds. 0: not kept. */
  readonly expires: number;
}

/** A packet that the log holds: its place there orders the channel. Rises over the whole log, without being dense. */
export interface KeptPacket extends Packet {
  readonly seq: number;
}

/** One packet for one channel. Only topics and devices keep packets. */
export interface Parcel {
  readonly channel: Channel;
  readonly packet: Packet;
}

/**
 * Where a returning client stands on one channel:
 * - an id: what came after it; everything alive when the log does not know it (any more)
 * - `unsent`: only for a device's own channel, what was never sent to any of its connections
 */
export type Position = { readonly after: PacketId } | "unsent";

/**
 * What a client at `position` has missed: alive packets, oldest first.
 * @param log one channel's kept packets in order of seq, expired ones included: they still say where a cursor stands
 * @param sentSeq the newest seq that was sent to any connection of the device
 */
export function missed(log: readonly KeptPacket[], position: Position, sentSeq: number, now: number): KeptPacket[] {
  let from = 0;
  if (position === "unsent") {
    while (from < log.length && log[from]!.seq <= sentSeq) from++;
  } else {
    const at = log.findLastIndex((packet) => packet.id === position.after);
    from = at + 1; // not found: at is -1, everything
  }
  return log.slice(from).filter((packet) => packet.expires > now);
}
