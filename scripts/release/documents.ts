// What README.md leads to, so that its links lead there in a release too.
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** Every page of the repository that these and their pages link to, themselves included, by its path. */
export function documents(root: string, first: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const queue = [...first];
  for (const path of queue) {
    if (found.has(path)) continue;
    const text = readFileSync(join(root, path), "utf8");
    found.set(path, text);
    for (const [, link = ""] of text.matchAll(/\]\(([^)#\s:]+\.md)(?:#[^)]*)?\)/g))
      queue.push(posix.join(posix.dirname(path), link));
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
