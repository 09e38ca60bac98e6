// One lane at work: claims what is due, gives it to the vendor, settles what that said. Whatever happens here, a vendor that
// hangs, throttles or refuses us, is felt in no other lane.
import { type Debug, NO_DEBUG } from "../core/debug.ts";
import { type Delivery, type Lane, laneName, settle } from "../core/delivery.ts";
import type { LaneState, LaneStatus } from "../core/lane.ts";
import { expiry, type Notification } from "../core/notification.ts";
import type { LaneDepth, Outbox } from "../core/outbox.ts";
import { Suspects } from "../core/suspects.ts";
import { HOUR } from "../core/time.ts";
import type { Traits } from "../core/traits.ts";
import type { Outcome, Recipient, StoppedWay, Vendor } from "../core/vendor.ts";
import { Breaker } from "./breaker.ts";
import { Crowd, type Flight } from "./crowd.ts";
import { Rate } from "./rate.ts";
import { Ready } from "./ready.ts";
import { Settling } from "./settling.ts";
import { FIRST_PLACES, FIRST_PLACES_OF_CROWD, FIRST_PLACES_OF_HOST, places, type Turns } from "./turns.ts";
import { FULL_WINDOW, IMPATIENT, isOfToken, isTrouble, narrower, type Window, wider } from "./window.ts";

type LaneChange = "stopped" | "paused" | "holds deletions" | "resumed" | "way stopped" | "way resumed";

export interface LaneOptions {
  readonly outbox: Pick<Outbox, "claim" | "settle" | "expire" | "expiring">;
  readonly traits: Traits;
  /** Shared by all lanes. */
  readonly turns: Turns;
  readonly now: () => number;
  /** Adds to the hourly sums of `key`. */
  readonly count: (key: string, sums: { total: number; success: number; error: number; latency: number }) => void;
  /** A lane was stopped, paused, began to hold deletions, goes on. */
  readonly changed: (lane: Lane, what: LaneChange, reason: string) => void;
  readonly failed: (error: unknown) => void;
  readonly debug?: Debug;
}

/** Half of it is longer than any request with its credential may take; a restart voids it. */
const LEASE = 600_000;
/** Deliveries per claim at most: a few milliseconds of the storage thread. */
const CLAIM = 500;
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

type Standing =
  | { readonly state: "running" }
  | { readonly state: "paused"; readonly until: number; readonly reason: string }
  | { readonly state: "stopped"; readonly reason: string };

export class LaneRunner {
  readonly lane: Lane;
  readonly #options: LaneOptions;
  #vendor: Vendor | undefined;
  #standing: Standing = { state: "running" };
  /** While it is stopped: when one request tries whether that still holds, and how long it waited for that. */
  #probe = { at: 0, gap: FIRST_PROBE };
  #window: Window = FULL_WINDOW;
  /** How many requests may be at the vendor, before the window takes its part of it; and how many are. */
  #places: number;
  #flying = 0;
  /** Claimed, not yet sent. */
  readonly #ready = new Ready();
  /** Claimed, and nothing is noted yet of what became of it: the deliveries ready, at the vendor and being settled. */
  #unsettled = 0;
  readonly #settling: Settling;
  /** How many to claim together, and when that was last done. */
  #portion = 2 * FIRST_PLACES;
  #claimedAt = 0;
  /** More may be due than was claimed. */
  #more = true;
  #claiming = false;
  #nudged = false;
  #closed = false;
  readonly #breaker = new Breaker();
  /** Deliveries that go in a request of their own: the vendor refused one they were in without saying whose fault it was. */
  readonly #alone = new Set<number>();
  readonly #suspects = new Suspects();
  /** Of a lane that the hosts share which have none of their own. */
  #crowd: Crowd | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When a lane at rest is looked through again. */
  #expireAt = 0;
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
    this.#places = lane.host === undefined ? FIRST_PLACES : FIRST_PLACES_OF_HOST;
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
    this.#window = FULL_WINDOW;
    this.#suspects.clear();
    this.#crowd?.forgive();
    if (this.lane.host === undefined && vendor?.host !== undefined && this.#crowd === undefined) {
      this.#crowd = new Crowd();
      this.#places = FIRST_PLACES_OF_CROWD;
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
    const rests = this.#window.until > this.#options.now();
    const held = this.#standing.state !== "running" || this.#breaker.open || rests || this.#stoppedWays.length > 0;
    this.#vendor.reopen?.(this.lane.app);
    this.#stoppedWays = NO_WAYS;
    this.#standing = { state: "running" };
    this.#window = FULL_WINDOW;
    this.#crowd?.forgive();
    this.#breaker.close();
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
    const trouble = this.#standing.state !== "running" || this.#window.failures > 0;
    return trouble && this.#totals.accepted === 0;
  }

