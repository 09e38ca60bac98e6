// What a backend is told, from a real client to a real receiver or reader, and the calls about it.
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { parse } from "smol-toml";
import t, { type Test } from "tap";
import type { HookEntry } from "../../src/config/hooks.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { RawClient, SocketClient, TRANSPORTS } from "../support/clients.ts";
import { moveElapsed, takeClock } from "../support/clock.ts";
import { Line } from "../support/line.ts";
import { metricsOf } from "../support/metrics.ts";
import { freePort } from "../support/ports.ts";
import { kill, serve } from "../support/process.ts";
import { type Receiver, startReceiver, type ToldEvent } from "../support/receiver.ts";
import { auth, hs256 } from "../support/tokens.ts";
import { eventually } from "../support/until.ts";

const DELAY = 100;

const hook = ({ url, secret }: Pick<Receiver, "url" | "secret">, more: Partial<HookEntry> = {}): HookEntry => ({
  name: "backend",
  url,
  secret,
  events: ["*"],
  ...more,
});

type Overrides = NonNullable<Parameters<typeof startTestApp>[1]>;

const telling = (t: Test, tell: readonly HookEntry[], { client, hooks, ...more }: Overrides = {}): Promise<TestApp> =>
  startTestApp(t, {
    client: { disconnectDelay: DELAY, ...client },
    hooks: { topics: ["room:"], tell, ...hooks },
    ...more,
  });

const shown = (events: readonly ToldEvent[]): string[] => events.map(({ type, key }) => `${type} ${key}`);
const id = (name: string): string => `${name}-0123456789`;

async function enter(t: Test, port: number, name: string, topics: readonly string[] = []): Promise<RawClient> {
  const client = await RawClient.open(port);
  t.teardown(() => client.socket.close());
  await client.hello({ id: id(name), topics });
  return client;
}

/** Resolves with the first event taken that fits. */
async function toldOf(receiver: Receiver, fits: (event: ToldEvent) => boolean): Promise<ToldEvent> {
  for (;;) {
    const found = receiver.taken.find(fits);
    if (found !== undefined) return found;
    await receiver.takenAre(receiver.taken.length + 1);
  }
}

t.test(
  "integration 1: a device that goes is told of once, after the delay, and never for a quick return",
  async (t) => {
    const receiver = await startReceiver(t);
    const delay = 120_000;
    const app = await telling(t, [hook(receiver, { events: ["device.*"] })], { client: { disconnectDelay: delay } });
    const first = await enter(t, app.clientPort, "a");
    await receiver.takenAre(1);
    await first.close();
    moveElapsed(delay - 60_000);
    const second = await enter(t, app.clientPort, "a");
    const other = await enter(t, app.clientPort, "b");
    await other.close();
    moveElapsed(delay);
    await toldOf(receiver, ({ type, key }) => type === "device.offline" && key.includes("b-"));
    await second.close();
    moveElapsed(delay);
    await toldOf(receiver, ({ type, key }) => type === "device.offline" && key.includes("a-"));
    t.strictSame(shown(receiver.taken), [
      `device.online device:${id("a")}`,
      `device.online device:${id("b")}`,
      `device.offline device:${id("b")}`,
      `device.offline device:${id("a")}`,
    ]);
    t.match(receiver.taken[3]?.data, { online: false, reason: /./, stayed: Number });
  },
);

t.test(
  "integration 1: whoever logs in with a token enters a room under that user, with a device that is new or was another's",
  async (t) => {
    const receiver = await startReceiver(t);
    const app = await telling(t, [hook(receiver, { events: ["topic.joined"] })], {
      client: { auth: auth({ required: true }) },
    });
    await app.ok("uid/bind", { pushId: id("b"), uid: "ben" });
    const enterAs = async (name: string, uid: string) => {
      const client = await RawClient.open(
        app.clientPort,
        `EIO=3&transport=websocket&token=${await hs256({ sub: uid })}`,
      );
      t.teardown(() => client.socket.close());
      await client.hello({ id: id(name), topics: ["room:1"] });
      return client;
    };
    const first = await enterAs("a", "ann");
    await enterAs("b", "bob");
    await receiver.takenAre(2);
    await app.ok("uid/bind", { pushId: id("a"), uid: "zoe" });
    first.emit("subscribeTopic", { topic: "room:2" });
    await receiver.takenAre(3);
    t.strictSame(
      receiver.taken.map(({ key, data }) => [key, data["pushId"], data["uid"]]),
      [
        ["topic:room:1", id("a"), "ann"],
        ["topic:room:1", id("b"), "bob"],
        ["topic:room:2", id("a"), "zoe"],
      ],
    );
  },
);

