// What every engine must do, method by method (core/engine.ts). Run on each implementation by engine.test.ts.
import type { Test } from "tap";
import type { ArrivalEvidence } from "../../src/core/arrival.ts";
import type { Device, PushId, Token } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import {
  type Channel,
  deviceChannel,
  type From,
  type KeptPacket,
  type Page,
  topicChannel,
  uidChannel,
} from "../../src/core/packet.ts";
import type { DeviceTarget } from "../../src/core/target.ts";
import { missed } from "../support/engine.ts";
import { adminTests } from "./admins-conformance.ts";
import { eventTests } from "./events-conformance.ts";
import { hookTests } from "./hooks-conformance.ts";
import { outboxConformance } from "./outbox-conformance.ts";
import { lastPage, notification, over } from "./outbox-steps.ts";
import { revocationTests } from "./revocations-conformance.ts";
import { type Define, HOUR, packet, pushId, recorder, type Subject, T, toDevice, toTopic, uid } from "./steps.ts";

const ids = (devices: readonly { readonly pushId: PushId }[]): string[] =>
  devices.map((device) => device.pushId.replace("-0123456789", ""));
const names = (pushIds: readonly string[]): string[] => pushIds.map((id) => id.replace("-0123456789", ""));

async function pages(
  engine: Engine,
  target: DeviceTarget | { readonly kind: "all" },
  limit: number,
  now = T,
): Promise<Device[]> {
  const found: Device[] = [];
  let after: string | undefined;
  do {
    const page = await engine.devices.page(target, after, limit, now);
    found.push(...page.devices);
    after = page.next;
  } while (after !== undefined);
  return found;
}

export async function conformance(t: Test, open: (t: Test) => Promise<Subject>): Promise<void> {
  const test = (name: string, body: (t: Test, subject: Subject) => Promise<void>): Promise<unknown> =>
    t.test(name, async (t) => body(t, await open(t)));
  await deviceTests(test);
  await bindingTests(test);
  await packetTests(test);
  await outboxConformance(test);
  await counterTests(test);
  await eventTests(test);
  await hookTests(test);
  await revocationTests(test);
  await adminTests(test);
}

