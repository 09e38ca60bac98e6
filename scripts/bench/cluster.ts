// npm run bench -- --engine postgres: what the engine of several processes manages, beside the bare statements of PostgreSQL, or one
// process with SQLite, in the same run. The rows by name: fanout, kept, nodes, live, claims, hello, standby; move only where it is named.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { postgres, type Server } from "../../test/support/postgres.ts";
import { CLAIM, type Load, type Seen, type Work } from "./cluster-bare.ts";
import type { Did } from "./cluster-node.ts";
import { cpuOf, LOAD_CORE, peakOf, type Running, root, start, tools } from "./servers.ts";
import { add, median, put, short } from "./table.ts";

/** Measured by turns, each so many times a round. */
const SLICES = 2;
const SECONDS = 1.5;
const WARMING = 3;
const FAN_OUT = 3;
const LOAD: Load = { callers: 50, seconds: SECONDS, topics: 100, count: 5000 };
const DEVICES = Number(process.env["DEVICES"] ?? 1_000_000);

export interface Measures {
  /** 1,000 subscribers of the topic `bench` that count frames. */
  subscribe(
    server: Running,
    seconds: number,
  ): Promise<{ readonly result: Promise<{ readonly messages: number; readonly closed: number }>; stop(): void }>;
}

interface Node {
  tell<What extends keyof Work>(what: What, load?: Partial<Load>): Promise<Did>;
}

/** What one of two that are measured by turns took. */
interface Figures {
  readonly perSecond: number[];
  /** Processor time of the process and of PostgreSQL per call, microseconds. */
  readonly cost: number[];
}

/** @param only the rows by name; none: all but `move` */
export async function onPostgres(rounds: number, only: readonly string[], measures: Measures): Promise<void> {
  const wanted = (name: string): boolean => (only.length === 0 ? name !== "move" : only.includes(name));
  const ending: (() => unknown)[] = [];
  const teardown = (end: () => unknown): void => void ending.unshift(end);
  const server = await postgres({ teardown }, { fsync: "on", shared_buffers: "256MB", max_connections: "100" });
  if (server === undefined) throw new Error("there is no PostgreSQL 15 or newer on this machine");
  const nodes = opener(teardown);
  try {
    if (wanted("move")) await moved(server);
    if (wanted("fanout")) await fromAnother(rounds, server, measures);
    const [ours, bare] = [await server.database(), await server.database()];
    const engine = await nodes("engine", ours, "a");
    const reference = await nodes("bare", bare, "bare");
    const compared = (what: string, named: string, target: number, load: Partial<Load> = {}) =>
      beside(rounds, server, what, named as "kept", target, reference, engine, { ...LOAD, ...load });
    if (wanted("kept")) await compared("kept publishes, 50 callers: calls/s", "kept", 0.7);
    if (wanted("claims")) await compared(`claimed and settled by ${CLAIM}: deliveries/s`, "claims", 0);
    if (wanted("hello"))
      await compared("hellos of known devices, 500 callers: hellos/s", "hellos", 0, { callers: 500 });
    const others = [await nodes("engine", ours, "b"), await nodes("engine", ours, "c")];
    await pause(2500); // each knows of the others
    if (wanted("nodes")) await sharing([engine, ...others]);
    if (wanted("live")) {
      const bares = [await nodes("bare", bare, "bare b"), await nodes("bare", bare, "bare c")];
      await untold(rounds, [reference, ...bares], [engine, ...others]);
    }
    if (wanted("standby")) await withStandby(rounds, server, engine);
  } finally {
    for (const end of ending) await end();
  }
}

function opener(teardown: (end: () => unknown) => void) {
  return async (kind: "engine" | "bare", url: string, name: string): Promise<Node> => {
    const child = fork(join(root, "scripts/bench/cluster-node.ts"), [kind, url, name], { cwd: root });
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`${name} ended with ${String(code)}`);
    });
    ended.catch(() => {});
    const answer = async (): Promise<unknown> => {
      const [message] = await Promise.race([once(child, "message"), ended]);
      return message;
    };
    teardown(() => child.kill("SIGKILL"));
    await answer();
    return {
      async tell(what, load = {}) {
        child.send({ what, load: { ...LOAD, ...load } });
        const did = (await answer()) as Did; // as its program sends it
        if (did.error !== undefined) throw new Error(`${name}: ${did.error}`);
        return did;
      },
    };
  };
}

const callsOf = ({ result }: Did): number => Number(result);

