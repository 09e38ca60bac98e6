// A data directory becomes a schema of PostgreSQL, and the other way: table by table, then compared. Nothing of the source is changed
// but what a start of the server would change, and the target has its name once it is whole.
import { existsSync, renameSync, rmSync } from "node:fs";
import type Database from "better-sqlite3";
import type { Client } from "pg";
import { PushError } from "../../core/errors.ts";
import { refuseStaged } from "../backup.ts";
import { databaseFile, lockDirectory, presentFile } from "../directory.ts";
import { explain as explainFile } from "../sqlite/faults.ts";
import { openDatabase, openFile, syncDirectory, syncFile } from "../sqlite/file.ts";
import { State } from "../sqlite/state.ts";
import { store } from "../sqlite/thread.ts";
import { connect, type DatabaseOptions, explain, Statement, type Tx, type Value } from "./database.ts";
import { refuseRunning } from "./nodes.ts";
import { migrate, nameOwnSchema, PER_TURN, storedVersion, VERSION } from "./schema.ts";

export interface Moving {
  readonly dataDir: string;
  readonly database: DatabaseOptions;
  /** Epoch milliseconds: since when whoever was connected is not. */
  readonly now: number;
  /** Told of each table again and again: rows so far. */
  onProgress(table: string, rows: number): void;
}

export interface MovedTable {
  readonly table: string;
  readonly rows: number;
}

type Row = Readonly<Record<string, Value>>;

interface Table {
  readonly name: string;
  /** Of both stores, in one order. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Those of the primary key. */
  readonly key: readonly string[];
}

/** Rows written by a statement. */
const BATCH = 2000;
/** Rows of each table that are compared value by value. */
const SAMPLE = 200;

/** What each store has for itself: numbers, starts, who is connected now, and what follows from other tables. */
const OF_SQLITE: ReadonlySet<string> = new Set(["sequences", "runs", "log", "hook_cursors", "sqlite_sequence"]);
const OF_POSTGRES: ReadonlySet<string> = new Set([
  ...["meta", "nodes", "nodes_gone", "owners", "sessions", "channels", "large_bodies", "outgoing", "outgoing_keys"],
  ...["commits", "topic_places"],
]);

/** Numbers that are never given twice: of SQLite's sequence, and of PostgreSQL's. */
const SEQUENCES = [
  ["bound", "bound_seq"],
  ["device", "devices_seq"],
  ["delivery", "deliveries_seq"],
  ["event", "events_seq"],
] as const;

const quoted = (name: string): string => `"${name}"`;
const list = (columns: Table["columns"]): string => columns.map(({ name }) => quoted(name)).join(", ");

/** The tables of both stores. A table that only one has, and that is not its own, is a bug. */
async function tablesOf(client: Client, schema: string, db: Database): Promise<readonly Table[]> {
  const found = await client.query(
    `SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c JOIN pg_tables t
       ON t.schemaname = c.table_schema AND t.tablename = c.table_name
     WHERE c.table_schema = $1 ORDER BY c.table_name, c.ordinal_position`,
    [schema],
  );
  const keys = await client.query(
    `SELECT i.indrelid::regclass::text AS table_name, a.attname AS column_name FROM pg_index i
       JOIN pg_class k ON k.oid = i.indrelid JOIN pg_namespace n ON n.oid = k.relnamespace
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
     WHERE i.indisprimary AND n.nspname = $1`,
    [schema],
  );
  const there = Map.groupBy(found.rows as Row[], (row) => String(row["table_name"]));
  const primary = Map.groupBy(keys.rows as Row[], (row) => unqualified(String(row["table_name"])));
  const here = db
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .pluck<string>()
    .all()
    .filter((name) => !OF_SQLITE.has(name) && !name.startsWith("sqlite_stat"));
  const missing = here.filter((name) => !there.has(name));
  const unknown = [...there.keys()].filter((name) => !OF_POSTGRES.has(name) && !here.includes(name));
  if (missing.length + unknown.length > 0)
    throw new Error(`tables of one store only: ${[...missing, ...unknown].join(", ")}`);
  // What is summed up by triggers comes last: then it is as it was.
  const last = (name: string): number => (name === "hook_sums" ? 1 : 0);
  return here
    .sort((a, b) => last(a) - last(b) || (a < b ? -1 : 1))
    .map((name): Table => {
      const own = new Set((db.pragma(`table_info(${name})`) as Row[]).map((row) => String(row["name"])));
      const columns = there
        .get(name)!
        .map((row) => ({ name: String(row["column_name"]), type: String(row["data_type"]) }))
        .filter((column) => own.has(column.name));
      const key = (primary.get(name) ?? []).map((row) => String(row["column_name"])).filter((one) => own.has(one));
      return { name, columns, key };
    });
}

