// Placeholder: the engine's backup and restore.

/** A consistent copy of a data directory's database, running or not, into a new file. */
export async function backupData(dataDir: string, file: string): Promise<void> {
  throw new Error(`not built in: ${dataDir} ${file}`);
}

/** Resolves when the file is a whole pushbox database. */
export async function checkBackup(file: string): Promise<void> {
  throw new Error(`not built in: ${file}`);
}

/** Places a checked backup as the database of a data directory that no server uses. */
export async function restore(file: string, dataDir: string, options: { readonly force: boolean }): Promise<void> {
  throw new Error(`not built in: ${file} ${dataDir} ${options.force}`);
}
