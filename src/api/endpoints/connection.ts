// /api/connection/*: a sample of the connections that are open, and the end of one (api 6.7).
import { CONNECTIONS, LONGEST_AGE, MOST_WAITING } from "../bounds.ts";
import { NODE } from "./common.ts";
import { list, moment, object, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { atMost, bounded, duration } from "./takes.ts";

export const CONNECTION_ENDPOINTS = {
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
      limit: atMost(CONNECTIONS),
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
          "node?": text(NODE),
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
    about: "Close one connection; its client comes back.",
    takes: { connection: text("its name, as connection/list tells it") },
    answers: success(),
  },
} as const satisfies Endpoints;
