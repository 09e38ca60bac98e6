// Bodies on their way, of one server: what they may take together, and how slowly they may come.
import type { HttpResponse } from "uWebSockets.js";
import { Buffer } from "node:buffer";
import { closeIfOpen } from "./uws/sparing.ts";

/** What ends a body before its time. */
export type BodyFault =
  /** More bytes than it may have. */
  | "too large"
  /** All unfinished bodies together, or those of its address, take too much. */
  | "busy"
  /** Fewer bytes than `SLOWEST` for too long. */
  | "slow"
  /** Chunks of a few bytes each: thousands of them keep the loop busy. Within a handler of uWS, so that the rest can be cut off. */
  | "splinters"
  /** Its chunks carry extensions, which uWS takes for a part of their lengths. */
  | "extensions";

/** Whose body it is. */
export interface BodyOwner {
  /** Whom its bytes count for, see `limitedAs`. Asked for only when a body does not come in one piece. */
  readonly bodyAddress: string;
  /**
   * The whole of it; one of `body` and `fault` is called, once, unless the client goes away.
   * @param late not within a handler of uWS any more: the client may have gone meanwhile
   */
  body(body: Buffer, late: boolean): void;
  /** @param cut the rest of it may still come: the connection has to end with the answer */
  fault(fault: BodyFault, cut: boolean): void;
  /** It is arriving quickly enough. */
  progress(): void;
}

export interface BodyLimits {
  /** Bytes of all unfinished bodies. */
  readonly inAll: number;
  /** Bytes of the unfinished bodies of one address. */
  readonly perAddress: number;
  /**
   * A body larger than it may be is read and thrown away up to so many times its limit: a client that is still sending would not
   * see the answer.
   */
  readonly readsOnTo: 1 | 2;
  /** A body that brings less than `SLOWEST` for so long is cut, milliseconds. */
  readonly patience: number;
  /** Gets what an owner throws who is handed a body; the connection is closed then. */
  readonly onError: (error: unknown) => void;
}

/** Bytes per second. The slowest modems in use bring more. */
export const SLOWEST = 1000;
/** uWS closes a connection that brings less than 16 KB per second, within 8 to 12 seconds: its clock is set back in time. */
const UWS_PATIENCE = 4000;
/** What an unfinished body costs beside its bytes. */
const OVERHEAD = 1024;
const SMALLEST_BLOCK = 256;
/** So many chunks may be smaller than that, on average. */
const SMALL_CHUNKS = 10_000;
const SMALL_CHUNK = 16;
/** How chunks end. A piece of a body that ends so, and is not the last one, was more than one chunk to who sent it. */
const END_OF_CHUNKS = Buffer.from("\r\n0\r\n\r\n");
const EMPTY = Buffer.alloc(0);

/** The unfinished bodies of a server. */
export class Intake {
  readonly limits: BodyLimits;
  readonly #unfinished = new Set<Body>();
  readonly #byAddress = new Map<string, number>();
  #bytes = 0;
  #elapsed = 0;
  #last = performance.now();

  constructor(limits: BodyLimits) {
    this.limits = limits;
  }

  /** Bytes that unfinished bodies take now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds in which the process could have read: what came while it stood still is not late. */
  now(): number {
    const now = performance.now();
    this.#elapsed += Math.min(now - this.#last, this.limits.patience / 2);
    this.#last = now;
    return this.#elapsed;
  }

  /** Within the route. @param length undefined for chunks @param most bytes */
  read(response: HttpResponse, owner: BodyOwner, length: number | undefined, most: number): Body {
    return new Body(this, response, owner, length, most);
  }

