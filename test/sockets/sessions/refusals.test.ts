// What a client is told of what is not done for it, and what the log says of it.
import { readFileSync } from "node:fs";
import t from "tap";
import { Newcomers, placesOf } from "../../../src/sockets/sessions/newcomers.ts";
import { encodeRefusal, REFUSAL_CODES, RefusalLog } from "../../../src/sockets/sessions/refusals.ts";
import { startTestApp } from "../../support/app.ts";
import { RawClient } from "../../support/clients.ts";

const server = await startTestApp(t, {
  client: { maxTopics: 3, maxTags: 3, disconnectDelay: 200 },
});

const open = () => RawClient.open(server.clientPort, "EIO=3&transport=websocket");
const told = async (client: RawClient) => JSON.parse((await client.next('42["refused"')).slice(2)) as unknown;

t.test("B3: a client is told why its event was not taken, and goes on with the same connection", async (t) => {
  const client = await open();
  const wrong: readonly [string, string, ...unknown[]][] = [
    ["push_id_missing", "pushId"],
    ["push_id_missing", "pushId", "0123456789"],
    ["push_id_missing", "pushId", { platform: "ios" }],
    ["push_id_invalid", "pushId", { id: "short" }],
    ["push_id_invalid", "pushId", { id: 1234567890 }],
    ["push_id_invalid", "pushId", { id: "0123456789\ud83d" }],
    ["push_id_needed", "setTags", ["t"]],
    ["push_id_needed", "unbindUid"],
    ["topic_invalid", "subscribeTopic", {}],
    ["topic_invalid", "unsubscribeTopic", { topic: 5 }],
    ["topic_invalid", "subscribeTopic", { topic: "room \ude00" }],
    ["topic_reserved", "subscribeTopic", { topic: "uid:1" }],
    ["tag_invalid", "addTag", {}],
    ["token_invalid", "token", { type: "apn" }],
    ["uid_invalid", "bindUid", {}],
    ["event_malformed", "notificationReply", { id: 5 }],
    ["event_malformed", "stats"],
    ["event_malformed", "setTags", "t"],
  ];
  for (const [code, event, ...args] of wrong) {
    client.emit(event, ...args);
    t.match(await told(client), ["refused", { code, message: /./ }], `${event} ${JSON.stringify(args)}`);
  }
  t.match(await client.hello({ id: "refusals-0123456789", topics: ["a"] }), { id: "refusals-0123456789" });
  client.emit("bindUid", { uid: "u" });
  t.match(await told(client), ["refused", { code: "uid_not_trusted" }]);
  for (const event of ["nonsense", "packetProxy", "setTags"]) client.emit(event, null);
  t.same(await client.settle(), [], "an unknown event, and null for no change, are no mistakes");
  await client.close();
});

t.test("B3: of a hello what fits is done, what does not is told once for each kind", async (t) => {
  const client = await open();
  client.emit("pushId", { id: "partly-0123456789", topics: ["a", 1, 2, "uid:x", "uid:y"], tags: ["t", 7], token: {} });
  const frames = await client.until('42["pushId"');
  const codes = frames.flatMap((frame) => /"code":"(\w+)"/.exec(frame)?.[1] ?? []);
  t.same(codes, ["tag_invalid", "token_invalid", "topic_invalid", "topic_reserved"]);
  await server.ok("push", { topic: "a", json: { m: 1 } });
  t.equal(await client.next('42["p"'), '42["p",{"m":1}]');
  await client.close();
});

t.test("B14: topics beyond the limit are told, at hello and later", async (t) => {
  const client = await open();
  client.emit("pushId", { id: "topics-0123456789", topics: ["a", "b", "c", "d", "e"] });
  t.match(await told(client), ["refused", { code: "topics_limit", message: /3 topics \(client\.max_topics\)/ }]);
  await client.next('42["pushId"');
  client.emit("subscribeTopic", { topic: "f" });
  t.match(await told(client), ["refused", { code: "topics_limit" }]);
  client.emit("subscribeTopic", { topic: "a" });
  t.same(await client.settle(), [], "one it has is no further one");
  client.emit("unsubscribeTopic", { topic: "a" });
  client.emit("subscribeTopic", { topic: "f" });
  t.same(await client.settle(), [], "and one it left makes room");
  await client.close();
});

t.test("B3: what old SDKs get is an event they can pass over: one object, text, no ack", async (t) => {
  t.equal(
    encodeRefusal({ code: "push_id_missing", message: 'a "b"' }),
    '42["refused",{"code":"push_id_missing","message":"a \\"b\\""}]',
  );
});

