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

/** By its first character. */
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
 * `reach`: comes as `p`, always kept, to be acknowledged.
 * The body is JSON text, checked once on entry and never parsed again; for `noti` and `push` it is an object's.
 */
export interface Packet {
  readonly event: "p" | "noti" | "push" | "reach";
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
 * - a seq: what came after it; where `Standing` once told the client to be
 * - `unsent`: only for a device's own channel, what none of its connections has proven to have received (holds 9)
 * - `newest`: nothing; it has just come
 */
type Position = { readonly after: PacketId } | { readonly since: number } | "unsent" | "newest";

/** Where a client stands, or where the page before has ended: the seq of its last packet. */
export type From = Position | number;

/** A part of what a client has missed, oldest first. `next` absent: there was nothing further. */
export interface Page {
  readonly packets: readonly KeptPacket[];
  /** Gives the next page. */
  readonly next?: number;
  /** Names the life of the channel's log. Another one than before: the store was lost or restored, and the seqs of then mean nothing. */
  readonly epoch: string;
  /** With the first page, where the client's epoch was given. */
  readonly standing?: Standing;
}

/** Where a client stands that keeps exact positions (sockets 4.16). */
export interface Standing {
  /** Its position from now on, as a seq, until it gets the next packet. */
  readonly at: number;
  /** Whether all that it has missed is in the pages; false too when its position is of another epoch. */
  readonly recovered: boolean;
}
