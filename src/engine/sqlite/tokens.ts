// Since when the token of a device is known.
import type Database from "better-sqlite3";
import type { Token } from "../../core/device.ts";
import { Recent } from "../../core/recent.ts";
import { HOUR } from "../../core/time.ts";
import type { Traits } from "../../core/traits.ts";
import { type TokenColumns, tokenTime } from "../tokens.ts";

/** Devices whose latest word is remembered: those of the last seconds, even in a storm. */
const MOST_HEARD = 10_000;

/**
 * When devices last brought the token they have. The record says so only by the hour, for each time would be a write; this knows
 * the newest exactly, for a vendor's answer that was on its way meanwhile. They are recorded when the store is closed; a crash
 * forgets them.
 */
export function recentTokens(db: Database, traits: Pick<Traits, "datesDeaths">) {
  const times = new Recent<number, number>(MOST_HEARD);
  const record = db.prepare<[number, number, number]>(`
    UPDATE devices SET token_time = ? WHERE device = ? AND coalesce(token_time, update_time) < ?`);
  return {
    /** The device brought the token it has. */
    brought(row: TokenColumns & { readonly device: number }, { type }: Token, now: number): void {
      if (!traits.datesDeaths(type)) return;
      // Some vendors say since when a token is dead: it has to be known within the hour that the device still uses it.
      if (now - tokenTime(row) > HOUR) return void record.run(now, row.device, now);
      times.set(row.device, now);
    },
    /** Epoch milliseconds; 0: not lately, so the record says it. */
    time: (device: number): number => times.get(device) ?? 0,
    /** Writes them down, before the store is closed. */
    store(): void {
      for (const [device, time] of times) record.run(time, device, time);
    },
  };
}
