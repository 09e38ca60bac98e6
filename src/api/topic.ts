// /api/topicOnline and /api/topicDevices: who is in a topic now (http-api 3.7).
import { PushError } from "../core/errors.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json } from "./answer.ts";
import type { Params } from "./params.ts";

export type TopicDetail = "count" | "devices";

/** Prefixes of the topics that are answered for, and how; a list means `count` for each. Absent: every topic, with devices. */
export type TopicOnlineFilter = Readonly<Record<string, TopicDetail>> | readonly string[];

/** What is told of a topic. The first prefix that fits decides; `noti` is counted whenever there is a filter. */
export function topicDetail(filter: TopicOnlineFilter | undefined, topic: string): TopicDetail | "nothing" {
  if (filter === undefined) return "devices";
  const prefixes: readonly (readonly [string, TopicDetail])[] = isList(filter)
    ? filter.map((prefix) => [prefix, "count"])
    : Object.entries(filter);
  const match = prefixes.find(([prefix]) => topic.startsWith(prefix));
  if (match !== undefined) return match[1];
  return topic.startsWith("noti") ? "count" : "nothing";
}

export function topicOnline(params: Params, actions: Actions, filter: TopicOnlineFilter | undefined): Response {
  const topic = required(params);
  const count = topicDetail(filter, topic) === "nothing" ? 0 : actions.live.count(topic);
  return json({ count, topic });
}

export async function topicDevices(
  params: Params,
  actions: Actions,
  filter: TopicOnlineFilter | undefined,
): Promise<Response> {
  const topic = required(params);
  const members = topicDetail(filter, topic) === "devices" ? await actions.live.members(topic) : [];
  const devices = members.map(({ pushId, uid, platform }) => ({ pushId, uid, platform }));
  return json({ topic, devices, total: devices.length });
}

function required(params: Params): string {
  const topic = params.topic();
  if (topic === undefined) throw new PushError("invalid", "topic is required");
  return topic;
}

/** `Array.isArray` does not narrow a readonly array. */
const isList = (filter: TopicOnlineFilter): filter is readonly string[] => Array.isArray(filter);
