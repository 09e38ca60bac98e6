// Port: accepted notifications, the jobs they are worked off as, and the deliveries they come to, as the store keeps them.
// What engine.ts says of order and failure holds here as well. Kept for as long as the arrival statistics.
import type { Delivery, Lane, Settlement } from "./delivery.ts";
import type { PushId, Uid } from "./device.ts";
import type { Notification, NotificationId } from "./notification.ts";
import type { Parcel } from "./packet.ts";
import type { Target } from "./target.ts";
import type { AppId, Receipt, VendorName } from "./vendor.ts";

export type NotificationTarget = Exclude<Target, { kind: "topic" }>;

/**
 * Marks a call that its caller may repeat: within 24 hours the same key means the same call. `digest` is of everything that
 * was asked for; another one under the same key is a `PushError("conflict")`.
 */
export interface Once {
  readonly key: string;
  readonly digest: string;
}

export interface AcceptOptions {
  /** Devices per second; without it as fast as it goes. */
  readonly rate?: number;
  /** Only counts the devices: nothing is sent, and the statistics know nothing of it. */
  readonly dryRun?: boolean;
  readonly once?: Once;
}

// ---- expansion

/** A job with pages still to come, whose time has come. */
export interface Unexpanded {
  readonly job: number;
  readonly notification: Notification;
  readonly target: NotificationTarget;
  /** Where the next page starts: given back to `expand`. Absent: at the beginning. */
  readonly cursor?: string;
  readonly rate?: number;
  readonly dryRun: boolean;
}

/** What a notification lacks to be shown at a device: a text for Apple, a title for all others. */
export type Lacking = "apn" | "title";

/** One device of a page. Without `via` only over the long connection. */
export interface Addressed {
  readonly pushId: PushId;
  readonly uid?: Uid;
  /** It has nothing to show there: noted as skipped. */
  readonly lacking?: Lacking;
  readonly via?: { readonly lane: Lane; readonly type: string; readonly token: string };
}

/** What the cursor of a job that waits for the end of its quiet hours begins with; what follows is where it stands. */
export const DEFERRED = "~";

/** The notification's time has passed, or ends in the quiet hours. */
export type Late = "expired" | "quiet";

/** What one page of devices came to. */
export interface ExpandedPage {
  /** Absent: this was the last page. */
  readonly cursor?: string;
  /** The next page is not wanted before then. */
  readonly notBefore?: number;
  readonly parcels: readonly Parcel[];
  readonly devices: readonly Addressed[];
  /** Why nothing goes to any of its devices, which are noted as expired. */
  readonly late?: Late;
  /** Added to the arrival statistics. */
  readonly counts: Readonly<Record<string, number>>;
  /** Devices looked at, and those of them that have nothing to show of this notification. */
  readonly seen: number;
  readonly skipped: number;
  /** How many go which way: a vendor's name, or `connection`. */
  readonly routes: Readonly<Record<string, number>>;
  /** Of a call to reach users: those of this page, all of them. Their devices are claimed no earlier than `due`. */
  readonly reach?: { readonly users: readonly ReachUser[]; readonly capPerDay?: number };
}

export interface ReachUser {
  readonly uid: Uid;
  /** When the vendors are asked, unless a device has acknowledged the message. */
  readonly due: number;
  /** There is a vendor to ask. */
  readonly planned: boolean;
}

// ---- sending

interface Claim {
  readonly deliveries: readonly Delivery[];
  /** The notification of every job among them. */
  readonly notes: ReadonlyMap<number, Notification>;
  /** When the next one of this lane is due, or may be, a job being resumed; absent: none is waiting. */
  readonly next?: number;
}

export interface LaneDepth {
  readonly lane: Lane;
  /** Deliveries not yet settled. */
  readonly depth: number;
  /** When the first of them was queued, whether it is due, put off or at the vendor; not of those that a pause holds back. */
  readonly oldest?: number;
}

// ---- looking back

/** `deferred`: it waits for the end of its quiet hours. */
export type JobState = "scheduled" | "deferred" | "running" | "paused" | "cancelled" | "finished";

