// The way to one place of the business server: POST, signed, within a time. undici is at home here. Nothing is followed or retried.
import { Pool } from "undici";
import { beginningOf } from "../http/answer.ts";
import { causeOf, codeOf } from "../http/causes.ts";
import { namesPrivate, publicLookup } from "../http/public.ts";
import { trusting } from "../http/trust.ts";
import { type HookSecret, signedHeaders } from "./sign.ts";

export interface Destination {
  /** Without user and password. */
  readonly url: string;
  readonly secrets: readonly HookSecret[];
  /** PEM certificates to trust besides the usual ones. */
  readonly ca?: string;
  /** A name may lead to an address of our own network. An address that the URL itself names, or localhost, always may. */
  readonly allowPrivate: boolean;
  /** Milliseconds from the beginning to the last byte of the answer. */
  readonly timeout: number;
  /** Requests at once. */
  readonly connections: number;
}

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The beginning. */
  readonly body: string;
}

/** There was no answer, or nobody knows what became of the request. The message is for the operator. */
export class Unanswered extends Error {
  readonly late: boolean;
  constructor(message: string, options: { readonly late: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.late = options.late;
  }
}

/** Bytes of an answer that are read: a hundred ids, or what a question is answered with. */
const BODY_LIMIT = 262_144;

export class Post {
  readonly #destination: Destination;
  readonly #pool: Pool;
  readonly #path: string;

  /** Opens no connection before it is used. */
  constructor(destination: Destination) {
    this.#destination = destination;
    const { origin, pathname, search, hostname } = new URL(destination.url);
    this.#path = `${pathname}${search}`;
    const { ca, timeout, connections } = destination;
    this.#pool = new Pool(origin, {
      connections,
      pipelining: 1,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connect: {
        timeout: Math.min(10_000, timeout),
        ...(origin.startsWith("https:") ? { secureContext: trusting(ca) } : {}),
        // What was checked is what is connected to. Sockets look up names only.
        ...(destination.allowPrivate || namesPrivate(hostname) ? {} : { lookup: publicLookup }),
      },
    });
  }

  /**
   * One request. Rejects with `Unanswered`. @param id of the message, the same in every attempt
   * @param timeout no longer than that of the destination
   */
  async send(id: string, body: string, now: number, timeout = this.#destination.timeout): Promise<Answer> {
    const { secrets } = this.#destination;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeout);
    try {
      const answer = await this.#pool.request({
        path: this.#path,
        method: "POST",
        headers: {
          "content-type": "application/json",
          "user-agent": "pushbox",
          ...signedHeaders(secrets, id, Math.floor(now / 1000), body),
        },
        body,
        signal: deadline.signal,
      });
      const { text } = await beginningOf(answer.body, BODY_LIMIT); // of a longer one the connection is closed
      return { status: answer.statusCode, retryAfter: one(answer.headers["retry-after"]), body: text };
    } catch (error) {
      if (deadline.signal.aborted)
        throw new Unanswered(`no complete answer within ${Math.round(timeout)} ms`, { late: true, cause: error });
      throw new Unanswered(this.#explained(error), { late: false, cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Cuts off what is still under way. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  #explained(error: unknown): string {
    const { hostname } = new URL(this.#destination.url);
    if (codeOf(error) === "ENOTPUBLIC")
      return `${hostname} leads to an address that is not public: write the address itself into url, or set allow_private = true`;
    return causeOf(error);
  }
}

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);
