// Sends a packet to a target. Packets with a timeToLive are durable before the returned promise resolves.
import type { Device, TagFilter } from "./device.ts";
import { passes } from "./device.ts";
import type { Engine } from "./engine.ts";
import { randomId } from "./id.ts";
import type { Once } from "./outbox.ts";
import { Pace } from "./pace.ts";
import type { Channel, Packet, PacketId, Parcel } from "./packet.ts";
import { deviceChannel, topicChannel, uidChannel } from "./packet.ts";
import type { Target } from "./target.ts";

export type PushTarget = Exclude<Target, { kind: "tag" } | { kind: "all" }>;

/** What a caller wants delivered. */
export interface Draft {
  readonly event: "p" | "push";
  /** JSON text without line breaks; for `push` an object's. */
  readonly body: string;
  /** Milliseconds; 0: only for those who are connected now. */
  readonly timeToLive: number;
}

/** Devices looked up, or pushed to in one step, at once; in between other callers get their turn. */
const PAGE = 1000;
/** Of a longer list so many are pushed to in one turn at most, when nothing is kept: each is a write to the kernel at its end. */
const AT_ONCE = 128;

/** What the caller is told. */
export interface Pushed {
  /** The packet's id: one for the whole call, however many it addresses. */
  readonly id: PacketId;
  /** Connections that it was handed to; undefined: not known of a call that was made before. */
  readonly online?: number;
}

/**
 * Sends the draft to the target's live sessions; with a timeToLive also keeps it for those who are away. A uid stands for
 * the devices bound to it now. Each connection gets the packet once.
 * @returns at once when everything was handed over already (nothing to keep, nothing to look up); otherwise a promise that
 *   resolves once it would survive a crash
 */
export function push(
  engine: Pick<Engine, "broker" | "devices">,
  target: PushTarget,
  draft: Draft,
  now: number,
): Pushed | Promise<Pushed> {
  const packet = packetOf(draft, now);
  const parcels = directParcels(target, packet);
  const online =
    parcels === undefined
      ? pushToDevices(engine, target as DeviceList, packet, now)
      : parcels.length <= AT_ONCE
        ? engine.broker.publish(parcels.slice(0, AT_ONCE))
        : pushInPieces(engine, parcels, packet);
  return typeof online === "number"
    ? { id: packet.id, online }
    : online.then((connections) => ({ id: packet.id, online: connections }));
}

/**
 * The same for a call that its caller may repeat: each target gets it at most once, whatever crashes and however often it is
 * called. Resolves once that is durable. A long list goes in pieces, each of them noted; a repetition goes on where a crash has
 * cut it. With a timeToLive each target has it then; without one, a crash may have come before the connections got it.
 * @throws PushError("conflict") when the key was used for something else
 */
export async function pushOnce(
  engine: Pick<Engine, "broker" | "devices">,
  target: PushTarget,
  draft: Draft,
  once: Once,
  now: number,
): Promise<Pushed> {
  let packet = packetOf(draft, now);
  let direct = directParcels(target, packet);
  const count = direct?.length ?? idsOf(target as DeviceList).length;
  for (let piece = 0; ; ) {
    const from = piece * PAGE;
    const to = from + PAGE;
    const parcels: readonly Parcel[] =
      direct?.slice(from, to) ?? (await parcelsOf(engine, target as DeviceList, from, to, packet, now));
    const step = { number: piece, last: to >= count };
    const made = await engine.broker.publishOnce(once, step, packet.id, parcels, now);
    if (made.next === undefined) return made;
    piece = made.next;
    if (made.id !== packet.id) {
      packet = { ...packet, id: made.id };
      direct = directParcels(target, packet);
    }
  }
}

/** Without a timeToLive the id only names the call: no client sees it. */
const packetOf = ({ event, body, timeToLive }: Draft, now: number): Packet => ({
  event,
  id: randomId(),
  body,
  expires: timeToLive > 0 ? now + timeToLive : 0,
});

/** Parcels made when they are needed. */
interface Parcels {
  readonly length: number;
  readonly slice: (from: number, to: number) => Parcel[];
}

/** The parcels of a target that needs no look-up; undefined when the devices' records decide. */
function directParcels(target: PushTarget, packet: Packet): Parcels | undefined {
  switch (target.kind) {
    case "topic":
      return { length: 1, slice: () => [{ channel: topicChannel(target.topic), packet }] };
    case "pushIds":
      return target.filter ? undefined : parcelsTo(target.pushIds, deviceChannel, packet);
    case "uids":
      // Nothing can be kept for a uid, only for the devices that are bound to it.
      return target.filter || packet.expires > 0 ? undefined : parcelsTo(target.uids, uidChannel, packet);
  }
}

const parcelsTo = <Id>(ids: readonly Id[], channelOf: (id: Id) => Channel, packet: Packet): Parcels => ({
  length: ids.length,
  slice: (from, to) => ids.slice(from, to).map((id) => ({ channel: channelOf(id), packet })),
});

/** The caller is answered after the last piece, so what it sends next comes next everywhere. */
async function pushInPieces(
  { broker }: Pick<Engine, "broker">,
  { length, slice }: Parcels,
  packet: Packet,
): Promise<number> {
  const pace = new Pace();
  const size = packet.expires > 0 ? PAGE : AT_ONCE;
  let online = 0;
  let before = 0;
  for (let from = 0; from < length; from += size) {
    const published = broker.publish(slice(from, from + size));
    online += typeof published === "number" ? published : await published;
    if (online - before < AT_ONCE / 2 && !pace.over()) continue; // nearly all of them are away
    await pace.turn();
    before = online;
  }
  return online;
}

type DeviceList = Extract<PushTarget, { kind: "pushIds" } | { kind: "uids" }>;

async function pushToDevices(
  engine: Pick<Engine, "broker" | "devices">,
  target: DeviceList,
  packet: Packet,
  now: number,
): Promise<number> {
  const published: (number | Promise<number>)[] = [];
  const { length } = idsOf(target);
  for (let from = 0; from < length; from += PAGE) {
    const parcels = await parcelsOf(engine, target, from, from + PAGE, packet, now);
    if (parcels.length === 0) continue;
    if (packet.expires > 0) published.push(engine.broker.publish(parcels));
    else {
      const slice = (first: number, end: number) => parcels.slice(first, end);
      published.push(await pushInPieces(engine, { length: parcels.length, slice }, packet));
    }
  }
  return (await Promise.all(published)).reduce((sum, online) => sum + online, 0);
}

const idsOf = (target: DeviceList): readonly string[] => (target.kind === "pushIds" ? target.pushIds : target.uids);

/** Those of a part of the list whose devices are known and pass the filter. */
async function parcelsOf(
  { devices }: Pick<Engine, "devices">,
  target: DeviceList,
  from: number,
  to: number,
  packet: Packet,
  now: number,
): Promise<readonly Parcel[]> {
  const found =
    target.kind === "pushIds"
      ? await devices.get(target.pushIds.slice(from, to), now)
      : await devices.byUid(target.uids.slice(from, to), now);
  return found
    .filter(passing(target.filter))
    .map((device): Parcel => ({ channel: deviceChannel(device.pushId), packet }));
}

const passing = (filter: TagFilter | undefined) => (device: Device) =>
  filter === undefined || passes(device.tags, filter);
