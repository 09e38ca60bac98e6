// A text with its values in their places.

/** `{name}` in it stands for a value; `{n|device|devices}` for the first word when n is 1, else the second. */
export const filled = (text: string, values: Readonly<Record<string, string | number>>): string =>
  text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name: string, one?: string, many?: string) => {
    const value = values[name] ?? "";
    return one === undefined || many === undefined ? String(value) : Number(value) === 1 ? one : many;
  });