t.test("B3: the log has one line per kind and minute, with how many there were", async (t) => {
  let elapsed = 5000;
  const lines: unknown[] = [];
  const log = new RefusalLog(
    (fields, message) => lines.push({ ...fields, message }),
    () => elapsed,
  );
  const by = { event: "pushId", address: "192.0.2.1", pushId: undefined };
  const short = { code: "push_id_invalid", message: "too short" } as const;
  for (let i = 0; i < 100; i++) log.add(short, by);
  log.add({ code: "topics_limit", message: "too many" }, { ...by, event: "subscribeTopic" });
  t.match(lines, [
    { code: "push_id_invalid", count: 1, address: "192.0.2.1", message: /too short/ },
    { code: "topics_limit", count: 1, event: "subscribeTopic" },
  ]);
  elapsed += 59_999;
  log.tick();
  t.equal(lines.length, 2);
  elapsed += 1;
  log.tick();
  t.match(lines.slice(2), [{ code: "push_id_invalid", count: 99 }]);
  elapsed += 60_000;
  log.tick();
  log.add(short, by);
  t.match(
    lines.slice(3),
    [{ code: "push_id_invalid", count: 1 }],
    "after a quiet minute the first one is told at once",
  );
  t.match(log.totals, { push_id_invalid: 101, topics_limit: 1 });
  t.equal(server.log.filter((line) => line.startsWith("warn: refused to a client: id must be")).length, 1);
});

t.test("A11: tags beyond the limit are refused, at hello and one by one, and change nothing", async (t) => {
  const client = await open();
  const id = "tagged-0123456789";
  client.emit("pushId", { id, tags: ["a", "b", "c", "d"] });
  t.match(await told(client), ["refused", { code: "tags_limit", message: /3 tags \(client\.max_tags\)/ }]);
  t.equal(await client.next('42["pushId"'), `42["pushId",{"id":"${id}"}]`);
  client.emit("setTags", ["a", "b", "c", "a"]);
  client.emit("addTag", { tag: "d" });
  t.match(await told(client), ["refused", { code: "tags_limit" }]);
  client.emit("addTag", { tag: "a" });
  client.emit("addTag", { tag: "x".repeat(200) });
  t.match(await told(client), ["refused", { code: "tag_invalid" }]);
  t.same((await server.ok("device/get", { pushId: id }))["tags"], ["a", "b", "c"]);
  client.emit("removeTag", { tag: "b" });
  client.emit("addTag", { tag: "d" });
  t.same(await client.hello({ id }), { id, tags: ["a", "c", "d"] });
  await client.close();
});

t.test(
  "A11: an address brings so many new devices a minute; those that are known come as often as they like",
  async (t) => {
    const { clientPort, log, ok } = await startTestApp(t, { client: { maxNewDevicesPerMinute: 2 } });
    const connect = () => RawClient.open(clientPort);
    const hello = async (id: string) => {
      const client = await connect();
      t.same(await client.hello({ id }), { id });
      await client.close();
    };
    await hello("known-0123456789-1");
    for (let i = 0; i < 5; i++) await hello("known-0123456789-1");
    await hello("known-0123456789-2");
    const third = await connect();
    third.emit("pushId", { id: "new-0123456789-3" });
    t.match(await told(third), ["refused", { code: "devices_limit" }]);
    await third.closed;
    t.match(log.join("\n"), /warn: refused to a client: too many new devices/);
    await hello("known-0123456789-1");
    t.equal((await ok("device/get", { pushId: "new-0123456789-3" }))["pushId"], undefined, "nothing was stored of it");
  },
);

t.test("A11: each address has its own places, and every minute new ones", async (t) => {
  let elapsed = 1_000_000;
  const newcomers = new Newcomers(2, () => elapsed);
  t.same(
    ["a", "a", "a", "b"].map((address) => newcomers.take(address, 1)),
    [true, true, false, true],
  );
  newcomers.giveBack("a", 1);
  t.same([newcomers.take("a", 1), newcomers.take("a", 1)], [true, false]);
  elapsed += 60_000;
  newcomers.giveBack("a", 1);
  t.same([newcomers.take("a", 1), newcomers.take("a", 1), newcomers.take("a", 1)], [true, true, false]);
});

