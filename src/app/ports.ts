// What the settings mean to each port: the options that its listener is made with, and what a reload may change of them.
import type { Access, ApiOptions } from "../api/routes.ts";
import type { Config } from "../config/index.ts";
import type { Debug } from "../core/debug.ts";
import type { Full, GatewayOptions } from "../sockets/transport/types.ts";
import { clientLibrary } from "./assets.ts";
import { hostAddress } from "./host.ts";
import type { Log } from "./log.ts";
import { version } from "./version.ts";

/** For a POST's body or a probing websocket to finish. */
export const REQUEST_TIMEOUT = 30_000;
const UPGRADE_TIMEOUT = 10_000;
/** For a client on polling to come back after its handshake, and how many of an address may be about to, at least. */
const FIRST_POLL_TIMEOUT = 10_000;
const FRESH_MIN = 100;

const fullTexts: Readonly<Record<Full["what"], string>> = {
  all: "clients are refused: client.max_connections is reached; the address is that with most connections",
  address: "clients are refused: their address has client.max_connections_per_address connections",
  handshakes: "clients are refused: too many from their address shook hands on polling and did not come back",
};

/** The client port's. */
export function gatewayOptions(client: Config["client"], log: Log, debug: Debug): GatewayOptions {
  return {
    path: "/socket.io/",
    host: client.host,
    port: client.port,
    heartbeat: {
      3: { pingInterval: client.pingIntervalV3, pingTimeout: client.pingTimeoutV3 },
      4: { pingInterval: client.pingInterval, pingTimeout: client.pingTimeout },
    },
    maxPayload: client.maxPayload,
    maxBackpressure: client.maxBackpressure,
    upgradeTimeout: UPGRADE_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    maxConnections: client.maxConnections,
    maxConnectionsPerAddress: client.maxConnectionsPerAddress,
    maxFreshPerAddress: Math.max(FRESH_MIN, Math.floor(client.maxConnectionsPerAddress / 20)),
    firstPollTimeout: FIRST_POLL_TIMEOUT,
    maxEventsPerSecond: client.maxEventsPerSecond,
    maxBytesPerSecond: client.maxBytesPerSecond,
    origins: client.origins,
    trustedProxies: client.trustedProxies,
    library: clientLibrary(),
    strictEio: false,
    onFull: ({ what, ...full }) => log.warn(full, fullTexts[what]),
    warn: (text) => log.warn(`client port: ${text}`),
    debug,
    onError: (error) =>
      log.error({ err: error }, "a bug: what a client did could not be handled, its connection is closed"),
  };
}

/** What the API is made with; `access` is what a reload may change of it. */
export function apiOptions({ api, client }: Config, log: Log, debug: Debug): ApiOptions {
  const filter = api.topicOnlineFilter;
  return {
    ...access(api),
    insecure: api.insecure,
    ...(Object.keys(filter).length === 0 ? {} : { topicOnlineFilter: filter }),
    limits: { id: client.maxIdLength, topic: client.maxTopicLength },
    quietElse: api.quietHoursElse,
    version,
    serverId: `${hostAddress()}:1`,
    report: (error, requestId) => log.error({ err: error, requestId }, "an API call failed"),
    warn: (text, requestId) => log.warn({ requestId }, text),
    debug,
  };
}

/** Who may call the API, and from where. */
export const access = (api: Config["api"]): Access => ({
  keys: api.keys,
  broadcast: { keys: api.broadcastKeys, addresses: api.broadcastAddresses },
  hosts: api.domain === "" ? api.hosts : [...api.hosts, api.domain],
  origins: api.origins,
});
