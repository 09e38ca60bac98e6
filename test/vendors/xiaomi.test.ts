import t from "tap";
import { fakeXiaomi } from "../../src/lab/vendors/xiaomi.ts";
import { xiaomi } from "../../src/vendors/xiaomi.ts";
import { appOf, ask, fakeApp, form, json, NOW, note, problems, send, to, worded } from "../support/vendor.ts";
import { conformance, stage, NOW as THERE } from "./conformance.ts";

const conformity = { dialect: xiaomi, fake: fakeXiaomi, token: (n: number) => `regid-${n}`, renews: false };
conformance(conformity);

const ENTRY = { package_name: "com.example.app", app_secret: "s3cret" };
const app = appOf(xiaomi, ENTRY);

t.test("a notification becomes one form for all registration ids", async (t) => {
  const request = xiaomi.encode(app, note(), to("r1", "r2"), "", NOW);
  t.equal(request.method, "POST");
  t.equal(request.url, "https://api.xmpush.xiaomi.com/v3/message/regid");
  t.same(request.headers, {
    authorization: "key=s3cret",
    "content-type": "application/x-www-form-urlencoded; charset=utf-8",
  });
  const fields = form(request);
  t.match(fields["extra.jobkey"], /^[0-9a-f]{20}$/);
  delete fields["extra.jobkey"];
  t.same(fields, {
    title: "T",
    description: "m",
    payload: '{"android":{"title":"T","message":"m","payload":{"abc":123}},"id":"n1"}',
    restricted_package_name: "com.example.app",
    pass_through: "0",
    notify_id: "3459",
    time_to_live: "3600000",
    "extra.notify_foreground": "1",
    registration_id: "r1,r2",
  });
});

t.test("the job key is the same at every try, and another for another notification of the same id", async (t) => {
  const key = (n = note(), now = NOW) => form(xiaomi.encode(app, n, to("r"), "", now))["extra.jobkey"];
  t.equal(key(), key(note(), NOW + 5000));
  t.not(key(), key(note({}, { id: "n2" })));
  t.not(key(), key(note({}, { acceptedAt: NOW - 1 })));
});

t.test(
  "the entry's channel, callback and foreground end up in the form; the notification's own fields win",
  async (t) => {
    const full = appOf(xiaomi, {
      ...ENTRY,
      base_url: "https://fr-api.xmpush.global.xiaomi.com/",
      channel_id: "c1",
      notify_foreground: false,
      callback_url: "https://push.example.com/receipt/xiaomi/x",
      fields: { "extra.template_id": "t1", notify_type: -1 },
    });
    const own = note({ vendors: { xiaomi: { "extra.channel_id": "c2", registration_id: "other" }, vivo: { a: 1 } } });
    const request = xiaomi.encode(full, own, to("r1"), "", NOW);
    t.ok(request.url.startsWith("https://fr-api.xmpush.global.xiaomi.com/v3/"));
    t.match(form(request), {
      "extra.channel_id": "c2",
      "extra.notify_foreground": "0",
      "extra.callback": "https://push.example.com/receipt/xiaomi/x",
      "extra.callback.param": "n1",
      "extra.callback.type": "243",
      "extra.template_id": "t1",
      notify_type: "-1",
      registration_id: "r1",
    });
    t.throws(
      () => xiaomi.encode(app, note({ vendors: { xiaomi: 5 } }), to("r"), "", NOW),
      /vendors.xiaomi is not an object/,
    );
  },
);

t.test("the lifetime is in milliseconds, from a minute to a fortnight", async (t) => {
  const ttl = (timeToLive: number, now = NOW) =>
    Number(form(xiaomi.encode(app, note({}, { timeToLive }), to("r"), "", now))["time_to_live"]);
  t.equal(ttl(0), 600_000, "ten minutes when it is for the connected only");
  t.equal(ttl(1), 60_000);
  t.equal(ttl(90_000), 90_000);
  t.equal(ttl(90_000, NOW + 10_000), 80_000, "what is left of it");
  t.equal(ttl(30 * 86_400_000), 14 * 86_400_000);
});

