// Which devices are online, as far as the end of a binding depends on it.
import type Database from "better-sqlite3";

/** The columns of a device that say when its binding ends. */
interface BindingClock {
  readonly uid_ttl: number;
  readonly online_run: number | null;
  readonly offline_since: number | null;
}

export interface Presence {
  /** This start of the server. */
  readonly run: number;
  /** By the device's number; in this run, as `set` was told. */
  isOnline(device: number): boolean;
  set(device: number, online: boolean): void;
  /** When a device that was online in an earlier run went offline. */
  endOf(run: number): number;
  /** Whether the binding's time has passed while the device was offline. */
  ended(clock: BindingClock, now: number): boolean;
}

/**
 * A crash leaves devices recorded as online. Instead of correcting each of them at the next start, the record names the run it
 * was online in: if that is not this one, the device is offline since the start of the run that followed.
 * @param reading nothing is written: the run takes its number once the store can be
 */
export function presence(db: Database, started: number, reading: boolean): Presence {
  if (!reading) {
    db.prepare<[number]>("INSERT INTO runs (started) VALUES (?)").run(started);
    // Of earlier ones those that a device was last online in, and what followed, are asked for.
    db.prepare(`
      DELETE FROM runs WHERE run < coalesce(
        (SELECT min(online_run) FROM devices INDEXED BY devices_by_run WHERE online_run IS NOT NULL),
        (SELECT max(run) FROM runs))`).run();
  }
  const runs = db.prepare<[], { run: number; started: number }>("SELECT run, started FROM runs ORDER BY run").all();
  const starts = new Map(runs.map((row) => [row.run, row.started]));
  const run = (runs.at(-1)?.run ?? 0) + (reading ? 1 : 0);
  let bits = new Uint8Array(1 << 12); // one bit per row: a million devices take 125 kB
  return {
    run,
    isOnline: (device) => ((bits[device >>> 3] ?? 0) & (1 << (device & 7))) !== 0,
    set(device, online) {
      if (device >>> 3 >= bits.length) {
        if (!online) return;
        const grown = new Uint8Array(Math.max(bits.length * 2, (device >>> 3) + 1));
        grown.set(bits);
        bits = grown;
      }
      const bit = 1 << (device & 7);
      bits[device >>> 3] = online ? (bits[device >>> 3] ?? 0) | bit : (bits[device >>> 3] ?? 0) & ~bit;
    },
    endOf: (earlier) => starts.get(earlier + 1) ?? started,
    ended({ uid_ttl, online_run, offline_since }, now) {
      if (uid_ttl === 0 || online_run === run) return false;
      const since = online_run === null ? offline_since : starts.get(online_run + 1);
      return (since ?? started) + uid_ttl <= now;
    },
  };
}
