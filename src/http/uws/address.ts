// Whose address a request counts as: the other end of its connection, or whom a trusted proxy there names.
import { BlockList, isIP, SocketAddress } from "node:net";

/** A set of addresses: single ones and networks. */
export interface AddressList {
  readonly size: number;
  /** An address that is none is in no list. */
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
  if (isMapped(octets)) return ipv4(octets, 12);
  const view = new DataView(bytes);
  return canonical(Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i).toString(16)).join(":"));
}

function isMapped(octets: Uint8Array): boolean {
  if (octets[10] !== 0xff || octets[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (octets[i] !== 0) return false;
  return true;
}

/** Texts of the last addresses: each connection asks for its own several times, and many come through the same few. */
const texts = new Map<number, string>();
const MOST_TEXTS = 1000;

function ipv4(octets: Uint8Array, at: number): string {
  const number = ((octets[at]! * 256 + octets[at + 1]!) * 256 + octets[at + 2]!) * 256 + octets[at + 3]!;
  const known = texts.get(number);
  if (known !== undefined) return known;
  if (texts.size === MOST_TEXTS) texts.clear();
  const text = `${octets[at]}.${octets[at + 1]}.${octets[at + 2]}.${octets[at + 3]}`;
  texts.set(number, text);
  return text;
}

/** Stands for the address of a caller whom no hop names in a readable way. No rule by address lets it in: it is none. */
const UNKNOWN_CALLER = "unknown";

/** The part of a uWS request that names forwarders. `getHeader` tells the first of several lines alone. */
export interface Lines {
  forEach(visit: (name: string, value: string) => void): void;
}

/**
 * Reads the forwarders of all lines as one list, from the right, past those that are trusted, to the first that is not: what stands
 * left of that, anyone can write. `X-Real-IP` counts where there is no `X-Forwarded-For`.
 */
export function callerAddress(peer: string, request: Lines, trusted: AddressList): string {
  if (trusted.size === 0 || !trusted.has(peer)) return peer;
  const forwarded: string[] = [];
  const real: string[] = [];
  request.forEach((name, value) => {
    if (name === "x-forwarded-for") forwarded.push(value);
    else if (name === "x-real-ip") real.push(value);
  });
  let nearest = peer;
  for (const hop of (hopsOf(forwarded) ?? hopsOf(real) ?? []).reverse()) {
    const address = hopAddress(hop);
    if (address === undefined) return UNKNOWN_CALLER;
    nearest = address;
    if (!trusted.has(address)) break;
  }
  return nearest;
}

/** Empty elements of a list are none (RFC 9110, 5.6.1). Undefined: it has no other. */
function hopsOf(lines: readonly string[]): string[] | undefined {
  const hops = lines
    .flatMap((line) => line.split(","))
    .map((hop) => hop.trim())
    .filter((hop) => hop !== "");
  return hops.length === 0 ? undefined : hops;
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function hopAddress(hop: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^[\]]+)\](?::\d{1,5})?|([^:]+):\d{1,5})$/.exec(hop) ?? [];
  const address = bracketed ?? plain ?? hop;
  const version = isIP(address);
  if (version === 0 || (bracketed !== undefined && version !== 6)) return undefined;
  return canonical(address);
}

/** One spelling per address, without an interface's name; an IPv4 address inside an IPv6 one reads as IPv4. */
function canonical(address: string): string {
  if (isIP(address) !== 6) return address;
  const text = new SocketAddress({ address, family: "ipv6" }).address;
  return text.startsWith("::ffff:") && text.includes(".") ? text.slice(7) : text;
}

/**
 * Whom a limit by address counts together: an IPv4 address, or the /64 that an IPv6 address is in. A household has 2^64 addresses
 * there, of which every device takes new ones as it likes.
 */
export function limitedAs(address: string): string {
  if (!address.includes(":")) return address;
  const [left = "", right] = address.split("::");
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const zeros = right === undefined ? 0 : 8 - head.length - tail.length - (address.includes(".") ? 1 : 0);
  const groups = [...head, ...Array<string>(Math.max(0, zeros)).fill("0"), ...tail];
  return `${canonical(`${groups.slice(0, 4).join(":")}::`)}/64`;
}
