// A notification is what a person sees. One id follows it through every channel and back in the statistics.
import { PushError } from "./errors.ts";
import { isExactNumber } from "./exact.ts";
import { isObject } from "./object.ts";

export type NotificationId = string;

/**
 * Normalised at entry (api 4): `android` and `android.payload` are objects, the root `payload` has moved into
 * `android.payload`, `apn.payload` is gone. Everything else the caller put in passes through.
 */
export interface NotificationContent {
  readonly android: { readonly title?: string; readonly message?: string; readonly payload: object } & Readonly<
    Record<string, unknown>
  >;
  readonly apn?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** From and to are minutes since midnight, by the wall clock of the zone (IANA). */
export interface QuietHours {
  readonly from: number;
  readonly to: number;
  readonly zone: string;
  /** What happens to a notification that does not outlive them. */
  readonly otherwise: "drop" | "send";
}

/** A message that goes to the connections of each user first: who acknowledges it in time gets no notification. */
export interface ReachOrder {
  /** JSON text. */
  readonly json: string;
  /** Milliseconds. */
  readonly fallbackAfter: number;
  /** A user gets at most so many notifications in 24 hours by such calls. */
  readonly capPerDay?: number;
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
  readonly quiet?: QuietHours;
  readonly reach?: ReachOrder;
  readonly callerAddress: string;
}

/** For the connected only (timeToLive 0) means this much at a vendor: a phone that dozes wakes up now and then. */
const BRIEF = 600_000;

type Life = Pick<Notification, "sendAt" | "acceptedAt" | "timeToLive">;

/** From when its time to live counts. */
export const startOf = (note: Life): number => note.sendAt ?? note.acceptedAt;

/** No vendor is asked from then on. */
export const expiry = (note: Life): number => startOf(note) + (note.timeToLive > 0 ? note.timeToLive : BRIEF);

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
  const { id } = content; // refused, not repaired: who asks for it would not find it
  const whole = wellFormed(content) as Fields;
  const { android, payload, apn, ...rest } = id === undefined ? whole : { ...whole, id };
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
    ...(apn === undefined || apn === null ? {} : { apn: apple(apnRest) }),
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** Texts of an alert; a number is shown as its digits, as Android shows it. */
const ALERT_TEXTS = ["title", "subtitle", "body", "loc-key", "title-loc-key", "subtitle-loc-key", "launch-image"];

/** What Apple would refuse, or take for a message without anything to see, is no alert: the caller meant something to be shown. */
function apple({ alert, badge, sound, ...others }: Fields): Fields {
  const words = alertOf(alert);
  const number = typeof badge === "string" && /^\d{1,9}$/.test(badge) ? Number(badge) : badge;
  const hasBadge = number !== undefined && number !== null && number !== "";
  if (hasBadge && !(Number.isSafeInteger(number) && Number(number) >= 0))
    throw new PushError("invalid", "notification.apn.badge must be a whole number");
  if (sound !== undefined && sound !== null && typeof sound !== "string" && !isObject(sound))
    throw new PushError("invalid", "notification.apn.sound must be a string or an object");
  if (words === undefined && alert !== undefined && alert !== null && !hasBadge)
    throw new PushError("invalid", "notification.apn.alert is empty: give a text, or leave it out");
  const relevance = others["relevance-score"];
  return {
    ...(words === undefined ? {} : { alert: words }),
    ...(hasBadge ? { badge } : {}),
    ...(sound === undefined || sound === null ? {} : { sound }),
    ...Object.fromEntries(Object.entries(others).flatMap(withFlag)),
    ...(typeof relevance === "string" && /^\d*\.?\d+$/.test(relevance) ? { "relevance-score": Number(relevance) } : {}),
  };
}

const FLAGS = ["content-available", "mutable-content"];
const SET: readonly unknown[] = [1, true, "1", "true"];
const NOT_SET: readonly unknown[] = [0, false, "0", "false", "", null, undefined];

/** A flag is 1 or not there: with true, or with the text that a form makes of it, Apple wakes no app. */
function withFlag([field, value]: [string, unknown]): [string, unknown][] {
  if (!FLAGS.includes(field)) return [[field, value]];
  if (NOT_SET.includes(value)) return [];
  if (SET.includes(value)) return [[field, 1]];
  throw new PushError("invalid", `notification.apn.${field} must be 1`);
}

/** Undefined: there is nothing to see in it. */
function alertOf(alert: unknown): string | Fields | undefined {
  if (alert === undefined || alert === null || alert === "") return undefined;
  if (typeof alert === "string" || typeof alert === "number") return String(alert);
  if (!isObject(alert)) throw new PushError("invalid", "notification.apn.alert must be a string or an object");
  const texts = ALERT_TEXTS.flatMap((field): [string, string][] => {
    const value = alert[field];
    if (value === undefined || value === null) return [];
    if (typeof value !== "string" && typeof value !== "number")
      throw new PushError("invalid", `notification.apn.alert.${field} must be a string`);
    return [[field, String(value)]];
  });
  if (!texts.some(([field, text]) => field !== "launch-image" && text !== "")) return undefined;
  return { ...alert, ...Object.fromEntries(texts) };
}

/** What is shown in bold on Android and in browsers; without it they show nothing. */
export const showsOnAndroid = ({ android }: NotificationContent): boolean => (android.title ?? "") !== "";

/** Something to see, or the wish to wake the app without it. */
export const showsOnApple = ({ apn, vendors }: NotificationContent): boolean =>
  apn !== undefined &&
  (apn["alert"] !== undefined ||
    apn["badge"] !== undefined ||
    apn["content-available"] !== undefined ||
    (isObject(vendors) && vendors["apns"] !== undefined));

/** Throws `PushError("invalid")` for a notification that nobody could see, and in which there is nothing for an app either. */
export function checkShown(content: NotificationContent): void {
  if (showsOnAndroid(content) || showsOnApple(content)) return;
  const { message = "", payload } = content.android;
  if (message !== "" || Object.keys(payload).length > 0) return;
  const misplaced = ["title", "message", "body", "alert"].filter((field) => content[field] !== undefined);
  throw new PushError(
    "invalid",
    "notification has nothing to show: give android.title for Android and browsers, apn.alert for Apple" +
      (misplaced.length === 0 ? "" : ` (${misplaced.join(" and ")} at its top is read by nobody)`),
  );
}

function optionalObject(value: unknown, field: string): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (isObject(value)) return value;
  throw new PushError("invalid", `notification.${field} must be a JSON object`);
}