t.test("integration 2: the host of a room who vanishes without a word is told of at the ping timeout", async (t) => {
  const receiver = await startReceiver(t);
  const app = await telling(t, [hook(receiver)], {
    client: { pingIntervalV3: 1000, pingTimeoutV3: 1000, disconnectDelay: 60_000 },
  });
  const line = await Line.open(t, app.clientPort);
  await enter(t, line.port, "host", ["room:7"]);
  await toldOf(receiver, ({ type }) => type === "topic.joined");
  line.cut("silent");
  t.match(await toldOf(receiver, ({ type }) => type === "topic.left"), {
    key: "topic:room:7",
    data: { pushId: id("host"), topic: "room:7", count: 0 },
  });
  await toldOf(receiver, ({ type }) => type === "topic.vacated");
  t.match(await toldOf(receiver, ({ type }) => type === "device.offline"), { data: { reason: /ping timeout/ } });
});

t.test("integration 5: an endpoint that hangs keeps no client and no caller from anything", async (t) => {
  const hanging = await startReceiver(t, () => "hang");
  const app = await telling(t, [hook(hanging)]);
  const client = await enter(t, app.clientPort, "a", ["room:1"]);
  await hanging.messagesAre(1);
  for (let i = 0; i < 10; i++) {
    await app.ok("uid/bind", { pushId: id("a"), uid: `u${i}` });
    t.match(await app.ok("push", { topic: "room:1", json: `${i}` }), { online: 1 });
    await client.next(`42["p",${i}`);
  }
  t.match(await app.ok("hook/list", {}), { hooks: [{ state: "running", inFlight: /[1-5]/ }] });
});

t.test("hook/list tells how an endpoint does, hook/test tries it, hook/resume has it tried at once", async (t) => {
  // It is tried again by nobody but us.
  const receiver = await startReceiver(t, () => ({ status: 503, headers: { "Retry-After": "3600" } }));
  const app = await telling(t, [hook(receiver)]);
  t.match(await app.ok("hook/list", {}), {
    hooks: [{ name: "backend", state: "running", waiting: 0, lag: 0, dead: 0, failures: 0, lastError: undefined }],
  });
  await app.ok("uid/bind", { pushId: id("a"), uid: "ann" });
  await receiver.messagesAre(1);
  const listed = async (): Promise<Record<string, unknown>> =>
    ((await app.ok("hook/list", {})) as { hooks: Record<string, unknown>[] }).hooks[0]!;
  while ((await listed())["state"] !== "failing");
  t.match(await listed(), {
    waiting: 1,
    failures: Number,
    failingSinceIso: /^20/,
    nextTryIso: /^20/,
    lastError: { reason: "it answered 503", atIso: /^20/ },
    requests: { busy: Number },
  });
  t.ok(Number((await listed())["lag"]) >= 0);
  t.match(await app.ok("hook/test", { name: "backend" }), { delivered: false, status: 503, reason: "it answered 503" });
  receiver.say = () => 200;
  t.match(await app.ok("hook/test", { name: "backend" }), { delivered: true, status: 200, took: Number });
  t.match(await app.ok("hook/resume", { name: "backend" }), { resumed: ["backend"] });
  await receiver.takenAre(1);
  t.match(await app.post("hook/test", {}), { status: 400, body: { message: /^name is required/ } });
  for (const path of ["hook/test", "hook/resume", "hook/dead"])
    t.match(await app.post(path, { name: "other" }), { status: 404, body: { message: /no hook is called "other"/ } });
  // That it was taken is counted a moment after.
  const metrics = await eventually(
    () => metricsOf(app),
    (text) => /^pushbox_hook_waiting\{hook="backend"\} 0$/m.test(text),
  );
  for (const line of [
    /^pushbox_hook_waiting\{hook="backend"\} 0$/m,
    /^pushbox_hook_oldest_seconds\{hook="backend"\} 0$/m,
    /^pushbox_hook_events_total\{hook="backend"\} 1$/m,
    /^pushbox_hook_requests_total\{hook="backend",result="busy"\} [1-9]/m,
    /^pushbox_hook_requests_total\{hook="backend",result="delivered"\} 1$/m,
    /^pushbox_hook_state\{hook="backend",state="running"\} 1$/m,
  ])
    t.match(metrics, line);
});

