// The torture of several nodes on one PostgreSQL: nodes and servers of PostgreSQL are killed, connections ended, PostgreSQL stands still, a node
// is cut off; meanwhile it is pushed, notified and told of devices. In the end every call that was answered is accounted for.
import { setTimeout as pause } from "node:timers/promises";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { startBackend } from "./backend.ts";
import { Cluster } from "./cluster.ts";
import { compare, type Findings } from "./compare.ts";
import { account, type PacketFindings, push, Receiver, received, type Traffic, watchLog } from "./packets.ts";
import { Pair } from "./pair.ts";
import { Phone, ROOM } from "./phones.ts";
import { type Call, dice, makeCalls, makeDevices } from "./plan.ts";
import { openProxy } from "./proxy.ts";
import { fill, readBack, tokensStored } from "./run.ts";
import type { Kill } from "./server.ts";
import { startVendors } from "./vendors.ts";
import { compare as compareWords, countedTypes, lastWords, quiet, readLog } from "./words.ts";

export interface NodesOptions {
  /** An empty directory for PostgreSQL, configuration and data. */
  readonly directory: string;
  /** How often a node is killed, and the primary. */
  readonly kills: number;
  readonly promotions: number;
  /** Seconds: connections are ended every second for so long; PostgreSQL stands still; a node is cut off. */
  readonly ended: number;
  readonly still: number;
  readonly cut: number;
  /** Callers that push, receivers, phones. */
  readonly callers: number;
  readonly receivers: number;
  readonly phones: number;
  readonly seed: number;
  /** Milliseconds for the end, until all is told and sent. */
  readonly limit: number;
  readonly tell: (line: string) => void;
}

export interface NodesResult {
  readonly problems: readonly string[];
  readonly serverErrors: readonly string[];
  readonly run: ReadonlyMap<string, unknown>;
  readonly packets: PacketFindings;
  readonly notifications: Findings;
  readonly events: ReadonlyMap<string, number>;
  /** Of each promotion: milliseconds until a push was answered again. */
  readonly away: readonly number[];
}

const NODES = ["a", "b", "c"];
const CUT_OFF = "c";
const DELAY = 300;
/** That a node was killed its clients know after so long. */
const NOTICED = 10_000;
/** A node that is gone is swept after so long, and whoever is not back is told of half a minute later. */
const SWEPT = 20_000;
const RETURN = 33_000;
/** Deliveries that are made ready to be called for, and milliseconds between two such calls. */
const DELIVERIES = 60_000;
const BETWEEN = 800;

