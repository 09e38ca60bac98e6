// Port: what is stored, and how processes reach each other. The contract of each method is written here, once; every engine
// passes the same conformance suite (test/engine). Each method is one atomic step on plain values, so any store can stand in.
//
// Order: calls made in one turn take effect in the order they were made, and their promises settle in that order, after the
// commit. Promises reject with `PushError("unavailable")` when the store cannot write (disk full, closed). A list of more than
// 1,000 entries may go in several steps, so that other callers get in between.
import type { Admins } from "./admin.ts";
import type { ArrivalDay, ArrivalEvidence, ArrivalRecord } from "./arrival.ts";
import type { AuditLog } from "./audit.ts";
import type { Cluster } from "./cluster.ts";
import type { Device, DevicePast, PushId, Token, Uid } from "./device.ts";
import type { BoundBy, Departures, Events } from "./events.ts";
import type { HookQueue } from "./hooks.ts";
import type { Live, Presence } from "./live.ts";
import type { Revocation } from "./login.ts";
import type { NotificationId } from "./notification.ts";
import type { Once, Outbox } from "./outbox.ts";
import type { Channel, From, KeptPacket, Packet, PacketId, Page, Parcel } from "./packet.ts";
import type { DeviceTarget } from "./target.ts";
import type { TestDevices } from "./test-devices.ts";

export interface Engine {
  readonly devices: Devices;
  readonly broker: Broker;
  /** Who is online, of every process: the hubs attached to the broker are asked. */
  readonly live: Live;
  /** The processes that share the store; absent: there is only one. */
  readonly cluster?: Cluster;
  readonly outbox: Outbox;
  readonly counters: Counters;
  readonly audit: AuditLog;
  readonly testDevices: TestDevices;
  readonly admins: Admins;
  readonly events: Events;
  readonly hooks: HookQueue;
  readonly revocations: Revocations;
  /** A consistent copy of everything stored, into a new file, while the engine goes on. Fails when the file exists. */
  backup(file: string): Promise<void>;
  /** Resolves after everything called before has been committed and the store is closed. */
  close(): Promise<void>;
}

// ---- devices

/** What a client says of its device when it connects. Its platform is not stored, see `Device`. */
export interface Hello {
  readonly pushId: PushId;
  readonly platform?: string;
  /** Present: replaces the stored tags. */
  readonly tags?: readonly string[];
  readonly token?: Token;
}

export interface Binding {
  readonly pushId: PushId;
  readonly uid: Uid;
  readonly platform?: string;
  /**
   * Keep the newest-bound n devices of this uid with the same platform, unbind the rest. 0: no limit. Without a platform the
   * one stored with the device counts; a device that has none shares the limit with the others that have none. `all`: any
   * platform; it is not stored as one.
   */
  readonly platformLimit: number;
  /**
   * The binding ends after the device was offline for so many milliseconds, counted at the earliest from the bind. 0: never.
   * A crash takes every device offline at the next start.
   */
  readonly timeToLive: number;
  /** Told with the event. Absent: the API. */
  readonly by?: BoundBy;
}

/** One page of devices, in a stable order. `next` absent: there is no further page. */
export interface DevicePage {
  readonly devices: readonly Device[];
  readonly next?: string;
}

/**
 * A token is on one device and a device has one uid: claiming either releases the previous one in the same step (holds 6).
 * Claiming a token deletes every *other* record with the same token, type and packageName, its packets included.
 * For type `apn` the characters `<`, `>` and space are removed from a token before it is stored or compared.
 */
