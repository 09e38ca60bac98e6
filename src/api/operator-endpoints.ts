// The part of the table of endpoints that is for those who look after the server: endpoints.ts joins it, and says what an entry is.
import { DAYS, MOST_KEYS, USUAL_DAYS } from "./bounds.ts";
import { list, number, object, success, text, whole, word, yes } from "./schema.ts";
import { bounded, ids } from "./takes.ts";

const DAYS_BACK = bounded(1, DAYS, "so many, the last of them today", USUAL_DAYS);
const FORMAT = word(["json", "csv"], "json, or csv: a table for a spreadsheet, by UTC");
const FIGURES = list(number());
const ARRIVED = {
  notifications: whole(),
  target: whole("devices that were addressed, of all ways"),
  accepted: whole("taken by vendors"),
  arrive: whole("devices that said, or whose vendor said, that they have it"),
  click: whole("opened by a person"),
  failed: whole("did not arrive and is not tried again"),
};

export const OPERATOR_ENDPOINTS = {
  "/stats/series": {
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
          count: FIGURES,
          success: FIGURES,
          error: FIGURES,
          rate: list(number(), "per second"),
          latency: list(number(), "milliseconds on the average; 0: none was measured"),
        }),
      ),
    }),
    csv: true,
  },
  "/stats/types": {
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
} as const;
