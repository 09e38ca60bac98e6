// Devices, their tags, tokens and users. The rules are those of sqlite/devices.ts; who is online is a row per device and node.
import {
  type Device,
  type DevicePast,
  type PushId,
  passes,
  type TagFilter,
  type Token,
  type Uid,
} from "../../core/device.ts";
import type { Binding, Hello } from "../../core/engine.ts";
import { type BoundBy, type Departures, deviceKey } from "../../core/events.ts";
import { deviceChannel } from "../../core/packet.ts";
import { DAY } from "../../core/time.ts";
import type { Traits } from "../../core/traits.ts";
import {
  formerToken,
  historyOf,
  historyText,
  REPLACED,
  SEEN_WITHIN,
  sameTags,
  tagsOf,
  tagsText,
  unique,
} from "../records.ts";
import type { Rows, UidRows } from "../sqlite/devices.ts";
import { hasToken, tokenTime, typeWithoutToken } from "../tokens.ts";
import { iso } from "../wants.ts";
import type { Addressees } from "./addressees.ts";
import { Column, Statement } from "./database.ts";
import type { EventLog } from "./events.ts";
import type { Online } from "./online.ts";
import type { Packets } from "./packets.ts";
import type { Turn, TurnParts } from "./turns.ts";

interface Row {
  readonly device: number;
  readonly push_id: string;
  readonly uid: string | null;
  readonly uid_ttl: number;
  readonly offline_since: number | null;
  /** It has a session somewhere. */
  readonly online: boolean;
  readonly platform: string | null;
  readonly tags: string | null;
  readonly type: string | null;
  readonly token: string | null;
  readonly package: string | null;
  readonly token_time: number | null;
  readonly create_time: number;
  readonly update_time: number;
}

/** How long the number of devices holds where counting them takes long, milliseconds. */
const COUNTED_FOR = 5000;
const SLOW = 20;

const columns = `d.device, d.push_id, d.uid, d.uid_ttl, d.offline_since, d.platform, d.tags, d.type, d.token, d.package, d.token_time,
  d.create_time, d.update_time, EXISTS (SELECT 1 FROM sessions s WHERE s.push_id = d.push_id) AS online`;
const find = new Statement<[string], Row>(`SELECT ${columns} FROM devices d WHERE push_id = ?`);
const findAll = new Statement<[readonly string[]], Row>(`SELECT ${columns} FROM devices d WHERE push_id = ANY (?)`);
const findByUids = new Statement<[readonly string[]], Row>(
  `SELECT ${columns} FROM devices d WHERE uid = ANY (?) ORDER BY device`,
);
/** Some uids, the devices of the first one behind that number; `place` is the uid's among them, from 1. */
const pageByUids = new Statement<[readonly string[], number, number, number], Row & { readonly place: number }>(`
  SELECT d.*, place FROM unnest(?::text[]) WITH ORDINALITY AS u(wanted, place) CROSS JOIN LATERAL (
    SELECT ${columns} FROM devices d WHERE uid = wanted AND device > CASE place WHEN 1 THEN ?::bigint ELSE 0 END
    ORDER BY device LIMIT ?) d
  ORDER BY place, device LIMIT ?`);
/** In one statement: each may have as many devices as a page. */
const UIDS_AT_ONCE = 100;
const pageByTag = new Statement<[string, number, number], Row>(`
  SELECT ${columns} FROM device_tags t JOIN devices d ON d.device = t.device
  WHERE t.tag = ? AND t.device > ? ORDER BY t.device LIMIT ?`);
const pageOfAll = new Statement<[number, number], Row>(
  `SELECT ${columns} FROM devices d WHERE device > ? ORDER BY device LIMIT ?`,
);
const newestBound = new Statement<[string], Row>(`SELECT ${columns} FROM devices d WHERE uid = ? ORDER BY bound DESC`);
const newestBoundOnPlatform = new Statement<[string, string | null], Row>(`
  SELECT ${columns} FROM devices d WHERE uid = ? AND platform IS NOT DISTINCT FROM ? ORDER BY bound DESC`);
