// Tokens, good and hostile, and what is made of them. They are signed by another implementation.
import { createHmac, generateKeyPairSync } from "node:crypto";
import t from "tap";
import { isFault, type Login, type LoginFault } from "../../src/core/login.ts";
import { Jwks } from "../../src/login/jwks.ts";
import { createReader, type ReaderOptions } from "../../src/login/reader.ts";
import { AUDIENCE, hs256, ISSUER, keyPair, SECRET, seconds, startIssuer } from "../support/tokens.ts";

const rsa = await keyPair("RS256");
const ec = await keyPair("ES256");
const ed = await keyPair("EdDSA");
const keys: ReaderOptions["keys"] = [
  { id: "1", alg: "HS256", text: SECRET },
  { id: "rsa", alg: "RS256", text: rsa.pem },
  { id: "ec", alg: "ES256", text: ec.pem },
  { id: "ed", alg: "EdDSA", text: ed.pem },
];
const options: ReaderOptions = {
  keys,
  issuer: "",
  audience: "",
  maxLifetime: 7_200_000,
  idLength: 128,
  topicLength: 64,
};
const read = async (token: string, more: Partial<ReaderOptions> = {}): Promise<Login | LoginFault> =>
  createReader({ ...options, ...more }).read(token, Date.now());

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const claims = { sub: "ann", exp: seconds(60) };
/** A token of any header, signed with any secret. */
function forged(header: unknown, body: unknown = claims, secret: string = SECRET): string {
  const signed = `${part(header)}.${part(body)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

t.test("integration 11: a good token of each algorithm says who comes, until when, and which topics", async (t) => {
  const pushbox = { pushId: "device-of-ann-1", allow: ["room:*"], join: ["room:7"] };
  const full = { sub: "ann", exp: seconds(60), iat: seconds(-5), nbf: seconds(-5), jti: "j1", pushbox };
  const login = {
    uid: "ann",
    expires: full.exp * 1000,
    issuedAt: full.iat * 1000,
    jti: "j1",
    pushId: "device-of-ann-1",
    allow: ["room:*"],
    join: ["room:7"],
  };
  t.same(await read(await hs256(full)), login);
  t.same(await read(await rsa.sign(full, { kid: "rsa" })), login);
  t.same(await read(await ec.sign(full, { kid: "ec" })), login);
  t.same(await read(await ed.sign(full, { kid: "ed" })), login);
});

t.test("integration 11: a token needs no more than it has to say, and clocks may differ by a minute", async (t) => {
  const good: Record<string, Promise<string> | string> = {
    "without kid, by the only key of its alg": hs256({ sub: "ann" }, null),
    "without pushbox, jti, nbf": hs256({ sub: "ann" }),
    "expired less than a minute ago": hs256({ sub: "ann", exp: seconds(-55) }),
    "from less than a minute ahead": hs256({ sub: "ann", nbf: seconds(55), iat: seconds(55) }),
    "with claims that nobody knows here": hs256({ sub: "ann", role: "admin", __proto__: { exp: 1 } }),
    "by a public key without kid": ec.sign({ sub: "ann" }),
  };
  for (const [name, token] of Object.entries(good)) t.match(await read(await token), { uid: "ann" }, name);
  const two = [...keys, { id: "2", alg: "HS256" as const, text: `${SECRET}!` }];
  for (const secret of [SECRET, `${SECRET}!`])
    t.match(await read(await hs256({ sub: "ann" }, null, secret), { keys: two }), { uid: "ann" }, "either of two");
  for (const aud of [AUDIENCE, ["other", AUDIENCE]])
    t.match(await read(await hs256({ sub: "ann", iss: ISSUER, aud }), { issuer: ISSUER, audience: AUDIENCE }), {
      uid: "ann",
    });
});

t.test("integration 11: hostile tokens are refused, each for its own reason", async (t) => {
  const right = await hs256({ sub: "ann" });
  const [head, body, tail] = right.split(".") as [string, string, string];
  const [, expiredBody] = (await hs256({ sub: "ann", exp: seconds(-120) })).split(".") as [string, string];
  const spki = rsa.pem;
  const hostile: Record<string, [token: string | Promise<string>, reason: RegExp]> = {
    "no token at all": ["hello", /three parts/],
    "two parts": [`${head}.${body}`, /three parts/],
    "four parts": [`${right}.x`, /three parts/],
    "spaces around": [` ${right} `, /three parts/],
    "a header that is no JSON": [`aGk.${body}.${tail}`, /header/],
    "a header that is a list": [`${part([])}.${body}.${tail}`, /header/],
    "claims that are text": [`${head}.${part("ann")}.${tail}`, /claims/],
    "alg none, unsigned": [`${part({ alg: "none" })}.${part(claims)}.`, /alg is none of/],
    "alg None": [`${part({ alg: "None" })}.${part(claims)}.`, /alg is none of/],
    "alg none, with the kid of a key": [`${part({ alg: "none", kid: "1" })}.${part(claims)}.`, /alg is none of/],
    "no alg": [forged({ kid: "1" }), /alg is none of/],
    "an alg that is a list": [forged({ alg: ["HS256"], kid: "1" }), /alg is none of/],
    HS384: [forged({ alg: "HS384", kid: "1" }), /alg is none of/],
    "no signature": [`${head}.${body}.`, /signature/],
    "a short signature": [`${head}.${body}.${tail.slice(0, 20)}`, /signature/],
    "another's signature": [`${head}.${expiredBody}.${tail}`, /signature/],
    "another secret": [hs256({ sub: "ann" }, "1", `${SECRET}x`), /signature/],
    "an RSA public key as the secret of HS256": [
      forged({ alg: "HS256", kid: "rsa" }, claims, spki),
      /not that of its key/,
    ],
    "the same without kid": [forged({ alg: "HS256" }, claims, spki), /signature/],
    "the secret's kid with RS256": [rsa.sign({ sub: "ann" }, { kid: "1" }), /not that of its key/],
    "RS256 by the wrong key": [(await keyPair("RS256")).sign({ sub: "ann" }, { kid: "rsa" }), /signature/],
    "ES256 of zeros (CVE-2022-21449)": [
      `${part({ alg: "ES256", kid: "ec" })}.${part(claims)}.${Buffer.alloc(64).toString("base64url")}`,
      /signature/,
    ],
    "ES256 in DER": [
      `${part({ alg: "ES256", kid: "ec" })}.${part(claims)}.${Buffer.alloc(70, 48).toString("base64url")}`,
      /signature/,
    ],
    "EdDSA with an empty signature": [`${part({ alg: "EdDSA", kid: "ed" })}.${part(claims)}.`, /signature/],
    "a kid that is a path": [forged({ alg: "HS256", kid: "../../dev/null" }, claims, ""), /as id/],
    "a kid that every object has": [forged({ alg: "HS256", kid: "__proto__" }), /as id/],
    "a kid that is a list": [forged({ alg: "HS256", kid: ["1"] }), /kid must be a string/],
    "a key of its own (jwk)": [forged({ alg: "RS256", jwk: rsa.jwk }, claims, "x"), /signature/],
    "a key from elsewhere (jku)": [forged({ alg: "HS256", kid: "9", jku: "http://evil.example/" }), /as id/],
    crit: [forged({ alg: "HS256", kid: "1", crit: ["b64"], b64: false }), /crit/],
    "no exp": [forged({ alg: "HS256", kid: "1" }, { sub: "ann" }), /no exp/],
    "an exp that is text": [forged({ alg: "HS256", kid: "1" }, { sub: "ann", exp: "9999999999" }), /exp must be/],
    "an exp beyond all dates": [forged({ alg: "HS256", kid: "1" }, { sub: "ann", exp: 1e300 }), /exp must be/],
    "an exp too far away": [hs256({ sub: "ann", exp: seconds(7400) }), /max_lifetime/],
    "nbf to come": [hs256({ sub: "ann", nbf: seconds(70) }), /nbf has not come/],
    "iat to come": [hs256({ sub: "ann", iat: seconds(70) }), /iat has not come/],
    "no sub": [hs256({}), /sub must be/],
    "an empty sub": [hs256({ sub: "" }), /sub must be/],
    "a sub that is a number": [forged({ alg: "HS256", kid: "1" }, { ...claims, sub: 7 }), /sub must be/],
    "a sub with half a surrogate pair": [
      forged({ alg: "HS256", kid: "1" }, { ...claims, sub: "ann\ud83d" }),
      /sub must be/,
    ],
    "a sub too long": [hs256({ sub: "x".repeat(129) }), /sub must be/],
    "a pushId too short": [hs256({ sub: "ann", pushbox: { pushId: "short" } }), /pushId/],
    "pushbox as text": [hs256({ sub: "ann", pushbox: "all" }), /pushbox must be/],
    "allow as text": [hs256({ sub: "ann", pushbox: { allow: "*" } }), /allow/],
    "a star in the middle": [hs256({ sub: "ann", pushbox: { allow: ["room:*:chat"] } }), /allow/],
    "join of a pattern": [hs256({ sub: "ann", pushbox: { join: ["room:*"] } }), /join/],
    "join of a user's channel": [hs256({ sub: "ann", pushbox: { join: ["uid:bob"] } }), /join/],
    "longer than any": [hs256({ sub: "ann", more: "x".repeat(9000) }), /longer than/],
  };
  for (const [name, [token, reason]] of Object.entries(hostile)) {
    const found = await read(await token);
    t.match(found, { code: "token_invalid", reason }, name);
    t.notMatch(JSON.stringify(found), (await token).slice(-20), `${name}: the token is not in what is logged`);
  }
  t.match(await read(await hs256({ sub: "ann", exp: seconds(-61) })), { code: "token_expired" });
});

t.test("integration 11: iss and aud must be those of the configuration, where it has them", async (t) => {
  const strict = { issuer: ISSUER, audience: AUDIENCE };
  const wrong = [
    { sub: "ann" },
    { sub: "ann", iss: ISSUER },
    { sub: "ann", aud: AUDIENCE },
    { sub: "ann", iss: `${ISSUER}x`, aud: AUDIENCE },
    { sub: "ann", iss: ISSUER, aud: ["other"] },
    { sub: "ann", iss: ISSUER, aud: "pushy" },
  ];
  for (const claims of wrong)
    t.match(
      await read(await hs256(claims), strict),
      { code: "token_invalid", reason: /^(iss|aud) / },
      JSON.stringify(claims),
    );
});

t.test("integration 11: a file that holds no key of the algorithm is refused when the reader is made", async (t) => {
  for (const text of ["", "hello", ec.pem])
    t.throws(() => createReader({ ...options, keys: [{ id: "r", alg: "RS256", text }] }));
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ type: "spki", format: "pem" });
  t.throws(
    () => createReader({ ...options, keys: [{ id: "r", alg: "RS256", text: String(small) }] }),
    /no key for RS256/,
  );
});

// ---- the issuer's keys

interface Stage {
  readonly jwks: Jwks;
  readonly warned: string[];
  elapsed: number;
}
function stage(url: string): Stage {
  const warned: string[] = [];
  const at: Stage = {
    warned,
    elapsed: 0,
    jwks: new Jwks({ url, elapsed: () => at.elapsed, warn: (_, message) => void warned.push(message) }),
  };
  return at;
}
const ofIssuer = { iss: ISSUER, aud: AUDIENCE, sub: "ann" };
const strict = { keys: [], issuer: ISSUER, audience: AUDIENCE };

t.test(
  "integration 11: the issuer's keys are fetched once, by the first token of its own, and then at hand",
  async (t) => {
    const issuer = await startIssuer(t, [
      { ...rsa.jwk, kid: "a", alg: "RS256", use: "sig" },
      { ...ec.jwk, kid: "b" },
      { ...ed.jwk, kid: "c", key_ops: ["verify"] },
      { kty: "oct", kid: "secret", k: Buffer.from(SECRET).toString("base64url") },
      { ...rsa.jwk, kid: "enc", use: "enc" },
      { ...rsa.jwk, kid: "pss", alg: "PS256" },
      { kty: "RSA", kid: "broken" },
      [],
    ]);
    const at = stage(issuer.url);
    const { jwks } = at;
    const reading = (token: string) => read(token, { ...strict, jwks });
    const early = [
      await hs256({ sub: "ann" }, "a"),
      await rsa.sign({ sub: "ann" }, { kid: "a" }),
      await rsa.sign({ ...ofIssuer, iss: "https://evil.example/" }, { kid: "a" }),
      await rsa.sign({ ...ofIssuer, aud: "other" }, { kid: "a" }),
      await rsa.sign({ ...ofIssuer, exp: seconds(-100) }, { kid: "a" }),
      await rsa.sign(ofIssuer),
      "nonsense",
    ];
    for (const token of early) t.ok(isFault(await reading(token)));
    t.equal(issuer.asked, 0, "nothing was fetched for a token that is not the issuer's");
    const first = await Promise.all([
      rsa.sign(ofIssuer, { kid: "a" }),
      ec.sign(ofIssuer, { kid: "b" }),
      ed.sign(ofIssuer, { kid: "c" }),
    ]);
    for (const login of await Promise.all(first.map(reading))) t.match(login, { uid: "ann" });
    t.equal(issuer.asked, 1, "those that came together share a fetch");
    for (const kid of ["secret", "enc", "pss", "broken"]) {
      at.elapsed += 30_000;
      const token = forged({ alg: kid === "secret" ? "HS256" : "RS256", kid }, { ...claims, ...ofIssuer });
      t.ok(isFault(await reading(token)), kid);
    }
    t.match(await reading(await ec.sign(ofIssuer, { kid: "a" })), { reason: /not that of its key/ });
  },
);

t.test(
  "integration 11: an invented kid costs one fetch in 30 s, and old keys serve while the issuer is down",
  async (t) => {
    const issuer = await startIssuer(t, [{ ...rsa.jwk, kid: "a" }]);
    const at = stage(issuer.url);
    const { jwks } = at;
    const reading = (token: string) => read(token, { ...strict, jwks });
    const good = await rsa.sign(ofIssuer, { kid: "a" });
    t.match(await reading(good), { uid: "ann" });
    at.elapsed = 40_000;
    const invented = await rsa.sign(ofIssuer, { kid: "invented" });
    t.match(await reading(invented), { code: "token_invalid", reason: /no key of that kid/ });
    t.match(await reading(invented), { code: "token_invalid" });
    for (let n = 0; n < 50; n++)
      await t.rejects(reading(await rsa.sign(ofIssuer, { kid: `invented-${n}` })), /fetched just before/);
    t.equal(issuer.asked, 2);
    at.elapsed = 70_001;
    issuer.keys = [...issuer.keys, { ...ec.jwk, kid: "b" }];
    t.match(await reading(await ec.sign(ofIssuer, { kid: "b" })), { uid: "ann" }, "a new key");
    t.equal(issuer.asked, 3);

    issuer.trouble = 503;
    at.elapsed = 3_600_000;
    t.match(await reading(good), { uid: "ann" }, "old keys serve");
    await t.rejects(reading(invented), /503/, "of an unknown one nothing can be said");
    t.equal(issuer.asked, 4);
    t.match(at.warned, [/could not be fetched; those at hand serve on/]);
    issuer.trouble = undefined;
    issuer.keys = [{ ...ec.jwk, kid: "b" }];
    at.elapsed += 60_000;
    const again = issuer.next();
    t.match(await reading(good), { uid: "ann" }, "the fetch is beside");
    await again;
    while (jwks.held("a") !== undefined) await new Promise(setImmediate);
    t.match(
      await reading(good),
      { code: "token_invalid", reason: /no key of that kid/ },
      "a key that the issuer took back counts no longer, which is known at once",
    );
  },
);

t.test(
  "integration 11: an issuer that answers nonsense, too much or nothing lets nobody in and is told in the log",
  async (t) => {
    const issuer = await startIssuer(t);
    const good = await rsa.sign(ofIssuer, { kid: "a" });
    for (const keys of [undefined, Array.from({ length: 30_000 }, () => ({ pad: "x".repeat(50) }))]) {
      const at = stage(issuer.url);
      issuer.keys = keys as readonly object[];
      await t.rejects(read(good, { ...strict, jwks: at.jwks }));
      t.match(at.warned, [/no token of the issuer's can be checked/]);
    }
  },
);
