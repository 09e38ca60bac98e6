// A backlog on its way to a client: how much of it is written at once, and what waits beside a large part of it.
import { bytesOf, type EnginePacket } from "../wire/engineio.ts";

const PAGE = 262_144;
/** How much of a backlog is written to a client at once, unless a single packet is larger; bytes, as is the limit. */
export const pageSize = (maxBackpressure: number): number => Math.min(PAGE, Math.floor(maxBackpressure / 4));

/** Of a websocket that is busy with a large packet, as if it were on polling: its rooms, and what else comes for it. */
export class Beside {
  readonly rooms: Set<string>;
  readonly packets: EnginePacket[] = [];
  /** Asks for proof when they have gone, see `Connection.prove`; 0: no. */
  prove = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  constructor(rooms: readonly string[]) {
    this.rooms = new Set(rooms);
  }

  /** False: too much waits already. */
  push(packet: EnginePacket, limit: number): boolean {
    if (this.#bytes > limit) return false;
    this.#bytes += bytesOf(packet);
    this.packets.push(packet);
    return true;
  }
}
