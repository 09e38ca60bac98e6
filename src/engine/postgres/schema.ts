// The tables, in a schema of their own, and how a newer pushbox brings an older schema up to date. Columns and their meaning are
// those of sqlite/schema.ts where they have the same name; what differs is said here.
import type { Client } from "pg";
import { PushError } from "../../core/errors.ts";
import { functions, namedByTitle } from "./functions.ts";
import { onceFunctions } from "./functions-once.ts";

/** A node refuses a schema of a newer one. Within it migrations only add, so that two versions run side by side. */
const MAJOR = 1;

/** As `server_version_num` says it. */
export const MINIMUM = 150_000;

/** What a turn's packets may have: their seq is the turn's number times this, and their place in it. */
export const PER_TURN = 4096;

/** Entry n brings a schema from format n to n + 1. Only ever appended to. */
export const MIGRATIONS: readonly string[] = [
  `
  -- One row. epoch: names the life of the log of packets.
  CREATE TABLE meta (epoch text NOT NULL, major int NOT NULL, format int NOT NULL);
  INSERT INTO meta VALUES (left(md5(random()::text || clock_timestamp()::text), 16), 0, 0);

  -- Processes that share this schema. beat: when one last said that it lives, by this server's clock.
  CREATE TABLE nodes (
    node bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    started bigint NOT NULL,
    beat timestamptz NOT NULL DEFAULT clock_timestamp()
  );

  -- What one node does for all: the lanes it sends, the endpoints it tells.
  CREATE TABLE owners (
    kind text NOT NULL,
    name text COLLATE "C" NOT NULL,
    node bigint NOT NULL,
    PRIMARY KEY (kind, name)
  );

  CREATE SEQUENCE turns;
  CREATE SEQUENCE devices_seq;
  CREATE SEQUENCE deliveries_seq;
  CREATE SEQUENCE bound_seq;
  CREATE SEQUENCE events_seq;
  CREATE SEQUENCE leases_seq;

  -- The newest end of each channel's log: the place and the seq of its newest packet. Whoever adds packets locks it first.
  CREATE TABLE channels (
    channel text COLLATE "C" PRIMARY KEY,
    place bigint NOT NULL DEFAULT 0,
    seq bigint NOT NULL DEFAULT 0,
    drop_at bigint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 70);
  CREATE INDEX channels_by_drop ON channels (drop_at);
  CREATE TABLE packets (
    seq bigint PRIMARY KEY,
    channel text COLLATE "C" NOT NULL,
    place bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    event text NOT NULL,
    body text NOT NULL,
    expires bigint NOT NULL,
    drop_at bigint NOT NULL,
    previous bigint NOT NULL
  );
  CREATE INDEX packets_by_channel ON packets (channel, place);
  CREATE INDEX packets_by_drop ON packets (drop_at);
  CREATE TABLE swept (bucket int PRIMARY KEY, seq bigint NOT NULL, channel text NOT NULL, id text NOT NULL);
  -- Bodies that are too long to be notified.
  CREATE UNLOGGED TABLE large_bodies (
    body_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
  );

  -- Adds packets to the log and notifies the turn, once the rows of its channels are locked: so the order of seq is that of the commits.
  -- Per channel: how many it gets, how many it keeps, the offset of the last one and when the last of them may be dropped.
  -- Per packet: its channel's place in that list, its own place in its channel and in the turn, and that of the one before.
  -- What is notified is heads, the number of the turn, and tails.
  CREATE FUNCTION append(
    _channels text[], _counts int[], _keeps int[], _lasts int[], _drops bigint[],
    _at int[], _nth int[], _offs int[], _prevs int[], _ids text[], _events text[], _bodies text[], _expires bigint[], _drop_at bigint[],
    _topic text, _heads text[], _tails text[]
  ) RETURNS bigint LANGUAGE plpgsql AS $$
  DECLARE
    turn bigint;
    base bigint;
  BEGIN
    IF cardinality(_channels) > 0 THEN
      INSERT INTO channels (channel) SELECT unnest(_channels) ON CONFLICT DO NOTHING;
      PERFORM 1 FROM channels WHERE channel = ANY (_channels) ORDER BY channel FOR UPDATE;
    END IF;
    turn := nextval('turns');
    base := turn * ${PER_TURN};
    IF cardinality(_channels) > 0 THEN
      INSERT INTO packets (seq, channel, place, id, event, body, expires, drop_at, previous)
      SELECT base + r.off, c.channel, c.place + r.nth, r.id, r.event, r.body, r.expires, greatest(c.drop_at, r.drop_at),
             CASE WHEN r.nth = 1 THEN c.seq ELSE base + r.prev END
      FROM unnest(_at, _nth, _offs, _prevs, _ids, _events, _bodies, _expires, _drop_at)
             AS r(at, nth, off, prev, id, event, body, expires, drop_at)
        JOIN channels c ON c.channel = _channels[r.at];
      UPDATE channels c SET place = c.place + r.n, seq = base + r.last, drop_at = greatest(c.drop_at, r.drop_at)
      FROM unnest(_channels, _counts, _lasts, _drops) AS r(channel, n, last, drop_at) WHERE c.channel = r.channel;
      DELETE FROM packets p USING unnest(_channels, _keeps) AS k(channel, keep), channels c
      WHERE c.channel = k.channel AND c.place > k.keep AND p.channel = k.channel AND p.place <= c.place - k.keep;
    END IF;
    PERFORM pg_notify(_topic, _heads[i] || turn || _tails[i]) FROM generate_subscripts(_heads, 1) AS i;
    RETURN turn;
  END $$;

  CREATE TABLE devices (
    device bigint PRIMARY KEY,
    push_id text COLLATE "C" NOT NULL UNIQUE,
    uid text COLLATE "C",
    bound bigint NOT NULL DEFAULT 0,
    uid_ttl bigint NOT NULL DEFAULT 0,
    offline_since bigint,
    platform text,
    tags text,
    type text,
    token text COLLATE "C",
    package text,
    token_time bigint,
    detour text,
    sent_seq bigint NOT NULL DEFAULT 0,
    last_seen bigint,
    token_history text,
    create_time bigint NOT NULL,
    update_time bigint NOT NULL
  ) WITH (fillfactor = 85);
  CREATE INDEX devices_by_uid ON devices (uid, device) WHERE uid IS NOT NULL;
  CREATE INDEX devices_by_token ON devices (token) WHERE token IS NOT NULL;
  CREATE INDEX devices_by_detour ON devices (push_id) WHERE detour IS NOT NULL;
  CREATE INDEX devices_idle ON devices (update_time) WHERE uid IS NULL AND token IS NULL AND tags IS NULL;
  CREATE INDEX devices_by_end ON devices ((offline_since + uid_ttl)) WHERE uid_ttl > 0;
  CREATE INDEX devices_ending ON devices (device) WHERE uid_ttl > 0 AND offline_since IS NULL;
  CREATE TABLE device_tags (tag text COLLATE "C" NOT NULL, device bigint NOT NULL, PRIMARY KEY (tag, device));
  -- Who is connected where. A device may be at two nodes for a while. Not logged: after a crash of PostgreSQL all come back.
  CREATE UNLOGGED TABLE sessions (push_id text COLLATE "C" NOT NULL, node bigint NOT NULL, PRIMARY KEY (push_id, node));
  CREATE INDEX sessions_by_node ON sessions (node);

  CREATE TABLE arrivals (
    arrival bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    type text COLLATE "C" NOT NULL,
    text text NOT NULL,
    ttl bigint NOT NULL,
    time_start bigint NOT NULL,
    caller_address text NOT NULL,
    drop_at bigint NOT NULL
  );
  CREATE INDEX arrivals_by_type ON arrivals (type, time_start, arrival);
  CREATE INDEX arrivals_by_drop ON arrivals (drop_at);
  CREATE TABLE arrival_counts (
    count bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    arrival bigint NOT NULL,
    counter text COLLATE "C" NOT NULL,
    total bigint NOT NULL,
    UNIQUE (arrival, counter)
  );
  CREATE TABLE arrival_evidence (
    count bigint NOT NULL,
    push_id text COLLATE "C" NOT NULL,
    at bigint,
    PRIMARY KEY (count, push_id)
  );
  CREATE TABLE arrival_failures (
    arrival bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    total bigint NOT NULL,
    PRIMARY KEY (arrival, name, reason)
  );
  -- A row per node, so that none waits for another.
  CREATE TABLE hours (
    key text COLLATE "C" NOT NULL,
    hour bigint NOT NULL,
    node bigint NOT NULL,
    total bigint NOT NULL,
    success bigint NOT NULL,
    error bigint NOT NULL,
    latency bigint NOT NULL,
    PRIMARY KEY (key, hour, node)
  );
  CREATE INDEX hours_by_hour ON hours (hour);

  CREATE TABLE jobs (
    job bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    arrival bigint,
    id text COLLATE "C" NOT NULL,
    type text NOT NULL,
    text text NOT NULL,
    target_kind text NOT NULL,
    bulk int NOT NULL,
    listed int NOT NULL,
    rate bigint,
    dry_run int NOT NULL DEFAULT 0,
    accepted_at bigint NOT NULL,
    send_at bigint,
    expires bigint NOT NULL,
    due bigint NOT NULL,
    cursor text,
    expanded int NOT NULL DEFAULT 0,
    paused int NOT NULL DEFAULT 0,
    cancelled int NOT NULL DEFAULT 0,
    holding int NOT NULL DEFAULT 0,
    walk bigint,
    seen bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    routes text NOT NULL DEFAULT '{}',
    queued bigint NOT NULL DEFAULT 0,
    waiting bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    connected bigint NOT NULL DEFAULT 0,
    reach int NOT NULL DEFAULT 0,
    finished_at bigint,
    drop_at bigint
  ) WITH (fillfactor = 70);
  CREATE INDEX jobs_by_id ON jobs (id, job);
  CREATE INDEX jobs_by_arrival ON jobs (arrival) WHERE arrival IS NOT NULL;
  CREATE INDEX jobs_to_expand ON jobs (due) WHERE expanded = 0 AND paused = 0 AND cancelled = 0;
  CREATE INDEX jobs_unfinished ON jobs (expires) WHERE finished_at IS NULL;
  CREATE INDEX jobs_listed ON jobs (job) WHERE listed = 1;
  CREATE INDEX jobs_to_walk ON jobs (walk) WHERE walk IS NOT NULL;
  CREATE INDEX jobs_by_drop ON jobs (drop_at) WHERE drop_at IS NOT NULL;
  CREATE INDEX jobs_by_start ON jobs ((coalesce(send_at, accepted_at)), job) WHERE arrival IS NOT NULL;
  CREATE TABLE job_contents (job bigint PRIMARY KEY, notification text NOT NULL, target text);
  CREATE TABLE job_failures (
    job bigint NOT NULL,
    reason text COLLATE "C" NOT NULL,
    total bigint NOT NULL,
    PRIMARY KEY (job, reason)
  );
  CREATE TABLE lanes (
    lane bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor text COLLATE "C" NOT NULL,
    app text COLLATE "C" NOT NULL,
    host text COLLATE "C" NOT NULL DEFAULT '',
    open bigint NOT NULL DEFAULT 0,
    UNIQUE (vendor, app, host)
  );
  CREATE TABLE users ("user" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, uid text COLLATE "C" NOT NULL UNIQUE);
  CREATE TABLE departed (device bigint PRIMARY KEY, push_id text COLLATE "C" NOT NULL);
  CREATE INDEX departed_by_push_id ON departed (push_id, device);
  -- due: from when it may be claimed, or until when it is leased. lease, holder: the claim's name, and the node that made it.
  CREATE TABLE deliveries (
    delivery bigint PRIMARY KEY,
    job bigint NOT NULL,
    device bigint NOT NULL,
    "user" bigint,
    lane bigint,
    state int NOT NULL,
    bulk int NOT NULL,
    due bigint,
    lease bigint,
    holder bigint,
    attempts bigint NOT NULL DEFAULT 0,
    queued_at bigint NOT NULL,
    sent_at bigint,
    settled_at bigint,
    arrived_at bigint,
    clicked_at bigint,
    push_id text COLLATE "C" NOT NULL,
    type text,
    token text COLLATE "C",
    receipt text COLLATE "C",
    reason text,
    retried int
  ) WITH (fillfactor = 80);
  CREATE INDEX deliveries_open ON deliveries (lane, state, bulk, due, delivery) WHERE due IS NOT NULL;
  CREATE INDEX deliveries_by_job ON deliveries (job, delivery);
  CREATE INDEX deliveries_by_device ON deliveries (device, job);
  CREATE INDEX deliveries_by_user ON deliveries ("user", job) WHERE "user" IS NOT NULL;
  CREATE INDEX deliveries_by_receipt ON deliveries (receipt, token) WHERE receipt IS NOT NULL AND token IS NOT NULL;
  CREATE INDEX deliveries_failed ON deliveries (settled_at, delivery)
    WHERE state IN (5, 6, 7) AND settled_at IS NOT NULL AND retried IS NULL;
  CREATE TABLE calls (
    key text COLLATE "C" PRIMARY KEY,
    digest text NOT NULL,
    answer text,
    pieces int NOT NULL DEFAULT 0,
    packet text,
    online bigint,
    drop_at bigint NOT NULL
  );
  CREATE INDEX calls_by_drop ON calls (drop_at);
  CREATE TABLE reached (
    job bigint NOT NULL,
    "user" bigint NOT NULL,
    due bigint NOT NULL,
    way int NOT NULL,
    at bigint,
    PRIMARY KEY (job, "user")
  );
  CREATE INDEX reached_by_user ON reached ("user", due);

  CREATE TABLE events (
    seq bigint PRIMARY KEY,
    type text NOT NULL,
    key text COLLATE "C" NOT NULL,
    time bigint NOT NULL,
    data text NOT NULL
  );
  CREATE INDEX events_by_time ON events (time, seq);
  CREATE TABLE hook_events (
    hook text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    subject text COLLATE "C",
    state int NOT NULL DEFAULT 0,
    due bigint NOT NULL DEFAULT 0,
    attempts bigint NOT NULL DEFAULT 0,
    reason text,
    size bigint NOT NULL DEFAULT 0,
    holder bigint,
    PRIMARY KEY (hook, seq)
  );
  CREATE INDEX hook_events_by_seq ON hook_events (seq);
  CREATE INDEX hook_events_by_key ON hook_events (hook, key, seq);
  CREATE INDEX hook_events_by_subject ON hook_events (hook, subject) WHERE state = 0 AND subject IS NOT NULL;
  CREATE INDEX hook_events_by_due ON hook_events (hook, due, seq) WHERE state = 0;
  CREATE INDEX hook_events_leased ON hook_events (holder) WHERE state = 1;
  CREATE INDEX hook_events_happened ON hook_events (seq) WHERE subject IS NULL;
  CREATE TABLE hook_dead (
    hook text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    key text COLLATE "C" NOT NULL,
    subject text,
    time bigint NOT NULL,
    data text NOT NULL,
    attempts bigint NOT NULL,
    reason text,
    at bigint NOT NULL,
    PRIMARY KEY (hook, seq)
  );
  CREATE INDEX hook_dead_by_time ON hook_dead (at);
  -- Rows and bytes of the tables above, by hook; of the log itself under ''.
  CREATE TABLE hook_sums (
    hook text COLLATE "C" PRIMARY KEY,
    waiting bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    dropped bigint NOT NULL DEFAULT 0
  );
  INSERT INTO hook_sums (hook) VALUES ('');
  CREATE FUNCTION sum_hooks(_hook text, _waiting bigint, _dead bigint, _size bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO hook_sums AS s (hook, waiting, dead, size) VALUES (_hook, _waiting, _dead, _size)
    ON CONFLICT (hook) DO UPDATE SET waiting = s.waiting + _waiting, dead = s.dead + _dead, size = s.size + _size
  $$;
  CREATE FUNCTION sum_hook_events() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
  BEGIN
    PERFORM sum_hooks(hook, sign * count(*), 0, (sign * sum(size))::bigint) FROM rows GROUP BY hook;
    RETURN NULL;
  END $$;
  CREATE FUNCTION sum_hook_dead() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
  BEGIN
    PERFORM sum_hooks(hook, 0, sign * count(*), (sign * sum(length(key) + length(data)))::bigint) FROM rows GROUP BY hook;
    RETURN NULL;
  END $$;
  CREATE FUNCTION sum_events() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
  BEGIN
    PERFORM sum_hooks('', sign * count(*), 0, (sign * sum(length(key) + length(data)))::bigint) FROM rows HAVING count(*) > 0;
    RETURN NULL;
  END $$;
  CREATE TRIGGER added AFTER INSERT ON hook_events REFERENCING NEW TABLE AS rows EXECUTE FUNCTION sum_hook_events();
  CREATE TRIGGER removed AFTER DELETE ON hook_events REFERENCING OLD TABLE AS rows EXECUTE FUNCTION sum_hook_events();
  CREATE TRIGGER added AFTER INSERT ON hook_dead REFERENCING NEW TABLE AS rows EXECUTE FUNCTION sum_hook_dead();
  CREATE TRIGGER removed AFTER DELETE ON hook_dead REFERENCING OLD TABLE AS rows EXECUTE FUNCTION sum_hook_dead();
  CREATE TRIGGER added AFTER INSERT ON events REFERENCING NEW TABLE AS rows EXECUTE FUNCTION sum_events();
  CREATE TRIGGER removed AFTER DELETE ON events REFERENCING OLD TABLE AS rows EXECUTE FUNCTION sum_events();
  CREATE TABLE hook_memory (name text PRIMARY KEY, text text NOT NULL);

  -- run: the node at which the device, or the member, came.
  CREATE TABLE online (
    push_id text COLLATE "C" PRIMARY KEY,
    uid text COLLATE "C",
    platform text,
    since bigint NOT NULL,
    run bigint NOT NULL
  );
  CREATE TABLE online_users (uid text COLLATE "C" PRIMARY KEY, devices bigint NOT NULL, since bigint NOT NULL);
  CREATE TABLE topic_members (
    push_id text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    since bigint NOT NULL,
    run bigint NOT NULL,
    PRIMARY KEY (push_id, topic)
  );
  CREATE TABLE topics_occupied (topic text COLLATE "C" PRIMARY KEY, members bigint NOT NULL, since bigint NOT NULL);
  CREATE TABLE lanes_resting (key text COLLATE "C" PRIMARY KEY, time bigint NOT NULL, data text NOT NULL);

  CREATE TABLE revocations (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    before bigint NOT NULL,
    drop_at bigint NOT NULL,
    PRIMARY KEY (kind, name)
  );
  CREATE INDEX revocations_by_drop ON revocations (drop_at);
  CREATE TABLE test_devices (push_id text COLLATE "C" PRIMARY KEY, note text NOT NULL, who text, at bigint NOT NULL);
  CREATE TABLE admin_users (
    name text COLLATE "C" PRIMARY KEY,
    role text NOT NULL,
    password text NOT NULL,
    since bigint NOT NULL
  );
  CREATE TABLE admin_sessions (
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    began bigint NOT NULL,
    used bigint NOT NULL,
    confirmed bigint NOT NULL
  );
  CREATE INDEX admin_sessions_by_name ON admin_sessions (name, used);
  CREATE TABLE admin_links (id text COLLATE "C" PRIMARY KEY, until bigint NOT NULL, name text COLLATE "C", role text NOT NULL);
  CREATE TABLE imports (
    source text PRIMARY KEY,
    bytes bigint NOT NULL,
    lines bigint NOT NULL,
    report text NOT NULL,
    at bigint NOT NULL
  );
  CREATE TABLE audit (
    entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time bigint NOT NULL,
    who text COLLATE "C",
    address text NOT NULL,
    action text COLLATE "C" NOT NULL,
    what text NOT NULL,
    status bigint NOT NULL,
    message text,
    request text NOT NULL
  );
  CREATE INDEX audit_by_time ON audit (time);
  CREATE INDEX audit_by_who ON audit (who, entry);
  CREATE INDEX audit_by_action ON audit (action, entry);
  `,
  `
  -- Nodes that were swept: told of for a day. stopped: it was stopped, and did not just fall silent.
  CREATE TABLE nodes_gone (
    node bigint PRIMARY KEY,
    name text NOT NULL,
    started bigint NOT NULL,
    stopped boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  `,
  functions(PER_TURN),
  `
  ALTER TABLE admin_users ADD COLUMN disabled bigint NOT NULL DEFAULT 0;
  `,
  `
  -- The last turn of each node that was done, and which of its connections may do more (turns.ts).
  CREATE TABLE commits (node bigint PRIMARY KEY, connection bigint NOT NULL DEFAULT 1, turn bigint NOT NULL DEFAULT 0)
    WITH (fillfactor = 10);
  CREATE FUNCTION note_turn(_node bigint, _connection bigint, _turn bigint) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE commits SET turn = _turn WHERE node = _node AND connection = _connection;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'another connection of this node has taken its place' USING ERRCODE = 'connection_does_not_exist';
    END IF;
  END $$;

  -- At which nodes a device is in a topic; topic_members has it once.
  CREATE TABLE topic_places (
    push_id text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    node bigint NOT NULL,
    PRIMARY KEY (push_id, topic, node)
  );
  CREATE INDEX topic_places_by_node ON topic_places (node);
  `,
  onceFunctions,
  namedByTitle,
];

