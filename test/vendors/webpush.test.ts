import { createECDH } from "node:crypto";
import t from "tap";
import { decrypt, type FakePushService, fakeWebPush } from "../../src/lab/vendors/webpush.ts";
import { createVapidKey, webpush } from "../../src/vendors/webpush.ts";
import { encrypt, LONGEST_TEXT } from "../../src/vendors/webpush-encryption.ts";
import { configured, conformance, NOW, notification, stage } from "./conformance.ts";

conformance({
  dialect: webpush,
  fake: fakeWebPush,
  token: (n, url, fake) => (fake as FakePushService).subscribe(url, `browser-${n}`),
  renews: false,
  denial: "retry",
  meaningless: ["an endless body", "half of an answer", "a list where an object should be"],
});

const HOUR = 3_600_000;

// RFC 8291, appendix A.
const VECTOR = {
  plaintext: "When I grow up, I want to be a watermelon",
  privateKey: "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
  publicKey: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
  senderKey: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
  salt: "DGv6ra1nlYgDCS1FRnbzlw",
  auth: "BTBZMqHH6r4Tts7J_aSIgg",
  body: "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
};
const bytes = (text: string) => Buffer.from(text, "base64url");

t.test("the lab's browser decrypts the RFC's own message", (t) => {
  const browser = {
    privateKey: bytes(VECTOR.privateKey),
    publicKey: bytes(VECTOR.publicKey),
    auth: bytes(VECTOR.auth),
  };
  t.equal(decrypt(bytes(VECTOR.body), browser).toString(), VECTOR.plaintext);
  const changed = bytes(VECTOR.body);
  changed[100]! ^= 1;
  t.throws(() => decrypt(changed, browser), { message: /cannot be decrypted/ });
  t.end();
});

t.test("the RFC's text becomes, with its key and salt, the RFC's message byte for byte", (t) => {
  const sender = createECDH("prime256v1");
  sender.setPrivateKey(VECTOR.senderKey, "base64url");
  const keys = { p256dh: VECTOR.publicKey, auth: VECTOR.auth };
  const body = encrypt(VECTOR.plaintext, keys, { sender, salt: bytes(VECTOR.salt) });
  t.equal(body.toString("base64url"), VECTOR.body);
  t.end();
});

t.test("no two messages to a browser are encrypted alike; the longest fills a body that every service takes", (t) => {
  const curve = createECDH("prime256v1");
  const publicKey = curve.generateKeys();
  const browser = { privateKey: curve.getPrivateKey(), publicKey, auth: bytes(VECTOR.auth) };
  const text = "é".repeat(LONGEST_TEXT / 2) + "x".repeat(LONGEST_TEXT % 2);
  const send = () => encrypt(text, { p256dh: publicKey.toString("base64url"), auth: VECTOR.auth });
  const [one, other] = [send(), send()];
  for (const body of [one, other]) {
    t.equal(body.length, 4096);
    t.equal(decrypt(body, browser).toString(), text);
  }
  for (const [from, to] of [
    [0, 16],
    [21, 86],
    [86, 4096],
  ])
    t.notSame(one.subarray(from, to), other.subarray(from, to));
  t.end();
});

const service = fakeWebPush();
const app = (more = {}) => configured(webpush, service, "", more);
const to = (token = service.subscribe("https://push.example.com", "one")) => [{ token, ref: "r" }];

t.test("a message carries what RFC 8030 and 8292 ask for", async (t) => {
  const [routed] = webpush.route!(app(), to()[0]!.token);
  t.equal(routed.baseUrl, "https://push.example.com");
  const { value, expires } = await webpush.credential(routed, NOW, () => Promise.reject(new Error("unused")));
  t.ok(expires > NOW && expires <= NOW + 24 * 3_600_000);
  const request = webpush.encode(routed, notification(), to(), value, NOW);
  t.equal(request.url, "https://push.example.com/push/one");
  t.match(request.headers, {
    ttl: "3600",
    urgency: "high",
    topic: "note0000001",
    "content-encoding": "aes128gcm",
    "content-type": "application/octet-stream",
    authorization: /^vapid t=[\w-]+\.[\w-]+\.[\w-]{86}, k=[\w-]{87}$/,
  });
});

t.test("a body has at most 4096 bytes", (t) => {
  const long = notification({ android: { title: "T", message: "é".repeat(5000), payload: {} } });
  const { body } = webpush.encode(app({ truncate: true }), long, to(), "", NOW);
  t.ok((body as Uint8Array).length <= 4096);
  t.ok((body as Uint8Array).length > 4090);
  t.end();
});

t.test("a token that is no subscription, or leads where it should not, is refused", (t) => {
  const route =
    (token: string, more = {}) =>
    () =>
      webpush.route!(app(more), token);
  const keys = JSON.parse(to()[0]!.token).keys as unknown;
  t.throws(route("nonsense"), { message: /no https endpoint/ });
  t.throws(route(JSON.stringify({ endpoint: "http://push.example.com/x", keys })), { message: /no https endpoint/ });
  t.throws(route(JSON.stringify({ endpoint: "https://me:word@push.example.com/x", keys })), { message: /a user/ });
  t.doesNotThrow(route(JSON.stringify({ endpoint: "https://push.example.com/x#there", keys })));
  t.throws(route(JSON.stringify({ endpoint: "https://push.example.com/x", keys: { p256dh: "x" } })), {
    message: /malformed/,
  });
  const p256dh = Buffer.alloc(65, 4).toString("base64url");
  const off = JSON.stringify({ endpoint: "https://push.example.com/x", keys: { p256dh, auth: VECTOR.auth } });
  t.throws(() => webpush.encode(app(), notification(), to(off), "", NOW), { message: /p256dh .* no point of P-256/ });
  t.throws(route(to()[0]!.token, { hosts: ["mozilla.com"] }), { message: /push\.example\.com is not one of/ });
  t.throws(route(to()[0]!.token, { hosts: ["ple.com"] }), { message: /not one of/ });
  t.doesNotThrow(route(to()[0]!.token, { hosts: ["example.com"] }));
  t.end();
});

