// A notification is what a person sees. One id follows it through every channel and back in the statistics.
import { PushError } from "./errors.ts";

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
  /** Milliseconds; 0: only for those who are connected now. */
  readonly timeToLive: number;
  /** The caller's label in the arrival statistics; `pushAll` or `pushMany` when none was given. */
  readonly type: string;
  readonly acceptedAt: number;
  /** When it is to go out, where that is later. */
  readonly sendAt?: number;
  readonly callerAddress: string;
}

/** For the connected only (timeToLive 0) means this much at a vendor: a phone that dozes wakes up now and then. */
const BRIEF = 600_000;

/** From when its time to live counts. */
export const startOf = (note: Notification): number => note.sendAt ?? note.acceptedAt;

/** No vendor is asked from then on. */
export const expiry = (note: Notification): number => startOf(note) + (note.timeToLive > 0 ? note.timeToLive : BRIEF);

const DEEPEST_CONTENT = 64;

/**
 * What a caller sent, in the form that everything inside relies on. The caller's object stays as it is.
 * Throws `PushError("invalid")` for content that some channel could not carry: it would be lost there silently.
 */
export function normalise(content: unknown): NotificationContent {
  if (!isObject(content)) throw new PushError("invalid", "notification must be a JSON object");
  if (depth(content, DEEPEST_CONTENT) > DEEPEST_CONTENT) {
    throw new PushError("invalid", `notification is nested deeper than ${DEEPEST_CONTENT} levels`);
  }
  const { android, payload, apn, ...rest } = content;
  const { payload: androidPayload, title, message, ...androidRest } = optionalObject(android, "android") ?? {};
  const { payload: _unused, ...apnRest } = optionalObject(apn, "apn") ?? {};
  return {
    ...rest,
    android: {
      ...androidRest,
      ...optionalText(title, "title"),
      ...optionalText(message, "message"),
      payload: optionalObject(payload, "payload") ?? optionalObject(androidPayload, "android.payload") ?? {},
    },
    ...(apn === undefined || apn === null ? {} : { apn: apnRest }),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function optionalObject(value: unknown, field: string): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (isObject(value)) return value;
  throw new PushError("invalid", `notification.${field} must be a JSON object`);
}

/** A number is shown as its digits. */
function optionalText<F extends string>(value: unknown, field: F): { [K in F]?: string } {
  if (value === undefined || value === null) return {};
  if (typeof value !== "string" && typeof value !== "number") {
    throw new PushError("invalid", `notification.android.${field} must be a string`);
  }
  return { [field]: String(value) } as { [K in F]: string };
}

/** How deep a value is nested, not counting further than a little above `most`. */
function depth(value: unknown, most: number): number {
  if (typeof value !== "object" || value === null || most < 0) return 0;
  let deepest = 0;
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depth(inner, most - 1));
  return deepest + 1;
}

/** The text shown in statistics: the first non-empty of message, apn.alert.body, apn.alert, apn.alert.title, android.message. */
export function messageText(content: NotificationContent): string {
  const alert = content.apn?.["alert"];
  const fields = typeof alert === "object" && alert !== null ? (alert as Record<string, unknown>) : {};
  const candidates = [content["message"], fields["body"], alert, fields["title"], content.android.message];
  return candidates.find((text): text is string => typeof text === "string" && text !== "") ?? "";
}
