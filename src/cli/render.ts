// Answers of the API as people read them: a name and a value in each line, lists of records as a table.
import { isObject } from "../core/object.ts";
import { printable } from "../core/printable.ts";

type Fields = Readonly<Record<string, unknown>>;

const isRecords = (value: unknown): value is readonly Fields[] =>
  Array.isArray(value) && value.length > 0 && value.every(isObject);

/** A moment stands twice in an answer: people read the text. */
const shownNames = (record: Fields): readonly string[] =>
  Object.keys(record).filter((name) => name !== "code" && record[name] !== undefined && !(`${name}Iso` in record));

const cell = (value: unknown): string =>
  printable(typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));

/** Lists of records are tables below the rest. */
export function recordText(record: Fields): string {
  const names = shownNames(record);
  const flat = names.filter((name) => !isRecords(record[name]));
  const width = Math.max(0, ...flat.map((name) => name.length));
  const lines = flat.map((name) => `${name.padEnd(width)}  ${cell(record[name])}`);
  const tables = names.flatMap((name) => {
    const value = record[name];
    return isRecords(value) ? [`\n${name}:\n${tableText(value)}`] : [];
  });
  return [...lines, ...tables].join("\n");
}

const LONGEST_CELL = 60;

/** @param columns all that any record has, without them */
export function tableText(records: readonly Fields[], columns?: readonly string[]): string {
  const names = columns ?? [...new Set(records.flatMap(shownNames))];
  const cut = (text: string): string => (text.length > LONGEST_CELL ? `${text.slice(0, LONGEST_CELL - 1)}…` : text);
  const rows = [
    names,
    ...records.map((record) => names.map((name) => cut(cell(record[`${name}Iso`] ?? record[name])))),
  ];
  const widths = names.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
