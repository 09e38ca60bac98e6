// GET /admin/live: one aggregate a second to each open page, made once for all of them, and nothing at all while none is open.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { cpuUsage, memoryUsage } from "node:process";
import { STREAM_HEADERS } from "../api/answer.ts";
import type { LaneStatus } from "../core/lane.ts";
import type { SessionCounts } from "../core/live.ts";
import { HttpError, type Outlet, type Response, type Stream } from "../http/message.ts";

/** What goes through a topic, per second over the last ten: packets that came, that were written to its members, and that were kept. */
interface TopicFlow {
  /** Connections. */
  readonly count: number;
  readonly in: number;
  readonly out: number;
  readonly kept: number;
}

const TOTALS = ["opened", "packets", "apiCalls", "apiErrors", "notifications"] as const;

/** What is asked once a second. */
export interface LiveSource {
  /**
   * Of each node, by its number: `connections` now, `storeCalls` that wait, and `TOTALS` since its start; and the names of nodes that
   * have not answered.
   */
  totals(): Promise<{
    readonly nodes: ReadonlyMap<number, Readonly<Record<string, number>>>;
    readonly silent: readonly string[];
  }>;
  /** Of all nodes, as the two below. */
  sessions(): Promise<SessionCounts>;
  lanes(): Promise<readonly LaneStatus[]>;
  topic(name: string): Promise<TopicFlow>;
}

const SECOND = 1000;
/** Pages at once, in all and of one login. */
const MOST_PAGES = 50;
const PAGES_PER_LOGIN = 10;
/** Of a page. */
const MOST_TOPICS = 20;
/** Web Push has a lane for each host. */
const MOST_LANES = 100;
/** A page that takes nothing for so many seconds is cut; it comes back. */
const PATIENCE = 30;

interface Page {
  readonly topics: readonly string[];
  readonly outlet: Outlet;
  /** Seconds for which it has taken nothing. */
  stuck: number;
  isStuck: boolean;
}

export class LiveFeed {
  readonly #source: LiveSource;
  readonly #now: () => number;
  readonly #pages = new Set<Page>();
  /** Pages by their login, those that are just opening too. */
  readonly #taken = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined = undefined;
  #sampler: Sampler | undefined = undefined;
  #sampling = false;

  constructor(source: LiveSource, now: () => number) {
    this.#source = source;
    this.#now = now;
  }

  /** Pages that are open. */
  get size(): number {
    return this.#pages.size;
  }

