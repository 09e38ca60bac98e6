// Who is online, and who is in which topic of those that are told of: kept only while somebody wants such events. In the store, so that
// the end of a node forgets nobody: whoever was there and does not come back in time is told of as gone.
import {
  type BoundBy,
  deviceKey,
  type Happening,
  laneKey,
  type PresentDevice,
  RESTARTED,
  topicKey,
  userKey,
} from "../../core/events.ts";
import type { Walk } from "../sqlite/online.ts";
import { iso, type Wants } from "../wants.ts";
import { Column, Statement } from "./database.ts";
import type { EventLog } from "./events.ts";
import type { Nodes } from "./nodes.ts";
import type { Turn } from "./turns.ts";

interface Row {
  readonly uid: string | null;
  readonly platform: string | null;
  readonly since: number;
  readonly run: number;
}

type Joined = Extract<Happening, { kind: "joined" }>;

interface Count {
  readonly count: number;
  readonly since: number;
}

const find = new Statement<[string], Row>("SELECT uid, platform, since, run FROM online WHERE push_id = ?");
const insert = new Statement<[string, string | null, string | null, number, number]>(
  "INSERT INTO online (push_id, uid, platform, since, run) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
);
const stays = new Statement<[number, string]>("UPDATE online SET run = ? WHERE push_id = ?");
const setUid = new Statement<[string | null, string]>("UPDATE online SET uid = ? WHERE push_id = ?");
/** Unless it has a session at another node. */
const remove = new Statement<[string], Row>(`
  DELETE FROM online o WHERE push_id = ? AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.push_id = o.push_id)
  RETURNING uid, platform, since, run`);
const uidOf = new Column<[string], string | null>("SELECT uid FROM devices WHERE push_id = ?");
const enter = new Statement<[string, number], Count>(`
  INSERT INTO online_users AS u (uid, devices, since) VALUES (?, 1, ?)
  ON CONFLICT (uid) DO UPDATE SET devices = u.devices + 1 RETURNING devices AS count, since`);
const leave = new Statement<[string], Count>(
  "UPDATE online_users SET devices = devices - 1 WHERE uid = ? RETURNING devices AS count, since",
);
const removeUser = new Statement<[string]>("DELETE FROM online_users WHERE uid = ?");
/** It stays for its session at another node, which answers for it from here on. */
const staysElsewhere = new Statement<[string]>(`
  UPDATE online o SET run = s.node FROM (SELECT push_id, min(node) AS node FROM sessions WHERE push_id = ? GROUP BY push_id) s
  WHERE o.push_id = s.push_id`);
const takePlace = new Statement<[string, string, number]>(
  "INSERT INTO topic_places (push_id, topic, node) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
);
const leavePlace = new Statement<[string, string, number]>(
  "DELETE FROM topic_places WHERE push_id = ? AND topic = ? AND node = ?",
);
const otherPlace = new Column<[string, string], number>(
  "SELECT node FROM topic_places WHERE push_id = ? AND topic = ? LIMIT 1",
);
const memberOf = new Column<[string, string], number>("SELECT run FROM topic_members WHERE push_id = ? AND topic = ?");
const addMember = new Statement<[string, string, number, number]>(
  "INSERT INTO topic_members (push_id, topic, since, run) VALUES (?, ?, ?, ?)",
);
const memberStays = new Statement<[number, string, string]>(
  "UPDATE topic_members SET run = ? WHERE push_id = ? AND topic = ?",
);
const removeMember = new Column<[string, string], number>(
  "DELETE FROM topic_members WHERE push_id = ? AND topic = ? RETURNING since",
);
const topicsOf = new Column<[string], string>("SELECT topic FROM topic_members WHERE push_id = ?");
const occupy = new Statement<[string, number], Count>(`
  INSERT INTO topics_occupied AS t (topic, members, since) VALUES (?, 1, ?)
  ON CONFLICT (topic) DO UPDATE SET members = t.members + 1 RETURNING members AS count, since`);
