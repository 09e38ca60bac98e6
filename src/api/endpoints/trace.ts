// /api/trace/*: what is said to and by a device, user, address or topic (api 6.8).
import { MOST_MINUTES, TRACE_LINES, USUAL_MINUTES } from "../bounds.ts";
import { list, moment, object, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { atMost, bounded } from "./takes.ts";

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

export const TRACE_ENDPOINTS = {
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
      limit: atMost(TRACE_LINES),
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
} as const satisfies Endpoints;
