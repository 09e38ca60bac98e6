// The command `restore`: a backup becomes the data of a stopped server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkBackup, restore } from "../engine/backup.ts";
import {
  type Cli,
  configured,
  failed,
  notInFiles,
  type Options,
  ofStore,
  ok,
  STREAM,
  words,
  wrong,
} from "./command.ts";
import { explain } from "./trouble.ts";

export function addRestore(cli: Cli): void {
  const { host } = cli;
  configured(
    cli,
    "restore",
    "check a backup and place it as the data of a stopped server",
    ofStore,
    async ({ config }, _given, command) => {
      const [given = ""] = words(command).positional;
      const elsewhere = notInFiles(
        config,
        (schema) =>
          `bring a copy of PostgreSQL back with pg_restore, or this one with restore --engine sqlite --data DIRECTORY, then pushbox move --to, under another --postgres-schema than ${schema}.`,
      );
      if (elsewhere !== undefined) {
        host.err(`nothing was restored: ${elsewhere}\n`);
        return wrong;
      }
      let directory: string | undefined;
      try {
        if (given === STREAM) directory = mkdtempSync(join(tmpdir(), "pushbox-restore-"));
        const file = directory === undefined ? given : join(directory, "standard-input.db");
        if (directory !== undefined) await host.inputTo(file);
        checkBackup(file);
        restore(file, config.data, { force: command.opts<Options>()["force"] === true });
      } catch (error) {
        host.err(`nothing was restored: ${explain(error, config)}\n`);
        return failed;
      } finally {
        if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
      }
      host.out(`${config.data} now holds ${given === STREAM ? "what came on standard input" : given}\n`);
      return ok;
    },
  )
    .argument("[file]", "a file that pushbox backup made; - reads it from standard input")
    .usage("<file> [options]")
    .option("-f, --force", "replace data that is there")
    .addHelpText(
      "after",
      `
Example:
  pushbox restore /backup/pushbox-2026-01-31.db --data /var/lib/pushbox`,
    );
}
