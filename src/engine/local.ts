// The engine of a single process: SQLite in one thread, this process's hub as the broker. Starts the thread and makes the
// parts of the port from its calls.
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import type { Content, Copies, Staged } from "../core/copies.ts";
import type { Engine } from "../core/engine.ts";
import { PushError } from "../core/errors.ts";
import { Traits, type VendorTraits } from "../core/traits.ts";
import { localAdmins } from "./admins.ts";
import { localBroker } from "./broker.ts";
import { type BatchFigures, Queue, revive } from "./calls.ts";
import { localCopies } from "./copies.ts";
import { localAudit, localCounters } from "./counters.ts";
import { localDevices } from "./devices.ts";
import { databaseFile } from "./directory.ts";
import { localEvents } from "./events.ts";
import { localHooks } from "./hooks.ts";
import { localOutbox } from "./jobs.ts";
import type { Keep } from "./keep.ts";
import { localRevocations } from "./revocations.ts";
import type { Synchronous } from "./sqlite/file.ts";
import type { CopyOrder, Reply, Request, ThreadData } from "./sqlite/thread.ts";
import { chores, type Retention } from "./sweep.ts";
import { localTestDevices } from "./test-devices.ts";

export interface LocalEngineOptions extends Retention {
  /** `:memory:` keeps nothing: for tests. */
  readonly dataDir: string;
  /** FULL: what was answered survives the loss of power. NORMAL: only the end of the process, but commits do not wait. */
  readonly synchronous: Synchronous;
  readonly keep: Keep;
  /** How long a notification's statistics are kept. */
  readonly arrivalDays: number;
  /** What the statistics and tokens of vendors have of their own. */
  readonly vendors?: readonly VendorTraits[];
  /** Told why the store cannot be written, at the start and with each batch that finds it so: until it can, only reading works. */
  readonly onTrouble?: (message: string) => void;
  /** The storage thread has died: nothing can be stored or read any more. Called at most once. */
  readonly onFatal: (error: Error) => void;
  /** How the thread is started, where the source is not at hand as files. */
  readonly startThread?: (data: ThreadData) => Worker;
  /** The clock by which things expire. */
  readonly now?: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed?: () => number;
  /** Where copies are kept; absent: `backups` in the data directory. */
  readonly backups?: string;
  /** A copy was put in the place of the data, as was asked for before this start. */
  readonly onRestored?: (staged: Staged) => void;
  /** Told of each message that was committed, for metrics. */
  readonly onBatch?: (figures: BatchFigures) => void;
}

/** What the metrics show of the store. Totals since the start. */
export interface StoreStatistics {
  /** Calls not yet answered. */
  readonly queued: number;
  /** Deliveries not yet settled, as of the last few seconds. */
  readonly waiting: number;
  readonly batches: number;
  readonly calls: number;
  readonly workMs: number;
  readonly commitMs: number;
  readonly databaseBytes: number;
  /** The write-ahead log. */
  readonly logBytes: number;
}

export interface LocalEngine extends Engine {
  /** Absent: the store makes its copies by other means. */
  readonly copies?: Copies;
  /** Writes something. Rejects with `PushError("unavailable")` while the store cannot. */
  probe(): Promise<void>;
  /** Sizes are 0 for `:memory:`. */
  statistics(): StoreStatistics;
}

