// How many connections an address has.

/** One address and how many connections it has; shared by them, so that each keeps no string of its own. */
export interface Peer {
  readonly address: string;
  connections: number;
}

export class Peers {
  readonly #known = new Map<string, Peer>();

  /** The peer as it is, without remembering one that has no connection. */
  find(address: string): Peer {
    return this.#known.get(address) ?? { address, connections: 0 };
  }

  add(peer: Peer): void {
    if (peer.connections++ === 0) this.#known.set(peer.address, peer);
  }

  remove(peer: Peer): void {
    if (--peer.connections === 0) this.#known.delete(peer.address);
  }
}
