// The command `check`: is the configuration right, and can the server start with it?
import { type Cli, configured, count, everything, ok, wrong } from "./command.ts";

export function addCheck(cli: Cli): void {
  const { host } = cli;
  configured(cli, "check", "check the configuration and start nothing", everything, async ({ config, warnings }) => {
    const { placeProblems } = await import("./places.ts");
    const places = await placeProblems(config);
    for (const warning of [...warnings, ...places.warnings]) host.err(`warning: ${warning}\n`);
    const { problems } = places;
    if (problems.length > 0) {
      host.err(`${problems.map((problem) => `${problem}\n`).join("")}${count(problems.length)}\n`);
      return wrong;
    }
    host.out("the configuration is right\n");
    return ok;
  }).addHelpText(
    "after",
    `
Every problem is printed at once, with its place and what to write instead. Takes the flags of serve.

Example:
  pushbox check --config pushbox.toml && systemctl restart pushbox`,
  );
}
