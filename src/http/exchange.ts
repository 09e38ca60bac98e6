// One request and its answer. It owns the uWS response: exactly one answer, none after an abort, a deadline for the body.

import type { HttpResponse } from "uWebSockets.js";
import { Buffer } from "node:buffer";
import { inflate } from "./inflate.ts";
import type { Handler, Head, Response, Site } from "./message.ts";
import { HttpError } from "./message.ts";
import { announce, endAndShut, endBare, endWith } from "./uws/ending.ts";
import type { Closes } from "./uws/framing.ts";

/** What the exchanges of one server share. */
export interface Traffic {
  readonly site: Site;
  readonly maxBody: number;
  /** All unfinished bodies together may take this much memory. */
  readonly maxBuffered: number;
  buffered: number;
  /** Exchanges that wait for the rest of their body, oldest first. */
  readonly reading: Set<Exchange>;
  /** Exchanges that are not answered yet. */
  running: number;
  /** The server is closing: every answer ends its connection. */
  closing: boolean;
  /** An exchange that was counted in `running` has ended. */
  ended(): void;
}

const EMPTY = Buffer.alloc(0);
const FIRST_BLOCK = 64 * 1024;
/** Beyond this an answer is written piece by piece, so that its end is known. */
const LARGE_ANSWER = 64 * 1024;

const REASONS: Readonly<Record<number, string>> = {
  200: "200 OK",
  204: "204 No Content",
  302: "302 Found",
  304: "304 Not Modified",
  400: "400 Bad Request",
  401: "401 Unauthorized",
  403: "403 Forbidden",
  404: "404 Not Found",
  405: "405 Method Not Allowed",
  408: "408 Request Timeout",
  409: "409 Conflict",
  413: "413 Content Too Large",
  415: "415 Unsupported Media Type",
  429: "429 Too Many Requests",
  500: "500 Internal Server Error",
  503: "503 Service Unavailable",
};

export class Exchange {
  readonly #response: HttpResponse;
  readonly #head: Head;
  readonly #traffic: Traffic;
  readonly #closes: Closes;
  /** Answered or aborted: the uWS response must not be touched any more. */
  #over = false;
  #counted = false;
  #block: Buffer = EMPTY;
  #size = 0;
  /** When the body must be complete, epoch milliseconds. */
  deadline = 0;

  constructor(response: HttpResponse, head: Head, traffic: Traffic, closes: Closes) {
    this.#response = response;
    this.#head = head;
    this.#traffic = traffic;
    this.#closes = closes;
  }

  get #maxBody(): number {
    return Math.min(this.#traffic.maxBody, this.#head.maxBody);
  }

