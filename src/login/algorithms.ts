// The algorithms of tokens. A key has exactly one; a token that names another one is refused (RFC 8725, 3.1).
import { createHmac, createPublicKey, createSecretKey, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import { ALGORITHMS, type Algorithm } from "../core/login.ts";

export interface Key {
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/** Bits of the smallest RSA key (RFC 7518, 3.3). */
const RSA_BITS = 2048;

export const isAlgorithm = (value: unknown): value is Algorithm => ALGORITHMS.some((name) => name === value);

/** The one that a public key is for; undefined: for none of them. */
export function algorithmOf(key: KeyObject): Algorithm | undefined {
  if (key.type !== "public") return undefined;
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "rsa":
      return modulusLength >= RSA_BITS ? "RS256" : undefined;
    case "ec":
      return namedCurve === "prime256v1" ? "ES256" : undefined;
    case "ed25519":
      return "EdDSA";
    default:
      return undefined;
  }
}

/** Over the text's own bytes, which are no base64. */
export const secretKey = (secret: string): Key => ({
  algorithm: "HS256",
  key: createSecretKey(Buffer.from(secret, "utf8")),
});

/** @throws Error when the text is no key of that algorithm */
export function publicKey(pem: string, algorithm: Algorithm): Key {
  const key = createPublicKey(pem);
  if (algorithmOf(key) !== algorithm) throw new Error(`it is no key for ${algorithm}`);
  return { algorithm, key };
}

/**
 * At once for HS256, 6 microseconds. The others take 50 to 150, which many clients that come together would add up to far more than
 * a turn may take: they are done by Node's threads.
 */
export function isSigned({ algorithm, key }: Key, signed: string, signature: Buffer): boolean | Promise<boolean> {
  switch (algorithm) {
    case "HS256": {
      const right = createHmac("sha256", key).update(signed).digest();
      return signature.length === right.length && timingSafeEqual(signature, right);
    }
    case "RS256":
      return verified("sha256", signed, key, signature);
    case "ES256":
      return signature.length === 64 && verified("sha256", signed, key, signature);
    case "EdDSA":
      return signature.length === 64 && verified(null, signed, key, signature);
  }
}

/** What OpenSSL cannot read is not signed. */
function verified(digest: "sha256" | null, signed: string, key: KeyObject, signature: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const input = { key, dsaEncoding: "ieee-p1363" } as const;
    verify(digest, Buffer.from(signed), input, signature, (error, right) => resolve(error === null && right));
  });
}
