// What a client says, parsed and checked into typed commands. What does not fit is no command at all: it changes nothing, and the
// client is told so (D2, D19, README 4.12).
import type { ArrivalEvidence } from "../../core/arrival.ts";
import type { PushId, Token, Uid } from "../../core/device.ts";
import { LONGEST_TOKEN, PUSH_ID_MIN } from "../../core/device.ts";
import { randomId } from "../../core/id.ts";
import { isObject } from "../../core/object.ts";
import type { PacketId } from "../../core/packet.ts";
import { isReservedTopic, RESERVED_TOPIC } from "../../core/topic.ts";
import { PLAIN, type Traits } from "../../core/traits.ts";
import type { Refusal, RefusalCode } from "./refusals.ts";

export interface EventLimits {
  /** Characters of a topic's name. */
  readonly topicLength: number;
  /** Characters of a tag. */
  readonly tagLength: number;
  /** Tags per device. */
  readonly tags: number;
  /** Characters of any id. */
  readonly idLength: number;
  /** Topics per connection, and the memory that they take (`topicCost`). */
  readonly topics: number;
  readonly topicBytes: number;
}

/** A position that a client gave: a packet's id, or where it was told to be (README 4.16). Absent: it gave none. */
export interface Given {
  readonly after?: PacketId;
  readonly since?: number;
  /** `null`: it has none yet and wants to be told one. */
  readonly fresh?: true;
}

export interface Subscription extends Given {
  readonly topic: string;
}

interface Hello {
  readonly kind: "hello";
  readonly pushId: PushId;
  readonly platform?: string;
  readonly subscriptions: readonly Subscription[];
  /** Of its device's own channel. */
  readonly own?: Given;
  /** The client keeps exact positions; those that it gives are of this epoch, "" when it has none. */
  readonly epoch?: string;
  readonly tags?: readonly string[];
  readonly token?: Token;
  readonly acks?: true;
  readonly background?: true;
}

export type Command =
  | Hello
  | ({ readonly kind: "subscribe" } & Subscription)
  | { readonly kind: "unsubscribe"; readonly topic: string }
  | { readonly kind: "check" }
  | { readonly kind: "ground"; readonly background: boolean }
  | { readonly kind: "setTags"; readonly tags: readonly string[] }
  | { readonly kind: "changeTag"; readonly tag: string; readonly present: boolean }
  | { readonly kind: "token"; readonly token: Token }
  | { readonly kind: "bindUid"; readonly uid: Uid }
  | { readonly kind: "unbindUid" }
  | { readonly kind: "arrival"; readonly id: string; readonly counter: ArrivalEvidence; readonly sentAt?: number }
  | { readonly kind: "stats"; readonly entries: readonly StatsEntry[] };

/** What a client says to the business server. */
export interface ClientPacket {
  readonly path: string;
  readonly sequenceId: string;
  /** JSON. */
  readonly data?: string;
}

const MOST_PATH = 256;
const MOST_PACKET_DATA = 65_536;

/** The argument of `packetProxy`, which is only looked at where somebody wants it. */
export function parsePacket(value: unknown, limits: EventLimits, refused: Refusal[]): ClientPacket | undefined {
  const fields = record(value);
  const path = text(fields?.["path"], MOST_PATH);
  const data = absent(fields?.["data"]) ? undefined : JSON.stringify(fields?.["data"]);
  const refuse = (message: string): undefined => void refused.push({ code: "event_malformed", message });
  if (path === undefined) return refuse(`packetProxy must have a path, a string of 1 to ${MOST_PATH} characters`);
  if (data !== undefined && data.length > MOST_PACKET_DATA)
    return refuse(`data of packetProxy may have ${MOST_PACKET_DATA} characters as JSON`);
  const sequenceId = identifier(fields?.["sequenceId"], limits.idLength) ?? randomId();
  return data === undefined ? { path, sequenceId } : { path, sequenceId, data };
}

export interface StatsEntry {
  readonly path: string;
  readonly total: number;
  readonly success: number;
  readonly latency: number;
}

const MAX_EPOCH = 64;
const MAX_STATS_ENTRIES = 100;

/**
 * @param refused gets what of a known event does not fit and is not done; an event of which nothing fits has no command
 * @returns undefined also for an unknown event, which is ignored
 */
