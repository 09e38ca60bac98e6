// Devices, their tags, tokens and users. The contract is `Devices` in core/engine.ts; here, each method is one step of a
// transaction and returns at once.
import type Database from "better-sqlite3";
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
import { hasToken, tokenTime, typeWithoutToken } from "../tokens.ts";
import { iso } from "../wants.ts";
import type { Addressees } from "./addressees.ts";
import type { EventLog } from "./events.ts";
import type { Online } from "./online.ts";
import type { Packets } from "./packets.ts";
import type { Presence } from "./presence.ts";
import type { Sequences } from "./sequences.ts";
import { recentTokens } from "./tokens.ts";

interface Row {
  readonly device: number;
  readonly push_id: string;
  readonly uid: string | null;
  readonly uid_ttl: number;
  readonly online_run: number | null;
  readonly offline_since: number | null;
  readonly platform: string | null;
  readonly tags: string | null;
  readonly type: string | null;
  readonly token: string | null;
  readonly package: string | null;
  readonly token_time: number | null;
  readonly create_time: number;
  readonly update_time: number;
}

/** Some rows of a longer list, and the last row read: where the next page starts. Absent: there are no more. */
export interface Rows {
  readonly devices: readonly Device[];
  readonly last?: number;
}

/** The devices of some users, and where to go on: with user number `index`, after device `last`. */
export interface UidRows {
  readonly devices: readonly Device[];
  readonly index: number;
  readonly last: number;
}

export type DeviceTable = ReturnType<typeof devices>;

