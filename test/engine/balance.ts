// Whether the sums that are kept beside the deliveries agree with them.
import type Database from "better-sqlite3";

/** Every job, lane and counter whose figures are not those of its deliveries. */
export function unbalanced(db: Database): readonly unknown[] {
  return [
    ...db
      .prepare(`
      SELECT j.job, j.queued, j.waiting, j.accepted, j.finished_at, j.expanded, j.cancelled,
        coalesce(sum(d.lane IS NOT NULL OR d.state = 7), 0) AS has_queued,
        coalesce(sum(d.due IS NOT NULL), 0) AS has_waiting,
        coalesce(sum(d.state = 4), 0) AS has_accepted,
        coalesce(sum(d.state BETWEEN 5 AND 8), 0) AS has_failed,
        (SELECT coalesce(sum(total), 0) FROM job_failures f WHERE f.job = j.job) AS failed
      FROM jobs j LEFT JOIN deliveries d ON d.job = j.job WHERE j.drop_at IS NOT 0 GROUP BY j.job
      HAVING j.queued <> has_queued OR j.waiting <> has_waiting OR j.accepted <> has_accepted OR failed <> has_failed
        OR (j.finished_at IS NOT NULL) <> (j.waiting = 0 AND (j.expanded = 1 OR j.cancelled = 1))`)
      .all(),
    ...db
      .prepare(`
      SELECT l.lane, l.open, count(d.delivery) AS has_open FROM lanes l LEFT JOIN deliveries d ON d.lane = l.lane AND d.due IS NOT NULL
      GROUP BY l.lane HAVING l.open <> has_open`)
      .all(),
    // Settled means not due, and what is due is queued, leased or held.
    ...db
      .prepare("SELECT delivery, state, due FROM deliveries WHERE (due IS NOT NULL) <> (state BETWEEN 1 AND 3)")
      .all(),
    ...db.prepare("SELECT job FROM deliveries WHERE job NOT IN (SELECT job FROM jobs)").all(),
    ...db.prepare("SELECT user FROM deliveries WHERE user IS NOT NULL AND user NOT IN (SELECT user FROM users)").all(),
    ...db
      .prepare(`
      SELECT device FROM deliveries
      WHERE device NOT IN (SELECT device FROM devices) AND device NOT IN (SELECT device FROM departed)`)
      .all(),
    ...db.prepare("SELECT device FROM departed WHERE device IN (SELECT device FROM devices)").all(),
  ];
}
