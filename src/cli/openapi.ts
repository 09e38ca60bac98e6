// The command `openapi`: the description of the API, for code generators and for reading.
import { version } from "../app/version.ts";
import { type Cli, ok } from "./command.ts";

export function addOpenApi({ program, host, end }: Cli): void {
  const summary = "print the description of the API, as OpenAPI 3.1";
  program
    .command("openapi")
    .summary(summary)
    .description("Print the description of the API, as OpenAPI 3.1; a running server has it at /api/openapi.json.")
    .addHelpText("after", "\nExample:\n  pushbox openapi > openapi.json")
    .action(async () => {
      const { openApi } = await import("../api/openapi.ts");
      host.out(`${JSON.stringify(openApi(version), null, 2)}\n`);
      end(ok);
    });
}
