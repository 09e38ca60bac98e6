// Everything that can happen to notifications, in random order, on PostgreSQL: see outbox-random.ts.
import t from "tap";
import { Traits } from "../../src/core/traits.ts";
import { connect, type DatabaseOptions } from "../../src/engine/postgres/database.ts";
import { methods } from "../../src/engine/postgres/methods.ts";
import type { Nodes } from "../../src/engine/postgres/nodes.ts";
import type { Hands } from "../../src/engine/postgres/parcels.ts";
import { migrate } from "../../src/engine/postgres/schema.ts";
import { Turns } from "../../src/engine/postgres/turns.ts";
import { postgres } from "../support/postgres.ts";
import { randomSteps, type Store } from "./outbox-random.ts";
import { T } from "./steps.ts";

const STEPS = Number(process.env["PUSHBOX_RANDOM_STEPS"] ?? 600);

// As in balance.ts.
const WRONG = [
  `SELECT j.job, j.queued, j.waiting, j.accepted, j.finished_at, j.expanded, j.cancelled FROM (
     SELECT j.*, count(d.delivery) FILTER (WHERE d.lane IS NOT NULL OR d.state = 7) AS has_queued,
       count(d.delivery) FILTER (WHERE d.due IS NOT NULL) AS has_waiting, count(d.delivery) FILTER (WHERE d.state = 4) AS has_accepted,
       count(d.delivery) FILTER (WHERE d.state BETWEEN 5 AND 8) AS has_failed,
       (SELECT coalesce(sum(total), 0) FROM job_failures f WHERE f.job = j.job) AS failed
     FROM jobs j LEFT JOIN deliveries d ON d.job = j.job WHERE j.drop_at IS DISTINCT FROM 0 GROUP BY j.job) j
   WHERE j.queued <> has_queued OR j.waiting <> has_waiting OR j.accepted <> has_accepted OR failed <> has_failed
     OR (j.finished_at IS NOT NULL) <> (j.waiting = 0 AND (j.expanded = 1 OR j.cancelled = 1))`,
  `SELECT l.lane, l.open FROM lanes l LEFT JOIN deliveries d ON d.lane = l.lane AND d.due IS NOT NULL
   GROUP BY l.lane HAVING l.open <> count(d.delivery)`,
  "SELECT delivery, state, due FROM deliveries WHERE (due IS NOT NULL) <> (state BETWEEN 1 AND 3)",
  "SELECT delivery, lease FROM deliveries WHERE (lease IS NOT NULL) <> (state = 2)",
  "SELECT job FROM deliveries WHERE job NOT IN (SELECT job FROM jobs)",
  `SELECT "user" FROM deliveries WHERE "user" IS NOT NULL AND "user" NOT IN (SELECT "user" FROM users)`,
  `SELECT device FROM deliveries WHERE device NOT IN (SELECT device FROM devices) AND device NOT IN (SELECT device FROM departed)`,
  "SELECT device FROM departed WHERE device IN (SELECT device FROM devices)",
];

/** Nobody listens. */
const silent: Hands = {
  stored: (parcels) => parcels,
  now: () => 0,
  one: () => 0,
  handOver: () => () => true,
  tell: async () => {},
  expect: () => 1,
  heard: async () => [],
  forget() {},
  settle() {},
};

const server = await postgres(t);
if (server === undefined) t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
else
  await t.test(`after ${STEPS} random steps all sums agree`, async (t) => {
    const database: DatabaseOptions = { url: await server.database(), schema: "pushbox" };
    const looking = await connect(database);
    const epoch = await migrate(looking, database.schema);
    await looking.query("SET search_path = pushbox");
    let now = T;
    const only = { node: () => 1, alone: () => true, leaseTime: () => now } as Partial<Nodes> as Nodes; // no other is asked for
    const keep = { default: 10, prefixes: [] };
    const made = {
      keep,
      arrivalDays: 30,
      traits: new Traits([]),
      started: T,
      epoch,
      topic: "topic",
      hands: silent,
      nodes: only,
    };
    const { methods: table, parts } = methods({ ...made, onWritten: () => {} });
    const turns = new Turns(1, database.schema, () => connect(database), table, parts);
    const store: Store = {
      call(name, args) {
        if (name === "claim") now = args[2] as number; // the time at which it is claimed
        return turns.call(name, args as never);
      },
      async unbalanced() {
        const found: unknown[] = [];
        for (const query of WRONG) found.push(...(await looking.query(query)).rows);
        return found;
      },
      async cell(query) {
        return Number(Object.values((await looking.query(query)).rows[0] as object)[0]);
      },
      restart: async () => {},
    };
    await randomSteps(t, store, 1, STEPS);
    await turns.drain(new Error("closed"));
    await looking.end();
  });