/** One call of /api/notification and how far it is. */
export interface Job {
  readonly job: number;
  readonly id: NotificationId;
  readonly type: string;
  /** As shown in the statistics. */
  readonly text: string;
  readonly target: NotificationTarget["kind"];
  readonly state: JobState;
  readonly acceptedAt: number;
  /** When it was to begin, where that was later. */
  readonly sendAt?: number;
  /** Until when it is deferred. */
  readonly deferred?: number;
  readonly finishedAt?: number;
  readonly rate?: number;
  readonly dryRun: boolean;
  /** Devices looked at so far, and those that have nothing to show of it. */
  readonly seen: number;
  readonly skipped: number;
  readonly routes: Readonly<Record<string, number>>;
  /** Deliveries: made so far, not settled, accepted by a vendor, and failed, by reason. */
  readonly queued: number;
  readonly waiting: number;
  readonly accepted: number;
  /** Devices that a connection took it for, at once or when they came back. */
  readonly connected: number;
  readonly failed: Readonly<Record<string, number>>;
}

interface JobQuery {
  /** Without it the calls that reach many or wait: to everybody, to a tag, scheduled, paced, dry runs. */
  readonly id?: NotificationId;
  readonly state?: JobState;
  /** Jobs older than this one: the `job` of the last one listed. */
  readonly before?: number;
}

/**
 * `sent`: to a connection of the device, which says no more until it arrives. A device without a vendor that is away: `queued`
 * while it is kept for it, then `sent` when it comes back in time, else `expired`; without a timeToLive `expired` at once. `skipped`: there is nothing in it that this device could show.
 */
export type DeliveryState = "sent" | "skipped" | "queued" | "accepted" | "gone" | "refused" | "expired" | "cancelled";

/** What became of a notification at one device. Times are epoch milliseconds. */
export interface DeliveryRecord {
  readonly pushId: PushId;
  readonly uid?: Uid;
  readonly lane?: Lane;
  readonly state: DeliveryState;
  /** Tries that came to nothing and were followed by another one, or will be. */
  readonly retries: number;
  readonly reason?: string;
  /** The vendor's id of the message. */
  readonly receipt?: string;
  readonly queuedAt: number;
  /** When it was last given to the vendor, and when it was settled. */
  readonly sentAt?: number;
  readonly settledAt?: number;
  readonly nextTryAt?: number;
  readonly arrivedAt?: number;
  readonly clickedAt?: number;
}

interface AtDevice {
  /** The newest call first. */
  readonly deliveries: readonly (DeliveryRecord & { readonly job: number })[];
  /** Whom the call of the first of them was for, the newest call when there is none. Absent: too long to be kept. */
  readonly target?: NotificationTarget;
  /** What the device itself told. */
  readonly arrivedAt?: number;
  readonly clickedAt?: number;
}

export interface DeliveryPage {
  readonly deliveries: readonly DeliveryRecord[];
  readonly next?: string;
}

/** Which failed deliveries: those that fit all that is given. Times are when they failed, both included. */
export interface FailedFilter {
  readonly state?: FailedState;
  readonly vendor?: VendorName;
  readonly app?: AppId;
  readonly reason?: string;
  readonly from?: number;
  readonly to?: number;
  /** Their numbers. */
  readonly deliveries?: readonly number[];
}

export type FailedState = "gone" | "refused" | "expired";

export interface FailedDelivery {
  readonly delivery: number;
  readonly id: NotificationId;
  readonly pushId: PushId;
  readonly uid?: Uid;
  readonly vendor?: VendorName;
  readonly app?: AppId;
  readonly state: FailedState;
  readonly reason?: string;
  readonly retries: number;
  readonly queuedAt: number;
  readonly settledAt: number;
}

/** How many failed alike. */
export interface FailedGroup extends Pick<FailedDelivery, "vendor" | "app" | "state" | "reason"> {
  readonly count: number;
  /** How many of them failed in each of the last 24 hours, this one last. */
  readonly trend: readonly number[];
  /** Devices of some, the latest first. */
  readonly samples: readonly PushId[];
}

