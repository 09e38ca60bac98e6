// The client at a server that wants tokens, and with a clock that is moved: renewal, sleep, backoff.
import t from "tap";
import { createClient } from "../../src/client/client.ts";
import { type Environment, environment } from "../../src/client/environment.ts";
import { startTestApp } from "../support/app.ts";
import { auth, hs256, seconds } from "../support/tokens.ts";
import { faster, memory, open, watch } from "./support.ts";

// So patient that a clock which is moved is not taken for its silence.
const patience = { pingInterval: 600_000, pingTimeout: 300_000 };
const server = await startTestApp(t, { client: { ...patience, auth: auth({ required: true }) } });

t.test("a token lets it in as its user", async (t) => {
  const one = open(t, server.clientUrl, { token: await hs256({ sub: "ann" }) });
  t.match(await one.next("connect", 0), { uid: "ann" });
  t.equal(one.client.uid, "ann");
});

t.test("a text that is refused stops it, until it is told to connect", async (t) => {
  const one = open(t, server.clientUrl, { token: await hs256({ sub: "ann", exp: seconds(-100) }) });
  t.match(await one.next("error", 0), { code: "token_expired", message: String });
  t.equal(one.client.state, "refused");
  t.same(one.states, ["connecting", "refused"]);
});

t.test("a function is asked for another token when one is refused, and not again while it is good", async (t) => {
  let asked = 0;
  const token = async () => hs256({ sub: "ann", iat: seconds(0), ...(asked++ === 0 ? { exp: seconds(-100) } : {}) });
  const one = open(t, server.clientUrl, { token });
  t.match(await one.next("error", 0), { code: "token_expired" });
  await one.next("connect", 0);
  t.equal(asked, 2);
  one.client.close();
  one.client.connect();
  await one.next("connect");
  t.equal(asked, 2);
});

t.test("a function that fails is tried again later, and told", async (t) => {
  let asked = 0;
  const one = open(t, server.clientUrl, {
    token: async () => {
      if (asked++ === 0) throw new Error("the login service is away");
      return hs256({ sub: "ann" });
    },
  });
  t.match(await one.next("error", 0), { code: "token", message: /login service is away/ });
  await one.next("connect", 0);
});

/** A clock that only the test moves. */
function manual() {
  let time = 1_800_000_000_000;
  const asked: number[] = [];
  const timers = new Set<{ readonly at: number; readonly act: () => void }>();
  const cancels = new Map<number, PromiseWithResolvers<void>>();
  const its: Environment = {
    ...environment,
    now: () => time,
    random: () => 0.5,
    after(milliseconds, act) {
      asked.push(milliseconds);
      const timer = { at: time + milliseconds, act };
      timers.add(timer);
      return () => {
        timers.delete(timer);
        cancels.get(milliseconds)?.resolve();
      };
    },
  };
  return {
    its,
    /** Resolves when something that was to happen after so long is called off. */
    calledOff(milliseconds: number): Promise<void> {
      const cancel = Promise.withResolvers<void>();
      cancels.set(milliseconds, cancel);
      return cancel.promise;
    },
    /** Every delay that was asked for. */
    asked,
    /** What is due in between happens, at its time. */
    pass(milliseconds: number): void {
      const end = time + milliseconds;
      for (;;) {
        const [next] = [...timers].sort((a, b) => a.at - b.at);
        if (next === undefined || next.at > end) break;
        timers.delete(next);
        time = Math.max(time, next.at);
        next.act();
      }
      time = end;
    },
    /** Nothing happens meanwhile: the device is asleep. */
    sleep(milliseconds: number): void {
      time += milliseconds;
    },
  };
}

t.test("at about 85 % of its life a token is renewed on the connection", async (t) => {
  const clock = manual();
  const tokens: string[] = [];
  const client = createClient(
    server.clientUrl,
    {
      token: async () => {
        tokens.push(await hs256({ sub: "ann", iat: seconds(0), exp: seconds(600 + tokens.length) }));
        return tokens.at(-1)!;
      },
    },
    clock.its,
  );
  const one = watch(client);
  t.teardown(() => client.close());
  await one.next("connect", 0);
  clock.pass(1000 * 600 * 0.8);
  t.equal(tokens.length, 1);
  clock.pass(1000 * 600 * 0.11);
  while (tokens.length < 2) await new Promise(setImmediate);
  t.same(one.states, ["connecting", "connected"]);
});