const unqualified = (name: string): string => name.slice(name.indexOf(".") + 1).replaceAll('"', "");

/** Whoever was connected when the server ended is away, and what was claimed waits: as after a start. */
function settled(table: string, row: Row, now: number): Row {
  switch (table) {
    case "devices": {
      const wasOnline = row["offline_since"] === null && Number(row["uid_ttl"]) > 0;
      return wasOnline ? { ...row, offline_since: now } : row;
    }
    case "deliveries":
      return row["state"] === State.leased ? { ...row, state: State.queued, due: row["queued_at"] ?? now } : row;
    case "hook_events":
      return row["state"] === 1 ? { ...row, state: 0, due: 0 } : row;
    case "online":
    case "topic_members":
      return { ...row, run: 0 };
    default:
      return row;
  }
}

/** Some rows of each table, evenly spread. */
class Sample {
  readonly rows: Row[] = [];
  readonly #every: number;
  #count = 0;

  constructor(total: number) {
    this.#every = Math.max(1, Math.ceil(total / SAMPLE));
  }

  see(row: Row): void {
    if (this.#count++ % this.#every === 0) this.rows.push(row);
  }
}

/** @throws what is not the same */
function compare(
  table: Table,
  rows: number,
  found: number,
  sample: Sample,
  read: (key: readonly Value[]) => Row | undefined,
): void {
  if (found !== rows)
    throw new PushError("unavailable", `${table.name}: ${rows} rows were copied, and ${found} are there`);
  for (const row of sample.rows) {
    const key = table.key.map((name) => row[name] ?? null);
    const copy = read(key);
    const different = table.columns.find(({ name }) => copy === undefined || copy[name] !== row[name]);
    if (different !== undefined)
      throw new PushError(
        "unavailable",
        `${table.name}: ${different.name} of the row ${key.join(", ")} is not the same in the copy`,
      );
  }
}

const txOf = (client: Client): Tx => ({ query: (statement) => client.query(statement), later: () => {} });

// ---- to PostgreSQL

/** Takes the place of what an earlier move brought there. Refuses a schema that a server has run on. */
export async function moveToPostgres({ dataDir, database, now, onProgress }: Moving): Promise<readonly MovedTable[]> {
  const file = presentFile(dataDir);
  const lock = lockDirectory(dataDir);
  let client: Client | undefined;
  let db: Database | undefined;
  try {
    refuseStaged(dataDir);
    client = await connect({ ...database, name: "pushbox move" }, { synchronous_commit: "off" });
    await refuseUsed(client, database.schema);
    start(file, dataDir, now);
    db = openFile(file, { readonly: true, fileMustExist: true });
    const schema = `${database.schema}_moving`;
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await client.query("SELECT set_config('search_path', $1, false)", [schema]);
    await migrate(client, schema);
    const moved: MovedTable[] = [];
    for (const table of await tablesOf(client, schema, db)) {
      const rows = await fill(client, db, table, now, (rows) => onProgress(table.name, rows));
      moved.push({ table: table.name, rows });
    }
    await finish(client, db, schema);
    await client.query("BEGIN");
    await client.query(`DROP SCHEMA IF EXISTS ${database.schema} CASCADE`);
    await client.query(`ALTER SCHEMA ${schema} RENAME TO ${database.schema}`);
    await nameOwnSchema(client, database.schema);
    await client.query("SET LOCAL synchronous_commit = on");
    await client.query("COMMIT");
    await client.query("SELECT set_config('search_path', $1, false)", [database.schema]);
    for (const { table } of moved) await client.query(`ANALYZE ${quoted(table)}`);
    return moved;
  } catch (error) {
    throw explain(explainFile(error, file));
  } finally {
    db?.close();
    await client?.end().catch(() => {});
    lock.release();
  }
}

/** Brings the file up to date, and what a run had in its hands back into the tables, as a start does. */
function start(file: string, dataDir: string, started: number): void {
  const db = openDatabase(file, "FULL");
  const unused = { keep: { default: 1, prefixes: [] }, arrivalDays: 1 };
  store(db, { task: "store", dataDir, synchronous: "FULL", ...unused, started }).close();
}

async function refuseUsed(client: Client, schema: string): Promise<void> {
  const { rows: schemas } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema]);
  if (schemas.length === 0) return;
  const { rows } = await client.query("SELECT to_regclass($1) IS NOT NULL AS ours", [`${schema}.nodes`]);
  const ours = (rows[0] as Row)["ours"] === true;
  if (ours && !(await hasServed(client, schema))) return;
  throw new PushError(
    "conflict",
    ours
      ? `a server has run on the schema ${schema}: name another one with --postgres-schema, or drop it in PostgreSQL first`
      : `there is a schema ${schema} that is none of pushbox: name another one with --postgres-schema`,
  );
}

