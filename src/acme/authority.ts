// Who issues certificates, by ACME (RFC 8555): signed requests, nonces, and what the answers hold.
import { createHash, type KeyObject, sign } from "node:crypto";
import { Agent, type Dispatcher, request } from "undici";
import { z } from "zod";
import { printable } from "../core/printable.ts";
import { beginningOf } from "../http/answer.ts";
import { causeOf } from "../http/causes.ts";
import { trusting } from "../http/trust.ts";
import type { Window } from "./renewal.ts";

export interface AuthorityOptions {
  /** URL of its directory. */
  readonly directory: string;
  /** PEM certificates to trust besides the usual ones. */
  readonly ca?: string;
  /** Of the account: P-256. */
  readonly key: KeyObject;
  /** Where it writes to about the account; "": nowhere. */
  readonly email: string;
  /** Cuts off what is under way. */
  readonly signal: AbortSignal;
}

/** There is no certificate now. The message is for the operator. */
export class Refusal extends Error {
  /** The authority's name for it (RFC 8555, 6.7) without its prefix, such as `rateLimited`; "" where it said nothing. */
  readonly kind: string;
  /** Not to be asked again for so long, milliseconds. */
  readonly retryAfter: number;
  constructor(message: string, kind = "", retryAfter = 0, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.retryAfter = retryAfter;
  }
}

const url = z.url({ protocol: /^https$/ });
const problem = z.looseObject({
  type: z.string().catch(""),
  detail: z.string().catch(""),
  subproblems: z.array(z.looseObject({ detail: z.string().catch("") })).catch([]),
});
const directory = z.looseObject({
  newNonce: url,
  newAccount: url,
  newOrder: url,
  renewalInfo: url.optional().catch(undefined),
});
const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const renewal = z.looseObject({
  suggestedWindow: z.looseObject({ start: moment, end: moment }),
  explanationURL: z.string().catch(""),
});
const order = z.looseObject({
  status: z.enum(["pending", "ready", "processing", "valid", "invalid"]),
  authorizations: z.array(url),
  finalize: url,
  certificate: url.optional(),
  error: problem.optional(),
});
const challenge = z.looseObject({
  type: z.string(),
  status: z.string(),
  url,
  token: z.string().catch(""),
  error: problem.optional(),
});
const authorization = z.looseObject({ status: z.string(), challenges: z.array(challenge) });

export type Order = z.infer<typeof order>;
export type Authorization = z.infer<typeof authorization>;

/** An answer, and when to ask again where it says so, in milliseconds. */
export interface Told<T> {
  readonly value: T;
  readonly retryAfter: number;
}

interface Answer extends Told<string> {
  readonly location: string;
}

/** Milliseconds without a byte. */
const PATIENCE = 30_000;
/** Bytes: a chain of certificates is a few thousand. */
const LARGEST_ANSWER = 1_000_000;
/** An authority may refuse a nonce for no fault of ours; each refusal brings a new one. */
const NONCES = 8;

/** One account with one authority. Everything rejects with a `Refusal`, also where it cannot be reached, or as its signal ends it. */
export class Authority {
  readonly #options: AuthorityOptions;
  readonly #agent: Agent;
  readonly #jwk: Readonly<Record<"crv" | "kty" | "x" | "y", string>>;
  #directory: z.infer<typeof directory> | undefined;
  #account: string | undefined;
  #nonce: string | undefined;

