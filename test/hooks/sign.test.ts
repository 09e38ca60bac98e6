// Signatures of webhooks: what the standard's own example and its published library say, and which secrets are taken.
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { Webhook } from "standardwebhooks";
import t from "tap";
import { secretBytes, secretText } from "../../src/core/secret.ts";
import { parseSecret, sign, signedHeaders } from "../../src/hooks/sign.ts";

/** The example that the standard's libraries are tested with. */
const EXAMPLE = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: 1614265330,
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};

t.test("the signature is that of the standard's example", (t) => {
  const { secret, id, timestamp, body, signature } = EXAMPLE;
  t.equal(sign([parseSecret(secret)], id, timestamp, body), signature);
  t.strictSame(signedHeaders([parseSecret(secret)], id, timestamp, body), {
    "webhook-id": id,
    "webhook-timestamp": "1614265330",
    "webhook-signature": signature,
  });
  t.end();
});

t.test("while secrets are exchanged there is a signature for each", (t) => {
  const { secret, id, timestamp, body, signature } = EXAMPLE;
  const other = parseSecret(secretText(randomBytes(32)));
  const signatures = sign([other, parseSecret(secret)], id, timestamp, body).split(" ");
  t.equal(signatures.length, 2);
  t.equal(signatures[1], signature);
  t.match(signatures[0], /^v1,[A-Za-z0-9+/]{43}=$/);
  t.not(signatures[0], signature);
  t.end();
});

t.test("a secret is whsec_ and the base64 of 24 to 64 bytes, with its padding", (t) => {
  for (const length of [24, 25, 32, 33, 64]) {
    const bytes = randomBytes(length);
    t.strictSame(secretBytes(secretText(bytes)), bytes, `${length} bytes`);
  }
  const good = secretText(randomBytes(32));
  for (const wrong of [
    secretText(randomBytes(23)),
    secretText(randomBytes(65)),
    good.slice("whsec_".length),
    `Whsec_${good.slice("whsec_".length)}`,
    good.replace(/=$/, ""),
    `${good}\n`,
    `${good} `,
    `${good.slice(0, 20)}-${good.slice(21)}`,
    "whsec_",
    "",
  ]) {
    t.equal(secretBytes(wrong), undefined, wrong);
    t.throws(() => parseSecret(wrong), /^not a webhook secret$/);
  }
  t.end();
});

t.test("a secret that gets into a log does not show itself", (t) => {
  const text = EXAMPLE.secret.slice("whsec_".length);
  const secret = parseSecret(EXAMPLE.secret);
  for (const shown of [inspect(secret), JSON.stringify(secret), String(secret)]) {
    t.notMatch(shown, text.slice(0, 8));
    t.notMatch(shown, Buffer.from(text, "base64").toString("hex").slice(0, 8));
  }
  t.end();
});

const seconds = (): number => Math.floor(Date.now() / 1000);

t.test("integration 7: the published library takes what we sign, with the old secret and the new one", (t) => {
  const [old, next] = [secretText(randomBytes(24)), secretText(randomBytes(64))];
  const body = JSON.stringify({ type: "events", data: { events: [{ id: "evt_1", data: { uid: "ünï 💡" } }] } });
  const headers = signedHeaders([parseSecret(next), parseSecret(old)], "msg_1", seconds(), body);
  for (const secret of [old, next]) t.strictSame(new Webhook(secret).verify(body, { ...headers }), JSON.parse(body));
  t.end();
});

t.test(
  "integration 7: it refuses another secret, another body, another id, and a timestamp of long ago or to come",
  (t) => {
    const secret = secretText(randomBytes(32));
    const body = '{"type":"events"}';
    const at = (timestamp: number) => ({ ...signedHeaders([parseSecret(secret)], "msg_1", timestamp, body) });
    const refused = (text: string, headers: Record<string, string>, why: RegExp, by = secret): void => {
      t.throws(() => new Webhook(by).verify(text, headers), why);
    };
    t.doesNotThrow(() => new Webhook(secret).verify(body, at(seconds())));
    refused(body, at(seconds()), /No matching signature/, secretText(randomBytes(32)));
    refused(`${body} `, at(seconds()), /No matching signature/);
    refused(body, { ...at(seconds()), "webhook-id": "msg_2" }, /No matching signature/);
    refused(body, at(seconds() - 301), /timestamp too old/);
    refused(body, at(seconds() + 310), /timestamp too new/);
    t.end();
  },
);