t.test("texts that are too long are refused with their size, or cut by characters", async (t) => {
  const cutting = appOf(xiaomi, { ...ENTRY, truncate: true });
  const encode = (n: ReturnType<typeof note>, cut: boolean) => xiaomi.encode(cut ? cutting : app, n, to("r"), "", NOW);
  const title = "😀".repeat(25);
  t.throws(() => encode(worded(title, "m"), false), /^xiaomi: android.title has 50 characters, 49 allowed$/);
  t.equal(form(encode(worded(title, "m"), true))["title"], `${"😀".repeat(24)}…`, "F14: as Java counts");
  t.throws(() => encode(worded("t", "x".repeat(128)), false), /android.message has 128 characters, 127 allowed/);
  const long = form(encode(worded("t", "推".repeat(3000)), true));
  t.equal([...long["description"]!].length, 127);
  const payload = long["payload"]!;
  t.ok(Buffer.byteLength(payload) <= 4096 && Buffer.byteLength(payload) > 4090, `${Buffer.byteLength(payload)} bytes`);
  t.throws(() => encode(worded("t", "m", { x: "y".repeat(4100) }), true), /the payload has \d+ bytes, 4096 allowed/);
  t.throws(() => encode(worded("", "m"), true), /android.title is missing/);
  t.throws(() => encode(note({ android: { message: "m", payload: {} } }), true), /android.title is missing/);
  const extras = { "extra.a": "x".repeat(1100) };
  t.throws(() => encode(note({ vendors: { xiaomi: extras } }), true), /extra fields with \d+ characters/);
});

t.test("every code means what the vendor's table says", async (t) => {
  const table: readonly (readonly [number, string, number?])[] = [
    [20301, "gone"],
    [21301, "denied"],
    [27001, "denied"],
    [10026, "denied"],
    [22000, "denied"],
    [22008, "denied"],
    [200001, "paused"],
    [200002, "retry", 1000],
    [10001, "retry"],
    [10002, "retry", 300_000],
    [10003, "retry"],
    [10009, "retry"],
    [10022, "retry"],
    [10023, "retry"],
    [10027, "retry"],
    [10008, "refused"],
    [10016, "refused"],
    [10017, "refused"],
    [10018, "refused"],
    [99999, "refused"],
  ];
  for (const [code, kind, after] of table) {
    const reply = json({ result: "error", code, description: "d", reason: "why", trace_id: "X1" });
    const [outcome] = xiaomi.decode(app, reply, to("r"), NOW);
    t.match(outcome, { kind, reason: `${code} why X1`, ...(after === undefined ? {} : { after }) }, String(code));
  }
  const spent = xiaomi.decode(app, json({ result: "error", code: 200001 }), to("a", "b"), NOW);
  t.same(
    spent.map((outcome) => outcome.kind === "paused" && new Date(outcome.until).toISOString()),
    ["2026-11-23T16:00:00.000Z", "2026-11-23T16:00:00.000Z"],
    "until midnight in China",
  );
  t.match(xiaomi.decode(app, json({ result: "error", code: 20301 }), to("a", "b"), NOW), [
    { kind: "retry", alone: true },
    { kind: "retry", alone: true },
  ]);
});

t.test("bad registration ids are gone, the others accepted", async (t) => {
  const reply = json({ result: "ok", code: 0, data: { id: "m1", bad_regids: "r2, r3" } });
  t.same(xiaomi.decode(app, reply, to("r1", "r2", "r3"), NOW), [
    { kind: "accepted", receipt: "m1" },
    { kind: "gone", reason: "bad_regids" },
    { kind: "gone", reason: "bad_regids" },
  ]);
});

t.test("an answer tells how much of the day's quota is used; what is no count tells nothing", async (t) => {
  const told = (data: unknown) => xiaomi.quota?.(json({ result: "ok", code: 0, data }));
  t.same(told({ id: "m1", day_quota: "20000", day_acked: "12" }), { limit: 20_000, used: 12 });
  t.same(told({ id: "m1", day_quota: 20_000, day_acked: 0 }), { limit: 20_000, used: 0 });
  const nothing = [
    undefined,
    null,
    "5",
    {},
    { day_quota: "5" },
    { day_acked: "5" },
    { day_quota: "0", day_acked: "3" },
    { day_quota: "-1", day_acked: "3" },
    { day_quota: "many", day_acked: "3" },
    { day_quota: ["5"], day_acked: "3" },
  ];
  for (const data of nothing) t.equal(told(data), undefined, JSON.stringify(data));
  t.equal(xiaomi.quota?.({ status: 502, headers: {}, body: "<html>" }), undefined);
});

