// What of it is on disk, in `certificates` of the data directory, for this user alone: of each domain a file with key and chain,
// which is replaced in one step, and what was tried; of each authority the key of our account.
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { renewalId } from "./renewal.ts";

export interface Certificate {
  /** Epoch milliseconds. */
  readonly from: number;
  readonly until: number;
  /** A number from 0 to 1 that is another for each certificate. */
  readonly dice: number;
  /** By which the authority gives advice about it (RFC 9773); absent: it has none. */
  readonly id?: string;
}

const tried = z.object({
  /** The authority that was asked, and the one that the certificate is of; "": not known. */
  directory: z.string(),
  issuer: z.string(),
  /** When, of late, the last one at the end. Epoch milliseconds. */
  tries: z.array(z.number()),
  /** In a row. */
  failures: z.number(),
  /** Not before. Epoch milliseconds. */
  next: z.number(),
  /** Why there is no certificate, or no newer one; "": there is. */
  reason: z.string(),
  pending: z.object({ order: z.string(), key: z.string() }).optional(),
  /** Of the authority, on when to renew. */
  advice: z
    .object({
      id: z.string(),
      next: z.number(),
      failures: z.number(),
      window: z.object({ start: z.number(), end: z.number(), at: z.number(), heard: z.number() }).optional(),
    })
    .optional()
    .catch(undefined),
});

export type Tried = z.infer<typeof tried>;

export const NEVER_TRIED: Tried = { directory: "", issuer: "", tries: [], failures: 0, next: 0, reason: "" };

export class CertificateStore {
  readonly #directory: string;

  constructor(dataDir: string) {
    this.#directory = join(dataDir, "certificates");
  }

  /** PEM of the key and of the chain. */
  file(domain: string): string {
    return join(this.#directory, `${domain}.pem`);
  }

  /** Undefined: there is none, or none that this domain could be served with. */
  async certificate(domain: string): Promise<Certificate | undefined> {
    const text = await readFile(this.file(domain), "latin1").catch(() => undefined);
    return text === undefined ? undefined : certificateIn(text, domain);
  }

  /** What cannot be read counts as never tried. */
  async tried(domain: string): Promise<Tried> {
    const text = await readFile(this.#note(domain), "utf8").catch(() => "");
    try {
      return tried.parse(JSON.parse(text));
    } catch {
      return NEVER_TRIED;
    }
  }

  /** On the disk when it resolves. */
  putTried = (domain: string, what: Tried): Promise<void> => this.#write(this.#note(domain), JSON.stringify(what));
  /** On the disk when it resolves. @param pem of key and chain */
  putCertificate = (domain: string, pem: string): Promise<void> => this.#write(this.file(domain), pem);

  /** The key of our account with an authority; made at the first time. */
  async account(directory: string): Promise<KeyObject> {
    const file = join(
      this.#directory,
      `account-${createHash("sha256").update(directory).digest("hex").slice(0, 16)}.pem`,
    );
    const text = await readFile(file, "latin1").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text !== undefined) return createPrivateKey(text);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await this.#write(file, privateKey.export({ type: "pkcs8", format: "pem" }) as string);
    return privateKey;
  }

  #note(domain: string): string {
    return join(this.#directory, `${domain}.json`);
  }

  /** On disk when it resolves; whatever happens meanwhile, the file has either the old or the new text. */
  async #write(file: string, text: string): Promise<void> {
    await mkdir(this.#directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    const part = `${file}.part`;
    const handle = await open(part, "w", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, file);
    if (process.platform === "win32") return; // which cannot open a directory
    const directory = await open(this.#directory, "r");
    await directory.sync().finally(() => directory.close());
  }
}

/** @param pem key and chain, in any order. Undefined: it does not fit together, or is for another domain. */
export function certificateIn(pem: string, domain: string): Certificate | undefined {
  try {
    const certificate = new X509Certificate(pem);
    if (!certificate.checkPrivateKey(createPrivateKey(pem))) return undefined;
    if (certificate.checkHost(domain) === undefined) return undefined;
    const print = Number.parseInt(certificate.fingerprint256.replaceAll(":", "").slice(0, 8), 16);
    const id = renewalId(certificate);
    return {
      ...(id === undefined ? {} : { id }),
      from: Date.parse(certificate.validFrom),
      until: Date.parse(certificate.validTo),
      dice: print / 0xffff_ffff,
    };
  } catch {
    return undefined;
  }
}
