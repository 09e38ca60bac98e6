// /api/push (api 3.1).
import { FIGURES } from "../../core/figures.ts";
import { FILTER, IDEMPOTENCY_KEY, PUSH_IDS, TIME_TO_LIVE, TOPIC, UIDS } from "./common.ts";
import { any, success, text, whole } from "./schema.ts";
import type { Endpoints } from "./spec.ts";

export const PUSH_ENDPOINTS = {
  "/push": {
    access: "change",
    about:
      "Send data to those who are connected to a topic, or to devices or users; kept for those who are away with timeToLive.",
    takes: {
      topic: TOPIC,
      pushId: PUSH_IDS,
      uid: UIDS,
      json: any("the message: any JSON, or text"),
      data: text("base64 of JSON: the form that clients of 2015 know"),
      timeToLive: TIME_TO_LIVE,
      idempotencyKey: IDEMPOTENCY_KEY,
      ...FILTER,
    },
    answers: success({ id: text("of the packet"), "online?": whole(FIGURES.online) }),
    repeatable: true,
  },
} as const satisfies Endpoints;
