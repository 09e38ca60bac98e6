// The command line in this process: what it prints and its exit code, in a hundredth of the time.
import { chdir, cwd as here } from "node:process";
import { run } from "../../src/cli/index.ts";
import type { Ended } from "./process.ts";

export async function cli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  terminal = false,
): Promise<Ended> {
  let [out, err] = ["", ""];
  const code = await run({
    args,
    env,
    program: ["pushbox"],
    terminal,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    input: async () => "",
    outFile: async () => {},
    inputTo: async () => {},
    outDrained: async (text) => {
      out += text;
    },
    inputPieces: async function* () {},
    keepSmall() {},
    onSignal() {},
    onCrash() {},
  });
  return { code, out, err };
}

let turn: Promise<unknown> = Promise.resolve();

/** As `run` of process.ts. One after the other: a process has one working directory. */
export function runHere(cwd: string, ...args: readonly string[]): Promise<Ended> {
  const ended = turn.then(async () => {
    const before = here();
    chdir(cwd);
    try {
      return await cli(args);
    } finally {
      chdir(before);
    }
  });
  turn = ended.catch(() => {});
  return ended;
}
