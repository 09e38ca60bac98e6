// The command `healthcheck`: is the server of this configuration well?
import { type Cli, configured, failed, ok } from "./command.ts";

export function addHealthcheck(cli: Cli): void {
  const { host } = cli;
  const reach = new Set(
    ["host", "port", "domain", "tls_cert", "tls_key", "insecure", "keys"]
      .map((key) => `api.${key}`)
      .concat("acme.accept_terms"),
  );
  configured(
    cli,
    "healthcheck",
    "ask the server of this configuration whether it is well: exit code 0 or 1",
    (row) => reach.has(row.name),
    async ({ config }) => {
      // Not before it is needed: Node loads all it has for HTTP with it.
      const { healthy } = await import("../app/health.ts");
      const answer = await healthy(config.api);
      (answer.well ? host.out : host.err)(`${answer.text}\n`);
      return answer.well ? ok : failed;
    },
  ).addHelpText("after", "\nExample, in a Dockerfile:\n  HEALTHCHECK CMD pushbox healthcheck");
}
