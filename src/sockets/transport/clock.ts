// The gateway's time: coarse ticks, so that a deadline is a small integer on a connection.

const FINEST = 10;
const COARSEST = 500;

/** A tick is a twentieth of the shortest time it has to measure, within bounds: 10 ms for 200 ms, half a second for 20 s. */
export const tickFor = (shortest: number): number => Math.min(COARSEST, Math.max(FINEST, Math.floor(shortest / 20)));

/**
 * Counts only time in which the process could have listened: after a pause (a suspended machine, a blocked loop) the clients'
 * packets wait in the kernel, and nobody may be called silent before they have been read.
 */
export class Clock {
  readonly tickLength: number;
  readonly #longestStep: number;
  #elapsed = 0;
  #last = performance.now();
  /** The tick as of the last `advance`; never 0, which stands for "no deadline". */
  now = 1;

  constructor(tickLength: number, longestStep: number) {
    this.tickLength = tickLength;
    this.#longestStep = longestStep;
  }

  /** Once a tick. @returns the tick that it is now */
  advance(): number {
    const now = performance.now();
    this.#elapsed += Math.min(now - this.#last, this.#longestStep);
    this.#last = now;
    this.now = 1 + Math.floor(this.#elapsed / this.tickLength);
    return this.now;
  }

  /** Whole seconds of its time. */
  get second(): number {
    return Math.floor(this.#elapsed / 1000);
  }

  /** How many ticks a time takes, rounded up. */
  ticks(milliseconds: number): number {
    return Math.ceil(milliseconds / this.tickLength);
  }
}
