// The engine of a single process: SQLite in one thread, this process's hub as the broker. Starts the thread and makes the
// parts of the port from its calls.
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { Worker } from "node:worker_threads";
import type { ArrivalRecord } from "../core/arrival.ts";
import type { AuditLog } from "../core/audit.ts";
import type { PushId, Uid } from "../core/device.ts";
import type { Counters, DevicePage, Devices, Engine } from "../core/engine.ts";
import { PushError } from "../core/errors.ts";
import type { DeviceTarget } from "../core/target.ts";
import { DAY } from "../core/time.ts";
import { Traits, type VendorTraits } from "../core/traits.ts";
import { localBroker } from "./broker.ts";
import { type BatchFigures, Queue, revive } from "./calls.ts";
import { databaseFile } from "./directory.ts";
import { localEvents } from "./events.ts";
import { localHooks } from "./hooks.ts";
import { localOutbox, walkOn } from "./jobs.ts";
import { localRevocations } from "./revocations.ts";
import type { Keep } from "./sqlite/packets.ts";
import type { Synchronous } from "./sqlite/schema.ts";
import type { Reply, Request, ThreadData } from "./sqlite/thread.ts";

export interface LocalEngineOptions {
  /** `:memory:` keeps nothing: for tests. */
  readonly dataDir: string;
  /** FULL: what was answered survives the loss of power. NORMAL: only the end of the process, but commits do not wait. */
  readonly synchronous: Synchronous;
  readonly keep: Keep;
  /** How long a notification's statistics are kept. */
  readonly arrivalDays: number;
  /** What the statistics and tokens of vendors have of their own. */
  readonly vendors?: readonly VendorTraits[];
  /** How long a device without uid, token and tags is kept after it was last seen. Absent: for ever. */
  readonly deviceDays?: number;
  /** The storage thread has died: nothing can be stored or read any more. Called at most once. */
  /** Told why the store cannot be written, at the start and with each batch that finds it so: until it can, only reading works. */
  readonly onTrouble?: (message: string) => void;
  readonly onFatal: (error: Error) => void;
  /** How the thread is started, where the source is not at hand as files. */
  readonly startThread?: (data: ThreadData) => Worker;
  /** The clock by which things expire. */
  readonly now?: () => number;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed?: () => number;
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
  /** Writes something. Rejects with `PushError("unavailable")` while the store cannot. */
  probe(): Promise<void>;
  statistics(): StoreStatistics;
}

const SWEEP_EVERY = 5_000;
const SWEEP_EVENTS_EVERY = 1_000;
/** Rows per piece of sweeping: about a millisecond. */
const SWEEP_ROWS = 200;
/** A longer list of ids goes in pieces, so that other callers get in between. */
const PIECE = 1000;
/** Each device that goes offline may write several events: about 5 ms. */
const DEPARTURES = 100;

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
  const sweeper = sweep(queue, now, options.deviceDays);
  const events = localEvents(queue, now, options.elapsed ?? (() => performance.now()));
  const hooks = localHooks(queue, events, now);
  const sweepingEvents = repeat(SWEEP_EVENTS_EVERY, async (stopped) => {
    await events.sweep(stopped);
    await hooks.sweep(stopped);
  });
  const walker = repeat(SWEEP_EVERY, (stopped) => walkOn(queue, now, stopped));

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

  async function close(): Promise<void> {
    sweeper.stop();
    sweepingEvents.stop();
    walker.stop();
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
    outbox: localOutbox(queue, broker, walker.now, now, new Traits(vendors)),
    counters: localCounters(queue),
    audit: localAudit(queue),
    revocations: localRevocations(queue),
    backup(file) {
      if (closing !== undefined) return Promise.reject(new PushError("unavailable", "the store is closed"));
      const done = backups.then(() => copy(resolve(file)));
      backups = done.catch(() => {}); // told to who asked; the next one starts after it
      return done;
    },
    close() {
      closing ??= close();
      return closing;
    },
    probe: () => queue.call("probe", []),
    statistics: () => ({
      ...totals,
      queued: queue.length,
      waiting: sweeper.waiting(),
      databaseBytes: inMemory ? 0 : size(databaseFile(dataDir)),
      logBytes: inMemory ? 0 : size(`${databaseFile(dataDir)}-wal`),
    }),
  };
}

