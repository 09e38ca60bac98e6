// One request and its answer. It owns the uWS response: exactly one answer, none after an abort, a deadline for the body.

import type { HttpResponse } from "uWebSockets.js";
import { Buffer } from "node:buffer";
import { type Body, type BodyFault, type BodyOwner, type Intake, SLOWEST } from "./body.ts";
import { inflate } from "./inflate.ts";
import type { Handler, Head, Outlet, Response, Site, Stream } from "./message.ts";
import { HttpError } from "./message.ts";
import { addressText, limitedAs } from "./uws/address.ts";
import { announce, endAndShut, endBare, endWith } from "./uws/ending.ts";
import type { Closes } from "./uws/framing.ts";
import type { Gate } from "./uws/gate.ts";
import { closeIfOpen } from "./uws/sparing.ts";

/** What the exchanges of one server share. */
export interface Traffic {
  readonly site: Site;
  readonly maxBody: number;
  readonly intake: Intake;
  readonly gate: Gate;
  /** Exchanges that are not answered yet. */
  running: number;
  /** The server is closing: every answer ends its connection. */
  closing: boolean;
  /** An exchange that was counted in `running` has ended. */
  ended(): void;
  /** Answers without end. */
  readonly streams: Set<Stream>;
}

/** deflate makes at most so many bytes of one. */
const MOST_INFLATED = 1032;
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

