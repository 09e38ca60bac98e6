// /api/notification and what is asked about one (api 3.2, 6.3).
import { FIGURES } from "../../core/figures.ts";
import { CAUSES } from "../../core/why.ts";
import { DELIVERIES, HIGHEST_RATE } from "../bounds.ts";
import {
  FILTER,
  IDEMPOTENCY_KEY,
  NOTIFICATION,
  NOTIFICATION_ID,
  PUSH_IDS,
  QUOTA,
  TIME_TO_LIVE,
  UIDS,
} from "./common.ts";
import { JOB, JOB_STATE } from "./job.ts";
import { list, map, moment, object, open, success, text, whole, word, yes } from "./schema.ts";
import { type Endpoints, isToMany } from "./spec.ts";
import { bounded, flag, pages, time } from "./takes.ts";

const COUNTS = map(whole());
const DELIVERY = object({
  pushId: text(),
  "uid?": text(),
  "provider?": text("absent: over the connection"),
  "app?": text(),
  state: word(["sent", "skipped", "queued", "accepted", "gone", "refused", "expired", "cancelled"]),
  "reason?": text(),
  "receipt?": text("the vendor's id of the message"),
  retries: whole(),
  queuedAt: whole("milliseconds since 1970"),
  "sentAt?": whole(),
  "settledAt?": whole(),
  "nextTryAt?": whole(),
  "arrivedAt?": whole(`when: ${FIGURES.arrived}`),
  "clickedAt?": whole(`when: ${FIGURES.clicked}`),
});

export const NOTIFICATION_ENDPOINTS = {
  "/notification": {
    access: (params) => (params.strictFlag("dryRun") ? "read" : isToMany(params) ? "grave" : "change"),
    audited: "to many",
    about: "Show a notification: through the vendor of each device's token, else over its connection.",
    takes: {
      notification: NOTIFICATION,
      pushAll: flag("to everybody"),
      tag: text("to every device with this tag"),
      pushId: PUSH_IDS,
      uid: UIDS,
      timeToLive: TIME_TO_LIVE,
      type: text("what the statistics sum it under"),
      idempotencyKey: IDEMPOTENCY_KEY,
      sendAt: time("not before"),
      rate: bounded(0, HIGHEST_RATE, "devices per second at most; 0: as fast as it goes"),
      dryRun: flag("only count the devices"),
      quietHours: text("like 22:00-08:00: what is due in them waits for their end"),
      timeZone: text("of quietHours, a name of the IANA database; that of the server when absent"),
      ...FILTER,
    },
    answers: success({
      id: text("the notification's own, or one made for it"),
      ...moment("deferred?", "until when it waits for the end of the quiet hours"),
      "dropped?": yes("it would have come in the quiet hours and goes nowhere"),
      "count?": whole(`of a dry run: ${FIGURES.everybody}`),
      "routes?": COUNTS,
      "ask?": text("where to ask for the result of a dry run that takes longer than a second"),
    }),
    namesCaller: true,
    repeatable: true,
  },
  "/notification/preview": {
    access: "read",
    about:
      "What a notification would weigh at each vendor that is configured, and which would not take it; nothing is sent.",
    takes: { notification: NOTIFICATION, timeToLive: TIME_TO_LIVE },
    answers: success({
      android: yes("Android and browsers show something of it"),
      apple: yes("Apple's devices show something of it"),
      connection: whole("bytes that a connection gets"),
      vendors: list(
        object({
          provider: text(),
          app: text(),
          "problem?": text("why it cannot be sent there"),
          weights: list(
            object({
              what: word(["android.title", "android.message", "payload"]),
              size: whole("before anything is cut"),
              limit: whole("what the vendor takes"),
              unit: word(["characters", "bytes"]),
            }),
          ),
          "quota?": QUOTA,
        }),
      ),
    }),
  },
  "/notification/get": {
    access: "read",
    about: "What became of a notification: its content, its figures, and how it is with each device.",
    takes: { id: NOTIFICATION_ID, ...pages(DELIVERIES), afterUser: text("the `nextUser` of the page before") },
    answers: success({
      id: text(),
      type: text(),
      text: text(),
      "notification?": open("as it was accepted"),
      "timeToLive?": whole(),
      state: JOB_STATE,
      ...moment("acceptedAt", "when the newest call came"),
      ...moment("sendAt?", "when it was to begin"),
      "reached?": object(
        { socket: whole(), vendor: whole(), waiting: whole(), nobody: whole() },
        "users, by what each was reached so far; of a call of reach",
      ),
      "users?": list(
        object({
          uid: text(),
          reached: word(["socket", "vendor", "waiting", "nobody"]),
          ...moment("at?", "when that was"),
        }),
      ),
      "nextUser?": text("the `afterUser` of the next page"),
      jobs: list(JOB),
      counts: open("the figures of stats/arrival"),
      deliveries: list(DELIVERY),
      "next?": text("the `after` of the next page"),
    }),
  },
  "/notification/why": {
    access: "read",
    surveys: true,
    about:
      "Why a notification did not arrive at a device, or how it did: step by step, in words, with what can be done.",
    takes: { id: NOTIFICATION_ID, pushId: text("the device") },
    answers: success({
      id: text(),
      pushId: text(),
      cause: word(CAUSES),
      text: text("in a sentence"),
      "remedy?": text("what can be done about it"),
      steps: list(
        object({
          step: word(["accepted", "prepared", "lane", "vendor", "connection", "arrived", "clicked"]),
          ...moment("at?", "when it came to that"),
          text: text(),
        }),
      ),
      "delivery?": DELIVERY,
      job: JOB,
      "deliveries?": list(DELIVERY, "of all calls with this id that came to this device, where there were several"),
    }),
  },
} as const satisfies Endpoints;
