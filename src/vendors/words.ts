// What vendors' codes mean in plain words, and what helps: the usual ones. Facts: README.md.
import type { VendorName } from "../core/vendor.ts";

interface Words {
  readonly text: string;
  readonly remedy: string;
}

const REOPEN = "The app gets a new token when it is opened; nothing has to be done here.";
const CREDENTIALS = "Compare the entry of the configuration with the vendor's console, and reload (SIGHUP).";

const GONE: Words = { text: "The app was removed from the phone, or the token was replaced.", remedy: REOPEN };
const WRONG_APP: Words = {
  text: "The token belongs to another app or another project than the credentials.",
  remedy: "Let the app send its package name or bundle id with the token, and configure the vendor for it.",
};
const DENIED: Words = { text: "The vendor does not accept our credentials.", remedy: CREDENTIALS };
const QUOTA: Words = {
  text: "More was sent than the vendor allows.",
  remedy:
    "Send fewer, give messages the vendor's category for important ones, or apply for a higher quota in its console.",
};
const LARGE: Words = {
  text: "The message is larger than the vendor takes.",
  remedy: "Shorten the payload or the text.",
};
const CHANNEL: Words = {
  text: "The vendor wants a category or channel for this kind of message.",
  remedy: "Register it in the vendor's console and name it under vendors in the notification.",
};

/** The first whose pattern is found in the reason counts. */
const KNOWN: Readonly<Record<VendorName, readonly (readonly [RegExp, Words])[]>> = {
  apns: [
    [/\b(Unregistered|ExpiredToken)\b/, GONE],
    [/\b(BadDeviceToken|DeviceTokenNotForTopic|TopicDisallowed|BadTopic)\b/, WRONG_APP],
    [/\b(InvalidProviderToken|ExpiredProviderToken|MissingProviderToken|BadCertificate|Forbidden)\b/, DENIED],
    [/\bPayloadTooLarge\b/, LARGE],
    [/\bTooMany(Requests|ProviderTokenUpdates)\b/, QUOTA],
  ],
  fcm: [
    [/\bUNREGISTERED\b|\bNOT_FOUND\b/, GONE],
    [/\bSENDER_ID_MISMATCH\b/, WRONG_APP],
    [/\b(THIRD_PARTY_AUTH_ERROR|UNAUTHENTICATED|PERMISSION_DENIED)\b/, DENIED],
    [/\b(QUOTA_EXCEEDED|RESOURCE_EXHAUSTED)\b/, QUOTA],
  ],
  huawei: [
    [/\b(80300007|80100000)\b/, GONE],
    [/\b(80200001|80200003|80300002)\b/, DENIED],
    [/\b80300008\b/, LARGE],
  ],
  honor: [[/\bexpireTokens\b/, GONE]],
  xiaomi: [
    [/\bbad_regids\b|\b20301\b/, GONE],
    [/\b(21301|2200\d|10026)\b/, DENIED],
    [/\b(200001|200002)\b|channel_exceed_quota/, QUOTA],
    [/\b27001\b/, CHANNEL],
  ],
  oppo: [
    [/^10000\b/, GONE],
    [/^(14|16|26|27|28|30)\b/, DENIED],
    [/^(-2|13|33|55)\b/, QUOTA],
  ],
  vivo: [
    [/\b(10302|10054)\b/, GONE],
    [/\b(10000|1020[1-7])\b/, DENIED],
    [/\b(10096|10097)\b/, CHANNEL],
    [/\b(10070|10073)\b/, QUOTA],
  ],
  webpush: [
    [/\b(404|410)\b/, GONE],
    [/\b(401|403)\b/, DENIED],
    [/\b413\b/, LARGE],
    [/\b429\b/, QUOTA],
  ],
};

/** What we do not even offer (text.ts). */
const TOO_LARGE = /\b\d+ (bytes|characters)\b.* allowed$/;

/** Undefined: it is none of the usual ones, and says what there is to say. */
export const plainWords = (vendor: VendorName, reason: string): Words | undefined =>
  TOO_LARGE.test(reason) ? LARGE : KNOWN[vendor]?.find(([pattern]) => pattern.test(reason))?.[1];