async function hasServed(client: Client, schema: string): Promise<boolean> {
  const { rows } = await client.query(`SELECT is_called FROM ${schema}.nodes_node_seq`);
  return (rows[0] as Row)["is_called"] === true;
}

async function fill(
  client: Client,
  db: Database,
  table: Table,
  now: number,
  told: (rows: number) => void,
): Promise<number> {
  const { name, columns, key } = table;
  const all = table.name === "hours" ? [...columns, { name: "node", type: "bigint" }] : columns;
  const insert = new Statement<readonly Value[]>(
    `INSERT INTO ${quoted(name)} (${list(all)}) OVERRIDING SYSTEM VALUE
     SELECT * FROM unnest(${all.map(({ type }) => `?::${type}[]`).join(", ")})`,
  );
  const tx = txOf(client);
  if (name === "hook_sums") await client.query("DELETE FROM hook_sums");
  const total = db.prepare<[], number>(`SELECT count(*) FROM ${name}`).pluck<number>().get() ?? 0;
  const sample = new Sample(total);
  let batch: Row[] = [];
  let rows = 0;
  async function write(): Promise<void> {
    const lists = all.map(({ name }) => batch.map((row) => (row[name] ?? null) as string | number | null));
    await insert.run(tx, ...lists);
    rows += batch.length;
    batch = [];
    told(rows);
  }
  for (const found of db.prepare<[], Row>(`SELECT * FROM ${name}`).iterate()) {
    const row = settled(name, found, now);
    sample.see(row);
    batch.push(name === "hours" ? { ...row, node: 0 } : row);
    if (batch.length === BATCH) await write();
  }
  if (batch.length > 0) await write();
  const { rows: counted } = await client.query(`SELECT count(*) AS n FROM ${quoted(name)}`);
  const read = new Statement<readonly Value[], Row>(
    `SELECT ${list(columns)} FROM ${quoted(name)} WHERE ${key.map((one) => `${quoted(one)} = ?`).join(" AND ")}`,
  );
  const copies = new Map<string, Row>();
  for (const row of sample.rows) {
    const values = key.map((one) => row[one] ?? null);
    const copy = await read.get(tx, ...values);
    if (copy !== undefined) copies.set(JSON.stringify(values), copy);
  }
  compare(table, rows, Number((counted[0] as Row)["n"]), sample, (values) => copies.get(JSON.stringify(values)));
  return rows;
}

/** Numbers go on behind those that were given; clients' positions stay good. */
async function finish(client: Client, db: Database, schema: string): Promise<void> {
  const numbers = new Map(
    db
      .prepare<[], { name: string; value: number }>("SELECT name, value FROM sequences")
      .all()
      .map(({ name, value }) => [name, value]),
  );
  for (const [here, there] of SEQUENCES) {
    const value = numbers.get(here) ?? 0;
    if (value > 0) await client.query("SELECT setval($1, $2)", [there, value]);
  }
  await client.query("SELECT setval('turns', $1)", [Math.floor((numbers.get("seq") ?? 0) / PER_TURN) + 1]);
  const identities = await client.query(
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1 AND is_identity = 'YES'",
    [schema],
  );
  for (const row of identities.rows as Row[]) {
    const table = String(row["table_name"]);
    if (OF_POSTGRES.has(table)) continue;
    const given = db
      .prepare<[string], number>("SELECT seq FROM sqlite_sequence WHERE name = ?")
      .pluck<number>()
      .get(table);
    await client.query(
      `SELECT setval(pg_get_serial_sequence($1, $2), greatest(max(${quoted(String(row["column_name"]))}), $3, 1)) FROM ${quoted(table)}`,
      [`${schema}.${table}`, row["column_name"], given ?? 0],
    );
  }
  await client.query(
    "INSERT INTO channels (channel, place, seq, drop_at) SELECT channel, max(place), max(seq), max(drop_at) FROM packets GROUP BY channel",
  );
  const epoch = db.prepare<[], string>("SELECT epoch FROM log").pluck<string>().get();
  await client.query("UPDATE meta SET epoch = $1", [epoch]);
}

// ---- and back

