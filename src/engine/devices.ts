// The devices of the port, made of the store's calls.
import type { PushId, Uid } from "../core/device.ts";
import type { DevicePage, Devices } from "../core/engine.ts";
import type { DeviceTarget } from "../core/target.ts";
import type { Calls } from "./calls.ts";
import { inPieces } from "./pieces.ts";

/** Each device that goes offline may write several events: about 5 ms. */
const DEPARTURES = 100;

export function localDevices(queue: Calls, clock: () => number): Devices {
  return {
    connect: (hello, now) => queue.call("connect", [hello, now]),
    async disconnect(pushIds, now, gone) {
      if (gone === undefined || gone === null) {
        await inPieces(pushIds, async (piece) => {
          await queue.call("disconnect", [piece, now, gone], piece.length);
          return [];
        });
        return;
      }
      // All at once: the next connection of one of them may come in this very turn.
      const calls: Promise<void>[] = [];
      for (let i = 0; i < pushIds.length; i += DEPARTURES) {
        const cut = <Item>(list: readonly Item[]): readonly Item[] => list.slice(i, i + DEPARTURES);
        const piece = { reasons: cut(gone.reasons), times: cut(gone.times) };
        calls.push(queue.call("disconnect", [cut(pushIds), now, piece], 4 * piece.times.length));
      }
      await Promise.all(calls);
    },
    setTags: (pushId, tags, now) => queue.call("setTags", [pushId, tags, now]),
    changeTag: (pushId, tag, present, now, most) => queue.call("changeTag", [pushId, tag, present, now, most]),
    setToken: (pushId, token, now) => queue.call("setToken", [pushId, token, now]),
    bind: (binding, now) => queue.call("bind", [binding, now]),
    unbind: (who, now, by) =>
      "pushIds" in who
        ? inPieces(who.pushIds, (piece) => queue.call("unbindDevices", [piece, now, by], piece.length))
        : inPieces(who.uids, (piece) => queue.call("unbindUids", [piece, now, by], piece.length)),
    get: (pushIds, now) =>
      inPieces(pushIds, (piece) => queue.call("getDevices", [piece, undefined, now], piece.length)),
    past: (pushIds) => inPieces(pushIds, (piece) => queue.call("pastOf", [piece], piece.length)),
    byUid: (uids, now) => inPieces(uids, (piece) => queue.call("devicesByUid", [piece, now], piece.length)),
    named: (prefix, after, limit, now) => queue.call("devicesNamed", [prefix, after, limit, now], limit),
    byToken: (token, limit, now) => queue.call("devicesByToken", [token, limit, now], limit),
    page: (target, after, limit, now) => page(queue, target, after, limit, now),
    async delete(pushIds, now = clock()) {
      await inPieces(pushIds, async (piece) => {
        await queue.call("deleteDevices", [piece, now], piece.length);
        return [];
      });
    },
    count: () => queue.call("countDevices", []),
  };
}

/** A cursor says where to go on: in the list of the target, after a device, or both ("3:1200"). */
async function page(
  queue: Calls,
  target: DeviceTarget | { readonly kind: "all" },
  after: string | undefined,
  limit: number,
  now: number,
): Promise<DevicePage> {
  const [first = 0, second = 0] = (after ?? "0:0").split(":").map(Number);
  switch (target.kind) {
    case "pushIds": {
      const slice: readonly PushId[] = target.pushIds.slice(first, first + limit);
      const devices = await queue.call("getDevices", [slice, target.filter, now], slice.length);
      return first + limit < target.pushIds.length ? { devices, next: `${first + limit}` } : { devices };
    }
    case "uids": {
      const slice: readonly Uid[] = target.uids.slice(first, first + limit);
      const rows = await queue.call("pageByUids", [slice, second, limit, target.filter, now], limit);
      const index = first + rows.index;
      return index < target.uids.length
        ? { devices: rows.devices, next: `${index}:${rows.last}` }
        : { devices: rows.devices };
    }
    case "tag": {
      const { devices, last } = await queue.call("pageByTag", [target.tag, first, limit, target.filter, now], limit);
      return last === undefined ? { devices } : { devices, next: `${last}` };
    }
    case "all": {
      const { devices, last } = await queue.call("pageOfAll", [first, limit, now], limit);
      return last === undefined ? { devices } : { devices, next: `${last}` };
    }
  }
}
