// The numbers by which deliveries know devices and users, and the names behind them when they are gone.
import { Column, Statement } from "./database.ts";
import type { Turn } from "./turns.ts";

type Named = { readonly name: string; readonly number: number };

const numbersOf = new Statement<[readonly string[]], { readonly name: string; readonly number: number | null }>(`
  SELECT u.push_id AS name, coalesce(
    (SELECT device FROM devices d WHERE d.push_id = u.push_id),
    (SELECT max(device) FROM departed g WHERE g.push_id = u.push_id)) AS number
  FROM unnest(?::text[]) AS u(push_id)`);
const departAll = new Statement<[readonly string[]], Named>(`
  INSERT INTO departed (device, push_id) SELECT nextval('devices_seq'), unnest(?::text[])
  RETURNING push_id AS name, device AS number`);
const devicesOf = new Column<[string, string], number>(`
  SELECT device FROM (
    SELECT device, 0 AS gone FROM devices WHERE push_id = ?
    UNION ALL SELECT device, 1 FROM departed WHERE push_id = ?) d ORDER BY gone, device DESC`);
const addUsers = new Statement<[readonly string[]]>(`
  INSERT INTO users (uid) SELECT DISTINCT uid FROM unnest(?::text[]) AS u(uid)
  WHERE NOT EXISTS (SELECT 1 FROM users x WHERE x.uid = u.uid) ON CONFLICT DO NOTHING`);
const usersOf = new Statement<[readonly string[]], Named>(`
  SELECT uid AS name, "user" AS number FROM users WHERE uid = ANY (?)`);
const depart = new Statement<[number, string, number]>(`
  INSERT INTO departed (device, push_id) SELECT ?::bigint, ?::text
  WHERE EXISTS (SELECT 1 FROM deliveries WHERE device = ?) ON CONFLICT DO NOTHING`);
const releaseDevices = new Statement<[readonly number[]]>(`
  DELETE FROM departed g WHERE device = ANY (?) AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.device = g.device)`);
const releaseUsers = new Statement<[readonly number[]]>(`
  DELETE FROM users u WHERE "user" = ANY (?)
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d."user" = u."user")
    AND NOT EXISTS (SELECT 1 FROM reached r WHERE r."user" = u."user")`);

const asMap = (rows: readonly Named[]): Map<string, number> => new Map(rows.map(({ name, number }) => [name, number]));

export type Addressees = typeof addressees;

export const addressees = {
  /** Unknown and deleted devices are numbered too. */
  async devices(turn: Turn, pushIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const known = new Map<string, number>();
    const unknown = new Set<string>();
    for (const { name, number } of await numbersOf.all(turn, pushIds))
      if (number === null) unknown.add(name);
      else known.set(name, number);
    if (unknown.size > 0)
      for (const { name, number } of await departAll.all(turn, [...unknown])) known.set(name, number);
    return known;
  },

  async users(turn: Turn, uids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (uids.length === 0) return new Map();
    addUsers.put(turn, uids);
    return asMap(await usersOf.all(turn, uids));
  },

  /** Every number that this pushId has deliveries under. */
  devicesOf: (turn: Turn, pushId: string): Promise<readonly number[]> => devicesOf.all(turn, pushId, pushId),

  async userOf(turn: Turn, uid: string): Promise<number | undefined> {
    return (await usersOf.get(turn, [uid]))?.number;
  },

  /** The device is deleted; its deliveries stay. */
  async depart(turn: Turn, device: number, pushId: string): Promise<void> {
    depart.put(turn, device, pushId, device);
  },

  /** Forgets what no delivery, and no call to reach somebody, needs any more. */
  release(turn: Turn, devices: readonly number[], users: readonly number[]): void {
    if (devices.length > 0) releaseDevices.put(turn, devices);
    if (users.length > 0) releaseUsers.put(turn, users);
  },
};
