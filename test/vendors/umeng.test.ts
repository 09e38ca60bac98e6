import t from "tap";
import { fakeUmeng } from "../../src/lab/vendors/umeng.ts";
import { sign, type UmengApp, umeng } from "../../src/vendors/umeng.ts";
import { appOf, ask, fakeApp, json, NOW, note, problems, send, to, worded } from "../support/vendor.ts";
import { type Conformity, conformance, stage } from "./conformance.ts";

const conformity: Conformity<UmengApp> = {
  dialect: umeng,
  fake: fakeUmeng,
  token: (n) => `umeng-token-${n}`,
  renews: false,
  tellsDead: false,
};

conformance(conformity);

const ENTRY = { package_name: "com.example.app", app_key: "key", master_secret: "sec" };
const app = appOf(umeng, ENTRY);

type Body = Record<string, unknown> & {
  payload: { body: Record<string, unknown> & { custom: Record<string, unknown> } };
  policy: Record<string, unknown>;
};
const body = (n = note(), more = {}, now = NOW): Body =>
  JSON.parse(String(umeng.encode(appOf(umeng, { ...ENTRY, ...more }), n, to("d1"), "", now).body));

t.test("the signature is that of the vendor's example", async (t) => {
  t.equal(sign("https://msgapi.umeng.com/api/send", '{"a":1}', "sec"), "6fa5dbccea0287bdd8627437ce27ccfa");
});

t.test("a notification becomes one signed message for all device tokens, as the shipped SDKs parse it", async (t) => {
  const request = umeng.encode(app, note(), to("d1", "d2"), "", NOW);
  const url = new URL(request.url);
  t.equal(url.origin + url.pathname, "https://msgapi.umeng.com/api/send");
  t.equal(url.searchParams.get("sign"), sign("https://msgapi.umeng.com/api/send", String(request.body), "sec"));
  t.same(request.headers, { "content-type": "application/json" });
  t.same(JSON.parse(String(request.body)), {
    appkey: "key",
    timestamp: String(NOW),
    type: "listcast",
    device_tokens: "d1,d2",
    payload: {
      display_type: "message",
      body: { custom: { title: "T", message: "m", payload: { abc: 123 }, id: "n1" } },
    },
    policy: { expire_time: "2026-11-23 18:00:00" },
    production_mode: "true",
  });
  t.match(body(), { type: "unicast", device_tokens: "d1" });
});

t.test("the entry's mode, and the notification's own fields, but not over its recipients", async (t) => {
  const own = {
    policy: { max_send_num: 1000 },
    payload: { extra: { k: "v" } },
    device_tokens: "other",
    appkey: "other",
  };
  const more = {
    display_type: "notification",
    test_mode: true,
    fields: { channel_properties: { channel_activity: "a" } },
  };
  t.same(body(note({ vendors: { umeng: own } }), more), {
    payload: {
      display_type: "notification",
      body: { ticker: "T", title: "T", text: "m", after_open: "go_app" },
      extra: { id: "n1", payload: '{"abc":123}', k: "v" },
    },
    policy: { expire_time: "2026-11-23 18:00:00", max_send_num: 1000 },
    production_mode: "false",
    channel_properties: { channel_activity: "a" },
    device_tokens: "d1",
    appkey: "key",
    timestamp: String(NOW),
    type: "unicast",
  });
});

t.test("the lifetime is a time of day in UTC+8, up to seven days ahead", async (t) => {
  const expires = (timeToLive: number, now = NOW) => body(note({}, { timeToLive }), {}, now).policy["expire_time"];
  t.equal(expires(0), "2026-11-23 17:10:00");
  t.equal(expires(1), "2026-11-23 17:01:00");
  t.equal(expires(7 * 3_600_000), "2026-11-24 00:00:00");
  t.equal(expires(7 * 3_600_000, NOW + 3_600_000), "2026-11-24 00:00:00", "the same end at every try");
  t.equal(expires(30 * 86_400_000), "2026-11-30 17:00:00");
});

t.test("what is more than 1840 bytes is refused with its size, or its message cut", async (t) => {
  const long = worded("标题", "推".repeat(700));
  t.throws(() => body(long), /^umeng: the payload has 2\d\d\d bytes, 1840 allowed$/);
  for (const display_type of ["message", "notification"]) {
    const { payload } = body(long, { truncate: true, display_type });
    const size = Buffer.byteLength(JSON.stringify(payload));
    t.ok(size <= 1840 && size > 1836, `${display_type}: ${size} bytes`);
  }
  t.match(body(worded("t", "😀".repeat(700)), { truncate: true }).payload.body.custom["message"], /^(😀)+…$/u);
  t.throws(() => body(worded("t", "m", { x: "y".repeat(1840) }), { truncate: true }), /the payload has 19\d\d bytes/);
  t.throws(() => body(note({ android: { message: "m", payload: {} } })), /android.title is missing/);
});

