// Endpoints, with a real store on one side and a real HTTP server on the other. The clock is the test's own.
import { EventEmitter, once } from "node:events";
import t, { type Test } from "tap";
import type { PushId } from "../../src/core/device.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { Happening } from "../../src/core/events.ts";
import { openLocalEngine } from "../../src/engine/local.ts";
import { createHookSender, type HookConfig, type HookSender } from "../../src/hooks/hooks.ts";
import { type Clock, takeClock } from "../support/clock.ts";
import { newSecret, type Receiver, startReceiver, type ToldEvent } from "../support/receiver.ts";
import { withoutThread } from "../support/store-thread.ts";
import { eventually } from "../support/until.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Rig {
  readonly engine: Engine;
  readonly sender: HookSender;
  /** `warn: ...`, as it was logged. */
  readonly log: string[];
  /** Resolves with the next line that fits. */
  logged(pattern: RegExp): Promise<string>;
  /** Puts the clock forward, and has everybody look at it. */
  pass(milliseconds: number): void;
  now(): number;
  use(...hooks: readonly Partial<HookConfig>[]): Promise<void>;
  packets(...names: readonly string[]): Promise<void>;
  connect(name: string): Promise<unknown>;
  disconnect(name: string): Promise<unknown>;
}

const pushId = (name: string): PushId => `${name}-0123456789` as PushId;

/** One for all servers of a test, and for those who verify what they send. */
const clocks = new WeakMap<Test, Clock>();

interface RigOptions {
  readonly dataDir?: string;
  readonly coalesce?: boolean;
}

async function start(
  t: Test,
  { dataDir = ":memory:", coalesce = true }: RigOptions = {},
): Promise<Rig & { stop(): Promise<void> }> {
  const clock = clocks.get(t) ?? takeClock(t);
  clocks.set(t, clock);
  const now = (): number => Date.now();
  const engine = await openLocalEngine({
    dataDir,
    synchronous: "NORMAL",
    keep: { default: 10, prefixes: [] },
    arrivalDays: 30,
    now,
    startThread: withoutThread,
    onFatal: (error) => t.error(error),
  });
  const log: string[] = [];
  const lines = new EventEmitter();
  const line = (level: string) => (text: string) => {
    log.push(`${level}: ${text}`);
    lines.emit("line");
  };
  const sender = createHookSender({
    queue: engine.hooks,
    log: {
      info: line("info"),
      warn: line("warn"),
      error: line("error"),
      failed: (error) => line("failed")(String(error)),
    },
    now,
    dice: () => 0,
  });
  await sender.start();
  engine.events.onWritten(() => sender.wake());
  let stopped: Promise<unknown> | undefined;
  const stop = async (): Promise<void> => {
    stopped ??= sender.stop(100).then(() => engine.close());
    await stopped;
  };
  t.teardown(stop);
  const happening = (text: string): Happening => {
    const [name = "", path = ""] = text.split("/");
    return { kind: "packet", pushId: pushId(name), path, sequenceId: "1", at: now() };
  };
  return {
    engine,
    sender,
    log,
    async logged(pattern) {
      for (;;) {
        const found = log.find((text) => pattern.test(text));
        if (found !== undefined) return found;
        await once(lines, "line");
      }
    },
    pass(milliseconds) {
      clock.move(milliseconds);
      sender.wake();
    },
    now,
    async use(...hooks) {
      const configs = hooks.map((hook) => ({ ...defaults, ...hook }));
      const apply = sender.prepare(configs);
      const patterns = configs.map(({ name, events }) => ({ name, events, coalesce }));
      await engine.events.want({ hooks: patterns, log: [], topics: [], grace: 0, keep: 72 * HOUR });
      apply();
    },
    packets: (...names) => engine.events.note(names.map(happening)),
    connect: (name) => engine.devices.connect({ pushId: pushId(name) }, now()),
    disconnect: (name) =>
      engine.devices.disconnect([pushId(name)], now(), { reasons: ["transport close"], times: [now()] }),
    stop,
  };
}

const defaults: HookConfig = {
  name: "main",
  url: "",
  secrets: [],
  events: ["*"],
  timeout: 10_000,
  allowPrivate: false,
};

const to = ({ url, secret }: Receiver, more: Partial<HookConfig> = {}): Partial<HookConfig> => ({
  url,
  secrets: [secret],
  ...more,
});

