// Tokens as a table (RFC 4180): a line of names, then a row per device.
import { createHash } from "node:crypto";
import { similar } from "../core/similar.ts";
import { checked, type Limits, type Read } from "./check.ts";

/** The names of columns, and what they stand for. `_` and letter case do not count. */
const COLUMNS = ["pushId", "uid", "platform", "tags", "type", "token", "packageName", "updateTime"] as const;
type Column = (typeof COLUMNS)[number];

const folded = (name: string): string => name.trim().replaceAll("_", "").toLowerCase();
const byName: ReadonlyMap<string, Column> = new Map(COLUMNS.map((column) => [folded(column), column]));

export interface Table {
  readonly separator: string;
  readonly columns: readonly Column[];
}

/** The first line. A text says what is wrong with it. */
export function readHeader(line: string): Table | string {
  const separator = [",", ";", "\t"].find((one) => line.includes(one)) ?? ",";
  const names = cells(line.replace(/^\uFEFF/, ""), separator);
  if (names === undefined) return "a quote of the first line does not end";
  const columns: Column[] = [];
  for (const name of names) {
    const column = byName.get(folded(name));
    if (column === undefined) {
      const guess = similar(name, COLUMNS);
      return `the first line has to name the columns; ${JSON.stringify(name)} is none of ${COLUMNS.join(", ")}${guess === undefined ? "" : `; did you mean ${guess}?`}`;
    }
    if (columns.includes(column)) return `the first line names ${column} twice`;
    columns.push(column);
  }
  for (const needed of ["type", "token"] as const)
    if (!columns.includes(needed)) return `the first line names no column ${needed}`;
  return { separator, columns };
}

/** Tags are separated by spaces. A row without a pushId gets one that is always the same for its token. */
export function readRow(line: string, { separator, columns }: Table, limits: Limits): Read {
  const row = cells(line, separator);
  if (row === undefined) return { skipped: "a quote does not end" };
  if (row.length !== columns.length) return { skipped: `it has ${row.length} columns, not ${columns.length}` };
  const fields = Object.fromEntries(columns.map((column, at) => [column, row[at]!.trim()])) as Partial<
    Record<Column, string>
  >;
  if (!fields.token) return { skipped: "it has no token" };
  if (!fields.type) return { skipped: "its token has no type" };
  return checked(
    {
      ...fields,
      pushId: fields.pushId || made(fields.type, fields.token, fields.packageName ?? ""),
      tags: fields.tags?.split(/\s+/),
      updateTime: timeOf(fields.updateTime),
    },
    limits,
  );
}

/** Until the app connects with a pushId of its own, and brings this token. */
function made(type: string, token: string, app: string): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([type, token, app]))
    .digest("hex");
  return `import-${hash.slice(0, 32)}`;
}

function timeOf(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(time) ? time : undefined;
}

/** Undefined: a quote does not end. */
function cells(line: string, separator: string): string[] | undefined {
  const found: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] !== '"') {
      const end = line.indexOf(separator, at);
      found.push(line.slice(at, end === -1 ? undefined : end));
      if (end === -1) return found;
      at = end + 1;
      continue;
    }
    let text = "";
    for (at++; ; ) {
      const quote = line.indexOf('"', at);
      if (quote === -1) return undefined;
      text += line.slice(at, quote);
      at = quote + 1;
      if (line[at] !== '"') break;
      text += '"';
      at++;
    }
    found.push(text);
    if (at >= line.length) return found;
    if (line[at] !== separator) return undefined;
    at++;
  }
}
