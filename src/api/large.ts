// The parameters of a large body, read in pieces: nobody else waits longer than a turn for it, and it takes little more memory than
// the body itself. A long list of ids becomes strings, a payload is checked and stays text; anything else has to be small.
import { PushError } from "../core/errors.ts";
import { Pace } from "../core/pace.ts";
import { HttpError } from "../http/message.ts";
import { decodeText, joined, STEP } from "../http/pieces.ts";
import { idText, LISTS, type Limits, longestOf } from "./ids.ts";
import { compact } from "./json.ts";
import { JsonError, JsonScanner, type Member } from "./scan.ts";

/** Bytes; smaller bodies are read at once. */
export const LARGE = 64 * 1024;

/** Bytes of a payload: one message of this size takes about as long as one turn may. */
const MOST_PAYLOAD = 16_000_000;
/** Bytes, and values in it, of any other parameter. */
const MOST_OTHER = 1_000_000;
const MOST_VALUES = 20_000;
const MOST_IDS = 1_000_000;
const MOST_PARAMETERS = 1000;

/** A long list of ids: read, checked, and each once. */
export class Ids {
  readonly list: readonly string[];
  constructor(list: readonly string[]) {
    this.list = list;
  }

  /** Its JSON text. */
  *parts(): Iterable<string> {
    for (let at = 0; at < this.list.length; at += 500)
      yield `${at === 0 ? "[" : ","}${JSON.stringify(this.list.slice(at, at + 500)).slice(1, -1)}`;
    yield this.list.length === 0 ? "[]" : "]";
  }
}

/** A long payload as JSON text without line breaks. */
export class Payload {
  readonly text: string;
  /** Why it is sent as a JSON string although it begins like JSON. */
  readonly flaw: string | undefined;
  constructor(text: string, flaw?: string) {
    this.text = text;
    this.flaw = flaw;
  }

  /** Its text as it is compared: of a short one without white space. */
  parts(): Iterable<string> {
    return this.text.length > LARGE ? pieces(this.text) : [compact(this.text)];
  }
}

/** The members of a JSON object. @throws HttpError, PushError */
export async function readLargeJson(body: Buffer, limits: Limits): Promise<Map<string, unknown>> {
  const pace = new Pace();
  const values = new Map<string, unknown>();
  const scanner = await scanBody(body, pace);
  if (scanner === undefined || scanner.root === 0x5b) return values;
  if (scanner.root !== 0x7b) throw new HttpError(400, "the request body must be a JSON object");
  // Of several with one name the last counts.
  const last = new Map<string, Member>();
  for (const member of scanner.members) {
    if (member.keyEnd - member.keyStart > STEP) throw new PushError("invalid", "a parameter has too long a name");
    last.set(JSON.parse(body.toString("utf8", member.keyStart, member.keyEnd)) as string, member);
  }
  for (const [name, member] of last) values.set(name, await memberValue(name, member, body, scanner, limits, pace));
  return values;
}

async function scanBody(body: Buffer, pace: Pace): Promise<JsonScanner | undefined> {
  const scanner = new JsonScanner(MOST_PARAMETERS);
  const start = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  try {
    for (let at = start; at < body.length; at += STEP) {
      scanner.feed(body, at, Math.min(at + STEP, body.length));
      if (pace.over()) await pace.turn();
    }
    if (scanner.root === 0) return undefined; // white space is no parameters
    scanner.end(body.length);
    return scanner;
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new HttpError(400, `the request body is not valid JSON: ${cause.message}`, { cause });
  }
}

async function memberValue(
  name: string,
  { start, end, values }: Member,
  body: Buffer,
  { hasBreaks }: JsonScanner,
  limits: Limits,
  pace: Pace,
): Promise<unknown> {
  const first = body[start];
  const isText = first === 0x22;
  if (LISTS.has(name) && end - start > STEP) {
    if (first === 0x5b) return readList(body, start, end, name, limits, pace);
    if (isText) return listOfText(await decodeString(body, start, end, pace), name, limits, pace);
  }
  if (name === "json") {
    if (end - start > MOST_PAYLOAD) throw tooLarge(name, MOST_PAYLOAD);
    if (end - start > LARGE) {
      if (isText) {
        return payloadOfText(await decodeString(body, start, end, pace), pace);
      }
      const text = await decodeText(body, start, end, pace);
      return new Payload(hasBreaks ? await oneLine(text, pace) : text);
    }
    // Its own text, not written anew: large numbers keep their digits.
    if (!isText && first !== 0x6e) {
      const text = body.toString("utf8", start, end);
      return new Payload(hasBreaks ? text.replace(/[\r\n]/g, " ") : text);
    }
  }
  const text = body.toString("utf8", start, checkedEnd(name, start, end, values));
  // Parsed once, where it is read, and its own text is at hand there.
  return name === "notification" && first === 0x7b ? text : small(name, text);
}

