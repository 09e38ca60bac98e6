// What a client says, parsed and checked into typed commands. Anything malformed is no command at all: it is ignored (D2, D19).
import { type ArrivalEvidence, clickCounter } from "../../core/arrival.ts";
import type { PushId, Token, Uid } from "../../core/device.ts";
import { PUSH_ID_MIN } from "../../core/device.ts";
import type { PacketId } from "../../core/packet.ts";

export interface EventLimits {
  /** Characters of a topic's name or a tag. */
  readonly topicLength: number;
  /** Characters of any id. */
  readonly idLength: number;
  /** Topics per connection. */
  readonly topics: number;
}

export interface Subscription {
  readonly topic: string;
  readonly after?: PacketId;
}

export type Command =
  | {
      readonly kind: "hello";
      readonly pushId: PushId;
      readonly platform?: string;
      readonly subscriptions: readonly Subscription[];
      readonly lastUnicastId?: PacketId;
      readonly tags?: readonly string[];
      readonly token?: Token;
    }
  | ({ readonly kind: "subscribe" } & Subscription)
  | { readonly kind: "unsubscribe"; readonly topic: string }
  | { readonly kind: "setTags"; readonly tags: readonly string[] }
  | { readonly kind: "changeTag"; readonly tag: string; readonly present: boolean }
  | { readonly kind: "token"; readonly token: Token }
  | { readonly kind: "bindUid"; readonly uid: Uid }
  | { readonly kind: "unbindUid" }
  | { readonly kind: "arrival"; readonly id: string; readonly counter: ArrivalEvidence; readonly sentAt?: number }
  | { readonly kind: "stats"; readonly entries: readonly StatsEntry[] };

export interface StatsEntry {
  readonly path: string;
  readonly total: number;
  readonly success: number;
  readonly latency: number;
}

/** Reserved by the server this one succeeds; a client's topic of that name is not joined (D1). */
const RESERVED_TOPIC = "uid:";
const MAX_TOKEN = 4096;
const MAX_TAGS = 1000;
const MAX_STATS_ENTRIES = 100;

/** @returns undefined for an unknown event or arguments that do not fit it */
export function parseEvent(name: string, args: readonly unknown[], limits: EventLimits): Command | undefined {
  const [first] = args;
  switch (name) {
    case "pushId":
      return hello(first, limits);
    case "subscribeTopic": {
      const fields = record(first);
      const topic = topicName(fields?.["topic"], limits);
      return topic === undefined
        ? undefined
        : { kind: "subscribe", ...subscription(topic, fields?.["lastPacketId"], limits) };
    }
    case "unsubscribeTopic": {
      const topic = topicName(record(first)?.["topic"], limits);
      return topic === undefined ? undefined : { kind: "unsubscribe", topic };
    }
    case "setTags": {
      const tags = tagList(first, limits);
      return tags && { kind: "setTags", tags };
    }
    case "addTag":
    case "removeTag": {
      const tag = text(record(first)?.["tag"], limits.topicLength);
      return tag === undefined ? undefined : { kind: "changeTag", tag, present: name === "addTag" };
    }
    case "token":
    case "apnToken": {
      const token = deviceToken(first, limits);
      return token && { kind: "token", token };
    }
    case "bindUid": {
      const uid = identifier(record(first)?.["uid"], limits.idLength);
      return uid === undefined ? undefined : { kind: "bindUid", uid: uid as Uid };
    }
    case "unbindUid":
      return { kind: "unbindUid" };
    case "notificationReply":
      return arrival(first, "arrive_android", limits);
    case "umengReply":
      return arrival(first, "arrive_umeng", limits);
    case "notificationClick":
      return arrival(first, clickCounter(record(first)?.["type"]), limits);
    case "stats":
      return stats(first);
    default:
      return undefined;
  }
}

function hello(value: unknown, limits: EventLimits): Command | undefined {
  const fields = record(value);
  const pushId = text(fields?.["id"], limits.idLength);
  if (fields === undefined || pushId === undefined || pushId.length < PUSH_ID_MIN) return undefined;
  const platform = text(fields["platform"], 64)?.toLowerCase();
  const lastUnicastId = text(fields["lastUnicastId"], limits.idLength);
  const tags = tagList(fields["tags"], limits);
  const token = deviceToken(fields["token"], limits);
  return {
    kind: "hello",
    pushId: pushId as PushId,
    subscriptions: subscriptions(fields["topics"], record(fields["lastPacketIds"]) ?? {}, limits),
    ...(platform === undefined ? {} : { platform }),
    ...(lastUnicastId === undefined ? {} : { lastUnicastId }),
    ...(tags === undefined ? {} : { tags }),
    ...(token === undefined ? {} : { token }),
  };
}

