// Engines as other machines see one: each call takes a while to begin, and its answer a while to be seen; and two nodes that
// share a store.
import { setImmediate } from "node:timers/promises";
import type { Engine, Hub } from "../../src/core/engine.ts";
import type { Presence } from "../../src/core/live.ts";

type Call = (...args: unknown[]) => Promise<unknown>;

/** What is answered where it is asked, in every engine. */
const AT_ONCE: ReadonlySet<string | symbol> = new Set([
  "attach",
  "wants",
  "watches",
  "onWritten",
  "onGap",
  "seqOf",
  "bound",
]);

/** The parts of an engine whose calls are made by `through`, save those. */
function wrap(engine: Engine, through: (call: Call) => Call): Engine {
  const part = <Part extends object>(part: Part): Part =>
    new Proxy(part, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function" || AT_ONCE.has(name)) return value;
        return through(async (...args) => Reflect.apply(value, target, args));
      },
    });
  return {
    devices: part(engine.devices),
    broker: part(engine.broker),
    live: engine.live,
    outbox: part(engine.outbox),
    counters: part(engine.counters),
    audit: part(engine.audit),
    testDevices: part(engine.testDevices),
    events: part(engine.events),
    hooks: part(engine.hooks),
    revocations: part(engine.revocations),
    admins: part(engine.admins),
    backup: (file) => engine.backup(file),
    close: () => engine.close(),
  };
}

/** As from another machine. */
export const yielding = (engine: Engine): Engine =>
  wrap(engine, (call) => async (...args) => {
    await setImmediate();
    const result = await call(...args);
    await setImmediate();
    return result;
  });

/** Two nodes over one store that take the calls by turns: what one has done the other must know. */
export function alternating(engine: Engine): Engine {
  const nodes = [yielding(engine), yielding(engine)] as const;
  let calls = 0;
  const part = <Name extends "devices" | "broker" | "outbox" | "counters" | "events" | "hooks">(
    name: Name,
  ): Engine[Name] =>
    new Proxy(engine[name], {
      get: (_, method) => Reflect.get(nodes[AT_ONCE.has(method) ? 0 : calls++ % 2]![name], method),
    });
  return {
    ...nodes[0],
    ...{ devices: part("devices"), broker: part("broker"), outbox: part("outbox"), counters: part("counters") },
    events: part("events"),
    hooks: part("hooks"),
  };
}

const presence = (hub: Hub): Presence => ({
  isConnected: (pushId) => hub.isConnected(pushId),
  count: (topic) => hub.count(topic),
  members: (topic) => hub.members(topic),
  sessions: () => hub.sessions(),
  connectionsOf: (pushId) => hub.connectionsOf(pushId),
  reached: (pushId, id) => hub.reached(pushId, id),
  isAwake: (pushId) => hub.isAwake(pushId),
  seen: (who) => hub.seen(who),
  topics: (prefix, after, limit) => hub.topics(prefix, after, limit),
  rates: (topic) => hub.rates(topic),
  connections: (filter, limit, most) => hub.connections(filter, limit, most),
  disconnect: (connection) => hub.disconnect(connection),
  order: (who, order) => hub.order(who, order),
});

export interface Distant extends Engine {
  /** What is delivered from now on does not reach the node's hub. */
  cut(): void;
  /** It does again. */
  mend(): void;
}

/**
 * A node whose hub hears what is delivered some turns later, in order, as over a connection of its own; the node's calls are
 * answered once its hub has heard what was delivered before the answer.
 */
export function distant(engine: Engine, turns: number): Distant {
  const hubs: Hub[] = [];
  let isCut = false;
  let listening = Promise.resolve();
  function hear(what: () => void | Promise<void>): void {
    listening = listening.then(async () => {
      for (let turn = 0; turn < turns; turn++) await setImmediate();
      await what();
    });
  }
  const node = wrap(engine, (call) => async (...args) => {
    await setImmediate();
    const result = await call(...args);
    await listening;
    return result;
  });
  return {
    ...node,
    broker: new Proxy(node.broker, {
      get(target, name) {
        if (name !== "attach") return Reflect.get(target, name);
        return (hub: Hub): void => {
          hubs.push(hub);
          engine.broker.attach({
            ...presence(hub),
            deliver(channel, packet) {
              if (!isCut) hear(() => void hub.deliver(channel, packet));
              return 0;
            },
            carryOut(pushId, order) {
              if (!isCut) hear(() => hub.carryOut(pushId, order));
            },
            has: (pushId) => hub.has(pushId),
            lost: () => {},
            abandon: async () => {},
            regained: async () => {},
          });
        };
      },
    }),
    cut() {
      isCut = true;
      hear(() => {
        for (const hub of hubs) hub.lost();
      });
    },
    mend() {
      isCut = false;
      hear(async () => {
        for (const hub of hubs) await hub.regained();
      });
    },
  };
}
