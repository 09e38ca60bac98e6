import { test } from "tap";
import { error, type Harness, multipart, pushed, start } from "./harness.ts";

const json = { "content-type": "application/json" };
const form = { "content-type": "application/x-www-form-urlencoded" };

/** The marks of the calls since the last look. */
const marks = (api: Harness): { key: string; digest: string }[] =>
  api.take().map(({ action, args }) => {
    const mark = action === "push" ? args[2] : (args[1] as { once?: unknown }).once;
    return mark as { key: string; digest: string };
  });

test("a push without a key carries no mark, with one its key and 64 digits", async (t) => {
  const api = await start(t);
  await api.form("/api/push", "topic=a&json=1");
  await api.form("/api/push", "topic=a&json=1&idempotencyKey=");
  t.strictSame(marks(api), [undefined, undefined]);
  t.strictSame((await api.form("/api/push", "topic=a&json=1&idempotencyKey=order-1")).json, pushed);
  await api.send("POST", "/api/push", "topic=a&json=1", { ...form, "idempotency-key": "order-1" });
  await api.send("POST", "/api/push?idempotencyKey=order-1", "topic=a&json=1", {
    ...form,
    "idempotency-key": "order-1",
  });
  const [parameter, header, both] = marks(api);
  t.match(parameter, { key: "order-1", digest: /^[0-9a-f]{64}$/ });
  t.strictSame(header, parameter, "by header");
  t.strictSame(both, parameter, "by both, when they agree");
});

test("a key that is not one is refused, and nothing is done", async (t) => {
  const api = await start(t);
  const shape = "idempotencyKey must be 1 to 255 printable ASCII characters";
  const differ = "idempotencyKey and the header Idempotency-Key differ: give one of them";
  for (const [key, message, header] of [
    ["x".repeat(256), shape],
    ["größe", shape],
    ["a\nb", shape],
    ["a", differ, "b"],
    [["a", "b"], "idempotencyKey must be a single string"],
  ] as const) {
    const body = JSON.stringify({ topic: "a", json: 1, idempotencyKey: key });
    const headers: Record<string, string> = header === undefined ? json : { ...json, "idempotency-key": header };
    const answer = await api.send("POST", "/api/push", body, headers);
    t.strictSame([answer.status, answer.json], [400, error(message)], String(key).slice(0, 20));
  }
  const long = await api.send("POST", "/api/push", "topic=a&json=1", { ...form, "idempotency-key": "x".repeat(256) });
  t.strictSame([long.status, long.json], [400, error(shape)]);
  t.strictSame(api.take(), []);
  for (const key of ["x".repeat(255), "~", "a b !"])
    t.equal((await api.post("/api/push", { topic: "a", json: 1, idempotencyKey: key })).status, 200, key.slice(0, 9));
});

test("one push has one digest, whichever way it comes", async (t) => {
  const api = await start(t);
  const payload = '{"a": [1, "é\\u00e9"], "n": 12345678901234567890}';
  const encoded = encodeURIComponent(payload);
  const key = "idempotencyKey=k";
  await api.get(`/api/push?${key}&uid=1&uid=2&timeToLive=1000&json=${encoded}`);
  await api.get(`/API/Push/?json=${encoded}&timeToLive=1000&uid[]=1&uid[]=2&${key}`);
  await api.form("/api/push", `${key}&uid=${encodeURIComponent('["1",2]')}&timeToLive=1000&json=${encoded}`);
  await api.send("POST", `/api/push?${key}`, `uid[0]=1&uid[7]=2&timeToLive=1000&json=${encoded}`, form);
  await api.send(
    "POST",
    "/api/push",
    `{"idempotencyKey":"k","uid":[1,"2",1],"json":${payload},"timeToLive":1000,"data":null}`,
    json,
  );
  await api.post("/api/push", { idempotencyKey: "k", uid: ["1", "2"], timeToLive: "1000", json: payload, topic: "" });
  const parts = multipart([
    ["idempotencyKey", "k"],
    ["uid", "1"],
    ["uid", "2"],
    ["timeToLive", "1000"],
    ["json", payload],
  ]);
  await api.send("POST", "/api/push", parts.body, { "content-type": parts.type });
  const digests = marks(api).map(({ digest }) => digest);
  t.equal(digests.length, 7);
  for (const digest of digests) t.equal(digest, digests[0]);
});

