// The numbers by which deliveries know devices and users, and the names behind them when they are gone.
import type Database from "better-sqlite3";

export type Addressees = ReturnType<typeof addressees>;

export function addressees(db: Database, nextDevice: () => number) {
  const present = db.prepare<[string], number>("SELECT device FROM devices WHERE push_id = ?").pluck<number>();
  const departed = db
    .prepare<[string], number>("SELECT device FROM departed WHERE push_id = ? ORDER BY device DESC")
    .pluck<number>();
  const depart = db.prepare<[number, string]>("INSERT INTO departed (device, push_id) VALUES (?, ?)");
  const dropDeparted = db.prepare<[number]>("DELETE FROM departed WHERE device = ?");
  const findUser = db.prepare<[string], number>("SELECT user FROM users WHERE uid = ?").pluck<number>();
  const addUser = db.prepare<[string]>("INSERT INTO users (uid) VALUES (?)");
  const dropUser = db.prepare<[number]>("DELETE FROM users WHERE user = ?");
  const ofDevice = db.prepare<[number], number>("SELECT 1 FROM deliveries WHERE device = ? LIMIT 1");
  const ofUser = db.prepare<[number, number], number>(
    "SELECT 1 FROM deliveries WHERE user = ? UNION ALL SELECT 1 FROM reached WHERE user = ? LIMIT 1",
  );

  function releaseUser(user: number): void {
    if (ofUser.get(user, user) === undefined) dropUser.run(user);
  }

  return {
    releaseUser,

    /** One that is gone, or never was, gets a number as well. */
    device(pushId: string): number {
      const known = present.get(pushId) ?? departed.get(pushId);
      if (known !== undefined) return known;
      const device = nextDevice();
      depart.run(device, pushId);
      return device;
    },

    /** The user's number, made when there is none. */
    user(uid: string): number {
      return findUser.get(uid) ?? Number(addUser.run(uid).lastInsertRowid);
    },

    /** Every number that this pushId has deliveries under. */
    devicesOf(pushId: string): readonly number[] {
      const now = present.get(pushId);
      return now === undefined ? departed.all(pushId) : [now, ...departed.all(pushId)];
    },

    /** undefined: no delivery and no call to reach somebody names the user. */
    userOf: (uid: string): number | undefined => findUser.get(uid),

    /** The device is deleted; its deliveries stay. */
    depart(device: number, pushId: string): void {
      if (ofDevice.get(device) !== undefined) depart.run(device, pushId);
    },

    /** Forgets what no delivery, and no call to reach somebody, needs any more. */
    release(device: number, user: number | null): void {
      if (ofDevice.get(device) === undefined) dropDeparted.run(device);
      if (user !== null) releaseUser(user);
    },
  };
}
