// The help in Chinese: each text that a command was given in English is looked up as it is added, so commands say nothing of languages.
import { type Argument, Command, Help, type Option } from "commander";
import { plain, TEXTS } from "./chinese/texts.ts";

/** What somebody reads: PUSHBOX_LANG, or the locale as POSIX looks for it. */
export function readsChinese(env: Readonly<Record<string, string | undefined>>): boolean {
  const language = ["PUSHBOX_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].map((name) => env[name]).find(Boolean) ?? "";
  return /^zh\b|^zh_/i.test(language);
}

/** A command whose texts, and those of what is below it, are Chinese. */
export class ChineseCommand extends Command {
  constructor(name?: string) {
    super(name);
    this.configureHelp({
      styleTitle: (title) => looked(title),
      displayWidth,
      boxWrap: (text, width) =>
        text
          .split("\n")
          .map((line) => wrapped(line, width))
          .join("\n"),
      optionDescription: (option) => notes(Help.prototype.optionDescription.call(new Help(), option)),
      argumentDescription: (argument) => notes(Help.prototype.argumentDescription.call(new Help(), argument)),
    });
  }

  override createCommand(name?: string): Command {
    return new ChineseCommand(name);
  }

  override summary(): string;
  override summary(text: string): this;
  override summary(text?: string): string | this {
    return text === undefined ? super.summary() : super.summary(looked(text));
  }

  override description(): string;
  override description(text: string): this;
  override description(text?: string): string | this {
    return text === undefined ? super.description() : super.description(looked(text));
  }

  override createOption(flags: string, description?: string): Option {
    return super.createOption(flags, looked(description ?? ""));
  }

  override addOption(option: Option): this {
    option.description = looked(option.description);
    if (option.helpGroupHeading !== undefined) looked(option.helpGroupHeading); // known before it is printed
    return super.addOption(option);
  }

  override createArgument(name: string, description?: string): Argument {
    return super.createArgument(name, looked(description ?? ""));
  }

  override addArgument(argument: Argument): this {
    argument.description = looked(argument.description);
    return super.addArgument(argument);
  }

  override helpCommand(nameAndArgs: unknown, description?: unknown): this {
    return super.helpCommand(String(nameAndArgs), description === undefined ? undefined : looked(String(description)));
  }

  override addHelpText(position: Parameters<Command["addHelpText"]>[0], text: unknown): this {
    return super.addHelpText(position, inChinese(String(text)));
  }
}

/** Texts that were asked for and are not there: `npm run check` wants none. */
export const missing = new Set<string>();

/** What is not known stays as it is. */
function looked(text: string): string {
  const chinese = TEXTS.get(plain(text));
  if (chinese === undefined && /[a-z]{2}/i.test(text) && !WIDE.test(text)) missing.add(text);
  return chinese ?? text;
}

/**
 * A text of several paragraphs: each line that begins with spaces is a command with what is said of it after two spaces or more, or a
 * word and its meaning; other lines go on to the end of their paragraph.
 */
function inChinese(text: string): string {
  const lines: string[] = [];
  let paragraph: string[] = [];
  const flush = (): void => {
    if (paragraph.length > 0) lines.push(looked(paragraph.join(" ")));
    paragraph = [];
  };
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith(" ") || line.endsWith(":")) flush();
    if (line.startsWith(" ")) lines.push(said(line));
    else if (line === "") lines.push("");
    else if (line.endsWith(":")) lines.push(looked(line));
    else paragraph.push(line);
  }
  flush();
  return lines.join("\n");
}

function said(line: string): string {
  const [, before = line, after = ""] = /^(\s+\S.*?\s{2,})(\S.*)$/.exec(line) ?? [];
  return `${before}${looked(after)}`;
}

/** What Commander itself adds to a description. */
const notes = (text: string): string => text.replace("(default: ", "(默认：").replace("(choices: ", "(可选：");

const WIDE = /[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60\u3000-\u303f]/u;

const displayWidth = (text: string): number => [...text].reduce((sum, one) => sum + (WIDE.test(one) ? 2 : 1), 0);

/** Between any two Chinese characters a line may end, but not before a sign that closes. */
function wrapped(text: string, width: number): string {
  const pieces =
    text.match(
      /\s*(?:[\u2e80-\u9fff\uff00-\uff60\u3000-\u303f]|[^\s\u2e80-\u9fff\uff00-\uff60\u3000-\u303f]+)[，。；：、）！？”」》]*/gu,
    ) ?? [];
  const lines: string[] = [];
  let line = "";
  for (const piece of pieces) {
    if (line !== "" && displayWidth(line + piece) > width) {
      lines.push(line);
      line = piece.trimStart();
    } else line += piece;
  }
  return [...lines, line].join("\n");
}
