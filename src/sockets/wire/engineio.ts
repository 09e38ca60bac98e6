// Engine.IO, revisions 3 and 4, as text and bytes: the open packet and the payloads of polling (protocol 2.2 to 2.4).
// On a websocket a message is one packet; on polling a payload carries several.

export type Revision = 3 | 4;

/** Text with its type digit first, e.g. `4hello`; or the data of a binary message, whose type is always 4. */
export type EnginePacket = string | Buffer;

/** How long it is on the wire, without its frame. */
export const bytesOf = (packet: EnginePacket): number =>
  typeof packet === "string" ? Buffer.byteLength(packet) : packet.length;

/** Packets in one payload: no client has so much to say at once. */
export const MAX_PACKETS = 1000;

export interface Handshake {
  readonly sid: string;
  readonly upgrades: readonly string[];
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly maxPayload: number;
}

/** Every field is required by one shipped client or another; the order is the reference's. */
export function openPacket({ sid, upgrades, pingInterval, pingTimeout, maxPayload }: Handshake): string {
  const times = `"pingInterval":${pingInterval},"pingTimeout":${pingTimeout},"maxPayload":${maxPayload}`;
  return `0{"sid":"${sid}","upgrades":${JSON.stringify(upgrades)},${times}}`; // a sid has nothing to escape
}

/** Whether a text packet's first character is one of the seven types. */
export function isPacket(text: string): boolean {
  const type = text.charCodeAt(0); // NaN for an empty text
  return type >= 0x30 && type <= 0x36;
}

// ---- revision 4

const SEPARATOR = "\x1e";

/** Bytes go as `b` and base64 (protocol 2.4). */
export function encodePayload4(packets: readonly EnginePacket[]): string {
  return packets
    .map((packet) => (typeof packet === "string" ? packet : `b${packet.toString("base64")}`))
    .join(SEPARATOR);
}

/**
 * `undefined` when any part of it is malformed, or when there are more than `MAX_PACKETS`: a payload counts as a whole or not at all.
 */
export function decodePayload4(body: Buffer): EnginePacket[] | undefined {
  const text = utf8(body);
  if (text === undefined) return undefined;
  const parts = text.split(SEPARATOR, MAX_PACKETS + 1);
  if (parts.length > MAX_PACKETS) return undefined;
  const packets: EnginePacket[] = [];
  for (const part of parts) {
    const packet = part.charCodeAt(0) === 0x62 ? fromBase64(part, 1) : isPacket(part) ? part : undefined;
    if (packet === undefined) return undefined;
    packets.push(packet);
  }
  return packets;
}

// ---- revision 3

/**
 * The text form, for clients that asked for it (`b64`, JSONP). Pure ASCII, so that the length conventions and the decoders of 1.x and
 * 2.x clients agree: non-ASCII characters become `\uXXXX`, which is right inside JSON strings, the only place where a Socket.IO
 * packet has them. Binary becomes base64.
 */
export function encodePayload3(packets: readonly EnginePacket[]): string {
  let payload = "";
  for (const packet of packets) {
    const text = typeof packet === "string" ? ascii(packet) : base64Packet3(packet);
    payload += `${text.length}:${text}`;
  }
  return payload;
}

/**
 * The binary form, for all others: every client that takes it reads it alike, and the 1.x server wrote no other, so some clients read
 * no other. Per packet 0 (text) or 1 (binary), the digits of the length in bytes as bytes 0 to 9, 255, the data.
 */
export function encodeBinaryPayload3(packets: readonly EnginePacket[]): Buffer {
  const parts: Buffer[] = [];
  for (const packet of packets) {
    const text = typeof packet === "string";
    const data = text ? Buffer.from(packet) : packet;
    const digits = String(text ? data.length : data.length + 1);
    const head = text ? [0] : [1];
    for (const digit of digits) head.push(Number(digit));
    head.push(255);
    if (!text) head.push(MESSAGE_TYPE);
    parts.push(Buffer.from(head), data);
  }
  return Buffer.concat(parts);
}

/** What a binary message begins with in revision 3. */
export const MESSAGE_TYPE = 4;

/** A binary message for a client that asked for no binary frames. */
export const base64Packet3 = (data: Buffer): string => `b4${data.toString("base64")}`;

