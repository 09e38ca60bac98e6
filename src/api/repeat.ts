// Calls that their caller may repeat: a key of the caller's choice, as a parameter or as a header.
import { PushError } from "../core/errors.ts";
import type { Once } from "../core/outbox.ts";
import type { Params } from "./params.ts";

const PARAMETER = "idempotencyKey";

/** Lower case, as headers are looked up. */
export const REPEAT_HEADER = "idempotency-key";

/**
 * The mark of a call that may be repeated, later for a large one; undefined when its caller gave no key. Throws `PushError("invalid")`.
 * @param path of the endpoint, so that a key of one is not taken for a key of another
 * @param header empty when absent
 */
export function onceOf(params: Params, header: string, path: string): Once | Promise<Once> | undefined {
  const given = params.text(PARAMETER);
  const key = given ?? header;
  if (key === "") return undefined;
  if (given !== undefined && header !== "" && given !== header)
    throw new PushError("invalid", `${PARAMETER} and the header Idempotency-Key differ: give one of them`);
  if (!/^[ -~]{1,255}$/.test(key))
    throw new PushError("invalid", `${PARAMETER} must be 1 to 255 printable ASCII characters`);
  const digest = params.digest(path, PARAMETER);
  return digest instanceof Promise ? digest.then((known) => ({ key, digest: known })) : { key, digest };
}