test("whatever else is asked for has another digest", async (t) => {
  const api = await start(t);
  const base = { topic: "a", json: { n: 1 }, idempotencyKey: "k" };
  for (const body of [
    base,
    { ...base, topic: "b" },
    { ...base, json: { n: 2 } },
    { ...base, json: { n: "1" } },
    { ...base, timeToLive: 1 },
    { ...base, surplus: "x" },
    { ...base, topic: undefined, pushId: "a" },
    { ...base, topic: undefined, uid: "a" },
    { ...base, topic: undefined, uid: ["a", "b"] },
    { ...base, topic: undefined, uid: ["a,b"] },
  ])
    t.equal((await api.post("/api/push", body)).status, 200);
  await api.send("POST", "/api/push", '{"topic":"a","json":{"n":9007199254740992},"idempotencyKey":"k"}', json);
  await api.send("POST", "/api/push", '{"topic":"a","json":{"n":9007199254740993},"idempotencyKey":"k"}', json);
  await api.post("/api/notification", { pushAll: true, notification: {}, idempotencyKey: "k" });
  const digests = marks(api).map(({ digest }) => digest);
  t.equal(digests.length, 13);
  t.equal(new Set(digests).size, digests.length);
});

test("one notification has one digest, as text, as an object and as nested form keys", async (t) => {
  const api = await start(t);
  const content = { payload: { b: "2", a: "1" }, android: { title: "t", message: "m" } };
  const moment = "2030-01-01T08:00:00+08:00";
  const rest = { idempotencyKey: "k", pushAll: true, timeToLive: 5, sendAt: moment };
  const fields = `idempotencyKey=k&pushAll=true&timeToLive=5&sendAt=${moment}`;
  await api.post("/api/notification", { ...rest, notification: content });
  await api.post("/api/notification", { ...rest, notification: JSON.stringify(content, null, 2) });
  await api.get(
    `/api/notification?${fields}&notification=${encodeURIComponent('{"android":{"message":"m","title":"t"},"payload":{"a":"1","b":"2"}}')}`,
  );
  await api.send(
    "POST",
    "/api/notification",
    `${fields}&notification[android][title]=t&notification[android][message]=m&notification[payload][a]=1&notification[payload][b]=2`,
    form,
  );
  const digests = marks(api).map(({ digest }) => digest);
  t.equal(digests.length, 4);
  for (const digest of digests) t.equal(digest, digests[0]);
});

test("a key used for something else is answered with 409", async (t) => {
  const { conflict } = await import("../../src/core/once.ts");
  const api = await start(t, {}, { push: () => Promise.reject(conflict()) });
  const answer = await api.form("/api/push", "topic=a&json=1&idempotencyKey=k");
  t.strictSame([answer.status, (answer.json as { code: string }).code], [409, "error"]);
});

test("a body nested too deep to be compared is refused, with a key and without harm", async (t) => {
  const api = await start(t);
  const deep = `${"[".repeat(900)}${"]".repeat(900)}`;
  const surplus = await api.send("POST", "/api/push", `{"topic":"a","json":1,"x":${deep},"idempotencyKey":"k"}`, json);
  t.strictSame([surplus.status, surplus.json], [400, error("a parameter is nested deeper than 64 levels")]);
  const payload = await api.send("POST", "/api/push", `{"topic":"a","json":${deep},"idempotencyKey":"k"}`, json);
  t.equal(payload.status, 200, "a payload is text");
  t.strictSame(api.reported, []);
});
