// Accepts a notification, and splits a page of its devices into what goes where.
import type { Lane } from "./delivery.ts";
import type { Device, PushId } from "./device.ts";
import { PushError } from "./errors.ts";
import { randomId } from "./id.ts";
import type { Notification, NotificationContent, NotificationId, QuietHours, ReachOrder } from "./notification.ts";
import { checkShown, expiry, showsOnAndroid, showsOnApple, startOf } from "./notification.ts";
import type { AcceptOptions, Addressed, ExpandedPage, Lacking, Late, NotificationTarget, Outbox } from "./outbox.ts";
import type { Packet, Parcel } from "./packet.ts";
import { deviceChannel, topicChannel } from "./packet.ts";
import { quietAt } from "./quiet.ts";
import { DAY } from "./time.ts";
import type { Traits } from "./traits.ts";

/** The topic that clients without a vendor's push service join for notifications to everybody. */
export const NOTI_TOPIC = "noti";

export interface NotifyRequest extends AcceptOptions {
  /** The caller's own. */
  readonly id?: NotificationId;
  readonly content: NotificationContent;
  readonly target: NotificationTarget;
  /** Milliseconds; 0: only for those who are connected now. */
  readonly timeToLive: number;
  readonly type?: string;
  /** Epoch milliseconds; the past is now. */
  readonly sendAt?: number;
  readonly quiet?: QuietHours;
  readonly reach?: ReachOrder;
  readonly callerAddress: string;
}

/** How far ahead a notification may be scheduled. */
const FURTHEST = 366 * DAY;

/** Makes the notification durable and returns its id: the caller's own, or 12 random alphanumerics. */
export async function accept(outbox: Outbox, request: NotifyRequest, now: number): Promise<NotificationId> {
  const { id, content, target, timeToLive, type, sendAt, quiet, reach, callerAddress, ...options } = request;
  if (sendAt !== undefined && sendAt > now + FURTHEST)
    throw new PushError("invalid", "sendAt is more than a year away: give milliseconds since 1970, or an ISO time");
  checkShown(content);
  const note: Notification = {
    id: id ?? randomId(),
    content,
    timeToLive,
    type: type ?? (target.kind === "all" ? "pushAll" : "pushMany"),
    acceptedAt: now,
    ...(sendAt !== undefined && sendAt > now ? { sendAt } : {}),
    ...(quiet === undefined ? {} : { quiet }),
    ...(reach === undefined ? {} : { reach }),
    callerAddress,
  };
  return await outbox.accept(note, target, options);
}

/** Which lane serves this token of this type in this package; undefined: none does. */
export type Routing = (type: string, packageName: string | undefined, token: string) => Lane | undefined;

/** Where one device is reached: by a vendor, over its long connection, or both, where its SDK also keeps a connection. */
interface Way {
  readonly lane?: Lane;
  readonly connected: boolean;
}

/**
 * What one page of devices comes to. A device with a token that a configured vendor serves gets a delivery; any other gets a
 * `noti`, kept whenever the notification has a timeToLive whether or not the device seems to be online: a socket may be half
 * open, and the client's cursor leaves out what did arrive. Once its time has passed nobody gets anything.
 */
export function split(
  note: Notification,
  devices: readonly Device[],
  route: Routing,
  cursor: string | undefined,
  now: number,
  traits: Traits,
): ExpandedPage {
  return pageOf(note, devices, (device) => wayTo(device, route, traits), cursor, now, traits);
}

/**
 * The same for a notification to everybody. Those without a vendor's push service are in the topic `noti`, which one packet
 * reaches (`splitForTopic`): here they are only seen. A device whose token no configured vendor serves is rarely in that topic.
 * @param reached whether the topic's packet has reached the device
 */
export function splitForAll(
  note: Notification,
  devices: readonly Device[],
  route: Routing,
  cursor: string | undefined,
  now: number,
  traits: Traits,
  reached: (pushId: PushId) => boolean = () => false,
): ExpandedPage {
  return pageOf(
    note,
    devices,
    (device) => {
      if (device.token === undefined || device.type === undefined) return undefined;
      const { lane } = wayTo(device, route, traits);
      if (traits.alsoConnected(device.type)) return lane === undefined ? undefined : { lane, connected: false };
      if (lane === undefined && reached(device.pushId)) return undefined;
      return { connected: lane === undefined && titled(note), ...(lane === undefined ? {} : { lane }) };
    },
    cursor,
    now,
    traits,
    true,
  );
}