async function deviceTests(test: Define): Promise<void> {
  await test("a device that connects is stored and returned as this request left it", async (t, { engine }) => {
    const device = await engine.devices.connect({ pushId: pushId("a"), platform: "ios", tags: ["x", "y", "x"] }, T);
    t.same(device, {
      pushId: pushId("a"),
      tags: ["x", "y"],
      type: "apnNoToken",
      createTime: T,
      updateTime: T,
    });
    t.same(await engine.devices.get([pushId("a")], T), [device]);
    t.equal((await engine.devices.connect({ pushId: pushId("b"), platform: "android" }, T)).type, "androidNoToken");
    t.notOk("type" in (await engine.devices.connect({ pushId: pushId("c"), platform: "browser" }, T)));
    t.equal(await engine.devices.count(), 3);
  });

  await test("a reconnect keeps what it does not mention and replaces the tags it brings", async (t, { engine }) => {
    const token: Token = { type: "xiaomi", token: "tok", packageName: "com.x" };
    await engine.devices.connect({ pushId: pushId("a"), platform: "android", tags: ["x"], token }, T);
    const again = await engine.devices.connect({ pushId: pushId("a"), platform: "android" }, T + 1);
    t.same(again.tags, ["x"]);
    t.match(again, { type: "xiaomi", token: "tok", packageName: "com.x", createTime: T });
    const changed = await engine.devices.connect({ pushId: pushId("a"), tags: ["z", "x"] }, T + 2);
    t.same(changed.tags, ["z", "x"], "in the order sent");
    t.equal(changed.updateTime, T + 2);
    const cleared = await engine.devices.connect({ pushId: pushId("a"), tags: [] }, T + 3);
    t.same(cleared.tags, []);
    t.same(await pages(engine, { kind: "tag", tag: "x" }, 10), []);
  });

  await test("tags change one by one or all together, only of a device that is stored", async (t, { engine }) => {
    await engine.devices.connect({ pushId: pushId("a") }, T);
    await engine.devices.setTags(pushId("a"), ["b", "a", "b"], T + 1);
    await engine.devices.changeTag(pushId("a"), "c", true, T + 2);
    await engine.devices.changeTag(pushId("a"), "c", true, T + 3);
    await engine.devices.changeTag(pushId("a"), "a", false, T + 4);
    await engine.devices.changeTag(pushId("a"), "none", false, T + 5);
    const [device] = await engine.devices.get([pushId("a")], T);
    t.same(device?.tags, ["b", "c"]);
    t.same(ids(await pages(engine, { kind: "tag", tag: "c" }, 10)), ["a"]);
    t.same(await pages(engine, { kind: "tag", tag: "a" }, 10), []);
    await engine.devices.setTags(pushId("gone"), ["x"], T);
    await engine.devices.changeTag(pushId("gone"), "x", true, T);
    await engine.devices.setToken(pushId("gone"), { type: "fcm", token: "x" }, T);
    t.same(await engine.devices.get([pushId("gone")], T), [], "a deleted device does not reappear");
  });

  await test("tag changes made in one turn take effect in the order they were made", async (t, { engine }) => {
    await engine.devices.connect({ pushId: pushId("a") }, T);
    await Promise.all(Array.from({ length: 50 }, (_, i) => engine.devices.setTags(pushId("a"), [`t${i}`], T)));
    t.same((await engine.devices.get([pushId("a")], T))[0]?.tags, ["t49"]);
  });

  await test("a token moves to the device that claims it last, and the other record goes (holds 6)", async (t, {
    engine,
  }) => {
    const token: Token = { type: "huawei", token: "tok", packageName: "com.x" };
    await engine.devices.connect({ pushId: pushId("a"), token, tags: ["x"] }, T);
    await engine.broker.publish([toDevice("a", "p1")]);
    await engine.devices.connect({ pushId: pushId("b"), token }, T);
    t.same(ids(await engine.devices.get([pushId("a"), pushId("b")], T)), ["b"]);
    t.same(await pages(engine, { kind: "tag", tag: "x" }, 10), []);
    t.same(await missed(engine, deviceChannel(pushId("a")), "unsent", T), [], "its packets too");
    await engine.devices.connect({ pushId: pushId("c") }, T);
    await engine.devices.setToken(pushId("c"), token, T);
    t.same(ids(await pages(engine, { kind: "all" }, 10)), ["c"]);
  });

  await test("a token is another one in another package or of another type", async (t, { engine }) => {
    await engine.devices.connect({ pushId: pushId("a"), token: { type: "huawei", token: "tok", packageName: "x" } }, T);
    await engine.devices.connect({ pushId: pushId("b"), token: { type: "huawei", token: "tok", packageName: "y" } }, T);
    await engine.devices.connect({ pushId: pushId("c"), token: { type: "xiaomi", token: "tok", packageName: "x" } }, T);
    await engine.devices.connect({ pushId: pushId("d"), token: { type: "huawei", token: "tok" } }, T);
    t.equal(await engine.devices.count(), 4);
    await engine.devices.connect({ pushId: pushId("e"), token: { type: "huawei", token: "tok" } }, T);
    t.same(ids(await pages(engine, { kind: "all" }, 10)), ["a", "b", "c", "e"]);
  });

  await test("a token is stored and compared without white space around it, an Apple one in one form", async (t, {
    engine,
  }) => {
    await engine.devices.connect(
      { pushId: pushId("a"), token: { type: "apn", token: "<ab cd>", packageName: "x" } },
      T,
    );
    t.equal((await engine.devices.get([pushId("a")], T))[0]?.token, "abcd");
    await engine.devices.connect({ pushId: pushId("b"), token: { type: "apn", token: "abcd", packageName: "x" } }, T);
    t.same(ids(await pages(engine, { kind: "all" }, 10)), ["b"]);
    // Apple's tokens are the same in capitals: whoever brings one last has it.
    await engine.devices.connect({ pushId: pushId("capitals"), token: { type: "apns", token: "AB0F" } }, T);
    await engine.devices.connect({ pushId: pushId("small"), token: { type: "apns", token: "ab0f" } }, T);
    t.match(await engine.devices.get([pushId("small")], T), [{ token: "ab0f" }]);
    t.same(ids(await pages(engine, { kind: "all" }, 10)), ["b", "small"]);
    await engine.devices.connect({ pushId: pushId("c"), token: { type: "fcm", token: " <a b>\n" } }, T);
    t.equal((await engine.devices.get([pushId("c")], T))[0]?.token, "<a b>");
  });

  await test("get returns the known devices in the order asked", async (t, { engine }) => {
    for (const name of ["a", "b", "c"]) await engine.devices.connect({ pushId: pushId(name) }, T);
    t.same(ids(await engine.devices.get(["c", "none", "a", "b"].map(pushId), T)), ["c", "a", "b"]);
  });

  await test("pages reach every device of a target once, whatever their size", async (t, { engine }) => {
    const list = Array.from({ length: 25 }, (_, i) => `d${i}`);
    for (const [i, name] of list.entries()) {
      await engine.devices.connect({ pushId: pushId(name), tags: i % 2 ? ["odd", `v_${i}`] : [`v_${i}`] }, T);
      if (i < 20) {
        const binding = { pushId: pushId(name), uid: uid(`u${i % 3}`), platformLimit: 0, timeToLive: 0 };
        await engine.devices.bind(binding, T);
      }
    }
    const uids = ["u0", "none", "u1", "u2"].map(uid);
    for (const limit of [1, 3, 7, 25, 1000]) {
      t.same(ids(await pages(engine, { kind: "all" }, limit)).sort(), [...list].sort(), `all by ${limit}`);
      t.same(
        ids(await pages(engine, { kind: "pushIds", pushIds: list.map(pushId) }, limit)),
        list,
        `pushIds by ${limit}`,
      );
      t.equal(new Set(ids(await pages(engine, { kind: "uids", uids }, limit))).size, 20, `uids by ${limit}`);
      t.equal((await pages(engine, { kind: "uids", uids }, limit)).length, 20, `uids once by ${limit}`);
      t.equal((await pages(engine, { kind: "tag", tag: "odd" }, limit)).length, 12, `tag by ${limit}`);
      const filter = { start: "v_", lessThan: "5" };
      t.same(ids(await pages(engine, { kind: "tag", tag: "odd", filter }, limit)).sort(), ["d1", "d3"]);
      t.equal((await pages(engine, { kind: "pushIds", pushIds: list.map(pushId), filter }, limit)).length, 5);
      t.equal((await pages(engine, { kind: "uids", uids, filter }, limit)).length, 5);
    }
  });

  await test("pages go on in place while devices come and go", async (t, { engine }) => {
    for (let i = 0; i < 10; i++) await engine.devices.connect({ pushId: pushId(`d${i}`) }, T);
    const first = await engine.devices.page({ kind: "all" }, undefined, 5, T);
    await engine.devices.delete(ids(first.devices).map(pushId));
    const second = await engine.devices.page({ kind: "all" }, first.next, 5, T);
    t.equal(new Set([...ids(first.devices), ...ids(second.devices)]).size, 10);
  });

  await test("devices are listed in the order of their names, from a prefix and behind a name, and by token", async (t, {
    engine,
  }) => {
    for (const name of ["b2", "a", "b10", "c", "b", "ä"]) await engine.devices.connect({ pushId: pushId(name) }, T);
    const list = async (prefix: string, after?: string, limit = 10) =>
      ids(await engine.devices.named(prefix, after === undefined ? undefined : pushId(after), limit, T));
    t.same(await list(""), ["a", "b", "b10", "b2", "c", "ä"]);
    t.same(await list("b"), ["b", "b10", "b2"]);
    t.same(await list("b", "b", 1), ["b10"]);
    t.same(await list("b", "b2"), []);
    t.same(await list("B"), []);
    await engine.devices.setToken(pushId("c"), { type: "fcm", token: "t1" }, T);
    t.same(ids(await engine.devices.byToken("t1", 5, T)), ["c"]);
    t.same(await engine.devices.byToken("t", 5, T), []);
  });

  await test("a deleted device leaves nothing behind", async (t, { engine }) => {
    await engine.devices.connect({ pushId: pushId("a"), tags: ["x"], token: { type: "fcm", token: "t" } }, T);
    await engine.devices.bind({ pushId: pushId("a"), uid: uid("u"), platformLimit: 0, timeToLive: 0 }, T);
    await engine.broker.publish([toDevice("a", "p1"), toDevice("stranger", "p2")]);
    await engine.devices.delete([pushId("a"), pushId("stranger"), pushId("none")]);
    t.same(await engine.devices.get([pushId("a")], T), []);
    t.same(await engine.devices.byUid([uid("u")], T), []);
    t.same(await pages(engine, { kind: "tag", tag: "x" }, 10), []);
    t.same(await missed(engine, deviceChannel(pushId("a")), { after: "0" }, T), []);
    t.same(await missed(engine, deviceChannel(pushId("stranger")), { after: "0" }, T), []);
    t.equal(await engine.devices.count(), 0);
    const back = await engine.devices.connect({ pushId: pushId("a"), platform: "ios" }, T + 1);
    t.same(back, { pushId: pushId("a"), tags: [], type: "apnNoToken", createTime: T + 1, updateTime: T + 1 });
  });

  await test("names that mean something elsewhere are only names", async (t, { engine }) => {
    for (const name of ["__proto__", "constructor", "a'; DROP TABLE devices --", "\u0000null", "😀é"]) {
      await engine.devices.connect({ pushId: pushId(name), tags: [name] }, T);
      t.same(ids(await pages(engine, { kind: "tag", tag: name }, 5)), [name]);
    }
    t.equal(await engine.devices.count(), 5);
  });
}