  constructor(options: AuthorityOptions) {
    const { key, ca } = options;
    this.#options = options;
    const { x = "", y = "" } = key.export({ format: "jwk" });
    // In the order of RFC 7638, which the thumbprint is made of.
    this.#jwk = { crv: "P-256", kty: "EC", x, y };
    this.#agent = new Agent({
      headersTimeout: PATIENCE,
      bodyTimeout: PATIENCE,
      connect: {
        timeout: PATIENCE,
        secureContext: trusting(ca),
      },
    });
  }

  /** Cuts off what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Makes the account, or finds the one that the key has. Only the owner of the server can have agreed to the terms. */
  async open(): Promise<void> {
    const { email } = this.#options;
    const { newAccount } = await this.#places();
    const { location } = await this.#post(newAccount, {
      termsOfServiceAgreed: true,
      ...(email === "" ? {} : { contact: [`mailto:${email}`] }),
    });
    this.#account = location;
  }

  /** A new one. @param replaces the name of the certificate that the new one takes the place of (RFC 9773, 5) */
  async order(domain: string, replaces?: string): Promise<{ readonly url: string }> {
    const { newOrder, renewalInfo } = await this.#places();
    const ordered = { identifiers: [{ type: "dns", value: domain }] };
    if (renewalInfo !== undefined && replaces !== undefined) {
      try {
        return { url: (await this.#post(newOrder, { ...ordered, replaces })).location };
      } catch (error) {
        // It knows of another successor, or not of this certificate: a new one is wanted all the same.
        if (!(error instanceof Refusal) || error.kind === "" || error.kind === "rateLimited") throw error;
      }
    }
    return { url: (await this.#post(newOrder, ordered)).location };
  }

  /** When it wants a certificate to be renewed (RFC 9773, 4.2); undefined: it gives no such advice. Needs no account. */
  async advice(id: string): Promise<Told<Window> | undefined> {
    const { renewalInfo } = await this.#places();
    if (renewalInfo === undefined) return undefined;
    const { value, retryAfter } = this.#parsed(
      await this.#ask("GET", `${renewalInfo.replace(/\/$/, "")}/${id}`),
      renewal,
    );
    const { start, end } = value.suggestedWindow;
    if (!(start < end))
      throw new Refusal(`${this.#host} advises a renewal between ${start} and ${end}`, "", retryAfter);
    const explanation = value.explanationURL === "" ? {} : { explanation: shortened(value.explanationURL) };
    return { value: { start, end, ...explanation }, retryAfter };
  }

  /** An order by its URL, as it is now. */
  look = (url: string): Promise<Told<Order>> => this.#read(url, order);
  /** By its URL: whether the domain is proven, and what would prove it. */
  authorization = (url: string): Promise<Told<Authorization>> => this.#read(url, authorization);

  /** It may look at the answer to the challenge now. */
  async begin(url: string): Promise<void> {
    await this.#post(url, {});
  }

  /** @param csr DER */
  async finalize({ finalize }: Order, csr: Buffer): Promise<void> {
    await this.#post(finalize, { csr: csr.toString("base64url") });
  }

  /** PEM, the certificate first. */
  async download(url: string): Promise<string> {
    return (await this.#post(url, undefined)).value;
  }

  /** What a challenge is answered with (RFC 8555, 8.1). */
  answer(token: string): string {
    return `${token}.${createHash("sha256").update(JSON.stringify(this.#jwk)).digest("base64url")}`;
  }

  // ---- requests

  async #places(): Promise<z.infer<typeof directory>> {
    this.#directory ??= this.#parsed(await this.#ask("GET", this.#options.directory), directory).value;
    return this.#directory;
  }

  async #read<T>(url: string, shape: z.ZodType<T>): Promise<Told<T>> {
    return this.#parsed(await this.#post(url, undefined), shape);
  }

  /** @param payload undefined: only to read (POST-as-GET) */
  async #post(url: string, payload: object | undefined): Promise<Answer> {
    for (let left = NONCES; ; left--) {
      const nonce = this.#nonce ?? (await this.#newNonce());
      this.#nonce = undefined;
      try {
        return await this.#ask("POST", url, this.#signed(url, payload, nonce));
      } catch (error) {
        if (!(error instanceof Refusal && error.kind === "badNonce") || left === 1) throw error;
      }
    }
  }

  async #newNonce(): Promise<string> {
    await this.#ask("HEAD", (await this.#places()).newNonce);
    const nonce: string | undefined = this.#nonce;
    if (nonce === undefined) throw new Refusal(`${this.#host} gives no nonce: is acme.directory an ACME directory?`);
    return nonce;
  }

  #signed(url: string, payload: object | undefined, nonce: string): string {
    const who = this.#account === undefined ? { jwk: this.#jwk } : { kid: this.#account };
    const head = encoded({ alg: "ES256", nonce, url, ...who });
    const body = payload === undefined ? "" : encoded(payload);
    const signature = sign("sha256", Buffer.from(`${head}.${body}`), {
      key: this.#options.key,
      dsaEncoding: "ieee-p1363",
    });
    return JSON.stringify({ protected: head, payload: body, signature: signature.toString("base64url") });
  }

  async #ask(method: "GET" | "HEAD" | "POST", url: string, body?: string): Promise<Answer> {
    const { signal } = this.#options;
    try {
      const answer = await request(url, {
        dispatcher: this.#agent,
        method,
        headers: {
          "user-agent": "pushbox",
          ...(body === undefined ? {} : { "content-type": "application/jose+json" }),
        },
        signal,
        ...(body === undefined ? {} : { body }),
      });
      const header = (name: string): string => [answer.headers[name] ?? ""].flat()[0] ?? "";
      this.#nonce = header("replay-nonce") || this.#nonce;
      const told = { value: await textOf(answer.body), retryAfter: milliseconds(header("retry-after")) };
      if (answer.statusCode >= 300) throw this.#refusal(answer.statusCode, told);
      return { ...told, location: header("location") };
    } catch (error) {
      if (error instanceof Refusal || signal.aborted) throw error;
      throw new Refusal(`${new URL(url).host} cannot be asked: ${causeOf(error)}`, "", 0, { cause: error });
    }
  }

  #parsed<T>({ value, retryAfter }: Told<string>, shape: z.ZodType<T>): Told<T> {
    const parsed = shape.safeParse(json(value));
    if (parsed.success) return { value: parsed.data, retryAfter };
    throw new Refusal(`${this.#host} does not answer as ACME has it: is acme.directory the URL of an ACME directory?`);
  }

  #refusal(status: number, { value, retryAfter }: Told<string>): Refusal {
    const { type, detail, subproblems } = problem.catch({ type: "", detail: "", subproblems: [] }).parse(json(value));
    const said = [detail, ...subproblems.map((one) => one.detail)].filter((text) => text !== "").join("; ");
    return new Refusal(
      `${this.#host} answers ${status}${said === "" ? "" : `: ${shortened(said)}`}`,
      kindOf(type),
      retryAfter,
    );
  }

  get #host(): string {
    return new URL(this.#options.directory).host;
  }
}

/** Of an order that has come to its end without a certificate. */
export class Failed extends Refusal {
  /** @param error what the authority says of it */
  constructor(what: string, error: z.infer<typeof problem> | undefined) {
    super(`${what}: ${shortened(error?.detail ?? "") || "no reason was given"}`, kindOf(error?.type));
  }
}

const kindOf = (type = ""): string => type.replace("urn:ietf:params:acme:error:", "");

/** It goes into the log, and to whoever asks whether the server is ready. */
const shortened = (text: string): string => printable(text.length > 300 ? `${text.slice(0, 297)}...` : text);

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function textOf(body: Dispatcher.ResponseData["body"]): Promise<string> {
  const { text, whole } = await beginningOf(body, LARGEST_ANSWER);
  if (!whole) throw new Refusal("its answer has no end");
  return text;
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function milliseconds(retryAfter: string): number {
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const at = Date.parse(retryAfter);
  return Number.isNaN(at) ? 0 : Math.max(0, at - Date.now());
}
