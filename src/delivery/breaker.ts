// The circuit breaker of a lane: when too many of its tokens are said to be dead, none is forgotten until an operator has looked.
import { count, type Deaths, NO_DEATHS, type Settlement, suspicious } from "../core/delivery.ts";

export class Breaker {
  #deaths: Deaths = NO_DEATHS;
  #open = false;

  /** Deletions are held. */
  get open(): boolean {
    return this.#open;
  }

  /** Counts verdicts. Returns why deletions are held from now on, if they are. */
  count(accepted: number, gone: number, now: number): string | undefined {
    this.#deaths = count(this.#deaths, accepted, gone, now);
    if (this.#open || !suspicious(this.#deaths)) return undefined;
    this.#open = true;
    return `${this.#deaths.dead} of the last ${this.#deaths.judged} tokens are said to be dead`;
  }

  close(): void {
    this.#deaths = NO_DEATHS;
    this.#open = false;
  }

  /** The settlement as it is to be stored. */
  pass(settlement: Settlement): Settlement {
    if (!this.#open || settlement.kind !== "gone") return settlement;
    const { forget: _kept, ...rest } = settlement;
    return rest;
  }
}