  get holdsDeletions(): boolean {
    return this.#breaker.open;
  }

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
    const standing = this.#standing;
    return {
      ...this.lane,
      state: standing.state satisfies LaneState,
      ...(standing.state === "running" ? {} : { reason: standing.reason }),
      ...(standing.state === "paused" ? { until: standing.until } : {}),
      ...(standing.state === "stopped" && this.#vendor !== undefined ? { until: this.#probe.at } : {}),
      ...(standing.state === "paused" && expiring !== undefined ? { expiring } : {}),
      depth: depth?.depth ?? 0,
      ...(depth?.oldest === undefined ? {} : { oldest: now - depth.oldest }),
      inFlight: this.#unsettled - this.#ready.length,
      rate: this.#rate.perSecond(now),
      ...this.#totals,
      failed: this.#totals.failed + unsent,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      holdsDeletions: this.#breaker.open,
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
      this.#wake(this.#options.now() + RETRY_AFTER);
    } finally {
      this.#claiming = false;
    }
  }

  /** Returns whether there may be more to claim at once. */
  async #claim(): Promise<boolean> {
    const { outbox, now } = this.#options;
    this.#more = true;
    // Settlements first: claimed again after its lease, what is not noted yet would be sent twice.
    if (this.#closed || this.#settling.failing) return false;
    const probes = this.#probes;
    if (this.#standing.state !== "running" && !probes) {
      await this.#expire();
      return false;
    }
    if (this.#window.until > now()) {
      this.#wake(this.#window.until);
      return false;
    }
    const limit = probes ? 1 - this.#unsettled : this.#portionNow(now());
    if (limit <= 0) {
      if (probes) this.#wake(undefined);
      return false;
    }
    const { deliveries, notes, next } = await outbox.claim(this.lane, limit, now(), LEASE);
    if (this.#closed) return false; // the leases end with this run
    this.#claimedAt = now();
    this.#ready.add(deliveries, notes);
    this.#unsettled += deliveries.length;
    if (deliveries.length > 0) this.#options.turns.add(this.#step);
    if (next === undefined) this.#alone.clear(); // some of them were cancelled or have expired
    this.#more = next !== undefined && next <= now();
    if (!this.#more) this.#wake(next);
    return this.#more;
  }

  /** It is stopped, and time to try whether that still holds. */
  get #probes(): boolean {
    const stopped = this.#standing.state === "stopped" && this.#vendor !== undefined;
    return stopped && this.#options.now() >= this.#probe.at;
  }

  /** How many to claim now: as many as are sent in a while, once half of those before are sent. */
  #portionNow(now: number): number {
    const since = now - this.#claimedAt;
    const least = Math.min(CLAIM, 2 * this.#limit * (this.#vendor?.batch ?? 1));
    if (this.#ready.length > Math.max(this.#portion, least) / 2) return 0;
    this.#portion = Math.max(least, Math.min(CLAIM, since < LASTS ? this.#portion * 2 : Math.ceil(this.#portion / 2)));
    return this.#portion - this.#ready.length;
  }

  /** @param at undefined: whenever it looks again */
  #wake(at: number | undefined): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const wait = at === undefined ? LOOK_EVERY : Math.min(Math.max(0, at - this.#options.now()), LOOK_EVERY);
    this.#timer = setTimeout(() => this.nudge(), wait).unref();
  }

  /** A lane at rest still lets go of what has expired, a piece at a time. */
  async #expire(): Promise<void> {
    const { outbox, now } = this.#options;
    // Not with every nudge: each page of a long job is one.
    if (this.#expireAt <= now()) {
      this.#expireAt = now() + LOOK_EVERY;
      let after: number | undefined;
      do after = await outbox.expire(this.lane, after, CLAIM, now());
      while (after !== undefined && !this.#closed);
    }
    const until = this.#standing.state === "paused" ? this.#standing.until : undefined;
    if (until !== undefined && until <= now()) {
      this.#standing = { state: "running" };
      this.#nudged = true;
    } else this.#wake(until);
  }

  // ---- sending

  /** Requests that may be at the vendor together. */
  get #limit(): number {
    const most = Math.max(1, Math.floor((this.#vendor?.parallel(this.lane.app) ?? 1) * this.#window.share));
    return Math.min(Math.floor(this.#places), most);
  }

  /** Of the requests in flight those that take no place any more. */
  get #hanging(): number {
    return this.#crowd?.hanging(this.#options.now()) ?? 0;
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
    const rests = (this.#standing.state !== "running" && !this.#probes) || this.#window.until > now;
    if (rests || vendor === undefined) this.#giveBack(to);
    else if (note === undefined) this.#conclude(to, note, []);
    // It waited too long here: nothing is sent after its time, and nothing whose lease could end before the answer.
    else if (expiry(note) <= now || to[0]!.lease.until - now < LEASE / 2) this.#giveBack(to);
    else this.#sendOrWait(vendor, note, to, now);
    if (this.#more) this.#replenish();
    return this.#sendable;
  };

  #replenish(): void {
    if (this.#ready.length <= this.#portion / 2 && !this.#claiming) this.nudge();
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
    const flight = crowd.admit(host, this.#limit, now);
    if (typeof flight === "number") this.#putOff(to, flight, "");
    else void this.#send(vendor, note, to, flight);
  }

  /** @param flight where the lane is that of many hosts */
  async #send(vendor: Vendor, note: Notification, to: readonly Delivery[], flight?: Flight): Promise<void> {
    const { now, turns, debug = NO_DEBUG } = this.#options;
    const begun = now();
    const probe = this.#standing.state === "stopped";
    this.#flying++;
    let outcomes: readonly Outcome[];
    try {
      const recipients = to.map((delivery) => recipient(delivery, note));
      outcomes = await vendor.send(this.lane.app, note, recipients, begun);
    } catch (error) {
      this.#options.failed(error); // the port promises not to throw: a bug, which must cost no delivery
      outcomes = [];
    }
    if (flight !== undefined) {
      outcomes = to.map((_, i) => outcomes[i] ?? { kind: "retry", reason: "the server could not send it" });
      outcomes = outcomes.map((outcome) => this.#crowd?.told(flight, outcome, now()) ?? outcome);
    }
    const full = this.#flying >= this.#limit && !outcomes.some(isTrouble);
    this.#places = places(this.#places, turns.answered(), full, vendor.parallel(this.lane.app));
    this.#flying--;
    const current = vendor === this.#vendor;
    if (current) this.#tellWays(vendor.stoppedWays?.(this.lane.app, now()) ?? NO_WAYS);
    const said = outcomes;
    if (current) outcomes = outcomes.map((outcome, i) => this.#suspects.judge(to[i]?.token ?? "", outcome, now()));
    this.#judge(outcomes, now(), current);
    if (probe && current && this.#standing.state === "stopped") this.#probed(said, now());
    this.#conclude(to, note, outcomes);
    if (this.#sendable) turns.add(this.#step);
    else if (this.#more && this.#ready.length === 0) this.#replenish();
    const accepted = outcomes.filter(({ kind }) => kind === "accepted").length;
    if (debug.on) this.#show(debug, note, to.length, accepted, outcomes);
    this.#options.count(this.#options.traits.statisticsName(this.lane.vendor), {
      total: 1,
      success: accepted > 0 ? 1 : 0,
      error: accepted > 0 ? 0 : 1,
      latency: accepted > 0 ? now() - begun : 0,
    });
  }

  #show(debug: Debug, { id }: Notification, to: number, accepted: number, outcomes: readonly Outcome[]): void {
    const [other] = outcomes.flatMap((outcome) => (outcome.kind === "accepted" ? [] : [outcome]));
    debug.line(
      { lane: laneName(this.lane), id, to, accepted, kind: other?.kind, reason: other?.reason },
      "deliveries sent",
    );
  }

  /**
   * What the answer to one request means for the lane.
   * @param current what was sent before a reload went out with other credentials: it says nothing of those in use now
   */
  #judge(outcomes: readonly Outcome[], now: number, current: boolean): void {
    let accepted = 0;
    let gone = 0;
    let answered = 0;
    let after = 0;
    for (const outcome of outcomes) {
      if (outcome.kind === "accepted") accepted++;
      else this.#lastError = { reason: outcome.reason, at: now };
      if (outcome.kind === "gone") gone++;
      if (isTrouble(outcome)) after = Math.max(after, outcome.after ?? 0);
      else if (!isOfToken(outcome)) answered++;
      if (!current) continue;
      if (outcome.kind === "denied") this.#rest({ state: "stopped", reason: outcome.reason });
      if (outcome.kind === "paused") this.#rest({ state: "paused", until: outcome.until, reason: outcome.reason });
    }
    this.#rate.add(accepted, now);
    const suspicion = this.#breaker.count(accepted, gone, now);
    if (suspicion !== undefined) this.#options.changed(this.lane, "holds deletions", suspicion);
    if (!current) return;
    if (answered > 0) this.#window = wider(this.#window);
    else if (outcomes.length === 0 || outcomes.some(isTrouble)) {
      const unanswered = outcomes.some((outcome) => outcome.kind === "retry" && outcome.unanswered === true);
      this.#window = narrower(this.#window, now, after, unanswered ? IMPATIENT : undefined);
      if (unanswered) this.#places = Math.min(this.#places, FIRST_PLACES_OF_HOST);
    }
    if (this.#window.until > now) this.#giveBack(this.#ready.clear());
  }

  /** What came of the request that tried whether a stopped lane may go on: not known, as long as nothing was taken or judged. */
  #probed(outcomes: readonly Outcome[], now: number): void {
    const settled = outcomes.some(
      (outcome) =>
        outcome.kind === "accepted" ||
        outcome.kind === "gone" ||
        (outcome.kind === "refused" && outcome.suspect === undefined),
    );
    if (settled) {
      this.#standing = { state: "running" };
      this.#goOn();
      return;
    }
    const gap = Math.min(this.#probe.gap * 2, LONGEST_PROBE);
    this.#probe = { at: now + gap, gap };
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

  #rest(standing: Exclude<Standing, { state: "running" }>): void {
    if (this.#standing.state === "stopped") return; // nothing is worse
    const changed = this.#standing.state !== standing.state;
    this.#standing = standing;
    if (standing.state === "stopped") this.#probe = { at: this.#options.now() + FIRST_PROBE, gap: FIRST_PROBE };
    this.#giveBack(this.#ready.clear());
    if (changed && standing.state === "paused") void this.#tellPause(standing);
    else if (changed) this.#options.changed(this.lane, standing.state, standing.reason);
    this.nudge();
  }

  /** With what will be lost by it, while there is time to do something. */
  async #tellPause({ until, reason }: { readonly until: number; readonly reason: string }): Promise<void> {
    const { changed, outbox, failed } = this.#options;
    const expiring = await outbox.expiring(this.lane, until).catch((error: unknown) => {
      failed(error);
      return 0;
    });
    const loss =
      expiring === 0 ? "" : `; ${expiring} of what waits will have expired by then, unless it is resumed before`;
    changed(this.lane, "paused", `${reason}, until ${new Date(until).toISOString()}${loss}`);
  }

  // ---- settling

  #conclude(to: readonly Delivery[], note: Notification | undefined, outcomes: readonly Outcome[]): void {
    const now = this.#options.now();
    for (const [i, delivery] of to.entries()) {
      const outcome = outcomes[i] ?? { kind: "retry", reason: "the server could not send it" };
      const settlement =
        note === undefined
          ? ({ delivery, kind: "again", at: now + RETRY_AFTER, reason: outcome.kind, tried: true } as const)
          : settle(delivery, note, outcome, now, Math.random(), this.#options.traits);
      if (settlement.kind === "accepted") this.#totals.accepted++;
      else if (settlement.kind === "again") this.#totals.retried++;
      else this.#totals.failed++;
      if (settlement.kind === "refused" && settlement.detour !== undefined) this.#setAside++;
      if (outcome.kind === "retry" && outcome.alone === true) this.#alone.add(delivery.delivery);
      else if (settlement.kind !== "again") this.#alone.delete(delivery.delivery);
      this.#settling.add(this.#breaker.pass(settlement));
    }
  }

  #tellIdle(): void {
    // What could not be stored is asked again at the next start; what is just being stored is waited for.
    const stuck = this.#closed && this.#settling.stuck === this.#unsettled;
    if (this.#unsettled === 0 || stuck) this.#idle?.();
  }
}

const recipient = ({ token, delivery, detour }: Delivery, { id }: Notification): Recipient =>
  detour === undefined ? { token, ref: `${id}.${delivery}` } : { token, ref: `${id}.${delivery}`, detour };
