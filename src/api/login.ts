// /api/auth/revoke: tokens of clients that no longer count (api 3.18).
import { PushError } from "../core/errors.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import { MOST_REVOKED } from "./bounds.ts";
import type { Params } from "./params.ts";

/** Answers with how many sessions were closed. */
export async function revoke(params: Params, actions: Actions, now: () => number): Promise<Response> {
  const uids = params.ids("uid");
  const jtis = params.ids("jti");
  const before = params.time("issuedBefore");
  if ((uids === undefined) === (jtis === undefined))
    throw new PushError("invalid", "uid or jti is required, one of them");
  if (jtis !== undefined && before !== undefined)
    throw new PushError("invalid", "issuedBefore goes with uid: a jti names one token");
  const names = uids ?? jtis ?? [];
  if (names.length > MOST_REVOKED) throw new PushError("too_large", `at most ${MOST_REVOKED} of them in one call`);
  const kind = uids === undefined ? "jti" : "uid";
  const closed = await actions.revoke(
    names.map((name) => ({ kind, name, before: kind === "jti" ? 0 : (before ?? now()) })),
  );
  return json({ code: "success", closed });
}
