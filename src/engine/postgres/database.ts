// PostgreSQL as the engine sees it: connections, statements that are prepared once per connection, and what its errors mean.
//
// Connections are pipelined (`pg`): a statement that is not awaited goes out with the next one, and all are worked off in order.
import { randomUUID } from "node:crypto";
import { Client, type ClientConfig, type QueryResult } from "pg";
import { PushError } from "../../core/errors.ts";
import { placeOf, serversOf } from "./hosts.ts";

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database`, or with several hosts and ports, by commas; never shown. */
  readonly url: string;
  readonly schema: string;
  readonly ssl?: ClientConfig["ssl"];
  /** Names the process to whoever looks at the connections. */
  readonly name?: string;
}

// PostgreSQL's text holds everything but U+0000. It is written as U+0001 "0", and U+0001 itself twice.
const NUL = "\u0000";
const ESCAPE = "\u0001";
const encodeText = (text: string): string =>
  text.includes(NUL) || text.includes(ESCAPE)
    ? text.replaceAll(ESCAPE, ESCAPE + ESCAPE).replaceAll(NUL, `${ESCAPE}0`)
    : text;
const escaped = new RegExp(`${ESCAPE}(.)`, "g");
const decodeText = (text: string): string =>
  text.includes(ESCAPE) ? text.replace(escaped, (_, after: string) => (after === "0" ? NUL : ESCAPE)) : text;

export type Value = Scalar | readonly Scalar[];

type Scalar = string | number | boolean | null;
const isList = (value: Value): value is readonly Scalar[] => Array.isArray(value);
/** Nothing in it is written differently in JSON and in an element of a list. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what JSON writes in its own way
const PLAIN = /^[^\u0000-\u001f\ud800-\udfff]*$/;
const quote = (text: string): string =>
  PLAIN.test(text) ? JSON.stringify(text) : `"${encodeText(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
const toElement = (one: Scalar): string => (typeof one === "string" ? quote(one) : one === null ? "NULL" : String(one));

/** Lists as PostgreSQL writes them: most of a turn's values are in lists, and `pg` takes twice as long. */
const encode = (value: Value): unknown => {
  if (typeof value === "string") return encodeText(value);
  return isList(value) ? `{${value.map(toElement).join()}}` : value;
};

const BIGINT = 20;
const NUMERIC = 1700;
const TEXT: ReadonlySet<number> = new Set([25, 1043]);
const parsers = {
  getTypeParser: (oid: number): ((text: string) => unknown) => {
    if (oid === BIGINT || oid === NUMERIC) return Number;
    if (TEXT.has(oid)) return decodeText;
    return oid === 23 || oid === 21 ? Number : oid === 16 ? (text) => text === "t" : (text) => text;
  },
};

/**
 * Statements are planned once, perhaps while their tables are empty: by index, whatever the tables' size, and without a compiler for
 * what seems dear.
 */
export const PLANS = { plan_cache_mode: "force_generic_plan", enable_seqscan: "off", jit: "off" };

/**
 * What the operator has set for everybody on this server, so that nobody holds others up, or for sessions that are forgotten, would end work
 * that takes its time here on purpose: a migration, a commit that waits, a connection that only listens. Turns are written for one isolation.
 */
const OURS = {
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  default_transaction_isolation: "read committed",
};
/** The same, of PostgreSQL 17 and newer. */
const NEWER = "transaction_timeout";

/**
 * To the server of the URL that writes: all are asked at once, so that one that is out of reach costs no time.
 * @param settings of the session, by name
 */
export async function connect(
  options: DatabaseOptions,
  settings: Readonly<Record<string, string>> = {},
): Promise<Client> {
  const servers = serversOf(options.url);
  let taken: Client | undefined;
  const tries = servers.map(async (server) => {
    const client = await open(
      server,
      options,
      settings,
      servers.length === 1 ? "; name the primary in postgres.url" : "",
    );
    if (taken !== undefined) client.end().catch(() => {});
    taken ??= client;
    return taken;
  });
  try {
    return await Promise.any(tries);
  } catch (error) {
    const reasons = (error as AggregateError).errors as readonly Error[]; // of each server, in their order
    if (reasons.length === 1) throw reasons[0]!;
    const all = reasons.map(({ message }, i) => `${placeOf(servers[i]!)}: ${message}`).join("; ");
    throw new PushError("unavailable", `no server of postgres.url can be used: ${all}`, { cause: error });
  }
}

