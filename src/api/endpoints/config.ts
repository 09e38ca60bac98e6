// /api/config and /api/config/*: the settings that hold (api 3.12, 6.9).
import { ANSWERING } from "./common.ts";
import { list, map, object, open, success, text, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";

const CHANGES = list(
  object({
    name: text("of the setting"),
    "before?": {},
    "after?": {},
    takes: word(["reload", "restart"], "what makes it hold"),
  }),
);

export const CONFIG_ENDPOINTS = {
  "/config": { access: "read", about: "The settings that hold, secrets masked.", takes: {}, answers: open() },
  "/config/get": {
    access: "read",
    about:
      "The settings that hold, secrets masked, and where each came from: a line of the file, a variable, a flag, or the default.",
    takes: { lang: word(["en", "zh"], "of what things are for: en, or zh for Chinese; en when absent") },
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
      vendors: list(
        object({
          provider: text(),
          origin: text(),
          values: open(),
          why: map(text(), "what each of the values is for"),
        }),
        "the entries of vendors",
      ),
      ...ANSWERING,
    }),
  },
  "/config/diff": {
    access: "read",
    about: "What a reload would change now, and what needs a restart. Changes nothing.",
    takes: { lang: word(["en", "zh"], "of what is wrong: en, or zh for Chinese; en when absent") },
    answers: success({
      changes: CHANGES,
      "problems?": list(text(), "why a reload would change nothing"),
      ...ANSWERING,
    }),
  },
  "/config/reload": {
    access: "change",
    audited: "always",
    about:
      "Read the settings' sources and the certificates again, as SIGHUP does; with a mistake in them nothing is changed.",
    takes: {},
    answers: success({ changes: CHANGES, ...ANSWERING }),
  },
} as const satisfies Endpoints;
