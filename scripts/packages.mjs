// What runs from source loads these packages as one file each, which takes a third of the time of their hundreds: types.mjs puts
// them in their place. run.mjs sees to it that they are there; nothing is made again while the locked packages are the same.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensure, root } from "./made.mjs";

/** As they are imported. Not those with native code, which look for it beside themselves. */
const NAMES = ["commander", "jose", "pino", "prom-client", "smol-toml", "tap", "undici", "zod"];

/** Where the file of a package is, when it is there. */
export const packages = join(root, "node_modules/.cache/pushbox/packages");

/** What tap finds the running test with. */
const running = fileURLToPath(new URL("running.mjs", import.meta.url));

/**
 * @param node the Node that will load them, which may be another one than this
 * @returns whether they are there: without development dependencies they cannot be made, and the packages themselves are loaded
 */
export const ensurePackages = (node) =>
  ensure(packages, [join(root, "package-lock.json"), fileURLToPath(import.meta.url), running], ({ build }, work) =>
    build({
      entryPoints: Object.fromEntries(NAMES.map((name) => [name, name])),
      outdir: work,
      outExtension: { ".js": ".mjs" },
      absWorkingDir: root,
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node22",
      legalComments: "none",
      keepNames: true,
      logLevel: "warning",
      // For those that are CommonJS.
      banner: {
        js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
      },
      plugins: [named(exported(node)), lighter],
    }),
  );

/** The names that each exports: of a CommonJS package they are known only once it is loaded. */
function exported(node) {
  const script = `const all = {};
    for (const name of ${JSON.stringify(NAMES)}) all[name] = Object.keys(await import(name));
    console.log(JSON.stringify(all));`;
  return JSON.parse(execFileSync(node, ["--input-type=module", "-e", script], { cwd: root, encoding: "utf8" }));
}

/** The traces of failed tests do not show tap's own part: it knows that by where it is. */
const UNSEEN = `import { addIgnoredPackage } from "@tapjs/stack"; addIgnoredPackage(".cache/pushbox/packages");`;

const named = (all) => ({
  name: "named",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ kind, path }) =>
      kind === "entry-point" ? { path, namespace: "entry" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "entry" }, ({ path }) => {
      const from = JSON.stringify(path);
      const names = all[path].filter((name) => name !== "module.exports" && name !== "default");
      const contents =
        (path === "tap" ? UNSEEN : "") +
        `export { ${names.join(", ")} } from ${from};` +
        (all[path].includes("default") ? `import whole from ${from}; export default whole;` : "");
      return { contents, resolveDir: root };
    });
  },
});

/** tap with running.mjs. */
const lighter = {
  name: "lighter",
  setup(build) {
    build.onResolve({ filter: /^async-hook-domain$/ }, () => ({ path: running }));
    build.onResolve({ filter: /^async_hooks$/ }, ({ importer }) =>
      /@tapjs\/core\/dist\/esm\/base\.js$/.test(importer) ? { path: running } : undefined,
    );
  },
};
