// One lane at work: claims what is due, gives it to the vendor, settles what that said. Whatever happens here, a vendor that
// hangs, throttles or refuses us, is felt in no other lane. What an answer means is judge.ts's to say.
//
//   running   claims and sends.
//     -> paused    a quota is spent (`paused`)                 -> stopped   our credentials are refused (`denied`), or it is not
//                                                                           configured
//   paused    lets go of what expires.
//     -> running   at `until`, or resumed by hand              -> stopped   an answer on its way says so
//   stopped   the same; sends one delivery now and then, ever more seldom, to see whether that still holds.
//     -> running   that one is taken or judged, other credentials are configured (`use`), or resumed by hand
//
// `stopped` outranks `paused`. Within `running` the window may let it rest for seconds: that is no state, but how much it dares.
import { type Debug, NO_DEBUG } from "../core/debug.ts";
import { type Delivery, type Lane, laneName } from "../core/delivery.ts";
import type { LaneState, LaneStatus } from "../core/lane.ts";
import { expiry, type Notification } from "../core/notification.ts";
import type { LaneDepth, Outbox } from "../core/outbox.ts";
import { Suspects } from "../core/suspects.ts";
import { HOUR } from "../core/time.ts";
import type { Traits } from "../core/traits.ts";
import type { Outcome, Recipient, StoppedWay, Vendor } from "../core/vendor.ts";
import { Crowd, type Flight } from "./crowd.ts";
import { judge, type Memory, NO_MEMORY, provesCredentials, type Rest, type Verdict } from "./judge.ts";
import { Rate } from "./rate.ts";
import { Ready } from "./ready.ts";
import { Settling } from "./settling.ts";
import {
  concurrency,
  INITIAL_CONCURRENCY,
  INITIAL_CONCURRENCY_OF_CROWD,
  INITIAL_CONCURRENCY_OF_HOST,
  type Turns,
} from "./turns.ts";
import { FULL_WINDOW, isTrouble } from "./window.ts";

type LaneChange = "stopped" | "paused" | "holds deletions" | "resumed" | "way stopped" | "way resumed";

/** Why it is paused, and until when, epoch milliseconds. */
interface Pause {
  readonly reason: string;
  readonly until: number;
}

export interface LaneOptions {
  readonly outbox: Pick<Outbox, "own" | "claim" | "settle" | "expire" | "expiring">;
  readonly traits: Traits;
  /** Shared by all lanes. */
  readonly turns: Turns;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds by a clock that is never set: what lasts is measured by it (B13). */
  readonly elapsed: () => number;
  /** Adds to the hourly sums of `key`. */
  readonly count: (key: string, sums: { total: number; success: number; error: number; latency: number }) => void;
  /** A lane was stopped, paused, began to hold deletions, goes on. */
  readonly changed: (lane: Lane, what: LaneChange, reason: string, pause?: Pause) => void;
  /** The store could not do its part, which is tried again; or a vendor threw, which is a bug. */
  readonly failed: (error: unknown) => void;
  readonly debug?: Debug;
}

/** Half of it is longer than any request with its credential may take; a restart voids it. */
const LEASE = 600_000;
/** Deliveries per claim at most: a few milliseconds of the storage thread. */
const MAX_CLAIM = 500;
/** A claim should last so many milliseconds: each costs a commit, and what is claimed has to be taken back when its job is paused. */
const LASTS = 100;
/**
 * Each lane looks so often, whatever it waits for: the clock may be set meanwhile, or the machine sleep, and an order that a
 * restart cut short is finished by the store without a nudge. A lane at rest then looks for what has expired.
 */
const LOOK_EVERY = 30_000;
const RETRY_AFTER = 1000;
/** A lane whose credentials were refused is tried with one request after so long, and twice as long each time, at most an hour. */
const FIRST_PROBE = 120_000;
const LONGEST_PROBE = HOUR;

const NO_WAYS: readonly StoppedWay[] = [];

interface Totals {
  accepted: number;
  failed: number;
  retried: number;
}

type Standing = { readonly state: "running" } | Rest;

