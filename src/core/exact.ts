// JSON whose numbers keep their digits: 1234567890123456789 and 1.10 are not what a JavaScript number would make of them.

/** Since V8 11.4; TypeScript does not know them yet. */
interface WithSource {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
}
const json = JSON as unknown as WithSource; // Node 22 has them

/** Most texts have no number that would be written differently; this finds those that may. */
const SUSPICIOUS = /\d{16}|\.\d*0(?!\d)|\.0{6}|\d[eE]|-0/;

/**
 * The value of a JSON text. A number that would be written in other digits is an object instead, which `JSON.stringify` writes as
 * it came. @throws SyntaxError
 */
export function parseExact(text: string): unknown {
  if (!SUSPICIOUS.test(text)) return JSON.parse(text);
  return json.parse(text, (_, value, { source }) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? json.rawJSON(source) : value,
  );
}

/** Whether it stands for a number, although it is an object. */
export const isExactNumber = (value: unknown): boolean => json.isRawJSON(value);
