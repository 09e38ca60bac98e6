// Devices that come from elsewhere: what is known of one, what became of it, and how far an import is.
import type { PushId, Uid } from "./device.ts";

/** Times are epoch milliseconds. */
export interface ImportedDevice {
  readonly pushId: PushId;
  readonly uid?: Uid;
  /** The binding ends after the device was offline for so many milliseconds. Absent: never. */
  readonly uidTimeToLive?: number;
  readonly platform?: string;
  readonly tags: readonly string[];
  /** Of the token; without one `apnNoToken` and the like. */
  readonly type?: string;
  readonly token?: string;
  readonly packageName?: string;
  readonly createTime?: number;
  /** When all this was so. Absent: not known, so whatever is known here is newer. */
  readonly updateTime?: number;
  readonly lastSeen?: number;
}

/**
 * `same`: it is here just so. `older`: what is known here is newer. `token elsewhere`: another device had its token later,
 * so the app was installed again under that pushId.
 */
export type ImportVerdict = "added" | "updated" | "same" | "older" | "token elsewhere";

/** How far an import of one source is; stored with what it has brought. */
export interface ImportState {
  /** Bytes of the source that were worked off, and lines. */
  readonly bytes: number;
  readonly lines: number;
  /** Of whoever imports: JSON. */
  readonly report: string;
}
