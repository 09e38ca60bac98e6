// Devices that come from elsewhere, and how far each import is: within the transaction that stores them.
import type Database from "better-sqlite3";
import type { PushId } from "../../core/device.ts";
import type { ImportedDevice, ImportState, ImportVerdict } from "../../core/import.ts";
import type { DeviceTable } from "./devices.ts";
import type { Sequences } from "./sequences.ts";

export interface ImportRow {
  readonly device: number;
  readonly uid: string | null;
  readonly platform: string | null;
  readonly tags: string | null;
  readonly type: string | null;
  readonly token: string | null;
  readonly package: string | null;
  readonly last_seen: number | null;
  readonly update_time: number;
}

/** The columns that an import sets, in the order of the table's. */
export type ImportColumns = readonly [
  uid: string | null,
  bound: number,
  uidTtl: number,
  offlineSince: number | null,
  platform: string | null,
  tags: string | null,
  type: string | null,
  token: string | null,
  app: string | null,
  tokenTime: number | null,
  lastSeen: number | null,
  updateTime: number,
];

/** Bindings have rising numbers from 1 on: one that was imported is older than all of these, and among its like as old as it is. */
const BEFORE_ALL = 2 ** 50;
/** Imports that were begun and not ended are remembered, the newest ones. */
export const MOST_BEGUN = 16;

