// What the business server is asked, with real clients and a real business server that answers, refuses, is silent or talks nonsense.
import t, { type Test } from "tap";
import { startTestApp, type TestApp } from "../support/app.ts";
import { type Answer, asking, type Backend, startBackend } from "../support/backend.ts";
import { client, RawClient } from "../support/clients.ts";
import { argument, device, fresh } from "../support/devices.ts";
import { metricsOf } from "../support/metrics.ts";
import { auth, hs256 } from "../support/tokens.ts";
import { eventually } from "../support/until.ts";

type Ask = Parameters<typeof asking>[1];
async function stage(
  t: Test,
  ask: Ask = {},
  answer?: Backend["answer"],
  rest: Parameters<typeof startTestApp>[1] = {},
) {
  const backend = await startBackend(t, answer);
  const at = await startTestApp(t, { ...rest, hooks: { ask: asking(backend, ask) } });
  return { backend, at };
}

async function raw(t: Test, at: TestApp): Promise<RawClient> {
  const made = await RawClient.open(at.clientPort, "EIO=3&transport=websocket");
  t.teardown(() => made.close());
  return made;
}
const refusal = async (from: RawClient) => argument(await from.next('42["refused"'));
const online = async (at: TestApp, topic: string) => (await at.ok("push", { topic, json: 1 }))["online"];
const questions = (backend: Backend) => backend.asked.map(({ type }) => type);

/** What is no answer that could be used. */
const useless: Record<string, Answer> = {
  "an error": 500,
  "a redirect": 302,
  "success without an answer": 204,
  "no JSON": "yes",
  "a list": "[true]",
  "no allow": {},
  "an allow that is text": { allow: "true" },
};

// ---- connect

for (const [generation, transport] of [
  [2, "websocket"],
  [2, "upgrade"],
  [4, "websocket"],
  [4, "upgrade"],
] as const)
  t.test(
    `integration 10: a client is let in as the business server says, ${generation}.x by ${transport}`,
    async (t) => {
      const only = fresh("device");
      const { backend, at } = await stage(t, { questions: ["connect"], headers: ["x-tenant"] }, () => ({
        allow: true,
        uid: "ann",
        topics: ["room:1"],
        pushId: only,
        data: { greeting: "hello" },
      }));
      const one = client(
        t,
        at,
        generation,
        { query: { ticket: "7" }, auth: { session: "s" }, extraHeaders: { "x-tenant": "acme" } },
        transport,
      );
      t.match(await one.next("authorized"), [{ uid: "ann", data: { greeting: "hello" } }]);
      one.socket.emit("pushId", { id: fresh("device") });
      t.match(await one.next("refused"), [{ code: "not_allowed" }], "it is to be another device");
      t.match(await one.hello({ id: only }), { uid: "ann" });
      t.equal(await online(at, "room:1"), 1);
      t.match(backend.asked, [
        {
          type: "ask.connect",
          data: {
            query: { ticket: "7" },
            address: "127.0.0.1",
            revision: generation === 2 ? 3 : 4,
            transport: transport === "upgrade" ? "polling" : "websocket",
            ...(generation === 4 ? { auth: { session: "s" } } : {}),
            ...(transport === "upgrade" ? { headers: { "x-tenant": "acme" } } : {}),
          },
        },
      ]);
    },
  );

t.test(
  "integration 10: a client that the business server refuses is told its reason, and does not get in",
  async (t) => {
    const { at } = await stage(t, {}, () => ({ allow: false, reason: "you are banned" }));
    const four = client(t, at, 4);
    t.match(await four.next("connect_error"), [{ message: "you are banned", data: { code: "not_allowed" } }]);
    const two = client(t, at, 2);
    two.socket.emit("pushId", { id: fresh("device"), topics: ["news"] });
    t.match(await two.next("refused"), [{ code: "not_allowed", message: "you are banned" }]);
    await two.next("disconnect");
    t.equal(await online(at, "news"), 0);
    t.same(two.rest("pushId"), []);
  },
);