/** `a/1` for a packet, `a+` and `a-` for who went online and offline. */
const shown = (events: readonly ToldEvent[]): string[] =>
  events.map(({ type, key, data }) => {
    const name = key.replace("device:", "").replace("-0123456789", "");
    return type === "client.packet" ? `${name}/${data["path"]}` : `${name}${type.endsWith("online") ? "+" : "-"}`;
  });

/** An answer is counted and settled a moment after the receiver gave it: only then may the clock be moved, or a figure be read. */
const settled = async ({ sender }: Rig, waiting = 0): Promise<void> => {
  await eventually(
    () => sender.list(),
    (all) => all.every((each) => each.inFlight === 0 && each.waiting === waiting),
  );
};

/** Whoever was to be tried by now has been, and has failed. */
const failed = async ({ sender, now }: Rig): Promise<void> => {
  await eventually(
    () => sender.list(),
    (all) => all.every(({ inFlight, nextTry }) => inFlight === 0 && nextTry !== undefined && nextTry > now()),
  );
};

t.test("an event comes signed, with its id, type, time, key, seq and data", async (t) => {
  const rig = await start(t);
  const receiver = await startReceiver(t);
  await rig.use(to(receiver));
  await rig.connect("a");
  await receiver.takenAre(1);
  const [message] = receiver.messages;
  t.match(message?.id, /^msg_[\w-]{27}$/);
  t.strictSame(Object.keys(JSON.parse(message?.body ?? "")), ["type", "timestamp", "data"]);
  t.match(JSON.parse(message?.body ?? ""), { type: "events", timestamp: /^20\d\d-.*Z$/ });
  t.match(receiver.taken[0], {
    id: /^evt_\w+$/,
    type: "device.online",
    timestamp: /^20\d\d-.*Z$/,
    key: "device:a-0123456789",
    seq: 1,
    data: { pushId: "a-0123456789", online: true },
  });
  t.equal(receiver.forged, 0);
});

t.test(
  "what comes together goes together: 100 events of distinct keys a message at most, five messages at once",
  async (t) => {
    const rig = await start(t);
    const gate = Promise.withResolvers<void>();
    const receiver = await startReceiver(t, async () => {
      await gate.promise;
      return 200;
    });
    await rig.use(to(receiver));
    const names = Array.from({ length: 700 }, (_, i) => `d${i}`);
    await rig.packets(...names.map((name) => `${name}/1`), ...names.map((name) => `${name}/2`));
    await receiver.messagesAre(5);
    gate.resolve();
    await receiver.takenAre(1400);
    t.equal(receiver.most, 5);
    for (const { events } of receiver.messages) {
      t.ok(events.length <= 100);
      t.equal(new Set(events.map(({ key }) => key)).size, events.length);
    }
    const of = (name: string): string[] => shown(receiver.taken).filter((text) => text.startsWith(`${name}/`));
    for (const name of names) t.strictSame(of(name), [`${name}/1`, `${name}/2`], name);
    t.ok(receiver.messages.length < 40, "few messages");
  },
);

t.test("a message has at most 256 KB", async (t) => {
  const rig = await start(t);
  const receiver = await startReceiver(t);
  await rig.use(to(receiver));
  const long = ["x".repeat(60_000), "好".repeat(20_000)];
  await rig.packets(...Array.from({ length: 20 }, (_, i) => `d${i}/${long[i % 2]}`));
  await receiver.takenAre(20);
  for (const { body } of receiver.messages) t.ok(Buffer.byteLength(body) <= 262_144);
});