/** Rejects with a `PushError` that says what to do when the data directory cannot be used. */
export async function openLocalEngine(options: LocalEngineOptions): Promise<LocalEngine> {
  const { synchronous, keep, arrivalDays, vendors = [], onBatch } = options;
  const start = options.startThread ?? startFromSource;
  const now = options.now ?? Date.now;
  const inMemory = options.dataDir === ":memory:";
  const dataDir = inMemory ? ":memory:" : resolve(options.dataDir);

  const worker = start({ task: "store", dataDir, synchronous, keep, arrivalDays, vendors, started: now() });
  const first = await firstReply(worker);
  if (first.kind === "ready" && first.trouble !== undefined) options.onTrouble?.(first.trouble);
  if (first.kind === "ready" && first.restored !== undefined) options.onRestored?.(first.restored);

  const totals = { batches: 0, calls: 0, workMs: 0, commitMs: 0 };
  const queue = new Queue(worker, (figures) => {
    totals.batches++;
    totals.calls += figures.calls;
    totals.workMs += figures.work;
    totals.commitMs += figures.commit;
    onBatch?.(figures);
  });
  let closing: Promise<void> | undefined;
  let closed: () => void = () => {};
  let backedUp: (reply: Extract<Reply, { kind: "backup" }>) => void = () => {};
  let backups: Promise<void> = Promise.resolve();

  worker.on("message", (reply: Reply) => {
    switch (reply.kind) {
      case "batch":
        queue.answered(reply);
        events.committed(reply);
        if (reply.trouble !== undefined) options.onTrouble?.(reply.trouble);
        break;
      case "backup":
        backedUp(reply);
        break;
      case "closed":
        closed();
        break;
    }
  });
  let fatal = false;
  const died = (error: Error): void => {
    if (fatal) return;
    fatal = true;
    queue.fail(new PushError("unavailable", `the storage thread has ended: ${error.message}`, { cause: error }));
    backedUp({ kind: "backup", failure: { code: "unavailable", message: "the storage thread has ended" } });
    closed();
    options.onFatal(error);
  };
  worker.on("error", died);
  worker.on("messageerror", died);
  worker.on("exit", (code) => {
    if (closing === undefined) died(new Error(`it exited with code ${code}`));
    else closed();
  });

  const send = (request: Request): void => worker.postMessage(request);
  const broker = localBroker(queue);
  const events = localEvents(queue, now, options.elapsed ?? (() => performance.now()));
  const hooks = localHooks(queue, events, now);
  const sweeping = chores(queue, events, hooks, now, options);

  /** In memory the copy is made by the thread itself, else by one of its own. */
  async function copy(target: string): Promise<void> {
    const reply = inMemory
      ? await new Promise<Reply>((resolve) => {
          backedUp = resolve;
          send({ kind: "backup", target });
        })
      : await firstReply(start({ task: "backup", source: databaseFile(dataDir), target }));
    if (reply.kind === "backup" && reply.failure !== undefined) throw revive(reply.failure);
  }

  /** At the end nothing of it is left half done. */
  function copying(order: CopyOrder): Promise<Content | undefined> {
    if (closing !== undefined) return Promise.reject(new PushError("unavailable", "the store is closed"));
    const done = backups.then(async () => {
      const reply = await firstReply(start(order));
      if (reply.kind !== "backup") return undefined;
      if (reply.failure !== undefined) throw revive(reply.failure);
      return reply.content;
    });
    backups = done.then(
      () => {},
      () => {}, // told to who asked
    );
    return done;
  }

  async function close(): Promise<void> {
    sweeping.stop();
    const empty = queue.drain(new PushError("unavailable", "the store is closed"));
    await Promise.all([empty, backups]);
    if (fatal) return;
    await new Promise<void>((resolve) => {
      closed = resolve;
      send({ kind: "close" });
    });
  }

  return {
    devices: localDevices(queue, now),
    events,
    hooks,
    broker,
    live: broker.live,
    outbox: localOutbox(queue, broker, sweeping.walk, now, new Traits(vendors)),
    counters: localCounters(queue),
    audit: localAudit(queue),
    testDevices: localTestDevices(queue),
    admins: localAdmins(queue),
    revocations: localRevocations(queue),
    backup(file) {
      if (closing !== undefined) return Promise.reject(new PushError("unavailable", "the store is closed"));
      const done = backups.then(() => copy(resolve(file)));
      backups = done.catch(() => {}); // told to who asked; the next one starts after it
      return done;
    },
    ...(inMemory
      ? {}
      : {
          copies: localCopies({
            dataDir,
            folder: options.backups ?? join(dataDir, "backups"),
            run: copying,
            now,
          }),
        }),
    close() {
      closing ??= close();
      return closing;
    },
    probe: () => queue.call("probe", []),
    statistics: () => ({
      ...totals,
      queued: queue.length,
      waiting: sweeping.waiting(),
      databaseBytes: inMemory ? 0 : size(databaseFile(dataDir)),
      logBytes: inMemory ? 0 : size(`${databaseFile(dataDir)}-wal`),
    }),
  };
}

/** The storage thread from its source files; the executable gives `startThread` instead. */
export function startFromSource(data: ThreadData): Worker {
  // Of the main thread's own arguments only what it preloads: others may be meant for another kind of file.
  const execArgv = process.execArgv.filter((argument) => argument.startsWith("--import="));
  return new Worker(new URL("./sqlite/worker.ts", import.meta.url), { workerData: data, execArgv });
}

/** What a thread says first: that it is ready, done, or why it could not. */
function firstReply(worker: Worker): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      act();
    };
    const onMessage = (reply: Reply): void =>
      settle(() => (reply.kind === "failed" ? reject(revive(reply.failure)) : resolve(reply)));
    const onError = (error: Error): void => settle(() => reject(error));
    const onExit = (): void => settle(() => reject(new Error("the storage thread ended before it was ready")));
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
  });
}

const size = (file: string): number => (existsSync(file) ? statSync(file).size : 0);