function checkedEnd(name: string, start: number, end: number, values: number): number {
  if (end - start > MOST_OTHER) throw tooLarge(name, MOST_OTHER);
  if (values > MOST_VALUES) throw tooMany(name);
  return end;
}

const small = (name: string, json: string): unknown => {
  const value: unknown = JSON.parse(json);
  if (typeof value === "string") checkText(name, value);
  return value;
};

/** What the fields of a large form, text all of them, stand for. */
export async function readLargeFields(fields: Map<string, unknown>, limits: Limits): Promise<Map<string, unknown>> {
  const pace = new Pace();
  for (const [name, value] of fields) {
    if (typeof value === "string") {
      if (LISTS.has(name) && value.length > STEP && value.startsWith("["))
        fields.set(name, await listOfText(value, name, limits, pace));
      else if (name === "json" && value.length > LARGE) fields.set(name, await payloadOfText(value, pace));
      else if (value.length > MOST_OTHER) throw tooLarge(name, MOST_OTHER);
      else checkText(name, value);
    } else if (Array.isArray(value) && LISTS.has(name)) {
      const ids = new Collector(name, limits);
      for (let at = 0; at < value.length; at++) {
        ids.add(value[at]);
        if (at % 256 === 0 && pace.over()) await pace.turn();
      }
      fields.set(name, ids.all());
    } else checkSize(name, value);
    if (pace.over()) await pace.turn();
  }
  return fields;
}

/** What repeated and nested fields came to. */
function checkSize(name: string, value: unknown): void {
  let size = 0;
  let count = 0;
  const open = [value];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    if (++count > MOST_VALUES) throw tooMany(name);
    if (typeof item === "string") size += item.length;
    else if (Array.isArray(item) && item.length > MOST_VALUES) throw tooMany(name);
    else open.push(...Object.values(item as object));
  }
  if (size > MOST_OTHER) throw tooLarge(name, MOST_OTHER);
}

/** Text in which a notification may stand, as JSON: parsed later, at once, so it may not hold too much. */
function checkText(name: string, text: string): void {
  if (name !== "notification" || text.length <= LARGE) return;
  checkNotification(text);
}

/** @throws PushError when so much is in the text, if it is JSON, that parsing it would take long */
function checkNotification(text: string): void {
  if (text.length > MOST_OTHER) throw tooLarge("notification", MOST_OTHER);
  const bytes = Buffer.from(`[${text}]`);
  const scanner = new JsonScanner();
  try {
    scanner.feed(bytes, 0, bytes.length);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return; // said with the parser's words by who reads it
  }
  if (scanner.values > MOST_VALUES) throw tooMany("notification");
}

// ---- lists

/** Ids in the order in which they came, each once. Several sets, because one that grows to a million stops everything meanwhile. */
class Collector {
  readonly #name: string;
  readonly #longest: number;
  readonly #list: string[] = [];
  readonly #seen = Array.from({ length: 16 }, () => new Set<string>());

  constructor(name: string, limits: Limits) {
    this.#name = name;
    this.#longest = longestOf(name, limits);
  }