t.test(
  "integration 4: a backend that was down for an hour has every state right when it returns, and each key in order",
  async (t) => {
    const rig = await start(t);
    const receiver = await startReceiver(t);
    await rig.use(to(receiver));
    await rig.connect("a");
    await receiver.takenAre(1);
    await receiver.shut();
    await rig.connect("b");
    await rig.logged(/^warn: hook main: .*; its events wait, the next try is in 1 s$/);
    const names = ["a", "b", "c", "d", "e"];
    const online = new Map<string, boolean>([
      ["a", true],
      ["b", true],
    ]);
    let dice = 12345;
    const roll = (sides: number): number => {
      dice = (dice * 1103515245 + 12345) % 2147483648;
      return dice % sides;
    };
    for (let minute = 0; minute < 60; minute++) {
      for (let i = 0; i < 5; i++) {
        const name = names[roll(names.length)]!;
        const next = online.get(name) !== true;
        await (next ? rig.connect(name) : rig.disconnect(name));
        online.set(name, next);
        await rig.packets(`${name}/${minute}.${i}`);
      }
      rig.pass(MINUTE);
      await failed(rig);
    }
    t.equal(receiver.taken.length, 1);
    await receiver.open();
    rig.pass(HOUR);
    await rig.logged(/^info: hook main: answers again, after \d+ s$/);
    await settled(rig);
    const last = new Map<string, ToldEvent>();
    const seen = new Map<string, number>();
    for (const event of receiver.taken) {
      t.ok(event.seq > (seen.get(event.key) ?? 0), "in order");
      seen.set(event.key, event.seq);
      if (event.type !== "client.packet") last.set(event.key, event);
    }
    for (const [name, is] of online) t.equal(last.get(`device:${pushId(name)}`)?.data["online"], is, name);
    t.equal(receiver.taken.filter(({ type }) => type === "client.packet").length, 300, "what happened is told in full");
    t.ok(receiver.taken.filter(({ type }) => type !== "client.packet").length <= 7, "of states only the newest");
    const warnings = rig.log.filter((text) => text.startsWith("warn"));
    t.ok(warnings.length >= 6 && warnings.length <= 8, `${warnings.length} tries within the hour`);
  },
);

t.test("integration 5: an endpoint that hangs delays nothing that goes to another", async (t) => {
  const rig = await start(t);
  const hanging = await startReceiver(t, () => "hang");
  const good = await startReceiver(t);
  await rig.use(to(hanging, { name: "hanging" }), to(good, { name: "good" }));
  for (let i = 0; i < 20; i++) {
    await rig.packets(`a/${i}`);
    await good.takenAre(i + 1);
  }
  t.equal(hanging.taken.length, 0);
  t.match(await rig.sender.list(), [{ name: "hanging", waiting: 20, inFlight: 1 }, { name: "good" }]);
});

t.test("what hangs for longer than the time-out is sent again, the same message with the same id", async (t) => {
  const rig = await start(t);
  const receiver = await startReceiver(t, (_, count) => (count === 1 ? "hang" : 200));
  await rig.use(to(receiver, { timeout: 200 }));
  await rig.packets("a/1", "b/1");
  await rig.logged(/no complete answer within 200 ms/);
  t.match(await rig.sender.list(), [{ requests: { timeout: 1 } }]);
  await rig.use(to(receiver)); // who answers may need longer than that on a busy machine
  rig.pass(SECOND);
  await receiver.takenAre(2);
  await settled(rig);
  const [first, second] = receiver.messages;
  t.strictSame([second?.id, second?.body], [first?.id, first?.body]);
  t.match(await rig.sender.list(), [{ requests: { delivered: 1 } }]);
});

t.test("a success that names failed events settles the others; those come again by themselves", async (t) => {
  const rig = await start(t);
  const receiver = await startReceiver(t, ({ events }, count) => ({
    status: 200,
    body: JSON.stringify({
      failed: count === 1 ? events.filter(({ key }) => key.includes("b-")).map(({ id }) => id) : [],
    }),
  }));
  await rig.use(to(receiver));
  await rig.packets("a/1", "b/1", "c/1", "a/2", "b/2");
  await receiver.takenAre(3);
  t.strictSame(shown(receiver.taken), ["a/1", "c/1", "a/2"]);
  rig.pass(SECOND);
  await receiver.takenAre(5);
  t.strictSame(shown(receiver.taken).slice(3), ["b/1", "b/2"]);
  await settled(rig);
  t.match(await rig.sender.list(), [{ requests: { partly: 1 }, state: "running" }]);
});

t.test("a redirect is a failure and says what to do", async (t) => {
  const rig = await start(t);
  const elsewhere = await startReceiver(t);
  const receiver = await startReceiver(t, () => ({ status: 302, headers: { Location: elsewhere.url } }));
  await rig.use(to(receiver));
  await rig.packets("a/1");
  await rig.logged(/it answered 302, and redirects are not followed: write the final address into url/);
  t.equal(elsewhere.messages.length, 0);
  t.match(await rig.sender.list(), [{ state: "failing", requests: { redirect: 1 }, waiting: 1 }]);
});

