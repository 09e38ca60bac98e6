// The audit log: who changed something on a server, when, from where, what, and what came of it.
import t from "tap";
import { openLocalEngine } from "../../src/engine/local.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import type { Fields } from "../support/devices.ts";
import { withoutThread } from "../support/store-thread.ts";
import { eventually } from "../support/until.ts";

const keys = [
  { name: "ops", key: "0123456789abcdef-ops-key" },
  { name: "shop", key: "0123456789abcdef-shop-key" },
];
const notification = { android: { title: "SECRET-TEXT" } };

const caller =
  (server: TestApp, key: string) =>
  async (path: string, fields: Fields, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${server.apiUrl}/api/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key, ...headers },
      body: JSON.stringify(fields),
    });
    return { status: answer.status, body: (await answer.json()) as Fields };
  };

t.test(
  "every call that changes something is noted with who, where from, what and the result; others are not",
  async (t) => {
    const data = t.testdir({});
    const server = await startTestApp(t, { data, api: { keys, broadcastKeys: ["ops"] } });
    const [ops, shop] = keys.map(({ key }) => caller(server, key)) as [
      ReturnType<typeof caller>,
      ReturnType<typeof caller>,
    ];
    const from = Date.now();
    const many = Array.from({ length: 20 }, (_, i) => `device-number-${i}`);
    const later = { ...notification, id: "campaign" };
    await ops(
      "notification",
      { pushAll: true, notification: later, sendAt: Date.now() + 60_000 },
      { "x-request-id": "send-1" },
    );
    await shop("job/cancel", { id: "campaign" });
    await ops("job/cancel", { id: "campaign" });
    await ops("device/delete", { pushId: many });
    await ops("job/pause", { id: "unknown" });
    await shop("disconnect", { topic: `room-${"x".repeat(150)}` });
    // These are the daily business of a backend, or only look.
    await shop("push", { topic: "news", json: "SECRET-TEXT" });
    await shop("notification", { pushId: many[0], notification });
    await shop("uid/bind", { pushId: many[0], uid: "ann" });
    await shop("job/list", {});
    await server.app.settled();

    const { body } = await ops("audit/list", { from });
    const entries = body["entries"] as Fields[];
    t.match(
      entries.toReversed(),
      [
        {
          who: "ops",
          action: "/notification",
          status: 200,
          requestId: "send-1",
          what: { pushAll: true, sendAt: Number },
        },
        {
          who: "shop",
          action: "/job/cancel",
          status: 401,
          what: { id: "campaign" },
          message: /may not reach everybody/,
        },
        { who: "ops", action: "/job/cancel", status: 200, what: { id: "campaign" } },
        { who: "ops", action: "/device/delete", status: 200, what: { pushId: { first: many.slice(0, 5), count: 20 } } },
        { who: "ops", action: "/job/pause", status: 404, what: { id: "unknown" }, message: /no notification with id/ },
        { who: "shop", action: "/disconnect", status: 200, what: { topic: /^room-x+\.\.\.$/ } },
      ].map((entry) => ({ ...entry, address: "127.0.0.1", time: Number, timeIso: /Z$/, entry: Number })),
    );
    t.equal(entries.length, 6);
    t.notMatch(JSON.stringify(entries), /SECRET-TEXT|abcdef/);

    const listed = async (query: Fields) => (await ops("audit/list", query)).body;
    t.match(await listed({ who: "shop" }), { entries: [{ action: "/disconnect" }, { action: "/job/cancel" }] });
    t.match(await listed({ who: "shop", action: "job/cancel" }), { entries: [{ status: 401 }] });
    t.match(await listed({ action: "/api/device/delete" }), { entries: [{ who: "ops" }] });
    t.same((await listed({ to: from - 1 }))["entries"], []);
    const first = await listed({ limit: 4 });
    const second = await listed({ limit: 4, before: first["next"] });
    t.same([...(first["entries"] as Fields[]), ...(second["entries"] as Fields[])], entries);
    t.notOk("next" in second);
    t.match(await ops("audit/list", { from: 2e12, to: 1e12 }), { status: 400 });

    await ops("lane/resume", {});
    await server.stop();
    const again = await startTestApp(t, { data, api: { keys, broadcastKeys: ["ops"] } });
    const kept = await caller(again, keys[0]!.key)("audit/list", {});
    t.equal((kept.body["entries"] as Fields[]).length, 7, "what was done last is kept when it stops");
  },
);

t.test("without keys nobody is named, the address still is", async (t) => {
  const server = await startTestApp(t);
  await server.ok("lane/resume", { provider: "fcm" });
  await server.app.settled();
  const { entries } = await server.ok("audit/list", {});
  t.match(entries, [{ action: "/lane/resume", address: "127.0.0.1", what: { provider: "fcm" } }]);
  t.notOk("who" in (entries as Fields[])[0]!);
});

t.test("it is kept for storage.audit_days, then swept", async (t) => {
  const clock = { now: Date.parse("2026-01-01T00:00:00Z") };
  const open = () =>
    openLocalEngine({
      dataDir,
      synchronous: "NORMAL",
      keep: { default: 10, prefixes: [] },
      arrivalDays: 30,
      auditDays: 90,
      now: () => clock.now,
      startThread: withoutThread,
      onFatal: (error) => t.error(error),
    });
  const dataDir = t.testdir({});
  let engine = await open();
  const entry = { address: "a", action: "/job/cancel", what: "{}", status: 200, requestId: "r" };
  await engine.audit.add([
    { ...entry, time: clock.now },
    { ...entry, time: clock.now + 86_400_000, who: "ops" },
  ]);
  await engine.close();
  clock.now += 90.5 * 86_400_000;
  engine = await open();
  t.teardown(() => engine.close());
  const left = await eventually(
    () => engine.audit.list({}, 10),
    (entries) => entries.length < 2,
  );
  t.match(left, [{ who: "ops", status: 200, requestId: "r" }]);
});
