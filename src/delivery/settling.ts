// What vendors said, on its way into the store: the settlements of a turn together, tried until they are stored, because a vendor
// has been asked.
import type { Settlement } from "../core/delivery.ts";

const RETRY_AFTER = 1000;

export interface SettlingOptions {
  /** Rejects when the store took none of them: they are given to it again. */
  readonly settle: (settlements: readonly Settlement[]) => Promise<void>;
  /** These are, in the order in which they were added. */
  readonly stored: (settlements: readonly Settlement[]) => void;
  /** Why the store took none. */
  readonly failed: (error: unknown) => void;
  /** Nothing is on its way any more, or what is left cannot be stored. */
  readonly rested: () => void;
}

export class Settling {
  readonly #options: SettlingOptions;
  #waiting: Settlement[] = [];
  #busy = false;
  #failing = false;
  #closed = false;

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** The store took nothing the last time. */
  get failing(): boolean {
    return this.#failing;
  }

  /** Not stored, and not about to be. */
  get stuck(): number {
    return this.#busy ? 0 : this.#waiting.length;
  }

  /** It goes with the others of this turn, behind those that are being stored. */
  add(settlement: Settlement): void {
    this.#waiting.push(settlement);
    if (this.#busy) return;
    this.#busy = true;
    void this.#flush();
  }

  /** From now on, what the store does not take at once is left: the leases end with this run. */
  close(): void {
    this.#closed = true;
  }

  async #flush(): Promise<void> {
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const some = this.#waiting;
      this.#waiting = [];
      try {
        await this.#options.settle(some);
        this.#failing = false;
        this.#options.stored(some);
      } catch (error) {
        this.#options.failed(error);
        this.#waiting = some.concat(this.#waiting);
        this.#failing = true;
        if (this.#closed) break;
        await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER).unref());
      }
    }
    this.#busy = false;
    this.#options.rested();
  }
}
