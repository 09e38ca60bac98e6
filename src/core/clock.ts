// The time by which things expire, are due and are dated. It is this machine's, unless several processes share what they store: then it is
// the store's, so that what one of them dates is not late or early at another whose machine's clock is wrong.

let ahead = 0;

/** Epoch milliseconds. */
export const wallClock = (): number => Date.now() + ahead;

/** @param milliseconds by which the shared time is ahead of this machine's; negative: behind */
export function setAhead(milliseconds: number): void {
  ahead = milliseconds;
}
