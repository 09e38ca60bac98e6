// The command `check`: is the configuration right, and can the server start with it?
import { databaseOf } from "../app/database.ts";
import type { Config } from "../config/index.ts";
import type { Look } from "../engine/postgres/look.ts";
import { type Cli, configured, count, everything, ok, wrong } from "./command.ts";

async function database(config: Config): Promise<readonly Look[]> {
  if (config.engine !== "postgres") return [];
  const { lookAt } = await import("../engine/postgres/look.ts");
  return lookAt(databaseOf(config));
}

export function addCheck(cli: Cli): void {
  const { host } = cli;
  configured(cli, "check", "check the configuration and start nothing", everything, async ({ config, warnings }) => {
    const { placeProblems } = await import("./places.ts");
    const places = await placeProblems(config);
    const looks = await database(config);
    const told = (level: string): string[] =>
      looks.filter((look) => look.level === level).map(({ text }) => `postgres.url: ${text}`);
    for (const warning of [...warnings, ...places.warnings, ...told("warning")]) host.err(`warning: ${warning}\n`);
    const problems = [...places.problems, ...told("wrong")];
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
