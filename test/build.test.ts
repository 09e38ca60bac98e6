// The executable: both native addons leave it, in the program and in its thread, and nothing stays behind.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import t from "tap";
import { pack } from "../build.mjs";

t.test("a packed program serves with uWebSockets.js and stores with SQLite in a thread", async (t) => {
  const directory = t.testdir({ tmp: {}, cwd: {} });
  const { file, bytes } = await pack({
    entry: "test/fixtures/packed.ts",
    thread: "test/fixtures/packed-thread.mjs",
    target: `${process.platform}-${process.arch}`,
    out: relative(resolve(import.meta.dirname, ".."), join(directory, "packed")),
  });
  t.ok(bytes < 150e6, `${bytes} bytes`);
  // No PATH, no home, nothing but a temporary directory: it needs no more than itself.
  const done = spawnSync(file, [], {
    cwd: join(directory, "cwd"),
    env: { TMPDIR: join(directory, "tmp") },
    encoding: "utf8",
  });
  t.match(done, { status: 0, stdout: /^sqlite 3\.\d+\.\d+\n$/, stderr: "" });
  t.same(readdirSync(join(directory, "tmp")), [], "the addons were removed");
});

t.test(
  "the lock names no registry, and every optional package of every platform: npm ci refuses one that lacks some",
  async (t) => {
    const root = resolve(import.meta.dirname, "..");
    const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
      readonly packages: Readonly<
        Record<string, { readonly resolved?: string; readonly optionalDependencies?: object }>
      >;
    };
    const entries = Object.entries(lock.packages);
    t.same(
      entries.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path),
      [],
    );
    for (const [path, entry] of entries)
      for (const name of Object.keys(entry.optionalDependencies ?? {}))
        t.ok(
          entries.some(([other]) => other.endsWith(`node_modules/${name}`)),
          `${path || "the project"} needs ${name}`,
        );
  },
);
