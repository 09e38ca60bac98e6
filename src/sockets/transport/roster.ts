// Who is in the rooms that somebody asks about. Websockets are members in uWS itself, which does not say who they are: the first
// question about a room visits every connection, in pieces; from there its list is kept current until nobody asks for a minute.
import { LargeMap } from "../../core/large-map.ts";
import { Pace } from "../../core/pace.ts";
import { MINUTE } from "../../core/time.ts";
import type { Client } from "./connection.ts";

/** Milliseconds without a question after which a list goes. */
const KEPT = MINUTE;
/** Lists kept at once: each costs a connection that closes a look-up. */
const MOST = 64;

interface Entry<T> {
  /** By sid. Complete once `ready` has resolved. */
  readonly members: LargeMap<string, Client<T>>;
  readonly ready: Promise<void>;
  askedAt: number;
}

export class Roster<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #all: () => Iterable<Client<T>>;

  constructor(all: () => Iterable<Client<T>>) {
    this.#all = all;
  }

  /** Rooms whose members are listed now. */
  get size(): number {
    return this.#entries.size;
  }

  /** @param now milliseconds of any steady clock */
  async members(room: string, now: number): Promise<Iterable<Client<T>>> {
    let entry = this.#entries.get(room);
    if (entry === undefined) {
      const members = new LargeMap<string, Client<T>>();
      entry = { members, ready: this.#collect(room, members), askedAt: now };
      for (const oldest of this.#entries.keys()) {
        if (this.#entries.size < MOST) break;
        this.#entries.delete(oldest);
      }
    } else this.#entries.delete(room);
    entry.askedAt = now;
    this.#entries.set(room, entry); // the one asked about last is the last to go
    await entry.ready;
    return entry.members.values();
  }

  async #collect(room: string, members: LargeMap<string, Client<T>>): Promise<void> {
    const pace = new Pace();
    let seen = 0;
    for (const client of this.#all()) {
      if (client.in(room)) members.set(client.sid, client);
      if (++seen % 64 === 0 && pace.over()) await pace.turn();
    }
  }

  joined(room: string, client: Client<T>): void {
    if (this.#entries.size > 0) this.#entries.get(room)?.members.set(client.sid, client);
  }

  left(room: string, client: Client<T>): void {
    if (this.#entries.size > 0) this.#entries.get(room)?.members.delete(client.sid);
  }

  /** The connection is closed. */
  gone(client: Client<T>): void {
    if (this.#entries.size > 0) for (const { members } of this.#entries.values()) members.delete(client.sid);
  }

  /** Drops the lists that nobody asked for. */
  sweep(now: number): void {
    for (const [room, { askedAt }] of this.#entries) {
      if (now - askedAt < KEPT) break; // the longest ago first
      this.#entries.delete(room);
    }
  }
}