function startFromSource(data: ThreadData): Worker {
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

/**
 * Does something at once, an earlier run may have been cut short, and again so long after it has ended. What fails is tried again
 * with the next round: a store that cannot write says so to its callers.
 */
function repeat(
  pause: number,
  work: (stopped: () => boolean) => Promise<void>,
): { stop(): void /** Without waiting for the pause to end. */; now(): void } {
  let stopped = false;
  let running = false;
  let again = false;
  let timer = setTimeout(round, 0).unref();
  function round(): void {
    running = true;
    again = false;
    work(() => stopped)
      .catch(() => {})
      .finally(() => {
        running = false;
        if (!stopped) timer = setTimeout(round, again ? 0 : pause).unref();
      });
  }
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
    now() {
      again = true;
      if (stopped || running) return;
      clearTimeout(timer);
      timer = setTimeout(round, 0).unref();
    },
  };
}

/** Forgets what is past its time, a piece at a time. */
function sweep(queue: Queue, now: () => number, deviceDays: number | undefined): { stop(): void; waiting(): number } {
  let waiting = 0;
  const { stop } = repeat(SWEEP_EVERY, async (stopped) => {
    while (!stopped() && (await queue.call("sweepPackets", [now(), SWEEP_ROWS])));
    while (!stopped() && (await queue.call("sweepCounters", [now(), SWEEP_ROWS])));
    while (!stopped() && (await queue.call("sweepAudit", [now(), SWEEP_ROWS])));
    while (!stopped() && (await queue.call("sweepRevocations", [now(), SWEEP_ROWS])));
    if (deviceDays !== undefined)
      while (!stopped() && (await queue.call("sweepDevices", [now() - deviceDays * DAY, SWEEP_ROWS, now()])));
    if (!stopped()) waiting = (await queue.call("lanes", [])).reduce((sum, { depth }) => sum + depth, 0);
  });
  return { stop, waiting: () => waiting };
}

/** The results of a long list's pieces, one after the other. */
async function inPieces<Item, Result>(
  list: readonly Item[],
  step: (piece: readonly Item[]) => Promise<readonly Result[]>,
): Promise<readonly Result[]> {
  if (list.length <= PIECE) return step(list);
  const results: Result[] = [];
  for (let i = 0; i < list.length; i += PIECE)
    for (const result of await step(list.slice(i, i + PIECE))) results.push(result);
  return results;
}

