// What the tests of every engine are made of: names, packets, and a hub that writes down what it is given.
import type { Test } from "tap";
import type { PushId, Uid } from "../../src/core/device.ts";
import type { Engine, Hub, Order } from "../../src/core/engine.ts";
import {
  type Channel,
  deviceChannel,
  type KeptPacket,
  type Packet,
  type Parcel,
  topicChannel,
} from "../../src/core/packet.ts";
import { nobody } from "../support/presence.ts";

/** The engine under test keeps 10 packets per channel, and 50 of topics that start with "long". */
export const KEEP = { default: 10, prefixes: [["lo", 3] as const, ["long", 50] as const] };
export const ARRIVAL_DAYS = 30;

export interface Subject {
  readonly engine: Engine;
  /** The engine's own clock, by which it times leases: stands still until a test moves it. */
  readonly clock: { now: number };
  /** Closes the engine and opens it again on the same data; absent where nothing lasts. */
  reopen?(startedAt: number): Promise<Engine>;
}

export const T = 1_800_000_000_000;
export const HOUR = 3_600_000;

export const pushId = (name: string): PushId => `${name}-0123456789` as PushId;
export const uid = (name: string): Uid => name as Uid;

export const packet = (id: string, expires = T + HOUR): Packet => ({
  event: "p",
  id,
  body: JSON.stringify({ id }),
  expires,
});
export const toTopic = (topic: string, id: string, expires?: number): Parcel => ({
  channel: topicChannel(topic),
  packet: packet(id, expires),
});
export const toDevice = (name: string, id: string, expires?: number): Parcel => ({
  channel: deviceChannel(pushId(name)),
  packet: packet(id, expires),
});

/** Writes down what it is given. */
export interface Recorder extends Hub {
  readonly delivered: { readonly channel: Channel; readonly packet: Packet | KeptPacket }[];
  /** Whom it has a session of. */
  readonly present: Set<PushId>;
  readonly orders: { readonly pushId: PushId; readonly order: Order }[];
}
export function recorder(): Recorder {
  const hub: Recorder = {
    delivered: [],
    present: new Set(),
    orders: [],
    deliver: (channel, packet) => {
      hub.delivered.push({ channel, packet });
      return 2;
    },
    carryOut: (pushId, order) => void hub.orders.push({ pushId, order }),
    has: (pushId) => hub.present.has(pushId),
    lost: () => {},
    abandon: async () => {},
    regained: async () => {},
    ...nobody,
  };
  return hub;
}

export type Define = (name: string, body: (t: Test, subject: Subject) => Promise<void>) => Promise<unknown>;
