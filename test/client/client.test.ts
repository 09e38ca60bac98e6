// The client against a real server: what an app sees of it.
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { openFaulty } from "../support/faulty.ts";
import { eventually } from "../support/until.ts";
import { memory, open } from "./support.ts";

const server = await startTestApp(t);
const kept = (fields: Record<string, unknown>) => server.ok("push", { timeToLive: 60_000, ...fields });

for (const transport of ["websocket", "polling"] as const) {
  t.test(`over ${transport} it gets what goes to its topic, its pushId and its user, in order`, async (t) => {
    const pushId = `client-${transport}-0001`;
    const one = open(t, server.clientUrl, { pushId, topics: [`news-${transport}`], transports: [transport] });
    t.match(await one.next("connect", 0), { pushId, recovered: false });
    await server.ok("uid/bind", { pushId, uid: `ann-${transport}` });
    await kept({ topic: `news-${transport}`, json: { text: "é你😀\u2028" } });
    await server.ok("push", { topic: `news-${transport}`, json: 2 });
    await kept({ pushId, json: "mine" });
    await server.ok("push", { uid: `ann-${transport}`, json: "[3]" });
    await one.until(() => one.got.length === 4);
    t.match(
      one.events.filter(([name]) => name === "message").map(([, message]) => message),
      [
        { data: { text: "é你😀\u2028" }, topic: `news-${transport}`, id: /^\w{12}$/ },
        { data: 2 },
        { data: "mine", id: /^\w{12}$/ },
        { data: [3] },
      ],
    );
    t.same(one.states, ["connecting", "connected"]);
    one.client.close();
    t.equal(one.client.state, "offline");
  });
}

t.test(
  "what was kept while it was away comes when it is back, once, also after its page was loaded anew",
  async (t) => {
    const storage = memory();
    const first = open(t, server.clientUrl, { storage, topics: ["book"] });
    const { pushId } = await first.next("connect", 0);
    t.match(pushId, /^[A-Za-z0-9]{16}$/);
    await kept({ topic: "book", json: 1 });
    await first.until(() => first.got.length === 1);
    first.client.close();
    await kept({ topic: "book", json: 2 });
    await kept({ pushId, json: "own" });

    const second = open(t, server.clientUrl, { storage, topics: ["book"] });
    t.match(await second.next("connect", 0), { pushId, recovered: true });
    await second.until(() => second.got.length === 2);
    t.same(second.got, ["own", 2]);
    second.client.close();
    const third = open(t, server.clientUrl, { storage, topics: ["book"] });
    t.match(await third.next("connect", 0), { recovered: true });
    t.same(third.got, []);
  },
);

t.test("a position is stored when the handler is done, not before", async (t) => {
  const storage = memory();
  const first = open(t, server.clientUrl, { storage, topics: ["slow"] });
  await first.next("connect", 0);
  const never = new Promise(() => {});
  first.client.on("message", () => never);
  await kept({ topic: "slow", json: 1 });
  await first.until(() => first.got.length === 1);
  first.client.close();
  const second = open(t, server.clientUrl, { storage, topics: ["slow"] });
  await second.until(() => second.got.length === 1);
  t.same(second.got, [1], "its page was closed in the middle of it");
});

t.test("a handler that takes its time holds back the next message, and one that fails does not", async (t) => {
  const one = open(t, server.clientUrl, { topics: ["queue"] });
  await one.next("connect", 0);
  const done: unknown[] = [];
  one.client.on("message", async ({ data }) => {
    await new Promise(setImmediate);
    done.push(data);
  });
  for (let n = 0; n < 5; n++) await kept({ topic: "queue", json: n });
  await one.until(() => one.got.length === 5);
  t.same(done, [0, 1, 2, 3], "each waited for the one before");
});

