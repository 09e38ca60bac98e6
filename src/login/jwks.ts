// The issuer's keys (RFC 7517), fetched when a token of its names one that is not at hand. What was fetched serves until it is
// replaced, however long the endpoint is down.
import { createPublicKey, type JsonWebKey } from "node:crypto";
import { isObject } from "../core/object.ts";
import { MINUTE } from "../core/time.ts";
import { algorithmOf, type Key } from "./algorithms.ts";

/** Between two fetches, whatever tokens name. */
const PAUSE = 30_000;
/** After which the keys are fetched anew when one is used: a key that was withdrawn counts no longer than this. */
const STALE = 10 * MINUTE;
const TIMEOUT = 5000;
const LONGEST = 1_000_000;
const MOST_KEYS = 100;
const MOST_UNKNOWN = 1000;

export interface JwksOptions {
  readonly url: string;
  /** Milliseconds by a clock that is never set. */
  readonly elapsed: () => number;
  /** Gets a line for the log. */
  readonly warn: (fields: object, message: string) => void;
}

export class Jwks {
  readonly #options: JwksOptions;
  /** By `kid`, of the one issuer; undefined: never fetched. */
  #keys: ReadonlyMap<string, Key> | undefined = undefined;
  #fetching: Promise<void> | undefined = undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  /** Why the latest fetch failed. */
  #failure: Error | undefined = undefined;
  /** Asked for, or there before, and not among the keys that were fetched last. */
  readonly #unknown = new Set<string>();
  /** Since the start. */
  readonly counts = { fetched: 0, failed: 0 };

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /** A key that is at hand. It serves at once, also while the keys are fetched anew. */
  held(kid: string): Key | undefined {
    const key = this.#keys?.get(kid);
    if (key !== undefined && this.#options.elapsed() - this.#fetchedAt >= STALE && this.#mayAsk()) void this.#fetch(); // what fails is told in the log
    return key;
  }

  /** Of a `kid` that is not at hand; undefined: the issuer has none. Rejects when that is not known. */
  async key(kid: string): Promise<Key | undefined> {
    const asks = this.#fetching !== undefined || this.#mayAsk();
    if (asks) await this.#fetch();
    const key = this.#keys?.get(kid);
    if (asks && key === undefined && this.#failure === undefined && this.#unknown.size < MOST_UNKNOWN)
      this.#unknown.add(kid);
    if (key !== undefined || this.#unknown.has(kid)) return key;
    if (this.#failure !== undefined) throw this.#failure;
    throw new Error("the keys were fetched just before, without this one");
  }

  #mayAsk(): boolean {
    return this.#fetching === undefined && this.#options.elapsed() - this.#askedAt >= PAUSE;
  }

  #fetch(): Promise<void> {
    if (this.#fetching !== undefined) return this.#fetching;
    const { url, elapsed, warn } = this.#options;
    this.#askedAt = elapsed();
    this.#fetching = fetchKeys(url)
      .then(
        (keys) => {
          this.#unknown.clear();
          // A rotation: of what the issuer has withdrawn it need not be asked again.
          for (const kid of this.#keys?.keys() ?? []) if (!keys.has(kid)) this.#unknown.add(kid);
          this.#keys = keys;
          this.#fetchedAt = elapsed();
          this.#failure = undefined;
          this.counts.fetched++;
        },
        (error: unknown) => {
          this.#failure = error instanceof Error ? error : new Error(String(error));
          this.counts.failed++;
          const still = this.#keys === undefined ? "no token of the issuer's can be checked" : "those at hand serve on";
          warn({ err: this.#failure, url }, `client.auth.jwks_url: the keys could not be fetched; ${still}`);
        },
      )
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }
}

async function fetchKeys(url: string): Promise<ReadonlyMap<string, Key>> {
  const answer = await fetch(url, {
    headers: { accept: "application/jwk-set+json, application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (answer.status !== 200) {
    await answer.body?.cancel();
    throw new Error(`it answered ${answer.status}`);
  }
  const set: unknown = JSON.parse(await textOf(answer));
  const list = isObject(set) ? set["keys"] : undefined;
  if (!Array.isArray(list)) throw new Error("it answered no JSON object with keys");
  const keys = new Map<string, Key>();
  for (const jwk of list.slice(0, MOST_KEYS)) {
    const key = keyOf(jwk);
    if (key !== undefined) keys.set((jwk as { kid: string }).kid, key);
  }
  return keys;
}

async function textOf(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > LONGEST) throw new Error(`it answered more than ${LONGEST} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Undefined: not one for signatures that are taken here. Issuers list others beside. */
function keyOf(jwk: unknown): Key | undefined {
  if (!isObject(jwk) || typeof jwk["kid"] !== "string" || jwk["kty"] === "oct") return undefined;
  const { use, key_ops: operations, alg } = jwk;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return undefined;
  try {
    const key = createPublicKey({ key: jwk as JsonWebKey, format: "jwk" });
    const algorithm = algorithmOf(key);
    return algorithm === undefined || (alg !== undefined && alg !== algorithm) ? undefined : { algorithm, key };
  } catch {
    return undefined; // it cannot be read as a key
  }
}
