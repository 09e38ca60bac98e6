// /api/disconnect, /api/subscribe, /api/unsubscribe, /api/presence: what is asked of live sessions (api 3.13 to 3.15).
import { PushError } from "../core/errors.ts";
import type { Named, Who } from "../core/live.ts";
import { isReservedTopic, RESERVED_TOPIC } from "../core/topic.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json, jsonMembers } from "./answer.ts";
import { LONGEST_HOLD, MOST_ASKED } from "./bounds.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

/** Answers how many connections were closed (api 3.13). */
export async function disconnect(params: Params, { live }: Actions): Promise<Response> {
  const topic = params.topic();
  const who = one([devicesOrUsers(params), topic === undefined ? undefined : { topic }], "pushId, uid or topic");
  const reconnect = params.has("reconnect") ? params.strictFlag("reconnect") : true;
  return json({ code: "success", disconnected: await live.order(who, { kind: "close", reconnect }) });
}

/** Answers how many connections have joined it now; a hold of those who are named ends (api 3.14). */
export async function subscribe(params: Params, { live }: Actions): Promise<Response> {
  const { topic, who } = inTopic(params);
  return json({ code: "success", subscribed: await live.order(who, { kind: "subscribe", topic }) });
}

/** Answers how many have left it. `hold` is milliseconds or a duration; 0 ends one (api 3.14). */
export async function unsubscribe(params: Params, { live }: Actions): Promise<Response> {
  const { topic, who } = inTopic(params);
  const hold = params.duration("hold", LONGEST_HOLD) ?? 0;
  return json({ code: "success", unsubscribed: await live.order(who, { kind: "unsubscribe", topic, hold }) });
}

/** In the order asked. @throws PushError("too_large") for too many ids */
export async function presence(params: Params, { live }: Actions): Promise<Response> {
  const who = one([devicesOrUsers(params)], "pushId or uid");
  const [name, ids] = "uids" in who ? (["uid", who.uids] as const) : (["pushId", who.pushIds] as const);
  if (ids.length > MOST_ASKED)
    throw new PushError("too_large", `${name} has ${ids.length} ids: ask for at most ${MOST_ASKED} in one call`);
  const seen = await live.seen(who);
  const list = ids.map((id, i) => {
    const { online = false, devices = [], since } = seen[i] ?? {};
    return { [name]: id, online, ...(name === "uid" ? { devices: devices.length } : {}), ...told("since", since) };
  });
  return jsonMembers({ code: "success" }, "presence", list);
}

function inTopic(params: Params) {
  const topic = params.topic();
  if (topic === undefined) throw new PushError("invalid", "topic is required");
  if (isReservedTopic(topic)) throw new PushError("invalid", RESERVED_TOPIC);
  return { topic, who: one([devicesOrUsers(params)], "pushId or uid") };
}

function devicesOrUsers(params: Params): Named | undefined {
  const pushIds = params.pushIds();
  const uids = params.uids();
  if (pushIds !== undefined && uids !== undefined)
    throw new PushError("invalid", "pushId and uid can't be present at the same time");
  return pushIds !== undefined ? { pushIds } : uids !== undefined ? { uids } : undefined;
}

/** Exactly one of what may be given. */
function one<T extends Who>(given: readonly (T | undefined)[], names: string): T {
  const [first, further] = given.filter((who) => who !== undefined);
  if (first === undefined) throw new PushError("invalid", `${names} is required`);
  if (further !== undefined) throw new PushError("invalid", `${names}: give one of them`);
  return first;
}