export function parseEvent(
  name: string,
  args: readonly unknown[],
  limits: EventLimits,
  refused: Refusal[] = [],
  traits: Pick<Traits, "clickCounter"> = PLAIN,
): Command | undefined {
  const [first] = args;
  const refuse = (code: RefusalCode, message: string): undefined => {
    refused.push({ code, message });
    return undefined;
  };
  switch (name) {
    case "pushId":
      return hello(first, limits, refuse);
    case "subscribeTopic": {
      const fields = record(first);
      const topic = topicName(fields?.["topic"], limits, refuse);
      return topic === undefined ? undefined : { kind: "subscribe", topic, ...given(fields?.["lastPacketId"], limits) };
    }
    case "unsubscribeTopic": {
      const topic = topicName(record(first)?.["topic"], limits, refuse);
      return topic === undefined ? undefined : { kind: "unsubscribe", topic };
    }
    case "check":
      return { kind: "check" };
    case "setTags": {
      if (first === null) return undefined; // SDKs send it for "no change"
      const tags = tagList(first, limits, refuse);
      return tags && { kind: "setTags", tags };
    }
    case "addTag":
    case "removeTag": {
      const tag = text(record(first)?.["tag"], limits.tagLength);
      if (tag === undefined) return refuse("tag_invalid", tagExpected(limits));
      return { kind: "changeTag", tag, present: name === "addTag" };
    }
    case "token":
    case "apnToken": {
      const token = deviceToken(first, limits);
      return token === undefined ? refuse("token_invalid", TOKEN_EXPECTED) : { kind: "token", token };
    }
    case "bindUid": {
      const uid = identifier(record(first)?.["uid"], limits.idLength);
      if (uid === undefined) return refuse("uid_invalid", `uid must be a string of 1 to ${limits.idLength} characters`);
      return { kind: "bindUid", uid: uid as Uid };
    }
    case "unbindUid":
      return { kind: "unbindUid" };
    case "background":
    case "foreground":
      return { kind: "ground", background: name === "background" };
    case "notificationReply":
      return arrival(name, first, "arrive_android", limits, refuse);
    case "umengReply":
      return arrival(name, first, "arrive_umeng", limits, refuse);
    case "notificationClick":
      return arrival(name, first, traits.clickCounter(record(first)?.["type"]), limits, refuse);
    case "stats":
      return stats(first, refuse);
    default:
      return undefined;
  }
}

/** Notes a refusal; what it returns stands for "no command". */
type Refuse = (code: RefusalCode, message: string) => undefined;

function hello(value: unknown, limits: EventLimits, refuse: Refuse): Command | undefined {
  const fields = record(value);
  const id = fields?.["id"];
  if (fields === undefined || id === undefined || id === null)
    return refuse(
      "push_id_missing",
      'the argument of pushId must be an object with an id, like {"id":"0123456789abcdef"}',
    );
  const pushId = text(id, limits.idLength);
  if (pushId === undefined || pushId.length < PUSH_ID_MIN)
    return refuse("push_id_invalid", `id must be a string of ${PUSH_ID_MIN} to ${limits.idLength} characters`);
  const platform = text(fields["platform"], 64)?.toLowerCase();
  const own = absent(fields["lastUnicastId"]) ? NONE : given(fields["lastUnicastId"], limits);
  const epoch = absent(fields["epoch"]) ? undefined : (text(fields["epoch"], MAX_EPOCH) ?? "");
  const tags = absent(fields["tags"]) ? undefined : tagList(fields["tags"], limits, refuse);
  const token = absent(fields["token"]) ? undefined : deviceToken(fields["token"], limits);
  if (token === undefined && !absent(fields["token"])) refuse("token_invalid", TOKEN_EXPECTED);
  // Assigned, not spread: every connection says hello, and each spread is an object more.
  const command: { -readonly [Key in keyof Hello]: Hello[Key] } = {
    kind: "hello",
    pushId: pushId as PushId,
    subscriptions: subscriptions(fields["topics"], fields["lastPacketIds"], limits, refuse),
  };
  if (platform !== undefined) command.platform = platform;
  if (fields["ack"] === true) command.acks = true;
  if (fields["background"] === true) command.background = true;
  if (own !== NONE) command.own = own;
  if (epoch !== undefined) command.epoch = epoch;
  if (tags !== undefined) command.tags = tags;
  if (token !== undefined) command.token = token;
  return command;
}

const absent = (value: unknown): boolean => value === undefined || value === null;