t.test("private hosts are out of reach unless configured", async (t) => {
  const conformity = {
    dialect: webpush,
    fake: () => service,
    token: () => service.subscribe("https://127.0.0.1:1", "ours"),
    renews: false,
  };
  const { send } = await stage(t, { ...conformity, entry: { private_hosts: false } });
  t.match(await send([1]), [{ kind: "refused", reason: "webpush: 127.0.0.1 is not a public address" }]);
});

t.test("each answer of a push service has one meaning", (t) => {
  const decoded = (status: number, headers = {}, body = "") =>
    webpush.decode(app(), { status, headers, body }, to(), NOW)[0];
  t.same(decoded(201, { location: "https://p/m/1" }), { kind: "accepted", receipt: "https://p/m/1" });
  for (const body of ["", "{}", '{"id":"m1"}', "OK"]) t.match(decoded(200, {}, body), { kind: "accepted" }, body);
  t.match(decoded(200, {}, "\n<!DOCTYPE html>"), { kind: "retry" });
  const table: readonly (readonly [number, string])[] = [
    [200, "accepted"],
    [202, "accepted"],
    [400, "refused"],
    [401, "retry"],
    [403, "retry"],
    [404, "gone"],
    [406, "retry"],
    [410, "gone"],
    [413, "refused"],
    [429, "retry"],
    [500, "retry"],
    [503, "retry"],
  ];
  for (const [status, kind] of table) t.match(decoded(status), { kind }, String(status));
  t.match(decoded(429, { "retry-after": new Date(NOW + 5000).toUTCString() }), { kind: "retry", after: 5000 });
  t.match(decoded(403, {}, '{"reason":"VapidPkHashMismatch"}'), {
    kind: "retry",
    reason: "403 VapidPkHashMismatch",
    suspect: { orDenied: true },
  });
  t.end();
});

t.test("F3: only 404 and 410 can lead to a subscription's deletion", (t) => {
  for (let status = 100; status < 600; status++) {
    const [outcome] = webpush.decode(app(), { status, headers: {}, body: '{"reason":"BadJwtToken"}' }, to(), NOW);
    const suspect = outcome?.kind === "retry" || outcome?.kind === "refused" ? outcome.suspect : undefined;
    t.equal(outcome?.kind === "gone", status === 404 || status === 410, String(status));
    if (suspect !== undefined) t.equal(suspect.spares, true, `${status} spares the token however often it is said`);
  }
  t.end();
});

t.test("F11: the last second of a life is asked for as TTL 1, which every service takes", (t) => {
  const ttl = (left: number) => webpush.encode(app(), notification(), to(), "", NOW + HOUR - left).headers["ttl"];
  t.same([1, 999, 1000, 1999, 2000, HOUR].map(ttl), ["1", "1", "1", "1", "2", "3600"]);
  t.end();
});

t.test("a new VAPID key is one that the configuration takes", (t) => {
  const { privateKey, publicKey } = createVapidKey();
  const parsed = webpush.parse({ app: "a", private_key: privateKey, subject: "mailto:a@b.example" }, () => "", NOW);
  t.equal(parsed.signer.publicKey, publicKey);
  t.throws(() => webpush.parse({ app: "a", private_key: "short", subject: "nobody" }, () => "", NOW), {
    message:
      "webpush.private_key: must be 32 bytes in base64url: 43 characters\nwebpush.subject: must be a mailto: or https: address that a push service can reach, such as mailto:admin@example.com; Apple refuses localhost and the like",
  });
  t.end();
});

t.test("F12: a subject that Apple refuses is refused before anything is sent", async (t) => {
  const { privateKey } = createVapidKey();
  const accepts = (subject: string) => {
    try {
      webpush.parse({ app: "a", private_key: privateKey, subject }, () => "", 0);
      return true;
    } catch (error) {
      t.match(
        (error as Error).message,
        /^webpush\.subject: must be a mailto: or https: address .* such as mailto:admin@/,
      );
      return false;
    }
  };
  for (const subject of [
    "mailto:admin@example.com",
    "mailto:a.b+c@push.example.co.uk",
    "https://example.com/contact?a=1",
  ])
    t.ok(accepts(subject), subject);
  for (const subject of [
    ...[
      "mailto:admin@localhost",
      "https://localhost",
      "https://localhost:8080/x",
      "mailto:admin@push.local",
      "mailto:a@b",
    ],
    ...["https://127.0.0.1", "https://[::1]/", "mailto:a@127.0.0.1", "mailto:<a@example.com>", "mailto:@example.com"],
    ...[
      "mailto:a@example.com?subject=x",
      "http://example.com",
      "a@example.com",
      "https://",
      "https://x.internal",
      "https://x",
    ],
  ])
    t.notOk(accepts(subject), subject);
});
