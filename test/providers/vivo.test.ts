import t from "tap";
import { fakeVivo } from "../../src/lab/vivo.ts";
import { Denied } from "../../src/providers/dialect.ts";
import { vivo } from "../../src/providers/vivo.ts";
import { appOf, ask, caught, fakeApp, json, NOW, note, problems, send, to, worded } from "../support/vendor.ts";
import { conformance } from "./conformance.ts";

conformance({ dialect: vivo, fake: fakeVivo, token: (n) => `vivo-token-${n}`, renews: true });

const ENTRY = { package_name: "com.example.app", app_id: 10004, app_key: "app-key", app_secret: "secret" };
const app = appOf(vivo, ENTRY);

const body = (n = note(), more = {}, now = NOW): Record<string, unknown> =>
  JSON.parse(String(vivo.encode(appOf(vivo, { ...ENTRY, ...more }), n, to("r1"), "tok", now).body));

t.test("the login is signed as the vendor's example, and renewed every two hours", async (t) => {
  const now = 1_700_000_000_000;
  const credential = await vivo.credential(app, now, async (request) => {
    t.equal(request.url, "https://api-push.vivo.com.cn/message/auth");
    t.same(request.headers, { "content-type": "application/json" });
    t.same(JSON.parse(String(request.body)), {
      appId: 10004,
      appKey: "app-key",
      timestamp: now,
      sign: "e3c844eca8bf03db905de617e3dcdc32",
    });
    return json({ result: 0, desc: "ok", authToken: "tok" });
  });
  t.same(credential, { value: "tok", expires: now + 20 * 3_600_000, renew: now + 7_200_000 });
});

t.test("a login that the vendor refuses stops the lane; other trouble passes", async (t) => {
  const login = (reply: unknown, status = 200) => vivo.credential(app, NOW, async () => json(reply, status));
  for (const code of [10200, 10201, 10202, 10203, 10204, 10205, 10206, 10207]) {
    const error = await caught(login({ result: code, desc: "your secret is wrong" }));
    t.ok(error instanceof Denied, String(code));
    t.equal(error.message, `vivo: login: ${code} your *** is wrong`);
  }
  for (const reply of [{ result: 10250 }, { result: 0 }, { result: 0, authToken: "a\r\nb" }, {}]) {
    const error = await caught(login(reply));
    t.match(error.message, /^vivo: login: /);
    t.notOk(error instanceof Denied);
  }
  t.match((await caught(login({}, 500))).message, /not answered/);
});

t.test("a notification becomes one JSON message to one registration id", async (t) => {
  const request = vivo.encode(app, note(), to("r1"), "tok", NOW);
  t.equal(request.url, "https://api-push.vivo.com.cn/message/send");
  t.same(request.headers, { authtoken: "tok", "content-type": "application/json" });
  t.same(JSON.parse(String(request.body)), {
    appId: 10004,
    regId: "r1",
    requestId: "n1-r1",
    title: "T",
    content: "m",
    notifyType: 4,
    timeToLive: 3600,
    skipType: 1,
    networkType: -1,
    classification: 0,
    notifyId: 3459,
    foregroundShow: true,
    clientCustomMap: { id: "n1", payload: '{"abc":123}' },
    pushMode: 0,
  });
  t.equal(vivo.batch, 1);
});

t.test("the category decides the class; the notification's own fields win, but not over its recipient", async (t) => {
  t.match(body(note(), { category: "IM" }), { category: "IM", classification: 1 });
  t.match(body(note(), { category: "NEWS" }), { category: "NEWS", classification: 0 });
  const own = {
    category: "ORDER",
    skipType: 2,
    skipContent: "https://x",
    clientCustomMap: { k: "v" },
    regId: "r9",
    requestId: "q",
  };
  t.match(body(note({ vendors: { vivo: own } }), { category: "NEWS", fields: { notifyType: 1 } }), {
    category: "ORDER",
    classification: 1,
    notifyType: 1,
    skipType: 2,
    skipContent: "https://x",
    clientCustomMap: { id: "n1", payload: '{"abc":123}', k: "v" },
    regId: "r1",
    requestId: "n1-r1",
  });
  t.match(body(note(), { callback_url: "https://push.example.com/r", test_mode: true, notify_foreground: false }), {
    extra: { callback: "https://push.example.com/r", "callback.param": "n1" },
    pushMode: 1,
    foregroundShow: false,
  });
  t.equal(body(note({}, { id: "" }))["notifyId"], 1, "no notification has number 0");
  const long = body(note({}, { id: "x".repeat(65) }), { callback_url: "https://push.example.com/r" });
  t.same(long["extra"], { callback: "https://push.example.com/r" });
});

