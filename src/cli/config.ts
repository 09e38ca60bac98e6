// The command `config`: the settings that hold.
import { effectiveText } from "../config/text.ts";
import { type Cli, configured, everything, ok } from "./command.ts";

export function addConfig(cli: Cli): void {
  const { host } = cli;
  configured(
    cli,
    "config",
    "print the settings that hold and where each comes from; secrets are masked",
    everything,
    async (reading) => {
      for (const warning of reading.warnings) host.err(`warning: ${warning}\n`);
      const { openKeys } = await import("../app/vendors.ts");
      host.out(effectiveText(reading.config, reading.origins, openKeys));
      return ok;
    },
  ).addHelpText(
    "after",
    `
Takes the flags of serve.

Example:
  PUSHBOX_LOG_LEVEL=debug pushbox config --config pushbox.toml`,
  );
}