const mended = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

/**
 * Half a surrogate pair, where a caller cut an emoji, is U+FFFD, as any screen shows it, in every text and name: vendors, and readers
 * of JSON on phones, refuse the whole for it. What has none is returned as it is.
 */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return mended(value);
  if (typeof value !== "object" || value === null || isExactNumber(value)) return value;
  if (Array.isArray(value)) {
    const items = value.map(wellFormed);
    return items.every((item, i) => item === value[i]) ? value : items;
  }
  const entries = Object.entries(value);
  const made = entries.map(([name, inner]): [string, unknown] => [mended(name), wellFormed(inner)]);
  const same = made.every(([name, inner], i) => name === entries[i]![0] && inner === entries[i]![1]);
  return same ? value : Object.fromEntries(made);
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

/**
 * The text by which lists name it, the first non-empty of: message, apn.alert.body, apn.alert, apn.alert.title, android.message,
 * android.title.
 */
export function messageText(content: NotificationContent): string {
  const alert = content.apn?.["alert"];
  const fields = typeof alert === "object" && alert !== null ? (alert as Record<string, unknown>) : {};
  const { message, title } = content.android;
  const candidates = [content["message"], fields["body"], alert, fields["title"], message, title];
  return candidates.find((text): text is string => typeof text === "string" && text !== "") ?? "";
}
