// The command line in this process: what it prints and its exit code, in a hundredth of the time.
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chdir, cwd as here } from "node:process";
import { run } from "../../src/cli/index.ts";
import { type Ended, main, type Surroundings } from "./process.ts";

type Given = Pick<Surroundings, "env" | "input">;

export async function cli(
  args: readonly string[],
  env: Given["env"] = {},
  terminal = false,
  input = "",
): Promise<Ended> {
  let [out, err] = ["", ""];
  const log = openLog();
  try {
    const code = await run({
      args,
      env,
      program: [process.execPath, main],
      terminal,
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      get descriptors() {
        return log.descriptors();
      },
      input: async () => input,
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
    const [logged, fatal] = log.texts();
    return { code, out: out + logged, err: err + fatal };
  } finally {
    log.remove();
  }
}

/** The files that a server which does not start writes its log to; it closes them. */
function openLog() {
  let directory: string | undefined;
  const files = (): readonly string[] => ["out", "err"].map((name) => join(directory ?? "", name));
  return {
    descriptors(): [number, number] {
      directory = mkdtempSync(join(tmpdir(), "pushbox-log-"));
      return files().map((file) => openSync(file, "w")) as [number, number];
    },
    texts: () => (directory === undefined ? ["", ""] : files().map((file) => readFileSync(file, "utf8"))),
    remove: () => directory !== undefined && rmSync(directory, { recursive: true }),
  };
}

let turn: Promise<unknown> = Promise.resolve();

/** As `start(...).ended` of process.ts. One after the other: a process has one working directory. */
export function endedHere(cwd: string, args: readonly string[], { env = {}, input = "" }: Given = {}): Promise<Ended> {
  const ended = turn.then(async () => {
    const before = here();
    chdir(cwd);
    try {
      // As there a server is without the console, unless a flag asks for it.
      const withoutConsole = args[0] === "serve" ? { PUSHBOX_ADMIN_ENABLED: "false" } : {};
      return await cli(args, { ...withoutConsole, ...env }, false, input);
    } finally {
      chdir(before);
    }
  });
  turn = ended.catch(() => {});
  return ended;
}

/** As `run` of process.ts. */
export const runHere = (cwd: string, ...args: readonly string[]): Promise<Ended> => endedHere(cwd, args);
