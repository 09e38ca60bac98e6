// By which way a vendor reaches a device's token, where that is not the first: Apple's sandbox, another app. devices.ts clears
// it with the token.
import type Database from "better-sqlite3";

export function detours(db: Database) {
  // The index holds only those who have one: to find that a device has none costs next to nothing.
  const any = db.prepare<[], number>(`
    SELECT 1 FROM devices INDEXED BY devices_by_detour WHERE detour IS NOT NULL LIMIT 1`);
  const find = db
    .prepare<[string, string], string>(`
    SELECT detour FROM devices INDEXED BY devices_by_detour WHERE push_id = ? AND detour IS NOT NULL AND token = ?`)
    .pluck<string>();
  const store = db.prepare<[string, string, string]>(
    "UPDATE devices SET detour = nullif(?, '') WHERE push_id = ? AND token = ?",
  );
  return {
    /** Most servers have none, and need not look for each token's. */
    any: (): boolean => any.get() !== undefined,
    /** undefined: by its first way. */
    of: (pushId: string, token: string): string | undefined => find.get(pushId, token),
    /** Empty: none. A device that has another token by now keeps what it has. */
    set(pushId: string, token: string, detour: string): void {
      store.run(detour, pushId, token);
    },
  };
}