export async function tortureNodes(options: NodesOptions): Promise<NodesResult> {
  const { directory, seed, tell } = options;
  const begun = Date.now();
  const seconds = (): number => Math.round((Date.now() - begun) / 1000);
  const random = dice(seed);
  const [vendors, backend] = await Promise.all([startVendors(dice(seed + 1), 0), startBackend(dice(seed + 2))]);
  const pair = await Pair.start();
  const proxies = await Promise.all(pair.ports.map(openProxy));
  const through = pair.url(proxies.map(({ port }) => port));
  const hook = { name: "backend", url: backend.url, secret: backend.secret, events: ["*"], timeout: 2000 };
  const config = vendors.config(directory, {
    client: { disconnect_delay: DELAY },
    storage: { keep: 10_000 },
    hooks: { topics: [ROOM], tell: [hook] },
  });
  const urls = new Map(NODES.map((node) => [node, node === CUT_OFF ? through : pair.url()]));
  const cluster = new Cluster(config, directory, urls, dice(seed + 3));
  const end = (): void => {
    cluster.end();
    pair.end();
  };
  process.once("exit", end);
  const failure = cluster.crashed;
  failure.catch(() => undefined); // it is felt in the races below
  const within = <T>(work: Promise<T>): Promise<T> => Promise.race([failure, work]);
  const traffic: Traffic = { isOver: false, repeated: 0, pushed: [] };
  const life = { moving: true, isOver: false, calls: 0, repeated: 0, jobs: [] as string[] };
  const phones = Array.from({ length: options.phones }, (_, i) => new Phone(i, cluster, life, dice(seed + 100 + i)));
  const receivers = Array.from(
    { length: options.receivers },
    (_, i) => new Receiver(i, cluster, dice(seed + 10_000 + i)),
  );
  const disturbances: Kill[] = [];
  const away: number[] = [];
  const called: Call[] = [];
  const problems: string[] = [];
  const run = new Map<string, unknown>();

  async function startAll(): Promise<readonly Call[]> {
    await cluster.start();
    await watchLog(pair);
    const devices = makeDevices(2000, dice(seed + 4), vendors.tokenOf);
    vendors.know(devices);
    const engine = await openEngine(pair);
    await fill(engine, devices);
    await engine.close();
    for (const receiver of receivers) {
      await receiver.come();
      const body = JSON.stringify({ pushId: receiver.id, uid: receiver.uid });
      await cluster.call("uid/bind", body, () => undefined);
    }
    return makeCalls(DELIVERIES, devices, dice(seed + 5), seed);
  }

  /** Resolves when a push to each node that is there is answered. */
  async function answered(): Promise<number> {
    const at = Date.now();
    await cluster.call("push", JSON.stringify({ topic: "probe", json: {}, timeToLive: 1000 }), () => undefined);
    return Date.now() - at;
  }

  /** Sockets that ended since then although their node lived, and was not the one that was cut off. */
  const harmedSince = (from: number, cut?: string): number =>
    receivers
      .flatMap(({ closings }) => closings)
      .filter(({ node, at }) => {
        const killed = cluster.nodes.get(node)!.kills.some((kill) => at >= kill.at && at < kill.back + NOTICED);
        return at >= from && node !== cut && !killed;
      }).length;

  /** One at least is there at any time. */
  async function killNodes(): Promise<void> {
    const from = Date.now();
    for (let kill = 1; kill <= options.kills; kill++) {
      while ([...cluster.nodes.values()].filter(({ isUp }) => isUp).length < 2) await within(pause(50));
      await within(pause(300 + 2200 * random()));
      const [, server] = await within(cluster.any());
      await server.kill();
      disturbances.push(server.kills.at(-1)!);
      if (kill % 5 === 0 || kill === options.kills) tell(`${seconds()} s: ${kill} nodes killed; ${figures()}`);
    }
    for (const server of cluster.nodes.values()) await within(server.url());
    const harmed = harmedSince(from);
    run.set("nodes killed", options.kills);
    run.set("sockets of other nodes that ended meanwhile", harmed);
    if (harmed > 0) problems.push(`${harmed} sockets of nodes that were not killed have ended`);
  }

  async function failOvers(): Promise<void> {
    for (let promotion = 1; promotion <= options.promotions; promotion++) {
      const over = pair.failOver();
      await pause(100);
      const back = answered().then((waited) => away.push(waited + 100));
      const { at, back: promoted } = await within(over);
      await within(back);
      disturbances.push({ at, back: promoted });
      await within(pause(1000 + 3000 * random()));
      tell(`${seconds()} s: ${promotion} primaries killed, pushes answered after ${away.at(-1)} ms; ${figures()}`);
    }
    run.set("primaries killed, standby promoted", options.promotions);
  }

  async function endConnections(): Promise<void> {
    const from = Date.now();
    let ended = 0;
    for (let second = 0; second < options.ended; second++) {
      const question = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pushbox %'";
      ended += (await pair.query(question)).length;
      await within(pause(1000));
    }
    disturbances.push({ at: from, back: Date.now() });
    run.set("connections of PostgreSQL ended", ended);
    tell(`${seconds()} s: ${ended} connections ended; ${figures()}`);
  }

  async function standStill(): Promise<void> {
    if (options.still === 0) return;
    const at = Date.now();
    await within(pair.standStill(options.still * 1000));
    disturbances.push({ at, back: Date.now() });
    const waited = await within(answered());
    run.set("PostgreSQL stood still: s", options.still);
    run.set("then until a push was answered: ms", waited);
    tell(`${seconds()} s: PostgreSQL stood still; ${figures()}`);
  }

  async function cutOff(): Promise<void> {
    if (options.cut === 0) return;
    await within(pause(12_000)); // what came before is over
    const at = Date.now();
    const before = traffic.pushed.length;
    for (const proxy of proxies) proxy.cut();
    let longest = 0;
    for (const until = at + options.cut * 1000; Date.now() < until; ) {
      await within(pause(500));
      const others = [...cluster.nodes].filter(([node]) => node !== CUT_OFF).map(([, server]) => server);
      for (const server of others) {
        const asked = Date.now();
        const body = JSON.stringify({ topic: "probe", json: {}, timeToLive: 1000 });
        await within(server.call("push", body, () => undefined));
        longest = Math.max(longest, Date.now() - asked);
      }
    }
    const harmed = harmedSince(at, CUT_OFF);
    for (const proxy of proxies) proxy.mend();
    disturbances.push({ at, back: Date.now() });
    run.set("node cut off: s", options.cut);
    run.set("meanwhile the slowest push at another node: ms", longest);
    run.set("sockets of other nodes that ended then", harmed);
    if (harmed > 0) problems.push(`${harmed} sockets of nodes that were not cut off have ended`);
    tell(`${seconds()} s: a node was cut off, ${traffic.pushed.length - before} pushes meanwhile; ${figures()}`);
  }

  const figures = (): string =>
    `${traffic.pushed.length} pushed, ${called.length} notified, ${vendors.accepted.length} accepted, ${backend.taken.length} events`;

  try {
    const calls = await within(startAll());
    tell(`${seconds()} s: three nodes, ${receivers.length} receivers and ${phones.length} phones, seed ${seed}`);
    let n = 0;
    const next = (): number => ++n;
    const living = Promise.all([
      ...phones.map((phone) => phone.live()),
      ...receivers.map((receiver) => receiver.live(traffic)),
      ...Array.from({ length: options.callers }, (_, i) =>
        push(cluster, receivers, traffic, dice(seed + 20_000 + i), next),
      ),
      notify(cluster, calls, called, traffic),
    ]);
    living.catch(() => undefined);
    const disturb = async (): Promise<void> => {
      for (const step of [killNodes, failOvers, endConnections, standStill, cutOff]) await step();
    };
    await Promise.race([disturb(), living.then(() => Promise.reject(new Error("the traffic has ended early")))]);
    await within(pause(3000));
    traffic.isOver = true;
    life.isOver = true;
    await within(living);
    const last = Date.now();
    vendors.behave();
    backend.behave();
    for (const phone of phones) await within(phone.end(true));
    const deadline = last + options.limit;
    await within(received(pair, receivers, deadline));
    tell(`${seconds()} s: the traffic is over; ${figures()}`);
    await within(pause(Math.max(0, last + SWEPT + RETURN - Date.now())));
    const reads = await within(readBack(cluster, called, deadline));
    await within(quiet(cluster, options.limit));
    const log = await readLog(cluster);
    problems.push(...backend.problems, ...compareWords(log, backend.taken, life.jobs));
    problems.push(...(await lastWords(cluster, phones, backend.taken)));
    const packets = await account(pair, receivers, traffic.pushed);
    problems.push(...packets.problems);
    const codes = await cluster.stop();
    if (codes.some((code) => code !== 0)) problems.push(`the nodes ended with ${codes.join()} after SIGTERM`);
    const engine = await openEngine(pair);
    const stored = await tokensStored(engine);
    await engine.close();
    const ours = [...stored].filter(([pushId]) => devicesOf(calls).has(pushId));
    const notifications = compare({
      devices: [...devicesOf(calls).values()],
      calls: called,
      reads,
      stored: new Map(ours),
      accepted: vendors.accepted,
      faults: vendors.faults,
      kills: disturbances,
    });
    problems.push(...notifications.problems);
    run.set("calls repeated", traffic.repeated + life.repeated);
    run.set("events in the log", log.length);
    run.set("events that the backend took", backend.taken.length);
    run.set("of these it had already", backend.taken.length - new Set(backend.taken.map(({ id }) => id)).size);
    run.set("seconds in all", seconds());
    return {
      problems,
      serverErrors: cluster.errors,
      run,
      packets,
      notifications,
      events: countedTypes(log),
      away,
    };
  } finally {
    traffic.isOver = true;
    life.isOver = true;
    end();
    process.off("exit", end);
    for (const phone of phones) phone.cut();
    for (const receiver of receivers) receiver.leave();
    await Promise.all([vendors.close(), backend.close(), pair.close(), ...proxies.map((proxy) => proxy.close())]);
  }
}

const devicesOf = (calls: readonly Call[]) =>
  new Map(calls.flatMap(({ devices }) => devices.map((device) => [device.pushId, device] as const)));

const openEngine = (pair: Pair) =>
  openPostgresEngine({
    database: { url: pair.url(), schema: "pushbox" },
    node: "torture",
    keep: { default: 10_000, prefixes: [] },
    arrivalDays: 30,
    vendors: TRAITS,
  });

async function notify(cluster: Cluster, calls: readonly Call[], called: Call[], traffic: Traffic): Promise<void> {
  for (const call of calls) {
    if (traffic.isOver) return;
    await cluster.call("notification", call.body, () => {
      traffic.repeated++;
    });
    called.push(call);
    await pause(BETWEEN);
  }
  while (!traffic.isOver) await pause(100);
}
