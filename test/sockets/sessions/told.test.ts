// What a business server is told of those who come and go, with real sockets: once, after the delay, and never for a quick return.
import { setTimeout as pause } from "node:timers/promises";
import t, { type Test } from "tap";
import { bind } from "../../../src/core/connect.ts";
import type { PushId, Uid } from "../../../src/core/device.ts";
import type { Event, Wanted } from "../../../src/core/events.ts";
import type { ConversationOptions } from "../../../src/sockets/sessions/conversation.ts";
import { RawClient } from "../../support/clients.ts";
import { openTestEngine } from "../../support/engine.ts";
import { sockets } from "../../support/sockets.ts";

const DELAY = 60_000;
const wanted: Wanted = { hooks: [], log: ["*"], topics: ["room:"], grace: 90_000, keep: 86_400_000 };
const id = (name: string) => `${name}-0123456789` as PushId;

interface Scene {
  readonly engine: Awaited<ReturnType<typeof openTestEngine>>;
  readonly port: number;
  /** Lets so many milliseconds pass for the disconnect delay. */
  move(by: number): void;
  open(name: string, topics?: readonly string[], hello?: object): Promise<RawClient>;
  /** What is told from now on, until the last one begins so, or there are so many. */
  told(last: string | number): Promise<string[]>;
  stop(): Promise<void>;
}

async function scene(
  t: Test,
  options: Partial<ConversationOptions> & { readonly pingTimeout?: number } = {},
  wants: Wanted | null = wanted,
  as: (engine: Scene["engine"]) => Scene["engine"] = (engine) => engine,
): Promise<Scene> {
  const engine = as(await openTestEngine(t));
  if (wants !== null) await engine.events.want(wants);
  let ahead = 0;
  const elapsed = (): number => performance.now() + ahead;
  const { port, stop } = await sockets(t, engine, { disconnectDelay: DELAY, elapsed, ...options });
  let after = 0;
  return {
    engine,
    port,
    stop,
    move(by) {
      ahead += by;
    },
    async open(name, topics = [], hello = {}) {
      const client = await RawClient.open(port);
      t.teardown(() => client.close());
      await client.hello({ id: id(name), topics, ...hello });
      return client;
    },
    async told(last) {
      const all: Event[] = [];
      const deadline = performance.now() + 60_000;
      const over = (): boolean =>
        typeof last === "number" ? all.length >= last : all.length > 0 && text(all.at(-1)!).startsWith(last);
      while (!over()) {
        if (performance.now() > deadline)
          throw new Error(`"${last}" was not told within 60 s, but ${all.slice(-5).map(text).join(", ")}`);
        const { events } = await engine.events.list({ after }, 1000);
        if (events.length === 0) await pause(20);
        else after = events.at(-1)!.seq;
        all.push(...events);
      }
      return all.map(text);
    },
  };
}

const text = ({ type, key, data }: Event): string => {
  const { uid, reason, count, devices, by } = JSON.parse(data) as Record<string, unknown>;
  const more = [uid, by, reason, count, devices].filter((value) => value !== undefined);
  return `${type} ${key.replace("-0123456789", "")}${more.length > 0 ? ` (${more.join(", ")})` : ""}`;
};

t.test("integration 1: offline is told once, after the delay, and never for a quick return", async (t) => {
  const { engine, move, open, told } = await scene(t);
  await bind(engine, { pushId: id("host"), uid: "ann" as Uid, platformLimit: 0, timeToLive: 0 }, Date.now());
  const first = await open("host", ["room:1", "news"]);
  t.same(await told("topic.joined"), [
    "uid.bound device:host (ann, api)",
    "device.online device:host (ann)",
    "user.online user:ann (ann, 1)",
    "topic.occupied topic:room:1 (1)",
    "topic.joined topic:room:1 (ann, 1)",
  ]);
  await first.close();
  move(DELAY - 30_000);
  const second = await open("host", ["room:1"]);
  const third = await open("host", ["room:1"]);
  await second.close();
  await open("other");
  t.same(await told("device.online device:other"), ["device.online device:other"], "it was back in time");
  move(DELAY);
  await third.close();
  move(DELAY);
  t.same(await told("topic.vacated"), [
    "device.offline device:host (ann, transport close)",
    "user.offline user:ann (ann, transport close, 0)",
    "topic.left topic:room:1 (ann, transport close, 0)",
    "topic.vacated topic:room:1 (transport close, 0)",
  ]);
});

