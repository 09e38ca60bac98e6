// What one vendor file has to say: the vendor's document as code. A dialect only translates. It opens no connection, reads no
// clock (it takes `now`), stores, retries and counts nothing; client.ts makes a Vendor of it.
import type { Wording } from "../core/language.ts";
import type { Notification } from "../core/notification.ts";
import type { VendorTraits } from "../core/traits.ts";

import type { AppId, Host, Outcome, Receipt, Recipient, Trace } from "../core/vendor.ts";
import type { Signatures } from "./signatures.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST";
  /** Absolute. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** A string or bytes, so that a refused HTTP/2 stream can be replayed. */
  readonly body?: string | Uint8Array;
}

export interface HttpReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** At most 1 MB; what is longer was cut off. */
  readonly body: string;
}

/** What authorises requests for a while: an OAuth token, a signed JWT. */
export interface Credential {
  readonly value: string;
  /** Not used from then on, epoch milliseconds. */
  readonly expires: number;
  /** Replaced in the background from then on; without it, 5 minutes before it expires. */
  readonly renew?: number;
  /**
   * A denial does not replace it before then, unless the vendor says that it has expired. Without it any denial replaces it, save
   * in the 30 seconds after it has itself replaced one that was denied.
   */
  readonly keep?: number;
}

/** Of vendors that sign each request, or know us by our certificate. */
export const NO_CREDENTIAL: Credential = { value: "", expires: Number.POSITIVE_INFINITY };

/** One request to a vendor's token endpoint. Rejects on transport trouble. */
export type Exchange = (request: HttpRequest) => Promise<HttpReply>;

/** Reads a file that the configuration names; throws an Error whose message names the file. */
export type ReadFile = (path: string) => string;

/** One key of `[[vendors.<name>]]`: for the file that `pushbox init` writes, and for showing a configuration. */
export interface Key {
  readonly name: string;
  /** One line. */
  readonly why: Wording;
  readonly example: string | number | boolean | Readonly<Record<string, unknown>> | readonly string[];
  /** Its value is never shown. */
  readonly secret?: true;
}

/** What every configured app has, whatever its vendor. */
export interface CommonApp {
  readonly app: AppId;
  /** Apps with the same key share connections and credential. Holds no secret. */
  readonly account: string;
  /** What a token that is set aside is waiting for to change; without it `account`. */
  readonly identity?: string;
  /** Where requests go: the vendor's own host, or what `base_url` overrides. Without a trailing slash. */
  readonly baseUrl: string;
  /** PEM client certificate and key, where that is how the vendor authenticates. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Which of a vendor's separate services this is, where a token lives in one of them. */
  readonly environment?: string;
  /** The host came from a device: only public addresses are connected to. */
  readonly publicOnly?: boolean;
  /** The operator has named that host: a proxy may resolve it, where otherwise we do, to see that it is public. */
  readonly vouched?: boolean;
}

/** How the vendor wants to be connected to (README.md 11). */
export interface Transport {
  readonly http2: boolean;
  readonly connections: number;
  /** Concurrent requests per connection: streams of HTTP/2; 1 otherwise. */
  readonly streams: number;
  /** Milliseconds until an unanswered request is given up. */
  readonly timeout: number;
  /** One request first; the others once it has succeeded. */
  readonly gate: boolean;
}

/** A message that cannot be sent to this vendor at all: too long, nothing to show. The text names the vendor and the size. */
export class Unsendable extends Error {}

/** What an answer says of one recipient: its outcome, or that another of its routes should be asked. */
export type Answer =
  | Outcome
  /**
   * Not known here. `outcome` holds when no route is left. `environment`: which routes still are: only those in the environment
   * that was asked, or only those in another. With `denied`, our credential does not cover this route: what the others say of the
   * token proves nothing then.
   */
  | {
      readonly kind: "elsewhere";
      readonly outcome: Outcome;
      readonly environment?: "same" | "other";
      /** As in `denied`. */
      readonly settings?: true;
    }
  /** `outcome` holds, and later requests go by another connection: the server is leaving this one. */
  | { readonly kind: "leave"; readonly outcome: Outcome }
  /** `outcome` holds. It concerns the tokens that are reached by this way, behind the vendor, and says nothing of the others. */
  | { readonly kind: "apart"; readonly way: string; readonly outcome: Outcome }
  /** The token is none of our credentials': it is set aside until there are others. */
  | { readonly kind: "aside"; readonly reason: string }
  /**
   * What the request was made with is out of date: it is made anew, once, with another credential, on another connection, or
   * with the time it is by then. `outcome` holds where that does not help.
   */
  | { readonly kind: "anew"; readonly with: "credential" | "connection" | "time"; readonly outcome: Outcome };

