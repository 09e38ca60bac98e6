// The conformance suite on every engine there is: on disk, in memory, and one whose calls each yield first.
import { setImmediate } from "node:timers/promises";
import t, { type Test } from "tap";
import type { Engine } from "../../src/core/engine.ts";
import { type LocalEngineOptions, openLocalEngine } from "../../src/engine/local.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { conformance } from "./conformance.ts";
import { ARRIVAL_DAYS, KEEP, type Subject } from "./steps.ts";

function options(t: Test, dataDir: string, startedAt: number): LocalEngineOptions {
  return {
    dataDir,
    synchronous: "NORMAL",
    keep: KEEP,
    arrivalDays: ARRIVAL_DAYS,
    vendors: TRAITS,
    now: () => startedAt,
    onFatal(error) {
      t.error(error);
    },
  };
}

async function onDisk(t: Test): Promise<Required<Subject>> {
  const dataDir = t.testdir();
  let engine: Engine = await openLocalEngine(options(t, dataDir, 0));
  t.teardown(() => engine.close());
  return {
    engine,
    async reopen(startedAt) {
      await engine.close();
      engine = await openLocalEngine(options(t, dataDir, startedAt));
      return engine;
    },
  };
}

async function inMemory(t: Test): Promise<Subject> {
  const engine = await openLocalEngine(options(t, ":memory:", 0));
  t.teardown(() => engine.close());
  return { engine };
}

/** As from another machine: a call takes a while to begin, and its answer a while to be seen. */
function yielding(engine: Engine): Engine {
  const later = <Part extends object>(part: Part, direct: readonly string[] = []): Part =>
    new Proxy(part, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function" || direct.includes(String(name))) return value;
        return async (...args: unknown[]) => {
          await setImmediate();
          const result: unknown = await Reflect.apply(value, target, args);
          await setImmediate();
          return result;
        };
      },
    });
  return {
    devices: later(engine.devices),
    broker: later(engine.broker, ["attach"]),
    outbox: later(engine.outbox),
    counters: later(engine.counters),
    backup: (file) => engine.backup(file),
    close: () => engine.close(),
  };
}

t.setTimeout(120_000);

t.test("on disk", (t) => conformance(t, onDisk));
t.test("in memory", (t) => conformance(t, inMemory));
t.test("yielding before each call", (t) =>
  conformance(t, async (t) => {
    const subject = await onDisk(t);
    return { engine: yielding(subject.engine), reopen: async (at) => yielding(await subject.reopen(at)) };
  }),
);