t.test("integration 1: a device that comes back without one of its topics has left that one", async (t) => {
  const { move, open, told } = await scene(t);
  const first = await open("host", ["room:1", "room:2"]);
  await told("topic.joined topic:room:2");
  await first.close();
  await open("host", ["room:2"]);
  move(DELAY);
  t.same(await told("topic.vacated"), [
    "topic.left topic:room:1 (transport close, 0)",
    "topic.vacated topic:room:1 (transport close, 0)",
  ]);
});

t.test("integration 2: the host of a live stream vanishes without a word: told at the ping timeout", async (t) => {
  const { open, told } = await scene(t, { pingTimeout: 2000 });
  await open("host", ["room:1"]); // a bare websocket that never pings
  await told("topic.joined");
  t.same(await told("device.offline"), [
    "topic.left topic:room:1 (ping timeout, 0)",
    "topic.vacated topic:room:1 (ping timeout, 0)",
    "device.offline device:host (ping timeout)",
  ]);
});

t.test("leaving a topic on purpose is told at once, and so is another device on the same connection", async (t) => {
  const { move, open, told } = await scene(t);
  const client = await open("one", ["room:1", "room:2"]);
  await told("topic.joined topic:room:2");
  client.emit("unsubscribeTopic", { topic: "room:1" });
  t.same(await told("topic.vacated"), [
    "topic.left topic:room:1 (unsubscribed, 0)",
    "topic.vacated topic:room:1 (unsubscribed, 0)",
  ]);
  await client.hello({ id: id("two") });
  t.same(await told("device.online"), ["topic.joined topic:room:2 (2)", "device.online device:two"]);
  move(DELAY);
  t.same((await told(2)).toSorted(), [
    "device.offline device:one (transport close)",
    "topic.left topic:room:2 (transport close, 1)",
  ]);
});

t.test("connections that do not say who they are occupy a topic, and leave it at once", async (t) => {
  const { port, told } = await scene(t);
  const [one, two] = [await RawClient.open(port), await RawClient.open(port)];
  for (const client of [one, two]) {
    client.emit("subscribeTopic", { topic: "room:1" });
    await client.settle();
  }
  t.same(await told("topic.occupied"), ["topic.occupied topic:room:1 (1)"]);
  await two.hello({ id: id("two") });
  t.same(await told("device.online"), ["topic.joined topic:room:1 (2)", "device.online device:two"]);
  await one.close();
  two.emit("unsubscribeTopic", { topic: "room:1" });
  t.same(await told("topic.vacated"), [
    "topic.left topic:room:1 (unsubscribed, 0)",
    "topic.vacated topic:room:1 (unsubscribed, 0)",
  ]);
});

t.test(
  "what a client sends to the business server is told, as it was sent, and what does not fit is refused",
  async (t) => {
    const { open, told, engine } = await scene(t, { trustClientUid: true });
    const client = await open("one");
    client.emit("bindUid", { uid: "ann" });
    t.same((await told("user.online")).slice(1), [
      "uid.bound device:one (ann, client)",
      "user.online user:ann (ann, 1)",
    ]);
    client.emit("packetProxy", { path: "/chat", data: "aGVsbG8=", sequenceId: "s1" });
    client.emit("packetProxy", { path: "/chat", data: { x: [1, "ü"] } });
    await told("client.packet");
    await client.settle();
    const { events } = await engine.events.list({ types: ["client.packet"] }, 10);
    const packets = events.map(({ data }) => JSON.parse(data) as Record<string, unknown>);
    t.match(packets, [
      { pushId: id("one"), uid: "ann", path: "/chat", sequenceId: "s1", data: "aGVsbG8=" },
      { path: "/chat", sequenceId: /^\w{12}$/, data: { x: [1, "ü"] } },
    ]);
    client.emit("packetProxy", null);
    client.emit("packetProxy", { path: "/chat", data: "x".repeat(65_536) });
    t.match(await client.next('42["refused"'), /event_malformed.*must have a path/);
    t.match(await client.next('42["refused"'), /event_malformed.*65536 characters/);
  },
);

t.test("nobody wants to know: nothing is written, and a client's packets are ignored", async (t) => {
  const { open, engine } = await scene(t, {}, null);
  const client = await open("one", ["room:1"]);
  client.emit("packetProxy", null);
  client.emit("packetProxy", { path: "/chat" });
  t.same(await client.settle(), []);
  t.equal(await engine.events.newest(), 0);
});

