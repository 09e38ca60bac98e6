// Checks JSON as bytes, in pieces of any size, and finds the members of the root object. Nothing is built: a body of 100 MB costs
// the time to look at it once. RFC 8259; what is accepted is what JSON.parse accepts, save depth.
import { PushError } from "../core/errors.ts";

/** Clients read with parsers that recurse; the strictest known one of a phone stops at 512. */
export const MAX_DEPTH = 1000;

/** One member of the root object: where its key and its value stand, quotes included. */
export interface Member {
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly start: number;
  readonly end: number;
  /** Values in it, itself included. */
  readonly values: number;
}

/** What is no JSON, and where. */
export class JsonError extends Error {}

// What is expected or under way.
const VALUE = 0;
const FIRST_ITEM = 1;
const FIRST_KEY = 2;
const KEY = 3;
const COLON = 4;
const AFTER = 5;
const STRING = 6;
const ESCAPE = 7;
const HEX = 8; // 8 to 11: so many of its four digits are read
const WORD = 12;
const MINUS = 13;
const ZERO = 14;
const INTEGER = 15;
const POINT = 16;
const FRACTION = 17;
const E = 18;
const E_SIGN = 19;
const EXPONENT = 20;

const WORDS: Readonly<Record<number, string>> = { 116: "true", 102: "false", 110: "null" };

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isHex = (byte: number): boolean => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);

export class JsonScanner {
  /** Of the root, when it is an object. */
  readonly members: Member[] = [];
  /** The first byte of the root; 0: nothing but white space so far. */
  root = 0;
  /** Line breaks stand between the values. */
  hasBreaks = false;
  readonly #mostMembers: number;
  #state = VALUE;
  #depth = 0;
  /** For each level whether it is an object. */
  readonly #objects = new Uint8Array(MAX_DEPTH + 1);
  #inKey = false;
  #word = "";
  #wordAt = 0;
  #values = 0;
  // Of the member under way.
  #keyStart = 0;
  #keyEnd = 0;
  #start = 0;
  #valuesBefore = 0;

  constructor(mostMembers = Number.POSITIVE_INFINITY) {
    this.#mostMembers = mostMembers;
  }

  /** How many have begun. */
  get values(): number {
    return this.#values;
  }

  /** Goes on with the bytes from `from` up to `to`. @throws JsonError, PushError("invalid") when nested too deep */
  feed(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const byte = bytes[at]!;
      if (this.#state === STRING) {
        at = this.#string(bytes, at, to);
      } else if (this.#state < STRING && (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)) {
        if (byte === 0x0a || byte === 0x0d) this.hasBreaks = true;
        at++;
      } else if (this.#state >= MINUS && this.#number(byte)) {
        at++;
      } else {
        // A number ends with the byte behind it.
        if (this.#state >= MINUS) this.#endNumber(at);
        else {
          this.#step(byte, at);
          at++;
        }
      }
    }
  }

  /** The text is complete. @throws JsonError when something is missing */
  end(at: number): void {
    if (this.#state >= MINUS) this.#endNumber(at);
    if (this.#state !== AFTER || this.#depth > 0) throw new JsonError("unexpected end");
  }

  #string(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      if (byte === 0x22) {
        if (this.#inKey) {
          this.#inKey = false;
          this.#state = COLON;
          if (this.#depth === 1) this.#keyEnd = at + 1;
        } else this.#endValue(at + 1);
        return at + 1;
      }
      if (byte === 0x5c) {
        this.#state = ESCAPE;
        return at + 1;
      }
      if (byte < 0x20) throw unexpected(at);
    }
    return to;
  }

