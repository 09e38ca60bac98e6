// Whose address a request counts as: the other end of its connection, or whom a trusted proxy there names.
import { BlockList, isIP, SocketAddress } from "node:net";

/** A set of addresses: single ones and networks. */
export interface AddressList {
  readonly size: number;
  has(address: string): boolean;
}

/** Throws for an entry that is neither an address (`10.0.0.5`, `::1`) nor a network (`10.0.0.0/8`). */
export function addressList(entries: readonly string[]): AddressList {
  const list = new BlockList();
  for (const entry of entries) {
    const [network = "", bits] = entry.split("/");
    const version = isIP(network);
    const family = version === 6 ? "ipv6" : "ipv4";
    const longest = version === 6 ? 128 : 32;
    if (version === 0) throw new Error(`"${entry}" is neither an IP address nor a network like 10.0.0.0/8`);
    if (bits === undefined) list.addAddress(network, family);
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= longest) list.addSubnet(network, Number(bits), family);
    else throw new Error(`"${entry}": the part behind the slash must be 0 to ${longest}`);
  }
  return {
    size: entries.length,
    has(address) {
      const version = isIP(address);
      return version !== 0 && list.check(address, version === 6 ? "ipv6" : "ipv4");
    },
  };
}

/** From the 4 or 16 bytes of a socket; an IPv4 address that came through an IPv6 socket reads as IPv4. */
export function addressText(bytes: ArrayBuffer): string {
  const octets = new Uint8Array(bytes);
  if (octets.length === 4) return ipv4(octets, 0);
  if (octets.length !== 16) return ""; // a unix socket
  const mapped = octets[10] === 0xff && octets[11] === 0xff && octets.subarray(0, 10).every((octet) => octet === 0);
  if (mapped) return ipv4(octets, 12);
  const view = new DataView(bytes);
  return canonical(Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i).toString(16)).join(":"));
}

const ipv4 = (octets: Uint8Array, at: number): string =>
  `${octets[at]}.${octets[at + 1]}.${octets[at + 2]}.${octets[at + 3]}`;

/**
 * Reads the list of forwarders from the right, past those that are trusted, to the first address that is not: what stands left
 * of that, anyone can write.
 */
export function callerAddress(peer: string, header: (name: string) => string, trusted: AddressList): string {
  if (trusted.size === 0 || !trusted.has(peer)) return peer;
  const hops = (header("x-forwarded-for") || header("x-real-ip")).split(",");
  let nearest = peer;
  for (const hop of hops.reverse().map((text) => text.trim())) {
    if (isIP(hop) === 0) break;
    nearest = canonical(hop);
    if (!trusted.has(hop)) break;
  }
  return nearest;
}

/** One spelling per address. */
const canonical = (address: string): string =>
  isIP(address) === 6 ? new SocketAddress({ address, family: "ipv6" }).address : address;
