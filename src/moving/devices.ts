// A device as mongoexport writes it: one document of the collection `<prefix>_devices` per line, read and written.
import type { ImportedDevice } from "../core/import.ts";
import { checked, type Limits, type Read } from "./check.ts";

type Document = Readonly<Record<string, unknown>>;

/** Never throws: what is no device says why. */
export function readDevice(line: string, limits: Limits): Read {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { skipped: "the line is not JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { skipped: "the line is no document" };
  const document = value as Document; // any object
  const { _id, uid, uidTimeToLive, platform, tags, type, token, package_name, createTime, updateTime, lastSeen } =
    document;
  return checked(
    {
      pushId: plain(_id),
      uid: plain(uid),
      uidTimeToLive: plain(uidTimeToLive),
      platform: plain(platform),
      tags: Array.isArray(tags) ? tags.map(plain) : tags,
      type: plain(type),
      token: plain(token),
      packageName: plain(package_name),
      createTime: timeOf(createTime),
      updateTime: timeOf(updateTime),
      lastSeen: timeOf(lastSeen),
    },
    limits,
  );
}

/** The same line; what is not set is left out. */
export function writeDevice(device: ImportedDevice): string {
  const { pushId, uid, uidTimeToLive, platform, tags, type, token, packageName, createTime, updateTime, lastSeen } =
    device;
  return JSON.stringify({
    _id: pushId,
    uid,
    platform,
    tags: tags.length > 0 ? tags : undefined,
    createTime: date(createTime),
    updateTime: date(updateTime),
    type,
    token,
    package_name: packageName,
    lastSeen: date(lastSeen),
    uidTimeToLive,
  });
}

const date = (time: number | undefined) => (time === undefined ? undefined : { $date: new Date(time).toISOString() });

/** Numbers of the canonical form are objects: {"$numberInt": "5"}. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { $numberInt, $numberLong, $numberDouble } = value as Document;
  const number = $numberInt ?? $numberLong ?? $numberDouble;
  return typeof number === "string" ? number : value;
}

/** {"$date": "2018-01-31T12:00:00.000Z"}, {"$date": {"$numberLong": "1517400000000"}}, {"$date": 1517400000000}, or any of these bare. */
function timeOf(value: unknown): number | undefined {
  const inner = typeof value === "object" && value !== null ? ((value as Document)["$date"] ?? value) : value;
  const bare = plain(inner);
  if (typeof bare === "number") return Math.trunc(bare);
  if (typeof bare !== "string") return undefined;
  const time = /^-?\d+$/.test(bare) ? Number(bare) : Date.parse(bare);
  return Number.isFinite(time) ? time : undefined;
}
