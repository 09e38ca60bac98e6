// Whom a call addresses: exactly one kind.
import type { PushId, TagFilter, Uid } from "./device.ts";

/** Lists hold no id twice. The filter applies to devices, so never to topics or to everybody. */
export type Target =
  | { readonly kind: "topic"; readonly topic: string }
  | { readonly kind: "pushIds"; readonly pushIds: readonly PushId[]; readonly filter?: TagFilter }
  | { readonly kind: "uids"; readonly uids: readonly Uid[]; readonly filter?: TagFilter }
  | { readonly kind: "tag"; readonly tag: string; readonly filter?: TagFilter }
  | { readonly kind: "all" };

/** The targets that mean stored devices, found page by page. */
export type DeviceTarget = Exclude<Target, { kind: "topic" } | { kind: "all" }>;
