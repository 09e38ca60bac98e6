// /api/uid/*: which user a device belongs to (api 3.3, 3.4).
import { PUSH_IDS, UIDS } from "./common.ts";
import { any, success, text } from "./schema.ts";
import type { Endpoints } from "./spec.ts";
import { duration } from "./takes.ts";

export const UID_ENDPOINTS = {
  "/uid/bind": {
    access: "change",
    about: "A device belongs to this user from now on.",
    takes: {
      pushId: text("the device"),
      uid: text("the user"),
      platform: text("of the device, for platformLimit; all: any"),
      platformLimit: any(
        "keep so many of the user's newest devices on this platform; anything but a number above 0: no limit",
      ),
      timeToLive: duration("the binding ends after the device was offline for so long"),
    },
    answers: success(),
  },
  "/uid/remove": {
    access: "change",
    about: "Take the user off devices, or off all of a user's.",
    takes: { pushId: PUSH_IDS, uid: UIDS },
    answers: success(),
  },
} as const satisfies Endpoints;
