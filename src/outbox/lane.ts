// One lane at work: claims what is due, gives it to the provider, settles what that said. Whatever happens here, a vendor that
// hangs, throttles or refuses us, is felt in no other lane.
import type { Deaths, Delivery, Lane, Settlement } from "../core/delivery.ts";
import { count, NO_DEATHS, settle, statisticsName, suspicious } from "../core/delivery.ts";
import type { LaneState, LaneStatus } from "../core/lane.ts";
import type { Notification } from "../core/notification.ts";
import type { LaneDepth, Outbox } from "../core/outbox.ts";
import type { Outcome, Provider, Recipient } from "../core/provider.ts";
import { Rate } from "./rate.ts";
import { FULL_WINDOW, narrower, type Window, wider } from "./window.ts";

export interface LaneOptions {
  readonly outbox: Pick<Outbox, "claim" | "settle" | "expire">;
  readonly now: () => number;
  /** Adds to the hourly sums of `key`. */
  readonly count: (key: string, sums: { total: number; success: number; error: number; latency: number }) => void;
  /** A lane was stopped, paused, began to hold deletions, goes on. */
  readonly changed: (lane: Lane, what: "stopped" | "paused" | "holds deletions" | "resumed", reason: string) => void;
  readonly failed: (error: unknown) => void;
}

/** Milliseconds of writing requests after which sockets and callers get their turn. */
const SLICE = 1;
/** Longer than any request with its credential may take; a restart voids it. */
const LEASE = 300_000;
/** Deliveries per claim: a few milliseconds of the storage thread. */
const CLAIM = 500;
/**
 * Each lane looks so often, whatever it waits for: the clock may be set meanwhile, or the machine sleep, and an order that a
 * restart cut short is finished by the store without a nudge. A lane at rest then looks for what has expired.
 */
const LOOK_EVERY = 30_000;
const RETRY_AFTER = 1000;

type Standing =
  | { readonly state: "running" }
  | { readonly state: "paused"; readonly until: number; readonly reason: string }
  | { readonly state: "stopped"; readonly reason: string };

export class LaneRunner {
  readonly lane: Lane;
  readonly #options: LaneOptions;
  #provider: Provider | undefined;
  #standing: Standing = { state: "running" };
  #window: Window = FULL_WINDOW;
  #inFlight = 0;
  #claiming = false;
  #nudged = false;
  #closed = false;
  #deaths: Deaths = NO_DEATHS;
  #holdsDeletions = false;
  /** Deliveries that go in a request of their own: the vendor refused one they were in without saying whose fault it was. */
  readonly #alone = new Set<number>();
  #settled: Settlement[] = [];
  #settling: Promise<void> | undefined;
  /** The store took no settlements the last time. */
  #unstored = false;
  #timer: NodeJS.Timeout | undefined;
  /** When a lane at rest is looked through again. */
  #expireAt = 0;
  #idle: (() => void) | undefined;
  readonly #rate = new Rate();
  readonly #totals = { accepted: 0, failed: 0, retried: 0 };
  #lastError: { readonly reason: string; readonly at: number } | undefined;

  constructor(lane: Lane, provider: Provider | undefined, options: LaneOptions) {
    this.lane = lane;
    this.#options = options;
    this.use(provider);
  }

