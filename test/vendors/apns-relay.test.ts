// What a relay's answers mean, what it is asked, and how several stand in for each other.
import t from "tap";
import { apnsRelay } from "../../src/vendors/apns-relay.ts";
import { createVendor } from "../../src/vendors/client.ts";
import type { HttpReply } from "../../src/vendors/dialect.ts";
import { appOf, form, json, NOW, note, problems, to } from "../support/vendor.ts";
import { authority } from "./conformance.ts";
import { appAt, kinds, plain, providing, recipients, serving } from "./plain.ts";

const entry = { bundle_id: "com.example.app", relays: ["https://a.test:11001/", "https://b.test"] };
const app = appOf(apnsRelay, { ...entry, relay_key: "s3cret-s3cret" });
const apn = { apn: { alert: "m" } };
const decode = (reply: HttpReply, ...tokens: readonly string[]) => apnsRelay.decode(app, reply, to(...tokens), NOW);
const answered = (answers: readonly { readonly kind: string }[]) => answers.map(({ kind }) => kind);
const said = (fields: object) => json({ id: "n1", bundleId: "com.example.app", code: "success", ...fields });

t.test("one form holds what is Apple's of the notification, the tokens and the time that is left", (t) => {
  const content = { ...apn, vendors: { apns: { aps: { badge: 1 } }, xiaomi: { channel_id: "1" } } };
  const request = apnsRelay.encode(app, note(content, { acceptedAt: NOW - 600_000 }), to("aa", "bb"), "", NOW);
  t.match(request, {
    method: "POST",
    url: "https://a.test:11001/api/apn",
    headers: { authorization: "Bearer s3cret-s3cret", "content-type": /^application\/x-www-form-urlencoded/ },
  });
  const { notification, ...rest } = form(request);
  t.same(rest, { bundleId: "com.example.app", tokens: '["aa","bb"]', timeToLive: "3000000" });
  t.same(JSON.parse(notification!), {
    id: "n1",
    apn: { alert: "m" },
    android: { payload: { abc: 123 } },
    vendors: { apns: { aps: { badge: 1 } } },
  });
  t.notOk("authorization" in apnsRelay.encode(appOf(apnsRelay, entry), note(content), to("aa"), "", NOW).headers);
  const many = Array.from({ length: 1000 }, (_, n) => n.toString(16).padStart(64, "0"));
  const full = apnsRelay.encode(app, note(apn), to(...many), "", NOW);
  t.ok(String(full.body).length < 90_000, "the first relays take no more than 100 KB");
  t.end();
});

t.test("a token that is none costs the others nothing and is not sent", (t) => {
  const request = apnsRelay.encode(app, note(apn), to("aa", "no token", "bb"), "", NOW);
  t.equal(form(request)["tokens"], '["aa","bb"]');
  t.same(answered(decode(said({ success: 1, total: 2, errorTokens: ["aa"] }), "aa", "no token", "bb")), [
    "gone",
    "refused",
    "accepted",
  ]);
  t.throws(() => apnsRelay.encode(app, note(apn), to("x"), "", NOW), /the token is not hexadecimal/);
  t.throws(() => apnsRelay.encode(app, note(), to("aa"), "", NOW), /apn is missing/);
  t.end();
});

t.test("what the relay's figures mean for each token", (t) => {
  t.same(decode(said({ success: 2, total: 2, errorTokens: [] }), "aa", "bb"), [
    { kind: "accepted" },
    { kind: "accepted" },
  ]);
  t.match(decode(said({ success: 1, total: 3, errorTokens: ["bb"] }), "aa", "bb", "cc"), [
    { kind: "retry", alone: true, reason: "relay: Apple took 1 of 2, not said which" },
    { kind: "gone" },
    { kind: "retry", alone: true },
  ]);
  const [single] = decode(said({ success: 0, total: 1, errorTokens: [] }), "aa");
  t.same(single, { kind: "retry", reason: "relay: Apple took 0 of 1, not said which" });
  t.match(
    decode(
      said({
        success: 1,
        errorTokens: ["bb"],
        refusedTokens: ["cc"],
        retryTokens: ["dd"],
        reason: "413 PayloadTooLarge",
      }),
      "aa",
      "bb",
      "cc",
      "dd",
    ),
    [
      { kind: "accepted" },
      { kind: "gone" },
      { kind: "refused", reason: "relay: 413 PayloadTooLarge" },
      { kind: "retry", alone: undefined },
    ],
    "a relay that says what became of each needs no second request",
  );
  t.end();
});

t.test("what other answers mean, and that none of them shows the key", (t) => {
  const error = (message: string, status: number) => json({ code: "error", message }, status);
  const cases: readonly (readonly [HttpReply, object])[] = [
    [
      said({ success: 0, msg: "bundleId not supported" }),
      { kind: "elsewhere", outcome: { kind: "denied", reason: /bundleId not supported/ } },
    ],
    [
      error("apiAuth check fail for s3cret-s3cret", 401),
      { kind: "elsewhere", outcome: { kind: "denied", reason: /401 apiAuth check fail for \*\*\*/ } },
    ],
    [
      { status: 404, headers: {}, body: "<html>" },
      { kind: "elsewhere", outcome: { kind: "denied" } },
    ],
    [error("notification is nested deeper than 64 levels", 400), { kind: "retry", alone: true }],
    [
      { status: 413, headers: {}, body: "" },
      { kind: "retry", alone: true },
    ],
    [
      { status: 502, headers: { "retry-after": "7" }, body: "<html>" },
      { kind: "elsewhere", outcome: { kind: "retry", after: 7000 } },
    ],
    [
      { status: 429, headers: { "retry-after": "7" }, body: "" },
      { kind: "retry", after: 7000 },
    ],
    [{ status: 200, headers: {}, body: "<html>Welcome to our hotel" }, { kind: "retry" }],
    [said({}), { kind: "retry" }],
    [said({ success: "2" }), { kind: "retry" }],
    [said({ success: 0, msg: "tokens empty" }), { kind: "retry", alone: true }],
  ];
  for (const [reply, expected] of cases) {
    const answers = decode(reply, "aa", "bb");
    t.match(answers, [expected, expected], JSON.stringify(reply));
    t.notMatch(JSON.stringify(answers), /s3cret/);
  }
  t.equal(decode(error("notification format error", 400), "aa")[0]?.kind, "refused", "alone it is its own fault");
  t.end();
});

