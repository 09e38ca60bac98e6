// The process: its arguments, environment, streams, signals and exit code. Nothing else touches `process`.

import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { isPacked } from "./app/assets.ts";
import { boundYoungGeneration, collectSooner, keepSmall, optimiseLater, optimiseParserLater } from "./app/v8.ts";
import { run } from "./cli/index.ts";
import { PushError } from "./core/errors.ts";

if (isPacked()) ignoreNodeVariables();

// A reader that has seen enough (`pushbox config | head`) is not an error.
process.stdout.on("error", () => process.exit(0));

optimiseLater();
optimiseParserLater();
boundYoungGeneration();
collectSooner();

run({
  args: process.argv.slice(2),
  program: isPacked() ? [process.execPath] : [process.execPath, fileURLToPath(import.meta.url)],
  env: process.env,
  terminal: process.stdout.isTTY === true,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  descriptors: [1, 2],
  outDrained: (text) =>
    new Promise((done) => (process.stdout.write(text) ? done() : process.stdout.once("drain", () => done()))),
  input: async () => {
    let text = "";
    for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
    return text;
  },
  inputPieces: () => process.stdin,
  outFile: async (file) => {
    await pipeline(createReadStream(file), process.stdout, { end: false });
  },
  inputTo: async (file) => {
    await pipeline(process.stdin, createWriteStream(file, { flags: "wx", mode: 0o600 }));
  },
  keepSmall,
  onSignal: (signal, act) => process.on(signal, act),
  onCrash: (act) => process.on("uncaughtException", (error) => process.exit(act(error))),
}).then(
  // Written text first: process.exit would cut it off in a pipe.
  (code) => process.stdout.write("", () => process.stderr.write("", () => process.exit(code))),
  (error: unknown) => {
    process.stderr.write(
      `pushbox: ${error instanceof PushError ? error.message : error instanceof Error ? error.stack : error}\n`,
    );
    process.exit(1);
  },
);

/**
 * The executable is not Node to whoever starts it: NODE_TLS_REJECT_UNAUTHORIZED, NODE_EXTRA_CA_CERTS and the like, meant for other
 * programs, do not change it. Node reads some of them before anything runs here, so it starts once more without.
 */
function ignoreNodeVariables(): void {
  const names = Object.keys(process.env).filter((name) => name.startsWith("NODE_"));
  if (names.length === 0) return;
  for (const name of names) delete process.env[name];
  if (process.platform === "win32") return; // cannot replace a process; what is read later is gone all the same
  process.execve?.(process.execPath, [process.argv0, ...process.argv.slice(2)], process.env);
}