  /** The provider as it is configured now: a lane that was stopped begins again with it. */
  use(provider: Provider | undefined): void {
    this.#provider = provider?.apps.includes(this.lane.app) === true ? provider : undefined;
    this.#window = FULL_WINDOW;
    if (this.#provider === undefined) {
      const away = { state: "stopped", reason: "it is not configured" } as const;
      if (this.#standing.state === "stopped") this.#standing = away;
      else this.#rest(away);
    } else if (this.#standing.state === "stopped") this.resume();
    else this.nudge();
  }

  /** Lets it go on, whatever held it back. Returns whether anything did. */
  resume(): boolean {
    if (this.#provider === undefined) return false;
    const rests = this.#window.until > this.#options.now();
    const held = this.#standing.state !== "running" || this.#holdsDeletions || rests;
    this.#standing = { state: "running" };
    this.#window = FULL_WINDOW;
    this.#deaths = NO_DEATHS;
    this.#holdsDeletions = false;
    if (held) this.#options.changed(this.lane, "resumed", "");
    this.nudge();
    return held;
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
    return new Promise((resolve) => {
      this.#idle = resolve;
      this.#tellIdle();
    });
  }

  /** @param unsent deliveries that came to their end in the store, without the lane */
  status(depth: LaneDepth | undefined, unsent: number): LaneStatus {
    const now = this.#options.now();
    const standing = this.#standing;
    return {
      ...this.lane,
      state: standing.state satisfies LaneState,
      ...(standing.state === "running" ? {} : { reason: standing.reason }),
      ...(standing.state === "paused" ? { until: standing.until } : {}),
      depth: depth?.depth ?? 0,
      ...(depth?.oldest === undefined ? {} : { oldest: now - depth.oldest }),
      inFlight: this.#inFlight,
      rate: this.#rate.perSecond(now),
      ...this.#totals,
      failed: this.#totals.failed + unsent,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      holdsDeletions: this.#holdsDeletions,
    };
  }

  // ---- claiming

  get #room(): number {
    const provider = this.#provider;
    if (provider === undefined) return 0;
    const most = Math.max(1, Math.floor(provider.parallel * this.#window.share)) * provider.batch;
    return most - this.#inFlight;
  }

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
    // Settlements first: claimed again after its lease, what is not noted yet would be sent twice.
    if (this.#closed || this.#unstored) return false;
    if (this.#standing.state !== "running") {
      await this.#expire();
      return false;
    }
    const rest = this.#window.until - now();
    if (rest > 0) {
      this.#wake(this.#window.until);
      return false;
    }
    const room = this.#room;
    // Many small claims would each cost a commit: what is settled makes room for a larger one.
    if (room <= 0 || (this.#inFlight > 0 && room < Math.min(CLAIM, this.#inFlight / 4))) return false;
    const limit = Math.min(room, CLAIM);
    const { deliveries, notes, next } = await outbox.claim(this.lane, limit, now(), LEASE);
    if (this.#closed) return false; // the leases end with this run
    if (deliveries.length > 0) await this.#dispatch(deliveries, notes);
    if (next === undefined)
      this.#alone.clear(); // some of them were cancelled or have expired
    else if (next <= now()) return true;
    this.#wake(next);
    return false;
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

  async #dispatch(deliveries: readonly Delivery[], notes: ReadonlyMap<number, Notification>): Promise<void> {
    this.#inFlight += deliveries.length;
    let slice = performance.now();
    let left = deliveries.length;
    for (const [job, all] of byJob(deliveries)) {
      const note = notes.get(job);
      for (const part of this.#requests(all, this.#provider?.batch ?? 1)) {
        if (performance.now() - slice > SLICE) {
          await new Promise(setImmediate);
          slice = performance.now();
        }
        if (this.#closed) {
          this.#inFlight -= left; // the leases end with this run
          this.#tellIdle();
          return;
        }
        left -= part.length;
        const provider = this.#provider;
        if (this.#standing.state !== "running") this.#giveBack(part);
        else if (provider === undefined || note === undefined) this.#conclude(part, note, []);
        else void this.#send(provider, note, part);
      }
    }
  }

  /** Claimed before the lane came to rest: it waits with the others. */
  #giveBack(part: readonly Delivery[]): void {
    const standing = this.#standing;
    const at = standing.state === "paused" ? standing.until : this.#options.now();
    const reason = standing.state === "running" ? "" : standing.reason;
    for (const delivery of part) this.#settled.push({ delivery, kind: "again", at, reason, tried: false });
    this.#settling ??= this.#flush();
  }

  #requests(deliveries: readonly Delivery[], batch: number): readonly (readonly Delivery[])[] {
    if (batch === 1) return deliveries.map((delivery) => [delivery]);
    const together = deliveries.filter(({ delivery }) => !this.#alone.has(delivery));
    const requests = deliveries.filter(({ delivery }) => this.#alone.has(delivery)).map((one) => [one]);
    for (let from = 0; from < together.length; from += batch) requests.push(together.slice(from, from + batch));
    return requests;
  }

  async #send(provider: Provider, note: Notification, to: readonly Delivery[]): Promise<void> {
    const { now } = this.#options;
    const begun = now();
    let outcomes: readonly Outcome[];
    try {
      outcomes = await provider.send(
        this.lane.app,
        note,
        to.map((delivery) => recipient(delivery, note)),
        begun,
      );
    } catch (error) {
      this.#options.failed(error); // the port promises not to throw: a bug, which must cost no delivery
      outcomes = [];
    }
    // What was sent before a reload went out with other credentials: it says nothing of those in use now.
    if (provider === this.#provider) this.#judge(outcomes, now());
    this.#conclude(to, note, outcomes);
    const accepted = outcomes.filter(({ kind }) => kind === "accepted").length;
    this.#options.count(statisticsName(this.lane.provider), {
      total: 1,
      success: accepted > 0 ? 1 : 0,
      error: accepted > 0 ? 0 : 1,
      latency: accepted > 0 ? now() - begun : 0,
    });
  }

  /** What the answer to one request means for the lane. */
  #judge(outcomes: readonly Outcome[], now: number): void {
    let accepted = 0;
    let gone = 0;
    let answered = 0;
    let after = 0;
    for (const outcome of outcomes) {
      if (outcome.kind === "accepted") accepted++;
      else this.#lastError = { reason: outcome.reason, at: now };
      if (outcome.kind === "gone") gone++;
      if (outcome.kind === "retry") after = Math.max(after, outcome.after ?? 0);
      else answered++;
      if (outcome.kind === "denied") this.#rest({ state: "stopped", reason: outcome.reason });
      if (outcome.kind === "paused") this.#rest({ state: "paused", until: outcome.until, reason: outcome.reason });
    }
    this.#rate.add(accepted, now);
    this.#deaths = count(this.#deaths, accepted, gone, now);
    if (!this.#holdsDeletions && suspicious(this.#deaths)) {
      this.#holdsDeletions = true;
      this.#options.changed(
        this.lane,
        "holds deletions",
        `${this.#deaths.dead} of the last ${this.#deaths.judged} tokens are said to be dead`,
      );
    }
    this.#window = answered > 0 ? wider(this.#window) : narrower(this.#window, now, after);
  }

  #rest(standing: Exclude<Standing, { state: "running" }>): void {
    if (this.#standing.state === "stopped") return; // nothing is worse
    const changed = this.#standing.state !== standing.state;
    this.#standing = standing;
    if (changed) this.#options.changed(this.lane, standing.state, standing.reason);
    this.nudge();
  }

  // ---- settling

  #conclude(to: readonly Delivery[], note: Notification | undefined, outcomes: readonly Outcome[]): void {
    const now = this.#options.now();
    for (const [i, delivery] of to.entries()) {
      const outcome = outcomes[i] ?? { kind: "retry", reason: "the server could not send it" };
      const settlement =
        note === undefined
          ? ({ delivery, kind: "again", at: now + RETRY_AFTER, reason: outcome.kind, tried: true } as const)
          : settle(delivery, note, outcome, now, Math.random());
      if (settlement.kind === "accepted") this.#totals.accepted++;
      else if (settlement.kind === "again") this.#totals.retried++;
      else this.#totals.failed++;
      if (outcome.kind === "retry" && outcome.alone === true) this.#alone.add(delivery.delivery);
      else if (settlement.kind !== "again") this.#alone.delete(delivery.delivery);
      this.#settled.push(this.#holdsDeletions ? unforgetting(settlement) : settlement);
    }
    this.#settling ??= this.#flush();
  }

  /** The settlements of a turn together. They are tried until they are stored: a vendor has been asked. */
  async #flush(): Promise<void> {
    await new Promise(setImmediate);
    while (this.#settled.length > 0) {
      const settled = this.#settled;
      this.#settled = [];
      try {
        await this.#options.outbox.settle(settled, this.#options.now());
        this.#unstored = false;
        this.#inFlight -= settled.length;
      } catch (error) {
        this.#options.failed(error);
        this.#settled = settled.concat(this.#settled);
        this.#unstored = true;
        if (this.#closed) break; // the store is closing or broken; the leases end with this run
        await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER).unref());
      }
      this.nudge();
    }
    this.#settling = undefined;
    this.#tellIdle();
  }

  #tellIdle(): void {
    // What could not be stored is asked again at the next start; what is just being stored is waited for.
    const stuck = this.#closed && this.#settling === undefined && this.#settled.length === this.#inFlight;
    if (this.#inFlight === 0 || stuck) this.#idle?.();
  }
}

function byJob(deliveries: readonly Delivery[]): Map<number, Delivery[]> {
  const jobs = new Map<number, Delivery[]>();
  for (const delivery of deliveries) {
    const same = jobs.get(delivery.job);
    if (same === undefined) jobs.set(delivery.job, [delivery]);
    else same.push(delivery);
  }
  return jobs;
}

const recipient = ({ token, delivery }: Delivery, note: Notification): Recipient => ({
  token,
  ref: `${note.id}.${delivery}`,
});

function unforgetting(settlement: Settlement): Settlement {
  if (settlement.kind !== "gone") return settlement;
  const { forget: _kept, ...rest } = settlement;
  return rest;
}
