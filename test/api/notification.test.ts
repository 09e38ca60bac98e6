import { test } from "tap";
import { error, multipart, start } from "./harness.ts";

const content = {
  android: { title: "t", message: "m" },
  apn: { alert: { title: "t", body: "m" }, badge: 5 },
  payload: { abc: 1 },
};
const normalised = {
  android: { title: "t", message: "m", payload: { abc: 1 } },
  apn: { alert: { title: "t", body: "m" }, badge: 5 },
};
const text = JSON.stringify(content);

test("API 13: a JSON string, an object and nested form keys are the same notification", async (t) => {
  const api = await start(t);
  const one = {
    target: { kind: "pushIds", pushIds: ["a"] },
    timeToLive: 1000,
    type: "news",
    callerAddress: "127.0.0.1",
  };
  const common = "pushId=a&timeToLive=1000&type=news";
  const encoded = encodeURIComponent(text);
  await api.get(`/api/notification?${common}&notification=${encoded}`);
  await api.form("/api/notification", `${common}&notification=${encoded}`);
  await api.post("/api/notification", { pushId: "a", timeToLive: 1000, type: "news", notification: content });
  await api.post("/api/notification", { pushId: "a", timeToLive: 1000, type: "news", notification: text });
  const parts = multipart([
    ["pushId", "a"],
    ["timeToLive", "1000"],
    ["type", "news"],
    ["notification", text],
  ]);
  await api.send("POST", "/api/notification", parts.body, { "content-type": parts.type });
  for (const call of api.take()) t.strictSame(call.args, [normalised, one]);

  await api.form(
    "/api/notification",
    `${common}&notification[android][title]=t&notification[android][message]=m&notification[apn][alert][title]=t` +
      "&notification[apn][alert][body]=m&notification[apn][badge]=5&notification[payload][abc]=1",
  );
  const strings = {
    android: { title: "t", message: "m", payload: { abc: "1" } },
    apn: { alert: { title: "t", body: "m" }, badge: "5" },
  };
  t.strictSame(api.take()[0]?.args, [strings, one], "form values are text");
});

test("API 13: the caller's own id is echoed, otherwise the generated one is told", async (t) => {
  const api = await start(t);
  const answer = await api.post("/api/notification", { uid: "1", notification: { ...content, id: "mine" } });
  t.strictSame([answer.status, answer.json], [200, { code: "success", id: "mine" }]);
  t.match(api.take()[0]?.args, [{ id: "mine" }, { id: "mine" }]);
  const number = await api.post("/api/notification", { uid: "1", notification: { ...content, id: 123 } });
  t.strictSame(number.json, { code: "success", id: "123" });
  t.match(api.take()[0]?.args[1], { id: "123" });
  const generated = await api.post("/api/notification", { uid: "1", notification: { ...content, id: "" } });
  t.strictSame(generated.json, { code: "success", id: "generated123" });
  t.notOk("id" in (api.take()[0]!.args[1] as object));
  const long = await api.post("/api/notification", { uid: "1", notification: { id: "x".repeat(257) } });
  t.strictSame([long.status, long.json], [400, error("notification.id is longer than 256 characters")]);
  const half = await api.post("/api/notification", { uid: "1", notification: { ...content, id: "half\ud83d" } });
  t.match(half, { status: 400, json: { message: /^notification\.id has half a character/ } });
});