async function beside(
  rounds: number,
  server: Server,
  what: string,
  work: "kept" | "claims" | "hellos",
  target: number,
  reference: Node,
  engine: Node,
  load: Load,
): Promise<void> {
  const [theirs, ours] = [reference, engine].map((): Figures => ({ perSecond: [], cost: [] })) as [Figures, Figures];
  const prepare = async (node: Node): Promise<void> => {
    if (work === "claims") await node.tell("fill", load);
  };
  for (const node of [reference, engine]) {
    if (work === "hellos") await node.tell("meet", load);
    await prepare(node);
    await node.tell(work, { ...load, seconds: WARMING }); // code is compiled on its way
  }
  for (let slice = 0; slice < rounds * SLICES; slice++)
    for (const [node, figures] of [
      [reference, theirs],
      [engine, ours],
    ] as const) {
      await prepare(node);
      const before = cpuOfPostgres(server);
      const did = await node.tell(work, load);
      figures.perSecond.push(callsOf(did) / did.seconds);
      figures.cost.push(((did.cpu + cpuOfPostgres(server) - before) * 1e6) / callsOf(did));
    }
  const named = target > 0 ? `>= ${target} x the bare statement` : "reported";
  add(what, named, median(theirs.perSecond), median(ours.perSecond), target);
  const most = target > 0 ? 1 / target : Number.POSITIVE_INFINITY;
  const [reference_, measured] = [median(theirs.cost), median(ours.cost)];
  put({
    what: "the same: processor time of the process and of PostgreSQL, us",
    target: target > 0 ? `<= ${most.toFixed(2)} x the bare statement` : "reported",
    reference: short(reference_),
    measured: short(measured),
    ratio: measured / reference_,
    holds: measured / reference_ <= most,
  });
}

/** Seconds of all its processes. */
function cpuOfPostgres({ process: { pid = 0 } }: Server): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  return children.reduce((sum, child) => sum + cpuOf(child), cpuOf(pid, true));
}

/** A node with 1,000 subscribers while another one is called; beside one process with SQLite that does both. */
async function fromAnother(rounds: number, server: Server, measures: Measures): Promise<void> {
  const figures = { sqlite: [] as number[], postgres: [] as number[] };
  const costs = { sqlite: [] as number[], postgres: [] as number[] };
  const flags = ["--engine=postgres", `--postgres-url=${await server.database()}`];
  for (let round = 0; round < rounds; round++)
    for (const kind of ["sqlite", "postgres"] as const) {
      const alone = kind === "sqlite";
      const telling = await start("pushbox", undefined, alone ? [] : [...flags, "--node=telling"]);
      const called = alone ? telling : await start("pushbox", { core: LOAD_CORE }, [...flags, "--node=called"]);
      if (!alone) await pause(2500); // each knows of the other
      await fanOut(called, telling, FAN_OUT, measures);
      const { frames, cost } = await fanOut(called, telling, FAN_OUT, measures);
      figures[kind].push(frames);
      costs[kind].push(cost);
      for (const node of new Set([called, telling])) await node.stop();
    }
  add(
    "topic push at another node, 1,000 subscribers, 50 callers that wait for it: frames/s",
    ">= 0.7 x one process with SQLite",
    median(figures.sqlite),
    median(figures.postgres),
    0.7,
  );
  const [reference, measured] = [median(costs.sqlite), median(costs.postgres)];
  put({
    what: "the same: processor time per frame, us",
    target: "<= 1.43 x one process with SQLite",
    reference: short(reference),
    measured: short(measured),
    ratio: measured / reference,
    holds: measured / reference <= 1 / 0.7,
  });
}

/**
 * Callers of one node who call again when a subscriber of another has the frame: faster than that node, they would only make a queue.
 * @returns frames per second, and what each took the node that has the subscribers, microseconds
 */
async function fanOut(
  called: Running,
  telling: Running,
  seconds: number,
  { subscribe }: Measures,
): Promise<{ readonly frames: number; readonly cost: number }> {
  const waiting = new Map<number, () => void>();
  const socket = new WebSocket(`ws://127.0.0.1:${telling.wsPort}/socket.io/?EIO=3&transport=websocket`);
  await once(socket, "open");
  const ready = new Promise<void>((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      const text = String(data);
      if (text.startsWith('42["pushId"')) resolve();
      const call = /"n":(\d+)/.exec(text)?.[1];
      waiting.get(Number(call))?.();
    });
  });
  socket.send('42["pushId",{"id":"bench-probe-0001","topics":["bench"]}]');
  await ready;
  const subscribers = await subscribe(telling, seconds + 1);
  const agent = new Agent({ keepAlive: true, maxSockets: LOAD.callers });
  const before = telling.cpu();
  const began = performance.now();
  let n = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < began + seconds * 1000) {
      const call = n++;
      const arrived = new Promise<void>((resolve) => waiting.set(call, resolve));
      const path = `/api/push?topic=bench&json=${encodeURIComponent(JSON.stringify({ text: "hello", n: call }))}`;
      await new Promise<void>((resolve, reject) => {
        const asked = get({ port: called.httpPort, host: "127.0.0.1", path, agent }, (answer) => {
          answer.resume().on("end", resolve);
        });
        asked.on("error", reject);
      });
      await arrived;
      waiting.delete(call);
    }
  };
  await Promise.all(Array.from({ length: LOAD.callers }, caller));
  const took = (performance.now() - began) / 1000;
  const { messages, closed } = await subscribers.result;
  const used = telling.cpu() - before;
  socket.close();
  agent.destroy();
  if (closed > 0) throw new Error(`${telling.name}: ${closed} subscribers lost`);
  return { frames: messages / took, cost: (used * 1e6) / messages };
}

