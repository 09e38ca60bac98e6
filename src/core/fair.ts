// What goes when there is more than may: topics get equal shares of what is written, so that a busy one leaves out its own packets
// and not those of the small ones. Pure: the caller gives the clock.

/** The share is found anew so often, milliseconds. */
const SLOT = 100;
/** How much of the average the latest slot is, and by which factors the share changes in a slot at most. */
const SMOOTHED = 0.3;
const GROWS = 1.25;
const SHRINKS = 0.6;
/**
 * Of what a slot should have, so much is written before it takes nothing more of who has spent his credit, and once that beyond it
 * of who has not: after a pause busy topics have much to spend, and must not take the place of the small ones. Kept packets alone
 * may take it all.
 */
const MOST_IN_SLOT = 2;
/** Shares that a topic can save up. */
const SAVED = 2;
/** Slots without anything left out after which nothing is counted any more. */
const CALM_AFTER = 10;
/** Slots for which a topic's credit is remembered, at least. */
const REMEMBERED = 10;

interface Credit {
  /** Packets to clients that the topic may still have. */
  left: number;
  slot: number;
}

/**
 * A topic earns the same share in every slot, spends what its packets cost, and a packet that it cannot afford is left out. The
 * share grows while there is room and shrinks while too much is written, so it ends where what is used fits (as core-stateless fair
 * queueing does it). A packet larger than a share goes when enough was earned.
 */
export class FairShare {
  readonly #perSlot: number;
  #slot = 0;
  /** Written before this slot. */
  #before = 0;
  /** What a topic earns in a slot; infinite while everything fits. */
  #share = Number.POSITIVE_INFINITY;
  /** Written in a slot, on average. */
  #used = 0;
  #leftOut = false;
  #calmSlots = 0;
  /** Of topics that were pushed to lately: those of now, and those of before. */
  #credits = new Map<string, Credit>();
  #earlier = new Map<string, Credit>();
  #turnsAt = 0;

  /** @param perSecond packets to clients, one for each client */
  constructor(perSecond: number) {
    this.#perSlot = (perSecond * SLOT) / 1000;
  }

  /**
   * Whether a packet may go to a topic.
   * @param cost clients in it
   * @param written packets written to clients since the start, of whatever kind
   * @param now milliseconds by a clock that is never set
   */
  admits(topic: string, cost: number, written: number, now: number): boolean {
    const slot = Math.floor(now / SLOT);
    if (slot !== this.#slot) this.#next(slot, written);
    const used = written - this.#before;
    if (this.#share === Number.POSITIVE_INFINITY) {
      if (used + cost <= this.#perSlot) return true;
      this.#share = this.#perSlot / 8; // to begin with
      this.#used = this.#perSlot;
    }
    const credit = this.#creditOf(topic);
    const most = SAVED * this.#share;
    credit.left = Math.min(credit.left + this.#share * (slot - credit.slot), Math.max(most, cost));
    credit.slot = slot;
    const unspent = (credit.left - cost) / most;
    // The share is a guess while it changes: this is the end of it.
    if (unspent >= 0 && used < this.#perSlot * (MOST_IN_SLOT + Math.min(1, unspent))) {
      credit.left -= cost;
      return true;
    }
    this.#leftOut = true;
    return false;
  }

  #creditOf(topic: string): Credit {
    let credit = this.#credits.get(topic);
    if (credit === undefined) {
      credit = this.#earlier.get(topic) ?? { left: SAVED * this.#share, slot: this.#slot };
      this.#credits.set(topic, credit);
    }
    return credit;
  }

  #next(slot: number, written: number): void {
    const slots = Math.max(1, slot - this.#slot);
    this.#used += SMOOTHED * ((written - this.#before) / slots - this.#used);
    const used = this.#used;
    this.#slot = slot;
    this.#before = written;
    if (this.#share === Number.POSITIVE_INFINITY) return;
    this.#calmSlots = this.#leftOut || used > this.#perSlot ? 0 : this.#calmSlots + slots;
    if (this.#calmSlots >= CALM_AFTER) {
      this.#share = Number.POSITIVE_INFINITY;
      this.#credits.clear();
      this.#earlier.clear();
    } else {
      const wanted = used === 0 ? 2 : this.#perSlot / used;
      if (this.#leftOut || wanted < 1) this.#share *= Math.min(GROWS, Math.max(SHRINKS, wanted));
      this.#share = Math.min(this.#perSlot, Math.max(this.#share, this.#perSlot / 10_000));
      if (slot - this.#turnsAt >= REMEMBERED) {
        this.#turnsAt = slot;
        this.#earlier = this.#credits;
        this.#credits = new Map();
      }
    }
    this.#leftOut = false;
  }
}
