// What waits for one endpoint and was written lately, in memory: the log has these events, and the store says up to where an endpoint
// is done with the log. So an event that is taken soon costs no row of its own. What is changed here in a transaction that fails is
// changed back.
import type { EventType } from "../../core/events.ts";

/** An event of the log on its way to an endpoint. */
export interface Enqueued {
  readonly seq: number;
  readonly type: EventType;
  readonly key: string;
  /** Of a state event: one of the same that still waits says nothing any more. */
  readonly subject: string | undefined;
  /** Epoch milliseconds. */
  readonly time: number;
  readonly data: string;
  /** Bytes on the wire, about. */
  readonly size: number;
}

export interface Fresh extends Enqueued {
  state: "waiting" | "leased" | "gone";
}

/** What is held at most for an endpoint; the oldest beyond it become rows. When all clients come back at once, thousands wait for a moment. */
const MOST = 10_000;
const MOST_BYTES = 4_000_000;

/** Undoes what a transaction, or a call of one, changed in memory. */
export class Journal {
  readonly #steps: (() => void)[] = [];

  /** Steps are undone in the opposite order. */
  add(undo: () => void): void {
    this.#steps.push(undo);
  }

  /** A mark for `undo`. */
  get length(): number {
    return this.#steps.length;
  }

  /** @param mark the length to go back to */
  undo(mark: number): void {
    while (this.#steps.length > mark) this.#steps.pop()?.();
  }

  /** The transaction is committed. */
  forget(): void {
    this.#steps.length = 0;
  }
}

/** The fresh events of one endpoint. Every change goes into the journal. */
export class Window {
  readonly #journal: Journal;
  /** In the order of seq; those that are gone stay until the transaction has ended. */
  readonly #events = new Map<number, Fresh>();
  readonly #newest = new Map<string, Fresh>();
  /** The same events, each key's in the order of seq; the keys take turns, so that none with many holds up another. */
  readonly #ofKey = new Map<string, Fresh[]>();
  readonly #gone: Fresh[] = [];
  #count = 0;
  #bytes = 0;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Events that are not settled, and their bytes. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#count > MOST || this.#bytes > MOST_BYTES;
  }

  /** undefined: it is not here, or gone. */
  get(seq: number): Fresh | undefined {
    const event = this.#events.get(seq);
    return event?.state === "gone" ? undefined : event;
  }

  /** The oldest. */
  first(): Fresh | undefined {
    if (this.#count > 0) for (const event of this.#events.values()) if (event.state !== "gone") return event;
    return undefined;
  }

  /** The oldest of each key: what may be sent, and what is under way. Those that are gone meanwhile are passed over. */
  *heads(): Generator<Fresh> {
    for (const events of this.#ofKey.values()) {
      const head = events.find(({ state }) => state !== "gone");
      if (head !== undefined) yield head;
    }
  }

  /** Oldest first. */
  waiting(key: string): readonly Fresh[] {
    return this.#ofKey.get(key)?.filter(({ state }) => state === "waiting") ?? [];
  }

  /** Whether one of the key is claimed. */
  isUnderWay(key: string): boolean {
    return this.#ofKey.get(key)?.some(({ state }) => state === "leased") === true;
  }

  /** Whether a newer one of the subject waits. */
  replaces(subject: string, seq: number): boolean {
    const newest = this.#newest.get(subject);
    return newest?.state === "waiting" && newest.seq > seq;
  }

  /** @param coalesce it takes the place of one of its subject that waits */
  add(added: Enqueued, coalesce: boolean): void {
    const event: Fresh = { ...added, state: "waiting" };
    const { seq, key, subject, size } = event;
    this.#events.set(seq, event);
    const sameKey = this.#ofKey.get(key);
    if (sameKey === undefined) this.#ofKey.set(key, [event]);
    else sameKey.push(event);
    this.#count++;
    this.#bytes += size;
    const before = subject === undefined ? undefined : this.#newest.get(subject);
    if (subject !== undefined) this.#newest.set(subject, event);
    this.#journal.add(() => {
      this.#forget(event);
      this.#count--;
      this.#bytes -= size;
      if (subject === undefined) return;
      if (before === undefined) this.#newest.delete(subject);
      else this.#newest.set(subject, before);
    });
    if (coalesce && before?.state === "waiting") this.put(before, "gone");
  }

  /** Of one that is not gone. */
  put(event: Fresh, state: Fresh["state"]): void {
    const before = event.state;
    event.state = state;
    if (state !== "gone") {
      this.#journal.add(() => {
        event.state = before;
      });
      return;
    }
    this.#count--;
    this.#bytes -= event.size;
    this.#gone.push(event);
    this.#journal.add(() => {
      event.state = before;
      this.#count++;
      this.#bytes += event.size;
      this.#gone.pop();
    });
  }

  /** Lets go of those that are gone, which an undo could have brought back until now. */
  committed(): void {
    for (const event of this.#gone) {
      const { seq, subject } = event;
      this.#forget(event);
      if (subject !== undefined && this.#newest.get(subject)?.seq === seq) this.#newest.delete(subject);
    }
    this.#gone.length = 0;
  }

  #forget(event: Fresh): void {
    const { seq, key } = event;
    this.#events.delete(seq);
    const ofKey = this.#ofKey.get(key);
    if (ofKey === undefined) return;
    ofKey.splice(ofKey.indexOf(event), 1); // mostly the first
    this.#ofKey.delete(key);
    if (ofKey.length > 0) this.#ofKey.set(key, ofKey); // behind the others
  }
}
