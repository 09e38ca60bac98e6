// Port: what an operator sees of the lanes, and may do to them.
import type { Lane } from "./delivery.ts";
import type { Quota, StoppedWay } from "./vendor.ts";

/**
 * - `running`
 * - `paused`: the vendor's quota is spent; goes on by itself at `until`
 * - `stopped`: the vendor refuses our credentials; goes on when they are replaced (reload, restart), it is resumed by hand, or one
 *   delivery, which is tried at `until` and then ever more seldom, is not refused
 */
export type LaneState = "running" | "paused" | "stopped";

export interface LaneStatus extends Lane {
  readonly state: LaneState;
  /** Why it is paused or stopped. */
  readonly reason?: string;
  readonly until?: number;
  /** Of a paused lane: how many of the first 10,000 that wait will expire before it goes on. */
  readonly expiring?: number;
  /** Deliveries not yet settled, and how long ago the first of them was queued, milliseconds. */
  readonly depth: number;
  readonly oldest?: number;
  /** At the vendor now. */
  readonly inFlight: number;
  /** Accepted per second, over the last 10 seconds. */
  readonly rate: number;
  /** Since the start. */
  readonly accepted: number;
  readonly failed: number;
  readonly retried: number;
  readonly lastError?: { readonly reason: string; readonly at: number };
  /** So many of its tokens are said to be dead that none is forgotten until it is resumed by hand (core/delivery.ts). */
  readonly holdsDeletions: boolean;
  /** Ways to some of its tokens that the vendor has closed, while the lane goes on with the others. Absent: none. */
  readonly stoppedWays?: readonly StoppedWay[];
  /** Tokens set aside since the start, being another credential's. Absent: none. */
  readonly setAside?: number;
  /** What the vendor has told of its quota today. Absent: nothing. */
  readonly quota?: Quota;
  /** The node that sends it, where there are several. */
  readonly node?: string;
}

/**
 * What a vendor said of a token that nobody has.
 * - `well`: it took our credentials
 * - `denied`: it refused them
 * - `paused`: a quota is spent
 * - `trouble`: it could not be asked, or its answer says nothing of us
 */
export interface LaneTest {
  readonly verdict: "well" | "denied" | "paused" | "trouble";
  /** In the vendor's words. */
  readonly reason?: string;
  /** Milliseconds. */
  readonly took: number;
}

export interface Lanes {
  /** @param waiting also those in which something waits that nobody has in hand here */
  list(waiting?: boolean): Promise<readonly LaneStatus[]>;
  /** What this process knows of its own; depths are 0. */
  inHand(): Promise<readonly LaneStatus[]>;
  /**
   * Lets lanes go on that are paused or stopped or hold deletions: all of them, of one vendor, app or host, or one. Returns those
   * changed.
   */
  resume(which: Partial<Lane>): readonly Lane[];
}
