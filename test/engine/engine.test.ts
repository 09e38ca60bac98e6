// The conformance suite on every engine there is: on disk, in memory, one whose calls each yield first, and two nodes over one
// store.
import t, { type Test } from "tap";
import type { Engine } from "../../src/core/engine.ts";
import { type LocalEngineOptions, openLocalEngine } from "../../src/engine/local.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { withoutThread } from "../support/store-thread.ts";
import { conformance } from "./conformance.ts";
import { alternating, yielding } from "./nodes.ts";
import { liveConformance, type Nodes, nodesConformance, twoPlaces } from "./nodes-conformance.ts";
import { ARRIVAL_DAYS, KEEP, type Subject } from "./steps.ts";

function options(t: Test, dataDir: string, clock: { readonly now: number }): LocalEngineOptions {
  return {
    dataDir,
    synchronous: "NORMAL",
    keep: KEEP,
    arrivalDays: ARRIVAL_DAYS,
    vendors: TRAITS,
    now: () => clock.now,
    elapsed: () => clock.now,
    startThread: withoutThread,
    onFatal(error) {
      t.error(error);
    },
  };
}

async function onDisk(t: Test, as: (engine: Engine) => Engine = (engine) => engine): Promise<Required<Subject>> {
  const dataDir = t.testdir();
  const clock = { now: 0 };
  let engine: Engine = await openLocalEngine(options(t, dataDir, clock));
  t.teardown(() => engine.close());
  return {
    engine: as(engine),
    clock,
    async reopen(startedAt) {
      await engine.close();
      clock.now = startedAt;
      engine = await openLocalEngine(options(t, dataDir, clock));
      return as(engine);
    },
  };
}

async function inMemory(t: Test, as: (engine: Engine) => Engine = (engine) => engine): Promise<Subject> {
  const clock = { now: 0 };
  const engine = await openLocalEngine(options(t, ":memory:", clock));
  t.teardown(() => engine.close());
  return { engine: as(engine), clock };
}

t.test("on disk", (t) => conformance(t, (t) => onDisk(t)));
t.test("in memory, yielding before and after each call", (t) => conformance(t, (t) => inMemory(t, yielding)));
t.test("two nodes that take the calls by turns", (t) => conformance(t, (t) => inMemory(t, alternating)));
t.test("two nodes at once", async (t) => {
  const open = async (t: Test): Promise<Nodes> => twoPlaces(await inMemory(t));
  await nodesConformance(t, open);
  await liveConformance(t, open);
});
