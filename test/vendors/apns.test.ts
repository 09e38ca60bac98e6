import { generateKeyPairSync } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Notification } from "../../src/core/notification.ts";
import type { Outcome } from "../../src/core/vendor.ts";
import type { FakeRequest } from "../../src/lab/fake.ts";
import { serve } from "../../src/lab/server.ts";
import { fakeApns } from "../../src/lab/vendors/apns.ts";
import { type ApnsApp, apns } from "../../src/vendors/apns.ts";
import { createVendor } from "../../src/vendors/client.ts";
import { Signatures } from "../../src/vendors/signatures.ts";
import {
  authority,
  type Conformity,
  configured,
  conformance,
  NOW,
  notification,
  type Stage,
  stage,
} from "./conformance.ts";
import { certificate } from "./plain.ts";

const token = (n: number) => n.toString(16).padStart(64, "0");
const conformity: Conformity<ApnsApp> = {
  dialect: apns,
  fake: () => fakeApns(),
  token,
  renews: false,
  streams: { first: 1, full: 500 },
};

conformance(conformity);

const app = (more: Readonly<Record<string, unknown>> = {}) => configured(apns, fakeApns(), "https://lab", more);
const to = [{ token: "AB12", ref: "delivery-1" }];
const encoded = (note: Notification, more = {}) => {
  const request = apns.encode(app(more), note, to, "jwt", NOW);
  return { ...request, payload: JSON.parse(String(request.body)) as Record<string, unknown> };
};

