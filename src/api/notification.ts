// /api/notification: what a person sees, by the vendors' services or the long connection (api 3.2).
import { setTimeout as pause } from "node:timers/promises";
import { wallClock } from "../core/clock.ts";
import { PushError } from "../core/errors.ts";
import { parseExact } from "../core/exact.ts";
import type { NotificationContent, NotificationId } from "../core/notification.ts";
import { normalise, type QuietHours, showsOnAndroid, showsOnApple } from "../core/notification.ts";
import { isObject } from "../core/object.ts";
import type { NotificationTarget } from "../core/outbox.ts";
import { quietAt, quietHours } from "../core/quiet.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import type { Caller } from "./auth.ts";
import { HIGHEST_RATE } from "./bounds.ts";
import { type Limits, limited } from "./ids.ts";
import { memberText } from "./json.ts";
import { quotaTold } from "./lane.ts";
import type { Params } from "./params.ts";
import { onceOf } from "./repeat.ts";
import { told } from "./time.ts";

/** How much of a text that is not JSON the error repeats. */
const LONGEST_ECHO = 1000;

/**
 * @param admitBroadcast throws when the caller may not reach everybody or a tag @param quietElse for one that does not outlive
 * its quiet hours
 */
export async function notification(
  params: Params,
  actions: Actions,
  admitBroadcast: () => void,
  caller: Pick<Caller, "address" | "repeatKey" | "requestId">,
  limits: Limits,
  quietElse: QuietHours["otherwise"],
): Promise<Response> {
  const given = contentOf(params);
  const target = targetOf(params);
  if (target.kind === "all" || target.kind === "tag") admitBroadcast();
  const content = normalise(given);
  // Callers of old send data this way, so it is no mistake; to everybody it reaches nobody.
  if (!showsOnAndroid(content) && !showsOnApple(content))
    params.warn(
      "notification has neither android.title nor apn.alert: nothing is shown to anybody" +
        (target.kind === "all" ? ", and pushAll sends it to nobody" : ""),
    );
  const id = idOf(content, limits);
  const type = params.label("type");
  const sendAt = params.time("sendAt");
  const rate = params.whole("rate", 0, HIGHEST_RATE) ?? 0;
  const dryRun = params.strictFlag("dryRun");
  const quiet = quietOf(params, quietElse);
  const once = await onceOf(params, caller.repeatKey, "/notification");
  const timeToLive = params.timeToLive();
  const accepted = await actions.notify(
    content,
    {
      ...(id === undefined ? {} : { id }),
      target,
      timeToLive,
      ...(quiet === undefined || dryRun ? {} : { quiet }),
      ...(type === undefined ? {} : { type }),
      ...(sendAt === undefined ? {} : { sendAt }),
      ...(rate === 0 ? {} : { rate }),
      ...(dryRun ? { dryRun } : {}),
      ...(once === undefined ? {} : { once }),
      callerAddress: caller.address,
    },
    caller.requestId,
  );
  if (dryRun && sendAt === undefined)
    return json({ code: "success", id: accepted, ...(await counted(accepted, actions)) });
  if (quiet === undefined || dryRun) return json({ code: "success", id: accepted });
  const now = wallClock();
  const note = { timeToLive, quiet, acceptedAt: now, ...(sendAt === undefined || sendAt < now ? {} : { sendAt }) };
  return json({ code: "success", id: accepted, ...quietTold(quietAt(note, now)) });
}

/** What it would weigh at each vendor, and why one would not take it; nothing is sent. */
export function notificationPreview(params: Params, actions: Actions, limits: Limits): Response {
  const content = normalise(contentOf(params));
  idOf(content, limits);
  const { vendors, connection } = actions.weigh(content, params.timeToLive());
  return json({
    code: "success",
    android: showsOnAndroid(content),
    apple: showsOnApple(content),
    connection,
    vendors: vendors.map(({ vendor, quota, ...one }) => ({ provider: vendor, ...one, quota: quotaTold(quota) })),
  });
}