const findOthersByToken = new Statement<[string, string, string | null, string], Row>(`
  SELECT ${columns} FROM devices d
  WHERE token = ? AND type = ? AND package IS NOT DISTINCT FROM ? AND push_id <> ?`);
const namedFrom = new Statement<[string, string, number], Row>(
  `SELECT ${columns} FROM devices d WHERE push_id >= ? AND push_id < ? ORDER BY push_id LIMIT ?`,
);
const namedBehind = new Statement<[string, string, number], Row>(
  `SELECT ${columns} FROM devices d WHERE push_id > ? AND push_id < ? ORDER BY push_id LIMIT ?`,
);
const findByToken = new Statement<[string, number], Row>(`SELECT ${columns} FROM devices d WHERE token = ? LIMIT ?`);
const total = new Column<[], number>("SELECT count(*) FROM devices");
const insert = new Column<
  [string, string | null, string | null, string | null, string | null, number | null, number, number],
  number
>(`
  INSERT INTO devices (device, push_id, tags, type, token, package, token_time, create_time, update_time)
  VALUES (nextval('devices_seq'), ?, ?, ?, ?, ?, ?, ?, ?) RETURNING device`);
const update = new Statement<
  [string | null, string | null, string | null, string | null, number | null, number, number]
>("UPDATE devices SET tags = ?, type = ?, token = ?, package = ?, token_time = ?, update_time = ? WHERE device = ?");
const setTokenTime = new Statement<[number, number, number]>(
  "UPDATE devices SET token_time = ? WHERE device = ? AND coalesce(token_time, update_time) < ?",
);
const dropDetour = new Statement<[string]>("UPDATE devices SET detour = NULL WHERE push_id = ? AND detour IS NOT NULL");
const comes = new Statement<[readonly string[], number]>(`
  INSERT INTO sessions (push_id, node)
  SELECT p.push_id, n.node FROM (SELECT DISTINCT unnest(?::text[]) AS push_id) p, (SELECT ?::bigint AS node) n
  ON CONFLICT DO NOTHING`);
const isBack = new Statement<[number]>("UPDATE devices SET offline_since = NULL WHERE device = ?");
const goes = new Statement<[readonly string[], number]>("DELETE FROM sessions WHERE push_id = ANY (?) AND node = ?");
const setGone = new Statement<[number, readonly string[]]>(`
  UPDATE devices d SET offline_since = ?
  WHERE push_id = ANY (?) AND uid_ttl > 0 AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.push_id = d.push_id)`);
const setSeen = new Statement<[number, number, readonly string[]]>(`
  UPDATE devices SET last_seen = n.now, update_time = greatest(update_time, CASE WHEN update_time < n.now - ? THEN n.now ELSE 0 END)
  FROM (SELECT ?::bigint AS now) n WHERE push_id = ANY (?)
    AND (coalesce(last_seen, 0) <= n.now - ${SEEN_WITHIN} OR update_time < n.now - ${DAY})`);
const setLastSeen = new Statement<[number, number]>("UPDATE devices SET last_seen = ? WHERE device = ?");
const past = new Statement<
  [readonly string[]],
  { push_id: string; last_seen: number | null; token_history: string | null }
>("SELECT push_id, last_seen, token_history FROM devices WHERE push_id = ANY (?)");
const setHistory = new Statement<[string, number]>("UPDATE devices SET token_history = ? WHERE device = ?");
const idle = new Statement<[number, number], { device: number; push_id: string; online: boolean }>(`
  SELECT device, push_id, EXISTS (SELECT 1 FROM sessions s WHERE s.push_id = d.push_id) AS online FROM devices d
  WHERE uid IS NULL AND token IS NULL AND tags IS NULL AND update_time < ? ORDER BY update_time LIMIT ?`);
const stillSeen = new Statement<[number, number]>("UPDATE devices SET update_time = ? WHERE device = ?");
const overdue = new Statement<[number, number], { device: number; push_id: string; uid: string }>(`
  SELECT device, push_id, uid FROM devices WHERE uid_ttl > 0 AND offline_since + uid_ttl <= ? ORDER BY offline_since + uid_ttl LIMIT ?`);
