// Node: positions in a file, so that a service goes on where it was after a restart.
//   new PushClient(url, { storage: fileStorage("./pushbox-client.json") })
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Storage } from "./api.ts";

/** Written as a whole each time: one client per file. */
export function fileStorage(file: string): Storage {
  let items: Record<string, string> = {};
  try {
    items = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" && !(error instanceof SyntaxError)) throw error;
    mkdirSync(dirname(file), { recursive: true });
  }
  return {
    getItem: (key) => items[key],
    setItem(key, value) {
      items[key] = value;
      const fresh = `${file}.new`;
      writeFileSync(fresh, JSON.stringify(items), { mode: 0o600 });
      renameSync(fresh, file);
    },
  };
}
