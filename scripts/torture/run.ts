// The torture: devices are stored, notifications posted, vendors fail, the server is killed; then what it says became of every
// delivery is compared with what the vendors accepted.
import { chmodSync } from "node:fs";
import { join } from "node:path";
import type { PushId } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { compare, type Findings, type ReadBack } from "./compare.ts";
import { type Call, type Device, type Dice, dice, makeCalls, makeDevices, TAG } from "./plan.ts";
import { Server } from "./server.ts";
import { startVendors, type Vendors } from "./vendors.ts";

export interface TortureOptions {
  /** An empty directory for the configuration and the data. */
  readonly directory: string;
  readonly deliveries: number;
  readonly kills: number;
  readonly seed: number;
  /** Requests that are never answered. */
  readonly hangs: number;
  /** Milliseconds from the start after which what is still open is reported as it is. */
  readonly limit: number;
  /** Told how far it is. */
  readonly tell: (line: string) => void;
}

export interface Result extends Findings {
  readonly devices: number;
  readonly calls: number;
  /** Calls that were made again because a kill had cut them. */
  readonly repeated: number;
  readonly kills: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly serverErrors: readonly string[];
  /** Seconds: until the last delivery was settled, and in all. */
  readonly sending: number;
  readonly seconds: number;
}

const POSTERS = 16;
const READERS = 16;
/** Rows of one page. */
const PAGE = 1000;
const HOUR = 3_600_000;

export async function torture(options: TortureOptions): Promise<Result> {
  const { directory, deliveries, seed, tell } = options;
  const begun = Date.now();
  const deadline = begun + options.limit;
  const vendors = await startVendors(dice(seed), options.hangs);
  const devices = makeDevices(Math.max(100, Math.floor(deliveries / 10)), dice(seed + 1), vendors.tokenOf);
  const calls = makeCalls(deliveries, devices, dice(seed + 2), seed);
  const total = calls.reduce((sum, call) => sum + call.devices.length, 0);
  vendors.know(devices);
  const data = join(directory, "data");
  const before = await openEngine(data);
  await fill(before, devices);
  await before.close();
  chmodSync(data, 0o700);
  tell(`${calls.length} calls to ${devices.length} devices, ${total} deliveries, seed ${seed}`);
  const server = new Server(vendors.config(directory), data);
  const failure = server.crashed.then((error) => Promise.reject(error));
  failure.catch(() => undefined); // it is felt in the races below
  const end = (): void => server.end();
  process.once("exit", end); // of whatever this process dies
  try {
    server.start();
    let repeated = 0;
    const again = (): void => {
      repeated++;
    };
    const killing = killAtRandom(server, vendors, options.kills, total, dice(seed + 3));
    await Promise.race([failure, post(server, calls, vendors, total, again)]);
    tell(`posted after ${seconds(begun)} s, ${repeated} calls repeated, ${server.kills.length} kills so far`);
    await Promise.race([failure, drained(server, killing, deadline, tell)]);
    const sending = seconds(begun);
    vendors.behave();
    const reads = await Promise.race([failure, readBack(server, calls, deadline)]);
    tell(`read back after ${seconds(begun)} s`);
    const code = await server.stop();
    const problems = code === 0 ? [] : [`the server ended with ${code} after SIGTERM`];
    if (killing.left > 0) problems.push(`${killing.left} kills did not come about`);
    const after = await openEngine(data);
    const stored = await tokensStored(after);
    await after.close();
    const findings = compare({
      devices,
      calls,
      reads,
      stored,
      accepted: vendors.accepted,
      faults: vendors.faults,
      kills: server.kills,
    });
    return {
      ...findings,
      problems: [...problems, ...findings.problems],
      devices: devices.length,
      calls: calls.length,
      repeated,
      kills: server.kills.length,
      faults: counted(vendors),
      serverErrors: server.errors,
      sending,
      seconds: seconds(begun),
    };
  } finally {
    end();
    process.off("exit", end);
    await vendors.close();
  }
}

function counted({ faults }: Vendors): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { fault } of faults) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  return counts;
}

const seconds = (since: number): number => Math.round((Date.now() - since) / 100) / 10;

// ---- before

function openEngine(dataDir: string) {
  return openLocalEngine({
    dataDir,
    synchronous: "NORMAL",
    keep: { default: 10, prefixes: [] },
    arrivalDays: 30,
    vendors: TRAITS,
    onFatal: (error) => {
      throw error;
    },
  });
}

/** As if they had connected two hours ago: a vendor may say since when a token is dead. */
export async function fill(engine: Pick<Engine, "devices">, devices: readonly Device[]): Promise<void> {
  const then = Date.now() - 2 * HOUR;
  for (let from = 0; from < devices.length; from += 5000) {
    const batch = devices.slice(from, from + 5000).map(({ pushId, vendor, token, tagged }) => {
      const type = vendor === "apns" ? "apn" : vendor;
      const packageName = vendor === "webpush" ? "lab.example.com" : "com.example.lab";
      const platform = vendor === "apns" ? "ios" : "android";
      const hello = {
        pushId: pushId as PushId,
        platform,
        tags: tagged ? [TAG] : [],
        token: { type, token, packageName },
      };
      return engine.devices.connect(hello, then);
    });
    await Promise.all(batch);
  }
}

