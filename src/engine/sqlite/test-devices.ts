// Devices that somebody tries things out on.
import type Database from "better-sqlite3";

export interface TestDeviceRow {
  readonly push_id: string;
  readonly note: string;
  readonly who: string | null;
  readonly at: number;
}

export function testDevices(db: Database) {
  const put = db.prepare<[string, string, string | null, number]>(`
    INSERT INTO test_devices (push_id, note, who, at) VALUES (?, ?, ?, ?)
    ON CONFLICT (push_id) DO UPDATE SET note = excluded.note, who = excluded.who, at = excluded.at`);
  const remove = db.prepare<[string]>("DELETE FROM test_devices WHERE push_id = ?");
  const list = db.prepare<[], TestDeviceRow>("SELECT push_id, note, who, at FROM test_devices ORDER BY at, push_id");
  const count = db.prepare<[], number>("SELECT count(*) FROM test_devices").pluck<number>();
  const known = db.prepare<[string], number>("SELECT 1 FROM test_devices WHERE push_id = ?").pluck<number>();
  return {
    /** @returns false: there are so many already */
    addTestDevice(pushId: string, note: string, who: string | null, at: number, most: number): boolean {
      if (known.get(pushId) === undefined && (count.get() ?? 0) >= most) return false;
      put.run(pushId, note, who, at);
      return true;
    },
    /** @returns whether it was one */
    removeTestDevice: (pushId: string): boolean => remove.run(pushId).changes === 1,
    listTestDevices: (): readonly TestDeviceRow[] => list.all(),
  };
}
