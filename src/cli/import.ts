// The command `import`: devices, tokens and the configuration of what pushbox takes the place of.
import { type Command, Option } from "commander";
import { readConfig } from "../config/index.ts";
import { rows } from "../config/settings.ts";
import { type Cli, count, flag, flagTexts, ofStore, type Process, wrong } from "./command.ts";

interface Line {
  readonly devices?: string;
  readonly tokens?: string;
  readonly config?: readonly string[];
  readonly data?: string;
  readonly out: string;
  readonly app?: string;
  readonly dryRun?: true;
}

export function addImport({ program, host, end }: Cli): void {
  const command = program
    .command("import")
    .allowExcessArguments()
    .summary("take over devices, tokens or a configuration from elsewhere")
    .description(
      "Take over what there is elsewhere: devices as mongoexport writes them, tokens as a table, the configuration of socket.io-push.",
    )
    .option("--devices <file>", "lines of mongoexport of the collection <prefix>_devices; - reads standard input")
    .option("--tokens <file>", "a CSV file whose first line names its columns; - reads standard input")
    .option("--config <file...>", "config-proxy.js, config-api.js and so on: read, never run")
    .addOption(
      new Option(
        "--data <directory>",
        "the data directory of a stopped server (PUSHBOX_DATA, or that of PUSHBOX_CONFIG)",
      ),
    )
    .option("--out <file>", "where the configuration is written; never over a file that is there", "pushbox.toml")
    .option("--app <name>", "the app of Xiaomi's, Umeng's and FCM's entries, which named none")
    .option("--dry-run", "say what would become of it, and write nothing; the server may run")
    .action(async (line: Line, command: Command) => end(await imported(line, command, host)));
  for (const row of rows.filter((row) => ofStore(row) && row.name !== "data")) command.addOption(flag(row, host));
  command.addHelpText(
    "after",
    `
Devices. Takes millions, line by line, and may be killed at any time: the same command goes on where it was. What is known here
and newer stays as it is: a line counts only if its updateTime is later than what the server noted of the device. A token is on
one device, the one that had it last. At the end it says what was skipped, and why.

Tokens. Columns, in any order: type and token; pushId, uid, platform, tags (separated by spaces), package_name, updateTime. A row
without pushId gets one, until the app connects and brings its token. Without updateTime only devices not known here are taken.

With engine = "postgres" (--engine, or PUSHBOX_CONFIG) the same goes into PostgreSQL, with every node stopped.

Configuration. What is written out is taken over; code is not run. It lists what has no equivalent, and what to do instead.

Exit codes: 0 done, also when lines were skipped; 1 failed or interrupted, what was read is stored; 2 wrong command line.

Examples:
  mongoexport --db push --collection test_devices --out devices.json
  pushbox import --devices devices.json --data /var/lib/pushbox --dry-run
  pushbox import --devices devices.json --data /var/lib/pushbox
  zcat devices.json.gz | pushbox import --devices - --data /var/lib/pushbox
  pushbox import --tokens tokens.csv --data /var/lib/pushbox
  pushbox import --config config-proxy.js config-api.js --out pushbox.toml && pushbox check --config pushbox.toml
  PUSHBOX_CONFIG=pushbox.toml pushbox import --devices devices.json      with engine = "postgres" there: into PostgreSQL`,
  );
}

async function imported(line: Line, command: Command, host: Process): Promise<number> {
  const kinds = (["devices", "tokens", "config"] as const).filter((kind) => line[kind] !== undefined);
  const problems = [
    ...(kinds.length === 1 ? [] : ["name one of --devices, --tokens and --config"]),
    ...command.args.map((word) => `${word}: unexpected; see pushbox import --help`),
    ...(line.dryRun && line.config !== undefined
      ? ["--dry-run is for devices and tokens; --out names another file"]
      : []),
  ];
  if (problems.length > 0) return refuse(host, problems);
  if (line.config !== undefined) {
    const { importConfig } = await import("./import/config.ts");
    return importConfig(line.config, line.out, line.app, host);
  }
  const reading = readConfig({
    file: host.env["PUSHBOX_CONFIG"] || undefined,
    env: host.env,
    flags: new Map([...flagTexts(command), ...(line.data === undefined ? [] : [["data", [line.data]] as const])]),
  });
  if (reading.problems !== undefined) return refuse(host, reading.problems);
  const { importDevices } = await import("./import/devices.ts");
  const [kind] = kinds;
  const file = (kind === "tokens" ? line.tokens : line.devices) ?? "";
  return importDevices({ tokens: kind === "tokens", file, dryRun: line.dryRun === true }, reading.config, host);
}

function refuse(host: Process, problems: readonly string[]): number {
  host.err(`${problems.map((problem) => `${problem}\n`).join("")}${count(problems.length)}\n`);
  return wrong;
}