const vacate = new Statement<[string], Count>(
  "UPDATE topics_occupied SET members = members - 1 WHERE topic = ? RETURNING members AS count, since",
);
const removeTopic = new Statement<[string]>("DELETE FROM topics_occupied WHERE topic = ?");
const dropOthers = ["topic_members", "topics_occupied", "topic_places"].map(
  (table) =>
    new Statement<[string]>(`
  DELETE FROM ${table} WHERE NOT EXISTS (SELECT 1 FROM json_array_elements_text(?::json) AS p (prefix) WHERE starts_with(topic, prefix))`),
);
const absent = "run NOT IN (SELECT node FROM nodes)";
const devicesAfter = new Statement<[string, number], { push_id: string; run: number; gone: boolean }>(`
  SELECT push_id, run, ${absent} AS gone FROM online WHERE push_id > ? ORDER BY push_id LIMIT ?`);
const membersAfter = new Statement<
  [string, string, number],
  { push_id: string; topic: string; run: number; gone: boolean }
>(`
  SELECT push_id, topic, run, ${absent} AS gone FROM topic_members WHERE (push_id, topic) > (?, ?) ORDER BY push_id, topic LIMIT ?`);
const rests = new Statement<[string, number, string]>(`
  INSERT INTO lanes_resting (key, time, data) VALUES (?, ?, ?)
  ON CONFLICT (key) DO UPDATE SET time = excluded.time, data = excluded.data`);
const restsNoMore = new Statement<[string]>("DELETE FROM lanes_resting WHERE key = ?");
const resting = new Statement<[number], { key: string; data: string }>(
  "SELECT key, data FROM lanes_resting WHERE time < ? ORDER BY key",
);

export type Online = ReturnType<typeof online>;

