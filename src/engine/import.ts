// Devices into and out of a data directory without its server: read in from elsewhere, and listed as they are. Of PostgreSQL:
// postgres/transfer.ts.
import { existsSync } from "node:fs";
import type Database from "better-sqlite3";
import type { PushId, Uid } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import type { ImportedDevice, ImportState, ImportVerdict } from "../core/import.ts";
import { refuseStaged } from "./backup.ts";
import { databaseFile, lockDirectory, presentFile } from "./directory.ts";
import { explain } from "./sqlite/faults.ts";
import { openDatabase, openFile, recognise } from "./sqlite/file.ts";
import { importing } from "./sqlite/import.ts";
import { MIGRATIONS } from "./sqlite/schema.ts";
import { type Call, type Store, store } from "./sqlite/thread.ts";

type AfterTaking = (verdicts: readonly ImportVerdict[]) => ImportState;

export interface DeviceImport {
  /** How far an earlier import of this source came. */
  readonly before: ImportState | undefined;
  /**
   * Stores these and how far the import is with them, in one step. One verdict per device.
   * @param after may be asked more than once; it changes nothing
   */
  take(devices: readonly ImportedDevice[], after: AfterTaking): Promise<readonly ImportVerdict[]>;
  /** Nothing of the source is left. */
  finish(): Promise<void>;
  /** All devices that are stored, those of earlier imports too. */
  count(): Promise<number>;
  /** At any end, a failed one too: what was taken is on the disk, and the directory is free. */
  close(): Promise<void>;
}

/** Nothing is kept of packets here, and nobody reads statistics. */
const UNUSED = { keep: { default: 1, prefixes: [] }, arrivalDays: 1 };

/**
 * Takes the directory, makes it when it is missing.
 * @param source names what is imported, for going on later
 * @throws PushError that says what to do
 */
export function openImport(dataDir: string, source: string, now: () => number = Date.now): DeviceImport {
  const lock = lockDirectory(dataDir);
  const file = databaseFile(dataDir);
  let db: Database;
  let opened: Store;
  try {
    refuseStaged(dataDir);
    db = openDatabase(file, "NORMAL");
    // Half of a server's: the log gets a seventh more, as more pages of a step go there before its end.
    db.pragma("cache_size = -4096");
    opened = store(db, { task: "store", dataDir, synchronous: "NORMAL", ...UNUSED, started: now() });
  } catch (error) {
    lock.release();
    throw explain(error, file);
  }
  function run(calls: readonly Call[]): readonly unknown[] {
    const { results, failures } = opened.run(calls);
    const [failure] = failures;
    if (failure === undefined) return results;
    const { code, message } = failure[1];
    throw code === undefined ? new Error(message) : new PushError(code, message);
  }
  return {
    before: run([["importBegun", [source]]])[0] as ImportState | undefined,
    take: async (devices, after) =>
      run([["importDevices", [devices, now(), source, after]]])[0] as readonly ImportVerdict[],
    finish: async () => void run([["importEnded", [source]]]),
    count: async () => run([["countDevices", []]])[0] as number,
    async close() {
      opened.close(); // its log goes into the file, and both onto the disk
      lock.release();
    },
  };
}

/** What `openImport` would do, by what is stored now. A server may run. */
export function rehearseImport(dataDir: string, now: () => number = Date.now): DeviceImport {
  const file = databaseFile(dataDir);
  const db = existsSync(file) ? openToRead(file) : openDatabase(":memory:", "NORMAL");
  db.pragma("query_only = ON");
  // Not a whole store: that would take what a running server has leased for lost.
  const forbidden = (): never => {
    throw new Error("nothing is written");
  };
  const devices = importing(db, { deleteDevices: forbidden, recount: forbidden }, { device: forbidden });
  const total = db.prepare<[], number>("SELECT count(*) FROM devices").pluck<number>();
  const reading = <T>(read: () => T): T => {
    try {
      return read();
    } catch (error) {
      throw explain(error, file);
    }
  };
  return {
    before: undefined,
    take: async (list) => reading(() => devices.importDevices(list, now())),
    async finish() {},
    count: async () => reading(() => total.get() ?? 0),
    close: async () => void db.close(),
  };
}

function openToRead(file: string): Database {
  const db = openFile(file, { fileMustExist: true });
  try {
    const format = recognise(db, file, MIGRATIONS.length);
    if (format === MIGRATIONS.length) return db;
    throw new PushError(
      "unavailable",
      `${file} is of an older pushbox (its format is ${format}, this one has ${MIGRATIONS.length}): start this version on it once`,
    );
  } catch (error) {
    db.close();
    throw explain(error, file);
  }
}

export interface DeviceRow {
  readonly device: number;
  readonly push_id: string;
  readonly uid: string | null;
  readonly uid_ttl: number;
  readonly platform: string | null;
  readonly tags: string | null;
  readonly type: string | null;
  readonly token: string | null;
  readonly package: string | null;
  readonly create_time: number;
  readonly update_time: number;
  readonly last_seen: number | null;
}

/** Rows that are read at once: between two pages others may write, and the log is carried over. */
const PAGE = 1000;

/** Every device, page by page, in the order in which they came. A server may run: each page is as of its moment. */
export function* listDevices(dataDir: string): Generator<readonly ImportedDevice[]> {
  const file = presentFile(dataDir);
  const db = openToRead(file);
  try {
    const page = db.prepare<[number, number], DeviceRow>(`
      SELECT device, push_id, uid, uid_ttl, platform, tags, type, token, package, create_time, update_time, last_seen
      FROM devices WHERE device > +? ORDER BY device LIMIT ? + 0`);
    for (let last = 0; ; ) {
      const rows = page.all(last, PAGE);
      if (rows.length > 0) yield rows.map(toDevice);
      if (rows.length < PAGE) return;
      last = rows.at(-1)!.device;
    }
  } catch (error) {
    throw explain(error, file);
  } finally {
    db.close();
  }
}

/** As it was stored; `uidTimeToLive` is left out where the binding does not end. */
export const toDevice = (row: DeviceRow): ImportedDevice => ({
  pushId: row.push_id as PushId, // the brands were given when it was stored
  ...(row.uid === null ? undefined : { uid: row.uid as Uid }),
  ...(row.uid !== null && row.uid_ttl > 0 ? { uidTimeToLive: row.uid_ttl } : undefined),
  ...(row.platform === null ? undefined : { platform: row.platform }),
  tags: row.tags === null ? [] : (JSON.parse(row.tags) as readonly string[]), // as devices.ts writes them
  ...(row.type === null ? undefined : { type: row.type }),
  ...(row.token === null ? undefined : { token: row.token }),
  ...(row.package === null ? undefined : { packageName: row.package }),
  createTime: row.create_time,
  updateTime: row.update_time,
  ...(row.last_seen === null ? undefined : { lastSeen: row.last_seen }),
});
