// JSON as text: is it valid, and where in an object's text does a member stand.
import { PushError } from "../core/errors.ts";
import { MAX_DEPTH, scanText } from "./scan.ts";

/**
 * The first character tells most plain texts from JSON without the cost of a thrown error.
 * @throws PushError("invalid") when it is nested too deep
 */
export function isJson(text: string): boolean {
  if (!/^[\t\n\r ]*["[{\-0-9tfn]/.test(text)) return false;
  if (text.length > 2 * MAX_DEPTH) return scanText(text); // a shorter one cannot be too deep
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What the parser says of text that is no JSON. It may quote some of it. */
export function flaw(text: string): string {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}

/** The text of a member of a JSON object; of several with that name the last. `text` is known to be valid JSON. */
export function memberText(text: string, name: string): string | undefined {
  let found: string | undefined;
  let at = text.indexOf("{") + 1;
  for (;;) {
    at = skipSpace(text, at);
    if (text[at] !== '"') return found; // the closing brace
    const keyEnd = skipString(text, at);
    const key = text.slice(at + 1, keyEnd - 1);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = skipValue(text, start);
    if (key === name || (key.includes("\\") && JSON.parse(`"${key}"`) === name)) found = text.slice(start, end);
    at = skipSpace(text, end);
    if (text[at] === ",") at++;
  }
}

/** JSON text without the white space and escapes that mean nothing: numbers keep their digits, members their order. */
export function compact(text: string): string {
  let out = "";
  let from = 0; // what is before it is in `out`
  let slash = -1; // where the next backslash is, once looked up
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      const end = skipString(text, at);
      if (slash < at) slash = text.indexOf("\\", at);
      if (slash < 0) slash = text.length;
      if (slash < end) {
        out += text.slice(from, at) + JSON.stringify(JSON.parse(text.slice(at, end)));
        from = end;
      }
      at = end;
    } else if (code <= 0x20) {
      out += text.slice(from, at);
      at = skipSpace(text, at + 1);
      from = at;
    } else at++;
  }
  return out + text.slice(from);
}

const DEEPEST = 64;

/** The text of a value with its members sorted, so that values with the same members have the same text. */
export function canonical(value: unknown, depth = 0): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (depth === DEEPEST) throw new PushError("invalid", `a parameter is nested deeper than ${DEEPEST} levels`);
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(",")}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member, depth + 1)}`).join(",")}}`;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

/** `from` is at the opening quote; the result is behind the closing one. */
function skipString(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code === 0x5c) at++;
    else if (Number.isNaN(code)) return at;
  }
}

function skipValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = skipString(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) {
      if (depth === 0) return at; // the end of the object around a bare number or word
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (code === 0x2c || code <= 0x20)) return at;
    at++;
  }
  return text.length;
}