t.test("the app's own map holds texts, whatever is merged in", async (t) => {
  const fields = { clientCustomMap: { count: 7, nested: { a: [true, null] }, text: "as it is" } };
  t.strictSame(body(note({ vendors: { vivo: fields } }))["clientCustomMap"], {
    id: "n1",
    payload: '{"abc":123}',
    count: "7",
    nested: '{"a":[true,null]}',
    text: "as it is",
  });
  const long = { clientCustomMap: { nested: ["y".repeat(1010)] } };
  t.throws(() => body(note({ vendors: { vivo: long } })), /the payload has 10\d\d characters, 1024 allowed/);
});

t.test("the lifetime is in seconds, from a minute to a day", async (t) => {
  const ttl = (timeToLive: number, now = NOW) => body(note({}, { timeToLive }), {}, now)["timeToLive"];
  t.equal(ttl(0), 600);
  t.equal(ttl(1), 60);
  t.equal(ttl(61_001), 62);
  t.equal(ttl(100_000, NOW + 10_000), 90);
  t.equal(ttl(7 * 86_400_000), 86_400);
});

t.test("texts that are too long are refused with their size, or cut by characters", async (t) => {
  t.throws(() => body(worded("推".repeat(41), "m")), /^vivo: android.title has 41 characters, 40 allowed$/);
  t.throws(() => body(worded("t", "x".repeat(101))), /android.message has 101 characters, 100 allowed/);
  const cut = body(worded("推".repeat(41), "😀".repeat(101)), { truncate: true });
  t.equal(cut["title"], `${"推".repeat(39)}…`);
  t.equal(cut["content"], `${"😀".repeat(99)}…`);
  t.throws(() => body(worded("t", "m", { x: "y".repeat(1010) })), /the payload has 10\d\d characters, 1024 allowed/);
});

t.test("every result means what the vendor's table says", async (t) => {
  const table: Readonly<Record<string, readonly number[]>> = {
    denied: [10000, 10200, 10206, 10207, 10094],
    retry: [10040, 10072, 10250],
    paused: [10070, 10073, 10252, 10254],
    gone: [10302, 10054],
    refused: [10045, 10071, 10085, 10096, 10097, 10104, 4711],
  };
  for (const [kind, codes] of Object.entries(table)) {
    for (const result of codes) {
      const outcomes = vivo.decode(app, json({ result, desc: "why" }), to("r"), NOW);
      t.match(outcomes, [{ kind, reason: `${result} why` }], `${result}`);
    }
  }
  t.match(vivo.decode(app, json({ result: 10070 }), to("r"), NOW), [{ until: Date.UTC(2026, 10, 23, 16) }]);
  t.same(vivo.decode(app, json({ result: 0, taskId: "7" }), to("r"), NOW), [{ kind: "accepted", receipt: "7" }]);
  const invalid = (result: number, status: number) =>
    vivo.decode(app, json({ result, desc: "d", invalidUser: { userid: "r", status } }), to("r"), NOW)[0]?.kind;
  t.same(
    [1, 2, 3, 4, 5].map((status) => invalid(0, status)),
    ["gone", "gone", "refused", "refused", "refused"],
  );
  t.same(
    [1, 2, 3, 4, 5].map((status) => invalid(10302, status)),
    ["gone", "gone", "refused", "refused", "gone"],
  );
  t.equal(invalid(10072, 1), "retry", "an invalid user is believed only where the result is about users");
});

