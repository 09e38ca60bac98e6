// Which troubles are the store's own, and the error that tells of them with the file's name.
import { PushError } from "../../core/errors.ts";
import { NO_ROOM, systemTrouble } from "../../core/system-errors.ts";

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

/** Whether the disk has no room for what is to be written, which may pass. */
export const isRoomFault = (error: unknown): boolean =>
  NO_ROOM.test(faultCode(error instanceof PushError ? error.cause : error));

/** The error to show when `file` could not be read or written; a bug stays what it is. */
export function explain(error: unknown, file: string): Error {
  if (error instanceof PushError) return error;
  const code = faultCode(error);
  if (!STORE.test(code) && !SYSTEM.test(code)) return error instanceof Error ? error : new Error(String(error));
  const sentence = systemTrouble(code, file) ?? `${file} could not be read or written (${code}): check the disk`;
  return new PushError("unavailable", sentence, { cause: error });
}