t.test("integration 8: event/list pages through what was told, event/replay tells it again", async (t) => {
  const receiver = await startReceiver(t);
  const app = await telling(t, [hook(receiver)]);
  const begun = Date.now();
  for (const uid of ["ann", "bob", "cat"]) await app.ok("uid/bind", { pushId: id(uid), uid });
  await receiver.takenAre(3);
  const all = (await app.ok("event/list", {})) as { events: ToldEvent[]; next?: number };
  t.strictSame(all.events, receiver.taken, "the same as the endpoint got");
  t.equal(all.next, undefined);
  const page = (await app.ok("event/list", { limit: 2 })) as { events: ToldEvent[]; next: number };
  t.strictSame(page.events, all.events.slice(0, 2));
  t.strictSame((await app.ok("event/list", { after: page.next }))["events"], all.events.slice(2));
  t.strictSame((await app.ok("event/list", { after: all.events[0]?.id }))["events"], all.events.slice(1));
  t.strictSame((await app.ok("event/list", { key: `device:${id("bob")}` }))["events"], all.events.slice(1, 2));
  t.strictSame((await app.ok("event/list", { types: "user.*,device.*" }))["events"], []);
  t.strictSame((await app.ok("event/list", { types: "uid.bound", from: begun - 1000 }))["events"], all.events);
  t.strictSame((await app.ok("event/list", { to: begun - 1000 }))["events"], []);
  for (const [fields, message] of [
    [{ types: "users.*" }, /^types has no "users\.\*": it takes device\.online, /],
    [{ after: "x" }, /^after must be the id or the seq of an event/],
    [{ limit: 0 }, /^limit must be/],
    [{ from: begun, to: begun - 1000 }, /^from must be before to/],
  ] as const)
    t.match(await app.post("event/list", fields), { status: 400, body: { message } });
  t.match(await app.post("event/list", { after: "evt_0000_1" }), { status: 404, body: { message: /another log/ } });

  t.match(await app.post("event/replay", { from: begun }), { status: 400, body: { message: /^hook is required/ } });
  t.match(await app.post("event/replay", { hook: "backend" }), { status: 400, body: { message: /^from is required/ } });
  t.match(await app.post("event/replay", { hook: "x", from: begun }), { status: 404 });
  t.match(await app.ok("event/replay", { hook: "backend", after: all.events[0]?.seq }), { replayed: 2 });
  await receiver.takenAre(5);
  t.strictSame(receiver.taken.slice(3), all.events.slice(1), "the same ids");
});

t.test(
  "event/replay sends an endpoint what it is told of, and other events of the log only when they are named",
  async (t) => {
    const [all, users] = [await startReceiver(t), await startReceiver(t)];
    const app = await telling(t, [hook(all), hook(users, { name: "users", events: ["user.*"] })]);
    await app.ok("uid/bind", { pushId: id("a"), uid: "ann" });
    await enter(t, app.clientPort, "a");
    await all.takenAre(3);
    await users.takenAre(1);
    t.match(await app.ok("event/replay", { hook: "users", after: 0 }), { replayed: 1 });
    await users.takenAre(2);
    t.match(await app.ok("event/replay", { hook: "users", after: 0, types: "uid.*" }), { replayed: 1 });
    await users.takenAre(3);
    t.strictSame(shown(users.taken), ["user.online user:ann", "user.online user:ann", `uid.bound device:${id("a")}`]);
  },
);

