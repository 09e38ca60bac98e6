// A real store that lasts as long as the test.
import type { Test } from "tap";
import { type LocalEngine, openLocalEngine } from "../../src/engine/local.ts";

export async function openTestEngine(t: Test): Promise<LocalEngine> {
  const engine = await openLocalEngine({
    dataDir: ":memory:",
    synchronous: "FULL",
    keep: { default: 10, prefixes: [] },
    arrivalDays: 30,
    onFatal: (error) => t.error(error),
  });
  t.teardown(() => engine.close());
  return engine;
}
