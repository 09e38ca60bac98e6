// /api/push: data for live sockets, kept for replay when it has a time to live (api 3.1).
import { PushError } from "../core/errors.ts";
import type { Draft, PushTarget } from "../core/push.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { pushed } from "./answer.ts";
import type { Caller } from "./auth.ts";
import { isJson } from "./json.ts";
import type { Params } from "./params.ts";
import { onceOf } from "./repeat.ts";

/** Answers after the commit where the packet is kept; with `online` where that is known. */
export function push(
  params: Params,
  actions: Actions,
  { repeatKey, requestId }: Pick<Caller, "repeatKey" | "requestId">,
): Response | Promise<Response> {
  const topic = params.topic();
  const pushIds = params.pushIds();
  const uids = params.uids();
  if (topic === undefined && pushIds === undefined && uids === undefined) {
    throw new PushError("invalid", "topic or pushId or uid is required");
  }
  const { event, body } = contentOf(params);
  if (Number(topic !== undefined) + Number(pushIds !== undefined) + Number(uids !== undefined) > 1) {
    throw new PushError("invalid", "pushId or uid or topic can't be present at the same time");
  }
  const target = targetOf(params, topic, pushIds, uids);
  const draft: Draft = { event, body, timeToLive: params.timeToLive() };
  const once = onceOf(params, repeatKey, "/push");
  const done =
    once instanceof Promise
      ? once.then((known) => actions.push(target, draft, known, requestId))
      : actions.push(target, draft, once, requestId);
  return done instanceof Promise ? done.then(pushed) : pushed(done);
}

function contentOf(params: Params): Pick<Draft, "event" | "body"> {
  const body = params.payload("json");
  if (body !== undefined) return { event: "p", body };
  const data = params.text("data");
  if (data === undefined) {
    throw new PushError("invalid", "data is required", { hint: "json is required: the message, as JSON or as text" });
  }
  // The form of 2015: every client still decodes its base64, and breaks on anything else.
  if (!isEncodedJson(data)) {
    throw new PushError(
      "invalid",
      "data must be base64 of JSON, the form of old clients: send json, which takes JSON as it is",
    );
  }
  return { event: "push", body: JSON.stringify({ data }) };
}

function isEncodedJson(text: string): boolean {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && isJson(Buffer.from(text, "base64").toString("utf8"));
}

function targetOf(
  params: Params,
  topic: string | undefined,
  pushIds: ReturnType<Params["pushIds"]>,
  uids: ReturnType<Params["uids"]>,
): PushTarget {
  const filter = params.filter();
  if (topic !== undefined) {
    if (filter !== undefined) {
      throw new PushError("invalid", "tagStart filters devices: use it with pushId or uid, not with topic");
    }
    return { kind: "topic", topic };
  }
  const filtered = filter === undefined ? {} : { filter };
  return pushIds === undefined
    ? { kind: "uids", uids: uids ?? [], ...filtered }
    : { kind: "pushIds", pushIds, ...filtered };
}
