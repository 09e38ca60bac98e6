// Everything that can happen to notifications, in random order, on SQLite: see outbox-random.ts.
import t from "tap";
import { openDatabase } from "../../src/engine/sqlite/file.ts";
import { store } from "../../src/engine/sqlite/thread.ts";
import { unbalanced } from "./balance.ts";
import { randomSteps, type Store } from "./outbox-random.ts";
import { T } from "./steps.ts";

const STEPS = 6000;

for (const seed of [1, 2, 3]) {
  t.test(`after ${STEPS} random steps all sums agree (seed ${seed})`, async (t) => {
    const db = openDatabase(":memory:", "FULL");
    const keep = { default: 10, prefixes: [] };
    const data = { task: "store", dataDir: "", synchronous: "FULL", keep, arrivalDays: 30, started: T } as const;
    let opened = store(db, data);
    const tables = {
      async call(...[name, args]: Parameters<Store["call"]>) {
        const { results, failures } = opened.run([[name, args]]);
        if (failures.length > 0) throw new Error(`${name}: ${failures[0]?.[1].message}`);
        return results[0];
      },
      unbalanced: async () => unbalanced(db),
      cell: async (query: string) => db.prepare<[], number>(query).pluck<number>().get() ?? 0,
      async restart() {
        opened = store(db, data);
      },
    };
    await randomSteps(t, tables, seed, STEPS);
    db.close();
  });
}