  add(item: unknown): void {
    if (item === "") return;
    const id = idText(item, this.#name, this.#longest);
    const last = id.length - 1;
    const seen = this.#seen[(id.charCodeAt(last) + 3 * id.charCodeAt(last >> 1)) & 15]!;
    if (seen.has(id)) return;
    if (this.#list.length === MOST_IDS)
      throw new PushError("too_large", `${this.#name} has more than ${MOST_IDS} entries: use several calls`);
    seen.add(id);
    this.#list.push(id);
  }

  all(): Ids {
    return new Ids(this.#list);
  }
}

/** The JSON array at `start`, which is known to be valid. */
async function readList(
  body: Buffer,
  start: number,
  end: number,
  name: string,
  limits: Limits,
  pace: Pace,
): Promise<Ids> {
  const ids = new Collector(name, limits);
  let from = start + 1;
  let inString = false;
  const take = (to: number): void => {
    for (const item of JSON.parse(`[${body.toString("utf8", from, to)}]`) as unknown[]) ids.add(item);
    from = to + 1;
  };
  for (let at = from; at < end - 1; at++) {
    const byte = body[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) idText({}, name, 0);
    else if (byte === 0x2c && at - from >= STEP) {
      take(at);
      if (pace.over()) await pace.turn();
    }
    if (at - from > 2 * LARGE) idText(body.toString("latin1", from, at), name, longestOf(name, limits)); // one long id, or space
  }
  take(end - 1);
  return ids.all();
}

/** A list that came as text: `["1","2"]`, or one id that only begins so. */
async function listOfText(text: string, name: string, limits: Limits, pace: Pace): Promise<unknown> {
  if (!text.startsWith("[")) return text; // one id, and too long: said by who reads it
  const bytes = await encode(text, pace);
  const scanner = await scanned(bytes, pace);
  if (scanner instanceof JsonError) return "["; // no array: said by who reads it
  return readList(bytes, 0, bytes.lastIndexOf("]") + 1, name, limits, pace);
}

// ---- payloads

/** Text that is JSON is that JSON, any other text is a JSON string. */
async function payloadOfText(text: string, pace: Pace): Promise<Payload> {
  const bytes = await encode(text, pace);
  if (bytes.length > MOST_PAYLOAD) throw tooLarge("json", MOST_PAYLOAD);
  const scanner = await scanned(bytes, pace);
  if (!(scanner instanceof JsonError)) return new Payload(scanner.hasBreaks ? await oneLine(text, pace) : text);
  let quoted = '"';
  for (const piece of pieces(text)) {
    quoted += JSON.stringify(piece).slice(1, -1);
    if (pace.over()) await pace.turn();
  }
  return new Payload(`${quoted}"`, scanner.message);
}

/** In valid JSON a raw line break is only ever white space between tokens. */
async function oneLine(text: string, pace: Pace): Promise<string> {
  let line = "";
  for (const piece of pieces(text)) {
    line += piece.replace(/[\r\n]/g, " ");
    if (pace.over()) await pace.turn();
  }
  return line;
}

/** An error: it is no JSON. */
async function scanned(bytes: Buffer, pace: Pace): Promise<JsonScanner | JsonError> {
  const scanner = new JsonScanner();
  try {
    for (let at = 0; at < bytes.length; at += STEP) {
      scanner.feed(bytes, at, Math.min(at + STEP, bytes.length));
      if (pace.over()) await pace.turn();
    }
    scanner.end(bytes.length);
    return scanner;
  } catch (error) {
    if (error instanceof JsonError) return error;
    throw error;
  }
}

// ---- bytes and text

/** Pieces of a text that end between two whole characters. */
function* pieces(text: string): Iterable<string> {
  for (let at = 0; at < text.length; ) {
    let to = Math.min(at + STEP, text.length);
    if ((text.charCodeAt(to - 1) & 0xfc00) === 0xd800 && to < text.length) to++;
    yield text.slice(at, to);
    at = to;
  }
}

async function encode(text: string, pace: Pace): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const piece of pieces(text)) {
    parts.push(Buffer.from(piece));
    if (pace.over()) await pace.turn();
  }
  return joined(parts, pace);
}

/** What a JSON string says, which is known to be valid. `start` is at its opening quote. */
async function decodeString(body: Buffer, start: number, end: number, pace: Pace): Promise<string> {
  let text = "";
  for (let at = start + 1; at < end - 1; ) {
    const to = cut(body, at, Math.min(at + STEP, end - 1), end - 1);
    text += JSON.parse(`"${body.toString("utf8", at, to)}"`) as string;
    at = to;
    if (pace.over()) await pace.turn();
  }
  return text;
}

/** The first place from `to` on, at most `end`, that is neither inside an escape nor inside a character. */
function cut(body: Buffer, from: number, to: number, end: number): number {
  if (to === end) return end;
  // An escape has at most 6 bytes: one that begins 5 before may reach over.
  for (let at = to - 1; at >= Math.max(from, to - 5); at--) {
    if (body[at] !== 0x5c) continue;
    let first = at;
    while (first > from && body[first - 1] === 0x5c) first--;
    const isEscape = (at - first) % 2 === 0; // else the second half of `\\`
    const length = isEscape && body[at + 1] === 0x75 ? 6 : 2;
    if (isEscape && at + length > to) return at + length;
    break;
  }
  let at = to;
  while (at < end && (body[at]! & 0xc0) === 0x80) at++;
  return at;
}

const tooLarge = (name: string, most: number): PushError =>
  new PushError("too_large", `${name} is larger than ${most} bytes`);

const tooMany = (name: string): PushError =>
  new PushError("too_large", `${name} holds more than ${MOST_VALUES} values`);
