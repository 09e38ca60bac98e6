// The sockets of one node without the rest of the server: an engine, a hub, what clients and pushbox say to each other.
import type { Test } from "tap";
import type { Engine } from "../../src/core/engine.ts";
import { createReport } from "../../src/core/report.ts";
import { Conversation, type ConversationOptions } from "../../src/sockets/sessions/conversation.ts";
import { Hub } from "../../src/sockets/sessions/hub.ts";
import type { Session } from "../../src/sockets/sessions/session.ts";
import { createGateway } from "../../src/sockets/transport/server.ts";
import { socketio } from "../../src/sockets/transport/socketio.ts";
import type { Gateway } from "../../src/sockets/transport/types.ts";

const MANY = 100_000;

/** Listens on a port until the test's end. */
export async function sockets(
  t: { readonly teardown: Test["teardown"]; readonly error: Test["error"] },
  engine: Engine,
  options: Partial<ConversationOptions> & { readonly port?: number; readonly pingTimeout?: number } = {},
): Promise<{ readonly port: number; readonly hub: Hub; stop(): Promise<void> }> {
  const hub: Hub = new Hub(() => gateway, MANY, Date.now);
  engine.broker.attach(hub);
  const fail = (error: unknown): void => void t.error(error);
  const report = createReport(engine.counters, Date.now, fail);
  const conversation = new Conversation({
    hub,
    engine,
    report,
    limits: { topics: 10, topicBytes: MANY, topicLength: 64, tags: 10, tagLength: 64, idLength: 64 },
    newDevices: MANY,
    pageSize: 1000,
    disconnectDelay: 0,
    trustClientUid: false,
    now: Date.now,
    elapsed: () => performance.now(),
    log: { warn: () => {}, error: fail },
    ...options,
  });
  const heartbeat = { pingInterval: options.pingTimeout ?? 25_000, pingTimeout: options.pingTimeout ?? 20_000 };
  const gateway: Gateway<Session> = createGateway(
    {
      path: "/socket.io/",
      host: "127.0.0.1",
      port: options.port ?? 0,
      heartbeat: { 3: heartbeat, 4: heartbeat },
      maxPayload: MANY,
      maxBackpressure: MANY,
      upgradeTimeout: 10_000,
      requestTimeout: 30_000,
      maxConnections: MANY,
      maxConnectionsPerAddress: MANY,
      maxFreshPerAddress: MANY,
      firstPollTimeout: 10_000,
      maxEventsPerSecond: MANY,
      maxBytesPerSecond: MANY,
      origins: ["*"],
      trustedProxies: [],
      strictEio: false,
      onFull: fail,
      onError: fail,
    },
    socketio(conversation, { connectTimeout: 10_000 }),
  );
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= gateway
      .close()
      .then(() => conversation.stop())
      .then(() => report.stop());
    return stopped;
  };
  t.teardown(stop);
  return { port: await gateway.listen(), hub, stop };
}
