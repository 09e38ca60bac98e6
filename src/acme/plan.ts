// When an authority is asked, and what a person is told of it. Pure: no clock, no file.
import { DAY, HOUR, MINUTE } from "../core/time.ts";
import { advisedTime } from "./renewal.ts";
import type { Certificate, Tried } from "./store.ts";

/**
 * Pauses after failures in a row; the last one counts for all that follow. Let's Encrypt takes 5 failed validations an hour, and
 * five equal certificates a week.
 */
const PAUSES = [2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY];
/** Whatever is asked for, restarts and reloads included: so many tries within an hour. */
const TRIES = 4;
/** Of its lifetime a certificate has passed at its renewal; up to `SPREAD` earlier, so that not all come at once. */
const RENEWED_AT = 2 / 3;
const SPREAD = 1 / 30;
/** A pause that an authority asks for is kept up to this. */
const LONGEST_PAUSE = 7 * DAY;

/**
 * When a new certificate is wanted, were it not for pauses: when the authority advises it, else by its lifetime.
 * @param directory of the authority that is configured
 */
export function wantedAt(certificate: Certificate | undefined, tried: Tried, directory: string, now: number): number {
  // That of another authority, such as one for tests, serves until there is one of this.
  if (certificate === undefined || (tried.issuer !== directory && tried.issuer !== "")) return 0;
  const { from, until, dice } = certificate;
  const advised = tried.issuer === directory ? advisedTime(certificate, tried.advice, now) : undefined;
  return advised ?? from + (until - from) * (RENEWED_AT - SPREAD * dice);
}

/** When the authority is asked for its advice; it has some only for certificates of its own that have not expired. */
export function adviceAt(certificate: Certificate | undefined, tried: Tried, directory: string, now: number): number {
  if (certificate?.id === undefined || tried.issuer !== directory || certificate.until <= now)
    return Number.POSITIVE_INFINITY;
  // A clock that was set back makes no pause longer.
  return tried.advice?.id === certificate.id ? Math.min(tried.advice.next, now + DAY) : 0;
}

/** When it may be asked. @param hurry somebody wants it now, whatever the pause; not what the authority is spared by TRIES */
export function allowedAt({ tries, next }: Tried, now: number, hurry: boolean): number {
  const lately = tries.filter((at) => at > now - HOUR && at <= now);
  const spared = lately.length < TRIES ? 0 : lately.at(-TRIES)! + HOUR;
  // A clock that was set back makes no pause longer.
  return Math.max(spared, hurry ? 0 : Math.min(next, now + LONGEST_PAUSE));
}

/** As if it had failed already: a crash in the middle must not be the first of many. */
export function begun(tried: Tried, directory: string, now: number, dice: number): Tried {
  const same = tried.directory === directory;
  const failures = (same ? tried.failures : 0) + 1;
  const { pending, ...rest } = tried;
  return {
    ...rest,
    ...(same && pending !== undefined ? { pending } : {}),
    directory,
    failures,
    tries: [...tried.tries.filter((at) => at > now - HOUR && at <= now), now],
    next: now + pauseAfter(failures) * (0.9 + 0.2 * dice),
    reason: "pushbox was stopped while it asked",
  };
}

/** @param tried as it has begun @param retryAfter what the authority asked for, milliseconds */
export const failed = (tried: Tried, reason: string, retryAfter: number, now: number): Tried => ({
  ...tried,
  reason,
  next: Math.max(tried.next, now + Math.min(retryAfter, LONGEST_PAUSE)),
});

/** The next certificate is not asked for at once, however short this one's life. */
export const succeeded = ({ directory, tries }: Tried, now: number): Tried => ({
  directory,
  issuer: directory,
  tries,
  failures: 0,
  next: now + HOUR,
  reason: "",
});

const pauseAfter = (failures: number): number => PAUSES[Math.min(failures, PAUSES.length) - 1]!;

/** What to do about it, by the authority's name for the error. */
const ADVICE: Readonly<Record<string, string>> = {
  connection: "port 80 of the domain must lead here, from everywhere: firewall, forwarding, acme.port",
  dns: "the domain needs an A or AAAA record that leads to this machine",
  unauthorized: "something else answers on port 80 of the domain, or its A or AAAA record leads elsewhere",
  incorrectResponse: "something else answers on port 80 of the domain, or its A or AAAA record leads elsewhere",
  rateLimited: "the authority limits how often it is asked; wait",
  rejectedIdentifier: "the authority issues nothing for this domain; name another, or another acme.directory",
  caa: "a CAA record of the domain forbids this authority",
  invalidContact: "acme.email is refused",
  unsupportedContact: "acme.email is refused",
  userActionRequired: "the authority wants its new terms to be agreed to; see its website",
  externalAccountRequired: "this authority wants an account that was made elsewhere, which pushbox does not speak",
};

/** With what helps, where the authority's name for the error (`kind`) tells it. */
export const advised = (reason: string, kind: string): string =>
  ADVICE[kind] === undefined ? reason : `${reason} (${ADVICE[kind]})`;

export type Concern = "none" | "renewal" | "outage";

/** Whether somebody has to look: clients are refused, or will be. */
export function concern(certificate: Certificate | undefined, tried: Tried, now: number): Concern {
  if (certificate === undefined || certificate.until <= now) return "outage";
  return tried.reason === "" || tried.failures < 2 ? "none" : "renewal";
}

/** One sentence for the state of a domain. */
export function described(domain: string, certificate: Certificate | undefined, tried: Tried, now: number): string {
  const day = (time: number): string => new Date(time).toISOString().slice(0, 10);
  const has =
    certificate === undefined
      ? `${domain} has no certificate yet`
      : certificate.until <= now
        ? `the certificate of ${domain} expired on ${day(certificate.until)}`
        : `the certificate of ${domain} is valid until ${day(certificate.until)}`;
  if (tried.reason === "") return has;
  return `${has}; ${certificate === undefined ? "" : "no newer one: "}${tried.reason}; next try ${soon(tried.next - now)}`;
}

/** "in 10 min" */
export function soon(milliseconds: number): string {
  const minutes = Math.ceil(milliseconds / MINUTE);
  if (minutes <= 1) return "within a minute";
  return minutes < 120 ? `in ${minutes} min` : `in ${Math.round(minutes / 60)} h`;
}
