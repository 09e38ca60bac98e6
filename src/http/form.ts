// Form fields: `a=1&b=2`, in a query or a body. A key may repeat or carry brackets: a[]=1, a[3]=1, a[b][c]=1.
import { Pace } from "../core/pace.ts";
import { HttpError } from "./message.ts";
import { decodeText, STEP } from "./pieces.ts";

/** Repeated keys and brackets become arrays and objects, at any depth; everything else is text. */
export type FormValue = string | readonly FormValue[] | { readonly [key: string]: FormValue };

const MOST_FIELDS = 1_000_000;
const DEEPEST_KEY = 16;
/** Different names of fields, and fields with brackets other than long lists: each costs more than the next item of a list. */
const MOST_NAMES = 200_000;
const MOST_NESTED = 20_000;
/** Different indexes of a long list: uid[0]=…&uid[1]=… */
const MOST_INDEXES = 1 << 18;
/** Bytes of a field as it is sent; with every byte written as %41 a third of that. */
export const MOST_FIELD = 48_000_000;
/** Bytes up to which a body is parsed at once. */
const SMALL = 64 * 1024;

/** What a bracketed key has collected so far. A Map: no key of a client can be a property of ours. */
type Branch = Map<string, string | string[] | Branch>;

/** Collects fields in the order in which they come, then gives them as one flat set of values. */
export class FormFields {
  readonly #fields: Branch = new Map();
  readonly #lists: ReadonlySet<string>;
  #count = 0;
  #nested = 0;
  /** Some key had an index or a name in brackets, so there are branches among the fields. */
  #branched = false;
  /** The key of the previous field and the list it fills: a key that repeats 100,000 times is looked up once. */
  #lastKey = "";
  #lastList: string[] | undefined;
  /** The text being parsed has characters to decode. */
  #encoded = false;

  /** @param lists names that may have 200,000 indexes in brackets and more */
  constructor(lists: ReadonlySet<string> = new Set()) {
    this.#lists = lists;
  }

  /** `text` is a run of whole fields. */
  parse(text: string): void {
    // A field, not a variable: V8 12.4 moves such a search of the whole text into the loop, where it costs quadratic time.
    this.#encoded = text.includes("%") || text.includes("+");
    let equals = -1;
    for (let at = 0; at < text.length; ) {
      let end = text.indexOf("&", at);
      if (end < 0) end = text.length;
      // Looked up only when passed: fields without "=" must not make every search run to the end.
      if (equals < at) equals = text.indexOf("=", at);
      if (equals < 0) equals = text.length;
      const keyEnd = Math.min(equals, end);
      const value = keyEnd < end ? text.slice(keyEnd + 1, end) : "";
      const decoded = this.#encoded ? decode(value) : value;
      if (this.#lastList !== undefined && keyEnd - at === this.#lastKey.length && text.startsWith(this.#lastKey, at)) {
        this.#countOne();
        this.#lastList.push(decoded);
      } else if (end > at) {
        const key = text.slice(at, keyEnd);
        this.#lastList = this.add(this.#encoded ? decode(key) : key, decoded);
        this.#lastKey = key;
      }
      at = end + 1;
    }
  }

