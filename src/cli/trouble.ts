// What a person is told when something outside of the program is wrong: what it is, and what to do.
import { resolve } from "node:path";
import type { Config } from "../config/index.ts";
import { PushError } from "../core/errors.ts";

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
    const code = String((at as NodeJS.ErrnoException).code ?? "");
    const text = known.find(([pattern]) => pattern.test(code))?.[1](data);
    if (text !== undefined) return text;
  }
  return undefined;
}

const known: readonly (readonly [RegExp, (data: string) => string])[] = [
  [
    /^(ENOSPC|EDQUOT|SQLITE_FULL)/,
    (data) =>
      `the disk of ${data} is full: make room there, then start again; nothing that was answered with success is lost`,
  ],
  [
    /^SQLITE_(CORRUPT|NOTADB)/,
    (data) =>
      `the database in ${data} is damaged: move it away and place a backup with: pushbox restore FILE --data ${data}`,
  ],
  [
    /^(EACCES|EPERM|SQLITE_(READONLY|CANTOPEN|PERM))/,
    (data) => `this user may not write in ${data}: change the owner of the directory and of every file in it`,
  ],
  [/^(EROFS)/, (data) => `${data} is on a read-only file system: name another directory with --data`],
  [
    /^(SQLITE_BUSY|SQLITE_LOCKED)/,
    (data) => `another pushbox uses ${data}: stop it, or give this one a directory of its own with --data`,
  ],
  [/^(EIO|SQLITE_IOERR)/, (data) => `the disk of ${data} does not read or write: see the system's log (dmesg)`],
  [/^(EMFILE|ENFILE)/, () => "too many open files: raise the limit with ulimit -n, or LimitNOFILE= in systemd"],
];
