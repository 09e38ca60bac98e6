// The table of endpoints: what each is for, which parameters it takes, what it answers. Calls are checked by it, and the description
// of the API (openapi.ts) is made of it, so neither can say what the other does not.
import { FIGURES } from "../core/figures.ts";
import { CAUSES } from "../core/why.ts";
import {
  AUDIT,
  DELIVERIES,
  DEVICES,
  EVENTS,
  HIGHEST_CAP,
  HIGHEST_RATE,
  HOURS,
  JOBS,
  LONGEST_FALLBACK,
  LONGEST_HOLD,
  MINUTES,
  MOST_ASKED,
  MOST_REVOKED,
  RETRIED,
  SECONDS,
  TOPIC_DEVICES,
  TOPICS,
  USUAL_SECONDS,
} from "./bounds.ts";
import { OPERATOR_ENDPOINTS } from "./operator-endpoints.ts";
import type { Params } from "./params.ts";
import {
  any,
  either,
  list,
  type Members,
  map,
  moment,
  number,
  object,
  open,
  type Schema,
  success,
  text,
  whole,
  word,
  yes,
} from "./schema.ts";
import { bounded, duration, flag, ids, pages, time } from "./takes.ts";

/** What a call does: `grave` reaches everybody or a tag, or cannot be taken back. */
export type AccessLevel = "read" | "change" | "grave";

export interface EndpointSpec {
  /** In a sentence. */
  readonly about: string;
  /** Its parameters by name: another one gets a warning. What must be there is said by the endpoint itself, in the order it is checked. */
  readonly takes: Members;
  readonly answers: Schema;
  /** What a user of the console has to be allowed; it may depend on the call. */
  readonly access: AccessLevel | ((params: Params) => AccessLevel);
  /** Finding out the caller's address costs something, so it is known only where it is asked for. */
  readonly namesCaller?: boolean;
  /** Who calls it is noted (api 6.4): always, or when it reaches everybody or a tag. */
  readonly audited?: "always" | "to many";
  /** The call may carry the header Idempotency-Key. */
  readonly repeatable?: boolean;
  /** The call may carry the header Last-Event-ID. */
  readonly resumable?: boolean;
  /** Every node is asked: `partial` is in the answer when one was silent, or in its head where it is a list. */
  readonly surveys?: true;
  /** It answers as CSV, too, where that is asked for. */
  readonly csv?: true;
  /** Of what it answers, where that is no JSON. */
  readonly media?: string;
}

export const isToMany = (params: Params): boolean => params.flag("pushAll") || params.has("tag");

// ---- parameters

const TIME_TO_LIVE = duration("how long it is kept for those who are away");
const PUSH_IDS = ids("devices");
const UIDS = ids("users: all devices of each");
const TOPIC = text("the topic's name");
const NOTIFICATION_ID = text("the notification's id");
const IDEMPOTENCY_KEY = text("the same key within 24 hours means the same call, which is made once");
const NOTIFICATION: Schema = {
  type: ["object", "string"],
  description: "what is shown (section 4 of the API's README): an object, or its JSON text",
};
const FILTER: Members = {
  tagStart: text("how the tag begins that holds a version: only devices with such a tag"),
  tagLessThan: text("whose version is below this one"),
  tagGreaterThan: text("whose version is above this one"),
};
const LANE: Members = {
  provider: text("the vendor: apns, fcm, huawei ..."),
  app: text("the bundle id or package name"),
};
const FAILED: Members = {
  state: word(["gone", "refused", "expired"], "how they failed"),
  ...LANE,
  reason: text("why: the whole text"),
  from: time("failed then or later"),
  to: time("failed then or earlier"),
};

// ---- answers