/** @param node this one, which began at `started` */
export function online(
  log: EventLog,
  wants: Wants,
  { node, alone, goneAt }: Pick<Nodes, "node" | "alone" | "goneAt">,
  started: number,
) {
  async function userEnters(turn: Turn, uid: string, now: number): Promise<void> {
    const user = await enter.get(turn, uid, now);
    if (user?.count !== 1) return;
    const data = { uid, online: true, devices: 1, since: iso(now), at: iso(now) };
    await log.write(turn, "user.online", userKey(uid), data, now);
  }

  async function userLeaves(turn: Turn, uid: string, at: number, reason: string, now: number): Promise<void> {
    const user = await leave.get(turn, uid);
    if (user === undefined || user.count > 0) return;
    removeUser.put(turn, uid);
    const stayed = Math.max(0, at - user.since);
    const data = { uid, online: false, devices: 0, since: iso(at), stayed, reason, at: iso(at) };
    await log.write(turn, "user.offline", userKey(uid), data, now);
  }

  async function moveUser(
    turn: Turn,
    pushId: string,
    before: string | null,
    after: string | null,
    reason: string,
    now: number,
  ): Promise<void> {
    if (before === after) return;
    setUid.put(turn, after, pushId);
    if (before !== null) await userLeaves(turn, before, now, reason, now);
    if (after !== null) await userEnters(turn, after, now);
  }

  async function came(
    turn: Turn,
    pushId: string,
    uid: string | undefined,
    platform: string | undefined,
    since: number,
    now: number,
  ): Promise<void> {
    if (!wants.tracksDevices) return;
    if ((await insert.run(turn, pushId, uid ?? null, platform ?? null, since, node())) === 0) {
      const row = (await find.get(turn, pushId))!; // it is there already
      if (row.run !== node()) stays.put(turn, node(), pushId);
      return moveUser(turn, pushId, row.uid, uid ?? null, "unbound", now);
    }
    const data = { pushId, uid, platform, online: true, since: iso(since), at: iso(since) };
    await log.write(turn, "device.online", deviceKey(pushId), data, now);
    if (uid !== undefined) await userEnters(turn, uid, now);
  }

  /** @param from the node where its last session was */
  async function went(
    turn: Turn,
    pushId: string,
    from: number,
    at: number,
    reason: string,
    now: number,
  ): Promise<void> {
    if (wants.tracksDevices) {
      const row = await remove.get(turn, pushId);
      if (row !== undefined) {
        const { uid, platform, since } = row;
        const stayed = Math.max(0, at - since);
        const who = { pushId, uid: uid ?? undefined, platform: platform ?? undefined };
        const data = { ...who, online: false, since: iso(at), stayed, reason, at: iso(at) };
        await log.write(turn, "device.offline", deviceKey(pushId), data, now);
        if (uid !== null) await userLeaves(turn, uid, at, reason, now);
      } else staysElsewhere.put(turn, pushId);
    }
    if (wants.tracksTopics)
      for (const topic of await topicsOf.all(turn, pushId)) await left(turn, topic, pushId, from, at, reason, now);
  }

  /** Without pushId: connections that did not say which device they are. */
  async function joined(turn: Turn, one: Joined, now: number): Promise<void> {
    const { topic, platform, at } = one;
    const pushId: string = one.pushId ?? "";
    if (!wants.tracksTopics) return;
    takePlace.put(turn, pushId, topic, node());
    const member = await memberOf.get(turn, pushId, topic);
    if (member !== undefined) {
      if (member !== node()) memberStays.put(turn, node(), pushId, topic);
      return;
    }
    addMember.put(turn, pushId, topic, at, node());
    const count = (await occupy.get(turn, topic, at))?.count ?? 1;
    const key = topicKey(topic);
    if (count === 1) await log.write(turn, "topic.occupied", key, { topic, count, since: iso(at), at: iso(at) }, now);
    if (pushId === "") return;
    const uid = one.uid ?? (await uidOf.get(turn, pushId)) ?? undefined;
    const data = { topic, pushId, uid, platform, count, since: iso(at), at: iso(at) };
    await log.write(turn, "topic.joined", key, data, now, pushId);
  }

  /** @param from the node where it was; it may be in the topic at others */
  async function left(
    turn: Turn,
    topic: string,
    pushId: string,
    from: number,
    at: number,
    reason: string,
    now: number,
  ): Promise<void> {
    if (!wants.tracksTopics) return;
    leavePlace.put(turn, pushId, topic, from);
    const other = await otherPlace.get(turn, pushId, topic);
    if (other !== undefined) return memberStays.put(turn, other, pushId, topic);
    const since = await removeMember.get(turn, pushId, topic);
    if (since === undefined) return;
    const room = await vacate.get(turn, topic);
    const count = room?.count ?? 0;
    const key = topicKey(topic);
    if (pushId !== "") {
      const uid = (await uidOf.get(turn, pushId)) ?? undefined;
      const stayed = Math.max(0, at - since);
      const data = { topic, pushId, uid, count, since: iso(at), stayed, reason, at: iso(at) };
      await log.write(turn, "topic.left", key, data, now, pushId);
    }
    if (count > 0) return;
    removeTopic.put(turn, topic);
    const stayed = Math.max(0, at - (room?.since ?? since));
    await log.write(turn, "topic.vacated", key, { topic, count: 0, since: iso(at), stayed, reason, at: iso(at) }, now);
  }

  /** A lane that rested in an earlier run and does not in this one began anew with the start. */
  async function resumeLanes(turn: Turn, now: number): Promise<void> {
    for (const { key, data } of await resting.all(turn, started)) {
      restsNoMore.put(turn, key);
      const { provider, app, host } = JSON.parse(data) as Readonly<Record<string, string>>; // written below
      const why = { state: "resumed", reason: RESTARTED, at: iso(started) };
      await log.write(turn, "lane.resumed", key, { provider, app, host, ...why }, now);
    }
  }

  return {
    came,
    went: (turn: Turn, pushId: string, at: number, reason: string, now: number) =>
      went(turn, pushId, node(), at, reason, now),

    /** A device has another uid than before, or none. */
    async rebound(turn: Turn, pushId: string, before: string | null, after: string | null, by: BoundBy, now: number) {
      if (before === after) return;
      const key = deviceKey(pushId);
      const row = wants.tracksDevices ? await find.get(turn, pushId) : undefined;
      // What holds of the device is in each event of its key, as far as it is known.
      const known = wants.tracksDevices ? { online: row !== undefined } : undefined;
      const at = { ...known, at: iso(now) };
      if (before !== null) await log.write(turn, "uid.unbound", key, { pushId, uid: before, by, ...at }, now);
      if (after !== null) await log.write(turn, "uid.bound", key, { pushId, uid: after, by, ...at }, now);
      if (row !== undefined)
        await moveUser(turn, pushId, row.uid, after, by === "deleted" ? "deleted" : "unbound", now);
    },

    async noteEvents(turn: Turn, happenings: readonly Happening[], now: number): Promise<void> {
      for (const one of happenings) {
        switch (one.kind) {
          case "joined":
            await joined(turn, one, now);
            break;
          case "left":
            await left(turn, one.topic, one.pushId ?? "", node(), one.at, one.reason, now);
            break;
          case "packet": {
            const { kind: _, data, at, ...packet } = one;
            const head = JSON.stringify({ ...packet, at: iso(at) });
            const text = data === undefined ? head : `${head.slice(0, -1)},"data":${data}}`;
            await log.write(turn, "client.packet", deviceKey(one.pushId), text, now);
            break;
          }
          case "lane": {
            const { change, lane, reason, until, at } = one;
            const { vendor: provider, app, host } = lane;
            const data = { provider, app, host, state: change, reason, until: until && iso(until), at: iso(at) };
            const key = laneKey(lane);
            await log.write(turn, `lane.${change}`, key, data, now);
            if (change === "resumed") restsNoMore.put(turn, key);
            else rests.put(turn, key, now, JSON.stringify(data));
            break;
          }
        }
      }
    },

    async presentDevices(turn: Turn, devices: readonly PresentDevice[], now: number): Promise<void> {
      for (const { pushId, platform, since } of devices)
        await came(turn, pushId, (await uidOf.get(turn, pushId)) ?? undefined, platform, since, now);
    },

    /** What is not wanted is not kept up to date: it goes. */
    drop(turn: Turn, what: "devices" | "topics"): void {
      if (what === "devices") turn.exec("DELETE FROM online; DELETE FROM online_users");
      else turn.exec("DELETE FROM topic_members; DELETE FROM topics_occupied; DELETE FROM topic_places");
    },

    /** Topics that begin with no prefix of those that are told of now. Other nodes are told of the same. */
    dropOtherTopics(turn: Turn): void {
      for (const statement of dropOthers) statement.put(turn, wants.topics);
    },

    /**
     * Tells of those whose node is gone and who did not come back, `limit` looked at, and at the end of lanes that rested then. Returns
     * where to go on.
     */
    async tellAbsent(turn: Turn, walk: Walk, limit: number, now: number): Promise<Walk | undefined> {
      const { pushId, topic } = walk;
      if (topic === undefined) {
        const rows = wants.tracksDevices ? await devicesAfter.all(turn, pushId, limit) : [];
        for (const { push_id, run, gone } of rows)
          if (gone) await went(turn, push_id, run, goneAt(run) ?? started, RESTARTED, now);
        return rows.length === limit ? { pushId: rows.at(-1)!.push_id } : { pushId: "", topic: "" };
      }
      const rows = wants.tracksTopics ? await membersAfter.all(turn, pushId, topic, limit) : [];
      for (const one of rows)
        if (one.gone) await left(turn, one.topic, one.push_id, one.run, goneAt(one.run) ?? started, RESTARTED, now);
      const last = rows.length === limit ? rows.at(-1) : undefined;
      // With others there, those lanes may be theirs.
      if (last === undefined && alone()) await resumeLanes(turn, now);
      return last && { pushId: last.push_id, topic: last.topic };
    },
  };
}
