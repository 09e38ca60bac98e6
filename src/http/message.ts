// Requests and responses as plain values, and the port between this layer and those who answer.
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { requestIdOf } from "./request-id.ts";
import { type AddressList, addressText, callerAddress } from "./uws/address.ts";

export type Header = readonly [name: string, value: string];

export interface Response {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: string | Uint8Array;
  /** Writes an answer without end, in the place of `body`. Called at most once. */
  stream?(outlet: Outlet): Stream;
  /** Called instead, when the client has gone before, or asked for the head alone. */
  abandoned?(): void;
}

/** Where an answer without end is written to. After its end nothing is written. */
export interface Outlet {
  /** False: the client does not take more now; this piece is kept for it, and `ready` says when to go on. */
  write(piece: string | Uint8Array): boolean;
  /** Pieces that are written in `work` leave together. */
  together(work: () => void): void;
  /** In good order. */
  end(): void;
  /** At once. */
  cut(): void;
}

/** Who writes one. */
export interface Stream {
  /** More can be written. */
  ready(): void;
  /** Nothing can be written any more. */
  closed(): void;
  /** The server wants it to end. */
  end(): void;
}

/** Gets the whole body, already inflated. Whatever it throws becomes `site.failure`. */
export type Handler = (head: Head, body: Buffer) => Response | Promise<Response>;

/** Those who answer. A server has one. */
export interface Site {
  /** Sees the head before a byte of the body is kept: refuses at once, or says who goes on once the body is there. */
  open(head: Head): Response | Handler;
  /** An answer for what a handler threw, or for an `HttpError` of this layer. @param head of the request, closed or not */
  failure(error: unknown, head?: Head): Response;
}

const REQUEST_ID = "x-request-id";

/** What is wrong with a request as HTTP, whatever it asks for. */
export class HttpError extends Error {
  readonly status: number;
  /** Members of the answer's body besides the message. */
  readonly members: Readonly<Record<string, unknown>> | undefined;
  constructor(
    status: number,
    message: string,
    options?: ErrorOptions & { readonly members?: Readonly<Record<string, unknown>> },
  ) {
    super(message, options);
    this.name = "HttpError";
    this.status = status;
    this.members = options?.members;
  }
}

/**
 * The head of one request. A uWS request dies when its route returns, so `header` and the first reading of `address` belong
 * in `Site.open`; the other fields are copies.
 */
export class Head {
  /** Lower case. */
  readonly method: string;
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly query: string;
  /** The caller's X-Request-Id, or one made here: in the answer, in the body of an error and in the log. */
  readonly requestId: string;
  /** Both empty when the request has no body. */
  contentType = "";
  contentEncoding = "";
  /** Bytes, before and after inflating. A site may lower the server's limit for this request, in `Site.open`. */
  maxBody = Number.POSITIVE_INFINITY;
  /** For whatever is answered, an error of this layer too. A site may set them, in `Site.open`. */
  answerHeaders: readonly Header[] = [];
  #request: HttpRequest | undefined;
  #response: HttpResponse | undefined;
  readonly #trusted: AddressList;
  #address: string | undefined;

  constructor(request: HttpRequest, response: HttpResponse, trustedProxies: AddressList) {
    this.method = request.getMethod();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? "";
    this.requestId = requestIdOf(request.getHeader(REQUEST_ID));
    this.#request = request;
    this.#response = response;
    this.#trusted = trustedProxies;
  }

  /** Empty when the header is absent. The name in lower case. */
  header(name: string): string {
    return this.#request?.getHeader(name) ?? "";
  }

  /** All of them, names in lower case; what is given twice is one list, as RFC 9110 5.3 has it. For `Site.open`. */
  headers(): Readonly<Record<string, string>> {
    const all = new Map<string, string>();
    this.#request?.forEach((name, value) => {
      const before = all.get(name);
      all.set(name, before === undefined ? value : `${before}, ${value}`);
    });
    return Object.fromEntries(all);
  }

  /** Who calls: the connection's other end, or whom a trusted proxy there names; `UNKNOWN_CALLER` when that cannot be read. */
  get address(): string {
    if (this.#address === undefined && this.#request !== undefined && this.#response !== undefined) {
      this.#address = callerAddress(addressText(this.#response.getRemoteAddress()), this.#request, this.#trusted);
    }
    return this.#address ?? "";
  }

  /** For who asks for `address` after `close`. */
  learnAddress(): void {
    this.#address = this.address;
  }

  /** From here the uWS objects are gone. */
  close(): void {
    this.#request = undefined;
    this.#response = undefined;
  }
}
