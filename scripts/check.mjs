// npm run check: the compiler (the console has a page's settings), the linter, who imports whom, what nobody uses, what
// is not said in Chinese, and whether numbers cited of READMEs are there; all of them, so that one run shows everything.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { untranslated } from "./check/chinese.ts";
import { importProblems } from "./check/imports.ts";
import { citationProblems, readmeProblems } from "./check/readmes.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What it says is shown when it has ended: several run at once. */
const run = (name, ...args) =>
  new Promise((resolve) => {
    const child = spawn(join(root, "node_modules/.bin", name), args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    let text = "";
    child.stdout.on("data", (some) => (text += some));
    child.stderr.on("data", (some) => (text += some));
    child.on("error", (error) => resolve({ well: false, text: `${name}: ${error.message}; npm ci installs it\n` }));
    child.on("close", (code) => resolve({ well: code === 0, text }));
  });

const running = [
  run("tsc", "-p", "."),
  run("tsc", "-p", "src/admin/console"),
  run("biome", "check", "--error-on-warnings", "."),
  run("knip", "--no-progress"),
];
const own = [...importProblems(root), ...readmeProblems(root), ...citationProblems(root), ...(await untranslated())];
const results = await Promise.all(running);
for (const { text } of results) process.stdout.write(text);
for (const problem of own) process.stdout.write(`${problem}\n`);
process.exitCode = own.length === 0 && results.every(({ well }) => well) ? 0 : 1;
