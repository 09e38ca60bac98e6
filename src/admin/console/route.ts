// Where one is: #/page/part?filter. The address holds all that a page shows, so that a link shows the same to somebody else.
import { signal } from "@preact/signals";

type Query = Readonly<Record<string, string>>;

export interface Route {
  /** The name of a page; empty: the first one. */
  readonly page: string;
  /** What follows it: names of what is shown. */
  readonly rest: readonly string[];
  readonly query: Query;
}

function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [page = "", ...rest] = path.split("/").map(decode);
  return { page, rest, query: Object.fromEntries(new URLSearchParams(search)) };
}

/** Somebody may have typed it. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal<Route>(parse(location.hash));
addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

/** For links. What is empty in the query is left out. */
export function href(
  page: string,
  rest: readonly string[] = [],
  query: Readonly<Record<string, unknown>> = {},
): string {
  const filled = Object.entries(query).filter(([, value]) => value !== undefined && value !== "" && value !== false);
  const search = new URLSearchParams(filled.map(([name, value]) => [name, String(value)])).toString();
  return `#/${[page, ...rest].map(encodeURIComponent).join("/")}${search === "" ? "" : `?${search}`}`;
}

/** @param to as `href` makes it */
export function go(to: string): void {
  location.hash = to;
}

/** The same page with another filter. Without a trace in the history for what changes while one types. */
export function filter(changes: Readonly<Record<string, unknown>>, keepsHistory = false): void {
  const { page, rest, query } = route.value;
  const to = href(page, rest, { ...query, ...changes });
  if (keepsHistory) go(to);
  else {
    history.replaceState(null, "", to);
    route.value = parse(to);
  }
}