t.test("integration 8: what was not taken in time is listed as dead, logged, and sent again when asked", async (t) => {
  const clock = takeClock(t);
  const receiver = await startReceiver(t, () => 503);
  const app = await telling(t, [hook(receiver)]);
  await app.ok("uid/bind", { pushId: id("a"), uid: "ann" });
  await receiver.messagesAre(1);
  clock.move(73 * 3_600_000);
  let dead: readonly Record<string, unknown>[] = [];
  while (dead.length === 0) dead = (await app.ok("hook/dead", { name: "backend" }))["events"] as typeof dead;
  t.match(dead, [{ type: "uid.bound", key: `device:${id("a")}`, data: { uid: "ann" }, diedAtIso: /^20/ }]);
  t.match(await app.ok("hook/list", {}), { hooks: [{ waiting: 0, dead: 1 }] });
  receiver.say = () => 200;
  t.match(await app.ok("event/replay", { hook: "backend", dead: true }), { replayed: 1 });
  await app.ok("hook/resume", {});
  await receiver.takenAre(1);
  t.equal(receiver.taken[0]?.id, dead[0]?.["id"]);
  t.match(await app.ok("hook/list", {}), { hooks: [{ dead: 0 }] });
});

t.test(
  "SIGHUP changes endpoints, what they are told and the secret; who was failing elsewhere is tried at once",
  async (t) => {
    const [old, next] = [await startReceiver(t, () => 503), await startReceiver(t)];
    const app = await telling(t, [hook(old, { events: ["uid.*"] })]);
    await app.ok("uid/bind", { pushId: id("a"), uid: "ann" });
    await old.messagesAre(1);
    const { hooks } = app.config;
    await app.app.reload({ ...app.config, hooks: { ...hooks, tell: [hook(next, { events: ["*"] })] } });
    await next.takenAre(1);
    await enter(t, app.clientPort, "b");
    await next.takenAre(2);
    t.strictSame(shown(next.taken), [`uid.bound device:${id("a")}`, `device.online device:${id("b")}`]);
    const wrong = hook(next, { ca_file: "/no/such/file" });
    await t.rejects(app.app.reload({ ...app.config, hooks: { ...hooks, tell: [wrong] } }));
    t.match(await app.ok("hook/test", { name: "backend" }), { delivered: true }, "and nothing changes");
  },
);

// ---- the stream

interface Stream {
  readonly response: IncomingMessage;
  readonly request: ClientRequest;
  /** Events so far, once there are so many. */
  events(count: number): Promise<ToldEvent[]>;
  readonly ended: Promise<unknown>;
}

async function listen(t: Test, app: TestApp, query = "", headers: Record<string, string> = {}): Promise<Stream> {
  const request = get(`${app.apiUrl}/api/events${query}`, { headers });
  t.teardown(() => request.destroy());
  const [response] = (await once(request, "response")) as [IncomingMessage];
  for (const one of [request, response]) one.on("error", () => {}); // a test may cut it
  const came = new EventEmitter();
  const events: ToldEvent[] = [];
  let rest = "";
  response.setEncoding("utf8").on("data", (piece: string) => {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, eventId, data = ""] = /^id: (.*)\ndata: (.*)$/.exec(block) ?? [];
      if (eventId === undefined) continue;
      const event = JSON.parse(data) as ToldEvent;
      if (event.id !== eventId) t.fail(`id: ${eventId} of ${data}`);
      events.push(event);
    }
    came.emit("data");
  });
  return {
    response,
    request,
    ended: new Promise((resolve) => response.on("close", resolve)),
    async events(count) {
      while (events.length < count) await once(came, "data");
      return events;
    },
  };
}

const bind = (app: TestApp, uid: string) => app.ok("uid/bind", { pushId: id(uid), uid });