export interface Devices {
  /**
   * Creates or updates the record and returns it as it is after this request. A new record without token gets type
   * `apnNoToken` (platform ios) or `androidNoToken` (android). A binding whose timeToLive has passed while the device was
   * offline is gone. From here the device counts as online. When nothing else changes, `updateTime` moves once a day only.
   */
  connect(hello: Hello, now: number): Promise<Device>;
  /**
   * The devices are offline since `now`: the clock of a binding's timeToLive starts. Unknown ones are skipped.
   * @param gone why and when they went, for the events; null: they were sent away by a server that stops and are expected back,
   * so they are told of only when they stay away (core/events.ts)
   */
  disconnect(pushIds: readonly PushId[], now: number, gone?: Departures | null): Promise<void>;
  /** Replaces the tags of an existing record; a deleted device does not reappear. */
  setTags(pushId: PushId, tags: readonly string[], now: number): Promise<void>;
  /**
   * Adds (at the end) or removes one tag of an existing record.
   * @param most no tag is added to so many. @returns false: for that reason it was not added
   */
  changeTag(pushId: PushId, tag: string, present: boolean, now: number, most?: number): Promise<boolean>;
  /** Stores the token of an existing record. */
  setToken(pushId: PushId, token: Token, now: number): Promise<void>;
  /** Creates the record when needed. Returns the devices that the platform limit unbound, never the one just bound. */
  bind(binding: Binding, now: number): Promise<readonly PushId[]>;
  /** Takes the uid off these devices, or off every device of these uids. Returns the devices that had one. */
  unbind(
    who: { readonly pushIds: readonly PushId[] } | { readonly uids: readonly Uid[] },
    now: number,
    by?: BoundBy,
  ): Promise<readonly PushId[]>;
  /** Known devices, in the order asked. */
  get(pushIds: readonly PushId[], now: number): Promise<readonly Device[]>;
  /** What known devices were before, in the order asked. */
  past(pushIds: readonly PushId[]): Promise<readonly DevicePast[]>;
  /** Every device now bound to one of these uids. */
  byUid(uids: readonly Uid[], now: number): Promise<readonly Device[]>;
  /** The devices of a target, filter applied; a page may hold fewer than `limit`, even none, and still have a next one. */
  page(
    target: DeviceTarget | { readonly kind: "all" },
    after: string | undefined,
    limit: number,
    now: number,
  ): Promise<DevicePage>;
  /** Those whose pushId begins so, behind `after`, in the order of their pushIds. */
  named(prefix: string, after: PushId | undefined, limit: number, now: number): Promise<readonly Device[]>;
  /** Those that have this token, of whichever vendor and app. */
  byToken(token: string, limit: number, now: number): Promise<readonly Device[]>;
  /** Forgets the devices: token, tags, uid and kept packets. @param now the engine's own clock without it */
  delete(pushIds: readonly PushId[], now?: number): Promise<void>;
  /** How many are stored. */
  count(): Promise<number>;
}

// ---- packets

/** Told to a device's live sessions. */
export type Order = { readonly kind: "bind"; readonly uid: Uid } | { readonly kind: "unbind" };

/** This process's sessions by channel. */
export interface Hub extends Presence {
  /** Synchronous; encodes once per call. A kept packet carries its seq. @returns connections that it was handed to */
  deliver(channel: Channel, packet: Packet | KeptPacket): number;
  /** What became of the device's uid reaches its sessions here. */
  carryOut(pushId: PushId, order: Order): void;
  /** Whether the device has a session here. */
  has(pushId: PushId): boolean;
  /**
   * From here the engine does not hear what other processes publish and tell, and hands nothing over until the promise of
   * `regained` has resolved. Where there is one process neither is called.
   */
  lost(): void;
  /** It has lasted long: every connection is closed, so that its client looks for another process. Told again while it lasts. */
  abandon(): Promise<void>;
  /**
   * The engine hears again, and a backlog that is read from here on has what was kept meanwhile; it is answered after this has
   * resolved, or holds nothing that will be handed over (the fence of `backlog`). Resolves when no session is left that may
   * have missed something and not know it. What was not kept is lost.
   */
  regained(): Promise<void>;
}

/** A notification that was kept for its device, and has now been received by it. */
export interface Replayed {
  readonly id: NotificationId;
  /** Tells it from others of the same id. */
  readonly expires: number;
  /** When it was sent. */
  readonly at: number;
}

/** The newest kept packet of a device's own channel that one of its connections has proven to have received (holds 9). */
export interface SentMark {
  readonly pushId: PushId;
  readonly seq: number;
  readonly replayed?: readonly Replayed[];
}

/** What became of a piece of a push that its caller may repeat. */
interface MadePiece {
  /** The piece to go on with, which may be a later one; absent: the last was made. */
  readonly next?: number;
  /** The id with which the call was begun: all its packets have it. */
  readonly id: PacketId;
  /** Once the last was made: connections that the whole call was handed to. Absent when a crash has come between. */
  readonly online?: number;
}

/** A part of a long push: each is one step. */
interface Piece {
  readonly number: number;
  readonly last: boolean;
}

