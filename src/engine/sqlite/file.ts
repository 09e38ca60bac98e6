// The database file: how it is opened and recognised, and how what is written to its directory survives a power cut. Its tables are
// in schema.ts.
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database, { type Statement } from "better-sqlite3";
import { PushError } from "../../core/errors.ts";
import { explain } from "./faults.ts";
import { MIGRATIONS } from "./schema.ts";

/** In the file's header: says that the file is ours ("push"). */
const APPLICATION_ID = 0x70757368;

export type Synchronous = "FULL" | "NORMAL";

/** Throws SQLite's own errors: see `explain`. `timeout`: how long another's lock is waited for, milliseconds. */
export const openFile = (
  file: string,
  options: { readonly readonly?: boolean; readonly fileMustExist?: boolean; readonly timeout?: number } = {},
): Database => new Database(file, options);

/**
 * A statement that is compiled when it is first used; from then on its methods are the compiled one's. The store has some 400 and a
 * process uses a part of them: to compile them all takes 25 ms of its start.
 */
class Later<Args extends readonly unknown[], Row> implements Statement<Args, Row> {
  readonly #compile: () => Statement<Args, Row>;

  constructor(compile: () => Statement<Args, Row>) {
    this.#compile = compile;
  }

  #now(): Statement<Args, Row> {
    const compiled = this.#compile();
    this.run = compiled.run.bind(compiled);
    this.get = compiled.get.bind(compiled);
    this.all = compiled.all.bind(compiled);
    this.iterate = compiled.iterate.bind(compiled);
    return compiled;
  }

  run(...args: Args): ReturnType<Statement<Args, Row>["run"]> {
    return this.#now().run(...args);
  }

  get(...args: Args): Row | undefined {
    return this.#now().get(...args);
  }

  all(...args: Args): Row[] {
    return this.#now().all(...args);
  }

  iterate(...args: Args): IterableIterator<Row> {
    return this.#now().iterate(...args);
  }

  pluck<Value>(): Statement<Args, Value> {
    return new Later(() => this.#compile().pluck<Value>());
  }
}

function compileLater(db: Database): Database {
  const prepare = db.prepare.bind(db);
  db.prepare = <Args extends readonly unknown[], Row>(sql: string) => new Later<Args, Row>(() => prepare(sql));
  return db;
}

/** Opens the store, creates it when there is none, and brings an older one up to date. `:memory:` lasts while it is open. */
export function openDatabase(
  file: string,
  synchronous: Synchronous,
  migrations: readonly string[] = MIGRATIONS,
): Database {
  let db: Database | undefined;
  try {
    if (file !== ":memory:") closeSync(openSync(file, "a", 0o600)); // SQLite gives its own files the mode of this one
    db = openFile(file);
    const version = recognise(db, file, migrations.length);
    // Write-ahead log: readers and the backup do not wait for writers. With FULL each commit waits for the disk.
    db.pragma("journal_mode = WAL");
    db.pragma(`synchronous = ${synchronous}`);
    db.pragma("foreign_keys = OFF");
    // 8 MiB: what more of it would hold the system has at hand as well. With 64 a call to many expanded no faster.
    db.pragma("cache_size = -8192");
    db.pragma("temp_store = MEMORY");
    // 16 MiB of log: large enough to write a page that changes often to the file once, small enough that carrying it over takes
    // about 10 ms. (4 MiB: 27,000 new devices/s instead of 38,000, with the same slowest call.)
    db.pragma("wal_autocheckpoint = 4000");
    db.pragma("journal_size_limit = 67108864");
    if (version < migrations.length) migrate(db, file, version, migrations);
    return compileLater(db);
  } catch (error) {
    db?.close();
    throw explain(error, file);
  }
}

/**
 * Opens a store of this format on a full disk, where the file that connections share cannot be made: for this connection alone.
 * What is written fails until there is room.
 */
export function openAlone(file: string, synchronous: Synchronous): Database {
  let db: Database | undefined;
  try {
    db = openFile(file, { fileMustExist: true });
    db.pragma("locking_mode = EXCLUSIVE");
    if (recognise(db, file, MIGRATIONS.length) < MIGRATIONS.length)
      throw new PushError("unavailable", `no room left to bring ${file} up to date: free some disk space`);
    db.pragma(`synchronous = ${synchronous}`);
    db.pragma("temp_store = MEMORY");
    return compileLater(db);
  } catch (error) {
    db?.close();
    throw explain(error, file);
  }
}

/** The format of an open file that is ours; 0 for a new one. Refuses any other, before anything is written to it. */
export function recognise(db: Database, file: string, known: number): number {
  const id = db.pragma("application_id", { simple: true });
  const version = Number(db.pragma("user_version", { simple: true }));
  const tables = db.prepare<[], number>("SELECT count(*) FROM sqlite_schema").pluck<number>().get();
  if (tables === 0 && version === 0) return 0;
  if (id !== APPLICATION_ID)
    throw new PushError(
      "unavailable",
      `${file} is not a pushbox database: move it away, or bring back a copy with \`pushbox restore\``,
    );
  if (version > known)
    throw new PushError(
      "unavailable",
      `${file} was written by a newer pushbox (its format is ${version}, this one knows ${known}): ` +
        "start the newer one, or bring back a copy of this version with `pushbox restore`",
    );
  return version;
}

/** All steps in one transaction. The file as it was stays beside it, so that the older pushbox can be gone back to. */
function migrate(db: Database, file: string, from: number, migrations: readonly string[]): void {
  if (from > 0 && file !== ":memory:") keepCopy(db, `${file}.v${from}`);
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const step of migrations.slice(from)) db.exec(step);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${migrations.length}`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function keepCopy(db: Database, copy: string): void {
  const part = `${copy}.part`;
  rmSync(part, { force: true });
  db.prepare<[string]>("VACUUM INTO ?").run(part);
  chmodSync(part, 0o600);
  syncFile(part);
  if (existsSync(copy)) rmSync(copy); // from an upgrade that was cut short
  renameSync(part, copy);
  syncDirectory(copy);
}

/** Returns when all of it is on the disk. */
export function syncFile(file: string): void {
  const fd = openSync(file, "r+");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes a rename or a new file in the directory of `file` survive a power cut. Windows cannot open a directory. */
export function syncDirectory(file: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(dirname(file), "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
