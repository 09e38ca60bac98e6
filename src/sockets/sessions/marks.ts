// How far devices have proven to have received their own channels, on its way to the store (holds 9).
import type { Broker } from "../../core/engine.ts";
import type { Background } from "./background.ts";
import type { Proofs } from "./proofs.ts";

/** What is proven to have arrived is stored within so many milliseconds: a crash before then repeats it to a client without position. */
const STORE_WITHIN = 100;

interface MarksOptions {
  readonly proofs: Proofs;
  readonly broker: Pick<Broker, "sent">;
  readonly background: Background;
}

export class Marks {
  readonly #options: MarksOptions;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  /** Something may have been proven. */
  storeSoon(): void {
    const { background, proofs } = this.#options;
    if (this.#timer !== undefined || background.fails || proofs.isEmpty) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      background.own(this.store(), "sent");
    }, STORE_WITHIN);
    this.#timer.unref();
  }

  /** Undefined: there is nothing to store. */
  store(): Promise<void> | undefined {
    const { background, broker, proofs } = this.#options;
    const marks = proofs.take();
    if (marks.length === 0) return undefined;
    return broker.sent(marks).catch((error: unknown) => {
      proofs.giveBack(marks);
      background.fails = true;
      throw error;
    });
  }

  /** At the end: stores what is proven and not stored yet; undefined: there is nothing. Rejects when it cannot be stored. */
  stop(): Promise<void> | undefined {
    clearTimeout(this.#timer);
    return this.store();
  }
}
