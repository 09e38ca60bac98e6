// An echo application on the gateway, for the official Engine.IO and Socket.IO test suites:
//   node scripts/run.mjs scripts/protocol-server.ts --engine|--socket [--strict-eio] [--port 3000]
// The suites refuse a missing EIO, which pushbox takes for revision 3: they need --strict-eio for that one test.
import { parseArgs } from "node:util";
import { createGateway } from "../src/sockets/transport/server.ts";
import { socketio } from "../src/sockets/transport/socketio.ts";
import type { GatewayOptions } from "../src/sockets/transport/types.ts";
import { engineEcho, socketEcho } from "./echo.ts";

const { values: flags } = parseArgs({
  options: {
    engine: { type: "boolean", default: false },
    socket: { type: "boolean", default: false },
    "strict-eio": { type: "boolean", default: false },
    port: { type: "string", default: "3000" },
  },
});
if (flags.engine === flags.socket) {
  process.stderr.write("protocol-server: say --engine or --socket\n");
  process.exit(2);
}

const heartbeat = { pingInterval: 300, pingTimeout: 200 };
const options: GatewayOptions = {
  path: flags.engine ? "/engine.io/" : "/socket.io/",
  host: "::",
  port: Number(flags.port),
  heartbeat: { 3: heartbeat, 4: heartbeat },
  maxPayload: 1_000_000,
  maxBackpressure: 10_000_000,
  upgradeTimeout: 10_000,
  requestTimeout: 10_000,
  maxConnections: 10_000,
  maxConnectionsPerAddress: 10_000,
  maxEventsPerSecond: 10_000,
  maxBytesPerSecond: 100_000_000,
  maxFreshPerAddress: 1000,
  firstPollTimeout: 10_000,
  onFull() {},
  origins: ["*"],
  trustedProxies: [],
  strictEio: flags["strict-eio"],
  onError(error) {
    throw error;
  },
};

/**
 * The suite of Socket.IO waits for one message after the other, and misses the second one of a segment: what follows the answer to
 * CONNECT has to come apart from it. A server that writes each packet by itself is as often lucky.
 */
const APART = 100;
const socketEchoApart: typeof socketEcho = {
  ...socketEcho,
  connect(connection, namespace, payload) {
    setTimeout(() => socketEcho.connect(connection, namespace, payload), APART);
  },
};

const app = flags.engine ? engineEcho : socketio(socketEchoApart, { connectTimeout: 1000 });
const gateway = createGateway(options, app);
const port = await gateway.listen();
process.stdout.write(`protocol-server: ${flags.engine ? "engine.io" : "socket.io"} echo on port ${port}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => gateway.close());
