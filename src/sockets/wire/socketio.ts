// Socket.IO packets: encoded once, decoded strictly (protocol 3.1).
// Encoded packets are whole Engine.IO messages, leading 4 included; decoded text comes without it.

export const CONNECT = 0;
export const DISCONNECT = 1;
export const EVENT = 2;
export const ACK = 3;
export const CONNECT_ERROR = 4;
export const BINARY_EVENT = 5;
export const BINARY_ACK = 6;
type SocketPacketType = 0 | 1 | 2 | 3 | 4 | 5 | 6;

export interface SocketPacket {
  readonly type: SocketPacketType;
  /** "/" or "/name"; a query string some old clients append is cut off. */
  readonly namespace: string;
  /** Digits. */
  readonly ackId: string | undefined;
  /** How many binary messages belong to it and follow. */
  readonly attachments: number;
  /** The JSON text as it came; "" when there was none. */
  readonly json: string;
  /** Parsed: an array for events and acks, whose first item is the name of an event. */
  readonly payload: unknown;
}

/** What a client may not use as an event name: a handler would take it for the library's own event. */
export const RESERVED: ReadonlySet<string> = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);

export const MAX_ATTACHMENTS = 10;
const MAX_ACK_DIGITS = 15;
const MAX_NAMESPACE = 200;
const MAX_DEPTH = 1000;
/** Items, members, arrays and objects in one packet; 1 MB could hold half a million. */
const MAX_VALUES = 20_000;

// ---- encoding

/** An event for "/" of arguments that are JSON already: `42["p",{"m":1}]`. */
export function encodeEvent(name: string, ...json: readonly string[]): string {
  let packet = `42[${JSON.stringify(name)}`;
  for (const argument of json) packet += `,${argument}`;
  return `${packet}]`;
}

/** Revision 3 takes no payload; revision 4 wants the id of the Socket.IO session. */
export const encodeConnect = (namespace: string, sid: string | undefined): string =>
  `40${prefix(namespace)}${sid === undefined ? "" : `{"sid":"${sid}"}`}`; // a sid has nothing to escape

/** Why a namespace was refused: a bare string for revision 3, an object for revision 4, with `data` for programs. */
export const encodeConnectError = (revision: 3 | 4, namespace: string, message: string, data?: object): string =>
  `44${prefix(namespace)}${JSON.stringify(revision === 3 ? message : { message, data })}`;

/** A packet and the binary messages to send right after it. */
export interface EncodedPacket {
  readonly packet: string;
  readonly attachments: readonly Uint8Array[];
}

/** An event with arguments as values; those that are bytes travel as attachments. */
export const encodeBinaryEvent = (namespace: string, name: string, args: readonly unknown[]): EncodedPacket =>
  encodeArgs(EVENT, namespace, "", [name, ...args]);

export const encodeAck = (namespace: string, ackId: string, args: readonly unknown[]): EncodedPacket =>
  encodeArgs(ACK, namespace, ackId, args);

function encodeArgs(
  type: typeof EVENT | typeof ACK,
  namespace: string,
  ackId: string,
  args: readonly unknown[],
): EncodedPacket {
  const attachments: Uint8Array[] = [];
  const json = JSON.stringify(takeOut(args, attachments));
  const head = attachments.length === 0 ? `4${type}` : `4${type + 3}${attachments.length}-`;
  return { packet: `${head}${prefix(namespace)}${ackId}${json}`, attachments };
}

const prefix = (namespace: string): string => (namespace === "/" ? "" : `${namespace},`);

function takeOut(value: unknown, attachments: Uint8Array[]): unknown {
  if (value instanceof Uint8Array) return { _placeholder: true, num: attachments.push(value) - 1 };
  if (Array.isArray(value)) return value.map((item) => takeOut(item, attachments));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, takeOut(item, attachments)]));
}

// ---- decoding

