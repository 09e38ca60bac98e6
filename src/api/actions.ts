// What the API asks of the core. `app.ts` gives the real ones; tests give some that only record.

import type { AuditEntry, AuditLog } from "../core/audit.ts";
import type { NodeStatus } from "../core/cluster.ts";
import type { Lane } from "../core/delivery.ts";
import type { Device, PushId, Uid } from "../core/device.ts";
import type { Binding, Counters, Devices } from "../core/engine.ts";
import type { EventQuery, Events } from "../core/events.ts";
import type { HookQueue, Hooks } from "../core/hooks.ts";
import type { Lanes, LaneTest } from "../core/lane.ts";
import type { Language } from "../core/language.ts";
import type { Live } from "../core/live.ts";
import type { Revocation } from "../core/login.ts";
import type { NotificationContent, NotificationId } from "../core/notification.ts";
import type { NotifyRequest } from "../core/notify.ts";
import type { FailedFilter, Once, Outbox, Retried, RetryOptions } from "../core/outbox.ts";
import type { KeptPacket } from "../core/packet.ts";
import type { Draft, Pushed, PushTarget } from "../core/push.ts";
import type { Series } from "../core/rings.ts";
import type { TestDevices } from "../core/test-devices.ts";
import type { TracePage, TraceTarget, TraceView } from "../core/trace.ts";
import type { AppId, Quota, VendorName, Weighed } from "../core/vendor.ts";

/** All but what is shown. */
export type NotificationOptions = Omit<NotifyRequest, "content">;

/** What Apple said of a relayed batch (api 3.11). */
export interface Relayed {
  readonly success: number;
  /** Tokens refused as dead: the caller forgets them. */
  readonly errorTokens: readonly string[];
  /** Those that this message will never reach, though they live. */
  readonly refusedTokens: readonly string[];
  /** Those that Apple took no decision on: the caller tries again. */
  readonly retryTokens: readonly string[];
  /** Why one of the latter two did not go. */
  readonly reason?: string;
}

/** What a vendor posted. Header names in lower case, the query without its question mark. */
export interface ReceiptRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: string;
  readonly body: string;
}

type ReceiptAnswer = Readonly<Record<string, unknown>>;

/** Who reads events as they are written. */
interface Following {
  /** The seq of the newest event. */
  readonly newest: number;
  close(): void;
}

interface EventActions extends Pick<Events, "list" | "seqOf">, Pick<HookQueue, "dead"> {
  replay(hook: string, from: "dead" | "log", query: EventQuery): Promise<number>;
  /** From here on events of these patterns are written. @param written gets the newest seq after each commit that wrote some */
  follow(patterns: readonly string[], written: (newest: number) => void): Promise<Following>;
}

export interface ComparedSettings {
  readonly changes: readonly object[];
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
}

/** A process that shares the store, and what it tells of itself unless it is silent. Rates are per second, over the last ten. */
export interface NodeView extends NodeStatus {
  readonly version?: string;
  readonly connections?: number;
  readonly sessions?: number;
  readonly rates?: Readonly<Record<"opened" | "packets" | "apiCalls" | "apiErrors", number>>;
}

/** At once where there is one process. */
type Asked<Value> = Value | Promise<Value>;