t.test(
  "integration 10: without an answer of use a client comes in, or is closed and tries again, as on_failure says",
  async (t) => {
    const first = await stage(t, { questions: ["connect"] });
    for (const [name, answer] of Object.entries(useless)) {
      first.backend.answer = () => answer;
      t.match(await client(t, first.at, 4).hello({ id: fresh("device") }), { uid: undefined }, name);
      first.backend.answer = () => ({ allow: true });
      await client(t, first.at, 4).next("connect");
    }
    t.match(first.at.log.join("\n"), /warn: hooks\.ask: a question got no answer that could be used/);
    const onFailure = { ...asking({ url: "" }).onFailure, connect: "refuse" as const };
    const { at, backend } = await stage(t, { questions: ["connect"], onFailure }, () => 500);
    for (const generation of [2, 4] as const) {
      const one = client(t, at, generation, { reconnection: true, reconnectionDelay: 10 });
      await backend.times(backend.asked.length + 2);
      t.same([one.rest("connect_error"), one.rest("refused")], [[], []], `${generation}.x tries again`);
      one.close();
    }
    backend.answer = () => ({ allow: true, uid: 7 });
    t.match(await client(t, at, 4, { reconnection: true }).hello({ id: fresh("device") }), { uid: "7" });
  },
);

t.test(
  "integration 10: a token is checked before the business server is asked, which is told whose it is",
  async (t) => {
    const { backend, at } = await stage(t, { questions: ["connect"] }, () => ({ allow: true, data: 1 }), {
      client: { auth: auth({ required: true }) },
    });
    t.match(await client(t, at, 4, { auth: { token: "nonsense" } }).next("connect_error"), [
      { data: { code: "token_invalid" } },
    ]);
    t.same(backend.asked, []);
    const one = client(t, at, 4, { auth: { token: await hs256({ sub: "ann" }) } });
    t.match(await one.next("authorized"), [{ uid: "ann", expires: Number, data: 1 }]);
    t.match(backend.asked, [{ data: { uid: "ann" } }]);
  },
);

// ---- bind_uid

t.test("integration 10: bindUid is what the business server makes of it, whatever the client sent", async (t) => {
  const { backend, at } = await stage(t, { questions: ["bind_uid"] }, ({ data }) =>
    (data["argument"] as { password?: string } | null | undefined)?.password === "right"
      ? { allow: true, uid: "ann" }
      : { allow: false, reason: "wrong password" },
  );
  const { id, client: one } = await device(t, at, { platform: "ios" });
  const uid = async () => (await at.ok("device/get", { pushId: id }))["uid"];
  one.emit("bindUid", { name: "ann", password: "wrong" });
  t.match(await refusal(one), { code: "not_allowed", message: "wrong password" });
  t.equal(await uid(), undefined);
  one.emit("bindUid", { name: "ann", password: "right" });
  t.match(await one.hello({ id }), { uid: "ann" }, "the hello came behind it");
  t.equal(await uid(), "ann");
  t.match(backend.asked.at(-1), {
    type: "ask.bind_uid",
    data: { pushId: id, platform: "ios", argument: { name: "ann", password: "right" } },
  });
  one.emit("bindUid", { name: "ann", password: "right" });
  await one.hello({ id });
  t.equal(backend.asked.length, 2, "a yes to the same is remembered");
  for (const argument of [null, "text", 7, [1], undefined])
    one.emit("bindUid", ...(argument === undefined ? [] : [argument]));
  t.match(
    await refusal(one),
    { code: "not_allowed" },
    "the business server may look into what is no object as it likes",
  );
});

t.test(
  "integration 10: a uid of the client's own is taken when the business server only says yes; the limit of a platform holds",
  async (t) => {
    const { at } = await stage(t, { questions: ["bind_uid"] }, () => ({ allow: true, platformLimit: 1 }));
    const [first, second] = [await device(t, at, { platform: "ios" }), await device(t, at, { platform: "ios" })];
    for (const { client: one, id } of [first, second]) {
      one.emit("bindUid", { uid: "ann" });
      t.match(await one.hello({ id }), { uid: "ann" });
    }
    t.equal((await at.ok("device/get", { pushId: first.id }))["uid"], undefined, "the newest stays");
    second.client.emit("bindUid", { name: "ann" });
    t.match(await refusal(second.client), { code: "uid_invalid" });
  },
);

