import { createHash, createHmac } from "node:crypto";
import t from "tap";
import { Suspects } from "../../src/core/suspects.ts";
import type { FakeVendor } from "../../src/lab/fake.ts";
import { fakeHonor } from "../../src/lab/vendors/honor.ts";
import { extraOf, fakeHarmony, fakeHuawei } from "../../src/lab/vendors/huawei.ts";
import type { CommonApp, Dialect } from "../../src/vendors/dialect.ts";
import { honor } from "../../src/vendors/honor.ts";
import { harmony, huawei } from "../../src/vendors/huawei.ts";
import { configured, conformance, NOW, notification, stage } from "./conformance.ts";

conformance({ dialect: huawei, fake: fakeHuawei, token: (n) => `huawei-token-${n}`, renews: true });
conformance({ dialect: harmony, fake: fakeHarmony, token: (n) => `harmony-token-${n}`, renews: true });

const android = (more = {}) => configured(huawei, fakeHuawei(), "https://lab", more);
const next = (more = {}) => configured(harmony, fakeHarmony(), "https://lab", more);
const to = ["a", "b", "c"].map((token) => ({ token, ref: token }));
const customize = ["note0000001", { title: "Ann", message: "Hello, Bob", payload: { order: 7, list: [1, "x"] } }];

t.test("v1 gets a notification whose click hands the pair over", (t) => {
  const request = huawei.encode(android({ channel_id: "ch", category: "IM" }), notification(), to, "to/k+en", NOW);
  t.equal(request.url, "https://lab/v1/10086001/messages:send");
  t.equal(request.headers["authorization"], "Bearer to/k+en");
  const { message } = JSON.parse(String(request.body)) as {
    message: { android: { notification: Record<string, unknown> } };
  };
  const { click_action: click, ...shown } = message.android.notification;
  t.match(message, { token: ["a", "b", "c"], android: { ttl: "3600s", category: "IM", bi_tag: "note0000001" } });
  t.same(shown, { title: "Ann", body: "Hello, Bob", notify_id: 1355057663, channel_id: "ch" });
  const { type, intent } = click as { type: number; intent: string };
  t.equal(type, 1);
  t.match(
    intent,
    /^intent:#Intent;action=android.intent.action.MAIN;.*;package=com.example.lab;S.customize=[^;]+;end$/,
  );
  t.same(extraOf(intent), customize);
  t.end();
});

t.test("v3 gets the same pair as an object", (t) => {
  const request = harmony.encode(next({ category: "WORK" }), notification(), to, "jwt", NOW);
  t.equal(request.url, "https://lab/v3/388421841222/messages:send");
  t.match(request.headers, { authorization: "Bearer jwt", "push-type": "0" });
  t.same(JSON.parse(String(request.body)), {
    payload: {
      notification: {
        category: "WORK",
        title: "Ann",
        body: "Hello, Bob",
        clickAction: { actionType: 0, data: { customize } },
        notifyId: 1355057663,
        appMessageId: createHash("sha256").update(`note0000001 ${NOW}`).digest("hex"),
      },
    },
    pushOptions: { ttl: 3600, biTag: "note0000001" },
    target: { token: ["a", "b", "c"] },
  });
  t.end();
});

t.test("nothing that is merged in changes who gets it", (t) => {
  const vendors = { huawei: { token: ["x"], android: { urgency: "HIGH" } }, harmony: { target: { token: ["x"] } } };
  const note = notification({ vendors });
  const v1 = JSON.parse(String(huawei.encode(android(), note, to, "", NOW).body));
  t.match(v1, { message: { token: ["a", "b", "c"], android: { urgency: "HIGH", ttl: "3600s" } } });
  t.match(JSON.parse(String(harmony.encode(next(), note, to, "", NOW).body)), { target: { token: ["a", "b", "c"] } });
  t.end();
});

t.test("the time to live is at most 15 days, and ten minutes for the connected only", (t) => {
  const ttl = (timeToLive: number) => {
    const body = String(harmony.encode(next(), notification({}, { timeToLive }), to, "", NOW).body);
    return Number(/"ttl":(\d+)/.exec(body)?.[1]);
  };
  t.equal(ttl(1e12), 1_296_000);
  t.equal(ttl(0), 600);
  t.end();
});

const TOMORROW = Date.UTC(2027, 0, 15, 16);

t.test("F14: 4096 bytes are those of the whole body but for the tokens", async (t) => {
  const note = notification({ android: { title: "T", message: "x".repeat(5000), payload: {} } });
  function check<App extends CommonApp>(dialect: Dialect<App>, fake: FakeVendor): void {
    const own = configured(dialect, fake, "https://lab", { truncate: true });
    const body = String(dialect.encode(own, note, [{ token: "t", ref: "r" }], "c", NOW).body);
    const size = Buffer.byteLength(body.replace('["t"]', "[]"));
    t.ok(size <= 4096 && size > 4090, `${dialect.name}: ${size} bytes`);
  }
  check(huawei, fakeHuawei());
  check(harmony, fakeHarmony());
  check(honor, fakeHonor());
});

