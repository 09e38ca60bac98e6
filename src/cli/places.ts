// Whether the server can be where the configuration puts it: asked by `serve` before it starts, and by `check` in the same words.
import { statSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { storedCertificates } from "../acme/stored.ts";
import { type Config, domainsOf, type PlaceSection, places } from "../config/index.ts";
import { freePort } from "../http/uws/listeners.ts";

/** What is wrong, with what to do. */
export interface PlaceTrouble {
  readonly text: string;
  /** As Node names it, of the error behind it; "" when there was none. */
  readonly code: string;
  readonly cause: unknown;
}

/** Undefined: the port can be had there, now. */
export async function placeTrouble(section: PlaceSection, config: Config): Promise<PlaceTrouble | undefined> {
  const { host, port } = config[section];
  try {
    await freePort(host, port);
    return undefined;
  } catch (cause) {
    const code = codeOf(cause);
    const text = {
      EADDRINUSE: `port ${port} on ${host} is in use: stop what uses it (ss -ltnp 'sport = :${port}'), or take another with --${section}-port`,
      EADDRNOTAVAIL: `${host} is not an address of this machine: set --${section}-host to one, or to 0.0.0.0`,
      ENOTFOUND: unknownName(host, section),
      EAI_AGAIN: unknownName(host, section),
      EINVAL: `${host} cannot be listened on without its interface: set --${section}-host to another address`,
      EACCES: `this user may not use port ${port}: take one above 1023 with --${section}-port, or: setcap cap_net_bind_service=+ep pushbox`,
    }[code];
    return { text: text ?? (cause instanceof Error ? cause.message : String(cause)), code, cause };
  }
}

/** An interface is the usual mistake: the kernel's tools take one where others want its address. */
function unknownName(host: string, section: PlaceSection): string {
  const [first] = networkInterfaces()[host] ?? [];
  return first === undefined
    ? `${host} is not an address or a known name: set --${section}-host to an address`
    : `${host} is a network interface: set --${section}-host to its address, ${first.address}`;
}

/**
 * What keeps `serve` from starting on this machine and is in the configuration. A port in use is not: most often it is this very
 * server that uses it. Nor is a port that this user may not have, or a directory that it may not write: another may.
 */
export async function placeProblems(config: Config): Promise<{
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}> {
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const section of places(config)) {
    const trouble = await placeTrouble(section, withEveryFamily(config, await hasIpv6()));
    if (trouble === undefined || trouble.code === "EADDRINUSE") continue;
    (trouble.code === "EACCES" ? warnings : problems).push(`${section}.host: ${trouble.text}`);
  }
  const data = resolve(config.data);
  const found = statSync(data, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory())
    problems.push(`data: the data directory ${data} is a file: name another with --data`);
  for (const { concern, text } of await storedCertificates(data, [...domainsOf(config).keys()], Date.now()))
    if (concern !== "none") warnings.push(text);
  return { problems, warnings };
}

/** Whether a socket can listen on every address of both families. */
export async function hasIpv6(): Promise<boolean> {
  try {
    await freePort("::", 0);
    return true;
  } catch {
    return false;
  }
}

/** `::` takes IPv4 in; where the system has no IPv6 at all, every address is 0.0.0.0. */
export function withEveryFamily(config: Config, ipv6: boolean): Config {
  if (ipv6) return config;
  const every = <T extends { readonly host: string }>(place: T): T =>
    /^\[?::\]?$/.test(place.host) ? { ...place, host: "0.0.0.0" } : place;
  return {
    ...config,
    client: every(config.client),
    api: every(config.api),
    admin: every(config.admin),
    acme: every(config.acme),
  };
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";