t.test("an entry names its mistakes", (t) => {
  t.same(
    problems(() => appOf(apnsRelay, { bundle_id: "a", relays: [] })),
    ["apns.relays: is empty"],
  );
  t.same(
    problems(() => appOf(apnsRelay, { bundle_id: "a", relays: "https://a.test" })),
    ["apns.relays: must be a list"],
  );
  t.same(
    problems(() => appOf(apnsRelay, { relays: ["ftp://a", "https://me:hunter2@a"], relay_key: "a b" })),
    [
      "apns.bundle_id: is missing",
      "apns.relays.0: must be a URL like https://host",
      "apns.relays.1: must be a URL like https://host",
      "apns.relay_key: must be ASCII text without spaces, not empty",
    ],
  );
  t.same(
    problems(() => appOf(apnsRelay, { bundle_id: "a", relays: ["https://a", "https://a/"] })),
    ["apns.relays: names one twice"],
  );
  t.end();
});

t.test(
  "servers that stand in for each other take turns; one in trouble is passed over, once per request",
  async (t) => {
    const servers = [await serving(t), await serving(t), await serving(t)];
    const urls = servers.map(({ url }) => url);
    const dialect = {
      ...plain({ timeout: 3000 }),
      peers: () => urls.map((url) => appAt(url, "a", url)) as [ReturnType<typeof appAt>],
      decode: (...[, { status }, all]: Parameters<ReturnType<typeof plain>["decode"]>) =>
        all.map(() =>
          status < 500
            ? ({ kind: "accepted" } as const)
            : ({ kind: "elsewhere", outcome: { kind: "retry", reason: `status ${status}` } } as const),
        ),
    };
    const own = providing(t, dialect, [appAt(urls[0]!)]);
    const send = async (count: number) => {
      const outcomes = [];
      for (let n = 0; n < count; n++) outcomes.push(...(await own.send("a", note(), recipients(1), NOW)));
      return outcomes;
    };
    const asked = () => servers.map(({ requests }) => requests.length);
    t.same(kinds(await send(6)), Array(6).fill("accepted"));
    t.same(asked(), [2, 2, 2]);

    servers[0]!.misbehave({ times: 2, fault: { kind: "reply", reply: { status: 503 } } });
    servers[1]!.misbehave({ times: 1, fault: { kind: "never" } });
    t.same(kinds(await send(1)), ["accepted"]);
    t.same(asked(), [3, 3, 3], "two were in trouble, the third did it");

    for (const server of servers) server.misbehave({ fault: { kind: "reply", reply: { status: 500 } } });
    const before = asked();
    t.match(await send(1), [{ kind: "retry", reason: /^status 50/ }]);
    t.same(
      asked(),
      before.map((count) => count + 1),
      "each once",
    );

    const all = await Promise.all(servers.map((server) => server.close()));
    t.equal(all.length, 3);
    t.match(await send(1), [{ kind: "retry", reason: /^plain: unknown: 127\.0\.0\.1:\d+: / }], "it says which");
  },
);

t.test("a relay that knows neither our key nor the app is passed over; the lane stops when none does", async (t) => {
  const servers = [await serving(t), await serving(t)];
  const urls = servers.map(({ url }) => url);
  const relayed = appOf(apnsRelay, { bundle_id: "com.example.app", relays: urls });
  const own = createVendor(apnsRelay, [relayed], { ca: authority.ca });
  t.teardown(() => own.close());
  const send = () => own.send("com.example.app", note(apn), to("aa", "bb"), NOW);
  const answer = (n: number, status: number, fields: object) =>
    servers[n]!.misbehave({ fault: { kind: "reply", reply: { status, body: JSON.stringify(fields) } } });
  const taken = { code: "success", success: 2, total: 2, errorTokens: [] };
  const unknown = { code: "success", success: 0, msg: "bundleId not supported" };
  const wrongKey = { code: "error", message: "apiAuth check fail" };

  answer(0, 401, wrongKey);
  answer(1, 200, taken);
  t.same(kinds(await send()), ["accepted", "accepted"]);
  answer(1, 200, unknown);
  answer(0, 200, taken);
  t.same(kinds(await send()), ["accepted", "accepted"]);
  answer(0, 503, {});
  answer(1, 401, wrongKey);
  t.same(kinds(await send()), ["retry", "retry"], "the one in trouble may know it");
  answer(0, 401, wrongKey);
  answer(1, 200, unknown);
  t.same(kinds(await send()), ["denied", "denied"]);
  t.same(
    servers.map(({ requests }) => requests.length),
    [4, 4],
  );
});
