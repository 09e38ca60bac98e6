// The command line in this process: what it prints and its exit code, in a hundredth of the time.
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
    outDrained: async () => {},
    inputPieces: async function* () {},
    onSignal() {},
    onCrash() {},
  });
  return { code, out, err };
}
