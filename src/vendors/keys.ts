// Keys and certificates that the configuration names as files. What is wrong names the file; what is in it never shows.
import type { KeyObject } from "node:crypto";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { z } from "zod";
import type { ReadFile } from "./dialect.ts";
import { isFields } from "./fields.ts";

export type KeyKind = "P-256" | "RSA";

const fileName = z.string({ error: (issue) => (issue.input === undefined ? "is missing" : "must be a file's name") });

/** A file's text. */
export function textFile(read: ReadFile) {
  return fileName.transform((file, context) => {
    try {
      return read(file);
    } catch (error) {
      context.addIssue(error instanceof Error ? error.message : `${file} cannot be read`);
      return z.NEVER;
    }
  });
}

/** A private key in PEM form: what Apple calls .p8. */
export function keyFile(read: ReadFile, kind: KeyKind) {
  return fileName.transform((file, context) => {
    try {
      return privateKey(read(file), kind, file);
    } catch (error) {
      context.addIssue(error instanceof Error ? error.message : `${file} cannot be read`);
      return z.NEVER;
    }
  });
}

/** A service account as the vendor's console lets one download it: JSON with texts, among them a private key. */
export function serviceAccountFile<const Name extends string>(
  read: ReadFile,
  keyField: string,
  names: readonly Name[],
) {
  return fileName.transform((file, context): { readonly key: KeyObject } & Readonly<Record<Name, string>> => {
    try {
      const account = jsonFile(file, read);
      const missing = [keyField, ...names].filter((name) => typeof account[name] !== "string" || account[name] === "");
      if (missing.length > 0)
        throw new Error(`${file}: ${missing.join(", ")} missing; is it a service account's file?`);
      const texts = Object.fromEntries(names.map((name) => [name, account[name]])) as Record<Name, string>;
      return { ...texts, key: privateKey(account[keyField] as string, "RSA", file) };
    } catch (error) {
      context.addIssue(error instanceof Error ? error.message : `${file} cannot be read`);
      return z.NEVER;
    }
  });
}

function jsonFile(file: string, read: ReadFile): Readonly<Record<string, unknown>> {
  const text = read(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would quote the file.
  }
  if (!isFields(value)) throw new Error(`${file} is not a JSON object`);
  return value;
}

/** @throws Error that names the source and shows nothing of the text */
function privateKey(pem: string, kind: KeyKind, source: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new Error(`${source} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)`);
  }
  const fits =
    kind === "RSA"
      ? key.asymmetricKeyType === "rsa"
      : key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";
  if (!fits) throw new Error(`${source} holds another kind of key; this needs ${kind}`);
  return key;
}

/** What is wrong with a client certificate and its key at `now`. */
export function certificateProblems(cert: string, key: string, now: number): readonly string[] {
  let certificate: X509Certificate;
  let own: KeyObject;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    return ["holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"];
  }
  try {
    own = createPrivateKey(key);
  } catch {
    return ["key_file holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"];
  }
  const problems: string[] = [];
  if (Date.parse(certificate.validTo) <= now) problems.push(`the certificate expired on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > now)
    problems.push(`the certificate is valid only from ${certificate.validFrom}`);
  if (!certificate.checkPrivateKey(own)) problems.push("the certificate belongs to another private key than key_file");
  return problems;
}
