import t from "tap";
import { type FakeVivo, fakeVivo } from "../../src/lab/vendors/vivo.ts";
import { Denied } from "../../src/vendors/dialect.ts";
import { vivo } from "../../src/vendors/vivo.ts";
import { appOf, ask, caught, fakeApp, json, NOW, note, problems, send, to, worded } from "../support/vendor.ts";
import { conformance, notification, stage } from "./conformance.ts";

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
});

t.test("for several the message is stored without them, and its name sent with their list", async (t) => {
  const fields = { vendors: { vivo: { pushMode: 1, regId: "r9", notifyType: 1 } } };
  const store = vivo.preparing!.encode(app, note(fields), "tok", NOW);
  t.equal(store.url, "https://api-push.vivo.com.cn/message/saveListPayload");
  t.same(store.headers, { authtoken: "tok", "content-type": "application/json" });
  const stored = JSON.parse(String(store.body)) as Record<string, unknown>;
  const { regId: _regId, pushMode: _pushMode, requestId: _requestId, ...single } = body(note(fields));
  const { requestId, ...message } = stored;
  t.same(message, single, "the same message as for one");
  t.match(requestId, /^[0-9a-f]{64}$/);
  const decoded = (answer: unknown, status = 200) => vivo.preparing!.decode(app, json(answer, status), NOW);
  t.same(decoded({ result: 0, desc: "ok", taskId: 77 }), { kind: "prepared", name: "77" });
  t.match(decoded({ result: 10252, desc: "lists" }), { kind: "alone", until: Date.UTC(2026, 10, 23, 16) });
  t.match(decoded({ result: 10070 }), { kind: "paused" });
  t.match(decoded({ result: 10000 }), { kind: "denied" });
  t.match(decoded({ result: 10104 }), { kind: "refused" });
  for (const odd of [{ result: 0 }, {}, []]) t.match(decoded(odd), { kind: "retry" });
  t.match(decoded({ result: 0, taskId: "7" }, 500), { kind: "retry" });

  const list = vivo.encode(app, note(fields), to("r1", "r2"), "tok", NOW, "77");
  t.equal(list.url, "https://api-push.vivo.com.cn/message/pushToList");
  const sent = JSON.parse(String(list.body)) as Record<string, unknown>;
  t.same({ ...sent, requestId: "" }, { appId: 10004, regIds: ["r1", "r2"], taskId: "77", pushMode: 1, requestId: "" });
  const again = vivo.encode(app, note(fields), to("r2", "r1"), "tok", NOW + 5000, "77");
  t.match(JSON.parse(String(again.body)), { requestId: sent["requestId"] }, "the same list, however it is ordered");
  const other = vivo.encode(app, note(fields), to("r1", "r3"), "tok", NOW, "77");
  t.notMatch(JSON.parse(String(other.body)), { requestId: sent["requestId"] });
});

t.test("the answer to a list names those it is not for", async (t) => {
  const decoded = (answer: unknown) => vivo.decode(app, json(answer), to("a", "b", "c"), NOW, "77");
  t.same(decoded({ result: 0, desc: "ok" }), Array(3).fill({ kind: "accepted", receipt: "77" }));
  const users = (...list: readonly (readonly [string, number])[]) =>
    list.map(([userid, status]) => ({ userid, status }));
  t.match(decoded({ result: 0, invalidUsers: users(["a", 1], ["c", 3], ["x", 1]) }), [
    { kind: "gone", reason: "0 status 1" },
    { kind: "accepted" },
    { kind: "refused" },
  ]);
  t.match(decoded({ result: 0, invalidUsers: users(["a", 2], ["b", 4]) }), [{ kind: "gone" }, { kind: "refused" }]);
  t.match(decoded({ result: 0, invalidUser: { userid: "b", status: 1 } }), [
    { kind: "accepted" },
    { kind: "gone" },
    { kind: "accepted" },
  ]);
  const whole: Readonly<Record<string, readonly number[]>> = {
    denied: [10000, 10094],
    retry: [10040, 10072, 10302, 10054, 10252],
    paused: [10070, 10073],
    refused: [10104, 10085, 4711],
  };
  for (const [kind, codes] of Object.entries(whole))
    for (const result of codes) t.match(decoded({ result }), [{ kind }, { kind }, { kind }], `${result}`);
  for (const result of [10302, 10252])
    t.match(decoded({ result }), [{ alone: true }, { alone: true }, { alone: true }]);
});

const listing = { dialect: vivo, fake: () => fakeVivo(), token: (n: number) => `t${n}`, renews: true };
const range = (count: number, from = 0) => Array.from({ length: count }, (_, n) => n + from);

t.test("2,501 devices get a message that was stored once, in lists of 1,000 and the rest", async (t) => {
  const { fake, server, send } = await stage(t, listing);
  fake.tokens.set("t7", "dead").set("t1500", "inactive");
  const outcomes = await send(range(2501));
  t.equal(outcomes[7]?.kind, "gone");
  t.equal(outcomes[1500]?.kind, "refused");
  t.equal(outcomes.filter(({ kind }) => kind === "accepted").length, 2499);
  t.equal(fake.shown.length, 2499);
  const paths = server.requests.map(({ path }) => path).toSorted();
  t.same(paths, ["/message/auth", ...Array(3).fill("/message/pushToList"), "/message/saveListPayload"]);
  t.same(
    server.requests
      .filter(({ path }) => path === "/message/pushToList")
      .map((request) => (JSON.parse(request.body.toString()) as { regIds: unknown[] }).regIds.length)
      .toSorted((a, b) => b - a),
    [1000, 1000, 501],
  );
  t.match(await send([9001]), [{ kind: "accepted" }]);
  t.equal(server.requests.at(-1)?.path, "/message/send", "one alone needs no list");
});