t.test("an alert is sent as Apple wants it", (t) => {
  const { method, url, headers, payload } = encoded(notification());
  t.equal(method, "POST");
  t.equal(url, "https://lab/3/device/ab12");
  t.same(headers, {
    "apns-topic": "com.example.lab",
    "apns-push-type": "alert",
    "apns-priority": "10",
    "apns-expiration": String((NOW + 3_600_000) / 1000),
    "apns-collapse-id": "note0000001",
    "apns-id": headers["apns-id"],
    authorization: "bearer jwt",
  });
  t.match(headers["apns-id"], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(headers["apns-id"], encoded(notification()).headers["apns-id"], "the same at every try");
  t.same(payload, {
    order: 7,
    list: [1, "x"],
    noti: { id: "note0000001" },
    aps: { alert: { title: "Ann", body: "Hello, Bob" }, sound: "default", badge: 0 },
  });
  t.end();
});

t.test("what apn says becomes aps", (t) => {
  const android = { payload: { aps: "mine", noti: "mine too" } };
  const aps = (apn: Record<string, unknown>) => encoded(notification({ android, apn })).payload["aps"];
  t.same(aps({ alert: "m" }), { alert: "m", sound: "default" });
  t.same(aps({ alert: "m", sound: "bell.caf" }), { alert: "m", sound: "bell.caf" });
  t.same(aps({ badge: 0 }), { badge: 0 }, "a badge alone makes no sound");
  t.same(aps({ badge: 3, sound: "bell.caf" }), { badge: 3 }, "nor with a sound, which is an alert's");
  t.same(aps({ sound: "bell.caf" }), { "content-available": 1 });
  t.same(aps({ badge: "0" }), { badge: 0 }, "as a form has it");
  t.same(aps({ badge: "+1" }), { "content-available": 1 });
  t.same(aps({ alert: "m", "thread-id": "x", category: "c" }), {
    alert: "m",
    sound: "default",
    "thread-id": "x",
    category: "c",
  });
  t.same(aps({}), { "content-available": 1 });
  const silent = encoded(notification({ android, apn: { "content-available": 1 } }));
  t.match(silent.headers, { "apns-push-type": "background", "apns-priority": "5" });
  t.same(silent.payload, { noti: { id: "note0000001" }, aps: { "content-available": 1 } });
  t.throws(() => encoded({ ...notification(), content: { android } }), { message: /^apns: nothing to show/ });
  t.end();
});

t.test("a notification may add fields and headers that this server knows nothing of", (t) => {
  const own = {
    aps: { "relevance-score": 1 },
    headers: { "apns-push-type": "voip", "apns-topic": "com.example.lab.voip" },
  };
  const { headers, payload } = encoded(notification({ vendors: { apns: own } }));
  t.match(headers, own.headers);
  t.match(payload["aps"], { "relevance-score": 1, badge: 0 });
  const forged = notification({ vendors: { apns: { headers: { authorization: "x" } } } });
  t.throws(() => encoded(forged), { message: /authorization is not a header/ });
  t.match(encoded(notification(), { fields: { aps: { category: "c" } } }).payload["aps"], { category: "c" });
  t.end();
});

t.test("times and ids keep within Apple's bounds", (t) => {
  const expiration = (more: Partial<Notification>) =>
    Number(encoded(notification({}, more)).headers["apns-expiration"]);
  t.equal(expiration({ timeToLive: 0 }), NOW / 1000 + 600, "for the connected only: ten minutes");
  t.equal(expiration({ timeToLive: 1e12 }), NOW / 1000 + 30 * 86_400);
  const long = encoded(notification({}, { id: "é".repeat(40) }));
  t.equal(long.headers["apns-collapse-id"]?.length, 43);
  t.throws(() => apns.encode(app(), notification(), [{ token: "../x", ref: "r" }], "", NOW), {
    message: /hexadecimal/,
  });
  t.end();
});

t.test("a text that is too long is cut between code points, where configured", (t) => {
  const note = notification({ apn: { alert: { title: "T", body: "🙂".repeat(2000) } } });
  const { body, payload } = encoded(note, { truncate: true });
  t.ok(Buffer.byteLength(String(body)) <= 4096);
  t.ok(Buffer.byteLength(String(body)) > 4080);
  t.match(payload["aps"], { alert: { title: "T", body: /^(🙂)+…$/u } });
  t.throws(() => encoded(note), { message: /^apns: .* 8\d\d\d bytes, 4096 allowed/ });
  t.end();
});

t.test("each answer of Apple's has one meaning", (t) => {
  const table: readonly (readonly [number, string, string])[] = [
    [400, "BadTopic", "denied"],
    [400, "TopicDisallowed", "denied"],
    [400, "MissingTopic", "denied"],
    [400, "BadCollapseId", "refused"],
    [400, "BadExpirationDate", "refused"],
    [400, "PayloadEmpty", "refused"],
    [400, "IdleTimeout", "leave"],
    [403, "InvalidProviderToken", "denied"],
    [403, "Forbidden", "denied"],
    [404, "BadPath", "refused"],
    [405, "MethodNotAllowed", "refused"],
    [410, "Unregistered", "gone"],
    [410, "ExpiredToken", "gone"],
    [413, "PayloadTooLarge", "refused"],
    [429, "TooManyRequests", "retry"],
    [429, "TooManyProviderTokenUpdates", "paused"],
    [500, "InternalServerError", "retry"],
    [503, "ServiceUnavailable", "retry"],
    [503, "Shutdown", "leave"],
    [418, "SomethingNew", "retry"],
  ];
  const decoded = (status: number, body: unknown, headers = {}) =>
    apns.decode(app(), { status, headers, body: JSON.stringify(body) }, to, NOW)[0];
  for (const [status, reason, kind] of table) {
    const outcome = { kind: kind === "leave" ? "retry" : kind, reason: `${status} ${reason}` };
    t.match(decoded(status, { reason }), kind === "leave" ? { kind, outcome } : outcome);
  }
  for (const body of ["", "{}"])
    t.same(apns.decode(app(), { status: 200, headers: { "apns-id": "a" }, body }, to, NOW), [
      { kind: "accepted", receipt: "a" },
    ]);
  t.match(decoded(200, { reason: "SomethingNew" }), { kind: "retry" });
  for (const reason of ["BadDeviceToken", "DeviceTokenNotForTopic"])
    t.match(decoded(400, { reason }), { kind: "elsewhere", outcome: { kind: "gone" } });
  for (const reason of ["BadEnvironmentKeyIdInToken", "BadEnvironmentKeyInToken", "BadCertificateEnvironment"]) {
    t.match(decoded(403, { reason }), { kind: "elsewhere", outcome: { kind: "denied" } });
  }
  t.match(decoded(410, { reason: "Unregistered", timestamp: NOW - 5 }), { kind: "gone", at: NOW - 5 });
  t.match(decoded(429, { reason: "TooManyRequests" }, { "retry-after": "9" }), { scope: "token", after: 9000 });
  t.equal((decoded(429, { reason: "SomethingNew" }) as { scope?: string }).scope, undefined);
  t.match(decoded(503, { reason: "ServiceUnavailable" }, { "retry-after": "9" }), { kind: "retry", after: 9000 });
  t.end();
});

t.test("a token is looked for in production, then in the sandbox, and found there at once the next time", async (t) => {
  const { fake, server, send } = await stage(t, conformity);
  fake.tokens.set(token(1), "sandbox");
  fake.tokens.set(token(2), "bad");
  t.match(await send([1, 2, 3]), [
    { kind: "accepted" },
    { kind: "gone", reason: "400 BadDeviceToken" },
    { kind: "accepted" },
  ]);
  const before = server.requests.length;
  t.match(await send([1]), [{ kind: "accepted" }]);
  t.same(
    server.requests.slice(before).map(({ path }) => path),
    [`/sandbox/3/device/${token(1)}`],
  );
  fake.tokens.set(token(1), "fine");
  t.match(await send([1]), [{ kind: "accepted" }], "and in production again once it is known there");
});

t.test("where a token was found is told, to be kept with it, and asked first by whoever knows it", async (t) => {
  const first = await stage(t, conformity);
  first.fake.tokens.set(token(1), "sandbox");
  const told = async ({ vendor, clock }: Stage, n: number, detour?: string) => {
    const to = { token: token(n), ref: "r", ...(detour === undefined ? {} : { detour }) };
    return (await vendor.send(vendor.apps[0]!, notification(), [to], clock.now))[0];
  };
  t.match(await told(first, 1), { kind: "accepted", detour: "sandbox com.example.lab" });
  t.match(await told(first, 1), { detour: "sandbox com.example.lab" }, "as long as it is not known there");
  t.match(await told(first, 1, "sandbox com.example.lab"), { kind: "accepted", detour: undefined });
  t.match(await told(first, 2), { kind: "accepted", detour: undefined });

  const restarted = await stage(t, conformity);
  restarted.fake.tokens.set(token(1), "sandbox");
  t.match(await told(restarted, 1, "sandbox com.example.lab"), { kind: "accepted", detour: undefined });
  t.equal(restarted.server.requests.length, 1);
  t.match(await told(restarted, 2, "sandbox com.example.lab"), { kind: "accepted", detour: "" });
  t.match(await told(restarted, 2, "sandbox com.example.gone"), { kind: "accepted", detour: "" });
});

/** What was asked: environment, topic and the token's number. */
const asked = ({ path, headers }: FakeRequest) =>
  `${path.startsWith("/sandbox") ? "sandbox" : "production"} ${headers["apns-topic"]?.split(".").at(-1)} ${Number.parseInt(path.slice(-4), 16)}`;

t.test("a token of another app is looked for among the other apps, in the environment that knows it", async (t) => {
  const { fake, server, send } = await stage(t, { ...conformity, others: ["com.example.second", "com.example.third"] });
  fake.tokens.set(token(1), "com.example.third");
  fake.tokens.set(token(2), "sandbox com.example.second");
  fake.tokens.set(token(3), "com.example.unknown");
  fake.tokens.set(token(4), "bad");
  const outcome = async (n: number) => {
    const before = server.requests.length;
    const [{ kind }] = (await send([n])) as [Outcome];
    return [kind, ...server.requests.slice(before).map(asked)];
  };
  t.same(await outcome(1), ["accepted", "production lab 1", "production second 1", "production third 1"]);
  t.same(await outcome(1), ["accepted", "production third 1"], "found there at once the next time");
  t.same(await outcome(2), ["accepted", "production lab 2", "sandbox lab 2", "sandbox second 2"]);
  t.same(await outcome(2), ["accepted", "sandbox second 2"]);
  t.same(await outcome(3), ["gone", "production lab 3", "production second 3", "production third 3"]);
  t.same(
    await outcome(4),
    ["gone", "production lab 4", "sandbox lab 4"],
    "a token unknown here is of no other app either",
  );
  fake.tokens.set(token(5), "com.example.second");
  server.misbehave({
    match: ({ headers }) => headers["apns-topic"] === "com.example.second",
    fault: { kind: "reply", reply: { status: 403, body: '{"reason":"Forbidden"}' } },
  });
  t.equal((await outcome(5))[0], "retry", "another app's credentials stop nothing here");
  t.equal((await outcome(5))[0], "accepted");
});

t.test("tokens are looked for elsewhere on a connection of its own, a few at a time", async (t) => {
  const fake = fakeApns();
  const [production, sandbox] = await Promise.all(
    [fake, fake].map((vendor) => serve(vendor, { certificate, now: () => NOW })),
  );
  const entry = configured(apns, fake, production!.url);
  const other = { ...entry.other!, baseUrl: `${sandbox!.url}/sandbox` };
  const own = createVendor(apns, [{ ...entry, other }], { ca: authority.ca });
  t.teardown(() => Promise.all([own.close(), production!.close(), sandbox!.close()]));
  const numbers = Array.from({ length: 60 }, (_, n) => n);
  for (const n of numbers) fake.tokens.set(token(n), "sandbox");
  const to = numbers.map((n) => ({ token: token(n), ref: `${n}` }));
  const send = () => own.send(entry.app, notification(), to, NOW);
  t.ok((await send()).every(({ kind }) => kind === "accepted"));
  t.ok(sandbox!.peak > 1 && sandbox!.peak <= 10, `${sandbox!.peak} at once`);
  t.equal(sandbox!.connections, 1);
  t.ok((await send()).every(({ kind }) => kind === "accepted"));
  t.ok(sandbox!.connections > 1, "those that are known there go as all others do");
  t.equal(production!.requests.length, 60);

  sandbox!.misbehave({ times: 100, fault: { kind: "reply", reply: { status: 503 } } });
  fake.tokens.set("ab".repeat(32), "sandbox");
  const unknown = await own.send(entry.app, notification(), [{ token: "ab".repeat(32), ref: "new" }], NOW);
  t.match(unknown, [{ kind: "retry", scope: "token" }], "the trouble of the other environment is not the lane's");
});

t.test("a connection that Apple ends over unknown tokens loses none of the others", async (t) => {
  const { fake, server, send } = await stage(t, conformity);
  fake.fail("patience", 1);
  fake.tokens.set(token(7), "bad");
  fake.tokens.set(token(8), "sandbox mute");
  fake.tokens.set(token(9), "com.example.nobody's");
  t.match(await send([1]), [{ kind: "accepted", receipt: /./ }]);
  const before = server.connections;
  const numbers = Array.from({ length: 40 }, (_, n) => n);
  const outcomes = await send(numbers);
  t.ok(server.connections > before + 1, "connections ended");
  for (const n of numbers) {
    const { kind } = outcomes[n]!;
    if (kind === "accepted") t.ok(fake.shown.some((one) => one.token === token(n)));
    else t.equal(kind, n === 7 || n === 9 ? "gone" : "retry", `${n}`);
  }
  t.notOk("receipt" in outcomes[8]!, "no id came back");
});

t.test("a key that covers one environment only is enough for the tokens of that one", async (t) => {
  const { fake, send } = await stage(t, conformity);
  fake.tokens.set(token(1), "sandbox");
  fake.fail("other-environment", 1);
  t.match(await send([1]), [{ kind: "accepted" }]);
  const one = await stage(t, { ...conformity, entry: { environment: "production" } });
  one.fake.fail("other-environment", 1);
  t.match(await one.send([1]), [{ kind: "denied" }]);
  one.fake.tokens.set(token(2), "sandbox");
  t.match(await one.send([2]), [{ kind: "gone", kept: true }], "nothing was accepted there yet");
  t.match(await one.send([1, 2]), [{ kind: "accepted" }, {}]);
  t.match(
    await one.send([2]),
    [{ kind: "gone", kept: undefined }],
    "it is the only environment that the operator wants",
  );
});

for (const [key, covered, closed] of [
  ["sandbox-key", "sandbox", "production"],
  ["sandbox-key-odd", "sandbox", "production"],
  ["production-key", "", "sandbox"],
] as const)
  t.test(`F4: ${key}: a token that the open environment does not know is not dead, and waits`, async (t) => {
    const { fake, server, vendor, clock, send } = await stage(t, conformity);
    const elsewhere = Array.from({ length: 60 }, (_, n) => n + 1);
    for (const n of elsewhere) fake.tokens.set(token(n), covered === "" ? "sandbox" : "");
    fake.tokens.set(token(99), covered);
    fake.fail(key, 1e6);
    const outcomes = await send([...elsewhere, 99]);
    t.match(outcomes.at(-1), { kind: "accepted" }, "the others are served");
    for (const outcome of outcomes.slice(0, -1))
      t.match(outcome, {
        kind: "retry",
        scope: "token",
        reason: new RegExp(`BadDeviceToken; ${closed} is closed to us: 403`),
      });
    const app = vendor.apps[0]!;
    t.match(vendor.stoppedWays?.(app, clock.now), [{ way: closed, reason: /^403 BadEnvironmentKey/, since: NOW }]);
    const before = server.requests.length;
    clock.now += 60_000;
    t.match(await send([1]), [{ kind: "retry" }]);
    t.equal(server.requests.length, before, "nobody is asked again meanwhile");
    fake.fail(key, 0);
    clock.now += 10 * 60_000;
    t.match(await send([1]), [{ kind: "accepted" }], "the way is tried again");
    t.same(vendor.stoppedWays?.(app, clock.now), []);
  });

t.test("F4b: what another app's team says of a token does not prove it dead", async (t) => {
  const { fake, server, vendor, clock, send } = await stage(t, { ...conformity, others: ["com.example.second"] });
  const own = ({ headers }: FakeRequest) => headers["apns-topic"] === "com.example.lab";
  const reply = { status: 403, body: '{"reason":"BadEnvironmentKeyInToken"}' };
  server.misbehave({
    times: 1000,
    match: (request) => own(request) && !request.path.startsWith("/sandbox"),
    fault: { kind: "reply", reply },
  });
  fake.tokens.set(token(1), "com.example.lab");
  t.match(await send([1]), [{ kind: "retry", scope: "token", reason: /production is closed to us/ }]);
  t.ok(
    server.requests.some(
      ({ headers, path }) => headers["apns-topic"] === "com.example.second" && !path.startsWith("/s"),
    ),
    "the other team was asked",
  );
  server.behave();
  vendor.reopen?.(vendor.apps[0]!);
  t.match(await send([1]), [{ kind: "accepted" }], "nobody has to wait when an operator lets it go on");
  fake.tokens.set(token(2), "com.example.nobody's");
  clock.now += 1000;
  t.match(await send([2]), [{ kind: "gone" }], "what all of them deny is dead");
});

t.test("F4b: a topic or type that one notification sets stops no others and costs no token", async (t) => {
  const { fake, send } = await stage(t, conformity);
  t.match(await send([1]), [{ kind: "accepted" }]);
  const setting = (topic: string) => notification({ vendors: { apns: { headers: { "apns-topic": topic } } } });
  t.match(await send([1], setting("com.example.unknown")), [{ kind: "refused", reason: "400 TopicDisallowed" }]);
  t.match(await send([1], setting("com.example.lab.voip")), [{ kind: "refused", reason: "400 BadTopic" }]);
  fake.tokens.set(token(1), "com.example.lab");
  t.match(await send([1], setting("com.example.second")), [{ kind: "refused", reason: "400 DeviceTokenNotForTopic" }]);
  t.match(await send([1]), [{ kind: "accepted" }]);
});

t.test("F4b: a topic that has never been accepted is likelier to be wrong than every token", async (t) => {
  const { fake, send } = await stage(t, conformity);
  for (let n = 1; n <= 60; n++) fake.tokens.set(token(n), "com.example.renamed");
  const outcomes = await send(Array.from({ length: 60 }, (_, n) => n + 1));
  t.ok(
    outcomes.every((outcome) => outcome.kind === "gone" && outcome.kept === true),
    "none is forgotten",
  );
  t.match(outcomes[0], { reason: "400 DeviceTokenNotForTopic: not believed before this app has been accepted there" });
});

for (const [fault, status] of [
  ["shutdown", 503],
  ["idle", 400],
] as const)
  t.test(`F10: after ${fault} the next try takes a new connection`, async (t) => {
    const { fake, server, send } = await stage(t, conformity);
    t.match(await send([1]), [{ kind: "accepted" }]);
    const before = server.connections;
    fake.fail(fault, 1);
    t.match(await send([1]), [{ kind: "retry", reason: new RegExp(`^${status} `) }]);
    t.match(await send([1]), [{ kind: "accepted" }]);
    t.equal(server.connections, before + 1);
  });

t.test("a JWT that Apple says has expired is replaced at once, but only once", async (t) => {
  const { fake, clock, send } = await stage(t, conformity);
  t.match(await send([1]), [{ kind: "accepted" }]);
  clock.now += 21 * 60_000;
  fake.fail("expired-credential", 1);
  t.match(await send([1]), [{ kind: "accepted" }], "before its time: Apple's clock may be ahead of ours");
  fake.fail("expired-credential", 2);
  clock.now += 25 * 60_000;
  t.match(
    await send([1]),
    [{ kind: "denied", reason: "403 ExpiredProviderToken" }],
    "as often as Apple allows, no more",
  );
  fake.fail("denied", 1);
  clock.now = NOW + 3 * 3_600_000;
  t.match(await send([1]), [{ kind: "denied", reason: "403 InvalidProviderToken" }], "other denials replace none");
});

t.test("a key has one JWT in both environments, whenever each is first asked, and after a reload", async (t) => {
  const { fake, server, clock, send } = await stage(t, conformity);
  fake.tokens.set(token(2), "sandbox");
  fake.fail("counts-jwts", 1e6);
  clock.now = Date.UTC(2027, 0, 15, 8, 25);
  t.match(await send([1]), [{ kind: "accepted" }]);
  clock.now += 6 * 60_000; // the next half hour has begun
  t.match(await send([2]), [{ kind: "accepted" }], "a second JWT would be one too many");
  const jwts = new Set(server.requests.map(({ headers }) => headers["authorization"]));
  t.equal(jwts.size, 1);
  const own = app();
  const signatures = new Signatures();
  const ask = (entry: ApnsApp, now: number, expired?: string) =>
    apns.credential(entry, now, () => Promise.reject(new Error("not needed")), expired, signatures);
  const first = await ask(own, clock.now);
  t.equal((await ask({ ...own, app: "read.again" }, clock.now + 9 * 60_000)).value, first.value);
  const [a, b] = await Promise.all([1, 2].map(() => ask(own, clock.now + 60_000, first.value)));
  t.notSame(a?.value, first.value);
  t.equal(a?.value, b?.value, "two environments that are denied it at once get one more");
});

t.test("a JWT that Apple first sees minutes after it was signed lasts as long as Apple wants from there", async (t) => {
  const { fake, server, clock, send } = await stage(t, conformity);
  clock.now = Date.UTC(2027, 0, 15, 8, 20);
  fake.fail("busy", 5); // answers before it looks at the JWT
  fake.fail("counts-jwts", 1e6);
  for (let minutes = 0; minutes < 5; minutes++) {
    t.match(await send([1]), [{ kind: "retry" }]);
    clock.now += 60_000;
  }
  t.match(await send([1]), [{ kind: "accepted" }]);
  for (let minutes = 5; minutes < 60; minutes++) {
    clock.now += 60_000;
    t.match(await send([1]), [{ kind: "accepted" }], `${minutes + 1} minutes after the signing`);
  }
  const jwts = new Set(server.requests.map(({ headers }) => headers["authorization"]));
  t.equal(jwts.size, 3, "signed at 8:20, 8:45 and 9:10");
});

t.test("F5: after a restart the JWT is the same text, and no sooner another one than Apple allows", async (t) => {
  const file = join(t.testdir({}), "apns-jwts.json");
  const fake = fakeApns();
  const clock = { now: Date.UTC(2027, 0, 15, 8, 25) };
  const server = await serve(fake, { certificate, now: () => clock.now });
  t.teardown(() => server.close());
  const entry = configured(apns, fake, server.url);
  const run = async (): Promise<Outcome | undefined> => {
    const own = createVendor(apns, [entry], { ca: authority.ca, signatures: new Signatures(file) });
    fake.fail("counts-jwts", 1e6);
    const [outcome] = await own.send(entry.app, notification(), [{ token: token(1), ref: "r" }], clock.now);
    await own.close();
    return outcome;
  };
  t.match(await run(), { kind: "accepted" });
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.notMatch(readFileSync(file, "utf8"), /LABKEY|LABTEAM|BEGIN/, "it names no key");
  for (const minutes of [1, 6, 10]) {
    clock.now += minutes * 60_000;
    t.match(await run(), { kind: "accepted" }, "also when the next half hour has begun");
  }
  t.equal(new Set(server.requests.map(({ headers }) => headers["authorization"])).size, 1);
  clock.now += 10 * 60_000;
  t.match(await run(), { kind: "accepted" });
  t.equal(new Set(server.requests.map(({ headers }) => headers["authorization"])).size, 2);
  writeFileSync(file, "{broken");
  clock.now += 30 * 60_000;
  t.match(await run(), { kind: "accepted" }, "a damaged file is none");
});

t.test("every process signs the same claims, and a new JWT comes no sooner than Apple allows", async (t) => {
  const first = await stage(t, conformity);
  first.fake.fail("counts-jwts", 1e6);
  t.match(await first.send([1]), [{ kind: "accepted" }]);
  const claims = (jwt: string) =>
    JSON.parse(Buffer.from(jwt.split(".")[1]!, "base64url").toString()) as { iat: number };
  const own = app();
  const exchange = () => Promise.reject(new Error("not needed"));
  const a = await apns.credential(own, NOW, exchange);
  const restarted = { ...own.signer!, name: "as another process knows it" };
  const b = await apns.credential({ ...own, signer: restarted }, NOW + 20 * 60_000, exchange);
  t.not(a.value, b.value);
  t.same(claims(a.value), claims(b.value));
  t.ok(NOW / 1000 - claims(a.value).iat < 1800);
  for (let minute = 0; minute < 240; minute += 7) {
    first.clock.now = NOW + minute * 60_000;
    t.match(await first.send([1]), [{ kind: "accepted" }], `after ${minute} minutes`);
  }
});

t.test("two servers that share a key, and sign either side of a half hour, are both taken", async (t) => {
  const fake = fakeApns();
  const clock = { now: Date.UTC(2027, 0, 15, 8, 59, 59) };
  const server = await serve(fake, { certificate, now: () => clock.now });
  t.teardown(() => server.close());
  const entry = configured(apns, fake, server.url);
  const [a, b] = [1, 2].map(() => createVendor(apns, [entry], { ca: authority.ca }));
  for (const own of [a, b, a, b]) {
    const outcomes = await own!.send(entry.app, notification(), [{ token: token(1), ref: "r" }], clock.now);
    t.match(outcomes, [{ kind: "accepted" }]);
    clock.now += 1000;
  }
  t.equal(new Set(server.requests.map(({ headers }) => headers["authorization"])).size, 2);
  await Promise.all([a!.close(), b!.close()]);
});

t.test("a connection that is bound to another key is replaced, once", async (t) => {
  const { fake, server, send } = await stage(t, conformity);
  t.match(await send([1]), [{ kind: "accepted" }]);
  const before = server.connections;
  fake.fail("other-key", 1);
  t.match(await send([1]), [{ kind: "accepted" }]);
  t.equal(server.connections, before + 1);
  fake.fail("other-key", 2);
  t.match(await send([1]), [{ kind: "denied", reason: "403 UnrelatedKeyIdInToken" }]);
  t.match(await send([1]), [{ kind: "accepted" }], "what the operator resumes finds a connection");
});

t.test("a client certificate authenticates as well as a key", async (t) => {
  const certificate = authority.client("com.example.lab", Date.now() - 1e9, NOW + 1e9);
  const { fake, server, send } = await stage(t, { ...conformity, fake: () => fakeApns(certificate) });
  t.match(await send([1]), [{ kind: "accepted" }]);
  t.equal(fake.shown.length, 1);
  t.equal(server.requests[0]?.headers["authorization"], undefined);
});

t.test("only one request is made until Apple has accepted one, then as many as it allows at once", async (t) => {
  const { server, send } = await stage(t, conformity);
  t.ok((await send(Array.from({ length: 300 }, (_, n) => n))).every(({ kind }) => kind === "accepted"));
  t.equal(server.requests.length, 300, "nothing was refused and replayed");
  t.ok(server.peak > 50, `${server.peak} at once`);
  t.ok(server.connections <= 2);
});

t.test("a connection that goes away in the middle of a burst loses nothing", async (t) => {
  const { fake, server, send } = await stage(t, conformity);
  await send([1]);
  server.misbehave({ skip: 40, fault: { kind: "goaway", code: 0 } });
  const outcomes = await send(Array.from({ length: 200 }, (_, n) => n));
  const lost = outcomes.filter(({ kind }) => kind !== "accepted");
  t.ok(lost.every(({ kind }) => kind === "retry"));
  t.ok(new Set(fake.shown.map((shown) => shown.token)).size >= 200 - lost.length, "accepted means shown");
});

t.test("problems of keys and certificates name the key and the file, and show nothing of either", (t) => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
  const expired = authority.client("com.example.lab", NOW - 2e9, NOW - 1e9);
  const other = authority.client("com.example.lab", NOW - 1e9, NOW + 1e9);
  const files: Readonly<Record<string, string>> = {
    "a.p8": "SECRET",
    "rsa.p8": String(rsa),
    "old.crt": expired.cert,
    "old.key": expired.key,
    "new.key": other.key,
  };
  const read = (path: string) => {
    if (files[path] === undefined) throw new Error(`${path}: no such file`);
    return files[path];
  };
  const problem = (entry: Record<string, unknown>) => {
    try {
      apns.parse({ bundle_id: "com.x", ...entry }, read, NOW);
      return "none";
    } catch (error) {
      return (error as Error).message;
    }
  };
  const ids = { key_id: "ABCDEFGHIJ", team_id: "ABCDEFGHIJ" };
  t.match(problem({ key_file: "a.p8", ...ids }), /^apns\.key_file: a\.p8 holds no private key in PEM form/);
  t.notMatch(problem({ key_file: "a.p8", ...ids }), /SECRET/);
  t.match(
    problem({ key_file: "rsa.p8", ...ids }),
    /^apns\.key_file: rsa\.p8 holds another kind of key; this needs P-256$/,
  );
  t.match(problem({ key_file: "none.p8", ...ids }), /^apns\.key_file: none\.p8: no such file$/);
  t.same(problem({ key_file: "none.p8", team_id: "short" }).split("\n").length, 3, "all at once");
  t.match(
    problem({ cert_file: "old.crt", key_file: "old.key" }),
    /^apns\.cert_file: old\.crt: the certificate expired on/,
  );
  t.match(problem({ cert_file: "old.crt", key_file: "new.key" }), /belongs to another private key/);
  t.match(problem({ cert_file: "a.p8" }), /^apns\.cert_file: a\.p8: holds no certificate/);
  t.end();
});