t.test("subscribe with replay all brings what was kept before, false what comes while it is there", async (t) => {
  for (const topic of ["all", "live"]) await kept({ topic, json: `old ${topic}` });
  const storage = memory();
  const one = open(t, server.clientUrl, { storage });
  one.client.subscribe("all", { replay: "all" });
  one.client.subscribe("live", { replay: false });
  const { pushId } = await one.next("connect", 0);
  await one.until(() => one.got.length === 1);
  t.same(one.got, ["old all"]);
  t.notOk(
    one.events.some(([name]) => name === "gap"),
    "it had not been there: nothing was missed",
  );
  one.client.close();
  await kept({ topic: "all", json: "missed" });
  await kept({ topic: "live", json: "missed too" });
  const again = open(t, server.clientUrl, { storage });
  again.client.subscribe("all", { replay: "all" });
  again.client.subscribe("live", { replay: false });
  await again.next("connect", 0);
  await kept({ pushId, json: "end" });
  await again.until(() => again.got.includes("end"));
  t.same(again.got, ["missed", "end"]);
});

t.test("topics that are subscribed while it is connected, or on its way, and left again", async (t) => {
  const one = open(t, server.clientUrl);
  one.client.subscribe("early");
  await one.next("connect", 0);
  one.client.subscribe("later");
  await server.ok("push", { topic: "early", json: 1 });
  await one.until(() => one.got.length === 1);
  one.client.subscribe("last");
  await one.next("state", 0);
  await kept({ pushId: one.client.pushId, json: "between" });
  await one.until(() => one.got.includes("between"));
  for (const topic of ["later", "last"]) await server.ok("push", { topic, json: topic });
  await one.until(() => one.got.includes("last"));
  one.client.unsubscribe("early");
  await kept({ pushId: one.client.pushId, json: "own" });
  await one.until(() => one.got.includes("own"));
  await server.ok("push", { topic: "early", json: "too late" });
  await server.ok("push", { topic: "later", json: "end" });
  await one.until(() => one.got.includes("end"));
  t.same(one.got, [1, "between", "later", "last", "own", "end"]);
});

t.test("integration 17: a topic of which too much was missed is named, then connect says so", async (t) => {
  const storage = memory();
  const first = open(t, server.clientUrl, { storage, topics: ["many", "few"] });
  await first.next("connect", 0);
  first.client.close();
  for (let n = 0; n < 12; n++) await kept({ topic: "many", json: n });
  await kept({ topic: "few", json: "few" });
  const second = open(t, server.clientUrl, { storage, topics: ["many", "few"] });
  t.match(await second.next("connect", 0), { recovered: false });
  t.same(
    second.events.filter(([name]) => name === "gap").map(([, gap]) => gap),
    [{ topic: "many" }],
  );
  await second.until(() => second.got.includes("few"));
  t.same(second.got, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "few"]);
});

t.test("tags, and a user that is not believed", async (t) => {
  const one = open(t, server.clientUrl);
  one.client.setTags(["a", "b"]);
  one.client.removeTag("a");
  one.client.addTag("c");
  one.client.bindUid("mallory");
  t.match(await one.next("error", 0), { code: "uid_not_trusted" });
  const { pushId } = one.client;
  const again = open(t, server.clientUrl, { pushId });
  t.match(await again.next("connect", 0), { tags: ["b", "c"] });
});

t.test("a notification arrives, is reported, and counts as opened when the app says so", async (t) => {
  const one = open(t, server.clientUrl, { notifications: true });
  const { pushId } = await one.next("connect", 0);
  const notification = { id: "note-1", android: { title: "T", message: "M", payload: { a: 1 } } };
  await server.ok("notification", { pushId, notification });
  t.match(await one.next("notification", 0), {
    id: "note-1",
    title: "T",
    message: "M",
    payload: { a: 1 },
    timestamp: Number,
  });
  one.client.clicked("note-1");
  await server.ok("push", { pushId, json: "after" });
  await one.until(() => one.got.includes("after"));
  // Two different ones under one name are two.
  const more = { id: "note-1", android: { title: "T2", message: "M" } };
  await server.ok("notification", { pushId, notification: more, timeToLive: 60_000 });
  await server.ok("notification", { pushId, notification, timeToLive: 60_000 });
  await one.until(() => one.events.filter(([name]) => name === "notification").length === 3);
});

t.test("pushes of data alone, the form of 2015, are messages too", async (t) => {
  const one = open(t, server.clientUrl);
  const { pushId } = await one.next("connect", 0);
  await server.ok("push", { pushId, data: Buffer.from('{"a":"é"}').toString("base64"), timeToLive: 60_000 });
  await one.until(() => one.got.length === 1);
  t.same(one.got, [{ a: "é" }]);
});

