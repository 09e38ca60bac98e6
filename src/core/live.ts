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
  /** The name of the node that it is at, where there may be several. */
  readonly node?: string;
  readonly platform?: string;
  readonly topics: readonly string[];
}

/** Which connections, those that fit all that is given. */
export interface ConnectionFilter {
  readonly platform?: string;
  readonly transport?: Present["transport"];
  readonly revision?: number;
  readonly address?: string;
  /** Bytes that wait for the client, at least. */
  readonly waiting?: number;
  /** Milliseconds that it is open, at least and at most. */
  readonly olderThan?: number;
  readonly youngerThan?: number;
}

export interface ConnectionView extends Omit<Present, "topics"> {
  /** Names it for `disconnect`. */
  readonly connection: string;
  readonly pushId?: PushId;
  readonly uid?: Uid;
  /** How many. */
  readonly topics: number;
  readonly waiting: number;
  readonly background: boolean;
}

/** In no order, but the same connections come first each time. */
export interface ConnectionSample {
  readonly connections: readonly ConnectionView[];
  /** Connections that were looked at, of all there are. */
  readonly looked: number;
  readonly open: number;
}

export interface SessionCounts {
  /** Sessions that have said who they are. */
  readonly total: number;
  /** By platform, only those with at least one session: ios, android, browser ... */
  readonly byPlatform: ReadonlyMap<string, number>;
  /** Packets written to clients in the last 10 seconds. */
  readonly packetsIn10s: number;
}

/** Devices, or users, by their ids. */
export type Named = { readonly pushIds: readonly PushId[] } | { readonly uids: readonly Uid[] };

/** Whose sessions. */
export type Who = Named | { readonly topic: string };

/**
 * What live sessions are made to do.
 * - `close`: their transport, so that the clients come back; with `reconnect` false they are told to stay away
 * - `unsubscribe`: and for `hold` milliseconds nobody named comes back into the topic, whoever connects meanwhile. 0: they may at once
 * - `subscribe`: which ends such a hold
 */
export type LiveOrder =
  | { readonly kind: "close"; readonly reconnect: boolean }
  | { readonly kind: "subscribe"; readonly topic: string }
  | { readonly kind: "unsubscribe"; readonly topic: string; readonly hold: number };

/** Whether a device, or a user, is online: as `isConnected`, so for the disconnect delay too. */
export interface Seen {
  readonly online: boolean;
  /** The devices that are. */
  readonly devices: readonly PushId[];
  /** When the oldest of the connections came, epoch milliseconds of a whole second. */
  readonly since?: number;
}

/** Per second, over the last `seconds`: packets that came for a topic, that were written to connections, and those of them that are kept. */
export interface TopicRates {
  readonly in: number;
  readonly out: number;
  readonly kept: number;
  /** At most 10; 0: nobody has asked about this topic lately, and it is counted from now on. */
  readonly seconds: number;
}

export interface TopicCount {
  readonly topic: string;
  /** Connections. */
  readonly count: number;
  /** Packets that went to none of them, because there was too much, since the start. */
  readonly leftOut?: number;
}

/** What a hub answers for the sockets of its own process, at once. */
export interface Presence {
  /** True while a session of the device lives, and for the disconnect delay after its last one went. */
  isConnected(pushId: PushId): boolean;
  /** Connections subscribed to the topic now. */
  count(topic: string): number;
  /** The first question about a topic costs a look at every connection; from there its members alone, while it is asked about. */
  members(topic: string): Promise<readonly Member[]>;
  /** How many there are now. */
  sessions(): SessionCounts;
  /** The connections of a device, the newest first. */
  connectionsOf(pushId: PushId): readonly Present[];
  /** Whether a connection of the device was in the topic `noti` when this notification to everybody was handed to it. */
  reached(pushId: PushId, id: string): boolean;
  /** Whether the device has a connection that is not in the background, or had one within the disconnect delay. */
  isAwake(pushId: PushId): boolean;
  /** Of each that is asked about, in that order. */
  seen(who: Named): Promise<readonly Seen[]>;
  /**
   * The first `limit` topics with a connection that begin with the prefix and come after `after`, by name; "" is before all. The first
   * question costs a look at every connection. What comes between two pages may be missing in the later one.
   */
  topics(prefix: string, after: string, limit: number): Promise<readonly TopicCount[]>;
  /** Counted from the first question on, while somebody asks. */
  rates(topic: string): TopicRates;
  /** Of the first `most` connections, until `limit` fit. */
  connections(filter: ConnectionFilter, limit: number, most: number): Promise<ConnectionSample>;
  /** Closes one, which comes back. @returns false: there is none of that name (any more) */
  disconnect(connection: string): Promise<boolean>;
  /** @returns sessions that did it. Rejects with `PushError("unavailable")` when no more can be held out of topics. */
  order(who: Who, order: LiveOrder): Promise<number>;
}

/** Answers, and of whom they are not. */
export interface Watched {
  readonly live: Live;
  /** The names of nodes that have left a question unanswered that was asked by `live`. */
  silent(): readonly string[];
}

/** The same of every process that shares the store. Lists are answered in the order asked. */
export interface Live {
  isConnected(pushIds: readonly PushId[]): Promise<readonly boolean[]>;
  count(topic: string): Promise<number>;
  members(topic: string): Promise<readonly Member[]>;
  sessions(): Promise<SessionCounts>;
  connectionsOf(pushIds: readonly PushId[]): Promise<readonly (readonly Present[])[]>;
  reached(pushIds: readonly PushId[], id: string): Promise<readonly boolean[]>;
  areAwake(pushIds: readonly PushId[]): Promise<readonly boolean[]>;
  seen(who: Named): Promise<readonly Seen[]>;
  topics(prefix: string, after: string, limit: number): Promise<readonly TopicCount[]>;
  rates(topic: string): Promise<TopicRates>;
  connections(filter: ConnectionFilter, limit: number, most: number): Promise<ConnectionSample>;
  /** Rejects with `PushError("unavailable")` when the node that it is at does not answer in time: it may be closed, or not. */
  disconnect(connection: string): Promise<boolean>;
  order(who: Who, order: LiveOrder): Promise<number>;
  /** The same, where there may be other nodes: one that does not answer in time is left out. */
  watched?(): Watched;
}
