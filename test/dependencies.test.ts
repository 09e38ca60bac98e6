// What is taken from elsewhere: exact, pinned by a hash, and for the native code the very bytes.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import t from "tap";

const root = resolve(import.meta.dirname, "..");
const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), "utf8"));

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly name?: string;
  readonly optional?: boolean;
}

const { packages } = read("package-lock.json") as { readonly packages: Readonly<Record<string, Locked>> };
const manifest = read("package.json") as Readonly<Record<string, Readonly<Record<string, string>>>>;

t.test("every dependency is of one exact version, and has a hash in the lock", (t) => {
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies"])
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      t.match(version, /^(npm:[\w@/.-]+@)?\d+\.\d+\.\d+$/, name);
      t.match(packages[`node_modules/${name}`]?.integrity, /^sha512-/, name);
    }
  const bare = Object.entries(packages).filter(([path, { integrity }]) => path !== "" && integrity === undefined);
  for (const [path, { optional }] of bare) t.ok(optional, `${path} is installed without a hash`);
  t.end();
});

/** SHA-256 of the addons for Node 22 (ABI 127) that build.mjs puts into executables. Why: src/README.md, Dependencies. */
const ADDONS = {
  linux_x64: "8cabc918bbf9a07323e54f89a33882491080b2eb35df0607f473ccdb1f3c31af",
  linux_arm64: "d4c4f8b2c28c5f6544b49e36d91b0beee238a5b90a07904a947f77061c8b814d",
  darwin_x64: "afd992dc1ca1e33cdc7ce0c72a60baf236e590a257fcecbbbce7bc1a35451387",
  darwin_arm64: "abbeea53d48e21c01808203e9f9835728f2cea720d2e5b154837ee3045b513be",
  win32_x64: "585d6ee2dbfc750b1d5a59e6ceaef8a977e90ef3e298a82821d58b41cd72a8c0",
};

t.test("uWebSockets.js is the repack that was looked at, byte for byte", (t) => {
  t.match(packages["node_modules/uWebSockets.js"], {
    name: "uws-pack",
    version: "20.0.8",
    integrity: "sha512-EziGwZOMH8Y09erf/DHBgaGoTgt+XgqLFoyQfRiDrWHDCZ+jZ5aEBW7fSIcD5LzxDimHK2NxJpmlwSIfJiAZkg==",
  });
  for (const [platform, hash] of Object.entries(ADDONS)) {
    const file = join(root, `node_modules/uWebSockets.js/dist/bin/uws_${platform}_127.node`);
    t.equal(createHash("sha256").update(readFileSync(file)).digest("hex"), hash, platform);
  }
  t.end();
});
