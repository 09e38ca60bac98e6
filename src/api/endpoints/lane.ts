// /api/lane/*: the ways to the vendors (api 6.13).
import { FIGURES } from "../../core/figures.ts";
import { ANSWERING, LANE, OWNER, QUOTA } from "./common.ts";
import { list, type Members, moment, number, object, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";

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
  "quota?": QUOTA,
  text: text("its state in words"),
  ...moment("certificateExpires?", "when the certificate expires by which the vendor knows us"),
  "setAside?": whole("tokens set aside, being those of other credentials"),
  "node?": text(OWNER),
});

export const LANE_ENDPOINTS = {
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
  "/lane/test": {
    access: "change",
    audited: "always",
    about: "Ask a vendor with a token that nobody has what it thinks of our credentials; nobody is sent anything.",
    takes: { ...LANE, host: text("of Web Push: the push service") },
    answers: success({
      verdict: word(["well", "denied", "paused", "trouble"]),
      text: text("the same in words"),
      "reason?": text("what the vendor said"),
      took: whole("milliseconds"),
      tried: text("what was asked"),
      ...ANSWERING,
    }),
  },
} as const satisfies Endpoints;
