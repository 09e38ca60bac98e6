// How often each API path is called, added to the hourly statistics every few seconds.
import type { Counters } from "../core/engine.ts";

const FLUSH_INTERVAL = 5000;

export class Calls {
  readonly #counters: Pick<Counters, "add">;
  readonly #report: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #counts = new Map<string, number>();

  constructor(counters: Pick<Counters, "add">, report: (error: unknown) => void) {
    this.#counters = counters;
    this.#report = report;
    this.#timer = setInterval(() => void this.flush(), FLUSH_INTERVAL);
    this.#timer.unref();
  }

  count(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  async flush(): Promise<void> {
    const counts = this.#counts;
    if (counts.size === 0) return;
    this.#counts = new Map();
    const samples = [...counts].map(([key, success]) => ({ key, total: 0, success, error: 0, latency: 0 }));
    try {
      await this.#counters.add(samples, Date.now());
    } catch (error) {
      this.#report(error);
      // Not lost: the next flush tries again.
      for (const [key, count] of counts) this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
