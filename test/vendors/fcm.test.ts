import t from "tap";
import { fakeFcm } from "../../src/lab/vendors/fcm.ts";
import { createVendor } from "../../src/vendors/client.ts";
import { fcm } from "../../src/vendors/fcm.ts";
import { authority, configured, conformance, NOW, notification, stage } from "./conformance.ts";

const conformity = { dialect: fcm, fake: fakeFcm, token: (n: number) => `fcm-token-${n}`, renews: true };

conformance(conformity);

const app = (more = {}) => configured(fcm, fakeFcm(), "https://lab", more);
const to = [{ token: "device:1", ref: "r" }];
const FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError";

t.test("a message is shown by Android, and read by the SDK from data.payload", (t) => {
  const request = fcm.encode(app({ channel_id: "orders" }), notification(), to, "access", NOW + 1500);
  t.equal(request.url, "https://lab/v1/projects/lab-project/messages:send");
  t.same(request.headers, { authorization: "Bearer access", "content-type": "application/json" });
  t.same(JSON.parse(String(request.body)), {
    message: {
      notification: { title: "Ann", body: "Hello, Bob" },
      data: {
        payload: '{"title":"Ann","message":"Hello, Bob","payload":{"order":7,"list":[1,"x"]},"id":"note0000001"}',
      },
      android: {
        priority: "HIGH",
        collapse_key: "note0000001",
        ttl: "3598s",
        notification: { tag: "note0000001", channel_id: "orders" },
      },
      token: "device:1",
    },
  });
  t.end();
});

t.test("fields of the configuration and of the notification are merged in, but never another token", (t) => {
  const note = notification({
    vendors: { fcm: { android: { priority: "NORMAL" }, token: "someone else", topic: "all" } },
  });
  const request = fcm.encode(app({ fields: { fcm_options: { analytics_label: "x" } } }), note, to, "", NOW);
  const { message } = JSON.parse(String(request.body)) as { message: Record<string, unknown> };
  t.match(message, {
    token: "device:1",
    fcm_options: { analytics_label: "x" },
    android: { priority: "NORMAL", ttl: "3600s" },
  });
  t.notMatch(request.body, /someone else|topic/, "a strict reader takes no name twice, and another the first");
  t.end();
});

t.test("data are texts, whatever is merged in", async (t) => {
  const data = { count: 7, on: true, none: null, nested: { a: [1, "x"] }, text: "as it is" };
  const texts = { count: "7", on: "true", none: "null", nested: '{"a":[1,"x"]}', text: "as it is" };
  const note = notification({ vendors: { fcm: { data, android: { data } } } });
  const request = fcm.encode(app({ fields: { data: { order: 1 } } }), note, to, "", NOW);
  const { message } = JSON.parse(String(request.body)) as { message: { data: object; android: { data: object } } };
  const { payload: _ours, ...merged } = message.data as Record<string, string>;
  t.strictSame(merged, { order: "1", ...texts });
  t.strictSame(message.android.data, texts);
  const { fake, send } = await stage(t, { dialect: fcm, fake: fakeFcm, token: () => "t", renews: true });
  t.match(await send([1], note), [{ kind: "accepted" }]);
  t.equal(fake.shown.length, 1);
});

t.test("the time to live is in seconds, at most 28 days", (t) => {
  const ttl = (timeToLive: number, now = NOW) =>
    /"ttl":"(\d+s)"/.exec(String(fcm.encode(app(), notification({}, { timeToLive }), to, "", now).body))?.[1];
  t.equal(ttl(1e12), "2419200s");
  t.equal(ttl(5000, NOW + 9000), "0s");
  t.end();
});

