// tar, ar and gzip, written so that the same files make the same bytes: nothing of this machine, its users or its clock is in them.
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip as gzipWith } from "node:zlib";

export interface Entry {
  /** A path with slashes; a directory's ends with one. */
  readonly name: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

export const directory = (name: string): Entry => ({ name, mode: 0o755, bytes: new Uint8Array() });
export const text = (name: string, content: string, mode = 0o644): Entry => ({
  name,
  mode,
  bytes: Buffer.from(content),
});

/** Every directory above a file, each before what is in it. */
export function parents(files: readonly Pick<Entry, "name">[]): readonly string[] {
  const above = files.flatMap(({ name }) => [...name.matchAll(/\//g)].map(({ index }) => name.slice(0, index + 1)));
  return [...new Set(above)].sort();
}

const BLOCK = 512;

/** POSIX ustar; everything is root's. `time` in seconds since 1970. @throws Error for a name of more than 100 bytes */
export function tar(entries: readonly Entry[], time: number): Buffer {
  return Buffer.concat([...entries.flatMap((entry) => member(entry, time)), Buffer.alloc(2 * BLOCK)]);
}

function member({ name, mode, bytes }: Entry, time: number): readonly Uint8Array[] {
  const header = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(name) > 100) throw new Error(`${name} is too long for a tar archive`);
  const number = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  header.write(name, 0);
  header.write(number(mode, 7), 100);
  header.write(number(0, 7), 108);
  header.write(number(0, 7), 116);
  header.write(number(bytes.length, 11), 124);
  header.write(number(time, 11), 136);
  header.write(" ".repeat(8), 148); // the sum is taken with spaces in its place
  header.write(name.endsWith("/") ? "5" : "0", 156);
  header.write("ustar\x0000root\0", 257);
  header.write("root", 297);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return [header, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
}

/** The outermost archive of a Debian package: deb(5). */
export function ar(members: readonly { readonly name: string; readonly bytes: Uint8Array }[], time: number): Buffer {
  return Buffer.concat([
    Buffer.from("!<arch>\n"),
    ...members.flatMap(({ name, bytes }) => [
      Buffer.from(
        `${name.padEnd(16)}${String(time).padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`,
      ),
      bytes,
      Buffer.alloc(bytes.length % 2, "\n"),
    ]),
  ]);
}

const compress = promisify(gzipWith);

/** Off this thread, so that several go on together. */
export const gzip = (bytes: Uint8Array): Promise<Buffer> => compress(bytes, { level: 6 });

export const digest = (algorithm: "sha256" | "md5", bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest("hex");
