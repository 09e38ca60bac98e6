// What fakes check alike: JSON of a known shape, and JWTs, verified with node:crypto alone, so that a fault of the library that
// signs them would show.
import { constants, type KeyObject, verify } from "node:crypto";

export type Fields = Readonly<Record<string, unknown>>;

/** A request that breaks the vendor's rules; the text says which. */
export class Violation extends Error {}

export function fieldsIn(value: unknown, where: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Violation(`${where} is not an object`);
  return value as Fields;
}

export function jsonIn(body: Buffer, where: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw new Violation(`${where} is not JSON`);
  }
  return fieldsIn(value, where);
}

/** Refuses fields the vendor does not know. */
export function only(fields: Fields, names: readonly string[], where: string): void {
  const unknown = Object.keys(fields).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Violation(`${where} has the unknown field ${unknown}`);
}

export function need(condition: unknown, problem: string): asserts condition {
  if (!condition) throw new Violation(problem);
}

export function textIn(fields: Fields, name: string, where: string): string {
  const value = fields[name];
  if (typeof value !== "string" || value === "") throw new Violation(`${where}.${name} is missing or not a text`);
  return value;
}

export interface Jwt {
  readonly header: Fields;
  readonly claims: Fields;
}

/** @throws Violation unless the signature is the key's, made as `alg` demands and written raw */
export function verifiedJwt(token: string, alg: "ES256" | "RS256" | "PS256", key: KeyObject): Jwt {
  const [header = "", claims = "", signature = "", ...more] = token.split(".");
  need(more.length === 0 && signature !== "" && !/[^\w-]/.test(header + claims + signature), "not a JWT");
  const said = jsonIn(Buffer.from(header, "base64url"), "the JWT's header");
  need(said["alg"] === alg, `the JWT's alg is not ${alg}`);
  const how = {
    ES256: { dsaEncoding: "ieee-p1363" },
    RS256: { padding: constants.RSA_PKCS1_PADDING },
    PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  } as const;
  const data = Buffer.from(`${header}.${claims}`);
  const valid = verify("sha256", data, { key, ...how[alg] }, Buffer.from(signature, "base64url"));
  need(valid, "the JWT's signature is wrong");
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