t.test("two websockets that fail, and it goes by polling; when that ends a websocket is tried again", async (t) => {
  const way = await openFaulty(t, server.clientPort);
  way.refuses = "websockets";
  const one = open(t, way.url, { topics: ["fallback"] });
  await one.next("connect", 0);
  t.same(one.states, ["connecting", "waiting", "connecting", "waiting", "connecting", "connected"]);
  const transport = async (): Promise<unknown> => {
    const told = await server.ok("device/get", { pushId: one.client.pushId });
    return (told["connections"] as { transport: string }[])[0]?.transport;
  };
  t.equal(await transport(), "polling");
  await kept({ topic: "fallback", json: 1 });
  await one.until(() => one.got.length === 1);
  way.refuses = "nobody";
  way.cut();
  await one.next("connect");
  t.equal(await transport(), "websocket");
});

t.test(
  "a stored pushId that the server does not take gives way to another one; the app's own is not tried again",
  async (t) => {
    for (const i of ["short", "l".repeat(129), 5]) {
      const storage = memory();
      storage.setItem(`pushbox:${server.clientUrl}`, JSON.stringify({ i, e: "of before", p: { tnews: 7 } }));
      const one = open(t, server.clientUrl, { storage, topics: ["news"] });
      t.match(await one.next("error", 0), { code: "push_id_invalid", message: /10 to 128 characters/ });
      const { pushId, recovered } = await one.next("connect", 0);
      t.match(pushId, /^[A-Za-z0-9]{16}$/);
      t.equal(recovered, false);
      t.equal(one.client.pushId, pushId);
      one.client.close();
      const again = open(t, server.clientUrl, { storage });
      t.match(await again.next("connect", 0), { pushId }, "it is kept");
    }
    const own = open(t, server.clientUrl, { pushId: "short" });
    t.match(await own.next("error", 0), { code: "push_id_invalid" });
    t.same(own.states, ["connecting", "refused"]);

    const narrow = await startTestApp(t, { client: { maxIdLength: 12 } });
    const long = open(t, narrow.clientUrl);
    await long.until(() => long.client.state === "refused", "no name that is made fits");
  },
);

t.test("a network that went without a word is noticed when it is looked at, and in the end anyway", async (t) => {
  const server = await startTestApp(t, { client: { pingInterval: 1000, pingTimeout: 1000 } });
  const way = await openFaulty(t, server.clientPort);
  const one = open(t, way.url);
  await one.next("connect", 0);
  way.silent = true;
  await one.until(() => one.states.length > 2, "noticed by its silence");
  way.silent = false;
  way.cut();
  t.match(await one.next("connect"), { recovered: true });
  way.silent = true;
  const before = one.states.length;
  one.client.connect(); // look at once
  await one.until(() => one.states.length > before, "noticed by a question");
  way.silent = false;
  way.cut();
  await one.next("connect");
});

t.test("closed, it stays away; connect brings it back", async (t) => {
  const one = open(t, server.clientUrl);
  one.client.close();
  await new Promise(setImmediate);
  t.same(one.states, [], "closed before it began");
  one.client.connect();
  await one.next("connect", 0);
  one.client.close();
  t.same(one.states, ["connecting", "connected", "offline"]);
  one.client.connect();
  await one.next("connect");
});

for (const transport of ["websocket", "polling"] as const)
  t.test(`over ${transport} what is said just before close still counts`, async (t) => {
    const pushId = `last-words-${transport}`;
    const one = open(t, server.clientUrl, { pushId, transports: [transport] });
    await one.next("connect", 0);
    await server.ok("uid/bind", { pushId, uid: "ann" });
    // The first is on its way when the others are said.
    one.client.setTags(["a"]);
    await Promise.resolve();
    await Promise.resolve();
    one.client.addTag("b");
    one.client.unbindUid();
    one.client.close();
    type Device = { readonly uid?: unknown; readonly tags?: unknown };
    const device = await eventually(
      (): Promise<Device> => server.ok("device/get", { pushId }),
      ({ uid, tags }) => uid === undefined && String(tags) === "a,b",
    );
    t.match(device, { tags: ["a", "b"] });
  });
