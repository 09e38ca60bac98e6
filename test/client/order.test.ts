// The client's order of things, on a line where the test says what the server says, word for word.
import t, { type Test } from "tap";
import type { Options, Socket } from "../../src/client/api.ts";
import { memory, open, type Watched } from "./support.ts";

type Said = readonly [event: string, argument?: unknown];

/** What the client's sockets say, and what they are told. */
class Line {
  static all: Line[] = [];
  static said = Promise.withResolvers<void>();
  /** Events of this connection, without their frames. */
  readonly events: Said[] = [];
  readonly url: string;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  constructor(url: string) {
    this.url = url;
    Line.all.push(this);
    queueMicrotask(() =>
      this.frame('0{"sid":"s","upgrades":[],"pingInterval":600000,"pingTimeout":600000,"maxPayload":100000}'),
    );
  }
  frame(data: string): void {
    (this.onmessage as ((event: { data: string }) => void) | null)?.({ data });
  }
  say(event: string, ...args: unknown[]): void {
    this.frame(`42${JSON.stringify([event, ...args])}`);
  }
  send(text: string): void {
    if (text.startsWith("40")) queueMicrotask(() => this.frame('40{"sid":"x"}'));
    if (!text.startsWith("42")) return;
    this.events.push(JSON.parse(text.slice(2)) as Said);
    Line.said.resolve();
    Line.said = Promise.withResolvers();
  }
  close(): void {}
  breaks(): void {
    (this.onclose as (() => void) | null)?.();
  }
}

/** The latest connection, once it has said its hello. */
async function greeted(number: number): Promise<Line> {
  while (Line.all[number - 1]?.events.some(([event]) => event === "pushId") !== true) await Line.said.promise;
  return Line.all[number - 1] as Line;
}

function start(t: Test, options: Options = {}): Watched {
  Line.all = [];
  return open(t, "http://push.example.com", { WebSocket: Line, transports: ["websocket"], ...options });
}

const welcome = (line: Line, fields: object = {}) =>
  line.say("pushId", { id: "0123456789abcdef", positions: 1, ...fields });
const standing = (line: Line, recovered: boolean, topic?: string) =>
  line.say("position", { ...(topic === undefined ? {} : { topic }), epoch: "e1", at: 7, recovered });
/** What connect has told last; on this line all comes at once. */
const connected = (one: Watched) => one.events.filter(([name]) => name === "connect").at(-1)?.[1];
const names = (line: Line) => line.events.map(([event, argument]) => (event === "setTags" ? String(argument) : event));

t.test("a connection that breaks between a gap and connect: the next connect tells of the gap", async (t) => {
  const storage = memory();
  const one = start(t, { storage, topics: ["news"] });
  const first = await greeted(1);
  welcome(first, { positions: 2 });
  standing(first, true);
  first.breaks();
  const second = await greeted(2);
  welcome(second, { positions: 2 });
  standing(second, true);
  standing(second, true, "news");
  t.match(connected(one), { recovered: false }, "the first time it is false, however many tries it took");
  second.breaks();
  const third = await greeted(3);
  welcome(third, { positions: 2 });
  standing(third, false);
  t.same(one.events.at(-1), ["gap", {}]);
  third.breaks();
  const fourth = await greeted(4);
  welcome(fourth, { positions: 2 });
  standing(fourth, true);
  standing(fourth, true, "news");
  t.match(connected(one), { recovered: false });
  fourth.breaks();
  const fifth = await greeted(5);
  welcome(fifth, { positions: 2 });
  standing(fifth, true);
  standing(fifth, true, "news");
  t.match(connected(one), { recovered: true });
  fifth.breaks();
  const sixth = await greeted(6);
  welcome(sixth, { positions: 2 });
  standing(sixth, false);
  t.same(one.events.at(-1), ["gap", {}]);
  one.client.close();

  const two = start(t, { storage, topics: ["news"] });
  const line = await greeted(1);
  welcome(line, { positions: 2 });
  standing(line, true);
  standing(line, true, "news");
  t.match(connected(two), { recovered: false }, "nor does it get lost with the page");
});

t.test("a topic that is left while the answer to the hello is on its way does not hold up connect", async (t) => {
  const one = start(t, { topics: ["news", "room"] });
  const line = await greeted(1);
  one.client.unsubscribe("room");
  welcome(line, { positions: 3 });
  standing(line, true);
  standing(line, true, "news");
  t.ok(connected(one));
  t.same(one.events.filter(([name]) => name === "connect").length, 1);
});

t.test("what was said before it was connected is sent first, then what handlers say, then questions", async (t) => {
  const one = start(t);
  one.client.setTags(["early"]);
  one.client.bindUid("ann");
  const question = one.client.emit("/orders");
  one.client.on("state", (state) => {
    if (state === "connected") one.client.setTags(["late"]);
  });
  const line = await greeted(1);
  welcome(line);
  t.same(names(line), ["pushId", "early", "bindUid", "packetProxy", "late"]);
  const [, { sequenceId }] = line.events.find(([event]) => event === "packetProxy") as [string, { sequenceId: string }];
  line.say("packetProxy", { path: "/orders", sequenceId, data: 1 });
  t.equal(await question, 1);
});

