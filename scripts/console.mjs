// npm run console: makes dist/console from src/admin/console: the page, its script and its style, as the server serves them.
// run.mjs sees to it that they are there before anything else runs; nothing is made again while nothing has changed.
// With --watch it is made again after each change.
import { cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compressed, ensure, root } from "./made.mjs";

const source = join(root, "src/admin/console");
const out = join(root, "dist/console");
const PLAIN = ["index.html", "icon.svg"];
const FILES = [...PLAIN, "console.js", "console.css"];

/** What a browser loads first, which is all of it, compressed. */
const MOST_BYTES = 150_000;

const options = (folder) => ({
  entryPoints: [join(source, "main.tsx"), join(source, "console.css")],
  entryNames: "console",
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  charset: "utf8",
  logLevel: "warning",
});

/** Makes them unless they are there. @returns whether they are: without development dependencies they cannot be made */
export const ensureConsole = () =>
  ensure(
    out,
    [source, join(root, "src/core/figures.ts"), join(root, "package.json"), fileURLToPath(import.meta.url)],
    async ({ build }, work) => {
      await build(options(work));
      for (const name of PLAIN) cpSync(join(source, name), join(work, name));
      const bytes = compressed(...FILES.map((name) => join(work, name)));
      if (bytes > MOST_BYTES) throw new Error(`the console is ${bytes} bytes compressed; ${MOST_BYTES} are allowed`);
    },
  );

/** A line for all that a browser loads. */
export const consoleSize = () =>
  `dist/console  ${(compressed(...FILES.map((name) => join(out, name))) / 1000).toFixed(1)} KB compressed`;

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  if (!(await ensureConsole())) throw new Error("esbuild is not installed: npm ci installs it");
  process.stdout.write(`${consoleSize()}\n`);
  if (process.argv.includes("--watch")) {
    const { context } = await import("esbuild");
    const watching = await context({ ...options(out), logLevel: "info" });
    await watching.watch();
  }
}