/** @param remedy said when the server only reads */
async function open(
  server: string,
  { schema, ssl, name = "pushbox" }: DatabaseOptions,
  settings: Readonly<Record<string, string>>,
  remedy: string,
): Promise<Client> {
  const client = new Client({
    connectionString: server,
    application_name: name,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 10_000,
    pipeline: true,
    types: parsers,
    ...(ssl === undefined ? {} : { ssl }),
  });
  client.on("error", () => {}); // whoever uses it learns by its queries, and by `end`
  try {
    await client.connect();
    const all = Object.entries({ search_path: schema, ...OURS, ...settings });
    const set = all.map((_, i) => `, set_config($${2 * i + 1}, $${2 * i + 2}, false)`).join("");
    const { rows } = await client.query(
      `SELECT current_setting('transaction_read_only') AS reads, pg_is_in_recovery() AS follows,
         CASE WHEN current_setting('${NEWER}', true) IS NOT NULL THEN set_config('${NEWER}', '0', false) END${set}`,
      all.flat(),
    );
    const { reads, follows } = rows[0] as { readonly reads: string; readonly follows: boolean };
    if (reads === "on")
      throw new PushError(
        "unavailable",
        `PostgreSQL cannot be used: ${follows ? `this server only reads, as a standby does${remedy}` : SET_TO_READ}`,
      );
    return client;
  } catch (error) {
    client.end().catch(() => {});
    throw explain(error);
  }
}

const SET_TO_READ =
  "default_transaction_read_only is on, for this server, database or role; providers set it when the disk is nearly full";

