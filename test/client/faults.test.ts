// integration 17: whatever breaks, in whatever order, nothing that is kept is lost or shown twice, and what is no longer kept is told.
//   FAULT_RUNS=1000 npm test -- test/client/faults.test.ts        FAULT_SEED=17 FAULT_RUNS=1 repeats one
import t, { type Test } from "tap";
import type { Message, Storage } from "../../src/client/api.ts";
import { createClient } from "../../src/client/client.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { type Faulty, openFaulty } from "../support/faulty.ts";
import { faster, memory } from "./support.ts";

const RUNS = Number(process.env["FAULT_RUNS"] ?? 40);
const FIRST = Number(process.env["FAULT_SEED"] ?? 1);
/** Runs at the same time: a restart of the server hits them all. */
const AT_ONCE = 20;
const KEPT_FEW = 5;
/** What is kept is lost when nothing at all has come to anybody for so long. Milliseconds: a busy machine takes its time for so many clients. */
const PATIENCE = 60_000;
/** When a message was shown, in whatever run. */
let shownAt = 0;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Mulberry32: the same chances for the same seed. */
function chances(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return Math.floor((((z ^ (z >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** One server after the other on the same data; only one at a time is stopped. */
class Servers {
  now: TestApp;
  readonly #t: Test;
  readonly #data: string;
  readonly #ways = new Set<Faulty>();
  #restarting: Promise<void> | undefined;
  restarts = 0;

  private constructor(t: Test, data: string, first: TestApp) {
    this.#t = t;
    this.#data = data;
    this.now = first;
  }

  static async start(t: Test): Promise<Servers> {
    const data = t.testdir();
    return new Servers(t, data, await Servers.#open(t, data));
  }

  static #open(t: Test, data: string): Promise<TestApp> {
    return startTestApp(t, {
      data,
      client: { pingInterval: 400, pingTimeout: 4000 }, // nobody is to be closed for the processor that it waits for
      storage: { keep: 200, keepByPrefix: { "few:": KEPT_FEW } },
    });
  }

  async way(t: Test): Promise<Faulty> {
    const way = await openFaulty(t, this.now.clientPort);
    this.#ways.add(way);
    return way;
  }

  async restart(): Promise<void> {
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined;
    });
    await this.#restarting;
  }

  async #restart(): Promise<void> {
    this.restarts++;
    await this.now.stop();
    this.now = await Servers.#open(this.#t, this.#data);
    for (const way of this.#ways) way.target = this.now.clientPort;
  }

  /** Tried again until it is answered; a key makes sure that it is done once. */
  async push(fields: Record<string, unknown>): Promise<void> {
    for (;;) {
      await this.#restarting;
      try {
        await this.now.ok("push", fields);
        return;
      } catch {
        await pause(20);
      }
    }
  }
}

interface Page {
  readonly close: () => void;
  readonly idle: () => boolean;
}

async function run(t: Test, servers: Servers, seed: number): Promise<string[]> {
  const chance = chances(seed);
  const way = await servers.way(t);
  const pushId = `faults-${seed}-device`;
  const topics = [`all:${seed}`, `few:${seed}`];
  const storage: Storage = memory();
  const sent = new Map<string, number[]>([...topics, pushId].map((channel) => [channel, []]));
  const shown = new Map<string, number[]>([...topics, pushId].map((channel) => [channel, []]));
  /** How much had been sent of each topic when its gap was told. */
  const gaps = new Map<string, number>();
  const log: string[] = [];
  let number = 0;

  function load(): Page {
    const slow = chance(3) === 0;
    const polling = chance(4) === 0;
    let running = 0;
    const client = createClient(
      way.url,
      { pushId, topics, storage, ...(polling ? { transports: ["polling"] } : {}) },
      { ...faster, random: () => chance(1000) / 1000 },
    );
    const show = ({ data, topic }: Message): void => {
      shown.get(topic ?? pushId)?.push(data as number);
      shownAt = performance.now();
    };
    client.on("message", (message) => {
      if (!slow) return show(message);
      running++;
      return pause(chance(4)).then(() => {
        running--;
        show(message);
      });
    });
    client.on("gap", ({ topic }) => {
      gaps.set(topic ?? pushId, sent.get(topic ?? pushId)?.length ?? 0);
      log.push(`gap ${topic}`);
    });
    client.on("connect", ({ recovered }) => log.push(`connect ${recovered}`));
    return { close: client.close, idle: () => running === 0 };
  }

  async function push(channel: string): Promise<void> {
    const json = number++;
    log.push(`push ${channel} ${json}`);
    sent.get(channel)?.push(json);
    const to = channel === pushId ? { pushId } : { topic: channel };
    await servers.push({ ...to, json, timeToLive: 600_000, idempotencyKey: `${seed}-${json}` });
  }

  const all = [...topics, pushId];
  let page = load();
  // What is sent before it was there for the first time is not meant for it.
  while (log.length === 0) await pause(1);
  for (let step = 0; step < 25; step++) {
    const what = chance(20);
    if (what < 10) {
      const channel = all[chance(3)]!;
      for (let n = 1 + chance(3); n > 0; n--) await push(channel);
    } else if (what < 12) {
      log.push("cut");
      way.cut();
    } else if (what < 13) {
      log.push("silent");
      way.silent = true;
      await pause(chance(60));
      way.silent = false;
      way.cut();
    } else if (what < 14) {
      way.refuses = (["everybody", "websockets", "nobody"] as const)[chance(3)]!;
      log.push(`refuses ${way.refuses}`);
    } else if (what < 17) {
      log.push("load");
      // A page that goes in the middle of a handler has shown something that it has not handled.
      while (!page.idle()) await pause(1);
      page.close();
      if (chance(2) === 0) await push(all[chance(3)]!);
      page = load();
    } else if (what < 19 || chance(20) > 0) {
      await pause(chance(40));
    } else {
      log.push("restart");
      await servers.restart();
    }
  }
  way.refuses = "nobody";
  way.silent = false;
  for (const channel of all) await push(channel);
  const complete = (): boolean => all.every((channel) => shown.get(channel)?.includes(sent.get(channel)!.at(-1)!));
  shownAt = performance.now();
  while (!complete() && performance.now() - shownAt < PATIENCE) await pause(5);
  page.close();

  const problems: string[] = [];
  for (const channel of all) {
    const [was, came] = [sent.get(channel)!, shown.get(channel)!];
    const missing = was.filter((one) => !came.includes(one));
    const told = gaps.get(channel) ?? 0;
    const lost = missing.filter((one) => !channel.startsWith("few:") || was.indexOf(one) >= told);
    if (gaps.has(channel) && !channel.startsWith("few:")) problems.push(`${channel} has a gap, and missed nothing`);
    if (lost.length > 0) problems.push(`${channel} lost ${lost}`);
    if (new Set(came).size < came.length) problems.push(`${channel} shown twice: ${came}`);
    if (came.join() !== was.filter((one) => came.includes(one)).join())
      problems.push(`${channel} out of order: ${came}`);
  }
  return problems.length === 0 ? [] : [...problems.map((problem) => `seed ${seed}: ${problem}`), `  ${log.join(", ")}`];
}

t.test(`integration 17: ${RUNS} random runs of faults lose nothing that is kept and show nothing twice`, async (t) => {
  const servers = await Servers.start(t);
  let next = FIRST;
  let failed = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < FIRST + RUNS && failed < 5) {
        const seed = next++;
        const problems = await run(t, servers, seed);
        if (problems.length > 0) failed++;
        for (const problem of problems) t.fail(problem);
      }
    }),
  );
  t.equal(next, FIRST + RUNS);
  t.comment(`${servers.restarts} restarts of the server`);
});
