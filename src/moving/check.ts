// What a device from elsewhere may be: the limits that clients have too. What does not fit is left out, or the device is skipped.
import { LONGEST_TOKEN, PUSH_ID_MIN, type PushId, type Uid } from "../core/device.ts";
import type { ImportedDevice } from "../core/import.ts";

export interface Limits {
  /** Characters of a pushId or uid, of a tag, and tags of one device. */
  readonly id: number;
  readonly tag: number;
  readonly tags: number;
}

/** Why a record is no device; or the device, and what of it was left out. */
export type Read =
  | { readonly skipped: string }
  | { readonly skipped?: undefined; readonly device: ImportedDevice; readonly without: readonly string[] };

/** As it was written; text may be numbers there. */
export interface Fields {
  readonly pushId?: unknown;
  readonly uid?: unknown;
  readonly uidTimeToLive?: unknown;
  readonly platform?: unknown;
  readonly tags?: unknown;
  readonly type?: unknown;
  readonly token?: unknown;
  readonly packageName?: unknown;
  readonly createTime?: number | undefined;
  readonly updateTime?: number | undefined;
  readonly lastSeen?: number | undefined;
}

const LONGEST_WORD = 256;
/** What Apple's first SDKs left in a token. */
const APPLE_NOISE = /[<> ]/g;

/** Times are epoch milliseconds. */
export function checked(fields: Fields, limits: Limits): Read {
  const pushId = text(fields.pushId);
  if (pushId === undefined) return { skipped: "it has no pushId" };
  if (pushId.length < PUSH_ID_MIN) return { skipped: `its pushId is shorter than ${PUSH_ID_MIN} characters` };
  if (pushId.length > limits.id) return { skipped: `its pushId is longer than ${limits.id} characters` };

  const without: string[] = [];
  function word(value: unknown, name: string, longest: number): string | undefined {
    if (absent(value)) return undefined;
    const found = text(value);
    if (found === undefined) without.push(`${name}, which is no text`);
    else if (found.length > longest) without.push(`${name}, which is longer than ${longest} characters`);
    else return found;
    return undefined;
  }

  const uid = word(fields.uid, "the uid", limits.id);
  const ttl = Number(fields.uidTimeToLive ?? 0);
  const platform = word(fields.platform, "the platform", LONGEST_WORD);
  const type = word(fields.type, "the type of the token", LONGEST_WORD);
  const given = word(fields.token, "the token", LONGEST_TOKEN);
  const packageName = word(fields.packageName, "the package_name", LONGEST_WORD);
  const token = type === "apn" ? given?.replace(APPLE_NOISE, "") : given;
  const usable = token !== undefined && token !== "" && type !== undefined;
  if (token !== undefined && type === undefined) without.push("the token, which has no type");
  return {
    device: {
      pushId: pushId as PushId, // checked above
      ...(uid === undefined ? undefined : { uid: uid as Uid }),
      ...(uid !== undefined && Number.isSafeInteger(ttl) && ttl > 0 ? { uidTimeToLive: ttl } : undefined),
      ...(platform === undefined ? undefined : { platform }),
      tags: tagsOf(fields.tags, limits, without),
      ...(type === undefined ? undefined : { type }),
      ...(usable ? { token } : undefined),
      ...(usable && packageName !== undefined ? { packageName } : undefined),
      ...time("createTime", fields.createTime),
      ...time("updateTime", fields.updateTime),
      ...time("lastSeen", fields.lastSeen),
    },
    without,
  };
}

function tagsOf(given: unknown, limits: Limits, without: string[]): readonly string[] {
  if (absent(given)) return [];
  if (!Array.isArray(given)) {
    without.push("the tags, which are no list");
    return [];
  }
  const tags = new Set<string>();
  for (const one of given) {
    if (absent(one)) continue;
    const tag = text(one);
    if (tag === undefined) without.push("a tag that is no text");
    else if (tag.length > limits.tag) without.push(`a tag that is longer than ${limits.tag} characters`);
    else if (tags.size >= limits.tags && !tags.has(tag)) {
      without.push(`tags beyond the first ${limits.tags}`);
      break;
    } else tags.add(tag);
  }
  return [...tags];
}

const absent = (value: unknown): boolean => value === undefined || value === null || value === "";

/** Ids were numbers at times; one that has lost digits is none. Nor is text with half a surrogate pair, which no client could say. */
function text(value: unknown): string | undefined {
  if (typeof value === "string") return value !== "" && value.isWellFormed() ? value : undefined;
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : undefined;
}

const time = <Name extends string>(name: Name, value: number | undefined) =>
  (value === undefined || !Number.isSafeInteger(value) || value < 0 ? undefined : { [name]: value }) as
    | { readonly [K in Name]: number }
    | undefined;