t.test("Retry-After of 429 and 503 is obeyed", async (t) => {
  for (const status of [429, 503]) {
    const rig = await start(t);
    const receiver = await startReceiver(t, (_, count) =>
      count === 1 ? { status, headers: { "Retry-After": "120" } } : 200,
    );
    await rig.use(to(receiver));
    await rig.packets("a/1");
    await rig.logged(/the next try is in 120 s/);
    rig.pass(110 * SECOND);
    await rig.packets("b/1");
    t.equal(receiver.messages.length, 1);
    rig.pass(11 * SECOND);
    await receiver.takenAre(2);
  }
});

t.test("410 switches the endpoint off, loudly, over a restart too; resume sends what has waited", async (t) => {
  const dataDir = t.testdir();
  const rig = await start(t, { dataDir });
  const receiver = await startReceiver(t, () => 410);
  await rig.use(to(receiver));
  await rig.packets("a/1");
  await rig.logged(/^error: hook main: switched off: it answered 410 Gone\. .*\/api\/hook\/resume/);
  await rig.packets("b/1");
  rig.pass(2 * DAY);
  await rig.stop();

  const next = await start(t, { dataDir });
  receiver.say = () => 200;
  await next.use(to(receiver));
  next.pass(0);
  t.match(await next.sender.list(), [{ state: "off", off: { reason: "it answered 410 Gone" }, waiting: 2 }]);
  t.equal(receiver.messages.length, 1);
  t.equal(next.sender.resume("other"), undefined);
  t.strictSame(next.sender.resume("main"), ["main"]);
  await receiver.takenAre(2);
  t.match(await next.sender.list(), [{ state: "running" }]);
  t.strictSame(next.sender.resume(), []);
});

t.test("410 that another process heard: here nothing is tried, and its resuming is noticed", async (t) => {
  const rig = await start(t);
  const receiver = await startReceiver(t, () => 410);
  await rig.use(to(receiver));
  await rig.packets("a/1");
  await rig.logged(/switched off/);
  const quiet = { info: () => {}, warn: () => {}, error: () => {}, failed: (error: unknown) => t.error(error) };
  const other = createHookSender({ queue: rig.engine.hooks, log: quiet, now: rig.now });
  t.teardown(() => other.stop(100));
  await other.start();
  other.prepare([{ ...defaults, ...to(receiver) }])();
  t.match(await other.list(), [{ state: "off", off: { reason: "it answered 410 Gone" } }]);
  await other.lookAgain();
  t.match(await other.list(), [{ state: "off" }]);
  receiver.say = () => 200;
  rig.sender.resume();
  await settled(rig);
  await other.lookAgain();
  t.match(await other.list(), [{ state: "running" }]);
  t.equal(receiver.messages.length, 2);
});

t.test("an endpoint that is off goes on when it gets another address", async (t) => {
  const rig = await start(t);
  const old = await startReceiver(t, () => 410);
  await rig.use(to(old));
  await rig.packets("a/1");
  await rig.logged(/switched off/);
  const next = await startReceiver(t);
  await rig.use(to(next));
  await next.takenAre(1);
  t.equal(old.messages.length, 1, "the former one was not asked again");
});

t.test("five days of failure switch the endpoint off, loudly", async (t) => {
  const rig = await start(t);
  const receiver = await startReceiver(t, () => 503);
  await rig.use(to(receiver));
  await rig.packets("a/1");
  await rig.logged(/^warn: .* 503/);
  for (let day = 1; day <= 5; day++) {
    await failed(rig);
    t.match(await rig.sender.list(), [{ state: "failing" }]);
    await rig.packets(`b/${day}`);
    rig.pass(DAY);
    await receiver.messagesAre(1 + day);
  }
  await rig.logged(/^error: hook main: switched off: it failed for five days, at last: it answered 503/);
});

t.test("an event that the backend cannot stomach holds up no other for long", async (t) => {
  for (const status of [400, 413, 500]) {
    const rig = await start(t);
    const receiver = await startReceiver(t, ({ events }) =>
      events.some(({ key }) => key.includes("d33-")) ? status : 200,
    );
    await rig.use(to(receiver));
    await rig.packets(...Array.from({ length: 100 }, (_, i) => `d${i}/1`));
    await receiver.takenAre(99);
    await settled(rig, 1);
    t.equal(rig.log.length, 0, "it is no trouble of the endpoint");
    t.match(await rig.sender.list(), [
      { state: "running", waiting: 1, lastError: { reason: `it answered ${status}` } },
    ]);
    t.ok(receiver.messages.length < 40, `found in ${receiver.messages.length} messages`);
    receiver.say = () => 200;
    rig.pass(SECOND);
    await receiver.takenAre(100);
  }
});

