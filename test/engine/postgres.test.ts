// The conformance suite on PostgreSQL: of one node, and of two over one database.
import t, { type Test } from "tap";
import type { Engine } from "../../src/core/engine.ts";
import type { AdminDesk } from "../../src/engine/admins.ts";
import { atPostgresDesk } from "../../src/engine/postgres/desk.ts";
import { openPostgresEngine, type PostgresEngineOptions } from "../../src/engine/postgres/engine.ts";
import { TRAITS } from "../../src/vendors/index.ts";
import { postgres } from "../support/postgres.ts";
import { conformance } from "./conformance.ts";
import { liveConformance, type Nodes, nodesConformance } from "./nodes-conformance.ts";
import { ARRIVAL_DAYS, KEEP, type Subject } from "./steps.ts";

const server = await postgres(t);
if (server === undefined) {
  t.pass("left out: there is no PostgreSQL 15 or newer on this machine");
} else {
  const url = await server.database();
  const schema = "pushbox";
  let isNew = true;
  const settings = (t: Test, node: string, clock: { readonly now: number }): PostgresEngineOptions => ({
    database: { url, schema },
    node,
    keep: KEEP,
    arrivalDays: ARRIVAL_DAYS,
    vendors: TRAITS,
    now: () => clock.now,
    elapsed: () => clock.now,
    patience: 60_000,
    onTrouble: (message) => t.fail(message),
  });
  async function start(t: Test, node: string, clock: { readonly now: number }): Promise<Engine> {
    const engine = await openPostgresEngine(settings(t, node, clock));
    t.teardown(() => engine.close());
    return engine;
  }
  async function empty(): Promise<{ now: number }> {
    if (!isNew) await server?.wipe(url, schema);
    isNew = false;
    return { now: 0 };
  }
  async function alone(t: Test): Promise<Required<Subject>> {
    const clock = await empty();
    let engine = await start(t, "a", clock);
    return {
      engine,
      clock,
      async reopen(startedAt) {
        await engine.close();
        clock.now = startedAt;
        engine = await start(t, "a", clock);
        return engine;
      },
    };
  }
  async function two(t: Test): Promise<Nodes> {
    const clock = await empty();
    return { nodes: [await start(t, "a", clock), await start(t, "b", clock)], clock };
  }
  await t.test("one node", (t) => conformance(t, alone));
  await t.test("two nodes at once", async (t) => {
    await nodesConformance(t, two);
    await liveConformance(t, two);
  });
  await t.test("console: the command line changes users beside the nodes, in one step", async (t) => {
    const clock = await empty();
    const { admins, audit } = await start(t, "a", clock);
    const desk = <T>(act: (desk: AdminDesk) => Promise<T>): Promise<T> => atPostgresDesk({ url, schema }, act);
    await desk(async ({ invite, note }) => {
      await invite({ id: "link", until: 10, role: "viewer" }, "ann");
      await note({ time: 1, address: "local", action: "/admin/user/add", what: "{}", status: 200, requestId: "" });
    });
    t.equal(await admins.useLink("link", { name: "ann", password: "hash", since: 1 }), true);
    t.match(await audit.list({}, 10), [{ action: "/admin/user/add" }]);
    t.equal(await desk(({ setRole }) => setRole("ann", "operator")), true);
    t.equal(await desk(({ setRole }) => setRole("bob", "operator")), false);
    t.same(await desk(({ users }) => users()), [{ name: "ann", role: "operator", since: 1 }]);
    await admins.begin("s1", "ann", 1, { begunAfter: 0, usedAfter: 0 });
    await t.rejects(
      desk(async ({ reset }) => {
        await reset({ id: "other", until: 10, role: "operator" });
        throw new Error("changed its mind");
      }),
      { message: "changed its mind" },
    );
    t.match(await admins.session("s1", { begunAfter: 0, usedAfter: 0 }), { name: "ann" }, "nothing has happened");
    await desk(({ reset }) => reset({ id: "other", until: 10, role: "operator" }));
    t.equal(await admins.session("s1", { begunAfter: 0, usedAfter: 0 }), undefined);
    await t.rejects(
      desk(({ remove }) => remove("ann")),
      { message: /only operator/ },
    );
    t.equal(await admins.useLink("other", { name: "bob", password: "hash", since: 1 }), true);
    t.equal(await desk(({ remove }) => remove("ann")), true);
    await t.rejects(
      atPostgresDesk({ url, schema: "none" }, ({ users }) => users()),
      { message: /start this pushbox once/ },
    );
  });
}
