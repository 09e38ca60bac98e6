// Waiting for what comes about by itself.
import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds: a busy machine takes its time, and `npm test` kills a silent file later than this. */
const PATIENCE = 300_000;

/** Looks again and again, until it holds. @param what it waits for, for whoever reads that it never came */
export async function until(holds: () => boolean | Promise<boolean>, what = "what was waited for"): Promise<void> {
  for (const end = performance.now() + PATIENCE; !(await holds()); await pause(10))
    if (performance.now() > end) throw new Error(`${what} has not come about within ${PATIENCE / 1000} s`);
}

/** Asks until the answer is as wanted. */
export async function eventually<Answer>(
  ask: () => Promise<Answer>,
  wanted: (answer: Answer) => boolean,
): Promise<Answer> {
  for (const end = performance.now() + PATIENCE; ; await pause(10)) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > end)
      throw new Error(`no such answer within ${PATIENCE / 1000} s: ${JSON.stringify(answer)}`);
  }
}
