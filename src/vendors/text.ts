// A notification's words within a vendor's limits, which count characters or the bytes of what is sent.
import { createHash } from "node:crypto";
import type { Notification } from "../core/notification.ts";
import type { Weight } from "../core/vendor.ts";
import { Unsendable } from "./dialect.ts";

/** Of what is being encoded. Encoding waits for nothing, so it is of one message. */
let weights: Weight[] | undefined;

/** What is measured while `encode` runs, added to `into`, also when it throws. */
export function weighing(into: Weight[], encode: () => unknown): void {
  weights = into;
  try {
    encode();
  } finally {
    weights = undefined;
  }
}

const weigh = (weight: Weight): void => {
  if (Number.isFinite(weight.limit)) weights?.push(weight);
};

/** How many characters a vendor takes, and whether to cut what is longer or to refuse it. */
export interface Limits {
  readonly title: number;
  readonly message: number;
  readonly truncate: boolean;
  /** How it counts them; UNITS without it. */
  readonly measure?: Measure;
}

/** Only the whole is limited, in bytes: see `fit`. */
export const ANY_LENGTH: Limits = {
  title: Number.POSITIVE_INFINITY,
  message: Number.POSITIVE_INFINITY,
  truncate: false,
};

export interface Words {
  readonly title: string;
  readonly message: string;
}

/**
 * Vendors show two texts and take none that is empty: without a message the title stands for it.
 * @throws Unsendable when there is nothing to show, or too much and it may not be cut
 */
export function words(vendor: string, note: Notification, limits: Limits): Words {
  const { title = "", message = "" } = note.content.android;
  if (title === "") throw new Unsendable(`${vendor}: nothing to show: android.title is missing`);
  return {
    title: within(vendor, "android.title", title, limits.title, limits),
    message: within(vendor, "android.message", message === "" ? title : message, limits.message, limits),
  };
}

function within(vendor: string, field: Weight["what"], text: string, limit: number, limits: Limits): string {
  const { truncate, measure = UNITS } = limits;
  const size = measure.size(text);
  weigh({ what: field, size, limit, unit: "characters" });
  if (size > limit && !truncate)
    throw new Unsendable(`${vendor}: ${field} has ${size} characters${measure.hint}, ${limit} allowed`);
  return cut(text, limit, measure);
}

/** How a vendor counts characters. */
export interface Measure {
  /** Characters as the vendor counts them. */
  readonly size: (text: string) => number;
  /** Said with a size, where that is not what one would expect. */
  readonly hint: string;
}

/**
 * UTF-16 units, as the vendors' own libraries count. No vendor says what an emoji counts: of the readings that are possible this is
 * the one that keeps a text shortest.
 */
export const UNITS: Measure = { size: (text) => text.length, hint: "" };

/** What is not ASCII counts as two: a Chinese character does, and of the others that is not said. */
export const WIDE: Measure = {
  size(text) {
    let size = 0;
    for (const character of text) size += character.codePointAt(0)! < 0x80 ? 1 : 2;
    return size;
  },
  hint: " (a Chinese one counts as two)",
};

/** At most so many characters, none of them cut in two; what was cut ends in "…". */
export function cut(text: string, limit: number, { size }: Measure = UNITS): string {
  if (size(text) <= limit) return text;
  let left = limit - size(ELLIPSIS);
  if (left < 0) return "";
  let kept = "";
  for (const character of text) {
    left -= size(character);
    if (left < 0) break;
    kept += character;
  }
  return kept + ELLIPSIS;
}

const ELLIPSIS = "…";

/**
 * What `render` makes of the message, in at most `limit` bytes: with the longest beginning of the message that fits when
 * `truncate`, with all of it otherwise.
 * @throws Unsendable naming the size
 */
export function fit(
  vendor: string,
  message: string,
  limit: number,
  truncate: boolean,
  render: (message: string) => string,
): string {
  const whole = render(message);
  const size = Buffer.byteLength(whole);
  weigh({ what: "payload", size, limit, unit: "bytes" });
  if (size <= limit) return whole;
  let fits = 0;
  let tooLong = truncate ? message.length : 0;
  let best = render("");
  if (tooLong === 0 || Buffer.byteLength(best) > limit) {
    throw new Unsendable(`${vendor}: the payload has ${size} bytes, ${limit} allowed`);
  }
  while (fits + 1 < tooLong) {
    const middle = (fits + tooLong) >> 1;
    const text = render(cut(message, middle));
    if (Buffer.byteLength(text) > limit) tooLong = middle;
    else [fits, best] = [middle, text];
  }
  return best;
}

/** @throws Unsendable for a payload of more characters than the vendor takes */
export function checkPayload(vendor: string, size: number, limit: number): void {
  weigh({ what: "payload", size, limit, unit: "characters" });
  if (size > limit) throw new Unsendable(`${vendor}: the payload has ${size} characters, ${limit} allowed`);
}

/**
 * What the app finds in its intent when the notification is opened: vendors that show notifications themselves hand over
 * strings only, so the payload is JSON text.
 */
export function extras(note: Notification): { readonly id: string; readonly payload: string } {
  return { id: note.id, payload: JSON.stringify(note.content.android.payload) };
}

/** Letters and digits that stand for the text: itself if it is such and short enough, else the beginning of its hash. */
export function shorthand(text: string, limit: number): string {
  if (text.length <= limit && /^[0-9A-Za-z_-]+$/.test(text)) return text;
  return createHash("sha256").update(text).digest("hex").slice(0, limit);
}

/** Names one sending of a notification: another may have its id, and a phone that remembers ids would not show it. */
export function sendingKey({ id, acceptedAt }: Notification, limit: number): string {
  return createHash("sha256").update(`${id} ${acceptedAt}`).digest("hex").slice(0, limit);
}
