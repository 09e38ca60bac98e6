import t from "tap";
import { type FakeOppo, fakeOppo } from "../../src/lab/vendors/oppo.ts";
import { createVendor } from "../../src/vendors/client.ts";
import { Denied, Unsendable } from "../../src/vendors/dialect.ts";
import { oppo } from "../../src/vendors/oppo.ts";
import { appOf, ask, caught, fakeApp, form, json, NOW, note, problems, send, to, worded } from "../support/vendor.ts";
import { authority, conformance, NOW as SERVED, stage } from "./conformance.ts";
import { serving } from "./plain.ts";

conformance({ dialect: oppo, fake: fakeOppo, token: (n) => `oppo-token-${n}`, renews: true });

const ENTRY = { package_name: "com.example.app", app_key: "app-key", master_secret: "master" };
const app = appOf(oppo, ENTRY);

type Message = { target_value: string; notification: Record<string, unknown> };
const notification = (content = {}, more = {}, now = NOW, n = note(content)): Record<string, unknown> => {
  const request = oppo.encode(appOf(oppo, { ...ENTRY, ...more }), n, to("r1"), "tok", now);
  return (JSON.parse(form(request)["message"]!) as Message).notification;
};

t.test("the login is signed as the vendor's example, and good for less than a day", async (t) => {
  const now = 1_700_000_000_000;
  const credential = await oppo.credential(app, now, async (request) => {
    t.equal(request.url, "https://api.push.oppomobile.com/server/v1/auth");
    t.equal(request.headers["content-type"], "application/x-www-form-urlencoded; charset=utf-8");
    t.same(form(request), {
      app_key: "app-key",
      timestamp: "1700000000000",
      sign: "d4f1778a4f361440df29f6ece50f7920b3fde1b7c7e53ba4d688262e50238874",
    });
    return json({ code: 0, message: "Success", data: { auth_token: "tok", create_time: now } });
  });
  t.same(credential, { value: "tok", expires: now + 20 * 3_600_000 });
});

t.test("a login that the vendor refuses stops the lane; other trouble passes", async (t) => {
  const login = (reply: unknown, status = 200) => oppo.credential(app, NOW, async () => json(reply, status));
  for (const code of [14, 16, 17, 18, 19, 26, 27, 28, 30]) {
    const error = await caught(login({ code, message: "wrong master" }));
    t.ok(error instanceof Denied, String(code));
    t.equal(error.message, `oppo: login: ${code} wrong ***`);
  }
  for (const reply of [{ code: -1, message: "m" }, { code: 0 }, { code: 0, data: { auth_token: 5 } }, {}]) {
    const error = await caught(login(reply));
    t.match(error.message, /^oppo: login: /);
    t.notOk(error instanceof Denied);
  }
  await t.rejects(login({}, 503), /not answered/);
});

t.test("one recipient is a single message", async (t) => {
  const request = oppo.encode(app, note(), to("r1"), "tok", NOW);
  t.equal(request.url, "https://api.push.oppomobile.com/server/v1/message/notification/unicast");
  const fields = form(request);
  t.same(Object.keys(fields), ["auth_token", "message"]);
  t.equal(fields["auth_token"], "tok");
  t.same(JSON.parse(fields["message"]!), {
    target_type: 2,
    target_value: "r1",
    verify_registration_id: false,
    notification: {
      title: "T",
      style: 1,
      content: "m",
      click_action_type: 0,
      action_parameters: '{"id":"n1","payload":"{\\"abc\\":123}"}',
      notify_id: 3459,
      off_line: true,
      off_line_ttl: 3600,
      network_type: 0,
      app_message_id: "n1-r1",
    },
  });
});

t.test("several recipients are a list of messages, each with its own id against repetitions", async (t) => {
  const request = oppo.encode(app, note(), [...to("r1"), { token: "r2", ref: "x".repeat(65) }], "tok", NOW);
  t.equal(request.url, "https://api.push.oppomobile.com/server/v1/message/notification/unicast_batch");
  const messages = JSON.parse(form(request)["messages"]!) as Message[];
  t.same(
    messages.map((message) => message.target_value),
    ["r1", "r2"],
  );
  t.equal(messages[0]?.notification["app_message_id"], "n1-r1");
  t.match(messages[1]?.notification["app_message_id"], /^[0-9a-f]{64}$/);
});

