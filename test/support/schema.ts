// As much of JSON Schema as the description of the API uses. An unknown word of it is a mistake, so that nothing is passed over.

type Schema = Readonly<Record<string, unknown>>;

const KNOWN = new Set([
  ...[
    "$ref",
    "type",
    "enum",
    "const",
    "anyOf",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "description",
  ],
  ...["minimum", "maximum", "maxItems", "default"],
]);

const typeOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;

/** What does not fit, each with its place; none: it fits. @param root what `$ref` points into */
export function misfits(value: unknown, schema: Schema, root: Schema, place = "$"): string[] {
  for (const word of Object.keys(schema)) if (!KNOWN.has(word)) return [`${place}: the schema says ${word}`];
  const { $ref, type, anyOf } = schema;
  if (typeof $ref === "string") {
    const found = $ref
      .slice(2)
      .split("/")
      .reduce<unknown>((at, name) => (at as Schema)[name], root);
    return misfits(value, found as Schema, root, place);
  }
  if (Array.isArray(anyOf)) {
    const tried = anyOf.map((one: Schema) => misfits(value, one, root, place));
    return tried.some((problems) => problems.length === 0) ? [] : [`${place}: fits none: ${tried.flat().join("; ")}`];
  }
  const types = type === undefined ? undefined : [type].flat();
  const is = typeOf(value);
  if (types !== undefined && !types.includes(is) && !(is === "integer" && types.includes("number")))
    return [`${place}: is ${is}, not ${types.join(" or ")}`];
  if ("const" in schema && value !== schema["const"]) return [`${place}: is not ${String(schema["const"])}`];
  if (Array.isArray(schema["enum"]) && !schema["enum"].includes(value))
    return [`${place}: ${String(value)} is no such word`];
  if (Array.isArray(value)) {
    if (value.length > Number(schema["maxItems"] ?? Number.POSITIVE_INFINITY)) return [`${place}: too long`];
    const items = schema["items"] as Schema | undefined;
    return items === undefined ? [] : value.flatMap((item, i) => misfits(item, items, root, `${place}[${i}]`));
  }
  if (is !== "object") return [];
  const members = value as Schema;
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  const further = schema["additionalProperties"];
  return [
    ...((schema["required"] ?? []) as string[])
      .filter((name) => !(name in members))
      .map((name) => `${place}.${name}: is missing`),
    ...Object.entries(members).flatMap(([name, member]) => {
      const own = properties[name];
      if (own !== undefined) return misfits(member, own, root, `${place}.${name}`);
      if (further === false) return [`${place}.${name}: is not described`];
      return typeof further === "object" ? misfits(member, further as Schema, root, `${place}.${name}`) : [];
    }),
  ];
}
