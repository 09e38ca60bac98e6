// What the backend was told, compared with the log of events and with what is.
import { setTimeout as pause } from "node:timers/promises";
import type { Told } from "./backend.ts";
import { type Phone, ROOM, ROOMS } from "./phones.ts";
import type { Server } from "./server.ts";

/** Of these types each one counts. */
const HAPPENED: ReadonlySet<string> = new Set(["client.packet", "job.finished"]);
const LOOK = 300;

type Calls = Pick<Server, "call">;

const nothing = (): void => {};

/** Until nothing waits and nothing new comes for a while. */
export async function quiet(server: Calls, limit: number): Promise<void> {
  const until = Date.now() + limit;
  let newest = -1;
  for (let same = 0; same < 5; ) {
    if (Date.now() > until) throw new Error("the events do not come to an end");
    const { hooks } = (await server.call("hook/list", undefined, nothing)) as {
      readonly hooks: readonly { readonly waiting: number; readonly inFlight: number; readonly delivered: number }[];
    };
    const { waiting = 1, inFlight = 1, delivered = 0 } = hooks[0] ?? {};
    same = waiting === 0 && inFlight === 0 && delivered === newest ? same + 1 : 0;
    newest = delivered;
    if (waiting > 0) await server.call("hook/resume", "{}", nothing);
    await pause(LOOK);
  }
}

export async function readLog(server: Calls): Promise<Told[]> {
  const events: Told[] = [];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page = (await server.call(`event/list?limit=1000&after=${after}`, undefined, nothing)) as {
      readonly events: readonly Told[];
      readonly next?: number;
    };
    events.push(...page.events);
    after = page.next;
  }
  return events;
}

/** What an event is the last word on. */
function subject({ type, key, data }: Told): string {
  const member = /^topic\.(joined|left)$/.test(type) ? ` ${String(data["pushId"])}` : "";
  return `${type.slice(0, type.indexOf("."))}${member === "" ? "" : " member"} ${key}${member}`;
}

export function compare(log: readonly Told[], taken: readonly Told[], jobs: readonly string[]): string[] {
  const problems: string[] = [];
  const has = new Set(taken.map(({ id }) => id));
  for (const { id, type, key } of log)
    if (HAPPENED.has(type) && !has.has(id)) problems.push(`${type} ${id} of ${key} is lost`);
  const finished = new Set(taken.filter(({ type }) => type === "job.finished").map(({ key }) => key));
  for (const id of jobs) if (!finished.has(`notification:${id}`)) problems.push(`the end of job ${id} is not told`);
  const last = new Map<string, Told>();
  for (const event of log) last.set(subject(event), event);
  for (const [what, { id, type }] of last)
    if (!HAPPENED.has(type) && !has.has(id)) problems.push(`the last word on ${what}, ${id}, is not told`);
  const newest = new Map<string, number>();
  const seen = new Set<string>();
  for (const { id, key, seq } of taken) {
    if (!seen.has(id) && (newest.get(key) ?? 0) > seq) problems.push(`${seq} of ${key} came after ${newest.get(key)}`);
    if (!seen.has(id)) newest.set(key, seq);
    seen.add(id);
  }
  return problems;
}

/** What the backend was told last, against what is. */
export async function lastWords(server: Calls, phones: readonly Phone[], taken: readonly Told[]): Promise<string[]> {
  const problems: string[] = [];
  const latest = new Map<string, Told>();
  for (const event of taken) {
    const what = subject(event);
    if ((latest.get(what)?.seq ?? 0) < event.seq) latest.set(what, event);
  }
  const expect = (what: string, isTold: unknown, is: unknown): void => {
    if (isTold !== is) problems.push(`${what}: told ${String(isTold)}, and it is ${String(is)}`);
  };
  const users = new Map<string, boolean>();
  const rooms = new Map<string, boolean>();
  for (const { id, isConnected, room } of phones) {
    const { uid } = (await server.call(`device/get?pushId=${id}`, undefined, nothing)) as { readonly uid?: string };
    expect(`${id} is online`, latest.get(`device device:${id}`)?.type === "device.online", isConnected);
    const bound = latest.get(`uid device:${id}`);
    expect(`the user of ${id}`, bound?.type === "uid.bound" ? bound.data["uid"] : undefined, uid);
    if (uid !== undefined) users.set(uid, isConnected || users.get(uid) === true);
    for (let i = 0; i < ROOMS; i++) {
      const topic = `${ROOM}${i}`;
      const isThere = isConnected && room === topic;
      rooms.set(topic, isThere || rooms.get(topic) === true);
      expect(`${id} in ${topic}`, latest.get(`topic member topic:${topic} ${id}`)?.type === "topic.joined", isThere);
    }
  }
  for (const [uid, is] of users) expect(`${uid} is online`, latest.get(`user user:${uid}`)?.type === "user.online", is);
  for (const [topic, is] of rooms)
    expect(`${topic} is occupied`, latest.get(`topic topic:${topic}`)?.type === "topic.occupied", is);
  return problems;
}

export function countedTypes(log: readonly Told[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { type, data } of log) {
    const name = data["reason"] === "server_restart" ? `${type}, server_restart` : type;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return new Map([...counts].sort());
}
