// Due deliveries go to their vendors: one runner per lane, none of which waits for another.
import { type Lane, laneName } from "../core/delivery.ts";
import type { LaneStatus, Lanes } from "../core/lane.ts";
import type { LaneDepth, Outbox } from "../core/outbox.ts";
import type { Host, Vendor, VendorName } from "../core/vendor.ts";
import { HostLanes } from "./hosts.ts";
import { type LaneOptions, LaneRunner } from "./lane.ts";
import { Turns } from "./turns.ts";

export interface SenderOptions extends Omit<LaneOptions, "outbox" | "turns"> {
  readonly outbox: Pick<Outbox, "own" | "disown" | "claim" | "settle" | "expire" | "expiring" | "lanes" | "unsent">;
}

export interface Sender extends Lanes {
  /** Takes up whatever waits: what an earlier run left, or a job that goes on. */
  wake(): Promise<void>;
  /** Where devices choose the host: the lane of this one of a vendor's app, the same object each time. */
  laneOf(shared: Lane, host: Host | undefined): Lane;
  /** These lanes have something to send. */
  nudge(lanes: readonly Lane[]): void;
  /** Sends nothing more of these jobs, save what is at the vendors: they were paused or cancelled. */
  withdraw(jobs: readonly number[]): void;
  /** Whether the lane's tokens are kept although they are said to be dead (core/delivery.ts). */
  holdsDeletions(lane: Lane): boolean;
  /** Sends through these vendors from now on, by name. Lanes that were stopped begin again. */
  use(vendors: ReadonlyMap<VendorName, Vendor>): void;
  /** Resolves when what is at the vendors is settled, or after `patience` milliseconds: the rest is sent again some day. */
  stop(patience: number): Promise<void>;
}

/** Lanes at work. So many cost the store a hundred calls in a second, and devices can name hosts without end. */
const MOST_RUNNERS = 1024;

/** Begins with `use` and `wake`. */
export function createSender(options: SenderOptions): Sender {
  const { outbox } = options;
  const turns = new Turns();
  const runners = new Map<string, LaneRunner>();
  let vendors: ReadonlyMap<VendorName, Vendor> = new Map();
  const hosts = new HostLanes({
    spoilt: (lane) => runners.size < MOST_RUNNERS && runners.get(laneName(lane))?.spoilt === true,
    left: () => void sweep(),
  });
  let sweeping = false;
  let stopped = false;

  function vendorOf({ vendor: name, app }: Lane): Vendor | undefined {
    const vendor = vendors.get(name);
    return vendor?.part?.(app) ?? vendor;
  }

  function runner(lane: Lane): LaneRunner {
    const name = laneName(lane);
    let found = runners.get(name);
    if (found === undefined) {
      found = new LaneRunner(lane, vendorOf(lane), { ...options, turns });
      runners.set(name, found);
    }
    return found;
  }

  /** Lanes of hosts that gave their place to another end when nothing waits in them. */
  async function sweep(): Promise<void> {
    const leaving = [...runners].filter(([, { lane }]) => lane.host !== undefined && !hosts.has(lane));
    if (sweeping || leaving.length === 0) return;
    sweeping = true;
    try {
      const waiting = new Set((await outbox.lanes()).map(({ lane }) => laneName(lane)));
      for (const [name, one] of leaving) {
        if (waiting.has(name) || hosts.has(one.lane)) continue;
        runners.delete(name);
        runner({ vendor: one.lane.vendor, app: one.lane.app }).add(one.totals);
        void one.close();
      }
    } catch (error) {
      options.failed(error);
    } finally {
      sweeping = false;
    }
  }

  return {
    async wake() {
      for (const { lane } of await outbox.lanes()) runner(lane).nudge();
    },
    laneOf: (shared, host) => hosts.of(shared, host, options.elapsed()),
    nudge(lanes) {
      if (!stopped) for (const lane of lanes) runner(lane).nudge();
    },
    withdraw(jobs) {
      for (const one of runners.values()) for (const job of jobs) one.withdraw(job);
    },
    holdsDeletions: (lane) => runners.get(laneName(lane))?.holdsDeletions === true,
    use(next) {
      vendors = next;
      for (const one of runners.values()) one.use(vendorOf(one.lane));
      for (const vendor of vendors.values()) for (const app of vendor.apps) runner({ vendor: vendor.name, app });
    },
    async list(everything = false): Promise<readonly LaneStatus[]> {
      const depths = new Map<string, LaneDepth>();
      const unsent = new Map<string, number>();
      const [waiting, ended] = await Promise.all([outbox.lanes(), outbox.unsent()]);
      for (const depth of waiting) depths.set(laneName(depth.lane), depth);
      for (const { lane, total } of ended) unsent.set(laneName(lane), total);
      const known = await Promise.all(
        [...runners].map(async ([name, one]) =>
          one.status(depths.get(name), unsent.get(name) ?? 0, await one.expiring()),
        ),
      );
      if (!everything) return known;
      const others = waiting.filter(({ lane }) => !runners.has(laneName(lane)));
      return [...known, ...others.map(({ lane, depth, oldest }) => untouched(lane, depth, oldest, options.now()))];
    },
    inHand: () => Promise.all([...runners.values()].map(async (one) => one.status(undefined, 0, await one.expiring()))),
    resume({ vendor, app, host }) {
      return [...runners.values()]
        .filter(({ lane }) => vendor === undefined || vendor === lane.vendor)
        .filter(({ lane }) => app === undefined || app === lane.app)
        .filter(({ lane }) => host === undefined || host === lane.host)
        .filter((one) => one.resume())
        .map(({ lane }) => lane);
    },
    async stop(patience) {
      stopped = true;
      const ended = Promise.all([...runners.values()].map((one) => one.close()));
      let timer: NodeJS.Timeout | undefined;
      const tired = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience);
      });
      await Promise.race([ended, tired]);
      clearTimeout(timer);
      await outbox.disown().catch(options.failed);
    },
  };
}

/** Of a lane that this process has nothing to do with. */
const untouched = (lane: Lane, depth: number, oldest: number | undefined, now: number): LaneStatus => ({
  ...lane,
  ...{ state: "running", depth, inFlight: 0, rate: 0, accepted: 0, failed: 0, retried: 0, holdsDeletions: false },
  ...(oldest === undefined ? {} : { oldest: Math.max(0, now - oldest) }),
});
