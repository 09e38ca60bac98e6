// Sends a packet to a target. Packets with a timeToLive are durable before the returned promise resolves.
import type { Device, TagFilter } from "./device.ts";
import { passes } from "./device.ts";
import type { Engine } from "./engine.ts";
import { randomId } from "./id.ts";
import type { Packet, Parcel } from "./packet.ts";
import { deviceChannel, topicChannel, uidChannel } from "./packet.ts";
import type { Target } from "./target.ts";

export type PushTarget = Exclude<Target, { kind: "tag" } | { kind: "all" }>;

/** What a caller wants delivered. `body` is JSON text; for `push` an object's. `timeToLive` in milliseconds, 0: not kept. */
export interface Draft {
  readonly event: "p" | "push";
  readonly body: string;
  readonly timeToLive: number;
}

/** Devices looked up at once; between two look-ups other callers get their turn. */
const PAGE = 1000;

/**
 * Sends the draft to the target's live sessions; with a timeToLive also keeps it for those who are away. A uid stands for
 * the devices bound to it now. Each connection gets the packet once.
 * @returns undefined when everything was handed over already (nothing to keep, nothing to look up); otherwise a promise that
 *   resolves once it would survive a crash
 */
export function push(
  engine: Pick<Engine, "broker" | "devices">,
  target: PushTarget,
  draft: Draft,
  now: number,
): Promise<void> | undefined {
  const kept = draft.timeToLive > 0;
  const packet: Packet = {
    event: draft.event,
    id: kept ? randomId() : "",
    body: draft.body,
    expires: kept ? now + draft.timeToLive : 0,
  };
  const parcels = directParcels(target, packet);
  if (parcels === undefined) return pushToDevices(engine, target as DeviceList, packet, now);
  const published = engine.broker.publish(parcels);
  return kept ? published : undefined;
}

/** The parcels of a target that needs no look-up; undefined when the devices' records decide. */
function directParcels(target: PushTarget, packet: Packet): Parcel[] | undefined {
  switch (target.kind) {
    case "topic":
      return [{ channel: topicChannel(target.topic), packet }];
    case "pushIds":
      return target.filter ? undefined : target.pushIds.map((pushId) => ({ channel: deviceChannel(pushId), packet }));
    case "uids":
      // Nothing can be kept for a uid, only for the devices that are bound to it.
      return target.filter || packet.expires > 0
        ? undefined
        : target.uids.map((uid) => ({ channel: uidChannel(uid), packet }));
  }
}

type DeviceList = Extract<PushTarget, { kind: "pushIds" } | { kind: "uids" }>;

async function pushToDevices(
  engine: Pick<Engine, "broker" | "devices">,
  target: DeviceList,
  packet: Packet,
  now: number,
): Promise<void> {
  const published: Promise<void>[] = [];
  const ids: readonly string[] = target.kind === "pushIds" ? target.pushIds : target.uids;
  for (let from = 0; from < ids.length; from += PAGE) {
    const devices =
      target.kind === "pushIds"
        ? await engine.devices.get(target.pushIds.slice(from, from + PAGE), now)
        : await engine.devices.byUid(target.uids.slice(from, from + PAGE), now);
    const parcels = devices
      .filter(passing(target.filter))
      .map((device): Parcel => ({ channel: deviceChannel(device.pushId), packet }));
    if (parcels.length > 0) published.push(engine.broker.publish(parcels));
  }
  await Promise.all(published);
}

const passing = (filter: TagFilter | undefined) => (device: Device) =>
  filter === undefined || passes(device.tags, filter);
