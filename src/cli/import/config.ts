// The predecessor's configuration files become one of pushbox, which is then checked as `pushbox check` would.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { systemTrouble } from "../../core/system-errors.ts";
import { kindOf, moveConfig, type OldFile } from "../../moving/config.ts";
import { readModule } from "../../moving/literal.ts";
import { count, failed, ok, type Process, readEverything, wrong } from "../command.ts";

/** Never over a file that is there. @returns the exit code: 0 only when nothing is wrong with what was written */
export async function importConfig(
  names: readonly string[],
  out: string,
  app: string | undefined,
  host: Process,
): Promise<number> {
  const files: OldFile[] = [];
  const problems: string[] = [];
  for (const name of names) {
    if (kindOf(name) === undefined) {
      problems.push(
        `${name}: its name does not say what it is; copy it to config-proxy.js, config-api.js, config-admin.js, config-apn-proxy.js or config-log.js`,
      );
      continue;
    }
    try {
      const directory = dirname(resolve(name));
      files.push({ name, directory, module: readModule(readFileSync(name, "utf8"), directory) });
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  if (problems.length > 0) {
    host.err(`${problems.map((problem) => `${problem}\n`).join("")}${count(problems.length)}; nothing was written\n`);
    return wrong;
  }
  const { text, notes } = moveConfig(files, { exists: existsSync, app });
  try {
    writeFileSync(out, text, { flag: "wx", mode: 0o600 }); // it may hold keys
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    host.err(
      code === "EEXIST"
        ? `${out} exists and is left as it is: name another with --out\n`
        : `${systemTrouble(code, out) ?? `cannot write ${out}: ${message}`}\n`,
    );
    return failed;
  }
  for (const note of notes) host.out(`${note}\n`);
  const reading = await readEverything({ file: out, env: {}, flags: new Map() });
  for (const warning of reading.warnings) host.err(`warning: ${warning}\n`);
  for (const problem of reading.problems ?? []) host.err(`${problem}\n`);
  host.out(
    `${out} written${notes.length === 0 ? "" : `; ${number(notes.length)} above were not taken over as they are`}\n`,
  );
  if (reading.problems === undefined) return ok;
  host.err(`${count(reading.problems.length)}: put right what pushbox check --config ${out} names\n`);
  return failed;
}

const number = (lines: number): string => (lines === 1 ? "1 line" : `${lines} lines`);