/** Ends a connection whose other side is silent: its statements fail at once. */
export function destroy(client: Client): void {
  (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream.destroy();
}

// ---- statements

/** Where statements run: in a transaction or by themselves. */
export interface Tx {
  /** Rejects with PostgreSQL's or the driver's own error: see `explain`. */
  query(statement: { readonly name: string; readonly text: string; readonly values: unknown[] }): Promise<QueryResult>;
  /** Its failure is the transaction's; nobody waits for it. */
  later(done: Promise<unknown>): void;
}

let count = 0;

/** A statement, prepared when a connection first runs it. Placeholders are `?`, in their order. */
export class Statement<Values extends readonly Value[], Row = never> {
  readonly #name = `p${count++}`;
  readonly #text: string;

  constructor(text: string) {
    let place = 0;
    this.#text = text.replaceAll("?", () => `$${++place}`);
  }

  async #query(tx: Tx, values: Values): Promise<QueryResult> {
    return tx.query({ name: this.#name, text: this.#text, values: values.map(encode) });
  }

  /** Waits for it. Rejects with PostgreSQL's own error: see `explain`. */
  async all(tx: Tx, ...values: Values): Promise<Row[]> {
    return (await this.#query(tx, values)).rows as Row[]; // its columns are those of the text
  }

  /** The first row. */
  async get(tx: Tx, ...values: Values): Promise<Row | undefined> {
    return (await this.all(tx, ...values))[0];
  }

  /** @returns rows that were changed */
  async run(tx: Tx, ...values: Values): Promise<number> {
    return (await this.#query(tx, values)).rowCount ?? 0;
  }

  /** Sends it without waiting for it. */
  put(tx: Tx, ...values: Values): void {
    tx.later(this.#query(tx, values));
  }
}

/** A statement with one column. */
export class Column<Values extends readonly Value[], Cell> {
  readonly #statement: Statement<Values, Readonly<Record<string, Cell>>>;

  constructor(text: string) {
    this.#statement = new Statement(text);
  }

  /** Waits for it; a cell of each row. */
  async all(tx: Tx, ...values: Values): Promise<Cell[]> {
    return (await this.#statement.all(tx, ...values)).map((row) => Object.values(row)[0] as Cell);
  }

  /** Of the first row; undefined: there is none. */
  async get(tx: Tx, ...values: Values): Promise<Cell | undefined> {
    return (await this.all(tx, ...values))[0];
  }
}

/**
 * Whether what one connection notifies comes to the other, which listens. A pooler of transactions takes LISTEN and gives the connection
 * to somebody else.
 * @param within milliseconds
 */
export async function hears(listening: Client, telling: Client, within: number): Promise<boolean> {
  const topic = `pushbox_${randomUUID().replaceAll("-", "")}`;
  let timer: NodeJS.Timeout | undefined;
  const heard = new Promise<boolean>((resolve) => {
    listening.once("notification", () => resolve(true));
    timer = setTimeout(resolve, within, false);
  });
  try {
    await listening.query(`LISTEN ${topic}`);
    await telling.query(`NOTIFY ${topic}`);
    return await heard;
  } finally {
    clearTimeout(timer);
    await listening.query(`UNLISTEN ${topic}`).catch(() => {}); // its end is told elsewhere
  }
}

// ---- errors

const codeOf = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
};

/** Two transactions were in each other's way, or somebody ended a statement by hand: the same again will do. */
export const isClash = (error: unknown): boolean => /^(40001|40P01|55P03|57014)$/.test(codeOf(error));

// Connection, resources, shutdown, read-only, idle in a transaction, a statement that is not the connection's; the system's own; and the driver's words for a connection that has ended.
const SERVER = /^(08|53300|57P|58|25006|25P03|28|3D|42P05|26000|XX)/;
const SYSTEM = /^E[A-Z]+$/;
const ENDED =
  /Connection terminated|connection error|not queryable|Client was closed|timeout expired|connection is closed/i;

/** The store is in trouble, whatever the statement was. Anything else is a fault of the call that met it. */
export const isStoreFault = (error: unknown): boolean =>
  error instanceof Error &&
  !(error instanceof PushError) &&
  (SERVER.test(codeOf(error)) || SYSTEM.test(codeOf(error)) || ENDED.test(error.message));

/** The error to show when PostgreSQL cannot be used; a bug stays what it is. */
export function explain(error: unknown): Error {
  if (error instanceof PushError) return error;
  if (!(error instanceof Error)) return new Error(String(error));
  if (!isStoreFault(error) && !isClash(error) && !WANTING.test(codeOf(error))) return error;
  const remedy = REMEDIES[codeOf(error)];
  const why = `${error.message || codeOf(error)}${remedy === undefined ? "" : ` (${remedy})`}`;
  return new PushError("unavailable", `PostgreSQL cannot be used: ${why}`, { cause: error });
}

const NOT_ALLOWED = "42501";
/** No right to one table, no room, no memory: the connection stays, and what does not need it goes on. */
const WANTING = /^(42501|53)/;
const POOLER = "a pooler of transactions stands in between; name PostgreSQL itself in postgres.url";
/** What to say when `hears` says no. */
export const UNHEARD = `notifications are not heard: ${POOLER}`;

/** What helps, where the server's own words do not say it. */
const REMEDIES: Readonly<Record<string, string>> = {
  [NOT_ALLOWED]:
    "the role of postgres.url has to own the schema and what is in it, or may make it: GRANT CREATE ON DATABASE",
  "53100": "its disk is full: make room there; until then what has to be stored is refused",
  "53300": "each node takes five connections: raise max_connections, or close what else is connected",
  "42P05": POOLER,
  "26000": POOLER,
  "28P01": "the user and the password of postgres.url are not those of a role there",
  "3D000": "make the database of postgres.url first: createdb",
  ECONNREFUSED: "nothing listens there: start PostgreSQL, or name its host and port in postgres.url",
  ENOTFOUND: "postgres.url names a host that DNS does not know",
  EAI_AGAIN: "DNS does not answer for the host of postgres.url",
  ENOENT: "postgres.url names a socket or a file that is not there: does PostgreSQL run on this machine?",
  EHOSTUNREACH: "no way leads to the host of postgres.url",
  ETIMEDOUT: "the host of postgres.url does not answer: a firewall may stand in between",
};
