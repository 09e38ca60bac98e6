// /api/event/* and /api/events: the log of events (api 3.21, 3.22).
import { EVENTS } from "../bounds.ts";
import { HOOK_NAME } from "./common.ts";
import { list, type Members, object, open, success, text, whole } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { flag, ids, pages, time } from "./takes.ts";

export const EVENT: Members = {
  id: text(),
  type: text(),
  timestamp: text("ISO text"),
  key: text("what it is about: events of one key keep their order"),
  seq: whole(),
  data: open(),
};
const TYPES = ids("types of events, families like user.* too");
const EVENT_FILTER: Members = {
  types: TYPES,
  key: text("only of this key"),
  from: time("written then or later"),
  to: time("written before"),
};

export const EVENT_ENDPOINTS = {
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
    takes: { types: TYPES, after: text("the id or the seq of an event: those behind it first") },
    answers: text("of each its `id`, and its JSON as `data`"),
    resumable: true,
    media: "text/event-stream",
  },
} as const satisfies Endpoints;
