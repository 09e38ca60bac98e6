// What a packet of the server says to the app.
import type { Message, Notification } from "./api.ts";
import { OWN } from "./positions.ts";

type Fields = Readonly<Record<string, unknown>>;
type Place = readonly [topic: string, id: string, unicast: number];

export interface Arrived<Event> {
  readonly event: Event;
  /** Of a kept one its channel: a topic, or `OWN`. */
  readonly place: string | undefined;
  readonly id: string | undefined;
  /** What tells it from others of the same id. */
  readonly mark: string;
}

/** `p` */
export function readPacket(data: unknown, at: unknown): Arrived<Message> {
  const [topic, id, unicast] = (at ?? []) as Partial<Place>;
  return { event: messageOf(data, topic, id, unicast), place: unicast ? OWN : topic, id, mark: "" };
}

/** `push`, the form of 2015: data as base64 of JSON. */
export function readPush(fields: Fields): Arrived<Message> {
  const { data, d, j, topic, id, unicast } = fields as Record<string, string>;
  const text = data ?? d;
  const event = messageOf(text === undefined ? j : decode(text), topic, id, unicast);
  return { event, place: fields["ttl"] ? (unicast ? OWN : topic) : undefined, id, mark: "" };
}

/** `noti` */
export function readNotification(fields: Fields): Arrived<Notification> {
  const { android, ttl, topic, unicast, ...rest } = fields as Fields & {
    readonly id: string;
    readonly timestamp: number;
    readonly android: { readonly title?: string; readonly message?: string; readonly payload?: unknown };
    readonly topic?: string;
  };
  const { title, message, payload } = android;
  const event = {
    ...rest,
    payload,
    ...(title === undefined ? {} : { title }),
    ...(message === undefined ? {} : { message }),
  };
  const place = ttl ? (unicast ? OWN : topic) : undefined;
  // One id may be used for several.
  return { event, place, id: rest.id, mark: ` ${hash(JSON.stringify(android))}` };
}

const messageOf = (data: unknown, topic: string | undefined, id: string | undefined, unicast: unknown): Message => ({
  data,
  ...(topic === undefined || unicast ? {} : { topic }),
  ...(id === undefined ? {} : { id }),
});

/** Of base64: JSON, or else the text. */
function decode(data: string): unknown {
  try {
    const text = new TextDecoder().decode(Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0)));
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  } catch {
    return data;
  }
}

/** FNV-1a: short, and good enough to tell a few texts of the same id apart. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
