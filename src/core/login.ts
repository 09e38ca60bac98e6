// Client login: what a client's token says, what that lets it do, and the ways in which a token can be wrong. Times are epoch
// milliseconds.
import type { PushId, Uid } from "./device.ts";
import { MINUTE } from "./time.ts";

export const ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** What a valid token says. */
export interface Login {
  /** Its `sub`. */
  readonly uid: Uid;
  /** Epoch milliseconds, as `issuedAt`. */
  readonly expires: number;
  readonly issuedAt: number | undefined;
  readonly jti: string | undefined;
  /** The only device that may use it. */
  readonly pushId: PushId | undefined;
  /** Topics that it permits; `*` at the end matches any rest. Undefined: it says nothing of topics. */
  readonly allow: readonly string[] | undefined;
  /** Topics that it subscribes to. */
  readonly join: readonly string[];
}

/** What a client is told. Codes are for programs: they stay as they are. */
export type LoginCode = "token_missing" | "token_expired" | "token_invalid" | "token_revoked" | "not_allowed";

export interface LoginFault {
  readonly code: LoginCode;
  /** For the log: one of few texts, and what the token had there. */
  readonly reason: string;
  readonly detail?: string;
  /** For the client, instead of the text of the code: the business server's own. */
  readonly message?: string | undefined;
}

export const LOGIN_MESSAGES: Readonly<Record<LoginCode, string>> = {
  token_missing: "a token is needed: as auth.token, as the query token, or by the event authorize",
  token_expired: "the token has expired: get a new one",
  token_invalid: "the token is not valid",
  token_revoked: "the token was revoked: log in again",
  not_allowed: "the token does not allow this",
};

/** Whether the token was refused. */
export const isFault = (read: Login | LoginFault): read is LoginFault => "code" in read;

/** Port: reads tokens. */
export interface TokenReader {
  /**
   * At once where that costs little. Rejects when the key cannot be had now: that says nothing of the token, its client is to try
   * again.
   */
  read(token: string, now: number): Login | LoginFault | Promise<Login | LoginFault>;
}

/** What the configuration asks of clients. */
export interface LoginRules {
  /** A client without a valid token is refused. */
  readonly required: boolean;
  /** Topics with these prefixes need a token that allows them. */
  readonly requiredTopics: readonly string[];
}

/** Clocks may differ by so much. */
export const LEEWAY = MINUTE;
/** A client is told so long before its token expires, and closed so long after. */
export const TOLD_BEFORE = MINUTE;
export const CLOSED_AFTER = 30_000;

const allows = ({ allow = [], join }: Login, topic: string): boolean =>
  join.includes(topic) ||
  allow.some((pattern) => (pattern.endsWith("*") ? topic.startsWith(pattern.slice(0, -1)) : topic === pattern));

/**
 * Why the topic may not be subscribed to. Where a token is required, one with a list of topics permits no others.
 * @param open a topic of the server's own that only `requiredTopics` closes
 */
export function topicFault(
  login: Login | undefined,
  topic: string,
  { required, requiredTopics }: LoginRules,
  open: string,
): LoginFault | undefined {
  const listed = requiredTopics.some((prefix) => topic.startsWith(prefix));
  if (!listed && !(required && login?.allow !== undefined && topic !== open)) return undefined;
  if (login === undefined) return { code: "token_missing", reason: "a topic of client.auth.required_topics" };
  return allows(login, topic) ? undefined : { code: "not_allowed", reason: "a topic that the token does not allow" };
}

// ---- revocation

/** Tokens that no longer count although they have not expired: those of a user issued before some time, or one by its `jti`. */
export interface Revocation {
  readonly kind: "uid" | "jti";
  /** The uid, or the `jti`. */
  readonly name: string;
  /** Of a user. */
  readonly before: number;
  /** It is remembered until then: every token that it is about has expired. */
  readonly until: number;
}

/** A token that does not say when it was issued counts as issued before. */
export const isRevoked = ({ kind, before }: Revocation, { issuedAt = 0 }: Login): boolean =>
  kind === "jti" || issuedAt < before;
