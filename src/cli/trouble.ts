// What a person is told when something outside of the program is wrong: what it is, and what to do.
import { resolve } from "node:path";
import type { Config } from "../config/index.ts";
import { PushError } from "../core/errors.ts";
import { systemTrouble } from "../core/system-errors.ts";

/** An error whose message is complete: it says what is wrong and what to do, so no stack is shown. */
export class Trouble extends Error {}

/** The message for an error of the system or of the database; the error's own text when it is none of those known. */
export function explain(error: unknown, config: Config): string {
  return complete(error, resolve(config.data)) ?? (error instanceof Error ? error.message : String(error));
}

/** What a log line needs besides that text: the stack of what nobody foresaw. */
export const detail = (error: unknown): object => (complete(error, "") === undefined ? { err: error } : {});

function complete(error: unknown, data: string): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    // Whoever made one of these knew which file it was about.
    if (at instanceof Trouble || at instanceof PushError) return at.message;
    const { code, path } = at as NodeJS.ErrnoException;
    // What is about a name says nothing of the data where it does not say which name.
    const unnamed = path === undefined && /^E(NOENT|EXIST|ISDIR|NOTDIR|NAMETOOLONG)$/.test(code ?? "");
    const text = unnamed ? undefined : systemTrouble(code ?? "", path ?? data);
    if (text !== undefined) return text;
  }
  return undefined;
}
