// What a web page elsewhere can do to the API: nothing, unless its origin was invited.
import { test } from "tap";
import { type Headers, pushed, start } from "./harness.ts";

const PUSH = "/api/push?topic=a&json=1";
const metrics = { contentType: "text/plain", text: async () => "figures" };
const noCors = (headers: object) => Object.keys(headers).every((name) => !name.startsWith("access-control-"));

/** What browsers send along for a page elsewhere: fetch, form, image or link; the older ones an origin alone, or less. */
const foreign: readonly (readonly [string, Headers])[] = [
  ["fetch", { origin: "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" }],
  ["fetch of a neighbour", { origin: "http://127.0.0.1:8080", "sec-fetch-site": "same-site" }],
  ["form", { origin: "null", "sec-fetch-site": "cross-site", "content-type": "application/x-www-form-urlencoded" }],
  ["image", { "sec-fetch-site": "cross-site", "sec-fetch-dest": "image" }],
  ["image of a neighbour", { "sec-fetch-site": "same-site" }],
  ["link", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-user": "?1" }],
  ["an older browser", { origin: "https://evil.example" }],
  ["an older browser's file or frame", { origin: "null" }],
  ["nonsense", { origin: "127.0.0.1", "sec-fetch-site": "nonsense" }],
];

for (const keys of [[], [{ name: "k", key: "secret" }]])
  test(`A1: a page elsewhere calls nothing and reads nothing${keys.length === 0 ? "" : ", with a key neither"}`, async (t) => {
    const api = await start(t, { keys, origins: ["https://app.example"] });
    for (const [what, headers] of foreign) {
      for (const method of ["GET", "POST", "OPTIONS", "HEAD", "PUT"]) {
        for (const path of [PUSH, "/api/device/get?uid=1", "/api/nope", "/"]) {
          const answer = await api.send(method, path, method === "POST" ? "a=1" : undefined, {
            ...headers,
            "x-api-key": "secret",
          });
          t.equal(answer.status, 403, `${what} ${method} ${path}`);
          t.ok(noCors(answer.headers));
          if (method !== "HEAD")
            t.match(answer.json, {
              code: "error",
              message: /api\.origins|Sec-Fetch-Site: (cross-site|same-site|nonsense)/,
            });
        }
      }
    }
    t.strictSame(api.take(), []);
    t.match(api.warned, [/^refused 127\.0\.0\.1: GET \/api\/push: web pages of https:\/\/evil\.example may not call/]);
    t.equal(api.warned.length, 1, "told once a minute");
  });

test("A1: backends, command lines, typed addresses and the server's own pages call as ever", async (t) => {
  const api = await start(t);
  const own = `http://127.0.0.1:${api.port}`;
  for (const headers of [
    {},
    { "sec-fetch-mode": "cors" }, // Node's fetch says that much
    { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" },
    { origin: own },
    { origin: own, "sec-fetch-site": "same-origin" },
    // Behind a proxy that gives its own name for the host.
    { origin: "https://push.example.com", "sec-fetch-site": "same-origin" },
  ] as Headers[]) {
    const answer = await api.get(PUSH, headers);
    t.strictSame([answer.status, answer.json], [200, pushed], JSON.stringify(headers));
    t.ok(noCors(answer.headers));
  }
});

test("A1: a name that somebody lets point here is not answered, whatever the method", async (t) => {
  const api = await start(t, { hosts: ["push.example.com", "Pushbox"] }, { metrics });
  const hosts: [string, number][] = [
    ["evil.example", 403],
    [`evil.example:${api.port}`, 403],
    ["127.0.0.1.evil.example", 403],
    ["localhost.evil.example", 403],
    ["x.push.example.com", 403],
    ["push.example.com.evil.example", 403],
    ["0.0.0.0", 403],
    ["[::]:80", 403],
    ["[::ffff:7f00:1]:11001", 403],
    ["[::FFFF:127.0.0.1]", 403],
    ["[::ffff:0:0]", 403],
    ["[evil.example]", 403],
    ["127.0.0.1", 200],
    ["127.0.0.1:80", 200],
    ["10.1.2.3:11001", 200],
    ["[::1]:11001", 200],
    ["[2001:db8::1]", 200],
    ["localhost", 200],
    ["LOCALHOST:11001", 200],
    ["push.example.com", 200],
    ["PUSH.example.com.:443", 200],
    ["pushbox:11001", 200],
  ];
  for (const [host, status] of [...hosts, ...hosts.toReversed()])
    for (const method of ["GET", "POST", "OPTIONS"])
      for (const path of [PUSH, "/metrics"]) {
        const answer = await api.send(method, path, undefined, { host });
        t.equal(answer.status, method === "OPTIONS" && status === 200 ? 204 : status, `${method} ${path} ${host}`);
        if (status === 403) t.match(answer.json, { code: "error", message: /api\.hosts|call 127\.0\.0\.1/ });
      }
  t.match(api.warned, [/the name evil\.example: call it by its address, or list the name in api\.hosts/]);
});

test("A1: an API with keys answers to any name: who lets another name point here does not know the key", async (t) => {
  const api = await start(t, { keys: [{ name: "k", key: "secret" }] });
  t.equal((await api.get(PUSH, { host: "any.example", "x-api-key": "secret" })).status, 200);
  t.equal((await api.get(PUSH, { host: "any.example" })).status, 401);
});

test("A1: a rebound page that names itself as origin is refused by its name", async (t) => {
  const api = await start(t);
  const answer = await api.get(PUSH, {
    host: `evil.example:${api.port}`,
    origin: `http://evil.example:${api.port}`,
    "sec-fetch-site": "same-origin",
  });
  t.equal(answer.status, 403);
  t.strictSame(api.take(), []);
});

test("A1: health is told to everybody, and metrics to any page's request, but no page can read them", async (t) => {
  const api = await start(t, { origins: ["*"] }, { metrics });
  const page = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  const health = await api.get("/healthz", { ...page, host: "evil.example" });
  t.strictSame([health.status, health.text], [200, "ok"]);
  const figures = await api.get("/metrics", page);
  t.strictSame([figures.status, figures.text], [200, "figures"]);
  t.ok(noCors(health.headers) && noCors(figures.headers));
});

test("A1: vendors post receipts by any name: the secret in the path is their key", async (t) => {
  const received: unknown[] = [];
  const api = await start(
    t,
    {},
    {
      receiver: (_, secret) => (secret === "s3cret" ? async (request) => void received.push(request.body) : undefined),
    },
  );
  const headers = { host: "push.example.com", "sec-fetch-site": "cross-site" };
  t.equal((await api.send("POST", "/api/receipt/vivo/s3cret", "arrived", headers)).status, 200);
  t.strictSame(received, ["arrived"]);
});

test("A1: a page of api.origins calls, and reads the answer, errors too", async (t) => {
  const api = await start(
    t,
    { origins: ["https://app.example", "https://*.shop.example:8443"] },
    {},
    { maxBody: 1000 },
  );
  const json = { "content-type": "application/json" };
  for (const origin of ["https://app.example", "https://a-1.shop.example:8443"]) {
    const page = { origin, "sec-fetch-site": "cross-site" };
    for (const [status, body] of [
      [200, '{"topic":"a","json":1}'],
      [400, "{"],
      [413, "x".repeat(1001)],
    ] as const) {
      const answer = await api.send("POST", "/api/push", body, { ...json, ...page });
      t.equal(answer.status, status);
      t.match(answer.headers, { "access-control-allow-origin": origin, vary: "Origin" });
      t.equal(answer.headers["access-control-allow-credentials"], undefined);
    }
  }
  for (const origin of [
    ...["http://app.example", "https://app.example:444", "https://app.example.evil.example", "https://a.app.example"],
    ...[
      "https://shop.example:8443",
      "https://a.b.shop.example:8443",
      "https://.shop.example:8443",
      "https://a.shop.example",
    ],
    ...["https://evil.example/.shop.example:8443", "null", "*", "https://*.shop.example:8443x"],
  ])
    t.equal((await api.get(PUSH, { origin })).status, 403, origin);
});

test("A1: api.origins may be opened to all pages, and changes without a restart", async (t) => {
  const api = await start(t);
  const page = { origin: "null", "sec-fetch-site": "cross-site" };
  t.equal((await api.get(PUSH, page)).status, 403);
  api.api.setAccess({ keys: [], broadcast: { keys: [], addresses: [] }, hosts: ["named.example"], origins: ["*"] });
  const answer = await api.get(PUSH, page);
  t.strictSame([answer.status, answer.headers["access-control-allow-origin"]], [200, "*"]);
  t.equal((await api.get(PUSH, { "sec-fetch-site": "cross-site" })).status, 200, "an image too");
  t.equal((await api.get(PUSH, { host: "named.example" })).status, 200);
});

test("B9: an invited page's preflight allows the headers that it asks for, without a key and without executing", async (t) => {
  const api = await start(t, { keys: [{ name: "k", key: "secret" }], origins: ["https://app.example"] });
  const ask = (asked?: string) =>
    api.send("OPTIONS", PUSH, undefined, {
      origin: "https://app.example",
      "sec-fetch-site": "cross-site",
      "access-control-request-method": "POST",
      ...(asked === undefined ? {} : { "access-control-request-headers": asked }),
    });
  for (const [asked, allowed] of [
    ["authorization,x-trace-id", "authorization,x-trace-id"],
    ["content-type, x-own", "content-type, x-own"],
    [undefined, "Content-Type, Authorization, X-Api-Key, Idempotency-Key"],
    ["x y\tz", "Content-Type, Authorization, X-Api-Key, Idempotency-Key"],
    ["<script>", "Content-Type, Authorization, X-Api-Key, Idempotency-Key"],
  ] as const) {
    const answer = await ask(asked);
    t.equal(answer.status, 204);
    t.match(answer.headers, {
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-methods": /POST/,
      "access-control-allow-headers": allowed,
    });
  }
  t.strictSame(api.take(), []);
  t.ok(noCors((await api.send("OPTIONS", PUSH)).headers), "who names no origin needs no such headers");
});
