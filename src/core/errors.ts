// The few ways in which a caller can be wrong. Anything else that is thrown is a bug.

/**
 * - `invalid`: a parameter is missing, malformed or contradicts another (HTTP 400)
 * - `denied`: no valid key, or a key that may not do this (401)
 * - `conflict`: the same idempotency key with another body (409)
 * - `too_large`: more than a configured limit (413)
 * - `unavailable`: the server is stopping or its store cannot write; try again later (503)
 */
export type ErrorCode = "invalid" | "denied" | "conflict" | "too_large" | "unavailable";

/** A caller's mistake, with a message that names the field and the way out. Shown to the caller as it is. */
export class PushError extends Error {
  readonly code: ErrorCode;
  /** The way out, where callers of old know the message by its words. */
  readonly hint: string | undefined;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly hint?: string }) {
    super(message, options);
    this.name = "PushError";
    this.code = code;
    this.hint = options?.hint;
  }
}
