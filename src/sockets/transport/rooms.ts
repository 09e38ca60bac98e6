// Who is in which room, and the packets of a turn. Websockets are members in uWS itself, at no cost here; connections on
// polling are kept in sets.
import type { TemplatedApp } from "uWebSockets.js";
import type { Client } from "./connection.ts";

interface Waiting<T> {
  /** A room, or one client. */
  readonly to: string | Client<T>;
  readonly packet: string;
  /** Asks the client for proof that what was sent before this stamp has arrived; 0: no. */
  readonly prove: number;
}

export class Rooms<T> {
  /** Those that have websockets; connections stay with the app that accepted them. */
  readonly #apps: ReadonlySet<TemplatedApp>;
  readonly #polling = new Map<string, Set<Client<T>>>();
  /** What waits for the end of the turn, in order. */
  #waiting: Waiting<T>[] = [];
  readonly #atTurnEnd: () => void;
  /** Packets of this turn. */
  #posted = 0;
  #busy = false;

  /** @param atTurnEnd asks for a call of `endTurn` at the end of this turn */
  constructor(apps: ReadonlySet<TemplatedApp>, atTurnEnd: () => void) {
    this.#apps = apps;
    this.#atTurnEnd = atTurnEnd;
  }

  /**
   * A lone packet goes at once, which is fastest for it. Several in one turn go together at its end, which is about ten times
   * faster: a websocket then gets them in one write.
   */
  publish(room: string, packet: string): void {
    if (this.#isLone()) this.#fanOut(room, packet);
    else this.#waiting.push({ to: room, packet, prove: 0 });
  }

  /** In the order of `publish`. @param prove the stamp of a proof that is asked for in the same write; 0: none */
  send(client: Client<T>, packet: string, prove: number): void {
    if (!this.#isLone()) this.#waiting.push({ to: client, packet, prove });
    else if (prove > 0) this.#together(client, [packet], prove);
    else client.post(packet);
  }

  #isLone(): boolean {
    if (this.#posted++ > 0) return false;
    this.#atTurnEnd();
    return !this.#busy;
  }

  /** Sends what waits; once, at the end of a turn in which something was sent. */
  endTurn(): void {
    this.#busy = this.#posted > 1;
    this.#posted = 0;
    this.flush();
  }

  /** Before anything that has an order with what was sent: a packet never reaches who joined after it. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = []; // sending may close a connection, which flushes
    const sends = new Map<Client<T>, string[]>();
    const asked = new Map<Client<T>, number>();
    for (const { to, packet, prove } of waiting) {
      if (typeof to === "string") {
        this.#deliver(sends, asked);
        this.#fanOut(to, packet);
        continue;
      }
      const packets = sends.get(to);
      if (packets === undefined) sends.set(to, [packet]);
      else packets.push(packet);
      if (prove > 0) asked.set(to, prove);
    }
    this.#deliver(sends, asked);
  }

  /** Each client's packets in one write. */
  #deliver(sends: Map<Client<T>, string[]>, asked: Map<Client<T>, number>): void {
    for (const [client, packets] of sends) {
      const prove = asked.get(client) ?? 0;
      if (packets.length === 1 && prove === 0) client.post(packets[0]!);
      else this.#together(client, packets, prove);
    }
    sends.clear();
    asked.clear();
  }

  #together(client: Client<T>, packets: readonly string[], prove: number): void {
    client.together(() => {
      for (const packet of packets) client.post(packet);
      if (prove > 0) client.ask(prove);
    });
  }

  #fanOut(room: string, packet: string): void {
    for (const app of this.#apps) app.publish(room, packet, false, false);
    const members = this.#polling.get(room);
    if (members !== undefined) for (const member of members) member.post(packet);
  }

  /** Members now, by any transport. */
  count(room: string): number {
    let count = this.#polling.get(room)?.size ?? 0;
    for (const app of this.#apps) count += app.numSubscribers(room);
    return count;
  }

  /** Only of those whose rooms are not uWS's: on polling, or beside a large backlog. */
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