/** Every node publishes to the same topics, and hears what all publish. */
async function sharing(nodes: readonly Node[]): Promise<void> {
  const seconds = 5;
  for (const node of nodes) await node.tell("seen");
  const did = await Promise.all(nodes.map((node) => node.tell("kept", { seconds })));
  const calls = did.reduce((sum, one) => sum + callsOf(one), 0);
  await pause(2000);
  const seen = (await Promise.all(nodes.map((node) => node.tell("seen")))).map(({ result }) => result as Seen);
  const sum = (of: (seen: Seen) => number): number => seen.reduce((total, one) => total + of(one), 0);
  const wrong = sum(({ received, disorder, repeats }) => Math.abs(calls - received) + disorder + repeats);
  put({
    what: `${nodes.length} nodes x ${LOAD.callers} callers x ${LOAD.topics} topics, ${calls} kept publishes: gaps, repeats, out of order`,
    target: "0",
    reference: "0",
    measured: String(wrong),
    ratio: wrong,
    holds: wrong === 0,
  });
  report("the same: calls/s of all", calls / seconds);
  report("the same: p50 at another node, ms", median(seen.map(({ p50 }) => p50)));
  report("the same: p99, ms", median(seen.map(({ p99 }) => p99)));
}

const report = (what: string, measured: number): void =>
  put({ what, target: "reported", reference: "", measured: short(measured), ratio: Number.NaN, holds: true });

/** Packets that are not kept: from one node, and from all of them. */
async function untold(rounds: number, references: readonly Node[], engines: readonly Node[]): Promise<void> {
  const one = { bare: [] as number[], engine: [] as number[] };
  const all = { bare: [] as number[], engine: [] as number[] };
  const rate = async (nodes: readonly Node[]): Promise<number> => {
    const did = await Promise.all(nodes.map((node) => node.tell("live")));
    return did.reduce((sum, each) => sum + callsOf(each) / each.seconds, 0);
  };
  for (const nodes of [references, engines]) await rate(nodes);
  for (let slice = 0; slice < rounds * SLICES; slice++)
    for (const [kind, nodes] of Object.entries({ bare: references, engine: engines })) {
      one[kind as keyof typeof one].push(await rate(nodes.slice(0, 1)));
      all[kind as keyof typeof all].push(await rate(nodes));
    }
  const named = "reported, x bare pg_notify";
  add("not kept, one of three nodes publishes, 50 callers: calls/s", named, median(one.bare), median(one.engine), 0);
  add("not kept, all three publish: calls/s of all", named, median(all.bare), median(all.engine), 0);
  for (const node of engines) await node.tell("seen");
}

async function withStandby(rounds: number, server: Server, engine: Node): Promise<void> {
  const measured = async (): Promise<number> => {
    const figures: number[] = [];
    for (let slice = 0; slice < rounds * SLICES; slice++) {
      const did = await engine.tell("kept");
      figures.push(callsOf(did) / did.seconds);
    }
    return median(figures);
  };
  await engine.tell("kept", { seconds: WARMING });
  const without = await measured();
  await server.standby();
  add(
    "kept publishes with a synchronous standby on the same host",
    "reported, x without",
    without,
    await measured(),
    0,
  );
}

/** A data directory of so many devices goes to PostgreSQL and comes back. The command compares all counts, and a sample of each table. */
async function moved(server: Server): Promise<void> {
  const data = join(tools, "moved");
  const back = join(tools, "back");
  await command(["scripts/bench/fill.ts", data, String(DEVICES)]);
  const url = await server.database();
  for (const [what, args] of [
    ["moved to PostgreSQL", [`--to=${url}`, `--data=${data}`]],
    ["moved back", [`--from=${url}`, `--to-data=${back}`]],
  ] as const) {
    const { seconds, memory, out } = await command(["src/main.ts", "move", ...args]);
    const same = out.includes("every table has as many rows there, and a sample of each is the same");
    const told = /^devices: ([\d,]+)$/m.exec(out)?.[1]?.replaceAll(",", "");
    const holds = same && Number(told) === DEVICES;
    const row = { target: "counts and sample equal", reference: String(DEVICES), measured: `${told}`, ratio: 1, holds };
    put({ what: `${what}: devices`, ...row });
    report("the same: s", seconds);
    report("the same: memory at most, MB", memory / 1e6);
  }
}

/** Runs to its end. */
async function command(
  args: readonly string[],
): Promise<{ readonly seconds: number; readonly memory: number; readonly out: string }> {
  const began = performance.now();
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let memory = 0;
  const looking = setInterval(() => {
    if (child.exitCode === null) memory = Math.max(memory, peakOf(child.pid!));
  }, 100);
  let out = "";
  for await (const chunk of child.stdout) out += chunk;
  clearInterval(looking);
  if (child.exitCode === null) await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`${args[0]} ended with ${child.exitCode}: ${out}`);
  return { seconds: (performance.now() - began) / 1000, memory, out };
}
