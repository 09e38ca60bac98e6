// A stream of bytes, cut into records: lines of text, or rows of CSV, which may hold line ends in quotes.

/** What is kept of a record that is too long to be one. */
const SHOWN = 100;

export interface Record {
  /** Without its end. Of one that is too long: how it begins. */
  readonly text: string;
  readonly tooLong: boolean;
  /** The line that it begins on, from 1. */
  readonly line: number;
  /** Where the next one begins: bytes and lines before it. */
  readonly bytes: number;
  readonly lines: number;
}

export interface From {
  readonly bytes: number;
  readonly lines: number;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;

/**
 * The records of each piece of the stream, which begins at `from`. Never holds more than `longest` bytes of one.
 * @param quoted a line end between double quotes ends no record
 */
export async function* records(
  source: AsyncIterable<Uint8Array>,
  { bytes, lines }: From,
  longest: number,
  quoted = false,
): AsyncGenerator<readonly Record[]> {
  let begun: Buffer[] = [];
  let size = 0;
  let inQuotes = false;
  let first = lines + 1;

  function end(): Record {
    let whole = begun.length === 1 ? begun[0]! : Buffer.concat(begun);
    if (whole.at(-1) === RETURN) whole = whole.subarray(0, -1);
    const tooLong = size > longest;
    const record = { text: whole.toString("utf8"), tooLong, line: first, bytes, lines };
    begun = [];
    size = 0;
    first = lines + 1;
    return record;
  }

  function keep(part: Buffer): void {
    size += part.length;
    if (size <= longest) begun.push(part);
    else begun = [Buffer.concat(begun.length === 0 ? [part] : begun).subarray(0, SHOWN)];
  }

  for await (const given of source) {
    const piece = Buffer.from(given.buffer, given.byteOffset, given.length);
    const found: Record[] = [];
    let at = 0;
    while (at < piece.length) {
      const next = piece.indexOf(NEWLINE, at);
      const until = next === -1 ? piece.length : next;
      const part = piece.subarray(at, until);
      if (quoted) for (const byte of part) if (byte === QUOTE) inQuotes = !inQuotes;
      bytes += until - at + (next === -1 ? 0 : 1);
      at = until + 1;
      if (next === -1) {
        keep(Buffer.from(part)); // the piece's memory is used again
        break;
      }
      lines++;
      if (inQuotes && size <= longest) {
        keep(Buffer.concat([part, Buffer.from("\n")]));
        continue;
      }
      inQuotes = false;
      keep(part);
      found.push(end());
    }
    if (found.length > 0) yield found;
  }
  if (size > 0) {
    lines++;
    yield [end()];
  }
}