export interface SchemaVersion {
  readonly major: number;
  readonly format: number;
}

/** What this pushbox writes. */
export const VERSION: SchemaVersion = { major: MAJOR, format: MIGRATIONS.length };
const FORMAT = VERSION.format;

/** Of the database: texts are of any language. */
export const ENCODING = "UTF8";
export const encodingTrouble = (encoding: string): string =>
  `this database is in ${encoding}, and texts are in ${ENCODING}: CREATE DATABASE pushbox ENCODING '${ENCODING}' TEMPLATE template0`;

/** Makes the schema when there is none, and brings an older one up to date: one node, while others wait. @returns the epoch */
export async function migrate(client: Client, schema: string): Promise<string> {
  await client.query("BEGIN");
  try {
    const { rows: found } = await client.query(
      "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number, current_setting('server_encoding') AS encoding",
    );
    if (Number(found[0]?.number) < MINIMUM)
      throw new PushError("unavailable", `this is PostgreSQL ${String(found[0]?.version)}: 15 or newer is needed`);
    if (found[0]?.encoding !== ENCODING)
      throw new PushError("unavailable", encodingTrouble(String(found[0]?.encoding)));
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", [schema]);
    const { rows } = await client.query(
      "SELECT to_regnamespace($1) IS NULL AS missing, to_regclass($2) IS NULL AS empty",
      [schema, `${schema}.meta`],
    );
    if (rows[0]?.missing === true) await client.query(`CREATE SCHEMA ${schema}`);
    const before = rows[0]?.empty === false ? await readMeta(client) : undefined;
    const { major = MAJOR, format = 0 } = before ?? {};
    refuseNewer(schema, major);
    for (const step of MIGRATIONS.slice(format)) await client.query(step);
    if (format < FORMAT) await client.query("UPDATE meta SET major = $1, format = $2", [MAJOR, FORMAT]);
    await nameOwnSchema(client, schema);
    const trouble = await rightsTrouble(client, schema);
    if (trouble !== undefined) throw new PushError("unavailable", trouble);
    const { epoch } = await readMeta(client);
    await client.query("COMMIT");
    return epoch;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

/**
 * Functions name the schema in which they look, since others call them too. One that got its name later, as by `move`, would have them look in
 * one that is not there, or is somebody else's.
 */
export async function nameOwnSchema(client: Client, schema: string): Promise<void> {
  const path = `${schema}, pg_temp`;
  await client.query(`DO $$
    DECLARE found regprocedure;
    BEGIN
      FOR found IN SELECT p.oid FROM pg_proc p, unnest(p.proconfig) AS setting
        WHERE p.pronamespace = to_regnamespace('${schema}') AND setting LIKE 'search_path=%' AND setting <> 'search_path=${path}'
          AND pg_has_role(p.proowner, 'USAGE')
      LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = ${path}', found);
      END LOOP;
    END $$`);
}

const MADE = MIGRATIONS.flatMap((text) => [...text.matchAll(/CREATE (?:UNLOGGED )?(?:TABLE|SEQUENCE) (\w+)/g)]).map(
  ([, name = ""]) => name,
);

/** Why this role cannot work with the schema, as after a copy was brought back by somebody else; undefined: it can. */
export async function rightsTrouble(client: Client, schema: string): Promise<string | undefined> {
  const { rows } = await client.query(
    `SELECT relname AS name, pg_get_userbyid(relowner) AS owner, current_user AS role FROM pg_class
     WHERE relnamespace = to_regnamespace($1) AND relname = ANY ($2) AND NOT CASE relkind
       WHEN 'S' THEN has_sequence_privilege(oid, 'USAGE')
       ELSE has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE')
         AND has_table_privilege(oid, 'DELETE') END
     ORDER BY relname`,
    [schema, MADE],
  );
  const [first, ...more] = rows as { readonly name: string; readonly owner: string; readonly role: string }[];
  if (first === undefined) return undefined;
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  return `the role ${first.role} may not use ${schema}.${first.name}${others}, which ${first.owner} owns: ALTER TABLE ${schema}.${first.name} OWNER TO ${first.role}, or bring the copy back with pg_restore as that role`;
}

function refuseNewer(schema: string, major: number): void {
  if (major > MAJOR)
    throw new PushError(
      "unavailable",
      `the schema ${schema} was made by a newer pushbox (its major version is ${major}, this one knows ${MAJOR}): start the newer one`,
    );
}

async function readMeta(client: Client): Promise<SchemaVersion & { readonly epoch: string }> {
  const { rows } = await client.query("SELECT epoch, major, format FROM meta");
  return rows[0] as SchemaVersion & { readonly epoch: string }; // the table has one row
}

/** Of a newer pushbox with the same major version it is fine: what that has added is not looked at. @throws PushError that says what to do */
export async function isThere(client: Client, schema: string): Promise<boolean> {
  const { rows } = await client.query("SELECT to_regclass($1) IS NULL AS empty", [`${schema}.meta`]);
  if (rows[0]?.empty !== false) return false;
  const { major, format } = await readMeta(client);
  refuseNewer(schema, major);
  if (major === MAJOR && format >= FORMAT) return true;
  throw new PushError(
    "unavailable",
    `the schema ${schema} is of an older pushbox (its format is ${format}, this one has ${FORMAT}): start this version on it once`,
  );
}

/** What a schema is, for the command `upgrade`; undefined: there is none. */
export async function storedVersion(client: Client, schema: string): Promise<SchemaVersion | undefined> {
  const { rows } = await client.query("SELECT to_regclass($1) IS NULL AS empty", [`${schema}.meta`]);
  return rows[0]?.empty === false ? readMeta(client) : undefined;
}
