import { test } from "tap";
import { error, multipart, start } from "./harness.ts";

const content = { id: "n1", apn: { alert: "m", badge: 0 }, android: { payload: { a: 1 } } };
const normalised = { id: "n1", apn: { alert: "m", badge: 0 }, android: { payload: { a: 1 } } };
const text = JSON.stringify(content);
const [one, two] = ["aa11", "bb22"];

test("API 28: the relay sends what it is given and tells which tokens are dead", async (t) => {
  const asked: unknown[][] = [];
  const api = await start(
    t,
    {},
    {
      relay: async (...args) => {
        asked.push(args);
        return { success: 1, errorTokens: [two], refusedTokens: [], retryTokens: [] };
      },
    },
  );
  const fields = `bundleId=com.x&timeToLive=5000&notification=${encodeURIComponent(text)}`;
  const parts = multipart([
    ["bundleId", "com.x"],
    ["timeToLive", "5000"],
    ["notification", text],
    ["tokens", one],
    ["tokens", two],
  ]);
  const answers = [
    await api.form("/api/apn", `${fields}&tokens=${one}&tokens=${two}`),
    await api.form("/api/apn", `${fields}&tokens[0]=${one}&tokens[1]=${two}`),
    await api.form("/api/apn", `${fields}&tokens[]=${one}&tokens[]=${two}&tokens[]=${one}`),
    await api.get(`/api/apn?${fields}&tokens=${encodeURIComponent(JSON.stringify([one, two]))}`),
    await api.post("/api/apn", { bundleId: "com.x", timeToLive: 5000, notification: content, tokens: [one, two] }),
    await api.post("/api/apn", { bundleId: "com.x", timeToLive: "5000", notification: text, tokens: [one, two] }),
    await api.send("POST", "/api/apn", parts.body, { "content-type": parts.type }),
  ];
  for (const answer of answers) {
    t.equal(answer.status, 200);
    t.equal(
      answer.text,
      `{"id":"n1","bundleId":"com.x","success":1,"total":2,"errorTokens":["${two}"],"code":"success"}`,
    );
  }
  for (const args of asked) t.strictSame(args, ["com.x", "n1", normalised, [one, two], 5000]);
  t.equal(asked.length, answers.length);

  await api.post("/api/apn", { bundleId: "com.x", notification: { apn: { alert: "m" } }, tokens: "f".repeat(4096) });
  t.match(asked.at(-1), ["com.x", /^[A-Za-z0-9]{12}$/, Object, ["f".repeat(4096)], 0], "a token may be long");
});

test("API 28: an unknown bundle id and empty tokens are told with success", async (t) => {
  const api = await start(t);
  const unknown = '{"id":"n1","bundleId":"com.y","success":0,"msg":"bundleId not supported","code":"success"}';
  const answer = await api.post("/api/apn", { bundleId: "com.y", notification: content, tokens: [one] });
  t.strictSame([answer.status, answer.text], [200, unknown]);
  t.equal(api.take().length, 1);
  const nameless = await api.post("/api/apn", { notification: content, tokens: [one] });
  t.strictSame(
    [nameless.status, nameless.json],
    [200, { id: "n1", success: 0, msg: "bundleId not supported", code: "success" }],
  );
  for (const tokens of [[], "[]", "", undefined]) {
    const empty = await api.post("/api/apn", { bundleId: "com.x", notification: content, tokens });
    t.strictSame(
      [empty.status, empty.text],
      [200, '{"id":"n1","bundleId":"com.x","success":0,"msg":"tokens empty","code":"success"}'],
    );
  }
  t.strictSame(api.take(), [], "Apple is not asked");
});

test("API 28: the relay refuses what it cannot read, and whoever has no key", async (t) => {
  const api = await start(t, { keys: [{ name: "k", key: "secret" }] });
  const key = { "x-api-key": "secret", "content-type": "application/json" };
  for (const [body, message] of [
    [{ bundleId: "com.x", tokens: [one] }, "notification is required"],
    [{ bundleId: "com.x", tokens: [one], notification: "5" }, "notification must be a JSON object"],
    [{ bundleId: "com.x", tokens: [one], notification: { apn: 1 } }, "notification.apn must be a JSON object"],
    [{ bundleId: "com.x", tokens: ["f".repeat(4097)], notification: content }, "tokens is longer than 4096 characters"],
    [
      { bundleId: "com.x", tokens: {}, notification: content },
      "tokens must be a string, a number or an array of these",
    ],
  ] as const) {
    const answer = await api.send("POST", "/api/apn", JSON.stringify(body), key);
    t.strictSame([answer.status, answer.json], [400, error(message)], message);
  }
  const broken = await api.get("/api/apn?notification=%7Bx", key);
  t.match(broken, { status: 400, json: { message: /^notification format error/ } });
  const stranger = await api.post("/api/apn", { bundleId: "com.x", tokens: [one], notification: content });
  t.match(stranger, { status: 401, json: { code: "error", message: "apiAuth check fail" } });
  t.strictSame(api.take(), []);
});
