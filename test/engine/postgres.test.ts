// The conformance suite on PostgreSQL: one node, and one whose calls each yield first.
import t, { type Test } from "tap";
import type { Engine } from "../../src/core/engine.ts";
import { openPostgresEngine } from "../../src/engine/postgres/engine.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { postgres } from "../support/postgres.ts";
import { conformance } from "./conformance.ts";
import { ARRIVAL_DAYS, KEEP, type Subject } from "./steps.ts";

const server = await postgres(t);
if (server === undefined) {
  t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
} else {
  const url = await server.database();
  const schema = "pushbox";
  let isNew = true;
  const open = async (t: Test): Promise<Required<Subject>> => {
    if (!isNew) await server.wipe(url, schema);
    isNew = false;
    const clock = { now: 0 };
    const start = (): Promise<Engine> =>
      openPostgresEngine({
        database: { url, schema },
        node: "a",
        keep: KEEP,
        arrivalDays: ARRIVAL_DAYS,
        vendors: TRAITS,
        now: () => clock.now,
        elapsed: () => clock.now,
        onTrouble: (message) => t.fail(message),
      });
    let engine = await start();
    t.teardown(() => engine.close());
    return {
      engine,
      clock,
      async reopen(startedAt) {
        await engine.close();
        clock.now = startedAt;
        engine = await start();
        return engine;
      },
    };
  };
  await t.test("one node", (t) => conformance(t, open));
}
