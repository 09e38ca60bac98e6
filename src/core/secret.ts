// Secrets of webhooks as people write them: `whsec_` and base64 (Standard Webhooks 1.0.0).

const PREFIX = "whsec_";
/** Bytes. */
const SHORTEST = 24;
const LONGEST = 64;

/** Completes "write ...". */
export const EXPECTED_SECRET = `${PREFIX} and base64 of ${SHORTEST} to ${LONGEST} random bytes, as made by pushbox init or: echo ${PREFIX}$(openssl rand -base64 32)`;

/** Undefined for a text that is none. Base64 with its padding, as the published libraries want it. */
export function secretBytes(text: string): Uint8Array | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const encoded = text.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.length < SHORTEST || bytes.length > LONGEST) return undefined;
  return bytes.toString("base64") === encoded ? bytes : undefined;
}

/** Random bytes never are: it is one out of a manual, or somebody's words. */
export const isReadable = (secret: Uint8Array): boolean => secret.every((byte) => byte >= 0x20 && byte < 0x7f);

/** As it is written in a configuration. */
export const secretText = (bytes: Uint8Array): string => `${PREFIX}${Buffer.from(bytes).toString("base64")}`;
