// A call that its caller may repeat is made once: the same key means the same call, and gets the same answer.
import { PushError } from "./errors.ts";

/** The same words wherever a key is found to be in use. */
export const conflict = (): PushError =>
  new PushError("conflict", "idempotencyKey was used for a call that asked for something else: take a new key");
