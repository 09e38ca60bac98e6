// Devices that somebody tries things out on.
import type { TestDeviceRow } from "../sqlite/test-devices.ts";
import { Column, Statement } from "./database.ts";
import type { Turn } from "./turns.ts";

const put = new Column<[string, string, string | null, number, string, number], number>(`
  INSERT INTO test_devices (push_id, note, who, at) SELECT ?::text, ?::text, ?::text, ?::bigint
  WHERE EXISTS (SELECT 1 FROM test_devices WHERE push_id = ?) OR (SELECT count(*) FROM test_devices) < ?
  ON CONFLICT (push_id) DO UPDATE SET note = excluded.note, who = excluded.who, at = excluded.at RETURNING 1`);
const remove = new Statement<[string]>("DELETE FROM test_devices WHERE push_id = ?");
const list = new Statement<[], TestDeviceRow>("SELECT push_id, note, who, at FROM test_devices ORDER BY at, push_id");

export const testDevices = {
  addTestDevice: async (
    turn: Turn,
    pushId: string,
    note: string,
    who: string | null,
    at: number,
    most: number,
  ): Promise<boolean> => (await put.get(turn, pushId, note, who, at, pushId, most)) !== undefined,
  removeTestDevice: async (turn: Turn, pushId: string): Promise<boolean> => (await remove.run(turn, pushId)) === 1,
  listTestDevices: (turn: Turn): Promise<readonly TestDeviceRow[]> => list.all(turn),
};
