// The process: its arguments, environment, streams, signals and exit code. Nothing else touches `process`.

import { boundYoungGeneration, collectSooner, optimiseLater } from "./app/v8.ts";
import { run } from "./cli/index.ts";

// A reader that has seen enough (`pushbox config | head`) is not an error.
process.stdout.on("error", () => process.exit(0));

optimiseLater();
boundYoungGeneration();
collectSooner();

run({
  args: process.argv.slice(2),
  env: process.env,
  terminal: process.stdout.isTTY === true,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  input: async () => {
    let text = "";
    for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
    return text;
  },
  onSignal: (signal, act) => process.on(signal, act),
  onCrash: (act) => process.on("uncaughtException", (error) => process.exit(act(error))),
}).then(
  // Written text first: process.exit would cut it off in a pipe.
  (code) => process.stdout.write("", () => process.stderr.write("", () => process.exit(code))),
  (error: unknown) => {
    process.stderr.write(`pushbox: ${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  },
);
