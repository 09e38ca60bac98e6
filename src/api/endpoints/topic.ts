// /api/topicOnline, /api/topicDevices and /api/topic/*: who is in a topic, and which there are (api 3.7, 3.16, 6.12).
import { TOPIC_DEVICES, TOPICS } from "../bounds.ts";
import { TOPIC } from "./common.ts";
import { list, moment, number, object, success, text, whole } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { pages } from "./takes.ts";

export const TOPIC_ENDPOINTS = {
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
  "/topic/get": {
    access: "read",
    surveys: true,
    about: "One topic: connections in it, how much goes through it, and what is kept for it.",
    takes: { topic: TOPIC },
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
} as const satisfies Endpoints;
