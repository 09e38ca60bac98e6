// The console's door: the setup link, logins, who guesses, when a login ends, and what is noted of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { hashPassword, isPassword } from "../../src/admin/password.ts";
import { Tries } from "../../src/admin/tries.ts";
import { startTestApp } from "../support/app.ts";
import { takeClock } from "../support/clock.ts";
import { Browser, PASSWORD, secretOf, startConsole, watch } from "../support/console.ts";
import type { Fields } from "../support/devices.ts";

const HOUR = 3_600_000;

t.test("console: the setup link makes the first operator, once, and there is no other way in", async (t) => {
  const app = await startTestApp(t, { admin: { enabled: true } });
  const browser = new Browser(app.consoleUrl);
  t.match(await browser.get("/admin/session"), { status: 401, body: { code: "error", setup: true } });
  t.match(await browser.get("/api/device/get?uid=1"), { status: 401, body: { setup: true } });
  t.match(await browser.login("admin", "admin"), { status: 401 }, "there is no default password");
  const link = secretOf(app.app.setupLink);
  const setup = (fields: object) => browser.post("/admin/setup", { link, name: "ann", password: PASSWORD, ...fields });
  t.match(await setup({ link: "A".repeat(43) }), { status: 403, body: { message: /admin reset/ } });
  t.match(await setup({ password: "short" }), { status: 400, body: { message: /10 characters/ } });
  t.match(await setup({ password: "aaaaaaaaaaaa" }), { status: 400, body: { message: /four different/ } });
  t.match(await setup({ name: "Correct Horse", password: "correct horse" }), {
    status: 400,
    body: { message: /name/ },
  });
  t.match(await setup({ name: " " }), { status: 400, body: { message: /name/ } });
  t.match(await setup({ name: "a\u202eb" }), { status: 400, body: { message: /cannot be seen/ } });
  t.match(await setup({}), { status: 200, body: { code: "success", name: "ann", role: "operator" } });
  t.match(await setup({}), { status: 403 }, "used up");
  t.match(await browser.get("/admin/session"), { status: 200, body: { name: "ann", version: String, node: String } });
  t.match(await browser.get("/api/stats/base"), { status: 200 });
  t.match(await browser.post("/admin/logout"), { status: 200 });
  t.match(await browser.get("/admin/session"), { status: 401, body: { setup: false } });
  t.equal((await browser.login("ann", PASSWORD)).status, 200);
});

t.test("console: a setup link is good for 30 minutes", async (t) => {
  const clock = takeClock(t);
  const app = await startTestApp(t, { admin: { enabled: true } });
  clock.move(30 * 60_000 + 1);
  const browser = new Browser(app.consoleUrl);
  const link = secretOf(app.app.setupLink);
  t.match(await browser.post("/admin/setup", { link, name: "ann", password: PASSWORD }), { status: 403 });
  t.match(await browser.get("/admin/session"), { body: { setup: true } });
});

t.test("console: a login outlives a restart, and ends when idle, when old and by logout", async (t) => {
  const clock = takeClock(t);
  const data = t.testdir({});
  const first = await startConsole(t, { data });
  t.notOk(first.app.setupLink, "there are users");
  const [name = "", secret = ""] = first.ann.cookie.split("=");
  await first.stop();
  const bytes = ["pushbox.db", "pushbox.db-wal"].map((file) => {
    try {
      return readFileSync(join(data, file), "latin1");
    } catch {
      return ""; // carried over
    }
  });
  t.notOk(
    bytes.some((text) => text.includes(secret)),
    "what is stored is no key",
  );

  const app = await startTestApp(t, { data, admin: { enabled: true } });
  const { port } = new URL(app.consoleUrl);
  const ann = new Browser(app.consoleUrl, `${name.replace(/\d+$/, port)}=${secret}`);
  t.equal((await ann.get("/admin/session")).status, 200);
  clock.move(12 * HOUR - 60_000);
  t.equal((await ann.get("/api/stats/base")).status, 200, "used within 12 hours");
  clock.move(12 * HOUR - 60_000);
  t.equal((await ann.get("/admin/session")).status, 200, "and again");
  clock.move(12 * HOUR + 1);
  t.equal((await ann.get("/admin/session")).status, 401, "idle");

  t.equal((await ann.login("ann", PASSWORD)).status, 200);
  for (let spent = 0; spent < 30 * 24 - 10; spent += 11) {
    clock.move(11 * HOUR);
    if ((await ann.get("/admin/session")).status !== 200) t.fail(`ended after ${spent} hours`);
  }
  clock.move(11 * HOUR);
  t.equal((await ann.get("/admin/session")).status, 401, "30 days old");

  await ann.login("ann", PASSWORD);
  const copied = new Browser(app.consoleUrl, ann.cookie);
  await ann.post("/admin/logout");
  t.equal((await copied.get("/admin/session")).status, 401, "who has copied the cookie is out too");
});

