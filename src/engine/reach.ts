// Users of whom each is to be reached once: the words and sums that every store has in common.

/** What the column `way` of a reached user means. */
export const Way = {
  nothing: 0,
  /** Vendors are asked, or will be. */
  planned: 1,
  socket: 2,
  vendor: 3,
} as const;

export const ACKNOWLEDGED = "acknowledged on a connection";
export const CAPPED = "capPerDay: the user was sent as many in the last 24 hours";

/** `PackedPage` has them: uid, due, and 1 when vendors are to be asked. */
export interface ReachPage {
  readonly capPerDay: number | null;
  readonly users: readonly (readonly [uid: string, due: number, planned: number])[];
}

/** When a user's vendors may be asked, or why not. */
export interface Plan {
  readonly due: number;
  readonly capped: boolean;
}

export interface ReachPlace {
  readonly job: number;
  readonly user: number;
}

export interface ReachedView {
  readonly job: number;
  readonly user: number;
  readonly uid: string;
  readonly way: "socket" | "vendor" | "waiting" | "nobody";
  readonly at: number | null;
}

export interface ReachedSums {
  socket: number;
  vendor: number;
  waiting: number;
  nobody: number;
}

/** Jobs with one id that are summed up: the newest. */
export const MOST_JOBS = 100;

interface Standing {
  readonly way: number;
  readonly due: number;
  /** 1: a delivery of the user is not settled. */
  readonly open: number;
  /** 1: the job is. */
  readonly finished: number;
}

/** How a user was reached, or whether that is still possible at `now`. */
export function wordFor({ way, due, open, finished }: Standing, now: number): ReachedView["way"] {
  if (way === Way.socket) return "socket";
  if (way === Way.vendor) return "vendor";
  return open === 1 || (way === Way.nothing && due > now && finished === 0) ? "waiting" : "nobody";
}

/** @param rows users by the way, and those among them who are due later; `finished` 1: of jobs that are */
export function sumsOf(
  rows: readonly { readonly finished: number; readonly way: number; readonly total: number; readonly later: number }[],
): ReachedSums {
  const found: ReachedSums = { socket: 0, vendor: 0, waiting: 0, nobody: 0 };
  for (const { finished, way, total, later } of rows) {
    if (way === Way.socket) found.socket += total;
    else if (way === Way.vendor) found.vendor += total;
    else {
      const open = finished === 1 ? 0 : way === Way.planned ? total : later;
      found.waiting += open;
      found.nobody += total - open;
    }
  }
  return found;
}
