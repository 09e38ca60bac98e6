// The format of the tables: of this pushbox, and of what is in a data directory.
import { existsSync, statSync } from "node:fs";
import { PushError } from "../core/errors.ts";
import { databaseFile } from "./directory.ts";
import { explain } from "./sqlite/faults.ts";
import { openFile, recognise } from "./sqlite/file.ts";
import { MIGRATIONS } from "./sqlite/schema.ts";

export const FORMAT = MIGRATIONS.length;

export interface StoredFormat {
  readonly file: string;
  readonly format: number;
  /** With its log. */
  readonly bytes: number;
}

/** A server may run. Undefined: there is no data yet. */
export function storedFormat(dataDir: string): StoredFormat | undefined {
  const file = databaseFile(dataDir);
  if (!existsSync(file)) return undefined;
  try {
    const db = openFile(file, { fileMustExist: true });
    try {
      const format = recognise(db, file, Number.POSITIVE_INFINITY);
      const log = `${file}-wal`;
      return { file, format, bytes: statSync(file).size + (existsSync(log) ? statSync(log).size : 0) };
    } finally {
      db.close();
    }
  } catch (error) {
    throw error instanceof PushError ? error : explain(error, file);
  }
}