t.test("what was told of the quota holds until midnight in China, and is that of the last answer", async (t) => {
  const { vendor, fake, send, clock } = await stage(t, { ...conformity, fake: () => fakeXiaomi({ dayQuota: 3 }) });
  const left = () => vendor.quota?.("com.example.lab", clock.now);
  t.equal(left(), undefined, "nothing was asked yet");
  await send([1, 2]);
  const until = Date.UTC(2027, 0, 15, 16);
  t.same(left(), { limit: 3, used: 2, at: THERE, until });
  clock.now += 60_000;
  await send([3]);
  t.same(left(), { limit: 3, used: 3, at: THERE + 60_000, until });
  t.match(await send([4]), [{ kind: "paused", until }]);
  t.match(left(), { used: 3 }, "an answer without it changes nothing");
  fake.fail("busy", 1);
  await send([5]);
  t.match(left(), { used: 3 });
  t.equal(vendor.quota?.("com.example.other", clock.now), undefined);
  clock.now = until;
  t.equal(left(), undefined, "a new day");
  await send([6]);
  t.match(left(), { limit: 3, used: 1, until: until + 86_400_000 });
});

t.test("a token that would name another is not sent, and is gone", async (t) => {
  const recipients = to("a,b", "c");
  t.equal(form(xiaomi.encode(app, note(), recipients, "", NOW))["registration_id"], "c");
  t.match(xiaomi.decode(app, json({ result: "ok", code: 0, data: {} }), recipients, NOW), [
    { kind: "gone" },
    { kind: "accepted" },
  ]);
  t.throws(() => xiaomi.encode(app, note(), to("a,b"), "", NOW), /not a token/);
});

t.test("an answer that makes no sense is tried again, and never shows the secret", async (t) => {
  const replies = [
    { status: 200, headers: {}, body: "<html>" },
    { status: 200, headers: {}, body: "[]" },
    { status: 200, headers: {}, body: "null" },
    json({}),
    json({ code: 0 }),
    json({ code: {}, result: "ok" }),
    json({ code: 0, result: "ok" }, 500),
  ];
  for (const reply of replies) t.match(xiaomi.decode(app, reply, to("r"), NOW), [{ kind: "retry" }], reply.body);
  const busy = { status: 503, headers: { "retry-after": "7" }, body: "" };
  t.same(xiaomi.decode(app, busy, to("r"), NOW), [{ kind: "retry", reason: "HTTP 503", after: 7000 }]);
  const quoting = json({ result: "error", code: 21301, reason: "key=s3cret\nis wrong" });
  t.same(xiaomi.decode(app, quoting, to("r"), NOW), [{ kind: "denied", reason: "21301 key=*** is wrong" }]);
  t.equal(xiaomi.decode(app, json({ result: "error", code: "constructor" }), to("r"), NOW)[0]?.kind, "refused");
});

t.test("the entry's problems are listed together, without the secret", async (t) => {
  t.same(
    problems(() =>
      appOf(xiaomi, { app_secret: "se cret", base_url: "ftp://x", chanel: 1, callback_url: 5 }),
    ).toSorted(),
    [
      "xiaomi.app_secret: must be ASCII text without spaces, not empty",
      "xiaomi.base_url: must be a URL like https://host",
      "xiaomi.callback_url: must be a URL",
      "xiaomi.chanel: unknown key",
      "xiaomi.package_name: is missing",
    ],
  );
  t.notMatch(app.account, /s3cret/);
});

