import { test } from "tap";
import { createRefusals } from "../../src/api/refusals.ts";
import { type Answer, pushed, start } from "./harness.ts";

const keys = [
  { name: "backend", key: "secret-one" },
  { name: "ops", key: "secret-two" },
];
const refused = [401, { code: "error", message: "apiAuth check fail" }];
/** As old callers read it: they know no hint. */
const told = ({ status, json }: Answer) => {
  const { hint, ...known } = json as { hint?: string };
  return [typeof hint === "string" ? status : 0, known];
};
const note = `notification=${encodeURIComponent('{"android":{"title":"t"}}')}`;

test("API 11: without a valid key every path is refused, unknown ones too, and nothing is executed", async (t) => {
  const api = await start(t, { keys });
  for (const headers of [
    {},
    { authorization: "Bearer wrong" },
    { authorization: "Bearer " },
    { authorization: "Basic secret-one" },
    { authorization: "secret-one" },
    { "x-api-key": "secret-on" },
    { "x-api-key": "backend" },
    { "x-api-key": "" },
  ] as Record<string, string>[]) {
    for (const path of ["/api/push?topic=a&json=1", "/api/nope", "/", "/api/config"]) {
      const answer = await api.get(path, headers);
      t.same(told(answer), refused, `${path} ${JSON.stringify(headers)}`);
    }
  }
  const post = await api.form("/api/push", "topic=a&json=1");
  t.same(told(post), refused, "with a body");
  t.strictSame(api.take(), []);
});

test("A4: a caller without a valid key is told which header to send, and the log says who it was once a minute", async (t) => {
  let now = 50_000;
  const api = await start(t, { keys, elapsed: () => now }, {}, { trustedProxies: ["127.0.0.1"] });
  const from = (address: string, headers: Record<string, string> = {}) =>
    api.get("/api/push?topic=a&json=1", { ...headers, "x-forwarded-for": address });
  for (const [headers, hint] of [
    [{}, /no key was sent: .*Authorization: Bearer KEY.*X-Api-Key: KEY/],
    [{ authorization: "secret-one" }, /Authorization has to be: Bearer KEY/],
    [{ authorization: "Bearer secret-on" }, /none of api\.keys/],
    [{ "x-api-key": "secret-on" }, /none of api\.keys/],
  ] as [Record<string, string>, RegExp][]) {
    const answer = await from("9.9.9.9", headers);
    t.match(answer.json, { code: "error", message: "apiAuth check fail", hint });
    t.equal(answer.headers["www-authenticate"], 'Bearer realm="pushbox"');
    t.notMatch(answer.text + api.warned.join(), /secret/);
  }
  t.match(api.warned, [/^refused 9\.9\.9\.9: GET \/api\/push: no key was sent/]);
  t.equal(api.warned.length, 1);
  await from("2001:db8::1");
  await from("2001:db8::2");
  t.equal(api.warned.length, 2, "a line for each address, a household has one");
  now = 109_999;
  await from("9.9.9.9", { "x-api-key": "wrong" });
  t.equal(api.warned.length, 2, "a minute since it was told, not one of the clock");
  now = 110_000;
  await from("9.9.9.9", { "x-api-key": "wrong" });
  t.match(api.warned[2], /^refused 9\.9\.9\.9: .* none of api\.keys/);
  await from("8.8.8.8", { "x-api-key": "secret-one" });
  t.equal(api.warned.length, 3, "nothing is said of those who are let in");
});

test("A4: however many addresses knock, the log stays readable", async (t) => {
  const lines: string[] = [];
  let now = 0;
  const refusal = createRefusals(
    (text) => void lines.push(text),
    () => now,
  );
  for (let i = 0; i < 5000; i++) refusal(`9.9.${i >> 8}.${i & 255}`, "no key", "r");
  t.equal(lines.length, 1000);
  now = 59_999;
  refusal("9.9.30.9", "no key", "r");
  t.equal(lines.length, 1000);
  now = 60_000;
  refusal("9.9.9.9", "no key", "r");
  t.equal(lines.length, 1001);
});

test("A4: who may not notify everybody is told what gives the right", async (t) => {
  const api = await start(t, { keys, broadcast: { keys: ["ops"], addresses: [] } });
  const answer = await api.get(`/api/notification?${note}&pushAll=true`, { "x-api-key": "secret-one" });
  t.match(answer.json, { message: "apiAuth check fail", hint: /api\.broadcast_keys.*api\.broadcast_addresses/ });
  t.match(api.warned, [/^refused 127\.0\.0\.1: .*api\.broadcast_keys/]);
});

test("API 11: any of several keys is accepted, in either header", async (t) => {
  const api = await start(t, { keys });
  for (const headers of [
    { authorization: "Bearer secret-one" },
    { authorization: "bearer secret-two" },
    { "x-api-key": "secret-one" },
    { "x-api-key": "secret-two" },
  ] as Record<string, string>[]) {
    t.strictSame((await api.get("/api/push?topic=a&json=1", headers)).json, pushed);
    t.equal((await api.get("/api/nope", headers)).status, 404);
  }
  t.equal(api.take().length, 4);
});

test("without keys everybody may call; health needs none in any case", async (t) => {
  const open = await start(t);
  t.equal((await open.get("/api/heap")).status, 200);
  const closed = await start(t, { keys });
  const health = await closed.get("/healthz");
  t.strictSame([health.status, health.text], [200, "ok"]);
});

