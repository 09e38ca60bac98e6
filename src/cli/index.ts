// The command line: what can be asked, and its help. What a command does is elsewhere.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { healthy } from "../app/health.ts";
import { createLog } from "../app/log.ts";
import { version } from "../app/version.ts";
import { type Given, type Reading, readConfig } from "../config/index.ts";
import { type Row, rows } from "../config/settings.ts";
import { similar } from "../config/similar.ts";
import { effectiveText, initText } from "../config/text.ts";
import { backupData, checkBackup, restore } from "../engine/backup.ts";
import type { LabFlags } from "../lab/command.ts";
import { faultHelp } from "../lab/faults.ts";
import { addSend } from "./send.ts";
import type { Run } from "./serve.ts";
import { explain } from "./trouble.ts";

/** The process, as far as a command needs it. */
export interface Process {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A person reads the output. */
  readonly terminal: boolean;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Everything on standard input. */
  readonly input: () => Promise<string>;
  /** Writes a file's bytes to standard output. */
  readonly outFile: (file: string) => Promise<void>;
  /** Writes the bytes of standard input to a new file. */
  readonly inputTo: (file: string) => Promise<void>;
  readonly onSignal: Run["onSignal"];
  /** `act` returns the exit code. */
  readonly onCrash: (act: (error: Error) => number) => void;
}

const ok = 0;
const failed = 1;
const wrong = 2;

/** Runs what the arguments ask for. Returns the exit code. */
export async function run(host: Process): Promise<number> {
  let code = ok;
  const program = commands(host, (result) => {
    code = result;
  });
  if (host.args.length === 0) {
    program.outputHelp();
    return ok;
  }
  try {
    await program.parseAsync(host.args, { from: "user" });
    return code;
  } catch (error) {
    // Commander has already said what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ok : wrong;
    throw error;
  }
}

type Options = Readonly<Record<string, unknown>>;

