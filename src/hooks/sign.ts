// Signatures of what we POST: Standard Webhooks 1.0.0, symmetric. Who receives it verifies it with any library of that name.
import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { secretBytes } from "../core/secret.ts";

/** One that does not show itself when it is logged. */
export type HookSecret = KeyObject;

/** @throws Error for a text that is no secret, without quoting it */
export function parseSecret(text: string): HookSecret {
  const bytes = secretBytes(text);
  if (bytes === undefined) throw new Error("not a webhook secret");
  return createSecretKey(bytes);
}

/**
 * The value of `webhook-signature`: a signature per secret, so that a receiver which knows only the old one or only the new one
 * accepts it while they are exchanged. @param id without a dot @param timestamp seconds, of this attempt
 */
export const sign = (secrets: readonly HookSecret[], id: string, timestamp: number, body: string): string =>
  secrets.map((secret) => `v1,${signature(secret, `${id}.${timestamp}.${body}`)}`).join(" ");

const signature = (secret: HookSecret, text: string): string =>
  createHmac("sha256", secret).update(text).digest("base64");

/** The three headers of a request. */
export const signedHeaders = (
  secrets: readonly HookSecret[],
  id: string,
  timestamp: number,
  body: string,
): Readonly<Record<string, string>> => ({
  "webhook-id": id,
  "webhook-timestamp": String(timestamp),
  "webhook-signature": sign(secrets, id, timestamp, body),
});
