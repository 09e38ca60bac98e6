// The executable: both native addons leave it, in the program and in its thread, and nothing stays behind.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
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
  t.match(done, { status: 0, stdout: /^sqlite 3\.\d+\.\d+ /, stderr: "" });
  t.same(readdirSync(join(directory, "tmp")), [], "the addons were removed");
});
