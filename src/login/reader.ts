// Reads a client's token: a JWT in its compact form (RFC 7515, 7519), signed by a key of the configuration or of the issuer's JWKS.
import { ALGORITHMS, type Algorithm, type Login, type LoginFault, type TokenReader } from "../core/login.ts";
import { isObject } from "../core/object.ts";
import { isAlgorithm, isSigned, type Key, publicKey, secretKey } from "./algorithms.ts";
import { type Claims, type Expected, invalid, loginOf, termFault } from "./claims.ts";
import type { Jwks } from "./jwks.ts";

/** Characters of the longest token. */
const LONGEST = 8192;

/** `client.auth.keys`, with the text of the file that one names. */
interface GivenKey {
  readonly id: string;
  readonly alg: Algorithm;
  /** The secret of HS256, the PEM text of a public key otherwise. */
  readonly text: string;
}

export interface ReaderOptions extends Expected {
  readonly keys: readonly GivenKey[];
  /** Asked for the keys that are not in the configuration. */
  readonly jwks?: Jwks;
}

/** The three parts of a token, read but not believed. */
interface Parts {
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
  readonly claims: Claims;
  readonly signed: string;
  readonly signature: Buffer;
}

/** @throws Error when a key is none */
export function createReader(options: ReaderOptions): TokenReader {
  const { jwks } = options;
  const keys = new Map(
    options.keys.map(({ id, alg, text }) => [id, alg === "HS256" ? secretKey(text) : publicKey(text, alg)]),
  );

  /** The token is as it came from the issuer: now what it says counts. */
  const believed = ({ claims }: Parts, now: number): Login | LoginFault =>
    termFault(claims, options, now) ?? loginOf(claims, options);

  function judged(parts: Parts, key: Key, now: number): Login | LoginFault | Promise<Login | LoginFault> {
    if (key.algorithm !== parts.algorithm) return invalid("alg is not that of its key", parts.algorithm);
    const right = isSigned(key, parts.signed, parts.signature);
    const judge = (is: boolean) => (is ? believed(parts, now) : invalid("the signature is wrong"));
    return right instanceof Promise ? right.then(judge) : judge(right);
  }

  /** A token without `kid` may be signed by any key of its algorithm. */
  async function judgedByAny(parts: Parts, now: number): Promise<Login | LoginFault> {
    for (const key of keys.values())
      if (key.algorithm === parts.algorithm && (await isSigned(key, parts.signed, parts.signature)))
        return believed(parts, now);
    return invalid("it has no kid, and none of client.auth.keys signed it");
  }

  async function judgedByIssuer(parts: Parts, kid: string, from: Jwks, now: number): Promise<Login | LoginFault> {
    const key = await from.key(kid);
    return key === undefined ? invalid("the issuer has no key of that kid", kid) : judged(parts, key, now);
  }

  return {
    read(token, now) {
      const parts = partsOf(token);
      if ("code" in parts) return parts;
      const { kid, algorithm } = parts;
      if (kid === undefined) {
        const [only, ...others] = [...keys.values()].filter((key) => key.algorithm === algorithm);
        if (only === undefined) return invalid("it has no kid, and no key is for its alg", algorithm);
        return others.length === 0 ? judged(parts, only, now) : judgedByAny(parts, now);
      }
      const own = keys.get(kid);
      if (own !== undefined) return judged(parts, own, now);
      if (jwks === undefined) return invalid("none of client.auth.keys has its kid as id", kid);
      if (algorithm === "HS256") return invalid("a key of the issuer's is public: alg cannot be HS256", kid);
      // Nobody has the issuer's keys fetched by a token that could not count anyway.
      const fault = termFault(parts.claims, options, now);
      if (fault !== undefined) return fault;
      const held = jwks.held(kid);
      return held === undefined ? judgedByIssuer(parts, kid, jwks, now) : judged(parts, held, now);
    },
  };
}

function partsOf(token: string): Parts | LoginFault {
  if (token.length > LONGEST) return invalid(`it is longer than ${LONGEST} characters`);
  const [, head, body, tail] = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(token) ?? [];
  if (head === undefined || body === undefined || tail === undefined) return invalid("it is no JWT of three parts");
  const header = objectIn(head);
  if (header === undefined) return invalid("its header is no JSON object");
  const { alg, kid, crit } = header;
  if (!isAlgorithm(alg)) return invalid(`alg is none of ${ALGORITHMS.join(", ")}`, alg);
  if (crit !== undefined) return invalid("crit asks for what is not known here", crit);
  if (kid !== undefined && typeof kid !== "string") return invalid("kid must be a string", kid);
  const claims = objectIn(body);
  if (claims === undefined) return invalid("its claims are no JSON object");
  return { algorithm: alg, kid, claims, signed: `${head}.${body}`, signature: Buffer.from(tail, "base64url") };
}

function objectIn(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // the only error it knows: not JSON
  }
}
