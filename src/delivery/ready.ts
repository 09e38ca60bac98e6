// What a lane has claimed and not yet sent. Jobs take turns, so that a call to one person does not wait for one to a million.
import type { Delivery } from "../core/delivery.ts";
import type { Notification } from "../core/notification.ts";

interface Claimed {
  readonly note: Notification | undefined;
  readonly deliveries: Delivery[];
  /** Those before are taken. */
  next: number;
}

/** One request's worth: recipients of one notification. */
export interface Batch {
  /** undefined: the store does not know it. */
  readonly note: Notification | undefined;
  readonly to: readonly Delivery[];
}

export class Ready {
  readonly #jobs = new Map<number, Claimed>();
  #length = 0;

  /** Deliveries. */
  get length(): number {
    return this.#length;
  }

  /** Behind those of the same job. @param notes by job; one that is missing is unknown to the store */
  add(deliveries: readonly Delivery[], notes: ReadonlyMap<number, Notification>): void {
    for (const delivery of deliveries) {
      const claimed = this.#jobs.get(delivery.job);
      if (claimed !== undefined) {
        // What is taken is let go of: a job of a million is never all sent before there is more of it.
        if (claimed.next > 0) claimed.deliveries.splice(0, claimed.next);
        claimed.next = 0;
        claimed.deliveries.push(delivery);
      } else this.#jobs.set(delivery.job, { note: notes.get(delivery.job), deliveries: [delivery], next: 0 });
    }
    this.#length += deliveries.length;
  }

  /** Takes the next request of the job whose turn it is: at most `batch` recipients; one of `alone` goes by itself. */
  take(batch: number, alone: ReadonlySet<number>): Batch | undefined {
    for (const [job, claimed] of this.#jobs) {
      const { note, deliveries, next: from } = claimed;
      let to = from + 1;
      if (!alone.has(deliveries[from]!.delivery))
        while (to < deliveries.length && to - from < batch && !alone.has(deliveries[to]!.delivery)) to++;
      claimed.next = to;
      this.#length -= to - from;
      const ends = to === deliveries.length;
      // To the end of the row, unless it is alone in it.
      if (ends || this.#jobs.size > 1) this.#jobs.delete(job);
      if (!ends) this.#jobs.set(job, claimed);
      return { note, to: deliveries.slice(from, to) };
    }
    return undefined;
  }

  /** Takes everything that is left of a job. */
  remove(job: number): readonly Delivery[] {
    const claimed = this.#jobs.get(job);
    if (claimed === undefined) return [];
    const left = claimed.deliveries.slice(claimed.next);
    this.#jobs.delete(job);
    this.#length -= left.length;
    return left;
  }

  /** Takes everything. */
  clear(): readonly Delivery[] {
    const left = [...this.#jobs.values()].flatMap(({ deliveries, next }) => deliveries.slice(next));
    this.#jobs.clear();
    this.#length = 0;
    return left;
  }
}