t.test("integration 10: what an answer writes as null is as if it were not there", async (t) => {
  const none = {
    uid: null,
    pushId: null,
    topics: null,
    platform: null,
    platformLimit: null,
    timeToLive: null,
    reason: null,
  };
  const { at, backend } = await stage(t, { questions: ["connect", "bind_uid"] }, () => ({ ...none, allow: true }));
  const { client: one, id } = await device(t, at, { platform: "ios" });
  one.emit("bindUid", { uid: "ann" });
  t.match(await one.hello({ id }), { uid: "ann" });
  t.match(await metricsOf(at), /pushbox_questions_total\{question="connect",result="allowed"\} 1/);
  backend.answer = () => ({ ...none, allow: false });
  const wanted = { code: "not_allowed", message: "the business server does not allow this" };
  one.emit("bindUid", { uid: "bob" });
  t.match(await refusal(one), wanted, "no token is spoken of where there is none");
  t.match(await client(t, at, 4).next("connect_error"), [{ data: wanted }]);
  backend.answer = () => ({ allow: true, pushId: fresh("device") });
  const other = client(t, at, 4);
  await other.next("connect");
  other.socket.emit("pushId", { id: fresh("device") });
  t.match(await other.next("refused"), [wanted]);
});

t.test("integration 10: without an answer of use nobody is bound", async (t) => {
  const wrong: Record<string, Answer> = {
    ...useless,
    "a uid that is a list": { allow: true, uid: ["ann"] },
    "a limit that is text": { allow: true, uid: "ann", platformLimit: "1" },
  };
  const { at, backend } = await stage(t, { questions: ["bind_uid"], remember: 0 });
  for (const [name, answer] of Object.entries(wrong)) {
    backend.answer = () => ({ allow: false });
    const { id, client: one } = await device(t, at);
    one.emit("bindUid", { uid: "ann" });
    t.notMatch(await refusal(one), { message: /try again later/ });
    backend.answer = () => answer;
    one.emit("bindUid", { uid: "ann" });
    t.match(await refusal(one), { code: "not_allowed", message: /try again later/ }, name);
    t.match(await one.hello({ id }), { uid: undefined });
  }
});

// ---- subscribe

t.test("integration 10: topics of the prefixes are asked about, in the hello too, and others are not", async (t) => {
  const { backend, at } = await stage(t, { questions: ["subscribe"] }, ({ data }) => ({
    allow: data["topic"] !== "room:secret",
    reason: "members only",
  }));
  const id = fresh("device");
  await at.ok("uid/bind", { pushId: id, uid: "ann" });
  for (const generation of [2, 4] as const) {
    const one = client(t, at, generation);
    await one.hello({ id, topics: ["news", "room:1", "room:secret", "room:2"] });
    t.match(await one.next("refused"), [{ code: "not_allowed", message: "members only" }]);
    one.socket.emit("subscribeTopic", { topic: "room:3" });
    one.socket.emit("subscribeTopic", { topic: "room:secret" });
    t.match(await one.next("refused"), [{ code: "not_allowed" }]);
    t.same(
      await Promise.all(["news", "room:1", "room:2", "room:3", "room:secret"].map((topic) => online(at, topic))),
      [1, 1, 1, 1, 0],
    );
    one.close();
    await one.next("disconnect");
  }
  t.match(backend.asked[0], { type: "ask.subscribe", data: { topic: "room:1", pushId: id, uid: "ann" } });
  const times = (topic: string) => backend.asked.filter(({ data }) => data["topic"] === topic).length;
  t.same(["room:1", "room:3", "news"].map(times), [1, 1, 0], "a yes is remembered for the user and topic");
  t.equal(times("room:secret"), 4, "a no is not");
});

t.test("integration 10: without an answer of use nobody subscribes, or anybody, as on_failure says", async (t) => {
  const first = await stage(t, { questions: ["subscribe"] });
  for (const [name, answer] of Object.entries(useless)) {
    first.backend.answer = () => ({ allow: false });
    const { client: one, id } = await device(t, first.at);
    one.emit("subscribeTopic", { topic: "room:1" });
    t.notMatch(await refusal(one), { message: /try again later/ });
    first.backend.answer = () => answer;
    one.emit("subscribeTopic", { topic: "room:1" });
    t.match(await refusal(one), { code: "not_allowed", message: /try again later/ }, name);
    await one.hello({ id });
    t.equal(await online(first.at, "room:1"), 0);
  }
  const onFailure = { ...asking({ url: "" }).onFailure, subscribe: "allow" as const };
  const { at } = await stage(t, { questions: ["subscribe"], onFailure }, () => 500);
  const { client: one, id } = await device(t, at, { topics: ["room:1"] });
  one.emit("subscribeTopic", { topic: "room:2" });
  await one.hello({ id });
  t.same([await online(at, "room:1"), await online(at, "room:2")], [1, 1]);
});

// ---- packet

