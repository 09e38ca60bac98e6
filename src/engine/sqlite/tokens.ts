// The token of a device: what is the same one, since when it is known, what a device has instead of one.
import type { Token } from "../../core/device.ts";

interface TokenColumns {
  readonly type: string | null;
  readonly token: string | null;
  readonly package: string | null;
  readonly token_time: number | null;
  readonly update_time: number;
}

export const hasToken = (row: TokenColumns, token: Token): boolean =>
  row.token === token.token && row.type === token.type && row.package === (token.packageName ?? null);

export const isApple = (type: string): boolean => type === "apn" || type === "apns";

/** When the token was stored or last heard from its device. Older records do not say. */
export const tokenTime = (row: TokenColumns): number => row.token_time ?? row.update_time;

/** Devices whose latest word is remembered: those of the last seconds, even in a storm. */
const MOST_HEARD = 10_000;

/**
 * When devices last brought the token they have. The record says so only by the hour, for each time would be a write; this knows
 * the newest exactly, for a vendor's answer that was on its way meanwhile.
 */
export function heard() {
  const times = new Map<number, number>();
  return {
    set(device: number, now: number): void {
      times.delete(device);
      times.set(device, now);
      if (times.size > MOST_HEARD) times.delete(times.keys().next().value!); // not empty
    },
    time: (device: number): number => times.get(device) ?? 0,
  };
}

/** Apple's tokens came as `<ab cd>` from the system's own description of bytes. Nothing left: no token. */
export function clean(token: Token): Token | undefined {
  const text = token.type === "apn" ? token.token.replace(/[<> ]/g, "") : token.token;
  return text === "" ? undefined : { ...token, token: text };
}

/** What a device's type is when its token of this type is dead. */
export function typeAfter(type: string): string | null {
  if (isApple(type)) return "apnNoToken";
  return type === "webpush" ? null : "androidNoToken"; // a browser has no type of its own
}

export function typeWithoutToken(platform: string | undefined): string | undefined {
  switch (platform?.toLowerCase()) {
    case "ios":
      return "apnNoToken";
    case "android":
      return "androidNoToken";
    default:
      return undefined;
  }
}