/** `undefined` for anything that is not exactly a packet. */
export function decode(text: string): SocketPacket | undefined {
  const type = text.charCodeAt(0) - 0x30;
  if (!isType(type)) return undefined;
  let at = 1;

  let attachments = 0;
  if (type === BINARY_EVENT || type === BINARY_ACK) {
    const end = digitsEnd(text, at, 2);
    if (end === at || text.charCodeAt(end) !== 0x2d) return undefined;
    attachments = Number(text.slice(at, end));
    if (attachments > MAX_ATTACHMENTS) return undefined;
    at = end + 1;
  }

  let namespace = "/";
  if (text.charCodeAt(at) === 0x2f) {
    const comma = text.indexOf(",", at);
    const end = comma < 0 ? text.length : comma;
    if (end - at > MAX_NAMESPACE) return undefined;
    namespace = text.slice(at, end);
    // Printable ASCII only: the name is sent back outside JSON, where it could not be escaped.
    if (!/^[\x21-\x7e]+$/.test(namespace)) return undefined;
    const query = namespace.indexOf("?");
    if (query >= 0) namespace = namespace.slice(0, query);
    at = comma < 0 ? end : end + 1;
  }

  const answerable = type !== CONNECT && type !== DISCONNECT && type !== CONNECT_ERROR;
  const idEnd = answerable ? digitsEnd(text, at, MAX_ACK_DIGITS) : at;
  const ackId = idEnd > at ? text.slice(at, idEnd) : undefined;
  const json = text.slice(idEnd);
  const payload = json === "" ? undefined : parse(json);
  if (payload === MALFORMED || !fits(type, payload)) return undefined;
  return { type, namespace, ackId, attachments, json, payload };
}

/** Puts the attachments where the placeholders are, in place. False when a placeholder names an attachment that is not there. */
export function putBack(args: unknown[], attachments: readonly Buffer[]): boolean {
  const open: unknown[] = [args]; // a list of its own: depth must not be the call stack's
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    const items = container as Record<string, unknown>;
    for (const key of Object.keys(items)) {
      const item = items[key];
      if (typeof item !== "object" || item === null) continue;
      if (!isPlaceholder(item)) {
        open.push(item);
        continue;
      }
      const attachment = typeof item.num === "number" ? attachments[item.num] : undefined;
      if (attachment === undefined) return false;
      // Defined, not assigned: a key may be spelled `__proto__`.
      Object.defineProperty(items, key, { value: attachment, writable: true, enumerable: true, configurable: true });
    }
  }
  return true;
}

const isPlaceholder = (value: object): value is { num?: unknown } =>
  Object.hasOwn(value, "_placeholder") && (value as { _placeholder?: unknown })._placeholder === true;

const isType = (type: number): type is SocketPacketType => type >= 0 && type <= 6;

/** Where a run of at most `max` digits ends. A longer run leaves digits behind, which is then no JSON of the right kind. */
function digitsEnd(text: string, from: number, max: number): number {
  let at = from;
  while (at - from < max) {
    const digit = text.charCodeAt(at);
    if (!(digit >= 0x30 && digit <= 0x39)) break;
    at++;
  }
  return at;
}

function fits(type: SocketPacketType, payload: unknown): boolean {
  switch (type) {
    case CONNECT:
      return payload === undefined || (typeof payload === "object" && payload !== null);
    case DISCONNECT:
      return payload === undefined;
    case EVENT:
    case BINARY_EVENT:
      return Array.isArray(payload) && typeof payload[0] === "string";
    case ACK:
    case BINARY_ACK:
      return Array.isArray(payload);
    case CONNECT_ERROR:
      return true;
  }
}

const MALFORMED = Symbol("malformed");

function parse(json: string): unknown {
  try {
    // A shorter text can be neither.
    return json.length > MAX_DEPTH && !isModest(json) ? MALFORMED : JSON.parse(json);
  } catch {
    return MALFORMED; // the only error it knows: not JSON
  }
}

/** Not too deep for code that walks the value and may recurse, and not so wide that parsing it would take long. */
function isModest(json: string): boolean {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case 0x22: // a string
        for (at++; at < json.length; at++) {
          const code = json.charCodeAt(at);
          if (code === 0x22) break;
          if (code === 0x5c) at++;
        }
        break;
      case 0x5b:
      case 0x7b:
        values++;
        if (++depth > MAX_DEPTH) return false;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
        break;
      case 0x2c:
        values++;
    }
  }
  return values <= MAX_VALUES;
}
