// /api/apn: sends to Apple here for another server, with the credentials of this one (api 3.11).
import { randomId } from "../core/id.ts";
import { normalise } from "../core/notification.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import type { Limits } from "./ids.ts";
import { contentOf, idOf } from "./notification.ts";
import type { Params } from "./params.ts";

/** What cannot be sent is told in `msg`: the other server expects success whenever it was understood. */
export async function apn(params: Params, actions: Actions, limits: Limits): Promise<Response> {
  const content = normalise(contentOf(params));
  const id = idOf(content, limits) ?? randomId();
  const bundleId = params.label("bundleId");
  const tokens = params.tokens() ?? [];
  const timeToLive = params.timeToLive();
  const nothing = (msg: string): Response => json({ id, bundleId, success: 0, msg, code: "success" });
  if (tokens.length === 0) return nothing("tokens empty");
  const relayed = bundleId === undefined ? undefined : await actions.relay(bundleId, id, content, tokens, timeToLive);
  if (relayed === undefined) return nothing("bundleId not supported");
  const { success, errorTokens, refusedTokens, retryTokens, reason } = relayed;
  return json({
    id,
    bundleId,
    success,
    total: tokens.length,
    errorTokens,
    // Not in the contract: without them the caller has to ask again one by one.
    ...(refusedTokens.length === 0 ? {} : { refusedTokens }),
    ...(retryTokens.length === 0 ? {} : { retryTokens }),
    ...(reason === undefined ? {} : { reason }),
    code: "success",
  });
}
