// What is made of the source for browsers, and made again only when something it is made of has changed.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bytes of files as a browser gets them. */
export const compressed = (...files) =>
  files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);

const filesOf = (path) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/**
 * Makes a folder unless it is there.
 * @param out the folder
 * @param from the folders and files it is made of
 * @param make is given esbuild, and the folder to write to
 * @returns whether it is there: without development dependencies it cannot be made
 */
export async function ensure(out, from, make) {
  // What is made may name where its source is: in a copy of this folder it is made again.
  const hash = createHash("sha256").update(root);
  for (const path of from)
    for (const file of statSync(path).isDirectory() ? filesOf(path) : [path])
      hash.update(`${relative(root, file)}\n`).update(readFileSync(file));
  const made = hash.digest("hex");
  const stamp = join(out, ".made");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === made) return true;
  let esbuild;
  try {
    esbuild = await import("esbuild");
  } catch {
    return false;
  }
  mkdirSync(dirname(out), { recursive: true });
  const work = mkdtempSync(join(dirname(out), ".making-"));
  try {
    await make(esbuild, work);
    writeFileSync(join(work, ".made"), made);
    // Others may be reading, or doing the same.
    mkdirSync(out, { recursive: true });
    for (const name of readdirSync(work).sort((a, b) => Number(a === ".made") - Number(b === ".made")))
      renameSync(join(work, name), join(out, name));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return true;
}
