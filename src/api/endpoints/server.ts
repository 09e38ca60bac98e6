// /api/heap and /api/openapi.json: the server about itself (api 3.12, 6.2).
import { list, open, success, word } from "./schema.ts";
import type { Endpoints } from "./spec.ts";

export const SERVER_ENDPOINTS = {
  "/heap": {
    access: "read",
    about: "V8's figures of memory.",
    takes: {},
    answers: success({ heapStatistics: open(), heapSpaceStatistics: list(open()) }),
  },
  "/openapi.json": {
    access: "read",
    about: "This description, as OpenAPI 3.1.",
    takes: { lang: word(["en", "zh"], "of the descriptions: en, or zh for Chinese; en when absent") },
    answers: open(),
  },
} as const satisfies Endpoints;