  /** @param login whose page it is */
  open(topics: readonly string[], login: string): Response {
    if (topics.length > MOST_TOPICS) throw new HttpError(400, `topics: at most ${MOST_TOPICS}`);
    const own = this.#taken.get(login) ?? 0;
    const all = [...this.#taken.values()].reduce((sum, count) => sum + count, 0);
    if (all >= MOST_PAGES || own >= PAGES_PER_LOGIN) throw new HttpError(503, "too many pages are open: close one");
    this.#taken.set(login, own + 1);
    const left = (): void => {
      const count = (this.#taken.get(login) ?? 0) - 1;
      if (count > 0) this.#taken.set(login, count);
      else this.#taken.delete(login);
    };
    return {
      status: 200,
      headers: STREAM_HEADERS,
      body: "",
      abandoned: left,
      stream: (outlet) => this.#add({ topics, outlet, stuck: 0, isStuck: false }, left),
    };
  }

  #add(page: Page, left: () => void): Stream {
    this.#pages.add(page);
    page.outlet.write("retry: 2000\n\n");
    this.#timer ??= this.#begin();
    return {
      ready() {
        page.isStuck = false;
        page.stuck = 0;
      },
      closed: () => {
        if (!this.#pages.delete(page)) return;
        left();
        if (this.#pages.size === 0) this.#end();
      },
      end: () => page.outlet.end(),
    };
  }

  #begin(): NodeJS.Timeout {
    this.#sampler = new Sampler(this.#source);
    void this.#tick();
    return setInterval(() => void this.#tick(), SECOND).unref();
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#sampler?.end();
    this.#sampler = undefined;
  }

  /** Of each topic that a page shows, as JSON. */
  async #flows(): Promise<ReadonlyMap<string, string>> {
    const names = new Set([...this.#pages].flatMap(({ topics }) => topics));
    const told = [...names].map(async (topic) => {
      const flow = await this.#source.topic(topic);
      return [topic, JSON.stringify({ topic, ...flow })] as const;
    });
    return new Map(await Promise.all(told));
  }

  async #tick(): Promise<void> {
    // A store that takes longer than a second is told about when it answers.
    if (this.#sampling || this.#sampler === undefined) return;
    this.#sampling = true;
    try {
      const sampler = this.#sampler;
      const [sample, topics] = await Promise.all([sampler.sample(this.#now()), this.#flows()]);
      if (sampler !== this.#sampler) return;
      const text = JSON.stringify(sample).slice(0, -1);
      for (const page of this.#pages) {
        if (page.isStuck) {
          if (++page.stuck > PATIENCE) page.outlet.cut();
          continue;
        }
        const own = page.topics.flatMap((topic) => topics.get(topic) ?? []).join();
        page.isStuck = !page.outlet.write(`data: ${text},"topics":[${own}]}\n\n`);
      }
    } catch {
      // The store could not answer: the next second is another try.
    } finally {
      this.#sampling = false;
    }
  }
}

/** What changed since the last sample, per second. */
class Sampler {
  readonly #source: LiveSource;
  readonly #loop = monitorEventLoopDelay({ resolution: 10 });
  /** By what it is of: a node that was silent is compared with what it said itself. */
  #before: ReadonlyMap<number | "lanes", Readonly<Record<string, number>>> = new Map();
  #at = performance.now();
  #seconds = 1;
  #cpu = cpuUsage();

  constructor(source: LiveSource) {
    this.#source = source;
    this.#loop.enable();
  }

  end(): void {
    this.#loop.disable();
  }

  async sample(time: number): Promise<object> {
    const source = this.#source;
    const [sessions, lanes, { nodes, silent }] = await Promise.all([
      source.sessions(),
      source.lanes(),
      source.totals(),
    ]);
    const sum = (of: (lane: LaneStatus) => number): number => lanes.reduce((all, lane) => all + of(lane), 0);
    const now = (name: string): number => [...nodes.values()].reduce((all, one) => all + (one[name] ?? 0), 0);
    const ended = { accepted: sum(({ accepted }) => accepted), failed: sum(({ failed }) => failed) };
    const at = performance.now();
    this.#seconds = Math.max(0.001, (at - this.#at) / 1000);
    this.#at = at;
    const totals = new Map<number | "lanes", Readonly<Record<string, number>>>(nodes).set("lanes", ended);
    const before = this.#before;
    this.#before = new Map([...before, ...totals]);
    const rise = (name: string): number => {
      let all = 0;
      for (const [of, { [name]: value = 0 }] of totals) all += Math.max(0, value - (before.get(of)?.[name] ?? value));
      return round(all / this.#seconds);
    };
    const rates = Object.fromEntries([...TOTALS, ...Object.keys(ended)].map((name) => [name, rise(name)]));
    const waitingIn = (state: LaneStatus["state"]): number =>
      sum((lane) => (lane.state === state ? lane.depth - lane.inFlight : 0));
    return {
      time,
      connections: now("connections"),
      sessions: { total: sessions.total, ...Object.fromEntries(sessions.byPlatform) },
      rates,
      queue: {
        waiting: waitingIn("running"),
        paused: waitingIn("paused"),
        stopped: waitingIn("stopped"),
        atVendors: sum(({ inFlight }) => inFlight),
        store: now("storeCalls"),
      },
      lanes: lanes.slice(0, MOST_LANES).map(({ vendor, app, host, state, reason, until, depth, inFlight, rate }) => ({
        ...{ provider: vendor, app, host, state, reason, until, depth, inFlight, rate },
      })),
      laneCount: lanes.length,
      process: this.#process(),
      ...(silent.length === 0 ? {} : { silent }),
    };
  }

  #process(): object {
    const used = cpuUsage(this.#cpu);
    this.#cpu = cpuUsage();
    const { rss, heapUsed } = memoryUsage();
    const ms = (nanoseconds: number): number => (Number.isFinite(nanoseconds) ? round(nanoseconds / 1e6) : 0);
    // It measures how late a timer of 10 ms is.
    const loop = {
      mean: Math.max(0, round(ms(this.#loop.mean) - 10)),
      max: Math.max(0, round(ms(this.#loop.max) - 10)),
    };
    this.#loop.reset();
    return { cpu: round((used.user + used.system) / 1e6 / this.#seconds), memory: rss, heap: heapUsed, loop };
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;
