// A table of routes: names in any case, a trailing slash allowed, `:name` for one free segment at the end.
import type { Handler } from "./message.ts";

export interface Route<H = Handler> {
  /** Lower case; absent: any. */
  readonly method?: string;
  /** `/api/push`, `/api/stats/arrival/:type` */
  readonly path: string;
  readonly handler: H;
}

export interface Found<H> {
  readonly handler: H;
  /** The free segment, decoded; empty when the path has none. */
  readonly rest: string;
}

/** Finds by method and path. Undefined: there is no such route. */
export function routes<H>(table: readonly Route<H>[]): (method: string, path: string) => Found<H> | undefined {
  const fixed = new Map<string, Found<H>>();
  const open = new Map<string, H>();
  for (const route of table) {
    const free = route.path.indexOf("/:");
    const key = `${route.method ?? ""} `;
    if (free < 0) fixed.set(key + route.path.toLowerCase(), { handler: route.handler, rest: "" });
    else open.set(key + route.path.slice(0, free).toLowerCase(), route.handler);
  }

  function find(key: string, path: string): Found<H> | undefined {
    const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
    const found = fixed.get(key + trimmed.toLowerCase());
    if (found !== undefined) return found;
    const slash = trimmed.lastIndexOf("/");
    const handler = slash === trimmed.length - 1 ? undefined : open.get(key + trimmed.slice(0, slash).toLowerCase());
    return handler === undefined ? undefined : { handler, rest: segment(trimmed.slice(slash + 1)) };
  }

  // The first look-up is the usual one: a route for any method, spelled as in the table.
  return (method, path) => fixed.get(` ${path}`) ?? find(`${method} `, path) ?? find(" ", path);
}

function segment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
