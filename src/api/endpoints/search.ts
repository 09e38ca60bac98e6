// /api/search: what exists under a name (api 6.11).
import { list, object, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";

export const SEARCH_ENDPOINTS = {
  "/search": {
    access: "read",
    surveys: true,
    about:
      "What exists under this name: devices, a user, a token's device, notifications, jobs, topics; at most five of each.",
    takes: {
      text: text(
        "a pushId or its beginning, a uid, a token, a notification's id, a job's number, a topic or its beginning",
      ),
    },
    answers: success({
      found: list(
        object({
          kind: word(["device", "user", "token", "notification", "topic"]),
          name: text("of a token the device's"),
          "uid?": text(),
          "platform?": text(),
          "devices?": whole("of a user"),
          "more?": yes("a user has more than so many"),
          "type?": text("of a token"),
          "text?": text("of a notification"),
          "state?": text("of a notification"),
          "job?": whole("of a notification"),
          "count?": whole("connections in a topic"),
        }),
      ),
    }),
  },
} as const satisfies Endpoints;