const COUNTS = map(whole());
const JOB_MEMBERS: Members = {
  job: whole("rises with each call"),
  id: text("the notification's id"),
  type: text(),
  text: text("of the notification, shortened"),
  target: word(["all", "tag", "pushIds", "uids"]),
  state: word(["scheduled", "deferred", "running", "paused", "cancelled", "finished"]),
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
const JOB = object(JOB_MEMBERS);
const JOB_ANSWER = success({
  ...JOB_MEMBERS,
  "jobs?": list(JOB, "all calls with this id, where it was used more than once"),
});

const NODE = "the node that it is at, where there may be several";
const OWNER = "the node that sends for all, where there may be several";
const CONNECTION = object({
  transport: word(["websocket", "polling"]),
  revision: whole("of Engine.IO: 3 or 4"),
  address: text(),
  ...moment("since", "when it was opened"),
  topics: list(text()),
  "node?": text(NODE),
});
const DEVICE = object({
  _id: text("the pushId"),
  "uid?": text(),
  "platform?": text(),
  "socketId?": text("while it is connected"),
  "tags?": list(text()),
  createTime: text("ISO text"),
  updateTime: text("ISO text"),
  "type?": text("of the token; `apnNoToken`, `androidNoToken` without one"),
  "token?": text(),
  "package_name?": text(),
  connected: yes(),
  "connections?": list(CONNECTION, "newest first; of up to 1,000 devices"),
  ...moment("lastSeen?", "when it was last connected, to within ten minutes"),
  "tokenHistory?": list(
    object({
      type: text(),
      token: text("its first 200 characters"),
      "package_name?": text(),
      reason: text(),
      ...moment("at", "when it went"),
    }),
    "the last three former tokens",
  ),
});
const DEVICES_ANSWER = either(DEVICE, object({}), list(DEVICE));

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
const FAILED_GROUP: Members = {
  "provider?": text(),
  "app?": text(),
  state: word(["gone", "refused", "expired"]),
  "reason?": text(),
};

const LANE_NAME: Members = { provider: text(), app: text(), "host?": text("of Web Push: the push service") };
const LANE_STATUS = object({
  ...LANE_NAME,
  state: word(["running", "paused", "stopped"]),
  "reason?": text("why it is paused or stopped"),
  ...moment("until?", "when it goes on, or is tried again"),
  "expiring?": whole("of a paused lane: how many of the first 10,000 will expire before it goes on"),
  depth: whole(FIGURES.depth),
  "oldest?": whole(`${FIGURES.oldest}, milliseconds`),
  inFlight: whole("at the vendor now"),
  rate: number(FIGURES.rate),
  accepted: whole("since the start"),
  failed: whole("since the start"),
  retried: whole("since the start"),
  "lastError?": object({ reason: text(), ...moment("at", "when it was said") }),
  holdsDeletions: yes("so many tokens are said to be dead that none is forgotten until the lane is resumed"),
  "stoppedWays?": list(
    object({
      way: text(),
      reason: text(),
      ...moment("since", "closed since then"),
      ...moment("until", "tried again then"),
    }),
  ),
  text: text("its state in words"),
  ...moment("certificateExpires?", "when the certificate expires by which the vendor knows us"),
  "setAside?": whole("tokens set aside, being those of other credentials"),
  "node?": text(OWNER),
});

const HOOK_NAME = text("of one of [[hooks.tell]]");
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
const EVENT: Members = {
  id: text(),
  type: text(),
  timestamp: text("ISO text"),
  key: text("what it is about: events of one key keep their order"),
  seq: whole(),
  data: open(),
};
const EVENT_FILTER: Members = {
  types: ids("types of events, families like user.* too"),
  key: text("only of this key"),
  from: time("written then or later"),
  to: time("written before"),
};

const LINE = list({ type: ["number", "null"] }, "oldest first; null: nothing was measured then");
const SERIES = object({
  step: whole("milliseconds from one value to the next"),
  from: whole("the start of the first, milliseconds since 1970"),
  values: object({
    connections: LINE,
    sessions: LINE,
    android: LINE,
    ios: LINE,
    browser: LINE,
    other: LINE,
    opened: LINE,
    packets: LINE,
    apiCalls: LINE,
    apiErrors: LINE,
  }),
});

const SESSIONS: Members = { "total?": whole(), "ios?": whole(), "android?": whole(), "browser?": whole() };
const FLOW: Members = { packetAverage10s: whole("packets written in the last 10 seconds"), packetDrop: whole() };
const NUMBERS = list(number());
const CURVES = object({
  timestamps: list(whole()),
  ...{ total: NUMBERS, latency: NUMBERS, latencyDay: NUMBERS, successRate: NUMBERS, successRateDay: NUMBERS },
});

export const ENDPOINTS = {
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
      state: JOB_MEMBERS["state"]!,
      ...moment("acceptedAt", "when the newest call came"),
      ...moment("sendAt?", "when it was to begin"),
      "reached?": object(
        { socket: whole(), vendor: whole(), waiting: whole(), nobody: whole() },
        "users, by what each was reached; of a call of reach",
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
  "/job/list": {
    access: "read",
    about: "The calls of notification that reach many or wait, newest first.",
    takes: {
      state: word(["scheduled", "deferred", "running", "paused", "cancelled", "finished"], "only those"),
      limit: bounded(1, JOBS.most, "how many at most", JOBS.usual),
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
  "/lane/list": {
    access: "read",
    surveys: true,
    about: "The ways to the vendors: what waits, what is wrong, how fast they are.",
    takes: {},
    answers: success({ lanes: list(LANE_STATUS) }),
  },
  "/lane/resume": {
    access: "change",
    audited: "always",
    surveys: true,
    about:
      "Let lanes go on that are paused or stopped, or that hold deletions: all, those of a vendor, an app or a host, or one.",
    takes: { ...LANE, host: text("of Web Push: the push service") },
    answers: success({ resumed: list(object(LANE_NAME)) }),
    namesCaller: true,
  },
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
    }),
  },
  "/hook/dead": {
    access: "read",
    about: "Events that an endpoint did not take while they were kept, oldest first.",
    takes: {
      name: HOOK_NAME,
      limit: pages(EVENTS)["limit"]!,
      after: bounded(0, Number.MAX_SAFE_INTEGER, "the `next` of the page before"),
    },
    answers: success({
      events: list(
        object({ ...EVENT, attempts: whole(), "reason?": text(), ...moment("diedAt", "when it was given up") }),
      ),
      "next?": whole("the `after` of the next page"),
    }),
  },
  "/event/list": {
    access: "read",
    about: "The log of events, oldest first.",
    takes: { ...EVENT_FILTER, ...pages(EVENTS) },
    answers: success({ events: list(object(EVENT)), "next?": whole("the `after` of the next page") }),
  },
  "/event/replay": {
    access: "change",
    audited: "always",
    about: "Send events of the log, or those that were given up, to an endpoint once more.",
    takes: {
      hook: HOOK_NAME,
      ...EVENT_FILTER,
      after: text("the id or the seq of an event: those behind it"),
      dead: flag("those that were given up, instead of the log"),
    },
    answers: success({ replayed: whole() }),
  },
  "/events": {
    access: "read",
    about: "Events as they are written, as server-sent events; with Last-Event-ID or after from there on.",
    takes: { types: EVENT_FILTER["types"]!, after: text("the id or the seq of an event: those behind it first") },
    answers: text("`id`, `event` and `data` of each"),
    resumable: true,
    media: "text/event-stream",
  },
  "/uid/bind": {
    access: "change",
    about: "A device belongs to this user from now on.",
    takes: {
      pushId: text("the device"),
      uid: text("the user"),
      platform: text("of the device, for platformLimit; all: any"),
      platformLimit: any(
        "keep so many of the user's newest devices on this platform; anything but a number above 0: no limit",
      ),
      timeToLive: duration("the binding ends after the device was offline for so long"),
    },
    answers: success(),
  },
  "/uid/remove": {
    access: "change",
    about: "Take the user off devices, or off all of a user's.",
    takes: { pushId: PUSH_IDS, uid: UIDS },
    answers: success(),
  },
  "/auth/revoke": {
    access: "grave",
    audited: "always",
    about: "Tokens of clients that no longer count though they have not expired.",
    takes: {
      uid: ids("users", MOST_REVOKED),
      jti: ids("names of tokens", MOST_REVOKED),
      issuedBefore: time("of the users' tokens those issued before; now when absent"),
    },
    answers: success({ closed: whole("connections that were closed for it") }),
  },
  "/device/get": {
    access: "read",
    surveys: true,
    about: "Devices: one by its pushId, or a list.",
    takes: { pushId: PUSH_IDS, uid: UIDS },
    answers: DEVICES_ANSWER,
  },
  "/device/list": {
    access: "read",
    surveys: true,
    about: "Devices in the order of an index, page by page: all, or those of a user, with a tag, with a token.",
    takes: {
      prefix: text("only those whose pushId begins so"),
      uid: text("only those of this user"),
      tag: text("only those with this tag"),
      token: text("only the one with this token of a vendor"),
      ...pages(DEVICES),
    },
    answers: success({ devices: list(DEVICE), "next?": text("the `after` of the next page") }),
  },
  "/isConnected": {
    access: "read",
    surveys: true,
    about: "The same as device/get.",
    takes: { pushId: PUSH_IDS, uid: UIDS },
    answers: DEVICES_ANSWER,
  },
  "/device/delete": {
    access: "grave",
    audited: "always",
    about: "Forget devices: record, tags, user, token and kept packets. A connection stays.",
    takes: { pushId: PUSH_IDS },
    answers: success(),
  },
  "/topicOnline": {
    access: "read",
    surveys: true,
    about: "How many are in a topic now.",
    takes: { topic: TOPIC },
    answers: object({
      count: whole("connections"),
      "devices?": whole(),
      "users?": whole(),
      topic: text(),
    }),
  },
  "/topicDevices": {
    access: "read",
    surveys: true,
    about: "Who is in a topic now, each device once.",
    takes: { topic: TOPIC, ...pages(TOPIC_DEVICES) },
    answers: object({
      topic: text(),
      devices: list(object({ pushId: text(), "uid?": text(), "platform?": text(), connections: whole() })),
      total: whole(),
      "next?": text("the `after` of the next page"),
    }),
  },
  "/topic/list": {
    access: "read",
    surveys: true,
    about: "Topics with a connection now, in the order of their names.",
    takes: { prefix: text("only those that begin so"), ...pages(TOPICS) },
    answers: success({
      topics: list(
        object({ topic: text(), count: whole("connections"), "leftOut?": whole("packets that went to nobody") }),
      ),
      "next?": text("the `after` of the next page"),
    }),
  },
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
  "/stats/base": {
    access: "read",
    surveys: true,
    about: "Sessions now, and packets of the last 10 seconds.",
    takes: {},
    answers: object({
      ...SESSIONS,
      ...FLOW,
      processCount: list(object({ id: text(), count: object(SESSIONS), ...FLOW, packetDropThreshold: whole() })),
    }),
  },
  "/stats/live": {
    access: "read",
    surveys: true,
    about: "What happened in the last seconds, minutes and hours, for charts: all figures in one answer.",
    takes: {
      seconds: bounded(0, SECONDS, "so many of the last ten minutes", USUAL_SECONDS),
      minutes: bounded(0, MINUTES, "so many of the last day", 0),
      hours: bounded(0, HOURS, "so many of the last 30 days", 0),
    },
    answers: success({ "seconds?": SERIES, "minutes?": SERIES, "hours?": SERIES }),
  },
  ...OPERATOR_ENDPOINTS,
  "/stats/chart": {
    access: "read",
    about: "Sums of one key by the hour, of the last 7 days.",
    takes: { key: text("one of stats/getQueryDataKeys") },
    answers: object({
      ...{
        totalCount: number(),
        totalSuccess: number(),
        avgLatency: number("milliseconds"),
        successRate: number("0 to 1"),
      },
      ...{ countPerSecond: number(), countPerMinute: number() },
      chartData: either(CURVES, { type: "array", maxItems: 0 }),
      stats: list(
        object({
          _id: object({ timestamp: text("ISO text"), key: text() }),
          ...{
            totalCount: number(),
            successCount: number(),
            totalLatency: number(),
            errorCount: number(),
            time: text(),
          },
        }),
      ),
    }),
  },
  "/stats/getQueryDataKeys": {
    access: "read",
    about: "The keys that there are sums of.",
    takes: {},
    answers: object({ result: list(text()) }),
  },
  "/stats/arrival/:type": {
    access: "read",
    about: "How notifications arrived: one by its id, or the last 50 of a user, a device or a type.",
    takes: { id: NOTIFICATION_ID, uid: text("a user"), pushId: text("a device") },
    answers: either(open("a record; empty when the id is unknown"), list(open())),
  },
  "/apn": {
    access: "change",
    about: "Send to Apple at once, with this server's credentials, for another server.",
    takes: {
      notification: NOTIFICATION,
      bundleId: text("the app"),
      tokens: ids("tokens of Apple"),
      timeToLive: duration("how long Apple keeps it"),
    },
    answers: success({
      id: text(),
      "bundleId?": text(),
      success: whole("tokens that Apple took it for"),
      "total?": whole(),
      "errorTokens?": list(text(), "dead: forget them"),
      "refusedTokens?": list(text()),
      "retryTokens?": list(text()),
      "reason?": text(),
      "msg?": text("why nothing was sent"),
    }),
  },
  "/redis/get": {
    access: "read",
    surveys: true,
    about: "Whether a device is connected, as the first server of this kind told it.",
    takes: { key: text("pushIdSocketId#<pushId>") },
    answers: object({ "value?": whole("1: connected") }),
  },
  "/config": { access: "read", about: "The settings that hold, secrets masked.", takes: {}, answers: open() },
  "/heap": {
    access: "read",
    about: "V8's figures of memory.",
    takes: {},
    answers: success({ heapStatistics: open(), heapSpaceStatistics: list(open()) }),
  },
  "/audit/list": {
    access: "read",
    about: "Who changed something on this server: when, from where, what, and what came of it; newest first.",
    takes: {
      who: text("only calls with the key of this name"),
      action: text("only of this path, like job/cancel"),
      from: time("not earlier"),
      to: time("not later"),
      limit: bounded(1, AUDIT.most, "how many at most", AUDIT.usual),
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
  "/openapi.json": { access: "read", about: "This description, as OpenAPI 3.1.", takes: {}, answers: open() },
} as const satisfies Readonly<Record<string, EndpointSpec>>;

export type Path = keyof typeof ENDPOINTS;