/** Throws `PushError("invalid")`. */
export function quietOf(params: Params, otherwise: QuietHours["otherwise"]): QuietHours | undefined {
  const hours = params.text("quietHours");
  const zone = params.text("timeZone");
  if (hours !== undefined) return quietHours(hours, zone, otherwise);
  if (zone !== undefined) throw new PushError("invalid", "timeZone is that of quietHours, which is missing");
  return undefined;
}

/** What the caller learns: until when it waits, or that it goes nowhere. */
export const quietTold = (quiet: ReturnType<typeof quietAt>): object =>
  quiet === "drop" ? { dropped: true } : told("deferred", quiet);

/** A dry run of some ten thousand devices is over by then. */
const COUNTED_WITHIN = 1000;
const LOOK_EVERY = 20;

/** What a dry run counted: `count` devices and connections, by `routes`; or, when it takes longer, where to `ask`. */
async function counted(id: NotificationId, actions: Actions): Promise<object> {
  for (const until = performance.now() + COUNTED_WITHIN; performance.now() < until; await pause(LOOK_EVERY)) {
    const job = (await actions.outbox.jobs({ id }, 1, wallClock())).find((newest) => newest.dryRun);
    if (job?.state !== "finished") continue;
    return { count: Object.values(job.routes).reduce((sum, devices) => sum + devices, 0), routes: job.routes };
  }
  return { ask: `/api/job/get?id=${encodeURIComponent(id)}` };
}

/** A JSON string, a JSON object, or nested form keys. */
export function contentOf(params: Params): unknown {
  const given = params.raw("notification");
  if (given === undefined) throw new PushError("invalid", "notification is required");
  if (typeof given !== "string") return withExactPayload(given, params.written("notification"));
  try {
    return withExactPayload(JSON.parse(given), given);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "";
    const echo = given.slice(0, LONGEST_ECHO);
    throw new PushError("invalid", `notification format error ${reason} ${echo}`, { cause });
  }
}

/** The same with payloads whose numbers keep their digits: apps get them as the caller wrote them. */
function withExactPayload(content: unknown, text: string | undefined): unknown {
  if (text === undefined || !isObject(content)) return content;
  const { payload, android } = content;
  return {
    ...content,
    ...(isObject(payload) ? { payload: exact(text, "payload") } : {}),
    ...(isObject(android) && isObject(android["payload"])
      ? { android: { ...android, payload: exact(memberText(text, "android") ?? "", "payload") } }
      : {}),
  };
}

const exact = (text: string, member: string): unknown => parseExact(memberText(text, member) ?? "{}");

function targetOf(params: Params): NotificationTarget {
  const filter = params.filter();
  const filtered = filter === undefined ? {} : { filter };
  const tag = params.label("tag");
  const pushIds = params.pushIds();
  const uids = params.uids();
  const targets: NotificationTarget[] = [];
  if (tag !== undefined) targets.push({ kind: "tag", tag, ...filtered });
  if (pushIds !== undefined) targets.push({ kind: "pushIds", pushIds, ...filtered });
  if (uids !== undefined) targets.push({ kind: "uids", uids, ...filtered });
  if (params.flag("pushAll")) targets.push({ kind: "all" });
  const [target, further] = targets;
  if (target === undefined) throw new PushError("invalid", "pushId / uid / tag is required");
  if (further !== undefined) throw new PushError("invalid", "tag / pushId / pushAll can't be present at the same time");
  return target;
}

/** The caller's own id; the same id again means the same statistics. */
export function idOf(content: NotificationContent, limits: Limits): NotificationId | undefined {
  const id = content["id"];
  if (id === undefined || id === null || id === "") return undefined;
  if (typeof id !== "string" && typeof id !== "number")
    throw new PushError("invalid", "notification.id must be a string");
  return limited(String(id), "notification.id", limits.id);
}
