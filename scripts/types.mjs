// Preloaded (--import) by whatever runs from source. Node takes the types out of a file each time it is loaded, with a compiler that
// itself takes longer to load than most files: here the result is kept, and Node keeps the compiled code beside it. A server from
// source starts in half the time. Without a folder to keep it in, everything loads as it would.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import * as module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "node_modules/.cache/pushbox");
const hash = (text) => createHash("sha256").update(text).digest("hex");

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
  const stripped = module.stripTypeScriptTypes(source);
  // Under a name of its own first: another process may be reading.
  const part = `${kept}.${process.pid}`;
  writeFileSync(part, made + stripped);
  renameSync(part, kept);
  return stripped;
}

function install() {
  try {
    mkdirSync(join(folder, "types"), { recursive: true });
  } catch {
    return;
  }
  module.enableCompileCache(join(folder, "code"));
  module.registerHooks({
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
