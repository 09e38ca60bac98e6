// How much of what is kept goes together.
import type { KeptPacket, Packet, Page } from "./packet.ts";

/** What a packet takes besides its body, about, bytes. */
const ENVELOPE = 100;

/** How much of a page, or of a connection's allowance, a packet takes up: bytes. */
export const sizeOf = ({ body }: Packet): number => Buffer.byteLength(body) + ENVELOPE;

/**
 * The first page of what a client has missed: alive packets, oldest first, as many as fit but always one.
 * @param log one channel's kept packets in order of seq, read no further than needed
 * @param after the seq up to which the client has everything
 * @param size of all packets together, see `sizeOf`
 */
export function pageOf(log: Iterable<KeptPacket>, after: number, size: number, now: number, epoch: string): Page {
  const packets: KeptPacket[] = [];
  let left = size;
  for (const packet of log) {
    if (packet.seq <= after || packet.expires <= now) continue;
    left -= sizeOf(packet);
    if (left < 0 && packets.length > 0) return { packets, next: packets.at(-1)!.seq, epoch };
    packets.push(packet);
  }
  return { packets, epoch };
}
