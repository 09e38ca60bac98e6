// The client and the business server: questions by emit, refusals, and messages that reach or do not.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { asking, startBackend } from "../support/backend.ts";
import { absent, fresh } from "../support/devices.ts";
import { openFaulty } from "../support/faulty.ts";
import { eventually } from "../support/until.ts";
import { startVendors } from "../support/vendors.ts";
import { open } from "./support.ts";

t.test("emit is a question to the backend: its answer, its no, and what happens without one", async (t) => {
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const backend = await startBackend(t, async ({ type, data: { path, data } }) => {
    if (path === "/slow") {
      asked.resolve();
      await release.promise;
    }
    return path === "/no" ? { allow: false, reason: "not for you" } : { allow: true, data: { type, given: data } };
  });
  const server = await startTestApp(t, {
    hooks: { ask: asking(backend, { questions: ["packet", "subscribe"], subscribeTopics: ["room:"] }) },
  });
  const way = await openFaulty(t, server.clientPort);
  const one = open(t, way.url, { topics: ["news"] });
  const patient = { timeout: 600_000 }; // time is short here
  t.match(
    await one.client.emit("/early", { a: 1 }, patient),
    { type: "ask.packet", given: { a: 1 } },
    "asked before it was connected",
  );
  await t.rejects(one.client.emit("/no", undefined, patient), { code: "not_allowed", message: "not for you" });
  t.notOk(
    one.events.some(([name]) => name === "error"),
    "who asked is told, nobody else",
  );
  const lost = t.rejects(one.client.emit("/slow", undefined, patient), { code: "disconnected" });
  await asked.promise;
  way.cut();
  await lost;
  const late = t.rejects(one.client.emit("/slow", undefined, { timeout: 100 }), { code: "timeout" });
  await late;
  release.resolve();
  one.client.close();
  await t.rejects(one.client.emit("/closed", undefined, patient), { code: "closed" }, "at once");
});

t.test("a topic that the backend refuses is told, and does not hold up connect", async (t) => {
  const backend = await startBackend(t, () => ({ allow: false, reason: "members only" }));
  const server = await startTestApp(t, {
    hooks: { ask: asking(backend, { questions: ["subscribe"], subscribeTopics: ["room:"] }) },
  });
  const one = open(t, server.clientUrl, { topics: ["room:1", "news"] });
  await one.next("connect", 0);
  t.match(await one.next("error", 0), { code: "not_allowed", message: "members only" });
  t.equal(one.client.state, "connected");
  await server.ok("push", { topic: "news", json: 1, timeToLive: 60_000 });
  await one.until(() => one.got.length === 1);
});

t.test(
  "integration 15: a message to reach is acknowledged when its handler is done; in the background it goes on to the phone",
  async (t) => {
    const vendors = await startVendors(t, ["fcm"]);
    const vendor = vendors.get("fcm");
    const server = await startTestApp(t, { vendors: vendors.config(), client: { disconnectDelay: 0 } });
    const uid = fresh("user");
    const [phone] = await absent(server, vendor, 1);
    await server.ok("uid/bind", { pushId: phone!.id, uid });
    const one = open(t, server.clientUrl);
    const { pushId } = await one.next("connect", 0);
    await server.ok("uid/bind", { pushId, uid });
    const handled = Promise.withResolvers<void>();
    one.client.on("message", () => handled.promise);
    const reach = async (fallbackAfter: number) =>
      String(
        (
          await server.ok("reach", {
            uid,
            json: { text: "hi" },
            notification: { android: { title: "T", message: "M" } },
            timeToLive: "1h",
            fallbackAfter,
          })
        )["id"],
      );
    const reached = async (id: string) =>
      (await server.ok("notification/get", { id }))["reached"] as Record<string, number>;
    const first = await reach(600_000);
    await one.until(() => one.got.length === 1);
    t.notMatch(await reached(first), { socket: 1 }, "not before its handler is done");
    handled.resolve();
    await eventually(
      () => reached(first),
      ({ socket }) => socket === 1,
    );
    one.client.background();
    one.client.subscribe("behind"); // what it said before has been heard once this is
    await eventually(
      () => server.ok("topicOnline", { topic: "behind" }),
      ({ count }) => count === 1,
    );
    const second = await reach(100);
    await eventually(
      () => reached(second),
      ({ vendor }) => vendor === 1,
    );
    t.equal(one.got.length, 2, "it still gets it");
    one.client.foreground();
    const third = await reach(600_000);
    await eventually(
      () => reached(third),
      ({ socket }) => socket === 1,
    );
  },
);
