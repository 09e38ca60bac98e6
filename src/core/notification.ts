// A notification is what a person sees. One id follows it through every channel and back in the statistics.
import type { Target } from "./target.ts";

export type NotificationId = string;

/**
 * Normalised at entry (http-api 4): `android` and `android.payload` are objects, the root `payload` has moved into
 * `android.payload`, `apn.payload` is gone. Everything else the caller put in passes through.
 */
export interface NotificationContent {
  readonly android: { readonly title?: string; readonly message?: string; readonly payload: object } & Readonly<
    Record<string, unknown>
  >;
  readonly apn?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface Notification {
  readonly id: NotificationId;
  readonly content: NotificationContent;
  readonly target: Exclude<Target, { kind: "topic" }>;
  /** Milliseconds; 0: only for those who are connected now. */
  readonly timeToLive: number;
  /** The caller's label in the arrival statistics; `pushAll` or `pushMany` when none was given. */
  readonly type: string;
  readonly acceptedAt: number;
  readonly callerAddress: string;
}

/** The text shown in statistics: the first non-empty of message, apn.alert.body, apn.alert, apn.alert.title, android.message. */
export function messageText(content: NotificationContent): string {
  const alert = content.apn?.["alert"];
  const fields = typeof alert === "object" && alert !== null ? (alert as Record<string, unknown>) : {};
  const candidates = [content["message"], fields["body"], alert, fields["title"], content.android.message];
  return candidates.find((text): text is string => typeof text === "string" && text !== "") ?? "";
}
