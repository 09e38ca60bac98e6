// Who is in which room, and the publishes of a turn. Websockets are members in uWS itself, at no cost here; connections on
// polling are kept in sets.
import type { TemplatedApp } from "uWebSockets.js";
import type { Client } from "./connection.ts";

export class Rooms<T> {
  /** Those that have websockets; connections stay with the app that accepted them. */
  readonly #apps: ReadonlySet<TemplatedApp>;
  readonly #polling = new Map<string, Set<Client<T>>>();
  /** Room and packet in turn. */
  readonly #waiting: string[] = [];
  readonly #atTurnEnd: () => void;
  #published = 0;
  #busy = false;

  /** @param atTurnEnd asks for a call of `endTurn` at the end of this turn */
  constructor(apps: ReadonlySet<TemplatedApp>, atTurnEnd: () => void) {
    this.#apps = apps;
    this.#atTurnEnd = atTurnEnd;
  }

  /**
   * A lone publish goes at once, which is fastest for it. Several in one turn are made together at its end, which is about ten
   * times faster: websockets then share one write.
   */
  publish(room: string, packet: string): void {
    if (this.#published++ === 0) {
      this.#atTurnEnd();
      if (!this.#busy) return this.#fanOut(room, packet);
    }
    this.#waiting.push(room, packet);
  }

  endTurn(): void {
    this.#busy = this.#published > 1;
    this.#published = 0;
    this.flush();
  }

  /** Before anything that has an order with what was published: a packet never reaches who joined after it. */
  flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    for (let i = 0; i < waiting.length; i += 2) this.#fanOut(waiting[i]!, waiting[i + 1]!);
    waiting.length = 0;
  }

  #fanOut(room: string, packet: string): void {
    for (const app of this.#apps) app.publish(room, packet, false, false);
    const members = this.#polling.get(room);
    if (members !== undefined) for (const member of members) member.post(packet);
  }

  count(room: string): number {
    let count = this.#polling.get(room)?.size ?? 0;
    for (const app of this.#apps) count += app.numSubscribers(room);
    return count;
  }

  add(room: string, client: Client<T>): void {
    const members = this.#polling.get(room);
    if (members === undefined) this.#polling.set(room, new Set([client]));
    else members.add(client);
  }

  remove(room: string, client: Client<T>): void {
    const members = this.#polling.get(room);
    if (members?.delete(client) && members.size === 0) this.#polling.delete(room);
  }
}
