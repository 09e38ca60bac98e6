// npm run dev, in a copy of the source that the test may change.
import { spawn } from "node:child_process";
import { on, once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import t from "tap";
import { free } from "./support/process.ts";

const root = resolve(import.meta.dirname, "..");

t.test("npm run dev serves from source with the flags behind --, and starts again when a file changes", async (t) => {
  const copy = t.testdir({});
  mkdirSync(join(copy, "scripts"));
  const scripts = readdirSync(join(root, "scripts")).filter((name) => name.endsWith(".mjs"));
  for (const name of [
    "src",
    ...scripts.map((name) => `scripts/${name}`),
    "LICENSE",
    "package.json",
    "package-lock.json",
  ])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  for (const made of ["node_modules", "dist"]) symlinkSync(join(root, made), join(copy, made));
  const { dev } = (
    JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Readonly<Record<"dev", string>> }
  ).scripts;
  const [, ...words] = dev.split(" ");
  const flags = [...free, "--admin-port", "0", "--data", "elsewhere"];
  const { NODE_OPTIONS: _tap, ...env } = process.env;
  const child = spawn(process.execPath, [...words, ...flags], { cwd: copy, stdio: ["ignore", "pipe", "inherit"], env });
  const ended = once(child, "exit");
  t.teardown(() => child.kill("SIGTERM"));
  const lines = on(createInterface({ input: child.stdout }), "line", { close: ["close"] });
  const until = async (part: string): Promise<void> => {
    for (;;) {
      const { value, done } = (await lines.next()) as IteratorResult<[string]>;
      if (done) throw new Error(`it ended before it said ${part}`);
      if (value[0].includes(part)) return;
    }
  };
  const change = (file: string, from: string | RegExp, to: string): void => {
    const path = join(copy, file);
    const before = readFileSync(path, "utf8");
    writeFileSync(path, before.replace(from, to));
    t.not(readFileSync(path, "utf8"), before, file);
  };

  await until(`data in ${join(copy, "elsewhere")}`);
  await until("try: curl");
  change("src/app/version.ts", /"[\d.]+"/, '"1.2.3-changed"');
  await until("pushbox 1.2.3-changed");
  await until("try: curl");
  t.pass("the change is there");
  change("src/engine/sqlite/worker.ts", /$/, "\n// of the storage thread\n");
  await until("pushbox 1.2.3-changed");
  await until("try: curl");
  t.pass("the storage thread's files count too");
  child.kill("SIGTERM");
  t.same(await ended, [0, null]);
});
