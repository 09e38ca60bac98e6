// Whether a certificate and its key, or the public key of tokens, can serve: found out before anything is opened with them.
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Algorithm } from "../core/login.ts";
import { DAY } from "../core/time.ts";
import type { AuthKey } from "./setting.ts";

export interface Pair {
  /** Each starts with the setting it is about. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Whether both can be read and fit together; what will expire soon is a warning. @param now epoch milliseconds */
export function checkPair(certFile: string, keyFile: string, now: number): Pair {
  const certificate = parsed(certFile, (text) => new X509Certificate(text), notCertificate);
  const key = parsed(keyFile, createPrivateKey, notKey);
  const problems: string[] = [];
  if (typeof certificate === "string") problems.push(`tls_cert: ${certificate}`);
  if (typeof key === "string") problems.push(`tls_key: ${key}`);
  if (typeof certificate === "string" || typeof key === "string") return { problems, warnings: [] };
  if (!certificate.checkPrivateKey(key))
    problems.push(`tls_key: ${keyFile} is not the key of the certificate in ${certFile}; give both files of one pair`);
  else {
    const refused = refusal(certFile, keyFile);
    if (refused !== undefined) problems.push(`tls_cert: TLS refuses ${certFile} with ${keyFile}: ${refused}`);
  }
  return { problems, warnings: validity(certificate, certFile, now) };
}

/** What OpenSSL says of a pair that fits together and cannot serve: too small a key, an old digest, a broken chain. */
function refusal(certFile: string, keyFile: string): string | undefined {
  try {
    createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^error:[^:]*:[^:]*:[^:]*:/, "");
  }
}

/** What is wrong with a file of certificates to trust. */
export function checkAuthorities(file: string): readonly string[] {
  const parts = parsed(
    file,
    (text) => (text.match(pemCertificate) ?? [text]).map((pem) => new X509Certificate(pem)),
    notCertificate,
  );
  return typeof parts === "string" ? [parts] : [];
}

/** What is wrong with the keys of tokens. */
export function authKeyProblems(keys: readonly AuthKey[]): readonly string[] {
  const ids = keys.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  const problems = twice === undefined ? [] : [`two client.auth.keys have the id ${JSON.stringify(twice)}`];
  for (const [index, { alg, public_key_file: file }] of keys.entries()) {
    if (file === undefined) continue;
    const name = `client.auth.keys[${index + 1}].public_key_file`;
    const key = parsed(file, publicHalf, notPublicKey);
    if (typeof key === "string") problems.push(`${name}: ${key}`);
    else if (!isFor(key, alg))
      problems.push(`${name}: ${file} holds another kind of key; ${alg} needs ${KIND_OF[alg]}`);
  }
  return problems;
}

const KIND_OF: Readonly<Record<Algorithm, string>> = {
  HS256: "a secret",
  RS256: "RSA of 2,048 bits or more",
  ES256: "P-256",
  EdDSA: "Ed25519",
};

function isFor({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject, alg: Algorithm): boolean {
  if (alg === "RS256") return type === "rsa" && (details?.modulusLength ?? 0) >= 2048;
  return alg === "ES256" ? type === "ec" && details?.namedCurve === "prime256v1" : type === "ed25519";
}

/** @throws Error also for a private key, which signs tokens and does not belong here */
function publicHalf(text: string): KeyObject {
  if (text.includes("PRIVATE KEY")) throw new Error("private");
  return createPublicKey(text);
}

const notPublicKey = (text: string): string =>
  text.includes("PRIVATE KEY")
    ? "is a private key, which only who signs tokens should have; write the public one: openssl pkey -in OLD -pubout -out NEW"
    : "is not a public key in PEM form (-----BEGIN PUBLIC KEY-----)";

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

const notCertificate = (): string => "is not a certificate in PEM form (-----BEGIN CERTIFICATE-----)";

const notKey = (text: string): string =>
  text.includes("ENCRYPTED")
    ? "is protected by a passphrase; write it without one: openssl pkey -in OLD -out NEW"
    : "is not a private key in PEM form (-----BEGIN PRIVATE KEY-----)";

/** What the file holds, or what is wrong with it. */
function parsed<T extends object>(
  file: string,
  parse: (text: string) => T,
  wrong: (text: string) => string,
): T | string {
  // It may be a key: not to be shown.
  if (file.includes("-----BEGIN")) return "is PEM text itself; write it into a file and give the file's path";
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return `there is no file ${file}`;
    if (code === "EACCES") return `this user may not read ${file}`;
    return `cannot read ${file}: ${message}`;
  }
  try {
    return parse(text);
  } catch {
    return `${file} ${wrong(text)}`;
  }
}

function validity(certificate: X509Certificate, file: string, now: number): string[] {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  const on = (time: number) => new Date(time).toISOString().slice(0, 10);
  if (now > to) return [`the certificate in ${file} expired on ${on(to)}: clients refuse it; renew it`];
  if (now < from)
    return [`the certificate in ${file} is valid only from ${on(from)}: clients refuse it; check the clock`];
  if (to - now < 14 * DAY) return [`the certificate in ${file} expires on ${on(to)}; renew it and send SIGHUP`];
  return [];
}
