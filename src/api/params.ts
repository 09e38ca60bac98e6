// One flat set of parameters from body and query, and the readers that turn them into typed values (api 1).
import { createHash } from "node:crypto";
import { LONGEST_TOKEN, type PushId, type TagFilter, type Uid } from "../core/device.ts";
import { DURATIONS, milliseconds } from "../core/duration.ts";
import { PushError } from "../core/errors.ts";
import type { Language } from "../core/language.ts";
import { Pace } from "../core/pace.ts";
import { FormFields, parseForm } from "../http/form.ts";
import type { Head } from "../http/message.ts";
import { HttpError } from "../http/message.ts";
import { parseMultipart } from "../http/multipart.ts";
import { idText, LISTS, type Limits, limited, numeral } from "./ids.ts";
import { canonical, compact, flaw, isJson, memberText } from "./json.ts";
import { Ids, LARGE, Payload, readLargeFields, readLargeJson } from "./large.ts";
import { JsonError, JsonScanner, MAX_DEPTH } from "./scan.ts";
import { instant } from "./time.ts";

/** 31,000 years. Now plus this is still a date and a safe integer. */
const LONGEST_TIME_TO_LIVE = 1e15;
/** Parameters of a call that may be repeated. */
const MOST_COMPARED = 1000;

export class Params {
  readonly #values: ReadonlyMap<string, unknown>;
  /** The JSON body, while `json` comes from it: its text is passed on instead of being written anew. */
  readonly #source: string | undefined;
  readonly #limits: Limits;
  #warnings: string[] | undefined = undefined;

  constructor(values: ReadonlyMap<string, unknown>, source: string | undefined, limits: Limits) {
    this.#values = values;
    this.#source = source;
    this.#limits = limits;
  }

  /** What the caller should know although the call is carried out; goes into the answer. */
  get warnings(): readonly string[] | undefined {
    return this.#warnings;
  }

  /** For the answer, of a call that is carried out. */
  warn(text: string): void {
    this.#warnings ??= [];
    this.#warnings.push(text);
  }

  names(): Iterable<string> {
    return this.#values.keys();
  }

  /** Undefined also for `null` and for empty text: both count as absent. */
  raw(name: string): unknown {
    const value = this.#values.get(name);
    return value === null || value === "" ? undefined : value;
  }