t.test(
  "integration 9: events are read as a stream, from now on, and after a break from where it was, over a restart too",
  async (t) => {
    const data = t.testdir();
    const app = await startTestApp(t, { data });
    await bind(app, "nobody-listens");
    const first = await listen(t, app, "?types=uid.*");
    t.match(first.response, { statusCode: 200, headers: { "content-type": "text/event-stream; charset=utf-8" } });
    await bind(app, "ann");
    await bind(app, "bob");
    const [ann, bob] = await first.events(2);
    t.strictSame(shown([ann!, bob!]), [`uid.bound device:${id("ann")}`, `uid.bound device:${id("bob")}`]);
    first.request.destroy();
    await bind(app, "cat");
    const second = await listen(t, app, "?types=uid.*", { "Last-Event-ID": ann!.id });
    const resumed = await second.events(2);
    t.strictSame(
      resumed.map(({ data: { uid } }) => uid),
      ["bob", "cat"],
    );
    t.strictSame(resumed[0], bob);
    await app.stop();
    await second.ended;
    t.ok(second.response.complete, "ended in good order");

    const next = await startTestApp(t, { data });
    await bind(next, "dan");
    const third = await listen(t, next, "?types=uid.*", { "Last-Event-ID": resumed[1]!.id });
    t.strictSame(
      (await third.events(1)).map(({ data: { uid } }) => uid),
      ["dan"],
      "written though nobody read",
    );
    const all = await listen(t, next, "?after=0");
    t.strictSame(
      (await all.events(4)).map(({ data: { uid } }) => uid),
      ["ann", "bob", "cat", "dan"],
    );
    const foreign = await listen(t, next, "", { "Last-Event-ID": "evt_0123_7" });
    t.equal((await foreign.events(4)).length, 4, "a position of another log brings all there is");
    const some = await listen(t, next, `?types=uid.bound&after=${bob!.seq}`);
    t.equal((await some.events(2))[0]?.data["uid"], "cat");
  },
);

t.test("a stream has only the types it asked for, and a mistake is told before it begins", async (t) => {
  const app = await startTestApp(t);
  const stream = await listen(t, app, "?types=device.online,user.*");
  await enter(t, app.clientPort, "a");
  await bind(app, "ann");
  await enter(t, app.clientPort, "ann");
  t.strictSame(shown(await stream.events(3)), [
    `device.online device:${id("a")}`,
    `device.online device:${id("ann")}`,
    "user.online user:ann",
  ]);
  for (const [query, message] of [
    ["?types=users.*", /^types has no "users\.\*"/],
    ["?after=x", /^after must be/],
  ] as const)
    t.match(await (await fetch(`${app.apiUrl}/api/events${query}`)).json(), { code: "error", message });
});

t.test(
  "a stream asks for a key where there are keys, for the right name where there are none, and lets no page of another site in",
  async (t) => {
    const key = "q8Zr0123456789abcdefGH";
    const app = await startTestApp(t, { api: { keys: [{ name: "backend", key }] } });
    t.equal((await fetch(`${app.apiUrl}/api/events`)).status, 401);
    const stream = await listen(t, app, "", { Authorization: `Bearer ${key}` });
    await bind(app, "ann").catch(() => {});
    await fetch(`${app.apiUrl}/api/uid/bind?pushId=${id("ann")}&uid=ann`, { headers: { "x-api-key": key } });
    await stream.events(1);
    await app.app.reload(app.config);
    await stream.ended;
    t.ok(stream.response.complete, "other keys may hold now: it comes back and is asked again");

    const open = await startTestApp(t);
    t.equal((await listen(t, open, "", { Host: "evil.example.com" })).response.statusCode, 403);
    t.equal((await listen(t, open, "", { Origin: "https://evil.example.com" })).response.statusCode, 403);
    t.equal((await fetch(`${open.apiUrl}/api/events`, { method: "HEAD" })).status, 200, "HEAD ends at once");
  },
);

