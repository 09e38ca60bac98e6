// What the API asks of the core. `app.ts` gives the real ones; tests give some that only record.

import type { PushId, Uid } from "../core/device.ts";
import type { Binding, Counters, Devices } from "../core/engine.ts";
import type { Live } from "../core/live.ts";
import type { NotificationContent, NotificationId } from "../core/notification.ts";
import type { Target } from "../core/target.ts";

export type PushTarget = Exclude<Target, { kind: "tag" } | { kind: "all" }>;
export type NotificationTarget = Exclude<Target, { kind: "topic" }>;

export interface PushDraft {
  readonly event: "p" | "push";
  /** JSON text without line breaks; for `push` an object's. */
  readonly body: string;
  /** Milliseconds; 0: only for those who are connected now. */
  readonly timeToLive: number;
}

export interface NotificationOptions {
  readonly id?: NotificationId;
  readonly target: NotificationTarget;
  readonly timeToLive: number;
  readonly type?: string;
  readonly callerAddress: string;
}

export interface Actions {
  /** Undefined: done before it returned. A promise resolves once the packet is as safe as the caller asked for. */
  push(target: PushTarget, draft: PushDraft): Promise<void> | undefined;
  /** Resolves once the notification would survive a crash. */
  notify(content: NotificationContent, options: NotificationOptions): Promise<NotificationId>;
  bind(binding: Binding): Promise<void>;
  unbind(who: { readonly pushIds: readonly PushId[] } | { readonly uids: readonly Uid[] }): Promise<void>;
  deleteDevices(pushIds: readonly PushId[]): Promise<void>;
  readonly devices: Pick<Devices, "get" | "byUid">;
  readonly live: Live;
  readonly counters: Counters;
  /** One more call, for the statistics. */
  count(key: string): void;
  /** What is configured, every secret masked. */
  config(): unknown;
  /** In Prometheus' text format; undefined: not shown. */
  readonly metrics?: { readonly contentType: string; text(): Promise<string> };
}
