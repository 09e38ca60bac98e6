// JWTs that are made seldom because the vendor counts them: one per key, whatever the app, the environment or the configuration that
// was read, and the same one after a restart. Signing again would make another text of the same claims.
import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";

/** Times are epoch milliseconds. */
export interface Signature {
  readonly value: Promise<string>;
  readonly issued: number;
  readonly expires: number;
}

export class Signatures {
  readonly #signatures = new Map<string, Signature>();
  readonly #file: string | undefined;

  /** @param file where they outlive the process, readable by its user alone; without it they do not */
  constructor(file?: string) {
    this.#file = file;
    if (file !== undefined) for (const [name, one] of read(file)) this.#signatures.set(name, one);
  }

  /** @param key names the key, and holds no secret */
  get(key: string): Signature | undefined {
    return this.#signatures.get(nameOf(key));
  }

  /** Those that have expired go. */
  set(key: string, signature: Signature, now: number): void {
    for (const [name, { expires }] of this.#signatures) if (expires <= now) this.#signatures.delete(name);
    this.#signatures.set(nameOf(key), signature);
    // One that cannot be made is told to those who wait for it.
    signature.value.then(() => this.#store()).catch(() => undefined);
  }

  async #store(): Promise<void> {
    if (this.#file === undefined) return;
    const made = [...this.#signatures].map(async ([name, { value, ...times }]) => [
      name,
      { value: await value, ...times },
    ]);
    const text = JSON.stringify(Object.fromEntries(await Promise.all(made)));
    const part = `${this.#file}.part`;
    try {
      writeFileSync(part, text, { mode: 0o600 });
      renameSync(part, this.#file);
    } catch {
      // A full disk: after a restart there will be another one.
    }
  }
}

const nameOf = (key: string): string => createHash("sha256").update(key).digest("base64url");

const stored = z.record(
  z.string(),
  z.object({ value: z.string().regex(/^[\w.-]+$/), issued: z.number(), expires: z.number() }),
);

/** Nothing at the first start, and of a file that is damaged. */
function read(file: string): readonly (readonly [string, Signature])[] {
  try {
    const signatures = stored.parse(JSON.parse(readFileSync(file, "utf8")));
    return Object.entries(signatures).map(([name, one]) => [name, { ...one, value: Promise.resolve(one.value) }]);
  } catch {
    return [];
  }
}
