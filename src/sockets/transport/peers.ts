// How many connections an address has. IPv6 addresses are counted together by network.
import { LargeMap } from "../../core/large-map.ts";
import { Pace } from "../../core/pace.ts";
import { limitedAs } from "../../http/uws/address.ts";

/** What the limit is for: an IPv4 address or an IPv6 network. */
export interface Counted {
  readonly name: string;
  connections: number;
  /** Those on polling that did not come back after their handshake yet. */
  fresh: number;
}

/** One address; shared by its connections, so that each keeps no string of its own. */
export interface Peer {
  readonly address: string;
  readonly counted: Counted;
}

export class Peers {
  /** By the name of what is counted; the peer is the first one there. */
  readonly #known = new LargeMap<string, Peer>();

  /** The peer as it is, without remembering one that has no connection. */
  find(address: string): Peer {
    const name = limitedAs(address);
    const known = this.#known.get(name);
    if (known?.address === address) return known;
    return { address, counted: known?.counted ?? { name, connections: 0, fresh: 0 } };
  }

  /** Who has the most connections. Visits all, in pieces. */
  async busiest(): Promise<Counted | undefined> {
    const pace = new Pace();
    let most: Counted | undefined;
    let visited = 0;
    for (const { counted } of this.#known.values()) {
      if (most === undefined || counted.connections > most.connections) most = counted;
      if (++visited % 256 === 0 && pace.over()) await pace.turn();
    }
    return most;
  }

  add(peer: Peer): void {
    if (peer.counted.connections++ === 0) this.#known.set(peer.counted.name, peer);
  }

  remove(peer: Peer): void {
    if (--peer.counted.connections === 0) this.#known.delete(peer.counted.name);
  }
}