const leftBehind = new Statement<[number, number]>(`
  UPDATE devices SET offline_since = ? WHERE device IN (
    SELECT device FROM devices d WHERE uid_ttl > 0 AND offline_since IS NULL
      AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.push_id = d.push_id) LIMIT ?)`);
const bindTo = new Statement<[string, number, number | null, string | null, number, number]>(`
  UPDATE devices SET uid = ?, bound = nextval('bound_seq'), uid_ttl = ?, offline_since = ?, platform = ?, update_time = ?
  WHERE device = ?`);
const clearUid = new Statement<[number, number]>(
  "UPDATE devices SET uid = NULL, bound = 0, uid_ttl = 0, offline_since = NULL, update_time = ? WHERE device = ?",
);
const remove = new Statement<[number]>("DELETE FROM devices WHERE device = ?");
const addTags = new Statement<[number, readonly string[]]>(`
  INSERT INTO device_tags (device, tag) SELECT d.device, t.tag FROM (SELECT ?::bigint AS device) d, unnest(?::text[]) AS t(tag)
  ON CONFLICT DO NOTHING`);
const removeTags = new Statement<[number, readonly string[]]>(
  "DELETE FROM device_tags WHERE device = ? AND tag = ANY (?)",
);

export type DeviceTable = ReturnType<typeof devices>;

