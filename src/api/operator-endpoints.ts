// The part of the table of endpoints that is for those who look after the server: endpoints.ts joins it, and says what an entry is.
import { FIGURES } from "../core/figures.ts";
import {
  CONNECTIONS,
  DAYS,
  LONGEST_AGE,
  MOST_KEYS,
  MOST_MINUTES,
  MOST_WAITING,
  TRACE_LINES,
  USUAL_DAYS,
  USUAL_MINUTES,
} from "./bounds.ts";
import { list, moment, number, object, open, success, text, whole, word, yes } from "./schema.ts";
import { bounded, duration, ids } from "./takes.ts";

const DAYS_BACK = bounded(1, DAYS, "so many, the last of them today", USUAL_DAYS);
const FORMAT = word(["json", "csv"], "json, or csv: a table for a spreadsheet, by UTC");
const NUMBERS = list(number());
const ARRIVED = {
  notifications: whole(),
  target: whole("devices that were addressed, of all ways"),
  accepted: whole(FIGURES.accepted),
  arrive: whole(`${FIGURES.arrived}; or its vendor said so`),
  click: whole(FIGURES.clicked),
  failed: whole(FIGURES.failed),
};

const TRACE = object({
  trace: text("its name"),
  "pushId?": text(),
  "uid?": text(),
  "address?": text(),
  "topic?": text(),
  running: yes(),
  ...moment("startedAt", "when"),
  ...moment("until", "when it ends, or has ended"),
  lines: whole("the number of the newest line"),
  forgotten: whole("lines for which there was no room: the oldest"),
});

const CHANGES = list(
  object({
    name: text("of the setting"),
    "before?": {},
    "after?": {},
    takes: word(["reload", "restart"], "what makes it hold"),
  }),
);

