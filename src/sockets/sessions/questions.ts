// What the business server is asked about a client, and what of its answers can be used.
import type { Said, Verdict } from "../../core/ask.ts";
import { PUSH_ID_MIN, type PushId, type Uid } from "../../core/device.ts";
import { isReservedTopic } from "../../core/topic.ts";
import type { Handshake } from "../transport/types.ts";
import { type EventLimits, identifier, record, text } from "./events.ts";

/** Characters of what an answer has for the client, as JSON. */
const LONGEST_DATA = 65_536;
const MOST_TOPICS = 1000;

/** What a client is told when the business server gives no reason. */
export const NOT_ALLOWED = "the business server does not allow this";

/** What a client that was let in may do, and who it is. */
export interface Welcome {
  readonly uid: Uid | undefined;
  /** The only device that it may be. */
  readonly pushId: PushId | undefined;
  readonly join: readonly string[];
  /** For the client, JSON. */
  readonly data: string | undefined;
}

/** @param payload of CONNECT, JSON */
export function connectQuestion(
  handshake: Handshake | undefined,
  payload: string | undefined,
  about: {
    readonly address: string;
    readonly transport: string;
    readonly revision: number;
    readonly uid: Uid | undefined;
  },
): object {
  return {
    query: Object.fromEntries(new URLSearchParams(handshake?.query ?? "")),
    headers: handshake?.headers ?? {},
    ...(payload === undefined ? {} : { auth: JSON.parse(payload) as unknown }), // the transport has parsed it before
    ...about,
  };
}

/** Of an answer that `fitsWelcome` takes. */
export function welcomeOf(said: Said, limits: EventLimits): Welcome {
  return {
    uid: uidOf(said["uid"], limits),
    pushId: (said["pushId"] as PushId | null | undefined) ?? undefined,
    join: (said["topics"] as readonly string[] | null | undefined) ?? [],
    data: dataOf(said),
  };
}

/** Whether an answer to `connect` can be used (sockets 4.18). */
export const fitsWelcome =
  (limits: EventLimits) =>
  ({ uid, pushId, topics, data }: Said): boolean =>
    (isAbsent(uid) || uidOf(uid, limits) !== undefined) &&
    (isAbsent(pushId) || (text(pushId, limits.idLength)?.length ?? 0) >= PUSH_ID_MIN) &&
    (isAbsent(topics) ||
      (Array.isArray(topics) && topics.length <= MOST_TOPICS && topics.every((topic) => isTopic(topic, limits)))) &&
    isShort(data);

export interface Bound {
  readonly uid: Uid;
  readonly platform: string | undefined;
  readonly platformLimit: number;
  readonly timeToLive: number;
}

/** What to bind: what was said, and of what was not the client's own. Undefined: nobody named a uid. */
export function boundBy({ said }: Verdict, argument: unknown, limits: EventLimits): Bound | undefined {
  const uid = uidOf(said["uid"] ?? record(argument)?.["uid"], limits);
  const { platform, platformLimit, timeToLive } = said;
  return uid === undefined
    ? undefined
    : {
        uid,
        platform: (platform as string | null | undefined) ?? undefined,
        platformLimit: (platformLimit as number | null | undefined) ?? 0,
        timeToLive: (timeToLive as number | null | undefined) ?? 0,
      };
}

/** Whether an answer to `bind_uid` can be used. `timeToLive` is milliseconds; 0 of it, and of `platformLimit`, is none. */
export const fitsBound =
  (limits: EventLimits) =>
  ({ uid, platform, platformLimit, timeToLive }: Said): boolean =>
    (isAbsent(uid) || uidOf(uid, limits) !== undefined) &&
    (isAbsent(platform) || text(platform, 64) !== undefined) &&
    isCount(platformLimit) &&
    isCount(timeToLive);

/** Of questions whose answer is a yes or no. */
export const fitsAnything = (): boolean => true;

/** Whether an answer to `packet` can be used: its `data` has 65,536 characters at most, as JSON. */
export const fitsPacket = ({ data }: Said): boolean => isShort(data);

/** As JSON; undefined: there is none. */
export const dataOf = ({ data }: Said): string | undefined => (data === undefined ? undefined : JSON.stringify(data));

/** Many languages write fields that have no value as null. */
const isAbsent = (value: unknown): boolean => value === undefined || value === null;

const uidOf = (value: unknown, { idLength }: EventLimits): Uid | undefined =>
  identifier(value, idLength) as Uid | undefined;

function isTopic(value: unknown, { topicLength }: EventLimits): boolean {
  const topic = text(value, topicLength);
  return topic !== undefined && !isReservedTopic(topic);
}

const isCount = (value: unknown): boolean =>
  isAbsent(value) || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0);

const isShort = (data: unknown): boolean => data === undefined || JSON.stringify(data).length <= LONGEST_DATA;

/** At once where the value is at hand. */
export const whenSo = <Value, Result>(
  value: Value | Promise<Value>,
  next: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> => (value instanceof Promise ? value.then(next) : next(value));