// ---- meanwhile

/** The calls in their order, a few at a time, and never far ahead of the vendors: the kills are to find all at work. */
async function post(
  server: Server,
  calls: readonly Call[],
  vendors: Vendors,
  total: number,
  again: () => void,
): Promise<void> {
  const queue = calls[Symbol.iterator]();
  const ahead = Math.max(500, total / 8) + total / 20;
  let posted = 0;
  const poster = async (): Promise<void> => {
    for (const call of queue) {
      while (posted - vendors.accepted.length > ahead) await new Promise((resolve) => setTimeout(resolve, 10));
      posted += call.devices.length;
      const answer = (await server.call("notification", call.body, again)) as { readonly id?: string };
      if (answer.id !== call.id) throw new Error(`${call.id} was answered as ${answer.id}`);
    }
  };
  await Promise.all(Array.from({ length: POSTERS }, poster));
}

interface Killing {
  left: number;
  busy: Promise<void>;
}

/** At random stages of the work, some moments later, and some of them while the server is still starting. */
function killAtRandom(server: Server, vendors: Vendors, kills: number, total: number, random: Dice): Killing {
  const stages = Array.from({ length: kills }, () => Math.floor((0.01 + 0.84 * random()) * total)).sort(
    (a, b) => a - b,
  );
  const killing: Killing = { left: kills, busy: Promise.resolve() };
  let due = false;
  vendors.onAccepted = () => {
    if (due || killing.left === 0 || vendors.accepted.length < stages[kills - killing.left]!) return;
    due = true;
    const wait = random() * 300;
    killing.busy = killing.busy.then(async () => {
      await new Promise((resolve) => setTimeout(resolve, wait));
      await server.kill();
      killing.left--;
      due = false;
      if (killing.left > 0 && random() < 0.2) {
        await new Promise((resolve) => setTimeout(resolve, random() * 800));
        await server.kill();
        killing.left--;
      }
    });
  };
  return killing;
}

interface LaneView {
  readonly provider: string;
  readonly depth: number;
  readonly state: string;
  readonly reason?: string;
}

/** Resolves when no lane has anything to send and no job is to be expanded, or at the deadline. */
async function drained(
  server: Server,
  killing: Killing,
  deadline: number,
  tell: (line: string) => void,
): Promise<void> {
  let told = Date.now();
  while (Date.now() < deadline) {
    await killing.busy;
    const { lanes } = (await server.call("lane/list", undefined, () => undefined)) as { lanes: readonly LaneView[] };
    const { jobs } = (await server.call("job/list?state=running", undefined, () => undefined)) as {
      jobs: readonly unknown[];
    };
    const full = lanes.filter(({ depth, state }) => depth > 0 || state !== "running");
    if (full.length === 0 && jobs.length === 0 && killing.left === 0) return;
    if (full.length === 0 && jobs.length === 0) killing.left = await last(server, killing.left);
    if (Date.now() - told > 10_000) {
      told = Date.now();
      tell(full.map((lane) => `${lane.provider} ${lane.depth} ${lane.state} ${lane.reason ?? ""}`).join("; "));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What is left to be killed when all is sent already. */
async function last(server: Server, kills: number): Promise<number> {
  for (let n = 0; n < kills; n++) await server.kill();
  return 0;
}

// ---- afterwards

/** Every notification as /api/notification/get tells it, all its pages; one that is not finished is asked for again. */
export async function readBack(
  server: Pick<Server, "call">,
  calls: readonly Call[],
  deadline: number,
): Promise<ReadonlyMap<string, ReadBack>> {
  const reads = new Map<string, ReadBack>();
  const queue = calls[Symbol.iterator]();
  const reader = async (): Promise<void> => {
    for (const { id } of queue) {
      for (;;) {
        const read = await readOne(server, id);
        reads.set(id, read);
        if (read.jobs.every(({ state }) => state === "finished") || Date.now() > deadline) break;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return reads;
}

async function readOne(server: Pick<Server, "call">, id: string): Promise<ReadBack> {
  const first = (await server.call(`notification/get?id=${id}&limit=${PAGE}`, undefined, () => undefined)) as ReadBack;
  const deliveries = [...first.deliveries];
  for (let { next } = first; next !== undefined; ) {
    const path = `notification/get?id=${id}&limit=${PAGE}&after=${next}`;
    const page = (await server.call(path, undefined, () => undefined)) as ReadBack;
    deliveries.push(...page.deliveries);
    next = page.next;
  }
  return { ...first, deliveries };
}

/** Which devices have a token now. */
export async function tokensStored(engine: Pick<Engine, "devices">): Promise<ReadonlyMap<string, string | undefined>> {
  const stored = new Map<string, string | undefined>();
  let after: string | undefined;
  do {
    const page = await engine.devices.page({ kind: "all" }, after, 1000, Date.now());
    for (const { pushId, token } of page.devices) stored.set(pushId, token);
    after = page.next;
  } while (after !== undefined);
  return stored;
}