t.test("a reader that does not read holds up nobody, takes no memory for what waits, and misses nothing", async (t) => {
  const app = await startTestApp(t, { client: { maxBytesPerSecond: 1_000_000_000 } });
  const slow = await listen(t, app, "?types=client.packet");
  const fast = await listen(t, app, "?types=client.packet");
  slow.response.pause();
  const client = new SocketClient(2, app.clientUrl, TRANSPORTS.websocket);
  t.teardown(() => client.close());
  await client.hello({ id: id("a") });
  const data = "x".repeat(60_000);
  for (let i = 0; i < 300; i++) client.socket.emit("packetProxy", { path: `/${i}`, sequenceId: `${i}`, data });
  t.equal((await fast.events(300)).length, 300);
  slow.response.resume();
  const paths = (await slow.events(300)).map(({ data: { path } }) => path);
  t.strictSame(
    paths,
    Array.from({ length: 300 }, (_, i) => `/${i}`),
  );
});

t.test("what nobody asks for any more is not written", async (t) => {
  const app = await startTestApp(t);
  await bind(app, "ann");
  t.strictSame(await app.ok("event/list", {}), { code: "success", events: [] });
  t.strictSame(await app.ok("hook/list", {}), { code: "success", hooks: [] });
});

t.test("the receiver of the README prints that the host has left", async (t) => {
  const text = readFileSync(join(import.meta.dirname, "../../src/hooks/README.md"), "utf8");
  const readme = text.replaceAll("8080", `${await freePort()}`);
  const block = (language: string): string =>
    new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "ms").exec(readme)?.[1] ?? "";
  t.ok(block("js").trim().split("\n").length <= 18, "about 15 lines");
  const directory = t.testdir({});
  writeFileSync(join(directory, "receiver.mjs"), block("js"));
  const { hooks } = parse(block("toml")) as unknown as { hooks: { topics: string[]; tell: HookEntry[] } };
  const child = spawn(process.execPath, [join(directory, "receiver.mjs")], {
    env: { SECRET: String(hooks.tell[0]?.secret) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => kill(child));
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const app = await startTestApp(t, { data: join(directory, "data"), client: { disconnectDelay: DELAY }, hooks });
  while ((await app.ok("hook/test", { name: "backend" }))["delivered"] !== true) {}
  const forged = {
    method: "POST",
    body: "{}",
    headers: { "webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA" },
  };
  t.equal((await fetch(String(hooks.tell[0]?.url), forged)).status, 401);
  const host = await RawClient.open(app.clientPort);
  await host.hello({ id: "a-name-of-10-or-more", topics: ["room:7"] });
  await host.close();
  while (!out.includes("\n")) await once(child.stdout, "data");
  t.equal(out, "a-name-of-10-or-more left topic:room:7\n");
});

t.test(
  "integration 3: what a killed server had under way or waiting is told by the next one, in order, nothing lost",
  async (t) => {
    const directory = t.testdir({});
    const receiver = await startReceiver(t, () => "hang");
    const args = ["--hooks-tell", JSON.stringify(hook(receiver))];
    const first = await serve(t, directory, args);
    for (let i = 0; i < 30; i++) {
      const { status } = await first.call("uid/bind", { pushId: id(`device${i % 3}`), uid: `u${i}` });
      t.equal(status, 200);
      if (i === 10) await receiver.messagesAre(1);
    }
    first.child.kill("SIGKILL");
    await first.ended;
    const underWay = receiver.messages.flatMap(({ events }) => events);
    receiver.say = () => 200;
    const second = await serve(t, directory, args);
    for (const device of ["device0", "device1", "device2"])
      await toldOf(
        receiver,
        ({ key, data }) => key === `device:${id(device)}` && data["uid"] === `u${27 + Number(device.at(-1))}`,
      );
    const seqs = new Map<string, number[]>();
    for (const { key, seq } of receiver.taken) seqs.set(key, [...(seqs.get(key) ?? []), seq]);
    for (const [key, list] of seqs)
      t.strictSame(
        list,
        list.toSorted((a, b) => a - b),
        key,
      );
    for (const event of underWay) {
      const again = receiver.taken.find(({ id: same }) => same === event.id);
      if (again === undefined)
        t.ok(
          receiver.taken.some(({ key, seq }) => key === event.key && seq > event.seq),
          "or a newer state",
        );
      else t.strictSame(again, event);
    }
    t.equal((await second.stop()).code, 0);
  },
);