export class LaneRunner {
  readonly lane: Lane;
  readonly #options: LaneOptions;
  #vendor: Vendor | undefined;
  #standing: Standing = { state: "running" };
  /** While it is stopped: when (`elapsed`) one request tries whether that still holds, and how long it waited for that. */
  #probe = { at: 0, gap: FIRST_PROBE };
  /** While it is paused: when (`elapsed`) that is over, if the clock is set back meanwhile. */
  #pausedUntil = 0;
  /** Of the answers before. */
  #memory: Memory = NO_MEMORY;
  /** How many requests may be at the vendor, before the window takes its part of it; and how many are. */
  #concurrency: number;
  #flying = 0;
  /** Claimed, not yet sent. */
  readonly #ready = new Ready();
  /** Claimed, and nothing is noted yet of what became of it: the deliveries ready, at the vendor and being settled. */
  #unsettled = 0;
  readonly #settling: Settling;
  /** How many to claim together, and when (`elapsed`) that was last done. */
  #claimSize = 2 * INITIAL_CONCURRENCY;
  #claimedAt = Number.NEGATIVE_INFINITY;
  /** More may be due than was claimed. */
  #more = true;
  #claiming = false;
  #nudged = false;
  #closed = false;
  /** Deliveries that go in a request of their own: the vendor refused one they were in without saying whose fault it was. */
  readonly #alone = new Set<number>();
  readonly #suspects = new Suspects();
  /** Of a lane that the hosts share which have none of their own. */
  #crowd: Crowd | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When (`elapsed`) a lane at rest is looked through again. */
  #expireAt = Number.NEGATIVE_INFINITY;
  #idle: (() => void) | undefined;
  readonly #rate = new Rate();
  readonly #totals: Totals = { accepted: 0, failed: 0, retried: 0 };
  #setAside = 0;
  #stoppedWays: readonly StoppedWay[] = NO_WAYS;
  #lastError: { readonly reason: string; readonly at: number } | undefined;