test("API 4: the exact errors of notification, in their order", async (t) => {
  const api = await start(t);
  const several = "tag / pushId / pushAll can't be present at the same time";
  const none = "pushId / uid / tag is required";
  const given = `notification=${encodeURIComponent(text)}`;
  for (const [query, message] of [
    ["", "notification is required"],
    ["pushId=a", "notification is required"],
    ["notification=&pushAll=true", "notification is required"],
    [given, none],
    [`${given}&pushAll=false`, none],
    [`${given}&pushAll=1`, none],
    [`${given}&pushId=&tag=`, none],
    [`${given}&pushId=a&uid=b`, several],
    [`${given}&pushId=a&tag=b`, several],
    [`${given}&tag=a&pushAll=true`, several],
    [`${given}&uid=a&pushAll=true`, several],
    ["notification=5&pushAll=true", "notification must be a JSON object"],
    ["notification=null&pushAll=true", "notification must be a JSON object"],
    ["notification=[]&pushAll=true", "notification must be a JSON object"],
    ["notification=5", none],
  ]) {
    const answer = await api.get(`/api/notification?${query}`);
    t.strictSame([answer.status, answer.json], [400, error(message!)], query!);
  }
  const broken = await api.get("/api/notification?notification=%7Bx&pushId=a");
  t.equal(broken.status, 400);
  t.match((broken.json as { message: string }).message, /^notification format error .+ \{x$/);
  t.strictSame(
    (await api.post("/api/notification", { notification: content, pushId: [], uid: "1" })).json,
    error(several),
  );
  t.strictSame(api.take(), []);
});

test("API 17: pushAll as the string true and as JSON true", async (t) => {
  const api = await start(t);
  await api.get(`/api/notification?pushAll=true&notification=${encodeURIComponent(text)}`);
  await api.post("/api/notification", { pushAll: true, notification: content });
  await api.post("/api/notification", { pushAll: "true", notification: content });
  for (const call of api.take()) t.match(call.args[1], { target: { kind: "all" } });
});

test("API 18: a tag filter goes with pushId, uid and tag targets, and everybody stays everybody", async (t) => {
  const api = await start(t);
  const filter = { start: "v_", greaterThan: "1.5" };
  for (const [given, target] of [
    [{ pushId: "a" }, { kind: "pushIds", pushIds: ["a"], filter }],
    [{ uid: "1" }, { kind: "uids", uids: ["1"], filter }],
    [{ tag: "vip" }, { kind: "tag", tag: "vip", filter }],
    [{ pushAll: "true" }, { kind: "all" }],
  ]) {
    await api.post("/api/notification", { ...given, tagStart: "v_", tagGreaterThan: "1.5", notification: content });
    t.strictSame((api.take()[0]!.args[1] as { target: unknown }).target, target);
  }
});

test("sendAt is milliseconds or a time with its zone; anything else is refused in words that show both", async (t) => {
  const api = await start(t);
  const at = Date.UTC(2030, 0, 1);
  for (const sendAt of [
    at,
    `${at}`,
    "2030-01-01T00:00:00Z",
    "2030-01-01T08:00+08:00",
    "2029-12-31T19:00:00.000-05:00",
  ]) {
    t.equal((await api.post("/api/notification", { pushAll: true, notification: content, sendAt })).status, 200);
    t.match(api.take()[0]!.args[1], { sendAt: at }, String(sendAt));
  }
  await api.form("/api/notification", `pushAll=true&notification=${text}&sendAt=2030-01-01T08:00:00+08:00`);
  t.match(api.take()[0]!.args[1], { sendAt: at }, "a plus that a form made a space");
  for (const sendAt of [
    "tomorrow",
    "2030-01-01",
    "2030-01-01T00:00:00",
    "2030-02-30T00:00:00Z",
    "2030-13-01T00:00:00Z",
    "2030-01-01T25:00:00Z",
    "1893456000",
    1893456000,
    at + 0.5,
    -at,
    "9".repeat(16),
    "9".repeat(400),
    true,
    [at],
    {},
  ]) {
    const answer = await api.post("/api/notification", { pushAll: true, notification: content, sendAt });
    t.strictSame(
      [answer.status, answer.json],
      [
        400,
        error(
          "sendAt must be milliseconds since 1970, like 1893456000000, or a time with its zone, like 2030-01-01T08:00:00+08:00",
        ),
      ],
      JSON.stringify(sendAt),
    );
  }
  for (const sendAt of ["", null, undefined]) {
    await api.post("/api/notification", { pushAll: true, notification: content, sendAt });
    t.notOk("sendAt" in (api.take()[0]!.args[1] as object));
  }
});

test("rate and dryRun reach the core; what does not fit is refused", async (t) => {
  const api = await start(t);
  for (const [given, expected] of [
    [
      { rate: 500, dryRun: true, sendAt: "2030-01-01T00:00:00Z" },
      { rate: 500, dryRun: true, sendAt: Date.UTC(2030, 0, 1) },
    ],
    [
      { rate: "1", dryRun: "true", sendAt: "2030-01-01T00:00:00Z" },
      { rate: 1, dryRun: true, sendAt: Date.UTC(2030, 0, 1) },
    ],
    [{ rate: "1000000", dryRun: "false" }, { rate: 1_000_000 }],
    [{ rate: 0, dryRun: false }, {}],
    [{ rate: "0" }, {}],
    [{ rate: "", dryRun: "" }, {}],
  ]) {
    const answer = await api.post("/api/notification", { pushAll: true, notification: content, ...given });
    t.strictSame(answer.json, { code: "success", id: "generated123" });
    const {
      target: _target,
      timeToLive: _ttl,
      callerAddress: _caller,
      ...options
    } = api.take()[0]!.args[1] as Record<string, unknown>;
    t.strictSame(options, expected!, JSON.stringify(given));
  }
  for (const rate of [1_000_001, -1, 1.5, "fast", "1e3", " 5", true, [5]]) {
    const answer = await api.post("/api/notification", { pushAll: true, notification: content, rate });
    t.strictSame(
      [answer.status, answer.json],
      [400, error("rate must be a whole number from 0 to 1000000")],
      JSON.stringify(rate),
    );
  }
  for (const dryRun of [1, "1", "yes", "TRUE", {}]) {
    const answer = await api.post("/api/notification", { pushAll: true, notification: content, dryRun });
    t.strictSame([answer.status, answer.json], [400, error("dryRun must be true or false")], JSON.stringify(dryRun));
  }
  t.strictSame(api.take(), [], "a dry run that was misspelt sends nothing");
});
