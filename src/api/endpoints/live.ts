// /api/disconnect, /api/subscribe, /api/unsubscribe, /api/presence: what is asked of live sessions (api 3.13 to 3.15).
import { LONGEST_HOLD, MOST_ASKED } from "../bounds.ts";
import { PUSH_IDS, TOPIC, UIDS } from "./common.ts";
import { list, moment, object, success, text, whole, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { duration, flag, ids } from "./takes.ts";

export const LIVE_ENDPOINTS = {
  "/disconnect": {
    access: (params) => (params.has("topic") ? "grave" : "change"),
    audited: "always",
    surveys: true,
    about: "Close connections of devices, users or a topic.",
    takes: {
      pushId: PUSH_IDS,
      uid: UIDS,
      topic: TOPIC,
      reconnect: flag("false: clients are told to stay away until their app connects again"),
    },
    answers: success({ disconnected: whole() }),
  },
  "/subscribe": {
    access: "change",
    audited: "always",
    surveys: true,
    about: "The connections of these devices or users join a topic.",
    takes: { topic: TOPIC, pushId: PUSH_IDS, uid: UIDS },
    answers: success({ subscribed: whole() }),
  },
  "/unsubscribe": {
    access: "change",
    audited: "always",
    surveys: true,
    about: "They leave it, and are kept out for a while.",
    takes: { topic: TOPIC, pushId: PUSH_IDS, uid: UIDS, hold: duration("kept out for so long", LONGEST_HOLD) },
    answers: success({ unsubscribed: whole() }),
  },
  "/presence": {
    access: "read",
    surveys: true,
    about: "Which devices or users are online.",
    takes: { pushId: ids("devices", MOST_ASKED), uid: ids("users", MOST_ASKED) },
    answers: success({
      presence: list(
        object({
          "pushId?": text(),
          "uid?": text(),
          online: yes(),
          "devices?": whole("of a user: devices online"),
          ...moment("since?", "when the oldest connection came"),
        }),
        "in the order asked",
      ),
    }),
  },
} as const satisfies Endpoints;
