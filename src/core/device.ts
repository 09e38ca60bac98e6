// A device is one installation of an app. Its client chose its pushId; a backend may bind it to a uid.

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Chosen by the client, at least 10 characters. */
export type PushId = Brand<string, "PushId">;
/** A user of the business service, always a string ("1", never 1). */
export type Uid = Brand<string, "Uid">;

export const PUSH_ID_MIN = 10;
/** Characters of a vendor's token. No vendor promises a length; the longest known, a Web Push address, has some hundred. */
export const LONGEST_TOKEN = 4096;

/** Where a vendor finds a device. `type` is the vendor's name as the SDKs spell it: apn, huawei, xiaomi, umeng, fcm ... */
export interface Token {
  readonly type: string;
  readonly token: string;
  readonly packageName?: string;
}

/** The stored record. Times are epoch milliseconds. */
export interface Device {
  readonly pushId: PushId;
  readonly uid?: Uid;
  /** Only what a bind gave; the platform of a live client is its session's. */
  readonly platform?: string;
  /** In the order the client sent them. */
  readonly tags: readonly string[];
  /** The token's type, or `apnNoToken` / `androidNoToken` for a device that has none. */
  readonly type?: string;
  readonly token?: string;
  readonly packageName?: string;
  readonly createTime: number;
  readonly updateTime: number;
}

/** A token that a device had. */
export interface FormerToken {
  readonly type: string;
  /** Its beginning. */
  readonly token: string;
  readonly packageName?: string;
  /** Until when, epoch milliseconds, and why no longer. */
  readonly at: number;
  readonly reason: string;
}

/** What is looked up of a device only where somebody asks for it. */
export interface DevicePast {
  readonly pushId: PushId;
  /** When it was last connected, to within ten minutes. Absent: never. */
  readonly lastSeen?: number;
  /** The newest first, at most three. */
  readonly tokenHistory: readonly FormerToken[];
}

/** Lets a device through by the version in its first tag that starts with `start`. At least one bound is present. */
export interface TagFilter {
  readonly start: string;
  readonly lessThan?: string;
  readonly greaterThan?: string;
}

/** Whether a device with these tags, in stored order, passes. The first tag that starts with `start` decides. */
export function passes(tags: readonly string[], filter: TagFilter): boolean {
  const tag = tags.find((candidate) => candidate.startsWith(filter.start));
  if (tag === undefined) return false;
  const version = tag.slice(filter.start.length);
  if (filter.lessThan !== undefined && compareVersions(version, filter.lessThan) !== -1) return false;
  if (filter.greaterThan !== undefined && compareVersions(version, filter.greaterThan) !== 1) return false;
  return true;
}

/**
 * Compares dotted versions part by part as integers; of two that agree so far the one with fewer parts is smaller.
 * `undefined` when either has a part that is not digits only.
 */
export function compareVersions(a: string, b: string): -1 | 0 | 1 | undefined {
  const left = versionParts(a);
  const right = versionParts(b);
  if (left === undefined || right === undefined) return undefined;
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const l = left[i] ?? 0n;
    const r = right[i] ?? 0n;
    if (l !== r) return l < r ? -1 : 1;
  }
  return left.length === right.length ? 0 : left.length < right.length ? -1 : 1;
}

function versionParts(version: string): bigint[] | undefined {
  // A tag is bounded in length, so these integers are too.
  const parts = version.split(".");
  return parts.every((part) => /^\d+$/.test(part)) ? parts.map(BigInt) : undefined;
}
