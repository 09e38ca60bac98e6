// One certificate: from the order to the chain, going on where an earlier try was cut off.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { bits, der, identifier, integer, octets, sequence, set, utf8 } from "../core/der.ts";
import { type Authority, Failed, type Order, Refusal, type Told } from "./authority.ts";
import type { Challenges } from "./challenges.ts";

/** What is under way. Stored, so that no order is made twice: authorities count them. */
export interface Pending {
  readonly order: string;
  /** PEM of the key that the certificate will be for. */
  readonly key: string;
}

export interface Obtained {
  /** PEM, the certificate first. */
  readonly chain: string;
  readonly key: string;
}

export interface Obtaining {
  readonly authority: Authority;
  readonly challenges: Challenges;
  readonly domain: string;
  /** The name of the certificate that the new one takes the place of (RFC 9773). */
  readonly replaces?: string | undefined;
  readonly pending: Pending | undefined;
  /** Resolves once it is on disk. Undefined: nothing is under way any more. */
  readonly keep: (pending: Pending | undefined) => Promise<void>;
  readonly signal: AbortSignal;
}

/** An authority asked again and again: at first after, at most after, milliseconds. */
const FIRST_LOOK = 200;
const LAST_LOOK = 10_000;

/** @throws Refusal; what `signal` was aborted with */
export async function obtain(job: Obtaining): Promise<Obtained> {
  const { authority, domain, signal } = job;
  await authority.open();
  const pending = await placed(job);
  try {
    await prove(job, await authority.look(pending.order));
    const looked = (order: Order) => order.status !== "pending" && order.status !== "processing";
    const ready = await until(() => authority.look(pending.order), looked, signal);
    if (ready.status === "ready") await authority.finalize(ready, csr(domain, createPrivateKey(pending.key)));
    const done = await until(
      () => authority.look(pending.order),
      ({ status }) => status === "valid" || status === "invalid",
      signal,
    );
    if (done.status === "invalid" || done.certificate === undefined) throw new Failed("the order failed", done.error);
    return { chain: await authority.download(done.certificate), key: pending.key };
  } catch (error) {
    if (error instanceof Failed) await job.keep(undefined);
    throw error;
  }
}

/** The order of an earlier try while it is of use, or a new one. */
async function placed({ authority, domain, replaces, pending, keep }: Obtaining): Promise<Pending> {
  if (pending !== undefined) {
    try {
      const { value } = await authority.look(pending.order);
      if (value.status !== "invalid") return pending;
    } catch (error) {
      // Forgotten there, or of another account.
      if (!(error instanceof Refusal) || error.kind === "" || error.kind === "rateLimited") throw error;
    }
  }
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const fresh = { order: (await authority.order(domain, replaces)).url, key };
  await keep(fresh);
  return fresh;
}

/** Shows that the domain is ours, by what port 80 answers (HTTP-01). */
async function prove({ authority, challenges, domain, signal }: Obtaining, { value }: Told<Order>): Promise<void> {
  if (value.status !== "pending") return;
  for (const url of value.authorizations) {
    const { value: authorization } = await authority.authorization(url);
    if (authorization.status === "valid") continue; // known from an earlier order
    const challenge = authorization.challenges.find(({ type }) => type === "http-01");
    if (challenge === undefined) throw new Failed(`the authority does not offer HTTP-01 for ${domain}`, undefined);
    const withdraw = challenges.answer(challenge.token, authority.answer(challenge.token));
    try {
      if (challenge.status === "pending") await authority.begin(challenge.url);
      const ended = await until(
        () => authority.authorization(url),
        ({ status }) => status !== "pending",
        signal,
      );
      if (ended.status !== "valid")
        throw new Failed(
          `the authority could not see at http://${domain}/ that it is ours`,
          ended.challenges.find(({ type }) => type === "http-01")?.error,
        );
    } finally {
      withdraw();
    }
  }
}

async function until<T>(look: () => Promise<Told<T>>, enough: (value: T) => boolean, signal: AbortSignal): Promise<T> {
  for (let pause = FIRST_LOOK; ; pause = Math.min(LAST_LOOK, 2 * pause)) {
    const { value, retryAfter } = await look();
    if (enough(value)) return value;
    await wait(Math.max(pause, Math.min(retryAfter, LAST_LOOK)), undefined, { signal });
  }
}

const ECDSA_SHA256 = sequence(identifier("1.2.840.10045.4.3.2"));
const COMMON_NAME = identifier("2.5.4.3");
const EXTENSION_REQUEST = identifier("1.2.840.113549.1.9.14");
const ALTERNATIVE_NAMES = identifier("2.5.29.17");
/** A longer one does not fit into a common name (RFC 5280), and none is needed. */
const LONGEST_NAME = 64;

/** A request for a certificate for the domain (RFC 2986), DER. */
function csr(domain: string, key: KeyObject): Buffer {
  const names = sequence(ALTERNATIVE_NAMES, octets(sequence(der(0x82, Buffer.from(domain)))));
  const body = sequence(
    integer(Buffer.of(0)),
    domain.length > LONGEST_NAME ? sequence() : sequence(set(sequence(COMMON_NAME, utf8(domain)))),
    publicHalf(key),
    der(0xa0, sequence(EXTENSION_REQUEST, set(sequence(names)))),
  );
  return sequence(body, ECDSA_SHA256, bits(sign("sha256", body, key)));
}

const publicHalf = (key: KeyObject): Buffer => createPublicKey(key).export({ type: "spki", format: "der" });