function localDevices(queue: Queue, clock: () => number): Devices {
  return {
    connect: (hello, now) => queue.call("connect", [hello, now]),
    async disconnect(pushIds, now, gone) {
      if (gone === undefined || gone === null) {
        await inPieces(pushIds, async (piece) => {
          await queue.call("disconnect", [piece, now, gone], piece.length);
          return [];
        });
        return;
      }
      // All at once: the next connection of one of them may come in this very turn.
      const calls: Promise<void>[] = [];
      for (let i = 0; i < pushIds.length; i += DEPARTURES) {
        const cut = <Item>(list: readonly Item[]): readonly Item[] => list.slice(i, i + DEPARTURES);
        const piece = { reasons: cut(gone.reasons), times: cut(gone.times) };
        calls.push(queue.call("disconnect", [cut(pushIds), now, piece], 4 * piece.times.length));
      }
      await Promise.all(calls);
    },
    setTags: (pushId, tags, now) => queue.call("setTags", [pushId, tags, now]),
    changeTag: (pushId, tag, present, now, most) => queue.call("changeTag", [pushId, tag, present, now, most]),
    setToken: (pushId, token, now) => queue.call("setToken", [pushId, token, now]),
    bind: (binding, now) => queue.call("bind", [binding, now]),
    unbind: (who, now, by) =>
      "pushIds" in who
        ? inPieces(who.pushIds, (piece) => queue.call("unbindDevices", [piece, now, by], piece.length))
        : inPieces(who.uids, (piece) => queue.call("unbindUids", [piece, now, by], piece.length)),
    get: (pushIds, now) =>
      inPieces(pushIds, (piece) => queue.call("getDevices", [piece, undefined, now], piece.length)),
    past: (pushIds) => inPieces(pushIds, (piece) => queue.call("pastOf", [piece], piece.length)),
    byUid: (uids, now) => inPieces(uids, (piece) => queue.call("devicesByUid", [piece, now], piece.length)),
    page: (target, after, limit, now) => page(queue, target, after, limit, now),
    async delete(pushIds, now = clock()) {
      await inPieces(pushIds, async (piece) => {
        await queue.call("deleteDevices", [piece, now], piece.length);
        return [];
      });
    },
    count: () => queue.call("countDevices", []),
  };
}

/** A cursor says where to go on: in the list of the target, after a device, or both ("3:1200"). */
async function page(
  queue: Queue,
  target: DeviceTarget | { readonly kind: "all" },
  after: string | undefined,
  limit: number,
  now: number,
): Promise<DevicePage> {
  const [first = 0, second = 0] = (after ?? "0:0").split(":").map(Number);
  switch (target.kind) {
    case "pushIds": {
      const slice: readonly PushId[] = target.pushIds.slice(first, first + limit);
      const devices = await queue.call("getDevices", [slice, target.filter, now], slice.length);
      return first + limit < target.pushIds.length ? { devices, next: `${first + limit}` } : { devices };
    }
    case "uids": {
      const slice: readonly Uid[] = target.uids.slice(first, first + limit);
      const rows = await queue.call("pageByUids", [slice, second, limit, target.filter, now], limit);
      const index = first + rows.index;
      return index < target.uids.length
        ? { devices: rows.devices, next: `${index}:${rows.last}` }
        : { devices: rows.devices };
    }
    case "tag": {
      const { devices, last } = await queue.call("pageByTag", [target.tag, first, limit, target.filter, now], limit);
      return last === undefined ? { devices } : { devices, next: `${last}` };
    }
    case "all": {
      const { devices, last } = await queue.call("pageOfAll", [first, limit, now], limit);
      return last === undefined ? { devices } : { devices, next: `${last}` };
    }
  }
}

function localAudit(queue: Queue): AuditLog {
  return {
    async add(entries) {
      await inPieces(entries, async (piece) => {
        await queue.call("addAudit", [piece], piece.length);
        return [];
      });
    },
    async list(query, limit) {
      const rows = await queue.call("listAudit", [query, limit], limit);
      return rows.map(({ who, message, request, ...row }) => ({
        ...row,
        ...(who === null ? {} : { who }),
        ...(message === null ? {} : { message }),
        requestId: request,
      }));
    },
  };
}

function localCounters(queue: Queue): Counters {
  return {
    add: (samples, now) => queue.call("addSamples", [samples, now]),
    chart: (key, from) => queue.call("chart", [key, from]),
    keys: () => queue.call("keys", []),
    async arrived(evidence, now) {
      await inPieces(evidence, async (piece) => {
        await queue.call("arrived", [piece, now], piece.length);
        return [];
      });
    },
    async arrivals(query, limit) {
      const records: ArrivalRecord[] = [];
      // One by one, so that other callers get in between: each lists up to 1,000 devices.
      for (const arrival of await queue.call("arrivalsFound", [query, limit])) {
        const record = await queue.call("arrivalRecord", [arrival], PIECE);
        if (record !== undefined) records.push(record);
      }
      return records;
    },
  };
}
