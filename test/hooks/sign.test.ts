// Signatures of webhooks: what the standard's own example says, and which secrets are taken.
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
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
