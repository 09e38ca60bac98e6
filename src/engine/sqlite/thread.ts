// The storage thread: the only one that touches SQLite. A message is the calls of a turn; they run in one transaction and are
// answered by one message after its commit.
import { existsSync, readlinkSync, statSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import type { MessagePort } from "node:worker_threads";
import type Database from "better-sqlite3";
import type { Content, Staged } from "../../core/copies.ts";
import type { Evidence } from "../../core/engine.ts";
import { type ErrorCode, PushError } from "../../core/errors.ts";
import type { Wanted } from "../../core/events.ts";
import { Traits, type VendorTraits } from "../../core/traits.ts";
import { checkBackup, copyDatabase, putStaged, stage } from "../backup.ts";
import { databaseFile, lockDirectory } from "../directory.ts";
import type { Keep } from "../keep.ts";
import type { Packed, ParcelRow } from "../rows.ts";
import { Wants } from "../wants.ts";
import { addressees } from "./addressees.ts";
import { admins } from "./admins.ts";
import { auditTable } from "./audit.ts";
import { counters } from "./counters.ts";
import { type Counts, counts } from "./counts.ts";
import { deadLetters } from "./deadletters.ts";
import { deliveries } from "./deliveries.ts";
import { devices } from "./devices.ts";
import { type EventLog, eventLog } from "./events.ts";
import { failures } from "./failures.ts";
import { explain, isRoomFault, isStoreFault } from "./faults.ts";
import { openAlone, openDatabase, openFile, type Synchronous } from "./file.ts";
import { type Finished, finished } from "./finished.ts";
import { Journal } from "./fresh.ts";
import { type HookTable, hookTable } from "./hooks.ts";
import { importing } from "./import.ts";
import { outbox } from "./jobs.ts";
import { listing, type Place } from "./listing.ts";
import { type LogSums, logSums } from "./logsums.ts";
import { type PackedCalls, unpack } from "./message.ts";
import { calls } from "./once.ts";
import { online } from "./online.ts";
import { orders } from "./orders.ts";
import { type Packets, packets } from "./packets.ts";
import { presence } from "./presence.ts";
import { probe } from "./probe.ts";
import { type Progress, progress } from "./progress.ts";
import { reach } from "./reach.ts";
import { receipts } from "./receipts.ts";
import { revocations } from "./revocations.ts";
import { type Sequences, sequences } from "./sequences.ts";
import { sweep } from "./sweep.ts";
import { testDevices } from "./test-devices.ts";

/** What the thread is started with. A second, short-lived one makes or reads copies, so that nobody waits for it. */
export type ThreadData =
  | {
      readonly task: "store";
      readonly dataDir: string;
      readonly synchronous: Synchronous;
      readonly keep: Keep;
      readonly arrivalDays: number;
      readonly vendors?: readonly VendorTraits[];
      readonly started: number;
    }
  | CopyOrder;

export type CopyOrder =
  | { readonly task: "backup"; readonly source: string; readonly target: string }
  | { readonly task: "check"; readonly file: string }
  | {
      readonly task: "stage";
      readonly source: string;
      readonly dataDir: string;
      readonly staged?: Pick<Staged, "name" | "who" | "at">;
    };

export type Request =
  | { readonly kind: "batch"; readonly calls: PackedCalls }
  | { readonly kind: "backup"; readonly target: string }
  | { readonly kind: "close" };

export type Reply =
  | { readonly kind: "ready"; readonly trouble?: string; readonly restored?: Staged }
  | ({ readonly kind: "batch" } & BatchReply)
  | { readonly kind: "backup"; readonly failure?: Failure; readonly content?: Content }
  | { readonly kind: "closed" }
  | { readonly kind: "failed"; readonly failure: Failure };

export interface BatchReply {
  /** One per call, in order; undefined for a call that failed. */
  readonly results: readonly unknown[];
  readonly failures: readonly (readonly [index: number, failure: Failure])[];
  /** Milliseconds in the calls, and in the commit. */
  readonly work: number;
  readonly commit: number;
  /** The newest event, if any was written. */
  readonly events?: number;
  /** Why nothing could be written. */
  readonly trouble?: string;
}

/** An error that can cross to another thread. Without a code it is a bug. */
export interface Failure {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly stack?: string;
}

export type Methods = ReturnType<typeof methods>;
export type MethodName = keyof Methods;
export type Call = readonly [method: MethodName, args: readonly unknown[]];

type StoreData = Extract<ThreadData, { task: "store" }>;

function methods(
  db: Database,
  data: StoreData,
  numbers: Sequences,
  kept: Packets,
  counted: Counts,
  tallied: Progress,
  traits: Traits,
  log: EventLog,
  logged: LogSums,
  ends: Finished,
  hooks: HookTable,
  wants: Wants,
  reading: boolean,
) {
  const { append, sweepPackets } = kept;
  const known = addressees(db, numbers.device);
  const here = presence(db, data.started, reading);
  const present = online(db, log, wants, here.run, data.started);
  const devicesTable = devices(db, kept, here, numbers, known, traits, present, log);
  const repeatable = calls(db, kept);
  const told = receipts(db, counted, known, devicesTable, traits, log);
  const looking = listing(db, known);
  const { sweepHours, ...figures } = counters(db, looking, told);
  const reaching = reach(db, tallied, known);
  const { add, ...accepting } = outbox(db, kept, counted, tallied, known, repeatable, ends, reaching, numbers.delivery);
  const {
    jobs,
    jobsByNumber,
    lastJobTo,
    jobsOfId,
    notification,
    deliveries: deliveriesOf,
    deliveriesAt,
    vendorIds,
    traceable,
  } = looking;
  return {
    append: (...parcels: Packed<ParcelRow>): number => append(parcels), // the whole call is one list: see message.ts
    sweepPackets,
    ...devicesTable,
    ...accepting,
    ...failures(db, add),
    ...deliveries(db, tallied, devicesTable, traits, reaching),
    ...orders(db, ends),
    ...importing(db, devicesTable, numbers),
    ...revocations(db),
    ...figures,
    /** Whoever tells that a message has come acknowledges it, also to a server that does not know any more whom it sent it to. */
    arrived(evidence: readonly Evidence[], now: number): void {
      figures.arrived(evidence, now);
      const told = evidence.filter(({ counter }) => counter === "arrive_android");
      reaching.acknowledge(
        told.map(({ id, pushId }) => [id, pushId] as const),
        now,
      );
    },
    ...sweep(db, known, repeatable, reaching.forgetReached, sweepHours),
    acknowledge: reaching.acknowledge,
    reachedSums: reaching.reachedSums,
    reachedUsers: reaching.reachedUsers,
    received: told.received,
    jobs,
    jobsByNumber,
    lastJobTo,
    jobsOfId,
    notification,
    deliveriesOf(id: string, after: Place, limit: number) {
      kept.writeAll(); // it looks for packets
      return deliveriesOf(id, after, limit);
    },
    deliveriesAt(id: string, pushId: string) {
      kept.writeAll();
      return deliveriesAt(id, pushId);
    },
    vendorIds,
    traceable,
    /** What was written before is not undone. @returns the epoch of the log */
    want(wanted: Wanted, topicsChanged: boolean): string {
      wants.use(wanted);
      hooks.use(wanted.hooks);
      if (!wants.tracksDevices) present.drop("devices");
      if (!wants.tracksTopics) present.drop("topics");
      else if (topicsChanged) present.dropOtherTopics();
      return log.epoch;
    },
    noteEvents: present.noteEvents,
    presentDevices: present.presentDevices,
    listEvents: log.list,
    newestEvent: log.newest,
    tellAbsent: present.tellAbsent,
    /** Whether there may be more to do. */
    sweepEvents: (now: number, keep: number, limit: number): boolean =>
      (log.wants("uid.unbound") && devicesTable.endBindings(now, limit)) || log.sweepLog(now - keep, limit),
    claimEvents: hooks.claimEvents,
    settleEvents: hooks.settleEvents,
    hurryEvents: hooks.hurryEvents,
    ...deadLetters(db, hooks, logged),
    hookMemory: hooks.hookMemory,
    memorize: hooks.memorize,
    probe: probe(db),
    ...auditTable(db),
    ...testDevices(db),
    ...admins(db),
    appendOnce: repeatable.appendOnce,
    handed: repeatable.handed,
  };
}

export interface Store {
  /** There is no room on the disk: until there is, it only reads. */
  readonly trouble?: string;
  /** A copy that was put in the place of the data at this start. */
  readonly restored?: Staged;
  /** Never throws. All in one transaction; a call that fails is undone alone, and the others stand. */
  run(calls: readonly Call[]): BatchReply;
  /** Answers what only reads; what would write is refused because of the fault. */
  read(calls: readonly Call[], fault: unknown): BatchReply;
  /** Into a new file, while calls go on. Rejects with a `PushError`. */
  backup(target: string): Promise<void>;
  /** Writes first what only memory knows of tokens. */
  close(): void;
}

/** @throws PushError when the store cannot be used; but a full disk is no reason to serve nobody: see `trouble` */
function openStore(data: StoreData): Store {
  const wants = new Wants();
  if (data.dataDir === ":memory:") return store(openDatabase(":memory:", data.synchronous), data, false, wants);
  const lock = lockDirectory(data.dataDir);
  const file = databaseFile(data.dataDir);
  try {
    const restored = putStaged(data.dataDir);
    const opened = openOrWait(file, data, wants);
    return {
      ...opened,
      ...(restored === undefined ? {} : { restored }),
      close() {
        opened.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw explain(error, file);
  }
}

/** Milliseconds between two looks whether there is room again. */
const LOOK_FOR_ROOM = 1000;

function openOrWait(file: string, data: StoreData, wants: Wants): Store {
  const open = (): Store => stored(openDatabase(file, data.synchronous), data, false, wants);
  const existed = existsSync(file) && statSync(file).size > 0;
  try {
    return open();
  } catch (error) {
    // A new server is told at once; one that served before goes on with what it can.
    if (!existed || !isRoomFault(error)) throw error;
    return waiting(open, () => stored(openAlone(file, data.synchronous), data, true, wants), explain(error, file));
  }
}

/** Closes what cannot be made a store of: open, it would keep the next one out. */
function stored(db: Database, data: StoreData, reading: boolean, wants: Wants): Store {
  try {
    return store(db, data, reading, wants);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Reads, as a store does whose disk filled up while it ran, until it can be opened as it should be. */
function waiting(open: () => Store, openReading: () => Store, fault: Error): Store {
  let now = openReading();
  let opened = false;
  let lookAt = performance.now() + LOOK_FOR_ROOM;
  function look(): void {
    now.close();
    try {
      now = open();
      opened = true;
    } catch {
      now = openReading();
    }
    lookAt = performance.now() + LOOK_FOR_ROOM;
  }
  return {
    trouble: fault.message,
    run(calls) {
      if (!opened && performance.now() >= lookAt) look();
      return opened ? now.run(calls) : now.read(calls, fault);
    },
    read: (calls, why) => now.read(calls, why),
    backup: (target) => now.backup(target),
    close: () => now.close(),
  };
}

/** On an open database; `run` never throws. @param reading it is never written: only `read` is called */
export function store(db: Database, data: StoreData, reading = false, wants = new Wants()): Store {
  const traits = new Traits(data.vendors ?? []);
  const numbers = sequences(db);
  const kept = packets(db, data.keep, numbers);
  const counted = counts(db, data.arrivalDays);
  const journal = new Journal();
  const hooks = hookTable(db, numbers.lastEvent, journal);
  if (!reading) hooks.release();
  hooks.use(wants.hooks);
  const logged = logSums(db, journal);
  const log = eventLog(db, wants, hooks, logged, numbers.event);
  const ends = finished(db, log);
  const tallied = progress(db, counted, traits, ends);
  const table = methods(db, data, numbers, kept, counted, tallied, traits, log, logged, ends, hooks, wants, reading);
  const begin = db.prepare<[]>("BEGIN IMMEDIATE");
  const beginReading = db.prepare<[]>("BEGIN");
  const commit = db.prepare<[]>("COMMIT");
  const rollback = db.prepare<[]>("ROLLBACK");
  const savepoint = db.prepare<[]>("SAVEPOINT call");
  const release = db.prepare<[]>("RELEASE call");
  const undo = db.prepare<[]>("ROLLBACK TO call");

  function perform([name, args]: Call): unknown {
    const method = table[name] as (...args: readonly unknown[]) => unknown; // the sender's `call` checked the arguments
    return method(...args);
  }

  /** What it appended is written at once, so that a fault is this call's. */
  function performAlone(call: Call): unknown {
    const mark = hooks.mark();
    try {
      const result = perform(call);
      kept.writeAll();
      return result;
    } catch (error) {
      hooks.undo(mark);
      kept.forget();
      table.recount();
      throw error;
    }
  }

  function run(calls: readonly Call[]): BatchReply {
    const started = performance.now();
    try {
      begin.run();
      const results = calls.map(perform);
      return committed(results, [], started);
    } catch (error) {
      hooks.undo(0);
      kept.forget();
      tallied.forget();
      table.recount();
      if (db.inTransaction) rollback.run();
      return isStoreFault(error) ? readOnly(calls, error, started) : oneByOne(calls, started);
    }
  }

  function committed(results: unknown[], failures: [number, Failure][], started: number): BatchReply {
    kept.writeAll();
    hooks.save();
    numbers.save();
    const worked = performance.now();
    commit.run();
    numbers.saved();
    hooks.saved();
    tallied.saved();
    const events = log.takeWritten();
    const figures = { results, failures, work: worked - started, commit: performance.now() - worked };
    return events === 0 ? figures : { ...figures, events };
  }

  /** A call threw: the same again, so that only its own changes are undone. The usual batch need not pay for savepoints. */
  function oneByOne(calls: readonly Call[], started: number): BatchReply {
    const failures: [number, Failure][] = [];
    try {
      begin.run();
      const results = calls.map((call, index) => {
        savepoint.run();
        try {
          return performAlone(call);
        } catch (error) {
          if (isStoreFault(error)) throw error;
          undo.run();
          failures.push([index, failure(error)]);
          return undefined;
        } finally {
          if (db.inTransaction) release.run();
        }
      });
      return committed(results, failures, started);
    } catch (error) {
      hooks.undo(0);
      tallied.forget();
      table.recount();
      if (db.inTransaction) rollback.run();
      return readOnly(calls, error, started);
    }
  }

  /** The store cannot be written: what only reads is answered all the same, so clients can still connect. */
  function readOnly(calls: readonly Call[], fault: unknown, started: number): BatchReply {
    const { message, ...rest } = failure(explain(fault, db.name));
    const refused = { ...rest, message: `${message}; until then only reading works` };
    const failures: [number, Failure][] = [];
    try {
      db.pragma("query_only = ON");
      beginReading.run();
      const results = calls.map(([name, args], index) => {
        try {
          // A phone that comes is let in all the same.
          return performAlone([name === "connect" ? "connectUnstored" : name, args]);
        } catch {
          failures.push([index, refused]);
          return undefined;
        }
      });
      return { results, failures, work: performance.now() - started, commit: 0, trouble: message };
    } catch {
      const all = calls.map((_, index): [number, Failure] => [index, refused]);
      return { results: [], failures: all, work: performance.now() - started, commit: 0, trouble: message };
    } finally {
      hooks.undo(0);
      tallied.forget();
      table.recount();
      log.takeWritten();
      if (db.inTransaction) rollback.run();
      db.pragma("query_only = OFF");
    }
  }

  return {
    run,
    read: (calls, fault) => readOnly(calls, fault, performance.now()),
    // Through this very connection, so that what is written meanwhile reaches the copy too; in steps between the batches.
    backup: (target) => copyDatabase(db, target, 256),
    close() {
      try {
        if (reading) return;
        begin.run();
        table.storeHeard();
        commit.run();
      } catch {
        // They stay known by the hour.
      } finally {
        db.close();
      }
    },
  };
}

function failure(error: unknown): Failure {
  if (error instanceof PushError) return { code: error.code, message: error.message };
  if (!(error instanceof Error)) return { message: String(error) };
  return { message: error.message, ...(error.stack !== undefined ? { stack: error.stack } : undefined) };
}

/** The thread's entry: serves `port` until it is told to close. */
export function runThread(port: MessagePort, data: ThreadData): void {
  const reply = (message: Reply): void => port.postMessage(message);
  if (data.task !== "store") {
    copying(data)
      .then(
        (content) => reply({ kind: "backup", ...(content === undefined ? {} : { content }) }),
        (error) => reply({ kind: "backup", failure: failure(error) }),
      )
      .finally(() => port.close());
    return;
  }
  giveWay();
  serveStore(port, data);
}

/** Answers what comes by `port` until it is told to close. */
export function serveStore(port: MessagePort, data: StoreData): void {
  const reply = (message: Reply): void => port.postMessage(message);
  let opened: Store;
  try {
    opened = openStore(data);
  } catch (error) {
    reply({ kind: "failed", failure: failure(error) });
    port.close();
    return;
  }
  port.on("message", (request: Request) => {
    switch (request.kind) {
      case "batch":
        reply({ kind: "batch", ...opened.run(unpack(request.calls) as Call[]) }); // as `Calls` packed them;
        break;
      case "backup":
        opened.backup(request.target).then(
          () => reply({ kind: "backup" }),
          (error) => reply({ kind: "backup", failure: failure(explain(error, request.target)) }),
        );
        break;
      case "close":
        opened.close();
        reply({ kind: "closed" });
        port.close();
        break;
    }
  });
  const { trouble, restored } = opened;
  reply({
    kind: "ready",
    ...(trouble === undefined ? {} : { trouble }),
    ...(restored === undefined ? {} : { restored }),
  });
}

/**
 * On a core they share, sockets come first: while a call to many is expanded and sent, nine of ten topic pushes took up to 3.7 ms on
 * a lone core, and 0.7 ms this way, with as many deliveries per second. A core that is free is used as before.
 */
function giveWay(): void {
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    setPriority(thread, Math.min(19, getPriority(thread) + 10));
  } catch {
    // Only Linux gives a thread a priority of its own.
  }
}

async function copying(order: CopyOrder): Promise<Content | undefined> {
  if (order.task === "backup") return await backup(order);
  const { devices, format } =
    order.task === "check"
      ? checkBackup(order.file)
      : await stage(order.source, order.dataDir, order.staged ?? { name: order.source, who: "", at: Date.now() });
  return { devices, format };
}

async function backup({ source, target }: Extract<CopyOrder, { task: "backup" }>): Promise<undefined> {
  const db = openFile(source, { fileMustExist: true });
  try {
    // In one step: it sees one moment, and writers need not wait for it.
    await copyDatabase(db, target, 0x7fffffff);
    return undefined;
  } catch (error) {
    throw explain(error, target);
  } finally {
    db.close();
  }
}
