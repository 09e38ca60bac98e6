// A connection that passes through our hands, between TLS and HTTP: it can fall silent as where a cable was cut, or lose PINGs.
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";

export class Interposed extends Duplex {
  readonly #tls: TLSSocket;
  readonly #sieve: PingSieve | undefined;
  #silent = false;

  constructor(tls: TLSSocket, http2: boolean) {
    super();
    this.#tls = tls;
    this.#sieve = http2 ? new PingSieve() : undefined;
    tls.on("data", (chunk: Buffer) => {
      const read = this.#sieve?.take(chunk) ?? chunk;
      if (!this.#silent && read.length > 0) this.push(read);
    });
    tls.on("end", () => this.push(null));
    tls.on("close", () => this.destroy());
  }

  /** From now on nothing is read and nothing is written, and the connection stays. */
  silence(): void {
    this.#silent = true;
  }

  /** HTTP/2: from now on no PING is answered. */
  losePings(): void {
    if (this.#sieve !== undefined) this.#sieve.losing = true;
  }

  override _read(): void {
    // What comes is pushed as it comes.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#silent) done();
    else this.#tls.write(chunk, done);
  }

  override _final(done: () => void): void {
    if (this.#silent) done();
    else this.#tls.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#silent) this.#tls.destroy();
    done(error);
  }
}

const PREFACE = 24;
const HEADER = 9;
const PING = 6;
const ACK = 1;

/** Passes whole frames on (RFC 9113, 4.1), but for PINGs that want an answer when those are to be lost. */
class PingSieve {
  losing = false;
  #rest = Buffer.alloc(0);
  #greeted = false;

  take(chunk: Buffer): Buffer {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const passed: Buffer[] = [];
    if (!this.#greeted && this.#rest.length >= PREFACE) {
      this.#greeted = true;
      passed.push(this.#cut(PREFACE));
    }
    while (this.#greeted && this.#rest.length >= HEADER) {
      const size = HEADER + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < size) break;
      const frame = this.#cut(size);
      if (!(this.losing && frame[3] === PING && (frame[4]! & ACK) === 0)) passed.push(frame);
    }
    return Buffer.concat(passed);
  }

  #cut(size: number): Buffer {
    const head = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return head;
  }
}