t.test("the entry's region, channel and callback, and the notification's own fields", async (t) => {
  const more = { channel_id: "c", category: "IM", notify_level: 16, callback_url: "https://push.example.com/r" };
  t.match(
    notification({ vendors: { oppo: { category: "ORDER", show_ttl: 21_600 } } }, { ...more, fields: { show_ttl: 1 } }),
    {
      channel_id: "c",
      category: "ORDER",
      notify_level: 16,
      call_back_url: "https://push.example.com/r",
      call_back_parameter: "n1",
      show_ttl: 21_600,
    },
  );
  const parameters = { vendors: { oppo: { action_parameters: { page: 1 } } } };
  t.match(notification(parameters), { action_parameters: '{"page":1}' }, "OPPO takes them as text only");
  t.equal(appOf(oppo, { ...ENTRY, base_url: "http://127.0.0.1:1/" }).baseUrl, "http://127.0.0.1:1");
});

t.test("the lifetime is in seconds, from a minute to ten days", async (t) => {
  const ttl = (timeToLive: number, now = NOW) => notification({}, {}, now, note({}, { timeToLive }))["off_line_ttl"];
  t.equal(ttl(0), 600);
  t.equal(ttl(5000), 60);
  t.equal(ttl(90_500), 91);
  t.equal(ttl(100_000, NOW + 10_000), 90);
  t.equal(ttl(30 * 86_400_000), 864_000);
});

t.test("long texts take the long style; what is longer is refused, or cut", async (t) => {
  const of = (title: string, message: string, more = {}) => notification({}, more, NOW, worded(title, message));
  t.match(of("t", "推".repeat(50)), { style: 1 });
  t.match(of("t", "推".repeat(51)), { style: 2 });
  t.throws(() => of("x".repeat(51), "m"), /^oppo: android.title has 51 characters, 50 allowed$/);
  t.throws(() => of("t", "x".repeat(129)), /android.message has 129 characters, 128 allowed/);
  t.same(of("x".repeat(51), "y".repeat(129), { truncate: true }), {
    ...of("t", "y".repeat(128)),
    title: `${"x".repeat(49)}…`,
    content: `${"y".repeat(127)}…`,
  });
  const big = worded("t", "m", { x: "y".repeat(4000) });
  t.throws(() => oppo.encode(app, big, to("r"), "", NOW), /the payload has 40\d\d characters, 4000 allowed/);
});

t.test("every code means what the vendor's table says, for the call and for one of a list", async (t) => {
  const table: Readonly<Record<string, readonly number[]>> = {
    retry: [-1, -2, 13, 55],
    denied: [11, 14, 16, 17, 18, 19, 26, 27, 28, 29, 30],
    paused: [33],
    accepted: [32],
    gone: [10000],
    refused: [12, 15, 20, 21, 22, 23, 24, 25, 31, 34, 40, 41, 51, 59, 67, 10001, 4711],
  };
  for (const [kind, codes] of Object.entries(table)) {
    for (const code of codes) {
      t.match(oppo.decode(app, json({ code, message: "why" }), to("r"), NOW), [{ kind }], `${code}`);
      const items = [
        { registrationId: "b", errorCode: code, errorMessage: "why" },
        { registrationId: "a", messageId: "m1" },
      ];
      const outcomes = oppo.decode(app, json({ code: 0, data: items }), to("a", "b"), NOW);
      t.match(outcomes, [{ kind: "accepted", receipt: "m1" }, { kind }], `${code} in a list`);
    }
  }
  t.same(oppo.decode(app, json({ code: 33, message: "spent" }), to("r"), NOW), [
    { kind: "paused", reason: "33 spent", until: Date.UTC(2026, 10, 23, 16) },
  ]);
  t.match(oppo.decode(app, json({ code: 10000 }), to("a", "b"), NOW), [
    { kind: "retry", alone: true },
    { kind: "retry", alone: true },
  ]);
  t.same(oppo.decode(app, json({ code: 0, data: { messageId: "m7" } }), to("r"), NOW), [
    { kind: "accepted", receipt: "m7" },
  ]);
  t.match(oppo.decode(app, json({ code: 0, data: [] }), to("a", "b"), NOW), [{ kind: "retry" }, { kind: "retry" }]);
});

const CHINA = "https://api.push.oppomobile.com";
const OVERSEAS = "https://api-intl.push.oppomobile.com";

