import { createHash } from "node:crypto";
import t from "tap";
import { fakeMeizu } from "../../src/lab/vendors/meizu.ts";
import { meizu, sign } from "../../src/vendors/meizu.ts";
import { appOf, fakeApp, form, json, NOW, note, problems, send, to, worded } from "../support/vendor.ts";
import { conformance } from "./conformance.ts";

conformance({ dialect: meizu, fake: fakeMeizu, token: (n) => `meizu-token-${n}`, renews: false });

const ENTRY = { package_name: "com.example.app", app_id: 10000, app_secret: "secret" };
const app = appOf(meizu, ENTRY);

const message = (n = note(), more = {}, now = NOW): Record<string, Record<string, unknown>> =>
  JSON.parse(form(meizu.encode(appOf(meizu, { ...ENTRY, ...more }), n, to("p"), "", now))["messageJson"]!);

const md5 = (text: string) => createHash("md5").update(text).digest("hex");

t.test("a notification becomes one signed form for all pushIds", async (t) => {
  const request = meizu.encode(app, note(), to("p1", "p2"), "", NOW);
  t.equal(request.url, "https://server-api-push.meizu.com/garcia/api/server/push/varnished/pushByPushId");
  t.same(request.headers, { "content-type": "application/x-www-form-urlencoded; charset=utf-8" });
  const { messageJson, ...rest } = form(request);
  t.same(JSON.parse(messageJson!), {
    noticeBarInfo: { noticeBarType: 0, title: "T", content: "m" },
    clickTypeInfo: { clickType: 0, parameters: { id: "n1", payload: '{"abc":123}' } },
    pushTimeInfo: { offLine: true, validTime: 1 },
    advanceInfo: { notifyKey: createHash("sha256").update("n1").digest("base64url").slice(0, 8) },
  });
  t.same(rest, {
    appId: "10000",
    pushIds: "p1,p2",
    sign: md5(`appId=10000messageJson=${messageJson}pushIds=p1,p2secret`),
  });
});

t.test("the signature is that of the vendor's example", async (t) => {
  const example = { pushIds: "p1,p2", messageJson: '{"a":1}', appId: "10000" };
  t.equal(sign(example, "secret"), "075163e4ba8e7d7f44cf8e1f8b57b8ce");
  const chinese = form(meizu.encode(app, worded("推送 100%", "a&b=c+d"), to("p1"), "", NOW));
  t.equal(chinese["sign"], md5(`appId=10000messageJson=${chinese["messageJson"]}pushIds=p1secret`), "of raw values");
});

t.test("the entry's type and callback, and the notification's own fields, member by member", async (t) => {
  const more = { message_type: "private", callback_url: "https://push.example.com/r", callback_token: "tok" };
  const own = { advanceInfo: { suspend: 0 }, noticeBarInfo: { title: "U" } };
  t.match(
    message(note({ vendors: { meizu: own } }), { ...more, fields: { advanceInfo: { suspend: 1, clearNoticeBar: 0 } } }),
    {
      noticeBarInfo: { title: "U", content: "m", noticeMsgType: 1 },
      advanceInfo: { notifyKey: /^.{8}$/, suspend: 0, clearNoticeBar: 0 },
      extra: { callback: "https://push.example.com/r", "callback.param": "n1", "callback.type": "3" },
    },
  );
  t.notOk("callback.param" in message(note({}, { id: "推".repeat(22) }), more)["extra"]!, "65 bytes do not fit");
  t.equal(message(note(), { message_type: "public" })["noticeBarInfo"]?.["noticeMsgType"], 0);
});

t.test("the lifetime is in hours, rounded up, from one to 72", async (t) => {
  const hours = (timeToLive: number, now = NOW) =>
    message(note({}, { timeToLive }), {}, now)["pushTimeInfo"]?.["validTime"];
  t.equal(hours(0), 1);
  t.equal(hours(1), 1);
  t.equal(hours(3_600_000), 1);
  t.equal(hours(3_600_001), 2);
  t.equal(hours(3_600_001, NOW + 1), 1);
  t.equal(hours(100 * 3_600_000), 72);
});

