/** Whether a value of unknown origin has named fields: an object of JSON, no list and no null. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
