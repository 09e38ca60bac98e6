import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { gzipSync } from "node:zlib";
import { test } from "tap";
import type { Actions, ReceiptRequest } from "../../src/api/actions.ts";
import { PushError } from "../../src/core/errors.ts";
import { error, start, success } from "./harness.ts";

const keys = [{ name: "backend", key: "secret-one" }];
const SECRET = "s3cr3t-of-the-path";

/** Takes what comes to this secret, whichever the vendor. */
function vendor(): { receiver: Actions["receiver"]; taken: [string, string, ReceiptRequest][] } {
  const taken: [string, string, ReceiptRequest][] = [];
  return {
    taken,
    receiver: (vendor, secret) =>
      secret === SECRET ? async (request) => void taken.push([vendor, secret, request]) : undefined,
  };
}

test("a receipt is taken without an API key, by any method, with whatever body, and its text is passed on", async (t) => {
  const { receiver, taken } = vendor();
  const api = await start(t, { keys }, { receiver });
  const path = `/api/receipt/xiaomi/${SECRET}`;
  const bodies: [string, string | undefined, Record<string, string>][] = [
    ["POST", "data=%7B%22m1%22%3A%7B%7D%7D", { "content-type": "application/x-www-form-urlencoded" }],
    ["POST", '{"statuses":[', { "content-type": "application/json; charset=gbk" }],
    ["PUT", "--x", { "content-type": "multipart/form-data" }],
    ["POST", '[{"a":"é"}]', {}],
    ["GET", undefined, {}],
  ];
  for (const [method, body, headers] of bodies) {
    const answer = await api.send(method, `${path}?a=1&b=%20`, body, headers);
    t.equal(answer.status, 200, `${method} ${body}`);
    const [vendor, , request] = taken.splice(0)[0]!;
    t.equal(vendor, "xiaomi");
    t.match(request, { query: "a=1&b=%20", body: body ?? "", headers });
  }
  await api.send("POST", `/API/Receipt/XiaoMi/${SECRET}/`, "x", { "X-HUAWEI-CALLBACK-ID": "timestamp=1;value=2" });
  t.match(taken[0], ["xiaomi", SECRET, { query: "", headers: { "x-huawei-callback-id": "timestamp=1;value=2" } }]);
  await api.send("POST", path, gzipSync("packed"), { "content-encoding": "gzip" });
  t.match(taken[1]![2], { body: "packed" });
});

test("a vendor that expects an answer of its own gets that, any other ours", async (t) => {
  const receiver: Actions["receiver"] = (vendor) => async () =>
    vendor === "huawei" ? { code: "0", message: "success" } : undefined;
  const api = await start(t, {}, { receiver });
  for (const [vendor, expected] of [
    ["huawei", { code: "0", message: "success" }],
    ["xiaomi", success],
  ] as const) {
    const answer = await api.send("POST", `/api/receipt/${vendor}/${SECRET}`, "x");
    t.strictSame([answer.status, answer.json], [200, expected], vendor);
  }
});

test("a wrong secret is not found, nor is half an address; a key of the API is no way in", async (t) => {
  const { receiver, taken } = vendor();
  const api = await start(t, { keys }, { receiver });
  for (const path of ["/api/receipt/huawei/wrong", "/api/receipt/nobody/wrong", "/api/receipt/huawei/secret-one"]) {
    const answer = await api.send("POST", path, "x", { "x-api-key": "secret-one" });
    t.strictSame([answer.status, answer.json], [404, error("not found")], path);
  }
  for (const path of [
    "/api/receipt",
    "/api/receipt/",
    "/api/receipt/huawei",
    "/api/receipt/huawei/",
    `/api/receipt//${SECRET}`,
    `/api/receipt/huawei/${SECRET}/more`,
    `/api/receipts/huawei/${SECRET}`,
  ]) {
    t.equal((await api.send("POST", path, "x")).status, 401, path);
    t.equal((await api.send("POST", path, "x", { "x-api-key": "secret-one" })).status, 404, path);
  }
  t.strictSame(taken, []);
});

test("a stranger is turned away before the body, which would take the room of other callers", async (t) => {
  const { receiver } = vendor();
  const { port } = await start(t, { keys }, { receiver });
  const request = httpRequest({
    port,
    method: "POST",
    path: "/api/receipt/huawei/wrong",
    headers: { "content-length": 1_000_000 },
  });
  t.teardown(() => request.destroy());
  request.on("error", () => {}).write("the first of a million bytes");
  const [answer] = await once(request, "response");
  t.equal(answer.statusCode, 404);
});

test("a secret is compared decoded; one that does not decode is only wrong", async (t) => {
  const { receiver, taken } = vendor();
  const api = await start(t, {}, { receiver });
  const encoded = [...SECRET].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join("");
  t.equal((await api.send("POST", `/api/receipt/vivo/${encoded}`, "x")).status, 200);
  t.equal(taken.length, 1);
  t.equal((await api.send("POST", "/api/receipt/vivo/%E0%A4%A", "x")).status, 404);
});

test("a receipt may have a million bytes, before and after inflating", async (t) => {
  const { receiver, taken } = vendor();
  const api = await start(t, {}, { receiver });
  const path = `/api/receipt/oppo/${SECRET}`;
  t.equal((await api.send("POST", path, "x".repeat(1_000_000))).status, 200);
  t.equal(taken.splice(0)[0]![2].body.length, 1_000_000);
  const tooLarge = error("the request body is larger than 1000000 bytes");
  for (const headers of [{}, { "transfer-encoding": "chunked" }] as Record<string, string>[]) {
    const answer = await api.send("POST", path, "x".repeat(1_000_001), headers);
    t.strictSame([answer.status, answer.json], [413, tooLarge]);
  }
  const bomb = await api.send("POST", path, gzipSync("x".repeat(1_000_001)), { "content-encoding": "gzip" });
  t.equal(bomb.status, 413);
  t.strictSame(taken, []);
  const push = await api.form("/api/push", `topic=a&json=${"x".repeat(2_000_000)}`);
  t.equal(push.status, 200, "other calls keep their own limit");
});

test("what the core refuses is told; the secret is in no answer, count or report", async (t) => {
  let thrown: Error = new PushError("denied", "huawei: the signature does not fit");
  const api = await start(
    t,
    { keys },
    {
      receiver: () => async () => {
        throw thrown;
      },
    },
  );
  const path = `/api/receipt/huawei/${SECRET}?q=${SECRET}`;
  const seen: unknown[] = [];
  for (const [error, status] of [
    [thrown, 401],
    [new PushError("invalid", "huawei: statuses is no list"), 400],
    [new PushError("unavailable", "the disk is full"), 503],
    [new Error("a bug"), 500],
  ] as const) {
    thrown = error;
    const answer = await api.send("POST", path, "x");
    t.equal(answer.status, status);
    seen.push(answer.text, answer.headers);
  }
  seen.push(api.counted, api.api.counters, api.reported);
  t.notMatch(JSON.stringify(seen), SECRET);
  t.strictSame(api.counted, Array(4).fill("call:/receipt"));
  t.equal(api.api.counters.calls["/api/receipt"], 4);
});
