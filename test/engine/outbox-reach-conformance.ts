// What every engine must do with calls that reach users.
import type { Engine } from "../../src/core/engine.ts";
import type { Addressed } from "../../src/core/outbox.ts";
import { accepted, addsUp, again, claimed, counts, named, records, send, via, view } from "./outbox-steps.ts";
import { type Define, HOUR, pushId, T, uid } from "./steps.ts";

export async function reachTests(test: Define): Promise<void> {
  const users = (due: number, ...names: readonly string[]) => ({
    users: names.map((name) => ({ uid: uid(name), due, planned: true })),
  });
  const phone = (name: string, user: string): Addressed => ({ ...via(name), uid: uid(user) });
  const order = { json: "1", fallbackAfter: 5000 };
  async function bound(engine: Engine, ...pairs: readonly (readonly [device: string, user: string])[]): Promise<void> {
    for (const [device, user] of pairs)
      await engine.devices.bind({ pushId: pushId(device), uid: uid(user), platformLimit: 0, timeToLive: 0 }, T);
  }
  const sums = async (engine: Engine, id: string, now = T) =>
    (await engine.outbox.reached(id, undefined, 10, now))?.counts;

  await test("integration 15: an acknowledgement takes what waits for its user out of the queue", async (t, subject) => {
    let { engine } = subject;
    await bound(engine, ["a1", "a"], ["a2", "a"], ["b1", "b"], ["page", "a"]);
    const devices = [phone("a1", "a"), phone("a2", "a"), phone("b1", "b")];
    const page = { reach: users(T + 5000, "a", "b"), counts: { target_fcm: 3 } };
    await send(engine, "r1", devices, { note: { reach: order }, page });
    t.same(named(await claimed(engine, 10, T + 4999)), [], "vendors wait");
    t.same(await sums(engine, "r1"), { socket: 0, vendor: 0, waiting: 2, nobody: 0 });
    const acks = [
      { id: "r1", pushId: pushId("page") },
      { id: "r1", pushId: pushId("page") },
      { id: "other", pushId: pushId("b1") },
      { id: "r1", pushId: pushId("unknown") },
    ];
    await engine.outbox.acknowledged(acks, T + 100);
    if (subject.reopen !== undefined) engine = await subject.reopen(T + 200);
    const [left] = await claimed(engine, 10, T + 5000);
    t.same(left?.pushId, pushId("b1"));
    await engine.outbox.settle([accepted(left!)], T + 5001);
    const job = await view(engine, "r1", T + 6000);
    t.match(job, { state: "finished", queued: 1, accepted: 1, failed: {} });
    addsUp(t, job);
    t.match(await counts(engine, "r1"), { target_fcm: 1, accepted_fcm: 1 });
    t.same(await sums(engine, "r1"), { socket: 1, vendor: 1, waiting: 0, nobody: 0 });
    await engine.outbox.acknowledged([{ id: "r1", pushId: pushId("b1") }], T + 7000);
    const reached = await engine.outbox.reached("r1", undefined, 1, T + 8000);
    const rest = await engine.outbox.reached("r1", reached?.next, 5, T + 8000);
    t.same(
      [...(reached?.users ?? []), ...(rest?.users ?? [])],
      [
        { uid: uid("a"), by: "socket", at: T + 100 },
        { uid: uid("b"), by: "vendor", at: T + 5001 },
      ],
    );
    t.equal(await engine.outbox.reached("unknown", undefined, 1, T), undefined);
  });

  await test("integration 15: what comes back from a vendor is not tried again for a user who acknowledged meanwhile", async (t, {
    engine,
  }) => {
    await bound(engine, ["a1", "a"], ["b1", "b"]);
    await send(engine, "r1", [phone("a1", "a"), phone("b1", "b")], {
      note: { reach: order },
      page: { reach: users(T, "a", "b") },
    });
    const both = await claimed(engine);
    await engine.outbox.acknowledged([{ id: "r1", pushId: pushId("a1") }], T + 1);
    await engine.outbox.settle(
      both.map((one) => again(one, T + 10)),
      T + 2,
    );
    t.same(named(await claimed(engine, 10, T + 10)), ["b1"]);
    addsUp(t, await view(engine, "r1"));
    t.same(await sums(engine, "r1"), { socket: 1, vendor: 0, waiting: 1, nobody: 0 });
  });

  await test("integration 15: a job that is paused holds the fallback, one that is cancelled has none", async (t, {
    engine,
  }) => {
    await bound(engine, ["a1", "a"], ["b1", "b"]);
    await send(engine, "r1", [phone("a1", "a"), phone("b1", "b")], {
      note: { reach: order },
      page: { reach: users(T + 10, "a", "b") },
    });
    await engine.outbox.order("r1", "pause", T);
    t.same(await claimed(engine, 10, T + 20), []);
    await engine.outbox.acknowledged([{ id: "r1", pushId: pushId("a1") }], T + 21);
    await engine.outbox.order("r1", "resume", T + 22);
    t.same(named(await claimed(engine, 10, T + 30)), ["b1"]);
    await engine.outbox.order("r1", "cancel", T + 40);
    addsUp(t, await view(engine, "r1"));
  });

  await test("integration 15: a user who was sent so many in a day is spared the next one", async (t, { engine }) => {
    const day = 24 * HOUR;
    for (const [i, at] of [T, T + 1000, T + 2000, T + day + 500].entries())
      await send(engine, `r${i}`, [phone("a1", "a")], {
        at,
        note: { reach: order },
        page: { reach: { ...users(at, "a"), capPerDay: 2 } },
      });
    t.same((await claimed(engine, 10, T + 3000)).length, 2);
    t.same((await claimed(engine, 10, T + day + 600)).length, 1, "the first two are a day ago by then");
    t.match(await records(engine, "r2"), [{ state: "cancelled", reason: /^capPerDay/ }]);
    t.match(await view(engine, "r2"), { queued: 0, waiting: 0, failed: {} });
    t.same(await sums(engine, "r2"), { socket: 0, vendor: 0, waiting: 0, nobody: 1 });
  });
}