t.test("from when somebody wants to know, those who are there are told of, with their topics", async (t) => {
  const { open, told, engine, move } = await scene(t, {}, null);
  const many = await Promise.all(Array.from({ length: 200 }, (_, i) => open(`many${i}`, ["room:1", "room:2", "news"])));
  await engine.events.want({ ...wanted, log: ["device.*"] });
  const online = await told(200);
  t.equal(new Set(online).size, 200);
  await engine.events.want({ ...wanted, log: ["topic.*"], topics: ["room:1"] });
  t.equal((await told("topic.joined topic:room:1 (200)")).length, 201);
  await engine.events.want({ ...wanted, log: ["topic.*"], topics: ["room:2"] });
  t.equal((await told("topic.joined topic:room:2 (200)")).length, 201);
  await Promise.all(many.map((client) => client.close()));
  move(DELAY);
  t.equal((await told("topic.vacated topic:room:2")).length, 201, "of the topics of now alone");
});

t.test(
  "more topics are told of: who is in the others is not told of again, and who was about to leave one has left",
  async (t) => {
    const { open, told, engine, move } = await scene(t, {}, { ...wanted, topics: ["room:1"] });
    const one = await open("one", ["room:1"]);
    const two = await open("two", ["room:1", "room:2"]);
    await told("topic.joined topic:room:1 (2)");
    await one.close();
    await engine.events.want({ ...wanted, topics: ["room:1", "room:2"] });
    t.same(await told(2), ["topic.occupied topic:room:2 (1)", "topic.joined topic:room:2 (1)"]);
    move(DELAY);
    t.same(await told(2), [
      "device.offline device:one (transport close)",
      "topic.left topic:room:1 (transport close, 1)",
    ]);
    await engine.events.want({ ...wanted, topics: ["room:2"] });
    two.emit("subscribeTopic", { topic: "room:3" });
    await two.settle();
    await engine.events.want({ ...wanted, topics: ["room:"] });
    t.same((await told(4)).toSorted(), [
      "topic.joined topic:room:1 (1)",
      "topic.joined topic:room:3 (1)",
      "topic.occupied topic:room:1 (1)",
      "topic.occupied topic:room:3 (1)",
    ]);
    const again = await open("two", ["room:1"]);
    two.emit("unsubscribeTopic", { topic: "room:1" });
    two.emit("unsubscribeTopic", { topic: "room:2" });
    t.same(await told(2), [
      "topic.left topic:room:2 (unsubscribed, 0)",
      "topic.vacated topic:room:2 (unsubscribed, 0)",
    ]);
    await again.close();
    await two.close();
    move(DELAY);
    t.same((await told(5)).toSorted(), [
      "device.offline device:two (transport close)",
      "topic.left topic:room:1 (transport close, 0)",
      "topic.left topic:room:3 (transport close, 0)",
      "topic.vacated topic:room:1 (transport close, 0)",
      "topic.vacated topic:room:3 (transport close, 0)",
    ]);
  },
);

t.test("a server that stops tells nothing: its clients are expected back", async (t) => {
  for (const disconnectDelay of [DELAY, 0]) {
    const { open, told, engine, stop } = await scene(t, { disconnectDelay });
    await open("one", ["room:1"]);
    await told("topic.joined");
    await stop();
    const { events } = await engine.events.list({ types: ["device.offline", "topic.left"] }, 10);
    t.same(events, []);
  }
});

t.test("what could not be stored for a while is told once it can: who left, and who is there", async (t) => {
  let broken = false;
  let again: (afresh: boolean) => void = () => t.fail("nobody listens");
  const unlessBroken =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    (...args: Args): Promise<Result> =>
      broken ? Promise.reject(new Error("no room")) : call(...args);
  const errors: string[] = [];
  const { open, told, port } = await scene(
    t,
    { disconnectDelay: 0, log: { warn() {}, error: (_, message) => void errors.push(message) } },
    wanted,
    (engine) => ({
      ...engine,
      devices: { ...engine.devices, disconnect: unlessBroken(engine.devices.disconnect) },
      events: {
        ...engine.events,
        note: unlessBroken(engine.events.note),
        onGap(listener) {
          again = listener;
        },
      },
    }),
  );
  const one = await open("one", ["room:1"]);
  const two = await open("two", ["room:1"]);
  await told("topic.joined topic:room:1 (2)");
  broken = true;
  await one.close();
  two.emit("unsubscribeTopic", { topic: "room:1" });
  await two.settle();
  const three = await RawClient.open(port);
  await three.hello({ id: id("three"), topics: ["room:2"] });
  t.same(await told("device.online"), ["device.online device:three"]);
  broken = false;
  again(false);
  // Which of the two that left comes first is a matter of chance.
  t.same((await told(6)).map((line) => line.replace(/ \(.*/, "")).toSorted(), [
    "device.offline device:one",
    "topic.joined topic:room:2",
    "topic.left topic:room:1",
    "topic.left topic:room:1",
    "topic.occupied topic:room:2",
    "topic.vacated topic:room:1",
  ]);
  t.match(errors[0], /could not be stored; trying again/);
  await three.close();
});
