// /api/node/list: the processes that share the store (api 6.15).
import { list, moment, number, object, success, text, whole, word } from "./schema.ts";
import type { Endpoints } from "./spec.ts";

export const NODE_ENDPOINTS = {
  "/node/list": {
    access: "read",
    surveys: true,
    about: "The processes that share the store, and how each does; none where there is only one.",
    takes: {},
    answers: success({
      nodes: list(
        object({
          node: whole("rises with each start"),
          name: text("as it is configured"),
          state: word(["here", "alive", "silent", "gone", "left"], "here: the one that answers; left: it was stopped"),
          ...moment("started", "when it was started"),
          beat: whole("milliseconds since it last said that it lives"),
          lanes: list(object({ provider: text(), app: text(), "host?": text() }), "what it sends for all"),
          hooks: list(text(), "endpoints that it tells for all"),
          "version?": text("absent, as the rest: it has not answered"),
          "connections?": whole(),
          "sessions?": whole(),
          "rates?": object({ opened: number(), packets: number(), apiCalls: number(), apiErrors: number() }),
        }),
        "by name",
      ),
    }),
  },
} as const satisfies Endpoints;
