// What an authority advises about renewal (RFC 9773): the name by which it knows a certificate, and what its advice means. Pure.
import type { X509Certificate } from "node:crypto";
import { derValues, identifier } from "../core/der.ts";
import { DAY, HOUR, MINUTE } from "../core/time.ts";

/** Between these the authority wants the certificate to be renewed. Epoch milliseconds. */
export interface Window {
  readonly start: number;
  readonly end: number;
  /** Where the authority says why, for people. */
  readonly explanation?: string;
}

/** What is known of the advice for one certificate, and when the authority is asked for it again. */
export interface Advice {
  /** Of the certificate. */
  readonly id: string;
  /** Not to be asked before. Epoch milliseconds. */
  readonly next: number;
  /** In a row. */
  readonly failures: number;
  /** As it was heard last, and the moment in it that was drawn. */
  readonly window?: (Omit<Window, "explanation"> & { readonly at: number; readonly heard: number }) | undefined;
}

/** What an authority asks for is kept within these; without a word of it this long passes. */
const SHORTEST_PAUSE = MINUTE;
const LONGEST_PAUSE = DAY;
const USUAL_PAUSE = 6 * HOUR;
/** After a failure, doubled each time, to the usual one. */
const FIRST_PAUSE = 15 * MINUTE;
/** Advice that could not be heard anew for so long holds no more. */
const STALE = 3 * DAY;
/** No certificate is replaced younger than this, or a third of its life, whatever the advice: none could be used otherwise. */
const YOUNGEST = DAY;

const AUTHORITY_KEY = identifier("2.5.29.35");
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OCTETS = 0x04;
const EXTENSIONS = 0xa3;
const KEY_IDENTIFIER = 0x80;

/** The key identifier of who has signed it, and its number (RFC 9773, 4.1). Undefined: it does not name the former. */
export function renewalId(certificate: X509Certificate): string | undefined {
  try {
    const [body] = derValues(derValues(certificate.raw)[0]!.content);
    const fields = derValues(body!.content);
    const serial = fields.find(({ tag }) => tag === INTEGER)?.content;
    const extensions = derValues(fields.find(({ tag }) => tag === EXTENSIONS)!.content)[0]!;
    const authority = derValues(extensions.content)
      .filter(({ tag }) => tag === SEQUENCE)
      .map(({ content }) => derValues(content))
      .find(([kind]) => kind?.whole.equals(AUTHORITY_KEY));
    const value = authority?.find(({ tag }) => tag === OCTETS)?.content;
    const key = derValues(derValues(value!)[0]!.content).find(({ tag }) => tag === KEY_IDENTIFIER)?.content;
    if (serial === undefined || key === undefined) return undefined;
    return `${key.toString("base64url")}.${serial.toString("base64url")}`;
  } catch {
    return undefined;
  }
}

/** As if it had failed already, to be stored before the authority is asked. @param former of any certificate */
export function asking(former: Advice | undefined, id: string, now: number): Advice {
  const same = former?.id === id ? former : undefined;
  const failures = (same?.failures ?? 0) + 1;
  const pause = Math.min(USUAL_PAUSE, FIRST_PAUSE * 2 ** (failures - 1));
  return { ...(same ?? { id }), failures, next: now + pause };
}

/** @param advice as of `asking` @param retryAfter what the authority asked for, milliseconds; 0: nothing */
export const unheard = (advice: Advice, retryAfter: number, now: number): Advice => ({
  ...advice,
  next: Math.max(advice.next, retryAfter === 0 ? 0 : now + within(retryAfter)),
});

/** @param window undefined: it gives no advice @param dice draws the moment, unless the window is as before */
export function heard(
  { id, window: former }: Advice,
  window: Window | undefined,
  retryAfter: number,
  now: number,
  dice: number,
): Advice {
  const next = now + within(retryAfter === 0 ? USUAL_PAUSE : retryAfter);
  if (window === undefined) return { id, failures: 0, next: now + LONGEST_PAUSE };
  const { start, end } = window;
  const same = former?.start === start && former.end === end;
  return {
    id,
    failures: 0,
    next,
    window: { start, end, at: same ? former.at : Math.round(start + (end - start) * dice), heard: now },
  };
}

/** When it says that the certificate is to be renewed; undefined: there is no advice that can be followed. */
export function advisedTime(
  { id, from, until }: { readonly id?: string; readonly from: number; readonly until: number },
  advice: Advice | undefined,
  now: number,
): number | undefined {
  const window = advice?.id === id ? advice?.window : undefined;
  if (window === undefined || window.end >= until || Math.abs(now - window.heard) > STALE) return undefined;
  return Math.max(window.at, from + Math.min(YOUNGEST, (until - from) / 3));
}

const within = (pause: number): number => Math.min(Math.max(pause, SHORTEST_PAUSE), LONGEST_PAUSE);