export const OPERATOR_ENDPOINTS = {
  "/stats/series": {
    access: "read",
    about: "Sums of many keys by the hour or by the day, for curves: count, success, errors, rate and latency.",
    takes: {
      key: ids("keys of stats/getQueryDataKeys; the first 100 of them when absent", MOST_KEYS),
      days: DAYS_BACK,
      by: word(["hour", "day"], "one column for each; days begin at midnight UTC"),
      format: FORMAT,
    },
    answers: success({
      by: word(["hour", "day"]),
      step: whole("milliseconds from one column to the next"),
      from: whole("the start of the first, milliseconds since 1970"),
      "more?": whole("keys that there was no room for"),
      series: list(
        object({
          key: text(),
          count: NUMBERS,
          success: NUMBERS,
          error: NUMBERS,
          rate: list(number(), "per second"),
          latency: list(number(), "milliseconds on the average; 0: none was measured"),
        }),
      ),
    }),
    csv: true,
  },
  "/stats/types": {
    access: "read",
    about: "How notifications of each type arrived, by the day they began.",
    takes: { days: DAYS_BACK, format: FORMAT },
    answers: success({
      from: whole("the start of the first day, milliseconds since 1970"),
      types: list(
        object({
          type: text(),
          ...ARRIVED,
          arrivalRate: text("arrive of target"),
          clickRate: text("click of arrive"),
          "partial?": yes("only its latest 1,000 notifications were looked at"),
          days: list(object({ day: whole("its start, milliseconds since 1970"), ...ARRIVED })),
        }),
      ),
    }),
    csv: true,
  },
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
  "/connection/list": {
    access: "read",
    surveys: true,
    about: "A sample of the open connections: the first that fit, and how many were looked at.",
    takes: {
      platform: text("as the client named it: android, ios, browser ..."),
      transport: word(["websocket", "polling"], "how it is connected"),
      revision: bounded(3, 4, "of Engine.IO"),
      address: text("of the client, or the network that limits count as one address"),
      waiting: bounded(0, MOST_WAITING, "slow ones: so many bytes wait for the client, at least"),
      olderThan: duration("open for so long at least", LONGEST_AGE),
      youngerThan: duration("open for so long at most", LONGEST_AGE),
      limit: bounded(1, CONNECTIONS.most, "how many at most", CONNECTIONS.usual),
    },
    answers: success({
      connections: list(
        object({
          connection: text("its name, for connection/close"),
          "pushId?": text("absent: it has not said who it is"),
          "uid?": text(),
          "platform?": text(),
          transport: word(["websocket", "polling"]),
          revision: whole("of Engine.IO: 3 or 4"),
          address: text(),
          ...moment("since", "when it was opened"),
          topics: whole("how many it is in"),
          waiting: whole("bytes that wait for the client"),
          background: yes("its app said that it is in the background"),
          "node?": text("the node that it is at, where there may be several"),
        }),
      ),
      looked: whole("connections that were looked at"),
      open: whole("connections that there are"),
      "partial?": yes("not all of them were looked at, or a node has not answered"),
    }),
  },
  "/connection/close": {
    access: "change",
    audited: "always",
    surveys: true,
    about: "Close one connection; its client comes back.",
    takes: { connection: text("its name, as connection/list tells it") },
    answers: success(),
  },
  "/trace/start": {
    access: "change",
    audited: "always",
    surveys: true,
    about:
      "Follow a device, a user, an address or a topic: frames in and out, and what is decided. Kept in memory only.",
    takes: {
      pushId: text("a device"),
      uid: text("a user: all devices"),
      address: text("all connections from there"),
      topic: text("what goes to it, and who joins and leaves"),
      minutes: bounded(1, MOST_MINUTES, "it ends by itself", USUAL_MINUTES),
    },
    answers: success({ trace: TRACE }),
  },
  "/trace/stop": {
    access: "change",
    audited: "always",
    surveys: true,
    about: "End a trace; its lines stay until another one needs the room.",
    takes: { trace: text("its name") },
    answers: success({ trace: TRACE }),
  },
  "/trace/list": {
    access: "read",
    surveys: true,
    about: "The traces that run, and those that have ended and are still there, newest first.",
    takes: {},
    answers: success({ traces: list(TRACE) }),
  },
  "/trace/get": {
    access: "read",
    surveys: true,
    about: "The lines of a trace. Asked again with next as after, it tells what has come since.",
    takes: {
      trace: text("its name"),
      after: bounded(0, Number.MAX_SAFE_INTEGER, "the number of the last line that is known"),
      limit: bounded(1, TRACE_LINES.most, "how many at most", TRACE_LINES.usual),
    },
    answers: success({
      trace: TRACE,
      lines: list(
        object({
          line: whole("rises by one"),
          ...moment("at", "when"),
          what: word(["in", "out", "decision"]),
          text: text("a frame as it is on the wire, tokens masked, or what was decided"),
          "connection?": text(),
        }),
      ),
      next: whole("the `after` to go on with"),
    }),
  },
  "/lane/test": {
    access: "change",
    audited: "always",
    about: "Ask a vendor with a token that nobody has what it thinks of our credentials; nobody is sent anything.",
    takes: {
      provider: text("the vendor: apns, fcm, huawei ..."),
      app: text("the bundle id or package name"),
      host: text("of Web Push: the push service"),
    },
    answers: success({
      verdict: word(["well", "denied", "paused", "trouble"]),
      text: text("the same in words"),
      "reason?": text("what the vendor said"),
      took: whole("milliseconds"),
      tried: text("what was asked"),
    }),
  },
  "/topic/get": {
    access: "read",
    surveys: true,
    about: "One topic: connections in it, how much goes through it, and what is kept for it.",
    takes: { topic: text("the topic's name") },
    answers: success({
      topic: text(),
      count: whole("connections"),
      rates: object(
        {
          in: number("packets that came"),
          out: number("packets written to connections"),
          kept: number("of those that came, those that are kept"),
          seconds: whole("that the rates are of; 0: it is counted from now on, while somebody asks"),
        },
        "per second",
      ),
      kept: list(
        object({
          seq: whole("its place in the log"),
          id: text("its name, and the clients' position"),
          event: text(),
          size: whole("characters of its JSON"),
          text: text("its first 200 characters"),
          ...moment("expires", "kept until then"),
        }),
        "the newest first",
      ),
    }),
  },
  "/device/test/list": {
    access: "read",
    surveys: true,
    about: "Devices that are marked for trying things out, in the order in which they were marked.",
    takes: { who: text("only those that this key or user has marked") },
    answers: success({
      devices: list(
        object({
          pushId: text(),
          note: text(),
          "who?": text("the key or user that marked it"),
          ...moment("at", "when"),
          known: yes("there is a record of it"),
          "uid?": text(),
          "platform?": text(),
          connected: yes(),
        }),
      ),
    }),
  },
  "/device/test/add": {
    access: "change",
    audited: "always",
    about: "Mark a device for trying things out. It need not be known yet.",
    takes: { pushId: text("the device"), note: text("whose it is, what it is") },
    answers: success(),
  },
  "/device/test/remove": {
    access: "change",
    audited: "always",
    about: "A device is for trying things out no more.",
    takes: { pushId: text("the device") },
    answers: success(),
  },
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
  "/config/get": {
    access: "read",
    about:
      "The settings that hold, secrets masked, and where each came from: a line of the file, a variable, a flag, or the default.",
    takes: {},
    answers: success({
      settings: list(
        object({
          name: text(),
          value: {},
          origin: text("like pushbox.toml:3, PUSHBOX_DATA, --data or default"),
          why: text("what it is for"),
          live: yes("a reload applies a change of it; others need a restart"),
        }),
      ),
      vendors: list(object({ provider: text(), origin: text(), values: open() }), "the entries of vendors"),
    }),
  },
  "/config/diff": {
    access: "read",
    about: "What a reload would change now, and what needs a restart. Changes nothing.",
    takes: {},
    answers: success({ changes: CHANGES, "problems?": list(text(), "why a reload would change nothing") }),
  },
  "/config/reload": {
    access: "change",
    audited: "always",
    about:
      "Read the settings' sources and the certificates again, as SIGHUP does; with a mistake in them nothing is changed.",
    takes: {},
    answers: success({ changes: CHANGES }),
  },
} as const;