t.test("A11: a new device with many tags takes more places", async (t) => {
  const newcomers = new Newcomers(12, () => 0);
  t.same([0, 9, 10, 100].map(placesOf), [1, 1, 2, 11]);
  t.same([newcomers.take("a", 11), newcomers.take("a", 2), newcomers.take("a", 1)], [true, false, true]);
  t.ok(newcomers.take("b", 13), "the first one comes in whatever the limit");
});

t.test("A11: nobody has more on its way to the store than an app asks for in one go", async (t) => {
  const { clientPort, ok } = await startTestApp(t);
  const tags = Array.from({ length: 100 }, (_, i) => `tag-${i}`);
  const one = await RawClient.open(clientPort, "EIO=3&transport=websocket");
  for (let i = 0; i < 50; i++) one.emit("pushId", { id: `device-0123456789-${i}`, tags });
  t.match(await told(one), ["refused", { code: "too_many_events", message: /than are stored meanwhile/ }]);
  await one.closed;
  t.same(await ok("device/get", { pushId: "device-0123456789-49" }), {}, "the last ones were not stored");
  const other = await RawClient.open(clientPort, "EIO=3&transport=websocket");
  await other.hello({ id: "device-0123456789" });
  for (const tag of tags) other.emit("addTag", { tag });
  for (const tag of tags) other.emit("removeTag", { tag });
  other.emit("setTags", ["last"]);
  t.same(await other.hello({ id: "device-0123456789" }), { id: "device-0123456789", tags: ["last"] });
  await other.close();
});

t.test("A10: who sends too much is told before the connection is closed", async (t) => {
  const { clientPort, log } = await startTestApp(t, { client: { maxEventsPerSecond: 20 } });
  const client = await RawClient.open(clientPort, "EIO=3&transport=websocket");
  for (let i = 0; i < 60; i++) client.emit("nonsense", i);
  t.match(await told(client), ["refused", { code: "too_many_events", message: /max_events_per_second/ }]);
  await client.closed;
  t.match(log.join("\n"), /refused to a client: more than client\.max_events_per_second/);
});

t.test("A12: the memory that a connection's topics take is bounded, and what it leaves makes room", async (t) => {
  const { clientPort } = await startTestApp(t, { client: { maxTopicBytes: 1024 } });
  const client = await RawClient.open(clientPort, "EIO=3&transport=websocket");
  client.emit("pushId", { id: "memory-0123456789", topics: ["a", "b", "c"] });
  t.match(await told(client), [
    "refused",
    { code: "topic_bytes_limit", message: /1024 bytes \(client\.max_topic_bytes\)/ },
  ]);
  await client.next('42["pushId"');
  client.emit("unsubscribeTopic", { topic: "a" });
  client.emit("subscribeTopic", { topic: "c" });
  t.same(await client.settle(), []);
  client.emit("subscribeTopic", { topic: "d" });
  t.match(await told(client), ["refused", { code: "topic_bytes_limit" }]);
  await client.close();
});

t.test("an event is refused before a hello where the client protocol says that it needs one", async (t) => {
  const readme = readFileSync(new URL("../../../src/sockets/README.md", import.meta.url), "utf8");
  const section = readme.slice(readme.indexOf("### 4.2"), readme.indexOf("### 4.3"));
  const namesIn = (text = ""): string[] => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? "");
  const events = [...section.matchAll(/^\| (`[^|]*)\|/gm)].flatMap(([, names]) => namesIn(names));
  const free = namesIn(/^All but (.*?)\s+need a/ms.exec(section)?.[1]);
  const argument = { topic: "a", tag: "t", token: "x", type: "apn", uid: "u", id: "n", path: "p", requestStats: [] };
  const client = await open();
  for (const event of events) {
    if (["pushId", "authorize", "packetProxy"].includes(event)) continue; // a hello, only with tokens, only where it is wanted
    client.emit(event, event === "setTags" ? ["t"] : argument);
    const refused = (await client.settle()).join().includes("push_id_needed");
    t.equal(refused, !free.includes(event), event);
  }
  t.ok(events.length > 15);
  await client.close();
});

t.test("B3: every code stands in the table of the client protocol", async (t) => {
  const readme = readFileSync(new URL("../../../src/sockets/README.md", import.meta.url), "utf8");
  const section = readme.slice(readme.indexOf("### 4.12"), readme.indexOf("### 4.13"));
  const listed = [...section.matchAll(/^\| `(\w+)` *\|/gm)].map(([, code]) => code);
  t.same(listed.sort(), [...REFUSAL_CODES].sort());
});
