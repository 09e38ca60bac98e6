// What every engine must do with what vendors answered.
import type { ArrivalEvidence } from "../../src/core/arrival.ts";
import type { Delivery, Settlement } from "../../src/core/delivery.ts";
import type { Device } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { Addressed, VendorReceipt } from "../../src/core/outbox.ts";
import {
  accepted,
  addsUp,
  again,
  claimed,
  counts,
  FCM,
  named,
  over,
  records,
  refused,
  send,
  via,
  view,
  XIAOMI,
} from "./outbox-steps.ts";
import { type Define, HOUR, pushId, T } from "./steps.ts";

export async function settlementTests(test: Define): Promise<void> {
  const gone = (delivery: Delivery, forget: { readonly registeredBefore?: number } = {}): Settlement => ({
    delivery,
    kind: "gone",
    reason: "Unregistered",
    counters: ["failed_fcm"],
    forget,
  });
  const device = async (engine: Engine, name: string): Promise<Device | undefined> =>
    (await engine.devices.get([pushId(name)], T))[0];

  await test("a dead token is forgotten, and its device goes on without one", async (t, { engine }) => {
    for (const [name, type, platform] of [
      ["a", "fcm", "android"],
      ["i", "apn", "ios"],
      ["j", "apns", "ios"],
    ] as const) {
      const token = { type, token: `${name}-token`, packageName: "com.x" };
      await engine.devices.connect({ pushId: pushId(name), platform, tags: ["x"], token }, T);
    }
    const apn = (name: string, type: string): Addressed => ({
      pushId: pushId(name),
      via: { lane: FCM, type, token: `${name}-token` },
    });
    await send(engine, "n1", [via("a"), apn("i", "apn"), apn("j", "apns")]);
    await engine.outbox.settle(
      (await claimed(engine)).map((one) => gone(one)),
      T + 5,
    );
    t.same(await device(engine, "a"), {
      pushId: pushId("a"),
      tags: ["x"],
      type: "androidNoToken",
      createTime: T,
      updateTime: T + 5,
    });
    t.equal((await device(engine, "i"))?.type, "apnNoToken");
    t.equal((await device(engine, "j"))?.type, "apnNoToken");
    t.match(await view(engine, "n1"), { failed: { Unregistered: 3 }, state: "finished" });
    await engine.devices.setToken(pushId("a"), { type: "fcm", token: "a-token" }, T + 6);
    t.equal((await device(engine, "a"))?.token, "a-token", "the device may bring it again");
  });

  await test("a token that is not the dead one any more stays", async (t, { engine }) => {
    const token = { type: "fcm", token: "a-token" };
    for (const name of ["a", "b"])
      await engine.devices.connect({ pushId: pushId(name), token: { ...token, token: `${name}-token` } }, T);
    await send(engine, "n1", [via("a"), via("b"), via("none")]);
    const deliveries = await claimed(engine);
    await engine.devices.setToken(pushId("a"), { type: "fcm", token: "newer" }, T + 1);
    await engine.devices.setToken(pushId("b"), { type: "huawei", token: "b-token" }, T + 1);
    await engine.outbox.settle(
      deliveries.map((one) => gone(one)),
      T + 2,
    );
    t.equal((await device(engine, "a"))?.token, "newer");
    t.equal((await device(engine, "b"))?.type, "huawei");
  });

  await test("a token survives the news of an end that came before its registration", async (t, { engine }) => {
    const token = { type: "apn", token: "a-token" };
    const settleGone = async (id: string, registeredBefore: number): Promise<string | undefined> => {
      const addressed = { pushId: pushId("a"), via: { lane: FCM, type: "apn", token: "a-token" } };
      await send(engine, id, [addressed]);
      await engine.outbox.settle(
        (await claimed(engine)).map((one) => gone(one, { registeredBefore })),
        T,
      );
      return (await device(engine, "a"))?.token;
    };
    await engine.devices.connect({ pushId: pushId("a"), token }, T);
    t.equal(await settleGone("n1", T), "a-token");
    await engine.devices.connect({ pushId: pushId("a"), token }, T + HOUR);
    t.equal((await device(engine, "a"))?.updateTime, T);
    await engine.devices.connect({ pushId: pushId("a"), token }, T + 2 * HOUR);
    t.equal(await settleGone("n2", T + 2 * HOUR), "a-token", "brought again more than an hour later");
    await engine.devices.setToken(pushId("a"), token, T + 4 * HOUR);
    t.equal(await settleGone("n3", T + 4 * HOUR), "a-token", "or by itself");
    await engine.devices.changeTag(pushId("a"), "x", true, T + 5 * HOUR);
    t.equal(await settleGone("n4", T + 4 * HOUR + 1), undefined, "a tag says nothing of the token");
  });

  await test("that a token was brought again within the hour is still known after a restart", async (t, subject) => {
    let { engine } = subject;
    const token = { type: "apn", token: "a-token" };
    for (const at of [T, T + 50]) await engine.devices.connect({ pushId: pushId("a"), token }, at);
    engine = (await subject.reopen?.(T + 60)) ?? engine;
    const end = async (id: string, registeredBefore: number) => {
      await send(engine, id, [{ pushId: pushId("a"), via: { lane: FCM, type: "apn", token: "a-token" } }]);
      await engine.outbox.settle(
        (await claimed(engine)).map((one) => gone(one, { registeredBefore })),
        T,
      );
      return (await device(engine, "a"))?.token;
    };
    t.equal(await end("n1", T + 30), "a-token");
    t.equal(await end("n2", T + 51), undefined);
  });

  await test("by which way a token was reached is kept with it, until the device has another", async (t, subject) => {
    let { engine } = subject;
    const connect = (name: string, token: string, now = T) =>
      engine.devices.connect({ pushId: pushId(name), token: { type: "fcm", token } }, now);
    const reach = async (id: string, detours: Readonly<Record<string, string>>): Promise<unknown> => {
      await send(engine, id, [via("a"), via("b")]);
      const deliveries = await claimed(engine);
      const settlements = deliveries.map((one) => {
        const detour = detours[named([one])[0] ?? ""];
        return detour === undefined ? accepted(one) : { ...accepted(one), detour };
      });
      await engine.outbox.settle(settlements, T);
      return Object.fromEntries(named(deliveries).map((name, i) => [name, deliveries[i]?.detour]));
    };
    await connect("a", "a-token");
    await connect("b", "b-token");
    t.same(await reach("n1", { a: "sandbox com.x" }), { a: undefined, b: undefined });
    engine = (await subject.reopen?.(T)) ?? engine;
    t.same(await reach("n2", { b: "sandbox com.x" }), { a: "sandbox com.x", b: undefined });
    await connect("b", "b-token", T + 25 * HOUR);
    t.same(await reach("n3", { a: "" }), { a: "sandbox com.x", b: "sandbox com.x" }, "a reconnect changes nothing");
    t.same(await reach("n4", {}), { a: undefined, b: "sandbox com.x" });
    await connect("b", "newer", T + 26 * HOUR);
    await connect("b", "b-token", T + 27 * HOUR);
    t.same(await reach("n5", { a: "x" }), { a: undefined, b: undefined });
    await connect("a", "newer", T + 27 * HOUR);
    t.same(await reach("n6", { a: "x" }), { a: undefined, b: undefined }, "of another token");
    await connect("a", "a-token", T + 28 * HOUR);
    t.same(await reach("n7", {}), { a: undefined, b: undefined });
  });

  await test("F6: a token that is set aside stays, marked, until the device has another", async (t, subject) => {
    let { engine } = subject;
    const connect = (token: string, now: number) =>
      engine.devices.connect({ pushId: pushId("a"), token: { type: "fcm", token } }, now);
    const detour = async (id: string, outcome: object): Promise<string | undefined> => {
      await send(engine, id, [via("a")]);
      const deliveries = await claimed(engine);
      await engine.outbox.settle(
        deliveries.map((one) => ({ ...refused(one, "another project's"), ...outcome })),
        T,
      );
      return deliveries[0]?.detour;
    };
    await connect("a-token", T);
    t.equal(await detour("n1", { detour: "none x" }), undefined);
    engine = (await subject.reopen?.(T)) ?? engine;
    await connect("a-token", T + 25 * HOUR);
    t.equal(await detour("n2", {}), "none x");
    t.equal((await device(engine, "a"))?.token, "a-token");
    await connect("newer", T + 26 * HOUR);
    await connect("a-token", T + 27 * HOUR);
    t.equal(await detour("n3", {}), undefined);
  });

  await test("other tokens are known to be in use once a day", async (t, { engine }) => {
    const token = { type: "huawei", token: "a-token" };
    await engine.devices.connect({ pushId: pushId("a"), token }, T);
    await engine.devices.connect({ pushId: pushId("a"), token }, T + 25 * HOUR);
    await send(engine, "n1", [{ pushId: pushId("a"), via: { lane: FCM, type: "huawei", token: "a-token" } }]);
    await engine.outbox.settle(
      (await claimed(engine)).map((one) => gone(one, { registeredBefore: T + HOUR })),
      T,
    );
    t.equal((await device(engine, "a"))?.token, "a-token");
  });

  await test("a job tells 20 reasons apart", async (t, { engine }) => {
    await send(
      engine,
      "n1",
      Array.from({ length: 25 }, (_, i) => via(`d${i}`)),
    );
    const deliveries = await claimed(engine);
    await engine.outbox.settle(
      deliveries.slice(0, 24).map((one, i) => refused(one, `reason ${i}`)),
      T,
    );
    await engine.outbox.order("n1", "cancel", T);
    await engine.outbox.settle(
      deliveries.slice(24).map((one) => again(one, T)),
      T,
    );
    const job = await view(engine, "n1");
    t.equal(Object.keys(job?.failed ?? {}).length, 22);
    t.match(job?.failed, { "reason 0": 1, "other reasons": 4, cancelled: 1 });
    addsUp(t, job);
  });

  await test("what a vendor tells later counts once per delivery, by its id or by ours", async (t, { engine }) => {
    for (const name of ["a", "b", "c"]) {
      const token = { type: "xiaomi", token: `${name}-token` };
      await engine.devices.connect({ pushId: pushId(name), token }, T);
    }
    await send(
      engine,
      "n1",
      ["a", "b", "c"].map((name) => via(name, XIAOMI)),
    );
    const [a, b, c] = await claimed(engine, 9, T, XIAOMI);
    await engine.outbox.settle([accepted(a!, "batch"), accepted(b!, "batch")], T);
    const tell = (receipt: Partial<VendorReceipt> & Pick<VendorReceipt, "event">, vendor = "xiaomi"): Promise<void> =>
      engine.outbox.received(
        [
          { vendor, ...receipt },
          { vendor, ...receipt },
        ],
        T + 9,
      );
    await tell({ receipt: "batch", token: "a-token", event: "arrived", at: T + 7 });
    await tell({ receipt: "batch", event: "clicked" }); // of several, it does not say which
    t.notOk("click_xiaomi" in ((await counts(engine, "n1")) ?? {}));
    await tell({ receipt: "batch", token: "a-token", event: "clicked" });
    await tell({ receipt: "batch", token: "b-token", event: "arrived" });
    await tell({ notification: "n1", token: "b-token", event: "clicked" }, "oppo");
    await tell({ receipt: "unknown", token: "a-token", event: "clicked" });
    await tell({ receipt: "batch", token: "b-token", event: "clicked" }, "oppo");
    t.same(await counts(engine, "n1"), { accepted_xiaomi: 2, arrive_xiaomi: 2, click_xiaomi: 1 });
    await tell({ receipt: "not stored yet", notification: "n1", token: "c-token", event: "arrived" });
    await engine.outbox.settle([accepted(c!, "later")], T);
    await tell({ receipt: "later", event: "arrived" });
    t.match(await counts(engine, "n1"), { arrive_xiaomi: 3 });
    t.match(await records(engine, "n1"), [
      { arrivedAt: T + 7, clickedAt: T + 9 },
      { arrivedAt: T + 9, clickedAt: undefined },
      { arrivedAt: T + 9 },
    ]);
    await tell({ receipt: "batch", token: "b-token", event: "suppressed" });
    t.match((await records(engine, "n1"))[1], { state: "accepted", reason: /not shown/ });
    await tell({ receipt: "batch", token: "a-token", event: "gone", at: T });
    t.equal((await device(engine, "a"))?.token, "a-token", "registered no earlier");
    await tell({ receipt: "batch", token: "a-token", event: "gone", keepsToken: true });
    t.equal((await device(engine, "a"))?.token, "a-token", "its lane holds deletions");
    await tell({ receipt: "batch", token: "a-token", event: "gone" });
    t.notOk("token" in ((await device(engine, "a")) ?? {}));
    t.match((await records(engine, "n1"))[0], { state: "accepted", reason: /dead/ });
  });

  await test("a click that the client and the vendor report counts once", async (t, { engine }) => {
    await send(engine, "n1", [via("a", XIAOMI), via("b", XIAOMI), over("c")]);
    const [a, b] = await claimed(engine, 9, T, XIAOMI);
    await engine.outbox.settle([accepted(a!, "r1"), accepted(b!, "r2")], T);
    const click = (name: string, counter: ArrivalEvidence): Promise<void> =>
      engine.counters.arrived([{ id: "n1", pushId: pushId(name), counter }], T + 3);
    await click("a", "click_xiaomi");
    await click("a", "click_xiaomi");
    await engine.outbox.received([{ vendor: "xiaomi", receipt: "r1", token: "a-token", event: "clicked" }], T + 4);
    await engine.outbox.received([{ vendor: "xiaomi", receipt: "r2", token: "b-token", event: "clicked" }], T + 4);
    await click("b", "click_xiaomi");
    await click("c", "click_xiaomi");
    await click("c", "arrive_android");
    await click("c", "click_android");
    t.match(await counts(engine, "n1"), { click_xiaomi: 3, arrive_android: 1, click_android: 1 });
    t.match(await records(engine, "n1"), [
      { clickedAt: T + 3 },
      { clickedAt: T + 4 },
      { arrivedAt: T + 3, clickedAt: T + 3 },
    ]);
  });
}
