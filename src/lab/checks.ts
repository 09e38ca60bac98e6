// What the fakes share: reading requests without mercy (forms, JSON, and JWTs, verified with node:crypto alone, so that a fault of
// the library that signs them would show), and failing when told to.
import { constants, generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult, verify } from "node:crypto";
import type { FakeReply, FakeRequest } from "./fake.ts";

/** What the vendor's document forbids; the text says which rule. The fake answers it with the vendor's code for a bad parameter. */
export class Violation extends Error {}

/** @throws Violation, whose text the fake vendor answers */
export function ensure(holds: unknown, problem: string): asserts holds {
  if (!holds) throw new Violation(problem);
}

export type Fields = Readonly<Record<string, unknown>>;

export interface Receipt {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: string;
  readonly body: string;
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

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every name is known, and those before the "?" are there. */
export function ensureNames(fields: Fields, where: string, names: string): void {
  const [required = "", optional = ""] = names.split("?").map((part) => part.trim());
  const must = required.split(/\s+/).filter((name) => name !== "");
  const known = new Set([...must, ...optional.split(/\s+/)]);
  for (const name of must) ensure(Object.hasOwn(fields, name), `${where}: ${name} is missing`);
  for (const name of Object.keys(fields)) ensure(known.has(name), `${where}: ${name} is unknown`);
}

/** @param size how the vendor counts: as Java does, where it does not say */
export function ensureText(value: unknown, name: string, most: number, size = (text: string) => text.length): string {
  ensure(typeof value === "string" && value !== "", `${name} is not a text`);
  ensure(size(value) <= most, `${name} has ${size(value)} characters, ${most} allowed`);
  return value;
}

/** An integer, as a number. */
export function ensureRange(value: unknown, name: string, least: number, most: number): number {
  ensure(typeof value === "number" && Number.isSafeInteger(value), `${name} is not an integer`);
  ensure(value >= least && value <= most, `${name} ${value} is not in ${least}..${most}`);
  return value;
}

/** An integer in a form, where everything is text. */
export function ensureDigits(value: unknown, name: string, least: number, most: number): number {
  ensure(typeof value === "string" && /^-?\d+$/.test(value), `${name} is not a number`);
  return ensureRange(Number(value), name, least, most);
}

/** @param most characters */
export function ensureUrl(value: unknown, name: string, most: number): void {
  ensure(/^https?:\/\//.test(ensureText(value, name, most)), `${name} is not a URL`);
}

/** Milliseconds within ten minutes of the vendor's clock. */
export function isCurrent(timestamp: unknown, now: number): boolean {
  return /^\d{13}$/.test(String(timestamp)) && Math.abs(Number(timestamp) - now) <= 600_000;
}

/** The failures that were asked for, in that order. Asking again for a kind replaces what is left of it. */
export interface Faults {
  readonly kinds: readonly string[];
  add(kind: string, times: number): void;
  next(): string | undefined;
}

/** @throws Error, from `add`, for a kind that this vendor does not have */
export function faults(vendor: string, kinds: readonly string[]): Faults {
  let queue: readonly string[] = [];
  return {
    kinds,
    add(kind, times) {
      if (!kinds.includes(kind)) throw new Error(`${vendor} does not fail by "${kind}", but by ${kinds.join(", ")}`);
      queue = [...queue.filter((other) => other !== kind), ...Array<string>(times).fill(kind)];
    },
    next() {
      const [first, ...rest] = queue;
      queue = rest;
      return first;
    },
  };
}

/** Failures that look the same whatever the vendor. */
export const COMMON_FAULTS = ["busy", "garbage"] as const;

/** undefined: it is none of these. */
export function commonFault(kind: string | undefined): FakeReply | undefined {
  if (kind === "busy") return { status: 503, headers: { "content-type": "text/html" }, body: "<html>busy</html>" };
  if (kind === "garbage") return { status: 200, headers: { "content-type": "text/html" }, body: "<html>hello</html>" };
  return undefined;
}

/** @throws Violation unless it is an object */
export function fieldsIn(value: unknown, where: string): Fields {
  ensure(isFields(value), `${where} is not an object`);
  return value;
}

/** Refuses fields the vendor does not know. */
export function only(fields: Fields, names: readonly string[], where: string): void {
  const unknown = Object.keys(fields).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Violation(`${where} has the unknown field ${unknown}`);
}

/** @throws Violation unless it is there and not empty */
export function textIn(fields: Fields, name: string, where: string): string {
  const value = fields[name];
  if (typeof value !== "string" || value === "") throw new Violation(`${where}.${name} is missing or not a text`);
  return value;
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

/** Counts down the failures that a test asked for. */
export class Failures {
  readonly #left = new Map<string, number>();

  add(kind: string, times: number): void {
    this.#left.set(kind, times);
  }

  /** The first of these kinds that is still to fail. */
  next(...kinds: readonly string[]): string | undefined {
    const kind = kinds.find((candidate) => (this.#left.get(candidate) ?? 0) > 0);
    if (kind !== undefined) this.#left.set(kind, this.#left.get(kind)! - 1);
    return kind;
  }
}

/** Of the past: a lab may run for days. For `Recent`. */
export const REMEMBERED = 10_000;
