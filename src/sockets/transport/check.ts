// Which options can be served.
import type { GatewayOptions } from "./types.ts";

/** Native code trusts these, and a wrong one would end the process: refused here at the latest. */
export function checkOptions(options: GatewayOptions): void {
  const numbers = {
    maxPayload: options.maxPayload,
    maxBackpressure: options.maxBackpressure,
    upgradeTimeout: options.upgradeTimeout,
    requestTimeout: options.requestTimeout,
    maxConnections: options.maxConnections,
    maxConnectionsPerAddress: options.maxConnectionsPerAddress,
    maxEventsPerSecond: options.maxEventsPerSecond,
    maxBytesPerSecond: options.maxBytesPerSecond,
    firstPollTimeout: options.firstPollTimeout,
    maxFreshPerAddress: options.maxFreshPerAddress,
    "heartbeat.3.pingInterval": options.heartbeat[3].pingInterval,
    "heartbeat.3.pingTimeout": options.heartbeat[3].pingTimeout,
    "heartbeat.4.pingInterval": options.heartbeat[4].pingInterval,
    "heartbeat.4.pingTimeout": options.heartbeat[4].pingTimeout,
  };
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isInteger(value) || value < 1 || value > 1_000_000_000) {
      throw new RangeError(`${name} must be a whole number from 1 to 1000000000, not ${value}`);
    }
  }
  const { port, path } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`port must be a whole number from 0 to 65535, not ${port}`);
  }
  if (!/^\/([\w.-]+\/)+$/.test(path)) throw new RangeError(`path must look like /socket.io/, not ${path}`);
}
