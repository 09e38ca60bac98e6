// Devices into and out of a schema without its nodes: as ../import.ts does with a data directory.
import type { Client } from "pg";
import { PushError } from "../../core/errors.ts";
import type { ImportedDevice } from "../../core/import.ts";
import { Traits } from "../../core/traits.ts";
import { type DeviceImport, type DeviceRow, toDevice } from "../import.ts";
import { verdictOf } from "../sqlite/import.ts";
import { Carrier } from "./carrier.ts";
import { Column, connect, type DatabaseOptions, explain, PLANS, Statement, type Tx } from "./database.ts";
import { importing } from "./import.ts";
import { methods } from "./methods.ts";
import { nodes as openNodes, refuseRunning, SILENCE } from "./nodes.ts";
import { hands } from "./parcels.ts";
import { isThere, migrate } from "./schema.ts";
import { Turn, Turns } from "./turns.ts";

/** Nothing is kept of packets here, and nobody reads statistics. */
const UNUSED = { keep: { default: 1, prefixes: [] }, arrivalDays: 1 };

const NAME = "pushbox import";

const total = new Column<[], number>("SELECT count(*) FROM devices");

const txOf = (client: Client): Tx => ({ query: (statement) => client.query(statement), later: () => {} });

/**
 * Makes the schema when it is missing.
 * @param source names what is imported, for going on later
 * @throws PushError that says what to do
 */
export async function openPostgresImport(
  database: DatabaseOptions,
  source: string,
  now: () => number = Date.now,
): Promise<DeviceImport> {
  const { schema } = database;
  const open = (settings = {}): Promise<Client> => connect({ ...database, name: NAME }, settings);
  const first = await open();
  try {
    const epoch = await migrate(first, schema);
    await refuseRunning(first, schema);
    const nodes = await openNodes(first, {
      name: NAME,
      started: now(),
      onClock() {},
      connect: open,
      onReturn() {},
      onGone() {},
      async onBeat() {},
      patience: SILENCE,
      onSilence() {},
    });
    // Nothing is handed over: it never listens.
    const carrier = new Carrier({
      topic: `pushbox_${schema}`,
      connect: () => open(),
      onTrouble() {},
      onHeard() {},
      async onRegained() {},
      patience: SILENCE,
    });
    const { methods: all, parts } = methods({
      ...UNUSED,
      traits: new Traits([]),
      started: now(),
      epoch,
      topic: `pushbox_${schema}`,
      hands: hands(carrier, nodes.alone, () => txOf(first)),
      nodes,
      onWritten() {},
    });
    const turns = new Turns(nodes.node(), schema, () => open(PLANS), all, parts);
    return {
      before: await turns.call("importBegun", [source]),
      take: (devices, after) => turns.call("importDevices", [devices, now(), source, after]),
      finish: () => turns.call("importEnded", [source]),
      count: () => turns.call("countDevices", []),
      async close() {
        await turns.drain(new PushError("unavailable", "the import has ended"));
        await nodes.stop();
      },
    };
  } catch (error) {
    await first.end().catch(() => {});
    throw explain(error);
  }
}

/** What `openPostgresImport` would do, by what is stored now. Nodes may run. */
export async function rehearsePostgresImport(
  database: DatabaseOptions,
  now: () => number = Date.now,
): Promise<DeviceImport> {
  const client = await connect({ ...database, name: NAME }, { default_transaction_read_only: "on" });
  const forbidden = (): never => {
    throw new Error("nothing is written");
  };
  const there = await isThere(client, database.schema).catch(async (error: unknown) => {
    await client.end().catch(() => {});
    throw explain(error);
  });
  const devices = importing({ deleteDevices: forbidden, recount: forbidden });
  return {
    before: undefined,
    take: async (list) =>
      there
        ? devices.importDevices(new Turn(client), list, now())
        : list.map((one) => verdictOf(one, undefined, () => [])),
    async finish() {},
    count: async () => (there ? ((await total.get(txOf(client))) ?? 0) : 0),
    close: () => client.end().catch(() => {}),
  };
}

/** Rows that are read at once. */
const PAGE = 1000;
const page = new Statement<[number, number], DeviceRow>(`
  SELECT device, push_id, uid, uid_ttl, platform, tags, type, token, package, create_time, update_time, last_seen
  FROM devices WHERE device > ? ORDER BY device LIMIT ?`);

/** Every device, page by page, in the order in which they came. Nodes may run: each page is as of its moment. */
export async function* listPostgresDevices(database: DatabaseOptions): AsyncGenerator<readonly ImportedDevice[]> {
  const client = await connect({ ...database, name: "pushbox export" }, { default_transaction_read_only: "on" });
  try {
    if (!(await isThere(client, database.schema)))
      throw new PushError(
        "invalid",
        `there is no schema ${database.schema} of pushbox: name it with --postgres-schema`,
      );
    for (let last = 0; ; ) {
      const rows = await page.all(txOf(client), last, PAGE);
      if (rows.length > 0) yield rows.map(toDevice);
      if (rows.length < PAGE) return;
      last = rows.at(-1)!.device;
    }
  } catch (error) {
    throw explain(error);
  } finally {
    await client.end().catch(() => {});
  }
}