  /** Adds one field; returns the list it went to when the next field of the same key may be pushed there. */
  add(key: string, value: string): string[] | undefined {
    this.#countOne();
    const bracket = key.indexOf("[");
    const path = bracket <= 0 ? undefined : brackets(key, bracket);
    if (path === undefined) return this.#put(key, value, false);
    const listed = path.at(-1) === "";
    if (listed) path.pop();
    let branch = this.#fields;
    let name = key.slice(0, bracket);
    if (path.length === 0) return this.#put(name, value, listed);
    if (!this.#lists.has(name) || path.length > 1 || !INDEX.test(path[0]!)) {
      if (++this.#nested > MOST_NESTED) throw new HttpError(413, `more than ${MOST_NESTED} form fields with brackets`);
    }
    for (const segment of path) {
      this.#branched = true;
      branch = descend(branch, name);
      name = segment === "" ? String(branch.size) : segment;
    }
    if (branch.size === MOST_INDEXES) throw new HttpError(413, `a form key has more than ${MOST_INDEXES} indexes`);
    return put(branch, name, value, listed);
  }

  #put(name: string, value: string, listed: boolean): string[] | undefined {
    if (this.#fields.size === MOST_NAMES && !this.#fields.has(name))
      throw new HttpError(413, `more than ${MOST_NAMES} different form fields`);
    return put(this.#fields, name, value, listed);
  }

  /** The fields that were added; none may follow. */
  values(): Map<string, FormValue> {
    if (!this.#branched) return this.#fields as Map<string, string | string[]>;
    const values = new Map<string, FormValue>();
    for (const [name, field] of this.#fields) {
      // At the top any index makes an array (ids may be numbered from anywhere); below, 2018=… is a key, not an index.
      values.set(name, field instanceof Map ? plain(field, false) : field);
    }
    return values;
  }

  /** The same, where lists of ids may be long. */
  async valuesInPieces(pace: Pace): Promise<Map<string, FormValue>> {
    const values = new Map<string, FormValue>();
    for (const [name, field] of this.#fields) {
      const isLong = field instanceof Map && this.#lists.has(name);
      values.set(name, isLong ? await indexed(field, pace) : field instanceof Map ? plain(field, false) : field);
      if (pace.over()) await pace.turn();
    }
    return values;
  }

  #countOne(): void {
    if (++this.#count > MOST_FIELDS) throw new HttpError(413, `more than ${MOST_FIELDS} form fields`);
  }
}

/** Parses a body; a long one in pieces, letting the event loop turn between them. @param lists see `FormFields` */
export function parseForm(
  body: Buffer,
  lists: ReadonlySet<string> = new Set(),
): Map<string, FormValue> | Promise<Map<string, FormValue>> {
  const fields = new FormFields(lists);
  if (body.length > SMALL) return parseInPieces(body, fields);
  fields.parse(body.toString("utf8"));
  return fields.values();
}

async function parseInPieces(body: Buffer, fields: FormFields): Promise<Map<string, FormValue>> {
  const pace = new Pace();
  for (let at = 0; at < body.length; ) {
    const end = fieldEnd(body, at + STEP);
    if (end - at > 2 * STEP) {
      const before = body.subarray(at, at + STEP).lastIndexOf("&");
      if (before >= 0) fields.parse(body.toString("utf8", at, at + before));
      await parseLong(body, at + before + 1, end, fields, pace);
    } else fields.parse(body.toString("utf8", at, end));
    at = end + 1;
    if (pace.over()) await pace.turn();
  }
  return fields.valuesInPieces(pace);
}

/** Where the field ends that `from` is in. */
function fieldEnd(body: Buffer, from: number): number {
  const found = body.subarray(from, from + MOST_FIELD).indexOf("&");
  if (found >= 0) return from + found;
  if (from + MOST_FIELD < body.length) throw new HttpError(413, `a form field is larger than ${MOST_FIELD} bytes`);
  return body.length;
}

async function parseLong(body: Buffer, start: number, end: number, fields: FormFields, pace: Pace): Promise<void> {
  const equals = body.subarray(start, Math.min(start + STEP, end)).indexOf("=");
  if (equals < 0) throw new HttpError(400, "the name of a form field is too long");
  const key = decode(body.toString("utf8", start, start + equals));
  fields.add(key, await decodeLong(body, start + equals + 1, end, pace));
}

/** `decode` for a long value. */
async function decodeLong(body: Buffer, start: number, end: number, pace: Pace): Promise<string> {
  const bytes = Buffer.allocUnsafe(end - start);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let escaped = false;
  let text = "";
  let from = 0;
  let to = 0;
  try {
    for (let at = start; at < end; at++) {
      const byte = body[at]!;
      bytes[to++] = byte === 0x2b ? 0x20 : byte;
      if (byte === 0x25) {
        escaped = true;
        const code = at + 2 < end ? 16 * hex(body[at + 1]!) + hex(body[at + 2]!) : Number.NaN;
        if (Number.isNaN(code)) throw new TypeError("not an escape");
        bytes[to - 1] = code;
        at += 2;
      }
      if (to - from < STEP) continue;
      text += decoder.decode(bytes.subarray(from, to), { stream: true });
      from = to;
      if (pace.over()) await pace.turn();
    }
    return text + decoder.decode(bytes.subarray(from, to));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    if (!escaped) return decode(await decodeText(body, start, end, pace));
  }
  // What does not decode stays as it was written.
  for (let at = start; at < end; at++) bytes[at - start] = body[at] === 0x2b ? 0x20 : body[at]!;
  return decodeText(bytes, 0, end - start, pace);
}

const hex = (byte: number): number =>
  byte >= 0x30 && byte <= 0x39
    ? byte - 0x30
    : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66
      ? (byte | 0x20) - 0x57
      : Number.NaN;

/** `[a][b][]` as `a`, `b`, ``. Undefined when it is not brackets to the end: then the whole is an ordinary name. */
function brackets(key: string, from: number): string[] | undefined {
  const path: string[] = [];
  for (let at = from; at < key.length; ) {
    const close = key.indexOf("]", at);
    if (key[at] !== "[" || close < 0) return undefined;
    path.push(key.slice(at + 1, close));
    if (path.length > DEEPEST_KEY) throw new HttpError(400, `a form key has more than ${DEEPEST_KEY} brackets`);
    at = close + 1;
  }
  return path;
}

function put(branch: Branch, name: string, value: string, listed: boolean): string[] | undefined {
  const present = branch.get(name);
  if (present === undefined) {
    const list = [value];
    branch.set(name, listed ? list : value);
    return listed ? list : undefined;
  }
  if (typeof present === "string") {
    const list = [present, value];
    branch.set(name, list);
    return list;
  }
  if (Array.isArray(present)) {
    present.push(value);
    return present;
  }
  put(present, String(present.size), value, false);
  return undefined;
}

function descend(branch: Branch, name: string): Branch {
  const present = branch.get(name);
  if (present instanceof Map) return present;
  const below: Branch = new Map();
  // a=1&a[2]=2: what came without an index takes the first ones.
  if (typeof present === "string") below.set("0", present);
  else
    present?.forEach((value, i) => {
      below.set(String(i), value);
    });
  branch.set(name, below);
  return below;
}

const INDEX = /^\d{1,9}$/;

/** `plain` for a long list at the top. */
async function indexed(branch: Branch, pace: Pace): Promise<FormValue> {
  const order = new Float64Array(branch.size);
  const values: FormValue[] = [];
  let last = -1;
  let ordered = true;
  for (const [key, field] of branch) {
    if (!INDEX.test(key)) return plain(branch, false);
    const index = Number(key);
    ordered &&= index > last;
    last = index;
    order[values.length] = index * MOST_INDEXES + values.length;
    values.push(field instanceof Map ? plain(field, true) : field);
    if (values.length % 256 === 0 && pace.over()) await pace.turn();
  }
  if (ordered) return values;
  const sorted: FormValue[] = [];
  for (const place of await inOrder(order, pace)) {
    sorted.push(values[place % MOST_INDEXES]!);
    if (sorted.length % 256 === 0 && pace.over()) await pace.turn();
  }
  return sorted;
}

/** Sorted runs, then the least of their heads again and again. */
async function inOrder(numbers: Float64Array, pace: Pace): Promise<Float64Array> {
  const runs: Float64Array[] = [];
  for (let at = 0; at < numbers.length; at += STEP) {
    runs.push(numbers.slice(at, at + STEP).sort());
    if (pace.over()) await pace.turn();
  }
  const heads = runs.map(() => 0);
  const sorted = new Float64Array(numbers.length);
  for (let at = 0; at < sorted.length; at++) {
    let least = -1;
    let value = Number.POSITIVE_INFINITY;
    for (let run = 0; run < runs.length; run++) {
      const head = runs[run]![heads[run]!];
      if (head !== undefined && head < value) {
        value = head;
        least = run;
      }
    }
    heads[least]!++;
    sorted[at] = value;
    if (at % 256 === 0 && pace.over()) await pace.turn();
  }
  return sorted;
}

function plain(branch: Branch, dense: boolean): FormValue {
  const entries = [...branch];
  const allIndexes = entries.every(([key]) => INDEX.test(key));
  const value = (field: string | string[] | Branch): FormValue => (field instanceof Map ? plain(field, true) : field);
  if (allIndexes && (!dense || entries.every(([key]) => Number(key) < entries.length))) {
    return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, field]) => value(field));
  }
  // fromEntries defines properties, so a key "__proto__" is only a key.
  return Object.fromEntries(entries.map(([key, field]) => [key, value(field)]));
}

/** What does not decode stays as it was written, as every form parser of this ecosystem does. */
function decode(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
