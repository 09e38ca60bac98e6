// DER (X.690), as much of it as a certificate has: each function returns one encoded value.

/** The content of every universal and context-specific value here comes after its tag and its length. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content);
  if (bytes.length < 0x80) return Buffer.concat([Buffer.of(tag, bytes.length), bytes]);
  const length = minimal(bytes.length);
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length, ...length), bytes]);
}

export const sequence = (...values: readonly Uint8Array[]): Buffer => der(0x30, ...values);
export const set = (...values: readonly Uint8Array[]): Buffer => der(0x31, ...values);
export const octets = (...values: readonly Uint8Array[]): Buffer => der(0x04, ...values);
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text));
export const yes = der(0x01, Buffer.of(0xff));

/** A tag without a meaning of its own: `inner` says of what kind. */
export const explicit = (number: number, inner: Uint8Array): Buffer => der(0xa0 + number, inner);

/** Not negative. */
export function integer(bytes: Uint8Array): Buffer {
  return bytes[0]! >= 0x80 ? der(0x02, Buffer.of(0), bytes) : der(0x02, bytes);
}

/** `unused` bits at the end of the last byte do not count. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer => der(0x03, Buffer.of(unused), bytes);

/** `1.2.840.10045.4.3.2` and the like. */
export function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** RFC 5280, 4.1.2.5: two digits of the year until 2049. Milliseconds since 1970; a certificate knows seconds. */
export function time(at: number): Buffer {
  const digits = `${new Date(at).toISOString().replace(/\.\d+|\D/g, "")}Z`;
  return digits < "2050" ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

/** What stands one after the other in `bytes`, not looked into. @throws RangeError when it is no DER */
export function derValues(bytes: Buffer): readonly DerValue[] {
  const values: DerValue[] = [];
  for (let from = 0; from < bytes.length; ) {
    const tag = bytes.readUInt8(from);
    const first = bytes.readUInt8(from + 1);
    const more = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || more > 4) throw new RangeError("no length");
    const length = more === 0 ? first : bytes.readUIntBE(from + 2, more);
    const begin = from + 2 + more;
    const end = begin + length;
    if (end > bytes.length) throw new RangeError("it ends too early");
    values.push({ tag, content: bytes.subarray(begin, end), whole: bytes.subarray(from, end) });
    from = end;
  }
  return values;
}

function base128(value: number): readonly number[] {
  const groups = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) groups.unshift(0x80 | (rest & 0x7f));
  return groups;
}

function minimal(value: number): readonly number[] {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff);
  return bytes;
}
