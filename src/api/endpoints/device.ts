// /api/device/*, /api/isConnected and /api/redis/get: records of devices, and devices for trying things out (api 3.5, 3.6,
// 3.12, 6.10).
import { DEVICES } from "../bounds.ts";
import { NODE, PUSH_IDS, UIDS } from "./common.ts";
import { either, list, moment, object, success, text, whole, word, yes } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { pages } from "./takes.ts";

const CONNECTION = object({
  transport: word(["websocket", "polling"]),
  revision: whole("of Engine.IO: 3 or 4"),
  address: text(),
  ...moment("since", "when it was opened"),
  topics: list(text()),
  "node?": text(NODE),
});
const DEVICE = object({
  _id: text("the pushId"),
  "uid?": text(),
  "platform?": text(),
  "socketId?": text("while it is connected"),
  "tags?": list(text()),
  createTime: text("ISO text"),
  updateTime: text("ISO text"),
  "type?": text("of the token; `apnNoToken`, `androidNoToken` without one"),
  "token?": text(),
  "package_name?": text(),
  connected: yes(),
  "connections?": list(CONNECTION, "newest first; of up to 1,000 devices"),
  ...moment("lastSeen?", "when it was last connected, to within ten minutes"),
  "tokenHistory?": list(
    object({
      type: text(),
      token: text("its first 200 characters"),
      "package_name?": text(),
      reason: text(),
      ...moment("at", "when it went"),
    }),
    "the last three former tokens",
  ),
});
const DEVICES_ANSWER = either(DEVICE, object({}), list(DEVICE));

export const DEVICE_ENDPOINTS = {
  "/device/get": {
    access: "read",
    surveys: true,
    about: "Devices: one by its pushId, or a list.",
    takes: { pushId: PUSH_IDS, uid: UIDS },
    answers: DEVICES_ANSWER,
  },
  "/device/list": {
    access: "read",
    surveys: true,
    about: "Devices in the order of an index, page by page: all, or those of a user, with a tag, with a token.",
    takes: {
      prefix: text("only those whose pushId begins so"),
      uid: text("only those of this user"),
      tag: text("only those with this tag"),
      token: text("only the one with this token of a vendor"),
      ...pages(DEVICES),
    },
    answers: success({ devices: list(DEVICE), "next?": text("the `after` of the next page") }),
  },
  "/isConnected": {
    access: "read",
    surveys: true,
    about: "The same as device/get.",
    takes: { pushId: PUSH_IDS, uid: UIDS },
    answers: DEVICES_ANSWER,
  },
  "/device/delete": {
    access: "grave",
    audited: "always",
    about: "Forget devices: record, tags, user, token and kept packets. A connection stays.",
    takes: { pushId: PUSH_IDS },
    answers: success(),
  },
  "/redis/get": {
    access: "read",
    surveys: true,
    about: "Whether a device is connected, as the first server of this kind told it.",
    takes: { key: text("pushIdSocketId#<pushId>") },
    answers: object({ "value?": whole("1: connected") }),
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
} as const satisfies Endpoints;
