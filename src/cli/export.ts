// The command `export`: devices as lines of mongoexport, which `import` reads.
import { once } from "node:events";
import { createWriteStream, rmSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { databaseOf } from "../app/database.ts";
import type { Config } from "../config/index.ts";
import { listDevices } from "../engine/import.ts";
import { writeDevice } from "../moving/devices.ts";
import { type Cli, configured, failed, type Options, ofStore, ok } from "./command.ts";
import { number } from "./import/progress.ts";
import { explain } from "./trouble.ts";

export function addExport(cli: Cli): void {
  const { host } = cli;
  configured(
    cli,
    "export",
    "write the devices of a running or stopped server, one per line, as import reads them",
    ofStore,
    async ({ config }, _given, command) => {
      const file = command.opts<Options>()["out"];
      let devices = 0;
      async function* lines(): AsyncGenerator<string> {
        for await (const page of await listed(config)) {
          devices += page.length;
          yield page.map((device) => `${writeDevice(device)}\n`).join("");
        }
      }
      let begun = false;
      try {
        const pages = lines();
        const first = await pages.next(); // before the file is made: there may be nothing to list
        async function* all(): AsyncGenerator<string> {
          if (first.done !== true) yield first.value;
          yield* pages;
        }
        if (typeof file !== "string") for await (const text of all()) await host.outDrained(text);
        else {
          const target = createWriteStream(file, { flags: "wx", mode: 0o600 });
          await once(target, "open");
          begun = true;
          await pipeline(all, target);
        }
      } catch (error) {
        if (begun) rmSync(String(file), { force: true });
        host.err(`no devices were written: ${explain(error, config)}\n`);
        return failed;
      }
      if (begun) host.out(`${number(devices)} devices written to ${file}\n`);
      else host.err(`${number(devices)} devices written\n`);
      return ok;
    },
  )
    .option("-o, --out <file>", "a new file; standard output without it")
    .addHelpText(
      "after",
      `
Each line is a document as mongoexport writes it, of the fields _id, uid, platform, tags, createTime, updateTime, type, token,
package_name, lastSeen, uidTimeToLive. While a server runs, each thousand devices are as of their moment. What is kept for devices,
statistics and jobs are not in it: pushbox backup, or pg_dump of PostgreSQL, copies everything.

Exit codes: 0 done, 1 failed at run time, 2 wrong command line or configuration.

Example:
  pushbox export --out devices.json --data /var/lib/pushbox
  pushbox export --data /var/lib/pushbox | gzip > devices.json.gz
  pushbox export --out devices.json --config pushbox.toml       with engine = "postgres" there: from PostgreSQL`,
    );
}

async function listed(config: Config) {
  if (config.engine === "sqlite") return listDevices(config.data);
  const { listPostgresDevices } = await import("../engine/postgres/transfer.ts");
  return listPostgresDevices(databaseOf(config));
}
