// On which line of a TOML text something stands. The parser does not tell, so this looks for it: good for the usual ways of
// writing, silent about the rest.

/** Keys and positions in lists, from the top: `["client", "port"]`, `["api", "keys", 0, "name"]`. */
export type Path = readonly (string | number)[];

/** Counted from 1. The line of the longest part of `path` that is found. */
export function lineOf(text: string, path: Path): number | undefined {
  const seen = new Map<string, number>();
  const lists = new Map<string, number>();
  let table = "";
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*(\[\[?)\s*([^\]]+?)\s*\]/.exec(line);
    if (header !== null) {
      table = plain(header[2]!);
      if (header[1] === "[[") {
        const position = lists.get(table) ?? 0;
        lists.set(table, position + 1);
        if (position === 0) note(seen, table, index);
        table = `${table}.${position}`;
      }
      note(seen, table, index);
      continue;
    }
    const key = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(line);
    if (key !== null) note(seen, table === "" ? plain(key[1]!) : `${table}.${plain(key[1]!)}`, index);
  }
  for (let length = path.length; length > 0; length--) {
    const found = seen.get(path.slice(0, length).join("."));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Notes a line for a dotted name and for the tables that it opens on the way. */
function note(seen: Map<string, number>, name: string, index: number): void {
  const parts = name.split(".");
  for (let length = parts.length; length > 0; length--) {
    const so = parts.slice(0, length).join(".");
    if (!seen.has(so)) seen.set(so, index + 1);
  }
}

const plain = (name: string): string => name.replace(/["'\s]/g, "");