t.test("each answer of FCM's has one meaning", (t) => {
  const decoded = (status: number, body: unknown, headers = {}) =>
    fcm.decode(app(), { status, headers, body: typeof body === "string" ? body : JSON.stringify(body) }, to, NOW)[0];
  const error = (status: number, errorCode: string | undefined, text: string, more: readonly unknown[] = []) => ({
    error: {
      code: status,
      message: "m",
      status: text,
      details: [...(errorCode === undefined ? [] : [{ "@type": FCM_ERROR, errorCode }]), ...more],
    },
  });
  const violation = (field: string) => [
    { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field, description: "d" }] },
  ];
  t.same(decoded(200, { name: "projects/p/messages/1" }), { kind: "accepted", receipt: "projects/p/messages/1" });
  t.match(decoded(404, error(404, "UNREGISTERED", "NOT_FOUND")), { kind: "gone", reason: "404 UNREGISTERED m" });
  t.match(decoded(404, error(404, undefined, "UNREGISTERED")), { kind: "gone" }, "without FCM's own detail");
  t.match(decoded(404, error(404, undefined, "NOT_FOUND")), { kind: "denied" });
  t.match(decoded(404, "<html>404</html>"), { kind: "denied" });
  t.match(decoded(400, error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")), { kind: "refused" });
  const saying = (message: string, more: readonly unknown[] = []) => ({
    error: { code: 400, message, status: "INVALID_ARGUMENT", details: more },
  });
  const texts = ["The registration token is not a valid FCM registration token", "The registration token is not valid"];
  for (const text of texts) {
    t.match(decoded(400, saying(text)), { kind: "gone" }, text);
    t.match(decoded(400, saying(text, violation("message.data"))), { kind: "refused" }, "something else is at fault");
  }
  t.match(decoded(400, saying("Request contains an invalid argument.")), { kind: "refused" });
  t.match(decoded(400, error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", violation("message.token"))), {
    kind: "gone",
  });
  t.match(decoded(400, error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", violation("message.android.ttl"))), {
    kind: "refused",
  });
  t.match(decoded(403, error(403, "SENDER_ID_MISMATCH", "PERMISSION_DENIED")), { kind: "aside" });
  t.match(decoded(403, error(403, undefined, "PERMISSION_DENIED")), { kind: "denied" });
  t.match(decoded(401, error(401, "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED")), {
    kind: "apart",
    outcome: { kind: "retry", scope: "token" },
  });
  t.match(decoded(401, error(401, undefined, "UNAUTHENTICATED")), { kind: "denied" });
  const spent = error(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED");
  t.match(decoded(429, spent), { kind: "retry", after: 60_000 });
  t.match(decoded(429, spent, { "retry-after": "7" }), { kind: "retry", after: 7000 });
  t.match(decoded(429, spent, { "retry-after": new Date(NOW + 90_000).toUTCString() }), {
    kind: "retry",
    after: 90_000,
  });
  t.match(decoded(429, ""), { kind: "retry", after: 60_000 });
  t.match(decoded(503, error(503, "UNAVAILABLE", "UNAVAILABLE")), { kind: "retry", after: 10_000 });
  t.match(decoded(503, "<html>Service Unavailable</html>"), { kind: "retry", after: 10_000 });
  t.match(decoded(503, "", { "retry-after": "120" }), { kind: "retry", after: 120_000 });
  t.match(decoded(500, error(500, "INTERNAL", "INTERNAL")), { kind: "retry" });
  t.match(decoded(502, "<html>Bad Gateway</html>"), { kind: "retry" });
  t.end();
});

t.test("a token endpoint that refuses the account is told from one in trouble", async (t) => {
  const { fake, server, send, clock } = await stage(t, { dialect: fcm, fake: fakeFcm, token: () => "t", renews: true });
  const onToken = ({ path }: { path: string }) => path === "/token";
  server.misbehave({ match: onToken, fault: { kind: "reply", reply: { status: 503, body: "busy" } } });
  t.match(await send([1]), [{ kind: "retry", reason: "fcm: the token endpoint answered 503" }]);
  clock.now += 20_000;
  server.misbehave({
    match: onToken,
    fault: { kind: "reply", reply: { status: 400, body: '{"error":"invalid_grant"}' } },
  });
  t.match(await send([1]), [
    { kind: "denied", reason: /^fcm: the token endpoint refuses our credentials: 400 invalid_grant/ },
  ]);
  clock.now += 20_000;
  server.misbehave({
    match: onToken,
    fault: { kind: "reply", reply: { status: 200, body: '{"access_token":"a\\r\\nb","expires_in":3600}' } },
  });
  t.match(await send([1]), [{ kind: "retry" }], "and nothing it says gets into a header");
  clock.now += 20_000;
  t.match(await send([1]), [{ kind: "accepted" }]);
  fake.fail("expired-credential", 1);
  clock.now += 60_000;
  t.match(await send([1]), [{ kind: "accepted" }], "a token revoked early is renewed");
});

t.test("what Google asks for is how long it is left alone", async (t) => {
  const { fake, send } = await stage(t, { dialect: fcm, fake: fakeFcm, token: () => "t", renews: true });
  const failures: readonly (readonly [string, object])[] = [
    ["throttle", { kind: "retry", after: 30_000 }],
    ["throttle-date", { kind: "retry", after: 90_000 }],
    ["quota", { kind: "retry", after: 60_000 }],
    ["unavailable", { kind: "retry", after: 10_000 }],
    ["unavailable-after", { kind: "retry", after: 120_000 }],
    ["busy", { kind: "retry", after: 10_000 }],
  ];
  for (const [failure, outcome] of failures) {
    fake.fail(failure, 1);
    t.match(await send([1]), [outcome], failure);
  }
  fake.fail("forbidden", 2); // whether or not it is asked again with a new login
  t.match(await send([1]), [{ kind: "denied" }]);
});

t.test("F6: a token of another project is set aside, and asked about again with other credentials", async (t) => {
  const { fake, server, vendor: own, clock, send } = await stage(t, conformity);
  fake.tokens.set(conformity.token(1), "foreign");
  const [outcome] = await send([1]);
  t.match(outcome, { kind: "refused", reason: /^403 SENDER_ID_MISMATCH/, detour: /^none / });
  const detour = outcome?.kind === "refused" ? (outcome.detour ?? "") : "";
  const both = [
    { token: conformity.token(1), ref: "1", detour },
    { token: conformity.token(2), ref: "2" },
  ];
  const before = server.requests.length;
  t.match(await own.send(own.apps[0]!, notification(), both, clock.now), [
    { kind: "refused", reason: /set aside/, detour: undefined },
    { kind: "accepted", detour: undefined },
  ]);
  t.equal(server.requests.length, before + 1, "the first is not asked about");

  fake.tokens.clear();
  const entry = configured(fcm, fake, server.url);
  const changed = createVendor(fcm, [{ ...entry, identity: "another project's" }], { ca: authority.ca });
  t.teardown(() => changed.close());
  t.match(await changed.send(entry.app, notification(), both, clock.now), [
    { kind: "accepted", detour: "" },
    { kind: "accepted", detour: undefined },
  ]);
  t.not(app().identity, app({ project_id: "another" }).identity);
});

t.test("F7: bad credentials for Apple and browsers hold up their tokens, and none of Android's", async (t) => {
  const { fake, vendor: own, clock, send } = await stage(t, conformity);
  fake.tokens.set(conformity.token(1), "third-party");
  t.match(await send([1, 2]), [
    { kind: "retry", scope: "token", after: 60_000, reason: /^401 THIRD_PARTY_AUTH_ERROR/ },
    { kind: "accepted" },
  ]);
  t.match(own.stoppedWays?.(own.apps[0]!, clock.now), [
    { way: "Apple and web tokens of FCM", reason: /^401/, since: NOW },
  ]);
  clock.now += 2 * 3_600_000;
  t.same(own.stoppedWays?.(own.apps[0]!, clock.now), [], "nothing more was heard of it");
});

t.test("problems with the service account's file name the file", (t) => {
  const parse = (text: string) => () =>
    fcm.parse({ package_name: "a", service_account_file: "/fcm.json" }, () => text, NOW);
  t.throws(parse("{SECRET"), { message: "fcm.service_account_file: /fcm.json is not a JSON object" });
  t.throws(parse("{}"), { message: /^fcm\.service_account_file: \/fcm\.json: private_key, project_id, .* missing/ });
  const account = { project_id: "p", private_key_id: "k", client_email: "e", token_uri: "u", private_key: "SECRET" };
  t.throws(parse(JSON.stringify(account)), { message: /^fcm\.service_account_file: \/fcm\.json holds no private key/ });
  t.end();
});
