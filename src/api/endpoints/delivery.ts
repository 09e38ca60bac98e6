// /api/delivery/*: deliveries that failed (api 3.19).
import { DELIVERIES, RETRIED } from "../bounds.ts";
import { LANE } from "./common.ts";
import { list, type Members, moment, object, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { duration, flag, ids, pages, time } from "./takes.ts";

const FAILED: Members = {
  state: word(["gone", "refused", "expired"], "how they failed"),
  ...LANE,
  reason: text("why: the whole text"),
  from: time("failed then or later"),
  to: time("failed then or earlier"),
};
const FAILED_GROUP: Members = {
  "provider?": text(),
  "app?": text(),
  state: word(["gone", "refused", "expired"]),
  "reason?": text(),
};

export const DELIVERY_ENDPOINTS = {
  "/delivery/list": {
    access: "read",
    about: "Deliveries that failed at vendors and were not retried, and how many failed alike.",
    takes: { ...FAILED, ...pages(DELIVERIES) },
    answers: success({
      "groups?": list(
        object({
          ...FAILED_GROUP,
          count: whole(),
          trend: list(whole(), "how many in each of the last 24 hours, this one last"),
          pushIds: list(text(), "some of their devices, the latest first"),
          "text?": text("the reason in plain words"),
          "remedy?": text("what can be done about it"),
        }),
        "the largest first; on the first page",
      ),
      "partial?": yes("there are more than were counted"),
      deliveries: list(
        object({
          delivery: whole("names it for delivery/retry"),
          id: text("the notification's id"),
          pushId: text(),
          "uid?": text(),
          ...FAILED_GROUP,
          retries: whole(),
          queuedAt: whole(),
          ...moment("settledAt", "when it failed"),
        }),
      ),
      "next?": text("the `after` of the next page"),
    }),
  },
  "/delivery/retry": {
    access: (params) =>
      params.strictFlag("dryRun") ? "read" : params.ids("delivery")?.length === 1 ? "change" : "grave",
    audited: "always",
    about: "Make jobs of failed deliveries, each once.",
    takes: {
      delivery: ids("numbers of failed deliveries", RETRIED.most),
      ...FAILED,
      ...pages(RETRIED),
      timeToLive: duration("a life of their own, from now"),
      dryRun: flag("only count them"),
    },
    answers: success({
      dryRun: yes(),
      retried: whole(),
      dead: whole("left out: their token is dead"),
      late: whole("left out: their time is over"),
      notifications: whole(),
      ids: list(text(), "of the first 100 notifications"),
      "next?": text("the `after` to go on with"),
    }),
    namesCaller: true,
  },
} as const satisfies Endpoints;
