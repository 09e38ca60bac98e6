// What became of each notification, in numbers: written along with its job.
import type Database from "better-sqlite3";
import { DAY } from "../../core/time.ts";

/** What the statistics keep of a notification. */
export interface ArrivalHeading {
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly timeToLive: number;
  readonly acceptedAt: number;
  readonly sendAt?: number;
  readonly callerAddress: string;
}

/** When the statistics of a notification are forgotten. */
export const dropAt = ({ acceptedAt, sendAt }: ArrivalHeading, arrivalDays: number): number =>
  (sendAt ?? acceptedAt) + arrivalDays * DAY;

export type Counts = ReturnType<typeof counts>;

/** The statistics of notifications, written along with the outbox. */
export function counts(db: Database, arrivalDays: number) {
  // A second notification with the same id adds to the statistics of the first, which then last as long as its own.
  const open = db
    .prepare<[string, string, string, number, number, string, number], number>(`
    INSERT INTO arrivals (id, type, text, ttl, time_start, caller_address, drop_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET drop_at = max(drop_at, excluded.drop_at)
    RETURNING arrival`)
    .pluck<number>();
  const add = db.prepare<[number, string, number]>(`
    INSERT INTO arrival_counts (arrival, counter, total) VALUES (?, ?, ?)
    ON CONFLICT (arrival, counter) DO UPDATE SET total = total + excluded.total`);

  return {
    /** When the statistics are forgotten, epoch milliseconds. */
    dropAt: (heading: ArrivalHeading): number => dropAt(heading, arrivalDays),

    /** The number of the id's statistics, made when there are none: a second notification adds to those of the first. */
    open(heading: ArrivalHeading): number {
      const { id, type, text, timeToLive, acceptedAt, sendAt, callerAddress } = heading;
      const arrival = open.get(
        id,
        type,
        text,
        timeToLive,
        sendAt ?? acceptedAt,
        callerAddress,
        dropAt(heading, arrivalDays),
      );
      if (arrival === undefined) throw new Error(`no statistics could be opened for notification ${id}`);
      return arrival;
    },

    add(arrival: number, counter: string, n: number): void {
      if (n !== 0) add.run(arrival, counter, n);
    },
  };
}
