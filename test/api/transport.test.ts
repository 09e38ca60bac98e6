import { test } from "tap";
import type { ErrorCode } from "../../src/core/errors.ts";
import { PushError } from "../../src/core/errors.ts";
import { error, pushed, start } from "./harness.ts";

test("API 10: OPTIONS never pushes, and needs no key", async (t) => {
  const api = await start(t, { keys: [{ name: "k", key: "s" }] });
  const paths = ["/api/push?topic=a&json=1", "/api/notification?pushAll=true&notification={}", "/api/nope"];
  for (const path of [...paths, "/metrics", "/healthz", "/api/receipt/vivo/secret"])
    t.equal((await api.send("OPTIONS", path)).status, 204, path);
  t.strictSame(api.take(), []);
});

test("any other method runs every endpoint; HEAD answers without a body", async (t) => {
  const api = await start(t);
  for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"]) {
    t.strictSame((await api.send(method, "/api/push?topic=a&json=1")).json, pushed, method);
  }
  const head = await api.send("HEAD", "/api/push?topic=a&json=1");
  t.strictSame([head.status, head.text, head.headers["content-length"]], [200, "", "49"]);
  t.equal(api.take().length, 6);
});

test("API 12: every answer is JSON, open to no other origin and never cached, and shows no stack", async (t) => {
  const secret = new Error("secret detail");
  const api = await start(
    t,
    {},
    {
      bind: async () => {
        throw secret;
      },
      push: () => {
        throw secret;
      },
    },
    { maxBody: 1000 },
  );
  const json = { "content-type": "application/json" };
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const cases: [number, string | RegExp, string, string, string?, Record<string, string>?][] = [
    [404, "not found", "GET", "/api/nope"],
    [404, "not found", "GET", "/"],
    [404, "not found", "GET", "/api"],
    [404, "not found", "GET", "/api/uid/add?uid=1"],
    [404, "not found", "GET", "/api/push/extra"],
    [404, "not found", "GET", "/api/__proto__"],
    [404, "not found", "GET", "/api/heapdump"],
    [400, "topic is required", "GET", "/api/topicOnline"],
    [400, /^the request body is not valid JSON/, "POST", "/api/push", '{"topic":', json],
    [400, "the request body must be a JSON object", "POST", "/api/push", "5", json],
    [400, "the request body must be a JSON object", "POST", "/api/push", "null", json],
    [
      400,
      "malformed multipart/form-data body",
      "POST",
      "/api/push",
      "x",
      { "content-type": "multipart/form-data; boundary=b" },
    ],
    [
      400,
      "multipart/form-data without a boundary",
      "POST",
      "/api/push",
      "x",
      { "content-type": "multipart/form-data" },
    ],
    [400, "the request body is not valid gzip data", "POST", "/api/push", "x", { ...json, "content-encoding": "gzip" }],
    [415, /content encoding "br"/, "POST", "/api/push", "x", { ...json, "content-encoding": "br" }],
    [415, /charset "utf-16"/, "POST", "/api/push", "x", { "content-type": "application/json; charset=utf-16" }],
    [400, "a form key has more than 16 brackets", "POST", "/api/push", `a${"[a]".repeat(17)}=1`, form],
    [413, "the request body is larger than 1000 bytes", "POST", "/api/push", "x".repeat(1001), form],
    [
      413,
      "the request body is larger than 1000 bytes",
      "POST",
      "/api/push",
      "x".repeat(1001),
      { ...form, "transfer-encoding": "chunked" },
    ],
    [500, "internal error", "GET", "/api/uid/bind?pushId=a&uid=1"],
    [500, "internal error", "GET", "/api/push?topic=a&json=1"],
    [500, "internal error", "POST", "/api/push", "topic=a&json=1", form],
  ];
  for (const [status, message, method, path, body, headers] of cases) {
    const answer = await api.send(method, path, body, headers);
    const name = `${status} ${method} ${path}`;
    t.equal(answer.status, status, name);
    if (typeof message === "string") t.strictSame(answer.json, error(message), name);
    else t.match(answer.json, { code: "error", message }, name);
    t.match(answer.headers, {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
    });
    t.equal(answer.headers["access-control-allow-origin"], undefined);
    t.equal(answer.headers["etag"], undefined);
    t.notMatch(answer.text, /secret|node_modules|\.ts/, name);
  }
  t.strictSame(api.reported, [secret, secret, secret], "bugs are reported, mistakes are not");
});

test("API 12: a body that inflates beyond the limit is refused", async (t) => {
  const { gzipSync } = await import("node:zlib");
  const api = await start(t, {}, {}, { maxBody: 10_000 });
  const bomb = gzipSync(`topic=a&json=${"x".repeat(1_000_000)}`);
  const headers = { "content-type": "application/x-www-form-urlencoded", "content-encoding": "gzip" };
  const answer = await api.send("POST", "/api/push", bomb, headers);
  t.strictSame([answer.status, answer.json], [413, error("the inflated request body is larger than 10000 bytes")]);
});

test("each error code of the core has its status", async (t) => {
  let code: ErrorCode = "invalid";
  const api = await start(
    t,
    {},
    {
      deleteDevices: async () => {
        throw new PushError(code, "says why");
      },
    },
  );
  for (const [next, status] of [
    ["invalid", 400],
    ["denied", 401],
    ["conflict", 409],
    ["too_large", 413],
    ["unavailable", 503],
  ] as const) {
    code = next;
    const answer = await api.get("/api/device/delete?pushId=a");
    t.strictSame([answer.status, answer.json], [status, error("says why")]);
  }
  t.strictSame(api.reported, []);
});

test("a caller that leaves before its answer disturbs nobody", async (t) => {
  const { connect } = await import("node:net");
  let entered: (() => void) | undefined;
  let release: (() => void) | undefined;
  const inside = new Promise<void>((resolve) => (entered = resolve));
  const gate = new Promise<void>((resolve) => (release = resolve));
  const api = await start(
    t,
    {},
    {
      bind: async () => {
        entered?.();
        await gate;
      },
    },
  );
  const socket = connect(api.port, "127.0.0.1", () =>
    socket.write("GET /api/uid/bind?pushId=a&uid=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  );
  await inside;
  socket.destroy();
  await new Promise((resolve) => socket.once("close", resolve));
  t.equal((await api.get("/api/heap")).status, 200);
  release?.();
  t.equal((await api.get("/api/heap")).status, 200);
  t.strictSame(api.reported, []);
});
