// Whose address a request counts as.

import type { HttpResponse } from "uWebSockets.js";
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

/** The other end of the connection, as text; an IPv4 address that came through an IPv6 socket reads as IPv4. */
export function peerAddress(response: HttpResponse): string {
  const bytes = Buffer.from(response.getRemoteAddress());
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return ""; // a unix socket
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return canonical(groups.join(":"));
}

/** Reads the list of forwarders from the right, past those that are trusted: what stands left of that anyone can write. */
export function callerAddress(peer: string, header: (name: string) => string, trusted: AddressList): string {
  if (trusted.size === 0 || !trusted.has(peer)) return peer;
  const forwarded = header("x-forwarded-for");
  if (forwarded !== "") {
    const hops = forwarded.split(",").map((hop) => hop.trim());
    const caller = hops.findLast((hop) => !trusted.has(hop)) ?? hops[0] ?? "";
    return isIP(caller) === 0 ? peer : canonical(caller);
  }
  const real = header("x-real-ip").trim();
  return isIP(real) === 0 ? peer : canonical(real);
}

/** One spelling per address. */
const canonical = (address: string): string =>
  isIP(address) === 6 ? new SocketAddress({ address, family: "ipv6" }).address : address;
