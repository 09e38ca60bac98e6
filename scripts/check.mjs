// npm run check: the compiler and the linter; all of both, so that one run shows everything.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (name, ...args) =>
  spawnSync(join(root, "node_modules/.bin", name), args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  }).status === 0;

const results = [run("tsc", "-p", "."), run("biome", "check", "--error-on-warnings", ".")];
process.exitCode = results.every(Boolean) ? 0 : 1;