export interface Broker {
  /** From here on what is published is handed to this hub too. */
  attach(hub: Hub): void;
  /**
   * Keeps the packets that have an expiry, then hands all of them to every process's hub: committed before it is fanned out
   * (holds 2), and per channel in the order of seq (holds 3). Only the newest few per channel are kept. Packets that are not
   * kept are handed over at once, before this returns. A promise resolves when the kept ones would survive a crash and were handed
   * over; a number means that it was done before this returned.
   * @returns connections that they were handed to, as far as they are this process's
   */
  publish(parcels: readonly Parcel[]): number | Promise<number>;
  /**
   * The same for one piece, counted from 0, of a push that its caller may repeat: its packets are kept and the piece is noted in
   * one step, then they are handed over (holds 2, 3), those that are not kept too. A piece that was noted before is neither kept
   * nor handed over again, whoever asks and whatever crashed meanwhile. Rejects with `PushError("conflict")` when the key was used
   * for something else.
   * @param id of the packets, should this be the first piece; the result says which one the call has
   */
  publishOnce(once: Once, piece: Piece, id: PacketId, parcels: readonly Parcel[], now: number): Promise<MadePiece>;
  /**
   * A page of what a client has missed (`pageOf` in page.ts), alive packets, oldest first: as many as come to `size`, and at
   * least one when there is any. `from` is the client's position, then `next` of the page before. A position found on a
   * device's own channel confirms receipt: it and everything before it is dropped. A cursor stays findable while any older
   * packet of its channel is alive, even after its own expiry. Between two pages packets may expire, or be pushed out by newer
   * ones: those are not in the later page.
   * @param epoch the client's, "" when it has none: then the first page tells where it stands, and a position of another epoch brings
   * all that is alive. Absent: nobody asks
   * A fence: when the promise resolves, every packet in it has already been handed to this process's hub, in order, and
   * possibly newer ones too. A page without `next` holds every packet of the channel after `from` that is alive and was handed
   * over before the call. So a session that holds live packets back from its first call on, and after such a page drops of them
   * those up to the last seq that it was given, misses nothing and sees nothing twice, however many pages it took (holds 3).
   */
  backlog(channel: Channel, from: From, size: number, now: number, epoch?: string): Promise<Page>;
  /** Raises the marks that `unsent` reads, and records the notifications that were received as sent. */
  sent(marks: readonly SentMark[]): Promise<void>;
  /** Has the device's sessions, wherever they are, carry out the order. Orders of one device arrive in the order told. */
  tell(pushIds: readonly PushId[], order: Order): Promise<void>;
}

// ---- client login

export interface Revocations {
  /** Each process has one: it closes the sessions that these are about, and lets none of them in again. @returns how many it closed */
  attach(listener: (revocations: readonly Revocation[]) => Promise<number>): void;
  /**
   * Remembers them, durably, then tells every process. One that is known says no less than before.
   * @returns sessions that were closed, as far as they are this process's
   */
  add(revocations: readonly Revocation[]): Promise<number>;
  /** Those that hold at `now`. @param after the last of the page before */
  page(after: Revocation | undefined, limit: number, now: number): Promise<readonly Revocation[]>;
}

// ---- statistics

/** Added to the current hour's sums of `key`. Latency in milliseconds. */
export interface Sample {
  readonly key: string;
  readonly total: number;
  readonly success: number;
  readonly error: number;
  readonly latency: number;
}

/** One hour of one key; `timestamp` is the hour's start, epoch milliseconds. */
export interface HourlySum extends Sample {
  readonly timestamp: number;
}

export interface Evidence {
  readonly id: NotificationId;
  readonly pushId: PushId;
  readonly counter: ArrivalEvidence;
}

export type ArrivalQuery =
  | { readonly id: NotificationId }
  | { readonly uid: string }
  | { readonly pushId: string }
  | { readonly type: string };

export interface Counters {
  /** Adds to the hour of `now`. */
  add(samples: readonly Sample[], now: number): Promise<void>;
  /** The sums of one key since `from`, oldest first. */
  chart(key: string, from: number): Promise<readonly HourlySum[]>;
  /** Every key that there are sums of. */
  keys(): Promise<readonly string[]>;
  /** Counts each piece of evidence once per device and id, and only for notifications that are known. */
  arrived(evidence: readonly Evidence[], now: number): Promise<void>;
  /** Newest first. A record lists at most 1,000 of its devices and 1,000 of its users, and is found by any of them. */
  arrivals(query: ArrivalQuery, limit: number): Promise<readonly ArrivalRecord[]>;
  /** The types of notifications that statistics are kept of, by name. */
  arrivalTypes(limit: number): Promise<readonly string[]>;
  /** By the day, newest first, of the latest `most` notifications of a type that began since `from`. */
  arrivalDays(
    type: string,
    from: number,
    most: number,
  ): Promise<{ readonly days: readonly ArrivalDay[]; readonly complete: boolean }>;
}
