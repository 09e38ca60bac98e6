// Who a client is for the limits: its address, or what a trusted proxy says of it.
import { BlockList, isIP } from "node:net";

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

export class Proxies {
  readonly #trusted = new BlockList();
  readonly #none: boolean;

  constructor(addresses: readonly string[]) {
    this.#none = addresses.length === 0;
    for (const entry of addresses) {
      const [address = "", bits] = entry.split("/");
      if (bits === undefined) this.#trusted.addAddress(address, family(address));
      else this.#trusted.addSubnet(address, Number(bits), family(address));
    }
  }

  /** The right-most address of the chain that is not a trusted proxy itself; only trusted proxies are listened to. */
  client(address: string, forwardedFor: string, realIp: string): string {
    if (this.#none || !this.#trusts(address)) return address;
    const chain = (forwardedFor || realIp).split(",").map((hop) => hop.trim());
    let nearest = address;
    for (const hop of chain.reverse()) {
      if (isIP(hop) === 0) break;
      nearest = hop;
      if (!this.#trusts(hop)) break;
    }
    return nearest;
  }

  #trusts(address: string): boolean {
    return this.#trusted.check(address, family(address));
  }
}

const family = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** From the 4 or 16 bytes of a socket; an IPv4 address inside IPv6 is written as IPv4. */
export function addressText(bytes: ArrayBuffer): string {
  const octets = new Uint8Array(bytes);
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) return "";
  const groups = Array.from({ length: 8 }, (_, i) => 256 * octets[2 * i]! + octets[2 * i + 1]!);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return octets.subarray(12).join(".");
  return groups.map((group) => group.toString(16)).join(":");
}
