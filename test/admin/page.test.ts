// What the console serves: its page under a strict policy, and figures once a second while somebody looks.
import { gunzipSync } from "node:zlib";
import t from "tap";
import { consoleFiles } from "../../src/admin/files.ts";
import { LiveFeed } from "../../src/admin/live.ts";
import type { Head } from "../../src/http/message.ts";
import { startTestApp } from "../support/app.ts";
import { RawClient } from "../support/clients.ts";
import { Browser, startConsole, watch } from "../support/console.ts";

t.test("console: the page comes under a strict policy, compressed, with a tag", async (t) => {
  const app = await startTestApp(t, { admin: { enabled: true } });
  const browser = new Browser(app.consoleUrl);
  const page = await browser.get("/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" });
  t.match(page, { status: 200, text: /^<!doctype html/i }, "a link from elsewhere opens it");
  const there = `127.0.0.1:${app.clientPort}`;
  t.match(page.headers, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
      `connect-src 'self' http://${there} ws://${there}; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cache-control": "no-cache",
  });
  const tag = page.headers["etag"] ?? "";
  const again = await browser.get("/", { "if-none-match": `"other", W/${tag}` });
  t.match(again, { status: 304, text: "" });
  t.equal((await browser.send("HEAD", "/", undefined, {})).status, 200);
  t.equal((await browser.get("/nothing.js")).status, 404);
  t.equal((await browser.get("/..%2fpackage.json")).status, 404);
  const zipped = await fetch(`${app.consoleUrl}/`, { headers: { "accept-encoding": "gzip" } });
  t.equal(zipped.headers.get("content-encoding"), "gzip");
  t.equal(await zipped.text(), page.text);
});

t.test("console: every answer says that it is no document, and nothing for pages elsewhere", async (t) => {
  const { ann } = await startConsole(t);
  const answers = await Promise.all([
    ...["/console.js", "/icon.svg", "/nothing", "/admin/session", "/api/job/list", "/api/nothing"].map((path) =>
      ann.get(path),
    ),
    ann.get("/api/stats/types?format=csv"),
    ann.get("/api/job/list", { host: "elsewhere.example" }),
    ann.get("/api/job/list", { origin: "http://elsewhere.example", "x-quiet": "1" }),
    ann.post("/api/push"),
    ann.send("POST", "/api/push", "x".repeat(3_000_000), { "content-type": "application/json" }),
  ]);
  for (const { headers, status } of answers)
    t.match(
      headers,
      {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      },
      `${status}`,
    );
});

t.test("console: files are served by their kind, and a host that could end the policy is left out of it", async (t) => {
  const text = "console.log('hi')".repeat(100);
  const files = new Map([
    ["index.html", Buffer.from("<!doctype html>")],
    ["console.js", Buffer.from(text)],
    ["secret.map", Buffer.from("{}")],
  ]);
  const serve = consoleFiles(files, () => ({ port: 443, secure: true }));
  const head = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    ({ path, header: (name: string) => headers[name] ?? "" }) as Head;
  const script = serve(head("/console.js", { "accept-encoding": "br, gzip" }));
  t.equal(gunzipSync(script?.body ?? "").toString(), text);
  t.match(new Map(script?.headers).get("Content-Type"), "text/javascript; charset=utf-8");
  t.equal(serve(head("/console.js", { "accept-encoding": "gzip;q=0" }))?.body.length, text.length);
  t.equal(serve(head("/secret.map")), undefined, "what it is nobody knows");
  const policy = (host: string): string =>
    new Map(serve(head("/", { host }))?.headers).get("Content-Security-Policy") ?? "";
  t.match(
    policy("push.example.com:12001"),
    "connect-src 'self' https://push.example.com:443 wss://push.example.com:443;",
  );
  for (const host of ["a; script-src *", "[::1]:12001", ""])
    t.match(policy(host), "connect-src 'self'; font-src", host);
});

t.test("console: the figures of a page tell who is connected and how its topics do", async (t) => {
  const app = await startConsole(t);
  const client = await RawClient.open(app.clientPort);
  t.teardown(() => client.close());
  await client.hello({ id: "console-device-1", platform: "android", topics: ["news"] });
  const page = await watch(t, app.vic, "/admin/live?topics=news,empty");
  t.match(await page.next(), {
    time: Number,
    connections: 1,
    sessions: { total: 1, android: 1 },
    rates: { packets: 0, apiCalls: 0, accepted: 0 },
    queue: { waiting: 0, paused: 0, stopped: 0, atVendors: 0 },
    lanes: [],
    process: { cpu: Number, memory: Number, loop: { mean: Number, max: Number } },
    topics: [
      { topic: "news", count: 1, in: 0, out: 0, kept: 0 },
      { topic: "empty", count: 0 },
    ],
  });
  for (let i = 0; i < 10; i++) await app.ok("push", { topic: "news", json: i, timeToLive: 60_000 });
  for (;;) {
    const { topics = [] } = ((await page.next()) ?? {}) as { topics?: Record<"in" | "out" | "kept", number>[] };
    const { in: came = 0, out = 0, kept = 0 } = topics[0] ?? {};
    if (out === 0) continue;
    t.same([out, kept], [came, came]);
    break;
  }
});

t.test("console: so many pages of a login and no more, and a page that goes makes room", async (t) => {
  const { ann, enter } = await startConsole(t);
  const pages = [];
  for (let i = 0; i < 10; i++) pages.push(await watch(t, ann, "/admin/live"));
  t.match(await ann.get("/admin/live"), { status: 503, body: { message: /too many pages/ } });
  const other = await enter("ann");
  t.equal((await watch(t, other, "/admin/live")).status, 200);
  const topics = Array.from({ length: 21 }, (_, i) => `t${i}`).join();
  t.match(await other.get(`/admin/live?topics=${topics}`), { status: 400, body: { message: /at most 20/ } });
  pages[0]?.leave();
  for (;;) {
    const { status } = await watch(t, ann, "/admin/live");
    if (status === 200) break;
  }
});

t.test("console: all pages share one look a second, and without a page nobody looks", async (t) => {
  const asked: string[] = [];
  const feed = new LiveFeed(
    {
      totals: async () => ({ nodes: new Map([[0, { connections: 0, storeCalls: 0, opened: 0 }]]), silent: [] }),
      async sessions() {
        asked.push("sessions");
        return { total: 0, byPlatform: new Map(), packetsIn10s: 0 };
      },
      async lanes() {
        asked.push("lanes");
        return [];
      },
      async topic(name) {
        asked.push(name);
        return { count: 0, in: 0, out: 0, kept: 0 };
      },
    },
    Date.now,
  );
  const written: string[][] = [[], []];
  const told = Promise.withResolvers<void>();
  const open = (i: number, topics: readonly string[]) =>
    feed.open(topics, "login").stream?.({
      write(text) {
        written[i]?.push(String(text));
        if (written.every((lines) => lines.some((line) => line.startsWith("data:")))) told.resolve();
        return true;
      },
      together: (work) => work(),
      end() {},
      cut() {},
    });
  t.same(asked, []);
  const pages = [open(0, ["a", "b"]), open(1, ["b"])];
  await told.promise;
  t.same(asked.sort(), ["a", "b", "lanes", "sessions"], "for both at once");
  pages[0]?.closed();
  pages[1]?.closed();
  pages[1]?.closed();
  t.equal(feed.size, 0);
});
