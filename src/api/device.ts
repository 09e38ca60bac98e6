// /api/device/get, /api/isConnected, /api/device/list, /api/device/delete (api 3.5, 3.6).
import { wallClock } from "../core/clock.ts";
import type { Device, PushId, Uid } from "../core/device.ts";
import type { DevicePage } from "../core/engine.ts";
import { PushError } from "../core/errors.ts";
import { Pace } from "../core/pace.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json, jsonList, SUCCESS } from "./answer.ts";
import { DEVICES } from "./bounds.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

/** Of more devices than this only the records are told. */
const MOST_DETAILED = 1000;

/** One pushId: the device, or {}; several, or uids: a list of those that are known. */
export async function getDevice(params: Params, actions: Actions, serverId: string): Promise<Response> {
  const now = wallClock();
  const pushIds = params.pushIds();
  if (pushIds !== undefined) {
    const devices = await described(await actions.devices.get(pushIds, now), actions, serverId, now);
    return pushIds.length === 1 ? json(devices[0] ?? {}) : jsonList(devices);
  }
  const uids = params.uids();
  if (uids === undefined) throw new PushError("invalid", "pushId is required");
  return jsonList(await described(await actions.devices.byUid(uids, now), actions, serverId, now));
}

async function described(
  devices: readonly Device[],
  { devices: stored, live }: Actions,
  serverId: string,
  now: number,
): Promise<readonly object[]> {
  const pushIds = devices.map(({ pushId }) => pushId);
  const connected = await live.isConnected(pushIds);
  const record = (device: Device, i: number): object => describe(device, connected[i] === true, serverId);
  if (devices.length > MOST_DETAILED) {
    const pace = new Pace();
    const records: object[] = [];
    for (const device of devices) {
      records.push(record(device, records.length));
      if (records.length % 64 === 0 && pace.over()) await pace.turn();
    }
    return records;
  }
  const [known, connections] = await Promise.all([stored.past(pushIds), live.connectionsOf(pushIds)]);
  const pasts = new Map(known.map((past) => [past.pushId, past]));
  return devices.map((device, i) => {
    const present = connections[i] ?? [];
    const { lastSeen, tokenHistory = [] } = pasts.get(device.pushId) ?? {};
    return {
      ...record(device, i),
      platform: device.platform ?? present.find(({ platform }) => platform !== undefined)?.platform,
      connections: present.map(({ platform: _, since, ...connection }) => ({ ...connection, ...told("since", since) })),
      ...told("lastSeen", connected[i] === true ? now : lastSeen),
      tokenHistory: tokenHistory.map(({ packageName, at, ...token }) => ({
        ...token,
        package_name: packageName,
        ...told("at", at),
      })),
    };
  });
}

/** By one of prefix, uid, tag and token; without any of them all. `next`, given back as `after`, goes on. */
export async function listDevices(params: Params, actions: Actions, serverId: string): Promise<Response> {
  const now = wallClock();
  const [prefix, uid, tag, token] = [
    params.label("prefix"),
    params.label("uid"),
    params.text("tag"),
    params.text("token"),
  ];
  if ([prefix, uid, tag, token].filter((one) => one !== undefined).length > 1)
    throw new PushError("invalid", "prefix, uid, tag and token can't be present at the same time");
  const limit = params.whole("limit", 1, DEVICES.most) ?? DEVICES.usual;
  const after = params.label("after");
  const { devices, next } = await found();
  return json({ code: "success", devices: await described(devices, actions, serverId, now), next });

  async function found(): Promise<DevicePage> {
    if (token !== undefined) return { devices: await actions.devices.byToken(token, limit, now) };
    if (uid !== undefined || tag !== undefined) {
      if (after !== undefined && !/^\d{1,15}(:\d{1,15})?$/.test(after))
        throw new PushError("invalid", "after must be the next of the page before");
      const target = tag === undefined ? { kind: "uids" as const, uids: [uid as Uid] } : { kind: "tag" as const, tag };
      return actions.devices.page(target, after, limit, now);
    }
    const devices = await actions.devices.named(prefix ?? "", after as PushId | undefined, limit, now);
    const last = devices.length < limit ? undefined : devices.at(-1)?.pushId;
    return last === undefined ? { devices } : { devices, next: last };
  }
}

/** Of pushIds that are unknown nothing is said. */
export async function deleteDevice(params: Params, actions: Actions): Promise<Response> {
  const pushIds = params.pushIds();
  if (pushIds === undefined) throw new PushError("invalid", "pushId is required");
  await actions.deleteDevices(pushIds);
  return SUCCESS;
}

/** The key of the form is `pushIdSocketId#<pushId>`: where a store of old kept the device's socket. */
export async function redisGet(params: Params, actions: Actions): Promise<Response> {
  const key = params.text("key") ?? "";
  const pushId = key.slice(key.indexOf("#") + 1);
  if (!key.includes("#") || pushId === "") throw new PushError("invalid", "key is required: pushIdSocketId#<pushId>");
  const [connected] = await actions.live.isConnected([pushId as PushId]);
  return json(connected === true ? { value: 1 } : {});
}

/** The contract's spelling of a device; absent fields are left out. */
const describe = (device: Device, connected: boolean, serverId: string): object => ({
  _id: device.pushId,
  uid: device.uid,
  platform: device.platform,
  socketId: connected ? `${serverId}:${device.pushId}` : undefined,
  tags: device.tags,
  createTime: new Date(device.createTime).toISOString(),
  updateTime: new Date(device.updateTime).toISOString(),
  type: device.type,
  token: device.token,
  package_name: device.packageName,
  connected,
});
