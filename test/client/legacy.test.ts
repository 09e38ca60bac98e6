// integration 19: the flows of a page made for socket.io-push-client 0.8.2, with that client and with the facade in its place.
import t, { type Test } from "tap";
import { environment } from "../../src/client/environment.ts";
import { PushClient as Facade } from "../../src/client/legacy.ts";
import { startTestApp } from "../support/app.ts";
import { type PushClient, pushClient } from "../support/clients.ts";
import { openFaulty } from "../support/faulty.ts";
import { eventually } from "../support/until.ts";

const server = await startTestApp(t, { trustClientUid: true });
const TTL = 60_000;
let serial = 0;
const fresh = (what: string) => `${what}-${++serial}-0123456789`;

const makers: Record<string, (url: string, options: object) => PushClient> = {
  "0.8.2": pushClient,
  facade: (url, options) => Facade(url, options) as unknown as PushClient,
};

/** What its events told, and promises for what is yet to come. */
function listen(client: PushClient) {
  const told: [event: string, data: unknown][] = [];
  let tell = Promise.withResolvers<void>();
  for (const event of ["connect", "disconnect", "push", "notification"])
    client.on(event, (data: unknown) => {
      told.push([event, data]);
      tell.resolve();
      tell = Promise.withResolvers();
    });
  const of = (event: string): unknown[] => told.filter(([name]) => name === event).map(([, data]) => data);
  return {
    told,
    of,
    async count(event: string, times: number): Promise<unknown[]> {
      while (of(event).length < times) await tell.promise;
      return of(event);
    },
  };
}

