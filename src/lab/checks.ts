// What the fakes share: the rules that a request must keep, one function each, and failing when told to.
import { isObject } from "../core/object.ts";

/** What the vendor's document forbids; the text says which rule. The fake answers it with the vendor's code for a bad parameter. */
export class Violation extends Error {}

/** @throws Violation, whose text the fake vendor answers */
export function ensure(holds: unknown, problem: string): asserts holds {
  if (!holds) throw new Violation(problem);
}

export type Fields = Readonly<Record<string, unknown>>;

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

/** @throws Violation unless it is an object */
export function fieldsIn(value: unknown, where: string): Fields {
  ensure(isObject(value), `${where} is not an object`);
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
