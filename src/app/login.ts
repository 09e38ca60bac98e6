// Joins the configuration and those who read tokens.
import { readFileSync } from "node:fs";
import type { Config } from "../config/index.ts";
import type { LoginRules, TokenReader } from "../core/login.ts";
import { Jwks } from "../login/jwks.ts";
import { createReader } from "../login/reader.ts";
import type { Log } from "./log.ts";

export interface OpenedLogin extends LoginRules {
  readonly reader: TokenReader;
}

/** The keys that were fetched outlive a reload that leaves their issuer. */
export class Logins {
  readonly #log: Log;
  readonly #elapsed: () => number;
  #jwks: { readonly url: string; readonly issuer: string; readonly keys: Jwks } | undefined = undefined;

  constructor(log: Log, elapsed: () => number) {
    this.#log = log;
    this.#elapsed = elapsed;
  }

  /** Since the start, or since another issuer was configured. */
  get fetches(): Jwks["counts"] {
    return this.#jwks?.keys.counts ?? { fetched: 0, failed: 0 };
  }

  /** Undefined: tokens are not looked at. @throws Error when a file, which was checked before, is no longer right */
  open({ auth, maxIdLength, maxTopicLength }: Config["client"]): OpenedLogin | undefined {
    const { jwksUrl: url, issuer, audience, maxLifetime, required, requiredTopics } = auth;
    const jwks = url === "" ? undefined : this.#fetched(url, issuer);
    if (jwks === undefined && auth.keys.length === 0) return undefined;
    const reader = createReader({
      issuer,
      audience,
      maxLifetime,
      idLength: maxIdLength,
      topicLength: maxTopicLength,
      keys: auth.keys.map(({ id, alg, secret = "", public_key_file: file }) => ({
        id,
        alg,
        text: file === undefined ? secret : readFileSync(file, "utf8"),
      })),
      ...(jwks === undefined ? {} : { jwks }),
    });
    return { reader, required, requiredTopics };
  }

  #fetched(url: string, issuer: string): Jwks {
    if (this.#jwks?.url === url && this.#jwks.issuer === issuer) return this.#jwks.keys;
    const warn = (fields: object, message: string) => this.#log.warn(fields, message);
    const keys = new Jwks({ url, elapsed: this.#elapsed, warn });
    this.#jwks = { url, issuer, keys };
    return keys;
  }
}
