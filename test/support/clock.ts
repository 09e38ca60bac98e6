// A clock that the test moves: `Date.now` of this thread, for apps that are started after it is taken. Timers keep to real time.
import type { Test } from "tap";
import { DAY, HOUR } from "../../src/core/time.ts";

export interface Clock {
  /** By so many milliseconds, negative ones as well. */
  move(by: number): void;
  /** It stands still: only `move` moves it. */
  hold(): void;
  /** It goes on from where it stands. */
  go(): void;
}

/** It shows half past twelve in UTC and goes on: no hour and no day ends while the test runs. */
export function takeNoon(t: Test): Clock {
  const clock = takeClock(t);
  clock.move(12.5 * HOUR - (Date.now() % DAY));
  return clock;
}

/**
 * Puts the clock that is never set, `performance.now` of this thread, ahead for good: for a delay that is to be over, or far from it, however
 * busy the machine is. Transports take such a leap for a pause of the process, and close nobody for it.
 */
export function moveElapsed(by: number): void {
  const before = performance.now.bind(performance);
  performance.now = () => before() + by;
}

/** The real one is back at the test's end. */
export function takeClock(t: Test): Clock {
  const real = Date.now;
  let ahead = 0;
  let held: number | undefined;
  Date.now = () => held ?? real() + ahead;
  t.teardown(() => {
    Date.now = real;
  });
  return {
    move(by) {
      if (held === undefined) ahead += by;
      else held += by;
    },
    hold() {
      held = Date.now();
    },
    go() {
      ahead = Date.now() - real();
      held = undefined;
    },
  };
}