t.test("a backend that answers everything with 500 is left alone after a few requests", async (t) => {
  const rig = await start(t);
  const receiver = await startReceiver(t, () => 500);
  await rig.use(to(receiver));
  await rig.packets(...Array.from({ length: 100 }, (_, i) => `d${i}/1`));
  await rig.logged(/it answered 500; its events wait, the next try is in 1 s/);
  t.ok(receiver.messages.length < 15, `${receiver.messages.length} requests`);
  receiver.say = () => 200;
  rig.pass(SECOND);
  await receiver.takenAre(100);
});

t.test(
  "who refuses the signature gets the events once the secret is right; while secrets are exchanged both are signed with",
  async (t) => {
    const rig = await start(t);
    const receiver = await startReceiver(t);
    await rig.use(to(receiver, { secrets: [newSecret()] }));
    await rig.packets("a/1");
    await rig.logged(/it answered 401/);
    t.match(await rig.sender.test("main"), { delivered: false, status: 401, reason: "it answered 401" });
    await rig.use(to(receiver, { secrets: [newSecret(), receiver.secret] }));
    rig.pass(SECOND);
    await receiver.takenAre(1);
  },
);

t.test("a test message is no event, and tells what became of it", async (t) => {
  const rig = await start(t);
  const receiver = await startReceiver(t, (_, count) => (count === 1 ? 204 : 410));
  await rig.use(to(receiver, { name: "my hook" }));
  t.match(await rig.sender.test("my hook"), { delivered: true, status: 204 });
  t.match(receiver.messages[0], { type: "hook.test", id: /^msg_test\w+$/ });
  t.match(JSON.parse(receiver.messages[0]?.body ?? ""), { type: "hook.test", data: { hook: "my hook" } });
  t.match(await rig.sender.test("my hook"), { delivered: false, status: 410 });
  t.match(await rig.sender.list(), [{ state: "running" }], "and changes nothing");
  await receiver.shut();
  t.match(await rig.sender.test("my hook"), { delivered: false, reason: /nobody listens|the connection was closed/ });
  t.equal(await rig.sender.test("other"), undefined);
});

t.test("what is under way at a stop comes again, nothing is lost", async (t) => {
  const dataDir = t.testdir();
  const rig = await start(t, { dataDir });
  const receiver = await startReceiver(t, () => "hang");
  await rig.use(to(receiver));
  await rig.packets("a/1", "a/2");
  await receiver.messagesAre(1);
  await rig.stop();
  const next = await start(t, { dataDir });
  receiver.say = () => 200;
  await next.use(to(receiver));
  await receiver.takenAre(2);
  t.strictSame(shown(receiver.taken), ["a/1", "a/2"]);
  t.equal(receiver.messages[1]?.id, receiver.messages[0]?.id, "with the same id");
});

t.test("an endpoint that is taken out of the settings is told nothing more", async (t) => {
  const rig = await start(t);
  const [one, two] = [await startReceiver(t), await startReceiver(t)];
  await rig.use(to(one, { name: "one" }), to(two, { name: "two" }));
  await rig.packets("a/1");
  await Promise.all([one.takenAre(1), two.takenAre(1)]);
  await rig.use(to(two, { name: "two" }));
  await rig.packets("a/2");
  await two.takenAre(2);
  t.equal(one.messages.length, 1);
  t.strictSame(
    (await rig.sender.list()).map(({ name }) => name),
    ["two"],
  );
});

t.test("without coalescing every state is told, in its order", async (t) => {
  const rig = await start(t, { coalesce: false });
  const receiver = await startReceiver(t, () => 503);
  await rig.use(to(receiver));
  await rig.connect("a");
  await rig.logged(/503/);
  await rig.disconnect("a");
  await rig.connect("a");
  await rig.disconnect("a");
  receiver.say = () => 200;
  rig.pass(SECOND);
  await receiver.takenAre(4);
  t.strictSame(shown(receiver.taken), ["a+", "a-", "a+", "a-"]);
});
