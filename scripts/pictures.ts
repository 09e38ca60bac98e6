// npm run screenshots [-- folder]: a picture of every page of the console, in both languages, light and dark, at 360 and 1440 px.
// npm run memory [-- minutes]: what a tab holds that walks through all of them for so long.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const [first, second] = process.argv.slice(2);
const isMemory = first === "memory";
const folder = resolve(first ?? join(root, "dist/screenshots"));
const files = isMemory ? ["memory.test.ts"] : ["pages.test.ts", "operate.test.ts"];
if (!isMemory) rmSync(folder, { recursive: true, force: true });
const results = files.map((file) =>
  spawnSync("node", [join(root, "scripts/run.mjs"), join(root, "test/admin", file)], {
    stdio: "inherit",
    cwd: root,
    env: { ...process.env, TAP_TIMEOUT: "3600", ...(isMemory ? { MINUTES: second ?? "30" } : { SCREENSHOTS: folder }) },
  }),
);
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;
