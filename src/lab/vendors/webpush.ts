// A push service for browsers, and the browsers: subscriptions are made here, and what arrives is decrypted with their keys, step
// by step as RFC 8291 has it. Tokens by endpoint path: "dead" is 410. Failures: throttle, denied, too-large.
import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes } from "node:crypto";
import { DAY } from "../../core/time.ts";
import { ensure, Failures, Violation } from "../checks.ts";
import type { FakeReply, FakeRequest, FakeVendor, Shown } from "../fake.ts";
import { jsonIn, strictly, verifiedJwt } from "../requests.ts";

export interface Browser {
  readonly privateKey: Buffer;
  readonly publicKey: Buffer;
  readonly auth: Buffer;
}

export interface FakePushService extends FakeVendor {
  /** What a browser subscribed at this address gives its page: the token. The same name, the same subscription. */
  subscribe(baseUrl: string, name: string): string;
}

const FAILURES: Readonly<Record<string, FakeReply>> = {
  throttle: { status: 429, headers: { "retry-after": "7" } },
  denied: { status: 403, body: '{"reason":"BadJwtToken"}' },
  "too-large": { status: 413 },
};

export function fakeWebPush(): FakePushService {
  const own = createECDH("prime256v1");
  own.generateKeys();
  const browsers = new Map<string, { readonly browser: Browser; readonly token: string }>();
  const failures = new Failures();
  const tokens = new Map<string, string>();
  const shown: Shown[] = [];
  let count = 0;

  function authenticate(request: FakeRequest, now: number): void {
    const [, jwt = "", key = ""] = /^vapid t=(\S+), k=(\S+)$/.exec(request.headers["authorization"] ?? "") ?? [];
    ensure(key === own.getPublicKey("base64url"), "another key than the one subscribed with");
    const point = own.getPublicKey();
    const { header, claims } = verifiedJwt(
      jwt,
      "ES256",
      createPublicKey({
        key: {
          kty: "EC",
          crv: "P-256",
          x: point.subarray(1, 33).toString("base64url"),
          y: point.subarray(33).toString("base64url"),
        },
        format: "jwk",
      }),
    );
    ensure(header["typ"] === "JWT", "typ");
    ensure(claims["aud"] === `https://${request.headers["host"]}`, "aud is not the origin");
    const expires = Number(claims["exp"]) * 1000;
    ensure(expires > now && expires <= now + DAY, "exp is not within 24 hours");
    ensure(/^(mailto:|https:)/.test(String(claims["sub"])), "sub");
  }

  function accept(request: FakeRequest, now: number): FakeReply {
    const { headers, body } = request;
    const failing = failures.next(...Object.keys(FAILURES));
    if (failing !== undefined) return FAILURES[failing]!;
    ensure(request.method === "POST", "not a POST");
    const known = browsers.get(request.path.slice("/push/".length));
    if (known === undefined) return { status: 404 };
    try {
      authenticate(request, now);
    } catch (error) {
      if (error instanceof Violation) return { status: 403, body: JSON.stringify({ reason: error.message }) };
      throw error;
    }
    ensure(/^[1-9]\d*$/.test(headers["ttl"] ?? ""), "TTL");
    ensure(/^(very-low|low|normal|high)$/.test(headers["urgency"] ?? "normal"), "Urgency");
    ensure(/^[\w-]{1,32}$/.test(headers["topic"] ?? "t"), "Topic");
    ensure(headers["content-encoding"] === "aes128gcm", "Content-Encoding");
    ensure(headers["content-type"] === "application/octet-stream", "Content-Type");
    if (body.length > 4096) return { status: 413 };
    if (tokens.get(known.token) === "dead") return { status: 410 };
    const said = jsonIn(decrypt(body, known.browser), "the payload");
    shown.push({
      vendor: "webpush",
      token: known.token,
      title: String(said["title"]),
      message: String(said["body"]),
      payload: said["data"],
      id: String(said["id"]),
    });
    return { status: 201, headers: { location: `https://${headers["host"]}/message/${++count}` } };
  }

  return {
    name: "webpush",
    http2: true,
    streams: { first: 100, full: 100 },
    config: () => ({
      app: "lab.example.com",
      private_key: Buffer.concat([Buffer.alloc(32), own.getPrivateKey()])
        .subarray(-32)
        .toString("base64url"),
      subject: "mailto:lab@example.com",
      private_hosts: true,
    }),
    handle: (request, now) =>
      strictly(
        () => accept(request, now),
        (reason) => ({ status: 400, body: JSON.stringify({ reason }) }),
      ),
    subscribe(baseUrl, name) {
      const before = browsers.get(name);
      if (before !== undefined) return before.token;
      const keys = createECDH("prime256v1");
      const publicKey = keys.generateKeys();
      const browser = { privateKey: keys.getPrivateKey(), publicKey, auth: randomBytes(16) };
      const token = JSON.stringify({
        endpoint: `${baseUrl}/push/${name}`,
        keys: { p256dh: publicKey.toString("base64url"), auth: browser.auth.toString("base64url") },
      });
      browsers.set(name, { browser, token });
      return token;
    },
    shown,
    tokens,
    fail: (kind, times) => failures.add(kind, times),
    kinds: Object.keys(FAILURES),
  };
}

/** What a body of one aes128gcm record says to the browser. @throws Violation */
export function decrypt(body: Buffer, { privateKey, publicKey, auth }: Browser): Buffer {
  ensure(body.length >= 103, "the body is too short");
  const salt = body.subarray(0, 16);
  ensure(body.readUInt32BE(16) >= body.length - 86, "more than one record");
  ensure(body[20] === 65, "the key id is not a P-256 point");
  const sender = body.subarray(21, 86);
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(privateKey);
  const secret = curve.computeSecret(sender);
  const info = Buffer.concat([Buffer.from("WebPush: info\0"), publicKey, sender]);
  const material = Buffer.from(hkdfSync("sha256", secret, auth, info, 32));
  const key = Buffer.from(hkdfSync("sha256", material, salt, "Content-Encoding: aes128gcm\0", 16));
  const nonce = Buffer.from(hkdfSync("sha256", material, salt, "Content-Encoding: nonce\0", 12));
  const cipher = createDecipheriv("aes-128-gcm", key, nonce);
  cipher.setAuthTag(body.subarray(-16));
  try {
    const plain = Buffer.concat([cipher.update(body.subarray(86, -16)), cipher.final()]);
    const end = plain.findLastIndex((byte) => byte !== 0);
    ensure(plain[end] === 2, "the record has no end");
    return plain.subarray(0, end);
  } catch (error) {
    throw error instanceof Violation ? error : new Violation("the body cannot be decrypted");
  }
}
