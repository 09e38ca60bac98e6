// Devices that come from elsewhere, and how far each import is: in the transaction that stores them. The rules are those of
// sqlite/import.ts.
import type { PushId } from "../../core/device.ts";
import type { ImportedDevice, ImportState, ImportVerdict } from "../../core/import.ts";
import {
  createTime,
  type ImportColumns,
  type ImportRow,
  importColumns,
  MOST_BEGUN,
  verdictOf,
} from "../sqlite/import.ts";
import { Statement } from "./database.ts";
import type { DeviceTable } from "./devices.ts";
import type { Turn } from "./turns.ts";

type Texts = readonly string[];
type MaybeTexts = readonly (string | null)[];
type Numbers = readonly number[];
type MaybeNumbers = readonly (number | null)[];

const find = new Statement<[Texts], ImportRow & { readonly push_id: string }>(`
  SELECT push_id, device, uid, platform, tags, type, token, package, last_seen, update_time FROM devices WHERE push_id = ANY (?)`);
const byTokens = new Statement<
  [Texts],
  { push_id: string; token: string; type: string | null; package: string | null; seen: number }
>(`
  SELECT push_id, token, type, package, greatest(update_time, last_seen, token_time) AS seen FROM devices WHERE token = ANY (?)`);
const put = new Statement<
  [
    Texts,
    MaybeTexts,
    Numbers,
    Numbers,
    MaybeNumbers,
    MaybeTexts,
    MaybeTexts,
    MaybeTexts,
    MaybeTexts,
    MaybeTexts,
    MaybeNumbers,
    MaybeNumbers,
    Numbers,
    Numbers,
  ]
>(`
  INSERT INTO devices AS d (device, push_id, uid, bound, uid_ttl, offline_since, platform, tags, type, token, package, token_time,
    last_seen, update_time, create_time)
  SELECT nextval('devices_seq'), * FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::text[],
    ?::text[], ?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
  ON CONFLICT (push_id) DO UPDATE SET uid = excluded.uid, bound = excluded.bound, uid_ttl = excluded.uid_ttl,
    offline_since = excluded.offline_since, platform = excluded.platform, tags = excluded.tags, type = excluded.type,
    token = excluded.token, package = excluded.package, token_time = excluded.token_time,
    last_seen = coalesce(excluded.last_seen, d.last_seen), update_time = excluded.update_time, detour = NULL`);
const removeTags = new Statement<[Numbers]>("DELETE FROM device_tags WHERE device = ANY (?)");
const addTags = new Statement<[Texts, Texts]>(`
  INSERT INTO device_tags (tag, device) SELECT u.tag, d.device FROM unnest(?::text[], ?::text[]) AS u(tag, push_id)
    JOIN devices d ON d.push_id = u.push_id
  ON CONFLICT DO NOTHING`);
const stateOf = new Statement<[string], ImportState>("SELECT bytes, lines, report FROM imports WHERE source = ?");
const begin = new Statement<[string, number, number, string, number]>(`
  INSERT INTO imports (source, bytes, lines, report, at) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (source) DO UPDATE SET bytes = excluded.bytes, lines = excluded.lines, report = excluded.report, at = excluded.at`);
const end = new Statement<[string]>("DELETE FROM imports WHERE source = ?");
const trim = new Statement<[number]>(
  "DELETE FROM imports WHERE source NOT IN (SELECT source FROM imports ORDER BY at DESC LIMIT ?)",
);

/** What is known of devices, and becomes of it in the course of a list. */
class Known {
  readonly rows = new Map<string, ImportRow>();
  /** By token, type and app: who has it, and when that device was last seen. */
  readonly #holders = new Map<string, Map<string, number>>();

  hold(pushId: string, token: string | null, type: string | null, app: string | null, seen: number): void {
    if (token === null || type === null) return;
    const key = JSON.stringify([token, type, app]);
    const holders = this.#holders.get(key) ?? new Map<string, number>();
    this.#holders.set(key, holders);
    holders.set(pushId, seen);
  }

  others({ pushId, token, type, packageName }: ImportedDevice): readonly (readonly [pushId: string, seen: number])[] {
    if (token === undefined || type === undefined) return [];
    const holders = this.#holders.get(JSON.stringify([token, type, packageName ?? null])) ?? [];
    return [...holders].filter(([other]) => other !== pushId);
  }