export class Exchange implements BodyOwner {
  readonly #response: HttpResponse;
  readonly #head: Head;
  readonly #traffic: Traffic;
  readonly #closes: Closes;
  /** Answered or aborted: the uWS response must not be touched any more. */
  #over = false;
  #counted = false;
  #handler: Handler | undefined = undefined;
  #body: Body | undefined = undefined;
  #stream: Stream | undefined = undefined;

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
    this.#await();
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
      answer = this.#traffic.site.failure(error, this.#head);
    }
    if (answer instanceof Promise) void this.#settle(answer);
    else this.answerNow(answer);
  }

  /** Collects the body, then runs the handler. */
  read(handler: Handler, length: number | undefined): void {
    this.#handler = handler;
    this.#await();
    if (length !== undefined && length > 2 * this.#maxBody) this.fault("too large", true);
    else this.#body = this.#traffic.intake.read(this.#response, this, length, this.#maxBody);
  }

  /** The address, or the IPv6 network, that its body counts for. */
  get bodyAddress(): string {
    return limitedAs(this.#head.address || addressText(this.#response.getRemoteAddress()));
  }

  body(body: Buffer, late: boolean): void {
    const handler = this.#handler;
    if (this.#over || handler === undefined) return;
    if (this.#head.contentEncoding !== "") void this.#settle(this.#inflated(handler, body));
    else if (late) this.#response.cork(() => this.run(handler, body));
    else this.run(handler, body);
  }

  fault(fault: BodyFault, cut: boolean): void {
    if (this.#over) return;
    const answer = this.#traffic.site.failure(this.#explained(fault), this.#head);
    if (fault === "splinters") this.shutNow(answer);
    else this.#response.cork(() => this.#write(answer, cut));
  }

  progress(): void {}

  #explained(fault: BodyFault): HttpError {
    switch (fault) {
      case "too large":
        return new HttpError(413, `the request body is larger than ${this.#maxBody} bytes`);
      case "busy":
        return busy();
      case "slow":
        return new HttpError(408, `the request body did not arrive in time: less than ${SLOWEST} bytes per second`);
      case "splinters":
        return new HttpError(400, "the request body comes in too many chunks of a few bytes");
      case "extensions":
        return new HttpError(400, "chunk extensions are not supported");
    }
  }

  /** What it may become counts as an unfinished body meanwhile. */
  async #inflated(handler: Handler, body: Buffer): Promise<Response> {
    const { intake } = this.#traffic;
    const address = this.bodyAddress;
    const room = Math.min(this.#maxBody, MOST_INFLATED * body.length);
    if (!intake.take(address, room)) throw busy();
    let inflated: Buffer;
    try {
      inflated = await inflate(body, this.#head.contentEncoding, this.#maxBody);
    } finally {
      intake.take(address, -room);
    }
    return handler(this.#head, inflated);
  }

  async #settle(pending: Promise<Response>): Promise<void> {
    this.#await();
    let answer: Response;
    try {
      answer = await pending;
    } catch (error) {
      answer = this.#traffic.site.failure(error, this.#head);
    }
    try {
      if (this.#over) answer.abandoned?.();
      else this.#response.cork(() => this.#write(answer, false));
    } catch (error) {
      this.#traffic.site.failure(error, this.#head); // it is none
      closeIfOpen(this.#response);
    }
  }

  /**
   * From here the client may be gone before its answer is. So it may before one that is written at once: when the connection is found
   * reset as more is written than uWS gathers, `end` leaves the request unanswered, for which uWS ends the process if nobody listens.
   */
  #await(): void {
    if (this.#counted || this.#over) return;
    this.#counted = true;
    this.#traffic.running++;
    this.#response.onAborted(() => {
      this.#finish();
    });
  }

  #finish(): void {
    this.#over = true;
    this.#body?.end();
    if (this.#stream !== undefined) {
      this.#traffic.streams.delete(this.#stream);
      this.#stream.closed();
      this.#stream = undefined;
    }
    if (!this.#counted) return;
    this.#counted = false;
    this.#traffic.running--;
    this.#traffic.ended();
  }

  #writeHead(answer: Response): void {
    const response = this.#response;
    if (answer.status !== 200) response.writeStatus(REASONS[answer.status] ?? `${answer.status} Status`);
    // One call for all of them: each costs as much as the rest of a small answer's head.
    let lines = this.#head.requestId;
    for (const header of answer.headers) lines += `\r\n${header[0]}: ${header[1]}`;
    for (const header of this.#head.answerHeaders) lines += `\r\n${header[0]}: ${header[1]}`;
    response.writeHeader("X-Request-Id", lines);
  }

  #write(answer: Response, hangUp: boolean): void {
    this.#await();
    const response = this.#response;
    const closing = this.#traffic.closing || this.#traffic.gate.crowded;
    this.#writeHead(answer);
    if (answer.status === 204 || answer.status === 304) {
      endBare(response, undefined, this.#closes, hangUp || closing);
    } else if (this.#head.method === "head") {
      answer.abandoned?.();
      endBare(response, Buffer.byteLength(answer.body), this.#closes, hangUp || closing);
    } else if (answer.stream !== undefined) {
      this.#writeStream(answer.stream.bind(answer));
      return;
    } else if (answer.body.length > LARGE_ANSWER && !hangUp && this.#closes !== "asked") {
      announce(response, this.#closes, closing);
      this.#writeLarge(typeof answer.body === "string" ? Buffer.from(answer.body) : answer.body);
      return;
    } else {
      endWith(response, answer.body, this.#closes, hangUp || closing);
    }
    this.#finish();
  }

  /** Over when either side ends it. */
  #writeStream(start: (outlet: Outlet) => Stream): void {
    this.#await();
    this.#over = true; // nobody else may answer
    const response = this.#response;
    response.writeHeader("Connection", "close"); // it may end at any time, and the client is the one that closes then
    let isOpen = true;
    const outlet: Outlet = {
      write: (piece) => {
        let taken = false;
        if (isOpen && this.#counted) response.cork(() => (taken = response.write(piece)));
        return taken;
      },
      together: (work) => {
        if (isOpen && this.#counted) response.cork(work);
      },
      end: () => {
        if (!isOpen || !this.#counted) return;
        isOpen = false;
        response.cork(() => response.end("")); // told to close it would write a header into the body
        this.#finish();
      },
      cut: () => {
        if (isOpen && this.#counted) response.close(); // aborts
      },
    };
    response.onWritable(() => {
      // What waits leaves first.
      setImmediate(() => this.#stream?.ready());
      return true;
    });
    const stream = start(outlet);
    this.#stream = stream;
    this.#traffic.streams.add(stream);
    if (this.#traffic.closing) stream.end();
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

const busy = (): HttpError => new HttpError(503, "too many large requests at once; try again later");