for (const [name, make] of Object.entries(makers)) {
  const open = (t: Test, options: object = {}, url = server.clientUrl) => {
    const client = make(url, options);
    t.teardown(() => client.disconnect());
    return { client, heard: listen(client) };
  };

  t.test(`integration 19: ${name}: connects with its user and tags, subscribes, gets pushes, leaves`, async (t) => {
    const pushId = fresh("page");
    const topic = fresh("topic");
    await server.ok("uid/bind", { pushId, uid: "ann" });
    const { client, heard } = open(t, { pushId });
    t.equal(client.pushId, pushId);
    t.match(await heard.count("connect", 1), [{ pushId, uid: "ann" }]);
    client.subscribeTopic(topic);
    client.setTags(["a", "b"]);
    client.removeTag("a");
    client.addTag("c");
    let stored: unknown;
    while (String(stored) !== "b,c") stored = (await server.ok("device/get", { pushId }))["tags"];
    while ((await server.ok("push", { topic, json: { n: 1 } }))["online"] !== 1);
    await server.ok("push", { pushId, json: "mine" });
    await server.ok("push", { uid: "ann", json: 3, timeToLive: TTL });
    const pushes = await heard.count("push", 3);
    t.same(pushes.slice(-2), ["mine", 3]);
    t.same(pushes[0], { n: 1 });
    client.unsubscribeTopic(topic);
    while ((await server.ok("push", { topic, json: "late" }))["online"] !== 0);
    client.disconnect();
    await heard.count("disconnect", 1);
    client.connect();
    t.match(await heard.count("connect", 2), [{}, { pushId, uid: "ann", tags: ["b", "c"] }]);
  });

  t.test(`integration 19: ${name}: what was kept while it was away comes after connect, once`, async (t) => {
    const topic = fresh("kept");
    const { client, heard } = open(t, { pushId: fresh("page") });
    client.subscribeTopicAndReceiveTTL(topic);
    await heard.count("connect", 1);
    await server.ok("push", { topic, json: 1, timeToLive: TTL });
    await heard.count("push", 1);
    client.disconnect();
    for (const json of [2, 3]) await server.ok("push", { topic, json, timeToLive: TTL });
    await server.ok("push", { pushId: client.pushId, json: "own", timeToLive: TTL });
    client.connect();
    await heard.count("connect", 2);
    while (!heard.of("push").includes(3)) await heard.count("push", heard.of("push").length + 1);
    await server.ok("push", { pushId: client.pushId, json: "end" });
    while (!heard.of("push").includes("end")) await heard.count("push", heard.of("push").length + 1);
    const names = heard.told.map(([event]) => event);
    t.equal(names.indexOf("push", names.lastIndexOf("connect")), names.lastIndexOf("connect") + 1);
    t.same(
      heard.of("push").filter((data) => data !== "end" && data !== "own"),
      [1, 2, 3],
    );
    t.equal(heard.of("push").filter((data) => data === "own").length, 1);
  });

  t.test(
    `integration 19: ${name}: with useNotification it gets notifications of its own and to everybody`,
    async (t) => {
      const { client, heard } = open(t, { pushId: fresh("page"), useNotification: true, platform: "web" });
      await heard.count("connect", 1);
      const notification = { id: fresh("note"), android: { title: "T", message: "M", payload: { a: 1 } } };
      await server.ok("notification", { pushId: client.pushId, notification });
      const [first] = await heard.count("notification", 1);
      t.match(first, { id: notification.id, title: "T", message: "M", payload: { a: 1 }, timestamp: Number });
      t.notOk("android" in Object(first));
      await server.ok("notification", { pushAll: true, notification: { ...notification, id: fresh("all") } });
      await heard.count("notification", 2);
      await server.app.settled();
      for (;;) {
        const { counts } = await server.ok("notification/get", { id: notification.id });
        if (JSON.stringify(counts).includes("arrive")) break;
      }
    },
  );

  t.test(`integration 19: ${name}: a user that the server believes, bound and unbound`, async (t) => {
    const { client, heard } = open(t, { pushId: fresh("page") });
    await heard.count("connect", 1);
    const uid = fresh("user");
    client.bindUid({ uid });
    while ((await server.ok("push", { uid, json: "hello" }))["online"] !== 1);
    await heard.count("push", 1);
    client.unbindUid();
    while ((await server.ok("push", { uid, json: "bye" }))["online"] !== 0);
    t.equal((await server.ok("push", { pushId: client.pushId, json: "still here" }))["online"], 1);
  });

  t.test(`integration 19: ${name}: a broken network is told, and mended by itself`, async (t) => {
    const way = await openFaulty(t, server.clientPort);
    const pushId = fresh("page");
    const { heard } = open(t, { pushId }, way.url);
    await heard.count("connect", 1);
    way.cut();
    await heard.count("disconnect", 1);
    await heard.count("connect", 2);
    t.equal((await server.ok("push", { pushId, json: "again" }))["online"], 1);
  });

  t.test(`integration 19: ${name}: on takes one listener per event, and none to take it away`, async (t) => {
    const { client } = open(t, { pushId: fresh("page") });
    const heard: string[] = [];
    await new Promise((resolve) => client.on("connect", resolve));
    client.on("push", () => heard.push("first"));
    const second = new Promise((resolve) => client.on("push", resolve));
    await server.ok("push", { pushId: client.pushId, json: 1 });
    await second;
    t.same(heard, []);
  });
}

t.test("integration 19: the facade keeps the pushId and the position that the old client has stored", async (t) => {
  const items = new Map<string, string>();
  const globals = globalThis as { document?: unknown; localStorage?: unknown };
  const pushId = "OldDevice0123456";
  // What `PushClient` 0.8.2 writes, of the third client of a page: the ones before were made by this file.
  globals.document = { addEventListener() {}, removeEventListener() {}, hidden: false };
  const before = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    value: {
      getItem: (key: string) => items.get(key.replace(/:\d+:/, ":1:")) ?? null,
      setItem: (key: string, value: string) => items.set(key.replace(/:\d+:/, ":1:"), value),
    },
  });
  t.teardown(() => {
    delete globals.document;
    if (before) Object.defineProperty(globalThis, "localStorage", before);
  });
  await server.ok("uid/bind", { pushId, uid: "old" });
  for (const json of [1, 2]) await server.ok("push", { pushId, json, timeToLive: TTL });
  const raw = pushClient(server.clientUrl, { pushId });
  const { id } = await new Promise<{ id: string }>((resolve) => {
    raw.socket.on("p", (data: unknown, [, id]: [string, string]) => data === 1 && resolve({ id }));
  });
  raw.disconnect();
  items.set("PushClient:1:pushId", pushId);
  items.set("PushClient:1:lastUnicastId", id);
  const client = new Facade(server.clientUrl) as unknown as PushClient;
  t.teardown(() => client.disconnect());
  t.equal(client.pushId, pushId);
  t.equal(await new Promise((resolve) => client.on("push", resolve)), 2, "it goes on after the first");
});

