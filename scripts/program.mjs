// The program and its storage thread in a few files, for the processes and threads that tests start by the hundred: test.mjs has
// them made of the source as it is, types.mjs puts them in its place.
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ensure, root } from "./made.mjs";

const source = join(root, "src");
const program = join(root, "node_modules/.cache/pushbox/program");

/** @returns whether they are there: without development dependencies they cannot be made */
export const ensureProgram = () =>
  ensure(program, [source, join(root, "package-lock.json"), fileURLToPath(import.meta.url)], make);

async function make({ build }, work) {
  dropOld();
  await build({
    entryPoints: [join(source, "main.ts"), join(source, "engine/sqlite/worker.ts")],
    entryNames: "[name]",
    outdir: work,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // Commands that are loaded when they are asked for stay so.
    splitting: true,
    // Smaller, it is read sooner; names stay as they are.
    minifySyntax: true,
    minifyWhitespace: true,
    format: "esm",
    platform: "node",
    target: "node22",
    legalComments: "none",
    logLevel: "warning",
    // Its native code is looked for beside it.
    external: ["better-sqlite3"],
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    plugins: [inPlace],
  });
}

/** Each file finds what is beside it, as if it were loaded from its own place; so does uWebSockets.js its native code. */
const inPlace = {
  name: "in-place",
  setup(build) {
    build.onLoad({ filter: /\.ts$|\buWebSockets\.js\b.*\.mjs$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      return {
        loader: path.endsWith(".ts") ? "ts" : "js",
        contents: text.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
      };
    });
  },
};

/** What was made of the source of an hour ago: nobody loads it any more. */
function dropOld() {
  for (const name of existsSync(program) ? readdirSync(program) : []) {
    const file = join(program, name);
    if (Date.now() - statSync(file).mtimeMs > 3_600_000) rmSync(file, { force: true });
  }
}