t.test("each answer of Huawei's has one meaning for each version", (t) => {
  const both: readonly (readonly [string, string])[] = [
    ["80000000", "accepted"],
    ["80100001", "refused"],
    ["80100003", "refused"],
    ["80100016", "refused"],
    ["80100017", "retry"],
    ["80200001", "denied"],
    ["80200003", "denied"],
    ["80200005", "denied"],
    ["80300002", "denied"],
    ["80300008", "refused"],
    ["80300010", "refused"],
    ["80300029", "paused"],
    ["80300037", "paused"],
    ["80600003", "retry"],
    ["81000001", "retry"],
    ["99999999", "retry"],
  ];
  const reply = (status: number, body: unknown) => ({
    status,
    headers: {},
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const v1 = (code: string, msg = "m", status = 200) =>
    huawei.decode(android(), reply(status, { code, msg, requestId: "q" }), to, NOW);
  const v3 = (code: string, msg = "m", status = 200) =>
    harmony.decode(next(), reply(status, { code, msg, requestId: "q" }), to, NOW);
  for (const [code, kind] of both) {
    t.match(v1(code), [{ kind }, { kind }, { kind }], code);
    t.match(v3(code), [{ kind }, { kind }, { kind }], code);
  }
  t.match(v1("80000000")[0], { receipt: "q" });
  t.match(v1("80300029")[0], { until: TOMORROW });

  const partial = JSON.stringify({ success: 2, failure: 1, illegal_tokens: ["b"] });
  t.match(v1("80100000", partial), [{ kind: "accepted" }, { kind: "gone" }, { kind: "accepted" }]);
  t.match(v3("80100000", partial), [{ kind: "accepted" }, { kind: "gone" }, { kind: "accepted" }]);
  const why = JSON.stringify({ success: 2, failure: 1, illegal_tokens: ["b"], reason: "noPushTypeRight" });
  t.match(v3("80100000", why), [{ kind: "accepted" }, { kind: "refused" }, { kind: "accepted" }]);
  t.match(v1("80100000", "not json"), [{ kind: "retry" }, { kind: "retry" }, { kind: "retry" }]);

  const saying = (token: string, reason: string) =>
    JSON.stringify({ success: 1, failure: 1, illegal_tokens: [token], reason });
  const long = { token: "b".repeat(130), ref: "long" };
  const longest = (code: string, reason: string) =>
    harmony.decode(next(), reply(200, { code, msg: saying(long.token, reason) }), [long, to[0]!], NOW);
  t.match(longest("80100000", "noPushTypeRight"), [
    { kind: "refused", reason: /noPushTypeRight/ },
    { kind: "accepted" },
  ]);
  t.match(longest("80100000", "tokenFormatError")[0], { kind: "gone" });
  t.match(longest("80300007", "noPushTypeRight")[0], { kind: "denied", reason: /noPushTypeRight/ });
  t.match(longest("80300007", "tokenFormatError")[0], { kind: "gone" });
  t.match(longest("80300007", "noRight,tokenFormatError")[0], { kind: "denied" }, "nothing in doubt costs a token");
  const named = { token: "tokenFormatError", ref: "n" };
  const unnamed = reply(200, { code: "80300007", msg: JSON.stringify({ illegal_tokens: [named.token] }) });
  t.match(harmony.decode(next(), unnamed, [named], NOW)[0], { kind: "refused" }, "a token's name is no reason");

  t.match(v1("80300007")[0], { kind: "gone" });
  t.match(v3("80300007")[0], { kind: "refused", suspect: { from: TOMORROW } }, "no reason, no deletion today");
  t.match(v3("80300007", '{"reason":"tokenFormatError"}')[0], { kind: "gone" });
  t.match(v3("80300007", '{"reason":"noPushTypeRight"}')[0], { kind: "denied" });
  t.match(v3("80300007", '{"reason":"disableSendHuaweiMsgBecauseOfPenalty"}')[0], { kind: "paused" });

  t.match(huawei.decode(android(), reply(503, ""), to, NOW)[0], { kind: "retry" });
  t.match(huawei.decode(android(), reply(401, ""), to, NOW)[0], { kind: "denied" });
  t.match(huawei.decode(android(), reply(404, "<html>"), to, NOW)[0], { kind: "denied" });
  t.end();
});

t.test("a right that is missing stops the lane and deletes nobody", async (t) => {
  const { fake, send } = await stage(t, { dialect: harmony, fake: fakeHarmony, token: (n) => `t${n}`, renews: true });
  fake.fail("no-right", 2);
  t.match(await send([1]), [{ kind: "denied" }]);
  const token = (n: number) => `${n}`.padEnd(130, "t");
  const other = await stage(t, { dialect: harmony, fake: fakeHarmony, token, renews: true });
  other.fake.tokens.set(token(2), "unentitled");
  t.match(await other.send([1, 2]), [{ kind: "accepted" }, { kind: "refused", reason: /noPushTypeRight/ }]);
  t.match(await other.send([2]), [{ kind: "denied" }]);
});

t.test("a token that is invalid for no reason given is dead when it is so on another day", async (t) => {
  const { fake, send, clock } = await stage(t, {
    dialect: harmony,
    fake: fakeHarmony,
    token: (n) => `t${n}`,
    renews: true,
  });
  const suspects = new Suspects();
  const said = async () => suspects.judge("t1", (await send([1]))[0]!, clock.now);
  fake.tokens.set("t1", "unexplained");
  t.match(await said(), { kind: "refused", reason: /^80300007/ });
  clock.now += 3_600_000;
  t.match(await said(), { kind: "refused" }, "the same day");
  clock.now = TOMORROW;
  t.match(await said(), { kind: "gone", reason: /^80300007.*, again$/ });
});

t.test("a notification's own fields name no other recipient", async (t) => {
  const v1 = await stage(t, { dialect: huawei, fake: fakeHuawei, token: (n) => `t${n}`, renews: true });
  const v3 = await stage(t, { dialect: harmony, fake: fakeHarmony, token: (n) => `t${n}`, renews: true });
  const note = notification({
    vendors: { huawei: { token: ["other"], topic: "other" }, harmony: { target: { token: ["other"] } } },
  });
  for (const { fake, server, send } of [v1, v3]) {
    t.match(await send([1], note), [{ kind: "accepted" }]);
    t.same(
      fake.shown.map(({ token }) => token),
      ["t1"],
    );
    t.notMatch(String(server.requests.at(-1)?.body), "other");
  }
});

t.test("a tap may lead elsewhere, as the notification's own fields say", async (t) => {
  const v1 = await stage(t, { dialect: huawei, fake: fakeHuawei, token: (n) => `t${n}`, renews: true });
  const v3 = await stage(t, { dialect: harmony, fake: fakeHarmony, token: (n) => `t${n}`, renews: true });
  const click = (click_action: object) =>
    notification({ vendors: { huawei: { android: { notification: { click_action } } } } });
  const taps = {
    web: { type: 2, url: "https://example.com" },
    app: { type: 3 },
    neither: { type: 2, url: "http://x" },
  };
  t.match(await v1.send([1], click(taps.web)), [{ kind: "accepted" }]);
  t.match(await v1.send([1], click(taps.app)), [{ kind: "accepted" }]);
  t.match(await v1.send([1], click(taps.neither)), [{ kind: "refused", reason: /url is not https/ }]);
  const clickAction = { actionType: 1, uri: "https://example.com" };
  const page = notification({ vendors: { harmony: { payload: { notification: { clickAction } } } } });
  t.match(await v3.send([1], page), [{ kind: "accepted" }]);
});

t.test("a repeated request is shown once, another notification with the same id again", async (t) => {
  const { fake, send } = await stage(t, { dialect: harmony, fake: fakeHarmony, token: (n) => `t${n}`, renews: true });
  const first = notification();
  for (const note of [first, first, notification({}, { acceptedAt: NOW + 60_000 })])
    t.match(await send([1], note), [{ kind: "accepted" }]);
  t.equal(fake.shown.length, 2);
});

t.test("receipts of both kinds, signed", (t) => {
  const body = JSON.stringify({
    statuses: [
      { token: "a", requestId: "q", biTag: "n1", deliveryStatus: { result: 0, timestamp: 1_700_000_000_000 } },
      { token: "b", requestId: "q", deliveryStatus: { result: 2 } },
      { token: "c", requestId: "q", deliveryStatus: { result: 27 } },
      { token: "d", status: 6, timestamp: 1_700_000_000_001 },
      "nonsense",
    ],
  });
  const value = createHmac("sha256", "key").update("1700nonceme").digest("base64");
  const header = `timestamp=1700;nonce=nonce;value=${value}`;
  const app = android({ callback_secret: "key", callback_user: "me" });
  const receipts = (id: string) => huawei.receipts!(app, { headers: { "x-huawei-callback-id": id }, query: "", body });
  t.same(receipts(header), [
    { event: "arrived", receipt: "q", token: "a", notification: "n1", at: 1_700_000_000_000 },
    { event: "gone", receipt: "q", token: "b" },
    { event: "suppressed", token: "d", at: 1_700_000_000_001 },
  ]);
  t.throws(() => receipts(header.replace("1700;", "1701;")), { code: "denied" });
  t.throws(() => receipts(""), { code: "denied" });
  t.throws(() => harmony.receipts!(next(), { headers: {}, query: "", body: "[]" }), { code: "invalid" });
  t.end();
});