export function devices(
  packets: Pick<Packets, "drop">,
  addressees: Addressees,
  traits: Traits,
  told: Pick<Online, "came" | "went" | "rebound">,
  log: Pick<EventLog, "wants" | "write">,
  node: () => number,
) {
  const part = {};
  /** What was read for consecutive calls of `connect`. */
  const atHand = (turn: Turn): Map<string, Row> => turn.of(part, () => new Map<string, Row>());
  let counted: { readonly total: number; readonly until: number } | undefined;

  /** Whether the binding's time has passed while the device was offline. */
  const ended = ({ uid_ttl, online, offline_since }: Row, now: number): boolean =>
    uid_ttl > 0 && !online && offline_since !== null && offline_since + uid_ttl <= now;

  /** The record as it is seen: an ended binding is none. */
  function toDevice(row: Row, now: number): Device {
    return {
      pushId: row.push_id as PushId, // the brands were given when it was stored
      ...(row.uid !== null && !ended(row, now) ? { uid: row.uid as Uid } : undefined),
      ...(row.platform !== null ? { platform: row.platform } : undefined),
      tags: tagsOf(row),
      ...(row.type !== null ? { type: row.type } : undefined),
      ...(row.token !== null ? { token: row.token } : undefined),
      ...(row.package !== null ? { packageName: row.package } : undefined),
      createTime: row.create_time,
      updateTime: row.update_time,
    };
  }

  function visible(rows: readonly Row[], filter: TagFilter | undefined, now: number): Device[] {
    const found = rows.map((row) => toDevice(row, now));
    return filter === undefined ? found : found.filter((device) => passes(device.tags, filter));
  }

  function replaceTags(turn: Turn, device: number, before: readonly string[], after: readonly string[]): void {
    const gone = before.filter((tag) => !after.includes(tag));
    const come = after.filter((tag) => !before.includes(tag));
    if (gone.length > 0) removeTags.put(turn, device, gone);
    if (come.length > 0) addTags.put(turn, device, come);
  }

  async function add(turn: Turn, ...row: Parameters<typeof insert.all> extends [unknown, ...infer R] ? R : never) {
    counted = undefined;
    return (await insert.get(turn, ...row))!; // one row
  }

  async function drop(turn: Turn, device: number, pushId: string): Promise<void> {
    counted = undefined;
    remove.put(turn, device);
    await addressees.depart(turn, device, pushId);
  }

  /** The uid of the record until now. One whose time is over is taken off first. */
  async function uidBefore(turn: Turn, row: Row, now: number): Promise<string | null> {
    if (row.uid === null || !ended(row, now)) return row.uid;
    await told.rebound(turn, row.push_id, row.uid, null, "binding_ttl", now);
    return null;
  }

  async function forget(turn: Turn, row: Row, by: BoundBy, now: number): Promise<void> {
    atHand(turn).delete(row.push_id);
    await told.rebound(turn, row.push_id, await uidBefore(turn, row, now), null, by, now);
    const tags = tagsOf(row);
    if (tags.length > 0) removeTags.put(turn, row.device, tags);
    await drop(turn, row.device, row.push_id);
    await packets.drop(turn, deviceChannel(row.push_id as PushId));
  }

  /** The device has another token than before. Deletes every other one that has this token (holds 6). */
  async function claim(turn: Turn, pushId: string, token: Token, now: number): Promise<void> {
    dropDetour.put(turn, pushId);
    for (const other of await findOthersByToken.all(turn, token.token, token.type, token.packageName ?? null, pushId))
      await forget(turn, other, "token_claimed", now);
  }

  /** The device's token is one of the past. */
  async function note(turn: Turn, row: Row, reason: string, now: number): Promise<void> {
    const former = formerToken(row, reason, now);
    if (former === undefined) return;
    const [before] = await past.all(turn, [row.push_id]);
    setHistory.put(turn, historyText(former, before?.token_history), row.device);
  }

  /** Some vendors say since when a token is dead: then it has to be known when the device last brought it. */
  function brought(turn: Turn, row: Row, { type }: Token, now: number): void {
    if (traits.datesDeaths(type)) setTokenTime.put(turn, now, row.device, now);
  }

  async function connectNew(turn: Turn, hello: Hello, token: Token | undefined, now: number): Promise<Device> {
    const tags = unique(hello.tags ?? []);
    if (token !== undefined) await claim(turn, hello.pushId, token, now);
    const type = token?.type ?? typeWithoutToken(hello.platform);
    const stored = tagsText(tags);
    const app = token?.packageName ?? null;
    const at = token === undefined ? null : now;
    const device = await add(turn, hello.pushId, stored, type ?? null, token?.token ?? null, app, at, now, now);
    replaceTags(turn, device, [], tags);
    await told.came(turn, hello.pushId, undefined, hello.platform, now, now);
    setLastSeen.put(turn, now, device);
    const row: Row = {
      device,
      push_id: hello.pushId,
      uid: null,
      uid_ttl: 0,
      offline_since: null,
      online: true,
      platform: null,
      tags: stored,
      type: type ?? null,
      token: token?.token ?? null,
      package: app,
      token_time: at,
      create_time: now,
      update_time: now,
    };
    atHand(turn).set(hello.pushId, row);
    return toDevice(row, now);
  }

  /** The newest `limit` bindings of the uid stay. Ended ones take no place. */
  async function evict(turn: Turn, uid: string, platform: string | null | "all", limit: number, now: number) {
    const rows =
      platform === "all" ? await newestBound.all(turn, uid) : await newestBoundOnPlatform.all(turn, uid, platform);
    const evicted = rows.filter((row) => !ended(row, now)).slice(limit);
    for (const row of evicted) {
      clearUid.put(turn, now, row.device);
      await told.rebound(turn, row.push_id, row.uid, null, "platform_limit", now);
    }
    return evicted.map((row) => row.push_id as PushId);
  }

  async function inOrder(turn: Turn, pushIds: readonly PushId[]): Promise<Row[]> {
    const rows = new Map((await findAll.all(turn, pushIds)).map((row) => [row.push_id, row]));
    return pushIds.map((pushId) => rows.get(pushId)).filter((row) => row !== undefined);
  }

  async function clear(turn: Turn, rows: readonly Row[], now: number, by: BoundBy): Promise<readonly PushId[]> {
    const had: PushId[] = [];
    for (const row of rows) {
      if (row.uid === null) continue;
      const before = await uidBefore(turn, row, now);
      if (before !== null) had.push(row.push_id as PushId);
      clearUid.put(turn, now, row.device);
      await told.rebound(turn, row.push_id, before, null, by, now);
    }
    return had;
  }

  function page(rows: readonly Row[], limit: number, filter: TagFilter | undefined, now: number): Rows {
    const last = rows.length === limit ? rows.at(-1)?.device : undefined;
    return { devices: visible(rows, filter, now), ...(last !== undefined ? { last } : undefined) };
  }

  const parts: Pick<TurnParts, "begin"> = {
    async begin(turn, name, calls) {
      const rows = atHand(turn);
      rows.clear();
      if (name !== "connect") return;
      const pushIds = calls.map(([hello]) => (hello as Hello).pushId);
      for (const row of await findAll.all(turn, pushIds)) rows.set(row.push_id, row);
      comes.put(turn, pushIds, node());
    },
  };

  return {
    parts,

    async connect(turn: Turn, hello: Hello, now: number): Promise<Device> {
      const token = hello.token && traits.clean(hello.token);
      const row = atHand(turn).get(hello.pushId);
      if (row === undefined) return connectNew(turn, hello, token, now);
      const over = row.uid !== null && ended(row, now);
      if (over) {
        clearUid.put(turn, now, row.device);
        await told.rebound(turn, row.push_id, row.uid, null, "binding_ttl", now);
      } else if (row.uid_ttl > 0 && row.offline_since !== null) isBack.put(turn, row.device);
      const uid = over ? undefined : (row.uid ?? undefined);
      await told.came(turn, row.push_id, uid, hello.platform ?? row.platform ?? undefined, now, now);

      const before = tagsOf(row);
      const tags = hello.tags === undefined ? before : unique(hello.tags);
      const newTags = tags !== before && !sameTags(tags, before);
      const newToken = token !== undefined && !hasToken(row, token);
      const here: Row = {
        ...row,
        online: true,
        offline_since: null,
        ...(over ? { uid: null, uid_ttl: 0 } : undefined),
      };
      // A connection that changes nothing else moves `updateTime` once a day, so that most reconnects write nothing.
      if (!over && !newTags && !newToken && now - row.update_time < DAY) {
        if (token !== undefined) brought(turn, row, token, now);
        atHand(turn).set(row.push_id, here);
        return toDevice(here, now);
      }
      if (newToken) {
        await note(turn, row, REPLACED, now);
        await claim(turn, row.push_id, token, now);
      }
      if (newTags) replaceTags(turn, row.device, before, tags);
      const after: Row = {
        ...here,
        ...(newTags ? { tags: tagsText(tags) } : undefined),
        ...(newToken ? { type: token.type, token: token.token, package: token.packageName ?? null } : undefined),
        token_time: token === undefined ? row.token_time : now,
        update_time: now,
      };
      update.put(turn, after.tags, after.type, after.token, after.package, after.token_time, now, row.device);
      atHand(turn).set(row.push_id, after);
      return toDevice(after, now);
    },

    /** A store that cannot be reached stores nothing, and knows nobody. */
    connectUnstored(_: Turn, hello: Hello, now: number): Device {
      const type = typeWithoutToken(hello.platform);
      return { pushId: hello.pushId, tags: [], ...(type && { type }), createTime: now, updateTime: now };
    },

    /** @param gone null: they are expected back, being sent away by a server that stops */
    async disconnect(turn: Turn, pushIds: readonly PushId[], now: number, gone?: Departures | null): Promise<void> {
      goes.put(turn, pushIds, node());
      if (gone !== null)
        for (const [i, pushId] of pushIds.entries())
          await told.went(turn, pushId, gone?.times[i] ?? now, gone?.reasons[i] ?? "transport close", now);
      setGone.put(turn, now, pushIds);
      setSeen.put(turn, DAY, now, pushIds);
    },

    async setTags(turn: Turn, pushId: PushId, list: readonly string[], now: number): Promise<void> {
      const row = await find.get(turn, pushId);
      if (row === undefined) return;
      const before = tagsOf(row);
      const tags = unique(list);
      if (sameTags(tags, before)) return;
      replaceTags(turn, row.device, before, tags);
      const { type, token, package: app, token_time } = row;
      update.put(turn, tagsText(tags), type, token, app, token_time, now, row.device);
    },

    async changeTag(
      turn: Turn,
      pushId: PushId,
      tag: string,
      present: boolean,
      now: number,
      most = Number.POSITIVE_INFINITY,
    ): Promise<boolean> {
      const row = await find.get(turn, pushId);
      if (row === undefined) return true;
      const before = tagsOf(row);
      if (before.includes(tag) === present) return true;
      if (present && before.length >= most) return false;
      const tags = present ? [...before, tag] : before.filter((other) => other !== tag);
      replaceTags(turn, row.device, before, tags);
      const { type, token, package: app, token_time } = row;
      update.put(turn, tagsText(tags), type, token, app, token_time, now, row.device);
      return true;
    },

    async setToken(turn: Turn, pushId: PushId, given: Token, now: number): Promise<void> {
      const token = traits.clean(given);
      const row = await find.get(turn, pushId);
      if (row === undefined || token === undefined) return;
      if (hasToken(row, token)) return brought(turn, row, token, now);
      await note(turn, row, REPLACED, now);
      await claim(turn, pushId, token, now);
      update.put(turn, row.tags, token.type, token.token, token.packageName ?? null, now, now, row.device);
    },

    /** The contract is that of sqlite/devices.ts. */
    async forgetToken(
      turn: Turn,
      pushId: string,
      { type, token }: Token,
      registeredBefore: number | undefined,
      reason: string,
      now: number,
      app: string,
    ): Promise<void> {
      const row = await find.get(turn, pushId);
      if (row === undefined || row.token !== token || row.type !== type) return;
      if (registeredBefore !== undefined && tokenTime(row) >= registeredBefore) return;
      await note(turn, row, reason, now);
      update.put(turn, row.tags, traits.typeAfter(type), null, null, null, now, row.device);
      if (!log.wants("token.dead")) return;
      const uid = row.uid !== null && !ended(row, now) ? row.uid : undefined;
      const data = { pushId, uid, type, app, reason, at: iso(now) };
      await log.write(turn, "token.dead", deviceKey(pushId), data, now);
    },

    async pastOf(turn: Turn, pushIds: readonly PushId[]): Promise<readonly DevicePast[]> {
      const rows = new Map((await past.all(turn, pushIds)).map((row) => [row.push_id, row]));
      return pushIds.flatMap((pushId) => {
        const row = rows.get(pushId);
        if (row === undefined) return [];
        const { last_seen, token_history } = row;
        return {
          pushId,
          ...(last_seen !== null ? { lastSeen: last_seen } : undefined),
          tokenHistory: historyOf(token_history),
        };
      });
    },

    storeHeard: (_: Turn): void => {},

    async bind(turn: Turn, binding: Binding, now: number): Promise<readonly PushId[]> {
      const row = await find.get(turn, binding.pushId);
      const device = row?.device ?? (await add(turn, binding.pushId, null, null, null, null, null, now, now));
      // `all` asks for a limit over every platform; it is not the platform of any device.
      const given = binding.platform === "all" ? undefined : binding.platform;
      const platform = given ?? row?.platform ?? null;
      const { uid, timeToLive, platformLimit, by = "api" } = binding;
      const offlineSince = timeToLive > 0 && row?.online !== true ? now : null;
      const before = row === undefined ? null : await uidBefore(turn, row, now);
      bindTo.put(turn, uid, timeToLive, offlineSince, platform, now, device);
      await told.rebound(turn, binding.pushId, before, uid, by, now);
      if (platformLimit <= 0) return [];
      return evict(turn, uid, binding.platform === "all" ? "all" : platform, platformLimit, now);
    },

    unbindDevices: async (turn: Turn, pushIds: readonly PushId[], now: number, by: BoundBy = "api") =>
      clear(turn, await inOrder(turn, pushIds), now, by),

    unbindUids: async (turn: Turn, uids: readonly Uid[], now: number, by: BoundBy = "api") =>
      clear(turn, await findByUids.all(turn, uids), now, by),

    getDevices: async (turn: Turn, pushIds: readonly PushId[], filter: TagFilter | undefined, now: number) =>
      visible(await inOrder(turn, pushIds), filter, now),

    async devicesByUid(turn: Turn, uids: readonly Uid[], now: number): Promise<readonly Device[]> {
      const places = new Map(uids.map((uid, i) => [uid as string, i]));
      const rows = (await findByUids.all(turn, uids)).filter((row) => !ended(row, now));
      rows.sort((a, b) => places.get(a.uid ?? "")! - places.get(b.uid ?? "")!);
      return visible(rows, undefined, now);
    },

    async devicesNamed(turn: Turn, prefix: string, after: PushId | undefined, limit: number, now: number) {
      const end = `${prefix}\u{10ffff}`;
      const rows =
        after === undefined
          ? await namedFrom.all(turn, prefix, end, limit)
          : await namedBehind.all(turn, after, end, limit);
      return visible(rows, undefined, now);
    },

    devicesByToken: async (turn: Turn, token: string, limit: number, now: number): Promise<readonly Device[]> =>
      visible(await findByToken.all(turn, token, limit), undefined, now),

    async pageByUids(
      turn: Turn,
      uids: readonly Uid[],
      after: number,
      limit: number,
      filter: TagFilter | undefined,
      now: number,
    ): Promise<UidRows> {
      const rows: Row[] = [];
      let last = after;
      let index = 0;
      while (index < uids.length) {
        const wanted = uids.slice(index, index + UIDS_AT_ONCE);
        const room = limit - rows.length;
        const found = await pageByUids.all(turn, wanted, last, room, room);
        for (const { place: _, ...row } of found) rows.push(row);
        const end = found.length === room ? found.at(-1) : undefined;
        index += end === undefined ? wanted.length : end.place - 1;
        last = end?.device ?? 0;
        if (end !== undefined) break;
      }
      const alive = rows.filter((row) => !ended(row, now));
      return { devices: visible(alive, filter, now), index, last };
    },

    pageByTag: async (
      turn: Turn,
      tag: string,
      after: number,
      limit: number,
      filter: TagFilter | undefined,
      now: number,
    ) => page(await pageByTag.all(turn, tag, after, limit), limit, filter, now),

    pageOfAll: async (turn: Turn, after: number, limit: number, now: number) =>
      page(await pageOfAll.all(turn, after, limit), limit, undefined, now),

    async deleteDevices(turn: Turn, pushIds: readonly PushId[], now: number): Promise<void> {
      const known = new Set<string>();
      for (const row of await findAll.all(turn, pushIds)) {
        known.add(row.push_id);
        await forget(turn, row, "deleted", now);
      }
      for (const pushId of pushIds) if (!known.has(pushId)) await packets.drop(turn, deviceChannel(pushId));
    },

    async countDevices(turn: Turn): Promise<number> {
      const began = performance.now();
      if (counted !== undefined && began < counted.until) return counted.total;
      const found = (await total.get(turn)) ?? 0;
      const took = performance.now() - began;
      counted = took < SLOW ? undefined : { total: found, until: began + took + COUNTED_FOR };
      return found;
    },

    /** Takes the uid off devices whose binding has ended, so that it is told of. @returns whether there may be more */
    async endBindings(turn: Turn, now: number, limit: number): Promise<boolean> {
      const left = await leftBehind.run(turn, now, limit);
      const rows = await overdue.all(turn, now, limit);
      for (const { device, push_id, uid } of rows) {
        clearUid.put(turn, now, device);
        await told.rebound(turn, push_id, uid, null, "binding_ttl", now);
      }
      return left === limit || rows.length === limit;
    },

    recount: (_: Turn): void => {
      counted = undefined;
    },

    async sweepDevices(turn: Turn, before: number, limit: number, now: number): Promise<boolean> {
      const rows = await idle.all(turn, before, limit);
      for (const { device, push_id, online } of rows) {
        if (online) stillSeen.put(turn, now, device);
        else await drop(turn, device, push_id);
      }
      return rows.length === limit;
    },
  };
}