export interface Dialect<App extends CommonApp> extends VendorTraits {
  readonly batch: number;
  readonly transport: Transport;
  /**
   * What it says of a dead token it may say of another app's as well: with wrong settings, of every one. So a token is dead only
   * once another has been accepted.
   */
  readonly doubtful?: true;
  /** A token that leads nowhere, where one must be of a kind: a message is weighed with it. */
  readonly sample?: string;
  /** For people: whose service it is. */
  readonly title: Wording;
  /** All that an entry may hold. */
  readonly keys: readonly Key[];
  /**
   * Checks one entry of the configuration (`[[vendors.<name>]]`, already plain values) and reads the files it names.
   * @throws PushError("invalid") with all problems, each naming its key: "apns.key_file: not a .p8 key: ..."
   */
  parse(entry: unknown, read: ReadFile, now: number): App;
  /**
   * Where to ask for this recipient, in order: variants of `app` with another `baseUrl` and `account`, and other apps, for a token
   * may be of one that it does not name. The next one is asked when an answer is `elsewhere`. Without it `app` is the only route.
   * For dialects with a batch of 1.
   * @param apps all that are configured; without it, only this one
   * @throws Unsendable when the token leads nowhere
   */
  route?(app: App, token: string, apps?: readonly App[]): readonly [App, ...App[]];
  /**
   * The host that the device chose to be reached at, where it may be any: what it answers, or that it does not, says nothing of
   * other hosts. Never throws: undefined for what is no token.
   */
  host?(app: App, token: string): Host | undefined;
  /**
   * The host that knows this token, where a vendor's hosts know different ones: a variant of `app` with another `baseUrl` and
   * `account`. Recipients of different hosts go in requests of their own. Without it `app` serves them all.
   */
  home?(app: App, token: string): App;
  /**
   * Servers that stand in for each other: variants of `app` with another `baseUrl` and `account`. They take turns, and where one
   * cannot be reached or answers `elsewhere` the next one is asked, each at most once. Our credentials are at fault only where all
   * of them say so. Without it there is only `app`.
   */
  peers?(app: App): readonly [App, ...App[]];
  /**
   * A fresh credential.
   * @param expired the one before, where the vendor says that its time is over
   * @param signatures those that are made seldom
   * @throws Denied when the vendor refuses our secrets; other errors are passing trouble
   */
  credential(app: App, now: number, exchange: Exchange, expired?: string, signatures?: Signatures): Promise<Credential>;
  readonly preparing?: Preparing<App>;
  /**
   * @param prepared what the message is called at the vendor, where `preparing` says so
   * @throws Unsendable
   */
  encode(
    app: App,
    note: Notification,
    to: readonly Recipient[],
    credential: string,
    now: number,
    prepared?: string,
  ): HttpRequest;
  /** A token that nobody has, where any text would not do. */
  nobody?(host: string | undefined): string;
  /** One outcome per recipient, same order. An answer that makes no sense is `retry`. */
  decode(app: App, reply: HttpReply, to: readonly Recipient[], now: number, prepared?: string): readonly Answer[];
  /**
   * How much of the day's quota this answer to a request to send says is used, of how much; undefined: it says nothing. Days begin
   * at midnight UTC+8.
   */
  quota?(reply: HttpReply): { readonly limit: number; readonly used: number } | undefined;
  readonly trace?: Tracing<App>;
  /** What it wants to read when it has posted; without it, it takes its call for failed. Absent: the 200 is enough. */
  readonly receiptAnswer?: Readonly<Record<string, unknown>>;
  /** What the vendor posts to us. @throws PushError("denied") for a wrong signature, PushError("invalid") for nonsense */
  receipts?(
    app: App,
    request: { readonly headers: Readonly<Record<string, string>>; readonly query: string; readonly body: string },
  ): readonly Receipt[];
}

/** The message is stored at the vendor, under a name that it gives, before lists of recipients are sent with that name alone. */
export interface Preparing<App extends CommonApp> {
  /** Recipients of one request that make it a list; fewer get the message itself. */
  readonly from: number;
  /** @throws Unsendable */
  encode(app: App, note: Notification, credential: string, now: number): HttpRequest;
  /** What the vendor's answer to that means. */
  decode(app: App, reply: HttpReply, now: number): Prepared;
}

export type Prepared =
  | { readonly kind: "prepared"; readonly name: string }
  /** No further message is taken before then (epoch ms), but single recipients are. */
  | { readonly kind: "alone"; readonly until: number; readonly reason: string }
  | Exclude<Outcome, { readonly kind: "accepted" }>;

/** Asks for what a vendor has counted of messages. */
interface Tracing<App extends CommonApp> {
  /** Receipts one request may ask for. */
  readonly batch: number;
  encode(app: App, receipts: readonly string[], credential: string, now: number): HttpRequest;
  /** Nothing for an answer that makes no sense, or says that the message is unknown. */
  decode(app: App, reply: HttpReply, receipts: readonly string[]): readonly Trace[];
}

/** The vendor refused our credentials. */
export class Denied extends Error {}