  drop(pushId: string): void {
    this.rows.delete(pushId);
    for (const holders of this.#holders.values()) holders.delete(pushId);
  }

  store(pushId: string, columns: ImportColumns): void {
    const [uid, , , , platform, tags, type, token, app, tokenTime, lastSeen, updateTime] = columns;
    const device = this.rows.get(pushId)?.device ?? 0;
    this.drop(pushId);
    const row = {
      device,
      uid,
      platform,
      tags,
      type,
      token,
      package: app,
      last_seen: lastSeen,
      update_time: updateTime,
    };
    this.rows.set(pushId, row);
    this.hold(pushId, token, type, app, Math.max(updateTime, lastSeen ?? 0, tokenTime ?? 0));
  }
}

interface Stored {
  readonly one: ImportedDevice;
  readonly columns: ImportColumns;
}

export function importing(devices: Pick<DeviceTable, "deleteDevices" | "recount">) {
  async function read(turn: Turn, list: readonly ImportedDevice[]): Promise<Known> {
    const known = new Known();
    const [rows, holders] = await Promise.all([
      find.all(
        turn,
        list.map(({ pushId }) => pushId),
      ),
      byTokens.all(
        turn,
        list.map(({ token }) => token).filter((token) => token !== undefined),
      ),
    ]);
    for (const { push_id, ...row } of rows) known.rows.set(push_id, row);
    for (const { push_id, token, type, package: app, seen } of holders) known.hold(push_id, token, type, app, seen);
    return known;
  }

  function write(turn: Turn, stored: readonly Stored[], known: ReadonlySet<number>, now: number): void {
    const column = <Place extends number>(place: Place): ImportColumns[Place][] =>
      stored.map(({ columns }) => columns[place]);
    put.put(
      turn,
      stored.map(({ one }) => one.pushId),
      column(0),
      column(1),
      column(2),
      column(3),
      column(4),
      column(5),
      column(6),
      column(7),
      column(8),
      column(9),
      column(10),
      column(11),
      stored.map(({ one }) => createTime(one, now)),
    );
    if (known.size > 0) removeTags.put(turn, [...known]);
    const tags = stored.flatMap(({ one }) => one.tags.map((tag) => [tag, one.pushId] as const));
    if (tags.length > 0)
      addTags.put(
        turn,
        tags.map(([tag]) => tag),
        tags.map(([, pushId]) => pushId),
      );
  }

  return {
    /** As in sqlite/import.ts. */
    async importDevices(
      turn: Turn,
      list: readonly ImportedDevice[],
      now: number,
      source?: string,
      after?: (verdicts: readonly ImportVerdict[]) => ImportState,
    ): Promise<readonly ImportVerdict[]> {
      const known = await read(turn, list);
      const before = new Map(known.rows);
      const gone = new Set<string>();
      const stored = new Map<string, Stored>();
      const verdicts = list.map((one) => {
        const row = known.rows.get(one.pushId);
        const others = known.others(one);
        const verdict = verdictOf(one, row, () => others.map(([, seen]) => seen));
        if (after === undefined || (verdict !== "added" && verdict !== "updated")) return verdict;
        // The app was installed again under this pushId (holds 6).
        for (const [other] of others) {
          gone.add(other);
          known.drop(other);
          stored.delete(other);
        }
        const columns = importColumns(one, row, now);
        known.store(one.pushId, columns);
        stored.set(one.pushId, { one, columns });
        return verdict;
      });
      if (after === undefined) return verdicts;
      devices.recount(turn);
      if (gone.size > 0) await devices.deleteDevices(turn, [...gone] as PushId[], now);
      const kept = [...stored.keys()].filter((pushId) => !gone.has(pushId)).map((pushId) => before.get(pushId)?.device);
      if (stored.size > 0)
        write(turn, [...stored.values()], new Set(kept.filter((device) => device !== undefined)), now);
      if (source === undefined) return verdicts;
      const { bytes, lines, report } = after(verdicts);
      begin.put(turn, source, bytes, lines, report, now);
      trim.put(turn, MOST_BEGUN);
      return verdicts;
    },

    /** How far an earlier import of this source came; undefined: there was none, or it came to its end. */
    importBegun: (turn: Turn, source: string): Promise<ImportState | undefined> => stateOf.get(turn, source),

    importEnded: (turn: Turn, source: string): void => end.put(turn, source),
  };
}
