// The token of a device: what is the same one, since when it is known, what a device has instead of one.
import type { Token } from "../core/device.ts";

export interface TokenColumns {
  readonly type: string | null;
  readonly token: string | null;
  readonly package: string | null;
  readonly token_time: number | null;
  readonly update_time: number;
}

/** Whether the device has this very token, of the same type and app. */
export const hasToken = (row: TokenColumns, token: Token): boolean =>
  row.token === token.token && row.type === token.type && row.package === (token.packageName ?? null);

/** When the token was stored or last heard from its device. Older records do not say. */
export const tokenTime = (row: TokenColumns): number => row.token_time ?? row.update_time;

/** What stands for a token's type at a device that has none; undefined: its platform is neither iOS nor Android. */
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