t.test("a registration id says which host knows it, whatever the app's own region", async (t) => {
  const overseas = appOf(oppo, { ...ENTRY, region: "overseas" });
  const proxied = appOf(oppo, { ...ENTRY, base_url: "https://oppo.example.com" });
  const table: readonly (readonly [string, string])[] = [
    ["0123abcd", CHINA],
    ["CN_0123", CHINA],
    ["OPPO_CN_0123", CHINA],
    ["IN_0123", OVERSEAS],
    ["OPPO_IN_0123", OVERSEAS],
    ["CN_OPPO_0123", OVERSEAS],
    ["a_b_CN_0123", OVERSEAS],
  ];
  for (const [token, host] of table) {
    for (const own of [app, overseas]) {
      const home = oppo.home!(own, token);
      t.equal(new URL(oppo.encode(home, note(), to(token), "", NOW).url).origin, host, token);
      t.equal(home.account, `app-key@${host}`);
      t.equal(oppo.decode(home, json({ code: 10000, message: "Invalid" }), to(token), NOW)[0]?.kind, "gone");
    }
    t.equal(oppo.home!(proxied, token), proxied);
    t.equal(oppo.decode(proxied, json({ code: 10000, message: "Invalid" }), to(token), NOW)[0]?.kind, "gone");
  }
});

t.test("an app that is not known in the other region goes on in its own", async (t) => {
  const abroad = oppo.home!(app, "IN_0123");
  const login = (own: typeof app) => oppo.credential(own, NOW, async () => json({ code: 14, message: "no such app" }));
  t.ok((await caught(login(app))) instanceof Denied);
  t.match(await caught(login(abroad)), { message: /^oppo: login: 14 no such app; asked at .*api-intl/ });
  t.ok((await caught(login(abroad))) instanceof Unsendable);
  const answer = (own: typeof app, code: number) => oppo.decode(own, json({ code }), to("IN_0123"), NOW)[0]?.kind;
  t.equal(answer(app, 28), "denied");
  t.equal(answer(abroad, 28), "refused");
  t.equal(answer(abroad, 11), "denied", "the login is renewed");
});

t.test("one notification reaches both regions, each by its own host", async (t) => {
  const [home, abroad] = [fakeOppo(), fakeOppo()];
  const servers = await Promise.all([home, abroad].map((fake) => serving(t, fake)));
  const own = fakeApp(oppo, home, { base_url: servers[0]!.url });
  const split: typeof oppo = {
    ...oppo,
    batch: 2,
    home: (one, token) => {
      const baseUrl = servers[oppo.home!(app, token).baseUrl === CHINA ? 0 : 1]!.url;
      return { ...one, baseUrl, account: `${one.app_key}@${baseUrl}` };
    },
  };
  const sender = createVendor(split, [own], { ca: authority.ca });
  t.teardown(() => sender.close());
  abroad.tokens.set("IN_2", "dead");
  const outcomes = await sender.send(
    own.app,
    note({}, { acceptedAt: SERVED }),
    to("IN_1", "a", "IN_2", "b", "c"),
    SERVED,
  );
  t.match(outcomes, [
    { kind: "accepted" },
    { kind: "accepted" },
    { kind: "gone" },
    { kind: "accepted" },
    { kind: "accepted" },
  ]);
  t.same(home.shown.map(({ token }) => token).toSorted(), ["a", "b", "c"]);
  t.same(
    abroad.shown.map(({ token }) => token),
    ["IN_1"],
  );
  t.same([home.logins(), abroad.logins()], [1, 1]);
});

t.test("an answer that makes no sense is tried again, and never shows the secret", async (t) => {
  for (const reply of [
    { status: 200, headers: {}, body: "{" },
    json([]),
    json({}),
    json({ code: null }),
    json({ code: 0 }, 502),
  ]) {
    t.match(oppo.decode(app, reply, to("a", "b"), NOW), [{ kind: "retry" }, { kind: "retry" }], reply.body);
  }
  t.same(oppo.decode(app, json({ code: 14, message: "master?" }), to("r"), NOW), [
    { kind: "denied", reason: "14 ***?" },
  ]);
});

t.test("the entry's problems are listed together", async (t) => {
  t.same(problems(() => appOf(oppo, { app_key: "", region: "mars", notify_level: 3 })).toSorted(), [
    "oppo.app_key: must be ASCII text without spaces, not empty",
    "oppo.master_secret: is missing",
    "oppo.notify_level: must be one of 1, 2, 16",
    "oppo.package_name: is missing",
    "oppo.region: must be one of china, overseas",
  ]);
  t.same(
    problems(() => appOf(oppo, { ...ENTRY, notify_level: 2 })),
    ["oppo.notify_level: needs category"],
  );
});

