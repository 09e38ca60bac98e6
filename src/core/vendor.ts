// Port: a vendor's push service, and what it says of a token.
import type { Notification } from "./notification.ts";

/** apns, fcm, huawei, honor, xiaomi, oppo, vivo, meizu, umeng, webpush */
export type VendorName = string;

/** A bundle id or package name: selects the credentials a vendor uses. */
export type AppId = string;

/** What a vendor said of one token. `reason` is the vendor's own code and a short text, for the operator; never a secret. */
export type Outcome =
  /**
   * `receipt`: the id the vendor gave, for tracing and for matching its callbacks. `detour`: the token was reached by another way
   * than `Recipient.detour` said; empty: by the first. To be kept with the token.
   */
  | { readonly kind: "accepted"; readonly receipt?: string; readonly detour?: string }
  /**
   * Passing trouble; `after` milliseconds where the vendor said so. Also when nobody knows whether it was taken. `alone`: the
   * vendor did not say which recipient of the request is at fault, so ask again for this one in a request of its own. `once`: after
   * an earlier try that came to nothing there is no further one. `scope`: it is about this token only, so the lane need not slow down.
   * `unanswered`: a host that devices choose gave no answer.
   */
  | {
      readonly kind: "retry";
      readonly reason: string;
      readonly after?: number;
      readonly alone?: true;
      readonly scope?: "token";
      readonly once?: true;
      readonly unanswered?: true;
      readonly suspect?: Suspicion;
    }
  /**
   * The token is dead: forget it. `at`: dead since then (epoch ms), which a token registered later survives. `kept`: so it is said,
   * but our settings may be the reason, and the token stays.
   */
  | { readonly kind: "gone"; readonly reason: string; readonly at?: number; readonly kept?: true }
  /**
   * This message is at fault, or the device's settings block it: never again, but the token stays. `detour`, to be kept with the
   * token: our credentials do not reach it, so it is set aside until there are others.
   */
  | { readonly kind: "refused"; readonly reason: string; readonly suspect?: Suspicion; readonly detour?: string }
  /**
   * Our credentials are at fault: renew once, then stop the lane until they are replaced. `settings`: or what the message asks
   * for, a topic, a channel, a right; where a caller has set such things, it is that message's fault and no more.
   */
  | { readonly kind: "denied"; readonly reason: string; readonly settings?: true }
  /** A quota is spent: the lane rests until then. */
  | { readonly kind: "paused"; readonly until: number; readonly reason: string };

/**
 * The answer may mean that the token is dead: it is when the same is said of it again, at `from` (epoch ms) or later. `orDenied`:
 * said of several tokens, and none accepted, it rather means that our credentials are wrong. `spares`: it never means a death, but
 * that our credentials do not fit this token: said again, the message is refused and the token stays.
 */
export interface Suspicion {
  readonly from: number;
  readonly orDenied?: true;
  readonly spares?: true;
}

/** One delivery's address. `ref` is unique per delivery and the same at every try, for the vendors that can drop a repetition. */
export interface Recipient {
  readonly token: string;
  readonly ref: string;
  /** By which way the vendor reached the token the last time, or that by none, in its own words; absent: the first. */
  readonly detour?: string;
}

/** One of the ways to a lane's tokens that the vendor has closed to us, while the others stay open. */
export interface StoppedWay {
  /** "production", "sandbox": the vendor's own word. */
  readonly way: string;
  readonly reason: string;
  readonly since: number;
  /** It is tried again with the first token after that; epoch ms. */
  readonly until: number;
}

/** A host that devices choose to be reached at, as browsers choose their push service. */
export interface Host {
  readonly name: string;
  /** One of the large services, or named by the operator: no device has made it up. */
  readonly known: boolean;
}

/** How much of a day's quota the vendor has counted as used, by what it said at `at` (epoch ms); it begins anew at `until`. */
export interface Quota {
  readonly limit: number;
  readonly used: number;
  readonly at: number;
  readonly until: number;
}

export interface Vendor {
  readonly name: VendorName;
  /** Recipients one request may carry. */
  readonly batch: number;
  /** Requests of this app that are worth having in flight together. */
  parallel(app: AppId): number;
  /** The first is for tokens that name no app. */
  readonly apps: readonly AppId[];
  /** Where apps are reached in different ways: the vendor of this one, whose batch may be another. */
  part?(app: AppId): Vendor | undefined;
  /** Where devices choose the host: the one of this token; undefined: it leads nowhere. Such a vendor's `batch` is 1. */
  host?(app: AppId, token: string): Host | undefined;
  /** What the vendor would take of this message, or why it would not; nobody is asked. */
  weigh?(app: AppId, note: Notification, now: number): Weighed;
  /** Never throws: one outcome per recipient, in the same order. */
  send(app: AppId, note: Notification, to: readonly Recipient[], now: number): Promise<readonly Outcome[]>;
  /**
   * What the vendor has counted of messages, by the `receipt` of their outcomes. Never throws: what is not to be had now is left
   * out. Only of vendors who can be asked.
   */
  trace?(app: AppId, receipts: readonly string[], now: number): Promise<readonly Trace[]>;
  /** The ways to this app's tokens that are closed. The same array as long as nothing changes. */
  stoppedWays?(app: AppId, now: number): readonly StoppedWay[];
  /** A token of this vendor's form that nobody has. @param host where devices choose it */
  nobody?(app: AppId, host?: string): string;
  /** When the certificate expires by which this app is known to the vendor; epoch ms. Absent: there is none. */
  expires?(app: AppId): number | undefined;
  /** Of this app, as an answer of today told it to this process. Absent: the vendor does not tell, or has not yet today. */
  quota?(app: AppId, now: number): Quota | undefined;
  /** Tries all ways of this app again. */
  reopen?(app: AppId): void;
  /** Ends its connections; what is being sent is answered first. */
  close(): Promise<void>;
}

/** How much of what a vendor takes a message uses. */
export interface Weight {
  readonly what: "android.title" | "android.message" | "payload";
  readonly size: number;
  readonly limit: number;
  readonly unit: "characters" | "bytes";
}

export interface Weighed {
  /** Before anything is cut. */
  readonly weights: readonly Weight[];
  /** Why it cannot be sent. */
  readonly problem?: string;
}

/** How many devices a message reached, as the vendor counts them up to now; a count that it did not tell is absent. */
export interface Trace {
  readonly receipt: string;
  /** Those it was sent to and could be. */
  readonly target?: number;
  readonly delivered?: number;
  readonly clicked?: number;
}

/** What a vendor's callback tells of one delivery. */
export interface Receipt {
  /** The vendor's id of the message, or the token it went to. */
  readonly receipt?: string;
  readonly token?: string;
  /** Our own notification id where the vendor hands it back. */
  readonly notification?: string;
  readonly event: "arrived" | "clicked" | "gone" | "suppressed";
  readonly at?: number;
}
