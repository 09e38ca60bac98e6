// A configuration that is a JavaScript module, read without running it: what is written out counts, code does not.
//
// Read: assignments to variables, to their properties and to the module's exports; objects, lists, texts, numbers, sums of
// these, names given before, and the usual ways to name a file. Everything else is an `Unread`, or a line that is told of.
import { resolve } from "node:path";

/** Code in the place of a value. */
export class Unread {
  readonly isFunction: boolean;
  readonly line: number;
  readonly text: string;

  constructor(isFunction: boolean, line: number, text: string) {
    this.isFunction = isFunction;
    this.line = line;
    this.text = text;
  }
}

/** Objects have no prototype. */
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | Unread
  | readonly Value[]
  | { readonly [key: string]: Value };
type Fields = { [key: string]: Value };

export interface Module {
  readonly exports: { readonly [key: string]: Value };
  /** What stands there besides values. */
  readonly unread: readonly { readonly line: number; readonly text: string }[];
}

/** Thrown inside: this is no literal. */
class NoLiteral extends Error {}

const DEEPEST = 100;
const NAME = /[\p{ID_Start}$_][\p{ID_Continue}$]*/uy;
const NUMBER = /0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v", "0": "\0" };
/** After one of these an expression goes on; before one of these as well. */
const OPERATORS = "+-*/%=<>&|^?:,.([`!~";

