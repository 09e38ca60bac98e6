// What the store's own troubles mean to the person who runs it: one sentence that names the file and the way out.
import { PushError } from "../../core/errors.ts";

/** SQLite's result code ("SQLITE_FULL") or the system's ("ENOSPC"). */
export function faultCode(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

// The store is in trouble, whatever the statement was. Anything else is a fault of the call that met it.
const STORE = /^SQLITE_(FULL|IOERR|READONLY|CORRUPT|NOTADB|NOMEM|BUSY|LOCKED|CANTOPEN|PROTOCOL|PERM)/;
const SYSTEM = /^E(NOSPC|DQUOT|IO|ROFS|ACCES|PERM|NOTDIR|EXIST|ISDIR|NOENT|MFILE|NFILE|NAMETOOLONG|FBIG)$/;

/** Whether the trouble is the store's, so that nothing of a transaction can be relied on. */
export const isStoreFault = (error: unknown): boolean => STORE.test(faultCode(error));

const ROOM = /^(SQLITE_(FULL|IOERR_(SHMSIZE|SHMMAP|WRITE|FSYNC|TRUNCATE))|ENOSPC|EDQUOT|EFBIG)$/;

/** Whether the disk has no room for what is to be written, which may pass. */
export const isRoomFault = (error: unknown): boolean =>
  ROOM.test(faultCode(error instanceof PushError ? error.cause : error));

/** The error to show when `file` could not be read or written; a bug stays what it is. */
export function explain(error: unknown, file: string): Error {
  if (error instanceof PushError) return error;
  const code = faultCode(error);
  if (!STORE.test(code) && !SYSTEM.test(code)) return error instanceof Error ? error : new Error(String(error));
  return new PushError("unavailable", sentence(code, file), { cause: error });
}

function sentence(code: string, file: string): string {
  if (ROOM.test(code)) return `no room left to write ${file}: free some disk space`;
  if (/CORRUPT|NOTADB/.test(code))
    return `${file} is damaged or not a pushbox database: move it away and bring back a copy with \`pushbox restore\``;
  if (/READONLY|EROFS/.test(code)) return `${file} cannot be written: its file system or the file is read-only`;
  if (/PERM|EACCES/.test(code)) return `${file} cannot be written: this user has no permission for it`;
  if (/ENOTDIR|EEXIST/.test(code)) return `${file} cannot be created: a part of its path is a file, not a directory`;
  if (/EISDIR/.test(code)) return `${file} is a directory, a file was expected`;
  if (/ENOENT|CANTOPEN/.test(code)) return `${file} cannot be opened: it or its directory is missing (${code})`;
  if (/BUSY|LOCKED|PROTOCOL/.test(code)) return `${file} is locked by another program: close it there`;
  if (/NOMEM/.test(code)) return `not enough memory to work on ${file}`;
  return `${file} could not be read or written (${code}): check the disk`;
}
