// Who signs clients' tokens in tests: another implementation than the one that reads them, and an issuer's real JWKS server.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import type { Test } from "tap";
import type { Config } from "../../src/config/index.ts";

export const SECRET = "n3-kQ8zV1xW0pL7rT5yB2mD9fH6jC4sA";
export const ISSUER = "https://idp.example.com/";
export const AUDIENCE = "push";

export type Claims = JWTPayload & { readonly pushbox?: unknown };

/** Seconds since 1970, so many from now. */
export const seconds = (from = 0): number => Math.floor(Date.now() / 1000) + from;

/** A token of HS256 by the key called `1`, for an hour unless it says otherwise. */
export const hs256 = (
  claims: Claims,
  kid: string | null = "1",
  secret = SECRET,
  rest: Claims = { iat: seconds() },
): Promise<string> =>
  new SignJWT({ exp: seconds(3600), ...rest, ...claims })
    .setProtectedHeader({ alg: "HS256", ...(kid === null ? {} : { kid }) })
    .sign(Buffer.from(secret));

/** `client.auth` with a key of this secret. */
export const auth = (more: Partial<Config["client"]["auth"]> = {}): Config["client"]["auth"] => ({
  required: false,
  requiredTopics: [],
  jwksUrl: "",
  issuer: "",
  audience: "",
  maxLifetime: 31_622_400_000,
  keys: [{ id: "1", alg: "HS256", secret: SECRET }],
  ...more,
});

export type PublicAlgorithm = "RS256" | "ES256" | "EdDSA";

export async function keyPair(alg: PublicAlgorithm) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    alg,
    privateKey,
    pem: await exportSPKI(publicKey),
    jwk: await exportJWK(publicKey),
    sign: (claims: Claims, header: { readonly kid?: string } = {}): Promise<string> =>
      new SignJWT({ iat: seconds(), exp: seconds(3600), ...claims })
        .setProtectedHeader({ alg, ...header })
        .sign(privateKey),
  };
}

export interface Issuer {
  readonly url: string;
  /** How often it was asked for its keys. */
  asked: number;
  /** What it answers. */
  keys: readonly object[];
  /** It answers this status instead, or never. */
  trouble: number | "silent" | undefined;
  /** Resolves when it is asked the next time. */
  next(): Promise<void>;
}

export async function startIssuer(t: Test, keys: readonly object[] = []): Promise<Issuer> {
  let askedNext = Promise.withResolvers<void>();
  const server = createServer((_, response) => {
    issuer.asked++;
    askedNext.resolve();
    askedNext = Promise.withResolvers();
    if (issuer.trouble === "silent") return;
    response.writeHead(issuer.trouble ?? 200, { "content-type": "application/json" });
    response.end(JSON.stringify({ keys: issuer.keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer: Issuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    asked: 0,
    keys,
    trouble: undefined,
    next: () => askedNext.promise,
  };
  return issuer;
}
