// Port: the events that tell a business server who comes and goes, and what became of things; and the rules about them: their
// types, their keys, and which of them say what is (a state) and not what happened. What `data` holds: hooks/README.md.
import type { Lane } from "./delivery.ts";
import type { PushId, Uid } from "./device.ts";
import { HOUR } from "./time.ts";

export const EVENT_TYPES = [
  "device.online",
  "device.offline",
  "user.online",
  "user.offline",
  "uid.bound",
  "uid.unbound",
  "topic.occupied",
  "topic.vacated",
  "topic.joined",
  "topic.left",
  "client.packet",
  "notification.arrived",
  "notification.clicked",
  "token.dead",
  "job.finished",
  "lane.stopped",
  "lane.paused",
  "lane.resumed",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What happened is told once each; of a state only the newest counts. */
const HAPPENINGS: ReadonlySet<EventType> = new Set<EventType>([
  "client.packet",
  "notification.arrived",
  "notification.clicked",
  "token.dead",
  "job.finished",
]);

/** An event as it is stored. */
export interface Event {
  /** Its place in the log: rises, also per key, without being dense. */
  readonly seq: number;
  /** Never given twice, also not after the store was restored from a copy. */
  readonly id: string;
  readonly type: EventType;
  /** Events of one key are told in their order. */
  readonly key: string;
  /** When it was written, epoch milliseconds. */
  readonly time: number;
  /** JSON of an object, as it goes out. */
  readonly data: string;
}

/** What goes out: the same text by every way. */
export const eventJson = ({ id, type, time, key, seq, data }: Event): string =>
  `{"id":"${id}","type":"${type}","timestamp":"${new Date(time).toISOString()}","key":${JSON.stringify(key)},"seq":${seq},"data":${data}}`;

export const deviceKey = (pushId: string): string => `device:${pushId}`;
export const userKey = (uid: string): string => `user:${uid}`;
export const topicKey = (topic: string): string => `topic:${topic}`;
export const notificationKey = (id: string): string => `notification:${id}`;
export const laneKey = ({ vendor, app, host }: Lane): string =>
  host === undefined ? `lane:${vendor}/${app}` : `lane:${vendor}/${app}/${host}`;

/** What `laneKey` made. */
export function laneOfKey(key: string): Lane {
  const [vendor = "", app = "", host] = key.slice(key.indexOf(":") + 1).split("/");
  return { vendor, app, ...(host === undefined ? {} : { host }) };
}

/**
 * What a state event is about: a newer one of the same subject says all that an older one did. Undefined: it happened, and nothing
 * that comes later takes its place.
 * @param member of `topic.joined` and `topic.left`: the device
 */
export function subjectOf(type: EventType, key: string, member?: string): string | undefined {
  if (HAPPENINGS.has(type)) return undefined;
  if (type === "topic.joined" || type === "topic.left") return `member ${key} ${member}`;
  return `${type.slice(0, type.indexOf("."))} ${key}`;
}

/** Whether a pattern of the settings takes the type: its name, a family (`user.*`), or all (`*`). */
export function takes(pattern: string, type: EventType): boolean {
  if (pattern === "*") return true;
  return pattern.endsWith(".*") ? type.startsWith(pattern.slice(0, -1)) : pattern === type;
}

/** Whether a pattern takes any type at all. */
export const isPattern = (pattern: string): boolean => EVENT_TYPES.some((type) => takes(pattern, type));

/** Where events are sent to. */
export interface HookPatterns {
  readonly name: string;
  readonly events: readonly string[];
  /** A newer state event takes the place of one of the same subject that still waits. */
  readonly coalesce: boolean;
}

/** What is to be written, as it is configured. */
export interface Wanted {
  readonly hooks: readonly HookPatterns[];
  /** Patterns of what is written though no endpoint takes it: for those who read the log. */
  readonly log: readonly string[];
  /** Topics that begin with one of these are told of. */
  readonly topics: readonly string[];
  /** Milliseconds after the start within which a device that was online has to be back. */
  readonly grace: number;
  /** Milliseconds for which events are kept. */
  readonly keep: number;
}

export const NOTHING_WANTED: Wanted = { hooks: [], log: [], topics: [], grace: 40_000, keep: 72 * HOUR };

/** Types that an endpoint or the log wants; those of topics only where topics are named. */
export function wantedTypes({ hooks, log, topics }: Wanted): ReadonlySet<EventType> {
  const patterns = [...log, ...hooks.flatMap(({ events }) => events)];
  const types = EVENT_TYPES.filter((type) => patterns.some((pattern) => takes(pattern, type)));
  return new Set(types.filter((type) => topics.length > 0 || !type.startsWith("topic.")));
}

/** Who is online has to be known for these. */
export const tracksDevices = (types: ReadonlySet<EventType>): boolean =>
  types.has("device.online") || types.has("device.offline") || types.has("user.online") || types.has("user.offline");

/** Who is in which topic has to be known for these. */
export const tracksTopics = (types: ReadonlySet<EventType>): boolean =>
  types.has("topic.occupied") || types.has("topic.vacated") || types.has("topic.joined") || types.has("topic.left");

/** Who took a device's uid, or gave it one. */
export type BoundBy = "api" | "client" | "platform_limit" | "binding_ttl" | "deleted" | "token_claimed";

/** The reason of what a restart has ended. */
export const RESTARTED = "server_restart";

/** Why and when the devices went that `Devices.disconnect` lists, in the same order. Times are epoch milliseconds. */
export interface Departures {
  readonly reasons: readonly string[];
  readonly times: readonly number[];
}

/** What only live code knows. Times are epoch milliseconds. */
export type Happening =
  /** The device's first connection in a topic; without a device: the first of those that did not say which they are. */
  | {
      readonly kind: "joined";
      readonly topic: string;
      readonly pushId?: PushId;
      /** Of a login that the device's record does not have yet. */
      readonly uid?: Uid;
      readonly platform?: string;
      readonly at: number;
    }
  /** Its last one there. That a device is offline means that it has left all topics. */
  | {
      readonly kind: "left";
      readonly topic: string;
      readonly pushId?: PushId;
      readonly reason: string;
      readonly at: number;
    }
  | {
      readonly kind: "packet";
      readonly pushId: PushId;
      readonly uid?: Uid;
      readonly path: string;
      readonly sequenceId: string;
      /** JSON; absent: there was none. */
      readonly data?: string;
      readonly at: number;
    }
  | {
      readonly kind: "lane";
      readonly change: "stopped" | "paused" | "resumed";
      readonly lane: Lane;
      readonly reason: string;
      readonly until?: number;
      readonly at: number;
    };

/** A device that is connected, and since when. */
export interface PresentDevice {
  readonly pushId: PushId;
  readonly platform?: string;
  readonly since: number;
}

export interface EventQuery {
  /** Those with a higher seq, in their order. */
  readonly after?: number;
  readonly types?: readonly EventType[];
  readonly key?: string;
  /** Written at this time or later, and before that one. */
  readonly from?: number;
  readonly to?: number;
}

export interface EventPage {
  readonly events: readonly Event[];
  /** Gives the next page, as `after`. Absent: there is nothing further. */
  readonly next?: number;
}

/**
 * The log of events. What the engine itself causes (a device connects, is bound, is deleted ...) it writes in the step that causes
 * it; what live code knows it is told. A device goes online with `Devices.connect` and offline with `Devices.disconnect`.
 */
export interface Events {
  /** At the start, before anybody connects, and whenever it changes. What nobody wants is not written. */
  want(wanted: Wanted): Promise<void>;
  /** Whether events of this type are written: what live code asks before it gathers anything. */
  wants(type: EventType): boolean;
  /** Whether it is to be told why and when devices went. */
  readonly tracks: boolean;
  /** Whether it has to be told who is in this topic. */
  watches(topic: string): boolean;
  /** Durable when it resolves. */
  note(happenings: readonly Happening[]): Promise<void>;
  /** These are connected, whatever the engine knew: it may have been told while it could not write, or wanted nothing. */
  present(devices: readonly PresentDevice[], now: number): Promise<void>;
  /** Told after each commit that wrote events, with the newest seq. */
  onWritten(listener: (newest: number) => void): void;
  /**
   * Told that live code has to say again who is present and in which topics: the engine cannot know.
   * @param listener `otherTopics`: those that are told of are others than before
   */
  onGap(listener: (otherTopics: boolean) => void): void;
  /** At most `limit` events that fit, and where the next page begins. */
  list(query: EventQuery, limit: number): Promise<EventPage>;
  /** The seq of the newest event; 0: there is none. */
  newest(): Promise<number>;
  /** The seq of the event with this id; undefined: it is of another life of the store, or no id. */
  seqOf(id: string): number | undefined;
}