test("keys are replaced while the server runs, but never by none", async (t) => {
  const api = await start(t, { keys });
  const access = { broadcast: { keys: ["new"], addresses: [] }, hosts: [], origins: [] };
  api.api.setAccess({ ...access, keys: [{ name: "new", key: "secret-three" }] });
  t.equal((await api.get("/api/heap", { "x-api-key": "secret-one" })).status, 401);
  t.equal((await api.get("/api/heap", { "x-api-key": "secret-three" })).status, 200);
  t.throws(() => api.api.setAccess({ ...access, keys: [] }), /no API keys/);
  t.equal((await api.get("/api/heap")).status, 401);
  t.equal((await api.get("/api/heap", { "x-api-key": "secret-three" })).status, 200);
});

test("API 11: only listed keys and addresses notify everybody or a tag", async (t) => {
  const cases: [string, { keys: string[]; addresses: string[] }, Record<string, string>, boolean][] = [
    ["no rule", { keys: [], addresses: [] }, { "x-api-key": "secret-one" }, true],
    ["a listed key", { keys: ["ops"], addresses: [] }, { "x-api-key": "secret-two" }, true],
    ["another key", { keys: ["ops"], addresses: [] }, { "x-api-key": "secret-one" }, false],
    ["a listed address", { keys: [], addresses: ["127.0.0.1"] }, { "x-api-key": "secret-one" }, true],
    ["a listed network", { keys: ["ops"], addresses: ["127.0.0.0/8"] }, { "x-api-key": "secret-one" }, true],
    ["another address", { keys: [], addresses: ["10.0.0.0/8", "::1"] }, { "x-api-key": "secret-one" }, false],
    [
      "an address claimed in a header",
      { keys: [], addresses: ["10.0.0.0/8"] },
      { "x-api-key": "secret-one", "x-forwarded-for": "10.0.0.1", "x-real-ip": "10.0.0.1" },
      false,
    ],
  ];
  for (const [name, broadcast, headers, allowed] of cases) {
    const api = await start(t, { keys, broadcast });
    for (const target of ["pushAll=true", "tag=vip"]) {
      const answer = await api.get(`/api/notification?${note}&${target}`, headers);
      if (allowed) t.equal(answer.status, 200, name);
      else t.same(told(answer), refused, name);
    }
    t.equal((await api.get(`/api/notification?${note}&uid=1`, headers)).status, 200, `${name}: to a user`);
    t.equal((await api.get("/api/push?topic=a&json=1", headers)).status, 200, `${name}: to a topic`);
    t.equal(api.take().length, allowed ? 4 : 2, name);
  }
});

test("A5: behind a trusted proxy the caller is whom the proxy names", async (t) => {
  const caller = async (trustedProxies: string[], headers: Record<string, string | string[]>) => {
    const api = await start(t, {}, {}, { trustedProxies });
    await api.get(`/api/notification?${note}&uid=1`, headers);
    return (api.take()[0]!.args[1] as { callerAddress: string }).callerAddress;
  };
  const local = ["127.0.0.0/8"];
  for (const [trusted, headers, expected] of [
    [[], { "x-forwarded-for": "9.9.9.9", "x-real-ip": "9.9.9.9" }, "127.0.0.1"],
    [["10.0.0.0/8"], { "x-forwarded-for": "9.9.9.9" }, "127.0.0.1"],
    [local, {}, "127.0.0.1"],
    [local, { "x-real-ip": "9.9.9.9" }, "9.9.9.9"],
    [local, { "x-forwarded-for": "9.9.9.9" }, "9.9.9.9"],
    [local, { "x-forwarded-for": "1.1.1.1, 9.9.9.9, 127.0.0.2" }, "9.9.9.9"],
    [local, { "x-forwarded-for": "127.0.0.3" }, "127.0.0.3"],
    [local, { "x-forwarded-for": "2001:DB8:0:0::1" }, "2001:db8::1"],
    [local, { "x-forwarded-for": ["127.0.0.1", "9.9.9.9"] }, "9.9.9.9"],
    [local, { "x-forwarded-for": "9.9.9.9:4711" }, "9.9.9.9"],
    [local, { "x-forwarded-for": "nonsense" }, "unknown"],
    [local, { "x-real-ip": "<script>" }, "unknown"],
  ] as [string[], Record<string, string | string[]>, string][]) {
    t.equal(await caller(trusted, headers), expected, JSON.stringify([trusted, headers]));
  }
});

test("A5: a forged or unreadable line lets nobody notify everybody", async (t) => {
  const rule = { broadcast: { keys: [], addresses: ["127.0.0.1", "0.0.0.0/0", "::/0"] } };
  const api = await start(t, rule, {}, { trustedProxies: ["127.0.0.1"] });
  const call = (headers: Record<string, string | string[]>) =>
    api.get(`/api/notification?${note}&pushAll=true`, headers);
  t.equal((await call({ "x-forwarded-for": "nonsense" })).status, 401);
  t.equal((await call({ "x-forwarded-for": ["127.0.0.1", "nonsense"] })).status, 401);
  t.equal((await call({ "x-forwarded-for": "127.0.0.1" })).status, 200);
  const narrow = await start(
    t,
    { broadcast: { keys: [], addresses: ["127.0.0.1"] } },
    {},
    { trustedProxies: ["127.0.0.1"] },
  );
  const forged = { "x-forwarded-for": ["127.0.0.1", "9.9.9.9"] };
  t.equal((await narrow.get(`/api/notification?${note}&tag=vip`, forged)).status, 401);
});

test("an address rule that cannot be read is refused at the start", async (t) => {
  for (const entry of ["localhost", "10.0.0.0/33", "10.0.0.0/x", "::1/129", ""]) {
    await t.rejects(start(t, { broadcast: { keys: [], addresses: [entry] } }), new RegExp(entry.replace("/", ".")));
  }
});
