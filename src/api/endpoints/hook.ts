// /api/hook/*: the endpoints that events are sent to (api 3.20).
import { EVENTS } from "../bounds.ts";
import { ANSWERING, HOOK_NAME, OWNER } from "./common.ts";
import { EVENT } from "./event.ts";
import { list, map, moment, number, object, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { atMost, bounded } from "./takes.ts";

const HOOK_TROUBLE = object({ reason: text(), ...moment("at", "when") });
const HOOK = object({
  name: text(),
  url: text("without its query"),
  events: list(text()),
  state: word(["running", "failing", "off"]),
  waiting: whole("events that wait"),
  lag: whole("how long ago the oldest of them was written, milliseconds"),
  dead: whole("events given up"),
  dropped: whole("events forgotten for want of room"),
  delivered: whole("since the start"),
  requests: map(whole(), "by what became of them, since the start"),
  inFlight: whole(),
  failures: whole("in a row"),
  ...moment("failingSince?", "since when"),
  ...moment("nextTry?", "when it is tried again"),
  "lastError?": HOOK_TROUBLE,
  "off?": HOOK_TROUBLE,
  "node?": text(OWNER),
});

export const HOOK_ENDPOINTS = {
  "/hook/list": {
    access: "read",
    surveys: true,
    about: "The endpoints that events are sent to, and how they do.",
    takes: {},
    answers: success({ hooks: list(HOOK) }),
  },
  "/hook/resume": {
    access: "change",
    audited: "always",
    surveys: true,
    about: "Try endpoints again that have failed or were switched off: all, or the one of this name.",
    takes: { name: HOOK_NAME },
    answers: success({ resumed: list(text(), "the names of those that go on") }),
  },
  "/hook/test": {
    access: "change",
    audited: "always",
    about: "Send a message of no event to an endpoint, and tell what became of it.",
    takes: { name: HOOK_NAME },
    answers: success({
      delivered: yes(),
      "status?": whole("of the answer"),
      "reason?": text("why it was not delivered"),
      took: number("milliseconds"),
      ...ANSWERING,
    }),
  },
  "/hook/dead": {
    access: "read",
    about: "Events that an endpoint did not take while they were kept, oldest first.",
    takes: {
      name: HOOK_NAME,
      limit: atMost(EVENTS),
      after: bounded(0, Number.MAX_SAFE_INTEGER, "the `next` of the page before"),
    },
    answers: success({
      events: list(
        object({ ...EVENT, attempts: whole(), "reason?": text(), ...moment("diedAt", "when it was given up") }),
      ),
      "next?": whole("the `after` of the next page"),
    }),
  },
} as const satisfies Endpoints;
