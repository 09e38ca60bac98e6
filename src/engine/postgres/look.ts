// What of a PostgreSQL matters to us, looked at without changing anything: for the commands `check` and `doctor`.
import type { Client } from "pg";
import { connect, type DatabaseOptions, explain, hears, UNHEARD } from "./database.ts";
import { CLOCK_OFF } from "./nodes.ts";
import { ENCODING, encodingTrouble, MINIMUM, rightsTrouble, type SchemaVersion, storedVersion } from "./schema.ts";

export interface Look {
  readonly level: "ok" | "warning" | "wrong";
  readonly text: string;
}

/** Connections of one node: turns, listening, notifying, beats, reading. */
const PER_NODE = 5;
/** How long a notification is waited for, milliseconds. */
const HEARD_WITHIN = 3000;

interface Server {
  readonly version: string;
  readonly number: number;
  readonly fsync: string;
  readonly encoding: string;
  readonly standbys: string;
  readonly waits: string;
  readonly connections: number;
  readonly queue: string;
  readonly creates: boolean;
  readonly schema: boolean;
  readonly time: number;
}

const QUESTION = `
  SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
    current_setting('fsync') AS fsync, current_setting('server_encoding') AS encoding, current_setting('synchronous_standby_names') AS standbys, current_setting('synchronous_commit') AS waits,
    current_setting('max_connections')::int AS connections, pg_notification_queue_usage()::text AS queue,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS time, has_database_privilege(current_database(), 'CREATE') AS creates, to_regnamespace($1) IS NOT NULL AS schema`;

/** Never tells the password. */
export async function lookAt(options: DatabaseOptions): Promise<readonly Look[]> {
  let client: Client | undefined;
  try {
    client = await connect({ ...options, name: "pushbox doctor" });
    const asked = Date.now();
    const { rows } = await client.query(QUESTION, [options.schema]);
    const server = rows[0] as Server; // as it was asked
    const ahead = server.time - (asked + Date.now()) / 2;
    const trouble = server.schema ? await rightsTrouble(client, options.schema) : undefined;
    const rights: readonly Look[] = trouble === undefined ? [] : [{ level: "wrong", text: trouble }];
    return [...judge(server, options.schema), ...rights, ...clock(ahead), await listens(client, options)];
  } catch (error) {
    return [{ level: "wrong", text: explain(error).message }];
  } finally {
    client?.end().catch(() => {});
  }
}

/** What the schema is; undefined: there is none. @throws PushError why that cannot be said */
export async function versionOf(options: DatabaseOptions): Promise<SchemaVersion | undefined> {
  const client = await connect({ ...options, name: "pushbox upgrade" });
  return await storedVersion(client, options.schema)
    .catch((error: unknown) => {
      throw explain(error);
    })
    .finally(() => client.end().catch(() => {}));
}

function judge(server: Server, schema: string): readonly Look[] {
  const looks: Look[] = [];
  const tell = (level: Look["level"], text: string): void => void looks.push({ level, text });
  if (server.number < MINIMUM) tell("wrong", `PostgreSQL ${server.version}: 15 or newer is needed`);
  else tell("ok", `PostgreSQL ${server.version}`);
  if (server.encoding !== ENCODING) tell("wrong", encodingTrouble(server.encoding));
  if (server.fsync !== "on")
    tell("warning", "fsync is off: a power failure loses what was answered, and perhaps the database");
  if (server.standbys === "")
    tell(
      "warning",
      "synchronous_standby_names is empty: with the machine of PostgreSQL the last seconds are lost that were answered with success",
    );
  else tell("ok", `a commit waits for ${server.standbys}`);
  if (server.waits === "off" || (server.waits === "local" && server.standbys !== ""))
    tell(
      "warning",
      `synchronous_commit is ${server.waits}, for this server, database or role: what was answered with success may be lost`,
    );
  const nodes = Math.floor((server.connections - 3) / PER_NODE);
  tell(
    nodes < 2 ? "warning" : "ok",
    `max_connections is ${server.connections}: enough for ${nodes} nodes of ${PER_NODE} each`,
  );
  if (!server.schema && !server.creates)
    tell(
      "wrong",
      `the schema ${schema} is missing, and this user may not make it: CREATE SCHEMA ${schema} AUTHORIZATION its name`,
    );
  if (Number(server.queue) > 0.5)
    tell(
      "warning",
      `the queue of notifications is ${Math.round(Number(server.queue) * 100)} % full: some session listens and never reads`,
    );
  return looks;
}

/** @param ahead milliseconds that the server's clock is ahead of this machine's */
function clock(ahead: number): readonly Look[] {
  if (Math.abs(ahead) <= CLOCK_OFF) return [];
  const text = `the clock of this machine is ${Math.round(Math.abs(ahead) / 1000)} s ${ahead > 0 ? "behind" : "ahead of"} the server's, by which all nodes go: set it (timedatectl set-ntp true)`;
  return [{ level: "warning", text }];
}

async function listens(client: Client, options: DatabaseOptions): Promise<Look> {
  const other = await connect({ ...options, name: "pushbox doctor" });
  try {
    return (await hears(client, other, HEARD_WITHIN))
      ? { level: "ok", text: "notifications are heard" }
      : { level: "wrong", text: UNHEARD };
  } finally {
    other.end().catch(() => {});
  }
}
