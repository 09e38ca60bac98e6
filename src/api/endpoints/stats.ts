// /api/stats/*: figures of now and of the last days, and how notifications arrived (api 3.8 to 3.10, 6.5, 6.6).
import { FIGURES } from "../../core/figures.ts";
import { DAYS, HOURS, MINUTES, MOST_KEYS, SECONDS, USUAL_DAYS, USUAL_SECONDS } from "../bounds.ts";
import { NOTIFICATION_ID } from "./common.ts";
import { either, list, type Members, number, object, open, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { bounded, ids } from "./takes.ts";

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
  total: NUMBERS,
  latency: NUMBERS,
  latencyDay: NUMBERS,
  successRate: NUMBERS,
  successRateDay: NUMBERS,
});
const DAYS_BACK = bounded(1, DAYS, "so many, the last of them today", USUAL_DAYS);
const FORMAT = word(["json", "csv"], "json, or csv: a table for a spreadsheet, by UTC");
const ARRIVED = {
  notifications: whole(),
  target: whole("devices that were addressed, of all ways"),
  accepted: whole(FIGURES.accepted),
  arrive: whole(`${FIGURES.arrived}; or its vendor said so`),
  click: whole(FIGURES.clicked),
  failed: whole(FIGURES.failed),
};

export const STATS_ENDPOINTS = {
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
  "/stats/chart": {
    access: "read",
    about: "Sums of one key by the hour, of the last 7 days.",
    takes: { key: text("one of stats/getQueryDataKeys") },
    answers: object({
      totalCount: number(),
      totalSuccess: number(),
      avgLatency: number("milliseconds"),
      successRate: number("0 to 1"),
      countPerSecond: number(),
      countPerMinute: number(),
      chartData: either(CURVES, { type: "array", maxItems: 0 }),
      stats: list(
        object({
          _id: object({ timestamp: text("ISO text"), key: text() }),
          totalCount: number(),
          successCount: number(),
          totalLatency: number(),
          errorCount: number(),
          time: text(),
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
} as const satisfies Endpoints;