t.test("a page whose stored pushId is too short for the server gets another one, which is stored", async (t) => {
  const items = new Map<string, string>();
  const getItem = (key: string): string | undefined =>
    items.get(key) ?? (key.endsWith(":pushId") ? "short" : undefined);
  const localStorage = { getItem, setItem: (key: string, value: string) => items.set(key, value) };
  for (const [name, value] of Object.entries({ document: {}, localStorage })) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true });
    t.teardown(() => {
      if (before === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, before);
    });
  }
  const client = makers["facade"]!(server.clientUrl, {});
  t.teardown(() => client.disconnect());
  const [{ pushId }] = (await listen(client).count("connect", 1)) as [{ pushId: string }];
  t.match(pushId, /^[a-z0-9]{16}$/);
  t.ok([...items.values()].includes(pushId));
});

t.test(
  "the facade works with a storage that is full or forbidden, and at every form of address the old client took",
  async (t) => {
    const refuse = (): never => {
      throw new Error("QuotaExceededError");
    };
    const values = {
      document: {},
      localStorage: { getItem: refuse, setItem: refuse },
      location: { origin: `http://127.0.0.1:${server.clientPort}` },
    };
    for (const [name, value] of Object.entries(values)) {
      const before = Object.getOwnPropertyDescriptor(globalThis, name);
      Object.defineProperty(globalThis, name, { value, configurable: true });
      t.teardown(() => {
        if (before === undefined) Reflect.deleteProperty(globalThis, name);
        else Object.defineProperty(globalThis, name, before);
      });
    }
    // As socket.io's client took them.
    for (const url of [
      undefined,
      "/",
      `//127.0.0.1:${server.clientPort}`,
      `127.0.0.1:${server.clientPort}`,
      `ws://127.0.0.1:${server.clientPort}`,
    ]) {
      const client = Facade(url) as unknown as PushClient;
      t.teardown(() => client.disconnect());
      const heard = listen(client);
      await heard.count("connect", 1);
      await server.ok("push", { pushId: client.pushId, json: `to ${url}` });
      t.same(await heard.count("push", 1), [`to ${url}`]);
      client.disconnect();
    }
  },
);

t.test("a listener of connect that throws is told of on the console, and breaks nothing", async (t) => {
  const { after } = environment;
  const thrown: unknown[] = [];
  environment.after = (milliseconds, act) =>
    milliseconds > 0
      ? after(milliseconds, act)
      : after(0, () => {
          try {
            act();
          } catch (error) {
            thrown.push(error);
          }
        });
  t.teardown(() => {
    environment.after = after;
  });
  const client = Facade(server.clientUrl, { pushId: fresh("page") }) as unknown as PushClient;
  t.teardown(() => client.disconnect());
  const heard = listen(client);
  let connects = 0;
  client.on("connect", () => {
    connects++;
    throw new Error("the page's own");
  });
  await eventually(
    () => server.ok("push", { pushId: client.pushId, json: 1 }),
    () => heard.of("push").length > 0,
  );
  t.same([connects, thrown.map(String), heard.of("disconnect")], [1, ["Error: the page's own"], []]);
});

t.test("a listener of connect that disconnects is the last word", async (t) => {
  const client = Facade(server.clientUrl, { pushId: fresh("page") }) as unknown as PushClient;
  const heard = listen(client);
  await new Promise<void>((resolve) =>
    client.on("connect", () => {
      client.disconnect();
      resolve();
    }),
  );
  t.equal((await server.ok("push", { pushId: client.pushId, json: 1 }))["online"] ?? 0, 0);
  client.connect();
  client.on("connect", () => {});
  await eventually(
    () => server.ok("push", { pushId: client.pushId, json: 2 }),
    () => heard.of("push").length > 0,
  );
  client.disconnect();
});