t.test("the strict fake shows what it is sent, and asks for a login when told", async (t) => {
  const fake = fakeOppo();
  const lab = fakeApp(oppo, fake, { callback_url: "https://push.example.com/r", category: "IM", notify_level: 2 });
  fake.tokens.set("dead", "dead").set("blocked", "blocked");
  t.match(await send(oppo, fake, lab, note(), to("a", "dead", "blocked")), [
    { kind: "accepted", receipt: /^oppo-/ },
    { kind: "gone", reason: /^10000/ },
    { kind: "refused", reason: /^10001/ },
  ]);
  t.match(await send(oppo, fake, lab, note(), to("a")), [{ kind: "accepted" }], "a repetition");
  t.same(fake.shown, [{ vendor: "oppo", token: "a", title: "T", message: "m", payload: { abc: 123 }, id: "n1" }]);
  t.match(await send(oppo, fake, lab, note(), to("dead")), [{ kind: "gone" }]);
  t.match(await send(oppo, fake, lab, note(), to("blocked")), [{ kind: "refused" }]);
  const kinds = { quota: "paused", throttle: "retry", denied: "denied", busy: "retry", garbage: "retry" };
  for (const [kind, outcome] of Object.entries({ ...kinds, "expired-credential": "denied" })) {
    fake.fail(kind, 1);
    t.match(await send(oppo, fake, lab, note(), to("b")), [{ kind: outcome }], kind);
  }
  fake.fail("partial", 1);
  t.match(await send(oppo, fake, lab, note(), to("b", "c")), [{ kind: "accepted" }, { kind: "retry" }]);
  const late = oppo.encode(lab, note(), to("c"), "oppo-session-1", NOW);
  t.match(
    oppo.decode(lab, ask(fake, late, NOW + 90_000_000), to("c"), NOW),
    [{ kind: "denied", reason: /^11/ }],
    "after a day",
  );
  const wrong = fakeApp(oppo, fake, { master_secret: "other" });
  t.ok((await caught(send(oppo, fake, wrong, note(), to("a")))) instanceof Denied);
  const many = (count: number) => to(...Array.from({ length: count }, (_, i) => `t${i}`));
  t.ok((await send(oppo, fake, lab, note(), many(1000))).every((outcome) => outcome.kind === "accepted"));
  t.match((await send(oppo, fake, lab, note(), many(1001)))[0], { kind: "refused", reason: /1\.\.1000/ });
});

t.test(
  "one of a list that wants a new login gets it, one beyond the quota rests until midnight, the others are sent",
  async (t) => {
    const {
      fake,
      clock,
      send: ask,
    } = await stage(t, { dialect: oppo, fake: fakeOppo, token: (n) => `t${n}`, renews: true });
    t.match(await ask([1]), [{ kind: "accepted" }]);
    clock.now += 60_000;
    fake.fail("partial-login", 1);
    t.match(await ask([2, 3]), [{ kind: "accepted" }, { kind: "accepted" }]);
    t.equal((fake as FakeOppo).logins(), 2);
    t.same(
      fake.shown.map(({ token }) => token),
      ["t1", "t2", "t3"],
    );
    fake.fail("partial-quota", 1);
    t.match(await ask([4, 5]), [{ kind: "accepted" }, { kind: "paused", until: Date.UTC(2027, 0, 15, 16) }]);
  },
);

t.test("receipts tell of arrivals", async (t) => {
  const fake = fakeOppo();
  const lab = fakeApp(oppo, fake, { callback_url: "https://push.example.com/r" });
  await send(oppo, fake, lab, note(), to("a"));
  t.same(oppo.receipts?.(lab, fake.receipt("a", NOW)), [
    { receipt: "oppo-000001", token: "a", event: "arrived", notification: "n1", at: NOW },
  ]);
  const read = (body: string) => oppo.receipts?.(lab, { headers: {}, query: "", body });
  t.same(read('[{"messageId":"m","registrationIds":["a","b"],"eventType":"push_arrive"},{"eventType":"x"},7]'), [
    { receipt: "m", token: "a", event: "arrived" },
    { receipt: "m", token: "b", event: "arrived" },
  ]);
  t.throws(() => read("{}"), { code: "invalid" });
  t.throws(() => read("x"), { code: "invalid" });
});