function subscriptions(
  topics: unknown,
  positions: Readonly<Record<string, unknown>>,
  limits: EventLimits,
): Subscription[] {
  if (!Array.isArray(topics)) return [];
  const names = new Set<string>();
  for (const topic of topics) {
    const name = topicName(topic, limits);
    if (name !== undefined) names.add(name);
    if (names.size === limits.topics) break;
  }
  return [...names].map((name) =>
    subscription(name, Object.hasOwn(positions, name) ? positions[name] : undefined, limits),
  );
}

function subscription(topic: string, lastPacketId: unknown, limits: EventLimits): Subscription {
  const after = text(lastPacketId, limits.idLength);
  return after === undefined ? { topic } : { topic, after };
}

function topicName(value: unknown, limits: EventLimits): string | undefined {
  const topic = text(value, limits.topicLength);
  return topic?.startsWith(RESERVED_TOPIC) ? undefined : topic;
}

/** All strings, or no list at all; a tag that comes twice is one. */
function tagList(value: unknown, limits: EventLimits): string[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_TAGS) return undefined;
  if (!value.every((tag) => text(tag, limits.topicLength) !== undefined)) return undefined;
  return [...new Set(value as string[])];
}

/** Both the current form and the one of 2015: `{apnToken, bundleId}`. */
function deviceToken(value: unknown, limits: EventLimits): Token | undefined {
  const fields = record(value);
  if (fields === undefined) return undefined;
  const token = text(subscriptionText(fields["token"]) ?? fields["token"] ?? fields["apnToken"], MAX_TOKEN);
  const type = text(fields["type"] ?? (fields["apnToken"] === undefined ? undefined : "apn"), 32);
  const packageName = text(fields["package_name"] ?? fields["bundleId"], limits.idLength);
  if (token === undefined || type === undefined) return undefined;
  return packageName === undefined ? { type, token } : { type, token, packageName };
}

/** A browser's PushSubscription may come as the object it is; stored is its JSON, without what a browser may add or change. */
function subscriptionText(value: unknown): string | undefined {
  const fields = record(value);
  if (typeof fields?.["endpoint"] !== "string") return undefined;
  const keys = record(fields["keys"]);
  return JSON.stringify({ endpoint: fields["endpoint"], keys: { p256dh: keys?.["p256dh"], auth: keys?.["auth"] } });
}

function arrival(value: unknown, counter: ArrivalEvidence, limits: EventLimits): Command | undefined {
  const fields = record(value);
  const id = text(fields?.["id"], limits.idLength);
  if (id === undefined) return undefined;
  const sentAt = fields?.["timestamp"];
  return typeof sentAt === "number" && Number.isFinite(sentAt)
    ? { kind: "arrival", id, counter, sentAt }
    : { kind: "arrival", id, counter };
}

function stats(value: unknown): Command | undefined {
  const list = record(value)?.["requestStats"];
  if (!Array.isArray(list)) return undefined;
  const entries = list.slice(0, MAX_STATS_ENTRIES).flatMap((entry): StatsEntry[] => {
    const fields = record(entry);
    const path = text(fields?.["path"], 128);
    if (fields === undefined || path === undefined) return [];
    const total = amount(fields["totalCount"]);
    const success = amount(fields["successCount"]);
    const latency = amount(fields["totalLatency"] ?? 0);
    // One missing number would make the hour's sum useless (D24).
    return total === undefined || success === undefined || latency === undefined
      ? []
      : [{ path, total, success, latency }];
  });
  return { kind: "stats", entries };
}

const amount = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 && value <= 1e12 ? value : undefined;

/** A string of 1 to `longest` characters. */
const text = (value: unknown, longest: number): string | undefined =>
  typeof value === "string" && value !== "" && value.length <= longest ? value : undefined;

/** Ids may come as numbers; they are stored as their decimal text. */
const identifier = (value: unknown, longest: number): string | undefined =>
  Number.isSafeInteger(value) ? String(value) : text(value, longest);

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