t.test(
  "console: the cookie cannot be read by scripts nor sent from elsewhere, and a new login ends the old one",
  async (t) => {
    const { ann, consoleUrl } = await startConsole(t);
    const old = new Browser(consoleUrl, ann.cookie);
    const { headers } = await ann.login("ann", PASSWORD);
    const [line = ""] = headers["set-cookie"] ?? [];
    t.match(line, /^pushbox-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=2592000$/);
    t.equal((await ann.get("/admin/session")).status, 200);
    t.equal((await old.get("/admin/session")).status, 401);
    const value = ann.cookie.split("=")[1] ?? "";
    const [name] = ann.cookie.split("=");
    for (const cookie of [
      `pushbox=${value}`,
      `${name}=`,
      `${name}=${value}x`,
      `${name}=${value.slice(1)}`,
      "=;;=",
      ";",
    ])
      t.equal((await new Browser(consoleUrl, cookie).get("/admin/session")).status, 401, cookie);
    t.equal((await new Browser(consoleUrl, `a=b; ${ann.cookie}; c`).get("/admin/session")).status, 200);
  },
);

t.test("console: a changed password ends the user's other logins, and what they look at", async (t) => {
  const { ann, vic, enter } = await startConsole(t);
  const other = await enter("ann");
  const shown = await watch(t, other, "/admin/live");
  t.ok(await shown.next());
  const events = await watch(t, other, "/api/events");
  t.equal(events.status, 200);
  const fresh = "another horse entirely";
  const change = (old: string, password: string) => ann.post("/admin/password", { old, new: password });
  t.match(await change("not this one", fresh), { status: 401 });
  t.match(await change(PASSWORD, "short"), { status: 400 });
  t.equal((await other.get("/admin/session")).status, 200, "nothing has changed so far");
  t.match(await change(PASSWORD, fresh), { status: 200, body: { name: "ann" } });
  while ((await shown.next()) !== undefined);
  t.equal(await events.next(), undefined, "closed");
  t.equal((await other.get("/admin/session")).status, 401);
  t.equal((await ann.get("/admin/session")).status, 200, "this one goes on");
  t.equal((await vic.get("/admin/session")).status, 200, "and so does everybody else");
  t.equal((await other.login("ann", PASSWORD)).status, 401);
  t.equal((await other.login("ann", fresh)).status, 200);
});

t.test("console: who guesses passwords has to wait, whoever comes from elsewhere has not", async (t) => {
  const app = await startConsole(t, { admin: { trustedProxies: ["127.0.0.1"] } });
  const from = (address: string) => (name: string, password: string) =>
    new Browser(app.consoleUrl).post("/admin/login", { name, password }, { "x-forwarded-for": address });
  const thief = from("192.0.2.66");
  const tries = await Promise.all(Array.from({ length: 20 }, (_, i) => thief("ann", `guess ${i}`)));
  t.same(
    tries.map(({ status }) => status).sort(),
    [...Array(5).fill(401), ...Array(15).fill(429)],
    "many at once are no way around",
  );
  t.match(
    tries.find(({ status }) => status === 429),
    { body: { message: /^too many wrong tries: try again in \d s$/, wait: Number } },
  );
  t.equal((await thief("ann", PASSWORD)).status, 429, "the right one has to wait too");
  t.equal((await from("192.0.2.7")("ann", PASSWORD)).status, 200);
  const asThief = { "x-forwarded-for": "192.0.2.66" };
  t.equal((await app.ann.post("/admin/confirm", { password: PASSWORD }, asThief)).status, 429);
  t.equal((await app.ann.get("/admin/session", asThief)).status, 200, "who is in stays in");
  const told = app.log.filter((line) => line.includes("wrong name or password"));
  t.match(told, [/^warn: refused 192\.0\.2\.66: the console: login with a wrong name or password/]);
  t.equal(told.length, 1, "told once a minute");
});