async function bindingTests(test: Define): Promise<void> {
  const bound = async (engine: Engine, user = "u", now = T): Promise<string[]> =>
    ids(await engine.devices.byUid([uid(user)], now)).sort();

  await test("a device has one uid, and a uid may have many devices (holds 6)", async (t, { engine }) => {
    const bind = (name: string, user: string): Promise<readonly PushId[]> =>
      engine.devices.bind({ pushId: pushId(name), uid: uid(user), platformLimit: 0, timeToLive: 0 }, T);
    await engine.devices.connect({ pushId: pushId("a") }, T);
    t.same(await bind("a", "u"), []);
    await bind("b", "u");
    t.same(await bound(engine), ["a", "b"], "binding an unknown device creates it");
    await bind("a", "v");
    t.same(await bound(engine), ["b"]);
    t.same(await bound(engine, "v"), ["a"]);
    t.equal((await engine.devices.connect({ pushId: pushId("a") }, T)).uid, "v");
  });

  await test("unbind returns the devices that had a uid", async (t, { engine }) => {
    for (const name of ["a", "b", "c"])
      await engine.devices.bind({ pushId: pushId(name), uid: uid("u"), platformLimit: 0, timeToLive: 0 }, T);
    await engine.devices.connect({ pushId: pushId("d") }, T);
    t.same(names(await engine.devices.unbind({ pushIds: ["a", "d", "none"].map(pushId) }, T)), ["a"]);
    t.same(names(await engine.devices.unbind({ uids: [uid("u"), uid("none")] }, T)).sort(), ["b", "c"]);
    t.same(await bound(engine), []);
    t.notOk("uid" in (await engine.devices.connect({ pushId: pushId("b") }, T)));
  });

  await test("the platform limit keeps the newest bound: a(1) b(1) c(2) d(2) e(4)", async (t, { engine }) => {
    const bind = async (name: string, platformLimit: number): Promise<string[]> => {
      const binding = { pushId: pushId(name), uid: uid("u"), platform: "ios", platformLimit, timeToLive: 0 };
      return names(await engine.devices.bind(binding, T)); // all in the same millisecond
    };
    t.same(await bind("a", 1), []);
    t.same(await bind("b", 1), ["a"]);
    t.same(await bound(engine), ["b"]);
    t.same(await bind("c", 2), []);
    t.same(await bound(engine), ["b", "c"]);
    t.same(await bind("d", 2), ["b"]);
    t.same(await bound(engine), ["c", "d"]);
    t.same(await bind("e", 4), []);
    t.same(await bound(engine), ["c", "d", "e"]);
    t.same(await bind("c", 2), ["d"], "a new bind of a bound device makes it the newest");
    t.same(await bound(engine), ["c", "e"]);
  });

  await test("the platform limit counts devices of the same platform only, or of all", async (t, { engine }) => {
    const bind = async (name: string, platform: string | undefined, platformLimit: number): Promise<string[]> => {
      const rest = { uid: uid("u"), platformLimit, timeToLive: 0, ...(platform !== undefined ? { platform } : {}) };
      return names(await engine.devices.bind({ pushId: pushId(name), ...rest }, T));
    };
    await bind("i1", "ios", 1);
    await bind("a1", "android", 1);
    await bind("n1", undefined, 1);
    t.same(await bind("n2", undefined, 1), ["n1"], "without a platform: those that have none");
    t.same(await bound(engine), ["a1", "i1", "n2"]);
    t.same(await bind("i1", undefined, 1), [], "without a platform the stored one counts");
    t.same(await bind("i2", "ios", 1), ["i1"]);
    t.same((await bind("x", "all", 2)).sort(), ["a1", "n2"], "all: any platform");
    t.same(await bound(engine), ["i2", "x"]);
    t.notOk("platform" in ((await engine.devices.get([pushId("x")], T))[0] ?? {}), "which is not stored as one");
  });

  await test("100 binds with limit 1 made at once leave exactly one device", async (t, { engine }) => {
    const evicted = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        engine.devices.bind(
          { pushId: pushId(`d${i}`), uid: uid("u"), platform: "ios", platformLimit: 1, timeToLive: 0 },
          T,
        ),
      ),
    );
    t.same(await bound(engine), ["d99"]);
    t.equal(evicted.flat().length, 99);
  });

  await test("a binding with a time to live ends when the device was offline so long", async (t, { engine }) => {
    const { devices } = engine;
    await devices.connect({ pushId: pushId("a") }, T);
    await devices.bind({ pushId: pushId("a"), uid: uid("u"), platformLimit: 0, timeToLive: 1000 }, T);
    t.same(await bound(engine, "u", T + 1_000_000), ["a"], "never while it is online");
    await devices.disconnect([pushId("a"), pushId("none")], T + 5000);
    t.same(await bound(engine, "u", T + 5999), ["a"]);
    t.equal((await devices.connect({ pushId: pushId("a") }, T + 5999)).uid, "u", "it came back in time");
    await devices.disconnect([pushId("a")], T + 6000);
    t.same(await bound(engine, "u", T + 7000), []);
    t.notOk("uid" in ((await devices.get([pushId("a")], T + 7000))[0] ?? {}));
    t.same(await pages(engine, { kind: "uids", uids: [uid("u")] }, 5, T + 7000), []);
    t.notOk("uid" in (await devices.connect({ pushId: pushId("a") }, T + 7000)));
    t.same(await bound(engine, "u", T + 7000), [], "and does not come back with the device");
  });

  await test("an ended binding takes no place under the platform limit and is not told", async (t, { engine }) => {
    const { devices } = engine;
    const bind = async (name: string, timeToLive: number, now: number): Promise<string[]> =>
      names(await devices.bind({ pushId: pushId(name), uid: uid("u"), platformLimit: 2, timeToLive }, now));
    await bind("a", 0, T);
    await bind("b", 100, T); // not connected: offline since now
    t.same(await bind("c", 0, T + 100), [], "b has ended, a stays");
    t.same(await bound(engine, "u", T + 100), ["a", "c"]);
    t.same(await devices.unbind({ pushIds: [pushId("b")] }, T + 100), []);
  });

  await test("a device that was online when the server ended is offline from the next start", async (t, subject) => {
    if (subject.reopen === undefined) return void t.pass("nothing lasts here");
    const { devices } = subject.engine;
    await devices.connect({ pushId: pushId("a") }, T);
    await devices.connect({ pushId: pushId("b") }, T);
    for (const name of ["a", "b"])
      await devices.bind({ pushId: pushId(name), uid: uid("u"), platformLimit: 0, timeToLive: 1000 }, T);
    let engine = await subject.reopen(T + 10_000);
    t.same(await bound(engine, "u", T + 10_999), ["a", "b"]);
    await engine.devices.connect({ pushId: pushId("b") }, T + 10_500);
    engine = await subject.reopen(T + 10_900);
    t.same(await bound(engine, "u", T + 10_999), ["a", "b"], "a second start does not start the clock again");
    t.same(await bound(engine, "u", T + 11_000), ["b"]);
    t.same(await bound(engine, "u", T + 11_899), ["b"]);
    t.same(await bound(engine, "u", T + 11_900), []);
  });
}