t.test("every error code means what the vendor's table says", async (t) => {
  const table: Readonly<Record<string, readonly string[]>> = {
    denied: ["2000", "2004", "2054", "2007", "2027", "2021", "2032", "2033", "2034", "2035", "5001", "5999"],
    refused: ["2022", "2039", "2040", "2046", "1000", "1014", "4711", "50000"],
    retry: ["2050", "2023", "6002", "6003", "6004"],
  };
  for (const [kind, codes] of Object.entries(table)) {
    for (const error_code of codes) {
      const reply = json({ ret: "FAIL", data: { error_code, error_msg: "why" } }, 400);
      t.match(
        umeng.decode(app, reply, to("a", "b"), NOW),
        [{ kind, reason: `${error_code} why` }, { kind }],
        error_code,
      );
    }
  }
  const success = (data: unknown) => umeng.decode(app, json({ ret: "SUCCESS", data }), to("a", "b"), NOW);
  t.same(success({ msg_id: "m" }), [
    { kind: "accepted", receipt: "m" },
    { kind: "accepted", receipt: "m" },
  ]);
  t.same(success({ task_id: "t" })[0], { kind: "accepted", receipt: "t" });
  t.same(success(undefined)[0], { kind: "accepted" });
});

t.test("a request whose time is out of date is made anew once, before the lane stops", async (t) => {
  const { fake, server, send: told } = await stage(t, conformity);
  fake.fail("expired-credential", 1);
  t.match(await told([1, 2]), [{ kind: "accepted" }, { kind: "accepted" }]);
  fake.fail("expired-credential", 2);
  t.match(await told([1, 2]), [{ kind: "denied", reason: /^2028/ }, { kind: "denied" }]);
  const times = server.requests.map(({ body }) => (JSON.parse(String(body)) as { timestamp: string }).timestamp);
  t.equal(times.length, 4);
  t.ok(Number(times[3]) > Number(times[2]), "with the time it is by then");
});

t.test("an answer that makes no sense is tried again, and never shows the secret", async (t) => {
  const replies = [
    { status: 400, headers: {}, body: "<html>" },
    json([]),
    json({}),
    json({ ret: "FAIL" }, 400),
    json({ ret: "MAYBE", data: { error_code: "2021" } }),
    json({ ret: "SUCCESS" }, 502),
  ];
  for (const reply of replies) t.match(umeng.decode(app, reply, to("a"), NOW), [{ kind: "retry" }], reply.body);
  const quoting = json({ ret: "FAIL", data: { error_code: 2027, error_msg: "POST...sec" } }, 400);
  t.same(umeng.decode(app, quoting, to("a"), NOW), [{ kind: "denied", reason: "2027 POST...***" }]);
});

t.test("the entry's problems are listed together", async (t) => {
  t.same(problems(() => appOf(umeng, { app_key: 5, display_type: "x", production: true })).toSorted(), [
    "umeng.app_key: must be a text",
    "umeng.display_type: must be one of message, notification",
    "umeng.master_secret: is missing",
    "umeng.package_name: is missing",
    "umeng.production: unknown key",
  ]);
  t.equal(appOf(umeng, { ...ENTRY, base_url: "http://msg.umeng.com" }).baseUrl, "http://msg.umeng.com");
});

t.test("the strict fake shows what it is sent", async (t) => {
  const fake = fakeUmeng();
  const expected = { vendor: "umeng", token: "a", title: "T", message: "m", payload: { abc: 123 }, id: "n1" };
  fake.tokens.set("dead", "dead");
  for (const display_type of ["message", "notification"]) {
    const lab = fakeApp(umeng, fake, { display_type });
    const outcomes = await send(umeng, fake, lab, note(), to("a", "dead", "x,y"));
    t.match(outcomes, [{ kind: "accepted", receipt: /^uu/ }, { kind: "accepted" }, { kind: "gone" }]);
    t.same(fake.shown.splice(0), [expected]);
  }
  const lab = fakeApp(umeng, fake);
  const kinds = {
    throttle: "retry",
    denied: "denied",
    busy: "retry",
    garbage: "retry",
    quota: "retry",
    partial: "accepted",
  };
  for (const [kind, outcome] of Object.entries({ ...kinds, "expired-credential": "anew" })) {
    fake.fail(kind, 1);
    t.match(await send(umeng, fake, lab, note(), to("b")), [{ kind: outcome }], kind);
  }
  const late = umeng.encode(lab, note(), to("b"), "", NOW);
  const stale = umeng.decode(lab, ask(fake, late, NOW + 600_001), to("b"), NOW);
  t.match(stale, [{ kind: "anew", with: "time", outcome: { kind: "denied", reason: /^2028/ } }], "ten minutes later");
  const wrong = fakeApp(umeng, fake, { master_secret: "other" });
  t.match(await send(umeng, fake, wrong, note(), to("a")), [{ kind: "denied", reason: /^2027/ }]);
  const many = (count: number) => to(...Array.from({ length: count }, (_, i) => `t${i}`));
  t.ok((await send(umeng, fake, lab, note(), many(500))).every((outcome) => outcome.kind === "accepted"));
  t.match((await send(umeng, fake, lab, note(), many(501)))[0], { kind: "refused", reason: /501 device tokens/ });
});
