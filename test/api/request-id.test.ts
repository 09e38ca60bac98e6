// What a request is called: the same in the answer, in the body of an error and in the log.
import { connect } from "node:net";
import { test } from "tap";
import { pushed, start } from "./harness.ts";

test("a caller's X-Request-Id comes back, whatever the answer is", async (t) => {
  const api = await start(t, {}, {}, { maxBody: 100 });
  const headers = { "x-request-id": "order-7/a:b@c+d=e.f_1" };
  const form = { ...headers, "content-type": "application/x-www-form-urlencoded" };
  for (const [status, answer] of [
    [200, await api.get("/api/push?topic=a&json=1", headers)],
    [400, await api.get("/api/push?topic=a", headers)],
    [404, await api.get("/api/nope", headers)],
    [413, await api.send("POST", "/api/push", "x".repeat(101), form)],
    [204, await api.send("OPTIONS", "/api/push", undefined, headers)],
    [200, await api.get("/healthz", headers)],
    [200, await api.get("/readyz", headers)],
  ] as const) {
    t.equal(answer.status, status);
    t.equal(answer.headers["x-request-id"], headers["x-request-id"], `${status}`);
  }
});

test("without one, or with one that is not fit for a log, each request gets its own", async (t) => {
  const api = await start(t);
  const given = [undefined, "", "a b", "é", '"', "<script>", "x".repeat(129)];
  const ids: (string | undefined)[] = [];
  for (const one of given) {
    const headers: Record<string, string> = one === undefined ? {} : { "x-request-id": one };
    const answer = await api.get("/api/push?topic=a&json=1", headers);
    t.strictSame(answer.json, pushed);
    ids.push(String(answer.headers["x-request-id"]));
  }
  t.equal(new Set(ids).size, given.length);
  for (const id of ids) t.match(id, /^[\w.-]{8,40}$/);
  const longest = "y".repeat(128);
  t.equal((await api.get("/api/push?topic=a&json=1", { "x-request-id": longest })).headers["x-request-id"], longest);
});

test("an error names the request in its body, also one that is no HTTP that runs anything", async (t) => {
  const api = await start(t);
  const refused = await api.get("/api/push?topic=a", { "x-request-id": "mine" });
  t.match(JSON.parse(refused.text), { code: "error", message: "data is required", requestId: "mine" });
  const raw = await new Promise<string>((resolve) => {
    let text = "";
    const socket = connect(api.port, "127.0.0.1", () =>
      socket.write("POST /api/push HTTP/1.1\r\nHost: a\r\nX-Request-Id: odd-1\r\nContent-Length: x\r\n\r\n"),
    );
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("close", () => resolve(text));
  });
  t.match(raw, /^HTTP\/1\.1 400 /);
  t.match(raw, /X-Request-Id: odd-1\r\n/);
  t.match(raw, /"requestId":"odd-1"/);
});

test("what the log says of a call has the id of the request", async (t) => {
  const told: [string, string][] = [];
  const reported: (string | undefined)[] = [];
  const lines: Record<string, unknown>[] = [];
  const api = await start(
    t,
    {
      keys: [{ name: "k", key: "secret" }],
      warn: (text, requestId) => void told.push([text, requestId]),
      report: (_, requestId) => void reported.push(requestId),
      debug: { on: true, line: (fields, message) => void lines.push({ ...fields, message }), follows: () => false },
    },
    {
      push: () => {
        throw new Error("a bug");
      },
    },
  );
  await api.get("/api/push?topic=a&json=1", { "x-request-id": "no-key" });
  t.match(told, [[/no key was sent/, "no-key"]]);
  await api.get("/api/push?topic=a&json=1", { "x-request-id": "bug", "x-api-key": "secret" });
  t.strictSame(reported, ["bug"]);
  await api.get("/api/lane/list", { "x-request-id": "fine", "x-api-key": "secret" });
  t.match(lines, [
    { message: "call refused", requestId: "no-key", status: 401 },
    { message: "call refused", requestId: "bug", status: 500 },
    { message: "call answered", requestId: "fine", status: 200, path: "/api/lane/list", ms: Number },
  ]);
});