  /** For the turn of the route only: uWS has corked the socket there. */
  answerNow(answer: Response, hangUp = false): void {
    if (this.#over) return;
    this.#write(answer, hangUp);
  }

  /** The same, and nothing that came behind the request runs. */
  shutNow(answer: Response): void {
    this.#writeHead(answer);
    endAndShut(this.#response, answer.body, this.#closes);
    this.#finish();
  }

  /** Runs a handler that needs no further input. */
  run(handler: Handler, body: Buffer): void {
    let answer: Response | Promise<Response>;
    try {
      answer = handler(this.#head, body);
    } catch (error) {
      answer = this.#traffic.site.failure(error);
    }
    if (answer instanceof Promise) void this.#settle(answer);
    else this.answerNow(answer);
  }

  /** Collects the body, then runs the handler. */
  read(handler: Handler, length: number | undefined, deadline: number): void {
    const maxBody = this.#maxBody;
    this.deadline = deadline;
    this.#await();
    // Up to twice the limit a body is read and thrown away: a client that is still sending would not see the answer.
    if (length !== undefined && length > 2 * maxBody) {
      this.answerNow(this.#tooLarge(), true);
      return;
    }
    let received = 0;
    this.#response.onData((chunk, last) => {
      if (this.#over) return;
      received += chunk.byteLength;
      if (received > maxBody) {
        this.#forget();
        if (last || received > 2 * maxBody) this.answerNow(this.#tooLarge(), !last);
        else this.#traffic.reading.add(this);
      } else if (!last) {
        this.#keep(chunk, length);
      } else {
        const body = this.#complete(chunk);
        this.#forget();
        if (this.#head.contentEncoding === "") this.run(handler, body);
        else void this.#settle(this.#inflated(handler, body));
      }
    });
  }

  /** The deadline of the body has passed. */
  expire(): void {
    this.#forget();
    const answer = this.#traffic.site.failure(new HttpError(408, "the request body did not arrive in time"));
    if (!this.#over) this.#response.cork(() => this.#write(answer, true));
  }

  async #inflated(handler: Handler, body: Buffer): Promise<Response> {
    return handler(this.#head, await inflate(body, this.#head.contentEncoding, this.#maxBody));
  }

  async #settle(pending: Promise<Response>): Promise<void> {
    this.#await();
    let answer: Response;
    try {
      answer = await pending;
    } catch (error) {
      answer = this.#traffic.site.failure(error);
    }
    if (!this.#over) this.#response.cork(() => this.#write(answer, false));
  }

  /** From here the answer comes later, so the client may be gone before. */
  #await(): void {
    if (this.#counted || this.#over) return;
    this.#counted = true;
    this.#traffic.running++;
    this.#response.onAborted(() => {
      this.#forget();
      this.#finish();
    });
  }

  #finish(): void {
    this.#over = true;
    if (!this.#counted) return;
    this.#counted = false;
    this.#traffic.running--;
    this.#traffic.ended();
  }

  /** Copies a chunk: uWS takes it back. The block doubles, so that one-byte chunks cost no more than large ones. */
  #keep(chunk: ArrayBuffer, length: number | undefined): void {
    this.#traffic.reading.add(this);
    const needed = this.#size + chunk.byteLength;
    if (needed > this.#block.length) {
      const most = length === undefined ? this.#maxBody : Math.min(length, this.#maxBody);
      const room = Math.max(needed, Math.min(most, Math.max(FIRST_BLOCK, 2 * this.#block.length)));
      this.#traffic.buffered += room - this.#block.length;
      const block = Buffer.allocUnsafe(room);
      this.#block.copy(block, 0, 0, this.#size);
      this.#block = block;
      if (this.#traffic.buffered > this.#traffic.maxBuffered) {
        this.#forget();
        const busy = new HttpError(503, "too many large requests at once; try again later");
        this.answerNow(this.#traffic.site.failure(busy), true);
        return;
      }
    }
    this.#block.set(new Uint8Array(chunk), this.#size);
    this.#size = needed;
  }

  #complete(last: ArrayBuffer): Buffer {
    if (this.#size === 0) return Buffer.from(new Uint8Array(last));
    if (last.byteLength === 0) return this.#block.subarray(0, this.#size);
    return Buffer.concat([this.#block.subarray(0, this.#size), new Uint8Array(last)]);
  }

  #forget(): void {
    this.#traffic.reading.delete(this);
    this.#traffic.buffered -= this.#block.length;
    this.#block = EMPTY;
    this.#size = 0;
  }

  #tooLarge(): Response {
    const message = `the request body is larger than ${this.#maxBody} bytes`;
    return this.#traffic.site.failure(new HttpError(413, message));
  }

  #writeHead(answer: Response): void {
    const response = this.#response;
    if (answer.status !== 200) response.writeStatus(REASONS[answer.status] ?? `${answer.status} Status`);
    for (const header of answer.headers) response.writeHeader(header[0], header[1]);
    for (const header of this.#head.answerHeaders) response.writeHeader(header[0], header[1]);
  }

  #write(answer: Response, hangUp: boolean): void {
    const response = this.#response;
    const { closing } = this.#traffic;
    this.#writeHead(answer);
    if (answer.status === 204 || answer.status === 304) {
      endBare(response, undefined, this.#closes, hangUp || closing);
    } else if (this.#head.method === "head") {
      endBare(response, Buffer.byteLength(answer.body), this.#closes, hangUp || closing);
    } else if (answer.body.length > LARGE_ANSWER && !hangUp && this.#closes !== "asked") {
      announce(response, this.#closes, closing);
      this.#writeLarge(typeof answer.body === "string" ? Buffer.from(answer.body) : answer.body);
      return;
    } else {
      endWith(response, answer.body, this.#closes, hangUp || closing);
    }
    this.#finish();
  }

  /** Over only once the kernel has taken the last byte: a server that closes must not cut it off. */
  #writeLarge(body: Uint8Array): void {
    this.#await();
    const response = this.#response;
    const [, done] = response.tryEnd(body, body.length);
    if (done) {
      this.#finish();
      return;
    }
    this.#over = true; // nobody else may answer; an abort still ends it
    response.onWritable((offset) => {
      const [ok, sent] = response.tryEnd(body.subarray(offset), body.length);
      if (sent) this.#finish();
      return ok;
    });
  }
}
