// /api/reach (api 3.23).
import { HIGHEST_CAP, LONGEST_FALLBACK } from "../bounds.ts";
import { IDEMPOTENCY_KEY, NOTIFICATION, TIME_TO_LIVE, UIDS } from "./common.ts";
import { any, moment, success, text, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { bounded, duration, time } from "./takes.ts";

export const REACH_ENDPOINTS = {
  "/reach": {
    access: "change",
    about:
      "Reach users: a message to all their devices, and a notification at their vendors for those who do not acknowledge it in time.",
    takes: {
      uid: UIDS,
      json: any("the message: any JSON, or text"),
      notification: NOTIFICATION,
      fallbackAfter: duration("how long an acknowledgement is waited for; 5s when absent", LONGEST_FALLBACK),
      timeToLive: TIME_TO_LIVE,
      type: text("what the statistics sum it under"),
      idempotencyKey: IDEMPOTENCY_KEY,
      sendAt: time("not before"),
      quietHours: text("like 22:00-08:00: vendors are not asked in them"),
      timeZone: text("of quietHours, a name of the IANA database; that of the server when absent"),
      capPerDay: bounded(1, HIGHEST_CAP, "a user gets no more notifications by such calls in 24 hours"),
    },
    answers: success({
      id: text("the notification's own, or one made for it"),
      ...moment("deferred?", "until when the notification waits for the end of the quiet hours"),
      "dropped?": yes("there will be no notification: it would come in the quiet hours"),
    }),
    namesCaller: true,
    repeatable: true,
  },
} as const satisfies Endpoints;
