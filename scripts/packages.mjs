// What runs from source loads these packages as one file each, which takes a third of the time of their hundreds: types.mjs puts
// them in their place. run.mjs sees to it that they are there; nothing is made again while the locked packages are the same.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensure, root } from "./made.mjs";

/** As they are imported. Not those with native code, which look for it beside themselves. */
const NAMES = ["commander", "jose", "pino", "prom-client", "smol-toml", "undici", "zod"];

/** Where the file of a package is, when it is there. */
export const packages = join(root, "node_modules/.cache/pushbox/packages");

/** @returns whether they are there: without development dependencies they cannot be made, and the packages themselves are loaded */
export const ensurePackages = () =>
  ensure(packages, [join(root, "package-lock.json"), fileURLToPath(import.meta.url)], make);

async function make({ build }, work) {
  await build({
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
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    plugins: [named],
  });
}

/** The names that a CommonJS package exports are known only once it is loaded: they are written down. */
const named = {
  name: "named",
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ kind, path }) =>
      kind === "entry-point" ? { path, namespace: "entry" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "entry" }, async ({ path }) => {
      const { default: whole, ...rest } = await import(path);
      const from = JSON.stringify(path);
      const names = Object.keys(rest).filter((name) => name !== "module.exports");
      const contents =
        `export { ${names.join(", ")} } from ${from};` +
        (whole === undefined ? "" : `import whole from ${from}; export default whole;`);
      return { contents, resolveDir: root };
    });
  },
};