t.test("integration 10: packetProxy is a request: its answer comes with the same sequenceId, in order", async (t) => {
  const { backend, at } = await stage(t, { questions: ["packet"] }, ({ data }) =>
    data["path"] === "/forbidden"
      ? { allow: false, reason: "not yours" }
      : { allow: true, data: { echo: data["data"] } },
  );
  for (const generation of [2, 4] as const) {
    const one = client(t, at, generation);
    const id = fresh("device");
    one.socket.emit("packetProxy", { path: "/early" });
    t.match(await one.next("refused"), [{ code: "push_id_needed" }]);
    await one.hello({ id });
    one.socket.emit("packetProxy", { path: "/a", sequenceId: "s1", data: { n: 1 } });
    one.socket.emit("packetProxy", { path: "/forbidden", sequenceId: "s2" });
    one.socket.emit("packetProxy", { path: "/b", sequenceId: 3, data: "text" });
    one.socket.emit("packetProxy", { sequenceId: "s4" });
    t.match(await one.next("packetProxy"), [{ path: "/a", sequenceId: "s1", data: { echo: { n: 1 } } }]);
    t.match(await one.next("refused"), [{ code: "not_allowed", message: "not yours", sequenceId: "s2" }]);
    t.match(await one.next("packetProxy"), [{ path: "/b", sequenceId: "3", data: { echo: "text" } }]);
    t.match(await one.next("refused"), [{ code: "event_malformed", sequenceId: "s4" }]);
    t.match(backend.asked[0], { type: "ask.packet", data: { path: "/a", sequenceId: "s1", data: { n: 1 } } });
  }
});

t.test("integration 10: a packet without an answer of use is refused by its sequenceId", async (t) => {
  const { at, backend } = await stage(t, { questions: ["packet"] });
  const { client: one } = await device(t, at);
  for (const [name, answer] of Object.entries(useless)) {
    backend.answer = () => ({ allow: true });
    one.emit("packetProxy", { path: "/a", sequenceId: "s0" });
    t.match(await one.next('42["packetProxy"'), /s0/);
    backend.answer = () => answer;
    one.emit("packetProxy", { path: "/a", sequenceId: "s1" });
    t.match(await refusal(one), { code: "not_allowed", sequenceId: "s1", message: /try again later/ }, name);
  }
});

// ---- a business server in trouble

t.test(
  "integration 10: while the business server hangs, a client waits only for its own answer and others for nothing",
  async (t) => {
    const timeout = 4000;
    const { backend, at } = await stage(t, { questions: ["subscribe", "packet"], timeout }, () => "silence");
    const waits = await raw(t, at);
    const id = fresh("device");
    const begun = performance.now();
    waits.emit("pushId", { id, topics: ["room:1"] });
    waits.emit("subscribeTopic", { topic: "news" });
    await backend.times(1);
    const { client: other, id: otherId } = await device(t, at, { topics: ["news"] });
    const there = await online(at, "news");
    const isOver = performance.now() - begun >= timeout; // on a busy machine
    t.ok(there === 1 || (isOver && there === 2), "the other is in, what the first said waits");
    t.match(await other.next('42["p"'), /1/);
    t.match(await other.hello({ id: otherId }), { id: otherId });
    t.match(await refusal(waits), { code: "not_allowed" }, "its time is over");
    await waits.next('42["pushId"');
    t.same([await online(at, "news"), await online(at, "room:1")], [2, 0]);
  },
);

t.test("integration 10: after five failures nobody is asked for a while, and then one tries for all", async (t) => {
  const { backend, at } = await stage(t, { questions: ["packet"] }, () => 500);
  const { client: one } = await device(t, at);
  const send = async (sequenceId: string) => {
    one.emit("packetProxy", { path: "/a", sequenceId });
    return one.next("42[");
  };
  for (let n = 0; n < 20; n++) t.match(await send(`s${n}`), /"refused".*try again later/);
  t.equal(backend.asked.length, 5);
  t.match(at.log.join("\n"), /warn: hooks\.ask: 5 failures in a row/);
  backend.answer = () => ({ allow: true });
  await eventually(
    () => send("again"),
    (frame) => frame.includes('"packetProxy"'),
  );
  t.match(await send("now"), /"packetProxy"/);
  t.equal(backend.asked.length, 7);
  t.match(at.log.join("\n"), /info: hooks\.ask: the business server answers again/);
  const metrics = await metricsOf(at);
  t.match(metrics, /pushbox_questions_total\{question="packet",result="failed"\} 5/);
  t.match(metrics, /pushbox_questions_total\{question="packet",result="allowed"\} 2/);
});

