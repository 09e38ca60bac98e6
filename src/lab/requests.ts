// How the fakes read requests, without mercy, and answer them: forms, JSON, and JWTs, verified with node:crypto alone, so that a fault
// of the library that signs them would show.
import { constants, generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult, verify } from "node:crypto";
import { ensure, type Fields, fieldsIn, Violation } from "./checks.ts";
import type { FakeReply, FakeRequest } from "./fake.ts";

/** The vendor's answer; what is a Violation is answered by `refuse`, with the text that says which rule. */
export function strictly<Answer>(answer: () => Answer, refuse: (problem: string) => FakeReply): Answer | FakeReply {
  try {
    return answer();
  } catch (error) {
    if (error instanceof Violation) return refuse(error.message);
    throw error;
  }
}

export function answerJson(value: unknown, status = 200): FakeReply {
  return { status, headers: { "content-type": "application/json;charset=utf-8" }, body: JSON.stringify(value) };
}

/** @throws Violation for what is none in UTF-8, or has a field twice */
export function readForm(request: FakeRequest): Readonly<Record<string, string>> {
  const type = request.headers["content-type"] ?? "";
  ensure(
    /^application\/x-www-form-urlencoded *; *charset=utf-8$/i.test(type),
    `content type ${type} is not a form in UTF-8`,
  );
  const pairs = [...new URLSearchParams(request.body.toString("utf8"))];
  const form = Object.fromEntries(pairs);
  ensure(Object.keys(form).length === pairs.length, "a field occurs twice");
  return form;
}

/** @throws Violation for what is no JSON object */
export function readJson(request: FakeRequest): Fields {
  const type = request.headers["content-type"] ?? "";
  ensure(/^application\/json( *; *charset=utf-8)?$/i.test(type), `content type ${type} is not JSON`);
  return jsonIn(request.body.toString("utf8"), "body");
}

/** The object in a JSON text. */
export function jsonIn(text: unknown, where: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(String(text));
  } catch {
    throw new Violation(`${where} is not JSON`);
  }
  return fieldsIn(value, where);
}

/** Milliseconds within ten minutes of the vendor's clock. */
export function isCurrent(timestamp: unknown, now: number): boolean {
  return /^\d{13}$/.test(String(timestamp)) && Math.abs(Number(timestamp) - now) <= 600_000;
}

export interface Jwt {
  readonly header: Fields;
  readonly claims: Fields;
}

let rsa: KeyPairKeyObjectResult | undefined;

/** The keys of every account whose vendor wants RSA: they take a tenth of a second to make, so there is one pair in a process. */
export function rsaKeys(): KeyPairKeyObjectResult {
  rsa ??= generateKeyPairSync("rsa", { modulusLength: 2048 });
  return rsa;
}

/** @throws Violation unless the signature is the key's, made as `alg` demands and written raw */
export function verifiedJwt(token: string, alg: "ES256" | "RS256" | "PS256", key: KeyObject): Jwt {
  const [header = "", claims = "", signature = "", ...more] = token.split(".");
  ensure(more.length === 0 && signature !== "" && !/[^\w-]/.test(header + claims + signature), "not a JWT");
  const said = jsonIn(Buffer.from(header, "base64url"), "the JWT's header");
  ensure(said["alg"] === alg, `the JWT's alg is not ${alg}`);
  const how = {
    ES256: { dsaEncoding: "ieee-p1363" },
    RS256: { padding: constants.RSA_PKCS1_PADDING },
    PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  } as const;
  const data = Buffer.from(`${header}.${claims}`);
  const valid = verify("sha256", data, { key, ...how[alg] }, Buffer.from(signature, "base64url"));
  ensure(valid, "the JWT's signature is wrong");
  return { header: said, claims: jsonIn(Buffer.from(claims, "base64url"), "the JWT's claims") };
}
