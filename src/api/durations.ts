// How long calls take, by route: one addition per call, and text for the metrics when somebody asks.

/** Upper bounds of the buckets, in seconds; beyond the last it is counted as infinite. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const IN_MILLISECONDS = BOUNDS.map((bound) => bound * 1000);

export class Durations {
  /** Calls per bucket, the last one without an upper bound. */
  readonly #buckets = new Float64Array(BOUNDS.length + 1);
  #sum = 0;

  add(milliseconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && milliseconds > IN_MILLISECONDS[bucket]!) bucket++;
    this.#buckets[bucket]!++;
    this.#sum += milliseconds;
  }

  /** Undefined: nothing was counted yet. */
  get histogram(): Histogram | undefined {
    let count = 0;
    const below = [...this.#buckets].map((calls) => {
      count += calls;
      return count;
    });
    if (count === 0) return undefined;
    return { buckets: BOUNDS.map((bound, i) => [bound, below[i] ?? 0]), sum: this.#sum / 1000, count };
  }
}

/** Seconds. Each bucket counts what took at most so long. */
export interface Histogram {
  readonly buckets: readonly (readonly [bound: number, count: number])[];
  readonly sum: number;
  readonly count: number;
}