/** Refuses a directory that a server has run on, and a schema that one runs on. */
export async function moveFromPostgres({ dataDir, database, now, onProgress }: Moving): Promise<readonly MovedTable[]> {
  const file = databaseFile(dataDir);
  const part = `${file}.moving`;
  const lock = lockDirectory(dataDir);
  let client: Client | undefined;
  let db: Database | undefined;
  try {
    if (existsSync(file) && hasRun(file))
      throw new PushError("conflict", `a server has run on ${file}: name another directory, or move the file away`);
    client = await connect({ ...database, name: "pushbox move" });
    await refuseServing(client, database.schema);
    for (const rest of [part, `${part}-wal`, `${part}-shm`]) rmSync(rest, { force: true });
    db = openDatabase(part, "NORMAL");
    // It has no name yet: what fails is thrown away, what is whole is put on the disk at the end.
    for (const pragma of ["journal_mode = OFF", "synchronous = OFF", "cache_size = -262144"]) db.pragma(pragma);
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    db.exec("BEGIN IMMEDIATE");
    const moved: MovedTable[] = [];
    for (const table of await tablesOf(client, database.schema, db)) {
      const rows = await take(client, db, table, now, (rows) => onProgress(table.name, rows));
      moved.push({ table: table.name, rows });
    }
    await close(client, db);
    db.exec("COMMIT");
    await client.query("COMMIT");
    db.close();
    db = undefined;
    syncFile(part);
    renameSync(part, file);
    syncDirectory(file);
    return moved;
  } catch (error) {
    throw explain(explainFile(error, file));
  } finally {
    db?.close();
    await client?.end().catch(() => {});
    lock.release();
  }
}

function hasRun(file: string): boolean {
  const db = openFile(file, { readonly: true, fileMustExist: true });
  try {
    return (db.prepare<[], number>("SELECT count(*) FROM runs").pluck<number>().get() ?? 0) > 0;
  } finally {
    db.close();
  }
}

async function refuseServing(client: Client, schema: string): Promise<void> {
  const { rows } = await client.query("SELECT to_regclass($1) IS NOT NULL AS found", [`${schema}.nodes`]);
  if ((rows[0] as Row)["found"] !== true)
    throw new PushError("invalid", `there is no schema ${schema} of pushbox: name it with --postgres-schema`);
  await migrate(client, schema);
  const { format } = (await storedVersion(client, schema)) ?? VERSION;
  if (format > VERSION.format)
    throw new PushError(
      "conflict",
      `the schema ${schema} is of a newer pushbox (its format is ${format}, this one knows ${VERSION.format}): move with the newer one`,
    );
  await refuseRunning(client, schema);
}

async function take(
  client: Client,
  db: Database,
  table: Table,
  now: number,
  told: (rows: number) => void,
): Promise<number> {
  const { name, columns, key } = table;
  const insert = db.prepare<Value[]>(
    `INSERT INTO ${name} (${list(columns)}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  if (name === "hook_sums") db.exec("DELETE FROM hook_sums");
  const from =
    name === "hours"
      ? `SELECT key, hour, sum(total) AS total, sum(success) AS success, sum(error) AS error, sum(latency) AS latency
         FROM hours GROUP BY key, hour`
      : `SELECT ${list(columns)} FROM ${quoted(name)}`;
  const { rows: counted } = await client.query(`SELECT count(*) AS n FROM (${from}) t`);
  const sample = new Sample(Number((counted[0] as Row)["n"]));
  await client.query(`DECLARE moving NO SCROLL CURSOR FOR ${from}`);
  let rows = 0;
  for (let more = true; more; ) {
    const { rows: batch } = await client.query(`FETCH ${BATCH} FROM moving`);
    for (const found of batch as Row[]) {
      const row = settled(name, found, now);
      sample.see(row);
      insert.run(...columns.map((column) => row[column.name] ?? null));
    }
    rows += batch.length;
    more = batch.length === BATCH;
    told(rows);
  }
  await client.query("CLOSE moving");
  const read = db.prepare<Value[], Row>(
    `SELECT ${list(columns)} FROM ${name} WHERE ${key.map((one) => `${quoted(one)} = ?`).join(" AND ")}`,
  );
  const found = db.prepare<[], number>(`SELECT count(*) FROM ${name}`).pluck<number>().get() ?? 0;
  compare(table, rows, found, sample, (values) => read.get(...values));
  return rows;
}

async function close(client: Client, db: Database): Promise<void> {
  const set = db.prepare<[number, string]>("UPDATE sequences SET value = ? WHERE name = ?");
  const lastOf = async (sequence: string): Promise<number> => {
    const { rows } = await client.query(
      `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS value FROM ${sequence}`,
    );
    return Number((rows[0] as Row)["value"]);
  };
  for (const [here, there] of SEQUENCES) set.run(await lastOf(there), here);
  set.run(((await lastOf("turns")) + 1) * PER_TURN, "seq");
  const raise = db.prepare<[number, string]>("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?");
  for (const [table, column] of [
    ["jobs", "job"],
    ["arrivals", "arrival"],
    ["audit", "entry"],
  ] as const)
    raise.run(await lastOf(`${table}_${column}_seq`), table);
  const { rows } = await client.query("SELECT epoch FROM meta");
  db.prepare<[string]>("UPDATE log SET epoch = ?").run(String((rows[0] as Row)["epoch"]));
}