  /** Whether there is a value: null and empty text count as absent. */
  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  /** Text of any length. Numbers are taken as their digits. */
  text(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === "string") return value;
    if (typeof value === "number") return numeral(value, name);
    throw new PushError("invalid", `${name} must be a single string`);
  }

  /** @throws PushError("invalid") when it is longer than the settings allow */
  topic(): string | undefined {
    return limited(this.text("topic"), "topic", this.#limits.topic);
  }

  /** Short text that is stored beside ids: a tag, a type, a platform. */
  label(name: string): string | undefined {
    return limited(this.text(name), name, this.#limits.id);
  }

  /** Every array form of api 1.1, as strings without duplicates. Undefined: absent; an empty array is present. */
  ids(name: string, longest = this.#limits.id): readonly string[] | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (value instanceof Ids) return value.list;
    if (typeof value === "string" && value.charCodeAt(0) !== 0x5b) return [idText(value, name, longest)];
    const list = typeof value === "string" ? arrayText(value, name) : value;
    if (!Array.isArray(list)) return [idText(list, name, longest)];
    const ids = new Set<string>();
    for (const item of list) if (item !== "") ids.add(idText(item, name, longest));
    return [...ids];
  }

  pushIds(): readonly PushId[] | undefined {
    return this.ids("pushId") as readonly PushId[] | undefined;
  }

  uids(): readonly Uid[] | undefined {
    return this.ids("uid") as readonly Uid[] | undefined;
  }

  /** Up to 4,096 characters each. */
  tokens(): readonly string[] | undefined {
    return this.ids("tokens", LONGEST_TOKEN);
  }

  /** One id, whatever array form it came in; several are refused. */
  id(name: string): string | undefined {
    const ids = this.ids(name);
    if (ids !== undefined && ids.length > 1) throw new PushError("invalid", `${name} must be a single id`);
    return ids?.[0];
  }

  /** The leading integer; anything else and anything below zero is 0. */
  count(name: string): number {
    const given = this.raw(name);
    const value: unknown = Array.isArray(given) ? given[0] : given;
    const number =
      typeof value === "number" ? Math.trunc(value) : typeof value === "string" ? Number.parseInt(value, 10) : 0;
    return number >= 1 ? Math.min(number, Number.MAX_SAFE_INTEGER) : 0; // NaN too
  }

  /** Milliseconds, of a number of them or a duration like `1h`; 0 when absent. Throws `PushError("invalid")` for anything else. */
  timeToLive(): number {
    return this.duration("timeToLive", LONGEST_TIME_TO_LIVE) ?? 0;
  }

  /** The same under any name, undefined when absent. */
  duration(name: string, longest: number): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const time = typeof value === "string" ? milliseconds(value) : value;
    if (typeof time !== "number" || !(time >= 0)) {
      throw new PushError("invalid", `${name} must be a number of milliseconds, or a duration like ${DURATIONS}`);
    }
    if (time > longest) throw new PushError("invalid", `${name} is larger than ${longest} ms`);
    return Math.trunc(time);
  }

  /** true, or its text; anything else is false. New parameters take `strictFlag`. */
  flag(name: string): boolean {
    const value = this.raw(name);
    return value === "true" || value === true;
  }

  /** A flag where anything but true or false is refused: taken for false it would do what nobody wanted. */
  strictFlag(name: string): boolean {
    const value = this.raw(name);
    if (value === undefined || value === false || value === "false") return false;
    if (value === true || value === "true") return true;
    throw new PushError("invalid", `${name} must be true or false`);
  }

  /** A whole number within bounds, refused when it is anything else. Undefined: absent. */
  whole(name: string, least: number, most: number): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
    if (Number.isSafeInteger(number) && Number(number) >= least && Number(number) <= most) return Number(number);
    throw new PushError("invalid", `${name} must be a whole number from ${least} to ${most}`);
  }

  /** A moment, in epoch milliseconds. Undefined: absent. */
  time(name: string): number | undefined {
    const value = this.raw(name);
    return value === undefined ? undefined : instant(value, name);
  }

  /** Undefined unless a start and at least one bound are given. */
  filter(): TagFilter | undefined {
    const start = this.label("tagStart");
    const lessThan = this.label("tagLessThan");
    const greaterThan = this.label("tagGreaterThan");
    if (start === undefined || (lessThan === undefined && greaterThan === undefined)) return undefined;
    return {
      start,
      ...(lessThan === undefined ? {} : { lessThan }),
      ...(greaterThan === undefined ? {} : { greaterThan }),
    };
  }

  /**
   * A payload as JSON text without line breaks. Text that is JSON is that JSON, any other text is a JSON string; a value of a
   * JSON body keeps its own text, so that large numbers keep their digits.
   */
  payload(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (value instanceof Payload) {
      if (value.flaw !== undefined && /^"\s*([{[]|\\")/.test(value.text)) this.#warnOfFlaw(name, value.flaw);
      return value.text;
    }
    if (typeof value === "string") {
      if (isJson(value)) return oneLine(value);
      if (/^\s*[{["]/.test(value)) this.#warnOfFlaw(name, flaw(value));
      return JSON.stringify(value);
    }
    const text = this.#source === undefined ? undefined : memberText(this.#source, name);
    return text === undefined ? JSON.stringify(value) : oneLine(text);
  }

  /** Neither a sentence nor a word begins like this: it was meant as JSON. */
  #warnOfFlaw(name: string, reason: string): void {
    this.warn(`${name} starts like JSON but is none, it was sent as text: ${reason}`);
  }

  /** How an object of a JSON body was written; undefined when it came another way. */
  written(name: string): string | undefined {
    return this.#source === undefined || typeof this.#values.get(name) !== "object"
      ? undefined
      : memberText(this.#source, name);
  }

  /**
   * What the call asks for, in 64 hexadecimal digits: path and parameters, `but` aside. The same whichever way the parameters
   * came, so a repetition by GET is the call that was made by POST. Known to be readable: ask after they were read.
   */
  digest(path: string, but: string): string | Promise<string> {
    const names = [...this.#values.keys()].sort().filter((name) => name !== but && this.has(name));
    if (names.length > MOST_COMPARED) throw new PushError("too_large", `more than ${MOST_COMPARED} parameters`);
    const isLong = (value: unknown): boolean => value instanceof Ids || value instanceof Payload;
    if (names.some((name) => isLong(this.raw(name)))) return this.#digestInPieces(path, names);
    const hash = createHash("sha256").update(path);
    for (const name of names) hash.update(`\n${JSON.stringify(name)}:`).update(this.#plain(name));
    return hash.digest("hex");
  }

  /** The same digest. A long payload counts as it is written, white space included. */
  async #digestInPieces(path: string, names: readonly string[]): Promise<string> {
    const pace = new Pace();
    const hash = createHash("sha256").update(path);
    for (const name of names) {
      hash.update(`\n${JSON.stringify(name)}:`);
      const value = this.raw(name);
      const parts = value instanceof Ids || value instanceof Payload ? value.parts() : [this.#plain(name)];
      for (const part of parts) {
        hash.update(part);
        if (pace.over()) await pace.turn();
      }
    }
    return hash.digest("hex");
  }

  #plain(name: string): string {
    if (LISTS.has(name)) return JSON.stringify(this.ids(name, LONGEST_TOKEN));
    if (name === "json") return compact(this.payload(name) ?? "");
    if (name === "sendAt") return String(this.time(name));
    if (name === "timeToLive") return String(this.timeToLive());
    const value = this.raw(name);
    if (typeof value !== "string") return typeof value === "object" ? canonical(value) : String(value);
    // An object may come as its text.
    return name === "notification" && isJson(value) ? canonical(JSON.parse(value)) : value;
  }
}

/** The body's parameters first, then the query's, which win. Only a long or multipart body takes more than this turn. */
export function readParams(head: Head, body: Buffer, limits: Limits): Params | Promise<Params> {
  const query = head.query === "" ? undefined : queryValues(head.query);
  if (body.length === 0) return new Params(query ?? new Map(), undefined, limits);
  const type = mediaType(head.contentType);
  switch (type) {
    case "application/x-www-form-urlencoded": {
      checkCharset(head.contentType);
      const values = parseForm(body, LISTS);
      return values instanceof Promise
        ? values
            .then((fields) => readLargeFields(fields, limits))
            .then((read) => new Params(merge(read, query), undefined, limits))
        : new Params(merge(values, query), undefined, limits);
    }
    case "application/json": {
      checkCharset(head.contentType);
      if (body.length > LARGE)
        return readLargeJson(body, limits).then((read) => new Params(merge(read, query), undefined, limits));
      if (body.length > 2 * MAX_DEPTH) checkDepth(body);
      const source = body.toString("utf8");
      const values = merge(jsonValues(source), query);
      return new Params(values, query?.has("json") ? undefined : source, limits);
    }
    case "multipart/form-data":
      return parseMultipart(body, head.contentType, LISTS)
        .then((fields) => readLargeFields(fields, limits))
        .then((read) => new Params(merge(read, query), undefined, limits));
    default:
      return new Params(query ?? new Map(), undefined, limits);
  }
}

function queryValues(query: string): Map<string, unknown> {
  const fields = new FormFields();
  fields.parse(query);
  return fields.values();
}

function merge(values: Map<string, unknown>, query: ReadonlyMap<string, unknown> | undefined): Map<string, unknown> {
  if (query !== undefined) for (const [name, value] of query) values.set(name, value);
  return values;
}

/** What is no JSON at all is said by the parser, in its words. */
function checkDepth(body: Buffer): void {
  try {
    new JsonScanner().feed(body, 0, body.length);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
  }
}

function jsonValues(text: string): Map<string, unknown> {
  const start = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (start.trimStart() === "") return new Map();
  let value: unknown;
  try {
    value = JSON.parse(start);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "";
    throw new HttpError(400, `the request body is not valid JSON: ${reason}`, { cause });
  }
  if (typeof value !== "object" || value === null) {
    throw new HttpError(400, "the request body must be a JSON object");
  }
  return Array.isArray(value) ? new Map() : new Map(Object.entries(value));
}

function mediaType(contentType: string): string {
  if (contentType === "application/json" || contentType === "application/x-www-form-urlencoded") return contentType;
  const semicolon = contentType.indexOf(";");
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}

function checkCharset(contentType: string): void {
  if (!contentType.includes(";")) return;
  const charset = /;\s*charset="?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase() ?? "utf-8";
  if (charset !== "utf-8" && charset !== "utf8" && charset !== "us-ascii") {
    throw new HttpError(415, `unsupported charset "${charset}": use utf-8`);
  }
}

function arrayText(text: string, name: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch {
    // the same mistake as valid JSON that is no array
  }
  throw new PushError("invalid", `${name} starts with "[" but is not a JSON array`);
}

/** In valid JSON a raw line break is only ever white space between tokens. */
const oneLine = (text: string): string => (/[\r\n]/.test(text) ? text.replace(/[\r\n]/g, " ") : text);

/** Of texts for people. Throws `PushError("invalid")` for one that there are none in. */
export function languageOf(params: Params): Language {
  const asked = params.text("lang") ?? "en";
  if (asked !== "en" && asked !== "zh") throw new PushError("invalid", "lang must be en or zh");
  return asked;
}
