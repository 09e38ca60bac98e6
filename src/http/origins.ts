// Which web pages a server lets call it, by the `Origin` that their browser sends (RFC 6454, Fetch).

/** A set of origins. */
export interface OriginList {
  /** Every origin is on it. */
  readonly any: boolean;
  /** As browsers write it, lower case. */
  has(origin: string): boolean;
}

/** `*` is any origin; `https://*.example.com` has one more label in the place of the star. */
export function originList(entries: readonly string[]): OriginList {
  const any = entries.includes("*");
  const exact = new Set(entries);
  const wild = entries.flatMap((entry) => {
    const [before, after, ...more] = entry.split("*");
    return before === undefined || after === undefined || after === "" || more.length > 0 ? [] : [{ before, after }];
  });
  return {
    any,
    has: (origin) =>
      any ||
      exact.has(origin) ||
      wild.some(
        ({ before, after }) =>
          origin.length > before.length + after.length &&
          origin.startsWith(before) &&
          origin.endsWith(after) &&
          /^[\w-]+$/.test(origin.slice(before.length, -after.length)),
      ),
  };
}

/** What a preflight asks to send, fit to be written into its answer; "" when it asks for nothing, or for nonsense. */
export function askedHeaders(accessControlRequestHeaders: string): string {
  return /^[\w!#$%&'*+.^`|~, -]{1,1000}$/.test(accessControlRequestHeaders) ? accessControlRequestHeaders : "";
}