  constructor(lane: Lane, vendor: Vendor | undefined, options: LaneOptions) {
    const { outbox, now, failed } = options;
    this.lane = lane;
    this.#options = options;
    this.#concurrency = lane.host === undefined ? INITIAL_CONCURRENCY : INITIAL_CONCURRENCY_OF_HOST;
    this.#settling = new Settling({
      settle: (settlements) => outbox.settle(settlements, now()),
      stored: (settlements) => {
        this.#unsettled -= settlements.length;
        if (this.#more || settlements.some(({ kind }) => kind === "again")) this.nudge();
      },
      failed,
      rested: () => this.#tellIdle(),
    });
    this.use(vendor);
  }

  /** The vendor as it is configured now: a lane that was stopped begins again with it. */
  use(vendor: Vendor | undefined): void {
    this.#vendor = vendor?.apps.includes(this.lane.app) === true ? vendor : undefined;
    this.#stoppedWays = NO_WAYS;
    this.#memory = { ...this.#memory, window: FULL_WINDOW };
    this.#suspects.clear();
    this.#crowd?.forgive();
    if (this.lane.host === undefined && vendor?.host !== undefined && this.#crowd === undefined) {
      this.#crowd = new Crowd();
      this.#concurrency = INITIAL_CONCURRENCY_OF_CROWD;
    }
    if (this.#vendor === undefined) {
      const away = { state: "stopped", reason: "it is not configured" } as const;
      if (this.#standing.state === "stopped") this.#standing = away;
      else this.#rest(away);
    } else if (this.#standing.state === "stopped") {
      this.#standing = { state: "running" };
      this.#goOn();
    } else this.nudge();
  }

  /** Lets it go on, whatever held it back. Returns whether anything did. */
  resume(): boolean {
    if (this.#vendor === undefined) return false;
    const rests = this.#rests;
    const held =
      this.#standing.state !== "running" || this.#memory.holdsDeletions || rests || this.#stoppedWays.length > 0;
    this.#vendor.reopen?.(this.lane.app);
    this.#stoppedWays = NO_WAYS;
    this.#standing = { state: "running" };
    this.#memory = NO_MEMORY;
    this.#crowd?.forgive();
    if (held) this.#goOn();
    else this.nudge();
    return held;
  }

  #goOn(): void {
    this.#options.changed(this.lane, "resumed", "");
    this.nudge();
  }

  /** In trouble, and nothing that it was given was ever accepted. */
  get spoilt(): boolean {
    const trouble = this.#standing.state !== "running" || this.#memory.window.failures > 0;
    return trouble && this.#totals.accepted === 0;
  }

  /** Tokens are kept although the vendor says that they are dead: see `judge`. */
  get holdsDeletions(): boolean {
    return this.#memory.holdsDeletions;
  }

  /** Deliveries, since this runner was made, with those that `add` brought. */
  get totals(): Readonly<Totals> {
    return this.#totals;
  }

  /** Counts for itself what another lane did, which is gone. */
  add({ accepted, failed, retried }: Readonly<Totals>): void {
    this.#totals.accepted += accepted;
    this.#totals.failed += failed;
    this.#totals.retried += retried;
  }

  /** A job was paused or cancelled: what is claimed of it is not sent. */
  withdraw(job: number): void {
    this.#giveBack(this.#ready.remove(job));
  }

  /** There may be something due. */
  nudge(): void {
    if (this.#closed) return;
    if (this.#claiming) this.#nudged = true;
    else void this.#work();
  }

  /** Claims nothing more; resolves when what is at the vendor is settled. */
  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.turns.remove(this.#step);
    this.#unsettled -= this.#ready.clear().length; // the leases end with this run
    this.#settling.close();
    return new Promise((resolve) => {
      this.#idle = resolve;
      this.#tellIdle();
    });
  }

  /** Deliveries that expire before a pause ends; undefined: the lane is not paused. */
  async expiring(): Promise<number | undefined> {
    const standing = this.#standing;
    return standing.state === "paused" ? await this.#options.outbox.expiring(this.lane, standing.until) : undefined;
  }

  /** @param unsent deliveries that came to their end in the store, without the lane */
  status(depth: LaneDepth | undefined, unsent: number, expiring?: number): LaneStatus {
    const now = this.#options.now();
    const elapsed = this.#options.elapsed();
    const standing = this.#standing;
    const quota = this.#vendor?.quota?.(this.lane.app, now);
    return {
      ...this.lane,
      state: standing.state satisfies LaneState,
      ...(standing.state === "running" ? {} : { reason: standing.reason }),
      ...(standing.state === "paused" ? { until: standing.until } : {}),
      ...(standing.state === "stopped" && this.#vendor !== undefined
        ? { until: now + Math.ceil(this.#probe.at - elapsed) }
        : {}),
      ...(standing.state === "paused" && expiring !== undefined ? { expiring } : {}),
      depth: depth?.depth ?? 0,
      ...(depth?.oldest === undefined ? {} : { oldest: Math.max(0, now - depth.oldest) }),
      inFlight: this.#unsettled - this.#ready.length,
      rate: this.#rate.perSecond(elapsed),
      ...this.#totals,
      failed: this.#totals.failed + unsent,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      holdsDeletions: this.#memory.holdsDeletions,
      ...(quota === undefined ? {} : { quota }),
      ...(this.#setAside === 0 ? {} : { setAside: this.#setAside }),
      ...(this.#stoppedWays.length === 0 ? {} : { stoppedWays: this.#stoppedWays }),
    };
  }

  // ---- claiming

  async #work(): Promise<void> {
    this.#claiming = true;
    clearTimeout(this.#timer);
    try {
      do {
        this.#nudged = false;
      } while ((await this.#claim()) || this.#nudged);
    } catch (error) {
      this.#options.failed(error);
      this.#wakeIn(RETRY_AFTER);
    } finally {
      this.#claiming = false;
    }
  }

  /** Returns whether there may be more to claim at once. */
  async #claim(): Promise<boolean> {
    const { outbox, now, elapsed } = this.#options;
    this.#more = true;
    // Settlements first: claimed again after its lease, what is not noted yet would be sent twice.
    if (this.#closed || this.#settling.failing) return false;
    const probes = this.#probes;
    if (this.#standing.state !== "running" && !probes) {
      await this.#expire();
      return false;
    }
    if (this.#rests) {
      this.#wakeIn(this.#memory.window.until - elapsed());
      return false;
    }
    const limit = probes ? 1 - this.#unsettled : this.#sizeNow(elapsed());
    if (limit <= 0) {
      if (probes) this.#wakeIn(LOOK_EVERY);
      return false;
    }
    // Known at once, it is not waited for: with a wait here, 400 lanes of silent hosts kept a good one from its browsers (F1b).
    const owned = outbox.own(this.lane);
    if (owned !== true && !(await owned)) {
      this.#wakeIn(LOOK_EVERY);
      return false;
    }
    if (this.#closed) return false;
    const { deliveries, notes, next } = await outbox.claim(this.lane, limit, now(), LEASE);
    if (this.#closed) return false; // the leases end with this run
    this.#claimedAt = elapsed();
    this.#ready.add(deliveries, notes);
    this.#unsettled += deliveries.length;
    if (deliveries.length > 0) this.#options.turns.add(this.#step);
    if (next === undefined) this.#alone.clear(); // some of them were cancelled or have expired
    this.#more = next !== undefined && next <= now();
    if (!this.#more) this.#wakeAt(next);
    return this.#more;
  }

  /** It is stopped, and time to try whether that still holds. */
  get #probes(): boolean {
    const stopped = this.#standing.state === "stopped" && this.#vendor !== undefined;
    return stopped && this.#options.elapsed() >= this.#probe.at;
  }

  /** The window is closed for a while. */
  get #rests(): boolean {
    return this.#memory.window.until > this.#options.elapsed();
  }

  /** How many to claim now: as many as are sent in a while, once half of those before are sent. */
  #sizeNow(elapsed: number): number {
    const since = elapsed - this.#claimedAt;
    const least = Math.min(MAX_CLAIM, 2 * this.#limit * (this.#vendor?.batch ?? 1));
    if (this.#ready.length > Math.max(this.#claimSize, least) / 2) return 0;
    this.#claimSize = Math.max(
      least,
      Math.min(MAX_CLAIM, since < LASTS ? this.#claimSize * 2 : Math.ceil(this.#claimSize / 2)),
    );
    return this.#claimSize - this.#ready.length;
  }

  /** @param at epoch ms; undefined: whenever it looks again */
  #wakeAt(at: number | undefined): void {
    this.#wakeIn(at === undefined ? LOOK_EVERY : at - this.#options.now());
  }

  #wakeIn(milliseconds: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.nudge(), Math.min(Math.max(0, milliseconds), LOOK_EVERY)).unref();
  }

  /** A lane at rest still lets go of what has expired, a piece at a time. */
  async #expire(): Promise<void> {
    const { outbox, now, elapsed } = this.#options;
    // Not with every nudge: each page of a long job is one.
    if (this.#expireAt <= elapsed()) {
      this.#expireAt = elapsed() + LOOK_EVERY;
      let after: number | undefined;
      do after = await outbox.expire(this.lane, after, MAX_CLAIM, now());
      while (after !== undefined && !this.#closed);
    }
    const until = this.#standing.state === "paused" ? this.#standing.until : undefined;
    const left = until === undefined ? LOOK_EVERY : Math.min(until - now(), this.#pausedUntil - elapsed());
    if (left <= 0) {
      this.#standing = { state: "running" };
      this.#nudged = true;
    } else this.#wakeIn(left);
  }

  // ---- sending

  /** Requests that may be at the vendor together. */
  get #limit(): number {
    const most = Math.max(1, Math.floor((this.#vendor?.parallel(this.lane.app) ?? 1) * this.#memory.window.share));
    return Math.min(Math.floor(this.#concurrency), most);
  }

  /** Of the requests in flight those that take no place any more. */
  get #hanging(): number {
    return this.#crowd?.hanging(this.#options.elapsed()) ?? 0;
  }

  get #sendable(): boolean {
    return this.#ready.length > 0 && this.#flying - this.#hanging < this.#limit;
  }

  /** Sends one request, when it is this lane's turn. Returns whether it could send another. */
  readonly #step = (): boolean => {
    const vendor = this.#vendor;
    if (this.#closed || !this.#sendable) return false;
    const { note, to } = this.#ready.take(vendor?.batch ?? 1, this.#alone)!;
    const now = this.#options.now();
    const rests = (this.#standing.state !== "running" && !this.#probes) || this.#rests;
    if (rests || vendor === undefined) this.#giveBack(to);
    else if (note === undefined) this.#withoutNote(to);
    // It waited too long here: nothing is sent after its time, and nothing whose lease could end before the answer.
    else if (expiry(note) <= now || to[0]!.lease.until - now < LEASE / 2) this.#giveBack(to);
    else this.#sendOrWait(vendor, note, to, now);
    if (this.#more) this.#replenish();
    return this.#sendable;
  };

  #replenish(): void {
    if (this.#ready.length <= this.#claimSize / 2 && !this.#claiming) this.nudge();
  }

  /** Claimed before the lane came to rest: it waits with the others. */
  #giveBack(to: readonly Delivery[]): void {
    this.#putOff(to, this.#options.now(), this.#standing.state === "running" ? "" : this.#standing.reason);
  }

  #putOff(to: readonly Delivery[], at: number, reason: string): void {
    for (const delivery of to) this.#settling.add({ delivery, kind: "again", at, reason, tried: false });
  }

  #sendOrWait(vendor: Vendor, note: Notification, to: readonly Delivery[], now: number): void {
    const crowd = this.#crowd;
    if (crowd === undefined) return void this.#send(vendor, note, to);
    const host = vendor.host?.(this.lane.app, to[0]!.token)?.name ?? "";
    const elapsed = this.#options.elapsed();
    const flight = crowd.admit(host, this.#limit, elapsed);
    if (typeof flight === "number") this.#putOff(to, now + Math.ceil(flight - elapsed), "");
    else void this.#send(vendor, note, to, flight);
  }

  /** @param flight where the lane is that of many hosts */
  async #send(vendor: Vendor, note: Notification, to: readonly Delivery[], flight?: Flight): Promise<void> {
    const { now, elapsed, turns, debug = NO_DEBUG } = this.#options;
    const begun = elapsed();
    const probe = this.#standing.state === "stopped";
    this.#flying++;
    let outcomes: readonly Outcome[];
    try {
      const recipients = to.map((delivery) => recipient(delivery, note));
      outcomes = await vendor.send(this.lane.app, note, recipients, now());
    } catch (error) {
      this.#options.failed(error); // the port promises not to throw: a bug, which must cost no delivery
      outcomes = [];
    }
    if (flight !== undefined) {
      outcomes = to.map((_, i) => outcomes[i] ?? { kind: "retry", reason: "the server could not send it" });
      outcomes = outcomes.map((outcome) => this.#crowd?.told(flight, outcome, now(), elapsed()) ?? outcome);
    }
    const full = this.#flying >= this.#limit && !outcomes.some(isTrouble);
    this.#concurrency = concurrency(this.#concurrency, turns.answered(), full, vendor.parallel(this.lane.app));
    this.#flying--;
    const current = vendor === this.#vendor;
    if (current) this.#tellWays(vendor.stoppedWays?.(this.lane.app, now()) ?? NO_WAYS);
    const said = outcomes;
    if (current) outcomes = outcomes.map((outcome, i) => this.#suspects.judge(to[i]?.token ?? "", outcome, now()));
    const asked = { note, to, outdated: !current, traits: this.#options.traits };
    const verdict = judge(outcomes, asked, this.#memory, { now: now(), elapsed: elapsed() }, Math.random);
    this.#heed(verdict);
    if (probe && current && this.#standing.state === "stopped") this.#probed(said);
    this.#settle(verdict);
    if (this.#sendable) turns.add(this.#step);
    else if (this.#more && this.#ready.length === 0) this.#replenish();
    const accepted = outcomes.filter(({ kind }) => kind === "accepted").length;
    if (debug.on) this.#show(debug, note, to, accepted, outcomes);
    this.#options.count(this.#options.traits.statisticsName(this.lane.vendor), {
      total: 1,
      success: accepted > 0 ? 1 : 0,
      error: accepted > 0 ? 0 : 1,
      latency: accepted > 0 ? Math.round(elapsed() - begun) : 0,
    });
  }

  #show(
    debug: Debug,
    { id }: Notification,
    to: readonly Delivery[],
    accepted: number,
    outcomes: readonly Outcome[],
  ): void {
    const [other] = outcomes.flatMap((outcome) => (outcome.kind === "accepted" ? [] : [outcome]));
    const lane = laneName(this.lane);
    debug.line({ lane, id, to: to.length, accepted, kind: other?.kind, reason: other?.reason }, "deliveries sent");
    for (const [i, { pushId }] of to.entries())
      if (debug.follows(pushId)) debug.line({ pushId, id, lane, ...outcomes[i] }, "vendor answered");
  }

  #heed({ memory, accepted, lastError, rest, suspicion, unanswered }: Verdict): void {
    this.#memory = memory;
    if (lastError !== undefined) this.#lastError = { reason: lastError, at: this.#options.now() };
    this.#rate.add(accepted, this.#options.elapsed());
    if (rest !== undefined) this.#rest(rest);
    if (suspicion !== undefined) this.#options.changed(this.lane, "holds deletions", suspicion);
    if (unanswered) this.#concurrency = Math.min(this.#concurrency, INITIAL_CONCURRENCY_OF_HOST);
    if (this.#rests) this.#giveBack(this.#ready.clear());
  }

  /** What came of the request that tried whether a stopped lane may go on: not known, as long as nothing was taken or judged. */
  #probed(outcomes: readonly Outcome[]): void {
    if (provesCredentials(outcomes)) {
      this.#standing = { state: "running" };
      this.#goOn();
      return;
    }
    const gap = Math.min(this.#probe.gap * 2, LONGEST_PROBE);
    this.#probe = { at: this.#options.elapsed() + gap, gap };
  }

  /** The vendor gives the same array as long as nothing changes. */
  #tellWays(ways: readonly StoppedWay[]): void {
    const before = this.#stoppedWays;
    if (ways === before) return;
    this.#stoppedWays = ways;
    const { changed } = this.#options;
    for (const { way, reason } of ways)
      if (!before.some((one) => one.way === way)) changed(this.lane, "way stopped", `${way}: ${reason}`);
    for (const { way } of before) if (!ways.some((one) => one.way === way)) changed(this.lane, "way resumed", way);
  }

  #rest(standing: Rest): void {
    if (this.#standing.state === "stopped") return; // it outranks `paused`
    const changed = this.#standing.state !== standing.state;
    this.#standing = standing;
    if (standing.state === "stopped") this.#probe = { at: this.#options.elapsed() + FIRST_PROBE, gap: FIRST_PROBE };
    else this.#pausedUntil = this.#options.elapsed() + standing.until - this.#options.now();
    this.#giveBack(this.#ready.clear());
    if (changed && standing.state === "paused") void this.#tellPause(standing);
    else if (changed) this.#options.changed(this.lane, standing.state, standing.reason);
    this.nudge();
  }

  /** With what will be lost by it, while there is time to do something. */
  async #tellPause({ until, reason }: Pause): Promise<void> {
    const { changed, outbox, failed } = this.#options;
    const expiring = await outbox.expiring(this.lane, until).catch((error: unknown) => {
      failed(error);
      return 0;
    });
    const loss =
      expiring === 0 ? "" : `; ${expiring} of what waits will have expired by then, unless it is resumed before`;
    changed(this.lane, "paused", `${reason}, until ${new Date(until).toISOString()}${loss}`, { reason, until });
  }

  // ---- settling

  /** The store does not know the notification: nothing can be sent, and this says nothing of the vendor. */
  #withoutNote(to: readonly Delivery[]): void {
    const at = this.#options.now() + RETRY_AFTER;
    for (const delivery of to) {
      this.#totals.retried++;
      this.#settling.add({ delivery, kind: "again", at, reason: "retry", tried: true });
    }
  }

  #settle({ settlements, alone }: Verdict): void {
    for (const settlement of settlements) {
      if (settlement.kind === "accepted") this.#totals.accepted++;
      else if (settlement.kind === "again") this.#totals.retried++;
      else this.#totals.failed++;
      if (settlement.kind === "refused" && settlement.detour !== undefined) this.#setAside++;
      if (settlement.kind !== "again") this.#alone.delete(settlement.delivery.delivery);
      this.#settling.add(settlement);
    }
    for (const delivery of alone) this.#alone.add(delivery);
  }

  #tellIdle(): void {
    // What could not be stored is asked again at the next start; what is just being stored is waited for.
    const stuck = this.#closed && this.#settling.stuck === this.#unsettled;
    if (this.#unsettled === 0 || stuck) this.#idle?.();
  }
}

const recipient = ({ token, delivery, detour }: Delivery, { id }: Notification): Recipient =>
  detour === undefined ? { token, ref: `${id}.${delivery}` } : { token, ref: `${id}.${delivery}`, detour };
