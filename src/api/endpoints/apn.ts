// /api/apn: sends to Apple here for another server (api 3.11).
import { NOTIFICATION } from "./common.ts";
import { list, success, text, whole } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { duration, ids } from "./takes.ts";

export const APN_ENDPOINTS = {
  "/apn": {
    access: "change",
    about: "Send to Apple at once, with this server's credentials, for another server.",
    takes: {
      notification: NOTIFICATION,
      bundleId: text("the app"),
      tokens: ids("tokens of Apple"),
      timeToLive: duration("how long Apple keeps it"),
    },
    answers: success({
      id: text(),
      "bundleId?": text(),
      success: whole("tokens that Apple took it for"),
      "total?": whole(),
      "errorTokens?": list(text(), "dead: forget them"),
      "refusedTokens?": list(text()),
      "retryTokens?": list(text()),
      "reason?": text(),
      "msg?": text("why nothing was sent"),
    }),
  },
} as const satisfies Endpoints;