t.test("another notification, though it has the same id, is stored anew; a late list as well", async (t) => {
  const { server, send, clock } = await stage(t, listing);
  const stored = () => server.requests.filter(({ path }) => path === "/message/saveListPayload").length;
  const first = notification({}, { acceptedAt: clock.now, timeToLive: 86_400_000 });
  await send([1, 2], first);
  await send([3, 4], first);
  t.equal(stored(), 1);
  await send([1, 2], { ...first, acceptedAt: clock.now + 1 });
  t.equal(stored(), 2);
  clock.now += 3_600_000;
  await send([5, 6], first);
  t.equal(stored(), 3);
});

t.test("a list whose answer is lost is sent again and shown once", async (t) => {
  const { fake, server, send } = await stage(t, listing);
  const toList = ({ path }: { path: string }) => path === "/message/pushToList";
  server.misbehave({ match: toList, fault: { kind: "cut" } });
  t.match(await send([1, 2]), [{ kind: "retry" }, { kind: "retry" }]);
  t.match(await send([1, 2]), [{ kind: "accepted" }, { kind: "accepted" }]);
  t.equal(fake.shown.length, 2);
});

t.test("a message that could not be stored is stored by the next list", async (t) => {
  const { fake, server, send, clock } = await stage(t, listing);
  fake.fail("throttle", 1);
  t.match(await send([1, 2]), [{ kind: "retry" }, { kind: "retry" }]);
  server.misbehave({ match: ({ path }) => path === "/message/saveListPayload", fault: { kind: "reset", code: 2 } });
  t.match(await send([1, 2]), [{ kind: "retry" }, { kind: "retry" }]);
  clock.now += 60_000;
  fake.fail("expired-credential", 1);
  t.match(await send([1, 2]), [{ kind: "accepted" }, { kind: "accepted" }], "with a new login");
  t.equal((fake as FakeVivo).logins(), 2);
});

t.test("when lists are spent vivo stores nothing more until midnight, and single devices are reached", async (t) => {
  const { fake, server, send, clock } = await stage(t, listing);
  fake.fail("list-quota", 1);
  t.match(await send([1, 2]), [
    { kind: "retry", alone: true, reason: /^10252/ },
    { kind: "retry", alone: true },
  ]);
  const asked = server.requests.length;
  t.match(await send([3, 4]), [{ alone: true }, { alone: true }]);
  t.equal(server.requests.length, asked, "nothing is asked");
  t.match(await send([1]), [{ kind: "accepted" }]);
  clock.now = Date.UTC(2027, 0, 15, 16);
  t.match(await send([1, 2]), [{ kind: "accepted" }, { kind: "accepted" }]);
  t.equal(server.requests.filter(({ path }) => path === "/message/pushToList").length, 1);
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
  t.throws(
    () => body(worded("推".repeat(21), "m")),
    /^vivo: android.title has 42 characters \(a Chinese one counts as two\), 40 allowed$/,
  );
  t.throws(() => body(worded("t", "x".repeat(101))), /android.message has 101 characters.*, 100 allowed/);
  const cut = body(worded("推".repeat(41), "😀".repeat(101)), { truncate: true });
  t.equal(cut["title"], `${"推".repeat(19)}…`, "F14: twenty Chinese characters");
  t.equal(cut["content"], `${"😀".repeat(49)}…`);
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

t.test("the strict fake takes lists of two or more, once each", async (t) => {
  const fake = fakeVivo();
  const lab = fakeApp(vivo, fake);
  const { value } = await vivo.credential(lab, NOW, async (request) => ask(fake, request));
  const prepared = vivo.preparing!.decode(lab, ask(fake, vivo.preparing!.encode(lab, note(), value, NOW)), NOW);
  t.same(prepared, { kind: "prepared", name: "700000001" });
  const list = (tokens: readonly string[], taskId = "700000001") => {
    const request = vivo.encode(lab, note(), to(...tokens), value, NOW, taskId);
    return vivo.decode(lab, ask(fake, request), to(...tokens), NOW, taskId);
  };
  t.match(list(["a"]), [{ kind: "refused", reason: /2\.\.1000/ }]);
  t.match(list(["a", "a"]), [{ kind: "refused", reason: /repeated/ }]);
  t.match(list(["a", "b"], "1"), [{ kind: "refused", reason: /taskId is unknown/ }]);
  fake.tokens.set("dead", "dead").set("uninstalled", "uninstalled").set("blocked", "blocked");
  const kinds = ["accepted", "gone", "gone", "refused"];
  for (let time = 0; time < 2; time++)
    t.same(
      list(["a", "dead", "uninstalled", "blocked"]).map(({ kind }) => kind),
      kinds,
    );
  t.same(
    fake.shown.map(({ token }) => token),
    ["a"],
  );
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