t.test("a function that hangs is told, and is no reason to go by polling", async (t) => {
  const clock = manual();
  const good = await hs256({ sub: "ann" });
  let asked = 0;
  const token = () => (++asked > 3 ? good : new Promise<string>(() => {}));
  const client = createClient(server.clientUrl, { token, storage: memory() }, clock.its);
  const one = watch(client);
  t.teardown(() => client.close());
  for (let n = 1; n <= 3; n++) {
    while (asked < n) await new Promise(setImmediate);
    const told = one.next("error");
    clock.pass(20_000);
    t.match(await told, { code: "token", message: /not answered/ });
    t.equal(client.state, "waiting");
    clock.pass(clock.asked.at(-1) ?? 0);
  }
  const { pushId } = await one.next("connect", 0);
  t.match(await server.ok("device/get", { pushId }), { connections: [{ transport: "websocket" }] });
});

t.test("a renewal that hangs is tried again, and an answer that comes late is not lost", async (t) => {
  const clock = manual();
  const answers: ((token: string) => void)[] = [];
  const token = () => new Promise<string>((answer) => void answers.push(answer));
  const asked = async (n: number): Promise<void> => {
    while (answers.length < n) await new Promise(setImmediate);
  };
  const fresh = () => hs256({ sub: "ann", iat: seconds(0), exp: seconds(600) });
  const client = createClient(server.clientUrl, { token, storage: memory() }, clock.its);
  const one = watch(client);
  t.teardown(() => client.close());
  await asked(1);
  clock.pass(20_000);
  await one.next("error", 0);
  answers[0]?.(await fresh());
  await new Promise(setImmediate);
  clock.pass(clock.asked.at(-1) ?? 0);
  await one.next("connect", 0);
  t.equal(answers.length, 1);
  clock.pass(1000 * 600 * 0.9);
  await asked(2);
  const told = one.next("error");
  clock.pass(20_000);
  t.match(await told, { code: "token" });
  await new Promise(setImmediate);
  clock.pass(5000);
  await asked(3);
  t.equal(client.state, "connected");
});

t.test("between tries it waits from 1 s to 30 s, by chance, and not at all when the network is back", async (t) => {
  const clock = manual();
  let look: () => void = () => {};
  const client = createClient(
    "http://127.0.0.1:1",
    {
      transports: ["websocket"],
      watch(watcher) {
        look = watcher.look;
        return () => {};
      },
    },
    clock.its,
  );
  const one = watch(client);
  t.teardown(() => client.close());
  const delays: number[] = [];
  for (let n = 0; n < 8; n++) {
    await one.next("state");
    await one.until(() => client.state === "waiting");
    const wait = clock.asked.at(-1) ?? 0;
    delays.push(wait);
    if (n < 7) clock.pass(wait);
  }
  t.same(delays, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000], "half of 1, 2, 4 ... 30 s: the chance was 0.5");
  look();
  t.equal(client.state, "connecting");
});

t.test("a device that has slept looks at once, and comes back when its connection is gone", async (t) => {
  const clock = manual();
  const token = await hs256({ sub: "ann" });
  const client = createClient(server.clientUrl, { token, storage: memory() }, clock.its);
  const one = watch(client);
  t.teardown(() => client.close());
  await one.next("connect", 0);
  const answered = clock.calledOff(5000);
  clock.sleep(25_000);
  clock.pass(0);
  t.equal(client.state, "connected", "asked the server, which answers");
  await answered;
  clock.pass(5000);
  t.equal(client.state, "connected");
  clock.sleep(20 * 60_000);
  clock.pass(0);
  t.equal(client.state, "connecting", "the server has long given it up");
  t.match(await one.next("connect"), { recovered: true });
});

t.test("a token that is revoked ends it", async (t) => {
  const one = open(t, server.clientUrl, { token: await hs256({ sub: "eve" }) }, faster);
  await one.next("connect", 0);
  await server.ok("auth/revoke", { uid: "eve" });
  t.match(await one.next("error", 0), { code: "token_revoked" });
  t.equal(one.client.state, "refused");
});

t.test(
  "what is refused for want of a token, or for a vendor's, leaves the rest of the connection as it is",
  async (t) => {
    const guarded = await startTestApp(t, { client: { ...patience, auth: auth({ requiredTopics: ["private:"] }) } });
    for (const [who, token] of [
      ["nobody", undefined],
      ["a function that has none yet", async () => ""],
    ] as const) {
      const topics = ["news", "private:1"];
      const one = open(t, guarded.clientUrl, { topics, ...(token === undefined ? {} : { token }) });
      t.match(await one.next("error", 0), { code: "token_missing" }, who);
      one.client.setToken({ type: "fcm", token: "" });
      await one.until(() =>
        one.events.some(([name, event]) => name === "error" && /vendor|strings/.test(String(event))),
      );
      one.client.subscribe("sports");
      await one.client.emit("/nobody", null, { timeout: 100 }).catch(() => {});
      await guarded.ok("push", { topic: "news", json: "1" });
      await guarded.ok("push", { topic: "sports", json: "2" });
      await one.until(() => one.got.length === 2, "both topics");
      t.same(one.states, ["connecting", "connected"], who);
      one.client.close();
    }
  },
);
