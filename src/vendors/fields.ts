// Fields of the vendor's own that this server knows nothing of, so that a new mandatory one needs no release. They come from
// the configuration entry's `fields` (for every notification) and from the notification:
//
//     {"android": {"title": "Ann", "message": "Hello"}, "vendors": {"vivo": {"category": "IM", "classification": 1}}}
//
// and are merged last into the vendor's message, objects member by member: the notification's win over the entry's, and these
// over ours. Whom a message goes to, and what authorises it, are not part of it. Each dialect says into what they are merged.
import { isExactNumber } from "../core/exact.ts";
import type { Notification } from "../core/notification.ts";
import { isObject } from "../core/object.ts";
import { Unsendable } from "./dialect.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** @throws Unsendable when the caller gave something else than an object */
export function fieldsOf(vendor: string, configured: Fields, note: Notification): Fields {
  const vendors = note.content["vendors"] ?? {};
  const own = isFields(vendors) && Object.hasOwn(vendors, vendor) ? vendors[vendor] : {};
  if (!isFields(vendors) || !isFields(own)) throw new Unsendable(`${vendor}: vendors.${vendor} is not an object`);
  return merge(configured, own);
}

/** The fields without those that say whom a message goes to: twice in one text, it is the reader's choice which of them holds. */
export function unaddressed(fields: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** Objects member by member, else `over` wins. */
export function merge(under: Fields, over: Fields): Fields {
  // fromEntries defines members and calls no setter: a field named __proto__ stays a field.
  const merged = Object.entries(over).map(([name, value]): [string, unknown] => {
    const old = Object.hasOwn(under, name) ? under[name] : undefined;
    return [name, isFields(old) && isFields(value) ? merge(old, value) : value];
  });
  return Object.fromEntries([...Object.entries(under), ...merged]);
}

/** Whether it is an object, and no number that keeps its digits (`core/exact.ts`). */
export function isFields(value: unknown): value is Fields {
  return isObject(value) && !isExactNumber(value);
}

/** The fields with every member a text, for the vendors that carry nothing else: what is none becomes JSON. */
export function asTexts(fields: Fields): Readonly<Record<string, string>> {
  const text = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, text(value)]));
}

/** The fields with only texts in this member of theirs, where they have it. */
export function withTexts(fields: Fields, member: string): Fields {
  const inner = fields[member];
  return isFields(inner) ? { ...fields, [member]: asTexts(inner) } : fields;
}
