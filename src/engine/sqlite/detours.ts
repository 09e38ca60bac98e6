// By which way a provider reaches a device's token, where that is not the first: Apple's sandbox, another app. devices.ts clears
// it with the token.
import type Database from "better-sqlite3";

export function detours(db: Database) {
  const any = db.prepare<[], number>("SELECT 1 FROM devices WHERE detour IS NOT NULL LIMIT 1");
  const find = db
    .prepare<[string, string], string>(
      "SELECT detour FROM devices WHERE push_id = ? AND token = ? AND detour IS NOT NULL",
    )
    .pluck<string>();
  const store = db.prepare<[string, string, string]>(
    "UPDATE devices SET detour = nullif(?, '') WHERE push_id = ? AND token = ?",
  );
  return {
    /** Most servers have none, and need not look for each token's. */
    any: (): boolean => any.get() !== undefined,
    of: (pushId: string, token: string): string | undefined => find.get(pushId, token),
    /** Empty: none. A device that has another token by now keeps what it has. */
    set(pushId: string, token: string, detour: string): void {
      store.run(detour, pushId, token);
    },
  };
}
