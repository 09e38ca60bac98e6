// The one owner of an HTTP response: native code ends the process when a response is used after it was aborted, and a client
// waits for ever when it is not used at all.
import type { HttpResponse } from "uWebSockets.js";
import type { Body, BodyOwner, Intake } from "../../http/body.ts";
import { addressText } from "../../http/uws/address.ts";
import { endAndShut, endBare, endWith } from "../../http/uws/ending.ts";
import type { Closes, Framing } from "../../http/uws/framing.ts";

export type Headers = readonly (readonly [name: string, value: string])[];

/** Of all replies of a server. */
export interface Host {
  /** The server is closing or crowded: every answer ends its connection. */
  readonly sendsAway: boolean;
  /** The answer that is being written will end its connection. */
  leaving(response: HttpResponse): void;
}

export class Reply {
  #response: HttpResponse | undefined;
  readonly #host: Host;
  readonly #origin: string;
  readonly #bare: boolean;
  readonly #closes: Closes;
  /** The request has a body, which may still be on its way. */
  readonly hasBody: boolean;
  readonly #length: number | undefined;
  #body: Body | undefined = undefined;
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
    this.#length = framed.length;
    this.#origin = origin;
    response.onAborted(() => {
      this.#take();
      this.onGone?.();
    });
  }

  /** Answers, unless the client has gone or has been answered. @param closing the connection ends with it */
  send(
    status: string,
    type: string,
    body: string | Uint8Array,
    closing = false,
    cache = "no-store",
    headers: Headers = [],
  ): void {
    const response = this.#take();
    if (response === undefined) return;
    const hangUp = closing || this.#host.sendsAway;
    if (hangUp || this.#closes !== "open") this.#host.leaving(response);
    response.cork(() => {
      this.#head(response, status, type, cache);
      for (const [name, value] of headers) response.writeHeader(name, value);
      if (this.#bare || status.startsWith("304")) endBare(response, Buffer.byteLength(body), this.#closes, hangUp);
      else endWith(response, body, this.#closes, hangUp);
    });
  }

  /** Answers within the route, and nothing that came behind the request runs: the connection is closed at once. */
  shut(status: string, type: string, body: string): void {
    const response = this.#take();
    if (response === undefined) return;
    this.#head(response, status, type);
    endAndShut(response, body, this.#closes);
  }

  #head(response: HttpResponse, status: string, type: string, cache = "no-store"): void {
    response.writeStatus(status);
    if (type !== "") response.writeHeader("Content-Type", type);
    response.writeHeader("Cache-Control", cache);
    this.#allow(response);
  }

  /** Answers a preflight. @param headers what it asks to send, checked; "": nothing in particular */
  sendAllowed(headers: string): void {
    const response = this.#take();
    if (response === undefined) return;
    response.cork(() => {
      response.writeStatus("204 No Content");
      this.#allow(response);
      response.writeHeader("Access-Control-Allow-Methods", "GET, POST");
      response.writeHeader("Access-Control-Allow-Headers", headers || "Content-Type");
      response.writeHeader("Access-Control-Max-Age", "600");
      endBare(response, undefined, this.#closes, this.#host.sendsAway);
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

  /** Reads the body, within the route. Nothing is called once this has answered, or the client has gone. */
  read(intake: Intake, owner: BodyOwner, most: number): void {
    if (this.#response !== undefined)
      this.#body = intake.read(this.#response, owner, this.hasBody ? this.#length : 0, most);
  }

  /** Of the other end of the connection, which may be a proxy; empty when it is gone. */
  get address(): string {
    return this.#response === undefined ? "" : addressText(this.#response.getRemoteAddress());
  }

  /** It has been answered, or its client has gone. */
  get gone(): boolean {
    return this.#response === undefined;
  }

  /** Whoever uses the response last takes it. */
  #take(): HttpResponse | undefined {
    const response = this.#response;
    this.#response = undefined;
    this.#body?.end();
    return response;
  }
}
