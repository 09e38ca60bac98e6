// Who is online, and who is in which topic of those that are told of: kept only while somebody wants such events. In the store,
// so that a crash forgets nobody: whoever was online then and does not come back in time is told of as gone.
import type Database from "better-sqlite3";
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
import { iso, type Wants } from "../wants.ts";
import type { EventLog } from "./events.ts";

interface Row {
  readonly uid: string | null;
  readonly platform: string | null;
  readonly since: number;
  readonly run: number;
}

interface Count {
  readonly count: number;
  readonly since: number;
}

type Joined = Extract<Happening, { kind: "joined" }>;

/** How far the look for those who did not come back is: with the devices, then with the members of topics. */
export interface Walk {
  readonly pushId: string;
  readonly topic?: string;
}

export type Online = ReturnType<typeof online>;

/** @param run this start of the server, which began at `started` */
export function online(db: Database, log: EventLog, wants: Wants, run: number, started: number) {
  const find = db.prepare<[string], Row>("SELECT uid, platform, since, run FROM online WHERE push_id = ?");
  const insert = db.prepare<[string, string | null, string | null, number, number]>(
    "INSERT OR IGNORE INTO online (push_id, uid, platform, since, run) VALUES (?, ?, ?, ?, ?)",
  );
  const stays = db.prepare<[number, string]>("UPDATE online SET run = ? WHERE push_id = ?");
  const setUid = db.prepare<[string | null, string]>("UPDATE online SET uid = ? WHERE push_id = ?");
  const remove = db.prepare<[string], Row>("DELETE FROM online WHERE push_id = ? RETURNING uid, platform, since, run");
  const uidOf = db.prepare<[string], string | null>("SELECT uid FROM devices WHERE push_id = ?").pluck<string | null>();
  const enter = db.prepare<[string, number], Count>(`
    INSERT INTO online_users (uid, devices, since) VALUES (?, 1, ?)
    ON CONFLICT (uid) DO UPDATE SET devices = devices + 1 RETURNING devices AS count, since`);
  const leave = db.prepare<[string], Count>(
    "UPDATE online_users SET devices = devices - 1 WHERE uid = ? RETURNING devices AS count, since",
  );
  const removeUser = db.prepare<[string]>("DELETE FROM online_users WHERE uid = ?");
  const memberOf = db
    .prepare<[string, string], number>("SELECT run FROM topic_members WHERE push_id = ? AND topic = ?")
    .pluck<number>();
  const addMember = db.prepare<[string, string, number, number]>(
    "INSERT INTO topic_members (push_id, topic, since, run) VALUES (?, ?, ?, ?)",
  );
  const memberStays = db.prepare<[number, string, string]>(
    "UPDATE topic_members SET run = ? WHERE push_id = ? AND topic = ?",
  );
  const removeMember = db
    .prepare<[string, string], number>("DELETE FROM topic_members WHERE push_id = ? AND topic = ? RETURNING since")
    .pluck<number>();
  const topicsOf = db.prepare<[string], string>("SELECT topic FROM topic_members WHERE push_id = ?").pluck<string>();
  const occupy = db.prepare<[string, number], Count>(`
    INSERT INTO topics_occupied (topic, members, since) VALUES (?, 1, ?)
    ON CONFLICT (topic) DO UPDATE SET members = members + 1 RETURNING members AS count, since`);
  const vacate = db.prepare<[string], Count>(
    "UPDATE topics_occupied SET members = members - 1 WHERE topic = ? RETURNING members AS count, since",
  );
  const removeTopic = db.prepare<[string]>("DELETE FROM topics_occupied WHERE topic = ?");
  const devicesAfter = db.prepare<[string, number], { push_id: string; run: number }>(`
    SELECT push_id, run FROM online WHERE push_id > +? ORDER BY push_id LIMIT ? + 0`);
  const membersAfter = db.prepare<[string, string, number], { push_id: string; topic: string; run: number }>(`
    SELECT push_id, topic, run FROM topic_members WHERE (push_id, topic) > (+?, +?) ORDER BY push_id, topic LIMIT ? + 0`);
  const rests = db.prepare<[string, number, string]>(
    "INSERT OR REPLACE INTO lanes_resting (key, time, data) VALUES (?, ?, ?)",
  );
  const restsNoMore = db.prepare<[string]>("DELETE FROM lanes_resting WHERE key = ?");
  const resting = db.prepare<[number], { key: string; data: string }>(
    "SELECT key, data FROM lanes_resting WHERE time < ?",
  );
  const others = "NOT EXISTS (SELECT 1 FROM json_each(?) p WHERE substr(topic, 1, length(p.value)) = p.value)";
  const dropMembers = db.prepare<[string]>(`DELETE FROM topic_members WHERE ${others}`);
  const dropOccupied = db.prepare<[string]>(`DELETE FROM topics_occupied WHERE ${others}`);
  const anyDevice = db.prepare<[], number>("SELECT 1 FROM online LIMIT 1").pluck<number>();
  const anyMember = db.prepare<[], number>("SELECT 1 FROM topic_members LIMIT 1").pluck<number>();

  function userEnters(uid: string, now: number): void {
    const user = enter.get(uid, now);
    if (user?.count !== 1) return;
    const data = { uid, online: true, devices: 1, since: iso(now), at: iso(now) };
    log.write("user.online", userKey(uid), data, now);
  }

  function userLeaves(uid: string, at: number, reason: string, now: number): void {
    const user = leave.get(uid);
    if (user === undefined || user.count > 0) return;
    removeUser.run(uid);
    const stayed = Math.max(0, at - user.since);
    const data = { uid, online: false, devices: 0, since: iso(at), stayed, reason, at: iso(at) };
    log.write("user.offline", userKey(uid), data, now);
  }

  function moveUser(pushId: string, before: string | null, after: string | null, reason: string, now: number): void {
    if (before === after) return;
    setUid.run(after, pushId);
    if (before !== null) userLeaves(before, now, reason, now);
    if (after !== null) userEnters(after, now);
  }

  function came(pushId: string, uid: string | undefined, platform: string | undefined, since: number, now: number) {
    if (!wants.tracksDevices) return;
    if (insert.run(pushId, uid ?? null, platform ?? null, since, run).changes === 0) {
      const row = find.get(pushId)!; // it is there already
      if (row.run !== run) stays.run(run, pushId);
      return moveUser(pushId, row.uid, uid ?? null, "unbound", now);
    }
    const data = { pushId, uid, platform, online: true, since: iso(since), at: iso(since) };
    log.write("device.online", deviceKey(pushId), data, now);
    if (uid !== undefined) userEnters(uid, now);
  }

  function went(pushId: string, at: number, reason: string, now: number): void {
    if (wants.tracksDevices) {
      const row = remove.get(pushId);
      if (row !== undefined) {
        const { uid, platform, since } = row;
        const stayed = Math.max(0, at - since);
        const who = { pushId, uid: uid ?? undefined, platform: platform ?? undefined };
        const data = { ...who, online: false, since: iso(at), stayed, reason, at: iso(at) };
        log.write("device.offline", deviceKey(pushId), data, now);
        if (uid !== null) userLeaves(uid, at, reason, now);
      }
    }
    if (wants.tracksTopics) for (const topic of topicsOf.all(pushId)) left(topic, pushId, at, reason, now);
  }

  /** Without pushId: connections that did not say which device they are. */
  function joined(one: Joined, now: number): void {
    const { topic, uid, platform, at } = one;
    const pushId: string = one.pushId ?? "";
    if (!wants.tracksTopics) return;
    const member = memberOf.get(pushId, topic);
    if (member !== undefined) {
      if (member !== run) memberStays.run(run, pushId, topic);
      return;
    }
    addMember.run(pushId, topic, at, run);
    const count = occupy.get(topic, at)?.count ?? 1;
    const key = topicKey(topic);
    if (count === 1) log.write("topic.occupied", key, { topic, count, since: iso(at), at: iso(at) }, now);
    if (pushId === "") return;
    const whose = uid ?? uidOf.get(pushId) ?? undefined;
    const data = { topic, pushId, uid: whose, platform, count, since: iso(at), at: iso(at) };
    log.write("topic.joined", key, data, now, pushId);
  }

  function left(topic: string, pushId: string, at: number, reason: string, now: number): void {
    if (!wants.tracksTopics) return;
    const since = removeMember.get(pushId, topic);
    if (since === undefined) return;
    const room = vacate.get(topic);
    const count = room?.count ?? 0;
    const key = topicKey(topic);
    if (pushId !== "") {
      const uid = uidOf.get(pushId) ?? undefined;
      const stayed = Math.max(0, at - since);
      const data = { topic, pushId, uid, count, since: iso(at), stayed, reason, at: iso(at) };
      log.write("topic.left", key, data, now, pushId);
    }
    if (count > 0) return;
    removeTopic.run(topic);
    const stayed = Math.max(0, at - (room?.since ?? since));
    log.write("topic.vacated", key, { topic, count: 0, since: iso(at), stayed, reason, at: iso(at) }, now);
  }

  /** A lane that rested in an earlier run and does not in this one began anew with the start. */
  function resumeLanes(now: number): void {
    for (const { key, data } of resting.all(started)) {
      restsNoMore.run(key);
      const { provider, app, host } = JSON.parse(data) as Readonly<Record<string, string>>; // written below
      const why = { state: "resumed", reason: RESTARTED, at: iso(started) };
      log.write("lane.resumed", key, { provider, app, host, ...why }, now);
    }
  }

  return {
    came,
    went,

    /** A device has another uid than before, or none. */
    rebound(pushId: string, before: string | null, after: string | null, by: BoundBy, now: number): void {
      if (before === after) return;
      const key = deviceKey(pushId);
      const row = wants.tracksDevices ? find.get(pushId) : undefined;
      // What holds of the device is in each event of its key, as far as it is known.
      const known = wants.tracksDevices ? { online: row !== undefined } : undefined;
      if (before !== null) log.write("uid.unbound", key, { pushId, uid: before, by, ...known, at: iso(now) }, now);
      if (after !== null) log.write("uid.bound", key, { pushId, uid: after, by, ...known, at: iso(now) }, now);
      if (row !== undefined) moveUser(pushId, row.uid, after, by === "deleted" ? "deleted" : "unbound", now);
    },

    noteEvents(happenings: readonly Happening[], now: number): void {
      for (const one of happenings) {
        switch (one.kind) {
          case "joined":
            joined(one, now);
            break;
          case "left":
            left(one.topic, one.pushId ?? "", one.at, one.reason, now);
            break;
          case "packet": {
            const { kind: _, data, at, ...packet } = one;
            const head = JSON.stringify({ ...packet, at: iso(at) });
            const text = data === undefined ? head : `${head.slice(0, -1)},"data":${data}}`;
            log.write("client.packet", deviceKey(one.pushId), text, now);
            break;
          }
          case "lane": {
            const { change, lane, reason, until, at } = one;
            const { vendor: provider, app, host } = lane;
            const data = { provider, app, host, state: change, reason, until: until && iso(until), at: iso(at) };
            const key = laneKey(lane);
            log.write(`lane.${change}`, key, data, now);
            if (change === "resumed") restsNoMore.run(key);
            else rests.run(key, now, JSON.stringify(data));
            break;
          }
        }
      }
    },

    presentDevices(devices: readonly PresentDevice[], now: number): void {
      for (const { pushId, platform, since } of devices)
        came(pushId, uidOf.get(pushId) ?? undefined, platform, since, now);
    },

    /** What is not wanted is not kept up to date: it goes. */
    drop(what: "devices" | "topics"): void {
      if (what === "devices" && anyDevice.get() !== undefined) db.exec("DELETE FROM online; DELETE FROM online_users");
      if (what === "topics" && anyMember.get() !== undefined)
        db.exec("DELETE FROM topic_members; DELETE FROM topics_occupied");
    },

    /** Topics that begin with no prefix of those that are told of now. */
    dropOtherTopics(): void {
      dropMembers.run(wants.topics);
      dropOccupied.run(wants.topics);
    },

    /**
     * Tells of those who were here in an earlier run and did not come back, `limit` looked at, and at the end of lanes that
     * rested then. Returns where to go on.
     */
    tellAbsent(walk: Walk, limit: number, now: number): Walk | undefined {
      const { pushId, topic } = walk;
      if (topic === undefined) {
        const rows = wants.tracksDevices ? devicesAfter.all(pushId, limit) : [];
        for (const { push_id, run: seen } of rows) if (seen !== run) went(push_id, started, RESTARTED, now);
        return rows.length === limit ? { pushId: rows.at(-1)!.push_id } : { pushId: "", topic: "" };
      }
      const rows = wants.tracksTopics ? membersAfter.all(pushId, topic, limit) : [];
      for (const one of rows) if (one.run !== run) left(one.topic, one.push_id, started, RESTARTED, now);
      const last = rows.length === limit ? rows.at(-1) : undefined;
      if (last === undefined) resumeLanes(now);
      return last && { pushId: last.push_id, topic: last.topic };
    },
  };
}
