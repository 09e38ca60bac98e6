// What a send form holds, and the call that it stands for.
import type { Fields } from "../../api.ts";
import type { Word } from "../../language.ts";

export type Kind = "notification" | "push" | "reach";
export type To = "pushId" | "uid" | "topic" | "tag" | "all";

/** Whom each kind of call can be for. */
export const AUDIENCES: Readonly<Record<Kind, readonly To[]>> = {
  notification: ["pushId", "uid", "tag", "all"],
  push: ["topic", "pushId", "uid"],
  reach: ["uid"],
};

export interface Draft {
  readonly kind: Kind;
  readonly to: To;
  /** Names of devices, users, a topic or a tag: one a line, or with commas. */
  readonly who: string;
  readonly title: string;
  readonly message: string;
  /** JSON of an object, for the app. */
  readonly payload: string;
  /** Of push and reach: JSON, or text. */
  readonly json: string;
  readonly badge: string;
  readonly sound: string;
  readonly timeToLive: string;
  /** As a field for local time has it. */
  readonly sendAt: string;
  readonly rate: string;
  readonly quietHours: string;
  readonly type: string;
  /** JSON of an object: own fields of vendors. */
  readonly vendors: string;
  readonly fallbackAfter: string;
  readonly capPerDay: string;
}

export const EMPTY: Draft = {
  kind: "notification",
  to: "pushId",
  who: "",
  title: "",
  message: "",
  payload: "",
  json: "",
  badge: "",
  sound: "",
  timeToLive: "1d",
  sendAt: "",
  rate: "",
  quietHours: "",
  type: "",
  vendors: "",
  fallbackAfter: "5s",
  capPerDay: "",
};

/** What is wrong with it, by field. */
export type Mistakes = Readonly<Partial<Record<keyof Draft, Word>>>;

/** Separated by white space, commas or semicolons. */
export const names = (who: string): readonly string[] => who.split(/[\s,;]+/).filter((name) => name !== "");

/** It needs the right to reach everybody, and asks before it does. */
export const isToMany = ({ kind, to }: Draft): boolean => kind === "notification" && (to === "all" || to === "tag");

function objectOf(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Any JSON, or text that is none. */
function anyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** None: it can be sent. */
export function mistakes(draft: Draft): Mistakes {
  const { kind, to, who, title, message, json, payload, vendors } = draft;
  return {
    ...(to !== "all" && names(who).length === 0 ? { who: "send.whoMissing" as const } : {}),
    ...((to === "topic" || to === "tag") && names(who).length > 1 ? { who: "send.oneOnly" as const } : {}),
    ...(kind !== "push" && title === "" && message === "" ? { title: "send.nothing" as const } : {}),
    ...(kind !== "notification" && json === "" ? { json: "send.noJson" as const } : {}),
    ...(payload !== "" && objectOf(payload) === undefined ? { payload: "send.noObject" as const } : {}),
    ...(vendors !== "" && objectOf(vendors) === undefined ? { vendors: "send.noObject" as const } : {}),
  };
}

/** What is shown, for every kind of phone. */
export function notificationOf({ title, message, payload, badge, sound, vendors }: Draft): Fields {
  const alert = title === "" ? message : { title, ...(message === "" ? {} : { body: message }) };
  return {
    android: { title, ...(message === "" ? {} : { message }) },
    apn: {
      alert,
      ...(badge === "" ? {} : { badge: Number(badge) }),
      ...(sound === "" ? {} : { sound }),
    },
    ...(payload === "" ? {} : { payload: objectOf(payload) ?? {} }),
    ...(vendors === "" ? {} : { vendors: objectOf(vendors) ?? {} }),
  };
}

function targetOf({ to, who }: Draft): Fields {
  const all = names(who);
  if (to === "all") return { pushAll: "true" };
  return { [to]: all.length === 1 ? all[0] : all };
}

/** The parameters of its endpoint. @param target for somebody else instead */
export function fieldsOf(draft: Draft, target: Fields = targetOf(draft)): Fields {
  const { kind, timeToLive, sendAt, rate, quietHours, type, fallbackAfter, capPerDay } = draft;
  const life = timeToLive === "" ? {} : { timeToLive };
  if (kind === "push") return { ...target, json: anyOf(draft.json), ...life };
  const common = {
    ...target,
    notification: notificationOf(draft),
    ...life,
    ...(type === "" ? {} : { type }),
    ...(sendAt === "" ? {} : { sendAt: new Date(sendAt).toISOString() }),
    ...(quietHours === "" ? {} : { quietHours, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone }),
  };
  if (kind === "notification") return { ...common, ...(rate === "" ? {} : { rate: Number(rate) }) };
  return {
    ...common,
    json: anyOf(draft.json),
    ...(fallbackAfter === "" ? {} : { fallbackAfter }),
    ...(capPerDay === "" ? {} : { capPerDay: Number(capPerDay) }),
  };
}

interface Sent {
  readonly notification?: Fields;
  readonly timeToLive?: number;
  readonly type?: string;
}

const textOf = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "";
const jsonOf = (value: unknown): string =>
  typeof value === "object" && value !== null && Object.keys(value).length > 0 ? JSON.stringify(value) : "";

/** A form filled in like a notification that was sent. */
export function draftLike({ notification = {}, timeToLive = 0, type = "" }: Sent): Partial<Draft> {
  const android = Object(notification["android"]) as Fields;
  const apn = Object(notification["apn"]) as Fields;
  const alert = Object(apn["alert"]) as Fields;
  return {
    title: textOf(android["title"]) || textOf(alert["title"]),
    message: textOf(android["message"]) || textOf(alert["body"]),
    payload: jsonOf(android["payload"]),
    badge: textOf(apn["badge"]),
    sound: textOf(apn["sound"]),
    vendors: jsonOf(notification["vendors"]),
    timeToLive: timeToLive === 0 ? "" : String(timeToLive),
    type,
  };
}
