// Reaching users: a message to their connections, and a notification at their vendors for those who do not acknowledge it.
import type { Device, PushId, Uid } from "./device.ts";
import { type Notification, showsOnAndroid, showsOnApple, startOf } from "./notification.ts";
import { lateness, type Routing } from "./notify.ts";
import type { Addressed, ExpandedPage, ReachUser } from "./outbox.ts";
import type { Packet, Parcel } from "./packet.ts";
import { deviceChannel } from "./packet.ts";
import { quietAt } from "./quiet.ts";
import type { Traits } from "./traits.ts";

/**
 * What a part of the users comes to. Every device of theirs is sent the message, kept for those that are away. Their vendors are asked
 * when none has acknowledged it in time; at once for a user of whom no device is awake.
 * @param uids the users of this part, all of them; devices those of theirs that there are
 * @param awake the devices that have a connection, and are not in the background
 */
export function splitReach(
  note: Notification,
  uids: readonly Uid[],
  devices: readonly Device[],
  awake: (pushId: PushId) => boolean,
  route: Routing,
  cursor: string | undefined,
  now: number,
  traits: Traits,
): ExpandedPage {
  const { fallbackAfter = 0, capPerDay } = note.reach ?? {};
  // Quiet hours are the notification's: the message wakes nobody.
  const { quiet: _, ...unquiet } = note;
  const late = lateness(unquiet, now);
  const packet = messageOf(note, now);
  const parcels: Parcel[] = [];
  const addressed: Addressed[] = [];
  const users: ReachUser[] = [];
  const counts: Record<string, number> = {};
  const routes: Record<string, number> = {};
  const own = new Map<Uid, Device[]>(uids.map((uid) => [uid, []]));
  for (const device of devices) if (device.uid !== undefined) own.get(device.uid)?.push(device);
  for (const [uid, theirs] of own) {
    const present = theirs.filter(({ pushId }) => awake(pushId)).length;
    const due = present > 0 ? now + fallbackAfter : now;
    if (late === undefined && present > 0) add(counts, "target_android", present);
    const quiet = quietAt(note, due);
    const ways = quiet === "drop" ? [] : theirs.flatMap((device) => wayTo(note, uid, device, route, traits));
    for (const { via } of ways) {
      const vendor = via!.lane.vendor; // `wayTo` gives no other
      add(counts, `target_${traits.statisticsName(vendor)}`, 1);
      if (late === undefined) add(routes, vendor, 1);
    }
    addressed.push(...ways);
    users.push({ uid, due: typeof quiet === "number" ? quiet : due, planned: ways.length > 0 && late === undefined });
    if (late === undefined) for (const { pushId } of theirs) parcels.push({ channel: deviceChannel(pushId), packet });
  }
  return {
    ...(cursor === undefined ? {} : { cursor }),
    parcels,
    devices: addressed,
    ...(late === undefined ? {} : { late }),
    counts,
    seen: devices.length,
    skipped: 0,
    routes,
    reach: { users, ...(capPerDay === undefined ? {} : { capPerDay }) },
  };
}

function add(sums: Record<string, number>, name: string, n: number): void {
  sums[name] = (sums[name] ?? 0) + n;
}

function wayTo(note: Notification, uid: Uid, device: Device, route: Routing, traits: Traits): Addressed[] {
  const { pushId, type, token, packageName } = device;
  if (type === undefined || token === undefined) return [];
  const lane = route(type, packageName, token);
  if (lane === undefined) return [];
  const shown = traits.shows(lane.vendor) === "apn" ? showsOnApple(note.content) : showsOnAndroid(note.content);
  return shown ? [{ pushId, uid, via: { lane, type, token } }] : [];
}

/** Kept as long as the notification lives, and at least until vendors are asked: so it has a position, by which it is acknowledged. */
function messageOf(note: Notification, now: number): Packet {
  const { json = "null", fallbackAfter = 0 } = note.reach ?? {};
  const life = note.timeToLive > 0 ? startOf(note) + note.timeToLive : 0;
  return { event: "reach", id: note.id, body: json, expires: Math.max(life, now + Math.max(fallbackAfter, 1)) };
}