export function devices(
  db: Database,
  packets: Packets,
  presence: Presence,
  sequences: Sequences,
  addressees: Addressees,
  traits: Traits,
  told: Pick<Online, "came" | "went" | "rebound">,
  log: Pick<EventLog, "wants" | "write">,
) {
  const find = db.prepare<[string], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE push_id = ?`);
  // `= +?` beside ORDER BY: see packets.ts.
  const findByUid = db.prepare<[string], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE uid = +? ORDER BY device`);
  const pageByUid = db.prepare<[string, number, number], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE uid = +? AND device > +? ORDER BY device LIMIT ? + 0`);
  const pageByTag = db.prepare<[string, number, number], Row>(`
    SELECT d.device, d.push_id, d.uid, d.uid_ttl, d.online_run, d.offline_since, d.platform, d.tags, d.type, d.token,
           d.package, d.token_time, d.create_time, d.update_time
    FROM device_tags t JOIN devices d ON d.device = t.device
    WHERE t.tag = +? AND t.device > +? ORDER BY t.device LIMIT ? + 0`);
  const pageOfAll = db.prepare<[number, number], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE device > +? ORDER BY device LIMIT ? + 0`);
  const newestBound = db.prepare<[string], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE uid = +? ORDER BY bound DESC`);
  const newestBoundOnPlatform = db.prepare<[string, string | null], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE uid = +? AND platform IS +? ORDER BY bound DESC`);
  const findOthersByToken = db.prepare<[string, string, string | null, string], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE token = ? AND type = ? AND package IS ? AND push_id <> ?`);
  const namedFrom = db.prepare<[string, string, number], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE push_id >= ? AND push_id < ? ORDER BY push_id LIMIT ? + 0`);
  const namedBehind = db.prepare<[string, string, number], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE push_id > ? AND push_id < ? ORDER BY push_id LIMIT ? + 0`);
  const findByToken = db.prepare<[string, number], Row>(`
    SELECT device, push_id, uid, uid_ttl, online_run, offline_since, platform, tags, type, token, package,
           token_time, create_time, update_time
    FROM devices WHERE token = ? LIMIT ? + 0`);
  const total = db.prepare<[], number>("SELECT count(*) FROM devices").pluck<number>();
  /** Counted once, then kept up to date; undefined: not counted yet, or a transaction was undone. */
  let stored: number | undefined;

  const insertRow = db.prepare<
    [
      ...[device: number, pushId: string, tags: string | null, type: string | null, token: string | null],
      ...[packageName: string | null, tokenTime: number | null, created: number, updated: number, seen: number | null],
    ]
  >(`
    INSERT INTO devices (device, push_id, tags, type, token, package, token_time, create_time, update_time, last_seen)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const update = db.prepare<
    [string | null, string | null, string | null, string | null, number | null, number, number]
  >(`
    UPDATE devices SET tags = ?, type = ?, token = ?, package = ?, token_time = ?, update_time = ? WHERE device = ?`);
  const dropDetour = db.prepare<[string]>("UPDATE devices SET detour = NULL WHERE push_id = ? AND detour IS NOT NULL");
  const recent = recentTokens(db, traits);
  const setOnline = db.prepare<[number, number]>(`
    UPDATE devices SET online_run = ?, offline_since = NULL WHERE device = ?`);
  const setOffline = db.prepare<[number, number]>(`
    UPDATE devices SET online_run = NULL, offline_since = ? WHERE device = ? AND uid_ttl > 0`);
  const setSeen = db.prepare<[number, number, number]>(`
    UPDATE devices SET update_time = ? WHERE device = ? AND update_time < ?`);
  const setLastSeen = db.prepare<[number, number, number]>(`
    UPDATE devices SET last_seen = ? WHERE device = ? AND coalesce(last_seen, 0) <= ?`);
  const past = db.prepare<[string], { readonly last_seen: number | null; readonly token_history: string | null }>(`
    SELECT last_seen, token_history FROM devices WHERE push_id = ?`);
  const setHistory = db.prepare<[string, number]>("UPDATE devices SET token_history = ? WHERE device = ?");
  const idle = db.prepare<[number, number], { device: number; push_id: string }>(`
    SELECT device, push_id FROM devices INDEXED BY devices_idle
    WHERE uid IS NULL AND token IS NULL AND tags IS NULL AND update_time < ? ORDER BY update_time LIMIT ? + 0`);
  // The named index: without statistics SQLite takes another one.
  const overdue = db.prepare<[number, number], { device: number; push_id: string; uid: string }>(`
    SELECT device, push_id, uid FROM devices INDEXED BY devices_by_end
    WHERE uid_ttl > 0 AND offline_since + uid_ttl <= ? ORDER BY offline_since + uid_ttl LIMIT ? + 0`);
  const leftBehind = db.prepare<[number, number], { device: number; online_run: number }>(`
    SELECT device, online_run FROM devices INDEXED BY devices_by_run WHERE online_run < ? ORDER BY online_run LIMIT ? + 0`);
  const setLeft = db.prepare<[number, number]>(
    "UPDATE devices SET online_run = NULL, offline_since = ? WHERE device = ?",
  );
  const deviceOf = db.prepare<[string], number>("SELECT device FROM devices WHERE push_id = ?").pluck<number>();
  const bindTo = db.prepare<[string, number, number, number | null, number | null, string | null, number, number]>(`
    UPDATE devices SET uid = ?, bound = ?, uid_ttl = ?, online_run = ?, offline_since = ?, platform = ?, update_time = ?
    WHERE device = ?`);
  const clearUid = db.prepare<[number, number]>(`
    UPDATE devices SET uid = NULL, bound = 0, uid_ttl = 0, online_run = NULL, offline_since = NULL, update_time = ?
    WHERE device = ?`);
  const remove = db.prepare<[number]>("DELETE FROM devices WHERE device = ?");
  const addTag = db.prepare<[string, number]>("INSERT OR IGNORE INTO device_tags (tag, device) VALUES (?, ?)");
  const removeTag = db.prepare<[string, number]>("DELETE FROM device_tags WHERE tag = ? AND device = ?");

  /** The record as it is seen: an ended binding is none. */
  function toDevice(row: Row, now: number): Device {
    return {
      pushId: row.push_id as PushId, // the brands were given when it was stored
      ...(row.uid !== null && !presence.ended(row, now) ? { uid: row.uid as Uid } : undefined),
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

  function replaceTags(device: number, before: readonly string[], after: readonly string[]): void {
    for (const tag of before) if (!after.includes(tag)) removeTag.run(tag, device);
    for (const tag of after) if (!before.includes(tag)) addTag.run(tag, device);
  }

  function add(...row: Parameters<typeof insertRow.run>): void {
    insertRow.run(...row);
    if (stored !== undefined) stored++;
  }

  function drop(device: number, pushId: string): void {
    remove.run(device);
    addressees.depart(device, pushId);
    presence.set(device, false);
    if (stored !== undefined) stored--;
  }

  /** The uid of the record until now. One whose time is over is taken off first. */
  function uidBefore(row: Row, now: number): string | null {
    if (row.uid === null || !presence.ended(row, now)) return row.uid;
    told.rebound(row.push_id, row.uid, null, "binding_ttl", now);
    return null;
  }

  function forget(row: Row, by: BoundBy, now: number): void {
    told.rebound(row.push_id, uidBefore(row, now), null, by, now);
    for (const tag of tagsOf(row)) removeTag.run(tag, row.device);
    drop(row.device, row.push_id);
    packets.drop(deviceChannel(row.push_id as PushId));
  }

  /**
   * The device has another token than before. Deletes every other one that has this token: the app was installed again under a
   * new pushId (holds 6).
   */
  function claim(pushId: string, token: Token, now: number): void {
    dropDetour.run(pushId);
    for (const other of findOthersByToken.all(token.token, token.type, token.packageName ?? null, pushId))
      forget(other, "token_claimed", now);
  }

  /** The device's token is one of the past. */
  function note(row: Row, reason: string, now: number): void {
    const former = formerToken(row, reason, now);
    if (former === undefined) return;
    setHistory.run(historyText(former, past.get(row.push_id)?.token_history), row.device);
  }

  function connectNew(hello: Hello, token: Token | undefined, now: number): Device {
    const tags = unique(hello.tags ?? []);
    if (token !== undefined) claim(hello.pushId, token, now);
    const type = token?.type ?? typeWithoutToken(hello.platform);
    const device = sequences.device();
    add(
      device,
      hello.pushId,
      tagsText(tags),
      type ?? null,
      token?.token ?? null,
      token?.packageName ?? null,
      token === undefined ? null : now,
      now,
      now,
      now,
    );
    replaceTags(device, [], tags);
    presence.set(device, true);
    told.came(hello.pushId, undefined, hello.platform, now, now);
    return {
      pushId: hello.pushId,
      tags,
      ...(type !== undefined ? { type } : undefined),
      ...(token !== undefined ? { token: token.token } : undefined),
      ...(token?.packageName !== undefined ? { packageName: token.packageName } : undefined),
      createTime: now,
      updateTime: now,
    };
  }

  /** The newest `limit` bindings of the uid stay. Ended ones take no place. */
  function evict(uid: string, platform: string | null | "all", limit: number, now: number): PushId[] {
    const rows = platform === "all" ? newestBound.all(uid) : newestBoundOnPlatform.all(uid, platform);
    const alive = rows.filter((row) => !presence.ended(row, now));
    const evicted = alive.slice(limit);
    for (const row of evicted) {
      clearUid.run(now, row.device);
      told.rebound(row.push_id, row.uid, null, "platform_limit", now);
    }
    return evicted.map((row) => row.push_id as PushId);
  }

  return {
    connect(hello: Hello, now: number): Device {
      const token = hello.token && traits.clean(hello.token);
      const row = find.get(hello.pushId);
      if (row === undefined) return connectNew(hello, token, now);
      presence.set(row.device, true);

      const ended = row.uid !== null && presence.ended(row, now);
      if (ended) {
        clearUid.run(now, row.device);
        told.rebound(row.push_id, row.uid, null, "binding_ttl", now);
      } else if (row.uid_ttl > 0 && row.online_run !== presence.run) setOnline.run(presence.run, row.device);
      told.came(
        row.push_id,
        ended ? undefined : (row.uid ?? undefined),
        hello.platform ?? row.platform ?? undefined,
        now,
        now,
      );

      const before = tagsOf(row);
      const tags = hello.tags === undefined ? before : unique(hello.tags);
      const newTags = tags !== before && !sameTags(tags, before);
      const newToken = token !== undefined && !hasToken(row, token);
      // A connection that changes nothing else moves `updateTime` once a day, so that most reconnects write nothing.
      if (!ended && !newTags && !newToken && now - row.update_time < DAY) {
        if (token !== undefined) recent.brought(row, token, now);
        return toDevice(row, now);
      }

      if (newToken) {
        note(row, REPLACED, now);
        claim(row.push_id, token, now);
      }
      if (newTags) replaceTags(row.device, before, tags);
      const after = {
        ...row,
        ...(ended ? { uid: null } : undefined),
        ...(newTags ? { tags: tagsText(tags) } : undefined),
        ...(newToken ? { type: token.type, token: token.token, package: token.packageName ?? null } : undefined),
        token_time: token === undefined ? row.token_time : now,
        update_time: now,
      };
      update.run(after.tags, after.type, after.token, after.package, after.token_time, now, row.device);
      return toDevice(after, now);
    },

    /** For a store that cannot be written: the record as it is stored, or what a new one would be without tags and token. */
    connectUnstored(hello: Hello, now: number): Device {
      const row = find.get(hello.pushId);
      if (row !== undefined) {
        presence.set(row.device, true);
        return toDevice(row, now);
      }
      const type = typeWithoutToken(hello.platform);
      return { pushId: hello.pushId, tags: [], ...(type && { type }), createTime: now, updateTime: now };
    },

    /** @param gone null: they are expected back, being sent away by a server that stops */
    disconnect(pushIds: readonly PushId[], now: number, gone?: Departures | null): void {
      for (const [i, pushId] of pushIds.entries()) {
        if (gone !== null) told.went(pushId, gone?.times[i] ?? now, gone?.reasons[i] ?? "transport close", now);
        const device = deviceOf.get(pushId);
        if (device === undefined) continue;
        presence.set(device, false);
        setOffline.run(now, device);
        setLastSeen.run(now, device, now - SEEN_WITHIN);
        setSeen.run(now, device, now - DAY);
      }
    },

    setTags(pushId: PushId, list: readonly string[], now: number): void {
      const row = find.get(pushId);
      if (row === undefined) return;
      const before = tagsOf(row);
      const tags = unique(list);
      if (sameTags(tags, before)) return;
      replaceTags(row.device, before, tags);
      const { type, token, package: app, token_time } = row;
      update.run(tagsText(tags), type, token, app, token_time, now, row.device);
    },

    changeTag(pushId: PushId, tag: string, present: boolean, now: number, most = Number.POSITIVE_INFINITY): boolean {
      const row = find.get(pushId);
      if (row === undefined) return true;
      const before = tagsOf(row);
      if (before.includes(tag) === present) return true;
      if (present && before.length >= most) return false;
      const tags = present ? [...before, tag] : before.filter((other) => other !== tag);
      replaceTags(row.device, before, tags);
      const { type, token, package: app, token_time } = row;
      update.run(tagsText(tags), type, token, app, token_time, now, row.device);
      return true;
    },

    setToken(pushId: PushId, given: Token, now: number): void {
      const token = traits.clean(given);
      const row = find.get(pushId);
      if (row === undefined || token === undefined) return;
      if (hasToken(row, token)) return recent.brought(row, token, now);
      note(row, REPLACED, now);
      claim(pushId, token, now);
      update.run(row.tags, token.type, token.token, token.packageName ?? null, now, now, row.device);
    },

    /**
     * The vendor says that this token is dead: its device is reached over the long connection only from now on. Unless it
     * has another token by now, or brought this one again since `registeredBefore`.
     */
    forgetToken(
      pushId: string,
      { type, token }: Token,
      registeredBefore: number | undefined,
      reason: string,
      now: number,
      app: string,
    ): void {
      const row = find.get(pushId);
      if (row === undefined || row.token !== token || row.type !== type) return;
      const since = Math.max(tokenTime(row), recent.time(row.device));
      if (registeredBefore !== undefined && since >= registeredBefore) return;
      note(row, reason, now);
      update.run(row.tags, traits.typeAfter(type), null, null, null, now, row.device);
      if (!log.wants("token.dead")) return;
      const uid = row.uid !== null && !presence.ended(row, now) ? row.uid : undefined;
      const data = { pushId, uid, type, app, reason, at: iso(now) };
      log.write("token.dead", deviceKey(pushId), data, now);
    },

    pastOf(pushIds: readonly PushId[]): readonly DevicePast[] {
      return pushIds.flatMap((pushId) => {
        const row = past.get(pushId);
        if (row === undefined) return [];
        const { last_seen, token_history } = row;
        return {
          pushId,
          ...(last_seen !== null ? { lastSeen: last_seen } : undefined),
          tokenHistory: historyOf(token_history),
        };
      });
    },

    /** What only this run knows goes into the records. */
    storeHeard: recent.store,

    bind(binding: Binding, now: number): readonly PushId[] {
      const row = find.get(binding.pushId);
      let device = row?.device;
      if (device === undefined) {
        device = sequences.device();
        add(device, binding.pushId, null, null, null, null, null, now, now, null);
        presence.set(device, false);
      }
      // `all` asks for a limit over every platform; it is not the platform of any device.
      const given = binding.platform === "all" ? undefined : binding.platform;
      const platform = given ?? row?.platform ?? null;
      const online = presence.isOnline(device);
      const onlineRun = binding.timeToLive > 0 && online ? presence.run : null;
      const offlineSince = binding.timeToLive > 0 && !online ? now : null;
      const { uid, timeToLive, platformLimit, by = "api" } = binding;
      const before = row === undefined ? null : uidBefore(row, now);
      bindTo.run(uid, sequences.bound(), timeToLive, onlineRun, offlineSince, platform, now, device);
      told.rebound(binding.pushId, before, uid, by, now);
      if (platformLimit <= 0) return [];
      return evict(uid, binding.platform === "all" ? "all" : platform, platformLimit, now);
    },

    unbindDevices(pushIds: readonly PushId[], now: number, by: BoundBy = "api"): readonly PushId[] {
      const had: PushId[] = [];
      for (const pushId of pushIds) {
        const row = find.get(pushId);
        if (row === undefined || row.uid === null) continue;
        const before = uidBefore(row, now);
        if (before !== null) had.push(pushId);
        clearUid.run(now, row.device);
        told.rebound(pushId, before, null, by, now);
      }
      return had;
    },

    unbindUids(uids: readonly Uid[], now: number, by: BoundBy = "api"): readonly PushId[] {
      const had: PushId[] = [];
      for (const uid of uids)
        for (const row of findByUid.all(uid)) {
          const before = uidBefore(row, now);
          if (before !== null) had.push(row.push_id as PushId);
          clearUid.run(now, row.device);
          told.rebound(row.push_id, before, null, by, now);
        }
      return had;
    },

    getDevices(pushIds: readonly PushId[], filter: TagFilter | undefined, now: number): readonly Device[] {
      const rows = pushIds.map((pushId) => find.get(pushId)).filter((row) => row !== undefined);
      return visible(rows, filter, now);
    },

    devicesByUid(uids: readonly Uid[], now: number): readonly Device[] {
      const rows = uids.flatMap((uid) => findByUid.all(uid));
      return visible(
        rows.filter((row) => !presence.ended(row, now)),
        undefined,
        now,
      );
    },

    devicesNamed(prefix: string, after: PushId | undefined, limit: number, now: number): readonly Device[] {
      const end = `${prefix}\u{10ffff}`;
      const rows = after === undefined ? namedFrom.all(prefix, end, limit) : namedBehind.all(after, end, limit);
      return visible(rows, undefined, now);
    },

    devicesByToken(token: string, limit: number, now: number): readonly Device[] {
      return visible(findByToken.all(token, limit), undefined, now);
    },

    pageByUids(
      uids: readonly Uid[],
      after: number,
      limit: number,
      filter: TagFilter | undefined,
      now: number,
    ): UidRows {
      const rows: Row[] = [];
      let last = after;
      let index = 0;
      for (; index < uids.length; index++, last = 0) {
        const found = pageByUid.all(uids[index] ?? "", last, limit - rows.length);
        rows.push(...found);
        if (rows.length === limit) {
          last = rows.at(-1)?.device ?? 0;
          break;
        }
      }
      const alive = rows.filter((row) => !presence.ended(row, now));
      return { devices: visible(alive, filter, now), index, last };
    },

    pageByTag(tag: string, after: number, limit: number, filter: TagFilter | undefined, now: number): Rows {
      return page(pageByTag.all(tag, after, limit), limit, filter, now);
    },

    pageOfAll(after: number, limit: number, now: number): Rows {
      return page(pageOfAll.all(after, limit), limit, undefined, now);
    },

    deleteDevices(pushIds: readonly PushId[], now: number): void {
      for (const pushId of pushIds) {
        const row = find.get(pushId);
        if (row !== undefined) forget(row, "deleted", now);
        else packets.drop(deviceChannel(pushId));
      }
    },

    countDevices(): number {
      stored ??= total.get() ?? 0;
      return stored;
    },

    /** Takes the uid off devices whose binding has ended, so that it is told of. @returns whether there may be more */
    endBindings(now: number, limit: number): boolean {
      const left = leftBehind.all(presence.run, limit);
      for (const { device, online_run } of left) setLeft.run(presence.endOf(online_run), device);
      const rows = overdue.all(now, limit);
      for (const { device, push_id, uid } of rows) {
        clearUid.run(now, device);
        told.rebound(push_id, uid, null, "binding_ttl", now);
      }
      return left.length === limit || rows.length === limit;
    },

    /** What was counted may not hold: a transaction was undone. */
    recount(): void {
      stored = undefined;
    },

    /**
     * Forgets up to `limit` devices without uid, token and tags that were not seen since `before`. What is kept for them stays
     * until it expires: a client that comes back after all gets it. @returns whether there may be more
     */
    sweepDevices(before: number, limit: number, now: number): boolean {
      const rows = idle.all(before, limit);
      for (const { device, push_id } of rows) {
        if (presence.isOnline(device)) setSeen.run(now, device, before);
        else drop(device, push_id);
      }
      return rows.length === limit;
    },
  };

  function page(rows: readonly Row[], limit: number, filter: TagFilter | undefined, now: number): Rows {
    const last = rows.length === limit ? rows.at(-1)?.device : undefined;
    return { devices: visible(rows, filter, now), ...(last !== undefined ? { last } : undefined) };
  }
}
