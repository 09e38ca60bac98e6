// The engine of several processes that share a PostgreSQL. Its parts are the calls of `methods.ts`, run by turns; what nodes tell each
// other goes by the carrier.
import type { Client } from "pg";
import { wallClock } from "../../core/clock.ts";
import { PushError } from "../../core/errors.ts";
import { Traits, type VendorTraits } from "../../core/traits.ts";
import { localAdmins } from "../admins.ts";
import { brokerOver } from "../broker.ts";
import type { BatchFigures } from "../calls.ts";
import { localAudit, localCounters } from "../counters.ts";
import { localDevices } from "../devices.ts";
import { localEvents } from "../events.ts";
import { localHooks } from "../hooks.ts";
import { localOutbox } from "../jobs.ts";
import type { Keep } from "../keep.ts";
import type { LocalEngine } from "../local.ts";
import { chores, type Retention } from "../sweep.ts";
import { localTestDevices } from "../test-devices.ts";
import { Carrier } from "./carrier.ts";
import { openCluster } from "./cluster.ts";
import { connect, type DatabaseOptions, destroy, explain, hears, PLANS, type Tx, UNHEARD } from "./database.ts";
import { sharedLive } from "./live.ts";
import { methods } from "./methods.ts";
import { nodes as openNodes, SILENCE } from "./nodes.ts";
import { laneOwner } from "./owner.ts";
import { hands as openHands } from "./parcels.ts";
import { sharedRevocations } from "./revoked.ts";
import { migrate } from "./schema.ts";
import { Survey } from "./survey.ts";
import { Turns } from "./turns.ts";

export interface PostgresEngineOptions extends Retention {
  readonly database: DatabaseOptions;
  /** Names this process to people; it need not be unique. */
  readonly node: string;
  readonly keep: Keep;
  readonly arrivalDays: number;
  readonly vendors?: readonly VendorTraits[];
  /** What SQL functions check: characters of ids and topics, bytes of a message. Those of the node that was started last hold. */
  readonly limits?: { readonly id: number; readonly topic: number; readonly body: number };
  /** Told by how many milliseconds PostgreSQL's clock is ahead of this machine's, when that is news: for `setAhead`. */
  readonly onClock?: (ahead: number) => void;
  /** Told why PostgreSQL cannot be used, once each time. */
  readonly onTrouble?: (message: string) => void;
  /** The clock by which things expire, and by which leases end then. Absent: `wallClock`, and leases end by PostgreSQL's. */
  readonly now?: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed?: () => number;
  /** How long the answers of other nodes about who is online are waited for, milliseconds. */
  readonly patience?: number;
  /** After so many milliseconds without PostgreSQL clients are closed, so that they look for another node. */
  readonly silence?: number;
  /** Told of each turn that was committed, for metrics. */
  readonly onBatch?: (figures: BatchFigures) => void;
}

const PATIENCE = 300;
/** For a notification of its own when it starts, milliseconds: a busy PostgreSQL takes seconds. */
const HEARD_WITHIN = 10_000;
/** A node that vanished in the middle of a transaction holds up the others for so long. */
const VANISHED = {
  idle_in_transaction_session_timeout: "5s",
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "2",
  tcp_keepalives_count: "3",
  tcp_user_timeout: "15s",
};
/** That a node lives does not depend on a standby. */
const BEATS = { synchronous_commit: "off" };

/** Ends connections of an engine that cannot be opened. */
const letGo =
  (...clients: readonly Client[]) =>
  (error: unknown): never => {
    for (const client of clients) client.end().catch(() => {});
    throw error;
  };

/** Rejects with a `PushError` that says what to do when PostgreSQL cannot be used. */
export async function openPostgresEngine(options: PostgresEngineOptions): Promise<LocalEngine> {
  try {
    return await open(options);
  } catch (error) {
    throw explain(error);
  }
}