export function importing(
  db: Database,
  devices: Pick<DeviceTable, "deleteDevices" | "recount">,
  { device: nextDevice }: Pick<Sequences, "device">,
) {
  const find = db.prepare<[string], ImportRow>(`
    SELECT device, uid, platform, tags, type, token, package, last_seen, update_time FROM devices WHERE push_id = ?`);
  const othersByToken = db.prepare<[string, string, string | null, string], { push_id: string; seen: number }>(`
    SELECT push_id, max(update_time, coalesce(last_seen, 0), coalesce(token_time, 0)) AS seen FROM devices
    WHERE token = ? AND type = ? AND package IS ? AND push_id <> ?`);
  const insert = db.prepare<[...ImportColumns, number, string, number]>(`
    INSERT INTO devices (uid, bound, uid_ttl, offline_since, platform, tags, type, token, package, token_time, last_seen,
                         update_time, device, push_id, create_time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const update = db.prepare<[...ImportColumns, number]>(`
    UPDATE devices SET uid = ?, bound = ?, uid_ttl = ?, online_run = NULL, offline_since = ?, platform = ?, tags = ?, type = ?,
                       token = ?, package = ?, token_time = ?, last_seen = ?, update_time = ?, detour = NULL
    WHERE device = ?`);
  const addTag = db.prepare<[string, number]>("INSERT OR IGNORE INTO device_tags (tag, device) VALUES (?, ?)");
  const removeTag = db.prepare<[string, number]>("DELETE FROM device_tags WHERE tag = ? AND device = ?");
  const stateOf = db.prepare<[string], ImportState>("SELECT bytes, lines, report FROM imports WHERE source = ?");
  const begin = db.prepare<[string, number, number, string, number]>(`
    INSERT INTO imports (source, bytes, lines, report, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (source) DO UPDATE SET bytes = excluded.bytes, lines = excluded.lines, report = excluded.report,
      at = excluded.at`);
  const end = db.prepare<[string]>("DELETE FROM imports WHERE source = ?");
  const trim = db.prepare<[number]>(`
    DELETE FROM imports WHERE source NOT IN (SELECT source FROM imports ORDER BY at DESC LIMIT ? + 0)`);

  function take(one: ImportedDevice, now: number, write: boolean): ImportVerdict {
    const row = find.get(one.pushId);
    const others = (): { readonly push_id: string; readonly seen: number }[] =>
      one.token === undefined || one.type === undefined
        ? []
        : othersByToken.all(one.token, one.type, one.packageName ?? null, one.pushId);
    const verdict = verdictOf(one, row, () => others().map(({ seen }) => seen));
    if (!write || (verdict !== "added" && verdict !== "updated")) return verdict;

    // The app was installed again under this pushId (holds 6).
    const before = others().map(({ push_id }) => push_id as PushId);
    if (before.length > 0) devices.deleteDevices(before, now);
    const columns = importColumns(one, row, now);
    const device = row?.device ?? nextDevice();
    if (row === undefined) insert.run(...columns, device, one.pushId, createTime(one, now));
    else {
      update.run(...columns, device);
      for (const tag of tagsOf(row)) if (!one.tags.includes(tag)) removeTag.run(tag, device);
    }
    for (const tag of one.tags) addTag.run(tag, device);
    return verdict;
  }

  return {
    /**
     * One verdict per device, in order.
     * @param after how far the import of `source` is then; absent: what would become of each, by what is here now
     */
    importDevices(
      list: readonly ImportedDevice[],
      now: number,
      source?: string,
      after?: (verdicts: readonly ImportVerdict[]) => ImportState,
    ): readonly ImportVerdict[] {
      if (after !== undefined) devices.recount();
      const verdicts = list.map((one) => take(one, now, after !== undefined));
      if (after === undefined || source === undefined) return verdicts;
      const { bytes, lines, report } = after(verdicts);
      begin.run(source, bytes, lines, report, now);
      trim.run(MOST_BEGUN);
      return verdicts;
    },

    /** How far an earlier import of this source came; undefined: there was none, or it came to its end. */
    importBegun: (source: string): ImportState | undefined => stateOf.get(source),

    importEnded: (source: string): void => void end.run(source),
  };
}

/** What becomes of a device. @param others when those were last seen that have its token */
export function verdictOf(
  one: ImportedDevice,
  row: ImportRow | undefined,
  others: () => readonly number[],
): ImportVerdict {
  const known = one.updateTime === undefined ? 0 : Math.max(one.updateTime, one.lastSeen ?? 0);
  if (row !== undefined) {
    if (isSame(row, one)) return "same";
    if (known <= Math.max(row.update_time, row.last_seen ?? 0)) return "older";
  }
  if (others().some((seen) => seen >= known)) return "token elsewhere";
  return row === undefined ? "added" : "updated";
}

const changed = (one: ImportedDevice, now: number): number => Math.min(one.updateTime ?? now, now);

/** @param row what is stored of it */
export function importColumns(one: ImportedDevice, row: ImportRow | undefined, now: number): ImportColumns {
  const at = changed(one, now);
  const ttl = one.uidTimeToLive ?? 0;
  return [
    one.uid ?? null,
    one.uid === undefined ? 0 : at - BEFORE_ALL,
    ttl,
    ttl > 0 ? at : null,
    one.platform ?? null,
    tagsText(one),
    one.type ?? null,
    one.token ?? null,
    one.packageName ?? null,
    one.token === undefined ? null : at,
    one.lastSeen === undefined ? (row?.last_seen ?? null) : Math.min(one.lastSeen, now),
    at,
  ];
}

/** When the device was made, epoch milliseconds: as its source says, but never after its last change. */
export const createTime = (one: ImportedDevice, now: number): number => {
  const at = changed(one, now);
  return Math.min(one.createTime ?? at, at);
};

const tagsText = ({ tags }: ImportedDevice): string | null => (tags.length > 0 ? JSON.stringify(tags) : null);

const isSame = (row: ImportRow, one: ImportedDevice): boolean =>
  row.uid === (one.uid ?? null) &&
  row.platform === (one.platform ?? null) &&
  row.tags === tagsText(one) &&
  row.type === (one.type ?? null) &&
  row.token === (one.token ?? null) &&
  row.package === (one.packageName ?? null);

const tagsOf = ({ tags }: ImportRow): readonly string[] =>
  tags === null ? [] : (JSON.parse(tags) as readonly string[]); // as devices.ts writes them