t.test("texts that are too long are refused with their size, or cut by characters", async (t) => {
  t.throws(() => message(worded("推".repeat(33), "m")), /^meizu: android.title has 33 characters, 32 allowed$/);
  t.throws(() => message(worded("t", "x".repeat(101))), /android.message has 101 characters, 100 allowed/);
  const cut = message(worded("推".repeat(33), "x".repeat(101)), { truncate: true })["noticeBarInfo"];
  t.same(cut, { noticeBarType: 0, title: `${"推".repeat(31)}…`, content: `${"x".repeat(99)}…` });
});

t.test("every code of the call means what the vendor's table says", async (t) => {
  const table: Readonly<Record<string, readonly number[]>> = {
    retry: [-1, 500, 1001, 1003, 110010],
    denied: [1006, 110000, 110001, 110009, 110031, 110032, 110033],
    paused: [110019],
    refused: [1005, 110002, 110003, 110004, 110005, 110051, 110053, 4711],
  };
  for (const [kind, codes] of Object.entries(table)) {
    for (const code of codes) {
      const expected = [{ kind, reason: `${code} why` }, { kind }];
      t.match(
        meizu.decode(app, json({ code: String(code), message: "why", value: "" }), to("a", "b"), NOW),
        expected,
        `${code}`,
      );
      t.match(meizu.decode(app, json({ code, message: "why", value: "" }), to("a", "b"), NOW), expected);
    }
  }
  t.match(meizu.decode(app, json({ code: "110019" }), to("a"), NOW), [{ until: Date.UTC(2026, 10, 23, 16) }]);
});

t.test("every code of a pushId means what the vendor's table says, whichever way round they are listed", async (t) => {
  const table: Readonly<Record<string, readonly number[]>> = {
    accepted: [200],
    gone: [110002, 110003],
    retry: [501, 513, 518, 519, 110011],
    refused: [201, 520, 110005, 110010, 4711],
  };
  for (const [kind, codes] of Object.entries(table)) {
    for (const code of codes) {
      for (const value of [{ [code]: ["b"] }, { b: String(code) }, { b: code }]) {
        const outcomes = meizu.decode(app, json({ code: "200", value, msgId: "M" }), to("a", "b"), NOW);
        t.match(outcomes, [{ kind: "accepted", receipt: "M" }, { kind }], JSON.stringify(value));
      }
    }
  }
  const numeric = meizu.decode(app, json({ code: 200, value: { "110002": "518" } }), to("110002"), NOW);
  t.match(numeric, [{ kind: "retry" }], "a pushId that looks like a code");
  const daily = meizu.decode(app, json({ code: 200, value: { "110011": ["a"] } }), to("a"), NOW);
  t.same(daily, [{ kind: "retry", reason: "pushId: 110011", scope: "token", after: Date.UTC(2026, 10, 23, 16) - NOW }]);
  for (const value of ["", null, {}, []]) {
    t.same(meizu.decode(app, json({ code: "200", value }), to("a"), NOW), [{ kind: "accepted" }]);
  }
});

t.test("an answer that makes no sense is tried again, and never shows the secret", async (t) => {
  for (const reply of [
    { status: 200, headers: {}, body: "x" },
    json([]),
    json({}),
    json({ code: true }),
    json({ code: 200 }, 500),
  ]) {
    t.match(meizu.decode(app, reply, to("a"), NOW), [{ kind: "retry" }], reply.body);
  }
  t.match(meizu.decode(app, json({ code: 1006, message: "pushIds=p1secret" }), to("a"), NOW), [
    { reason: "1006 pushIds=p1***" },
  ]);
});