export interface Actions {
  /** The name of this node, where there may be several: said with what it answers for itself alone. */
  readonly node?: string;
  /**
   * A promise resolves once the packet is as safe as the caller asked for; otherwise that was so before it returned.
   * @param requestId for the log
   */
  push(target: PushTarget, draft: Draft, once: Once | undefined, requestId: string): Pushed | Promise<Pushed>;
  /** Resolves once the notification would survive a crash. @param requestId for the log */
  notify(content: NotificationContent, options: NotificationOptions, requestId: string): Promise<NotificationId>;
  readonly outbox: Pick<Outbox, "at" | "last" | "jobs" | "order" | "setRate" | "notification" | "deliveries">;
  readonly reached: Outbox["reached"];
  readonly failures: Pick<Outbox, "failed" | "failedGroups"> & {
    /** Resolves once the jobs would survive a crash. */
    retry(filter: FailedFilter, options: RetryOptions): Promise<Retried>;
  };
  readonly lanes: Pick<Lanes, "list"> & { resume(which: Partial<Lane>): Asked<ReturnType<Lanes["resume"]>> };
  /**
   * Asks the lane's vendor with a token that nobody has. Undefined: there is no such vendor or app. Rejects with
   * `PushError("conflict")` when it has just been asked.
   */
  testLane(lane: Lane): Promise<LaneTest | undefined>;
  /** When the certificate expires by which the vendor knows us; undefined: there is none. */
  expiryOf(lane: Lane): number | undefined;
  /** Whether a configured vendor serves the device's token. */
  served(device: Device): boolean;
  /** What each configured vendor and app would take of it, and what a connection gets, in bytes; nobody is asked. */
  weigh(
    content: NotificationContent,
    timeToLive: number,
  ): { readonly vendors: readonly (Lane & Weighed & { readonly quota?: Quota })[]; readonly connection: number };
  /** What a vendor's reason means, and what helps; undefined: it is none of the usual ones. */
  plainWords(vendor: VendorName, reason: string): { readonly text: string; readonly remedy: string } | undefined;
  readonly hooks: Pick<Hooks, "list" | "test"> & { resume(name?: string): Asked<ReturnType<Hooks["resume"]>> };
  readonly events: EventActions;
  /** Sends at once, with the credentials of this server. Undefined: there are none for this bundle id. */
  relay(
    app: AppId,
    id: NotificationId,
    content: NotificationContent,
    tokens: readonly string[],
    timeToLive: number,
  ): Promise<Relayed | undefined>;
  /**
   * What takes that which a vendor posts about what it delivered; it rejects with `PushError` for a wrong signature or nonsense.
   * Resolves with what the vendor wants to read, where a 200 is not enough. Undefined: no app of this vendor has this secret.
   */
  receiver(
    vendor: VendorName,
    secret: string,
  ): ((request: ReceiptRequest) => Promise<ReceiptAnswer | undefined>) | undefined;
  /** Resolves once it would survive a crash and live sessions know. */
  bind(binding: Binding): Promise<void>;
  /** The same; devices without a uid are passed over. */
  unbind(who: { readonly pushIds: readonly PushId[] } | { readonly uids: readonly Uid[] }): Promise<void>;
  /** Resolves once it would survive a crash and the sessions are closed, with how many. Rejects where tokens are not looked at. */
  revoke(tokens: readonly Omit<Revocation, "until">[]): Promise<number>;
  /** Forgets them. Their connections stay and keep their topics. */
  deleteDevices(pushIds: readonly PushId[]): Promise<void>;
  readonly testDevices: TestDevices;
  /** The newest packets that are kept for a topic, oldest first. */
  kept(topic: string): Promise<readonly KeptPacket[]>;
  readonly devices: Pick<Devices, "get" | "byUid" | "past" | "page" | "named" | "byToken">;
  readonly live: Live;
  readonly counters: Counters;
  readonly traces: {
    /** Resolves once those who are there are followed. Rejects with `PushError("conflict")` when too many run. */
    start(target: TraceTarget, minutes: number): Promise<TraceView>;
    stop(name: string): Promise<TraceView | undefined>;
    list(): Promise<readonly TraceView[]>;
    get(name: string, after: number, limit: number): Promise<TracePage | undefined>;
  };
  /** The processes that share the store; none: there is only this one. */
  nodes(): Promise<readonly NodeView[]>;
  /**
   * The same actions, and the names of nodes that have left something unanswered that was asked by them. Absent: nobody else is asked.
   * @param actions whose others are kept
   */
  watched?(actions: Actions): { readonly actions: Actions; silent(): readonly string[] };
  /** One more call, for the statistics. */
  count(key: string): void;
  readonly audit: Pick<AuditLog, "list"> & {
    /** Stored a moment later. */
    add(entry: AuditEntry): void;
  };
  /** Figures over the last minutes, the last day and the last month. */
  readonly rings: {
    seconds(count: number): Asked<Series>;
    minutes(count: number): Asked<Series>;
    hours(count: number): Promise<Series>;
  };
  /** Why this server should be given no work now; none: it is ready. */
  ready(): Promise<readonly string[]>;
  readonly settings: {
    /** @param language of what each of them is for */
    effective(language: Language): {
      readonly settings: readonly object[];
      readonly vendors: readonly {
        readonly vendor: string;
        readonly origin: string;
        readonly values: object;
        readonly why: object;
      }[];
    };
    /** Changes nothing. @param language of what is wrong */
    compare(language: Language): Promise<ComparedSettings>;
    /**
     * At every node, each from its own sources. Rejects, and changes nothing, with `PushError("conflict")` that says what is wrong
     * here; what is wrong elsewhere is a warning.
     */
    reload(by: string): Promise<ComparedSettings>;
  };
  /** What is configured, every secret masked. */
  config(): unknown;
  /** In Prometheus' text format; undefined: not shown. */
  readonly metrics?: { readonly contentType: string; text(): Promise<string> };
}
