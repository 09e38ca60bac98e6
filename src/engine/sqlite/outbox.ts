// Accepted notifications, until the last page of their devices is expanded.
import type Database from "better-sqlite3";
import type { Counts } from "./counters.ts";
import type { FlatParcels, Packets } from "./packets.ts";

/** What the statistics keep of a notification. */
export interface Heading {
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly timeToLive: number;
  readonly acceptedAt: number;
  readonly callerAddress: string;
}

export interface Job {
  readonly job: number;
  /** JSON, as it was accepted. */
  readonly notification: string;
  readonly cursor: string | null;
}

export interface FlatPage {
  readonly cursor: string | null;
  readonly parcels: FlatParcels;
  readonly counts: Readonly<Record<string, number>>;
  readonly pushIds: readonly string[];
  readonly uids: readonly string[];
}

/** A page of a job that is no longer there, finished before: nothing was done. */
export const NO_JOB = -1;

export function outbox(db: Database, packets: Packets, counts: Counts) {
  const insert = db.prepare<[number, string]>("INSERT INTO notifications (arrival, notification) VALUES (?, ?)");
  const oldest = db.prepare<[number], Job>("SELECT job, notification, cursor FROM notifications ORDER BY job LIMIT ?");
  const arrivalOf = db.prepare<[number], number>("SELECT arrival FROM notifications WHERE job = ?").pluck<number>();
  const advance = db.prepare<[string, number]>("UPDATE notifications SET cursor = ? WHERE job = ?");
  const finish = db.prepare<[number]>("DELETE FROM notifications WHERE job = ?");

  return {
    /** The notification comes as JSON: a list of 100,000 devices then crosses to the thread as one string. */
    accept(heading: Heading, notification: string): void {
      insert.run(counts.open(heading), notification);
    },

    unexpanded: (limit: number): readonly Job[] => oldest.all(limit),

    /** Returns the first seq of the kept packets. */
    expand(job: number, page: FlatPage): number {
      const arrival = arrivalOf.get(job);
      if (arrival === undefined) return NO_JOB;
      const first = packets.append(page.parcels);
      counts.page(arrival, page.counts, page.pushIds, page.uids);
      if (page.cursor === null) finish.run(job);
      else advance.run(page.cursor, job);
      return first;
    },
  };
}
