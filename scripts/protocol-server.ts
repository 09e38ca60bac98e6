// An echo application on the gateway, for the official Engine.IO and Socket.IO test suites:
//   node scripts/run.mjs scripts/protocol-server.ts --engine|--socket [--strict-eio] [--port 3000]
// The suites refuse a missing EIO, which pushbox takes for revision 3: they need --strict-eio for that one test.
import { parseArgs } from "node:util";
import { type Connection, createGateway, type EngineApplication, type GatewayOptions } from "../src/gateway/gateway.ts";
import { type SocketApplication, socketio } from "../src/gateway/socketio.ts";
import { type EncodedPacket, encodeAck, encodeBinaryEvent } from "../src/wire/socketio.ts";

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
  origins: ["*"],
  trustedProxies: [],
  strictEio: flags["strict-eio"],
};

const echo: EngineApplication<undefined> = {
  open() {},
  message(connection, data) {
    if (typeof data === "string") connection.send(`4${data}`);
    else connection.sendBinary(data);
  },
  close() {},
};

const talk: SocketApplication<undefined> = {
  namespaces: ["/", "/custom"],
  connect(connection, namespace, payload = "{}") {
    say(connection, encodeBinaryEvent(namespace, "auth", [JSON.parse(payload)]));
  },
  event(connection, namespace, name, args, ackId) {
    if (name === "message") say(connection, encodeBinaryEvent(namespace, "message-back", args));
    if (name === "message-with-ack" && ackId !== undefined) say(connection, encodeAck(namespace, ackId, args));
  },
  disconnect() {},
  close() {},
};

function say(connection: Connection<undefined>, { packet, attachments }: EncodedPacket): void {
  connection.send(packet);
  for (const attachment of attachments) connection.sendBinary(attachment);
}

const gateway = createGateway(options, flags.engine ? echo : socketio(talk, { connectTimeout: 1000 }));
const port = await gateway.listen();
process.stdout.write(`protocol-server: ${flags.engine ? "engine.io" : "socket.io"} echo on port ${port}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => gateway.close());
