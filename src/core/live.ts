// Port: what the rest of the server may ask of live sockets. Exact, nothing is sampled.
import type { PushId, Uid } from "./device.ts";

/** One session in a topic; a device with two connections is two. */
export interface Member {
  readonly pushId?: PushId;
  readonly uid?: Uid;
  readonly platform?: string;
}

/** One connection of a device. */
export interface Present {
  readonly transport: "websocket" | "polling";
  /** Of Engine.IO: 3 or 4. */
  readonly revision: number;
  readonly address: string;
  /** Epoch milliseconds, of a whole second. */
  readonly since: number;
  readonly platform?: string;
  readonly topics: readonly string[];
}

export interface SessionCounts {
  /** Sessions that have said who they are. */
  readonly total: number;
  /** By platform, only those with at least one session: ios, android, browser ... */
  readonly byPlatform: ReadonlyMap<string, number>;
  /** Packets written to clients in the last 10 seconds. */
  readonly packetsIn10s: number;
}

/** What a hub answers for the sockets of its own process, at once. */
export interface Presence {
  /** True while a session of the device lives, and for the disconnect delay after its last one went. */
  isConnected(pushId: PushId): boolean;
  /** Connections subscribed to the topic now. */
  count(topic: string): number;
  /** The first question about a topic costs a look at every connection; from there its members alone, while it is asked about. */
  members(topic: string): Promise<readonly Member[]>;
  sessions(): SessionCounts;
  /** The connections of a device, the newest first. */
  connectionsOf(pushId: PushId): readonly Present[];
  /** Whether a connection of the device was in the topic `noti` when this notification to everybody was handed to it. */
  reached(pushId: PushId, id: string): boolean;
}

/** The same of every process that shares the store. Lists are answered in the order asked. */
export interface Live {
  isConnected(pushIds: readonly PushId[]): Promise<readonly boolean[]>;
  count(topic: string): Promise<number>;
  members(topic: string): Promise<readonly Member[]>;
  sessions(): Promise<SessionCounts>;
  connectionsOf(pushIds: readonly PushId[]): Promise<readonly (readonly Present[])[]>;
  reached(pushIds: readonly PushId[], id: string): Promise<readonly boolean[]>;
}
