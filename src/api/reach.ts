// /api/reach: a message to users' connections, and a notification for those who do not acknowledge it (api 3.23).
import { wallClock } from "../core/clock.ts";
import { PushError } from "../core/errors.ts";
import { normalise, type QuietHours, showsOnAndroid, showsOnApple } from "../core/notification.ts";
import { quietAt } from "../core/quiet.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import type { Caller } from "./auth.ts";
import { HIGHEST_CAP, LONGEST_FALLBACK } from "./bounds.ts";
import type { Limits } from "./ids.ts";
import { contentOf, idOf, quietOf, quietTold } from "./notification.ts";
import type { Params } from "./params.ts";
import { onceOf } from "./repeat.ts";

const USUAL_FALLBACK = 5000;
/** Without a time to live vendors are given so long. */
const BRIEF = 600_000;

/** Vendors are asked `fallbackAfter` (milliseconds, or a duration) after the message, for users of whom no device has acknowledged it. */
export async function reach(
  params: Params,
  actions: Actions,
  caller: Pick<Caller, "address" | "repeatKey" | "requestId">,
  limits: Limits,
  quietElse: QuietHours["otherwise"],
): Promise<Response> {
  const uids = params.uids();
  if (uids === undefined) throw new PushError("invalid", "uid is required: the users to reach");
  const message = params.payload("json");
  if (message === undefined) throw new PushError("invalid", "json is required: the message, as JSON or as text");
  const content = normalise(contentOf(params));
  if (!showsOnAndroid(content) && !showsOnApple(content))
    params.warn("notification has neither android.title nor apn.alert: nothing is shown to those who are away");
  const timeToLive = params.timeToLive();
  const fallbackAfter = params.duration("fallbackAfter", LONGEST_FALLBACK) ?? USUAL_FALLBACK;
  if (fallbackAfter >= (timeToLive > 0 ? timeToLive : BRIEF))
    throw new PushError(
      "invalid",
      "fallbackAfter must be less than timeToLive (10m when absent): give a longer timeToLive",
    );
  const id = idOf(content, limits);
  const type = params.label("type") ?? "reach";
  const sendAt = params.time("sendAt");
  const capPerDay = params.whole("capPerDay", 1, HIGHEST_CAP);
  const quiet = quietOf(params, quietElse);
  const once = await onceOf(params, caller.repeatKey, "/reach");
  const accepted = await actions.notify(
    content,
    {
      ...(id === undefined ? {} : { id }),
      target: { kind: "uids", uids },
      timeToLive,
      type,
      ...(sendAt === undefined ? {} : { sendAt }),
      ...(quiet === undefined ? {} : { quiet }),
      reach: { json: message, fallbackAfter, ...(capPerDay === undefined ? {} : { capPerDay }) },
      ...(once === undefined ? {} : { once }),
      callerAddress: caller.address,
    },
    caller.requestId,
  );
  const now = wallClock();
  const start = sendAt === undefined || sendAt < now ? now : sendAt;
  const note = { timeToLive, acceptedAt: start, ...(quiet === undefined ? {} : { quiet }) };
  return json({ code: "success", id: accepted, ...quietTold(quietAt(note, start + fallbackAfter)) });
}