t.test("an answer that makes no sense is tried again, and never shows the secret", async (t) => {
  for (const reply of [
    { status: 200, headers: {}, body: "" },
    json([]),
    json({}),
    json({ result: null }),
    json({ result: 0 }, 500),
  ]) {
    t.match(vivo.decode(app, reply, to("r"), NOW), [{ kind: "retry" }], reply.body);
  }
  t.match(vivo.decode(app, json({ result: 10206, desc: "secret" }), to("r"), NOW), [{ reason: "10206 ***" }]);
});

t.test("the entry's problems are listed together", async (t) => {
  t.same(problems(() => appOf(vivo, { app_id: "x", app_key: "k", category: "im", test_mode: 1 })).toSorted(), [
    "vivo.app_id: must be a number",
    "vivo.app_secret: is missing",
    "vivo.category: must be one of IM, ACCOUNT, TODO, DEVICE_REMINDER, ORDER, SUBSCRIPTION, NEWS, CONTENT, MARKETING, SOCIAL",
    "vivo.package_name: is missing",
    "vivo.test_mode: must be true or false",
  ]);
  t.equal(appOf(vivo, { ...ENTRY, app_id: "10004" }).app_id, 10004);
});

t.test("the strict fake shows what it is sent, once per delivery", async (t) => {
  const fake = fakeVivo();
  const lab = fakeApp(vivo, fake, { callback_url: "https://push.example.com/r", category: "ORDER" });
  fake.tokens.set("dead", "dead").set("blocked", "blocked").set("inactive", "inactive");
  t.match(await send(vivo, fake, lab, note(), to("a")), [{ kind: "accepted", receipt: "700000001" }]);
  t.match(await send(vivo, fake, lab, note(), to("a")), [{ kind: "accepted", receipt: "700000001" }]);
  t.same(fake.shown, [{ vendor: "vivo", token: "a", title: "T", message: "m", payload: { abc: 123 }, id: "n1" }]);
  t.match(await send(vivo, fake, lab, note(), to("dead")), [{ kind: "gone", reason: /^10302 status 1/ }]);
  t.match(await send(vivo, fake, lab, note(), to("blocked")), [{ kind: "refused" }]);
  t.match(await send(vivo, fake, lab, note(), to("inactive")), [{ kind: "refused" }]);
  const kinds = {
    quota: "paused",
    throttle: "retry",
    denied: "denied",
    busy: "retry",
    garbage: "retry",
    partial: "gone",
  };
  for (const [kind, outcome] of Object.entries({ ...kinds, "expired-credential": "denied" })) {
    fake.fail(kind, 1);
    t.match(await send(vivo, fake, lab, note(), to("b")), [{ kind: outcome }], kind);
  }
  const late = vivo.encode(lab, note(), to("c"), "vivo-session-1", NOW);
  t.match(vivo.decode(lab, ask(fake, late, NOW + 90_000_000), to("c"), NOW), [{ kind: "denied" }], "after a day");
  const wrong = fakeApp(vivo, fake, { app_secret: "other" });
  t.ok((await caught(send(vivo, fake, wrong, note(), to("a")))) instanceof Denied);
  const strict = await send(vivo, fake, lab, note({ vendors: { vivo: { classification: 0 } } }), to("d"));
  t.match(strict, [{ kind: "refused", reason: /category and classification disagree/ }]);
});

t.test("receipts tell of arrivals", async (t) => {
  const fake = fakeVivo();
  const lab = fakeApp(vivo, fake, { callback_url: "https://push.example.com/r" });
  await send(vivo, fake, lab, note(), to("a"));
  t.same(vivo.receipts?.(lab, fake.receipt("a")), [
    { receipt: "700000001", token: "a", event: "arrived", notification: "n1" },
  ]);
  const read = (text: string) => vivo.receipts?.(lab, { headers: {}, query: "", body: text });
  t.same(read('{"7":{"targets":"a,b"},"8":5}'), [
    { receipt: "7", token: "a", event: "arrived" },
    { receipt: "7", token: "b", event: "arrived" },
  ]);
  t.throws(() => read("[]"), { code: "invalid" });
});
