// Copies of the store: made while it runs, checked, and put back.
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type Database from "better-sqlite3";
import type { Staged } from "../core/copies.ts";
import { PushError } from "../core/errors.ts";
import { databaseFile, lockDirectory, presentFile } from "./directory.ts";
import { endAdminSessions } from "./sqlite/admins.ts";
import { renewEpoch } from "./sqlite/epoch.ts";
import { explain } from "./sqlite/faults.ts";
import { openFile, recognise, syncDirectory, syncFile } from "./sqlite/file.ts";
import { MIGRATIONS } from "./sqlite/schema.ts";

export interface BackupInfo {
  readonly file: string;
  readonly bytes: number;
  /** The format of the tables: `user_version`. */
  readonly format: number;
  readonly devices: number;
}

/** A consistent copy of an open database as one file, complete before it has its name. */
export async function copyDatabase(
  db: Database,
  target: string,
  pages: number,
  part = `${target}.part`,
): Promise<void> {
  if (existsSync(target)) throw new PushError("invalid", `${target} exists: give the backup a name that is free`);
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

/** What a restore replaced, and what the next start puts in the place of the data. */
export const replacedFile = (dataDir: string): string => `${databaseFile(dataDir)}.replaced`;
/** What the next start puts in the place of the data. */
export const nextFile = (dataDir: string): string => `${databaseFile(dataDir)}.next`;
const noteFile = (dataDir: string): string => `${nextFile(dataDir)}.json`;

/** A consistent copy of a data directory's database, whether a server runs on it or not, into a new file. */
export async function backupData(dataDir: string, target: string): Promise<void> {
  const source = presentFile(dataDir);
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
    // The advice for data that is damaged would be what is just being done.
    if (/^SQLITE_(CORRUPT|NOTADB)/.test(String(Object(error).code)))
      throw new PushError("invalid", `${file} is damaged or not a pushbox database: name another copy`);
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
    replace(dataDir, part);
    // What was prepared in the console would take its place at the next start.
    unstage(dataDir);
    return { ...info, file };
  } catch (error) {
    for (const rest of [part, `${part}-wal`, `${part}-shm`]) rmSync(rest, { force: true });
    throw explain(error, target);
  } finally {
    lock.release();
  }
}

/** Puts a file in the place of the data, which is kept. Cut short anywhere, it can be done once more. */
function replace(dataDir: string, file: string): void {
  const target = databaseFile(dataDir);
  const kept = replacedFile(dataDir);
  if (existsSync(target)) for (const end of ["-wal", "-shm"]) rmSync(`${kept}${end}`, { force: true });
  // Its log belongs to it: left behind, it would be taken for the log of the file that comes.
  for (const end of ["", "-wal"]) if (existsSync(`${target}${end}`)) renameSync(`${target}${end}`, `${kept}${end}`);
  rmSync(`${target}-shm`, { force: true });
  renameSync(file, target);
  syncDirectory(target);
}

// ---- prepared while the server runs, put in place by its next start

/** Checks a copy and prepares it for the next start of the server that runs. All or nothing, and nothing changes until then. */
export async function stage(
  source: string,
  dataDir: string,
  about: Pick<Staged, "name" | "who" | "at">,
): Promise<BackupInfo> {
  const next = nextFile(dataDir);
  unstage(dataDir);
  const db = openFile(source, { fileMustExist: true });
  const ready = `${next}.ready`;
  try {
    rmSync(ready, { force: true });
    // By way of SQLite: what has a write-ahead log is copied with it.
    await copyDatabase(db, ready, 0x7fffffff, `${next}.part`);
    const info = checkBackup(ready);
    beginLife(ready);
    syncFile(ready);
    const staged: Staged = { ...about, devices: info.devices, format: info.format };
    writeFileSync(noteFile(dataDir), JSON.stringify(staged), { mode: 0o600 });
    syncFile(noteFile(dataDir));
    renameSync(ready, next);
    syncDirectory(next);
    return info;
  } catch (error) {
    for (const end of ["", "-wal", "-shm", "-journal"]) rmSync(`${ready}${end}`, { force: true });
    throw explain(error, source);
  } finally {
    db.close();
  }
}

/** What the next start puts in the place of the data. */
export function readStaged(dataDir: string): Staged | undefined {
  if (!existsSync(nextFile(dataDir))) return undefined;
  try {
    return JSON.parse(readFileSync(noteFile(dataDir), "utf8")) as Staged; // as `stage` wrote it, before the file had its name
  } catch {
    const { mtimeMs } = statSync(nextFile(dataDir));
    return { name: nextFile(dataDir), who: "somebody", at: Math.floor(mtimeMs), devices: 0, format: 0 };
  }
}

/** @returns false: nothing was prepared */
export function unstage(dataDir: string): boolean {
  const was = existsSync(nextFile(dataDir));
  rmSync(nextFile(dataDir), { force: true });
  rmSync(noteFile(dataDir), { force: true });
  return was;
}

/** At a start, by whoever holds the directory's lock. @returns what was put in place; undefined: nothing was prepared */
export function putStaged(dataDir: string): Staged | undefined {
  const staged = readStaged(dataDir);
  if (staged === undefined) return undefined;
  replace(dataDir, nextFile(dataDir));
  unstage(dataDir);
  return staged;
}

/** @throws PushError while the next start of the server would replace the data, so that what is done to it now would be lost */
export function refuseStaged(dataDir: string): void {
  const staged = readStaged(dataDir);
  if (staged === undefined) return;
  throw new PushError(
    "conflict",
    `${staged.name} is prepared to be restored at the next start: start the server once, or remove ${nextFile(dataDir)}`,
  );
}
