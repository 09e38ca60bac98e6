// The least that PostgreSQL has to do for what a node of a cluster does: the same statements on the same tables, in a loop.
import type { Client } from "pg";
import { topicChannel } from "../../src/core/packet.ts";
import { connect } from "../../src/engine/postgres/database.ts";
import { migrate } from "../../src/engine/postgres/schema.ts";

export interface Load {
  readonly callers: number;
  readonly seconds: number;
  readonly topics: number;
  /** Deliveries. */
  readonly count: number;
}

/** What a hub was handed since it was asked last; milliseconds from the call at another node. */
export interface Seen {
  readonly received: number;
  readonly disorder: number;
  readonly repeats: number;
  readonly p50: number;
  readonly p99: number;
}

/** What a process of a cluster can be told to do. Each resolves with the calls that were made. */
export interface Work {
  kept(load: Load): Promise<number>;
  live(load: Load): Promise<number>;
  /** Devices that `hellos` and `fill` need. */
  meet(load: Load): Promise<void>;
  hellos(load: Load): Promise<number>;
  /** Deliveries for `claims`. */
  fill(load: Load): Promise<void>;
  claims(load: Load): Promise<number>;
  seen(): Promise<Seen>;
  stop(): Promise<void>;
}

export const DEVICES = 5000;
export const CLAIM = 500;
export const HOUR = 3_600_000;
export const deviceOf = (i: number): string => `device-${String(i).padStart(12, "0")}`;
/** Of a packet of about 250 bytes. */
export const bodyOf = (by: string): string =>
  JSON.stringify({ at: performance.timeOrigin + performance.now(), by, text: "x".repeat(180) });

const TOPIC = "bare";
/** PostgreSQL's bound of a message, and what each has in front of it. */
const MESSAGE = 7800;
const SETTINGS = { plan_cache_mode: "force_generic_plan", enable_seqscan: "off", jit: "off" };

const APPEND = "SELECT append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
const NOTIFY = "SELECT pg_notify($1, message) FROM unnest($2::text[]) AS message";
const HELLO = `
  WITH seen AS (
    INSERT INTO devices (device, push_id, platform, create_time, update_time)
    SELECT nextval('devices_seq'), push_id, 'android', $2, $2 FROM unnest($1::text[]) AS push_id ORDER BY push_id
    ON CONFLICT (push_id) DO UPDATE SET update_time = excluded.update_time RETURNING push_id)
  INSERT INTO sessions (push_id, node) SELECT push_id, 1 FROM seen ON CONFLICT DO NOTHING`;
const FILL = `
  INSERT INTO deliveries (delivery, job, device, lane, state, bulk, due, queued_at, push_id, type, token)
  SELECT nextval('deliveries_seq'), 1, i, 1, 1, 1, $1, $1, 'device-' || i, 'fcm', rpad('token-' || i, 140, 'x')
  FROM generate_series(1, $2::int) AS i`;
const CLAIMED = `
  UPDATE deliveries d SET state = 2, lease = 5, due = $1, sent_at = $1 FROM (
    SELECT delivery FROM deliveries WHERE lane = 1 AND state = 1 AND bulk = 1 AND due <= $1
    ORDER BY due, delivery LIMIT ${CLAIM} FOR UPDATE SKIP LOCKED) x
  WHERE d.delivery = x.delivery RETURNING d.delivery, job, push_id, type, token, attempts`;
const SETTLED = `
  UPDATE deliveries d SET state = 4, due = NULL, settled_at = $1, receipt = r
  FROM unnest($2::bigint[], $3::text[]) AS u(delivery, r) WHERE d.delivery = u.delivery AND state = 2 AND lease = 5`;

/** The arguments of `append` for a turn in which so many callers publish to one topic each, from this one on. */
function turnOf({ callers, topics }: Load, from: number): unknown[] {
  const each = Array.from({ length: callers }, (_, i) => i);
  const channels = each.map((i) => topicChannel(`room${(from + i) % topics}`)).sort();
  const of = (value: number | string) => each.map(() => value);
  const expires = Date.now() + HOUR;
  const dropped = Math.ceil(expires / HOUR) * HOUR; // as the engine does: it changes no index
  const body = bodyOf(TOPIC);
  const tails: string[] = [];
  const items: string[] = [];
  let size = 0;
  for (const i of each) {
    const item = JSON.stringify([i, channels[i], "p", `packet-${i}`, expires, body]);
    if (size + item.length > MESSAGE) {
      tails.push(`|[${items.splice(0).join()}]`);
      size = 0;
    }
    size += item.length + 1;
    items.push(item);
  }
  tails.push(`|[${items.join()}]`);
  return [
    ...[channels, of(1), of(10), each, of(dropped)],
    ...[each.map((i) => i + 1), of(1), each, of(0), each.map((i) => `packet-${i}`), of("p"), of(body)],
    ...[of(expires), of(dropped), TOPIC, tails.map((_, i) => `k0.0.${i}|`), tails],
  ];
}

export async function bareNode(url: string): Promise<Work> {
  const database = { url, schema: "pushbox" };
  const open = (): Promise<Client> => connect({ ...database, name: TOPIC }, SETTINGS);
  const client = await open();
  await migrate(client, database.schema);
  const notifier = await connect({ ...database, name: TOPIC }, { synchronous_commit: "off" });
  const listener = await open();
  await listener.query(`LISTEN ${TOPIC}`);
  const query = (at: Client, name: string, text: string, values: unknown[]) => at.query({ name, text, values });
  /** One statement after the other for so long. */
  async function loop(seconds: number, each: (i: number) => Promise<number>): Promise<number> {
    let calls = 0;
    for (const until = performance.now() + seconds * 1000; performance.now() < until; ) calls += await each(calls);
    return calls;
  }
  return {
    async kept(load) {
      // Nobody waits for what it notifies.
      await listener.query(`UNLISTEN ${TOPIC}`);
      const calls = await loop(load.seconds, async (i) => {
        await query(client, "append", APPEND, turnOf(load, i));
        return load.callers;
      });
      await listener.query(`LISTEN ${TOPIC}`);
      return calls;
    },
    live: ({ callers, seconds, topics }) =>
      loop(seconds, async (i) => {
        const items = Array.from({ length: callers }, (_, k) =>
          JSON.stringify([-1, topicChannel(`room${(i + k) % topics}`), "p", `packet-${i + k}`, 0, bodyOf(TOPIC)]),
        );
        await query(notifier, "notify", NOTIFY, [TOPIC, items]);
        return callers;
      }),
    async meet() {},
    hellos: ({ callers, seconds }) =>
      loop(seconds, async (i) => {
        const pushIds = Array.from({ length: callers }, (_, k) => deviceOf((i + k) % DEVICES));
        await query(client, "hello", HELLO, [pushIds, Date.now()]);
        return callers;
      }),
    async fill({ count }) {
      await query(client, "fill", FILL, [Date.now(), count]);
    },
    async claims({ count }) {
      const now = Date.now() + HOUR;
      let done = 0;
      while (done < count) {
        const { rows } = await query(client, "claim", CLAIMED, [now]);
        if (rows.length === 0) break;
        const deliveries = rows.map(({ delivery }) => delivery as number);
        await query(client, "settle", SETTLED, [now, deliveries, deliveries.map((one) => `r${one}`)]);
        done += rows.length;
      }
      return done;
    },
    seen: () => Promise.reject(new Error("it hands nothing over")),
    async stop() {
      for (const one of [client, notifier, listener]) await one.end();
    },
  };
}
