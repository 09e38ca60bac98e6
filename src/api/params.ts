// One flat set of parameters from body and query, and the readers that turn them into typed values (http-api 1).
import { createHash } from "node:crypto";
import type { PushId, TagFilter, Uid } from "../core/device.ts";
import { DURATIONS, milliseconds } from "../core/duration.ts";
import { PushError } from "../core/errors.ts";
import { FormFields, parseForm } from "../http/form.ts";
import type { Head } from "../http/message.ts";
import { HttpError } from "../http/message.ts";
import { parseMultipart } from "../http/multipart.ts";
import { canonical, compact, flaw, isJson, memberText } from "./json.ts";
import { instant } from "./time.ts";

export interface Limits {
  /** Longest pushId, uid, tag or other label, in characters. */
  readonly id: number;
  readonly topic: number;
}

/** 31,000 years. Now plus this is still a date and a safe integer. */
const LONGEST_TIME_TO_LIVE = 1e15;
/** Characters of a vendor's token. No vendor promises a length; the longest known, a Web Push address, has some hundred. */
const LONGEST_TOKEN = 4096;
/** Parameters that have every array form. */
const LISTS: ReadonlySet<string> = new Set(["pushId", "uid", "tokens"]);

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

  topic(): string | undefined {
    return limited(this.text("topic"), "topic", this.#limits.topic);
  }

  /** Short text that is stored beside ids: a tag, a type, a platform. */
  label(name: string): string | undefined {
    return limited(this.text(name), name, this.#limits.id);
  }

  /** Every array form of http-api 1.1, as strings without duplicates. Undefined: absent; an empty array is present. */
  ids(name: string, longest = this.#limits.id): readonly string[] | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
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
    const value = this.raw(name);
    const number = typeof value === "number" ? Math.trunc(value) : Number.parseInt(String(value), 10);
    return number >= 1 ? Math.min(number, Number.MAX_SAFE_INTEGER) : 0; // NaN too
  }

  /** Milliseconds, of a number of them or a duration like `1h`; 0 when absent. Throws `PushError("invalid")` for anything else. */
  timeToLive(): number {
    const value = this.raw("timeToLive");
    if (value === undefined) return 0;
    const timeToLive = typeof value === "string" ? milliseconds(value) : value;
    if (typeof timeToLive !== "number" || !(timeToLive >= 0)) {
      throw new PushError("invalid", `timeToLive must be a number of milliseconds, or a duration like ${DURATIONS}`);
    }
    if (timeToLive > LONGEST_TIME_TO_LIVE) {
      throw new PushError("invalid", `timeToLive is larger than ${LONGEST_TIME_TO_LIVE} ms`);
    }
    return Math.trunc(timeToLive);
  }

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
    if (typeof value === "string") {
      if (isJson(value)) return oneLine(value);
      // Neither a sentence nor a word begins like this: it was meant as JSON.
      if (/^\s*[{["]/.test(value))
        this.warn(`${name} starts like JSON but is none, it was sent as text: ${flaw(value)}`);
      return JSON.stringify(value);
    }
    const text = this.#source === undefined ? undefined : memberText(this.#source, name);
    return text === undefined ? JSON.stringify(value) : oneLine(text);
  }

  /**
   * What the call asks for, in 64 hexadecimal digits: path and parameters, `but` aside. The same whichever way the parameters
   * came, so a repetition by GET is the call that was made by POST. Known to be readable: ask after they were read.
   */
  digest(path: string, but: string): string {
    const hash = createHash("sha256").update(path);
    for (const name of [...this.#values.keys()].sort()) {
      if (name === but || !this.has(name)) continue;
      hash.update(`\n${JSON.stringify(name)}:`).update(this.#plain(name));
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

function idText(value: unknown, name: string, longest: number): string {
  const id = typeof value === "number" ? numeral(value, name) : value;
  if (typeof id !== "string") throw new PushError("invalid", `${name} must be a string, a number or an array of these`);
  return limited(id, name, longest);
}

function limited<T extends string | undefined>(text: T, name: string, most: number): T {
  if (text !== undefined && text.length > most) {
    throw new PushError("invalid", `${name} is longer than ${most} characters`);
  }
  return text;
}

/** The body's parameters first, then the query's, which win. Only a long or multipart body takes more than this turn. */
export function readParams(head: Head, body: Buffer, limits: Limits): Params | Promise<Params> {
  const query = head.query === "" ? undefined : queryValues(head.query);
  if (body.length === 0) return new Params(query ?? new Map(), undefined, limits);
  const type = mediaType(head.contentType);
  switch (type) {
    case "application/x-www-form-urlencoded": {
      checkCharset(head.contentType);
      const values = parseForm(body);
      return values instanceof Promise
        ? values.then((parsed) => new Params(merge(parsed, query), undefined, limits))
        : new Params(merge(values, query), undefined, limits);
    }
    case "application/json": {
      checkCharset(head.contentType);
      const source = body.toString("utf8");
      const values = merge(jsonValues(source), query);
      return new Params(values, query?.has("json") ? undefined : source, limits);
    }
    case "multipart/form-data":
      return parseMultipart(body, head.contentType).then(
        (values) => new Params(merge(values, query), undefined, limits),
      );
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

/** An id beyond 2^53 has already lost digits when it gets here: it would name somebody else. */
function numeral(value: number, name: string): string {
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return String(value);
  throw new PushError("invalid", `${name}: send numbers above ${Number.MAX_SAFE_INTEGER} as strings`);
}

/** In valid JSON a raw line break is only ever white space between tokens. */
const oneLine = (text: string): string => (/[\r\n]/.test(text) ? text.replace(/[\r\n]/g, " ") : text);