  #step(byte: number, at: number): void {
    switch (this.#state) {
      case FIRST_ITEM:
        if (byte === 0x5d) return this.#close(at);
        return this.#begin(byte, at);
      case VALUE:
        return this.#begin(byte, at);
      case FIRST_KEY:
        if (byte === 0x7d) return this.#close(at);
        return this.#beginKey(byte, at);
      case KEY:
        return this.#beginKey(byte, at);
      case COLON:
        if (byte !== 0x3a) throw unexpected(at);
        this.#state = VALUE;
        return;
      case AFTER: {
        const inObject = this.#objects[this.#depth] === 1;
        if (this.#depth > 0 && byte === 0x2c) {
          this.#state = inObject ? KEY : VALUE;
          return;
        }
        if (this.#depth > 0 && byte === (inObject ? 0x7d : 0x5d)) return this.#close(at);
        throw unexpected(at);
      }
      case ESCAPE:
        if (byte === 0x75) this.#state = HEX;
        // " \ / b f n r t
        else if ('"\\/bfnrt'.includes(String.fromCharCode(byte))) this.#state = STRING;
        else throw unexpected(at);
        return;
      case WORD:
        if (byte !== this.#word.charCodeAt(this.#wordAt)) throw unexpected(at);
        if (++this.#wordAt === this.#word.length) this.#endValue(at + 1);
        return;
      default: // the four digits of an escape
        if (!isHex(byte)) throw unexpected(at);
        this.#state = this.#state === HEX + 3 ? STRING : this.#state + 1;
    }
  }

  #beginKey(byte: number, at: number): void {
    if (byte !== 0x22) throw unexpected(at);
    if (this.#depth === 1) this.#keyStart = at;
    this.#inKey = true;
    this.#state = STRING;
  }

  #begin(byte: number, at: number): void {
    if (this.#depth === 0) this.root = byte;
    else if (this.#depth === 1) {
      this.#start = at;
      this.#valuesBefore = this.#values;
    }
    this.#values++;
    if (byte === 0x22) this.#state = STRING;
    else if (byte === 0x7b || byte === 0x5b) {
      if (this.#depth === MAX_DEPTH) throw tooDeep();
      this.#objects[++this.#depth] = byte === 0x7b ? 1 : 0;
      this.#state = byte === 0x7b ? FIRST_KEY : FIRST_ITEM;
    } else if (byte === 0x2d) this.#state = MINUS;
    else if (byte === 0x30) this.#state = ZERO;
    else if (isDigit(byte)) this.#state = INTEGER;
    else {
      const word = WORDS[byte];
      if (word === undefined) throw unexpected(at);
      this.#word = word;
      this.#wordAt = 1;
      this.#state = WORD;
    }
  }

  #close(at: number): void {
    this.#depth--;
    this.#endValue(at + 1);
  }

  #endValue(end: number): void {
    this.#state = AFTER;
    if (this.#depth !== 1 || this.root !== 0x7b) return;
    if (this.members.length === this.#mostMembers)
      throw new PushError("too_large", `more than ${this.#mostMembers} parameters`);
    this.members.push({
      keyStart: this.#keyStart,
      keyEnd: this.#keyEnd,
      start: this.#start,
      end,
      values: this.#values - this.#valuesBefore,
    });
  }

  /** Whether the byte goes on with the number. */
  #number(byte: number): boolean {
    const next = afterNumber(this.#state, byte);
    if (next === 0) return false;
    this.#state = next;
    return true;
  }

  #endNumber(at: number): void {
    const state = this.#state;
    if (state !== ZERO && state !== INTEGER && state !== FRACTION && state !== EXPONENT) throw unexpected(at);
    this.#endValue(at);
  }
}

/** 0: the byte is not part of it. */
function afterNumber(state: number, byte: number): number {
  switch (state) {
    case MINUS:
      return byte === 0x30 ? ZERO : isDigit(byte) ? INTEGER : 0;
    case ZERO:
    case INTEGER:
      if (state === INTEGER && isDigit(byte)) return INTEGER;
      return byte === 0x2e ? POINT : byte === 0x65 || byte === 0x45 ? E : 0;
    case POINT:
      return isDigit(byte) ? FRACTION : 0;
    case FRACTION:
      return isDigit(byte) ? FRACTION : byte === 0x65 || byte === 0x45 ? E : 0;
    case E:
      return byte === 0x2b || byte === 0x2d ? E_SIGN : isDigit(byte) ? EXPONENT : 0;
    default:
      return isDigit(byte) ? EXPONENT : 0;
  }
}

const unexpected = (at: number): JsonError => new JsonError(`unexpected character at position ${at}`);

const tooDeep = (): PushError => new PushError("invalid", `JSON nested deeper than ${MAX_DEPTH} levels`);

/** Whether a text is JSON. @throws PushError("invalid") when it is nested too deep */
export function scanText(text: string): boolean {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner();
  try {
    scanner.feed(bytes, 0, bytes.length);
    scanner.end(bytes.length);
    return true;
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}