t.test("the strict fake shows what it is sent, once per notification and token", async (t) => {
  const fake = fakeXiaomi();
  const lab = fakeApp(xiaomi, fake, { channel_id: "c", callback_url: "https://push.example.com/r" });
  fake.tokens.set("dead", "dead").set("blocked", "blocked");
  const outcomes = await send(xiaomi, fake, lab, note(), to("a", "dead", "blocked"));
  t.match(outcomes, [{ kind: "accepted", receipt: /^slm/ }, { kind: "gone" }, { kind: "accepted" }]);
  t.match(await send(xiaomi, fake, lab, note(), to("a")), [{ kind: "accepted" }]);
  t.same(fake.shown, [{ vendor: "xiaomi", token: "a", title: "T", message: "m", payload: { abc: 123 }, id: "n1" }]);
  t.match(await send(xiaomi, fake, lab, note(), to("dead")), [{ kind: "gone", reason: /^20301/ }]);
  const wrong = fakeApp(xiaomi, fake, { app_secret: "other" });
  t.match(await send(xiaomi, fake, wrong, note(), to("a")), [{ kind: "denied" }]);
  const many = to(...Array.from({ length: 1000 }, (_, i) => `t${i}`));
  t.equal((await send(xiaomi, fake, lab, note(), many)).filter((outcome) => outcome.kind === "accepted").length, 1000);
  const tooMany = xiaomi.encode(lab, note(), to(...Array.from({ length: 1001 }, (_, i) => `t${i}`)), "", NOW);
  t.match(JSON.parse(ask(fake, tooMany).body), { code: 10017 });
  for (const [kind, outcome] of Object.entries({
    quota: "paused",
    throttle: "retry",
    denied: "denied",
    busy: "retry",
    garbage: "retry",
  })) {
    fake.fail(kind, 1);
    t.match(await send(xiaomi, fake, lab, note(), to("a")), [{ kind: outcome }], kind);
  }
  const template = note({
    vendors: { xiaomi: { "extra.template_id": "T7", "extra.template_param": { name: "Bob" } } },
  });
  t.match(await send(xiaomi, fake, lab, template, to("c")), [{ kind: "accepted" }], "extras of any name");
  t.match(await send(xiaomi, fake, lab, note({ vendors: { xiaomi: { tempalte: "T7" } } }), to("c")), [
    { kind: "refused", reason: /tempalte is unknown/ },
  ]);
  fake.fail("partial", 1);
  t.match(await send(xiaomi, fake, lab, note(), to("a", "b")), [{ kind: "accepted" }, { kind: "gone" }]);
  t.throws(() => fake.fail("sulking", 1), /does not fail by/);
});

t.test("receipts tell what became of each target", async (t) => {
  const fake = fakeXiaomi();
  const lab = fakeApp(xiaomi, fake, { callback_url: "https://push.example.com/r" });
  await send(xiaomi, fake, lab, note(), to("a"));
  for (const event of ["arrived", "clicked", "gone", "suppressed"] as const) {
    t.same(xiaomi.receipts?.(lab, fake.receipt("a", event, NOW)), [
      { receipt: "slm000001", token: "a", event, notification: "n1", at: NOW },
    ]);
  }
  const body = (data: unknown) => ({
    headers: {},
    query: "",
    body: new URLSearchParams({ data: JSON.stringify(data) }).toString(),
  });
  t.same(
    xiaomi.receipts?.(
      lab,
      body({ m1: { type: 64, targets: "a,b" }, m2: { type: 4, targets: "c" }, m3: 7, m4: { type: 1 } }),
    ),
    [
      { receipt: "m1", token: "a", event: "suppressed" },
      { receipt: "m1", token: "b", event: "suppressed" },
    ],
  );
  t.throws(() => xiaomi.receipts?.(lab, { headers: {}, query: "", body: "data=5" }), { code: "invalid" });
});

t.test("a message is traced by its receipt", async (t) => {
  const { fake, vendor, send, clock, server } = await stage(t, conformity);
  fake.tokens.set("regid-2", "dead").set("regid-3", "blocked");
  const [first] = await send([1, 2, 3]);
  const receipt = first?.kind === "accepted" ? (first.receipt ?? "") : "";
  const [app = ""] = vendor.apps;
  t.same(await vendor.trace?.(app, [receipt, "unknown"], clock.now), [
    { receipt, target: 2, delivered: 1, clicked: 0 },
  ]);
  t.same(await vendor.trace?.("com.nobody", [receipt], clock.now), []);
  server.misbehave({ fault: { kind: "reply", reply: { status: 200, body: "<html>" } } });
  t.same(await vendor.trace?.(app, [receipt], clock.now), [], "what is not to be had is left out");
  const odd = { data: { resolved: "x", delivered: "3", click: null } };
  t.same(xiaomi.trace?.decode(fakeApp(xiaomi, fake), json({ code: 0, ...odd }), ["m"]), [
    { receipt: "m", delivered: 3 },
  ]);
});
