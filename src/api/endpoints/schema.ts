// JSON Schema (2020-12, as OpenAPI 3.1 has it) in few words. An object has the members that are named and no others; a name that ends
// in a question mark may be absent.

export type Schema = Readonly<Record<string, unknown>>;
export type Members = Readonly<Record<string, Schema>>;

const about = (text: string | undefined): Schema => (text === undefined ? {} : { description: text });

export const text = (why?: string): Schema => ({ type: "string", ...about(why) });
export const whole = (why?: string): Schema => ({ type: "integer", ...about(why) });
export const number = (why?: string): Schema => ({ type: "number", ...about(why) });
/** true or false. */
export const yes = (why?: string): Schema => ({ type: "boolean", ...about(why) });
/** Any value at all. */
export const any = (why?: string): Schema => about(why);
/** One of these words. */
export const word = (words: readonly string[], why?: string): Schema => ({
  type: "string",
  enum: words,
  ...about(why),
});
export const list = (items: Schema, why?: string): Schema => ({ type: "array", items, ...about(why) });
/** Any names, values of one kind. */
export const map = (values: Schema, why?: string): Schema => ({
  type: "object",
  additionalProperties: values,
  ...about(why),
});
/** Any names, any values. */
export const open = (why?: string): Schema => ({ type: "object", additionalProperties: true, ...about(why) });
export const either = (...schemas: readonly Schema[]): Schema => ({ anyOf: schemas });

/** A name with a question mark at its end may be absent; others than these there are not. */
export function object(members: Members, why?: string): Schema {
  const names = Object.keys(members);
  return {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name.replace(/\?$/, ""), members[name]])),
    required: names.filter((name) => !name.endsWith("?")),
    additionalProperties: false,
    ...about(why),
  };
}

/** A moment by its name, and as ISO text beside it. @param name with a question mark: both may be absent */
export function moment(name: string, why: string): Members {
  const mark = name.endsWith("?") ? "?" : "";
  const bare = name.replace(/\?$/, "");
  return {
    [`${bare}${mark}`]: whole(`${why}; milliseconds since 1970`),
    [`${bare}Iso${mark}`]: text("the same as ISO text"),
  };
}

/** Of every answer that succeeded. */
export const success = (members: Members = {}): Schema =>
  object({
    code: { type: "string", const: "success" },
    ...members,
    "warnings?": list(text(), "what was ignored, or likely meant otherwise"),
  });