export interface RetryOptions {
  /** A life of its own, milliseconds from now; without it what is left of the notification's. */
  readonly timeToLive?: number;
  /** Only counts. */
  readonly dryRun?: boolean;
  /** The `next` of an earlier call. */
  readonly after?: string;
  /** Deliveries looked at, about. */
  readonly limit: number;
}

export interface Retried {
  /** Deliveries that jobs were made of, and the notifications of these jobs: their devices are told by the notification's id. */
  readonly retried: number;
  readonly ids: ReadonlySet<NotificationId>;
  /** Left out: their token is dead, their time is over. */
  readonly dead: number;
  readonly late: number;
  /** There may be more behind it. */
  readonly next?: string;
}

/** By what a user was reached: `waiting` as long as it may still be. */
type ReachedBy = "socket" | "vendor" | "waiting" | "nobody";

interface ReachedPage {
  /** Users. */
  readonly counts: Readonly<Record<ReachedBy, number>>;
  readonly users: readonly { readonly uid: Uid; readonly by: ReachedBy; readonly at?: number }[];
  readonly next?: string;
}

/** A place in the order in which notifications began. */
export interface Moment {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly job: number;
}

export interface VendorReceipt extends Receipt {
  readonly vendor: VendorName;
  /** The lane holds deletions (core/delivery.ts). */
  readonly keepsToken?: boolean;
}

export interface Outbox {
  /**
   * Resolves with the notification's id once it would survive a crash; the HTTP reply waits for this (holds 1). With `once`
   * of a call made before, nothing is accepted and the id of that one comes back.
   */
  accept(notification: Notification, target: NotificationTarget, options?: AcceptOptions): Promise<NotificationId>;
  /**
   * Jobs whose next page is due and which are neither paused nor cancelled, those that have waited longest for their page first;
   * and when another one will be.
   */
  unexpanded(limit: number, now: number): Promise<{ readonly work: readonly Unexpanded[]; readonly next?: number }>;
  /**
   * Adds one page's deliveries, keeps its packets, counts it and moves the cursor, together; then hands all its packets to the
   * hubs in their order. A page of a job that is finished, paused or cancelled does nothing.
   * @param from the cursor that the page was read from (`Unexpanded`): where the job stands elsewhere by now, because it was
   * expanded twice at once, the page does nothing either
   * @returns whether the page was taken
   */
  expand(job: number, from: string | undefined, page: ExpandedPage, now: number): Promise<boolean>;

  /**
   * Makes this process the lane's owner if nobody is, and says whether it is: rates, quotas and breakers are kept by one for all.
   * Asked before each claim, so that an owner that is gone is followed by another.
   */
  own(lane: Lane): boolean | Promise<boolean>;
  /** Lets another process own what this one does: it sends nothing any more. */
  disown(): Promise<void>;
  /** The lanes that have something to do, now or later. */
  lanes(): Promise<readonly LaneDepth[]>;
  /** How many deliveries of each lane expired or were cancelled before they were sent, since the start. */
  unsent(): Promise<readonly { readonly lane: Lane; readonly total: number }[]>;
  /**
   * Up to `limit` deliveries of one lane that are due at `now`, under one lease of at least so many milliseconds: those of small calls before
   * those of calls to many, then in the order they are due. The engine times the lease, by one clock for all processes. What was leased before a restart is due at once. Deliveries of paused
   * jobs are held back, those of cancelled or expired ones settled on the way.
   */
  claim(lane: Lane, limit: number, now: number, lease: number): Promise<Claim>;
  /** Records outcomes, forgets dead tokens, counts arrivals, together. Skips those that were claimed again since. */
  settle(results: readonly Settlement[], now: number): Promise<void>;
  /**
   * Settles, as expired, what waits in a lane although its time has passed: for lanes that are stopped and claim nothing.
   * At most `limit` rows are looked at; returns where to go on, undefined at the end.
   */
  expire(lane: Lane, after: number | undefined, limit: number, now: number): Promise<number | undefined>;
  /** How many of a lane's first 10,000 deliveries that wait, or are at the vendor, live no longer than `until`. */
  expiring(lane: Lane, until: number): Promise<number>;
  /**
   * What vendors tell later, or clients about what a vendor brought: marks the deliveries and counts each event once per
   * delivery. A token that is told to be dead is forgotten, unless its lane holds deletions. Unknown ones are skipped.
   */
  received(receipts: readonly VendorReceipt[], now: number): Promise<void>;