t.test("console: waits grow to 15 minutes by address and 30 s in all, and pass", async (t) => {
  let now = 1e6;
  const tries = new Tries(() => now);
  /** The waits of one who tries again as soon as it may. */
  const waits = (address: string, times: number): number[] =>
    Array.from({ length: times }, () => {
      const wait = tries.begin(address);
      now += wait;
      if (wait > 0) t.equal(tries.begin(address), 0);
      return wait;
    });
  t.same(waits("192.0.2.1", 5), [0, 0, 0, 0, 0]);
  t.same(
    waits("192.0.2.1", 10),
    [5, 10, 20, 40, 80, 160, 320, 640, 900, 900].map((seconds) => seconds * 1000),
  );
  tries.right("192.0.2.1");
  t.equal(tries.begin("192.0.2.1"), 0, "a right one ends it");
  now += HOUR + 900_001;

  // A network of its own for each guess.
  const far = (i: number): string => `2001:db8:${i.toString(16)}::1`;
  t.same(
    Array.from({ length: 50 }, (_, i) => tries.begin(far(i))),
    Array(50).fill(0),
  );
  t.equal(tries.begin(far(50)), 1000);
  t.equal(tries.begin("192.0.2.1"), 0, "who logged in from there before does not wait for others");
  let longest = 0;
  for (let i = 51; i < 70; i++) {
    const wait = tries.begin(far(i));
    longest = Math.max(longest, wait);
    now += wait;
    t.equal(tries.begin(far(i)), 0);
  }
  t.equal(longest, 30_000);
  now += HOUR + 1;
  t.equal(tries.begin(far(71)), 0, "forgotten");
  t.equal(tries.begin(far(72)), 0);

  for (let i = 0; i < 5; i++) tries.begin("2001:db8:ffff:1::1");
  t.not(tries.begin("2001:db8:ffff:1:aaaa::9"), 0, "a /64 is one address");
  tries.forget();
  t.equal(tries.begin("2001:db8:ffff:1::1"), 0, "a link that was used ends all waits");
});

t.test("console: passwords are stored salted and slow, whichever way they were typed", async (t) => {
  const [one, two] = await Promise.all([hashPassword("passwört lang"), hashPassword("passwört lang")]);
  t.match(one, /^scrypt:15:8:3:[\w-]{22}:[\w-]{43}$/);
  t.not(one, two);
  t.equal(await isPassword("passwo\u0308rt lang", one), true);
  t.equal(await isPassword("passwört lank", one), false);
  t.equal(await isPassword("", undefined), false);
});

t.test("console: logins and what is done there are in the audit log, with who and from where", async (t) => {
  const app = await startConsole(t);
  const { ann, vic } = app;
  await ann.login("ann", "not this one");
  await ann.login("hunter2-in-the-wrong-field", "x");
  await ann.post("/admin/confirm", { password: PASSWORD });
  await ann.post("/api/device/delete", { pushId: "a-device-1234" }, { "x-request-id": "ask-1" });
  await vic.post("/api/push", { topic: "news", json: "SECRET-TEXT" });
  await ann.post("/api/push", { topic: "news", json: "SECRET-TEXT" });
  await ann.get("/api/stats/base");
  await ann.post("/admin/logout");
  await app.app.settled();
  const { body } = await vic.get("/api/audit/list");
  const entries = (body["entries"] as Fields[]).toReversed();
  const [byAnn, byVic] = [{ who: "ann (console)" }, { who: "vic (console)" }];
  t.match(
    entries,
    [
      { ...byAnn, action: "/admin/login", status: 200 },
      { ...byVic, action: "/admin/login", status: 200 },
      { ...byAnn, action: "/admin/login", status: 401, message: /wrong/ },
      { action: "/admin/login", status: 401 },
      { ...byAnn, action: "/admin/confirm", status: 200 },
      { ...byAnn, action: "/device/delete", status: 200, requestId: "ask-1", what: { pushId: "a-device-1234" } },
      { ...byVic, action: "/push", status: 403, message: /viewer/, what: { topic: "news" } },
      { ...byAnn, action: "/push", status: 200, what: { topic: "news" } },
      { ...byAnn, action: "/admin/logout", status: 200 },
    ].map((entry) => ({ ...entry, address: "127.0.0.1" })),
  );
  t.equal(entries.length, 9);
  t.notMatch(JSON.stringify(entries), /hunter2|SECRET-TEXT|horse/);
  t.match(await vic.get("/api/audit/list?who=vic%20(console)&action=push"), { body: { entries: [{ status: 403 }] } });
});
