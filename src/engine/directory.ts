// The data directory: created for its owner alone, and used by one process at a time.
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type Database from "better-sqlite3";
import { PushError } from "../core/errors.ts";
import { explain, faultCode, isRoomFault } from "./sqlite/faults.ts";
import { openFile } from "./sqlite/file.ts";

/** Where the database of a data directory is, or will be. */
export const databaseFile = (dataDir: string): string => join(dataDir, "pushbox.db");

/** The database of a directory where there has to be one. @throws PushError where it is missing or this user may not read it */
export function presentFile(dataDir: string, otherwise = ""): string {
  const file = databaseFile(dataDir);
  try {
    closeSync(openSync(file, "r"));
    return file;
  } catch (error) {
    const why = /^(EACCES|EPERM)$/.test(faultCode(error))
      ? `this user may not read ${file}: run this as the user that the server runs as`
      : `there is no ${file}: name the data directory with --data${otherwise}`;
    throw new PushError("invalid", why, { cause: error });
  }
}

/** Held for the life of the process; the system lets go of it however the process ends. */
export interface Lock {
  release(): void;
}

/**
 * The lock is SQLite's own, on a tiny database that also says who holds it: a transaction that is begun and never ended keeps
 * other writers out but lets them read. Nothing is left to clean up after a crash.
 */
export function lockDirectory(dataDir: string): Lock {
  const file = join(dataDir, "lock");
  let db: Database | undefined;
  try {
    makeDirectory(dataDir);
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    closeSync(openSync(file, "a", 0o600));
    db = openFile(file, { timeout: 250 });
    const held = db;
    signIn(held);
    held.exec("BEGIN IMMEDIATE");
    return { release: () => held.close() };
  } catch (error) {
    const owner = faultCode(error).startsWith("SQLITE_BUSY") && db !== undefined ? holder(db) : undefined;
    db?.close();
    if (owner !== undefined)
      throw new PushError(
        "unavailable",
        `${dataDir} is in use by another pushbox (${owner}): stop that one, or give this one a data directory of its own`,
      );
    throw explain(error, faultCode(error).startsWith("SQLITE_") ? file : dataDir);
  }
}

/**
 * With those above it, for this user alone. Not `recursive`: where the system refuses a name with ENOENT, as /proc does, Node would
 * try for ever. @throws the system's error; EEXIST when a file has that name
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = faultCode(error);
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    if (code !== "ENOENT" || existsSync(dirname(path))) throw error;
    makeDirectory(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}

/** A full disk keeps nobody from holding the lock: it only does not say then who holds it. */
function signIn(db: Database): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec("CREATE TABLE IF NOT EXISTS holder (pid INTEGER NOT NULL, host TEXT NOT NULL); DELETE FROM holder");
    db.prepare<[number, string]>("INSERT INTO holder (pid, host) VALUES (?, ?)").run(process.pid, hostname());
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    if (!isRoomFault(error)) throw error;
  }
}

function holder(db: Database): string {
  try {
    const row = db.prepare<[], { pid: number; host: string }>("SELECT pid, host FROM holder").get();
    return row === undefined ? "its process is just starting" : `process ${row.pid} on ${row.host}`;
  } catch {
    return "its process is just starting";
  }
}
