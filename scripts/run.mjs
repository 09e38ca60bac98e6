// Runs a file with the project's own Node 22, whatever Node started this; installs the locked dependencies first when missing.
// Plain JavaScript without dependencies: it must work on a fresh clone, on any Node >= 20.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Installs what package-lock.json names, unless the installed tree is already that. */
function install() {
  const installed = join(root, "node_modules", ".package-lock.json");
  if (existsSync(installed) && sameLock(join(root, "package-lock.json"), installed)) return;
  process.stderr.write("pushbox: installing the locked dependencies, once ...\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const done = spawnSync(npm, ["ci", "--ignore-scripts", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  if (done.status !== 0) {
    process.stderr.write("pushbox: `npm ci` failed; its message is above. Is the npm registry reachable?\n");
    process.exit(done.status ?? 1);
  }
}

/** npm writes the tree it installed beside it; every package there must be at the locked version. */
function sameLock(lockFile, installedFile) {
  const locked = JSON.parse(readFileSync(lockFile, "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  return Object.entries(locked).every(
    ([path, entry]) => path === "" || entry.optional || installed[path]?.version === entry.version,
  );
}

/** The Node 22 that npm installed for this platform; the running Node where it is 22 itself. */
function node() {
  const os = process.platform === "win32" ? "win" : process.platform;
  const binary = join(root, "node_modules", `node-${os}-${process.arch}`, "bin", os === "win" ? "node.exe" : "node");
  if (existsSync(binary)) return binary;
  if (process.versions.node.startsWith("22.")) return process.execPath;
  process.stderr.write(
    `pushbox: no Node 22 for ${os}-${process.arch} in node_modules; run this with Node 22 itself.\n`,
  );
  process.exit(1);
}

install();
const binary = node();
// Of another project's scripts, or without development dependencies, there is nothing to make.
const { ensureClient } = await import("./client.mjs");
const { ensureConsole } = await import("./console.mjs");
const { ensurePackages } = await import("./packages.mjs");
await Promise.all([ensureClient(), ensureConsole(), ensurePackages(binary)]);
const preload = pathToFileURL(join(root, "scripts/types.mjs")).href;
const child = spawn(
  binary,
  ["--disable-warning=ExperimentalWarning", `--import=${preload}`, ...process.argv.slice(2)],
  {
    stdio: "inherit",
    env: {
      ...process.env,
      PATH: `${dirname(binary)}${process.platform === "win32" ? ";" : ":"}${process.env.PATH ?? ""}`,
    },
  },
);
let told = false;
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    told ||= signal === "SIGTERM";
    child.kill(signal);
  });
}
// Ctrl-C at a terminal reaches every process there; passed on as well it would be the second one, which ends a server at once.
process.on("SIGINT", () => {
  if (!process.stdin.isTTY) child.kill("SIGINT");
});
// npm ends without its scripts when it is told to: a server that went on alone would keep the ports.
const parent = process.ppid;
const orphaned = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(orphaned);
  // Once in all: the second one ends a server at once.
  if (!told) child.kill("SIGTERM");
}, 500).unref();
child.on("error", (error) => {
  process.stderr.write(`pushbox: cannot start ${binary}: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code) => process.exit(code ?? 1));
