// The command `completion`: what a shell needs to complete commands and flags, made of the commands themselves.
import { Argument, type Command } from "commander";
import { type Cli, introduced, ok } from "./command.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export function addCompletion({ program, host, end }: Cli): void {
  const summary = "print what a shell needs to complete commands and flags";
  introduced(program.command("completion"), summary)
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  pushbox completion bash > /etc/bash_completion.d/pushbox
  pushbox completion zsh > "\${fpath[1]}/_pushbox"
  pushbox completion fish > ~/.config/fish/completions/pushbox.fish`,
    )
    .action((shell: Shell) => {
      host.out(SCRIPTS[shell](placesOf(program)));
      end(ok);
    });
}

/** What may come after some words of a command line. */
interface Place {
  /** "pushbox", "pushbox job" */
  readonly words: string;
  readonly commands: readonly Command[];
  readonly flags: readonly { readonly name: string; readonly why: string }[];
}

function placesOf(command: Command, before = ""): readonly Place[] {
  const words = `${before}${command.name()}`;
  const flags = command.options.flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ name: long, why: description }],
  );
  const help = command.createOption("--help", "print help").description;
  const own = { words, commands: command.commands, flags: [...flags, { name: "--help", why: help }] };
  return [own, ...command.commands.flatMap((one) => placesOf(one, `${words} `))];
}

const SCRIPTS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = { bash, zsh, fish };

function bash(places: readonly Place[]): string {
  const cases = places.map(
    ({ words, commands, flags }) =>
      `    "${words}") known="${[...commands.map((one) => one.name()), ...flags.map(({ name }) => name)].join(" ")}" ;;`,
  );
  return `# bash completion of pushbox
_pushbox() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" words="pushbox" known="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$words $word" in
${places
  .slice(1)
  .map(({ words }) => `      "${words}") words="${words}" ;;`)
  .join("\n")}
    esac
  done
  case "$words" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$known" -- "$cur"))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "$cur"))
}
complete -F _pushbox pushbox
`;
}

function zsh(places: readonly Place[]): string {
  return `#compdef pushbox
autoload -U +X bashcompinit && bashcompinit
${bash(places)}`;
}

/** In fish's single quotes only these two mean something. */
const quoted = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ words, commands, flags }) => {
    const seen = words.split(" ").slice(1);
    const names = commands.map((one) => one.name()).join(" ");
    const here = [
      ...seen.map((word) => `__fish_seen_subcommand_from ${word}`),
      ...(names === "" ? [] : [`not __fish_seen_subcommand_from ${names}`]),
    ].join("; and ");
    const when = `complete -c pushbox${here === "" ? "" : ` -n ${quoted(here)}`}`;
    return [
      ...commands.map((one) => `${when} -f -a ${one.name()} -d ${quoted(one.summary())}`),
      ...flags.map(({ name, why }) => `${when} -l ${name.slice(2)} -d ${quoted(why)}`),
    ];
  });
  return `# fish completion of pushbox\n${lines.join("\n")}\n`;
}
