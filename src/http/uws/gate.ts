// The connections of one port from accept on, before anything was said on them: each is an open file, of which there are so many.
import type { HttpResponse, TemplatedApp } from "uWebSockets.js";
import { MINUTE } from "../../core/time.ts";
import { type AddressList, addressText, limitedAs } from "./address.ts";

export interface GateLimits {
  /** Connections of this port, of whatever kind. */
  readonly most: number;
  /** Those of one address that were opened lately and became no websocket. Undefined: no limit. */
  readonly perAddress?: number;
  /** Proxies, whose connections are those of many. */
  readonly trusted: AddressList;
  /** One was closed within accept. */
  readonly refused?: () => void;
  /** Told at once, then once a minute. */
  readonly warn: (text: string) => void;
}

/** uWS closes a connection on which nothing was asked for so long, at the latest. Milliseconds. */
const FORGOTTEN = 12_000;
/** From so full on no connection is kept after its answer. */
const CROWDED = 0.9;

/**
 * What is too much is closed within accept: the files of the other port, of the database and of the vendors' services stay free, and
 * accept never fails for want of one. uWS does not say whose connection has ended, so an address has those that it opened in the last
 * 12 to 24 seconds, less those of which we know the end.
 */
export class Gate {
  readonly #limits: GateLimits;
  #http = 0;
  #websockets = 0;
  #opened = new Map<string, number>();
  #openedBefore = new Map<string, number>();
  #turnedAt = performance.now();
  #toldAt = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  /** Connections of this port that are open. */
  get size(): number {
    return this.#http + this.#websockets;
  }

  /** Nearly full: connections had better end with their answer. */
  get crowded(): boolean {
    return this.size >= CROWDED * this.#limits.most;
  }

  /** Before the app listens. */
  watch(app: TemplatedApp): void {
    const changed = (response: HttpResponse, change: number): void => {
      this.#http += change;
      if (change > 0) this.#accepted(response);
    };
    app.filter(changed);
  }

  /** The connection has become a websocket; uWS does not tell the filter. */
  upgraded(address: string): void {
    this.#http--;
    this.#websockets++;
    this.#count(address, -1);
  }

  websocketClosed(): void {
    this.#websockets--;
  }

  /** The answer that is being written will end its connection. */
  leaving(response: HttpResponse): void {
    if (this.#limits.perAddress !== undefined) this.#count(addressOf(response), -1);
  }

  #accepted(response: HttpResponse): void {
    const { most, perAddress, trusted } = this.#limits;
    if (this.size > most)
      return this.#refuse(response, addressOf(response), `${most} are open, and no more files are free`);
    if (perAddress === undefined) return;
    const address = addressText(response.getRemoteAddress());
    if (trusted.size > 0 && trusted.has(address)) return;
    const counted = limitedAs(address);
    if (this.#count(counted, 1) > perAddress)
      this.#refuse(response, counted, `it opened more than ${perAddress} within seconds`);
  }

  #refuse(response: HttpResponse, address: string, why: string): void {
    this.#limits.refused?.();
    this.#untold++;
    const now = performance.now();
    if (now - this.#toldAt >= MINUTE) {
      const also = this.#untold > 1 ? ` (${this.#untold} since the last such line)` : "";
      this.#limits.warn(`closed a connection of ${address} at once: ${why}${also}`);
      this.#toldAt = now;
      this.#untold = 0;
    }
    response.close();
  }

  #count(address: string, change: number): number {
    const now = performance.now();
    if (now - this.#turnedAt >= FORGOTTEN) {
      this.#openedBefore = now - this.#turnedAt >= 2 * FORGOTTEN ? new Map() : this.#opened;
      this.#opened = new Map();
      this.#turnedAt = now;
    }
    const count = (this.#opened.get(address) ?? 0) + change;
    if (count === 0) this.#opened.delete(address);
    else this.#opened.set(address, count);
    return count + (this.#openedBefore.get(address) ?? 0);
  }
}

const addressOf = (response: HttpResponse): string => limitedAs(addressText(response.getRemoteAddress()));
