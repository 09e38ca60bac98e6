// What devices acknowledge, on its way to the store: that of a turn goes together.
import type { PushId } from "../../core/device.ts";
import type { PacketId } from "../../core/packet.ts";

/** While the store takes none, so many wait; later ones are dropped: their users get a notification too. */
const MOST = 100_000;

export interface Ack {
  readonly id: PacketId;
  readonly pushId: PushId;
}

export class Acks {
  #waiting: Ack[] = [];
  #storing = false;
  readonly #store: (acks: readonly Ack[]) => Promise<void>;

  /** @param store rejects when it stored none */
  constructor(store: (acks: readonly Ack[]) => Promise<void>) {
    this.#store = store;
  }

  /** It goes to the store with those of the same turn; when very many wait already it is dropped. */
  add(ack: Ack): void {
    if (this.#waiting.length >= MOST) return;
    if (this.#waiting.push(ack) === 1) setImmediate(() => void this.flush());
  }

  /** What could not be stored is tried again with the next call. */
  async flush(): Promise<void> {
    if (this.#storing || this.#waiting.length === 0) return;
    const acks = this.#waiting;
    this.#waiting = [];
    this.#storing = true;
    try {
      await this.#store(acks);
    } catch {
      this.#waiting = acks.concat(this.#waiting).slice(0, MOST); // who stores it has told
    } finally {
      this.#storing = false;
    }
  }
}