  /**
   * Devices have acknowledged the message of a call to reach their users: for them no vendor is asked any more. Unknown ones, and
   * users who were reached already, are skipped.
   */
  acknowledged(acks: readonly { readonly id: NotificationId; readonly pushId: PushId }[], now: number): Promise<void>;
  /** Undefined: it is no call to reach users. */
  reached(id: NotificationId, after: string | undefined, limit: number, now: number): Promise<ReachedPage | undefined>;

  /** Newest first. */
  jobs(query: JobQuery, limit: number, now: number): Promise<readonly Job[]>;
  /**
   * Every unfinished job of the notification. Paused: no page is expanded and nothing is claimed until it is resumed.
   * Cancelled: what was not given to a vendor yet is not sent any more. Returns the jobs changed; cancelling a paused one works.
   * `toDevicesOnly` leaves jobs to everybody or to a tag as they are.
   * The order holds from then on, at once; of many deliveries not all are held, let go of or settled by then.
   */
  order(
    id: NotificationId,
    order: "pause" | "resume" | "cancel",
    now: number,
    which?: { readonly toDevicesOnly?: boolean },
  ): Promise<readonly Job[]>;
  /**
   * From its next page on every unfinished job of the notification is worked off at this rate: devices per second, 0: as fast as it
   * goes. Returns the jobs changed.
   */
  setRate(
    id: NotificationId,
    rate: number,
    now: number,
    which?: { readonly toDevicesOnly?: boolean },
  ): Promise<readonly Job[]>;
  /** The notification as it was accepted, by the newest call with this id. Undefined: the id is unknown. */
  notification(id: NotificationId): Promise<Notification | undefined>;
  /** What became of a notification, call by call and device by device as it was expanded. Undefined: the id is unknown. */
  deliveries(id: NotificationId, after: string | undefined, limit: number): Promise<DeliveryPage | undefined>;
  /** Failed deliveries that were not retried, those that failed last first. Dry runs have none. */
  failed(
    filter: FailedFilter,
    after: string | undefined,
    limit: number,
  ): Promise<{ readonly deliveries: readonly FailedDelivery[]; readonly next?: string }>;
  /** The newest call to everybody, or to this tag, that was no dry run, among the last 1,000 to many. */
  last(tag: string | undefined, now: number): Promise<Job | undefined>;
  /** The same counted, the largest group first, of the last `most` failed deliveries. */
  failedGroups(
    filter: FailedFilter,
    most: number,
  ): Promise<{ readonly groups: readonly FailedGroup[]; readonly complete: boolean }>;
  /**
   * Makes jobs of failed deliveries, one or more for each notification, with the same id. Each delivery once, whatever crashes: in the
   * same step as its job it is noted as retried. `dead` tokens, and without a new life what has expired, are left out.
   */
  retry(filter: FailedFilter, options: RetryOptions, now: number): Promise<Retried>;
  /** What became of a notification at one device, in its newest calls. Undefined: the id is unknown. */
  at(id: NotificationId, pushId: PushId): Promise<AtDevice | undefined>;
  /** The vendor's ids of what it accepted of this notification, newest first, each once. */
  receipts(id: NotificationId, vendor: VendorName, limit: number): Promise<readonly string[]>;
  /**
   * The notifications that began after `from` and not after `to`, and of which this vendor has accepted something, in the order
   * they began. At most `limit` calls are looked at; `next` is the `from` to go on with, absent at the end.
   */
  traceable(
    vendor: VendorName,
    from: Moment,
    to: number,
    limit: number,
  ): Promise<{ readonly ids: readonly NotificationId[]; readonly next?: Moment }>;
  /** What a vendor counts of a notification: of all that it tells in time the largest is kept. */
  traced(
    id: NotificationId,
    vendor: VendorName,
    counts: { readonly delivered: number; readonly clicked: number },
  ): Promise<void>;
}
