// Form fields: `a=1&b=2`, in a query or a body. A key may repeat or carry brackets: a[]=1, a[3]=1, a[b][c]=1.
import { HttpError } from "./message.ts";

/** Repeated keys and brackets become arrays and objects, at any depth; everything else is text. */
export type FormValue = string | readonly FormValue[] | { readonly [key: string]: FormValue };

const MOST_FIELDS = 1_000_000;
const DEEPEST_KEY = 16;
/** Characters that are parsed between two looks at the event loop: a few milliseconds. */
const SLICE = 256 * 1024;

/** What a bracketed key has collected so far. A Map: no key of a client can be a property of ours. */
type Branch = Map<string, string | string[] | Branch>;

/** Collects fields in the order in which they come, then gives them as one flat set of values. */
export class FormFields {
  readonly #fields: Branch = new Map();
  #count = 0;
  /** Some key had an index or a name in brackets, so there are branches among the fields. */
  #branched = false;
  /** The key of the previous field and the list it fills: a key that repeats 100,000 times is looked up once. */
  #lastKey = "";
  #lastList: string[] | undefined;
  /** The text being parsed has characters to decode. */
  #encoded = false;

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
    if (bracket <= 0) return put(this.#fields, key, value, false);
    const path = brackets(key, bracket);
    if (path === undefined) return put(this.#fields, key, value, false);
    const listed = path.at(-1) === "";
    if (listed) path.pop();
    let branch = this.#fields;
    let name = key.slice(0, bracket);
    for (const segment of path) {
      this.#branched = true;
      branch = descend(branch, name);
      name = segment === "" ? String(branch.size) : segment;
    }
    return put(branch, name, value, listed);
  }

  values(): Map<string, FormValue> {
    if (!this.#branched) return this.#fields as Map<string, string | string[]>;
    const values = new Map<string, FormValue>();
    for (const [name, field] of this.#fields) {
      // At the top any index makes an array (ids may be numbered from anywhere); below, 2018=… is a key, not an index.
      values.set(name, field instanceof Map ? plain(field, false) : field);
    }
    return values;
  }

  #countOne(): void {
    if (++this.#count > MOST_FIELDS) throw new HttpError(413, `more than ${MOST_FIELDS} form fields`);
  }
}

/** Parses a body; a long one in slices, letting the event loop turn between them. */
export function parseForm(body: Buffer): Map<string, FormValue> | Promise<Map<string, FormValue>> {
  const fields = new FormFields();
  if (body.length > SLICE) return parseInSlices(body, fields);
  fields.parse(body.toString("utf8"));
  return fields.values();
}

async function parseInSlices(body: Buffer, fields: FormFields): Promise<Map<string, FormValue>> {
  for (let at = 0; at < body.length; ) {
    const cut = at + SLICE < body.length ? body.indexOf("&", at + SLICE) : -1;
    const end = cut < 0 ? body.length : cut;
    fields.parse(body.toString("utf8", at, end));
    at = end + 1;
    await turn();
  }
  return fields.values();
}

/** Lets everything else that is due run first. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

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

function plain(branch: Branch, dense: boolean): FormValue {
  const entries = [...branch];
  const indexed = entries.every(([key]) => /^\d{1,9}$/.test(key));
  const value = (field: string | string[] | Branch): FormValue => (field instanceof Map ? plain(field, true) : field);
  if (indexed && (!dense || entries.every(([key]) => Number(key) < entries.length))) {
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
