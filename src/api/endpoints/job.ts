// /api/job/*: the calls of /api/notification (api 3.2, 6.14).
import { FIGURES } from "../../core/figures.ts";
import { HIGHEST_RATE, JOBS } from "../bounds.ts";
import { NOTIFICATION_ID } from "./common.ts";
import { list, type Members, map, moment, object, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { atMost, bounded, flag } from "./takes.ts";

const STATES = ["scheduled", "deferred", "running", "paused", "cancelled", "finished"];
export const JOB_STATE = word(STATES);
const JOB_MEMBERS: Members = {
  job: whole("rises with each call"),
  id: text("the notification's id"),
  type: text(),
  text: text("of the notification, shortened"),
  target: word(["all", "tag", "pushIds", "uids"]),
  state: JOB_STATE,
  dryRun: yes(),
  "rate?": whole("devices per second at most"),
  ...moment("acceptedAt", "when the call came"),
  ...moment("sendAt?", "when it was to begin"),
  ...moment("deferred?", "until when it waits for the end of quiet hours"),
  ...moment("finishedAt?", "when nothing was left to do"),
  progress: object({
    seen: whole(FIGURES.seen),
    skipped: whole(FIGURES.skipped),
    queued: whole(FIGURES.queued),
    waiting: whole(FIGURES.waiting),
    sent: whole(FIGURES.sent),
    accepted: whole(FIGURES.accepted),
    failed: whole(FIGURES.failed),
  }),
  routes: map(whole(), "devices by the way to them: a vendor, `connection`, or `noti`, the topic of everybody"),
  failed: map(whole(), "deliveries that failed, by reason"),
};
export const JOB = object(JOB_MEMBERS);
const JOB_ANSWER = success({
  ...JOB_MEMBERS,
  "jobs?": list(JOB, "all calls with this id, where it was used more than once"),
});

export const JOB_ENDPOINTS = {
  "/job/list": {
    access: "read",
    about: "The calls of notification that reach many or wait, newest first.",
    takes: {
      state: word(STATES, "only those"),
      limit: atMost(JOBS),
      before: bounded(1, Number.MAX_SAFE_INTEGER, "the `next` of the page before"),
    },
    answers: success({ jobs: list(JOB), "next?": whole("the `before` of the next page") }),
  },
  "/job/last": {
    access: "read",
    about: "The last call to the same audience: to everybody, or to a tag.",
    takes: { pushAll: flag("to everybody"), tag: text("to every device with this tag") },
    answers: success({ "job?": JOB }),
  },
  "/job/get": {
    access: "read",
    about: "How far a notification's job is.",
    takes: { id: NOTIFICATION_ID },
    answers: JOB_ANSWER,
  },
  "/job/pause": {
    access: "change",
    audited: "always",
    about: "Hold a job: nothing of it is sent until it is resumed.",
    takes: { id: NOTIFICATION_ID },
    answers: JOB_ANSWER,
    namesCaller: true,
  },
  "/job/resume": {
    access: "change",
    audited: "always",
    about: "Let a paused job go on.",
    takes: { id: NOTIFICATION_ID },
    answers: JOB_ANSWER,
    namesCaller: true,
  },
  "/job/rate": {
    access: "change",
    audited: "always",
    about: "Let a job go faster or slower, from its next devices on.",
    takes: { id: NOTIFICATION_ID, rate: bounded(0, HIGHEST_RATE, "devices per second at most; 0: as fast as it goes") },
    answers: JOB_ANSWER,
    namesCaller: true,
  },
  "/job/cancel": {
    access: "change",
    audited: "always",
    about: "End a job: what was not given to a vendor yet is not sent any more.",
    takes: { id: NOTIFICATION_ID },
    answers: JOB_ANSWER,
    namesCaller: true,
  },
} as const satisfies Endpoints;
