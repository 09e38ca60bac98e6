// Statistics are gathered in memory and stored once a second: a crash may lose the last second of them, never a message.
import type { Counters, Evidence, Sample } from "./engine.ts";

/** Keys that clients may invent; beyond so many, new ones are not counted. */
const CLIENT_KEYS = 1000;
const FLUSH_EVERY = 1000;

export interface Report {
  /** Adds to the current hour of `key`; what is left out is 0. */
  count(key: string, sums: Partial<Omit<Sample, "key">>): void;
  /** The same for a key that a client chose. */
  countForClient(key: string, sums: Partial<Omit<Sample, "key">>): void;
  /** A device got or opened a notification. */
  evidence(evidence: Evidence): void;
  /** Stores what was gathered so far. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** @param failed told when gathered figures could not be stored; they are dropped */
export function createReport(counters: Counters, now: () => number, failed: (error: unknown) => void): Report {
  let sums = new Map<string, { total: number; success: number; error: number; latency: number }>();
  let evidence: Evidence[] = [];
  const clientKeys = new Set<string>();
  const timer = setInterval(() => void flush(), FLUSH_EVERY);
  timer.unref();

  function count(key: string, added: Partial<Omit<Sample, "key">>): void {
    let sum = sums.get(key);
    if (sum === undefined) {
      sum = { total: 0, success: 0, error: 0, latency: 0 };
      sums.set(key, sum);
    }
    sum.total += added.total ?? 0;
    sum.success += added.success ?? 0;
    sum.error += added.error ?? 0;
    sum.latency += added.latency ?? 0;
  }

  async function flush(): Promise<void> {
    const samples = [...sums].map(([key, sum]): Sample => ({ key, ...sum }));
    const seen = evidence;
    sums = new Map();
    evidence = [];
    const at = now();
    try {
      await Promise.all([
        samples.length > 0 ? counters.add(samples, at) : undefined,
        seen.length > 0 ? counters.arrived(seen, at) : undefined,
      ]);
    } catch (error) {
      failed(error);
    }
  }

  return {
    count,
    countForClient(key, added) {
      if (!clientKeys.has(key)) {
        if (clientKeys.size >= CLIENT_KEYS) return;
        clientKeys.add(key);
      }
      count(key, added);
    },
    evidence: (piece) => void evidence.push(piece),
    flush,
    stop() {
      clearInterval(timer);
      return flush();
    },
  };
}