/** Each kind of refusal once, however many topics it concerns. */
function subscriptions(topics: unknown, positions: unknown, limits: EventLimits, refuse: Refuse): Subscription[] {
  if (absent(topics)) return [];
  if (!Array.isArray(topics)) {
    refuse("event_malformed", "topics must be an array of strings");
    return [];
  }
  const names = new Set<string>();
  const told = new Set<RefusalCode>();
  const once: Refuse = (code, message) => {
    if (!told.has(code)) refuse(code, message);
    told.add(code);
    return undefined;
  };
  for (const topic of topics) {
    const name = topicName(topic, limits, once);
    if (name !== undefined && names.size < limits.topics) names.add(name);
    else if (name !== undefined && !names.has(name)) once("topics_limit", topicsLimit(limits));
  }
  const known = record(positions);
  return Array.from(names, (topic) => {
    const at = known !== undefined && Object.hasOwn(known, topic) ? given(known[topic], limits) : NONE;
    return at === NONE ? { topic } : { topic, ...at };
  });
}

/** No position. */
const NONE: Given = {};
const FRESH: Given = { fresh: true };

function given(position: unknown, limits: EventLimits): Given {
  if (position === null) return FRESH;
  if (Number.isSafeInteger(position) && (position as number) >= 0) return { since: position as number };
  const after = text(position, limits.idLength);
  return after === undefined ? NONE : { after };
}

function topicName(value: unknown, limits: EventLimits, refuse: Refuse): string | undefined {
  const topic = text(value, limits.topicLength);
  if (topic === undefined)
    return refuse("topic_invalid", `topic must be a string of 1 to ${limits.topicLength} characters`);
  return isReservedTopic(topic) ? refuse("topic_reserved", RESERVED_TOPIC) : topic;
}

/** What a client is told that asks for more. */
export const topicsLimit = ({ topics }: EventLimits): string =>
  `a connection may subscribe to ${topics} topics (client.max_topics)`;

/** Bytes that a subscription takes when nobody else has that topic: measured 408, and 1.35 for each character. */
export const topicCost = (topic: string): number => 400 + topic.length;

/** What a client is told whose topics take more. */
export const topicBytesLimit = ({ topicBytes }: EventLimits): string =>
  `the topics of a connection may take ${topicBytes} bytes (client.max_topic_bytes)`;

const tagExpected = ({ tagLength }: EventLimits): string => `tag must be a string of 1 to ${tagLength} characters`;

/** What a client is told whose device would have more. */
export const tagsLimit = ({ tags }: EventLimits): string => `a device may have ${tags} tags (client.max_tags)`;

/** All strings, or no list at all; a tag that comes twice is one. */
function tagList(value: unknown, limits: EventLimits, refuse: Refuse): string[] | undefined {
  if (!Array.isArray(value)) return refuse("event_malformed", "tags must be an array of strings");
  if (!value.every((tag) => text(tag, limits.tagLength) !== undefined))
    return refuse("tag_invalid", tagExpected(limits));
  const tags = [...new Set(value as string[])];
  return tags.length > limits.tags ? refuse("tags_limit", tagsLimit(limits)) : tags;
}

const TOKEN_EXPECTED = "token and type must be strings that are not empty";

/** Both the current form and the one of 2015: `{apnToken, bundleId}`. */
function deviceToken(value: unknown, limits: EventLimits): Token | undefined {
  const fields = record(value);
  if (fields === undefined) return undefined;
  const token = text(subscriptionText(fields["token"]) ?? fields["token"] ?? fields["apnToken"], LONGEST_TOKEN);
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

function arrival(
  event: string,
  value: unknown,
  counter: ArrivalEvidence,
  limits: EventLimits,
  refuse: Refuse,
): Command | undefined {
  const fields = record(value);
  const id = text(fields?.["id"], limits.idLength);
  if (id === undefined) return refuse("event_malformed", `${event} must have the id of a notification`);
  const sentAt = fields?.["timestamp"];
  return typeof sentAt === "number" && Number.isFinite(sentAt)
    ? { kind: "arrival", id, counter, sentAt }
    : { kind: "arrival", id, counter };
}

function stats(value: unknown, refuse: Refuse): Command | undefined {
  const list = record(value)?.["requestStats"];
  if (!Array.isArray(list)) return refuse("event_malformed", "stats must have an array requestStats");
  if (list.length > MAX_STATS_ENTRIES) refuse("event_malformed", `of requestStats ${MAX_STATS_ENTRIES} are counted`);
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

/** A string of 1 to `longest` characters, none of them half a surrogate pair: two that differ in that alone would be one in the store. */
export const text = (value: unknown, longest: number): string | undefined =>
  typeof value === "string" && value !== "" && value.length <= longest && value.isWellFormed() ? value : undefined;

/** Ids may come as numbers; they are stored as their decimal text. */
export const identifier = (value: unknown, longest: number): string | undefined =>
  Number.isSafeInteger(value) ? String(value) : text(value, longest);

/** undefined: it is no object. */
export function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return isObject(value) ? value : undefined;
}
