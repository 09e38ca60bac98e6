// Statistics are gathered in memory and stored once a second: a crash may lose the last second of them, never a message.
import type { Counters, Evidence, Sample } from "./engine.ts";
import { LIVE_KEY } from "./rings.ts";

/** Keys that clients may invent; beyond so many, new ones are not counted. */
const CLIENT_KEYS = 1000;
/** Pieces of evidence that may wait while the store takes none; later ones are dropped. */
const MOST_EVIDENCE = 100_000;
const FLUSH_EVERY = 1000;
/** Keys that the server counts by itself, besides those of vendors: what a client says would make its figures worthless (D24). */
const OWN: ReadonlySet<string> = new Set(["toClientPacket", "noti", "bindUid", "unbindUid", "notificationByDevices"]);
const OWN_KINDS = [LIVE_KEY, "call:"];

type Sums = Omit<Sample, "key">;

export interface Report {
  /** Adds to the current hour of `key`; what is left out is 0. */
  count(key: string, sums: Partial<Sums>): void;
  /** The same for a key that a client chose; nothing for one that the server counts by itself. */
  countForClient(key: string, sums: Partial<Sums>): void;
  /** A device got or opened a notification. */
  evidence(evidence: Evidence): void;
  /** Stores what was gathered so far. What could not be stored is not lost: the next flush tries again. */
  flush(): Promise<void>;
  /** Stores the last of it; what cannot be stored now is lost, and told. */
  stop(): Promise<void>;
}

/**
 * @param failed told when the store begins to take no figures, and at the end when some are lost
 * @param vendors their names in the statistics: what was sent to each counts under it
 */
export function createReport(
  counters: Counters,
  now: () => number,
  failed: (error: unknown) => void,
  vendors: readonly string[] = [],
): Report {
  const own: ReadonlySet<string> = new Set([...OWN, ...vendors]);
  let sums = new Map<string, { -readonly [field in keyof Sums]: Sums[field] }>();
  let evidence: Evidence[] = [];
  let failing = false;
  const clientKeys = new Set<string>();
  const timer = setInterval(() => void flush(), FLUSH_EVERY);
  timer.unref();

  function count(key: string, added: Partial<Sums>): void {
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
    if (samples.length === 0 && seen.length === 0) return;
    sums = new Map();
    evidence = [];
    const at = now();
    const stored = await Promise.all([
      samples.length === 0 || tried(counters.add(samples, at)),
      seen.length === 0 || tried(counters.arrived(seen, at)),
    ]);
    if (!stored[0]) for (const { key, ...sum } of samples) count(key, sum);
    if (!stored[1]) evidence = seen.concat(evidence).slice(0, MOST_EVIDENCE);
    if (stored[0] && stored[1]) failing = false;
  }

  async function tried(storing: Promise<void>): Promise<boolean> {
    try {
      await storing;
      return true;
    } catch (error) {
      if (!failing) failed(error);
      failing = true;
      return false;
    }
  }

  return {
    count,
    countForClient(key, added) {
      if (own.has(key) || OWN_KINDS.some((kind) => key.startsWith(kind))) return;
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
      failing = false;
      return flush();
    },
  };
}