/** The packet for the topic `noti`, which only makes sense with a title to show. */
export function splitForTopic(
  note: Notification,
  online: number,
  now: number,
): Pick<ExpandedPage, "parcels" | "counts" | "routes"> {
  if (!titled(note) || isLate(note, now)) return { parcels: [], counts: {}, routes: {} };
  return {
    parcels: [{ channel: topicChannel(NOTI_TOPIC), packet: notiPacket(note) }],
    counts: online > 0 ? { target_android: online } : {},
    routes: online > 0 ? { [NOTI_TOPIC]: online } : {},
  };
}

/** Whether it waited for its expansion beyond its time: paced, paused, or because the server was away. */
export const isLate = (note: Notification, now: number): boolean => lateness(note, now) !== undefined;

/** Why it goes nowhere any more. */
export function lateness(note: Notification, now: number): Late | undefined {
  if (expiry(note) <= now) return "expired";
  return quietAt(note, now) === "drop" ? "quiet" : undefined;
}

const titled = (note: Notification): boolean => showsOnAndroid(note.content);

function wayTo({ type, token, packageName }: Device, route: Routing, traits: Traits): Way {
  const lane = type === undefined || token === undefined ? undefined : route(type, packageName, token);
  return lane === undefined ? { connected: true } : { lane, connected: traits.alsoConnected(type) };
}

/** Sending only `android` or only `apn` limits the platforms. */
const shows = (note: Notification, { vendor }: Lane, traits: Traits): boolean =>
  traits.shows(vendor) === "apn" ? showsOnApple(note.content) : titled(note);

/** Undefined: it shows it. */
function lackingAt(note: Notification, { lane, connected }: Way, traits: Traits): Lacking | undefined {
  if (lane !== undefined && !connected) return traits.shows(lane.vendor);
  return titled(note) ? undefined : "title";
}

function pageOf(
  note: Notification,
  devices: readonly Device[],
  /** undefined: the topic's packet already reaches it */
  way: (device: Device) => Way | undefined,
  cursor: string | undefined,
  now: number,
  traits: Traits,
  toEverybody = false,
): ExpandedPage {
  const packet = notiPacket(note);
  const lateAs = lateness(note, now);
  const late = lateAs !== undefined;
  const parcels: Parcel[] = [];
  const addressed: Addressed[] = [];
  const counts: Record<string, number> = {};
  const routes: Record<string, number> = {};
  const add = (sums: Record<string, number>, name: string): void => {
    sums[name] = (sums[name] ?? 0) + 1;
  };
  let skipped = 0;
  for (const device of devices) {
    const found = way(device);
    if (found === undefined) {
      if (!titled(note)) skipped++; // the topic does not get it either
      continue;
    }
    const lane = found.lane !== undefined && shows(note, found.lane, traits) ? found.lane : undefined;
    const lacking = lane === undefined && !late ? lackingAt(note, found, traits) : undefined;
    const who = { pushId: device.pushId, ...(device.uid === undefined ? {} : { uid: device.uid }) };
    if (lacking !== undefined) {
      skipped++;
      // To everybody, as many as there are devices may be skipped: their number is told, not each of them.
      if (!toEverybody) addressed.push({ ...who, lacking });
    }
    if (lane === undefined && !found.connected) {
      if (lacking === undefined) skipped++;
      continue;
    }
    if (lacking === undefined)
      addressed.push({
        ...who,
        ...(lane === undefined ? {} : { via: { lane, type: device.type!, token: device.token! } }), // a lane has a token
      });
    if (lane !== undefined) {
      add(counts, `target_${traits.statisticsName(lane.vendor)}`);
      if (!late) add(routes, lane.vendor);
    }
    if (found.connected && !(late && lane !== undefined)) {
      add(counts, "target_android");
      if (late) continue;
      parcels.push({ channel: deviceChannel(device.pushId), packet }); // an app may read what it does not show
      if (lacking === undefined) add(routes, "connection");
    }
  }
  return {
    ...(cursor === undefined ? {} : { cursor }),
    parcels,
    devices: addressed,
    ...(late ? { late: lateAs } : {}),
    counts,
    seen: devices.length,
    skipped,
    routes,
  };
}

/**
 * The body leaves out what the frame adds for each receiver: a client takes the mere presence of `unicast` for true (R5).
 * What is meant for one vendor alone (`vendors`) stays with the server.
 */
function notiPacket(note: Notification): Packet {
  const {
    id: _id,
    timestamp: _timestamp,
    ttl: _ttl,
    topic: _topic,
    unicast: _unicast,
    vendors: _vendors,
    ...rest
  } = note.content;
  return {
    event: "noti",
    id: note.id,
    body: JSON.stringify(rest),
    expires: note.timeToLive > 0 ? startOf(note) + note.timeToLive : 0,
  };
}