async function packetTests(test: Define): Promise<void> {
  const topic = topicChannel("room");
  const own = deviceChannel(pushId("a"));
  const read = async (engine: Engine, channel: Channel, after: string, now = T): Promise<string[]> =>
    (await missed(engine, channel, { after }, now)).map((packet) => packet.id);
  const unsent = async (engine: Engine, channel: Channel, now = T): Promise<string[]> =>
    (await missed(engine, channel, "unsent", now)).map((packet) => packet.id);

  await test("a packet without expiry is handed over before publish returns, and not kept", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    const done = engine.broker.publish([toTopic("room", "x", 0)]);
    if (hub.delivered.length > 0) t.same(hub.delivered, [{ channel: topic, packet: packet("x", 0) }]);
    await done;
    t.same(hub.delivered, [{ channel: topic, packet: packet("x", 0) }]);
    t.same(await read(engine, topic, "0"), []);
  });

  await test("C1: publish tells how many connections it was handed to", async (t, { engine }) => {
    engine.broker.attach(recorder());
    t.equal(await engine.broker.publish([]), 0);
    t.equal(await engine.broker.publish([toTopic("room", "x", 0)]), 2);
    t.equal(await engine.broker.publish([toTopic("room", "x")]), 2);
    t.equal(await engine.broker.publish([toTopic("room", "x", 0), toDevice("a", "y"), toDevice("b", "y")]), 6);
    const many = Array.from({ length: 2500 }, (_, i) => toDevice(`d${i}`, "z"));
    t.equal(await engine.broker.publish(many), 5000, "in pieces");
  });

  await test("a kept packet is handed over with its seq, after it is committed (holds 2)", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    const done = engine.broker.publish([toTopic("room", "x")]);
    t.same(hub.delivered, []);
    await done;
    const [delivered] = hub.delivered;
    const [kept] = await missed(engine, topic, { after: "0" }, T);
    t.same(delivered?.packet, kept);
    t.ok((kept?.seq ?? 0) > 0);
    t.match(kept, packet("x"));
  });

  await test("on one channel packets are handed over in the order of seq, rising for ever (holds 3)", async (t, {
    engine,
  }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    const rounds = Array.from({ length: 20 }, (_, i) =>
      engine.broker.publish([toTopic("room", `a${i}`), toDevice("a", `b${i}`), toTopic("room", `c${i}`)]),
    );
    await Promise.all(rounds);
    const seqs = hub.delivered.map(({ packet }) => ("seq" in packet ? packet.seq : 0));
    t.same(
      seqs,
      [...seqs].sort((a, b) => a - b),
    );
    t.equal(new Set(seqs).size, 60);
    const order = hub.delivered.filter(({ channel }) => channel === topic).map(({ packet }) => packet.id);
    t.same(order, Array.from({ length: 20 }, (_, i) => [`a${i}`, `c${i}`]).flat());
  });

  await test("seq is never used twice, also after the newest packet is gone and after a restart", async (t, subject) => {
    const seqOf = async (engine: Engine, id: string): Promise<number> => {
      await engine.broker.publish([toDevice("a", id)]);
      return (await missed(engine, own, { after: "0" }, T)).at(-1)?.seq ?? 0;
    };
    const first = await seqOf(subject.engine, "x");
    await subject.engine.devices.delete([pushId("a")]);
    const second = await seqOf(subject.engine, "y");
    t.ok(second > first);
    if (subject.reopen === undefined) return void t.pass("nothing lasts here");
    await subject.engine.devices.delete([pushId("a")]);
    const { epoch } = await subject.engine.broker.backlog(topic, { after: "0" }, 1, T);
    const again = await subject.reopen(T);
    t.ok((await seqOf(again, "z")) > second);
    t.equal((await again.broker.backlog(topic, { after: "0" }, 1, T)).epoch, epoch, "it is the same log");
  });

  await test("only the newest 10 of a channel are kept (holds 3)", async (t, { engine }) => {
    await engine.broker.publish(Array.from({ length: 11 }, (_, i) => toTopic("room", `p${i}`)));
    t.same(
      await read(engine, topic, "0"),
      Array.from({ length: 10 }, (_, i) => `p${i + 1}`),
    );
    t.same(await read(engine, topic, "p0"), await read(engine, topic, "0"), "a cursor that fell off: everything");
    await engine.broker.publish([toTopic("other", "o")]);
    t.equal((await read(engine, topic, "0")).length, 10, "each channel for itself");
  });

  await test("the longest prefix of a topic's name says how many it keeps", async (t, { engine }) => {
    for (const name of ["long1", "lot", "l", "device"])
      await engine.broker.publish(Array.from({ length: 60 }, (_, i) => toTopic(name, `p${i}`)));
    t.equal((await read(engine, topicChannel("long1"), "0")).length, 50);
    t.equal((await read(engine, topicChannel("lot"), "0")).length, 3);
    t.equal((await read(engine, topicChannel("l"), "0")).length, 10);
    await engine.broker.publish(Array.from({ length: 20 }, (_, i) => toDevice("long", `p${i}`)));
    t.equal((await read(engine, deviceChannel(pushId("long")), "0")).length, 10, "a device is no topic");
  });

  await test("a position that is found gives the later ones, any other gives all that are alive", async (t, {
    engine,
  }) => {
    await engine.broker.publish(["p1", "p2", "p3", "p4"].map((id) => toTopic("room", id)));
    t.same(await read(engine, topic, "p2"), ["p3", "p4"]);
    t.same(await read(engine, topic, "p4"), []);
    t.same(await read(engine, topic, "0"), ["p1", "p2", "p3", "p4"]);
    t.same(await read(engine, topic, "p2"), ["p3", "p4"], "a topic's position drops nothing");
    t.same(await read(engine, topicChannel("empty"), "p1"), []);
  });

  await test("an expired packet is never replayed, but still says where a cursor stands", async (t, { engine }) => {
    await engine.broker.publish([
      toTopic("room", "long", T + HOUR),
      toTopic("room", "short", T + 10),
      toTopic("room", "after", T + HOUR),
    ]);
    t.same(await read(engine, topic, "0", T + 9), ["long", "short", "after"]);
    t.same(await read(engine, topic, "0", T + 10), ["long", "after"]);
    t.same(await read(engine, topic, "short", T + 10), ["after"]);
    t.same(await read(engine, topic, "0", T + HOUR), []);
  });

  await test("the newest of two packets with the same id is the position", async (t, { engine }) => {
    await engine.broker.publish(["x", "p1", "x", "p2"].map((id) => toTopic("room", id)));
    t.same(await read(engine, topic, "x"), ["p2"]);
  });

  await test("a position on a device's own channel confirms it and everything before", async (t, { engine }) => {
    await engine.broker.publish(["p1", "p2", "p3"].map((id) => toDevice("a", id)));
    t.same(await read(engine, own, "unknown"), ["p1", "p2", "p3"], "one that is not found confirms nothing");
    t.same(await read(engine, own, "p2"), ["p3"]);
    t.same(await read(engine, own, "0"), ["p3"], "p1 and p2 are dropped");
    t.same(await read(engine, own, "p2"), ["p3"], "the same position again gives the same");
    t.same(await read(engine, own, "p3"), []);
    t.same(await read(engine, own, "0"), []);
  });

  await test("unsent gives what was never sent to any connection of the device", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    await engine.devices.connect({ pushId: pushId("a") }, T);
    await engine.broker.publish(["p1", "p2", "p3"].map((id) => toDevice("a", id)));
    t.same(await unsent(engine, own), ["p1", "p2", "p3"]);
    const seq = (id: string): number => {
      const found = hub.delivered.find(({ packet }) => packet.id === id)?.packet;
      return found !== undefined && "seq" in found ? found.seq : 0;
    };
    await engine.broker.sent([{ pushId: pushId("a"), seq: seq("p2") }]);
    t.same(await unsent(engine, own), ["p3"]);
    await engine.broker.sent([
      { pushId: pushId("a"), seq: seq("p1") },
      { pushId: pushId("none"), seq: 7 },
    ]);
    t.same(await unsent(engine, own), ["p3"], "a mark only rises");
    t.same(await read(engine, own, "0"), ["p1", "p2", "p3"], "sent is not received");
  });

  await test("when a backlog arrives, the hub has been given every packet in it", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    const checks: Promise<void>[] = [];
    const published: (number | Promise<number>)[] = [];
    for (let i = 0; i < 200; i++) {
      published.push(engine.broker.publish([toTopic("room", `p${i}`)]));
      checks.push(
        missed(engine, topic, { after: "0" }, T).then((backlog) => {
          const given = new Set(hub.delivered.map(({ packet }) => packet.id));
          for (const { id } of backlog) if (!given.has(id)) t.fail(`${id} was read before it was handed over`);
        }),
      );
      if (i % 20 === 0) await Promise.resolve();
    }
    await Promise.all([...checks, ...published]);
    t.equal(hub.delivered.length, 200);
  });

  await test("a backlog is read page by page, at least a packet each, and the pages come to the whole", async (t, {
    engine,
  }) => {
    const bodies = [10, 2000, 10, 10, 500, 3000, 10, 10, 10, 10];
    await engine.broker.publish(
      bodies.map((length, i) => ({
        channel: own,
        packet: { ...packet(`p${i}`, i === 3 ? T + 10 : undefined), body: JSON.stringify("x".repeat(length)) },
      })),
    );
    const whole = await missed(engine, own, { after: "0" }, T + 10);
    t.equal(whole.length, 9);
    for (const size of [1, 700, 2200]) {
      for (const from of [{ after: "0" }, "unsent"] as const)
        t.same(await missed(engine, own, from, T + 10, size), whole, `by ${size}`);
    }
    const page = await engine.broker.backlog(own, "unsent", 1, T);
    t.equal(page.packets.length, 1);
    t.equal(page.next, page.packets[0]?.seq);
    t.notOk("next" in (await engine.broker.backlog(own, { after: "p8" }, 1, T)), "the last one says so");
    t.same(await engine.broker.backlog(topicChannel("empty"), { after: "0" }, 1, T), {
      packets: [],
      epoch: page.epoch,
    });
  });

  await test("every page names the life of the log, which is the same for all callers", async (t, { engine }) => {
    await engine.broker.publish([toTopic("room", "p1"), toTopic("room", "p2"), toDevice("a", "p1")]);
    const page = await engine.broker.backlog(topic, { after: "0" }, 1, T);
    t.match(page.epoch, /^[0-9a-f]{16}$/);
    for (const [channel, from] of [
      [topic, page.next ?? 0],
      [own, "unsent"],
      [own, { after: "p1" }],
      [topicChannel("empty"), { after: "0" }],
    ] as const)
      t.equal((await engine.broker.backlog(channel, from, 1, T)).epoch, page.epoch);
  });

  await test("the next page goes on where the last one ended, whatever was dropped or came meanwhile", async (t, {
    engine,
  }) => {
    const ids = (packets: readonly KeptPacket[]): string[] => packets.map(({ id }) => id);
    await engine.broker.publish(Array.from({ length: 10 }, (_, i) => toTopic("room", `p${i}`)));
    const first = await engine.broker.backlog(topic, { after: "p1" }, 1, T);
    t.same(ids(first.packets), ["p2"]);
    await engine.broker.publish([toTopic("room", "p10"), toTopic("room", "p11"), toTopic("room", "p12")]);
    t.same(
      ids(await missed(engine, topic, first.next ?? 0, T, 1)),
      Array.from({ length: 10 }, (_, i) => `p${i + 3}`),
      "the packet it ended with is no longer kept",
    );
    await engine.broker.publish(["a", "b", "c"].map((id) => toDevice("a", id)));
    const one = await engine.broker.backlog(own, { after: "0" }, 1, T);
    t.same(ids(await missed(engine, own, { after: "a" }, T)), ["b", "c"], "another connection confirms the first");
    t.same(ids(await missed(engine, own, one.next ?? 0, T, 1)), ["b", "c"]);
    await engine.devices.delete([pushId("a")]);
    t.same(await missed(engine, own, one.next ?? 0, T), []);
  });

  await test("a page of what is kept is so many bytes, whatever the language", async (t, { engine }) => {
    const body = JSON.stringify("好".repeat(300));
    await engine.broker.publish(["a", "b", "c"].map((id) => ({ channel: topic, packet: { ...packet(id), body } })));
    const { packets, next } = await engine.broker.backlog(topic, { after: "0" }, 2100, T);
    t.equal(packets.length, 2);
    t.equal((await missed(engine, topic, next ?? 0, T)).length, 1);
  });

  await test("whoever holds live packets while it reads pages gets each packet once, in order (holds 3)", async (t, {
    engine,
  }) => {
    let held: KeptPacket[] = [];
    const hub = recorder();
    engine.broker.attach({
      ...hub,
      deliver: (channel, kept) => (channel === long && "seq" in kept ? held.push(kept) : 0),
    });
    const long = topicChannel("long");
    const publish = (from: number, to: number): unknown[] =>
      Array.from({ length: to - from }, (_, i) => engine.broker.publish([toTopic("long", `p${from + i}`)]));
    await Promise.all(publish(0, 20));
    held = [];
    const publishing = publish(20, 40);
    const got: KeptPacket[] = [];
    let from: From | undefined = { after: "p4" };
    for (let page = 0; from !== undefined; page++) {
      const read: Page = await engine.broker.backlog(long, from, 400, T);
      got.push(...read.packets);
      from = read.next;
      if (page % 2 === 0 && page < 10) publishing.push(...publish(40 + page, 42 + page));
    }
    const last = got.at(-1)?.seq ?? 0;
    await Promise.all(publishing);
    got.push(...held.filter(({ seq }) => seq > last));
    const seqs = got.map(({ seq }) => seq);
    t.same(
      seqs,
      [...new Set(seqs)].sort((a, b) => a - b),
    );
    t.same(
      got.map(({ id }) => Number(id.slice(1))),
      Array.from({ length: got.length }, (_, i) => i + 5),
      "no gap",
    );
    t.ok(got.length >= 35);
  });

  await test("packets for a uid are handed over and not kept: who has the uid may change", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    const channel = uidChannel(uid("u"));
    await engine.broker.publish([{ channel, packet: packet("x") }]);
    t.equal(hub.delivered.length, 1);
    t.same(await missed(engine, channel, { after: "0" }, T), []);
  });

  await test("a list of 5,000 packets is kept and handed over whole, and in order", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    await engine.broker.publish(Array.from({ length: 5000 }, (_, i) => toDevice(`d${i}`, `p${i}`)));
    t.same(
      hub.delivered.map(({ packet }) => packet.id),
      Array.from({ length: 5000 }, (_, i) => `p${i}`),
    );
    t.same(await read(engine, deviceChannel(pushId("d4999")), "0"), ["p4999"]);
  });

  await test("a body comes back as the very text it was", async (t, { engine }) => {
    const body = '{"text":"é你😀\\u0000","n":1e3, "spaced" : [1 ,2]}';
    await engine.broker.publish([{ channel: topic, packet: { ...packet("x"), event: "noti", body } }]);
    t.match(await missed(engine, topic, { after: "0" }, T), [{ event: "noti", body }]);
  });

  await test("orders reach the hub in the order told", async (t, { engine }) => {
    const hub = recorder();
    engine.broker.attach(hub);
    const a = pushId("a");
    const b = pushId("b");
    await Promise.all([
      engine.broker.tell([a, b], { kind: "bind", uid: uid("1") }),
      engine.broker.tell([a], { kind: "unbind" }),
    ]);
    t.same(
      hub.orders.filter((told) => told.pushId === a).map(({ order }) => order.kind),
      ["bind", "unbind"],
    );
    t.equal(hub.orders.filter((told) => told.pushId === b).length, 1);
  });

  await test("what was kept is there after a restart", async (t, subject) => {
    await subject.engine.broker.publish([toTopic("room", "p1"), toDevice("a", "d1")]);
    if (subject.reopen === undefined) return void t.pass("nothing lasts here");
    const engine = await subject.reopen(T);
    t.same(await read(engine, topic, "0"), ["p1"]);
    t.same(await unsent(engine, own), ["d1"]);
  });
}

