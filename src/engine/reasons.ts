// How reasons of failures are counted: the same in every store.

export const CANCELLED = "cancelled";
/** The long connection, as the statistics name it. */
export const CONNECTION = "android";
/** Reasons that a job, and a way in the statistics, tell apart. Vendors' texts may hold anything. */
const REASONS = 20;
const OTHER = "other reasons";

/** Under which name a reason is counted that has not been yet. @param known reasons that are told apart already */
export const nameOf = (reason: string, known: number): string =>
  reason !== CANCELLED && known >= REASONS ? OTHER : reason;
