// npm run check: the compiler (the console has a page's settings), the linter, who imports whom, what nobody uses, what
// is not said in Chinese, and whether numbers cited of READMEs are there; all of them, so that one run shows everything.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
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
    for (const output of [child.stdout, child.stderr]) output.setEncoding("utf8").on("data", (some) => (text += some));
    child.on("error", (error) => resolve({ well: false, text: `${name}: ${error.message}; npm ci installs it\n` }));
    child.on("close", (code) => resolve({ well: code === 0, text }));
  });

/** Which files there are, and which packages: with others, imports lead elsewhere, which what is remembered does not notice. */
function whatThereIs() {
  const hash = createHash("sha256");
  for (const folder of ["src", "test", "scripts"])
    for (const name of readdirSync(join(root, folder), { recursive: true }).sort()) hash.update(`${folder}/${name}\n`);
  for (const name of ["package-lock.json", "package.json", "tsconfig.json", ".knip.json"])
    hash.update(readFileSync(join(root, name)));
  return hash.digest("hex").slice(0, 16);
}
const there = whatThereIs();

/**
 * What has not changed since the last run is not looked at again. What was known is copied and put back whole, because another
 * check may run beside this one.
 * @param look runs the program with a folder that has what it left in it the last time
 */
async function remembering(name, look) {
  const cache = join(root, "node_modules/.cache/pushbox");
  const known = join(cache, `check-${name}`, there);
  const own = join(cache, `check-${name}.${process.pid}`);
  mkdirSync(own, { recursive: true });
  if (existsSync(known)) cpSync(known, own, { recursive: true });
  const result = await look(own);
  rmSync(dirname(known), { recursive: true, force: true });
  mkdirSync(dirname(known), { recursive: true });
  try {
    renameSync(own, known);
  } catch {
    rmSync(own, { recursive: true, force: true }); // another one was there first
  }
  return result;
}

const running = [
  // More checkers than one do much of the work twice.
  remembering("tsc", (folder) =>
    run("tsc", "-p", ".", "--checkers", "1", "--incremental", "--tsBuildInfoFile", join(folder, "tsbuildinfo")),
  ),
  run("tsc", "-p", "src/admin/console"),
  run("biome", "check", "--error-on-warnings", "."),
  remembering("knip", (folder) => run("knip", "--no-progress", "--cache", "--cache-location", folder)),
];
const own = [...importProblems(root), ...readmeProblems(root), ...citationProblems(root), ...(await untranslated())];
const results = await Promise.all(running);
for (const { text } of results) process.stdout.write(text);
for (const problem of own) process.stdout.write(`${problem}\n`);
process.exitCode = own.length === 0 && results.every(({ well }) => well) ? 0 : 1;
