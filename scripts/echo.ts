// Applications that answer what they are told: what the official protocol suites, and our own tests, talk to.

import type { SocketApplication } from "../src/sockets/transport/socketio.ts";
import type { Connection, EngineApplication } from "../src/sockets/transport/types.ts";
import { type EncodedPacket, encodeAck, encodeBinaryEvent } from "../src/sockets/wire/socketio.ts";

/** Every Engine.IO message comes back. */
export const engineEcho: EngineApplication<undefined> = {
  open() {},
  message(connection, data) {
    if (typeof data === "string") connection.send(`4${data}`);
    else connection.sendBinary(data);
  },
  close() {},
};

/** After CONNECT: `auth` with its payload. `message` comes back as `message-back`, `message-with-ack` as its ack. */
export const socketEcho: SocketApplication<undefined> = {
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
