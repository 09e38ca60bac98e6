// Preloaded (--import) by whatever runs from source. Node takes the types out of a file each time it is loaded, with a compiler that
// itself takes longer to load than most files: here the result is kept, and Node keeps the compiled code beside it. A server from
// source starts in half the time. Packages are loaded as one file each (packages.mjs), and with `?program` behind this file's address
// the program itself is (program.mjs). Without a folder to keep it in, everything loads as it would.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import * as module from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "node_modules/.cache/pushbox");
const hash = (text) => createHash("sha256").update(text).digest("hex");

/** A thread does not heed --disable-warning: that this is experimental would stand in the log of the first `npm start`. */
function withoutTypes(source) {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return module.stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** The kept text of a file is for the source and the Node named in its first line. */
function strip(file) {
  const source = readFileSync(file, "utf8");
  const made = `${process.version} ${hash(source)}\n`;
  const kept = join(folder, "types", hash(file));
  try {
    const text = readFileSync(kept, "utf8");
    if (text.startsWith(made)) return text.slice(made.length);
  } catch {
    // Not there yet.
  }
  const stripped = withoutTypes(source);
  // Under a name of its own first: another process may be reading.
  const part = `${kept}.${process.pid}`;
  writeFileSync(part, made + stripped);
  renameSync(part, kept);
  return stripped;
}

const moduleAt = (path) => ({ url: pathToFileURL(path).href, format: "module", shortCircuit: true });

/** What packages are there as one file each: their names, and where they are. */
function packages() {
  const made = join(folder, "packages");
  if (!existsSync(join(made, ".made"))) return [];
  const files = readdirSync(made).filter((file) => file.endsWith(".mjs") && !file.startsWith("chunk-"));
  return files.map((file) => [file.slice(0, -".mjs".length), moduleAt(join(made, file))]);
}

/** What a process or a thread of the program is started with, and what there is in its place. */
const program = () =>
  ["main", "engine/sqlite/worker"].map((name) => [
    pathToFileURL(join(root, "src", `${name}.ts`)).href,
    moduleAt(join(folder, "program", `${basename(name)}.mjs`)),
  ]);

function install() {
  try {
    mkdirSync(join(folder, "types"), { recursive: true });
  } catch {
    return;
  }
  module.enableCompileCache(join(folder, "code"));
  const oneFile = new Map([...packages(), ...(new URL(import.meta.url).search === "?program" ? program() : [])]);
  module.registerHooks({
    resolve: (name, context, next) => oneFile.get(name) ?? next(name, context),
    load(url, context, next) {
      if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
      try {
        return { format: "module", source: strip(fileURLToPath(url)), shortCircuit: true };
      } catch {
        return next(url, context); // says what is wrong better than this could
      }
    },
  });
}

// Node 22.15 and later.
if (module.registerHooks !== undefined) install();
