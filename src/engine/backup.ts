// Copies of the store: made while it runs, checked, and put back.
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import type Database from "better-sqlite3";
import { PushError } from "../core/errors.ts";
import { databaseFile, lockDirectory } from "./directory.ts";
import { endAdminSessions } from "./sqlite/admins.ts";
import { renewEpoch } from "./sqlite/epoch.ts";
import { explain } from "./sqlite/faults.ts";
import { MIGRATIONS, openFile, recognise, syncDirectory, syncFile } from "./sqlite/schema.ts";

export interface BackupInfo {
  readonly file: string;
  readonly bytes: number;
  /** The format of the tables: `user_version`. */
  readonly format: number;
  readonly devices: number;
}

/** A consistent copy of an open database as one file, complete before it has its name. */
export async function copyDatabase(db: Database, target: string, pages: number): Promise<void> {
  if (existsSync(target)) throw new PushError("invalid", `${target} exists: give the backup a name that is free`);
  const part = `${target}.part`;
  try {
    rmSync(part, { force: true });
    closeSync(openSync(part, "wx", 0o600));
    await db.backup(part, { progress: () => pages });
    // A copy of a database with a write-ahead log would want one too: one plain file is easier to carry about.
    const copy = openFile(part);
    copy.pragma("journal_mode = DELETE");
    copy.close();
    syncFile(part);
    if (existsSync(target)) throw new PushError("invalid", `${target} exists: give the backup a name that is free`);
    renameSync(part, target);
    syncDirectory(target);
  } catch (error) {
    for (const rest of [part, `${part}-journal`, `${part}-wal`, `${part}-shm`]) rmSync(rest, { force: true });
    throw explain(error, target);
  }
}

/** A consistent copy of a data directory's database, whether a server runs on it or not, into a new file. */
export async function backupData(dataDir: string, target: string): Promise<void> {
  const source = databaseFile(dataDir);
  if (!existsSync(source)) throw new PushError("invalid", `there is no ${source}: name the data directory with --data`);
  const db = openFile(source, { fileMustExist: true });
  try {
    // In one step: it sees one moment, and writers need not wait for it.
    await copyDatabase(db, target, 0x7fffffff);
  } finally {
    db.close();
  }
}

/** Reads the whole file: that it is whole, ours, and not of a newer pushbox. Throws a `PushError` that says what is wrong. */
export function checkBackup(file: string): BackupInfo {
  let db: Database | undefined;
  try {
    const bytes = statSync(file).size;
    db = openFile(file, { readonly: true, fileMustExist: true });
    const format = recognise(db, file, MIGRATIONS.length);
    if (format === 0) throw new PushError("invalid", `${file} is empty: it is no backup`);
    const verdict = db.pragma("integrity_check(1)", { simple: true });
    if (verdict !== "ok") throw new PushError("invalid", `${file} is damaged, use another backup: ${String(verdict)}`);
    const devices = db.prepare<[], number>("SELECT count(*) FROM devices").pluck<number>().get() ?? 0;
    return { file, bytes, format, devices };
  } catch (error) {
    throw explain(error, file);
  } finally {
    db?.close();
  }
}

/** Clients and nodes that saw what came after the backup tell by it that the log is another one. Sessions ended since must not come back. */
function beginLife(file: string): void {
  const db = openFile(file, { fileMustExist: true });
  try {
    renewEpoch(db);
    endAdminSessions(db);
  } finally {
    db.close();
  }
}

/**
 * Puts a backup in the place of a data directory's database, all or nothing. A directory that has one is refused, unless `force`:
 * then the present one is kept beside it as `pushbox.db.replaced`.
 */
export function restore(file: string, dataDir: string, options: { readonly force?: boolean } = {}): BackupInfo {
  if (!existsSync(file)) throw new PushError("invalid", `${file} does not exist`);
  const lock = lockDirectory(dataDir);
  const target = databaseFile(dataDir);
  const part = `${target}.restoring`;
  try {
    if (existsSync(target) && statSync(target).size > 0 && options.force !== true)
      throw new PushError("invalid", `${dataDir} has data already: restore into an empty directory, or use --force`);
    rmSync(part, { force: true });
    copyFileSync(file, part, constants.COPYFILE_EXCL);
    chmodSync(part, 0o600);
    const info = checkBackup(part);
    beginLife(part);
    syncFile(part);
    // Its log belongs to it: left behind, it would be taken for the log of the file that comes.
    for (const end of ["", "-wal"])
      if (existsSync(`${target}${end}`)) renameSync(`${target}${end}`, `${target}.replaced${end}`);
    rmSync(`${target}-shm`, { force: true });
    renameSync(part, target);
    syncDirectory(target);
    return { ...info, file };
  } catch (error) {
    for (const rest of [part, `${part}-wal`, `${part}-shm`]) rmSync(rest, { force: true });
    throw explain(error, target);
  } finally {
    lock.release();
  }
}