t.test("integration 10: no more than max_at_once are asked at once, and the others have their turn", async (t) => {
  const { backend, at } = await stage(t, { questions: ["packet"], maxAtOnce: 3 }, async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { allow: true };
  });
  const clients = await Promise.all(Array.from({ length: 20 }, () => device(t, at)));
  for (const { client: one } of clients) one.emit("packetProxy", { path: "/a", sequenceId: "s" });
  for (const { client: one } of clients) t.match(await one.next('42["packetProxy"'), /"s"/);
  t.equal(backend.most, 3);
});

t.test("integration 10: what waits longer than the timeout for its turn goes on without", async (t) => {
  const { at } = await stage(t, { questions: ["packet"], maxAtOnce: 1, timeout: 300 }, () => "silence");
  const clients = await Promise.all(Array.from({ length: 40 }, () => device(t, at)));
  for (const { client: one } of clients) one.emit("packetProxy", { path: "/a", sequenceId: "s" });
  for (const { client: one } of clients) t.match(await refusal(one), { code: "not_allowed", sequenceId: "s" });
});

t.test(
  "integration 10: a client that goes while it is asked about leaves nothing behind, nor does a stop of the server",
  async (t) => {
    const { backend, at } = await stage(t, { timeout: 10_000 }, () => "silence");
    const gone = await RawClient.open(at.clientPort, "EIO=4&transport=websocket");
    gone.send("40", `42["pushId",{"id":"${fresh("device")}","topics":["news"]}]`);
    await backend.times(1);
    await gone.close();
    const stays = await raw(t, at);
    stays.emit("pushId", { id: fresh("device"), topics: ["news"] });
    await backend.times(2);
    t.equal(await online(at, "news"), 0);
    await at.stop();
    await stays.closed;
    t.notMatch(at.log.join("\n"), /error:/);
  },
);

t.test("integration 10: a reload while the business server is asked loses no answer", async (t) => {
  const answered = Promise.withResolvers<{ allow: boolean; data: string }>();
  const { backend, at } = await stage(
    t,
    { questions: ["packet"], maxAtOnce: 1, timeout: 10_000 },
    () => answered.promise,
  );
  const [first, second] = [await device(t, at), await device(t, at)];
  for (const { client: one } of [first, second]) one.emit("packetProxy", { path: "/a", sequenceId: "s" });
  await backend.times(1);
  await at.app.reload({
    ...at.config,
    hooks: { ...at.config.hooks, ask: asking(backend, { questions: ["packet"], timeout: 9000 }) },
  });
  answered.resolve({ allow: true, data: "late" });
  for (const { client: one } of [first, second]) t.match(await one.next('42["packetProxy"'), /late/);
  t.notMatch(at.log.join("\n"), /no answer that could be used/);
});

t.test("integration 10: what is too long to ask about is refused and not asked", async (t) => {
  const { backend, at } = await stage(t);
  const long = "x".repeat(70_000);
  t.match(await client(t, at, 4, { auth: { long } }).next("connect_error"), [{ data: { code: "not_allowed" } }]);
  const { client: one } = await device(t, at);
  one.emit("bindUid", { long });
  t.match(await refusal(one), { code: "event_malformed" });
  one.emit("packetProxy", { path: "/a", data: long });
  t.match(await refusal(one), { code: "event_malformed" });
  t.same(questions(backend), ["ask.connect"]);
});

t.test("integration 10: a wrong secret is a failure, and a reload puts it right", async (t) => {
  const other = `whsec_${Buffer.from("another secret of thirty-2 bytes").toString("base64")}`;
  const { backend, at } = await stage(t, { questions: ["packet"], secret: [other] });
  const { client: one } = await device(t, at);
  one.emit("packetProxy", { path: "/a", sequenceId: "s1" });
  t.match(await refusal(one), { sequenceId: "s1" });
  t.same(backend.asked, []);
  t.match(at.log.join("\n"), /it answered 401, not 200/);
  await at.app.reload({
    ...at.config,
    hooks: {
      ...at.config.hooks,
      ask: asking(backend, { questions: ["packet"], secret: [other, asking(backend).secret[0]!] }),
    },
  });
  one.emit("packetProxy", { path: "/a", sequenceId: "s2" });
  t.match(await one.next('42["packetProxy"'), /s2/, "one of two secrets is enough while they are exchanged");
  t.same(questions(backend), ["ask.packet"]);
});
