// The command `backup`: a copy of the data.
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { backupData } from "../engine/backup.ts";
import { type Cli, configured, failed, notInFiles, ofStore, ok, STREAM, words, wrong } from "./command.ts";
import { explain } from "./trouble.ts";

export function addBackup(cli: Cli): void {
  const { host } = cli;
  configured(
    cli,
    "backup",
    "copy the data of a running or stopped server into a new file",
    ofStore,
    async ({ config }, _given, command) => {
      const [file = ""] = words(command).positional;
      const elsewhere = notInFiles(config, (schema) => `copy it with pg_dump --format custom --schema ${schema}.`);
      if (elsewhere !== undefined) {
        host.err(`no backup was made: ${elsewhere}\n`);
        return wrong;
      }
      if (file === STREAM && host.terminal) {
        host.err("a copy is not for a terminal: pushbox backup - > FILE, or into a program\n");
        return wrong;
      }
      // Beside the data: where they have room a copy most likely has.
      const copy = file === STREAM ? join(config.data, `backup-${randomBytes(6).toString("hex")}.db`) : file;
      try {
        await backupData(config.data, copy);
        if (file === STREAM) await host.outFile(copy);
      } catch (error) {
        host.err(`no backup was made: ${explain(error, config)}\n`);
        return failed;
      } finally {
        if (file === STREAM) rmSync(copy, { force: true });
      }
      (file === STREAM ? host.err : host.out)(
        `${config.data} copied to ${file === STREAM ? "standard output" : file}\n`,
      );
      return ok;
    },
  )
    .argument("[file]", "the new file; - writes it to standard output")
    .usage("<file> [options]")
    .addHelpText(
      "after",
      `
The copy is consistent: it holds everything that was answered with success before it began.

Example:
  pushbox backup /backup/pushbox-$(date +%F).db --data /var/lib/pushbox
  pushbox backup - --data /var/lib/pushbox | gzip > pushbox.db.gz`,
    );
}
