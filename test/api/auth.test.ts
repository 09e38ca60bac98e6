import { test } from "tap";
import { error, pushed, start } from "./harness.ts";

const keys = [
  { name: "backend", key: "secret-one" },
  { name: "ops", key: "secret-two" },
];
const refused = [401, error("apiAuth check fail")];
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
      t.strictSame([answer.status, answer.json], refused, `${path} ${JSON.stringify(headers)}`);
    }
  }
  const post = await api.form("/api/push", "topic=a&json=1");
  t.strictSame([post.status, post.json], refused, "with a body");
  t.strictSame(api.take(), []);
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
  api.api.setAccess([{ name: "new", key: "secret-three" }], { keys: ["new"], addresses: [] });
  t.equal((await api.get("/api/heap", { "x-api-key": "secret-one" })).status, 401);
  t.equal((await api.get("/api/heap", { "x-api-key": "secret-three" })).status, 200);
  t.throws(() => api.api.setAccess([], { keys: [], addresses: [] }), /no API keys/);
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
      else t.strictSame([answer.status, answer.json], refused, name);
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
