// Accepts a notification, and splits a page of its devices into what goes where.
import type { Device } from "./device.ts";
import type { Engine, ExpandedPage } from "./engine.ts";
import { randomId } from "./id.ts";
import type { Notification, NotificationContent, NotificationId } from "./notification.ts";
import type { Packet, Parcel } from "./packet.ts";
import { deviceChannel, topicChannel } from "./packet.ts";

/** The topic that clients without a vendor's push service join for notifications to everybody. */
export const NOTI_TOPIC = "noti";

export interface NotifyRequest {
  readonly content: NotificationContent;
  readonly target: Notification["target"];
  /** Milliseconds; 0: only for those who are connected now. */
  readonly timeToLive: number;
  readonly type?: string;
  readonly callerAddress: string;
}

/** Makes the notification durable and returns its id: the caller's own, or 12 random alphanumerics. */
export async function accept(outbox: Engine["outbox"], request: NotifyRequest, now: number): Promise<NotificationId> {
  const { content, target } = request;
  const own = content["id"];
  const id = typeof own === "string" && own !== "" ? own : randomId();
  await outbox.accept({
    id,
    content,
    target,
    timeToLive: request.timeToLive,
    type: request.type ?? (target.kind === "all" ? "pushAll" : "pushMany"),
    acceptedAt: now,
    callerAddress: request.callerAddress,
  });
  return id;
}

/**
 * What one page of devices comes to: a `noti` for each device. It is kept whenever the notification has a timeToLive, whether
 * or not the device seems to be online: a socket may be half open, and the client's cursor leaves out what did arrive.
 */
export function split(note: Notification, devices: readonly Device[], cursor: string | undefined): ExpandedPage {
  const packet = notiPacket(note);
  return {
    ...(cursor === undefined ? {} : { cursor }),
    parcels: devices.map((device): Parcel => ({ channel: deviceChannel(device.pushId), packet })),
    counts: devices.length > 0 ? { target_android: devices.length } : {},
    pushIds: devices.map((device) => device.pushId),
    uids: [...new Set(devices.flatMap((device) => (device.uid === undefined ? [] : [device.uid])))],
  };
}

/** A notification to everybody: one packet for the topic `noti`, which only makes sense with a title to show. */
export function splitForAll(note: Notification, online: number): ExpandedPage {
  const titled = (note.content.android.title ?? "") !== "";
  return {
    parcels: titled ? [{ channel: topicChannel(NOTI_TOPIC), packet: notiPacket(note) }] : [],
    counts: titled && online > 0 ? { target_android: online } : {},
    pushIds: [],
    uids: [],
  };
}

/**
 * The body leaves out what the frame adds for each receiver: a client takes the mere presence of `unicast` for true (R5).
 * What is meant for one vendor alone (`vendors`) stays with the server. */
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
    expires: note.timeToLive > 0 ? note.acceptedAt + note.timeToLive : 0,
  };
}