function ascii(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII
  return text.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The text form: `<UTF-16 units>:<packet>` after packet. */
export function decodePayload3(body: Buffer): EnginePacket[] | undefined {
  const text = utf8(body);
  return text === undefined ? undefined : decodeText3(text);
}

/** The same from a form field `d` of a JSONP client (protocol 2.3). */
export function decodeForm3(body: Buffer): EnginePacket[] | undefined {
  const form = body.toString("latin1");
  // The one field alone: a form may have half a million others.
  const start = form.startsWith("d=") ? 0 : form.indexOf("&d=") + 1;
  const end = form.indexOf("&", start);
  const field = new URLSearchParams(form.slice(start, end < 0 ? form.length : end)).get("d");
  return field === null ? undefined : decodeText3(field.replace(/(\\)?\\n/g, (_, slash) => (slash ? "\\n" : "\n")));
}

function decodeText3(text: string): EnginePacket[] | undefined {
  if (text === "0:") return []; // what a 1.x client sends for nothing
  const packets: EnginePacket[] = [];
  let at = 0;
  while (at < text.length) {
    const colon = text.indexOf(":", at);
    const length = colon < 0 ? undefined : boundedNumber(text, at, colon);
    if (length === undefined || length === 0 || colon + 1 + length > text.length) return undefined;
    const packet = packet3(text.slice(colon + 1, colon + 1 + length));
    if (packet === undefined || packets.length === MAX_PACKETS) return undefined;
    packets.push(packet);
    at = colon + 1 + length;
  }
  return packets.length > 0 ? packets : undefined;
}

/** The binary form, see `encodeBinaryPayload3`. */
export function decodeBinaryPayload3(body: Buffer): EnginePacket[] | undefined {
  const packets: EnginePacket[] = [];
  let at = 0;
  while (at < body.length) {
    const kind = body[at++]!;
    let length = 0;
    let digits = 0;
    for (; body[at] !== 255; at++) {
      const digit = body[at];
      if (digit === undefined || digit > 9 || ++digits > MAX_DIGITS) return undefined;
      length = 10 * length + digit;
    }
    const from = at + 1;
    at = from + length;
    if (kind > 1 || length === 0 || at > body.length || packets.length === MAX_PACKETS) return undefined;
    if (kind === 1) {
      if (body[from] !== MESSAGE_TYPE) return undefined;
      packets.push(body.subarray(from + 1, at));
    } else {
      const text = utf8(body.subarray(from, at));
      if (text === undefined || !isPacket(text)) return undefined;
      packets.push(text);
    }
  }
  return packets.length > 0 ? packets : undefined;
}

/** One packet of the text form; also what a websocket client without binary frames sends. */
export function packet3(text: string): EnginePacket | undefined {
  if (text.startsWith("b4")) return fromBase64(text, 2);
  return isPacket(text) ? singleEncoded(text) : undefined;
}

/**
 * 1.x clients encode twice on polling: each UTF-8 byte is sent as one character up to U+00FF. Text that can be read so is; a 2.x
 * client that truly means such text is misread, which is negligible (protocol 2.3).
 */
function singleEncoded(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII
  if (/^[\x00-\x7f]*$/.test(text) || /[^\x00-\xff]/.test(text)) return text;
  return utf8(Buffer.from(text, "latin1")) ?? text;
}

// ---- shared

/** Lengths have at most so many digits: more than any payload allowed needs. */
const MAX_DIGITS = 9;

function boundedNumber(text: string, from: number, to: number): number | undefined {
  if (to === from || to - from > MAX_DIGITS) return undefined;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = 10 * value + digit;
  }
  return value;
}

function fromBase64(text: string, from: number): Buffer | undefined {
  const digits = text.slice(from);
  return /^[A-Za-z0-9+/]*={0,2}$/.test(digits) ? Buffer.from(digits, "base64") : undefined;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined; // the only error it knows: not UTF-8
  }
}

// ---- JSONP

/** A poll's answer as a script. The payload is ASCII, so nothing in it can end a script line. */
export const jsonp = (index: string, payload: string): string => `___eio[${index}](${JSON.stringify(payload)});`;
