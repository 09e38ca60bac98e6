// Keeps requests to hosts that others choose, a device (Web Push) or whoever a name belongs to (webhooks), out of our own network:
// only public addresses are connected to.
import type { LookupAddress, LookupOptions } from "node:dns";
import { lookup } from "node:dns";
import { BlockList, isIP } from "node:net";

const notPublic = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const) {
  notPublic.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["::", 96],
  ["64:ff9b::", 32],
  ["100::", 64],
  ["2001::", 32],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 9],
  ["ff00::", 8],
] as const) {
  notPublic.addSubnet(network, prefix, "ipv6");
}

/** Whether the address is one of the public internet. An IPv4 address inside an IPv6 one counts as the former. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !notPublic.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** Whether a URL's host is an address that is not public; names are judged by `publicLookup`. */
export function isPrivateHost(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, "");
  return isIP(address) !== 0 && !isPublic(address);
}

/** Whether a URL's host is by its very name of this machine or a network of our own: such an address, or localhost (RFC 6761). */
export const namesPrivate = (hostname: string): boolean =>
  isPrivateHost(hostname) || /^([^.]+\.)*localhost\.?$/i.test(hostname);

function notPublicError(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no public address`), { code: "ENOTPUBLIC" });
}

/** The first of a host's public addresses. `host` may be an address itself, in brackets where it is IPv6. */
export function publicAddress(host: string): Promise<string> {
  const hostname = host.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    publicLookup(hostname, {}, (error, address) => {
      if (error !== null) reject(error);
      else resolve(String(address));
    });
  });
}

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/** `dns.lookup` that knows public addresses only, for sockets: what was checked is what is connected to. */
export function publicLookup(hostname: string, options: LookupOptions, callback: LookupCallback): void {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, "");
    const found = addresses.filter(({ address }) => isPublic(address));
    const [first] = found;
    if (first === undefined) return callback(notPublicError(hostname), "");
    if (options.all) callback(null, found);
    else callback(null, first.address, first.family);
  });
}
