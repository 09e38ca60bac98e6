// What a token's claims must look like (RFC 7519), and what is made of them.
import { PUSH_ID_MIN, type PushId, type Uid } from "../core/device.ts";
import { LEEWAY, type Login, type LoginFault } from "../core/login.ts";
import { isObject } from "../core/object.ts";
import { isReservedTopic } from "../core/topic.ts";

export interface Expected {
  /** "": any. */
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds for which a token may still be valid. */
  readonly maxLifetime: number;
  /** Characters of a uid or pushId, and of a topic. */
  readonly idLength: number;
  readonly topicLength: number;
}

export type Claims = Readonly<Record<string, unknown>>;

/** @param reason one of few texts @param detail what the token has there: 80 characters of it are kept, for the log */
export const invalid = (reason: string, detail?: unknown): LoginFault => ({
  code: "token_invalid",
  reason,
  ...(detail === undefined ? {} : { detail: excerpt(detail) }),
});

/** Of what a stranger wrote. */
function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

const isTime = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 && value <= 1e11;

/** For whom it is, by whom, and whether its time is now: all that is looked at before a key is fetched. */
export function termFault(claims: Claims, expected: Expected, now: number): LoginFault | undefined {
  const { iss, aud, exp, nbf, iat } = claims;
  if (expected.issuer !== "" && iss !== expected.issuer) return invalid("iss is not client.auth.issuer", iss);
  if (expected.audience !== "" && !(Array.isArray(aud) ? aud : [aud]).includes(expected.audience))
    return invalid("aud does not have client.auth.audience", aud);
  if (exp === undefined) return invalid("it has no exp");
  if (!isTime(exp)) return invalid("exp must be seconds since 1970", exp);
  if (now >= exp * 1000 + LEEWAY) return { code: "token_expired", reason: "exp is over" };
  if (exp * 1000 - now > expected.maxLifetime + LEEWAY)
    return invalid("exp is further away than client.auth.max_lifetime", exp);
  if (nbf !== undefined && !isTime(nbf)) return invalid("nbf must be seconds since 1970", nbf);
  if (nbf !== undefined && now < nbf * 1000 - LEEWAY) return invalid("nbf has not come yet", nbf);
  if (iat !== undefined && !isTime(iat)) return invalid("iat must be seconds since 1970", iat);
  if (iat !== undefined && now < iat * 1000 - LEEWAY) return invalid("iat has not come yet", iat);
  return undefined;
}

/** @param claims without a `termFault` */
export function loginOf(claims: Claims, expected: Expected): Login | LoginFault {
  const { sub, exp, iat, jti, pushbox } = claims;
  const { idLength } = expected;
  if (!isText(sub, 1, idLength)) return invalid(`sub must be a string of 1 to client.max_id_length characters`, sub);
  if (jti !== undefined && !isText(jti, 1, idLength))
    return invalid("jti must be a string of 1 to client.max_id_length characters", jti);
  if (pushbox !== undefined && !isObject(pushbox)) return invalid("pushbox must be an object", pushbox);
  const { pushId, allow, join = [] } = pushbox ?? {};
  if (pushId !== undefined && !isText(pushId, PUSH_ID_MIN, idLength))
    return invalid("pushbox.pushId must be a string that is a pushId", pushId);
  if (allow !== undefined && !isList(allow, (pattern) => isPattern(pattern, expected.topicLength)))
    return invalid("pushbox.allow must be a list of topics, with * only at their ends", allow);
  if (!isList(join, (topic) => isTopic(topic, expected.topicLength)))
    return invalid("pushbox.join must be a list of topics", join);
  return {
    uid: sub as Uid,
    expires: (exp as number) * 1000,
    issuedAt: iat === undefined ? undefined : (iat as number) * 1000,
    jti,
    pushId: pushId as PushId | undefined,
    allow,
    join,
  };
}

const isText = (value: unknown, least: number, most: number): value is string =>
  typeof value === "string" && value.length >= least && value.length <= most && value.isWellFormed();

const isList = (value: unknown, fits: (item: unknown) => boolean): value is readonly string[] =>
  Array.isArray(value) && value.every(fits);

const isTopic = (value: unknown, most: number): boolean =>
  isText(value, 1, most) && !value.includes("*") && !isReservedTopic(value);

const isPattern = (value: unknown, most: number): boolean =>
  isText(value, 1, most + 1) && /^[^*]*\*?$/.test(value) && !isReservedTopic(value);
