// What commands have in common: the process they run in, exit codes, and settings as flags.
import { type Command, Option } from "commander";
import { SETTINGS } from "../config/chinese.ts";
import { type Config, type Given, type Reading, readConfig } from "../config/index.ts";
import { type Row, rows } from "../config/settings.ts";
import { similar } from "../core/similar.ts";
import { readsChinese } from "./chinese.ts";
import type { Run } from "./serve/run.ts";

/** The process, as far as a command needs it. */
export interface Process {
  readonly args: readonly string[];
  /** The words that start this program, without its arguments: absolute paths. */
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A person reads the output. */
  readonly terminal: boolean;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** The descriptors of standard output and standard error: a server's log writes to them by itself. */
  readonly descriptors: readonly [out: number, err: number];
  /** Resolves once more text can be taken. */
  readonly outDrained: (text: string) => Promise<void>;
  /** Everything on standard input. */
  readonly input: () => Promise<string>;
  /** The same, piece by piece. */
  readonly inputPieces: () => AsyncIterable<Uint8Array>;
  /** Writes a file's bytes to standard output. */
  readonly outFile: (file: string) => Promise<void>;
  /** Writes the bytes of standard input to a new file. */
  readonly inputTo: (file: string) => Promise<void>;
  /** For a command that works for long on little: from here on it takes as little memory as it can. */
  readonly keepSmall: () => void;
  readonly onSignal: Run["onSignal"];
  /** `act` returns the exit code. */
  readonly onCrash: (act: (error: Error) => number) => void;
}

/** Exit codes: done, failed at run time, wrong command line or configuration. */
export const ok = 0;
export const failed = 1;
export const wrong = 2;

/** What a command is added to. */
export interface Cli {
  readonly program: Command;
  readonly host: Process;
  /** The command has ended, with this exit code. */
  readonly end: (code: number) => void;
}

export type Options = Readonly<Record<string, unknown>>;

/** Which settings a command reads. */
export const everything = (): boolean => true;
/** Where everything is stored. */
export const ofStore = ({ name, section }: Row): boolean =>
  name === "data" || name === "engine" || section === "postgres";

/** For what works on files: refuses when the data is in PostgreSQL. @returns what to do instead */
export const notInFiles = ({ engine, postgres }: Config, instead: (schema: string) => string): string | undefined =>
  engine === "sqlite"
    ? undefined
    : `engine = "postgres": the data is in PostgreSQL, in the schema ${postgres.schema}; ${instead(postgres.schema)} A directory from before: --engine sqlite`;

/** What it is for: words in the list of commands, and as a sentence above its own help, where `more` follows. */
export function introduced(command: Command, summary: string, more = ""): Command {
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
  return command.summary(summary).description(more === "" ? sentence : `${sentence} ${more}`);
}

/** A command that reads settings. `act` is not called when they have problems: those are printed, all at once. */
export function configured(
  { program, host, end }: Cli,
  name: string,
  summary: string,
  which: (row: Row) => boolean,
  act: (
    reading: Extract<Reading, { problems?: undefined }>,
    given: Given,
    command: Command,
  ) => Promise<number> | number,
): Command {
  const command = introduced(program.command(name), summary).allowUnknownOption().allowExcessArguments();
  command.option("-c, --config <file>", "read settings from this file (PUSHBOX_CONFIG)");
  for (const row of rows.filter(which)) command.addOption(flag(row, host));
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
}

/** With the entries of vendors, which are checked by those who speak to the vendors: loaded only where there are any. */
export async function readEverything(given: Given): Promise<Reading> {
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
  "client.auth": "Login of clients (JWT):",
  api: "API:",
  admin: "Web console:",
  acme: "Certificates for domains (ACME):",
  postgres: "PostgreSQL:",
  storage: "Storage:",
  hooks: "Events for the business server (hooks):",
  "hooks.ask": "Questions to the business server:",
  vendors: "Push services of vendors:",
};

/** A setting as a flag of a command, with its default in the help. */
export function flag({ name, flag: long, section, setting }: Row, { env }: Process): Option {
  const chinese = readsChinese(env);
  const fallback = setting.list ? "" : ` (${String(setting.fallback) || (chinese ? "无" : "none")})`;
  const option = new Option(`--${long} ${setting.argument}`, `${chinese ? SETTINGS[name] : setting.why}${fallback}`);
  option.helpGroup(headings[section] ?? `${section}:`);
  // Every text is kept: what is given twice is a list, or the last one counts.
  return option.argParser((text: string, before: unknown) => [...(Array.isArray(before) ? before : []), text]);
}

/** By the flag's name without its dashes: every text that it was given, in their order. */
export function flagTexts(command: Command): ReadonlyMap<string, readonly string[]> {
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
export function words(command: Command): {
  readonly positional: readonly string[];
  readonly unknown: readonly string[];
} {
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

/** For the last line of a list of them. */
export const count = (problems: number): string => (problems === 1 ? "1 problem" : `${problems} problems`);

/** Instead of a file: standard output, or standard input. */
export const STREAM = "-";
