// /api/audit/list: who changed something (api 6.4).
import { AUDIT } from "../bounds.ts";
import { list, moment, object, open, success, text, whole } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { atMost, bounded, time } from "./takes.ts";

export const AUDIT_ENDPOINTS = {
  "/audit/list": {
    access: "read",
    about: "Who changed something on this server: when, from where, what, and what came of it; newest first.",
    takes: {
      who: text("only calls with the key of this name"),
      action: text("only of this path, like job/cancel"),
      from: time("not earlier"),
      to: time("not later"),
      limit: atMost(AUDIT),
      before: bounded(1, Number.MAX_SAFE_INTEGER, "the `next` of the page before"),
    },
    answers: success({
      entries: list(
        object({
          entry: whole("rises with each"),
          ...moment("time", "when it was answered"),
          "who?": text("the name of the key"),
          address: text(),
          action: text("the path, without /api"),
          what: open("its parameters, shortened; not what a message says"),
          status: whole("of the answer"),
          "message?": text("what was wrong"),
          requestId: text(),
        }),
      ),
      "next?": whole("the `before` of the next page"),
    }),
  },
} as const satisfies Endpoints;