t.test("a user who left while it was offline is not told as this device's any more", async (t) => {
  const one = start(t);
  const first = await greeted(1);
  welcome(first, { uid: "ann" });
  standing(first, true);
  t.match(connected(one), { uid: "ann" });
  first.breaks();
  one.client.unbindUid();
  const second = await greeted(2);
  welcome(second, { uid: "ann" });
  standing(second, true);
  t.notMatch(connected(one), { uid: "ann" });
  t.equal(one.client.uid, undefined);
  t.same(names(second), ["pushId", "unbindUid"]);
});

t.test("a question that is asked while there is no network ends with close, at once", async (t) => {
  let lost = (): void => {};
  const one = start(t, {
    watch(watcher) {
      lost = watcher.lost;
      return () => {};
    },
  });
  welcome(await greeted(1));
  lost();
  t.equal(one.client.state, "offline");
  const question = t.rejects(one.client.emit("/orders", {}, { timeout: Number.POSITIVE_INFINITY }), { code: "closed" });
  one.client.close();
  await question;
  const never = start(t);
  const early = t.rejects(never.client.emit("/orders", {}, { timeout: 1e9 }), { code: "closed" });
  never.client.close();
  await early;
});

t.test("what cannot be written as JSON is refused to its caller, and breaks nothing", async (t) => {
  const one = start(t);
  const circular: { self?: object } = {};
  circular.self = circular;
  await t.rejects(one.client.emit("/early", circular), TypeError);
  t.throws(() => one.client.bindUid(circular), TypeError);
  const data = { n: 1 };
  void one.client.emit("/orders", data, { timeout: 1e6 }).catch(() => {});
  data.n = 2;
  const line = await greeted(1);
  welcome(line);
  standing(line, true);
  t.ok(connected(one));
  t.match(line.events.at(-1), ["packetProxy", { path: "/orders", data: { n: 1 } }], "as it was when it was asked");
});

t.test("close in a handler of state, or of connect of the old API, is the last word", async (t) => {
  const one = start(t);
  one.client.on("state", (state) => {
    if (state === "connected") one.client.close();
  });
  const line = await greeted(1);
  welcome(line, { positions: 0 });
  await Promise.resolve();
  t.same(one.states.at(-1), "offline");
  t.same(
    one.events.filter(([name]) => name === "connect"),
    [],
  );
});

t.test("handlers that come and go while they are called", async (t) => {
  const one = start(t);
  const line = await greeted(1);
  welcome(line, { positions: 0 });
  const told: string[] = [];
  const again = (): void => {
    told.push("again");
    if (told.length > 100) return;
    one.client.off("message", again);
    one.client.on("message", again);
  };
  const gone = () => told.push("gone");
  one.client.on("message", again);
  one.client.on("message", () => one.client.off("message", gone));
  one.client.on("message", gone);
  line.say("p", 1);
  t.same(told, ["again"], "once for one message; what was taken away is not called");
  line.say("p", 2);
  t.same(told, ["again", "again"]);
});

t.test("a position waits for any promise, of another realm or library too", async (t) => {
  const storage = memory();
  const one = start(t, { storage });
  const line = await greeted(1);
  welcome(line);
  standing(line, true);
  t.ok(connected(one));
  const done = Promise.withResolvers<void>();
  one.client.on("message", () => ({
    // biome-ignore lint/suspicious/noThenProperty: what other libraries have in a promise's place
    then: (resolve: () => void, reject: () => void) => done.promise.then(resolve, reject),
  }));
  const stored = () => [...storage.items.values()].join();
  line.say("p", 1, ["0123456789abcdef", "packet000001", 1]);
  await new Promise(setImmediate);
  t.notMatch(stored(), /packet000001/);
  done.resolve();
  while (!stored().includes("packet000001")) await new Promise(setImmediate);
});

t.test("two pages of one storage keep each other's positions", async (t) => {
  const storage = memory();
  const beside = start(t, { storage });
  const lineOf = await greeted(1);
  welcome(lineOf);
  standing(lineOf, true);
  const one = open(t, "http://push.example.com", {
    storage,
    WebSocket: Line,
    transports: ["websocket"],
    topics: ["news"],
  });
  const line = await greeted(2);
  welcome(line, { positions: 2 });
  standing(line, true);
  standing(line, true, "news");
  line.say("p", 1, ["news", "packet000001", 0]);
  lineOf.say("p", 2, ["0123456789abcdef", "packet000002", 1]);
  line.say("p", 3, ["news", "packet000003", 0]);
  lineOf.say("p", 4, ["0123456789abcdef", "packet000004", 1]);
  one.client.close();
  beside.client.close();
  start(t, { storage, topics: ["news"] });
  const [[, hello]] = (await greeted(1)).events as [[string, object]];
  t.match(hello, { epoch: "e1", lastPacketIds: { news: "packet000003" }, lastUnicastId: "packet000004" });
});

t.test("a storage that holds somebody else's values is as if it were empty", async (t) => {
  const id = "0123456789abcdef";
  const strange = [5, [], null, "x", { i: id, p: null, h: null }, { i: id, p: 5, h: {}, e: 7 }, { i: id, h: "abc" }];
  for (const value of strange) {
    const items = JSON.stringify(value);
    const one = start(t, { storage: { getItem: () => items, setItem() {} } });
    const line = await greeted(1);
    t.type(one.client.pushId, "string");
    welcome(line);
    standing(line, true);
    line.say("p", 1, [id, "packet000001", 1]);
    line.say("p", 2, [id, "packet000002", 1]);
    t.match([connected(one), one.got], [{ recovered: false }, [1, 2]], items);
    one.client.close();
  }
});
