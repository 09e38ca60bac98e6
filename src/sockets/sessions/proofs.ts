// What was written to sessions and is not proven to have arrived, and what is (holds 9): how far each device has received its own
// channel, for the store.
import type { PushId } from "../../core/device.ts";
import type { Replayed, SentMark } from "../../core/engine.ts";
import type { KeptPacket } from "../../core/packet.ts";
import { sizeOf } from "../../core/page.ts";
import { Doubt, type Proof } from "./doubt.ts";
import type { Session } from "./session.ts";

/** How often a session is asked for proof within a tick, which is a second. */
const ASKS = 8;
/** Sessions asked for proof in one turn. */
const ASKED_TOGETHER = 1000;

export class Proofs {
  readonly #now: () => number;
  #ticks = 0;
  /** Sessions that were written to after they were asked often enough in this tick: they are asked again in the next one. */
  readonly #toAsk = new Set<Session>();
  #marks = new Map<PushId, number>();
  #replayed = new Map<PushId, Replayed[]>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns whether to ask for proof with this very packet */
  doubt(session: Session, packet: KeptPacket): boolean {
    this.#wrote(session, packet);
    return this.#mayAsk(session);
  }

  /** The same of a page: one question for all of it. */
  doubtPage(session: Session, packets: readonly KeptPacket[]): boolean {
    if (packets.length === 0) return false;
    for (const packet of packets) this.#wrote(session, packet);
    return this.#mayAsk(session);
  }

  #wrote(session: Session, packet: KeptPacket): void {
    const { connection } = session;
    session.doubt ??= new Doubt();
    connection.inDoubt = true;
    const { event, id, expires, seq } = packet;
    const replayed = event === "noti" ? { id, expires, at: this.#now() } : undefined;
    session.doubt.wrote(seq, sizeOf(packet), connection.stamp(), performance.now(), replayed);
    if (session.doubt.isFull) connection.close("ping timeout"); // what it did not prove comes to the next one
  }

  /** Proof of all that was written; when it was asked for often, within a second. */
  #mayAsk(session: Session): boolean {
    const first = this.#ticks * ASKS;
    if (session.asks === first + ASKS) {
      this.#toAsk.add(session);
      return false;
    }
    session.asks = Math.max(session.asks, first) + 1;
    session.doubt?.asked();
    return true;
  }

  /** A second has passed. */
  tick(): void {
    this.#ticks++;
    this.#askAll();
  }

  #askAll(): void {
    let count = 0;
    for (const session of this.#toAsk) {
      if (++count > ASKED_TOGETHER) {
        setImmediate(() => this.#askAll());
        return;
      }
      this.#toAsk.delete(session);
      if (session.doubt === undefined || session.gone) continue;
      session.doubt.asked();
      session.connection.prove();
    }
  }

  /** Everything sent to the session before that moment has arrived. */
  proven(session: Session, stamp: number): void {
    this.#received(session, session.doubt?.proven(stamp));
  }

  /** The session's client has spoken, and answers no pings. */
  heard(session: Session): void {
    this.#received(session, session.doubt?.heard(performance.now()));
  }

  #received(session: Session, proof: Proof | undefined): void {
    const { pushId } = session;
    if (proof === undefined || pushId === undefined) return;
    if (proof.seq > (this.#marks.get(pushId) ?? 0)) this.#marks.set(pushId, proof.seq);
    if (proof.replayed.length > 0)
      this.#replayed.set(pushId, [...(this.#replayed.get(pushId) ?? []), ...proof.replayed]);
    if (session.doubt?.isEmpty) this.trust(session);
  }

  /** Nothing is in doubt any more, or it is left to the device's next connection. */
  trust(session: Session): void {
    session.doubt = undefined;
    session.connection.inDoubt = false;
    this.#toAsk.delete(session);
  }

  /** Whether there is nothing to store. */
  get isEmpty(): boolean {
    return this.#marks.size === 0;
  }

  /** How far devices have received their own channel since the last call. */
  take(): SentMark[] {
    if (this.#marks.size === 0) return [];
    const marks = [...this.#marks].map(([pushId, seq]): SentMark => {
      const replayed = this.#replayed.get(pushId);
      return replayed === undefined ? { pushId, seq } : { pushId, seq, replayed };
    });
    this.#marks = new Map();
    this.#replayed = new Map();
    return marks;
  }

  /** They could not be stored: they come with the next ones. */
  giveBack(marks: readonly SentMark[]): void {
    for (const { pushId, seq, replayed } of marks) {
      this.#marks.set(pushId, Math.max(seq, this.#marks.get(pushId) ?? 0));
      if (replayed !== undefined) this.#replayed.set(pushId, [...replayed, ...(this.#replayed.get(pushId) ?? [])]);
    }
  }
}
