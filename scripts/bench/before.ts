// npm run bench -- before, with BEFORE=<directory of an earlier version>: what one process with SQLite costs per operation, by turns with
// what it cost then. Processor time, because rates of two versions differ less than a shared machine does from minute to minute.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { type Running, start } from "./servers.ts";
import { median, put, short } from "./table.ts";

/** Both versions run, and are called by turns. */
const SECONDS = 1;
const SLICES = 4;
const WITHIN = 1.1;

export interface Measures {
  /** Calls per second. */
  load(server: Running, callers: number, seconds: number, body: string): Promise<number>;
  subscribe(
    server: Running,
    connections: number,
    seconds: number,
  ): Promise<{ readonly result: Promise<unknown>; stop(): void }>;
}

interface Times {
  readonly main: number;
  readonly storage: number;
}

const PACKET = 'json={"text":"hello"}';
const OPERATIONS = {
  "push to a device": `pushId=wsload000000000&${PACKET}`,
  "push to a device, kept": `pushId=wsload000000000&${PACKET}&timeToLive=60000`,
  "push to a topic of 1,000": `topic=bench&${PACKET}`,
} as const;
const REGISTERED = 5000;

export async function before(rounds: number, { load, subscribe }: Measures): Promise<void> {
  const earlier = process.env["BEFORE"];
  if (earlier === undefined) throw new Error("BEFORE is not set: the directory of an earlier version");
  const costs = new Map<string, { readonly earlier: Times[]; readonly now: Times[] }>();
  const note = (what: string, kind: "earlier" | "now", from: Times, to: Times, operations: number): void => {
    const found = costs.get(what) ?? { earlier: [], now: [] };
    costs.set(what, found);
    const each = (thread: keyof Times): number => ((to[thread] - from[thread]) * 1e6) / operations;
    found[kind].push({ main: each("main"), storage: each("storage") });
  };
  for (let round = 0; round < rounds; round++) {
    const servers = { earlier: await start("pushbox", { directory: earlier }), now: await start("pushbox") };
    const both = Object.entries(servers) as [keyof typeof servers, Running][];
    if (round % 2 === 1) both.reverse();
    const subscribers: { stop(): void }[] = [];
    for (const [kind, server] of both) {
      await settled(server);
      const fresh = timesOf(server);
      const registered = await subscribe(server, REGISTERED, 0.1);
      note("a registration, the first 5,000", kind, fresh, timesOf(server), REGISTERED);
      await registered.result;
      subscribers.push(await subscribe(server, 1000, 120));
    }
    for (const [what, body] of Object.entries(OPERATIONS))
      for (let slice = 0; slice <= SLICES; slice++)
        for (const [kind, server] of both) {
          const from = timesOf(server);
          const perSecond = await load(server, 50, SECONDS, body);
          // In the first one code is compiled on its way.
          if (slice > 0) note(what, kind, from, timesOf(server), perSecond * SECONDS);
        }
    for (const one of subscribers) one.stop();
    for (const [, server] of both) await server.stop();
  }
  for (const [what, { earlier, now }] of costs)
    for (const thread of ["main", "storage"] as const) {
      const middle = (times: readonly Times[]): number => median(times.map((one) => one[thread]));
      const [reference, measured] = [middle(earlier), middle(now)];
      if (reference < 1) continue;
      const ratio = measured / reference;
      put({
        what: `${what}: ${thread} thread, us`,
        target: `<= ${WITHIN} x before`,
        reference: short(reference),
        measured: short(measured),
        ratio,
        holds: ratio <= WITHIN,
      });
    }
}

/** What a version still loads once it listens is no registration's. */
async function settled(server: Running): Promise<void> {
  for (let last = -1; timesOf(server).main !== last; await setTimeout(300)) last = timesOf(server).main;
}

/** Processor time of the main thread and of that of the storage, which is started last, seconds. */
function timesOf({ pid }: Running): Times {
  const threads = readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => a - b)
    .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").split(") "))
    .filter(([name = ""]) => name.endsWith("(node"));
  const seconds = (fields = ""): number => {
    const [user, system] = fields.split(" ").slice(11, 13).map(Number);
    return ((user ?? 0) + (system ?? 0)) / 100;
  };
  return { main: seconds(threads[0]?.[1]), storage: seconds(threads.at(-1)?.[1]) };
}