async function open(options: PostgresEngineOptions): Promise<LocalEngine> {
  const { database, keep, arrivalDays, vendors = [], silence = SILENCE } = options;
  const now = options.now ?? wallClock;
  const traits = new Traits(vendors);
  const topic = `pushbox_${database.schema}`;
  const named = (purpose: string): DatabaseOptions => ({ ...database, name: `pushbox ${options.node} ${purpose}` });
  let trouble: string | undefined;
  const onTrouble = (message: string | undefined): void => {
    if (message !== undefined && message !== trouble) options.onTrouble?.(message);
    trouble = message;
    events.committed(message === undefined ? {} : { trouble: message });
  };

  const first = await connect(named("beat"));
  const listening = await connect(named("listen")).catch(letGo(first));
  const epoch = await prepare().catch(letGo(first, listening));
  async function prepare(): Promise<string> {
    // Else no client of this node would get anything.
    if (!(await hears(listening, first, HEARD_WITHIN))) throw new PushError("unavailable", UNHEARD);
    return await migrate(first, database.schema);
  }
  await first.query("UPDATE meta SET limits = $1", [JSON.stringify({ ...options.limits, keep, arrivalDays })]);
  await first.query("SELECT set_config('synchronous_commit', $1, false)", [BEATS.synchronous_commit]);
  const carrier = new Carrier({
    topic,
    connect: (purpose) => connect(named(purpose), purpose === "notify" ? { synchronous_commit: "off" } : {}),
    onTrouble: (message) => (message === undefined ? undefined : onTrouble(message)),
    onHeard(node) {
      if (nodes.met(node)) carrier.prepare();
    },
    onRegained: () => revocations.catchUp(),
    patience: silence,
  });
  const nodes = await openNodes(first, {
    name: options.node,
    started: now(),
    ...(options.now === undefined ? {} : { now: options.now }),
    onClock: (ahead) => options.onClock?.(ahead),
    connect: () => connect(named("beat"), BEATS),
    onReturn() {
      for (const hub of carrier.hubs) hub.lost();
      void (async () => {
        for (const hub of carrier.hubs) await hub.regained();
      })();
    },
    onGone: (gone) => void sweepGone(gone).catch(() => {}), // with the next beat
    onBeat: () => carrier.check(),
    patience: silence,
    onSilence() {
      carrier.cut();
      turns.cut();
      reading?.then(destroy, () => {});
    },
  });
  carrier.node = nodes.node();
  let reading: Promise<Client> | undefined;
  const read = (): Tx => ({
    async query(statement) {
      reading ??= connect(named("read"));
      const at = reading;
      try {
        return await (await at).query(statement);
      } catch (error) {
        at.then((client) => client.end()).catch(() => {});
        if (reading === at) reading = undefined;
        throw explain(error);
      }
    },
    later: () => {},
  });
  const hands = openHands(carrier, nodes.alone, read);
  const { methods: all, parts } = methods({
    keep,
    arrivalDays,
    traits,
    started: now(),
    epoch,
    topic,
    hands,
    nodes,
    onWritten: (newest) => events.committed({ events: newest }),
  });
  const totals = { batches: 0, calls: 0, workMs: 0, commitMs: 0 };
  const turns = new Turns(
    nodes.node(),
    database.schema,
    () => connect(named("turns"), { ...PLANS, ...VANISHED }),
    all,
    parts,
    (figures) => {
      totals.batches++;
      totals.calls += figures.calls;
      totals.workMs += figures.work;
      totals.commitMs += figures.commit;
      options.onBatch?.(figures);
    },
    onTrouble,
  );
  const survey = new Survey(carrier, nodes, read, options.patience ?? PATIENCE);
  const cluster = openCluster(options.node, carrier, nodes, survey, read);
  const broker = brokerOver(turns, carrier.hubs, sharedLive(carrier.hubs, nodes, survey), hands);
  const events = localEvents(turns, now, options.elapsed ?? (() => performance.now()));
  const hooks = localHooks(turns, events, now);
  const revocations = sharedRevocations(turns, carrier, read, now);
  const owner = laneOwner(turns, nodes, options.elapsed ?? (() => performance.now()));
  carrier.on("e", ({ node, text }) => {
    if (node !== nodes.node()) events.committed({ events: Number(text) });
  });
  async function sweepGone(which?: readonly number[]): Promise<void> {
    let gone: readonly number[] = [];
    await turns.step(async (turn) => {
      gone = await nodes.sweep(turn, now(), which);
    });
    if (gone.length === 0) return;
    events.lookAgain();
    cluster.work();
    cluster.tell("work", null); // another one may own by now what was waiting for this
  }
  await carrier.start(listening);
  // Whoever came since the first look either hears the question, or is seen now.
  await nodes.look();
  if (!nodes.alone()) await broker.live.sessions();
  await sweepGone();
  const sweeping = chores(turns, events, hooks, now, options);
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    sweeping.stop();
    await turns.drain(new PushError("unavailable", "the store is closed"));
    await carrier.stop();
    await reading?.then((client) => client.end()).catch(() => {});
    await nodes.stop();
  }

  return {
    admins: localAdmins(turns),
    devices: localDevices(turns, now),
    events,
    hooks,
    broker,
    live: broker.live,
    cluster,
    outbox: { ...localOutbox(turns, broker, sweeping.walk, nodes.now, traits), ...owner },
    counters: localCounters(turns),
    audit: localAudit(turns),
    testDevices: localTestDevices(turns),
    revocations,
    backup: () =>
      Promise.reject(new PushError("invalid", "PostgreSQL has its own backups: use pg_dump, or archive its log")),
    close() {
      closing ??= close();
      return closing;
    },
    probe: () =>
      carrier.deaf
        ? Promise.reject(
            new PushError("unavailable", "PostgreSQL: what other nodes tell has not been heard for a while"),
          )
        : turns.call("probe", []),
    statistics: () => ({ ...totals, queued: turns.length, waiting: sweeping.waiting(), databaseBytes: 0, logBytes: 0 }),
  };
}