/** @param directory of the file, and the one that the server was started in */
export function readModule(text: string, directory: string): Module {
  return new Reader(text.replace(/^\uFEFF|^#!.*/, ""), directory).module();
}

class Reader {
  readonly #text: string;
  readonly #directory: string;
  readonly #names = new Map<string, Value>();
  readonly #unread: { readonly line: number; readonly text: string }[] = [];
  #exports: Value = fields();
  #at = 0;
  #depth = 0;

  constructor(text: string, directory: string) {
    this.#text = text;
    this.#directory = directory;
  }

  module(): Module {
    for (this.#space(); this.#at < this.#text.length; this.#space()) {
      const before = this.#at;
      if (!this.#statement()) {
        this.#at = before;
        this.#skipStatement();
      }
      if (this.#at === before) this.#at++; // a stray bracket
    }
    return { exports: isFields(this.#exports) ? this.#exports : {}, unread: this.#unread };
  }

  // ---- statements

  /** False: it is none of those known. */
  #statement(): boolean {
    if (this.#take(";")) return true;
    if (/['"]/.test(this.#peek())) return this.#directive();
    const word = this.#name();
    if (word === undefined) return false;
    if (word === "const" || word === "let" || word === "var") return this.#declaration();
    if (word === "function") {
      const name = this.#name();
      if (name === undefined) return false;
      this.#names.set(name, this.#code(this.#at, true));
      return this.#at > 0;
    }
    if (word === "export") {
      if (this.#name() !== "default") return false;
      this.#exports = this.#value(true);
      return true;
    }
    const path = [word];
    for (;;) {
      if (this.#take(".")) {
        const key = this.#name();
        if (key === undefined) return false;
        path.push(key);
      } else if (this.#take("[")) {
        if (!/['"]/.test(this.#peek())) return false;
        try {
          path.push(this.#string());
        } catch {
          return false;
        }
        if (!this.#take("]")) return false;
      } else break;
    }
    if (this.#peek() !== "=" || this.#text[this.#at + 1] === "=" || this.#text[this.#at + 1] === ">") return false;
    this.#at++;
    const value = this.#value(true);
    return this.#assign(path, value);
  }

  #directive(): boolean {
    try {
      this.#string();
      return this.#take(";") || this.#ended();
    } catch {
      return false;
    }
  }

  #declaration(): boolean {
    do {
      const name = this.#name();
      if (name === undefined) return false;
      this.#names.set(name, this.#take("=") ? this.#value(true) : undefined);
    } while (this.#take(","));
    return this.#take(";") || this.#ended();
  }

  #assign([first = "", ...rest]: readonly string[], value: Value): boolean {
    const ended = this.#take(";") || this.#ended();
    const toModule = first === "module" && rest[0] === "exports";
    const path = toModule ? rest.slice(1) : rest;
    if (first === "module" && !toModule) return false;
    if (path.length === 0) {
      if (toModule || first === "exports") this.#exports = value;
      else this.#names.set(first, value);
      return ended;
    }
    let target: Value = toModule || first === "exports" ? this.#exports : this.#names.get(first);
    for (const key of path.slice(0, -1)) target = isFields(target) ? target[key] : undefined;
    if (!isFields(target)) return false;
    (target as Fields)[path.at(-1)!] = value; // made here
    return ended;
  }

  #skipStatement(): void {
    const { line, at } = { line: this.#line(this.#at), at: this.#at };
    this.#skip(true);
    this.#take(";");
    this.#unread.push({ line, text: this.#excerpt(at) });
  }

  // ---- values

  /** @param statement it may end with its line */
  #value(statement: boolean): Value {
    this.#space();
    const from = this.#at;
    if (++this.#depth > DEEPEST) throw new Error(`line ${this.#line(from)}: nested too deep`);
    try {
      const value = this.#sum();
      if (this.#ends(statement)) return value;
    } catch (error) {
      if (!(error instanceof NoLiteral)) throw error;
    } finally {
      this.#depth--;
    }
    this.#at = from;
    return this.#code(from, statement);
  }

  #code(from: number, statement: boolean): Unread {
    this.#skip(statement);
    const text = this.#text.slice(from, this.#at);
    const isFunction =
      /^(async\s+)?(function\b|\(?[\w$\s,{}=]*\)?\s*=>|\()/.test(text) && /=>|^(async\s+)?function|\{/.test(text);
    return new Unread(isFunction, this.#line(from), this.#excerpt(from));
  }

  #ends(statement: boolean): boolean {
    this.#space();
    return this.#at >= this.#text.length || ",;)]}".includes(this.#peek()) || (statement && this.#ended());
  }

  /** A line ended before what comes now, which goes on with nothing. */
  #ended(): boolean {
    let at = this.#at;
    while (at > 0 && /\s/.test(this.#text[at - 1]!)) at--;
    this.#space();
    if (this.#at >= this.#text.length) return true;
    return /\n/.test(this.#text.slice(at, this.#at)) && !OPERATORS.includes(this.#peek());
  }

  #sum(): Value {
    let left = this.#product();
    for (;;) {
      if (this.#take("+")) {
        const right = this.#product();
        if (typeof left === "number" && typeof right === "number") left += right;
        else left = word(left) + word(right);
      } else if (this.#take("-")) left = number(left) - number(this.#product());
      else return left;
    }
  }

  #product(): Value {
    let left = this.#unary();
    for (;;) {
      if (this.#take("*")) left = number(left) * number(this.#unary());
      else if (this.#take("/")) left = number(left) / number(this.#unary());
      else return left;
    }
  }

  #unary(): Value {
    if (this.#take("-")) return -number(this.#unary());
    if (this.#take("!")) {
      const value = this.#unary();
      if (typeof value === "boolean" || typeof value === "number") return !value;
      throw new NoLiteral();
    }
    return this.#primary();
  }

  #primary(): Value {
    const next = this.#peek();
    if (next === "{") return this.#object();
    if (next === "[") return this.#list();
    if (next === '"' || next === "'" || next === "`") return this.#string();
    if (next === "(") {
      this.#at++;
      const value = this.#sum();
      if (!this.#take(")") || this.#peek() === "=") throw new NoLiteral();
      return value;
    }
    NUMBER.lastIndex = this.#at;
    const digits = NUMBER.exec(this.#text)?.[0];
    if (digits !== undefined) {
      this.#at += digits.length;
      if (/^0\d/.test(digits) || Number.isNaN(Number(digits.replaceAll("_", "")))) throw new NoLiteral();
      return Number(digits.replaceAll("_", ""));
    }
    const name = this.#name();
    switch (name) {
      case undefined:
        throw new NoLiteral();
      case "true":
        return true;
      case "false":
        return false;
      case "null":
        return null;
      case "undefined":
        return undefined;
      case "__dirname":
        return this.#directory;
      default:
        return this.#reference(name);
    }
  }

  /** A value that was named before, or one of the usual ways to name a file. */
  #reference(name: string): Value {
    const path = [name];
    while (this.#take(".")) {
      const key = this.#name();
      if (key === undefined) throw new NoLiteral();
      path.push(key);
    }
    if (this.#peek() === "(") {
      const given = this.#arguments();
      switch (path.join(".")) {
        case "process.cwd":
          return this.#directory;
        case "path.join":
        case "path.resolve":
          return resolve(
            this.#directory,
            ...given.map(word).map((part, at) => (at > 0 ? part.replace(/^\/+/, "./") : part)),
          );
        case "fs.readFileSync": {
          // What is in it is asked for; the file is what pushbox is told.
          const file = word(given[0]);
          while (this.#take(".")) {
            if (this.#name() !== "toString" || this.#arguments().some((value) => typeof value !== "string"))
              throw new NoLiteral();
          }
          return resolve(this.#directory, file);
        }
        default:
          throw new NoLiteral();
      }
    }
    if (!this.#names.has(name)) throw new NoLiteral();
    let value = this.#names.get(name);
    for (const key of path.slice(1)) {
      if (!isFields(value) || !(key in value)) throw new NoLiteral();
      value = value[key];
    }
    return value;
  }

  #arguments(): Value[] {
    const given: Value[] = [];
    this.#expect("(");
    while (!this.#take(")")) {
      given.push(this.#sum());
      if (!this.#take(",") && this.#peek() !== ")") throw new NoLiteral();
    }
    return given;
  }

  #object(): Value {
    const made = fields();
    this.#expect("{");
    while (!this.#take("}")) {
      this.#space();
      const from = this.#at;
      const key = /['"]/.test(this.#peek()) ? this.#string() : (this.#name() ?? this.#digits());
      if (key === undefined) {
        // A spread, or a key that is computed.
        if (!this.#text.startsWith("...", from) && this.#text[from] !== "[") throw new NoLiteral();
        this.#skip(false);
        this.#unread.push({ line: this.#line(from), text: this.#excerpt(from) });
      } else if (this.#take(":")) made[key] = this.#value(false);
      else if (",}".includes(this.#peek()))
        made[key] = this.#names.has(key) ? this.#names.get(key) : this.#code(from, false);
      else {
        // A method: apiAuth(req, callback) { ... }, async or not.
        const name = (/^(async|get|set)$/.test(key) && this.#name()) || key;
        if (this.#peek() !== "(") throw new NoLiteral();
        this.#skip(false);
        made[name] = new Unread(true, this.#line(from), this.#excerpt(from));
      }
      if (!this.#take(",") && this.#peek() !== "}") throw new NoLiteral();
    }
    return made;
  }

  #digits(): string | undefined {
    const [digits] = /^\d+/.exec(this.#text.slice(this.#at, this.#at + 20)) ?? [];
    this.#at += digits?.length ?? 0;
    return digits;
  }

  #list(): Value {
    const made: Value[] = [];
    this.#expect("[");
    while (!this.#take("]")) {
      made.push(this.#value(false));
      if (!this.#take(",") && this.#peek() !== "]") throw new NoLiteral();
    }
    return made;
  }

  #string(): string {
    this.#space();
    const quote = this.#text[this.#at]!;
    let text = "";
    for (this.#at++; ; ) {
      const next = this.#text[this.#at++];
      if (next === undefined || (next === "\n" && quote !== "`")) throw new NoLiteral();
      if (next === quote) return text;
      if (quote === "`" && next === "$" && this.#text[this.#at] === "{") throw new NoLiteral();
      text += next === "\\" ? this.#escape() : next;
    }
  }

  #escape(): string {
    const next = this.#text[this.#at++] ?? "";
    if (next === "\r" || next === "\n") {
      if (next === "\r" && this.#text[this.#at] === "\n") this.#at++;
      return "";
    }
    if (next !== "x" && next !== "u") return ESCAPES[next] ?? next;
    const [whole, braced, four, two] =
      /^(?:u\{([\da-fA-F]{1,6})\}|u([\da-fA-F]{4})|x([\da-fA-F]{2}))/.exec(
        this.#text.slice(this.#at - 1, this.#at + 9),
      ) ?? [];
    const code = Number.parseInt(braced ?? four ?? two ?? "", 16);
    if (whole === undefined || code > 0x10ffff) throw new NoLiteral();
    this.#at += whole.length - 1;
    return String.fromCodePoint(code);
  }

  // ---- code

  /** To the end of an expression that is not read: brackets, texts, comments and patterns are passed over whole. */
  #skip(statement: boolean): void {
    let depth = 0;
    let before = ""; // the last character that is no space
    while (this.#at < this.#text.length) {
      const at = this.#at;
      this.#space();
      if (this.#at > at) {
        const lines = this.#text.slice(at, this.#at).includes("\n");
        const next = this.#peek();
        if (
          statement &&
          depth === 0 &&
          lines &&
          before !== "" &&
          !OPERATORS.includes(before) &&
          !OPERATORS.includes(next)
        )
          return;
        continue;
      }
      const next = this.#text[this.#at]!;
      if (next === '"' || next === "'" || next === "`") this.#pass(next);
      else if (next === "/" && (before === "" || "(,=:[!&|?{};+-*%<>".includes(before))) this.#pass("/");
      else if ("([{".includes(next)) {
        depth++;
        this.#at++;
      } else if (")]}".includes(next)) {
        if (depth === 0) return;
        depth--;
        this.#at++;
      } else if (depth === 0 && (next === ";" || next === ",")) return;
      else this.#at++;
      before = next;
    }
  }

  /** A text or a pattern in code. */
  #pass(quote: string): void {
    let inClass = false;
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const next = this.#text[this.#at];
      if (next === "\\") this.#at++;
      else if (quote === "/" && next === "[") inClass = true;
      else if (quote === "/" && next === "]") inClass = false;
      else if (next === quote && !inClass) {
        this.#at++;
        return;
      } else if (next === "\n" && quote !== "`") return;
    }
  }

  // ---- characters

  #space(): void {
    for (;;) {
      const [passed] = /^(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)/.exec(this.#ahead()) ?? [];
      if (passed === undefined) return;
      this.#at += passed.length;
    }
  }

  /** Enough for what is looked for; a comment may take all. */
  #ahead(): string {
    const two = this.#text.slice(this.#at, this.#at + 2);
    return two === "/*" || two === "//" || /^\s/.test(two) ? this.#text.slice(this.#at) : "";
  }

  #peek(): string {
    this.#space();
    return this.#text[this.#at] ?? "";
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #expect(character: string): void {
    if (!this.#take(character)) throw new NoLiteral();
  }

  #name(): string | undefined {
    this.#space();
    NAME.lastIndex = this.#at;
    const name = NAME.exec(this.#text)?.[0];
    this.#at += name?.length ?? 0;
    return name;
  }

  #line(at: number): number {
    return this.#text.slice(0, at).split("\n").length;
  }

  /** How it begins. Without texts: they may be secrets. */
  #excerpt(from: number): string {
    const [line = ""] = this.#text
      .slice(from, this.#at)
      .replace(/(["'`]).*?\1/gs, "$1...$1")
      .split("\n");
    return line.length > 60 ? `${line.slice(0, 57)}...` : line;
  }
}

const fields = (): Fields => Object.create(null) as Fields;

/** An object, none of whose kind could not be read. */
export const isFields = (value: Value): value is { readonly [key: string]: Value } =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Unread);

function number(value: Value): number {
  if (typeof value !== "number") throw new NoLiteral();
  return value;
}

function word(value: Value): string {
  if (typeof value !== "string" && typeof value !== "number") throw new NoLiteral();
  return String(value);
}
