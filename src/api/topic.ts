// /api/topicOnline, /api/topicDevices and /api/topic/list: who is in a topic now (api 3.7), and which topics there are (api 3.16).
import type { PushId, Uid } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import { Pace } from "../core/pace.ts";
import type { Response } from "../http/message.ts";
import type { Actions } from "./actions.ts";
import { json, jsonMembers } from "./answer.ts";
import { TOPIC_DEVICES, TOPICS } from "./bounds.ts";
import { type Limits, limited } from "./ids.ts";
import type { Params } from "./params.ts";
import { told } from "./time.ts";

type TopicDetail = "count" | "devices";

/** Prefixes of the topics that are answered for, and how; a list means `count` for each. Absent: every topic, with devices. */
export type TopicOnlineFilter = Readonly<Record<string, TopicDetail>> | readonly string[];

/** What is told of a topic. The first prefix that fits decides; `noti` is counted whenever there is a filter. */
function topicDetail(filter: TopicOnlineFilter | undefined, topic: string): TopicDetail | "nothing" {
  if (filter === undefined) return "devices";
  const prefixes: readonly (readonly [string, TopicDetail])[] = isList(filter)
    ? filter.map((prefix) => [prefix, "count"])
    : Object.entries(filter);
  const match = prefixes.find(([prefix]) => topic.startsWith(prefix));
  if (match !== undefined) return match[1];
  return topic.startsWith("noti") ? "count" : "nothing";
}

/** Of a larger topic only the connections are counted: devices and users would have to be gone through. */
const MOST_COUNTED = 100_000;

/** `devices` and `users` are absent of a topic with very many connections; one that the filter hides is empty. */
export async function topicOnline(
  params: Params,
  actions: Actions,
  filter: TopicOnlineFilter | undefined,
): Promise<Response> {
  const topic = required(params);
  const count = topicDetail(filter, topic) === "nothing" ? 0 : await actions.live.count(topic);
  if (count === 0) return json({ count, devices: 0, users: 0, topic });
  if (count > MOST_COUNTED) return json({ count, topic });
  const pace = new Pace();
  const devices = new Set<PushId>();
  const users = new Set<Uid>();
  for (const { pushId, uid } of await actions.live.members(topic)) {
    if (pushId !== undefined) devices.add(pushId);
    if (uid !== undefined) users.add(uid);
    if (devices.size % 256 === 0 && pace.over()) await pace.turn();
  }
  return json({ count, devices: devices.size, users: users.size, topic });
}

interface Present {
  readonly pushId: PushId;
  readonly uid: Uid | undefined;
  readonly platform: string | undefined;
  connections: number;
}

/** Each device once. In pages they are in an order of their own, so that none is missed while others come and go. */
export async function topicDevices(
  params: Params,
  actions: Actions,
  filter: TopicOnlineFilter | undefined,
): Promise<Response> {
  const topic = required(params);
  const limit = params.whole("limit", 1, TOPIC_DEVICES.most) ?? TOPIC_DEVICES.usual;
  const after = params.text("after");
  const pace = new Pace();
  const found = new Map<PushId, Present>();
  const members = topicDetail(filter, topic) === "devices" ? await actions.live.members(topic) : [];
  for (const { pushId, uid, platform } of members) {
    if (pushId === undefined) continue; // it has not said who it is
    const known = found.get(pushId);
    if (known === undefined) found.set(pushId, { pushId, uid, platform, connections: 1 });
    else known.connections++;
    if (found.size % 256 === 0 && pace.over()) await pace.turn();
  }
  if (after === undefined && found.size <= limit)
    return json({ topic, devices: [...found.values()], total: found.size });
  const devices = await pageOf(found.values(), after, limit + 1, pace);
  const next = devices.length > limit ? devices[limit - 1]!.pushId : undefined;
  return json({ topic, devices: devices.slice(0, limit), total: found.size, next });
}

/** What there is to know of one topic but its members: how many, how much goes through it, what is kept. */
export async function topicGet(params: Params, { live, kept }: Actions): Promise<Response> {
  const topic = required(params);
  const [count, rates, packets] = await Promise.all([live.count(topic), live.rates(topic), kept(topic)]);
  return json({
    code: "success",
    topic,
    count,
    rates,
    kept: packets.toReversed().map(({ seq, id, event, body, expires }) => ({
      seq,
      id,
      event,
      size: body.length,
      text: body.length > SHOWN ? `${body.slice(0, SHOWN)}...` : body,
      ...told("expires", expires),
    })),
  });
}

/** Characters of a kept packet. */
const SHOWN = 200;

/** Pages are in the order of names, so that none is missed while counts change; within a page the largest come first. */
export async function topicList(
  params: Params,
  { live }: Actions,
  limits: Limits,
  filter: TopicOnlineFilter | undefined,
): Promise<Response> {
  const prefix = limited(params.text("prefix"), "prefix", limits.topic) ?? "";
  const after = limited(params.text("after"), "after", limits.topic) ?? "";
  const limit = params.whole("limit", 1, TOPICS.most) ?? TOPICS.usual;
  const page = await live.topics(prefix, after, limit);
  const next = page.length < limit ? undefined : page.at(-1)?.topic;
  const topics = page
    .filter(({ topic }) => topicDetail(filter, topic) !== "nothing")
    .sort((a, b) => b.count - a.count || (a.topic < b.topic ? -1 : 1));
  return jsonMembers({ code: "success", next }, "topics", topics);
}

const SHELVES = 256;
/** Which of them a device stands on: sorting one costs little, sorting 100,000 at once a tenth of a second. */
function shelfOf(pushId: string): number {
  let hash = 0;
  for (let i = 0; i < pushId.length; i++) hash = (hash * 31 + pushId.charCodeAt(i)) | 0;
  return hash & (SHELVES - 1);
}

/** The first `limit` behind `after`, shelf after shelf, by name on each. */
async function pageOf(
  all: Iterable<Present>,
  after: string | undefined,
  limit: number,
  pace: Pace,
): Promise<readonly Present[]> {
  const from = after === undefined ? 0 : shelfOf(after);
  const shelves = Array.from({ length: SHELVES }, (): Present[] => []);
  let seen = 0;
  for (const one of all) {
    const shelf = shelfOf(one.pushId);
    if (shelf > from || (shelf === from && (after === undefined || one.pushId > after))) shelves[shelf]!.push(one);
    if (++seen % 256 === 0 && pace.over()) await pace.turn();
  }
  const page: Present[] = [];
  for (const shelf of shelves) {
    if (page.length >= limit) break;
    page.push(...shelf.sort((a, b) => (a.pushId < b.pushId ? -1 : 1)));
    if (pace.over()) await pace.turn();
  }
  return page.slice(0, limit);
}

function required(params: Params): string {
  const topic = params.topic();
  if (topic === undefined) throw new PushError("invalid", "topic is required");
  return topic;
}

/** `Array.isArray` does not narrow a readonly array. */
const isList = (filter: TopicOnlineFilter): filter is readonly string[] => Array.isArray(filter);