t.test("the entry's problems are listed together", async (t) => {
  t.same(problems(() => appOf(meizu, { app_id: -1, message_type: 1, callback_url: "x" })).toSorted(), [
    "meizu.app_id: must be a number",
    "meizu.app_secret: is missing",
    "meizu.callback_url: must be a URL like https://host",
    "meizu.message_type: must be one of public, private",
    "meizu.package_name: is missing",
  ]);
  const untold = { ...ENTRY, callback_url: "https://push.example.com/r" };
  t.same(
    problems(() => appOf(meizu, untold)),
    ["meizu.callback_token: is missing: callback_url needs it"],
  );
  const long = { ...ENTRY, callback_url: `https://push.example.com/${"r".repeat(128)}`, callback_token: "x" };
  t.same(
    problems(() => appOf(meizu, long)),
    ["meizu.callback_url: longer than the 128 characters the vendor takes"],
  );
});

t.test("the strict fake shows what it is sent", async (t) => {
  for (const byPushId of [false, true]) {
    const fake = fakeMeizu({ byPushId });
    const lab = fakeApp(meizu, fake, {
      message_type: "public",
      callback_url: "https://push.example.com/r",
      callback_token: "x",
    });
    fake.tokens.set("dead", "dead").set("blocked", "blocked").set("daily", "daily");
    t.match(await send(meizu, fake, lab, note(), to("a", "dead", "blocked", "daily", "x,y")), [
      { kind: "accepted", receipt: /^NS/ },
      { kind: "gone", reason: "pushId: 110002" },
      { kind: "refused", reason: "pushId: 110010" },
      { kind: "retry" },
      { kind: "gone", reason: /not a token/ },
    ]);
    t.same(fake.shown, [{ vendor: "meizu", token: "a", title: "T", message: "m", payload: { abc: 123 }, id: "n1" }]);
    const kinds = { quota: "paused", throttle: "retry", denied: "denied", busy: "retry", garbage: "retry" };
    for (const [kind, outcome] of Object.entries({ ...kinds, "expired-credential": "denied" })) {
      fake.fail(kind, 1);
      t.match(await send(meizu, fake, lab, note(), to("b")), [{ kind: outcome }], kind);
    }
    fake.fail("partial", 1);
    t.match(await send(meizu, fake, lab, note(), to("b", "c")), [
      { kind: "accepted" },
      { kind: "retry", reason: "pushId: 518" },
    ]);
    const wrong = fakeApp(meizu, fake, { app_secret: "other" });
    t.match(await send(meizu, fake, wrong, note(), to("a")), [{ kind: "denied" }]);
    const many = (count: number) => to(...Array.from({ length: count }, (_, i) => `t${i}`));
    t.ok((await send(meizu, fake, lab, note(), many(100))).every((outcome) => outcome.kind === "accepted"));
    t.match((await send(meizu, fake, lab, note(), many(101)))[0], { kind: "refused", reason: /100 allowed/ });
  }
});

t.test("receipts are believed with the callback's token only", async (t) => {
  const fake = fakeMeizu();
  const callback = { callback_url: "https://push.example.com/r", callback_token: "meizu-lab-callback" };
  const lab = fakeApp(meizu, fake, callback);
  await send(meizu, fake, lab, note(), to("a"));
  for (const event of ["arrived", "clicked"] as const) {
    t.same(meizu.receipts?.(lab, fake.receipt("a", event)), [
      { receipt: "NS000001", token: "a", event, notification: "n1" },
    ]);
  }
  const other = fakeApp(meizu, fake, { ...callback, callback_token: "other" });
  t.throws(() => meizu.receipts?.(other, fake.receipt("a", "arrived")), { code: "denied" });
  t.throws(
    () => meizu.receipts?.(fakeApp(meizu, fake), fake.receipt("a", "arrived")),
    { code: "denied" },
    "none configured",
  );
  const read = (cb: string) =>
    meizu.receipts?.(lab, {
      headers: {},
      query: "",
      body: new URLSearchParams({ cb, access_token: "meizu-lab-callback" }).toString(),
    });
  t.throws(() => read("[]"), { code: "invalid" });
  t.same(read('{"m-1":{"type":1,"targets":["a","b"]},"m-9":{"type":9,"targets":["c"]},"x":1}'), [
    { receipt: "m", token: "a", event: "arrived" },
    { receipt: "m", token: "b", event: "arrived" },
  ]);
});