  /** Takes or gives back bytes. False: that is too much, and nothing was taken. */
  take(address: string, bytes: number): boolean {
    const own = (this.#byAddress.get(address) ?? 0) + bytes;
    if (bytes > 0 && (own > this.limits.perAddress || this.#bytes + bytes > this.limits.inAll)) return false;
    this.#bytes += bytes;
    if (own === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, own);
    return true;
  }

  /** It has begun to arrive, and is looked at by `sweep`. */
  begin(body: Body): void {
    this.#unfinished.add(body);
  }

  end(body: Body): void {
    this.#unfinished.delete(body);
  }

  /** To be called every second or more often, and at least four times in the time of `patience`. */
  sweep(): void {
    if (this.#unfinished.size === 0) return;
    const now = this.now();
    for (const body of this.#unfinished) body.check(now);
  }
}

/** One that does not come in one piece. It grows by doubling, so it takes at most twice its bytes, however small the pieces. */
export class Body {
  readonly #intake: Intake;
  readonly #response: HttpResponse;
  readonly #owner: BodyOwner;
  readonly #length: number | undefined;
  readonly #most: number;
  #state: "new" | "arriving" | "over" = "new";
  #block: Buffer = EMPTY;
  #size = 0;
  #received = 0;
  #pieces = 0;
  /** Counted for this address in the intake. */
  #address = "";
  #counted = 0;
  /** The last look at its speed, when and at which byte. */
  #lookedAt = 0;
  #lookedFrom = 0;
  #soothedAt = 0;

  constructor(intake: Intake, response: HttpResponse, owner: BodyOwner, length: number | undefined, most: number) {
    this.#intake = intake;
    this.#response = response;
    this.#owner = owner;
    this.#length = length;
    this.#most = most;
    response.onData((chunk, last) => this.#spared(() => this.#arrived(chunk, last)));
    // Of a length that was told uWS hands on the first piece at once, be it empty; of chunks it does not.
    if (length === undefined) this.#begin();
  }

  /** Forgets it: the client has gone, or has been answered. */
  end(): void {
    if (this.#state === "arriving") {
      this.#intake.end(this);
      this.#intake.take(this.#address, -this.#counted);
    }
    this.#state = "over";
    this.#block = EMPTY;
    this.#counted = 0;
  }

  /** Gives up on one that is too slow. `now` is `Intake.now`, milliseconds. */
  check(now: number): void {
    if (now - this.#lookedAt >= this.#intake.limits.patience) {
      if ((this.#received - this.#lookedFrom) * 1000 < SLOWEST * (now - this.#lookedAt))
        return this.#fail("slow", true);
      this.#lookedAt = now;
      this.#lookedFrom = this.#received;
      this.#owner.progress();
      if (this.#state !== "arriving") return;
    }
    if (now - this.#soothedAt < UWS_PATIENCE) return;
    this.#soothedAt = now;
    this.#response.pause();
    this.#response.resume();
  }

  #begin(): void {
    this.#state = "arriving";
    this.#lookedAt = this.#soothedAt = this.#intake.now();
    this.#address = this.#owner.bodyAddress;
    this.#intake.begin(this);
    if (this.#intake.take(this.#address, OVERHEAD)) this.#counted = OVERHEAD;
  }

  #spared(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.end();
      this.#intake.limits.onError(error);
      closeIfOpen(this.#response);
    }
  }

  /** `chunk` dies with this call. */
  #arrived(chunk: ArrayBuffer, last: boolean): void {
    if (this.#state === "over") return;
    this.#received += chunk.byteLength;
    if (this.#received > this.#most) return this.#tooLarge(last);
    if (this.#state === "new") {
      if (last) {
        this.#state = "over";
        this.#owner.body(Buffer.from(new Uint8Array(chunk)), false);
        return;
      }
      this.#begin();
    }
    if (++this.#pieces > SMALL_CHUNKS && this.#length === undefined && this.#received < SMALL_CHUNK * this.#pieces)
      return this.#fail("splinters", true);
    if (!this.#keep(chunk)) return this.#fail("busy", !last);
    if (last) {
      const body = this.#block.subarray(0, this.#size);
      this.end();
      if (this.#length !== undefined) this.#owner.body(body, false);
      // A trailer behind the last chunk is a broken request to uWS, which then closes: that is waited for, lest the call be made.
      else setImmediate(() => this.#spared(() => this.#owner.body(body, true)));
    } else if (this.#length === undefined && this.#endsAsChunksDo()) {
      this.#fail("extensions", true);
    }
  }

  #tooLarge(last: boolean): void {
    this.#block = EMPTY;
    this.#size = 0;
    if (last || this.#received > this.#intake.limits.readsOnTo * this.#most) this.#fail("too large", !last);
    else if (this.#state === "new") this.#begin();
  }

  #endsAsChunksDo(): boolean {
    return this.#block.subarray(Math.max(0, this.#size - END_OF_CHUNKS.length), this.#size).equals(END_OF_CHUNKS);
  }

  #fail(fault: BodyFault, cut: boolean): void {
    this.end();
    this.#owner.fault(fault, cut);
  }

  /** False: there is no room for it. */
  #keep(chunk: ArrayBuffer): boolean {
    const needed = this.#size + chunk.byteLength;
    if (needed > this.#block.length) {
      const most = this.#length ?? this.#most;
      const room = Math.max(needed, Math.min(most, Math.max(SMALLEST_BLOCK, 2 * this.#block.length)));
      const more = OVERHEAD + room - this.#counted;
      if (!this.#intake.take(this.#address, more)) return false;
      this.#counted += more;
      const block = Buffer.allocUnsafeSlow(room); // its own memory: a slice of Node's pool would hold all of the pool
      this.#block.copy(block, 0, 0, this.#size);
      this.#block = block;
    }
    this.#block.set(new Uint8Array(chunk), this.#size);
    this.#size = needed;
    return true;
  }
}
