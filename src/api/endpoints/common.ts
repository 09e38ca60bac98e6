// Parameters and parts of answers that endpoints of several resources have.
import { FIGURES } from "../../core/figures.ts";
import { type Members, moment, object, type Schema, text, whole } from "./schema.ts";
import { duration, ids } from "./takes.ts";

export const TIME_TO_LIVE = duration("how long it is kept for those who are away");
export const PUSH_IDS = ids("devices");
export const UIDS = ids("users: all devices of each");
export const TOPIC = text("the topic's name");
export const NOTIFICATION_ID = text("the notification's id");
export const IDEMPOTENCY_KEY = text("the same key within 24 hours means the same call, which is made once");
export const NOTIFICATION: Schema = {
  type: ["object", "string"],
  description: "what is shown (section 4 of the API's README): an object, or its JSON text",
};
export const FILTER: Members = {
  tagStart: text("how the tag begins that holds a version: only devices with such a tag"),
  tagLessThan: text("whose version is below this one"),
  tagGreaterThan: text("whose version is above this one"),
};
export const LANE: Members = {
  provider: text("the vendor: apns, fcm, huawei ..."),
  app: text("the bundle id or package name"),
};
export const QUOTA = object(
  {
    limit: whole("of the day"),
    used: whole("of it, as the vendor counts"),
    left: whole("the rest of it"),
    ...moment("at", "when it was said"),
    ...moment("until", "when it begins anew"),
  },
  FIGURES.quota,
);
export const HOOK_NAME = text("of one of [[hooks.tell]]");
export const ANSWERING: Members = { "node?": text("the node that was asked, where there may be several") };
export const NODE = "the node that it is at, where there may be several";
export const OWNER = "the node that sends for all, where there may be several";