function commands(host: Process, end: (code: number) => void): Command {
  const program = new Command("pushbox")
    .description("A self-hosted push server: Socket.IO connections, kept and replayed messages, one HTTP API.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help; also: pushbox COMMAND --help")
    .helpCommand("help [command]", "print the help of a command")
    .usage("COMMAND [options]")
    .configureOutput({ writeOut: host.out, writeErr: host.err })
    .exitOverride()
    .addHelpText(
      "after",
      `
Examples:
  pushbox serve                            clients on port 10001, API on 127.0.0.1:11001, data in ./pushbox-data
  pushbox init                             write pushbox.toml with every setting explained
  pushbox serve --config pushbox.toml
  curl http://127.0.0.1:11001/api/push -d topic=news -d json=hello
  pushbox send --topic news hello          the same, without curl

Every setting is a line in the file, a flag and a variable: [client] port = 80, --client-port 80, PUSHBOX_CLIENT_PORT=80.
Flags beat variables, variables beat the file, the file beats the defaults. A secret may be in a file: PUSHBOX_API_KEYS_FILE.

Exit codes: 0 done, 1 failed at run time, 2 wrong command line or configuration.`,
    );

  const everything = () => true;

  /** A command that reads settings. `act` is not called when they have problems: those are printed, all at once. */
  const configured = (
    name: string,
    summary: string,
    which: (row: Row) => boolean,
    act: (
      reading: Extract<Reading, { problems?: undefined }>,
      given: Given,
      command: Command,
    ) => Promise<number> | number,
  ): Command => {
    const command = program
      .command(name)
      .summary(summary)
      .description(summary)
      .allowUnknownOption()
      .allowExcessArguments();
    command.option("-c, --config <file>", "read settings from this file (PUSHBOX_CONFIG)");
    for (const row of rows.filter(which)) command.addOption(flag(row));
    command.action(async () => {
      const options = command.opts<Options>();
      const given: Given = {
        file: typeof options["config"] === "string" ? options["config"] : host.env["PUSHBOX_CONFIG"] || undefined,
        env: host.env,
        flags: flagTexts(command),
      };
      const reading = which === everything ? await readEverything(given) : readConfig(given);
      const problems = [...strayArguments(command), ...(reading.problems ?? [])];
      if (problems.length > 0 || reading.problems !== undefined) {
        for (const warning of reading.warnings) host.err(`warning: ${warning}\n`);
        host.err(`${problems.map((problem) => `${problem}\n`).join("")}${count(problems.length)}\n`);
        end(wrong);
        return;
      }
      end(await act(reading, given, command));
    });
    return command;
  };
  const onlyData = (row: Row) => row.name === "data";

  configured("serve", "start the server", everything, async ({ config, origins, warnings }, given) => {
    const { log, flushNow, close } = createLog(config.logLevel, { text: host.terminal });
    host.onCrash((error) => {
      log.fatal({ err: error }, "a bug ended pushbox");
      flushNow();
      return failed;
    });
    // Not before it is needed: the other commands do not load the network's addon.
    const { serve } = await import("./serve.ts");
    const code = await serve({
      version,
      config,
      warnings,
      log,
      chosen: new Set([...origins].filter(([, origin]) => origin !== "default").map(([name]) => name)),
      reread: () => readEverything(given),
      onSignal: host.onSignal,
    });
    await close();
    return code;
  }).addHelpText(
    "after",
    `
Examples:
  pushbox serve
  pushbox serve --config /etc/pushbox.toml --log-level warn
  pushbox serve --client-port 443 --client-tls-cert chain.pem --client-tls-key key.pem
  pushbox serve --api-host 0.0.0.0 --api-keys "backend:$(openssl rand -hex 24)"

Signals: TERM or INT stop the server within 10 s, a second one at once. HUP reads certificates, keys and log level again
without dropping a connection.`,
  );

  configured("check", "check the configuration and start nothing", everything, async ({ config, warnings }) => {
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

  configured(
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

  program
    .command("init")
    .summary("write a configuration file with every setting, its default and one line of why")
    .description(
      "Write a configuration file with every setting, its default and one line of why. Never overwrites a file.",
    )
    .argument("[file]", "where to write it", "pushbox.toml")
    .action(async (file: string) => {
      const { vendorExamples } = await import("../app/vendors.ts");
      const { examples, publicKey } = vendorExamples();
      try {
        // Keys will be written into it.
        const text = initText(randomBytes(24).toString("base64url"), examples);
        writeFileSync(file, text, { flag: "wx", mode: 0o600 });
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        host.err(
          code === "EEXIST"
            ? `${file} exists and is left as it is: name another file\n`
            : `cannot write ${file}: ${message}\n`,
        );
        end(failed);
        return;
      }
      host.out(`${file} written. Start with it: pushbox serve --config ${file}\n`);
      host.out(`It holds a new key for Web Push, whose public half for pages is ${publicKey}\n`);
    })
    .addHelpText("after", "\nExample:\n  pushbox init /etc/pushbox.toml");

  configured(
    "backup",
    "copy the data of a running or stopped server into a new file",
    onlyData,
    async ({ config }, _given, command) => {
      const [file = ""] = words(command).positional;
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

  configured(
    "restore",
    "check a backup and place it as the data of a stopped server",
    onlyData,
    async ({ config }, _given, command) => {
      const [given = ""] = words(command).positional;
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

  program
    .command("lab")
    .summary("all vendors' push services on this machine, to try notifications without phones and accounts")
    .description(
      "Start a faithful copy of every vendor's push service on this machine, write a configuration that uses them, and print " +
        "what devices would show. With --devices: register one device per vendor with a running server instead, and end.",
    )
    .option("--dir <directory>", "where to write configuration, keys and certificates; made when missing", labDirectory)
    .option("--port <port>", "take this port and those after it; any free ones without it")
    .option("--fault <vendor=fault>", "let a vendor misbehave, see below; can be repeated", repeated)
    .option(
      "--receipts [url]",
      "let vendors tell the server with this API what arrived (default: http://127.0.0.1:11001)",
    )
    .option("--devices <url>", "register the lab's devices with the server whose clients connect there")
    .action(async (options: LabFlags) => end(await (await import("../lab/command.ts")).runLab(options, host)))
    .addHelpText(
      "after",
      `
Faults, as VENDOR=FAULT for all requests or VENDOR=FAULT:TIMES for the next so many, with "all" for every vendor that can. They are
changed while the lab runs in the file faults.txt of its directory.

${faultHelp}

Examples:
  pushbox lab
  pushbox serve --config ./pushbox-lab/pushbox-lab.toml        in another terminal, while the lab runs
  pushbox lab --devices http://127.0.0.1:10001                 in a third: one device per vendor
  pushbox lab --receipts                                       the server's statistics count what arrived
  pushbox lab --fault xiaomi=hang --fault apns=goaway:3
  echo all=slow > pushbox-lab/faults.txt                       while it runs`,
    );

  const reach = new Set(["api.host", "api.port", "api.tls_cert", "api.tls_key", "api.insecure", "api.keys"]);
  configured(
    "healthcheck",
    "ask the server of this configuration whether it is well: exit code 0 or 1",
    (row) => reach.has(row.name),
    async ({ config }) => {
      const answer = await healthy(config.api);
      (answer.well ? host.out : host.err)(`${answer.text}\n`);
      return answer.well ? ok : failed;
    },
  ).addHelpText("after", "\nExample, in a Dockerfile:\n  HEALTHCHECK CMD pushbox healthcheck");

  addSend(program, host, end);

  program
    .command("version")
    .summary("print the version")
    .description("Print the version; so does --version.")
    .action(() => host.out(`${version}\n`));

  return program;
}

/** Instead of a file: standard output, or standard input. */
const STREAM = "-";
const labDirectory = "./pushbox-lab";
const repeated = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** With the entries of vendors, which are checked by those who speak to the vendors: loaded only where there are any. */
async function readEverything(given: Given): Promise<Reading> {
  const reading = readConfig(given);
  const vendors = reading.problems === undefined ? reading.config.vendors : reading.vendors;
  if (vendors.entries.length === 0) return reading;
  const { vendorProblems } = await import("../app/vendors.ts");
  const problems = [...(reading.problems ?? []), ...vendorProblems(vendors, Date.now())];
  return problems.length === 0 ? reading : { problems, warnings: reading.warnings, vendors };
}

// ---- flags

const headings: Readonly<Record<string, string>> = {
  "": "General:",
  client: "Clients:",
  api: "API:",
  storage: "Storage:",
  vendors: "Push services of vendors:",
};

function flag({ flag: name, section, setting }: Row): Option {
  const fallback = setting.list ? "" : ` (${String(setting.fallback) || "none"})`;
  const option = new Option(`--${name} ${setting.argument}`, `${setting.why}${fallback}`);
  option.helpGroup(headings[section] ?? `${section}:`);
  // Every text is kept: what is given twice is a list, or the last one counts.
  return option.argParser((text: string, before: unknown) => [...(Array.isArray(before) ? before : []), text]);
}

function flagTexts(command: Command): ReadonlyMap<string, readonly string[]> {
  const texts = new Map<string, readonly string[]>();
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    const name = option.long?.slice(2) ?? "";
    if (Array.isArray(value)) texts.set(name, value.map(String));
    else if (value === true) texts.set(name, ["true"]);
  }
  return texts;
}

/** What is on the line besides flags: Commander leaves unknown flags among the arguments, and their values behind them. */
function words(command: Command): { readonly positional: readonly string[]; readonly unknown: readonly string[] } {
  const isFlag = (word: string | undefined): boolean => word?.startsWith("-") === true && word !== "-";
  const takesNext = (word: string | undefined): boolean => isFlag(word) && word?.includes("=") !== true;
  return {
    positional: command.args.filter((word, at) => !isFlag(word) && !takesNext(command.args[at - 1])),
    unknown: command.args.filter(isFlag).map((word) => word.replace(/=.*/s, "")),
  };
}

function strayArguments(command: Command): string[] {
  const known = command.options.flatMap((option) => option.long ?? []);
  const { positional, unknown } = words(command);
  // Commander is told that they are optional: it would stop at a missing one before the other problems are found.
  const missing = command.registeredArguments.slice(positional.length);
  const help = `see pushbox ${command.name()} --help`;
  return [
    ...missing.map((argument) => `${argument.name()} is missing; ${help}`),
    ...positional
      .slice(command.registeredArguments.length)
      .map((word) => `${word}: unexpected; settings are flags, ${help}`),
    ...unknown.map(
      (name) => `${name}: unknown flag; ${suggestion(similar(name, known) ?? endingIn(name, known)) ?? help}`,
    ),
  ];
}

/** `--port` is a part of --client-port and --api-port. */
const endingIn = (name: string, known: readonly string[]): string | undefined =>
  known.filter((flag) => flag.endsWith(name.slice(1))).join(" or ") || undefined;

const suggestion = (guess: string | undefined): string | undefined => guess && `did you mean ${guess}?`;

const count = (problems: number): string => (problems === 1 ? "1 problem" : `${problems} problems`);
