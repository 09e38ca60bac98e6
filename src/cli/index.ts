// The command line: joins the commands. Each has a file of its own.
import { Command, CommanderError } from "commander";
import { version } from "../app/version.ts";
import { addAdmin } from "./admin.ts";
import { addBackup } from "./backup.ts";
import { addCheck } from "./check.ts";
import { taught } from "./chinese/messages.ts";
import { ChineseCommand, readsChinese } from "./chinese.ts";
import { ok, type Process, wrong } from "./command.ts";
import { addCompletion } from "./completion.ts";
import { addConfig } from "./config.ts";
import { addDoctor } from "./doctor.ts";
import { addExport } from "./export.ts";
import { addHealthcheck } from "./healthcheck.ts";
import { addImport } from "./import.ts";
import { addInit } from "./init.ts";
import { addLab } from "./lab.ts";
import { addListen } from "./listen.ts";
import { addMove } from "./move.ts";
import { addOpenApi } from "./openapi.ts";
import { addProbe } from "./probe.ts";
import { addReach } from "./reach.ts";
import { addRemote } from "./remote.ts";
import { addRestore } from "./restore.ts";
import { addSend } from "./send.ts";
import { addServe } from "./serve.ts";
import { addToken } from "./token.ts";
import { addTop } from "./top.ts";
import { addUpgrade, described } from "./upgrade.ts";

/** Runs what the arguments ask for. Returns the exit code. */
export async function run(process: Process): Promise<number> {
  const host = readsChinese(process.env) ? inChinese(process) : process;
  let code = ok;
  const program = commands(host, (result) => {
    code = result;
  });
  if (host.args.length === 0) {
    program.outputHelp();
    return ok;
  }
  try {
    await program.parseAsync(helped(program, host.args), { from: "user" });
    return code;
  } catch (error) {
    // Commander has already said what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ok : wrong;
    throw error;
  }
}

/** `help job rate` is `job rate --help`; a command that is none is refused as without `help`. Commander looks at one word only. */
function helped(program: Command, args: readonly string[]): readonly string[] {
  const [first, ...words] = args;
  if (first !== "help" || words.length === 0) return args;
  let command = program;
  const path: string[] = [];
  for (const word of words) {
    if (command.commands.length === 0) break;
    path.push(word);
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) return path;
    command = next;
  }
  return [...path, "--help"];
}

/** Sentences go to a person on standard error; of what is printed only the shortest are no data. */
function inChinese(host: Process): Process {
  return {
    ...host,
    err: (text) => host.err(taught(text)),
    out: (text) => host.out(/^[a-z][^\n]{1,100}\n$/.test(text) ? taught(text) : text),
  };
}

function commands(host: Process, end: (code: number) => void): Command {
  const program = new (readsChinese(host.env) ? ChineseCommand : Command)("pushbox")
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

  for (const add of [
    addServe,
    addCheck,
    addConfig,
    addInit,
    addBackup,
    addRestore,
    addImport,
    addExport,
    addUpgrade,
    addLab,
    addHealthcheck,
    addSend,
    addReach,
    addListen,
    addMove,
    addProbe,
    addToken,
    addOpenApi,
    addAdmin,
    addRemote,
    addTop,
    addDoctor,
    addCompletion,
  ])
    add({ program, host, end });
  program
    .command("version")
    .summary("print the version")
    .description("Print the version; so does --version.")
    .option("--json", "with the format of the data and the names of the settings, for a program")
    .action(({ json }: { readonly json?: true }) =>
      host.out(json ? `${JSON.stringify(described())}\n` : `${version}\n`),
    );

  return program;
}