async function counterTests(test: Define): Promise<void> {
  await test("samples add up by the hour and are listed oldest first", async (t, { engine }) => {
    const hour = Math.floor(T / HOUR) * HOUR;
    const sample = { key: "noti", total: 2, success: 1, error: 1, latency: 30 };
    await engine.counters.add([sample, sample, { ...sample, key: "apn" }], T);
    await engine.counters.add([sample], T + HOUR);
    t.same(await engine.counters.chart("noti", 0), [
      { key: "noti", timestamp: hour, total: 4, success: 2, error: 2, latency: 60 },
      { ...sample, timestamp: hour + HOUR },
    ]);
    t.equal((await engine.counters.chart("noti", hour + 1)).length, 1);
    t.same(await engine.counters.chart("none", 0), []);
    t.same([...(await engine.counters.keys())].sort(), ["apn", "noti"]);
  });

  await test("evidence counts once per device, id and counter, and only for a known id", async (t, { engine }) => {
    await engine.outbox.accept(notification("n1"), { kind: "all" });
    const report = (name: string, counter: ArrivalEvidence, id = "n1"): Promise<void> =>
      engine.counters.arrived([{ id, pushId: pushId(name), counter }], T);
    await report("a", "arrive_android");
    await report("a", "arrive_android");
    await report("b", "arrive_android");
    await report("a", "click_android");
    await report("a", "arrive_android", "unknown");
    const [record] = await engine.counters.arrivals({ id: "n1" }, 1);
    t.same(record?.counts, { arrive_android: 2, click_android: 1 });
    t.same(await engine.counters.arrivals({ id: "unknown" }, 1), []);
  });

  await test("online 99, then one more target and 99 arrivals: target 100, arrive 99", async (t, { engine }) => {
    await engine.outbox.accept(notification("n1"), { kind: "all" });
    const job = (await engine.outbox.unexpanded(1, T + HOUR)).work[0]?.job ?? 0;
    await engine.outbox.expand(job, undefined, lastPage({ cursor: "c", counts: { target_android: 99 } }), T);
    await engine.outbox.expand(job, "c", lastPage({ counts: { target_android: 1 } }), T);
    await engine.counters.arrived(
      Array.from({ length: 99 }, (_, i) => ({ id: "n1", pushId: pushId(`d${i}`), counter: "arrive_android" as const })),
      T,
    );
    const [record] = await engine.counters.arrivals({ id: "n1" }, 1);
    t.same(record?.counts, { target_android: 100, arrive_android: 99 });
  });

  await test("arrival records are found by device, user and type, newest first", async (t, { engine }) => {
    for (let i = 0; i < 5; i++) {
      await engine.outbox.accept(notification(`n${i}`, { acceptedAt: T + i, type: i % 2 ? "odd" : "even" }), {
        kind: "all",
      });
      const job = (await engine.outbox.unexpanded(1, T + HOUR)).work[0]?.job ?? 0;
      await engine.outbox.expand(job, undefined, lastPage({ cursor: "1", devices: [over(`d${i}`, "u")] }), T);
      await engine.outbox.expand(job, "1", lastPage({ devices: [over("all")] }), T);
    }
    const found = async (query: Parameters<Engine["counters"]["arrivals"]>[0], limit = 50): Promise<string[]> =>
      (await engine.counters.arrivals(query, limit)).map(({ id }) => id);
    t.same(await found({ uid: "u" }), ["n4", "n3", "n2", "n1", "n0"]);
    t.same(await found({ uid: "u" }, 2), ["n4", "n3"]);
    t.same(await found({ pushId: pushId("d3") }), ["n3"]);
    t.same(await found({ pushId: pushId("all") }), ["n4", "n3", "n2", "n1", "n0"], "of every page");
    t.same(await found({ type: "odd" }), ["n3", "n1"]);
    t.same(await found({ type: "none" }), []);
  });
}
