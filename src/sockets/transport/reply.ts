// The one owner of an HTTP response: native code ends the process when a response is used after it was aborted, and a client
// waits for ever when it is not used at all.
import type { HttpResponse } from "uWebSockets.js";
import { endAndShut, endBare, endWith } from "../../http/uws/ending.ts";
import type { Closes, Framing } from "../../http/uws/framing.ts";

/** Of all replies of a server: once it is closed, every answer ends its connection. */
export interface Host {
  readonly closed: boolean;
}

export class Reply {
  #response: HttpResponse | undefined;
  readonly #host: Host;
  readonly #origin: string;
  readonly #bare: boolean;
  readonly #closes: Closes;
  /** The request has a body, which may still be on its way. */
  readonly hasBody: boolean;
  /** Called when the client goes away before the answer. */
  onGone: (() => void) | undefined = undefined;

  /**
   * @param method in lower case; the answer to `head` has no body
   * @param origin the request's `Origin`, checked; "" when it had none
   */
  constructor(response: HttpResponse, host: Host, method: string, framed: Framing, origin: string) {
    this.#response = response;
    this.#host = host;
    this.#bare = method === "head";
    this.#closes = framed.closes;
    this.hasBody = framed.kind === "body";
    this.#origin = origin;
    response.onAborted(() => {
      this.#response = undefined;
      this.onGone?.();
    });
  }

  /** Answers, unless the client has gone or has been answered. @param closing the connection ends with it */
  send(status: string, type: string, body: string | Uint8Array, closing = false): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#response = undefined;
    const hangUp = closing || this.#host.closed;
    response.cork(() => {
      this.#head(response, status, type);
      if (this.#bare) endBare(response, Buffer.byteLength(body), this.#closes, hangUp);
      else endWith(response, body, this.#closes, hangUp);
    });
  }

  /** Answers within the route, and nothing that came behind the request runs: the connection is closed at once. */
  shut(status: string, type: string, body: string): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#response = undefined;
    this.#head(response, status, type);
    endAndShut(response, body, this.#closes);
  }

  #head(response: HttpResponse, status: string, type: string): void {
    response.writeStatus(status);
    if (type !== "") response.writeHeader("Content-Type", type);
    response.writeHeader("Cache-Control", "no-store");
    this.#allow(response);
  }

  /** Answers a preflight. @param headers what it asks to send, checked; "": nothing in particular */
  sendAllowed(headers: string): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#response = undefined;
    response.cork(() => {
      response.writeStatus("204 No Content");
      this.#allow(response);
      response.writeHeader("Access-Control-Allow-Methods", "GET, POST");
      response.writeHeader("Access-Control-Allow-Headers", headers || "Content-Type");
      response.writeHeader("Access-Control-Max-Age", "600");
      endBare(response, undefined, this.#closes, this.#host.closed);
    });
  }

  /** Old browsers send polls with credentials, for which `*` is not enough. */
  #allow(response: HttpResponse): void {
    if (this.#origin === "") {
      response.writeHeader("Access-Control-Allow-Origin", "*");
    } else {
      response.writeHeader("Access-Control-Allow-Origin", this.#origin);
      response.writeHeader("Access-Control-Allow-Credentials", "true");
      response.writeHeader("Vary", "Origin");
    }
  }

  /** Reads the body; `done` gets `undefined`, once, as soon as it is longer than `limit`. Not called when the client goes away. */
  body(limit: number, done: (body: Buffer | undefined) => void): void {
    const chunks: Buffer[] = [];
    let length = 0;
    this.#response?.onData((chunk, last) => {
      if (length > limit) return;
      length += chunk.byteLength;
      if (length > limit) {
        chunks.length = 0;
        done(undefined);
      } else {
        chunks.push(Buffer.from(new Uint8Array(chunk))); // a copy: the chunk dies with this call
        if (last) done(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      }
    });
  }
}
